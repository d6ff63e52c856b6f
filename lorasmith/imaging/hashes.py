"""Finds families among picture hashes: exact at any distance, without comparing all with all, in bounded memory."""

from collections.abc import Callable
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Places = NDArray[np.intp]
Alike = Callable[[Places, Places], NDArray[np.bool_]]

_WORD = 64
_FEW = 1500  # members that are compared all with all at once
_SMALL = 48  # members of a bucket up to which all buckets are compared together
_BLOCK = 1 << 18  # comparisons at a time: 2 MB, which stays in the processor's cache
_PAIRS = 1 << 18  # pairs found before they are joined
_FEW_STRANGERS = 64  # so few are compared with everybody at once
_SAMPLE = 4096  # random pairs by which it is guessed how full buckets are
_DICE = 20240607


def telling(hashes: Hashes) -> NDArray[np.bool_]:
    """Tells which hashes say anything: with 4 bits set or less, or all but 4, the picture was flat, and any flat one fits."""
    count = np.bitwise_count(hashes)
    return (count > 4) & (count < _WORD - 4)


def families_of_hashes(hashes: Hashes, bits: int = 4, alike: Alike | None = None) -> Places:
    """Gives for each hash the place of the first member of its family: itself, where it has none.

    `hashes` is a column of 64-bit numbers, or rows of several (a dHash and a pHash): near are two rows of which every
    number differs in at most `bits` bits. `alike` takes two arrays of places, and says which of these near pairs are
    kin; without it all are. Kinship is transitive.

    Exact. Equal rows are put together first, and pairs that are already of one family are not looked at again, so that
    any number of equal or nearly equal (blank) pictures is no burden. Memory grows with the number of hashes alone.
    Leave out those that are not `telling`, or all blank pictures are one family.
    """
    rows = np.ascontiguousarray(hashes if hashes.ndim == 2 else hashes[:, None], np.uint64)
    if alike is not None or not len(rows):
        return _Kin(rows, bits, alike).roots()
    first, which = _distinct(rows)
    kin = _Kin(rows[first], bits, None).roots()
    family = first[kin][which]
    least = np.full(len(rows), len(rows), np.intp)
    np.minimum.at(least, family, np.arange(len(rows)))
    return least[family]


def _distinct(rows: Hashes) -> tuple[Places, Places]:
    """Gives the places of one of each kind of row, and for each row which of these is its equal."""
    order = np.lexsort(rows.T) if rows.shape[1] > 1 else np.argsort(rows[:, 0])
    new = np.ones(len(rows), np.bool_)
    new[1:] = (rows[order[1:]] != rows[order[:-1]]).any(axis=1)
    which = np.empty(len(rows), np.intp)
    which[order] = np.cumsum(new) - 1
    return order[new], which


