"""Scores of a project's pictures: kept once, several taggers at once, broken pictures skipped, thresholds asked afterwards."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lorasmith.errors import TaggerError, UsageError
from lorasmith.progress import Progress
from lorasmith.project.pictures import Picture, Tag, facts_of
from lorasmith.project.project import Project
from lorasmith.settings.tables import TagSettings
from lorasmith.stages.tag.scores import (
    disagreements_of,
    has_scores,
    open_project_tagger,
    open_project_taggers,
    refuse,
    score_missing,
    score_pictures,
    thresholds_by_tag,
    vector_of,
    verdicts_of,
)
from tests.taggers.conftest import write_colour_tagger

COLOURS = {"1": "blue", "2": "red", "3": "white"}


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A project of three plain pictures, of which the booru says that each is red."""
    with Project.create(tmp_path / "p", "zorvex") as made, made.transaction():
        for name, colour in COLOURS.items():
            file = made.images / f"{name}.png"
            Image.new("RGB", (20, 20), colour).save(file)
            made.pictures.add(Picture(name, origin="booru", post={}, **facts_of(made.folder, file, (20, 20))))
            made.pictures.set_tags(name, "booru", [Tag("red_background", "general", "booru")])
        yield made


@pytest.fixture
def settings(project: Project, tmp_path: Path) -> TagSettings:
    """Two taggers: one knows blue, green and red; to the other the three channels mean other things."""
    one = write_colour_tagger(tmp_path / "one")
    two = write_colour_tagger(tmp_path / "two", batch=1, labels=("blue_background", "leaf", "fire"))
    return project.settings(TagSettings, {"taggers": [str(one), str(two)]})


def pictures_of(project: Project) -> list[Picture]:
    return list(project.pictures.trained())


def test_several_taggers_score_every_picture_once(project: Project, settings: TagSettings) -> None:
    taggers = open_project_taggers(settings)
    assert [tagger.name for tagger in taggers] == ["one", "two"]
    assert score_pictures(project, taggers, pictures_of(project), 2).scored == 3
    assert score_pictures(project, taggers, pictures_of(project), 2).scored == 0
    assert all(has_scores(project, taggers, picture) for picture in pictures_of(project))


def test_a_second_tagger_scores_only_what_it_has_not_seen(project: Project, settings: TagSettings) -> None:
    one, two = open_project_taggers(settings)
    assert score_missing(project, one, pictures_of(project), 2) == 3
    notes: list[Progress] = []
    assert score_pictures(project, [one, two], pictures_of(project)[:2], 2, notes.append).scored == 2
    assert [note.done for note in notes] == [0, 1, 2] and notes[-1].total == 2
    assert vector_of(project, one, pictures_of(project)[0]).dtype == np.float32


