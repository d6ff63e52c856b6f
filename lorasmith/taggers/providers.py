"""Where onnxruntime really computes: asked from a session, because a listed provider may still fail to load."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import onnxruntime

# Fastest first; whatever is not installed is left out.
PREFERRED = ("CUDAExecutionProvider", "DmlExecutionProvider", "CoreMLExecutionProvider")
CPU = "CPUExecutionProvider"

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
    if "CUDAExecutionProvider" in chosen:
        load_cuda_libraries()
    return list(dict.fromkeys([*chosen, CPU]))


def load_cuda_libraries() -> None:
    """Lets onnxruntime (1.21 and newer) find the CUDA libraries that torch or pip brought."""
    preload = getattr(onnxruntime, "preload_dlls", None)
    if preload is not None:
        preload()


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
