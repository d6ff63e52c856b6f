"""Which heads become pictures of their own: the best, as many as bring the set to the wanted share of headshots."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lorasmith.project.pictures import Picture
from lorasmith.project.project import Project
from lorasmith.settings.tables import PrepareSettings, TrainSettings
from lorasmith.stages.prepare.suggestions import words_on

if TYPE_CHECKING:
    from lorasmith.imaging.framing import Framing, SeenHead

HEAD_GAIN = 0.4  # a head crop that keeps more of the picture than the rest would be the same picture again
_MOST_ENLARGED = 2.0
_MOST_TOLD = 20
_SEVERAL = frozenset(["duo", "trio", "group", "crowd", "multiple_girls", "multiple_boys", "2girls", "2boys", "3girls", "3boys"])
_BEHIND = frozenset(["rear_view", "from_behind", "back_view"])
_TURNED = frozenset(["looking_back", "looking_at_viewer"])


@dataclass(frozen=True)
class LeftOut:
    """A picture of whose head no crop is made, and why."""

    picture: str
    why: str


@dataclass(frozen=True)
class Headshots:
    """How the wanted share of headshots is reached."""

    there: int  # pictures that are headshots already
    wanted: int  # head crops that the share asks for on top
    chosen: int
    reasons: dict[str, int]  # why no crop is made of a head -> pictures
    left_out: tuple[LeftOut, ...]  # the first of them


def choose_heads(
    project: Project, looks: "Mapping[str, tuple[Picture, Framing]]", settings: PrepareSettings
) -> tuple[set[str], Headshots]:
    """Names the pictures whose heads are cropped: those a person accepted, then the best that are no twins of each other.

    `looks` has for each picture its newest version and what was seen on it.
    """
    resolution = project.settings(TrainSettings).resolution
    words = {name: words_on(project, project.pictures.get(name)).get("head") for name in looks}
    chosen = {name: seen.head for name, (_, seen) in looks.items() if (word := words[name]) and word[1] == "keep"}
    why: dict[str, str] = {}
    fit: list[tuple[float, str, SeenHead]] = []
    there = 0
    for name, (source, seen) in looks.items():
        if name in chosen:
            continue
        reason = "refused by you" if words[name] else _reason(project, source, seen, resolution)
        there += reason == _THERE
        if reason is None and seen.head is not None:
            fit.append((-seen.head.worth(resolution), name, seen.head))
        elif reason is not None:
            why[name] = reason
    wanted = _wanted(len(looks), there, settings) if settings.head_crops else 0
    for _, name, head in sorted(fit, key=lambda one: one[:2]):
        twin = next((other for other, known in chosen.items() if known is not None and head.is_twin(known)), None)
        if twin is not None:
            why[name] = f"like the head of {twin}"
        elif len(chosen) >= wanted:
            why[name] = "others are better"
        else:
            chosen[name] = head
    return set(chosen), _told(there, wanted, len(chosen), why)


_THERE = "is a headshot already"


def _wanted(pictures: int, there: int, settings: PrepareSettings) -> int:
    """Gives how many must be added so that headshots are the wanted share of all, those that are there counted."""
    share = settings.head_share
    missing = share * pictures - there
    return pictures if share >= 1 else max(0, math.ceil(round(missing / (1 - share), 9)))


def _reason(project: Project, source: Picture, seen: "Framing", resolution: int) -> str | None:
    """Says why a picture gets no head crop, before heads are compared; None where it may."""
    from lorasmith.imaging.crop import worth_cropping

    said = set(project.pictures.said(source.name))
    if _is_head_already(said):
        return _THERE
    if said & _SEVERAL and "solo" not in said:
        return "more than one character"
    if said & _BEHIND and not said & _TURNED:
        return "seen from behind"
    if seen.head is None:
        return "no head found"
    if not worth_cropping(seen.head.box, (source.width, source.height), HEAD_GAIN):
        return _THERE
    return "too small for the resolution" if seen.head.enlarged(resolution) > _MOST_ENLARGED else None


def _is_head_already(said: set[str]) -> bool:
    from lorasmith.tags.crops import kind_of_framing
    from lorasmith.tags.groups import group_of

    framings = [tag for tag in said if group_of(tag) == "framing"]
    # e621's `portrait` is implied by every framing, full-length too: only when nothing else is said does it mean the head.
    return bool(framings) and all(kind_of_framing(tag) == "head" for tag in framings)


def _told(there: int, wanted: int, chosen: int, why: Mapping[str, str]) -> Headshots:
    kinds = Counter("like another head" if reason.startswith("like the head") else reason for reason in why.values())
    told: Sequence[LeftOut] = [LeftOut(name, reason) for name, reason in sorted(why.items()) if reason != _THERE]
    told = sorted(told, key=lambda one: one.why == "others are better")  # what a person can change first
    return Headshots(there, wanted, chosen, dict(sorted(kinds.items())), tuple(told[:_MOST_TOLD]))