def test_a_broken_picture_is_told_named_and_skipped(project: Project, settings: TagSettings) -> None:
    (project.images / "2.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    taggers, notes = open_project_taggers(settings), list[Progress]()
    did = score_pictures(project, taggers, pictures_of(project), 2, notes.append)
    assert did.scored == 2 and list(did.skipped) == ["2"] and "2.png is broken" in did.skipped["2"]
    assert any(note.note.startswith("2 is skipped: ") for note in notes)
    assert set(verdicts_of(project, taggers, pictures_of(project), settings)) == {"1", "3"}
    assert refuse(project, pictures_of(project), taggers) == 0


def test_what_was_scored_before_a_stop_is_kept(project: Project, settings: TagSettings) -> None:
    (tagger,) = open_project_taggers(settings)[:1]

    def stop(progress: Progress) -> None:
        if progress.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score_pictures(project, [tagger], pictures_of(project), 1, stop)
    assert [has_scores(project, [tagger], picture) for picture in pictures_of(project)] == [True, True, False]


def test_other_thresholds_are_asked_of_what_is_stored(project: Project, settings: TagSettings) -> None:
    taggers = open_project_taggers(settings)
    score_pictures(project, taggers, pictures_of(project), 2)
    said = verdicts_of(project, taggers, pictures_of(project), settings)
    assert {tag: set(by) for tag, by in said["1"].by.items()} == {"blue_background": {"one", "two"}}
    assert set(said["2"].by) == {"red_background", "fire"}
    for file in project.images.iterdir():
        file.unlink()  # nothing is run for the next question
    chosen = {"taggers": settings.taggers, "thresholds": ["two / fire -> 1", "blue_background -> 0.99"]}
    narrower = verdicts_of(project, taggers, pictures_of(project), project.settings(TagSettings, chosen))
    assert set(narrower["2"].by) == {"red_background"} and narrower["1"].by == {}
    assert thresholds_by_tag(taggers[1], project.settings(TagSettings, chosen))["fire"] == 1
    assert thresholds_by_tag(taggers[1], project.settings(TagSettings, {"threshold": 0.5}))["leaf"] == 0.5


def test_disagreements_of_a_set_name_picture_tag_and_scores(project: Project, settings: TagSettings) -> None:
    taggers = open_project_taggers(settings)
    score_pictures(project, taggers, pictures_of(project), 2)
    found = {(one.picture, one.tag): one for one in disagreements_of(project, taggers, pictures_of(project), settings)}
    assert found["1", "red_background"].kind == "denied"
    assert found["1", "blue_background"].kind == "unsaid" and set(found["1", "blue_background"].scores) == {"one", "two"}
    assert ("2", "red_background") not in found


def test_a_tagger_s_word_on_minors_takes_a_picture_out_whichever_tagger_says_it(project: Project, tmp_path: Path) -> None:
    one = write_colour_tagger(tmp_path / "one")
    two = write_colour_tagger(tmp_path / "two", batch=1, labels=("sky", "leaf", "young"))
    taggers = open_project_taggers(project.settings(TagSettings, {"taggers": [str(one), str(two)]}))
    score_pictures(project, taggers, pictures_of(project), 2)
    assert refuse(project, pictures_of(project), taggers) == 2  # red and white have red in them
    assert [picture.name for picture in project.pictures.trained()] == ["1"]


def test_the_old_setting_of_one_tagger_still_counts(project: Project, tmp_path: Path) -> None:
    folder = str(write_colour_tagger(tmp_path / "one"))
    settings = project.settings(TagSettings, {"tagger": folder})
    assert settings.tagger_names == [folder] and open_project_tagger(settings).name == "one"
    assert project.settings(TagSettings, {"tagger": "none"}).tagger_names == []
    assert open_project_taggers(project.settings(TagSettings, {"tagger": "none"})) == ()


def test_two_taggers_of_one_name_are_refused(project: Project, tmp_path: Path) -> None:
    folders = [str(write_colour_tagger(tmp_path / where / "same")) for where in "ab"]
    with pytest.raises(TaggerError, match="Two of the taggers are called 'same'"):
        open_project_taggers(project.settings(TagSettings, {"taggers": folders}))


@pytest.mark.parametrize("line", ["smile", "smile -> 2", "-> 0.4", "wd-* /  -> 0.4", "smile -> much"])
def test_a_threshold_that_cannot_be_read_is_a_sentence(project: Project, line: str) -> None:
    with pytest.raises(UsageError, match="write 'tag or category -> number'"):
        project.settings(TagSettings, {"thresholds": [line]})


def test_one_tagger_beside_a_list_without_it_is_not_passed_over_in_silence(project: Project) -> None:
    with pytest.raises(UsageError, match="tagger is 'x', which is not among taggers; add it there, or empty taggers"):
        project.settings(TagSettings, {"tagger": "x", "taggers": ["y"]})
    assert project.settings(TagSettings, {"tagger": "y", "taggers": ["y", "z"]}).tagger_names == ["y", "z"]
