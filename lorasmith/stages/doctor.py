"""doctor: what this machine has for the work, one line each."""

import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

_MIN_FREE = 5e9  # bytes: one base model and a run


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, what was seen, and whether training can work with it."""

    what: str
    seen: str
    fine: bool


@dataclass(frozen=True)
class Diagnosis:
    """All findings."""

    findings: tuple[Finding, ...]
    can_train: bool

    @property
    def exit_code(self) -> int:
        """1 when training cannot work here."""
        return 0 if self.can_train else 1


def doctor(folder: Path | None = None) -> Diagnosis:
    """Looks at Python, torch, the GPU, onnxruntime and the disk; never raises for what is missing."""
    looks = (_python, _torch, _gpu, _trainer, _onnxruntime, lambda: _disk(folder or Path.cwd()))
    findings = tuple(_safely(look) for look in looks)
    return Diagnosis(findings, all(finding.fine for finding in findings))


def _safely(look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except Exception as error:  # noqa: BLE001 - a broken installation may raise anything at import, and is just what is looked for
        return Finding(look.__name__.strip("_"), f"broken: {error}; run `python3 install.py doctor` to mend it", False)


def _python() -> Finding:
    fine = sys.version_info >= (3, 11)
    return Finding("Python", f"{platform.python_version()} on {platform.platform()}", fine)


def _torch() -> Finding:
    import torch

    return Finding("torch", f"{torch.__version__}, {torch.get_num_threads()} threads", True)


def _gpu() -> Finding:
    import torch

    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        return Finding("GPU", f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB", True)
    if torch.backends.mps.is_available():
        return Finding("GPU", "Apple GPU (mps)", True)
    return Finding("GPU", "none that torch can use: training runs on the CPU, slowly", True)


def _trainer() -> Finding:
    names = ("diffusers", "peft", "transformers", "safetensors")
    return Finding("trainer", ", ".join(f"{name} {metadata.version(name)}" for name in names), True)


def _onnxruntime() -> Finding:
    import onnxruntime

    from lorasmith.taggers.providers import available_providers_truth

    providers = available_providers_truth()
    seen = ", ".join(each.name if each.works else f"{each.name} (does not work: {each.note})" for each in providers)
    return Finding("onnxruntime", f"{onnxruntime.__version__}: {seen}", any(each.works for each in providers))


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    return Finding("disk", f"{free / 1e9:.0f} GB free for {folder}", free > _MIN_FREE)
