"""prune: which pictures should not be trained on, and why; nothing is deleted."""

import os
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING, Any

from lorasmith.errors import PictureError, RefusedError
from lorasmith.progress import Progress, Report, silent
from lorasmith.project.pictures import PERSON, REFUSED, Decision, Picture
from lorasmith.project.project import Project
from lorasmith.settings.tables import PruneSettings, TagSettings
from lorasmith.stages.prune.balance import balance_of, picked_set
from lorasmith.stages.prune.reasons import MAKER, Candidate, judge, judge_twins, judge_variants, sureness
from lorasmith.stages.prune.shards import measure_shared
from lorasmith.stages.prune.spoilt import spoilt
from lorasmith.stages.research.wall import read_wall

if TYPE_CHECKING:
    from lorasmith.imaging.measure import Measures
    from lorasmith.tags.coverage import Share

_STORE_SECONDS = 0.5  # so much work is lost to a kill


@dataclass(frozen=True)
class Pruned:
    """What prune decided."""

    pictures: int
    kept: int
    dropped: int
    reasons: dict[str, int]  # reason -> pictures
    told: dict[str, int]  # reasons that were not sure enough to drop
    overruled: int  # where a person's word holds against the suggestion
    coverage: "tuple[Share, ...]"  # how the kept set is spread, where something should be done about it
    sheets: str  # folder of the contact sheets


def prune(project: Project, settings: PruneSettings, report: Report = silent) -> Pruned:
    """Marks the pictures that should not be trained on, and why; deletes nothing."""
    candidates, broken = measure_all(project, report)
    if settings.agreement:
        candidates = _with_agreement(project, candidates, report)
    reasons = suggestions(project, candidates, broken, settings)
    with project.change("prune", "prune"), project.transaction():
        _write_down(project, [*(one.picture.name for one in candidates), *broken], reasons)
    return _summary(project, candidates, reasons)


def suggestions(
    project: Project, candidates: Sequence[Candidate], broken: Mapping[str, Decision], settings: PruneSettings
) -> dict[str, Decision]:
    """Gives what prune says of measured pictures, beside a person's word and safety's; changes nothing."""
    # What a person or safety has dropped stands for nobody: its twin must not go with it.
    words = {name: word for name, word in project.pictures.decisions().items() if word.maker != MAKER}
    out = {name for name, word in words.items() if word.verdict == "drop"}
    judged = [one for one in candidates if one.picture.name not in out]
    reasons = judge_all(judged, settings) | dict(broken)
    kept_by_hand = {name for name, word in words.items() if word.maker == PERSON and word.verdict == "keep"}
    fit = [one for one in judged if one.picture.name in kept_by_hand or not _drops(reasons.get(one.picture.name))]
    if settings.to:
        reasons |= picked_set(project, fit, settings.to, kept_by_hand)
    return reasons


def _write_down(project: Project, names: Sequence[str], reasons: Mapping[str, Decision]) -> None:
    """Brings the record's suggestions up to date; what it says already is not written again."""
    before = project.pictures.words_of(MAKER)
    for name in names:
        if before.get(name) != reasons.get(name):
            project.pictures.decide(name, reasons.get(name), maker=MAKER)


def _drops(decision: Decision | None) -> bool:
    return decision is not None and decision.verdict == "drop"


def _summary(project: Project, candidates: Sequence[Candidate], reasons: Mapping[str, Decision]) -> Pruned:
    from lorasmith.stages.prune.sheets import draw_sheets

    originals, decisions = project.pictures.originals(), project.pictures.decisions()
    kept = {one.name for one in originals if not _drops(decisions.get(one.name))}
    dropped = Counter(decision.reason for name, decision in reasons.items() if name not in kept)
    told = Counter(word.reason for word in reasons.values() if word.verdict == "keep" and "sure" in word.detail)
    by_person = [word for one in originals if (word := decisions.get(one.name)) and word.maker == PERSON]
    overruled = sum(_drops(word) and name in kept for name, word in reasons.items())
    spread = balance_of(project, [one for one in candidates if one.picture.name in kept])
    return Pruned(
        len(originals), len(kept), len(originals) - len(kept), dict(sorted(dropped.items())), dict(sorted(told.items())),
        overruled + sum(_drops(word) for word in by_person), tuple(row for row in spread.rows if row.advice),
        str(draw_sheets(project, originals, decisions)),
    )  # fmt: skip


def measure_all(project: Project, report: Report = silent) -> tuple[list[Candidate], dict[str, Decision]]:
    """Measures every original once (kept by the file's content); pictures that cannot be read are dropped with the reason."""
    from lorasmith.imaging.measure import Measures

    pictures = [picture for picture in project.pictures.originals() if picture.origin != "render"]
    known = {sha: found for sha, facts in project.caches.measures_of_all() if (found := Measures.from_dict(facts))}
    missing = [one for one in pictures if one.sha256 not in known]
    broken = {
        name: Decision("drop", MAKER, "cannot be read", {"error": why})
        for name, why in spoilt(project, (one for one in pictures if one.sha256 in known)).items()
    }
    with _keeping(project) as keep:
        for done, (picture, result) in enumerate(_measure_many(project, missing), len(pictures) - len(missing)):
            report(Progress("prune", done, len(pictures), picture.name))
            if isinstance(result, PictureError):
                broken[picture.name] = Decision("drop", MAKER, "cannot be read", {"error": str(result)})
                continue
            keep(picture.sha256, result)
            known[picture.sha256] = result
    said = project.pictures.said_of_all()
    candidates = [
        candidate_of(picture, known[picture.sha256], said.get(picture.name, {}))
        for picture in pictures
        if picture.name not in broken
    ]
    report(Progress("prune", len(pictures), len(pictures), "measured"))
    return candidates, broken


