"""The taggers that can be fetched by name: one row each, with what a person must know before the download."""

from dataclasses import dataclass

MODEL_FILE = "model.onnx"
LABEL_FILES = ("selected_tags.csv", "tags-selected.csv", "tags.csv")


@dataclass(frozen=True)
class TaggerRow:
    """One tagger on Hugging Face under the WD contract.

    `threshold` is where precision equals recall on the model's own test set (the same number means different things
    for different models); `megabytes` is the approximate size of the download.
    """

    name: str
    repo: str
    threshold: float
    megabytes: int
    licence: str = "Apache-2.0"
    vocabulary: str = "danbooru"
    note: str = ""


def _wd(name: str, threshold: float, megabytes: int, note: str = "") -> TaggerRow:
    return TaggerRow(name, f"SmilingWolf/{name}", threshold, megabytes, note=note)


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
    )
}
