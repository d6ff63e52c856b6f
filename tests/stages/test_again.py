"""Again: the last erasing another time, from the picture it was made from, with less, with more, or with another seed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from lorasmith.errors import UsageError
from lorasmith.imaging.read import save_png
from lorasmith.project.project import Project
from lorasmith.rendering.prompt import RenderingError
from lorasmith.stages.add.stage import add_folder
from lorasmith.stages.prepare.edits import mask_file
from lorasmith.stages.prune.stage import decide_by_hand
from lorasmith.stages.touch_up.erase import erase
from lorasmith.stages.touch_up.stage import touch_up
from lorasmith.stages.touch_up.wishes import Wish
from tests.imaging.drawing import creature
from tests.stages.brush import Painter

pytestmark = pytest.mark.usefixtures("marks_seen_once")
STAIN = (450, 600, 540, 640)


def written(words: tuple[str, ...]) -> Image.Image:
    picture = creature("sitting", "meadow", (600, 700), seed=3).picture.convert("RGB")
    pen = ImageDraw.Draw(picture)
    for place, word in enumerate(words):
        pen.text((40, 20 + 70 * place), word, "black", ImageFont.load_default(44), stroke_width=1, stroke_fill="white")
    return picture


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    source = tmp_path / "own"
    source.mkdir()
    written(("HELLO WORLD", "GOOD MORNING")).save(source / "a.png")
    (source / "a.txt").write_text("solo, text, english text, forest", encoding="utf-8")
    with Project.create(tmp_path / "p", "nick") as opened:
        add_folder(opened, source)
        yield opened


@pytest.fixture
def name(project: Project) -> str:
    return project.pictures.originals()[0].name


def pixels(project: Project, name: str) -> np.ndarray[Any, Any]:
    with Image.open(project.file_of(project.pictures.get(name))) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def changed(project: Project, one: str, two: str, box: tuple[int, int, int, int]) -> float:
    left, top, right, bottom = box
    differ = np.abs(pixels(project, one) - pixels(project, two)).max(axis=2) > 0
    return float(differ[top:bottom, left:right].mean())


def box_of(result: Any, number: int) -> tuple[int, int, int, int]:
    found: tuple[int, int, int, int] = next(mark.box for mark in result.marks if mark.number == number)
    return found


def test_a_preview_numbers_the_marks_and_one_of_them_can_be_left(project: Project, name: str) -> None:
    seen = touch_up(project, Wish(("erase text,signature",), preview=True, names=(name,)))
    assert [mark.number for mark in seen.marks] == [1, 2] and all(mark.erased for mark in seen.marks)
    result = touch_up(project, Wish(("erase text,signature",), names=(name,), without=(2,)))
    assert [mark.erased for mark in result.marks] == [True, False]
    assert changed(project, name, f"{name}.2", box_of(seen, 1)) > 0 == changed(project, name, f"{name}.2", box_of(seen, 2))
    assert "english_text" in project.pictures.said(f"{name}.2")  # there still is some


def test_again_starts_from_the_picture_before_the_erasing_and_does_the_later_steps_too(project: Project, name: str) -> None:
    first = touch_up(project, Wish(("erase text,signature",)))
    touch_up(project, Wish(("crop 0,0,600,650",)))
    result = touch_up(project, Wish(("again",), names=(name,), without=(1,), boxes=(STAIN,)))
    assert result.made == (f"{name}.4",) and result.changed == 1
    newest = project.pictures.newest_version(name)
    assert (newest.name, newest.parent, newest.height) == (f"{name}.4", name, 650)
    before, after = pixels(project, name)[:650], pixels(project, newest.name)
    left, top, right, bottom = box_of(first, 1)
    assert (before[top:bottom, left:right] == after[top:bottom, left:right]).all()
    left, top, right, bottom = STAIN
    assert (before[top:bottom, left:right] != after[top:bottom, left:right]).any()
    assert [one.name for one in project.pictures.trained()] == [f"{name}.4"]
    with Image.open(result.sheet) as sheet:
        assert sheet.width > 3 * 256
    project.undo()
    assert project.pictures.newest_version(name).name == f"{name}.3"
    project.redo()
    assert project.pictures.newest_version(name).name == f"{name}.4"


def test_with_every_mark_left_out_again_the_picture_as_it_was_takes_the_erased_ones_place(project: Project, name: str) -> None:
    touch_up(project, Wish(("erase text,signature",), names=(name,)))
    assert "text" not in project.pictures.said(f"{name}.2")
    result = touch_up(project, Wish(("again",), names=(name,), without=(1, 2)))
    assert result.changed == 1 and result.made == (f"{name}.3",)
    assert (pixels(project, f"{name}.3") == pixels(project, name)).all()
    assert "text" in project.pictures.said(f"{name}.3")
    assert project.pictures.newest_version(name).name == f"{name}.3"


def test_what_is_said_again_is_added_to_what_was_said(project: Project, name: str) -> None:
    first = touch_up(project, Wish(("erase text,signature",)))
    touch_up(project, Wish(("again",), names=(name,), without=(1,)))
    touch_up(project, Wish(("redo",), names=(name,), boxes=(STAIN,)))
    newest = project.pictures.newest_version(name)
    assert newest.parent == name and changed(project, name, newest.name, box_of(first, 1)) == 0
    assert changed(project, name, newest.name, STAIN) > 0


def test_another_seed_is_drawn_with_the_mask_of_an_erase_by_hand(project: Project, name: str, tmp_path: Path) -> None:
    mask = Image.new("L", (600, 700))
    ImageDraw.Draw(mask).ellipse(STAIN, fill=255)
    save_png(mask, tmp_path / "mask.png")
    painter = Painter()
    erase(project, name, tmp_path / "mask.png", renderer=painter, prompt="grass")
    touch_up(project, Wish(("background grey",)))
    for gone in (False, True):
        if gone:  # as a version of an older time: the mask is seen by what changed
            mask_file(project, f"{name}.2").unlink()
            project.undo()
        touch_up(project, Wish(("again",), seed=7, names=(name,)), renderer=painter)
        prompt, box = painter.asked[-1]
        newest = project.pictures.newest_version(name)
        assert (prompt.text, prompt.seed, newest.parent) == ("grass", 7, name) and box is not None
        assert max(abs(a - b) for a, b in zip(box, STAIN, strict=True)) <= 2
        assert "grey_background" in project.pictures.said(newest.name)
    asked = len(painter.asked)
    assert touch_up(project, Wish(("again",), seed=7), renderer=painter).changed == 0  # that is there already
    touch_up(project, Wish(("again",)), renderer=painter)
    assert len(painter.asked) == asked + 1 and painter.asked[-1][0].seed == 8  # the next one


def test_a_dropped_erasing_can_be_made_again(project: Project, name: str) -> None:
    touch_up(project, Wish(("erase text,signature",)))
    decide_by_hand(project, "drop", [f"{name}.2"])
    touch_up(project, Wish(("again",), names=(name,), boxes=(STAIN,)))
    assert [one.name for one in project.pictures.trained()] == [f"{name}.3"]


def test_a_painted_mask_alone_is_erased_and_added_to(project: Project, name: str, tmp_path: Path) -> None:
    mask = Image.new("L", (600, 700))
    ImageDraw.Draw(mask).rectangle(STAIN, fill=255)
    save_png(mask, tmp_path / "mask.png")
    touch_up(project, Wish(("erase mask",), names=(name,), mask=tmp_path / "mask.png"))
    assert set(project.pictures.said(f"{name}.2")) == set(project.pictures.said(name))
    touch_up(project, Wish(("again",), names=(name,), boxes=((10, 300, 60, 340),)))
    newest = project.pictures.newest_version(name)
    assert changed(project, name, newest.name, STAIN) > 0 < changed(project, name, newest.name, (10, 300, 60, 340))


def test_marks_that_the_whole_set_told_are_known_again(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    for place in range(3):
        picture = creature("sitting", "meadow", (600, 700), seed=place).picture.convert("RGB")
        pen = ImageDraw.Draw(picture)
        pen.text((410, 650), "@lovelyart", "white", ImageFont.load_default(32), stroke_width=2, stroke_fill="black")
        picture.save(tmp_path / "own" / f"{place}.png")
    with Project.create(tmp_path / "p", "nick") as project:
        add_folder(project, tmp_path / "own")
        first = touch_up(project, Wish(("erase repeated",)))
        assert first.changed == 3
        one = first.marks[0]
        touch_up(project, Wish(("again",), names=(one.picture,), boxes=((0, 0, 20, 20),)))
        newest = project.pictures.newest_version(one.picture).name
        assert changed(project, one.picture, newest, one.box) > 0 < changed(project, one.picture, newest, (0, 0, 20, 20))


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (Wish(("again",)), "again with what"),
        (Wish(("again",), seed=3), "changes nothing without --webui"),
        (Wish(("erase text",), without=(1,)), "name it with --names"),
        (Wish(("erase text", "again"), names=("x",)), "stands alone"),
        (Wish(("trim",), boxes=((1, 2, 3, 4),), names=("x",)), "no step erases"),
    ],
)
def test_words_that_say_nothing_together_are_refused(project: Project, wish: Wish, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        touch_up(project, wish)


def test_what_is_not_there_is_said(project: Project, name: str, tmp_path: Path) -> None:
    result = touch_up(project, Wish(("again",), names=(name,), boxes=(STAIN,)))
    assert result.failed == (f"Nothing was erased in {name} yet.",)
    with pytest.raises(UsageError, match="has 2 marks, and no number 9"):
        touch_up(project, Wish(("erase text,signature",), names=(name,), without=(9,)))
    assert not project.pictures.edits_of(name)
    touch_up(project, Wish(("erase text,signature",), names=(name,)))
    with pytest.raises(UsageError, match="say again in place"):
        touch_up(project, Wish(("erase text,signature",), names=(name,), without=(1,)))


class Dying(Painter):
    """A renderer whose host goes away after some pictures."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after

    def inpaint(self, *asked: Any, **more: Any) -> Image.Image:
        """Paints, or tells that nobody answers."""
        self.left -= 1
        if self.left < 0:
            raise RenderingError("The WebUI does not answer.")
        return super().inpaint(*asked, **more)


