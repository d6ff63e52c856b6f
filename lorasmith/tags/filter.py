"""The filter language: which pictures are meant, by their tags, groups, scores, captions and kinds.

    smile AND NOT closed_eyes          "looking at viewer" | from_behind, -comic
    group:mouth, unset:view            *_eyes (wildcards * and ?), artist:someone, is:head, name:e621_12*, folder:bob
    score(smile)>0.3 AND NOT tag:smile tags>40, tokens>75

A space or a comma is AND, `|` is OR, `-` is NOT; NOT binds before AND, AND before OR. A tag with spaces stands in quotes or
has underscores. `read_filter` reads a filter once; `Filter.holds` answers with a whole number whose bit i stands for the
i-th picture.
"""

import operator
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from lorasmith.errors import UsageError
from lorasmith.tags.answers import ASKED
from lorasmith.tags.spelling import with_underscores
from lorasmith.tags.vocabulary import MEMBERS

NUMBERS = ("tags", "tokens", "width", "height")  # fields that are compared with a number, besides score(TAG)
WORDS = (
    "tag", "group", "name", "caption", "source", "rating", "is", "unset", "folder",
    "general", "species", "character", "copyright", "artist", "meta", "lore", "contributor", "invalid",
)  # fmt: skip
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge, "<=": operator.le, "!=": operator.ne, "=": operator.eq, ">": operator.gt, "<": operator.lt,
}  # fmt: skip
_NUMBER = re.compile(
    rf"(?P<field>score\(\s*(?P<tag>\"[^\"]*\"|(?:[^()\"]|\([^()]*\))*?)\s*\)|{'|'.join(NUMBERS)})"
    r"\s*(?P<sign>>=|<=|!=|==?|>|<)\s*(?P<number>-?\d+(?:\.\d+)?|\.\d+)(?=[\s(),|]|$)",
    re.IGNORECASE,
)
_QUOTED = re.compile(rf"(?:(?P<field>{'|'.join(WORDS)}):)?\"(?P<text>[^\"]*)\"", re.IGNORECASE)
# A word holds brackets when they close in it (`blaze_(marking)`); one that does not close ends it.
_WORD = re.compile(r"[^\s(),|\"](?:[^\s(),|]|\([^()\s]*\))*")
_DEEPEST = 50
_CLOSED: dict[str, tuple[str, ...]] = {
    "is": ("booru", "folder", "edit", "render", "original", "crop", "head", "resize", "panel", "erase", "touch-up", "generated"),
    "group": tuple(MEMBERS), "rating": ("g", "s", "q", "e"), "unset": tuple(ASKED),
}  # fmt: skip


class Asked(Protocol):
    """What a filter is asked of; answers are whole numbers with a bit per picture."""

    @property
    def everything(self) -> int:
        """Gives a bit for each picture."""
        ...

    def having(self, field: str, pattern: str) -> int:
        """Gives the pictures whose `field` has something that fits the pattern."""
        ...

    def numbers(self, field: str, tag: str) -> Sequence[float]:
        """Gives a number for each picture, not-a-number where there is none; `tag` is what stood in score(…)."""
        ...


@dataclass(frozen=True)
class Filter:
    """A filter that was read: its text, and what it asks."""

    text: str
    term: "Term"

    def holds(self, asked: Asked) -> int:
        """Gives the pictures that fit, a bit each."""
        return self.term.holds(asked) & asked.everything

    def tags(self) -> list[str]:
        """Names the tags and patterns that the filter asks for, in its order."""
        return list(dict.fromkeys(self.term.tags()))


class Term(Protocol):
    """A part of a filter."""

    def holds(self, asked: Asked) -> int:
        """Gives the pictures that fit, a bit each."""
        ...

    def tags(self) -> Iterator[str]:
        """Names the tags in it."""
        ...


@dataclass(frozen=True)
class Has:
    """`field:pattern`; a bare word asks for a tag."""

    field: str
    pattern: str

    def holds(self, asked: Asked) -> int:
        """Gives the pictures that have it."""
        return asked.having(self.field, self.pattern)

    def tags(self) -> Iterator[str]:
        """Names the tag, where it is one."""
        if self.field == "tag":
            yield self.pattern


@dataclass(frozen=True)
class Compared:
    """`score(smile)>0.3`, `tags<5`: a picture without that number does not fit."""

    field: str
    tag: str
    sign: str
    number: float

    def holds(self, asked: Asked) -> int:
        """Gives the pictures whose number fits."""
        fits = _COMPARE[self.sign]
        return bits_of(
            place for place, value in enumerate(asked.numbers(self.field, self.tag)) if value == value and fits(value, self.number)
        )

    def tags(self) -> Iterator[str]:
        """Names none: a score may be asked of a tag that no picture has."""
        return iter(())


@dataclass(frozen=True)
class Not:
    """What does not fit."""

    term: Term

    def holds(self, asked: Asked) -> int:
        """Gives the other pictures."""
        return asked.everything & ~self.term.holds(asked)

    def tags(self) -> Iterator[str]:
        """Names the tags in it."""
        return self.term.tags()


@dataclass(frozen=True)
class Joined:
    """Terms that must all fit (`every`), or of which one must."""

    terms: tuple[Term, ...]
    every: bool

    def holds(self, asked: Asked) -> int:
        """Gives the pictures that fit."""
        found = asked.everything if self.every else 0
        for term in self.terms:
            found = found & term.holds(asked) if self.every else found | term.holds(asked)
        return found

    def tags(self) -> Iterator[str]:
        """Names the tags in them."""
        for term in self.terms:
            yield from term.tags()


