"""Constant looks are absorbed by the trigger; what may change stays in the caption, in a fixed order."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Set
from dataclasses import dataclass, field

from lorasmith.tags.groups import group_of, is_identity

# Where each group stands in a caption, after the trigger: identity kept, then state, then picture.
ORDER = (
    "count",
    "species",
    "body",
    "colour",
    "markings",
    "hair",
    "eye_colour",
    "framing",
    "view",
    "gaze",
    "eyes",
    "mouth",
    "expression",
    "pose",
    "arms",
    "hands",
    "action",
    "clothing",
    "accessories",
    "objects",
    None,
    "background",
    "light",
    "style",
    "text_and_icons",
    "quality",
)
_PLACE = {group: place for place, group in enumerate(ORDER)}

# e621 keeps framing, style and text under "meta"; those say what is seen and stay.
_SEEN_GROUPS = frozenset(["framing", "view", "style", "text_and_icons", "background"])
DROPPED_CATEGORIES = frozenset(
    ["artist", "character", "copyright", "meta", "rating", "lore", "invalid", "contributor", "director"]
)


@dataclass(frozen=True)
class CoreTag:
    """An identity tag that the trigger absorbs, and the share of the pictures that carry it."""

    tag: str
    share: float


@dataclass(frozen=True)
class CaptionRules:
    """What a caption leaves out and keeps besides the core.

    `implied` maps a tag to those that it implies (`fox` → `mammal`): next to it they say nothing new.
    """

    drop: Set[str] = frozenset()
    drop_categories: Set[str] = DROPPED_CATEGORIES
    implied: Mapping[str, Collection[str]] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()


def core_tags(
    per_picture: Mapping[str, Collection[str]],
    share: float,
    keep: Collection[str] = (),
    always: Collection[str] = (),
    category_of: Callable[[str], str] = lambda tag: "general",
) -> list[CoreTag]:
    """Gives the identity tags on at least `share` of the pictures, the most common first.

    `always` are core whatever their group or share, `keep` never are; `per_picture` maps a picture's name to its tags.
    """
    counts = Counter(tag for tags in per_picture.values() for tag in set(tags))
    total = max(1, len(per_picture))
    core = {
        tag: count / total
        for tag, count in counts.items()
        if count / total >= share and is_identity(tag, category_of(tag))
    }
    core.update({tag: counts[tag] / total for tag in always})
    kept = set(keep) - set(always)
    return [CoreTag(tag, core[tag]) for tag in sorted(core, key=lambda tag: (-core[tag], tag)) if tag not in kept]


def caption(
    trigger: str, tags: Mapping[str, str], core: Collection[str], rules: CaptionRules = CaptionRules()
) -> list[str]:
    """Gives one picture's caption tags (from tag → category), trigger and prefix first, core tags absorbed.

    A picture that lacks a core tag is left as it is: nothing is added or negated.
    """
    absorbed = set(core) | set(rules.drop) | {trigger}
    absorbed |= {implied for tag in tags for implied in rules.implied.get(tag, ())}
    kept = [tag for tag, category in tags.items() if tag not in absorbed and not _is_dropped(tag, category, rules)]
    return list(dict.fromkeys([trigger, *rules.prefix, *in_order(kept)]))


def in_order(tags: Iterable[str]) -> list[str]:
    """Sorts tags by the place of their group in a caption; tags of one group keep their order."""
    return sorted(tags, key=lambda tag: _PLACE[group_of(tag)])


def _is_dropped(tag: str, category: str, rules: CaptionRules) -> bool:
    group = group_of(tag)
    if category == "meta" and group in _SEEN_GROUPS:
        return False
    return category in rules.drop_categories or group == "quality"
