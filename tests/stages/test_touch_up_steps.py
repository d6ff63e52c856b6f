"""Touch-up's steps that change what a picture shows of a character: faceless, head-out, colours, flatten, and parts."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lorasmith.errors import UsageError
from lorasmith.project.project import Project
from lorasmith.stages.add.stage import add_folder
from lorasmith.stages.touch_up.operations import read_steps
from lorasmith.stages.touch_up.stage import touch_up
from lorasmith.stages.touch_up.wishes import Wish
from tests.imaging.drawing import creature
from tests.stages.brush import Painter

pytestmark = pytest.mark.usefixtures("marks_seen_once")
Make = Callable[..., AbstractContextManager[Project]]
TAGS = "solo, standing, green eyes, open mouth, smile, red fur, pointy ears, tail, looking at viewer, full body, hat"


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def made(picture: Image.Image, tags: str = TAGS) -> Project:
        (tmp_path / "own").mkdir()
        picture.save(tmp_path / "own" / "a.png")
        (tmp_path / "own" / "a.txt").write_text(tags, encoding="utf-8")
        project = Project.create(tmp_path / "p", "nick")
        add_folder(project, tmp_path / "own")
        return project

    return made


def only(project: Project) -> str:
    return project.pictures.originals()[0].name


def pixels(project: Project, name: str) -> np.ndarray[Any, Any]:
    with Image.open(project.file_of(project.pictures.get(name))) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def head_words(head: tuple[int, int, int, int]) -> str:
    return ",".join(str(side) for side in head)


def test_a_face_is_smoothed_over_and_its_tags_go(make: Make) -> None:
    drawing = creature("standing", "plain", (600, 700), seed=3)
    with make(drawing.picture.convert("RGB")) as project:
        name = only(project)
        touch_up(project, Wish((f"faceless {head_words(drawing.head)}",)))
        left, top, right, bottom = drawing.head
        before, after = pixels(project, name), pixels(project, f"{name}.2")
        outside = np.ones(before.shape[:2], bool)
        outside[top:bottom, left:right] = False
        assert (before[outside] == after[outside]).all()
        middle = np.s_[(3 * top + bottom) // 4 : (top + 3 * bottom) // 4, (3 * left + right) // 4 : (left + 3 * right) // 4]
        assert after[middle].reshape(-1, 3).std(axis=0).max() < 12 < before[middle].reshape(-1, 3).std(axis=0).max()
        said = set(project.pictures.said(f"{name}.2"))
        assert said == {"solo", "standing", "red_fur", "pointy_ears", "tail", "full_body", "hat", "faceless_character"}
        record = project.pictures.get(f"{name}.2").operation or {}
        assert record["dropped"]["green_eyes"] == "the face is gone"
        project.undo()
        assert "smile" in project.pictures.said(project.pictures.newest_version(name).name)


def test_a_head_is_covered_with_the_ground_or_cut_off(make: Make) -> None:
    drawing = creature("standing", "white", (600, 700), seed=3)
    with make(drawing.picture.convert("RGB")) as project:
        name = only(project)
        box = head_words(drawing.head)
        touch_up(project, Wish((f"faceless cover {box}",)))
        left, top, right, bottom = drawing.head
        assert pixels(project, f"{name}.2")[top:bottom, left:right].min() > 240
        assert set(project.pictures.said(f"{name}.2")) == {"solo", "standing", "red_fur", "tail", "head_out_of_frame"}
        project.undo()
        touch_up(project, Wish((f"head-out {box}",)))
        newest = project.pictures.newest_version(name)
        assert newest.height == 700 - bottom and "head_out_of_frame" in project.pictures.said(newest.name)


def test_a_model_draws_the_blank_face(make: Make) -> None:
    drawing = creature("standing", "plain", (600, 700), seed=3)
    painter = Painter()
    with make(drawing.picture.convert("RGB")) as project:
        touch_up(project, Wish((f"faceless {head_words(drawing.head)}",)), renderer=painter)
    assert len(painter.asked) == 1 and "faceless" in painter.asked[0][0].text


def test_a_head_that_is_not_found_is_said_and_nothing_is_changed(make: Make) -> None:
    with make(Image.new("RGB", (300, 300), (30, 90, 30))) as project:
        result = touch_up(project, Wish(("faceless", "head-out")))
        assert result.changed == 0
        assert list(result.not_done) == [f"{step}: no head was found surely enough; give its box" for step in ("faceless", "head-out")]


def test_transparency_is_laid_on_a_colour_with_its_tags(make: Make) -> None:
    drawing = creature("standing", "white", (600, 700), seed=3)
    clear = Image.fromarray(np.dstack([np.asarray(drawing.picture.convert("RGB")), drawing.mask]), "RGBA")
    with make(clear, "solo, transparent background") as project:
        name = only(project)
        with pytest.raises(UsageError, match="must be the first step"):
            touch_up(project, Wish(("trim", "flatten grey")))
        touch_up(project, Wish(("flatten grey",)))
        assert (pixels(project, f"{name}.2")[:5, :5] == 128).all()
        assert set(project.pictures.said(f"{name}.2")) == {"solo", "simple_background", "grey_background"}
        project.undo()
        touch_up(project, Wish(("flatten #204060",)))
        newest = project.pictures.newest_version(name).name
        assert (pixels(project, newest)[0, 0] == (32, 64, 96)).all()
        assert touch_up(project, Wish(("flatten white",))).changed == 0  # nothing is transparent any more


def test_eyes_are_recoloured_and_the_caption_says_the_new_colour(make: Make) -> None:
    from lorasmith.demo.creature import Creature
    from tests.imaging.known_parts import drawn_creature

    picture, truth = drawn_creature(Creature("red_fur", "pointy_ears", "green_eyes", "closed_mouth", "standing"), "eyes")
    with make(picture, "solo, green eyes, red fur") as project:
        name = only(project)
        touch_up(project, Wish(("recolour eyes #2050ff",)))
        after, before = pixels(project, f"{name}.2"), pixels(project, name)
        assert (np.abs(after - before).max(axis=2) > 20)[truth].mean() > 0.8
        assert set(project.pictures.said(f"{name}.2")) == {"solo", "blue_eyes", "red_fur"}


def test_the_steps_after_a_split_are_done_to_each_part_and_the_same_again_does_nothing(make: Make) -> None:
    page = Image.new("RGB", (1240, 720), "white")
    for place, seed in enumerate((3, 4)):
        page.paste(creature("sitting", "meadow", (600, 700), seed=seed).picture.convert("RGB"), (10 + 620 * place, 10))
    with make(page, "solo, forest") as project:
        name = only(project)
        wish = Wish(("split panels", "background grey"))
        assert touch_up(project, wish).changed == 1
        trained = project.pictures.trained()
        assert [one.kind for one in trained] == ["touch-up", "touch-up"] and all(one.width < 640 for one in trained)
        assert all("grey_background" in project.pictures.said(one.name) for one in trained)
        assert touch_up(project, wish).changed == 0 and project.pictures.trained() == trained
        touch_up(project, Wish(("crop 0,0,300,300",), names=(trained[0].name,)))  # one part
        assert [one.width for one in project.pictures.trained()] == [300, trained[1].width]
        touch_up(project, Wish(("background pink",)))  # the parts, and not the page once more
        assert len(project.pictures.trained()) == 2
        assert project.pictures.newest_version(name).name == name
        with pytest.raises(UsageError, match="One split at a time"):
            touch_up(project, Wish(("split panels", "split figures")))


@pytest.mark.parametrize(
    "step", ["faceless 1,2", "head-out cover", "flatten red", "recolour eyes", "recolour eyes blue", "recolour hair #102030"]
)
def test_a_step_that_says_too_little_is_a_sentence(make: Make, step: str) -> None:
    with make(Image.new("RGB", (64, 64), "white")) as project, pytest.raises(UsageError, match="such as|stands alone|#old #new"):
        touch_up(project, Wish((step,)))


def test_the_tagger_says_what_it_sees_no_longer_and_nothing_of_it_is_written(make: Make) -> None:
    from lorasmith.demo.creature import Creature
    from lorasmith.settings.toml import keep_choice
    from tests.imaging.known_parts import drawn_creature

    picture, _ = drawn_creature(Creature("red_fur", "pointy_ears", "green_eyes", "closed_mouth", "standing"), "fur")
    with make(picture, "solo, red fur") as project:
        name = only(project)
        tagger = Path(__file__).parents[2] / "lorasmith/demo/models/tagger"
        keep_choice(project.folder / "lorasmith.toml", "tag", {"tagger": str(tagger)})
    with Project.open(project.folder) as again:
        result = touch_up(again, Wish(("recolour fur #3470e2",), retag=True))
        told = {(row.tag, row.change) for row in result.tagger_says}
        assert ("red_fur", "gone") in told and ("blue_fur", "new") in told
        assert {tag.source for tag in again.pictures.tags(f"{name}.2")} == {"sidecar"}


def test_the_projects_own_models_find_head_and_character(make: Make, tmp_path: Path) -> None:
    from lorasmith.settings.toml import keep_choice
    from tests.imaging.test_finding import box_graph, light_box, mask_graph

    mask, heads = mask_graph(tmp_path / "m.onnx"), box_graph(tmp_path / "h.onnx", [(48, 24, 24, 24, 0.9)])
    with make(light_box((192, 192), (60, 20, 140, 180))) as project:
        name = only(project)
        for key, file in (("mask_model", mask), ("head_model", heads)):
            keep_choice(project.folder / "lorasmith.toml", "prepare", {key: str(file)})
    with Project.open(project.folder) as again:
        touch_up(again, Wish(("head-out",)))
        cut = again.pictures.get(f"{name}.2")
        assert (cut.operation or {})["steps"][0]["box"] == [0, 77, 192, 192]  # the detector's box, a tenth of its side round it
        again.undo()
        for step, place in (("recolour fur #f0f0f0 #3060c0", (100, 100)), ("background pink", (5, 5))):
            touch_up(again, Wish((step,)))
            found = pixels(again, again.pictures.newest_version(name).name)[place]
            assert max(found) - min(found) > 30  # grey as it was before
            again.undo()


def test_erased_emanata_take_their_tags_along_and_no_others(make: Make) -> None:
    from tests.imaging.test_emanata import heart
    from tests.imaging.writing import meadow

    picture = meadow(900, 700)
    heart(picture, (250, 130), 70)
    with make(picture, "solo, heart, sparkle, emanata, heart-shaped pupils, outside") as project:
        name = only(project)
        result = touch_up(project, Wish(("erase emanata",)))
        assert [(mark.kind, mark.words, mark.erased) for mark in result.marks] == [("emanata", "heart", True)]
        assert set(project.pictures.said(f"{name}.2")) == {"solo", "sparkle", "heart-shaped_pupils", "outside"}
        assert abs(pixels(project, f"{name}.2")[130, 250] - [150, 200, 240]).max() < 12


def test_a_logo_without_letters_goes_from_every_picture_that_has_it(tmp_path: Path) -> None:
    from tests.imaging.test_emanata import stamped

    (tmp_path / "own").mkdir()
    for number in range(4):
        stamped(number, number < 3).save(tmp_path / "own" / f"{number}.png")
        (tmp_path / "own" / f"{number}.txt").write_text("solo, artist logo", encoding="utf-8")
    with Project.create(tmp_path / "p", "nick") as project:
        add_folder(project, tmp_path / "own")
        result = touch_up(project, Wish(("erase repeated",)))
        assert {mark.kind for mark in result.marks} == {"logo"} and len(result.made) == 3
        for edit in result.made:
            assert "artist_logo" not in project.pictures.said(edit) and pixels(project, edit).std(axis=(0, 1)).max() < 4
        again = touch_up(project, Wish(("again",), names=(result.made[0],), boxes=((5, 5, 40, 40),)))
        assert len(again.made) == 1 and pixels(project, again.made[0]).std(axis=(0, 1)).max() < 4


@pytest.mark.parametrize("box", ["10,20,5,6", "10,20,12,22", "50,50,50,90"])
def test_a_crop_that_leaves_nothing_is_refused(box: str) -> None:
    with pytest.raises(UsageError, match="right must be beyond left"):
        read_steps([f"crop {box}"])
