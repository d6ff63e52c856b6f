"""The stand-in's drawing: a request for a picture, the settings that hold for it alone, and the picture with its infotext."""

from __future__ import annotations

import hashlib
import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageFilter

from tests.extension_bridge.fake_models import a_module

if TYPE_CHECKING:
    from tests.extension_bridge.fake_host import Host

_LORA = re.compile(r"<lora:([^:>]+):([^>]+)>")


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


def processing(host: Host, modules: dict[str, ModuleType]) -> ModuleType:
    """Makes `modules.processing`, which draws one picture after another."""
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

    return a_module(
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
