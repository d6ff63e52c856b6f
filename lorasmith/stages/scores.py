"""Tagger scores of a project's pictures: made once, stored whole, read back; and what they refuse."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lorasmith.errors import TaggerError
from lorasmith.progress import Progress, Report, silent
from lorasmith.project.pictures import REFUSED, Decision, Picture
from lorasmith.project.project import Project
from lorasmith.safety import is_seen, refused_places
from lorasmith.settings.tables import TagSettings

if TYPE_CHECKING:
    import numpy as np

    from lorasmith.taggers.onnx import Tagger


def open_project_tagger(settings: TagSettings, report: Report = silent) -> "Tagger":
    """Opens the tagger that the settings name; a model of the table is fetched on its first use, and that is told before."""
    from lorasmith.taggers.open import open_tagger

    def tell(sentence: str) -> None:
        report(Progress("tag", 0, None, sentence))

    return open_tagger(settings.tagger, models_folder=None, providers=tuple(settings.providers), tell=tell)


def score_missing(
    project: Project, tagger: "Tagger", pictures: Sequence[Picture], batch_size: int, report: Report = silent
) -> int:
    """Runs the tagger on the pictures whose file it has not seen; the full vectors are kept. Gives how many."""
    from lorasmith.imaging.read import open_picture

    missing = [picture for picture in pictures if project.caches.scores(picture.sha256, tagger.id) is None]
    for start in range(0, len(missing), batch_size):
        batch = missing[start : start + batch_size]
        report(Progress("tag", start, len(missing), batch[0].name))
        vectors = tagger.score([open_picture(project.file_of(picture)) for picture in batch])
        with project.transaction():
            for picture, vector in zip(batch, vectors, strict=True):
                project.caches.keep_scores(picture.sha256, tagger.id, vector.astype("<f2").tobytes())
    return len(missing)


def vector_of(project: Project, tagger: "Tagger", picture: Picture) -> "np.ndarray":
    """Gives a picture's stored scores: float32, one per label."""
    import numpy as np

    stored = project.caches.scores(picture.sha256, tagger.id)
    if stored is None:
        raise TaggerError(f"{picture.name} has no scores of {tagger.name} yet; run `lorasmith tag` first.")
    return np.frombuffer(stored, dtype="<f2").astype(np.float32)


def refuse(project: Project, pictures: Sequence[Picture], tagger: "Tagger | None") -> int:
    """Takes out the pictures on which the tagger sees a tag that marks minors; gives how many. No one can keep them."""
    if tagger is None:
        return 0
    places = refused_places(label.name for label in tagger.labels)
    if not places:
        return 0
    roots = {picture.name.split(".")[0] for picture in pictures if is_seen(vector_of(project, tagger, picture), places)}
    for name in sorted(roots):
        project.pictures.decide(name, Decision("drop", REFUSED, "refused"), maker=REFUSED)
    return len(roots)