def bits_of(places: "Iterator[int] | Sequence[int]") -> int:
    """Gives the whole number that has these bits."""
    mask = bytearray()
    for place in places:
        if len(mask) <= place >> 3:
            mask.extend(bytes((place >> 3) + 1 - len(mask)))
        mask[place >> 3] |= 1 << (place & 7)
    return int.from_bytes(mask, "little")


def places_of(bits: int) -> Iterator[int]:
    """Yields the places of a number's bits, the lowest first."""
    for start, byte in enumerate(bits.to_bytes((bits.bit_length() + 7) // 8, "little")):
        while byte:
            low = byte & -byte
            yield start * 8 + low.bit_length() - 1
            byte ^= low


def read_filter(text: str) -> Filter:
    """Reads a filter; an empty one fits every picture. Raises `UsageError` that says the place of the fault."""
    reader = _Reader(text)
    if not text.strip():
        return Filter(text, Joined((), every=True))
    term = reader.either(0)
    if reader.left():
        raise reader.fault("there is a ')' too many" if reader.sees(")") else "it goes on where it should end")
    return Filter(text, term)


class _Reader:
    """Reads a filter from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._place = 0

    def fault(self, what: str) -> UsageError:
        """Words a fault at the place that was reached."""
        rest = self._text[self._place :].strip()
        where = f"at letter {self._place + 1} ('{rest[:20]}')" if rest else "at its end"
        return UsageError(f"The filter '{self._text}' cannot be read {where}: {what}. An example: smile AND NOT closed_eyes")

    def left(self) -> bool:
        """Says whether anything is left."""
        while self._place < len(self._text) and self._text[self._place].isspace():
            self._place += 1
        return self._place < len(self._text)

    def sees(self, mark: str) -> bool:
        """Says whether a mark, or a word of the language, comes next."""
        if not self.left():
            return False
        if not mark.isalpha():
            return self._text.startswith(mark, self._place)
        end = self._place + len(mark)
        return self._text[self._place : end].lower() == mark and (end == len(self._text) or self._text[end] in ' \t\n(),|"-')

    def take(self, *marks: str) -> bool:
        """Goes past one of the marks, where one comes next."""
        for mark in marks:
            if self.sees(mark):
                self._place += len(mark)
                return True
        return False

    def either(self, depth: int) -> Term:
        """Reads terms that OR joins."""
        if depth > _DEEPEST:
            raise self.fault(f"brackets and NOTs stand {_DEEPEST} deep")
        terms = [self.both(depth)]
        while self.take("|", "or"):
            terms.append(self.both(depth))
        return terms[0] if len(terms) == 1 else Joined(tuple(terms), every=False)

    def both(self, depth: int) -> Term:
        """Reads terms that AND joins: the word, a comma, or nothing but a space."""
        terms = [self.one(depth)]
        while True:
            joined = self.take(",", "and")
            if not joined and (not self.left() or any(map(self.sees, (")", "|", "or")))):
                return terms[0] if len(terms) == 1 else Joined(tuple(terms), every=True)
            terms.append(self.one(depth))

    def one(self, depth: int) -> Term:
        """Reads one term."""
        if self.take("not") or self._minus():
            if depth > _DEEPEST:
                raise self.fault(f"brackets and NOTs stand {_DEEPEST} deep")
            return Not(self.one(depth + 1))
        if self.take("("):
            inside = self.either(depth + 1)
            if not self.take(")"):
                raise self.fault("a '(' is not closed")
            return inside
        if not self.left() or any(map(self.sees, (")", "|", ",", "and", "or"))):
            raise self.fault("a tag or a '(' is missing here")
        return self._number() or self._quoted() or self._word()

    def _minus(self) -> bool:
        if self.sees("-") and self._text[self._place + 1 : self._place + 2].strip(" )|,"):
            self._place += 1
            return True
        return False

    def _number(self) -> Term | None:
        found = _NUMBER.match(self._text, self._place)
        if found is None:
            if self._text[self._place :].lower().startswith("score("):
                raise self.fault("a score is written score(tag)>0.5")
            return None
        tag = (found["tag"] or "").strip('"').strip()
        field = "score" if found["field"].lower().startswith("score") else found["field"].lower()
        if field == "score" and not tag:
            raise self.fault("score() needs a tag in its brackets")
        self._place = found.end()
        return Compared(field, with_underscores(tag), found["sign"].replace("==", "="), float(found["number"]))

    def _quoted(self) -> Term | None:
        found = _QUOTED.match(self._text, self._place)
        if found is None:
            if self.sees('"'):
                raise self.fault("a quotation mark is not closed")
            return None
        if not found["text"].strip():
            raise self.fault("nothing stands between the quotation marks")
        self._demand_known((found["field"] or "tag").lower(), found["text"])
        self._place = found.end()
        return _has((found["field"] or "tag").lower(), found["text"])

    def _demand_known(self, field: str, text: str) -> None:
        """Refuses a word of a closed list that is none of them: NOT of it would mean every picture."""
        known = _CLOSED.get(field)
        if known and text.strip().lower() not in known:
            raise self.fault(f"'{field}:' knows {', '.join(known)}")

    def _word(self) -> Term:
        found = _WORD.match(self._text, self._place)
        if found is None:
            raise self.fault("a tag is missing here")
        field, colon, rest = found[0].partition(":")
        if not colon or field.lower() not in WORDS:
            self._place = found.end()
            return _has("tag", found[0])
        if not rest or rest == '"':
            raise self.fault(f"'{field}:' needs a word behind it")
        self._demand_known(field.lower(), rest)
        self._place = found.end()
        return _has(field.lower(), rest)


def _has(field: str, text: str) -> Has:
    """Makes the term; names of tags are brought to the spelling in which they are stored."""
    if field in ("caption", "name"):
        return Has(field, text.strip())
    return Has(field, with_underscores(text.replace("\\(", "(").replace("\\)", ")")))
