"""Prune's first pass over new pictures beside Pillow's bare decoding of them, and its second pass over known ones.

    python benchmarks/prune_pass.py [new pictures] [finish] [known pictures]

Pictures are scenes of the demo's world at 2 megapixels in one of three finishes (flat, shaded, painted; `one_decode.py` draws
them), three of four as JPEG of quality 90 and one as PNG. 48 files stand for all: the record has a row of its own for each
picture, and each is decoded and measured. Told are, wall and CPU seconds and the peak of memory by then:

1. the first pass, beside Pillow's full decoding of the same files on as many threads, once before and once after it;
2. prune as a whole over what is known by now, for the first time: decisions are written and sheets drawn;
3. the same again: the second pass. For both there are as many known pictures as told (10,000), the new ones among them; each has
   measures with hashes of its own, since 10,000 copies of 48 would be all twins.
"""

import os
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent))

from one_decode import drawn
from PIL import Image

from lorasmith.demo import posts
from lorasmith.imaging.measure import Measures
from lorasmith.project.pictures import Picture, Tag, facts_of
from lorasmith.project.project import Project
from lorasmith.settings.tables import PruneSettings
from lorasmith.stages.prune.stage import measure_all, prune

SIZE = (1632, 1224)
FILES = 48


def draw(folder: Path, finish: str) -> list[Path]:
    """Makes the files: three of four are JPEG, as on the boorus."""
    paths = []
    for number in range(FILES):
        path = folder / f"{number}{'.png' if number % 4 == 3 else '.jpg'}"
        drawn(*SIZE, finish, number // 2).save(path, quality=90)
        paths.append(path)
    return paths


def fill(project: Project, paths: list[Path], numbers: range, luck: random.Random) -> None:
    """Adds rows as downloads would have: each with a content hash, a post and forty tags of its own."""
    facts = [facts_of(project.folder, path, SIZE) for path in paths]
    words = sorted({(tag, category) for post in posts.posts() for category, tags in post.tags.items() for tag in tags})
    words += [(f"thing_{number}", "general") for number in range(2000)]
    with project.transaction():
        for number in numbers:
            name, digest = f"e621_{10**6 + number}", f"{luck.getrandbits(256):064x}"
            post = {"site": "e621", "id": 10**6 + number, "score": luck.randrange(500), "rating": "s", "fav_count": 9,
                    "sources": [f"https://example.org/{luck.getrandbits(60)}"], "pools": [], "children": []}  # fmt: skip
            file = facts[number % len(facts)] | {"sha256": digest, "md5": digest[:32]}
            project.pictures.add(Picture(name, origin="booru", post=post, **file))
            tags = [Tag(tag, category, "booru") for tag, category in luck.sample(words, 40)]
            project.pictures.set_tags(name, "booru", tags)


def make_different(project: Project, luck: random.Random) -> None:
    """Gives every picture measures with hashes of their own."""
    measured = [found for _, facts in project.caches.measures_of_all() if (found := Measures.from_dict(facts))]
    with project.transaction():
        for number, picture in enumerate(project.pictures.originals()):
            dhash, phash, pixels = (f"{luck.getrandbits(bits):0{bits // 4}x}" for bits in (64, 64, 128))
            other = replace(measured[number % len(measured)], dhash=dhash, phash=phash, pixel_sha=pixels)
            project.caches.keep_measures(picture.sha256, other.to_dict())


def decode_all(paths: list[Path], count: int) -> None:
    """Decodes files in full, as Pillow does, on all cores."""

    def decode(number: int) -> None:
        with Image.open(paths[number % len(paths)]) as image:
            image.load()

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(decode, range(count)))


def timed(words: str, work: Callable[[], object]) -> tuple[float, float]:
    """Runs it, tells the wall and CPU seconds and the peak of memory, and gives the seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{words:44} wall {wall:7.2f} s   CPU {cpu:7.2f} s   peak {peak:4.0f} MB", flush=True)
    return wall, cpu


def main(count: int, finish: str, known: int) -> None:
    """Prints the table."""
    luck = random.Random(1)
    print(f"{count} pictures, {finish}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as place, Project.create(Path(place) / "p", "nick") as project:
        paths = draw(project.images, finish)
        timed("(rows made)", lambda: fill(project, paths, range(count), luck))
        before = timed("Pillow's decoding alone", lambda: decode_all(paths, count))
        first = timed("first pass", lambda: measure_all(project))
        after = timed("Pillow's decoding alone, again", lambda: decode_all(paths, count))
        ratios = [(one + other) / 2 / ours for one, other, ours in zip(before, after, first, strict=True)]
        print(f"decoding / first pass: {ratios[0]:.2f} by wall, {ratios[1]:.2f} by CPU")
        fill(project, paths, range(count, known), luck)
        make_different(project, luck)
        print(f"{max(count, known)} known pictures")
        timed("prune, first decisions and sheets", lambda: prune(project, PruneSettings()))
        timed("second pass: prune again", lambda: prune(project, PruneSettings()))
        timed("second pass, once more", lambda: prune(project, PruneSettings()))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000, sys.argv[2] if len(sys.argv) > 2 else "flat",
         int(sys.argv[3]) if len(sys.argv) > 3 else 10_000)  # fmt: skip
