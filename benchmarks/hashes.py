"""Families among picture hashes on one thread: `python benchmarks/hashes.py [bits]`.

Random 64-bit hashes of which a fifth are copies with up to four bits turned; then the cases that hurt: 200,000 of a million
equal, blank with noise, or alike in half of their bits, and bits that are seldom 1. Told are CPU seconds. All with all, in
blocks that stay in the cache, is run at 20,000 and multiplied up to the other sizes. Memory is the process's peak.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import psutil

from lorasmith.imaging.hashes import Hashes, families_of_hashes

MILLION = 1_000_000
HURT = 200_000


def planted(count: int, seed: int, share: float = 0.2) -> Hashes:
    """Makes hashes of which a share are copies of others with up to four bits turned."""
    dice = np.random.default_rng(seed)
    values = dice.integers(0, 2**64, count, np.uint64)
    copies = int(count * share)
    values[count - copies :] = values[dice.integers(0, count - copies, copies)]
    for _ in range(4):
        flips = np.uint64(1) << dice.integers(0, 64, copies, np.uint64)
        values[count - copies :] ^= np.where(dice.random(copies) < 0.6, flips, np.uint64(0))
    return dice.permutation(values)


def sparse(count: int, chances: np.ndarray, seed: int) -> Hashes:
    """Makes hashes whose bits are 1 with those chances."""
    dice = np.random.default_rng(seed)
    values = np.zeros(count, np.uint64)
    for bit, chance in enumerate(chances):
        values |= (dice.random(count) < chance).astype(np.uint64) << np.uint64(bit)
    return values


def all_with_all(values: Hashes, bits: int) -> int:
    """Counts the near pairs by comparing each with each after it."""
    found = 0
    for start in range(0, len(values), 16):
        block = values[start : start + 16]
        found += int((np.bitwise_count(block[:, None] ^ values[None, start:]) <= bits).sum())
    return found


def seconds(work: Callable[..., object], *arguments: object) -> float:
    began = time.process_time()
    work(*arguments)
    return time.process_time() - began


def cases() -> dict[str, Hashes]:
    made = {f"{count:,} with planted copies": planted(count, 1) for count in (20_000, 100_000, MILLION)}
    million = made[f"{MILLION:,} with planted copies"]
    hurt = {
        "1,000,000, 200,000 of them equal": np.full(HURT, million[0]),
        "1,000,000, 200,000 of them blank": np.zeros(HURT, np.uint64),
        "1,000,000, 200,000 blank with noise": sparse(HURT, np.full(64, 0.05), 2),
        "1,000,000, 200,000 alike in half": million[:HURT] & np.uint64(0xFFFF_FFFF),
    }
    made |= {name: np.concatenate([values, million[HURT:]]) for name, values in hurt.items()}
    made["1,000,000 with bits seldom 1"] = sparse(MILLION, np.random.default_rng(3).beta(2, 3, 64), 4)
    return made


def main(bits: int) -> None:
    all_of_them = cases()
    before = psutil.Process().memory_info().rss
    brute = min(seconds(all_with_all, planted(20_000, 1), bits) for _ in range(3))
    print(f"all with all at 20,000: {brute:.2f} s; larger sizes multiplied up")
    for name, values in all_of_them.items():
        took = min(seconds(families_of_hashes, values, bits) for _ in range(2))
        pairs = brute * (len(values) / 20_000) ** 2
        print(f"{name:38} {took:6.2f} s   all with all / ours {pairs / took:8.0f}")
    if sys.platform != "win32":
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        print(f"peak memory {peak / 1e6:.0f} MB, of which {before / 1e6:.0f} MB were there before: Python and all the hashes")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 4)
