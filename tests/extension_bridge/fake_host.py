"""A stand-in for the `modules` of a WebUI, with the habits that the bridge has to live with.

Two kinds: like AUTOMATIC1111 1.10 (loads when asked, a model on the CPU fails, its options' callbacks take the queue lock)
and like Forge (a stand-in model until the first picture, a switch is only noted, the GPU comes back by itself). Runs on
Python 3.10 with the standard library and Pillow.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from PIL import Image, ImageFilter

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
_LORA = re.compile(r"<lora:([^:>]+):([^>]+)>")


def write_model(path: Path, tensors: dict[str, list[int]], metadata: dict[str, str] | None = None) -> Path:
    """Writes a safetensors file of zeros in half precision."""
    entries: dict[str, Any] = {"__metadata__": metadata or {}}
    end = 0
    for name, shape in tensors.items():
        size = 2
        for side in shape:
            size *= side
        entries[name] = {"dtype": "F16", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    header = json.dumps(entries).encode("utf-8")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(end))
    return path


def write_lora(path: Path, context: int = 768) -> Path:
    """Writes a LoRA whose cross-attention reads `context` channels: 768 is SD1, 2048 SDXL."""
    digest = hashlib.sha256(path.name.encode()).hexdigest()
    name = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight"
    return write_model(path, {name: [4, context]}, {"ss_output_name": path.stem, "sshs_model_hash": digest})


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
class Info:
    """A checkpoint in the host's list."""

    filename: str
    sha256: str | None

    @property
    def name(self) -> str:
        return Path(self.filename).name

    @property
    def title(self) -> str:
        return f"{self.name} [{self.sha256[:10]}]" if self.sha256 else self.name


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


def _module(name: str, **members: Any) -> ModuleType:
    module = ModuleType(name)
    module.__dict__.update(members)
    return module


def _modules(host: Host) -> dict[str, ModuleType]:
    opts = SimpleNamespace(lora_dir=str(host.loras), freeze_settings=False)
    shared = _module("modules.shared", state=host.state, opts=host.options, cmd_opts=opts)
    made = {
        "modules.shared": shared,
        "modules.sd_models": _forge_models(host) if host.forge else _a1111_models(host),
        "modules.call_queue": _module("modules.call_queue", queue_lock=host.lock),
        "modules.paths": _module("modules.paths", models_path=str(host.folder / "models")),
        "modules.launch_utils": _module("modules.launch_utils", git_tag=lambda: "v1.10.1"),
        "modules.sd_samplers": _module("modules.sd_samplers", all_samplers=_named("DDIM", "Euler", "Euler a")),
        "modules.sd_schedulers": _module("modules.sd_schedulers", schedulers=_labelled("Automatic", "Karras")),
        "networks": _networks(host),
    }
    made["modules.processing"] = _processing(host, made)
    if host.forge:
        sd_models = made["modules.sd_models"]
        made["modules_forge"] = _module("modules_forge", __path__=[])
        made["modules_forge.forge_version"] = _module("modules_forge.forge_version", version="2.0.1")

        def checkpoint_change(title: str, save: bool = True, refresh: bool = True) -> bool:
            host.options.set("sd_model_checkpoint", title)
            if refresh:
                sd_models.model_data.wanted = sd_models.select_checkpoint()
            return True

        made["modules_forge.main_entry"] = _module("modules_forge.main_entry", checkpoint_change=checkpoint_change)
    package = _module("modules", __path__=[])
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


def _lists(host: Host) -> dict[str, Any]:
    aliases = {alias: info for info in host.infos for alias in (info.title, info.name, Path(info.filename).stem)}
    return {"checkpoints_list": {info.title: info for info in host.infos}, "checkpoint_aliases": aliases}


def _loaded(host: Host, info: Info) -> Any:
    if "broken" in info.name:
        raise RuntimeError("the file is broken")
    host.loads.append(info.name)
    return SimpleNamespace(
        sd_checkpoint_info=info, device="cuda", is_sd1="big" not in info.name, is_sdxl="big" in info.name
    )


