"""What a person looks at before keeping and dropping: every reason, families of twins, and what the best set would be."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lorasmith.errors import UsageError
from lorasmith.project.pictures import PERSON, REFUSED, Decision, Picture
from lorasmith.project.project import Project
from lorasmith.settings.tables import PruneSettings
from lorasmith.stages.prune.balance import Balance, balance_of
from lorasmith.stages.prune.reason_words import bare, sentence
from lorasmith.stages.prune.reasons import MAKER, REASONS, Candidate, sureness
from lorasmith.stages.prune.stage import candidate_of, decide_by_hand, suggestions

if TYPE_CHECKING:
    from lorasmith.imaging.measure import Measures

_CANNOT_BE_READ = "cannot be read"
_VERSION = "another version of the same work"


@dataclass(frozen=True)
class Family:
    """Pictures that show the same thing (`twins`), or versions of one work; the best first, and why not the others."""

    kind: str  # twins | versions
    best: str
    members: tuple[str, ...]
    why: Mapping[str, str]  # of all but the best: why the best is better


@dataclass(frozen=True)
class Change:
    """A picture whose verdict would be another."""

    name: str
    why: str


@dataclass(frozen=True)
class Preview:
    """What prune would keep with other settings, before anything is written."""

    pictures: int
    kept_now: int
    kept_then: int
    leaves: tuple[Change, ...]
    comes: tuple[Change, ...]
    balance: Balance  # of what would be kept
    unmeasured: int  # pictures that no prune has looked at yet


def measures_known(project: Project) -> "dict[str, Measures]":
    """Gives sha256 -> measures of every file that was measured; nothing is measured anew."""
    from lorasmith.imaging.measure import Measures

    return {sha: found for sha, facts in project.caches.measures_of_all() if (found := Measures.from_dict(facts))}


def candidates_known(project: Project, measures: "Mapping[str, Measures] | None" = None) -> list[Candidate]:
    """Gives what decisions rest on, of all originals that were measured, without looking at any file."""
    measures = measures_known(project) if measures is None else measures
    said = project.pictures.said_of_all()
    return [
        candidate_of(one, measures[one.sha256], said.get(one.name, {}))
        for one in project.pictures.originals()
        if one.origin != "render" and one.sha256 in measures
    ]


def reasons_against(candidate: Candidate, settings: PruneSettings) -> list[Decision]:
    """Lists all reasons against a picture looked at by itself, the surest first; `prune` tells the first of them."""
    found = [decision for reason in REASONS if (decision := reason(candidate, settings)) is not None]
    return sorted(found, key=sureness, reverse=True)


def twin_families(pictures: Iterable[Picture], measures: "Mapping[str, Measures]", bits: int) -> list[Family]:
    """Finds families of equal or nearly equal pictures, whatever was decided about them."""
    from lorasmith.imaging.duplicates import Twin, best, better, families

    twins = {
        one.name: Twin(one.name, measures[one.sha256], int(one.post.get("score") or 0))
        for one in pictures
        if one.sha256 in measures
    }
    found = []
    for names in families({name: twin.measures for name, twin in twins.items()}, bits):
        first = best([twins[name] for name in names])
        why = {name: f"{first.name} {better(first, twins[name]).reason}" for name in names if name != first.name}
        found.append(Family("twins", first.name, (first.name, *why), why))
    return found


def version_families(said: Mapping[str, Decision]) -> list[Family]:
    """Gathers what prune said of versions of one work: the one that comes first, and those dropped for it."""
    groups: dict[str, dict[str, str]] = {}
    for name, word in said.items():
        if bare(word.reason) == _VERSION:
            groups.setdefault(str(word.detail.get("twin")), {})[name] = sentence(word)
    return [Family("versions", first, (first, *why), why) for first, why in groups.items()]


def keep_instead(project: Project, kept: str, dropped: Sequence[str]) -> int:
    """Keeps one picture by a person's word and drops others for it, as one step of the history; gives how many changed."""
    others = [name for name in dict.fromkeys(dropped) if name != kept]
    if not others:
        raise UsageError("Name the pictures that are dropped for the one that is kept.")
    shown = ", ".join(others[:3]) + (" ..." if len(others) > 3 else "")
    with project.change("by hand", f"keep {kept} instead of {shown}"), project.transaction():
        changed = decide_by_hand(project, "keep", [kept])
        return changed + decide_by_hand(project, "drop", others, f"{kept} is kept instead")


def preview(project: Project, settings: PruneSettings, measures: "Mapping[str, Measures] | None" = None) -> Preview:
    """Says what `prune` with these settings would drop and bring back; writes nothing, and looks at no file."""
    said = project.pictures.words_of(MAKER)
    candidates = [_as_seen(one, said.get(one.picture.name)) for one in candidates_known(project, measures)]
    broken = {name: word for name, word in said.items() if word.reason == _CANNOT_BE_READ}
    candidates = [one for one in candidates if one.picture.name not in broken]
    would = suggestions(project, candidates, broken, settings)
    now = project.pictures.decisions()
    known = {one.picture.name for one in candidates} | broken.keys()
    then = {name: _holding(now.get(name), would.get(name)) for name in known}
    leaves = [Change(name, _why(word)) for name, word in then.items() if _drops(word) and not _drops(now.get(name))]
    comes = [Change(name, _why(word)) for name, word in then.items() if _drops(now.get(name)) and not _drops(word)]
    originals = [one.name for one in project.pictures.originals() if _is_shown(now.get(one.name))]
    stays = [one for one in candidates if not _drops(then[one.picture.name])]
    kept_now = sum(not _drops(now.get(name)) for name in originals)
    return Preview(
        len(originals), kept_now, kept_now - len(leaves) + len(comes), _ordered(leaves), _ordered(comes),
        balance_of(project, stays), sum(name not in known for name in originals),
    )  # fmt: skip


def _as_seen(candidate: Candidate, word: Decision | None) -> Candidate:
    """Gives a candidate what the tagger saw of the character when prune last asked it."""
    if word is None or bare(word.reason) != "unlike the character":
        return candidate
    return replace(candidate, agreement=float(word.detail.get("agreement", 1.0)))


def _holding(now: Decision | None, would: Decision | None) -> Decision | None:
    return now if now is not None and now.maker in (PERSON, REFUSED) else would


def _drops(decision: Decision | None) -> bool:
    return decision is not None and decision.verdict == "drop"


def _is_shown(decision: Decision | None) -> bool:
    return decision is None or decision.maker != REFUSED


def _why(decision: Decision | None) -> str:
    if decision is None:
        return "nothing speaks against it"
    told = decision.detail.get("why")
    return f"{decision.reason}: {told}" if told else decision.reason


def _ordered(changes: Sequence[Change]) -> tuple[Change, ...]:
    """Puts those with the most common reason last: the others are what a person wants to look at."""
    common = Counter(change.why for change in changes)
    return tuple(sorted(changes, key=lambda change: (common[change.why], change.why, change.name)))
