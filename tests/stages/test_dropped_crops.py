"""A crop that is dropped by its name: the whole picture comes back, is told, and is captioned by the next tag."""

from pathlib import Path

import pytest

from lorasmith.cli import main
from lorasmith.demo import world
from lorasmith.demo.demo import model_files
from lorasmith.project.project import Project
from lorasmith.stages.add.stage import add_source
from lorasmith.stages.prune.stage import decide_by_hand, told_of_dropped
from lorasmith.stages.run import run_stage
from lorasmith.stages.status import status
from lorasmith.stages.train.check import check


@pytest.fixture
def cropped(tmp_path: Path, tiny_base: Path) -> Path:
    """A project of two pictures, each with a crop in its place, captioned."""
    (tmp_path / "own").mkdir()
    for number in range(2):
        scene = world.Scene((world.NEW_LOOKS,), "white_background", "full-length_portrait", "boldline", number)
        scene.draw(900, 500).save(tmp_path / "own" / f"{number}.png")
    chosen = {"train": {"checkpoint": str(tiny_base)}, "tag": {"tagger": str(model_files()[1])}, "prepare": {"head_crops": False}}
    with Project.create(tmp_path / "p", "zorvex", preset="demo", chosen=chosen) as project:
        add_source(project, tmp_path / "own")
        for stage in ("prune", "prepare", "tag"):
            run_stage(project, stage)
        assert all(one.replaces_parent for one in project.pictures.trained())
    return tmp_path / "p"


def faults_of_captions(project: Project) -> list[str]:
    return [fault for fault in check(project).errors if "caption" in fault]


def test_a_dropped_crop_brings_the_whole_picture_back_which_status_sends_to_tag(cropped: Path) -> None:
    with Project.open(cropped) as project:
        crop = project.pictures.trained()[0]
        decide_by_hand(project, "drop", [crop.name])
        assert crop.parent in {one.name for one in project.pictures.trained()}
        found = status(project)
        tag = next(one for one in found.stages if one.name == "tag")
        assert found.next == "tag" and tag.words == "1 training picture has no caption yet" and faults_of_captions(project)
        run_stage(project, "tag")
        assert status(project).next == "train" and not faults_of_captions(project)
        assert project.pictures.captions("default")[str(crop.parent)].text.startswith("zorvex")
        run_stage(project, "prepare")
        assert crop.name not in {one.name for one in project.pictures.trained()}, "a refused crop is not made again"


def test_drop_says_what_is_trained_on_instead_and_how_to_leave_the_picture_out(
    cropped: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Project.open(cropped) as project:
        crop = project.pictures.trained()[0]
    with pytest.raises(SystemExit, match="0"):
        main(["drop", str(cropped), crop.name])
    told = " ".join(capsys.readouterr().out.split())
    assert f"instead of what was made from it: {crop.parent}." in told
    assert f"`lorasmith drop DIR {crop.parent}`" in told and "from `lorasmith tag`" in told
    with pytest.raises(SystemExit, match="0"):
        main(["drop", str(cropped), str(crop.parent)])
    assert "instead" not in capsys.readouterr().out
    with Project.open(cropped) as project:
        assert crop.parent not in {one.name for one in project.pictures.trained()} and not faults_of_captions(project)
        assert told_of_dropped(project, [crop.name]) == ""