class _Kin:
    """Joins rows into families.

    Pigeonhole: cut the bits of a number into `bits` + k parts, and two near numbers agree in at least k of them. Only
    rows that agree in such a choice of parts (a bucket) can be near; a bucket that is too full is cut again by the bits
    that its members do not share.
    """

    def __init__(self, rows: Hashes, bits: int, alike: Alike | None) -> None:
        self.rows, self.bits, self.alike = rows, bits, alike
        self.parent: Places = np.arange(len(rows))
        self.waiting: list[tuple[Places, Places]] = []
        self.count = 0
        self.dice = np.random.default_rng(_DICE)

    def roots(self) -> Places:
        """Gives the first place of each row's family."""
        whole = np.full(self.rows.shape[1], np.iinfo(np.uint64).max, np.uint64)
        everyone = np.arange(len(self.rows))
        self._among(everyone, whole)
        self._join()
        return self._roots_of(everyone)

    def _among(self, members: Places, free: Hashes) -> None:
        """Joins the kin among these; `free` are the bits of each number in which they may still differ."""
        if len(members) <= _FEW:
            self._compare(members, members)
            return
        self._compare(self._middle(members), members)
        self._join()
        kinds, counts = np.unique(self._roots_of(members), return_counts=True)
        great = kinds[counts.argmax()]
        strangers = self._outside(members, great)
        cut = self._best_cut(members, free) if len(strangers) > _FEW_STRANGERS else None
        if cut is None or len(strangers) * 8 < cut[2] * len(members):
            self._each_stranger(strangers, members, great)
            return
        word, masks, _ = cut
        for mask in masks:
            self._buckets(members, word, mask, free)

    def _middle(self, members: Places) -> Places:
        """Gives the member nearest to the majority of their bits: where they are nearly equal, most are near it."""
        sample = self.rows[members[:: 1 + len(members) // _SAMPLE]]
        middle = np.zeros(sample.shape[1], np.uint64)
        for bit in range(_WORD):
            ones = (sample >> np.uint64(bit) & np.uint64(1)).mean(axis=0) > 0.5
            middle |= ones.astype(np.uint64) << np.uint64(bit)
        return members[[np.bitwise_count(self.rows[members] ^ middle).sum(axis=1).argmin()]]

    def _outside(self, members: Places, great: np.intp) -> Places:
        return members[self._roots_of(members) != self._roots_of(np.array([great]))]

    def _each_stranger(self, strangers: Places, members: Places, great: np.intp) -> None:
        """Compares strangers with all; whoever has come into the great family by then need not be asked."""
        block = max(1, _BLOCK // len(members))
        while len(strangers):
            self._compare(strangers[:block], members)
            self._join()
            strangers = self._outside(strangers[block:], great)

    def _best_cut(self, members: Places, free: Hashes) -> tuple[int, list[np.uint64], float] | None:
        """Chooses number and parts: gives the masks to agree in, and the share of all pairs that will be compared."""
        one, other = self.dice.choice(members, (2, _SAMPLE))
        differ = self.rows[one] ^ self.rows[other]
        best: tuple[int, list[np.uint64], float] | None = None
        for word in range(self.rows.shape[1]):
            masks = self._masks(len(members), differ[:, word], free[word])
            share = float(sum((differ[:, word] & mask == 0).mean() for mask in masks)) if masks else 1.0
            if share < 0.6 and (best is None or share < best[2]):
                best = word, masks, share
        return best

    def _masks(self, count: int, differ: Hashes, free: np.uint64) -> list[np.uint64]:
        """Deals the free bits out to parts, those that differ most often first, and gives the choices of parts."""
        often = [(-int((differ >> np.uint64(bit) & np.uint64(1)).sum()), bit) for bit in range(_WORD)]
        order = [bit for _, bit in sorted(often) if int(free) >> bit & 1]
        parts, agree = self.bits + 1, 1
        if len(order) / parts + 3 < np.log2(count):  # buckets of 16 and more: one part more, and agree in two
            parts, agree = self.bits + 2, 2
        if len(order) < parts:
            return []
        dealt = [sum(1 << bit for bit in order[part::parts]) for part in range(parts)]
        return [np.uint64(sum(chosen)) for chosen in combinations(dealt, agree)]

    def _buckets(self, members: Places, word: int, mask: np.uint64, free: Hashes) -> None:
        """Compares the members that agree in the bits of the mask."""
        keys = self.rows[members, word] & mask
        order = np.argsort(keys)
        keys, members = keys[order], members[order]
        starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
        ends = np.append(starts[1:], len(keys))
        sizes = ends - starts
        last = np.repeat(ends, sizes)
        here = np.flatnonzero(np.repeat((sizes > 1) & (sizes <= _SMALL), sizes))
        for apart in range(1, _SMALL):
            here = here[last[here] > here + apart]
            if not len(here):
                break
            self._pairs(members[here], members[here + apart])
        still = free.copy()
        still[word] &= ~mask
        for place in np.flatnonzero(sizes > _SMALL):
            self._among(members[starts[place] : ends[place]], still)

    def _compare(self, these: Places, those: Places) -> None:
        """Compares each of these with each of those, a block at a time."""
        block = max(1, _BLOCK // max(1, len(those)))
        for start in range(0, len(these), block):
            part = these[start : start + block]
            for low in range(0, len(those), _BLOCK):
                self._compare_block(part, those[low : low + _BLOCK])

    def _compare_block(self, these: Places, those: Places) -> None:
        near = np.bitwise_count(self.rows[these, 0][:, None] ^ self.rows[those, 0]) <= self.bits
        rows, columns = np.nonzero(near)
        self._pairs(these[rows], those[columns])

    def _pairs(self, left: Places, right: Places) -> None:
        """Takes pairs that may be near; keeps those that are, are kin, and are not yet in one family."""
        for word in range(self.rows.shape[1]):
            near = np.bitwise_count(self.rows[left, word] ^ self.rows[right, word]) <= self.bits
            left, right = left[near], right[near]
        apart = self.parent[left] != self.parent[right]
        left, right = left[apart], right[apart]
        if self.alike is not None and len(left):
            kin = self.alike(left, right)
            left, right = left[kin], right[kin]
        if len(left):
            self.waiting.append((left, right))
            self.count += len(left)
            if self.count > _PAIRS:
                self._join()

    def _join(self) -> None:
        """Joins the pairs that wait: the greater root hangs itself on the lesser, until none is apart."""
        if not self.waiting:
            return
        lefts, rights = zip(*self.waiting, strict=True)
        self.waiting, self.count = [], 0
        left, right = np.concatenate(lefts), np.concatenate(rights)
        while len(left):
            one, other = self._roots_of(left), self._roots_of(right)
            apart = one != other
            left, right, one, other = left[apart], right[apart], one[apart], other[apart]
            np.minimum.at(self.parent, np.maximum(one, other), np.minimum(one, other))

    def _roots_of(self, places: Places) -> Places:
        """Gives the roots, and shortens the ways to them."""
        roots = self.parent[places]
        while True:
            further = self.parent[roots]
            if (further == roots).all():
                break
            roots = further
        self.parent[places] = roots
        return roots
