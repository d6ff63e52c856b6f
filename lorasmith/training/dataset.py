"""What is trained on: one row per picture."""

from dataclasses import dataclass
from pathlib import Path

from lorasmith.errors import TrainingError
from lorasmith.safety import demand_safe_text


@dataclass(frozen=True)
class TrainingPicture:
    """One picture of the set: `name` is its stem, `folder` the dataset folder it stands in (such as `5_mia`)."""

    name: str
    path: Path
    caption: str
    repeats: int
    folder: str


def demand_trainable(pictures: list[TrainingPicture]) -> None:
    """Raises `TrainingError` for no pictures, a name used twice, repeats under 1; `RefusedError` for a caption."""
    if not pictures:
        raise TrainingError("There are no pictures to train on: run the stages before train, or add pictures.")
    seen: set[str] = set()
    for picture in pictures:
        if picture.name in seen:
            raise TrainingError(f"Two training pictures are named {picture.name}; give one of them another name.")
        seen.add(picture.name)
        if picture.repeats < 1:
            raise TrainingError(f"{picture.name} has {picture.repeats} repeats; it needs at least 1.")
        demand_safe_text(picture.caption, f"caption of {picture.name}")
