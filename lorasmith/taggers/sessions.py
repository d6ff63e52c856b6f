"""Opens onnxruntime sessions, and reads its errors: it has no classes for what matters, only words."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state

from lorasmith.errors import TaggerError
from lorasmith.taggers.providers import CPU, choose_providers

# onnxruntime's exceptions share no base class of their own; numpy's MemoryError is on the same road.
RUNTIME_ERRORS: tuple[type[Exception], ...] = (
    RuntimeError,
    ValueError,
    OSError,
    MemoryError,
    *(
        value
        for value in vars(onnxruntime_pybind11_state).values()
        if isinstance(value, type) and issubclass(value, Exception)
    ),
)
# What is said when memory runs out by: the arena of any provider; CUDA; cuBLAS; cuDNN 8 and 9; DirectML (E_OUTOFMEMORY);
# the C++ library; numpy.
_NO_MEMORY = (
    "failed to allocate memory",
    "out of memory",
    "cuda failure 2:",
    "cublas_status_alloc_failed",
    "cudnn_status_alloc_failed",
    "device_allocation_failed",
    "host_allocation_failed",
    "8007000e",
    "not enough memory resources",
    "bad_alloc",
    "bad allocation",
    "unable to allocate",
)
_MOST_LANES = 4


@dataclass(frozen=True)
class Work:
    """How the cores are shared on a CPU: `lanes` runs at once, each on `threads` threads of its own or shared ones."""

    lanes: int
    threads: int


def usable_cores() -> int:
    """Gives the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def share_cores(cores: int) -> Work:
    """Shares cores among runs: pictures side by side use them better than one picture on all, and decoding fills the gaps.

    The memory for a picture's activations is needed once per lane, hence not more than four.
    """
    lanes = max(1, min(cores, _MOST_LANES))
    return Work(lanes, cores - lanes + 1)  # a lane computes itself, and the other threads help all lanes


def open_session(model: Path, providers: Sequence[str], work: Work) -> onnxruntime.InferenceSession:
    """Opens a model file; raises `TaggerError` when onnxruntime cannot read it."""
    chosen = choose_providers(providers)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what its log would say of a provider that does not load, `Tagger.fallback` says
    if chosen == [CPU]:
        options.intra_op_num_threads = work.threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting threads would slow decoding
    if "DmlExecutionProvider" in chosen:  # DirectML's own conditions
        options.enable_mem_pattern = False
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    try:
        return onnxruntime.InferenceSession(str(model), options, providers=[_with_options(name) for name in chosen])
    except RUNTIME_ERRORS as error:
        if is_out_of_memory(error):
            raise TaggerError(
                f"There is not enough memory to load {model}. Close other programs, or choose a smaller tagger."
            ) from error
        raise TaggerError(
            f"{model} cannot be read as a tagger model ({first_line(error)}). It may be half downloaded: "
            "delete it and fetch it again."
        ) from error


def _with_options(provider: str) -> str | tuple[str, dict[str, str]]:
    if provider == "CUDAExecutionProvider":  # else the arena doubles at each growth, and is never given back
        return provider, {"arena_extend_strategy": "kSameAsRequested", "cudnn_conv_algo_search": "HEURISTIC"}
    return provider


def first_line(error: Exception) -> str:
    """Gives the first line of an error's words: onnxruntime writes pages."""
    return (str(error).splitlines() or ["no reason given"])[0]


def is_out_of_memory(error: Exception) -> bool:
    """Says whether an error is about memory, by its words: there is no class for it."""
    words = str(error).lower()
    return isinstance(error, MemoryError) or any(mark in words for mark in _NO_MEMORY)
