"""Pictures that must not hurt, from `add` through prune and prepare: each is named with its reason, and none stops a run."""

import os
from pathlib import Path

import pytest
from PIL import Image

from lorasmith.project.project import Project
from lorasmith.settings.tables import PrepareSettings, PruneSettings
from lorasmith.stages.add import add_folder
from lorasmith.stages.prepare import prepare
from lorasmith.stages.prune import listing, prune
from lorasmith.stages.touch_up import touch_up
from lorasmith.stages.wishes import Wish
from tests.imaging.test_read_odd import BLUE, PICTURE, RED, REFUSED


def fill(folder: Path) -> set[str]:
    """Writes every odd picture into a folder; gives the names of those that can be read."""
    for name, content in REFUSED.items():
        (folder / name).write_bytes(content)
    good = {
        "good.png": (PICTURE, {}), "one pixel.png": (PICTURE.resize((1, 1)), {}), "wide.png": (PICTURE.resize((8000, 300)), {}),
        "cmyk.jpg": (PICTURE.convert("CMYK"), {}), "16 bit.png": (PICTURE.convert("I;16"), {}),
        "moving.webp": (RED.resize((300, 300)), {"save_all": True, "append_images": [BLUE.resize((300, 300))]}),
        "moving.gif": (RED.resize((301, 300)), {"save_all": True, "append_images": [BLUE.resize((301, 300))]}),
        "moving.png": (RED.resize((302, 300)), {"save_all": True, "append_images": [BLUE.resize((302, 300))]}),
        "palette.png": (PICTURE.resize((320, 400)).convert("P"), {"transparency": 0}),
    }  # fmt: skip
    for name, (picture, options) in good.items():
        picture.save(folder / name, **options)
    PICTURE.resize((310, 390)).save(folder / "a jpeg.png", "JPEG")
    PICTURE.resize((312, 392)).save(folder / "two\nlines good.png")
    return {*good, "a jpeg.png", "two\nlines good.png"}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_odd_pictures_are_named_with_the_reason_and_none_stops_a_run(tmp_path: Path) -> None:
    own, secret = tmp_path / "own", tmp_path / "secret.txt"
    own.mkdir()
    good = fill(own)
    secret.write_text("not a picture", encoding="utf-8")
    (own / "link out.png").symlink_to(secret)
    with Project.create(tmp_path / "p", "nick") as project:
        added = add_folder(project, own)
        assert added.added == len(good)
        for name in (*REFUSED, "link out.png"):
            assert any(name in sentence for sentence in added.failed), name
        assert len(added.failed) == len(REFUSED) + 1
        pruned = prune(project, PruneSettings(min_side=64))
        assert pruned.reasons["too small"] == 1 and pruned.reasons["too long and narrow"] == 1
        assert {line.reason for line in listing(project)} >= {"too small", "too long and narrow", "nearly blank"}
        touch_up(project, Wish(("trim",)))
        prepare(project, PrepareSettings())
        for one in project.pictures.trained():
            with Image.open(project.file_of(one)) as image:
                image.load()
        broken = project.file_of(project.pictures.kept()[0])
        broken.write_bytes(b"spoilt later")
        again = touch_up(project, Wish(("background grey",)))
        assert any(broken.name in sentence for sentence in again.failed)
