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
    weight: float = 1.0  # of its loss
    regularisation: bool = False  # not a picture of the character
    mask: Path | None = None  # a picture whose white is what is learnt
    characters: int = 1  # that share the training: each is to be learnt as strongly as one alone


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


def mask_file(path: Path, masks: Path | None = None) -> Path | None:
    """Finds a picture's mask: of the same name in the folder `masks`, or beside it as OneTrainer names it."""
    places = [masks / f"{path.stem}.png"] if masks else []
    return next((file for file in (*places, path.with_name(f"{path.stem}-masklabel.png")) if file.is_file()), None)
