"""The posts that research looked at, and how their scores are spread: what a minimum score is chosen by."""

import csv
import io
import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lorasmith.files import write_atomic
from lorasmith.project.project import Project
from lorasmith.settings.tables import DownloadSettings, ResearchSettings

if TYPE_CHECKING:
    from lorasmith.boorus.post import Post

POSTS = "posts.csv"
_HEAD = ("post", "score", "left_out")
_BINS = 48
_STEPS = 1000  # most rows of the table of how many posts have at least a score


@dataclass(frozen=True)
class Bin:
    """A column of the histogram: `posts` have a score from `start` to just under `end`."""

    start: int
    end: int
    posts: int


@dataclass(frozen=True)
class Spread:
    """The scores of the posts that pass every filter, each picture once.

    `steps` are (score, posts with at least it), rising. `now` is the minimum score that download takes, `suggested` the one
    that leaves what is wanted, None where there are too few to choose from.
    """

    posts: int
    bins: tuple[Bin, ...]
    steps: tuple[tuple[int, int], ...]
    now: int
    suggested: int | None
    wanted: int
    wanted_at_most: int
    top_n: int


def write_posts(project: Project, posts: Iterable["Post"], settings: ResearchSettings, folded: Mapping[str, str]) -> None:
    """Writes every post that was looked at with its score, and why it is left out; refused ones are in no list."""
    from lorasmith.boorus.funnel import reject

    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(_HEAD)
    for post in posts:
        twin = folded.get(post.name)
        rows.writerow((post.name, post.score, reject(post, settings) or (f"the same picture as {twin}" if twin else "")))
    write_atomic(project.research / POSTS, text.getvalue())


def read_scores(project: Project) -> list[int]:
    """Gives the scores of the posts that pass, rising; none where there was no research or its file cannot be read."""
    try:
        with (project.research / POSTS).open(encoding="utf-8", newline="") as stream:
            return sorted(int(row["score"]) for row in csv.DictReader(stream) if not row["left_out"])
    except (OSError, ValueError, KeyError, csv.Error):
        return []


def spread(project: Project) -> Spread:
    """Says how the scores are spread, for the settings as they are now."""
    from lorasmith.boorus.funnel import suggest_min_score

    scores, wishes = read_scores(project), project.settings(ResearchSettings)
    taken = project.settings(DownloadSettings)
    suggested = suggest_min_score(scores, wishes.wanted, wishes.wanted_at_most)
    return Spread(
        len(scores), bins_of(scores), steps_of(scores), taken.min_score, suggested, wishes.wanted, wishes.wanted_at_most, taken.top_n
    )  # fmt: skip


def bins_of(scores: Sequence[int]) -> tuple[Bin, ...]:
    """Cuts rising scores into columns that are narrow where scores are low: few posts have the high ones."""
    if not scores:
        return ()
    low, high = _root(scores[0]), _root(scores[-1] + 1)
    edges = sorted({_square(low + (high - low) * place / _BINS) for place in range(_BINS)} | {scores[0], scores[-1] + 1})
    edges = [edge for edge in edges if scores[0] <= edge <= scores[-1] + 1]
    places = [bisect_left(scores, edge) for edge in edges]
    pairs = zip(edges, edges[1:], places, places[1:], strict=False)
    return tuple(Bin(start, end, after - before) for start, end, before, after in pairs)


def steps_of(scores: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Gives (score, posts with at least it), rising; every score that occurs, or a thousand of them evenly chosen."""
    counts = Counter(scores)
    left, steps = len(scores), []
    for score in sorted(counts):
        steps.append((score, left))
        left -= counts[score]
    every = -(-len(steps) // _STEPS) or 1
    return tuple(step for place, step in enumerate(steps) if place % every == 0 or place == len(steps) - 1)


def _root(score: int) -> float:
    return math.copysign(math.sqrt(abs(score)), score)


def _square(root: float) -> int:
    return round(math.copysign(root * root, root))
