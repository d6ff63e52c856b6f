"""How each host finds the module a LoRA key is meant for, written anew from what the hosts do, for tests alone.

Each rule takes the module names of a full-size model and a key's module name, and gives the host's module or None.
"""

import re
from collections.abc import Callable, Iterable

Rule = Callable[[str], str | None]

_SUFFIXES = {
    "resnets": {"conv1": "in_layers_2", "conv2": "out_layers_3", "norm1": "in_layers_0", "norm2": "out_layers_0",
                "time_emb_proj": "emb_layers_1", "conv_shortcut": "skip_connection"},
}  # fmt: skip


def modules_of(names: Iterable[str]) -> set[str]:
    """Gives the module names of single-file tensor names: what stands before the last dot, fused weights' owner too."""
    found = set()
    for name in names:
        owner, _, last = name.rpartition(".")
        if last in ("weight", "bias", "in_proj_weight", "in_proj_bias"):
            found.add(owner)
    return found


def automatic1111(names: Iterable[str], xl: bool) -> Rule:
    """The rule of AUTOMATIC1111's Lora extension: all modules by underscored name, keys renamed by regex to meet them."""
    known: dict[str, str] = {}
    for module in modules_of(names):
        for prefix, short in _PREFIXES_XL.items() if xl else _PREFIXES.items():
            if module.startswith(prefix):
                known[short + module.removeprefix(prefix).replace(".", "_")] = module

    def find(key: str) -> str | None:
        wanted = _as_compvis(key)
        tries = [wanted]
        tries.append(wanted.replace("lora_unet", "diffusion_model"))
        tries.append(wanted.replace("lora_te1_text_model", "0_transformer_text_model"))
        tries.append(wanted.replace("lora_te1_text_model", "transformer_text_model"))
        for name in tries:
            if name in known:
                return known[name]
            joined = re.match(r"(.*)_[qkv]_proj$", name)  # one MultiheadAttention holds the three
            if joined and joined[1] in known:
                return f"{known[joined[1]]}#{name[-6]}"
        return None

    return find


_PREFIXES = {"model.diffusion_model.": "diffusion_model_", "cond_stage_model.transformer.": "transformer_"}
_PREFIXES_XL = {
    "model.diffusion_model.": "diffusion_model_",
    "conditioner.embedders.0.transformer.": "0_transformer_",
    "conditioner.embedders.1.model.": "1_model_",
}


def _as_compvis(key: str) -> str:
    """Renames a key from diffusers' block names to the original ones; what is not such a name stays."""
    if m := re.fullmatch(r"lora_unet_conv_(in|out)(.*)", key):
        return ("diffusion_model_input_blocks_0_0" if m[1] == "in" else "diffusion_model_out_2") + m[2]
    if m := re.fullmatch(r"lora_unet_(down|up)_blocks_(\d+)_(attentions|resnets)_(\d+)_(.+)", key):
        level, layer = int(m[2]), int(m[4])
        tail = _SUFFIXES.get(m[3], {}).get(m[5], m[5])
        place = 1 if m[3] == "attentions" else 0
        side, index = ("input", 1 + 3 * level + layer) if m[1] == "down" else ("output", 3 * level + layer)
        return f"diffusion_model_{side}_blocks_{index}_{place}_{tail}"
    if m := re.fullmatch(r"lora_unet_mid_block_(attentions|resnets)_(\d+)_(.+)", key):
        tail = _SUFFIXES.get(m[1], {}).get(m[3], m[3])
        place = 1 if m[1] == "attentions" else 2 * int(m[2])
        return f"diffusion_model_middle_block_{place}_{tail}"
    if m := re.fullmatch(r"lora_unet_down_blocks_(\d+)_downsamplers_0_conv", key):
        return f"diffusion_model_input_blocks_{3 + 3 * int(m[1])}_0_op"
    if m := re.fullmatch(r"lora_unet_up_blocks_(\d+)_upsamplers_0_conv", key):
        level = int(m[1])
        return f"diffusion_model_output_blocks_{2 + 3 * level}_{2 if level > 0 else 1}_conv"
    if m := re.fullmatch(r"lora_te_text_model_encoder_layers_(\d+)_(.+)", key):
        return f"transformer_text_model_encoder_layers_{m[1]}_{m[2]}"
    if m := re.fullmatch(r"lora_te2_text_model_encoder_layers_(\d+)_(.+)", key):
        tail = m[2].replace("mlp_fc1", "mlp_c_fc").replace("mlp_fc2", "mlp_c_proj").replace("self_attn", "attn")
        return f"1_model_transformer_resblocks_{m[1]}_{tail}"
    return key


def comfyui(names: Iterable[str], xl: bool, diffusers_paths: dict[str, str]) -> Rule:
    """The rule of ComfyUI, which Forge took over: a table from every spelling of a key to a weight, made beforehand.

    `diffusers_paths` maps diffusers' module paths of the U-Net to the original ones, as its config tells the host.
    """
    table: dict[str, str] = {}
    unet = "model.diffusion_model."
    modules = modules_of(names)
    for module in modules:
        if module.startswith(unet):
            table["lora_unet_" + module.removeprefix(unet).replace(".", "_")] = module
    for path, original in diffusers_paths.items():
        table["lora_unet_" + path.replace(".", "_")] = unet + original
    clip = {"mlp.fc1": "mlp_fc1", "mlp.fc2": "mlp_fc2", "self_attn.k_proj": "self_attn_k_proj",
            "self_attn.q_proj": "self_attn_q_proj", "self_attn.v_proj": "self_attn_v_proj",
            "self_attn.out_proj": "self_attn_out_proj"}  # fmt: skip
    first = "conditioner.embedders.0.transformer." if xl else "cond_stage_model.transformer."
    for layer in range(32):
        for path, spelled in clip.items():
            own = f"{first}text_model.encoder.layers.{layer}.{path}"
            if own in modules:
                table[f"lora_te_text_model_encoder_layers_{layer}_{spelled}"] = own
                table[f"lora_te1_text_model_encoder_layers_{layer}_{spelled}"] = own
            if xl:  # bigG is held under transformers' names there, so the pieces are apart
                table[f"lora_te2_text_model_encoder_layers_{layer}_{spelled}"] = f"clip_g.{layer}.{path}"
    return table.get
