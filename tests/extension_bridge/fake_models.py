"""The stand-in's models: files of checkpoints and LoRAs, and the host's modules that list and load them."""

from __future__ import annotations

import hashlib
import json
import struct
import threading
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.extension_bridge.fake_host import Host


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


def a_module(name: str, **members: Any) -> ModuleType:
    """Makes a module out of nothing."""
    module = ModuleType(name)
    module.__dict__.update(members)
    return module


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


def a1111_models(host: Host) -> ModuleType:
    """Makes `modules.sd_models` as AUTOMATIC1111 has it."""
    module = a_module("modules.sd_models", **_lists(host))
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


def forge_models(host: Host) -> ModuleType:
    """Makes `modules.sd_models` as Forge has it."""
    module = a_module("modules.sd_models", **_lists(host))
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


def lora_networks(host: Host) -> ModuleType:
    """Makes `networks`, which finds and applies LoRAs."""
    module = a_module("networks", available_networks={})

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
