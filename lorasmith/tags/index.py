"""Which pictures have which tag, as one whole number a tag with a bit a picture: filters and counts of large sets at once."""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from functools import cached_property

from lorasmith.tags.answers import unset
from lorasmith.tags.filter import bits_of, places_of
from lorasmith.tags.groups import group_of
from lorasmith.tags.spelling import with_underscores, without_parentheses

Texts = Callable[[], Sequence[Collection[str]]]
Numbers = Callable[[str, str], Sequence[float]]


@dataclass(frozen=True)
class TagCount:
    """One tag of a set: on how many pictures it is."""

    tag: str
    category: str
    pictures: int
    share: float


def _no_numbers(field: str, tag: str) -> Sequence[float]:
    return ()


@dataclass(frozen=True)
class TagIndex:
    """The tags of a set of pictures; `texts` gives what the filter's other words ask for, `number` its numbers."""

    names: tuple[str, ...]
    bits: dict[str, int]  # tag -> its pictures
    categories: Mapping[str, str]  # tag -> category
    texts: Mapping[str, Texts] = field(default_factory=dict)
    number: Numbers = _no_numbers

    @cached_property
    def everything(self) -> int:
        """Gives a bit for each picture."""
        return (1 << len(self.names)) - 1

    @cached_property
    def places(self) -> dict[str, int]:
        """Gives each picture's place."""
        return {name: place for place, name in enumerate(self.names)}

    @cached_property
    def _by_key(self) -> dict[str, list[str]]:
        keys: dict[str, list[str]] = {}
        for tag in self.bits:
            keys.setdefault(_key(tag), []).append(tag)
        return keys

    @cached_property
    def _by_plain_key(self) -> dict[str, list[str]]:
        keys: dict[str, list[str]] = {}
        for tag in self.bits:
            keys.setdefault(without_parentheses(_key(tag)), []).append(tag)
        return keys

    def fitting(self, pattern: str) -> list[str]:
        """Lists the tags that a pattern means: spelled in any case, with spaces or underscores; `*` and `?` stand for letters."""
        key = _key(pattern)
        found = self._by_key.get(key) or self._by_plain_key.get(key)
        if found or not set("*?") & set(key):
            return found or []
        fits = re.compile(translate(key.replace("[", "[[]"))).match
        return [tag for known, tags in self._by_key.items() if fits(known) for tag in tags]

    def spellings(self, tag: str) -> list[str]:
        """Lists the spellings of a tag that pictures have: of any case."""
        return self._by_key.get(_key(tag), [])

    def having(self, field: str, pattern: str) -> int:
        """Gives the pictures that fit one word of a filter."""
        if field == "tag":
            return self._any(self.fitting(pattern))
        if field == "group":
            return self._any(tag for tag in self.bits if group_of(tag) == pattern.lower())
        if field == "unset":
            return bits_of([place for place, missing in enumerate(self._unset) if pattern.lower() in missing])
        if field in self.texts:
            return self._by_text(field, pattern)
        return self._any(tag for tag in self.fitting(pattern) if self.categories.get(tag) == field)

    def numbers(self, field: str, tag: str) -> Sequence[float]:
        """Gives a number for each picture."""
        if field == "tags":
            return self.lengths
        return self.number(field, tag)

    @cached_property
    def lengths(self) -> list[int]:
        """Gives how many tags each picture has: all counted at once, digit by binary digit."""
        digits: list[int] = []
        for carry in self.bits.values():
            for place, digit in enumerate(digits):
                if not carry:
                    break
                digits[place], carry = digit ^ carry, digit & carry
            if carry:
                digits.append(carry)
        lengths = [0] * len(self.names)
        for place, digit in enumerate(digits):
            for at in places_of(digit):
                lengths[at] += 1 << place
        return lengths

    @cached_property
    def _unset(self) -> list[list[str]]:
        """Gives the questions that each picture leaves unanswered."""
        return [_unset_of(tags) for tags in self.tags_by_place()]

    def tags_by_place(self) -> list[list[str]]:
        """Lists the tags of every picture."""
        found: list[list[str]] = [[] for _ in self.names]
        for tag, bits in self.bits.items():
            for place in places_of(bits):
                found[place].append(tag)
        return found

    def tags_of(self, place: int) -> list[str]:
        """Lists the tags of one picture."""
        mask = 1 << place
        return [tag for tag, bits in self.bits.items() if bits & mask]

    def chosen(self, bits: int) -> Iterator[str]:
        """Yields the names of pictures by their bits."""
        return (self.names[place] for place in places_of(bits))

    def counts(self, among: int | None = None) -> list[TagCount]:
        """Counts every tag, the most common first, among all pictures or some."""
        mask = self.everything if among is None else among
        total = max(1, mask.bit_count())
        found = [(tag, (bits & mask).bit_count()) for tag, bits in self.bits.items()]
        found = sorted(((tag, count) for tag, count in found if count), key=lambda one: (-one[1], one[0]))
        return [TagCount(tag, self.categories.get(tag, "general"), count, round(count / total, 4)) for tag, count in found]

    def _any(self, tags: Iterable[str]) -> int:
        found = 0
        for tag in tags:
            found |= self.bits[tag]
        return found

    def _by_text(self, field: str, pattern: str) -> int:
        texts = self.texts[field]()
        if field == "caption":
            wanted = pattern.casefold()
            return bits_of([place for place, words in enumerate(texts) if any(wanted in word.casefold() for word in words)])
        match = re.compile(translate(pattern.casefold().replace("[", "[[]"))).match
        fits = {word: match(word.casefold()) is not None for words in texts for word in words}
        return bits_of([place for place, words in enumerate(texts) if any(map(fits.__getitem__, words))])


