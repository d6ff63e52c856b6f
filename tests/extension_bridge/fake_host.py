"""A stand-in for the `modules` of a WebUI, with the habits that the bridge has to live with.

Two kinds: like AUTOMATIC1111 1.10 (loads when asked, a model on the CPU fails, its options' callbacks take the queue lock)
and like Forge (a stand-in model until the first picture, a switch is only noted, the GPU comes back by itself). Runs on
Python 3.10 with the standard library and Pillow.
"""

from __future__ import annotations

import hashlib
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from tests.extension_bridge.fake_drawing import processing
from tests.extension_bridge.fake_models import (
    Info,
    a1111_models,
    a_module,
    forge_models,
    lora_networks,
    write_lora,
    write_model,
)

DEFAULTS = {
    "sd_model_checkpoint": "first.safetensors",
    "CLIP_stop_at_last_layers": 1,
    "add_model_hash_to_info": True,
    "add_model_name_to_info": True,
    "lora_add_hashes_to_infotext": True,
    "sd_lora": "None",
    "save_init_img": True,
    "samples_save": True,
    "img2img_color_correction": True,
    "overlay_inpaint": True,
    "return_mask": True,
}


class FifoLock:
    """First come, first served, and not reentrant: a thread that takes it twice waits for ever."""

    def __init__(self) -> None:
        self._held = False
        self._inner = threading.Lock()
        self._waiting: deque[threading.Event] = deque()

    def acquire(self, blocking: bool = True) -> bool:
        with self._inner:
            if not self._held:
                self._held = True
                return True
            if not blocking:
                return False
            turn = threading.Event()
            self._waiting.append(turn)
        if not turn.wait(30):
            raise RuntimeError("the queue lock was taken twice by one thread, or never released")
        return True

    def release(self) -> None:
        with self._inner:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._held = False

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def __enter__(self) -> FifoLock:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class State:
    """The host's state of work, with the names of the real one."""

    def __init__(self) -> None:
        self.job = ""
        self.job_count = 0
        self.sampling_step = self.sampling_steps = 0
        self.interrupted = self.skipped = False
        self.server_command: str | None = None
        self.begun: list[str] = []

    def begin(self, job: str = "(unknown)") -> None:
        self.job, self.job_count = job, -1
        self.sampling_step = 0
        self.interrupted = self.skipped = False
        self.begun.append(job)

    def end(self) -> None:
        self.job, self.job_count = "", 0

    def interrupt(self) -> None:
        self.interrupted = True


