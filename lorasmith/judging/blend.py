"""Several characters in one LoRA: whether the prompt of one shows the looks of another, and whether two come together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lorasmith.judging.judge import Judge, Judged, Spread, spread
from lorasmith.tags.crops import kind_of_framing, shown_by
from lorasmith.tags.groups import group_of


@dataclass(frozen=True)
class Blend:
    """What prompts for one character show of another: the mean score of the looks that only the other has, and each look's."""

    asked: str  # trigger in the prompts
    other: str  # trigger of the one whose looks were searched for
    shown: Spread
    by_tag: Mapping[str, float]


def is_for_one(judged: Judged) -> bool:
    """Says whether a render's prompt asks for just one of several characters."""
    return len(judged.prompt.who) == 1


def foreign_looks(judged: Judged, other: str, judge: Judge) -> list[str]:
    """Names the looks of another character that a render could show and should not: those that are not its own, nor asked."""
    own = {*judge.looks_of(judged.prompt.who), *judged.prompt.asked}
    tags = [tag for tag in judge.cast[other] if tag in judge.index and tag not in own]
    framing = next((tag for tag in judged.prompt.asked if group_of(tag) == "framing"), None)
    return tags if framing is None else shown_by(tags, kind_of_framing(framing))


def shown_of(judged: Judged, other: str, judge: Judge) -> float | None:
    """Gives the mean score of another character's looks in a render; None where it could show none."""
    places = [judge.index[tag] for tag in foreign_looks(judged, other, judge)]
    return float(np.mean(judged.scores[places])) if places else None


def blend_in(judged: Judged, judge: Judge) -> float | None:
    """Gives how much a render that asks for one character shows of another: of the one that comes through most."""
    if not is_for_one(judged):
        return None
    values = [shown_of(judged, other, judge) for other in judge.cast if other not in judged.prompt.who]
    return max((value for value in values if value is not None), default=None)


def blends(renders: Sequence[Judged], judge: Judge) -> tuple[Blend, ...]:
    """Gives what the prompts of each character show of each other one, the strongest first."""
    found = []
    for asked in judge.cast:
        own = [one for one in renders if one.prompt.who == (asked,)]
        for other in judge.cast:
            seen = spread([shown_of(one, other, judge) for one in own], [one.seed for one in own]) if other != asked else None
            if seen is not None:
                found.append(Blend(asked, other, seen, _by_tag(own, other, judge)))
    return tuple(sorted(found, key=lambda one: -one.shown.mean))


def _by_tag(renders: Sequence[Judged], other: str, judge: Judge) -> dict[str, float]:
    values: dict[str, list[float]] = {}
    for one in renders:
        for tag in foreign_looks(one, other, judge):
            values.setdefault(tag, []).append(float(one.scores[judge.index[tag]]))
    return {tag: float(np.mean(scores)) for tag, scores in values.items()}


def together(renders: Sequence[Judged], judge: Judge) -> Spread | None:
    """Gives the mean score of everybody's looks in renders that ask for several at once."""
    groups = [one for one in renders if len(one.prompt.who) > 1]
    values = []
    for one in groups:
        places = [judge.index[tag] for tag in judge.looks_of(one.prompt.who) if tag in judge.index and tag not in one.prompt.asked]
        values.append(float(np.mean(one.scores[places])) if places else None)
    return spread(values, [one.seed for one in groups])


def blends_in_words(found: Sequence[Blend], base: Sequence[Blend]) -> tuple[str, ...]:
    """Words each blend with what the base alone shows by chance, and its spread over seeds."""
    chance = {(one.asked, one.other): one.shown.mean for one in base}
    lines = []
    for one in found:
        luck = "" if one.shown.over_seeds is None else f" ± {one.shown.over_seeds:.2f} over seeds"
        before = chance.get((one.asked, one.other))
        without = "" if before is None else f", {before:.2f} without the LoRA"
        lines.append(f"{one.asked} shows {one.other} at {one.shown.mean:.2f}{luck}{without}")
    return tuple(lines)
