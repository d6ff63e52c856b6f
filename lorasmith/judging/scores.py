"""Numbers out of renders: is it the character (likeness), and does it still do what it is told (followed)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from lorasmith.judging.plan import FLEXIBILITY, PlannedPrompt
from lorasmith.tags.crops import kind_of_framing, shown_by
from lorasmith.tags.groups import group_of


@dataclass(frozen=True)
class Spread:
    """A mean over renders with its spread: lowest and highest, standard deviation, and how many there were."""

    mean: float
    low: float
    high: float
    deviation: float
    count: int


@dataclass(frozen=True)
class Judge:
    """What renders are judged by: each tag's place in the scores, the own tags, and the score that counts as drawn."""

    index: Mapping[str, int]
    core: tuple[str, ...]
    threshold: float = 0.5

    def unknown(self) -> tuple[str, ...]:
        """Names the own tags that the tagger cannot see, which count for nothing."""
        return tuple(tag for tag in self.core if tag not in self.index)


@dataclass(frozen=True)
class Judged:
    """One render under judgement: its prompt, its seed, and the tagger's scores (one per label)."""

    prompt: PlannedPrompt
    seed: int
    scores: np.ndarray


@dataclass(frozen=True)
class CellScores:
    """One epoch at one weight (epoch None and weight 0: the base alone).

    `likeness` None: no render could show it. `followed` by kind of prompt. `leak` is the likeness of renders that never
    asked for the character, `diversity` how much renders of one prompt differ over seeds (mean score distance).
    """

    epoch: int | None
    weight: float
    likeness: Spread | None
    followed: Mapping[str, Spread] = field(default_factory=dict)
    leak: Spread | None = None
    diversity: float | None = None
    by_tag: Mapping[str, float] = field(default_factory=dict)

    @property
    def followed_mean(self) -> float | None:
        """Gives the mean share of followed prompts over the groups of flexibility, each group counting the same."""
        shares = [self.followed[kind].mean for kind in FLEXIBILITY if kind in self.followed]
        return sum(shares) / len(shares) if shares else None


def likeness(judged: Judged, judge: Judge) -> float | None:
    """Gives the mean score of the own tags that the render can show and its prompt did not ask for by name.

    None where nothing is left to look at.
    """
    places = [judge.index[tag] for tag in looked_for(judged.prompt, judge)]
    return float(np.mean(judged.scores[places])) if places else None


def looked_for(prompt: PlannedPrompt, judge: Judge) -> list[str]:
    """Names the own tags that a render of the prompt is searched for: a headshot cannot show a tail."""
    framing = next((tag for tag in prompt.asked if group_of(tag) == "framing"), None)
    own = [tag for tag in judge.core if tag in judge.index and tag not in prompt.asked]
    return own if framing is None else shown_by(own, kind_of_framing(framing))


def followed(judged: Judged, judge: Judge) -> float | None:
    """Gives the share of the asked tags that the tagger sees drawn; None where nothing was asked that it knows."""
    places = [judge.index[tag] for tag in judged.prompt.asked if tag in judge.index]
    return float(np.mean(judged.scores[places] >= judge.threshold)) if places else None


def score_cell(epoch: int | None, weight: float, renders: Sequence[Judged], judge: Judge) -> CellScores:
    """Judges all renders of one epoch at one weight."""
    asked = [render for render in renders if render.prompt.has_trigger]
    plain = [render for render in renders if render.prompt.kind == "plain"]
    kinds = list(dict.fromkeys(render.prompt.kind for render in renders))
    by_kind = {kind: [render for render in renders if render.prompt.kind == kind] for kind in kinds}
    shares = {kind: spread(followed(render, judge) for render in group) for kind, group in by_kind.items()}
    return CellScores(
        epoch=epoch,
        weight=weight,
        likeness=spread(likeness(render, judge) for render in asked),
        followed={kind: share for kind, share in shares.items() if share is not None},
        leak=spread(likeness(render, judge) for render in plain),
        diversity=diversity(renders),
        by_tag=score_by_tag(asked, judge),
    )


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


def spread(values: Iterable[float | None]) -> Spread | None:
    """Sums up values over renders, those that are None left out; None where none is left."""
    known = np.array([value for value in values if value is not None], dtype=np.float64)
    if not known.size:
        return None
    return Spread(float(known.mean()), float(known.min()), float(known.max()), float(known.std()), int(known.size))


def kept_share(cell: CellScores, base: CellScores, kinds: Collection[str] = FLEXIBILITY) -> float | None:
    """Gives how often prompts are followed relative to the base alone: the mean over groups, each at most 1.

    None where no group is left.
    """
    ratios = [min(1.0, ratio) for ratio in kept_by_group(cell, base, kinds).values()]
    return sum(ratios) / len(ratios) if ratios else None


def kept_by_group(cell: CellScores, base: CellScores, kinds: Collection[str] = FLEXIBILITY) -> dict[str, float]:
    """Gives the same for each group, which may exceed 1; groups that the base itself never follows say nothing."""
    return {
        kind: cell.followed[kind].mean / base.followed[kind].mean
        for kind in kinds
        if kind in cell.followed and kind in base.followed and base.followed[kind].mean > 0
    }
