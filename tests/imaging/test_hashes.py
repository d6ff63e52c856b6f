import time

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lorasmith.imaging import hashes as room
from lorasmith.imaging.hashes import families_of_hashes, telling

ALL = 2**64 - 1
BASE = 0x9C3A_55F0_1E67_B2D4
numbers = st.integers(0, ALL)
close_numbers = st.builds(
    lambda base, flips: base ^ sum(1 << flip for flip in flips),
    st.sampled_from((0, ALL, BASE, BASE ^ 0xFF, BASE ^ 0x1F00)),
    st.sets(st.integers(0, 63), max_size=6),
)


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every way of the search is gone with a few hashes already."""
    for name, value in {"_FEW": 6, "_SMALL": 3, "_BLOCK": 16, "_PAIRS": 4, "_FEW_STRANGERS": 2, "_SAMPLE": 32}.items():
        monkeypatch.setattr(room, name, value)


def _column(values: list[int]) -> room.Hashes:
    return np.array(values, np.uint64)


def _brute(rows: room.Hashes, bits: int, alike: room.Alike | None = None) -> list[int]:
    """Compares all with all, and lets the lesser place spread until nothing changes."""
    rows = rows.reshape(len(rows), 1 if rows.ndim == 1 else rows.shape[1])
    near = (np.bitwise_count(rows[:, None] ^ rows[None]) <= bits).all(axis=2)
    if alike is not None:
        one, other = np.indices(near.shape)
        near &= alike(one.ravel(), other.ravel()).reshape(near.shape)
    first = np.arange(len(rows))
    while True:
        spread = np.where(near, first[None], len(rows)).min(axis=1, initial=len(rows))
        if (spread == first).all():
            return first.tolist()
        first = spread


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(numbers, close_numbers), max_size=60), st.integers(0, 16))
@example([], 4)
@example([7], 4)
@example([BASE] * 50, 4)
@example([BASE] + [BASE ^ (1 << bit) for bit in range(64)], 0)
@example([BASE] + [BASE ^ (1 << bit) for bit in range(64)], 1)
@example([(1 << bit) - 1 for bit in range(65)], 1)
@example([0, 0x1F, 0x3FF, 0x7FFF] * 9, 4)
def test_families_are_those_of_comparing_all_with_all(little: None, values: list[int], bits: int) -> None:
    assert families_of_hashes(_column(values), bits).tolist() == _brute(_column(values), bits)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(close_numbers, close_numbers, st.integers(0, 2)), min_size=1, max_size=50), st.integers(0, 8)
)
def test_of_rows_every_number_must_be_near_and_kinship_can_ask_for_more(
    little: None, values: list[tuple[int, int, int]], bits: int
) -> None:
    rows = np.array([(one, other) for one, other, _ in values], np.uint64)
    kind = np.array([kind for _, _, kind in values])
    for alike in (None, lambda left, right: kind[left] == kind[right]):
        assert families_of_hashes(rows, bits, alike).tolist() == _brute(rows, bits, alike)


@pytest.mark.parametrize("share_of_ones", [0.5, 0.1, 0.03])
@pytest.mark.parametrize("bits", [0, 2, 4, 7])
def test_thousands_of_hashes_are_told_exactly_also_where_most_bits_are_alike(share_of_ones: float, bits: int) -> None:
    dice = np.random.default_rng(bits)
    powers = np.uint64(1) << np.arange(64, dtype=np.uint64)
    values = np.where(dice.random((2500, 64)) < share_of_ones, powers, np.uint64(0)).sum(axis=1, dtype=np.uint64)
    flips = powers[dice.integers(0, 64, (500, 4))]
    values[:500] = values[500:1000] ^ np.bitwise_xor.reduce(flips, axis=1)
    assert families_of_hashes(values, bits).tolist() == _brute(values, bits)


def test_equal_and_nearly_blank_hashes_are_no_burden() -> None:
    dice = np.random.default_rng(5)
    values = dice.integers(0, 2**63, 60_000, np.uint64)
    values[:20_000] = values[0]
    values[20_000:40_000] = np.uint64(1) << dice.integers(0, 64, 20_000, np.uint64)
    start = time.process_time()
    found = families_of_hashes(values)
    assert time.process_time() - start < 5
    assert set(found[:20_000].tolist()) == {0} and set(found[20_000:40_000].tolist()) == {20_000}
    assert found[40_000:].tolist() == list(range(40_000, 60_000))


def test_a_flat_hash_tells_nothing() -> None:
    assert telling(_column([0, 0xF, 0x1F, BASE, ALL, ALL ^ 0xF, ALL ^ 0x1F])).tolist() == [
        False, False, True, True, False, False, True,
    ]  # fmt: skip
