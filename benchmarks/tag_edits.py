"""Filters, counts, batch edits and opening of a large project, each timed several times.

    python benchmarks/tag_edits.py [pictures] [tags a picture] [labels of the stored scores] [rounds]

A project is made with that many pictures, each with so many tags of two sources out of 3,000 names, and a stored score
vector each (0 labels: none). Told are the best of the rounds in milliseconds, and the processor's time of that round, which
other work on the machine does not lengthen; work that a page does once
when it opens a project (the index) and work that it does at each click are told apart.
"""

import random
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from lorasmith.project.pictures import Picture
from lorasmith.project.project import Project
from lorasmith.stages.tag.audit import audit_tags
from lorasmith.stages.tag.edit_tags import TagEdit, edit_tags
from lorasmith.stages.tag.index import LABELS, open_index
from lorasmith.tags.filter import read_filter
from lorasmith.tags.groups import TABLE

FILTERS = (
    "smile", "smile AND NOT closed_eyes", "*_eyes", "group:mouth", "(smile | open_mouth) -solo", "name:own_12*", "tags>35",
    "unset:framing", "is:original", "NOT (*a* | *e*)",
)  # fmt: skip
SCORED = ("score(smile)>0.3 AND NOT tag:smile", "score(open_mouth)<0.1")


def fill(project: Project, pictures: int, tags: int, labels: int) -> None:
    """Writes the rows of a large project; names follow a falling curve, as those of boorus do."""
    luck = random.Random(1)
    known = sorted(TABLE)[:1500]
    names = ["smile", "open_mouth", "closed_eyes", "solo", *known, *(f"rare_tag_{place}" for place in range(3000 - len(known) - 4))]
    weights = [1 / (place + 10) for place in range(len(names))]
    vector = b"".join(struct.pack("<e", luck.random()) for _ in range(labels))
    with project.transaction():
        for place in range(pictures):
            name = f"own_{place:06d}"
            project.pictures.add(Picture(name, f"images/{name}.png", "folder", 800, 600, 9, f"{place:064x}", f"{place:032x}"))
            chosen = list(dict.fromkeys(luck.choices(names, weights, k=tags * 2)))[:tags]
            rows = [(name, "booru", tag, "general", 1.0) for tag in chosen]
            rows += [(name, "tagger:wd", tag, "general", 0.5) for tag in chosen[::2]]
            project._connection.executemany("INSERT INTO tags (picture, source, tag, category, score) VALUES (?, ?, ?, ?, ?)", rows)
            if labels:
                project.caches.keep_scores(f"{place:064x}", "wd", vector[2 * place :] + vector[: 2 * place])
        if labels:
            project.remember(f"{LABELS}wd", ["smile", *(f"label_{place}" for place in range(labels - 2)), "open_mouth"])


def told(what: str, rounds: int, work: Callable[[], object], after: Callable[[], object] = lambda: None) -> None:
    """Times some work and writes a line."""
    times = []
    for _ in range(rounds):
        start, busy = time.perf_counter(), time.process_time()
        work()
        times.append((time.perf_counter() - start, time.process_time() - busy))
        after()
    best = min(times)
    print(f"{what:<46} {best[0] * 1000:8.1f} ms   processor {best[1] * 1000:8.1f} ms", flush=True)


def main(pictures: int = 10_000, tags: int = 40, labels: int = 10_861, rounds: int = 5) -> None:
    """Fills a project and times all that an editor does with it."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "p"
        with Project.create(folder, "zorvex") as project:
            fill(project, pictures, tags, labels)
        size = (folder / "project.db").stat().st_size / 1e6
        print(f"{pictures} pictures, {tags} tags each, {labels} scores each; project.db {size:.0f} MB")
        told("open the project", rounds, lambda: Project.open(folder).close())
        told("open it to read", rounds, lambda: Project.open(folder, writing=False).close())
        with Project.open(folder) as project:
            told("build the index", rounds, lambda: open_index(project))
            index = open_index(project)
            told("count all tags", rounds, index.counts)
            for text in FILTERS + (SCORED if labels else ()):
                term = read_filter(text)
                term.holds(index)  # what is read once for an open index (who is unanswered, one label's scores) is not counted
                told(f"filter {text}", rounds, lambda term=term: term.holds(index))
            told("filter smile, and count among what it means", rounds, lambda: index.counts(read_filter("smile").holds(index)))
            if labels:
                told("a score's column for the first time", 1, lambda: open_index(project).numbers("score", "open_mouth"))
            edits = [
                TagEdit("add", ("new_tag",)), TagEdit("replace", ("smile", "grin")),
                TagEdit("regex", (r"^rare_(\w+)", r"odd_\1")), TagEdit("remove", ("*a*",)),
                TagEdit("first", ("solo",)), TagEdit("sort", ("alphabet",)),
            ]  # fmt: skip
            for edit in edits:
                words = " ".join((edit.action, *edit.words))
                told(f"preview {words}", rounds, lambda edit=edit: edit_tags(project, edit, preview=True))
                told(f"apply {words}", rounds, lambda edit=edit: edit_tags(project, edit), project.undo)
            edit_tags(project, TagEdit("add", ("new_tag",)))
            told("undo add on all", 1, project.undo)
            told("audit", 1, lambda: audit_tags(project))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
