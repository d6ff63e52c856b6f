"""prune: which pictures should not be trained on, and why; nothing is deleted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lorasmith.errors import PictureError, RefusedError
from lorasmith.progress import Progress, Report, silent
from lorasmith.project.pictures import PERSON, REFUSED, Decision, Picture
from lorasmith.project.project import Project
from lorasmith.settings.tables import PruneSettings
from lorasmith.stages.wall import read_wall

if TYPE_CHECKING:
    from lorasmith.imaging.measure import Measures

MAKER = "prune"
_SEVERAL = frozenset(
    ["duo", "trio", "group", "crowd", "multiple_girls", "multiple_boys", "2girls", "2boys", "3girls", "3boys"]
)


@dataclass(frozen=True)
class Pruned:
    """What prune decided."""

    pictures: int
    kept: int
    dropped: int
    reasons: dict[str, int]  # reason -> pictures
    overruled: int  # where a person's word holds against the suggestion


@dataclass(frozen=True)
class Candidate:
    """What a decision about one picture rests on."""

    picture: Picture
    measures: "Measures"
    tags: frozenset[str]

    @property
    def score(self) -> int:
        """The booru score; 0 for a person's own pictures."""
        return int(self.picture.post.get("score") or 0)


def prune(project: Project, settings: PruneSettings, report: Report = silent) -> Pruned:
    """Marks the pictures that should not be trained on, and why; deletes nothing."""
    candidates, broken = measure_all(project, report)
    # What a person or safety has dropped stands for nobody: its twin must not go with it.
    out = {
        name for name, word in project.pictures.decisions().items() if word.maker != MAKER and word.verdict == "drop"
    }
    reasons = judge_all([one for one in candidates if one.picture.name not in out], settings) | broken
    with project.change("prune", "prune"), project.transaction():
        for picture in project.pictures.originals():
            if picture.origin == "render":
                continue  # a candidate that came back waits for a person's word
            decision = reasons.get(picture.name)
            project.pictures.decide(picture.name, decision, maker=MAKER)
    return _summary(project, reasons)


def _summary(project: Project, reasons: Mapping[str, Decision]) -> Pruned:
    kept = {picture.name for picture in project.pictures.kept()}
    counts: dict[str, int] = {}
    for name, decision in reasons.items():
        if name not in kept:
            counts[decision.reason] = counts.get(decision.reason, 0) + 1
    originals = project.pictures.originals()
    decisions = project.pictures.decisions()
    by_person = [word for one in originals if (word := decisions.get(one.name)) and word.maker == PERSON]
    overruled = sum(1 for name in reasons if name in kept) + sum(word.verdict == "drop" for word in by_person)
    return Pruned(len(originals), len(kept), len(originals) - len(kept), dict(sorted(counts.items())), overruled)


def measure_all(project: Project, report: Report = silent) -> tuple[list[Candidate], dict[str, Decision]]:
    """Measures every original once (kept by the file's content); pictures that cannot be read are dropped with the reason."""
    from lorasmith.imaging.measure import Measures, measure

    candidates: list[Candidate] = []
    broken: dict[str, Decision] = {}
    pictures = [picture for picture in project.pictures.originals() if picture.origin != "render"]
    for done, picture in enumerate(pictures):
        measured = Measures.from_dict(project.caches.measures(picture.sha256))
        if measured is None:
            report(Progress("prune", done, len(pictures), picture.name))
            try:
                measured = measure(project.file_of(picture))
            except PictureError as error:
                broken[picture.name] = Decision("drop", MAKER, "cannot be read", {"error": str(error)})
                continue
            project.caches.keep_measures(picture.sha256, measured.to_dict())
        tags = frozenset(project.pictures.said(picture.name))
        candidates.append(Candidate(picture, measured, tags))
    report(Progress("prune", len(pictures), len(pictures), "measured"))
    return candidates, broken


def judge_all(candidates: Sequence[Candidate], settings: PruneSettings) -> dict[str, Decision]:
    """Gives the drop decisions: each picture by itself, then twins among those left, then the weakest share."""
    reasons = {c.picture.name: decision for c in candidates if (decision := judge(c, settings)) is not None}
    left = [c for c in candidates if c.picture.name not in reasons]
    reasons |= judge_twins(left, settings.near_duplicate_bits)
    needed = {str(decision.detail.get("twin")) for decision in reasons.values()}  # a twin stands for its family
    left = [c for c in left if c.picture.name not in reasons and c.picture.name not in needed]
    to_drop = round(len(candidates) * settings.worst_share) - len(reasons)
    weakest = sorted(left, key=lambda c: (c.measures.sharpness + _rank(c, left), c.picture.name))
    for candidate in weakest[: max(0, to_drop)]:
        reasons[candidate.picture.name] = Decision(
            "drop", MAKER, "among the weakest", {"sharpness": candidate.measures.sharpness}
        )
    return reasons


