"""Which epoch and weight to use, by a rule that can be said in one sentence, and a word for how well it is baked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lorasmith.judging.scores import CellScores, kept_share

Bake = Literal["underbaked", "good", "overbaked", "unjudged"]

RULE = (
    "Among the good epochs and weights, else those that still follow at least {kept:.0%} of what the base follows, the likest one; "
    "within {tie:.2f} of it the lower weight, then the earlier epoch."
)


@dataclass(frozen=True)
class Bars:
    """The bars of the rule: likeness for "good", share of the base's obedience to keep, and what counts as a tie.

    `copies` is the share of renders, over the base's own, that may nearly repeat a training picture; `diversity` the share of
    the base's difference between seeds to keep; `broken` the obedience under which a LoRA that is not like the character is
    no longer too weak but too strong; `fallen` the likeness that a later epoch or higher weight must have lost for that.
    `others` is the share to keep of the looks that the base gives to others who are described in words: one that is trained too
    much no longer lets them be drawn.
    `leak` is the likeness, over the base's own, from which a character that comes without its trigger is told; it is no fault
    of baking, since it comes with the first epoch that is like the character.
    """

    likeness: float = 0.7
    kept: float = 0.8
    tie: float = 0.02
    copies: float = 0.25
    diversity: float = 0.4
    broken: float = 0.6
    fallen: float = 0.1
    leak: float = 0.3
    others: float = 0.8


@dataclass(frozen=True)
class Standing:
    """One cell's place: its two numbers, its word, and the reason in words."""

    epoch: int
    weight: float
    likeness: float | None
    kept: float | None
    bake: Bake
    reason: str


@dataclass(frozen=True)
class Ranking:
    """All cells, the chosen one first; `best` is None when nothing could be judged. `rule` says how it was chosen."""

    best: Standing | None
    order: tuple[Standing, ...]
    rule: str
    advice: str


def rank(cells: Sequence[CellScores], base: CellScores, bars: Bars = Bars()) -> Ranking:
    """Chooses epoch and weight from cells judged on the choosing seeds; `base` is the same without the LoRA."""
    standings = [judge_cell(cell, base, bars, likest_below(cell, cells)) for cell in cells if cell.epoch is not None]
    judged = [standing for standing in standings if standing.likeness is not None]
    rule = RULE.format(kept=bars.kept, tie=bars.tie)
    if not judged:
        nothing = (
            "The tagger knows none of the character's own tags, so there is nothing to rank: look at the grid. "
            'Name the looks under "Core looks" in info.md, or as tag.core_tags.'
        )
        return Ranking(None, tuple(standings), rule, nothing)
    best = choose(judged, bars)
    rest = sorted((standing for standing in standings if standing is not best), key=lambda one: _order(one, bars))
    return Ranking(best, (best, *rest), rule, advice(best, standings))


def choose(standings: Sequence[Standing], bars: Bars) -> Standing:
    """Applies the rule to standings that have a likeness; without a flexible one the best product of both wins."""
    good = [one for one in standings if one.bake == "good"]
    flexible = good or [one for one in standings if one.kept is None or one.kept >= bars.kept]
    value = _likeness if flexible else _product
    pool = flexible or list(standings)
    top = max(value(one) for one in pool)
    return min((one for one in pool if value(one) >= top - bars.tie), key=lambda one: (one.weight, one.epoch))


def judge_cell(cell: CellScores, base: CellScores, bars: Bars, likest: float | None = None) -> Standing:
    """Says of one cell whether it is underbaked, good or overbaked, and why.

    `likest` is the likeness of the best cell with fewer epochs or less weight, where there is one.
    """
    like = None if cell.likeness is None else cell.likeness.mean
    kept = kept_share(cell, base)
    bake, reason = word(like, kept, bars, signs_of(cell, base, bars), likest)
    if cell.leak is not None and base.leak is not None and cell.leak.mean >= base.leak.mean + bars.leak:
        reason += f"; it comes without its trigger too (leak {cell.leak.mean:.2f}, {base.leak.mean:.2f} in the base)"
    return Standing(cell.epoch or 0, cell.weight, like, kept, bake, reason)


