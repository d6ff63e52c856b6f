"""What the Tag page asks of the server, of a large project: each question timed, and the memory that stays.

    python benchmarks/tag_page.py [pictures] [tags a picture] [labels of the stored scores] [rounds]

The project is that of benchmarks/tag_edits.py. Told are the first answer and the best of the later ones in milliseconds.
"""

import random
import struct
import sys
import tempfile
import time
from pathlib import Path

import psutil
from starlette.applications import Starlette
from starlette.testclient import TestClient

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.tag_edits import fill
from lorasmith.jobs.place import Work
from lorasmith.jobs.queue import Queue
from lorasmith.jobs.store import Job
from lorasmith.project.pictures import Caption
from lorasmith.project.project import Project
from lorasmith.stages.tag.index import LABELS
from lorasmith.ui.context import Context
from lorasmith.ui.projects.recent import Projects
from lorasmith.ui.routes import routes
from lorasmith.ui.thumbs import Thumbs

ASKED: tuple[tuple[str, dict[str, str]], ...] = (
    ("page", {}), ("page", {"page": "50"}), ("page", {"where": "smile AND NOT closed_eyes"}), ("page", {"where": "*_eyes"}),
    ("page", {"where": "unset:framing"}), ("page", {"where": "score(smile)>0.3"}), ("page", {"where": "tokens>75"}),
    ("page", {"where": "tags>35", "order": "most tags"}), ("picture", {"name": "own_000500"}), ("offer", {"typed": "smi"}),
    ("trial", {"threshold": "0.6"}), ("trial", {"threshold": "0.3"}), ("trial", {"threshold": "0.8", "for": "smile"}),
    ("consolidation", {}), ("audit", {}), ("disagreements", {}),
)  # fmt: skip


class NoPlace:
    """Takes jobs and never begins."""

    def start(self, job: Job, log: Path) -> Work:
        """Refuses."""
        raise OSError("not here")


def furnish(project: Project, tagger: Path, pictures: int, labels: int) -> None:
    """Puts real vectors, captions and a tag list where the filled project has none."""
    names = project.fact(f"{LABELS}wd")
    tagger.mkdir()
    rows = "".join(f"{place},{name},0,9\n" for place, name in enumerate(names))
    (tagger / "selected_tags.csv").write_text(f"tag_id,name,category,count\n{rows}", encoding="utf-8")
    luck = random.Random(2)
    with project.transaction():
        for place in range(pictures):
            vector = bytearray(struct.pack("<e", 0.001) * labels)
            for at in luck.sample(range(labels), 120):
                struct.pack_into("<e", vector, 2 * at, luck.random())
            project.caches.keep_scores(f"{place:064x}", "wd", bytes(vector))
            name = f"own_{place:06d}"
            text = ", ".join(["zorvex", *(luck.choice(names).replace("_", " ") for _ in range(14))])
            project.pictures.set_caption("default", Caption(name, text))


def main(pictures: int = 10_000, tags: int = 40, labels: int = 10_861, rounds: int = 5) -> None:
    """Fills a project and asks all that the page asks."""
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        with Project.create(home / "p", "zorvex", chosen={"tag": {"tagger": str(home / "wd")}}) as project:
            fill(project, pictures, tags, labels)
            furnish(project, home / "wd", pictures, labels)
        queue = Queue(home / "jobs", NoPlace())
        context = Context(Projects(home / "projects.json"), queue, Thumbs(home / "thumbs"), home)
        known = context.projects.remember(home / "p")
        memory = psutil.Process().memory_info
        begun = memory().rss
        with TestClient(Starlette(routes=routes(context))) as client:
            for what, words in ASKED:
                times = []
                for _ in range(rounds):
                    start = time.perf_counter()
                    answer = client.get(f"/api/tags/{what}", params={"project": known.id} | words)
                    times.append(1000 * (time.perf_counter() - start))
                    assert answer.status_code == 200, answer.text
                words_told = " ".join(words.values())
                grown = (memory().rss - begun) / 1e6
                told = f"{what + ' ' + words_told:<46} first {times[0]:8.1f} ms   then {min(times[1:]):8.1f} ms"
                print(f"{told}   +{grown:.0f} MB", flush=True)
        queue.close()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
