"""A base model on disk, known from its headers: its family and topology, and where each tensor of each part lies."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from lorasmith.checkpoints import configs, layout_sd1, layout_sdxl
from lorasmith.checkpoints.family import Family, detect
from lorasmith.checkpoints.header import Header, read_header
from lorasmith.checkpoints.layout_text import Cut, Piece, clip_pairs, open_clip_pieces
from lorasmith.checkpoints.layout_unet import UNET, depths_in, unet_names
from lorasmith.checkpoints.layout_vae import VAE, vae_names
from lorasmith.checkpoints.topology import Base, Topology, count_after
from lorasmith.errors import CheckpointError

PartName = Literal["unet", "vae", "text_encoder", "text_encoder_2"]
_CONFIGS: Mapping[PartName, Callable[[Topology, configs.Shape], dict[str, Any]]] = {
    "unet": configs.unet_config,
    "vae": configs.vae_config,
    "text_encoder": configs.text_config,
    "text_encoder_2": configs.text_config_2,
}
_FAMILY_NAMES: Mapping[Base, str] = {"sd1": "SD1.x", "sdxl": "SDXL"}
_UNUSED = (VAE + "loss.", VAE + "model_ema.")  # left over from the VAE's own training


class Stored(NamedTuple):
    """Where a tensor lies: a file's header, its name there, and what of it is meant."""

    header: Header
    name: str
    cut: Cut = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """The tensor's shape as we use it."""
        shape = self.header.shape(self.name)
        if self.cut in ("q", "k", "v"):
            return (shape[0] // 3, *shape[1:])
        return tuple(reversed(shape)) if self.cut == "turned" else shape


@dataclass(frozen=True)
class PartOnDisk:
    """A part of a base model: its tensors by our names, and what is not as it should be, by the names in the file."""

    stored: Mapping[str, Stored]
    missing: tuple[str, ...] = ()
    strange: tuple[str, ...] = ()


@dataclass(frozen=True)
class Checkpoint:
    """A base model that can be used; `stated` holds what a folder's own configs say that shapes cannot."""

    path: Path
    family: Family
    topology: Topology
    parts: Mapping[PartName, PartOnDisk]
    stated: Mapping[PartName, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def part_names(self) -> tuple[PartName, ...]:
        """The parts that a model of this family has."""
        return tuple(self.parts)

    def part(self, name: PartName) -> Mapping[str, Stored]:
        """Gives where a part's tensors are; `CheckpointError` naming a few of what is missing or unknown."""
        part = self.parts[name]
        for names, fault in ((part.missing, "lacks"), (part.strange, "has unknown")):
            if names:
                raise CheckpointError(
                    f"{self.path} {fault} {len(names)} tensors of an {_FAMILY_NAMES[self.topology.base]} "
                    f"{name.replace('_', ' ')}, such as {', '.join(names[:3])}; the file is damaged or of another kind "
                    "of model. Choose another file."
                )
        return part.stored

    def config(self, name: PartName) -> dict[str, Any]:
        """Gives the arguments of the part's module."""
        stored = self.part(name)
        return {**_CONFIGS[name](self.topology, lambda tensor: stored[tensor].shape), **self.stated.get(name, {})}


def open_checkpoint(path: Path | str) -> Checkpoint:
    """Opens a base model: one .safetensors file, or a diffusers folder of them. No tensor is read.

    Raises `CheckpointError` for what is missing, a pickle, cut off, or of a family that cannot be trained on.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        from lorasmith.checkpoints.folder import open_folder

        return open_folder(path)
    return open_file(read_header(path))


def detect_at(path: Path | str) -> Family:
    """Names the family of a base model, file or folder; raises `CheckpointError` for one that cannot be used."""
    return open_checkpoint(path).family


def open_file(header: Header) -> Checkpoint:
    """Opens a base model of one file in the original layout."""
    family = detect(header)
    short = layout_sdxl.TEXT_SHORT if family.base == "sdxl" else layout_sd1.TEXT_SHORT
    present = {layout_sd1.canonical(name, short): name for name in header.tensors}
    topology = Topology(
        family.base,
        depths_in(present, family.base),
        count_after(present, f"{short}text_model.encoder.layers."),
        count_after(present, layout_sdxl.TEXT_2 + "transformer.resblocks."),
    )
    pieces = _pieces(topology, short + "text_model.")
    return Checkpoint(
        header.path, family, topology, {name: _on_disk(name, header, present, rows) for name, rows in pieces.items()}
    )


def _pieces(topology: Topology, text: str) -> dict[PartName, list[Piece]]:
    """Lists the tensors of each part and their names in a single file."""
    pieces: dict[PartName, list[Piece]] = {
        "unet": [Piece(ours, theirs) for theirs, ours in unet_names(topology).items()],
        "vae": [Piece(ours, theirs) for theirs, ours in vae_names().items()],
        "text_encoder": [Piece(ours, text + theirs) for theirs, ours in clip_pairs(topology.text_layers)],
    }
    if topology.base == "sdxl":
        pieces["text_encoder_2"] = [
            Piece(name, layout_sdxl.TEXT_2 + stored, cut)
            for name, stored, cut in open_clip_pieces(topology.text_layers_2)
        ]
    return pieces


def _on_disk(part: PartName, header: Header, present: Mapping[str, str], pieces: list[Piece]) -> PartOnDisk:
    known = {piece.stored for piece in pieces}
    prefix = {"unet": UNET, "vae": VAE}.get(part)  # text encoders may hold more, such as a logit scale
    strange = [name for name in present if prefix and name.startswith(prefix) and name not in known]
    return PartOnDisk(
        {piece.name: Stored(header, present[piece.stored], piece.cut) for piece in pieces if piece.stored in present},
        tuple(dict.fromkeys(piece.stored for piece in pieces if piece.stored not in present)),
        tuple(name for name in strange if not name.startswith(_UNUSED)),
    )
