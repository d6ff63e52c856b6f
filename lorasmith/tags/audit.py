"""The audit of a set's tags and captions: what no picture answers, what contradicts itself, what is always or hardly there."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lorasmith.tags.answers import answers, conflicts
from lorasmith.tags.coverage import LEAST_TOGGLE, MOST_TOGGLE
from lorasmith.tags.spelling import same_tag
from lorasmith.tags.tokens import WINDOW, count_prompt, meter

ASKED = ("framing", "view", "eyes", "mouth", "pose")  # what every caption should answer
CAMERA = ("framing", "view")  # what a cut-out no longer shows by itself
CONSTANT = 0.9  # a tag on at least this share of the pictures is one that the trigger learns
RARE = 2  # on so many pictures at most, a tag is noise or a picture that stands alone
NAMED = 30  # names listed with a finding
_REMOVE = "remove the wrong one with `tags edit`; captions tell the likelier"
_MORE_WITH = "find more with it, or it is hardly learnt"
_MORE_WITHOUT = "find more without it, or call it a core look"


@dataclass(frozen=True)
class Looked:
    """One picture of the set as the audit sees it; `caption` is None where none was written."""

    name: str
    tags: tuple[str, ...]
    caption: str | None
    cut_out: bool = False


@dataclass(frozen=True)
class Finding:
    """One thing that was found: what kind, in words, on how many pictures, on which, and what can be done."""

    kind: str
    what: str
    pictures: int
    names: tuple[str, ...]
    advice: str = ""


@dataclass(frozen=True)
class Spread:
    """The tags of a set by how often they are there: name and pictures."""

    constant: Mapping[str, int]
    variable: Mapping[str, int]
    rare: Mapping[str, int]


def audit(pictures: Sequence[Looked], trigger: str, toggles: Sequence[str]) -> list[Finding]:
    """Lists what should be looked at, by kind."""
    checks: tuple[Callable[[Sequence[Looked]], Iterable[Finding]], ...] = (
        _unset, _contradictions, lambda all_: _toggles(all_, toggles), _duplicates, lambda all_: _empty(all_, trigger), _long, _camera,
    )  # fmt: skip
    return [finding for check in checks for finding in check(pictures)]


def spread(pictures: Sequence[Looked], untold: Iterable[str] = ()) -> Spread:
    """Sorts the tags of a set into those that are always, sometimes and hardly there, but for those that no caption tells."""
    left_out = set(untold)
    counts = Counter(tag for picture in pictures for tag in set(picture.tags) if tag not in left_out)
    total = len(pictures)
    parts: dict[str, dict[str, int]] = {"constant": {}, "variable": {}, "rare": {}}
    for tag, count in sorted(counts.items(), key=lambda one: (-one[1], one[0])):
        part = "constant" if count >= CONSTANT * total else "rare" if count <= RARE else "variable"
        parts[part][tag] = count
    return Spread(**parts)


def found(kind: str, what: str, names: Sequence[str], advice: str = "") -> Finding:
    """Makes a finding of all the names it is about."""
    return Finding(kind, what, len(names), tuple(names[:NAMED]), advice)


def _unset(pictures: Sequence[Looked]) -> Iterator[Finding]:
    missing: dict[str, list[str]] = {group: [] for group in ASKED}
    for picture in pictures:
        said = answers(picture.tags)
        for group in ASKED:
            if said.get(group) is None:
                missing[group].append(picture.name)
    for group, names in missing.items():
        if names:
            yield found("no answer", f"no {group} tag", names, f"the filter unset:{group} means them")


def _contradictions(pictures: Sequence[Looked]) -> Iterator[Finding]:
    pairs: dict[tuple[str, ...], list[str]] = {}
    for picture in pictures:
        for tags in conflicts(picture.tags).values():
            pairs.setdefault(tuple(sorted(tags)), []).append(picture.name)
    for pair, names in sorted(pairs.items(), key=lambda one: -len(one[1])):
        yield found("contradiction", " and ".join(pair), names, _REMOVE)


def _toggles(pictures: Sequence[Looked], toggles: Sequence[str]) -> Iterator[Finding]:
    for toggle in toggles:
        names = [picture.name for picture in pictures if toggle in picture.tags]
        share = len(names) / max(1, len(pictures))
        if share < LEAST_TOGGLE:
            yield found("toggle", f"{toggle} on {share:.0%}, under {LEAST_TOGGLE:.0%}", names, _MORE_WITH)
        elif share > MOST_TOGGLE:
            yield found("toggle", f"{toggle} on {share:.0%}, over {MOST_TOGGLE:.0%}", names, _MORE_WITHOUT)


def _duplicates(pictures: Sequence[Looked]) -> Iterator[Finding]:
    twice: dict[tuple[str, ...], list[str]] = {}
    captions: dict[str, list[str]] = {}
    for picture in pictures:
        spellings: dict[str, list[str]] = {}
        for tag in picture.tags:
            spellings.setdefault(same_tag(tag), []).append(tag)
        for same in spellings.values():
            if len(same) > 1:
                twice.setdefault(tuple(sorted(same)), []).append(picture.name)
        if picture.caption:
            captions.setdefault(picture.caption, []).append(picture.name)
    for tags, names in twice.items():
        yield found("duplicate", f"{' and '.join(tags)} are one tag", names, "`tags edit dedupe` leaves one spelling")
    for caption, names in captions.items():
        if len(names) > 1:
            yield found("duplicate", f"the same caption: {caption[:80]}", names, "tell apart what differs, where it can be seen")


def _empty(pictures: Sequence[Looked], trigger: str) -> Iterator[Finding]:
    none = [picture.name for picture in pictures if picture.caption is None]
    bare = [picture.name for picture in pictures if picture.caption is not None and picture.caption.strip(" ,") in ("", trigger)]
    if none:
        yield found("empty", "no caption written", none, "`lorasmith tag` writes it")
    if bare:
        yield found("empty", "nothing but the trigger", bare, "tag what is seen: pose, view, place")


def _long(pictures: Sequence[Looked]) -> Iterator[Finding]:
    long = [(picture, count_prompt(picture.caption)) for picture in pictures if picture.caption]
    over = [(picture, tokens) for picture, tokens in long if tokens > WINDOW]
    if over:
        longest, _ = max(over, key=lambda one: one[1])
        worst, measured = longest.name, meter(longest.caption or "")
        at = measured.crossings[0].tag if measured.crossings else ""
        advice = f"the longest, {worst}, has {measured.tokens} tokens and is cut at '{at}'"
        yield found("over-long", f"more than {WINDOW} tokens", [picture.name for picture, _ in over], advice)


def _camera(pictures: Sequence[Looked]) -> Iterator[Finding]:
    for group in CAMERA:
        names = [picture.name for picture in pictures if picture.cut_out and answers(picture.tags).get(group) is None]
        if names:
            yield found("camera", f"cut-outs without a {group} tag", names, "a cut-out shows no camera by itself: tag it")
