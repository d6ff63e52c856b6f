"""What to fix: what the renders show that they should not, or do not show that they should, with the pictures to look at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from lorasmith.judging.blend import Blend
from lorasmith.judging.scores import CellScores
from lorasmith.tags.groups import group_of

FixKind = Literal[
    "toggle_never_shows", "toggle_not_controllable", "toggle_comes_unasked", "trait_wrong", "background_leaks", "artefact",
    "characters_blend", "character_behind",
]  # fmt: skip
FixStage = Literal["prune", "prepare", "tag", "train"]

ALWAYS = 0.95  # share of the set from which nothing shows the character without a tag
SHOWS = 0.5  # mean score under which a toggle or trait that should be there is missing
UNASKED = 0.35  # mean score, or share of renders, from which something comes by itself
ABOVE_BASE = 0.2  # and so much more than the base alone shows it: the LoRA brings it
_OFTEN = 0.4  # share of the set from which its pictures can be to blame for a background
_BLAMED = 0.05  # share of the set that must disagree with a look to be blamed for it
_FEW_WORN = 0.25  # share of the set under which a toggle is too rare to learn (see tags/coverage.py)
BLENDS = 0.25  # mean score from which another character's looks are told; a single one is from SHOWS on
BEHIND = 0.2  # likeness that one of several characters has less than another, from which it is told
UNEVEN = 1.5  # so many times as many draws or pictures as another
_SHARED = 0.25  # share of a character's pictures that show another too, from which these are named
_NAMED = 4  # looks named in a sentence
_SAME_PICTURES = 0.8  # overlap from which two tags tell of the same thing


@dataclass(frozen=True)
class Fix:
    """One thing to fix: the tag, what is wrong in words, and the training pictures that matter (`of` is the set's size).

    `stage` is where it is mended: prune (drop or add pictures), prepare (crop, erase), tag (captions), train (weights).
    """

    kind: FixKind
    tag: str
    stage: FixStage
    words: str
    pictures: tuple[str, ...]
    of: int
    with_lora: float | None = None
    without: float | None = None


@dataclass(frozen=True)
class TrainingSet:
    """What is known of the training set: its pictures, who shows which tag, and who disagrees with a trait."""

    names: tuple[str, ...]
    showing: Mapping[str, tuple[str, ...]]  # tag, or a toggle's word -> pictures
    against: Mapping[str, tuple[str, ...]]  # own tag -> pictures on which the tagger does not see it
    toggles: tuple[str, ...] = ()  # those that the tagger cannot see too
    cast: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # each of several characters -> its pictures
    draws: Mapping[str, int] = field(default_factory=dict)  # how often each was seen in an epoch

    def share(self, tag: str) -> float:
        """Gives the share of the pictures that show a tag."""
        return len(self.showing.get(tag, ())) / len(self.names) if self.names else 0.0

    def told(self, tag: str) -> str:
        """Words the count: n of m pictures."""
        return f"{len(self.showing.get(tag, ()))} of {len(self.names)} pictures have it"


def fixes(
    cell: CellScores, base: CellScores, training: TrainingSet, artefacts: Sequence[str] = (), *, sound: bool = True
) -> list[Fix]:
    """Lists what to fix, toggles first, then traits, backgrounds, marks and faults.

    A LoRA that is not `sound` (it no longer follows prompts) is at fault itself: what it fails to draw is not blamed on the set.
    """
    if not training.names:
        return []
    words = dict.fromkeys([*cell.outfit, *(word for word in training.toggles if training.share(word) >= ALWAYS)])
    found = [fix for word in words if (fix := _toggle(word, cell, base, training)) is not None]
    found = [fix for fix in found if sound or fix.kind != "toggle_never_shows"]
    found += [
        fix for tag, score in sorted(cell.by_tag.items(), key=lambda item: item[1])
        if (fix := _trait(tag, score, base, training)) is not None and (sound or fix.pictures)
    ]  # fmt: skip
    found += [fix for one in cell.blends if (fix := blended(one, base, training)) is not None]
    found += [fix for fix in [_behind(cell, base, training)] if fix is not None]
    places = {tag: share for tag, share in cell.unasked.items() if group_of(tag) == "background" and tag not in artefacts}
    found += _distinct([fix for tag in _most_first(places) if (fix := _place(tag, places[tag], base, training)) is not None])
    marks = {tag: share for tag, share in cell.unasked.items() if tag in artefacts}
    found += _distinct([fix for tag in _most_first(marks) if (fix := _mark(tag, marks[tag], base, training)) is not None])
    return found


def _most_first(shares: Mapping[str, float]) -> list[str]:
    return sorted(shares, key=lambda tag: (-shares[tag], tag))


def _toggle(word: str, cell: CellScores, base: CellScores, training: TrainingSet) -> Fix | None:
    control = cell.outfit.get(word)
    asked = None if control is None or control.asked is None else control.asked.mean
    bare = None if control is None or control.unasked is None else control.unasked.mean
    alone = base.outfit.get(word)
    before = None if alone is None or alone.unasked is None else alone.unasked.mean
    name, share, pictures = word.replace("_", " "), training.share(word), training.showing.get(word, ())
    told, of = training.told(word), len(training.names)
    if share >= ALWAYS:
        seen = ""
        if bare is not None:
            seen = f", and renders that do not ask for it show it at {bare:.2f}"
            seen += "" if bare >= UNASKED else " (this base keeps it away by its own knowledge; another may not)"
        words = (
            f"{name} is not controllable: {told}{seen}. Nothing tells the LoRA what the character is without it; add pictures "
            "without it, paint it away on some, or count it as a core look."
        )
        return Fix("toggle_not_controllable", word, "prune", words, pictures, of, bare, before)
    if bare is not None and bare >= UNASKED and bare >= (before or 0.0) + ABOVE_BASE:
        words = (
            f"{name} comes unasked: {bare:.2f} where no prompt names it ({before or 0.0:.2f} without the LoRA); {told}. "
            "See that the captions of those pictures name it, or drop some of them."
        )
        return Fix("toggle_comes_unasked", word, "tag", words, pictures, of, bare, before)
    if asked is not None and asked < SHOWS:
        base_asked = None if alone is None or alone.asked is None else alone.asked.mean
        rare = share < _FEW_WORN
        advice = "Add pictures with it, or weight those it has." if rare else "See that the captions of those pictures name it."
        words = f"{name} hardly shows when asked for ({asked:.2f}): {told}. {advice}"
        return Fix("toggle_never_shows", word, "prune" if rare else "tag", words, pictures, of, asked, base_asked)
    return None


def _trait(tag: str, score: float, base: CellScores, training: TrainingSet) -> Fix | None:
    if score >= SHOWS:
        return None
    against, of = training.against.get(tag, ()), len(training.names)
    if len(against) < _BLAMED * of:
        against = ()
    name = tag.replace("_", " ")
    if against:
        words = (
            f"{name} is wrong in renders ({score:.2f}): {len(against)} of {of} pictures disagree. Drop or mend those, or let "
            "their captions say what they show."
        )
    else:
        words = f"{name} does not come in renders ({score:.2f}), though next to no picture disagrees: train longer, or higher."
    return Fix("trait_wrong", tag, "prune", words, against, of, score, base.by_tag.get(tag))


def blended(one: Blend, base: CellScores, training: TrainingSet) -> Fix | None:
    """Words that prompts for one character show another more than chance does: which looks, and what in the set may do it.

    What is seen less takes on the looks of what is seen more; where both are seen alike, the pictures that show both are named.
    A look that the base draws by chance as often is no blend: there the character is not learnt yet.
    """
    alone = next((each for each in base.blends if (each.asked, each.other) == (one.asked, one.other)), None)
    before = 0.0 if alone is None else alone.shown.mean
    above = {tag: score - (0.0 if alone is None else alone.by_tag.get(tag, 0.0)) for tag, score in one.by_tag.items()}
    looks = [tag for tag in sorted(above, key=lambda tag: -one.by_tag[tag]) if above[tag] >= ABOVE_BASE]
    is_mean = one.shown.mean >= max(BLENDS, before + ABOVE_BASE)
    if not is_mean and not any(one.by_tag[tag] >= SHOWS for tag in looks):
        return None
    named = ", ".join(f"{tag.replace('_', ' ')} {one.by_tag[tag]:.2f}" for tag in looks[:_NAMED])
    start = f"Prompts for {one.asked} show {one.other} at {one.shown.mean:.2f}, {before:.2f} without the LoRA ({named})"
    stage, words, pictures = _why_blended(one, training)
    return Fix("characters_blend", one.asked, stage, f"{start}: {words}", pictures, len(training.names), one.shown.mean, before)


def _behind(cell: CellScores, base: CellScores, training: TrainingSet) -> Fix | None:
    """Words that one of several characters is learnt much less than another: it needs more of the draws."""
    if len(cell.each) < 2:
        return None
    first, last = (pick(cell.each, key=lambda one: cell.each[one].mean) for pick in (max, min))
    high, low = cell.each[first].mean, cell.each[last].mean
    if high - low < BEHIND:
        return None
    drawn = sum(training.draws.get(one, 0) for one in cell.each)
    share = f" with {training.draws.get(last, 0) / drawn:.0%} of the draws" if drawn else ""
    words = (
        f"{last} is learnt less than {first} (likeness {low:.2f} and {high:.2f}){share}. Give {last} more weight in train.subsets, "
        "or train longer: a look that the base hardly knows takes more."
    )
    pictures = training.cast.get(last, ())
    before = base.each[last].mean if last in base.each else None
    return Fix("character_behind", last, "train", words, pictures, len(training.names), low, before)


def _why_blended(one: Blend, training: TrainingSet) -> tuple[FixStage, str, tuple[str, ...]]:
    """Says what is the likeliest to make one character take on another's looks: where, in words, which pictures."""
    mine, its = training.cast.get(one.asked, ()), training.cast.get(one.other, ())
    both = tuple(name for name in mine if name in its)
    drawn, others = training.draws.get(one.asked, 0), training.draws.get(one.other, 0)
    told = f"{len(mine)} pictures show {one.asked} and {len(its)} {one.other}"
    if others > UNEVEN * drawn:
        share = drawn / (drawn + others)
        words = f"{told}, and {one.asked} has {share:.0%} of their draws. Set train.balance, or add pictures of {one.asked}."
        return "train", words, mine
    if both and len(both) >= _SHARED * len(mine):
        words = f"{told}, {len(both)} of these both. Drop some of these, or add pictures of each alone; see that captions name both."
        return "prune", words, both
    if len(its) > UNEVEN * len(mine):
        return "prune", f"{told}. Add pictures of {one.asked}: few of them, seen often, teach less than more of them.", mine
    return "tag", f"{told}. See that each caption names who is on the picture; else train longer, or use triggers less alike.", mine


def _place(tag: str, share: float, base: CellScores, training: TrainingSet) -> Fix | None:
    before = base.unasked.get(tag, 0.0)
    if share < UNASKED or share < before + ABOVE_BASE or training.share(tag) < _OFTEN:
        return None
    name = tag.replace("_", " ")
    words = (
        f"The background '{name}' leaks: {share:.0%} of the renders that ask for no background show it ({before:.0%} without "
        f"the LoRA); {training.told(tag)}. Add pictures elsewhere, change the background of some, and name it in captions."
    )
    return Fix("background_leaks", tag, "prepare", words, training.showing[tag], len(training.names), share, before)


def _mark(tag: str, share: float, base: CellScores, training: TrainingSet) -> Fix | None:
    before = base.unasked.get(tag, 0.0)
    if share < ABOVE_BASE / 2 or share < before + ABOVE_BASE / 2:
        return None
    name = tag.replace("_", " ")
    words = (
        f"'{name}' shows on {share:.0%} of the renders ({before:.0%} without the LoRA); {training.told(tag)}. Erase or crop it "
        "there, or name it in captions and in the negative prompt."
    )
    return Fix("artefact", tag, "prepare", words, training.showing.get(tag, ()), len(training.names), share, before)


def _distinct(found: Sequence[Fix]) -> list[Fix]:
    """Leaves out what tells of the same pictures as an earlier one: `outside` and `tree` beside `forest`."""
    kept: list[Fix] = []
    for fix in found:
        if not any(_overlap(fix.pictures, other.pictures) >= _SAME_PICTURES for other in kept if fix.pictures):
            kept.append(fix)
    return kept


def _overlap(one: Sequence[str], other: Sequence[str]) -> float:
    either = set(one) | set(other)
    return len(set(one) & set(other)) / len(either) if either else 0.0
