"""A tagger's labels: the rows of `selected_tags.csv`, in the order of the model's outputs."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lorasmith.errors import TaggerError
from lorasmith.taggers.models import LABEL_FILES

# Category numbers of the boards. 5 is meta on Danbooru and species on e621.
_CATEGORIES = {
    "0": "general",
    "1": "artist",
    "3": "copyright",
    "4": "character",
    "5": "species",
    "7": "meta",
    "8": "lore",
    "9": "rating",
}
_NAME_COLUMNS = ("name", "tag")
PICTURE_CATEGORIES = frozenset(["general", "species", "meta"])


@dataclass(frozen=True)
class Label:
    """One output of a tagger: a tag and its category by name."""

    name: str
    category: str


def find_label_file(folder: Path) -> Path | None:
    """Finds the tag list beside a model, by the names it is given in the wild."""
    return next((folder / name for name in LABEL_FILES if (folder / name).is_file()), None)


def read_labels(path: Path) -> tuple[Label, ...]:
    """Reads a tag list (`tag_id,name,category,count`, columns found by name); raises `TaggerError` when it is none."""
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise TaggerError(f"The tag list {path} is not a CSV file in utf-8 ({error}); fetch it again.") from error
    column = next((name for name in _NAME_COLUMNS if rows and name in rows[0]), None)
    if column is None:
        raise TaggerError(f"The tag list {path} has no rows or no column 'name'; it begins with tag_id,name,category.")
    names = [(row[column] or "").strip() for row in rows]
    if "" in names:
        raise TaggerError(f"Row {names.index('') + 2} of the tag list {path} has no name; fetch the file again.")
    is_danbooru = "1girl" in names
    return tuple(
        Label(name, _category(row.get("category") or "0", is_danbooru)) for name, row in zip(names, rows, strict=True)
    )


def _category(written: str, is_danbooru: bool) -> str:
    if written.strip() == "5" and is_danbooru:
        return "meta"
    return _CATEGORIES.get(written.strip(), written.strip().lower())


def scores_by_tag(
    labels: Sequence[Label], scores: Sequence[float], categories: frozenset[str] = PICTURE_CATEGORIES
) -> dict[str, float]:
    """Gives one picture's scores by tag, for the labels of the categories (ratings and characters are left out)."""
    return {
        label.name: float(score) for label, score in zip(labels, scores, strict=True) if label.category in categories
    }
