"""Constant looks are absorbed by the trigger; what may change stays in the caption, in a fixed order."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Set
from dataclasses import dataclass, field

from lorasmith.tags.groups import group_of, is_identity
from lorasmith.tags.spelling import same_tag

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
RATING = "rating"  # the category of a rating's word
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

    `implied` maps a tag to those that it implies (`fox` → `mammal`): next to it they say nothing new. `replace` maps a tag
    to the one written instead. With `category_order` the categories in it are kept, in its order, and no others.
    """

    drop: Set[str] = frozenset()
    drop_categories: Set[str] = DROPPED_CATEGORIES
    implied: Mapping[str, Collection[str]] = field(default_factory=dict)
    replace: Mapping[str, str] = field(default_factory=dict)
    category_order: tuple[str, ...] = ()
    prepend: tuple[str, ...] = ()
    append: tuple[str, ...] = ()


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
    trigger: str,
    tags: Mapping[str, str],
    core: Collection[str],
    rules: CaptionRules = CaptionRules(),
    own: Collection[str] = (),
) -> list[str]:
    """Gives one picture's caption tags (from tag → category): trigger first, core tags absorbed.

    `own` are tags that a person gave to this picture: they are there whatever is left out or replaced. A picture that
    lacks a core tag is left as it is: nothing is added or negated.
    """
    absorbed = set(core) | set(rules.drop) | {trigger}
    absorbed |= {implied for tag in tags for implied in rules.implied.get(tag, ())}
    kept: dict[str, str] = {}
    for tag, category in tags.items():
        written = rules.replace.get(tag, tag)
        if not absorbed & {tag, written} and not _is_dropped(tag, category, rules):
            kept.setdefault(written, category)
    ends = {same_tag(tag) for tag in (*rules.prepend, *rules.append)}
    middle = [tag for tag in (*_ordered(kept, rules), *own) if same_tag(tag) not in ends]
    return list(dict.fromkeys([trigger, *rules.prepend, *middle, *rules.append]))


def _ordered(tags: Mapping[str, str], rules: CaptionRules) -> list[str]:
    """Sorts a caption's tags (tag → category): by category where that is asked for, else by group, a rating's word last."""
    tags_in_order = in_order(tags)
    if rules.category_order:
        return sorted(tags_in_order, key=lambda tag: rules.category_order.index(tags[tag]))
    return sorted(tags_in_order, key=lambda tag: tags[tag] == RATING)


def in_order(tags: Iterable[str]) -> list[str]:
    """Sorts tags by the place of their group in a caption; tags of one group keep their order."""
    return sorted(tags, key=lambda tag: _PLACE[group_of(tag)])


def _is_dropped(tag: str, category: str, rules: CaptionRules) -> bool:
    if rules.category_order:
        return category not in rules.category_order
    group = group_of(tag)
    if category == "meta" and group in _SEEN_GROUPS:
        return False
    return category in rules.drop_categories or group == "quality"
