"""The rows of a project's pictures: what is stored comes back, and who decides what is trained on."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lorasmith.errors import ProjectError
from lorasmith.project.pictures import PERSON, Caption, Decision, Picture, Tag, relative_to_project
from lorasmith.project.project import Project

Make = Callable[..., Picture]


def test_a_picture_comes_back_as_it_was(project: Project, picture: Make) -> None:
    whole = picture("own_1", parent="own_0", operation={"kind": "crop", "box": [1, 2, 3, 4]}, post={"név": "狐 🦊"})
    project.pictures.add(whole)
    assert project.pictures.get("own_1") == whole
    project.pictures.add(picture("own_1", width=1))
    assert project.pictures.get("own_1") == picture("own_1", width=1)


def test_a_file_name_that_is_no_text_can_be_stored(project: Project, picture: Make) -> None:
    project.pictures.add(picture("own_1", post={"file_name": "fox\udcff.png"}))
    assert project.pictures.get("own_1").post == {"file_name": "fox\udcff.png"}


def test_an_unknown_picture_is_a_sentence(project: Project) -> None:
    assert project.pictures.find("own_1") is None
    with pytest.raises(ProjectError, match="no picture named 'own_1'; `prune --list` shows the names"):
        project.pictures.get("own_1")


def test_trash_is_a_mark_and_not_listed(project: Project, picture: Make) -> None:
    for name in ("own_2", "own_1"):
        project.pictures.add(picture(name))
    project.pictures.trash("own_2")
    assert [p.name for p in project.pictures.all()] == ["own_1"]
    assert project.pictures.every_name() == {"own_1", "own_2"}
    assert project.pictures.get("own_2").trashed


def test_edits_are_numbered_from_two_and_a_number_is_never_used_again(project: Project, picture: Make) -> None:
    project.pictures.add(picture("e621_1"))
    for expected in ("e621_1.2", "e621_1.3"):
        name = project.pictures.next_edit_name("e621_1")
        assert name == expected
        project.pictures.add(picture(name, parent="e621_1", origin="edit"))
    project.pictures.trash("e621_1.3")
    assert project.pictures.next_edit_name("e621_1.2") == "e621_1.4"
    assert [edit.name for edit in project.pictures.edits_of("e621_1")] == ["e621_1.2"]
    assert [p.name for p in project.pictures.originals()] == ["e621_1"]


def test_an_original_is_found_by_its_md5(project: Project, picture: Make) -> None:
    project.pictures.add(picture("own_1", md5="a" * 32))
    project.pictures.add(picture("own_1.2", md5="b" * 32, parent="own_1", origin="edit"))
    found = project.pictures.by_md5("a" * 32)
    assert found is not None and found.name == "own_1"
    assert project.pictures.by_md5("b" * 32) is None


def test_tags_of_one_source_are_replaced_and_others_stay(project: Project) -> None:
    project.pictures.set_tags("own_1", "booru", [Tag("fox", "species", "booru"), Tag("solo", "general", "booru")])
    project.pictures.set_tags("own_1", PERSON, [Tag("blue_fur", "general", PERSON)])
    project.pictures.set_tags("own_1", "booru", [Tag("fox", "general", "booru", 0.5)])
    assert project.pictures.tags("own_1") == [
        Tag("fox", "general", "booru", 0.5),
        Tag("blue_fur", "general", PERSON),
    ]


@pytest.mark.parametrize("tag", ["cub", "Young_Fox", "ｃｕｂ", "female_child", "baby_bottle"])
def test_a_tag_that_no_caption_may_say_is_never_stored(project: Project, tag: str) -> None:
    project.pictures.set_tags("own_1", "booru", [Tag(tag, "general", "booru"), Tag("solo", "general", "booru")])
    assert [t.tag for t in project.pictures.tags("own_1")] == ["solo"]


def test_a_person_s_word_wins_and_can_be_taken_back(project: Project, picture: Make) -> None:
    for name in ("own_1", "own_2"):
        project.pictures.add(picture(name))
    project.pictures.decide("own_1", Decision("drop", "prune", "blurred", {"sharpness": 0.1}), maker="prune")
    assert [p.name for p in project.pictures.kept()] == ["own_2"]
    project.pictures.decide("own_1", Decision("keep", PERSON, "I like it"), maker=PERSON)
    assert [p.name for p in project.pictures.kept()] == ["own_1", "own_2"]
    project.pictures.decide("own_1", None, maker=PERSON)
    assert project.pictures.decisions()["own_1"] == Decision("drop", "prune", "blurred", {"sharpness": 0.1})


@pytest.mark.parametrize("count", [3, 700])  # more than one question names
def test_the_decisions_of_some_pictures_are_those_of_all_pictures(project: Project, count: int) -> None:
    with project.transaction():
        for number in range(count):
            project.pictures.decide(f"own_{number}", Decision("drop", "prune", "blurred"), maker="prune")
        project.pictures.decide("own_1", Decision("keep", PERSON, "no"), maker=PERSON)
    every = project.pictures.decisions()
    asked = [f"own_{number}" for number in range(1, count)]
    assert project.pictures.decisions_of(asked) == {name: every[name] for name in asked}
    assert project.pictures.decisions_of(["own_1", "nobody"]) == {"own_1": Decision("keep", PERSON, "no")}
    assert project.pictures.decisions_of([]) == {}


def test_a_crop_is_trained_in_its_original_s_place_and_a_head_beside_it(project: Project, picture: Make) -> None:
    for name in ("own_1", "own_2", "own_3"):
        project.pictures.add(picture(name))
    edit = {"origin": "edit", "parent": "own_1"}
    project.pictures.add(picture("own_1.2", operation={"kind": "crop", "replaces_parent": True}, **edit))
    project.pictures.add(picture("own_1.3", operation={"kind": "head", "replaces_parent": False}, **edit))
    project.pictures.add(
        picture("own_2.2", operation={"kind": "head", "replaces_parent": False}, origin="edit", parent="own_2")
    )
    project.pictures.decide("own_3", Decision("drop", PERSON, "no"), maker=PERSON)
    assert [p.name for p in project.pictures.trained()] == ["own_1.2", "own_1.3", "own_2", "own_2.2"]


def test_renders_are_known_as_generated(picture: Make) -> None:
    assert picture("render_1", origin="render").generated
    assert picture("own_1", post={"generated": True}).generated
    assert not picture("own_1").generated


def test_caption_sets_are_kept_apart(project: Project) -> None:
    project.pictures.set_caption("default", Caption("own_1", "zorvex, fox"))
    project.pictures.set_caption("e621", Caption("own_1", "zorvex"))
    project.pictures.drop_caption("default", "own_1")
    assert project.pictures.captions("default") == {}
    assert project.pictures.captions("e621") == {"own_1": Caption("own_1", "zorvex")}


def test_measures_and_scores_come_back_and_undo_leaves_them(project: Project, picture: Make) -> None:
    with project.change("add", "add"):
        project.pictures.add(picture("own_1"))
        project.caches.keep_measures("s", {"sharpness": 0.1 + 0.2})
        project.caches.keep_scores("s", "tagger", b"\x00\x3c")
    project.undo()
    assert project.caches.measures("s") == {"sharpness": 0.1 + 0.2} and project.caches.measures("t") is None
    assert project.caches.scores("s", "tagger") == b"\x00\x3c" and project.caches.scores("s", "other") is None


def test_paths_are_stored_with_forward_slashes(tmp_path: Path) -> None:
    assert relative_to_project(tmp_path, tmp_path / "images" / "own_1.png") == "images/own_1.png"