def _rank(candidate: Candidate, among: Sequence[Candidate]) -> float:
    """Where a score stands among the others, 0 to 1."""
    return sum(other.score < candidate.score for other in among) / max(1, len(among))


def judge(candidate: Candidate, settings: PruneSettings) -> Decision | None:
    """Says why one picture, looked at by itself, should be dropped; None keeps it."""
    for reason in (too_small, nearly_blank, blurred, several_characters, low_score):
        decision = reason(candidate, settings)
        if decision is not None:
            return decision
    return None


def too_small(candidate: Candidate, settings: PruneSettings) -> Decision | None:
    """The short side is under the setting."""
    side = min(candidate.measures.width, candidate.measures.height)
    if side >= settings.min_side:
        return None
    return Decision("drop", MAKER, "too small", {"short_side": side, "wanted": settings.min_side})


def nearly_blank(candidate: Candidate, settings: PruneSettings) -> Decision | None:
    """There is next to nothing on it."""
    return Decision("drop", MAKER, "nearly blank", {}) if candidate.measures.blank else None


def blurred(candidate: Candidate, settings: PruneSettings) -> Decision | None:
    """It is blurred, or was made larger from a small picture."""
    if candidate.measures.sharpness >= settings.blur:
        return None
    return Decision(
        "drop", MAKER, "blurred", {"sharpness": round(candidate.measures.sharpness, 3), "wanted": settings.blur}
    )


def several_characters(candidate: Candidate, settings: PruneSettings) -> Decision | None:
    """Its tags say that more than one character is on it."""
    several = sorted(candidate.tags & _SEVERAL)
    if not settings.solo or not several or "solo" in candidate.tags:
        return None
    return Decision("drop", MAKER, "more than one character", {"tags": several})


def low_score(candidate: Candidate, settings: PruneSettings) -> Decision | None:
    """The site's users thought little of it."""
    if candidate.picture.origin != "booru" or candidate.score >= settings.min_score:
        return None
    return Decision("drop", MAKER, "low score", {"score": candidate.score, "wanted": settings.min_score})


def judge_twins(candidates: Sequence[Candidate], bits: int) -> dict[str, Decision]:
    """Of each family of equal or nearly equal pictures, all but the best are dropped, with the best one's name."""
    from lorasmith.imaging.duplicates import Twin, best, better, families

    twins = {c.picture.name: Twin(c.picture.name, c.measures, c.score) for c in candidates}
    decisions: dict[str, Decision] = {}
    for family in families({name: twin.measures for name, twin in twins.items()}, bits):
        kept = best([twins[name] for name in family])
        for name in family:
            if name != kept.name:
                exact = twins[name].measures.pixel_sha == kept.measures.pixel_sha
                words = "same picture as another" if exact else "nearly the same picture as another"
                why = f"{kept.name} {better(kept, twins[name]).reason}"
                decisions[name] = Decision("drop", MAKER, words, {"twin": kept.name, "why": why})
    return decisions


# a person's word


def decide_by_hand(project: Project, verdict: str, names: Sequence[str], reason: str = "") -> int:
    """Keeps or drops pictures by a person's word, which wins over every suggestion; gives how many.

    A post of the preview wall may be dropped before it was downloaded: then it never is.
    """
    decisions = project.pictures.decisions()
    on_the_wall = {tile.name for tile in read_wall(project)}
    for name in names:
        if name not in on_the_wall:
            project.pictures.get(name)
        if name in decisions and decisions[name].maker == REFUSED:
            raise RefusedError(
                f"{name} is refused: the tagger sees on it what marks minors. Nobody's word changes that."
            )
    shown = ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")
    with project.change("by hand", f"{verdict} {shown}"), project.transaction():
        for name in names:
            word: Decision | None = Decision(
                "keep" if verdict == "keep" else "drop", PERSON, reason or f"a person's {verdict}"
            )
            project.pictures.decide(name, word, maker=PERSON)
    return len(names)


@dataclass(frozen=True)
class Listed:
    """One line of `prune --list`."""

    name: str
    verdict: str
    maker: str
    reason: str
    detail: Mapping[str, object]


def listing(project: Project) -> list[Listed]:
    """Lists every original with the decision that holds."""
    decisions = project.pictures.decisions()
    lines = []
    for picture in project.pictures.originals():
        decision = decisions.get(picture.name, Decision("keep", "", ""))
        lines.append(Listed(picture.name, decision.verdict, decision.maker, decision.reason, decision.detail))
    return lines