def candidate_of(picture: Picture, measures: "Measures", said: Mapping[str, str]) -> Candidate:
    """Gives what decisions about a picture rest on, out of its measures and what is said of it."""
    names = frozenset(tag for tag, category in said.items() if category == "character")
    artists = tuple(tag for tag, category in said.items() if category == "artist")
    return Candidate(picture, measures, frozenset(said), names, artists)


@contextmanager
def _keeping(project: Project) -> "Iterator[Callable[[str, Measures], None]]":
    """Stores measures twice a second, and at the end however it comes: the disk is not waited for at each picture."""
    waiting: dict[str, dict[str, Any]] = {}
    began = monotonic()

    def store() -> None:
        with project.transaction():
            for sha256, facts in waiting.items():
                project.caches.keep_measures(sha256, facts)
        waiting.clear()

    def keep(sha256: str, measures: "Measures") -> None:
        nonlocal began
        waiting[sha256] = measures.to_dict()
        if monotonic() - began >= _STORE_SECONDS:
            store()
            began = monotonic()

    try:
        yield keep
    finally:
        store()


def _measure_many(project: Project, pictures: Sequence[Picture]) -> "Iterator[tuple[Picture, Measures | PictureError]]":
    """Measures on all cores (decoding lets other threads run), a few pictures ahead of whoever takes the results."""
    from lorasmith.imaging.measure import measure
    from lorasmith.jobs.farm.shards import is_shared

    if is_shared():
        yield from zip(pictures, measure_shared(project.folder, [project.file_of(each) for each in pictures]), strict=True)
        return

    def look(picture: Picture) -> "Measures | PictureError":
        try:
            return measure(project.file_of(picture))
        except PictureError as error:
            return error

    threads = os.cpu_count() or 1
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[tuple[Picture, Future[Measures | PictureError]]] = deque()
        try:
            for picture in pictures:
                waiting.append((picture, pool.submit(look, picture)))
                if len(waiting) > 2 * threads:
                    first, result = waiting.popleft()
                    yield first, result.result()
            while waiting:
                first, result = waiting.popleft()
                yield first, result.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _with_agreement(project: Project, candidates: Sequence[Candidate], report: Report) -> list[Candidate]:
    """Looks with the tagger how much of the character's core looks is on each picture; the scores serve `tag` too."""
    from lorasmith.stages.prune.agreement import agreement

    seen = agreement(project, [one.picture for one in candidates], project.settings(TagSettings), report)
    return [replace(one, agreement=seen.get(one.picture.name)) for one in candidates]


def judge_all(candidates: Sequence[Candidate], settings: PruneSettings) -> dict[str, Decision]:
    """Gives the decisions: each picture by itself, then twins and versions among those left, then the weakest share."""
    reasons = {c.picture.name: decision for c in candidates if (decision := judge(c, settings)) is not None}

    def left() -> list[Candidate]:
        return [c for c in candidates if not _drops(reasons.get(c.picture.name))]

    reasons |= judge_twins(left(), settings.near_duplicate_bits)
    for name, decision in judge_variants(left(), settings.per_work).items():
        if sureness(decision) >= settings.sure:
            reasons[name] = decision
    dropped = sum(_drops(decision) for decision in reasons.values())
    needed = {str(decision.detail.get("twin")) for decision in reasons.values()}  # a twin stands for its family
    weak = [c for c in left() if c.picture.name not in needed]
    scores = sorted(c.score for c in weak)
    weakest = sorted(weak, key=lambda c: (c.measures.sharpness + _rank(c.score, scores), c.picture.name))
    for candidate in weakest[: max(0, round(len(candidates) * settings.worst_share) - dropped)]:
        reasons[candidate.picture.name] = Decision(
            "drop", MAKER, "among the weakest", {"sharpness": candidate.measures.sharpness}
        )
    return reasons


def _rank(score: int, among: Sequence[int]) -> float:
    """Where a score stands among all, which are sorted, 0 to 1."""
    return bisect_left(among, score) / max(1, len(among))


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


def told_of_dropped(project: Project, names: Sequence[str]) -> str:
    """Says which pictures are trained on whole because what stood in for them was dropped; empty where none is."""
    trained = {picture.name for picture in project.pictures.trained()}
    dropped = [picture for name in names if (picture := project.pictures.find(name)) is not None and picture.parent]
    back = sorted({str(one.parent) for one in dropped if one.replaces_parent} & trained)
    if not back:
        return ""
    captions = project.pictures.captions(project.settings(TagSettings).caption_set)
    which = ", ".join(back)
    whole = " ".join(sorted({name.split(".")[0] for name in back}))
    tag = "" if captions.keys() >= set(back) else " What has no caption yet gets one from `lorasmith tag`."
    return f"Trained on now instead of what was made from it: {which}. To leave it out altogether: `lorasmith drop DIR {whole}`.{tag}"


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
    return [_line(picture, decisions.get(picture.name)) for picture in project.pictures.originals()]


def _line(picture: Picture, decision: Decision | None) -> Listed:
    if decision is None:
        return Listed(picture.name, "keep", "", "", {})
    return Listed(picture.name, decision.verdict, decision.maker, decision.reason, decision.detail)
