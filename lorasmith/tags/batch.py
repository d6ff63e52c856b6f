"""Batch edits of tags, worked out and not yet done: which tags come and go on which pictures, and which move in captions."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from lorasmith.errors import UsageError
from lorasmith.safety import demand_safe_text
from lorasmith.settings.stage import unknown_name
from lorasmith.tags.filter import places_of
from lorasmith.tags.index import TagIndex
from lorasmith.tags.spelling import demand_tag, same_tag, with_underscores

SORTS = ("groups", "alphabet", "count")


@dataclass
class Plan:
    """What an edit does: tag -> the pictures (bits) it comes to or goes from; picture -> its new order.

    `first` and `last` name tags that move within captions; `sort` says how captions are sorted anew.
    """

    added: dict[str, int] = field(default_factory=dict)
    removed: dict[str, int] = field(default_factory=dict)
    first: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    sort: str = ""
    moved: int = 0  # the pictures whose order changes

    def add(self, tag: str, bits: int) -> None:
        """Notes that a tag comes to pictures."""
        self.added[tag] = self.added.get(tag, 0) | bits

    def remove(self, tag: str, bits: int) -> None:
        """Notes that a tag goes from pictures."""
        self.removed[tag] = self.removed.get(tag, 0) | bits

    @property
    def changed(self) -> int:
        """Gives the pictures whose tags change."""
        changed = 0
        for bits in (*self.added.values(), *self.removed.values()):
            changed |= bits
        return changed


@dataclass(frozen=True)
class Difference:
    """What an edit changes on one picture."""

    picture: str
    removed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()  # the tags in their new order, where that was asked for


@dataclass(frozen=True)
class Action:
    """One kind of edit: how it is written, and what it does to the chosen pictures."""

    name: str
    usage: str
    help: str
    least: int  # words it needs
    most: int
    plan: Callable[[TagIndex, int, Sequence[str]], Plan]


def plan_edit(index: TagIndex, chosen: int, action: str, words: Sequence[str]) -> Plan:
    """Works out an edit of the chosen pictures; raises `UsageError` when it is asked for wrongly."""
    if action not in ACTIONS:
        raise UsageError(unknown_name(action, list(ACTIONS), f"There is no edit '{action}'"))
    kind = ACTIONS[action]
    if not kind.least <= len(words) <= kind.most:
        raise UsageError(f"`{action}` is written: {kind.usage} ({kind.help}).")
    plan = kind.plan(index, chosen, words)
    for tag in plan.added:
        demand_safe_text(tag, "tag")
    _settle(index, plan)
    return plan


def differences(index: TagIndex, plan: Plan) -> Iterator[Difference]:
    """Yields what changes, picture by picture in their order."""
    added, removed = _by_place(plan.added), _by_place(plan.removed)
    moved = (*plan.first, *plan.last)
    for place in places_of(plan.changed | plan.moved):
        mine = tuple(tag for tag in moved if index.bits.get(tag, 0) >> place & 1)
        yield Difference(index.names[place], tuple(removed.get(place, ())), tuple(added.get(place, ())), mine)


def _by_place(changes: Mapping[str, int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for tag, bits in changes.items():
        for place in places_of(bits):
            found.setdefault(place, []).append(tag)
    return found


def _settle(index: TagIndex, plan: Plan) -> None:
    """Leaves what makes a difference: no picture gets a tag it has, or loses one that the same edit gives it."""
    for tag, bits in plan.removed.items():
        plan.removed[tag] = bits & ~plan.added.get(tag, 0)
    for tag, bits in plan.added.items():
        plan.added[tag] = bits & ~_having(index, tag, plan)
    plan.added = {tag: bits for tag, bits in plan.added.items() if bits}
    plan.removed = {tag: bits for tag, bits in plan.removed.items() if bits}


def _having(index: TagIndex, tag: str, plan: Plan) -> int:
    """Gives the pictures that have a tag after what goes has gone, in whatever spelling."""
    having = 0
    for spelling in {tag, *index.spellings(tag)}:
        having |= index.bits.get(spelling, 0) & ~plan.removed.get(spelling, 0)
    return having


def _fitting(index: TagIndex, patterns: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(tag for pattern in patterns for tag in index.fitting(pattern)))


def _add(index: TagIndex, chosen: int, words: Sequence[str]) -> Plan:
    plan = Plan()
    for word in words:
        plan.add(demand_tag(word), chosen)
    return plan


def _remove(index: TagIndex, chosen: int, words: Sequence[str]) -> Plan:
    plan = Plan()
    for tag in _fitting(index, map(demand_tag, words)):
        plan.remove(tag, chosen & index.bits[tag])
    return plan


def _replace(index: TagIndex, chosen: int, words: Sequence[str]) -> Plan:
    *old, new = map(demand_tag, words)
    plan = Plan()
    for tag in _fitting(index, old):
        if tag != new:
            plan.remove(tag, chosen & index.bits[tag])
            plan.add(new, chosen & index.bits[tag])
    return plan


def _regex(index: TagIndex, chosen: int, words: Sequence[str]) -> Plan:
    try:
        pattern = re.compile(words[0], re.IGNORECASE)
        # `.*` also fits the nothing behind a tag, where it would write its words a second time
        written = {tag: pattern.sub(words[1], tag, count=_times(pattern, tag)) for tag in index.bits if index.bits[tag] & chosen}
    except (re.error, IndexError) as error:
        raise UsageError(f"The pattern '{words[0]}' or its replacement '{words[1]}' cannot be read: {error}.") from error
    plan = Plan()
    for tag, text in written.items():
        new = demand_tag(text) if text.strip(" _") else ""
        if with_underscores(text) != tag and new != tag:
            plan.remove(tag, chosen & index.bits[tag])
            if new:
                plan.add(new, chosen & index.bits[tag])
    return plan


def _times(pattern: re.Pattern[str], tag: str) -> int:
    """Gives how many replacements are meant: 1 where the first match takes the whole tag, else all (0)."""
    found = pattern.match(tag)
    return 1 if found is not None and found.end() == len(tag) else 0


def _dedupe(index: TagIndex, chosen: int, words: Sequence[str]) -> Plan:
    """Of several spellings of one tag on a picture, the one that is most common in the set stays."""
    spellings: dict[str, list[str]] = {}
    for tag in index.bits:
        spellings.setdefault(same_tag(tag), []).append(tag)
    plan = Plan()
    for tags in spellings.values():
        seen = 0
        for tag in sorted(tags, key=lambda tag: (-index.bits[tag].bit_count(), tag)):
            plan.remove(tag, chosen & index.bits[tag] & seen)
            seen |= index.bits[tag]
    return plan


def _first(index: TagIndex, chosen: int, words: Sequence[str]) -> Plan:
    plan = Plan(first=tuple(_fitting(index, map(demand_tag, words))))
    return _moving(index, chosen, plan, plan.first)


def _last(index: TagIndex, chosen: int, words: Sequence[str]) -> Plan:
    plan = Plan(last=tuple(_fitting(index, map(demand_tag, words))))
    return _moving(index, chosen, plan, plan.last)


def _moving(index: TagIndex, chosen: int, plan: Plan, tags: Sequence[str]) -> Plan:
    for tag in tags:
        plan.moved |= chosen & index.bits[tag]
    return plan


def _sort(index: TagIndex, chosen: int, words: Sequence[str]) -> Plan:
    how = words[0] if words else SORTS[0]
    if how not in SORTS:
        raise UsageError(unknown_name(how, list(SORTS), f"There is no order '{how}'"))
    return Plan(sort=how, moved=chosen)


_MANY = 1000
ACTIONS: dict[str, Action] = {
    action.name: action
    for action in (
        Action("add", "add TAG …", "gives the pictures these tags", 1, _MANY, _add),
        Action("remove", "remove TAG …", "takes these tags away; * and ? stand for letters", 1, _MANY, _remove),
        Action("replace", "replace OLD … NEW", "writes NEW for each OLD", 2, _MANY, _replace),
        Action("rename", "rename OLD NEW", "as replace, on all pictures of the project", 2, 2, _replace),
        Action("regex", "regex PATTERN NEW", r"replaces in each tag what the pattern finds; \1 is its first group", 2, 2, _regex),
        Action("dedupe", "dedupe", "leaves one spelling of each tag on a picture", 0, 0, _dedupe),
        Action("first", "first TAG …", "moves tags behind the trigger, in one caption set", 1, _MANY, _first),
        Action("last", "last TAG …", "moves tags to the end, in one caption set", 1, _MANY, _last),
        Action("sort", "sort [groups|alphabet|count]", "sorts captions anew, in one caption set", 0, 1, _sort),
    )
}