def _a1111_models(host: Host) -> ModuleType:
    module = _module("modules.sd_models", **_lists(host))
    module.model_data = SimpleNamespace(sd_model=None, lock=threading.Lock())

    def select_checkpoint() -> Info:
        if not module.checkpoints_list:
            raise FileNotFoundError("No checkpoints found.")
        return module.checkpoint_aliases.get(host.options.sd_model_checkpoint, host.infos[0])

    def get() -> Any:
        with module.model_data.lock:
            if module.model_data.sd_model is None:
                module.model_data.sd_model = _a1111(_loaded(host, select_checkpoint()))
        return module.model_data.sd_model

    def reload_model_weights(sd_model: Any = None, info: Any = None) -> Any:
        info = info or select_checkpoint()
        model = module.model_data.sd_model
        if model is not None and model.sd_checkpoint_info.filename == info.filename:
            return model  # wherever it is: also on the CPU
        module.model_data.sd_model = _a1111(_loaded(host, info))
        return module.model_data.sd_model

    def unload_model_weights(sd_model: Any = None, info: Any = None) -> None:
        get().device = "cpu"

    def send_model_to_device(model: Any) -> None:
        model.device = "cuda"

    def on_change() -> None:
        with host.lock:
            module.reload_model_weights()

    host.options.callbacks["sd_model_checkpoint"] = on_change
    module.__dict__.update(
        select_checkpoint=select_checkpoint, get=get, reload_model_weights=reload_model_weights,
        unload_model_weights=unload_model_weights, send_model_to_device=send_model_to_device,
    )  # fmt: skip
    return module


def _a1111(model: Any) -> Any:
    model.parameterization = "eps"  # 1.10 does not read the v_pred marker
    inpaints = "second" in model.sd_checkpoint_info.name
    model.model = SimpleNamespace(conditioning_key="hybrid" if inpaints else "crossattn")
    return model


def _forge_models(host: Host) -> ModuleType:
    module = _module("modules.sd_models", **_lists(host))
    module.model_data = SimpleNamespace(sd_model=SimpleNamespace(chunk_length=75), wanted=None, got=None)

    def select_checkpoint() -> Any:
        if not module.checkpoints_list:
            return None
        return module.checkpoint_aliases.get(host.options.sd_model_checkpoint, host.infos[0])

    def forge_model_reload() -> Any:
        data = module.model_data
        data.wanted = data.wanted or select_checkpoint()
        if data.got is not data.wanted:
            data.sd_model = None  # as in Forge: a file that does not load leaves nothing
            model = _loaded(host, data.wanted)
            model.is_inpaint = "second" in data.wanted.name
            predictor = SimpleNamespace(prediction_type="v_prediction" if "big" in data.wanted.name else "epsilon")
            unet = SimpleNamespace(model=SimpleNamespace(predictor=predictor))
            model.forge_objects = SimpleNamespace(unet=unet)
            data.sd_model, data.got = model, data.wanted
        data.sd_model.device = "cuda"
        return data.sd_model, True

    def unload_model_weights(sd_model: Any = None, info: Any = None) -> None:
        if hasattr(module.model_data.sd_model, "device"):
            module.model_data.sd_model.device = "cpu"

    def stub(*_: Any, **__: Any) -> None:
        return None

    module.__dict__.update(
        select_checkpoint=select_checkpoint, get=lambda: module.model_data.sd_model, reload_model_weights=stub,
        forge_model_reload=forge_model_reload, unload_model_weights=unload_model_weights, send_model_to_device=stub,
    )  # fmt: skip
    return module


def _networks(host: Host) -> ModuleType:
    module = _module("networks", available_networks={})

    def look(names: list[str] | None = None) -> None:
        for path in sorted(host.loras.rglob("*.safetensors")):
            if names is None or path.stem in names:
                with path.open("rb") as stream:
                    (length,) = struct.unpack("<Q", stream.read(8))
                    metadata = json.loads(stream.read(length)).get("__metadata__", {})
                module.available_networks[path.stem] = SimpleNamespace(
                    name=path.stem, alias=metadata.get("ss_output_name", path.stem), filename=str(path),
                    sd_version=SimpleNamespace(name="SD1"), shorthash=metadata.get("sshs_model_hash", "")[:12],
                )  # fmt: skip

    def list_available_networks() -> None:
        module.available_networks.clear()
        look()

    module.__dict__.update(list_available_networks=list_available_networks, update_available_networks_by_names=look)
    list_available_networks()
    return module


@dataclass
class _Txt2Img:
    """The fields of a request for a picture, under the host's names."""

    sd_model: Any = None
    prompt: str = ""
    negative_prompt: str = ""
    seed: int = -1
    subseed: int = -1
    subseed_strength: float = 0
    sampler_name: str | None = None
    scheduler: str | None = None
    batch_size: int = 1
    n_iter: int = 1
    steps: int = 50
    cfg_scale: float = 7.0
    width: int = 512
    height: int = 512
    restore_faces: bool | None = None
    tiling: bool | None = None
    do_not_save_samples: bool = False
    do_not_save_grid: bool = False
    override_settings: dict[str, Any] | None = None
    override_settings_restore_afterwards: bool = True
    scripts: Any = "the person's scripts"

    def close(self) -> None:
        self.closed = True


@dataclass
class _Img2Img(_Txt2Img):
    init_images: list[Any] | None = None
    resize_mode: int = 0
    denoising_strength: float = 0.75
    mask: Any = None
    mask_blur: int = 4
    inpainting_fill: int = 0
    inpaint_full_res: bool = True
    inpaint_full_res_padding: int = 0
    inpainting_mask_invert: int = 0
    initial_noise_multiplier: float | None = None


