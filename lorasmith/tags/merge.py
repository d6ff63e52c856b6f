"""What the site says about a picture and what a tagger sees in it, merged by source and threshold."""

from collections.abc import Collection, Iterable, Mapping, Set
from dataclasses import dataclass, replace
from typing import Literal

from lorasmith.tags.groups import group_of, one_of
from lorasmith.tags.spelling import with_underscores
from lorasmith.tags.vocabulary import ONE_OF, UMBRELLAS

Source = Literal["booru", "tagger"]

# How much a person's tag counts beside the tagger's score when two tags of a one-of group compete.
_BOORU_WORTH = 0.3
_UNKNOWN_SCORE = 0.5
_NEVER = 2.0  # over every score


@dataclass(frozen=True)
class MergedTag:
    """One tag of a picture: who says so, and the tagger's score (None where the tagger does not know the tag)."""

    tag: str
    category: str
    sources: frozenset[Source]
    score: float | None

    @property
    def worth(self) -> float:
        """Gives the strength by which it competes in a one-of group."""
        score = _UNKNOWN_SCORE if self.score is None else self.score
        return score + (_BOORU_WORTH if "booru" in self.sources else 0.0)


def merge(
    booru: Mapping[str, str],
    scores: Mapping[str, float],
    *,
    threshold: float | Mapping[str, float],
    veto: float,
    known: Set[str],
    aliases: Mapping[str, str] | None = None,
) -> list[MergedTag]:
    """Merges a picture's booru tags (tag → category) with a tagger's scores (tag → 0..1).

    A booru tag stays unless the tagger knows it (`known`) and scores it under `veto`; a tagger tag joins from
    `threshold` on (one for all tags, or one for each that may join). `aliases` maps old names to today's. Of a one-of
    group the best stays. Booru tags come first.
    """
    names = aliases or {}
    seen = _best_by_name(scores, names)
    known_names = {resolve(tag, names) for tag in known}
    by_tag = {resolve(tag, names): value for tag, value in threshold.items()} if isinstance(threshold, Mapping) else {}
    usual = _NEVER if isinstance(threshold, Mapping) else threshold
    merged: dict[str, MergedTag] = {}
    for tag, category in booru.items():
        name = resolve(tag, names)
        score = seen.get(name, 0.0) if name in known_names else None
        if not doubted(score, veto):
            merged[name] = MergedTag(name, category, frozenset(["booru"]), score)
    for name, score in sorted(seen.items(), key=lambda item: (-item[1], item[0])):
        if score < by_tag.get(name, usual):
            continue
        if name in merged:
            merged[name] = replace(merged[name], sources=frozenset(["booru", "tagger"]))
        else:
            merged[name] = MergedTag(name, _category(name), frozenset(["tagger"]), score)
    return resolve_one_of(merged.values())


def doubted(score: float | None, veto: float) -> bool:
    """Says whether the tagger contradicts a tag that a person gave."""
    return score is not None and score < veto


def resolve(tag: str, aliases: Mapping[str, str]) -> str:
    """Gives today's name of a tag: spelt with underscores, aliases followed (a ring of aliases ends where it began)."""
    name = with_underscores(tag)
    seen = {name}
    while (following := aliases.get(name)) is not None and following not in seen:
        name = following
        seen.add(name)
    return name


def resolve_one_of(tags: Iterable[MergedTag]) -> list[MergedTag]:
    """Keeps the best of each one-of group; an umbrella (`portrait`) gives way to any exact member."""
    tags = list(tags)
    best: dict[str, MergedTag] = {}
    for tag in tags:
        group = one_of(tag.tag)
        if group is not None and (group not in best or _rank(tag, group) > _rank(best[group], group)):
            best[group] = tag
    winners = {tag.tag for tag in best.values()}
    return [tag for tag in tags if one_of(tag.tag) is None or tag.tag in winners]


def person_wins(tags: Iterable[MergedTag], added: Collection[str]) -> list[MergedTag]:
    """Takes out what contradicts a tag that a person gave: the other members of its one-of group."""
    settled = {one_of(tag) for tag in added} - {None}
    return [tag for tag in tags if tag.tag in added or tag.tag in UMBRELLAS or one_of(tag.tag) not in settled]


def _rank(tag: MergedTag, group: str) -> tuple[bool, float, int]:
    """Orders the members of a one-of group: exact before umbrella, then by worth, then by their place in the table."""
    return tag.tag not in UMBRELLAS, tag.worth, -ONE_OF[group].index(tag.tag.lower())


def _best_by_name(scores: Mapping[str, float], aliases: Mapping[str, str]) -> dict[str, float]:
    """Folds aliases of the tagger's own list: the best score of the names of one thing."""
    best: dict[str, float] = {}
    for tag, score in scores.items():
        name = resolve(tag, aliases)
        best[name] = max(score, best.get(name, 0.0))
    return best


def _category(tag: str) -> str:
    return "species" if group_of(tag) == "species" else "general"
