"""The module names of kohya LoRA files for SD1.x, from our own table: 192 in the U-Net, 72 in the text encoder.

A name is a prefix and the module's path with dots turned to underscores. U-Net paths are those of diffusers; text
encoder names keep the `text_model` of older transformers, which is no longer in the module paths.
"""

from collections.abc import Mapping
from functools import cache
from typing import Literal

from lorasmith.checkpoints.layout_sd1 import TEXT_LAYERS, transformer_modules, transformers_of_unet

Part = Literal["unet", "text_encoder"]
UNET_PREFIX = "lora_unet_"
TEXT_PREFIX = "lora_te_text_model_"
_TEXT_MODULES = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj", "mlp.fc1", "mlp.fc2")


@cache
def sd1_lora_modules(text_layers: int = TEXT_LAYERS) -> Mapping[str, tuple[Part, str]]:
    """Maps each kohya module name to the part of the model and the dotted path of the module in it."""
    modules: dict[str, tuple[Part, str]] = {}
    for _, transformer in transformers_of_unet():
        for module in transformer_modules():
            path = f"{transformer}.{module}"
            modules[UNET_PREFIX + path.replace(".", "_")] = ("unet", path)
    for layer in range(text_layers):
        for module in _TEXT_MODULES:
            path = f"encoder.layers.{layer}.{module}"
            modules[TEXT_PREFIX + path.replace(".", "_")] = ("text_encoder", path)
    return modules


def canonical_module(name: str) -> str:
    """Gives the name this table uses: some tools write SD1.x text encoders as `lora_te1_`."""
    return "lora_te_" + name.removeprefix("lora_te1_") if name.startswith("lora_te1_") else name
