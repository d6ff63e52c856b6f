"""Tagger scores of a project's pictures: made once, stored whole, read back; and what they refuse."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lorasmith.errors import TaggerError
from lorasmith.progress import Progress, Report, silent
from lorasmith.project.pictures import REFUSED, Decision, Picture
from lorasmith.project.project import Project
from lorasmith.safety import is_seen, refused_places
from lorasmith.settings.tables import TagSettings
from lorasmith.stages.tag.shards import score_shared

if TYPE_CHECKING:
    import numpy as np

    from lorasmith.taggers.onnx import Tagger
    from lorasmith.taggers.stream import Scored
    from lorasmith.taggers.verdicts import Disagreement, Verdict, Voice

    Taggers = Tagger | Sequence[Tagger] | None

_KEPT_AT_ONCE = 16  # pictures written in one transaction: so many are scored again after a kill


@dataclass(frozen=True)
class Scoring:
    """What a run of the taggers did: how many pictures were scored, and which could not be opened and why."""

    scored: int
    skipped: Mapping[str, str] = field(default_factory=dict)  # name -> a sentence


def open_project_tagger(settings: TagSettings, report: Report = silent) -> "Tagger":
    """Opens the first tagger that the settings name; a model of the table is fetched on its first use, and that is told."""
    return _open(settings.tagger_names[0] if settings.tagger_names else settings.tagger, settings, report)


def open_project_taggers(settings: TagSettings, report: Report = silent) -> "tuple[Tagger, ...]":
    """Opens all taggers that the settings name, in their order; none where they name none."""
    taggers = tuple(_open(name, settings, report) for name in settings.tagger_names)
    names = [tagger.name for tagger in taggers]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise TaggerError(f"Two of the taggers are called '{twice}'; name each once, or rename one of the folders.")
    return taggers


def _open(name: str, settings: TagSettings, report: Report) -> "Tagger":
    from lorasmith.taggers.open import open_tagger

    def tell(sentence: str) -> None:
        report(Progress("tag", 0, None, sentence))

    return open_tagger(name, models_folder=None, providers=tuple(settings.providers), tell=tell)


def score_missing(
    project: Project, tagger: "Tagger", pictures: Sequence[Picture], batch_size: int, report: Report = silent
) -> int:
    """Runs the tagger on the pictures whose file it has not seen; the full vectors are kept. Gives how many."""
    return score_pictures(project, [tagger], pictures, batch_size, report).scored


def score_pictures(
    project: Project, taggers: "Sequence[Tagger]", pictures: Sequence[Picture], batch_size: int, report: Report = silent
) -> Scoring:
    """Runs each tagger on the pictures whose file it has not seen, decoding each once; the full vectors are kept.

    A picture that cannot be opened is told, skipped, and named in what is given back.
    """
    groups: dict[tuple[Tagger, ...], list[Picture]] = {}
    for picture in pictures:
        missing = tuple(one for one in taggers if project.caches.scores(picture.sha256, one.id) is None)
        if missing:
            groups.setdefault(missing, []).append(picture)
    total, done = sum(map(len, groups.values())), 0
    skipped: dict[str, str] = {}
    for missing, group in groups.items():
        report(Progress("tag", done, total, group[0].name))
        for picture, scored in _scored(project, missing, group, batch_size):
            done += 1
            if scored.fault:
                skipped[picture.name] = scored.fault
            report(Progress("tag", done, total, f"{picture.name} is skipped: {scored.fault}" if scored.fault else picture.name))
    return Scoring(total - len(skipped), skipped)


def _scored(
    project: Project, taggers: "Sequence[Tagger]", pictures: Sequence[Picture], batch_size: int
) -> "Iterator[tuple[Picture, Scored]]":
    """Yields each picture with its scores, which are kept; those in hand are kept too when the work is broken off."""
    from lorasmith.jobs.farm.shards import is_shared

    files = [project.file_of(picture) for picture in pictures]
    in_hand: list[tuple[Picture, Scored]] = []

    def keep() -> None:
        with project.transaction():
            for picture, scored in in_hand:
                for tagger, vector in zip(taggers, scored.scores, strict=not scored.fault):
                    project.caches.keep_scores(picture.sha256, tagger.id, vector.astype("<f2").tobytes())
        in_hand.clear()

    shared = score_shared(project.folder, taggers, files, batch_size) if is_shared() else _alone(taggers, files, batch_size)
    with closing(shared) as stream:
        try:
            for picture, scored in zip(pictures, stream, strict=True):
                in_hand.append((picture, scored))
                if len(in_hand) >= _KEPT_AT_ONCE:
                    keep()
                yield picture, scored
        finally:
            keep()


def _alone(taggers: "Sequence[Tagger]", files: Sequence[Path], batch_size: int) -> "Generator[Scored, None, None]":
    from lorasmith.imaging.read import open_picture
    from lorasmith.taggers.stream import score_stream

    return score_stream(taggers, [partial(open_picture, file) for file in files], batch_size)


def has_scores(project: Project, taggers: "Sequence[Tagger]", picture: Picture) -> bool:
    """Says whether all the taggers have seen a picture: one that cannot be opened has no scores."""
    return all(project.caches.scores(picture.sha256, tagger.id) is not None for tagger in taggers)


def vector_of(project: Project, tagger: "Tagger", picture: Picture) -> "np.ndarray":
    """Gives a picture's stored scores: float32, one per label."""
    import numpy as np

    return _stored(project, tagger, picture).astype(np.float32)


