"""Prune's first pass over new pictures beside Pillow's bare decoding of them, and its second pass over known ones.

    python benchmarks/prune_pass.py [new pictures] [known pictures]

Told is: the wall seconds of the first pass over new JPEG and PNG pictures of 2 megapixels (1,000 unless told), against the
seconds that Pillow alone needs to decode the same files in full on as many threads; the seconds of a second pass over 10,000
pictures that were measured before (the measures of the new ones under other names); and the peak memory of it all.
"""

import os
import random
import resource
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from PIL import Image

from lorasmith.demo import posts
from lorasmith.demo.drawn import Files
from lorasmith.project.pictures import Picture, Tag
from lorasmith.project.project import Project
from lorasmith.settings.tables import PruneSettings
from lorasmith.stages.prune import measure_all, prune

SIZE = (1632, 1224)
FORMS = (".jpg", ".jpg", ".jpg", ".png")  # three of four are JPEG, as on the boorus


def draw(folder: Path, count: int) -> None:
    """Makes pictures of the demo's world at 2 megapixels, each file another by a few bytes behind its end."""
    everything = [post for post in posts.posts() if post.visible][:12]
    files = Files(everything, folder / "drawn")
    files.draw_all(everything)
    bodies = {}
    for place, post in enumerate(everything):
        data = next((folder / "drawn").rglob(f"*{post.id}*")).read_bytes()
        for form in set(FORMS):
            path = folder / f"body{place}{form}"
            path.write_bytes(data)
            with Image.open(path) as image:
                grown = image.convert("RGB").resize(SIZE, Image.Resampling.LANCZOS)
            grown.save(path, quality=90)
            bodies[place, form] = path.read_bytes()
            path.unlink()
    for number in range(count):
        form = FORMS[number % len(FORMS)]
        body = bodies[number % len(everything), form]
        (folder / f"{number}{form}").write_bytes(body + number.to_bytes(4, "big"))
    files.close()


def decode(path: Path) -> None:
    """Decodes a file in full, as Pillow does."""
    with Image.open(path) as image:
        image.load()


def main(new: int, known: int) -> None:
    """Prints the table."""
    with tempfile.TemporaryDirectory() as place:
        source = Path(place) / "own"
        source.mkdir()
        draw(source, new)
        paths = sorted(path for path in source.iterdir() if path.is_file())
        with Project.create(Path(place) / "p", "nick") as project:
            luck = random.Random(1)
            with project.change("add", "add"):
                for path in paths:
                    add(project, path, luck)
            began = time.perf_counter()
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                list(pool.map(decode, [project.file_of(one) for one in project.pictures.originals()]))
            decoding = time.perf_counter() - began
            began = time.perf_counter()
            measure_all(project)
            first = time.perf_counter() - began
            print(f"first pass over {new} new pictures: {first:.1f} s; Pillow's decoding alone {decoding:.1f} s: "
                  f"{decoding / first:.2f} of it")  # fmt: skip
            originals = project.pictures.originals()
            with project.transaction():
                for number in range(known - new):
                    like = originals[number % len(originals)]
                    project.pictures.add(replace(like, name=f"e621_{10**6 + number}"))
                    project.pictures.set_tags(f"e621_{10**6 + number}", "booru", tags(luck))
            began = time.perf_counter()
            measure_all(project)
            print(f"second pass over {known} known pictures, measures alone: {time.perf_counter() - began:.2f} s")
            began = time.perf_counter()
            prune(project, PruneSettings())
            print(f"prune over the same, decisions, coverage and sheets with it: {time.perf_counter() - began:.2f} s")
            print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def add(project: Project, path: Path, luck: random.Random) -> None:
    """Adds a file as a download would have."""
    from lorasmith.project.pictures import facts_of

    target = project.images / f"e621_{path.stem}{path.suffix}"
    path.rename(target)
    post = {"site": "e621", "id": int(path.stem), "score": luck.randrange(500)}
    project.pictures.add(Picture(target.stem, origin="booru", post=post, **facts_of(project.folder, target, SIZE)))
    project.pictures.set_tags(target.stem, "booru", tags(luck))


def tags(luck: random.Random) -> list[Tag]:
    """Gives as many tags as a post has."""
    return [Tag(f"tag_{luck.randrange(2000)}", "general", "booru") for _ in range(40)]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000, int(sys.argv[2]) if len(sys.argv) > 2 else 10_000)
