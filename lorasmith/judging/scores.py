"""Numbers out of renders: is it the character (likeness), and does it still do what it is told (followed)."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from lorasmith.judging.asked import FLEXIBILITY
from lorasmith.judging.blend import Blend, blend_in, blends, together
from lorasmith.judging.judge import Control, Judge, Judged, Spread, spread
from lorasmith.judging.plan import PlannedPrompt
from lorasmith.judging.unasked import artefact, outfit, shown_unasked
from lorasmith.tags.crops import kind_of_framing, shown_by
from lorasmith.tags.groups import group_of


@dataclass(frozen=True)
class CellScores:
    """One epoch at one weight (epoch None and weight 0: the base alone).

    `likeness` None: no render could show it. `followed` by kind of prompt. `leak` is the likeness of renders that never
    asked for the character, `diversity` how much renders of one prompt differ over seeds (mean score distance). `described`
    is the mean score of the own tags where the prompt names them all. `outfit` by toggle. `unasked` is the share of renders
    that show a place, mark or fault nobody asked for; `artefacts` the share with any mark or fault; `copies` the share that
    nearly repeats a training picture; `similarity` that to the nearest training picture.

    Where the LoRA holds several characters, `likeness` is over all of them and `each` over each; `blend` is the mean score of
    another's looks where one is asked for, `blends` the same for each pair, `together` the likeness where two are asked for.
    """

    epoch: int | None
    weight: float
    likeness: Spread | None
    followed: Mapping[str, Spread] = field(default_factory=dict)
    leak: Spread | None = None
    diversity: float | None = None
    by_tag: Mapping[str, float] = field(default_factory=dict)
    described: Spread | None = None
    outfit: Mapping[str, Control] = field(default_factory=dict)
    unasked: Mapping[str, float] = field(default_factory=dict)
    artefacts: Spread | None = None
    similarity: Spread | None = None
    copies: Spread | None = None
    each: Mapping[str, Spread] = field(default_factory=dict)
    blend: Spread | None = None
    blends: tuple[Blend, ...] = ()
    together: Spread | None = None

    @property
    def followed_mean(self) -> float | None:
        """Gives the mean share of followed prompts over the groups of flexibility, each group counting the same."""
        shares = [self.followed[kind].mean for kind in FLEXIBILITY if kind in self.followed]
        return sum(shares) / len(shares) if shares else None

    @property
    def control(self) -> float | None:
        """Gives the mean over toggles of how well they come at a word and stay away without it."""
        values = [one.control for one in self.outfit.values() if one.control is not None]
        return sum(values) / len(values) if values else None


def likeness(judged: Judged, judge: Judge) -> float | None:
    """Gives the mean score of the own tags that the render can show and its prompt did not ask for by name.

    Where several characters are known and none is asked for, it is that of the one it is likest to. None where nothing is left
    to look at.
    """
    names = judge.cast if judge.cast and not judged.prompt.who else None
    sought = [looked_for(judged.prompt, judge)] if names is None else [looked_for(judged.prompt, judge, (one,)) for one in names]
    means = [float(np.mean(judged.scores[[judge.index[tag] for tag in tags]])) for tags in sought if tags]
    return max(means, default=None)


def looked_for(prompt: PlannedPrompt, judge: Judge, who: Sequence[str] = ()) -> list[str]:
    """Names the own tags that a render of the prompt is searched for: a headshot cannot show a tail."""
    framing = next((tag for tag in prompt.asked if group_of(tag) == "framing"), None)
    own = [tag for tag in judge.looks_of(who or prompt.who) if tag in judge.index and tag not in prompt.asked]
    return own if framing is None else shown_by(own, kind_of_framing(framing))


def followed(judged: Judged, judge: Judge) -> float | None:
    """Gives the share of the asked tags that the tagger sees drawn; None where nothing was asked that it knows."""
    places = [judge.index[tag] for tag in judged.prompt.asked if tag in judge.index]
    return float(np.mean(judged.scores[places] >= judge.threshold)) if places else None


def asked_score(judged: Judged, judge: Judge) -> float | None:
    """Gives the mean score of the asked tags, finer than the share that passes the threshold."""
    places = [judge.index[tag] for tag in judged.prompt.asked if tag in judge.index]
    return float(np.mean(judged.scores[places])) if places else None


def score_cell(epoch: int | None, weight: float, renders: Sequence[Judged], judge: Judge) -> CellScores:
    """Judges all renders of one epoch at one weight."""
    asked = [render for render in renders if render.prompt.has_trigger and len(render.prompt.who) <= 1]
    by_kind: dict[str, list[Judged]] = {}
    for render in renders:
        by_kind.setdefault(render.prompt.kind, []).append(render)
    shares = {kind: _over(group, lambda render: followed(render, judge)) for kind, group in by_kind.items()}
    return CellScores(
        epoch=epoch,
        weight=weight,
        likeness=_over(asked, lambda render: likeness(render, judge)),
        followed={kind: share for kind, share in shares.items() if share is not None},
        leak=_over(by_kind.get("plain", ()), lambda render: likeness(render, judge)),
        diversity=diversity(renders),
        by_tag=score_by_tag(asked, judge),
        described=_over(by_kind.get("described", ()), lambda render: asked_score(render, judge)),
        outfit=outfit(asked, judge),
        unasked=shown_unasked(asked, judge),
        artefacts=_over(asked, lambda render: artefact(render, judge)),
        similarity=_over(asked, lambda render: render.similarity),
        copies=_over([one for one in asked if one.similarity is not None], lambda render: float(bool(render.copies))),
        each=_each(asked, judge),
        blend=_over(asked, lambda render: blend_in(render, judge)),
        blends=blends(asked, judge),
        together=together(renders, judge),
    )


def _each(renders: Sequence[Judged], judge: Judge) -> dict[str, Spread]:
    """Gives the likeness of each of several characters, over the renders that ask for it alone."""
    found = {one: _over([it for it in renders if it.prompt.who == (one,)], lambda it: likeness(it, judge)) for one in judge.cast}
    return {one: value for one, value in found.items() if value is not None}


def _over(renders: Sequence[Judged], value: Callable[[Judged], float | None]) -> Spread | None:
    return spread([value(render) for render in renders], [render.seed for render in renders])


def score_by_tag(renders: Iterable[Judged], judge: Judge) -> dict[str, float]:
    """Gives the mean score of each own tag over the renders that can show it."""
    seen: dict[str, list[float]] = {}
    for render in renders:
        for tag in looked_for(render.prompt, judge):
            seen.setdefault(tag, []).append(float(render.scores[judge.index[tag]]))
    return {tag: float(np.mean(values)) for tag, values in seen.items()}


def diversity(renders: Sequence[Judged]) -> float | None:
    """Gives the mean absolute difference of the scores of renders that differ in seed alone; None for one seed."""
    by_prompt: dict[str, list[np.ndarray]] = {}
    for render in renders:
        by_prompt.setdefault(render.prompt.text, []).append(render.scores)
    distances = [
        float(np.mean(np.abs(one - other))) for group in by_prompt.values() for one, other in combinations(group, 2)
    ]
    return float(np.mean(distances)) if distances else None


def kept_share(cell: CellScores, base: CellScores, kinds: Collection[str] = FLEXIBILITY) -> float | None:
    """Gives how often prompts are followed relative to the base alone, at most 1: the mean over groups, by their renders.

    None where no group is left.
    """
    ratios = kept_by_group(cell, base, kinds)
    counts = {kind: base.followed[kind].count for kind in ratios}
    total = sum(counts.values())
    return sum(min(1.0, ratio) * counts[kind] for kind, ratio in ratios.items()) / total if total else None


def kept_by_group(cell: CellScores, base: CellScores, kinds: Collection[str] = FLEXIBILITY) -> dict[str, float]:
    """Gives the same for each group, which may exceed 1; groups that the base itself never follows say nothing."""
    return {
        kind: cell.followed[kind].mean / base.followed[kind].mean
        for kind in kinds
        if kind in cell.followed and kind in base.followed and base.followed[kind].mean > 0
    }
