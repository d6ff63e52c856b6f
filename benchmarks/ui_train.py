"""What the Train page asks of the server, of a large project: each question timed, first and again.

    python benchmarks/ui_train.py [pictures]
"""

import random
import sys
import tempfile
import time
from pathlib import Path

from starlette.applications import Starlette
from starlette.testclient import TestClient

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.tag_page import NoPlace
from lorasmith.demo.demo import model_files
from lorasmith.jobs.queue import Queue
from lorasmith.project.pictures import Caption, Picture
from lorasmith.project.project import Project
from lorasmith.ui.context import Context
from lorasmith.ui.projects.recent import Projects
from lorasmith.ui.routes import routes
from lorasmith.ui.thumbs import Thumbs
from tests.ui.trainable import story, write_run

ASKED: tuple[tuple[str, dict[str, str]], ...] = (
    ("form", {}), ("plan", {}), ("rates", {}), ("rates", {"epochs": "8"}), ("rates", {"strength": "1.2"}), ("run", {}),
)  # fmt: skip


def fill(folder: Path, pictures: int) -> None:
    """Makes a project of so many pictures of all shapes, with a long run."""
    luck = random.Random(1)
    chosen = {"train": {"checkpoint": str(model_files()[0])}}
    with Project.create(folder, "nick", chosen=chosen) as project, project.change("add", "add"):
        for number in range(pictures):
            name = f"own_{number:06d}"
            (project.images / f"{name}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
            facts = {"file": f"images/{name}.png", "sha256": f"{number:064x}", "md5": "0" * 32, "bytes": 8}
            size = {"width": luck.randint(400, 2400), "height": luck.randint(400, 2400)}
            project.pictures.add(Picture(name, origin="folder", **size, **facts))
            project.pictures.set_caption("default", Caption(name, "nick, solo, standing"))
    write_run(folder, [row for row in story(20_000) if row["event"] in ("start", "step")], steps=20_000)


def main(pictures: int) -> None:
    """Prints a line for each question: milliseconds the first time, and the best of three later ones."""
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        fill(home / "p", pictures)
        context = Context(Projects(home / "projects.json"), Queue(home / "jobs", NoPlace()), Thumbs(home / "thumbs"), home)
        known = context.projects.remember(home / "p")
        with TestClient(Starlette(routes=routes(context))) as client:
            for what, words in ASKED:
                times = []
                for _ in range(4):
                    begun = time.perf_counter()
                    answer = client.get(f"/api/train/{what}", params={"project": known.id, **words})
                    times.append(1000 * (time.perf_counter() - begun))
                    assert answer.status_code == 200, answer.text
                sys.stdout.write(f"{what:6} {str(words or ''):<24} first {times[0]:7.0f} ms, again {min(times[1:]):6.1f} ms\n")
        context.queue.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
