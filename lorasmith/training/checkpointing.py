"""Gradient checkpointing: what a block computed is forgotten on the way forward and computed again on the way back."""

from collections.abc import Sequence
from typing import Any

from lorasmith.checkpoints.load import TEXT_ENCODERS, BaseModel, PartName

LEVELS = ("none", "selective", "full")  # each saves more memory and takes more time than the one before


def checkpoint_gradients(model: BaseModel, parts: Sequence[PartName], level: str) -> None:
    """Turns checkpointing to a level; `selective` takes the U-Net's blocks of high resolution alone.

    The modules must be in training mode for it, which changes nothing else here.
    """
    unet: Any = model.unet
    encoders: list[Any] = [model.modules[part] for part in TEXT_ENCODERS if part in parts]
    if unet.is_gradient_checkpointing:
        unet.disable_gradient_checkpointing()
        for encoder in encoders:
            _switch(encoder, "disable")()
    if level == "none":
        return
    unet.train()
    unet.enable_gradient_checkpointing()
    if level == "selective":
        chosen = high_blocks(model)
        for name, module in unet.named_modules():
            if hasattr(module, "gradient_checkpointing") and not name.startswith(chosen):
                module.gradient_checkpointing = False
        return
    for encoder in encoders:
        encoder.train()
        _switch(encoder, "enable")({"use_reentrant": False})


def _switch(encoder: Any, word: str) -> Any:
    """Gives a text encoder's switch by the name that it has from transformers 6 on, else by its older one."""
    return getattr(encoder, f"activation_checkpointing_{word}", None) or getattr(encoder, f"gradient_checkpointing_{word}")


def high_blocks(model: BaseModel) -> tuple[str, ...]:
    """Gives the starts of the names of the blocks of high resolution: down to the first level that has attention.

    For SD1.x those are the outermost blocks, for SDXL the outer two on each side.
    """
    depths = model.topology.depths
    count = next(level for level, depth in enumerate(depths) if depth) + 1
    down = [f"down_blocks.{level}." for level in range(count)]
    up = [f"up_blocks.{len(depths) - 1 - level}." for level in range(count)]
    return (*down, *up)
