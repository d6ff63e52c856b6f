"""The taggers that can be fetched by name: one row each, with what a person must know before the download.

Only ONNX files: the e621 taggers of RedRocket (JTP, Hydra) are published as safetensors for torch and are not run here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

MODEL_FILE = "model.onnx"
LABEL_FILES = (
    "selected_tags.csv",
    "tags-selected.csv",
    "tags.csv",
    "tag_mapping.json",
    "tags_8041.json",
    "tags.json",
    "classes.json",
    "top_tags.txt",
)
Triple = tuple[float, float, float]
HALF: Triple = (0.5, 0.5, 0.5)
CLIP_MEAN: Triple = (0.48145466, 0.4578275, 0.40821073)
CLIP_DEVIATION: Triple = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class Pixels:
    """What no graph tells: the order of colours, how a picture becomes a square, and the range of the numbers.

    `fit`: "pad" centres on a white square and then resizes, "squash" resizes to the graph's sides whatever the aspect.
    `normalised` pixels are (value / 255 - mean) / deviation, others the plain 0 to 255.
    """

    order: Literal["BGR", "RGB"] = "BGR"
    fit: Literal["pad", "squash"] = "pad"
    kernel: Literal["bicubic", "bilinear"] = "bicubic"
    normalised: bool = False
    mean: Triple = HALF
    deviation: Triple = HALF


WD = Pixels()


@dataclass(frozen=True)
class TaggerRow:
    """One tagger on Hugging Face.

    `thresholds` are the model's own recommended ones by category, "*" for all the others (the same number means different
    things for different models). `megabytes` is the approximate size of the download; the hub tells the exact one.
    `sha256` is None where none was published: the hub's is told then, and remembered. `labels_before` and `labels_after`
    are outputs of the graph that its tag list leaves out.
    """

    name: str
    repo: str
    thresholds: Mapping[str, float]
    megabytes: int
    licence: str = "Apache-2.0"
    vocabulary: Literal["danbooru", "e621"] = "danbooru"
    note: str = ""
    label_file: str = LABEL_FILES[0]
    pixels: Pixels | None = WD
    labels_before: tuple[str, ...] = ()
    labels_after: tuple[str, ...] = ()
    revision: str = "main"
    sha256: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def threshold(self) -> float:
        """Gives the recommended threshold of general tags."""
        return self.thresholds["*"]


def _wd(name: str, threshold: float, megabytes: int, note: str = "") -> TaggerRow:
    # The cards give one number, where precision equals recall; 0.85 for characters is their author's own demo's.
    return TaggerRow(name, f"SmilingWolf/{name}", {"*": threshold, "character": 0.85}, megabytes, note=note)


# Source: the model cards of the repositories; 0.35 for the first generation, whose cards name no threshold.
TAGGERS: dict[str, TaggerRow] = {
    row.name: row
    for row in (
        _wd("wd-swinv2-tagger-v3", 0.2653, 467, "the usual choice"),
        _wd("wd-vit-tagger-v3", 0.2614, 379, "the smallest of v3"),
        _wd("wd-convnext-tagger-v3", 0.2682, 395),
        _wd("wd-vit-large-tagger-v3", 0.2606, 1260),
        _wd("wd-eva02-large-tagger-v3", 0.5296, 1260, "the best of v3; slow without a GPU"),
        _wd("wd-v1-4-moat-tagger-v2", 0.3771, 326, "one picture at a time"),
        _wd("wd-v1-4-swinv2-tagger-v2", 0.3771, 467),
        _wd("wd-v1-4-convnextv2-tagger-v2", 0.3710, 388),
        _wd("wd-v1-4-convnext-tagger-v2", 0.3685, 388),
        _wd("wd-v1-4-vit-tagger-v2", 0.3537, 373),
        _wd("wd-v1-4-convnext-tagger", 0.35, 388),
        _wd("wd-v1-4-vit-tagger", 0.35, 373),
        TaggerRow(
            name="z3d-e621-convnext",
            repo="toynya/Z3D-E621-Convnext",
            thresholds={"*": 0.3, "species": 0.15, "character": 0.15},  # its demo's, and what its users found
            megabytes=390,
            licence="not stated",
            vocabulary="e621",
            note="no ratings",
            label_file="tags-selected.csv",
        ),
        TaggerRow(
            name="eva02-large-e621-full-v1",
            repo="nzs234/eva02_large_E621_FULL_V1",
            thresholds={"*": 0.6, "character": 0.65},
            megabytes=1250,
            licence="MIT",
            vocabulary="e621",
            note="asks to agree to terms; slow without a GPU",
        ),
        TaggerRow(
            name="eva02-vit-large-448-8046",
            repo="Thouph/eva02-vit-large-448-8046",
            thresholds={"*": 0.3},
            megabytes=640,
            licence="CC-BY-NC-4.0",
            vocabulary="e621",
            note="no categories; slow without a GPU",
            label_file="tags_8041.json",
            pixels=Pixels("RGB", "squash", "bilinear", True, CLIP_MEAN, CLIP_DEVIATION),
            labels_before=("placeholder_0",),
            labels_after=("placeholder_1", "explicit", "questionable", "safe"),
        ),
    )
}


def row_of_folder(folder: Path) -> TaggerRow | None:
    """Finds the row that a local folder's model is of: by the folder's name, or by a tag list that only one row has."""
    if folder.name in TAGGERS:
        return TAGGERS[folder.name]
    names = [row.label_file for row in TAGGERS.values()]
    alone = (row for row in TAGGERS.values() if names.count(row.label_file) == 1 and row.labels_before)
    return next((row for row in alone if (folder / row.label_file).is_file()), None)
