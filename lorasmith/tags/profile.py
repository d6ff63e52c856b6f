"""The profile of a character's posts: which tags come with it, how often, and how much more often than on the site."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lorasmith.tags.groups import group_of, role_of
from lorasmith.tags.spelling import with_underscores

CORE_SHARE = 0.75
CHOICE_SHARE = 0.08
TOGGLE_SHARE = 0.02
FORM_SHARE = 0.05
MIN_LIFT = 1.5

_TOGGLE_GROUPS = frozenset(["clothing", "accessories"])
_FORMS = frozenset(["anthro", "feral", "humanoid", "human", "taur", "semi-anthro", "alternate_form", "alternate_species"])
Class = Literal["core", "toggle", "state", "choice", "other"]
_NAMES_AND_FACTS = frozenset(["artist", "character", "copyright", "rating", "lore", "invalid", "contributor"])


@dataclass(frozen=True)
class TagShare:
    """One tag of a character: on how many of its posts, and its lift over the site (None where that is unknown)."""

    tag: str
    category: str
    count: int
    share: float
    lift: float | None = None


@dataclass(frozen=True)
class Profile:
    """A character's tags: `by_category` in full, and the same split by what a trainer does with them.

    core: looks it nearly always has. toggles: what it puts on and off: outfits, accessories, forms. choices: traits that
    vary from picture to picture, such as the colour of the eyes. state: pose, gaze, framing, background and all else.
    """

    total: int
    by_category: Mapping[str, tuple[TagShare, ...]]
    core: tuple[TagShare, ...]
    toggles: tuple[TagShare, ...]
    choices: tuple[TagShare, ...]
    state: tuple[TagShare, ...]


def profile(
    posts_tags: Sequence[Mapping[str, Sequence[str]]],
    site_counts: Mapping[str, int] | None = None,
    site_total: int | None = None,
) -> Profile:
    """Counts the tags of posts (each category → tags); with the site's post counts and total gives lifts too."""
    counts: Counter[str] = Counter()
    category_of: dict[str, str] = {}
    for post in posts_tags:
        for category, tags in post.items():
            for tag in set(tags):
                counts[tag] += 1
                category_of.setdefault(tag, category)
    total = len(posts_tags)
    shares = [
        TagShare(tag, category_of[tag], count, count / total, lift(count / total, tag, site_counts, site_total))
        for tag, count in counts.items()
    ]
    shares.sort(key=lambda entry: (-entry.count, entry.tag))
    return _split(total, shares)


def lift(share: float, tag: str, site_counts: Mapping[str, int] | None, site_total: int | None) -> float | None:
    """Gives how many times more often a tag stands on these posts than on the whole site."""
    if not site_counts or not site_total or not site_counts.get(tag):
        return None
    return share / (site_counts[tag] / site_total)


def _split(total: int, shares: list[TagShare]) -> Profile:
    parts: dict[str, list[TagShare]] = {"core": [], "toggles": [], "choices": [], "state": []}
    by_category: dict[str, list[TagShare]] = {}
    for entry in shares:
        by_category.setdefault(entry.category, []).append(entry)
        part = part_of(entry)
        if part is not None:
            parts[part].append(entry)
    parts["choices"].sort(key=lambda entry: (trait_of(entry), -entry.count, entry.tag))  # the sides of a trait together
    return Profile(
        total,
        {category: tuple(entries) for category, entries in by_category.items()},
        *(tuple(parts[part]) for part in ("core", "toggles", "choices", "state")),
    )


def part_of(entry: TagShare) -> str | None:
    """Says which part of a profile one tag belongs to; None for names, quality marks and rare looks."""
    if entry.category in _NAMES_AND_FACTS:
        return None
    group = group_of(entry.tag)
    if group == "quality" or (entry.category == "meta" and group is None):
        return None
    if role_of(entry.tag, entry.category) != "identity":
        if group in _TOGGLE_GROUPS:
            return "toggles" if entry.share >= TOGGLE_SHARE else None
        return "state"
    if entry.share >= CORE_SHARE:
        # Constant here but as common everywhere else: it says nothing of the character, and does not come and go either.
        telling = entry.lift is None or entry.lift >= MIN_LIFT or entry.category == "species"
        return "core" if telling else None
    if entry.category == "species" or entry.tag in _FORMS:  # another kind of creature now and then is another form
        return "toggles" if entry.share >= FORM_SHARE else None
    return "choices" if entry.share >= CHOICE_SHARE else None


def class_of(tag: str, category: str = "general", share: float | None = None) -> Class:
    """Says what a trainer does with a tag.

    core: a look that the trigger may absorb. toggle: clothing and accessories, which come and go. state: to be tagged on
    every picture. choice: one of several forms, or with `share` (of the posts) a look that not all of them have. other:
    names, quality, and what no group knows.
    """
    group = group_of(tag)
    if category in _NAMES_AND_FACTS or group == "quality" or (group is None and category != "species"):
        return "other"
    if with_underscores(tag).lower() in _FORMS:
        return "choice"
    if role_of(tag, category) == "identity":
        return "core" if share is None or share >= CORE_SHARE else "choice"
    return "toggle" if group in _TOGGLE_GROUPS else "state"


def trait_of(entry: TagShare) -> str:
    """Names the trait of which a tag is one side: eye colour, markings, ..."""
    return (group_of(entry.tag) or entry.category).replace("_", " ")
