"""A person's word on crops: boxes that were moved, refused or left whole survive every later prepare; undo takes each back."""

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lorasmith.demo.world import Creature, Scene
from lorasmith.errors import ModelFileError, UsageError
from lorasmith.imaging.read import save_png
from lorasmith.project.pictures import PERSON, Picture, Tag, facts_of
from lorasmith.project.project import Project
from lorasmith.settings.tables import PrepareSettings
from lorasmith.stages.prepare.edits import add_edit
from lorasmith.stages.prepare.stage import Prepared, prepare
from lorasmith.stages.prepare.suggestions import accept, refuse, suggestions_for
from lorasmith.stages.prune.stage import decide_by_hand
from lorasmith.stages.touch_up.erase import erase

SETTINGS = PrepareSettings(min_gain=0.05, head_share=0.0)
BOX = (120, 100, 520, 560)


def add_scene(project: Project, name: str, seed: int = 3, tags: tuple[str, ...] = ("solo",)) -> Picture:
    dice = random.Random(seed)
    looks = Creature("red_fur", "round_ears", "blue_eyes", "open_mouth", dice.choice(("standing", "sitting")), "", "", 0)
    scene = Scene((looks,), "beach", "full-length_portrait", "boldline", dice.getrandbits(40))
    path = project.images / f"{name}.png"
    save_png(scene.draw(800, 640), path)
    picture = Picture(name, origin="folder", **facts_of(project.folder, path, (800, 640)))
    with project.change("add", "add"):
        project.pictures.add(picture)
        project.pictures.set_tags(name, "sidecar", [Tag(tag, "general", "sidecar") for tag in tags])
    return picture


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "p", "nick") as opened:
        add_scene(opened, "own_1")
        yield opened


def trained(project: Project) -> list[Picture]:
    return project.pictures.trained()


def box_of(picture: Picture) -> tuple[int, ...]:
    return tuple((picture.operation or {})["box"])


def prepared(project: Project, **settings: object) -> Prepared:
    return prepare(project, SETTINGS.model_copy(update=settings))


def test_a_moved_box_is_a_new_picture_in_the_place_of_the_suggested_one_and_one_undo_takes_it_back(project: Project) -> None:
    prepared(project)
    (suggested,) = trained(project)
    assert suggested.kind == "crop" and box_of(suggested) != BOX
    entries = len(project.journal.history())
    name = accept(project, "own_1", "crop", BOX, SETTINGS)
    (made,) = trained(project)
    assert made.name == name and box_of(made) == BOX and (made.width, made.height) == (400, 460)
    whole = np.asarray(Image.open(project.file_of(project.pictures.get("own_1"))).convert("RGB"))
    assert (np.asarray(Image.open(project.file_of(made)).convert("RGB")) == whole[100:560, 120:520]).all()
    assert len(project.journal.history()) == entries + 1
    project.undo()
    assert trained(project) == [suggested]
    project.redo()
    assert [one.name for one in trained(project)] == [name]


@pytest.mark.parametrize("settings", [{}, {"margin": 0.3}, {"crop": False, "head_crops": False}, {"min_gain": 0.5}])
def test_an_accepted_box_survives_prepare_with_whatever_settings(project: Project, settings: dict[str, object]) -> None:
    prepared(project)
    name = accept(project, "own_1", "crop", BOX, SETTINGS)
    for _ in range(2):
        assert prepared(project, **settings).made_now == 0
        assert [one.name for one in trained(project)] == [name]
    assert suggestions_for(project, "own_1", SETTINGS).crop.state == "accepted"


@pytest.mark.parametrize("settings", [{}, {"margin": 0.3}, {"min_gain": 0.0}])
def test_a_refused_crop_is_not_made_again(project: Project, settings: dict[str, object]) -> None:
    prepared(project)
    refuse(project, "own_1", "crop", SETTINGS)
    for _ in range(2):
        result = prepared(project, **settings)
        assert (result.made_now, result.refused, result.crops, result.untouched) == (0, 1, 0, 1)
        assert [one.name for one in trained(project)] == ["own_1"]
    assert suggestions_for(project, "own_1", SETTINGS).crop.state == "refused"
    project.undo()
    assert [one.kind for one in trained(project)] == ["crop"]


def test_keep_and_drop_by_name_are_the_same_word(project: Project) -> None:
    prepared(project)
    (crop,) = trained(project)
    decide_by_hand(project, "keep", [crop.name])
    prepared(project, margin=0.3)
    assert trained(project) == [crop]
    decide_by_hand(project, "drop", [crop.name])
    prepared(project, margin=0.2)
    assert [one.name for one in trained(project)] == ["own_1"]


def test_whole_is_remembered_also_where_nothing_was_suggested_yet(project: Project) -> None:
    refuse(project, "own_1", "crop", SETTINGS)
    prepared(project)
    assert [one.name for one in trained(project)] == ["own_1"]


def test_the_whole_picture_as_a_box_is_a_refusal(project: Project) -> None:
    prepared(project)
    accept(project, "own_1", "crop", (-5, -5, 900, 700), SETTINGS)
    prepared(project)
    assert [one.name for one in trained(project)] == ["own_1"]


