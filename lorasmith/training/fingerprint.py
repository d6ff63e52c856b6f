"""What a run is made of: enough to say whether a stopped run may go on, and what is different if not."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lorasmith.files import sha256_of
from lorasmith.settings.tables import TrainSettings
from lorasmith.training.dataset import TrainingPicture

# Settings that may change between two halves of a run, because the trained weights do not depend on them
# (balance shows in the repeats of the pictures).
FREE = frozenset(
    "checkpoint checkpoint_every save_every sample_every sample_prompts sample_steps device "
    "gradient_checkpointing processes fit cache_gb balance".split()
)


@dataclass(frozen=True)
class Fingerprint:
    """Settings that matter, pictures by name (`sha256`, `caption`, `repeats`, `folder`), the base model's sha256."""

    settings: Mapping[str, Any]
    pictures: Mapping[str, Mapping[str, Any]]
    base: str

    @property
    def digest(self) -> str:
        """Gives the whole as 64 hex digits."""
        return hashlib.sha256(_canonical([self.settings, self.pictures, self.base]).encode("utf-8")).hexdigest()


def fingerprint_of(
    settings: TrainSettings, pictures: list[TrainingPicture], shas: Mapping[str, str], base: str
) -> Fingerprint:
    """Takes the fingerprint of a run; `shas` holds the sha256 of every picture's file by name."""
    chosen = {name: value for name, value in settings.model_dump().items() if name not in FREE and value is not None}
    rows = {picture.name: _row(picture, shas[picture.name]) for picture in pictures}
    return Fingerprint(chosen, dict(sorted(rows.items())), base)


def _row(picture: TrainingPicture, sha: str) -> dict[str, Any]:
    """Gives what of a picture decides the weights; what is as usual is left out."""
    row: dict[str, Any] = {
        "sha256": sha, "caption": picture.caption, "repeats": picture.repeats, "folder": picture.folder,
    }  # fmt: skip
    if picture.regularisation or picture.weight != 1:
        row["weight"] = picture.weight
    if picture.characters != 1:
        row["characters"] = picture.characters
    if picture.mask:
        row["mask"] = sha256_of(picture.mask)
    return row


def differences(then: Fingerprint, now: Fingerprint) -> list[str]:
    """Names what differs between two fingerprints, in a person's words; empty when nothing does."""
    found = []
    for name in sorted({*then.settings, *now.settings}):
        before, after = then.settings.get(name, "unset"), now.settings.get(name, "unset")
        if before != after:
            found.append(f"{name} was {before} and is now {after}")
    if then.base != now.base:
        found.append("the base model is another file")
    for name in sorted({*then.pictures, *now.pictures}):
        found.extend(_picture_differences(name, then.pictures.get(name), now.pictures.get(name)))
    return found


def _picture_differences(name: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[str]:
    if before is None:
        return [f"the picture {name} is new"]
    if after is None:
        return [f"the picture {name} is gone"]
    words = {"sha256": "picture", "caption": "caption of", "repeats": "repeats of", "folder": "folder of",
             "weight": "weight of", "mask": "mask of", "characters": "number of characters at"}  # fmt: skip
    return [f"the {words[key]} {name} changed" for key in words if before.get(key) != after.get(key)]


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