def index_of_lists(
    names: Sequence[str], lists: Iterable[tuple[str, list[str]]], gone: Iterable[tuple[str, str]], separator: str, **more: object
) -> TagIndex:
    """Builds an index of (picture, all that is said of it as tag, separator, category), less what is gone."""
    places = {name: place for place, name in enumerate(names)}
    found: defaultdict[str, list[int]] = defaultdict(list)
    for picture, said in lists:
        if (place := places.get(picture)) is not None:
            for each in said:
                found[each].append(place)
    bits: dict[str, int] = {}
    categories: dict[str, str] = {}
    for said_, its in found.items():
        tag, _, category = said_.rpartition(separator)
        bits[tag] = bits.get(tag, 0) | bits_of(its)
        categories.setdefault(tag, category)
    for picture, tag in gone:
        if picture in places and tag in bits:
            bits[tag] &= ~(1 << places[picture])
    return TagIndex(tuple(names), {tag: its for tag, its in bits.items() if its}, categories, **more)  # type: ignore[arg-type]


def index_of(names: Sequence[str], rows: Iterable[tuple[str, str, str]], **more: object) -> TagIndex:
    """Builds an index of rows (picture, tag, category); rows of pictures that are not named are left out."""
    places = {name: place for place, name in enumerate(names)}
    found: dict[str, list[int]] = {}
    categories: dict[str, str] = {}
    for picture, tag, category in rows:
        place = places.get(picture)
        if place is not None:
            if tag in found:
                found[tag].append(place)
            else:
                found[tag] = [place]
                categories[tag] = category
    bits = {tag: bits_of(its) for tag, its in found.items()}
    return TagIndex(tuple(names), bits, categories, **more)  # type: ignore[arg-type]


_open: dict[int, list[str]] = {}  # hash of a picture's tags -> its open questions: an edit changes few pictures
_MOST_OPEN = 50_000


def _unset_of(tags: Sequence[str]) -> list[str]:
    """Gives the questions that tags leave open; what was answered for the same tags before is not asked anew."""
    key = hash(tuple(sorted(tags)))
    if key not in _open:
        if len(_open) >= _MOST_OPEN:
            _open.clear()
        _open[key] = unset(tags)
    return _open[key]


def _key(tag: str) -> str:
    return with_underscores(tag).casefold()
