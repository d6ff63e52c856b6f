"""The modules of any LoRA file, told from names, shapes and alpha scalars: kind, rank, alpha, and which part they belong to.

Names are those of kohya, LyCORIS, diffusers, PEFT and OneTrainer; no tensor but the alphas (a few bytes each) is read.
"""

import math
import re
import struct
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lorasmith.checkpoints.header import Header, TensorInfo

# How a tensor's name ends, the kind of network that says so, and whether its first axis is the rank.
_ENDINGS: tuple[tuple[str, str, bool], ...] = (
    (".lora_down.weight", "LoRA", True), (".lora_up.weight", "LoRA", False), (".lora_mid.weight", "LoRA", False),
    (".lora_A.weight", "LoRA", True), (".lora_B.weight", "LoRA", False),
    (".lora_A.default.weight", "LoRA", True), (".lora_B.default.weight", "LoRA", False),
    (".lora.down.weight", "LoRA", True), (".lora.up.weight", "LoRA", False),
    ("_lora.down.weight", "LoRA", True), ("_lora.up.weight", "LoRA", False),
    (".lora_linear_layer.down.weight", "LoRA", True), (".lora_linear_layer.up.weight", "LoRA", False),
    (".dora_scale", "DoRA", False), (".lora_magnitude_vector", "DoRA", False),
    (".lora_magnitude_vector.weight", "DoRA", False), (".lora_magnitude_vector.default.weight", "DoRA", False),
    (".hada_w1_a", "LoHa", False), (".hada_w1_b", "LoHa", True), (".hada_w2_a", "LoHa", False), (".hada_w2_b", "LoHa", False),
    (".hada_t1", "LoHa", False), (".hada_t2", "LoHa", False),
    (".lokr_w1", "LoKr", False), (".lokr_w1_a", "LoKr", False), (".lokr_w1_b", "LoKr", False), (".lokr_w2", "LoKr", False),
    (".lokr_w2_a", "LoKr", False), (".lokr_w2_b", "LoKr", True), (".lokr_t2", "LoKr", False),
    (".a1.weight", "GLoRA", True), (".a2.weight", "GLoRA", False), (".b1.weight", "GLoRA", False), (".b2.weight", "GLoRA", False),
    (".oft_blocks", "OFT", False), (".oft_diag", "OFT", False), (".rescale", "OFT", False),
    (".on_input", "IA3", False), (".diff", "full", False), (".diff_b", "full", False),
    (".w_norm", "norm", False), (".b_norm", "norm", False), (".alpha", "", False), (".scale", "", False), (".scalar", "", False),
)  # fmt: skip
_SURE = frozenset({"LoRA", "LoHa", "LoKr", "OFT", "IA3"})  # kinds that no base model's own names look like
_PREFIXES: tuple[tuple[str, str], ...] = (
    ("lora_unet_", "U-Net"), ("oft_unet_", "U-Net"), ("unet.", "U-Net"), ("lora_te1_", "text encoder 1"),
    ("lora_te2_", "text encoder 2"), ("lora_te_", "text encoder"), ("text_encoder_2.", "text encoder 2"),
    ("text_encoder.", "text encoder"), ("lycoris_te1_", "text encoder 1"), ("lycoris_te2_", "text encoder 2"),
    ("lora_transformer_", "transformer"), ("transformer.", "transformer"), ("diffusion_model.", "U-Net"),
)  # fmt: skip
_UNET_WORDS = ("down_blocks", "up_blocks", "mid_block", "input_blocks", "output_blocks", "middle_block")
_FORMS = {"F16": "<e", "F32": "<f", "F64": "<d"}
_WIDTHS = {768: "SD1.x", 1024: "SD2.x", 2048: "SDXL"}  # of the text that the U-Net's cross attention takes
_CROSS = re.compile(r"attn2[_.]to_[kv]\b|attn2_to_[kv]$")


@dataclass
class Module:
    """One trained module: the kinds its tensors tell of, and what is known of its rank and alpha."""

    kinds: set[str] = field(default_factory=set)
    rank: int | None = None
    alpha: float | None = None
    width: int | None = None  # inputs of the layer
    kernel: int = 1  # of a convolution


@dataclass(frozen=True)
class Group:
    """Modules of one part that are alike."""

    part: str
    layers: str  # "linear", "1x1 convolution", "3x3 convolution"
    kind: str
    modules: int
    rank: str
    alpha: str

    @property
    def in_words(self) -> str:
        """The group on one line."""
        return f"{self.modules} x {self.kind}, rank {self.rank}, alpha {self.alpha}"


