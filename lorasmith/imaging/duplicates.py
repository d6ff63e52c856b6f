"""Finds families of pictures that show the same thing, and says which member to keep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from lorasmith.imaging.hashes import Hashes, Places, families_of_hashes
from lorasmith.imaging.measure import Measures

COLOUR_LEVELS = 24
ASPECT_RATIO = 1.05


@dataclass(frozen=True)
class Twin:
    """A member of a family, with the site's score where there is one."""

    name: str
    measures: Measures
    score: int = 0


@dataclass(frozen=True)
class Choice:
    """Which of two twins is kept, and why, as words that follow "because it"."""

    kept: Twin
    dropped: Twin
    reason: str


def families(measures: Mapping[str, Measures], bits: int = 4) -> list[tuple[str, ...]]:
    """Groups pictures of equal pixels, and near duplicates: both hashes within `bits`, alike in colour and shape.

    Names are sorted within a family and families by their first name; pictures without a twin are left out.
    Kinship is transitive. Hashes of pictures that are not telling (nearly blank) are not compared.
    """
    names = sorted(measures)
    parent = list(range(len(names)))
    first_with: dict[str, int] = {}
    for index, name in enumerate(names):
        _join(parent, index, first_with.setdefault(measures[name].pixel_sha, index))
    kinds: dict[tuple[object, ...], int] = {}
    for index, name in enumerate(names):
        if measures[name].telling:
            _join(parent, index, kinds.setdefault(_look(measures[name]), index))
    telling = list(kinds.values())
    for index, root in zip(telling, _near([measures[names[index]] for index in telling], bits).tolist(), strict=True):
        _join(parent, index, telling[root])
    grouped: dict[int, list[str]] = {}
    for index, name in enumerate(names):
        grouped.setdefault(_root(parent, index), []).append(name)
    return [tuple(members) for members in grouped.values() if len(members) > 1]


def is_near(a: Measures, b: Measures, bits: int = 4) -> bool:
    """Tells whether two pictures count as near duplicates of each other, by the same rule as `families`."""
    return a.pixel_sha == b.pixel_sha or (a.telling and b.telling and not _near([a, b], bits).any())


def better(a: Twin, b: Twin) -> Choice:
    """Chooses the twin that is worth more to training; the same whichever way round they are given."""
    if a.name > b.name:
        a, b = b, a
    one, two = a.measures, b.measures
    tests = (
        (_clearly(one.sharpness, two.sharpness, 0.6), "is clearly sharper (the other is blurred or was enlarged)"),
        (_sign(one.width * one.height, two.width * two.height), "has more pixels"),
        (_sign(one.lossless, two.lossless), "is lossless"),
        (_sign(two.blockiness, one.blockiness, 0.02), "shows fewer traces of compression"),
        (_sign(one.sharpness, two.sharpness, 0.02), "is sharper"),
        (_sign(a.score, b.score), "has the higher score"),
    )
    for verdict, reason in tests:
        if verdict:
            return Choice(a, b, reason) if verdict > 0 else Choice(b, a, reason)
    return Choice(a, b, "comes first by name")


def best(twins: Sequence[Twin]) -> Twin:
    """Gives the member of a family that is kept, whatever the order they are given in."""
    return reduce(lambda kept, other: better(kept, other).kept, sorted(twins, key=lambda twin: twin.name))


def _sign(a: float, b: float, tolerance: float = 0.0) -> int:
    return int(a > b + tolerance) - int(b > a + tolerance)


def _clearly(a: float, b: float, share: float) -> int:
    return int(b < a * share) - int(a < b * share)


def _root(parent: list[int], index: int) -> int:
    while parent[index] != index:
        parent[index] = parent[parent[index]]
        index = parent[index]
    return index


def _join(parent: list[int], a: int, b: int) -> None:
    a, b = sorted((_root(parent, a), _root(parent, b)))
    parent[b] = a


def _look(item: Measures) -> tuple[object, ...]:
    """Gives all that near duplicates are told by: pictures with the same are always near."""
    return item.dhash, item.phash, item.colours, item.width, item.height


def _near(measures: Sequence[Measures], bits: int) -> Places:
    """Gives for each the place of the first of its family."""
    hashes: Hashes = np.array([(int(item.dhash, 16), int(item.phash, 16)) for item in measures], np.uint64)
    colours = np.array([list(bytes.fromhex(item.colours)) for item in measures], np.int16)
    shape = np.log(np.array([item.width / item.height for item in measures]))

    def alike(left: Places, right: Places) -> NDArray[np.bool_]:
        close = np.abs(colours[left] - colours[right]).max(axis=1, initial=0) <= COLOUR_LEVELS
        return np.asarray(close & (np.abs(shape[left] - shape[right]) <= np.log(ASPECT_RATIO)))

    return families_of_hashes(hashes.reshape(-1, 2), bits, alike)