def test_a_refused_crop_of_a_large_picture_leaves_the_smaller_copy(project: Project) -> None:
    prepared(project)
    refuse(project, "own_1", "crop", SETTINGS)
    prepared(project, max_side=400)
    (small,) = trained(project)
    assert (small.kind, small.width) == ("resize", 400)


def test_an_accepted_box_goes_over_to_an_erased_version_and_to_another_size(project: Project, tmp_path: Path) -> None:
    prepared(project)
    first = accept(project, "own_1", "crop", BOX, SETTINGS)
    hole = Image.new("L", (800, 640))
    hole.paste(255, (10, 10, 40, 40))
    hole.save(tmp_path / "mask.png")
    erased = erase(project, "own_1", tmp_path / "mask.png")
    prepared(project)
    (again,) = trained(project)
    assert again.name != first and again.parent == erased.name and box_of(again) == BOX
    prepared(project, max_side=230)
    (small,) = trained(project)
    assert box_of(small) == BOX and (small.width, small.height) == (200, 230)
    assert suggestions_for(project, "own_1", SETTINGS).crop.state == "accepted"


def test_a_box_on_a_version_that_was_trimmed_since_moves_along(project: Project) -> None:
    accept(project, "own_1", "crop", BOX, SETTINGS)
    source = project.pictures.get("own_1")
    steps = {"kind": "touch-up", "maker": "touch-up", "replaces_parent": True, "steps": [{"step": "trim", "box": [20, 30, 780, 620]}]}
    with project.change("touch-up", "trim"):
        add_edit(project, source, steps, Image.open(project.file_of(source)).crop((20, 30, 780, 620)))
    prepared(project)
    assert box_of(trained(project)[0]) == (100, 70, 500, 530)


def test_a_version_that_a_person_cut_is_not_cut_further(project: Project) -> None:
    source = project.pictures.get("own_1")
    step = {"step": "crop 40,0,800,640", "box": [40, 0, 800, 640]}
    steps = {"kind": "touch-up", "maker": "touch-up", "replaces_parent": True, "steps": [step]}
    with project.change("touch-up", "crop"):
        made = add_edit(project, source, steps, Image.open(project.file_of(source)).crop((40, 0, 800, 640)))
    prepared(project, min_gain=0.0)
    assert trained(project) == [made]


def test_a_moved_head_stands_beside_and_a_refused_one_does_not_come_back(project: Project) -> None:
    name = accept(project, "own_1", "head", (300, 60, 500, 260), SETTINGS)
    prepared(project)
    assert {one.kind for one in trained(project)} == {"crop", "head"} and name in {one.name for one in trained(project)}
    refuse(project, "own_1", "head", SETTINGS)
    result = prepared(project, head_share=1.0)
    assert result.head_crops == 0 and result.headshots.reasons == {"refused by you": 1}


def test_what_a_person_said_of_the_suggested_crop_stays_with_the_moved_one(project: Project) -> None:
    prepared(project)
    with project.change("tag", "by hand"):
        project.pictures.set_tags(trained(project)[0].name, PERSON, [Tag("monocle", "general", PERSON)])
    name = accept(project, "own_1", "crop", BOX, SETTINGS)
    assert Tag("monocle", "general", PERSON) in project.pictures.tags(name)


def test_the_suggested_box_as_it_is_makes_no_second_file(project: Project) -> None:
    prepared(project)
    (crop,) = trained(project)
    assert accept(project, "own_1", "crop", box_of(crop), SETTINGS) == crop.name  # type: ignore[arg-type]
    assert suggestions_for(project, crop.name, SETTINGS).crop.state == "accepted"


def test_a_box_of_nothing_is_told(project: Project) -> None:
    with pytest.raises(UsageError, match="too small"):
        accept(project, "own_1", "crop", (700, 600, 702, 900), SETTINGS)


def test_the_parts_of_a_split_page_are_cropped_and_the_page_is_not(project: Project) -> None:
    prepared(project)
    source = project.pictures.get("own_1")
    with project.change("touch-up", "split"):
        for box in ((0, 0, 400, 640), (400, 0, 800, 640)):
            operation = {"kind": "panel", "maker": "touch-up", "replaces_parent": True, "box": list(box)}
            add_edit(project, source, operation, Image.open(project.file_of(source)).crop(box))
    prepared(project, min_gain=0.0)
    panels = {one.name for one in project.pictures.edits_of("own_1") if one.kind == "panel"}
    assert all(one.name in panels or one.parent in panels for one in trained(project))
    assert any(one.kind == "crop" for one in trained(project))
    assert prepared(project, min_gain=0.0).made_now == 0


def test_a_model_of_ones_own_finds_the_character_and_one_that_is_not_there_is_told(project: Project, tmp_path: Path) -> None:
    from tests.imaging.test_finding import mask_graph

    prepared(project)
    (usual,) = trained(project)
    light = mask_graph(tmp_path / "m.onnx")
    prepared(project, mask_model=str(light), margin=0.0, min_gain=0.0)
    assert [one.name for one in trained(project)] != [usual.name]
    with pytest.raises(ModelFileError, match="There is no mask model"):
        prepared(project, mask_model="none")
    assert suggestions_for(project, "own_1", PrepareSettings(mask_model="none")).crop is not None  # a box can be set meanwhile
