"""How strongly to train: S of the rule L = S / (R*E*I), from what the base model draws already and how earlier runs came out.

Two rules of thumb hold the line: 1.1 suits characters that an anime base draws when told, 1.2 to 1.3 those with bodies it
hardly knows. So S grows by a quarter of itself from a base that draws all the looks to one that draws none. What runs of the
project showed counts for more than any rule.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

from lorasmith.judging.judge import Judge, Judged, Spread, spread
from lorasmith.judging.rank import Bake
from lorasmith.judging.scores import asked_score, likeness

USUAL = 0.8  # how well a base draws the looks of a character for which a preset's S was meant
SLOPE = 0.28
_STEP = 1.5  # from a run that was under- or overbaked to the next try
_KNOWN = 0.5  # mean score from which the base draws a look


@dataclass(frozen=True)
class Drawn:
    """How well the base alone draws the described character, and how much of it comes without being named."""

    described: Spread | None
    unnamed: Spread | None
    by_tag: Mapping[str, float]


@dataclass(frozen=True)
class Outcome:
    """How a run of the project came out."""

    run: str
    strength: float
    bake: Bake


@dataclass(frozen=True)
class Strength:
    """The proposed S, and the reasoning in sentences."""

    strength: float
    reasons: tuple[str, ...]


def drawn_by_base(named: Sequence[Judged], unnamed: Sequence[Judged], judge: Judge) -> Drawn:
    """Measures renders of the base alone: `named` prompts name the looks, `unnamed` ones the same scenes without them."""
    own = [tag for tag in judge.core if tag in judge.index]
    by_tag = {}
    for tag in own:
        values = [float(one.scores[judge.index[tag]]) for one in named if tag in one.prompt.asked]
        if values:
            by_tag[tag] = sum(values) / len(values)
    return Drawn(
        spread([asked_score(one, judge) for one in named], [one.seed for one in named]),
        spread([likeness(one, judge) for one in unnamed], [one.seed for one in unnamed]),
        by_tag,
    )


def advise(drawn: Drawn, present: float, outcomes: Sequence[Outcome] = ()) -> Strength:
    """Proposes S; `present` is the S that the preset or a person set."""
    reasons = [_told(drawn)] if drawn.described is not None else []
    if tried := _from_runs(outcomes):
        return Strength(tried[0], (*reasons, tried[1]))
    if drawn.described is None:
        return Strength(present, ("The tagger knows none of the own tags: nothing could be measured, S stays as it is.",))
    factor = 1.0 + SLOPE * (USUAL - drawn.described.mean)
    found = round(present * factor, 2)
    how = "more" if factor > 1.005 else "less" if factor < 0.995 else "the same"
    reasons.append(
        f"S is {present:g} now, meant for looks that a base draws at about {USUAL:.1f}: this one asks for {how}, x {factor:.2f}."
    )
    return Strength(found, tuple(reasons))


def _told(drawn: Drawn) -> str:
    assert drawn.described is not None
    unknown = sorted((tag for tag, score in drawn.by_tag.items() if score < _KNOWN), key=lambda tag: drawn.by_tag[tag])
    names = ", ".join(f"{tag.replace('_', ' ')} {drawn.by_tag[tag]:.2f}" for tag in unknown[:6])
    besides = "" if drawn.unnamed is None else f" ({drawn.unnamed.mean:.2f} come by themselves)"
    start = f"Told in words, the base alone draws the looks at {drawn.described.mean:.2f}{besides}"
    return f"{start}; it hardly knows {names}." if unknown else f"{start}; it knows all of them."


def _from_runs(outcomes: Sequence[Outcome]) -> tuple[float, str] | None:
    """Reads S off the project's own runs: the last good one, else between too little and too much, else a step further."""
    good = [one for one in outcomes if one.bake == "good"]
    if good:
        return good[-1].strength, f"Run {good[-1].run} with S = {good[-1].strength:g} was good: keep it."
    low = max((one for one in outcomes if one.bake == "underbaked"), key=lambda one: one.strength, default=None)
    high = min((one for one in outcomes if one.bake == "overbaked"), key=lambda one: one.strength, default=None)
    if low and high and low.strength < high.strength:
        between = round(sqrt(low.strength * high.strength), 2)
        return between, f"S = {low.strength:g} was too little and {high.strength:g} too much: try between."
    if low and not high:
        return round(low.strength * _STEP, 2), f"Run {low.run} with S = {low.strength:g} was underbaked: try half as much again."
    if high and not low:
        return round(high.strength / _STEP, 2), f"Run {high.run} with S = {high.strength:g} was overbaked: try two thirds."
    return None
