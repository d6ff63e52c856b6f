"""Constant looks are absorbed by the trigger; what may change stays in the caption, in a fixed order."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from types import MappingProxyType

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
# What says that a picture is drawn otherwise than the rest: always told, or the trigger would learn it.
OTHERWISE_DRAWN = frozenset(["monochrome", "greyscale", "grayscale", "black_and_white", "comic", "4koma", "manga"])
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
    outfits: Mapping[str, Set[str]] = field(default_factory=dict)  # an outfit's tag -> the tags it stands for


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


def caption(  # noqa: PLR0913 - all that a caption is made of
    trigger: str,
    tags: Mapping[str, str],
    core: Collection[str],
    rules: CaptionRules = CaptionRules(),
    own: Collection[str] = (),
    places: Mapping[str, int] = MappingProxyType({}),
) -> list[str]:
    """Gives one picture's caption tags (from tag → category): trigger first, core tags absorbed, outfits under their tags.

    `own` are tags that a person gave to this picture: they are there whatever is left out or replaced. `places` are the
    tags that a person moved: under 0 before the others, over 0 behind them. A picture that lacks a core tag is left as it
    is: nothing is added or negated.
    """
    absorbed = (set(core) - OTHERWISE_DRAWN) | set(rules.drop) | {trigger}
    absorbed |= {implied for tag in tags for implied in rules.implied.get(tag, ())}
    worn = worn_outfits(tags, rules.outfits)
    absorbed |= {tag for outfit in worn for tag in rules.outfits[outfit]}
    kept: dict[str, str] = {}
    for tag, category in tags.items():
        written = rules.replace.get(tag, tag)
        if not absorbed & {tag, written} and not _is_dropped(tag, category, rules):
            kept.setdefault(written, category)
    ends = {same_tag(tag) for tag in (*rules.prepend, *rules.append)}
    own = [tag for tag in own if not any(tag in rules.outfits[outfit] for outfit in worn)]
    middle = [tag for tag in (*_ordered(kept, rules), *own) if same_tag(tag) not in ends]
    moved = {rules.replace.get(tag, tag): place for tag, place in places.items()} | dict(places)
    middle.sort(key=lambda tag: moved.get(tag, 0))
    return list(dict.fromkeys([trigger, *rules.prepend, *worn, *middle, *rules.append]))


def worn_outfits(tags: Collection[str], outfits: Mapping[str, Set[str]]) -> list[str]:
    """Names the outfits that a picture shows: it has at least half of an outfit's tags."""
    return [name for name, its in sorted(outfits.items()) if its and 2 * sum(tag in tags for tag in its) >= len(its)]


def _ordered(tags: Mapping[str, str], rules: CaptionRules) -> list[str]:
    """Sorts a caption's tags (tag → category): by category where that is asked for, else by group, a rating's word last."""
    tags_in_order = in_order(tags)
    if rules.category_order:
        last = len(rules.category_order)
        return sorted(tags_in_order, key=lambda tag: _index(rules.category_order, tags[tag], last))
    return sorted(tags_in_order, key=lambda tag: tags[tag] == RATING)


def _index(order: Sequence[str], category: str, otherwise: int) -> int:
    return order.index(category) if category in order else otherwise


def in_order(tags: Iterable[str]) -> list[str]:
    """Sorts tags by the place of their group in a caption; tags of one group keep their order."""
    return sorted(tags, key=lambda tag: _PLACE[group_of(tag)])


def _is_dropped(tag: str, category: str, rules: CaptionRules) -> bool:
    if tag in OTHERWISE_DRAWN:
        return tag in rules.drop
    if rules.category_order:
        return category not in rules.category_order
    group = group_of(tag)
    if category == "meta" and group in _SEEN_GROUPS:
        return False
    return category in rules.drop_categories or group == "quality"
