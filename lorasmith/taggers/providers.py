"""Where onnxruntime really computes: asked from a session, because a listed provider may still fail to load."""

import base64
import ctypes
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import onnxruntime

# Fastest first; whatever is not installed is left out. TensorRT builds an engine for minutes per shape and is listed
# wherever CUDA is, whether it can be loaded or not: it is taken where a person names it.
PREFERRED = ("CUDAExecutionProvider", "DmlExecutionProvider", "CoreMLExecutionProvider")
TENSORRT = "TensorrtExecutionProvider"
CPU = "CPUExecutionProvider"
# The library of a provider that lies beside onnxruntime, loaded when the first session asks for it.
_LIBRARIES = {"CUDAExecutionProvider": "onnxruntime_providers_cuda", TENSORRT: "onnxruntime_providers_tensorrt"}

# The smallest graph there is, y = Identity(x) over one float: opset 13, IR 8.
_IDENTITY = base64.b64decode("CAg6NwoQCgF4EgF5IghJZGVudGl0eRIBZ1oPCgF4EgoKCAgBEgQKAggBYg8KAXkSCgoICAESBAoCCAFCBAoAEA0=")


@dataclass(frozen=True)
class ProviderTruth:
    """One provider that onnxruntime lists, and whether a session really ran with it."""

    name: str
    works: bool
    note: str = ""


def choose_providers(wanted: Sequence[str] = ()) -> list[str]:
    """Gives the providers for a session: the wanted ones that are installed, else the fastest, then the CPU."""
    available = onnxruntime.get_available_providers()
    chosen = [name for name in (wanted or PREFERRED) if name in available]
    if {"CUDAExecutionProvider", TENSORRT} & set(chosen):
        load_cuda_libraries()
    return list(dict.fromkeys([*chosen, CPU]))


def load_cuda_libraries() -> None:
    """Lets onnxruntime (1.21 and newer) find the CUDA libraries that torch or pip brought."""
    preload = getattr(onnxruntime, "preload_dlls", None)
    if preload is not None:
        preload()


def why_not_used(wanted: Sequence[str], used: Sequence[str]) -> str:
    """Says in a sentence why a session does not run where it was to; empty where all is as wished.

    `used` is what the session says of itself: what onnxruntime lists may still not load.
    """
    available = onnxruntime.get_available_providers()
    expected = list(wanted) or [name for name in PREFERRED if name in available]
    missed = [name for name in expected if name not in used and name != CPU]
    where = short(used[0])
    if missed and used[0] not in expected[: expected.index(missed[0])]:
        return f"The tagger runs on {where} and not on {short(missed[0])}: {_reason(missed[0], available)}."
    if not wanted and used[0] == CPU and shutil.which("nvidia-smi") and "CUDAExecutionProvider" not in available:
        return f"The tagger runs on {where} beside an NVIDIA card: {_reason('CUDAExecutionProvider', available)}."
    return ""


def short(provider: str) -> str:
    """Writes a provider's name as people say it: the CPU, CUDA, DirectML."""
    name = provider.removesuffix("ExecutionProvider")
    return {"CPU": "the CPU", "Dml": "DirectML", "Tensorrt": "TensorRT"}.get(name, name)


def _reason(provider: str, available: Sequence[str]) -> str:
    package = {"DmlExecutionProvider": "onnxruntime-directml"}.get(provider, "onnxruntime-gpu")
    if provider not in available:
        if provider not in {*PREFERRED, TENSORRT}:
            return f"the onnxruntime that is installed has no '{provider}', only {', '.join(available)}"
        if provider == "CoreMLExecutionProvider":
            return "the onnxruntime that is installed is built without it"
        return f"the onnxruntime that is installed is built without it; uninstall it and install {package} instead"
    if provider in _LIBRARIES:
        return _loading_error(_LIBRARIES[provider]) or "its libraries load, but no graphics card answers them"
    return "it is installed, but no graphics card answers it"


def _loading_error(library: str) -> str:
    """Loads a provider's library as onnxruntime does and gives what stands in the way: it tells only its log."""
    folder = Path(onnxruntime.__file__).parent / "capi"
    start, end = ("", ".dll") if sys.platform == "win32" else ("lib", ".so")
    try:
        ctypes.CDLL(str(folder / f"{start}onnxruntime_providers_shared{end}"), mode=getattr(ctypes, "RTLD_GLOBAL", 0))
        ctypes.CDLL(str(folder / f"{start}{library}{end}"))
    except OSError as error:
        return str(error).splitlines()[0].rstrip(".")
    return ""


def available_providers_truth() -> list[ProviderTruth]:
    """Opens a tiny session with each listed provider and says which of them the session really uses."""
    return [_truth_of(name) for name in onnxruntime.get_available_providers()]


def _truth_of(name: str) -> ProviderTruth:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    if name == "CUDAExecutionProvider":
        load_cuda_libraries()
    try:
        session = onnxruntime.InferenceSession(_IDENTITY, options, providers=[name])
    except (RuntimeError, ValueError, OSError) as error:
        return ProviderTruth(name, False, str(error).splitlines()[0])
    used = session.get_providers()
    return ProviderTruth(name, name in used, "" if name in used else f"falls back to {', '.join(used)}")
