"""Bodies without a head: no source, no tagger and no crop brings the head back into the caption."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lorasmith.demo import world
from lorasmith.demo.demo import model_files
from lorasmith.project.project import Project
from lorasmith.settings.tables import PrepareSettings, TagSettings
from lorasmith.stages.add.stage import add_folder
from lorasmith.stages.prepare.stage import prepare
from lorasmith.stages.prune.stage import decide_by_hand
from lorasmith.stages.tag.edit_tags import TagEdit, edit_tags
from lorasmith.stages.tag.stage import tag
from lorasmith.stages.touch_up.stage import touch_up
from lorasmith.stages.touch_up.wishes import Wish

TAGS = "solo, purple_fur, striped_fur, long_ears, blue_eyes, open_mouth, standing, full-length_portrait, white_background, top_hat"
OF_THE_HEAD = {"long ears", "blue eyes", "open mouth", "mouth closed", "top hat", "round ears", "full-length portrait", "curled horns"}


@pytest.fixture
def bodies(tmp_path: Path) -> Iterator[Project]:
    """A project with two whole figures on white, with much room round them."""
    looks = world.Creature("purple_fur", "long_ears", "blue_eyes", "open_mouth", "standing", "striped_fur", "top_hat")
    (tmp_path / "own").mkdir()
    for seed in (7, 8):
        scene = world.Scene((looks,), "white_background", "full-length_portrait", "boldline", seed)
        scene.draw(900, 500).save(tmp_path / "own" / f"{seed}.png")
        (tmp_path / "own" / f"{seed}.txt").write_text(TAGS, encoding="utf-8")
    chosen = {"tag": {"tagger": str(model_files()[1])}, "prepare": {"head_crops": False}}
    with Project.create(tmp_path / "p", "robin", preset="demo", chosen=chosen) as project:
        add_folder(project, tmp_path / "own")
        yield project


def captions(project: Project) -> dict[str, set[str]]:
    prepare(project, project.settings(PrepareSettings))
    tag(project, project.settings(TagSettings))
    return {name: set(one.text.split(", ")) for name, one in project.pictures.captions("default").items()}


def test_a_covered_head_is_in_no_caption_whatever_the_tagger_guesses_and_however_it_is_cropped(bodies: Project) -> None:
    assert touch_up(bodies, Wish(("faceless cover",))).changed == 2
    found = captions(bodies)
    assert len(found) == 2 and any(name.endswith(".3") for name in found)  # one was cropped
    for text in found.values():
        assert "head out of frame" in text and "standing" in text
        assert not text & OF_THE_HEAD


def test_a_smoothed_face_leaves_ears_and_hats(bodies: Project) -> None:
    assert touch_up(bodies, Wish(("faceless",))).changed == 2
    for text in captions(bodies).values():
        assert {"faceless character", "top hat", "full-length portrait"} <= text
        assert not text & {"blue eyes", "open mouth", "mouth closed"}


def test_undone_the_head_is_back_and_a_person_may_say_otherwise(bodies: Project) -> None:
    touch_up(bodies, Wish(("faceless cover",)))
    captions(bodies)
    edit_tags(bodies, TagEdit("add", ("top_hat",)))
    assert all("top hat" in text for text in captions(bodies).values())
    decide_by_hand(bodies, "drop", [f"{one.name}.2" for one in bodies.pictures.originals()])  # the covers are refused
    assert all("open mouth" in text for text in captions(bodies).values())
