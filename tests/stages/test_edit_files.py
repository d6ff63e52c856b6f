"""The files of edits: none is ever overwritten, so that whatever was undone, killed or done anew can still come back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from lorasmith.files import sha256_of
from lorasmith.project.project import Project
from lorasmith.settings.tables import PrepareSettings, TagSettings
from lorasmith.stages.add.stage import add_folder
from lorasmith.stages.prepare.edits import add_edit, mask_file
from lorasmith.stages.prepare.stage import prepare
from lorasmith.stages.prune.stage import decide_by_hand
from lorasmith.stages.tag.stage import tag
from lorasmith.stages.touch_up.erase import erase
from lorasmith.stages.touch_up.stage import touch_up
from lorasmith.stages.touch_up.wishes import Wish
from tests.imaging.drawing import creature


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    (tmp_path / "own").mkdir()
    creature("sitting", "meadow", (220, 260), fill=0.4).picture.convert("RGB").save(tmp_path / "own" / "a.png")
    with Project.create(tmp_path / "p", "nick", chosen={"tag": {"tagger": "none"}}) as opened:
        add_folder(opened, tmp_path / "own")
        yield opened


def only(project: Project) -> str:
    return project.pictures.originals()[0].name


def painted(project: Project, box: tuple[int, int, int, int]) -> Path:
    picture = project.pictures.get(only(project))
    hole = Image.new("L", (picture.width, picture.height))
    hole.paste(255, box)
    hole.save(path := project.folder.parent / "mask.png")
    return path


def test_what_a_killed_step_wrote_does_not_take_the_file_of_one_that_can_be_redone(project: Project) -> None:
    name = only(project)
    touch_up(project, Wish(("crop 0,0,100,100",)))
    project.undo()
    with pytest.raises(KeyboardInterrupt), project.change("touch-up", "another"), project.transaction():
        add_edit(project, project.pictures.get(name), {"kind": "touch-up"}, Image.new("RGB", (50, 50)))
        raise KeyboardInterrupt  # the file is there, and nobody knows of it
    project.redo()
    edit = project.pictures.get(f"{name}.2")
    assert sha256_of(project.file_of(edit)) == edit.sha256


def test_the_same_edit_made_again_after_an_undo_has_its_old_name(project: Project) -> None:
    for _ in range(2):
        assert touch_up(project, Wish(("crop 0,0,100,100",))).made == (f"{only(project)}.2",)
        project.undo()
    assert touch_up(project, Wish(("crop 0,0,100,120",))).made == (f"{only(project)}.3",)


def test_the_mask_of_an_erasing_that_was_undone_is_not_taken_for_that_of_the_next_version(project: Project) -> None:
    name = only(project)
    erase(project, name, painted(project, (10, 10, 60, 60)))
    project.undo()
    decide_by_hand(project, "keep", [name])  # now nothing can be redone any more
    made = touch_up(project, Wish(("trim", "erase text"), names=(name,), boxes=((100, 100, 120, 120),))).made
    assert made and not mask_file(project, made[0]).exists()
    again = touch_up(project, Wish(("again",), names=(name,), boxes=((150, 150, 170, 170),))).made[0]
    before, after = (Image.open(project.file_of(project.pictures.get(one))).convert("RGB") for one in (name, again))
    assert before.crop((10, 10, 60, 60)).tobytes() == after.crop((10, 10, 60, 60)).tobytes()


def test_copies_of_edits_that_were_undone_leave_the_dataset(project: Project) -> None:
    settings = TagSettings(tagger="none")
    prepare(project, PrepareSettings(min_gain=0.05))
    tag(project, settings)
    there = {file.stem for file in project.dataset("default").rglob("*.*")}
    assert there == {one.name for one in project.pictures.trained()} and there != {only(project)}
    project.undo()
    project.undo()
    tag(project, settings)
    assert {file.stem for file in project.dataset("default").rglob("*.*")} == {only(project)}
