"""A tagger of which only the tag list is read: enough for questions to stored scores, with no model in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lorasmith.model_files import remembered_sha256
from lorasmith.taggers.labels import Label, find_label_file, read_labels, vocabulary_of
from lorasmith.taggers.models import MODEL_FILE, TAGGERS, row_of_folder
from lorasmith.taggers.onnx import UNKNOWN_THRESHOLD
from lorasmith.taggers.open import default_models_folder


@dataclass(frozen=True)
class Listed:
    """A tagger's name, labels and own thresholds, and the id that its stored scores are kept under."""

    name: str
    labels: tuple[Label, ...]
    thresholds: Mapping[str, float]
    id: str

    @cached_property
    def vocabulary(self) -> str:
        """Says whose tags it knows: "danbooru", "e621" or ""."""
        return vocabulary_of(self.labels)


def read_listed(name_or_folder: str, known: Mapping[str, Sequence[str]]) -> Listed | None:
    """Reads the tag list of a tagger that is on this machine, None where it is not or has scored nothing here.

    `known` maps the ids of taggers that have scored to the names of their outputs.
    """
    folder = Path(name_or_folder).expanduser()
    row = TAGGERS.get(name_or_folder)
    if folder.is_dir():
        row = row_of_folder(folder)
    elif row is not None:
        folder = default_models_folder() / row.name
    file = find_label_file(folder)
    if file is None:
        return None
    labels = read_labels(file, *((row.labels_before, row.labels_after) if row else ()))
    names = [label.name for label in labels]
    ids = [id for id, its in known.items() if list(its) == names]
    if len(ids) > 1:  # two models of one list: the file's sum tells them apart
        sum_of_file = remembered_sha256(folder / MODEL_FILE) or ""
        ids = [id for id in ids if sum_of_file and id.startswith(sum_of_file)] or ids[-1:]
    name = row.name if row is not None and not Path(name_or_folder).expanduser().is_dir() else folder.name
    return Listed(name, labels, row.thresholds if row else {"*": UNKNOWN_THRESHOLD}, ids[0]) if ids else None
