"""What the Tag page tells of a picture and of other thresholds is what `tag` then does."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lorasmith.demo.demo import model_files
from lorasmith.project.pictures import Tag
from lorasmith.project.project import Project
from lorasmith.settings.tables import TagSettings
from lorasmith.stages.tag.edit_tags import TagEdit, edit_tags
from lorasmith.stages.tag.index import open_index
from lorasmith.stages.tag.offers import offers
from lorasmith.stages.tag.picture_tags import PictureTags, picture_tags, surroundings_of
from lorasmith.stages.tag.scores import open_project_taggers, verdicts_of
from lorasmith.stages.tag.stage import tag
from lorasmith.stages.tag.threshold_trial import disagreements_listed, read_scores, try_thresholds
from tests.stages.test_suggestions import add_scene


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A project of three scenes, tagged; own_0 has a tag of the site that the tagger does not see."""
    with Project.create(tmp_path / "p", "nick", chosen={"tag": {"tagger": str(model_files()[1]), "core_tags": ["fox"]}}) as made:
        for place, said in enumerate(("fox forest hat", "fox solo", "fox open_mouth")):
            add_scene(made, f"own_{place}", seed=place, tags=())
            made.pictures.set_tags(f"own_{place}", "booru", [Tag(word, "general", "booru") for word in said.split()])
        tag(made, made.settings(TagSettings))
        yield made


def look(project: Project, name: str) -> PictureTags:
    index = open_index(project)
    return picture_tags(project, project.pictures.get(name), index, surroundings_of(project, len(index.names)))


def fates(project: Project, name: str) -> dict[str, tuple[str, str]]:
    return {chip.tag: (chip.state, chip.why) for chip in look(project, name).chips}


def test_the_caption_told_is_the_one_that_tag_writes_before_and_after_edits_and_other_thresholds(project: Project) -> None:
    for edit in (None, TagEdit("add", ("night",), pictures=("own_1",)), TagEdit("remove", ("hat",)), TagEdit("last", ("solo",))):
        if edit is not None:
            edit_tags(project, edit)
        for threshold in (0.0, 0.02, 0.9):
            settings = project.settings(TagSettings, {"threshold": threshold})
            file = project.folder / "lorasmith.toml"
            before = file.read_text(encoding="utf-8")
            file.write_text(before.replace("[tag]", f"[tag]\nthreshold = {threshold}"), encoding="utf-8")
            told = {name: look(project, name).captions[0].now for name in ("own_0", "own_1", "own_2")}
            tag(project, settings)
            written = {one.picture: one.text for one in project.pictures.captions("default").values()}
            file.write_text(before, encoding="utf-8")
            assert told == written


def test_each_tag_has_its_fate_with_the_reason(project: Project) -> None:
    found = fates(project, "own_0")
    assert found["hat"][0] == "told" and found["fox"] == ("core", "the trigger stands for it")
    assert found["forest"] == ("left out", "doubted: the tagger sees 0% of it")
    edit_tags(project, TagEdit("remove", ("hat",), pictures=("own_0",)))
    assert fates(project, "own_0")["hat"] == ("taken out", "taken out by a person")
    assert "front_view" in look(project, "own_0").unset["view"]


def test_a_trial_of_thresholds_names_just_what_the_verdicts_then_differ_in(project: Project) -> None:
    settings = project.settings(TagSettings)
    pictures = project.pictures.trained()
    scores = read_scores(project, pictures, settings)
    taggers = open_project_taggers(settings)
    for flags in ({"threshold": 0.05}, {"threshold": 0.98}, {"thresholds": ["beach -> 0.999"]}):
        after = project.settings(TagSettings, flags)
        tried = try_thresholds(scores, settings, after)
        was, will = (verdicts_of(project, taggers, pictures, each) for each in (settings, after))
        said = {(name, word) for name in was for word in project.pictures.said(name)}
        expected = [
            {(name, word) for name in was for word in more[name].by if word not in less[name].by} - said
            for more, less in ((will, was), (was, will))
        ]
        for changes, wanted in zip((tried.joining, tried.leaving), expected, strict=True):
            assert {(name, one.tag) for one in changes for name in one.names} == wanted


def test_disagreements_are_told_without_a_model_in_memory(project: Project) -> None:
    found = disagreements_listed(project, project.pictures.trained(), project.settings(TagSettings))
    assert ("own_0", "forest", "denied") in {(one.picture, one.tag, one.kind) for one in found}


def test_an_old_or_foreign_name_offers_the_boards_own_and_what_marks_minors_is_never_offered(project: Project) -> None:
    index = open_index(project)
    first = offers("from behind", index, "e621", None)[0]
    assert (first.tag, first.typed_as) == ("rear_view", "from_behind")
    assert offers("fo", index, "e621", None)[0].tag == "fox" and offers(" ", index, "e621", None) == []
    assert offers("lol", index, "danbooru", None) == [] or all("loli" not in one.tag for one in offers("lol", index, "danbooru", None))