def _processing(host: Host, modules: dict[str, ModuleType]) -> ModuleType:
    sd_models = modules["modules.sd_models"]
    opts = host.options

    def process_images(p: Any) -> Any:
        wanted = dict(p.override_settings or {})
        stored = {key: opts.data[key] for key in wanted if key in opts.data}  # the others are never put back
        try:
            if sd_models.checkpoint_aliases.get(wanted.get("sd_model_checkpoint")) is None:
                wanted.pop("sd_model_checkpoint", None)  # without a word
            for key, value in wanted.items():
                opts.set(key, value, run_callbacks=False)
            if host.forge:
                sd_models.model_data.wanted = sd_models.select_checkpoint()
                sd_models.forge_model_reload()
            else:
                sd_models.reload_model_weights()
            host.meanwhile()
            return _draw(host, modules, p)
        finally:
            for key, value in stored.items():
                setattr(opts, key, value)

    return _module(
        "modules.processing", process_images=process_images,
        StableDiffusionProcessingTxt2Img=_Txt2Img, StableDiffusionProcessingImg2Img=_Img2Img,
    )  # fmt: skip


def _draw(host: Host, modules: dict[str, ModuleType], p: Any) -> Any:
    model = modules["modules.sd_models"].model_data.sd_model
    if model.device != "cuda":
        raise RuntimeError("Expected all tensors to be on the same device, but found cuda:0 and cpu!")
    state = host.state
    if state.job_count == -1:
        state.job_count = p.n_iter
    state.sampling_steps = p.steps
    for step in range(p.steps):
        if state.interrupted:
            break
        state.sampling_step = step
        time.sleep(host.step_seconds)
        if host.fault is not None:
            fault, host.fault = host.fault, None
            raise fault
    used = _used_loras(host, modules["networks"], p)
    told = f"{p.prompt}|{p.seed}|{model.sd_checkpoint_info.name}|{sorted(used)}"
    colour = tuple(hashlib.sha256(told.encode()).digest()[:3])
    host.drawn.append(
        {"p": p, "loras": used, "model": model.sd_checkpoint_info.name, "settings": dict(host.options.data),
         "overridden": sorted(p.override_settings or {})}
    )  # fmt: skip
    images = [_painted(host, p, colour)]
    if getattr(p, "mask", None) is not None and host.options.return_mask:
        images.append(p.mask)
    if host.options.samples_save and not p.do_not_save_samples:
        host.saved.append(p.prompt)
    if hasattr(p, "init_images") and host.options.save_init_img:
        host.saved.append("init image")
    text = _infotext(host, p, model, used)
    return SimpleNamespace(images=images, infotexts=[text], info=text)


def _used_loras(host: Host, networks: Any, p: Any) -> dict[str, str]:
    names = [match.group(1) for match in _LORA.finditer(p.prompt)]
    if host.options.sd_lora != "None":
        names.append(host.options.sd_lora)
    known = networks.available_networks
    return {} if host.forgets_loras else {name: known[name].shorthash for name in names if name in known}


def _painted(host: Host, p: Any, colour: tuple[int, ...]) -> Image.Image:
    if not hasattr(p, "init_images"):
        return Image.new("RGB", (p.width, p.height), colour)
    picture = p.init_images[0].convert("RGB")
    mask = p.mask.convert("L").point(lambda value: 255 if value > 128 else 0)
    if mask.getbbox() is None:
        return Image.new("RGB", picture.size, colour)  # plain img2img: all of it
    soft = mask.filter(ImageFilter.GaussianBlur(p.mask_blur)) if p.mask_blur else mask
    if not host.options.overlay_inpaint:
        return Image.new("RGB", (p.width, p.height), colour)
    if host.options.img2img_color_correction:
        picture = picture.point(lambda value: min(255, value + 9))
    return Image.composite(Image.new("RGB", picture.size, colour), picture, soft)


def _infotext(host: Host, p: Any, model: Any, used: dict[str, str]) -> str:
    info = model.sd_checkpoint_info
    values = [f"Steps: {p.steps}, Sampler: {p.sampler_name}, Seed: {p.seed}, Size: {p.width}x{p.height}"]
    if host.options.add_model_hash_to_info:
        values.append(f"Model hash: {info.sha256[:10]}")
    values.append(f"Model: {Path(info.filename).stem}")
    if used and host.options.lora_add_hashes_to_infotext:
        values.append("Lora hashes: " + json.dumps(", ".join(f"{name}: {digits}" for name, digits in used.items())))
    return f"{p.prompt}\n{', '.join(values)}, Version: v1.10.1"
