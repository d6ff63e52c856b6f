"""Ten thousand pictures: every page asks for a part of them, and no answer grows with the project."""

from pathlib import Path

import pytest

from lorasmith.demo.demo import model_files
from lorasmith.project.pictures import Caption, Picture, Tag
from lorasmith.project.project import Project
from tests.ui.asking import ASKED, ask, asking
from tests.ui.whole import whole_project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
MANY = 10_000
LARGEST = 400_000  # bytes of one answer; a page of 100 pictures with their captions has 60,000
ALL_NAMES = "prune/names"  # what a person goes through one by one


def many_pictures(folder: Path) -> Path:
    """Makes a whole project to which ten thousand pictures were added."""
    whole_project(folder, model_files()[0])
    facts = {"md5": "0" * 32, "bytes": 1, "width": 640, "height": 800}
    with Project.open(folder) as project, project.change("add", "add"), project.transaction():
        for number in range(MANY):
            name = f"more_{number:05d}"
            post = {"site": "e621", "id": number, "score": number % 900, "rating": "s"}
            file = f"images/{name}.png"
            project.pictures.add(Picture(name, file=file, origin="booru", post=post, sha256=f"{number:064x}", **facts))
            project.pictures.set_tags(name, "booru", [Tag("fox", "general", "booru"), Tag(f"tag_{number % 700}", "general", "booru")])
            project.pictures.set_caption("default", Caption(name, "nick, solo, standing"))
    return folder


def test_ten_thousand_pictures_are_shown_in_parts_on_every_page(tmp_path: Path) -> None:
    folder = many_pictures(tmp_path / "p")
    with asking(folder, tmp_path) as client:
        for name in ASKED:
            answer = ask(client, name)
            assert answer.status_code == 200 or name == "tags/trial", (name, answer.text)
            assert len(answer.content) < LARGEST or name == ALL_NAMES, (name, len(answer.content))
        assert len(ask(client, "prune/page").json()["pictures"]) == len(ask(client, "tags/page").json()["pictures"]) == 100
        for stage in ("download", "prepare"):
            assert 48 <= ask(client, f"view/{stage}").text.count("<figure") <= 60
        counts = {one["name"]: one["count"] for one in ask(client, "state").json()["stages"]}
        assert counts["download"][0] == MANY + 6
