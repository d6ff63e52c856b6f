"""Which tags of a set are the character itself: by how often they are there, how much more often than elsewhere, and their kind."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from lorasmith.tags.consolidate import OTHERWISE_DRAWN
from lorasmith.tags.groups import group_of
from lorasmith.tags.profile import MIN_LIFT, class_of

_TOLD = 0.02  # tags on fewer pictures are not listed among those that stay
_TOGETHER = 0.8  # of the pictures with either tag, those with both: the tags of one outfit


@dataclass(frozen=True)
class Weighed:
    """One tag weighed: on how many pictures, its share, its lift over the site, its kind, and what that means."""

    tag: str
    pictures: int
    share: float
    lift: float | None
    kind: str
    why: str


@dataclass(frozen=True)
class Known:
    """What is known besides the set: the site's lifts, and what a person wants whatever the figures say."""

    lifts: Mapping[str, float]
    wanted: frozenset[str] = frozenset()  # core by a person's word
    kept: frozenset[str] = frozenset()  # never core: toggles, open choices, tags that a person leaves


def weigh(
    counts: Mapping[str, int], total: int, categories: Mapping[str, str], known: Known, core_share: float
) -> tuple[list[Weighed], list[Weighed]]:
    """Parts the tags of a set into those that the trigger should stand for and those that captions go on telling."""
    core, stays = [], []
    for tag, count in sorted(counts.items(), key=lambda one: (-one[1], one[0])):
        share = count / max(1, total)
        kind = class_of(tag, categories.get(tag, "general"))
        lift = known.lifts.get(tag)
        is_core, why = _judge(tag, kind, (share, lift), categories.get(tag, "general"), known, core_share)
        row = Weighed(tag, count, round(share, 4), lift, kind, why)
        if is_core:
            core.append(row)
        elif share >= _TOLD and kind != "other":
            stays.append(row)
    return core, stays


def _judge(  # noqa: PLR0911, PLR0913 - one line a reason
    tag: str, kind: str, figures: tuple[float, float | None], category: str, known: Known, core_share: float
) -> tuple[bool, str]:
    """Says whether a tag is core, and why."""
    share, lift = figures
    often = f"on {share:.0%}"
    telling = lift is None or lift >= MIN_LIFT or category == "species"
    if tag in known.kept:
        return False, f"{often}, and you or the character sheet leave it in captions"
    if tag in OTHERWISE_DRAWN:
        return False, f"{often}: says that a picture is drawn otherwise than the rest"
    if kind == "core" and share >= core_share and telling:
        return True, f"a look {often}" + ("" if lift is None else f", {lift:.3g} times as often as on the site")
    if tag in known.wanted:
        return True, f"{often}, and you or the character sheet name it"
    if kind == "core":
        return False, f"a look, but {often} only" if telling else f"{often}, but as common on the whole site (lift {lift:.3g})"
    if kind == "state":
        return False, f"{often}: {(group_of(tag) or 'it').replace('_', ' ')} differs from picture to picture"
    return False, f"{often}: {_KINDS[kind]}"


_KINDS = {
    "toggle": "clothes and accessories come and go",
    "choice": "a form among others: left to choose in the prompt",
    "other": "a name, or of no group",
}


def together(bits: Mapping[str, int], tags: Sequence[str]) -> list[tuple[str, ...]]:
    """Groups tags that are nearly always on the same pictures (bits): the parts of one outfit."""
    groups: list[list[str]] = []
    for tag in tags:
        for group in groups:
            if all(_overlap(bits[tag], bits[other]) >= _TOGETHER for other in group):
                group.append(tag)
                break
        else:
            groups.append([tag])
    return [tuple(group) for group in groups if len(group) > 1]


def _overlap(one: int, other: int) -> float:
    either = (one | other).bit_count()
    return (one & other).bit_count() / either if either else 0.0


def companions(bits: Mapping[str, int], tag: str, tags: Collection[str], everything: int, most: int = 5) -> list[str]:
    """Names the tags that come with a tag much more often than without it: what helps to prompt it."""
    own = bits.get(tag, 0)
    with_it, without = own.bit_count(), (everything & ~own).bit_count()
    if with_it < 2:
        return []
    rated = []
    for other in tags:
        inside = (bits[other] & own).bit_count() / with_it
        outside = (bits[other] & everything & ~own).bit_count() / without if without else 0.0
        if other != tag and inside >= 0.3 and inside >= 2 * outside:
            rated.append((outside - inside, other))
    return [other for _, other in sorted(rated)[:most]]
