"""Touch-up: the same operations on many pictures, each a new version; captions follow, and one undo takes all back."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from lorasmith.errors import UsageError
from lorasmith.files import md5_of
from lorasmith.project.project import Project
from lorasmith.settings.tables import PrepareSettings
from lorasmith.stages.add.stage import add_folder
from lorasmith.stages.prepare.stage import prepare
from lorasmith.stages.prune.stage import decide_by_hand
from lorasmith.stages.touch_up.recipes import read_recipe
from lorasmith.stages.touch_up.stage import touch_up
from lorasmith.stages.touch_up.wishes import Wish
from lorasmith.stages.touch_up.work import Done, Step, Work
from tests.imaging.drawing import creature

pytestmark = pytest.mark.usefixtures("marks_seen_once")


def drawn(seed: int, words: str = "") -> Image.Image:
    picture = creature("sitting", "meadow", (600, 700), seed=seed).picture.convert("RGB")
    if words:
        ImageDraw.Draw(picture).text((40, 30), words, "black", ImageFont.load_default(40), stroke_width=1, stroke_fill="white")
    return picture


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    source = tmp_path / "own"
    source.mkdir()
    drawn(3, "HELLO WORLD").save(source / "a.png")
    (source / "a.txt").write_text("solo, text, english text, forest, red fur", encoding="utf-8")
    drawn(4).save(source / "b.png")
    (source / "b.txt").write_text("solo, outside, blue fur", encoding="utf-8")
    framed = Image.new("RGB", (660, 760), "black")
    framed.paste(drawn(5), (30, 30))
    framed.save(source / "c.png")
    (source / "c.txt").write_text("solo, black border, green fur", encoding="utf-8")
    with Project.create(tmp_path / "p", "nick") as opened:
        add_folder(opened, source)
        yield opened


def named(project: Project, file: str) -> str:
    return next(one.name for one in project.pictures.originals() if one.post["file_name"] == file)


def said(project: Project, name: str) -> set[str]:
    return set(project.pictures.said(name))


def opened(project: Project, name: str) -> np.ndarray[Any, Any]:
    with Image.open(project.file_of(project.pictures.get(name))) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def test_found_writing_is_erased_and_its_tags_go_with_the_reason_and_one_undo_brings_all_back(project: Project) -> None:
    before = {path: md5_of(path) for path in project.images.iterdir()}
    result = touch_up(project, Wish(("erase text,signature,watermark",)))
    a = named(project, "a.png")
    assert result.changed == 1 and result.made == (f"{a}.2",)
    assert said(project, f"{a}.2") == {"solo", "forest", "red_fur"}
    version = project.pictures.get(f"{a}.2")
    assert version.operation is not None
    assert version.operation["dropped"] == {"text": "text erased", "english_text": "text erased"}
    assert "HELLO" in str(version.operation["steps"][0]["marks"]).upper()
    changed = np.abs(opened(project, a) - opened(project, f"{a}.2")).max(axis=2) > 0
    assert 0 < changed.mean() < 0.15 and not changed[200:].any()  # nothing but the writing
    assert {one.name for one in project.pictures.trained()} >= {f"{a}.2"} and a not in {one.name for one in project.pictures.trained()}
    project.undo()
    assert a in {one.name for one in project.pictures.trained()} and not project.pictures.edits_of(a)
    assert {path: md5_of(path) for path in project.images.iterdir()} == before


def test_a_border_is_trimmed_and_a_ground_replaced_with_its_tags(project: Project) -> None:
    touch_up(project, Wish(("trim", "background grey"), filter="black_border"))
    c = named(project, "c.png")
    version = project.pictures.get(f"{c}.2")
    assert (version.width, version.height) == (600, 700)
    assert said(project, version.name) == {"solo", "green_fur", "simple_background", "grey_background"}
    corners = opened(project, version.name)[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert (np.abs(corners - corners[0]).max() <= 2) and np.ptp(corners[0]) <= 2
    assert not project.pictures.edits_of(named(project, "b.png"))  # outside the filter


def test_the_same_mark_on_many_pictures_is_erased_in_one_go(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    for place in range(5):
        picture = drawn(place % 4)
        pen = ImageDraw.Draw(picture)
        if place < 4:
            pen.text((410, 650), "@lovelyart", "white", ImageFont.load_default(32), stroke_width=2, stroke_fill="black")
        else:
            pen.text((40, 30), "HELLO", "black", ImageFont.load_default(60), stroke_width=1, stroke_fill="white")
        picture.save(tmp_path / "own" / f"{place}.png")
    with Project.create(tmp_path / "p", "nick") as project:
        add_folder(project, tmp_path / "own")
        result = touch_up(project, Wish(("erase repeated",)))
        assert result.changed == 4
        with pytest.raises(UsageError, match="must be the first step"):
            touch_up(project, Wish(("trim", "erase repeated")))


def test_a_box_that_a_person_draws_is_cut_out(project: Project) -> None:
    b = named(project, "b.png")
    touch_up(project, Wish(("crop 100,50,400,9999",), names=(b,)))
    assert (opened(project, f"{b}.2") == opened(project, b)[50:700, 100:400]).all()
    assert touch_up(project, Wish(("crop 700,0,800,10",), names=(b,))).changed == 0  # beside the picture
    with pytest.raises(UsageError, match="crop takes left, top"):
        touch_up(project, Wish(("crop 1,2,3",)))


def test_a_preview_draws_and_changes_nothing(project: Project) -> None:
    result = touch_up(project, Wish(("background white",), preview=True))
    assert result.changed == 3 and result.made == () and not list(project.edits.iterdir())
    with Image.open(result.sheet) as sheet:
        assert sheet.height > 600
    assert len(project.journal.history()) == 1  # the adding


def test_the_same_again_finds_nothing_to_do_and_what_is_new_stands_on_what_was_done(project: Project) -> None:
    wish = Wish(("background grey",))
    touch_up(project, wish)
    assert touch_up(project, wish).changed == 0
    touch_up(project, Wish(("background pink",), names=(named(project, "b.png"),)))
    b = named(project, "b.png")
    newest = project.pictures.newest_version(b)
    assert newest.parent == f"{b}.2" and "pink_background" in said(project, newest.name)
    assert "grey_background" not in said(project, newest.name)


def test_a_refused_version_gives_way_to_the_one_before_it(project: Project) -> None:
    b = named(project, "b.png")
    touch_up(project, Wish(("background grey",), names=(b,)))
    decide_by_hand(project, "drop", [f"{b}.2"])
    assert project.pictures.newest_version(b).name == b
    assert b in {one.name for one in project.pictures.trained()}


def test_crops_are_made_of_the_touched_up_version(project: Project) -> None:
    touch_up(project, Wish(("background grey",)))
    prepare(project, PrepareSettings(min_gain=0.05))
    b = named(project, "b.png")
    crops = [edit for edit in project.pictures.all_edits_of(b) if edit.kind == "crop"]
    assert crops and all(edit.parent == f"{b}.2" for edit in crops)
    assert "grey_background" in said(project, crops[0].name)


def test_recolouring_turns_one_colour_and_leaves_the_rest(project: Project) -> None:
    b = named(project, "b.png")
    pixels = opened(project, b)
    colours, counts = np.unique(pixels[250:450, 200:400].reshape(-1, 3), axis=0, return_counts=True)
    main = colours[counts.argmax()]
    words = f"recolour #{main[0]:02x}{main[1]:02x}{main[2]:02x} #2050ff"
    result = touch_up(project, Wish((words,), names=(b,)))
    assert result.changed == 1
    after = opened(project, f"{b}.2")
    was = (np.abs(pixels - main).max(axis=2) < 3) & (np.abs(after - pixels).max(axis=2) > 0)
    assert was.any() and after[was][:, 2].mean() > 150
    assert (after[:20] == pixels[:20]).all()  # the sky


def test_a_split_page_becomes_a_picture_for_each_panel(tmp_path: Path) -> None:
    page = Image.new("RGB", (1240, 720), "white")
    page.paste(drawn(3), (10, 10))
    page.paste(drawn(4), (630, 10))
    (tmp_path / "own").mkdir()
    page.save(tmp_path / "own" / "page.png")
    with Project.create(tmp_path / "p", "nick") as project:
        add_folder(project, tmp_path / "own")
        result = touch_up(project, Wish(("split panels",)))
        assert len(result.made) == 2
        trained = project.pictures.trained()
        assert [one.kind for one in trained] == ["panel", "panel"] and all(one.width < 640 for one in trained)


def test_a_recipe_is_read_from_the_project(project: Project) -> None:
    recipes = project.folder / "recipes.toml"
    recipes.write_text('[plain]\nfilter = "outside"\ndo = ["background white"]\n', encoding="utf-8")
    steps, chosen = read_recipe(project, "plain")
    result = touch_up(project, Wish(steps, filter=chosen))
    assert result.made == (f"{named(project, 'b.png')}.2",)
    with pytest.raises(UsageError, match="no recipe 'plian'; did you mean 'plain'"):
        read_recipe(project, "plian")
    recipes.write_text("[plain]\ndo = 3\n", encoding="utf-8")
    with pytest.raises(UsageError, match="needs do ="):
        read_recipe(project, "plain")


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ((), "Say what to do"),
        (("erase",), "erase what"),
        (("erase faces",), "erase what"),
        (("background blue",), "Which background"),
        (("recolour red blue",), "two colours"),
        (("split",), "Split into what"),
        (("trim 3",), "trim takes nothing more"),
        (("backgruond grey",), "did you mean 'background'"),
    ],
)
def test_a_step_that_cannot_be_is_a_sentence_before_anything_is_done(
    project: Project, steps: tuple[str, ...], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        touch_up(project, Wish(steps))
    with pytest.raises(UsageError, match="not among the kept"):
        touch_up(project, Wish(("trim",), names=("own_000",)))


def test_a_touch_up_that_breaks_off_goes_on_with_the_next_picture(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from lorasmith.stages.touch_up import operations

    real = operations.OPERATIONS["background"]
    calls = []

    def twice(work: Work, arguments: str) -> Done | str | None:
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real.do(work, arguments)

    monkeypatch.setitem(operations.OPERATIONS, "background", Step(real.usage, real.check, twice))
    with pytest.raises(KeyboardInterrupt):
        touch_up(project, Wish(("background grey",)))
    monkeypatch.setitem(operations.OPERATIONS, "background", real)
    assert touch_up(project, Wish(("background grey",))).changed == 2
    project.undo()
    if list(project.pictures.all(origins=("edit",))):
        project.undo()
    assert not project.pictures.all(origins=("edit",))


def test_a_recipe_that_is_kept_leaves_the_rest_of_the_file_alone(project: Project) -> None:
    from lorasmith.stages.touch_up.recipes import keep_recipe, recipe_names

    file = project.folder / "recipes.toml"
    file.write_text('# mine\n[plain]\ndo = ["trim"]  # a border\n', encoding="utf-8")
    keep_recipe(project, "no-logos", ("erase repeated", "background grey"), "watermark | signature")
    assert read_recipe(project, "no-logos") == (("erase repeated", "background grey"), "watermark | signature")
    assert recipe_names(project) == ["plain", "no-logos"] and "# a border" in file.read_text(encoding="utf-8")
    for name, steps, word in (("../x", ("trim",), "letters"), ("x", ("paint",), "no operation"), ("", ("trim",), "letters")):
        with pytest.raises(UsageError, match=word):
            keep_recipe(project, name, steps, "")


def test_an_opened_picture_tells_its_marks_and_versions(project: Project) -> None:
    from lorasmith.stages.touch_up.opened import opened as looked_at

    name = named(project, "a.png")
    fresh = looked_at(project, name)
    assert not fresh.again and [mark["kind"] for mark in fresh.marks] == ["text"] and len(fresh.versions) == 1
    touch_up(project, Wish(("erase text",), names=(name,)))
    touch_up(project, Wish(("background grey",), names=(name,)))
    later = looked_at(project, f"{name}.3")
    assert later.again and later.source == name and later.marks[0]["box"] == fresh.marks[0]["box"] and later.marks[0]["erased"]
    assert [(one.name, one.what, one.standing) for one in later.versions] == [
        (name, "as it came", False), (f"{name}.2", "erase text", False), (f"{name}.3", "background grey", True),
    ]  # fmt: skip
    assert "text" in later.versions[1].tags_gone
    decide_by_hand(project, "drop", [f"{name}.3"])
    assert [one.standing for one in looked_at(project, name).versions] == [False, True, False]
