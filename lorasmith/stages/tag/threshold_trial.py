"""Other thresholds tried on what the taggers have scored: which tags would join the pictures or leave them; nothing is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lorasmith.errors import UsageError
from lorasmith.project.pictures import Picture
from lorasmith.project.project import Project
from lorasmith.safety import text_is_refused
from lorasmith.settings.tables import TagSettings
from lorasmith.stages.tag.index import LABELS

if TYPE_CHECKING:
    from lorasmith.taggers.listed import Listed
    from lorasmith.taggers.trial import Sparse
    from lorasmith.taggers.verdicts import Disagreement, Voice

MOST_TAGS, MOST_NAMES = 60, 8  # listed of what joins or leaves
_AT_ONCE = 256  # pictures whose whole vectors are in memory


@dataclass(frozen=True)
class Scores:
    """What the project's taggers scored, as far as another threshold could ask for it; for as long as the project stays the same.

    `said` and `gone` have a bit a picture: what anyone but a tagger says, and what a person took out.
    """

    names: tuple[str, ...]
    taggers: "Mapping[str, tuple[Listed, Sparse]]"
    said: Mapping[str, int]
    gone: Mapping[str, int]


@dataclass(frozen=True)
class Change:
    """One tag that would join pictures or leave them."""

    tag: str
    pictures: int
    names: tuple[str, ...]


@dataclass(frozen=True)
class Tried:
    """What other thresholds would do; `pictures` counts those that change in any way."""

    pictures: int
    joining: tuple[Change, ...]
    leaving: tuple[Change, ...]
    joining_tags: int
    leaving_tags: int


def listed_taggers(project: Project, settings: TagSettings) -> "tuple[Listed, ...]":
    """Gives the taggers of the settings that have scored this project's pictures, without their models."""
    from lorasmith.taggers.listed import read_listed

    known = {name.removeprefix(LABELS): names for name, names in project.facts_named(LABELS).items()}
    found = (read_listed(name, known) for name in settings.tagger_names)
    return tuple(one for one in found if one is not None)


def voices_of(project: Project, settings: TagSettings) -> "dict[str, Voice]":
    """Gives the voices of the taggers that have scored, by the ids that their scores are kept under."""
    return {one.id: _voice(one, settings) for one in listed_taggers(project, settings)}


def read_scores(project: Project, pictures: Sequence[Picture], settings: TagSettings) -> Scores:
    """Reads what the taggers scored; raises `UsageError` when no tagger has looked at the pictures."""
    from lorasmith.taggers.trial import sparse_of
    from lorasmith.tags.index import index_of

    taggers = listed_taggers(project, settings)
    if not taggers:
        raise UsageError("No tagger has looked at these pictures yet, or its tag list is gone; start tag first.")
    names = tuple(picture.name for picture in pictures)
    kept = {
        one.name: (one, sparse_of((project.caches.scores(picture.sha256, one.id) for picture in pictures), len(one.labels)))
        for one in taggers
    }
    gone = ((picture, tag, "general") for picture, tag in project.tag_rows.gone())
    said = project.tag_rows.said() if settings.use_booru_tags else ()
    return Scores(names, kept, index_of(names, said).bits, index_of(names, gone).bits)


def try_thresholds(scores: Scores, before: TagSettings, after: TagSettings) -> Tried:
    """Says what other settings would let join or leave, beside what others than the taggers say and a person took out."""
    from lorasmith.tags.filter import bits_of

    joining: dict[str, int] = {}
    leaving: dict[str, int] = {}
    for tagger, sparse in scores.taggers.values():
        crossing = sparse.crossing(_voice(tagger, before).thresholds, _voice(tagger, after).thresholds)
        for changes, total in ((crossing.joining, joining), (crossing.leaving, leaving)):
            for label, places in changes.items():
                tag = tagger.labels[label].name
                bits = bits_of(places) & ~scores.said.get(tag, 0) & ~scores.gone.get(tag, 0)
                if bits and not text_is_refused(tag):
                    total[tag] = total.get(tag, 0) | bits
    changed = 0
    for bits in (*joining.values(), *leaving.values()):
        changed |= bits
    return Tried(changed.bit_count(), _told(scores, joining), _told(scores, leaving), len(joining), len(leaving))


def _told(scores: Scores, changes: Mapping[str, int]) -> tuple[Change, ...]:
    """Lists the tags that change on most pictures, with a few of those."""
    from lorasmith.tags.filter import places_of

    order = sorted(changes.items(), key=lambda one: (-one[1].bit_count(), one[0]))[:MOST_TAGS]
    return tuple(
        Change(tag, bits.bit_count(), tuple(scores.names[place] for place, _ in zip(places_of(bits), range(MOST_NAMES), strict=False)))
        for tag, bits in order
    )


def thresholds_now(project: Project, settings: TagSettings, tag: str) -> dict[str, float]:
    """Gives the threshold that a tag has now with each tagger that knows it."""
    from lorasmith.tags.spelling import with_underscores

    name, found = with_underscores(tag), {}
    for tagger in listed_taggers(project, settings):
        voice = _voice(tagger, settings)
        if name in voice.places:
            found[tagger.name] = round(float(voice.thresholds[voice.places[name]]), 4)
    return found


def disagreements_listed(project: Project, pictures: Sequence[Picture], settings: TagSettings) -> "list[Disagreement]":
    """Lists where the booru's tags and the taggers are at odds, a few pictures at a time: large sets do not fill memory."""
    import numpy as np

    from lorasmith.taggers.verdicts import disagreements, verdicts
    from lorasmith.tags.spelling import with_underscores

    taggers = listed_taggers(project, settings)
    voices = [_voice(tagger, settings) for tagger in taggers]
    said: dict[str, set[str]] = {}
    for picture, tag in project.tag_rows.said_by("booru"):
        said.setdefault(picture, set()).add(with_underscores(tag))
    found: list[Disagreement] = []
    for start in range(0, len(pictures), _AT_ONCE):
        some = pictures[start : start + _AT_ONCE]
        rows = [(one.name, [project.caches.scores(one.sha256, tagger.id) for tagger in taggers]) for one in some]
        rows = [(name, its) for name, its in rows if its and all(stored is not None for stored in its)]
        if not rows:
            continue
        stored = [np.stack([np.frombuffer(its[place] or b"", "<f2") for _, its in rows]) for place in range(len(taggers))]
        for (name, _), verdict in zip(rows, verdicts(voices, stored), strict=True):
            found += disagreements(name, said.get(name, set()), verdict, settings.veto)
    return found


def _voice(tagger: "Listed", settings: TagSettings) -> "Voice":
    from lorasmith.taggers.thresholds import ThresholdRule
    from lorasmith.taggers.verdicts import voice_of

    return voice_of(tagger, [ThresholdRule(*rule) for rule in settings.threshold_rules], settings.threshold)