class Options:
    """Settings: `data` holds what config.json holds, `data_labels` what this host knows."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.__dict__["data"] = data
        self.__dict__["data_labels"] = {key: SimpleNamespace(default=value) for key, value in DEFAULTS.items()}
        self.__dict__["callbacks"] = {}

    def __getattr__(self, key: str) -> Any:
        if key in self.data:
            return self.data[key]
        if key in self.data_labels:
            return self.data_labels[key].default
        raise AttributeError(key)

    def __setattr__(self, key: str, value: Any) -> None:
        self.data[key] = value

    def set(self, key: str, value: Any, is_api: bool = False, run_callbacks: bool = True) -> bool:
        if self.data.get(key) == value:
            return False
        self.data_labels[key]  # an unknown one is a KeyError, as in the host
        self.data[key] = value
        if run_callbacks and key in self.callbacks:
            self.callbacks[key]()
        return True


@dataclass
class Host:
    """What the stand-in has and what happened to it."""

    folder: Path
    forge: bool = False
    step_seconds: float = 0.0
    saved: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)  # checkpoints, in the order they were loaded
    drawn: list[dict[str, Any]] = field(default_factory=list)
    fault: Exception | None = None  # raised in the middle of the next picture
    meanwhile: Callable[[], object] = lambda: None  # what the person does while a picture is drawn
    forgets_loras: bool = False  # draws without them, as hosts do with files that do not fit
    lock: FifoLock = field(default_factory=FifoLock)
    state: State = field(default_factory=State)

    def __post_init__(self) -> None:
        unet = "model.diffusion_model.input_blocks.0.0.weight"
        text = "cond_stage_model.transformer.text_model.final_layer_norm.weight"
        models = self.folder / "models"
        write_model(models / "first.safetensors", {unet: [32, 4, 3, 3], text: [8]})
        write_model(models / "second.safetensors", {unet: [32, 9, 3, 3], text: [9]})
        write_model(models / "big.safetensors", {unet: [32, 4, 3, 3], "conditioner.embedders.0.x": [8], "v_pred": [1]})
        (models / "broken.safetensors").write_bytes(b"broken")
        self.loras = self.folder / "models" / "Lora"
        write_lora(self.loras / "hero.safetensors")
        write_lora(self.loras / "large.safetensors", context=2048)
        self.infos = [Info(str(path), _sha(path)) for path in sorted(models.glob("*.safetensors"))]
        # `lora_add_hashes_to_infotext` and `sd_lora` are not in config.json here, as with a host that was updated
        config = {
            key: value for key, value in DEFAULTS.items() if key not in ("lora_add_hashes_to_infotext", "sd_lora")
        }
        config["sd_model_checkpoint"] = self.info("first").title
        self.options = Options(config)
        self.modules = _modules(self)

    def info(self, stem: str) -> Info:
        return next(info for info in self.infos if Path(info.filename).stem == stem)

    @property
    def model(self) -> Any:
        return self.modules["modules.sd_models"].model_data.sd_model

    def person_draws(self, steps: int = 3) -> None:
        """Draws a picture as the person's own page has it done, with what hosts do after the lock is free."""
        processing = self.modules["modules.processing"]
        with self.lock:
            self.state.begin(job="task(txt2img-person)")
            p = processing.StableDiffusionProcessingTxt2Img(prompt="person", steps=steps, sampler_name="Euler")
            try:
                processing.process_images(p)
            finally:
                self.state.end()
        self.state.interrupted = self.state.skipped = False
        self.state.job, self.state.job_count = "", 0

    @contextmanager
    def installed(self) -> Iterator[Host]:
        """Has the stand-in under the names of the real modules."""
        names = [*self.modules, "modules_forge", "modules_forge.main_entry", "modules_forge.forge_version"]
        before = {name: sys.modules.get(name) for name in names}
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(self.modules)
        try:
            yield self
        finally:
            for name, module in before.items():
                sys.modules.pop(name, None)
                if module is not None:
                    sys.modules[name] = module


def _sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _modules(host: Host) -> dict[str, ModuleType]:
    opts = SimpleNamespace(lora_dir=str(host.loras), freeze_settings=False)
    shared = a_module("modules.shared", state=host.state, opts=host.options, cmd_opts=opts)
    made = {
        "modules.shared": shared,
        "modules.sd_models": forge_models(host) if host.forge else a1111_models(host),
        "modules.call_queue": a_module("modules.call_queue", queue_lock=host.lock),
        "modules.paths": a_module("modules.paths", models_path=str(host.folder / "models")),
        "modules.launch_utils": a_module("modules.launch_utils", git_tag=lambda: "v1.10.1"),
        "modules.sd_samplers": a_module("modules.sd_samplers", all_samplers=_named("DDIM", "Euler", "Euler a")),
        "modules.sd_schedulers": a_module("modules.sd_schedulers", schedulers=_labelled("Automatic", "Karras")),
        "networks": lora_networks(host),
    }
    made["modules.processing"] = processing(host, made)
    if host.forge:
        sd_models = made["modules.sd_models"]
        made["modules_forge"] = a_module("modules_forge", __path__=[])
        made["modules_forge.forge_version"] = a_module("modules_forge.forge_version", version="2.0.1")

        def checkpoint_change(title: str, save: bool = True, refresh: bool = True) -> bool:
            host.options.set("sd_model_checkpoint", title)
            if refresh:
                sd_models.model_data.wanted = sd_models.select_checkpoint()
            return True

        made["modules_forge.main_entry"] = a_module("modules_forge.main_entry", checkpoint_change=checkpoint_change)
    package = a_module("modules", __path__=[])
    for name, module in made.items():
        if name.startswith("modules."):
            setattr(package, name.partition(".")[2], module)
    # shared.sd_model is a property of the module in the real host: reading it loads (A1111)
    shared.__class__ = type("Shared", (ModuleType,), {"sd_model": property(lambda _: made["modules.sd_models"].get())})
    return {"modules": package, **made}


def _named(*names: str) -> list[Any]:
    return [SimpleNamespace(name=name) for name in names]


def _labelled(*labels: str) -> list[Any]:
    return [SimpleNamespace(name=label.lower(), label=label) for label in labels]