def signs_of(cell: CellScores, base: CellScores, bars: Bars) -> list[str]:
    """Names the other signs of too much training: renders that repeat the set, or each other, and others who are lost."""
    signs = []
    if cell.copies is not None and base.copies is not None and cell.copies.mean >= base.copies.mean + bars.copies:
        signs.append(f"{cell.copies.mean:.0%} of the renders nearly repeat a training picture")
    if cell.diversity is not None and base.diversity and cell.diversity < bars.diversity * base.diversity:
        signs.append(f"seeds differ by {cell.diversity / base.diversity:.0%} of what they differ by in the base")
    others = kept_share(cell, base, ("others",))
    if others is not None and others < bars.others:
        signs.append(f"others, described without the trigger, keep {others:.0%} of the looks that the base gives them")
    return signs


def word(
    like: float | None, kept: float | None, bars: Bars, signs: Sequence[str] = (), likest: float | None = None
) -> tuple[Bake, str]:
    """Words the numbers of a cell."""
    if like is None:
        return "unjudged", "the tagger knows none of the own tags"
    told = "obedience could not be measured" if kept is None else f"follows {kept:.0%} of what the base follows"
    stiff = kept is not None and kept < bars.kept
    if like < bars.likeness:
        fell = likest is not None and likest >= like + bars.fallen
        if kept is not None and (kept < bars.broken or (stiff and fell)):
            how = f", where less training or weight had {likest:.2f}" if fell else ""
            return "overbaked", f"likeness {like:.2f}{how}, and {told}: pictures break down"
        return "underbaked", f"likeness {like:.2f}, under {bars.likeness:.2f}: not yet the character ({told})"
    if stiff:
        return "overbaked", f"{told}, under {bars.kept:.0%}: the LoRA overrules the prompt (likeness {like:.2f})"
    if signs:
        return "overbaked", f"{' and '.join(signs)} (likeness {like:.2f}, {told})"
    return "good", f"likeness {like:.2f}, and {told}"


def likest_below(cell: CellScores, cells: Sequence[CellScores]) -> float | None:
    """Gives the greatest likeness among cells with fewer epochs or less weight, and not more of the other."""
    below = [
        one.likeness.mean
        for one in cells
        if one is not cell and one.likeness is not None and (one.epoch or 0) <= (cell.epoch or 0) and one.weight <= cell.weight
    ]
    return max(below, default=None)


def advice(best: Standing, standings: Sequence[Standing]) -> str:
    """Says what to do with the outcome."""
    epochs = sorted({one.epoch for one in standings})
    choice = f"Use epoch {best.epoch} at weight {best.weight:g}: {best.reason}."
    if best.bake == "underbaked":
        return f"{choice} Train longer or with a higher strength; the last epoch judged was {epochs[-1]}."
    if best.bake == "overbaked":
        return f"{choice} Lower the learning rate or the epochs, add variety to the set, or try lower weights."
    if best.epoch == epochs[0] and len(epochs) > 1:
        return f"{choice} It is the earliest epoch judged: a shorter run may do."
    return choice


def _likeness(standing: Standing) -> float:
    return standing.likeness or 0.0


def _product(standing: Standing) -> float:
    return (standing.likeness or 0.0) * (1.0 if standing.kept is None else standing.kept)


def _order(standing: Standing, bars: Bars) -> tuple[bool, float, float, int]:
    """Sorts for display: flexible ones first, the likest first, then lower weight and earlier epoch."""
    is_stiff = standing.kept is not None and standing.kept < bars.kept
    return is_stiff, -_product(standing) if is_stiff else -_likeness(standing), standing.weight, standing.epoch
