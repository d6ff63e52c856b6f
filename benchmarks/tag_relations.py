"""What a site's whole tables cost: writing, reading, memory, and pruning captions by them: `python benchmarks/tag_relations.py`.

The tables are drawn at random in the size of e621's of May 2025 (64,085 aliases, 52,868 implications), five steps deep.
"""

import random
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

from lorasmith.tags.relations import Relation, read_relations, write_relations
from lorasmith.tags.tokens import count_tokens, meter

ALIASES, IMPLICATIONS, TAGS, CAPTIONS, LENGTH = 64_085, 52_868, 40_000, 1_000, 60


def rows(rng: random.Random) -> Iterator[Relation]:
    """Draws relations; a tag implies one of a lower tenth, so that no ring is drawn."""
    for number in range(ALIASES):
        yield Relation("alias", f"another_name_{number}", f"some_tag_{rng.randrange(TAGS)}")
    for _ in range(IMPLICATIONS):
        tag = rng.randrange(TAGS // 50, TAGS)
        yield Relation("implies", f"some_tag_{tag}", f"some_tag_{rng.randrange(max(1, tag // 10))}")


def timed(what: str, start: float, per: int = 1, unit: str = "ms") -> None:
    print(f"{what:<40} {(time.perf_counter() - start) / per * 1000:8.2f} {unit}")


def main() -> None:
    """Measures once and prints."""
    rng = random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "e621.tsv"
        start = time.perf_counter()
        write_relations(path, "e621", rows(rng))
        timed(f"writing {path.stat().st_size / 1e6:.1f} MB", start)
        start = time.perf_counter()
        read_relations(path)
        timed("reading", start)
        tracemalloc.start()
        found = read_relations(path)
        print(f"{'memory':<40} {tracemalloc.get_traced_memory()[0] / 1e6:8.1f} MB")
        tracemalloc.stop()
    captions = [[f"some_tag_{rng.randrange(TAGS)}" for _ in range(LENGTH)] for _ in range(CAPTIONS)]
    start = time.perf_counter()
    gone = sum(len(found.pruned(caption)[1]) for caption in captions)
    timed(f"pruning a caption of {LENGTH} tags ({gone} gone in all)", start, CAPTIONS)
    start = time.perf_counter()
    count_tokens("solo")
    timed("CLIP's vocabulary, read once", start)
    texts = [", ".join(tag.replace("_", " ") for tag in caption[:30]) for caption in captions]
    start = time.perf_counter()
    for text in texts:
        meter(text)
    timed("metering a caption of 30 tags", start, CAPTIONS)


if __name__ == "__main__":
    main()