def modules_of(header: Header) -> dict[str, Module]:
    """Gives every trained module by its name; empty for a file that is no LoRA of a known kind."""
    found: dict[str, Module] = defaultdict(Module)
    alphas: dict[str, TensorInfo] = {}
    for name, info in header.tensors.items():
        for ending, kind, is_rank in _ENDINGS:
            if name.endswith(ending):
                _note(found[name.removesuffix(ending)], info, kind, is_rank)
                if ending == ".alpha":
                    alphas[name.removesuffix(ending)] = info
                break
    whole = {name: module for name, module in found.items() if module.kinds}
    if not any(_SURE & module.kinds for module in whole.values()):
        whole = {name: module for name, module in whole.items() if name.startswith(("lora_", "lycoris_"))}
    for name, alpha in read_scalars(header, alphas).items():
        if name in whole:
            whole[name].alpha = alpha
    return whole


def _note(module: Module, info: TensorInfo, kind: str, is_rank: bool) -> None:
    if kind:
        module.kinds.add(kind)
    if is_rank and info.shape:
        module.rank = info.shape[0]
        module.width = info.shape[1] if len(info.shape) > 1 else None
        if len(info.shape) == 4:
            module.kernel = max(module.kernel, info.shape[2])
    elif kind == "LoRA" and len(info.shape) == 4:
        module.kernel = max(module.kernel, info.shape[2])


def read_scalars(header: Header, infos: Mapping[str, TensorInfo]) -> dict[str, float]:
    """Reads single numbers out of the data, a few bytes each."""
    if header.scalars is not None:
        sent = ((name, info, header.scalars.get(f"{name}.alpha", b"")) for name, info in infos.items())
        return {name: _scalar(info, raw) for name, info, raw in sent if raw}
    found = {}
    with header.path.open("rb") as stream:
        for name, info in sorted(infos.items(), key=lambda item: item[1].begin):
            if info.end - info.begin <= 8:
                stream.seek(header.data_start + info.begin)
                found[name] = _scalar(info, stream.read(info.end - info.begin))
    return found


def _scalar(info: TensorInfo, raw: bytes) -> float:
    if info.dtype == "BF16" and len(raw) == 2:  # the upper half of a float32
        return float(struct.unpack("<f", b"\x00\x00" + raw)[0])
    form = _FORMS.get(info.dtype, "")
    return float(struct.unpack(form, raw)[0]) if form and struct.calcsize(form) == len(raw) else math.nan


def part_of(name: str) -> str:
    """Names the part of the model that a module belongs to."""
    for prefix, part in _PREFIXES:
        if name.startswith(prefix):
            return part
    if any(word in name for word in _UNET_WORDS):
        return "U-Net"
    return "text encoder" if "text_model" in name or "self_attn" in name else "other"


def groups_of(modules: Mapping[str, Module]) -> list[Group]:
    """Puts modules together by part and kind of layer."""
    alike: dict[tuple[str, str, str], list[Module]] = defaultdict(list)
    for name, module in modules.items():
        alike[part_of(name), _layers(module), kind_of(module)].append(module)
    return [
        Group(part, layers, kind, len(each), _all((one.rank for one in each), "-"), _all((one.alpha for one in each), "the rank"))
        for (part, layers, kind), each in sorted(alike.items(), key=lambda item: (item[0][0], -len(item[1])))
    ]


def _layers(module: Module) -> str:
    return f"{module.kernel}x{module.kernel} convolution" if module.kernel > 1 else "linear"


def kind_of(module: Module) -> str:
    """Names the kind of network of one module."""
    plain = module.kinds - {"DoRA"}
    name = " + ".join(sorted(plain)) or "DoRA"
    return f"{name} with DoRA" if "DoRA" in module.kinds and plain else name


def _all(values: Iterable[float | None], missing: str) -> str:
    """Writes all different values, at most six."""
    found = list(values)
    words = [f"{value:g}" for value in sorted({value for value in found if value is not None})]
    if any(value is None for value in found):
        words.append(missing)
    return ", ".join(words[:6]) + (f" and {len(words) - 6} more" if len(words) > 6 else "")


def network_of(modules: Mapping[str, Module]) -> str:
    """Names the network as people do: LoRA, LoCon (3x3 convolutions too), LoHa, LoKr, ..., with DoRA where it is."""
    kinds: set[str] = set().union(*(module.kinds for module in modules.values())) if modules else set()
    names = sorted(kinds - {"DoRA", "norm"}) or ["none"]
    if names == ["LoRA"] and any(module.kernel > 1 for module in modules.values()):
        names = ["LoCon"]
    return " + ".join(names) + (" with DoRA" if "DoRA" in kinds else "") + (" and norms" if "norm" in kinds else "")


def base_of(modules: Mapping[str, Module]) -> str:
    """Names the family of base model that the shapes fit, or nothing."""
    if any(part_of(name) == "text encoder 2" for name in modules):
        return "SDXL"
    widths = {module.width for name, module in modules.items() if _CROSS.search(name) and module.width}
    known = {_WIDTHS[width] for width in widths if width in _WIDTHS}
    return known.pop() if len(known) == 1 else ""