def test_a_renderer_that_dies_leaves_what_was_finished_and_the_same_call_goes_on(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    for place in range(3):
        picture = written(("HELLO WORLD",))
        picture.putpixel((0, 0), (place, 0, 0))
        picture.save(tmp_path / "own" / f"{place}.png")
    with Project.create(tmp_path / "p", "nick") as project:
        add_folder(project, tmp_path / "own")
        names = [one.name for one in project.pictures.originals()]
        wish = Wish(("erase text,signature",))
        with pytest.raises(RenderingError):
            touch_up(project, wish, renderer=Dying(1))
        assert [len(project.pictures.edits_of(name)) for name in names] == [1, 0, 0]
        assert touch_up(project, wish, renderer=Painter()).changed == 2
        again = Wish(("again",), seed=5)
        with pytest.raises(RenderingError):
            touch_up(project, again, renderer=Dying(2))
        assert touch_up(project, again, renderer=Painter()).changed == 1
        assert [len(project.pictures.edits_of(name)) for name in names] == [2, 2, 2]


def test_a_picture_whose_file_is_gone_is_named_and_the_others_are_done(project: Project, name: str, tmp_path: Path) -> None:
    touch_up(project, Wish(("erase text,signature",)))
    project.file_of(project.pictures.get(name)).unlink()
    result = touch_up(project, Wish(("again",), names=(name,), boxes=(STAIN,)))
    assert result.changed == 0 and "cannot be read" in result.failed[0]
    assert project.pictures.newest_version(name).name == f"{name}.2"
