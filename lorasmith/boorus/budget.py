"""Searches with more terms than a site takes: what is sent, and what is tested here on each post that comes back."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from lorasmith.boorus.grammar import Query, read_query
from lorasmith.boorus.metatags import TOLD
from lorasmith.errors import UsageError

_JOINTS = frozenset(("(", ")", "-(", "~(", "or", "and"))


class Plan(NamedTuple):
    """A search as it goes out; `kept_back` tests each post that comes, None where the site does it all."""

    sent: str
    kept_back: Query | None = None


@dataclass(frozen=True)
class Budget:
    """How many terms a site takes: `most` in all, of which the metatags named in `free` cost nothing.

    `metatags` are all that the site knows; `negatives` mark minors, and fill what room a search leaves.
    """

    most: int
    free: frozenset[str]
    metatags: frozenset[str]
    negatives: tuple[str, ...]

    def cost(self, terms: Collection[str]) -> int:
        """Says how many terms count, each once."""
        return len({term.lstrip("-~") for term in terms if term not in _JOINTS and not self._is(term, self.free)})

    def plan(self, query: str, known: Callable[[list[str]], Mapping[str, str]], rarest: "Rarest") -> Plan:
        """Plans a search: `known` gives the aliases among tags, `rarest` sorts tags by how few posts they stand on.

        Both are asked only where the search has too many terms. Then the rarest tags are sent, with the order and what
        a post alone cannot tell; the rest is kept back. Raises `UsageError` where that cannot be done.
        """
        terms = [term for term in query.lower().split() if not term.startswith("limit:")]
        if self.cost(terms) <= self.most:
            return Plan(self._filled(terms))
        outer = list(_outside_brackets(terms))
        needed = [term for term in outer if self._must_be_sent(term)]
        plain = [term for term in dict.fromkeys(outer) if self._is_plain(term)]
        room = self.most - self.cost(needed)
        if room < 0 or not plain:
            raise UsageError(
                f"The search has more than the {self.most} terms that the site takes, and no tag among them that could "
                "be sent alone; put the character's tag in it, and leave other terms out."
            )
        chosen = plain if len(plain) <= room else rarest(plain)[:room]
        kept_back = [term for term in terms if term not in (*needed, *chosen)]
        self._demand_testable(kept_back)
        aliases = known([term.lstrip("-~") for term in kept_back if self._is_plain(term.lstrip("-~"))])
        return Plan(self._filled([*chosen, *needed]), read_query(" ".join([*kept_back, "status:any"]), aliases))

    def _filled(self, terms: list[str]) -> str:
        """Writes the search, with as many of the negatives as there is room for, each of them once."""
        missing = [negative for negative in self.negatives if negative not in terms]
        return " ".join([*terms, *missing[: max(0, self.most - self.cost(terms))]])

    def _is(self, term: str, names: Collection[str]) -> bool:
        name, colon, _ = term.lstrip("-~").partition(":")
        return bool(colon) and name in names

    def _must_be_sent(self, term: str) -> bool:
        """Says whether only the site can do it, or it costs nothing; a term after `~` belongs to the others like it."""
        if term.startswith("~") or not self._is(term, self.metatags):
            return False
        return self._is(term, self.free) or not self._is(term, TOLD)

    def _is_plain(self, term: str) -> bool:
        return term[:1] not in "-~" and "*" not in term and term not in _JOINTS and not self._is(term, self.metatags)

    def _demand_testable(self, terms: list[str]) -> None:
        for term in terms:
            glued = term.lstrip("-~").startswith("(") and term not in _JOINTS and ")" not in term
            if glued or term in ("or", "and") or (self._is(term, self.metatags) and not self._is(term, TOLD)):
                raise UsageError(
                    f"The search has more than the {self.most} terms that the site takes, and '{term}' can only be "
                    "understood there; leave some terms out, or write groups as ( fox ~wolf )."
                )


Rarest = Callable[[list[str]], list[str]]


def _outside_brackets(terms: list[str]) -> Iterator[str]:
    depth = 0
    for term in terms:
        depth -= term == ")"
        if depth == 0 and term not in _JOINTS:
            yield term
        depth += term.lstrip("-~") == "("
