"""Balance: how the kept pictures are spread over what the character wears, how it is seen, and who drew it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lorasmith.project.pictures import Decision
from lorasmith.project.project import Project
from lorasmith.stages.prune.reasons import MAKER, Candidate

if TYPE_CHECKING:
    from lorasmith.tags.coverage import Member, Share


@dataclass(frozen=True)
class Balance:
    """How a set is spread: every value with its share, and what to do where it is out of balance."""

    pictures: int
    rows: "tuple[Share, ...]"


def balance_of(project: Project, candidates: Sequence[Candidate]) -> Balance:
    """Looks at a set's coverage, with the toggles of info.md."""
    from lorasmith.tags.coverage import coverage

    toggles = toggles_of(project)
    return Balance(len(candidates), tuple(coverage(members_of(candidates, toggles), toggles)))


def picked_set(project: Project, candidates: Sequence[Candidate], size: int, must: Collection[str]) -> dict[str, Decision]:
    """Gives the decisions that leave the best balanced set of `size` of the candidates; `must` are a person's keeps."""
    from lorasmith.tags.coverage import pick

    toggles = toggles_of(project)
    picked = pick(members_of(candidates, toggles, must), size, toggles)
    taken = {name: Decision("keep", MAKER, "picked", {"why": why}) for name, why in picked.reasons.items()}
    left = {name: Decision("drop", MAKER, f"not among the best {size}", {"why": why}) for name, why in picked.left.items()}
    return taken | left


def toggles_of(project: Project) -> tuple[str, ...]:
    """Names what the character puts on and off, as info.md lists it."""
    from lorasmith.tags.sheet import read_sheet

    if not project.sheet.exists():
        return ()
    sheet = read_sheet(project.sheet.read_text(encoding="utf-8", errors="replace"))
    return tuple(dict.fromkeys(entry.tag for entry in sheet.toggles))


def members_of(candidates: Sequence[Candidate], toggles: Sequence[str], must: Collection[str] = ()) -> "list[Member]":
    """Gives what coverage looks at: what each picture shows, and how good it is beside the others."""
    from lorasmith.tags.coverage import Member, shows

    qualities = quality(candidates)
    members = []
    for one in candidates:
        name = one.picture.name
        members.append(Member(name, qualities[name], shows(sorted(one.tags), one.artists, toggles), name in must))
    return members


def quality(candidates: Sequence[Candidate]) -> dict[str, float]:
    """Gives how good each picture is beside the others, 0 to 1: liked, sharp, large, and without traces of compression."""
    scores = sorted(one.score for one in candidates)
    areas = sorted(one.measures.width * one.measures.height for one in candidates)

    def rank(value: int, among: list[int]) -> float:
        from bisect import bisect_left, bisect_right

        return (bisect_left(among, value) + bisect_right(among, value)) / (2 * max(1, len(among)))

    return {
        one.picture.name: round(
            0.4 * rank(one.score, scores)
            + 0.3 * one.measures.sharpness
            + 0.2 * rank(one.measures.width * one.measures.height, areas)
            + 0.1 * (1 - one.measures.blockiness),
            4,
        )
        for one in candidates
    }