def _stored(project: Project, tagger: "Tagger", picture: Picture) -> "np.ndarray":
    import numpy as np

    stored = project.caches.scores(picture.sha256, tagger.id)
    if stored is None:
        raise TaggerError(f"{picture.name} has no scores of {tagger.name} yet; run `lorasmith tag` first.")
    return np.frombuffer(stored, dtype="<f2")


def verdicts_of(
    project: Project, taggers: "Taggers", pictures: Sequence[Picture], settings: TagSettings
) -> "dict[str, Verdict]":
    """Gives what the taggers say of each picture under the settings' thresholds: a question to stored scores, nothing is run.

    Pictures without scores (they could not be opened) are left out.
    """
    import numpy as np

    from lorasmith.taggers.verdicts import verdicts

    several = _several(taggers)
    pictures = [picture for picture in pictures if has_scores(project, several, picture)]
    if not several or not pictures:
        return {}
    voices = [_voice(tagger, settings) for tagger in several]
    stored = [np.stack([_stored(project, tagger, picture) for picture in pictures]) for tagger in several]
    return dict(zip((picture.name for picture in pictures), verdicts(voices, stored), strict=True))


def thresholds_by_tag(tagger: "Tagger", settings: TagSettings) -> dict[str, float]:
    """Gives the threshold that each of a tagger's picture tags has under the settings."""
    voice = _voice(tagger, settings)
    return {tag: float(voice.thresholds[place]) for tag, place in voice.places.items()}


def _voice(tagger: "Tagger", settings: TagSettings) -> "Voice":
    from lorasmith.taggers.thresholds import ThresholdRule
    from lorasmith.taggers.verdicts import voice_of

    return voice_of(tagger, [ThresholdRule(*rule) for rule in settings.threshold_rules], settings.threshold)


def _several(taggers: "Taggers") -> "Sequence[Tagger]":
    """Writes one tagger, several or none as a sequence."""
    return taggers if isinstance(taggers, Sequence) else [] if taggers is None else [taggers]


def disagreements_of(
    project: Project, taggers: "Taggers", pictures: Sequence[Picture], settings: TagSettings
) -> "list[Disagreement]":
    """Lists where the booru's tags and the taggers are at odds, picture by picture."""
    from lorasmith.taggers.verdicts import disagreements
    from lorasmith.tags.spelling import with_underscores

    found = []
    for name, verdict in verdicts_of(project, taggers, pictures, settings).items():
        said = {with_underscores(row.tag) for row in project.pictures.tags(name) if row.source == "booru"}
        found += disagreements(name, said, verdict, settings.veto)
    return found


def refuse(project: Project, pictures: Sequence[Picture], taggers: "Taggers") -> int:
    """Takes out the pictures on which a tagger sees a tag that marks minors; gives how many. No one can keep them."""
    roots: set[str] = set()
    for tagger in _several(taggers):
        places = refused_places(label.name for label in tagger.labels)
        seen = [one for one in pictures if places and has_scores(project, [tagger], one)]
        roots |= {one.name.split(".")[0] for one in seen if is_seen(vector_of(project, tagger, one), places)}
    for name in sorted(roots):
        project.pictures.decide(name, Decision("drop", REFUSED, "refused"), maker=REFUSED)
    return len(roots)
