"""Pictures held out of the training, and the fixed draws by which their loss is told.

The timesteps are four inner points of the whole range, as kohya's trainer takes them; noise and latents are a function of
the picture's name alone, so that two epochs, and two runs, are told on the same.
"""

import hashlib
from collections.abc import Sequence

from lorasmith.training.dataset import TrainingPicture

TIMESTEPS = (200, 400, 600, 800)


def hold_out(
    pictures: Sequence[TrainingPicture], share: float
) -> tuple[list[TrainingPicture], list[TrainingPicture]]:
    """Gives what is trained on and what is held out: a share of the character's pictures, the same ones each time.

    None are held out where that would leave nothing; else at least one. Edits of one original stay on one side.
    """
    origins = sorted({_origin(each) for each in pictures if not each.regularisation}, key=_chance)
    count = min(len(origins) - 1, max(1, round(share * len(origins)))) if share else 0
    out = set(origins[: max(0, count)])
    return (
        [each for each in pictures if _origin(each) not in out or each.regularisation],
        [each for each in pictures if _origin(each) in out and not each.regularisation],
    )


def _origin(picture: TrainingPicture) -> str:
    return picture.name.split(".")[0]


def _chance(name: str) -> bytes:
    return hashlib.sha256(name.encode("utf-8")).digest()
