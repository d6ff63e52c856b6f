"""How captions are written: what the settings of [tag] put in, leave out, order and spell, and what a person's edit keeps."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from lorasmith.errors import RefusedError, TaggerError, UsageError
from lorasmith.project.pictures import Picture, Tag, facts_of
from lorasmith.project.project import Project
from lorasmith.settings.tables import CATEGORIES, TagSettings
from lorasmith.stages.tag.stage import tag

TAGS = {
    "zorvex": "character",
    "blaze_(marking)": "general",
    "sitting": "general",
    "forest": "general",
    "boldline": "artist",
    "fox": "species",
    "hi_res": "meta",
    "someone_(artist)": "contributor",
}


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A project of one picture of the site, with tags of many categories and no tagger."""
    with Project.create(tmp_path / "p", "zorvex", chosen={"tag": {"tagger": "none", "absorb": False}}) as made:
        file = made.images / "e621_7.png"
        Image.effect_noise((64, 64), 90).convert("RGB").save(file)
        post = {"site": "e621", "id": 7, "rating": "e"}
        facts = facts_of(made.folder, file, (64, 64))
        with made.transaction():
            made.pictures.add(Picture("e621_7", origin="booru", post=post, **facts))
            made.pictures.set_tags("e621_7", "booru", [Tag(name, category, "booru") for name, category in TAGS.items()])
        yield made


def written(project: Project, **chosen: object) -> list[str]:
    """Writes the captions with some settings; gives the tags of the one sidecar."""
    tag(project, project.settings(TagSettings, chosen))
    return sidecar(project).read_text(encoding="utf-8").split(", ")


def sidecar(project: Project) -> Path:
    return next(project.dataset("default").rglob("*.txt"))


PLAIN = ["zorvex", "fox", "blaze (marking)", "sitting", "forest"]


def test_without_these_settings_nothing_changes(project: Project) -> None:
    assert written(project) == PLAIN


@pytest.mark.parametrize(
    ("chosen", "caption"),
    [
        ({"prepend_tags": ["on e621", "forest"]}, ["zorvex", "on e621", "forest", "fox", "blaze (marking)", "sitting"]),
        ({"append_tags": ["fox", "last_one"]}, ["zorvex", "blaze (marking)", "sitting", "forest", "fox", "last one"]),
        ({"prepend_tags": ["zorvex"], "append_tags": ["zorvex"]}, PLAIN),
        ({"underscores": True}, ["zorvex", "fox", "blaze_(marking)", "sitting", "forest"]),
        ({"remove_parentheses": True}, ["zorvex", "fox", "blaze marking", "sitting", "forest"]),
        ({"replace_tags": ["fox -> red fox", "sitting->forest"]}, ["zorvex", "red fox", "blaze (marking)", "forest"]),
        ({"rating_tags": ["e"]}, [*PLAIN, "explicit"]),
        ({"rating_tags": ["s", "q"]}, PLAIN),
        ({"category_order": ["species", "artist"]}, ["zorvex", "fox", "boldline"]),
        ({"category_order": ["rating", "meta", "species"], "rating_tags": ["e"]}, ["zorvex", "explicit", "hi res", "fox"]),
        ({"category_order": ["species"], "rating_tags": ["e"]}, ["zorvex", "fox"]),
        ({"category_order": ["contributor"], "prepend_tags": ["a"]}, ["zorvex", "a", "someone (artist)"]),
        ({"category_order": ["general"], "drop_tags": ["forest"]}, ["zorvex", "blaze (marking)", "sitting"]),
    ],
)
def test_a_caption_is_written_as_the_settings_say(project: Project, chosen: dict[str, object], caption: list[str]) -> None:
    assert written(project, **chosen) == caption
    assert project.pictures.captions("default")["e621_7"].text == ", ".join(caption)


def test_every_category_can_be_listed(project: Project) -> None:
    tags = set(written(project, category_order=list(CATEGORIES), underscores=True))
    assert tags == set(TAGS)


def test_a_tag_that_the_trigger_absorbs_stays_absorbed_when_it_is_the_new_name_of_another(project: Project) -> None:
    looks = {"core_tags": ["fox"], "core_share": 1.0, "keep_tags": ["blaze_(marking)"]}
    caption = written(project, absorb=True, replace_tags=["sitting -> fox"], **looks)
    assert caption == ["zorvex", "blaze (marking)", "forest"]


@pytest.mark.parametrize("setting", ["prepend_tags", "append_tags", "replace_tags"])
def test_a_setting_that_carries_a_refused_tag_is_refused_before_anything_is_written(project: Project, setting: str) -> None:
    for value in ("young", "a -> cub", "cub -> a"):
        with pytest.raises(RefusedError, match=setting):
            project.settings(TagSettings, {setting: [value]})


@pytest.mark.parametrize(
    ("setting", "value", "sentence"),
    [
        ("replace_tags", "fox", "write 'old -> new'"),
        ("replace_tags", "-> fox", "write 'old -> new'"),
        ("replace_tags", "fox ->", "write 'old -> new'"),
        ("category_order", "specis", "did you mean 'species'"),
    ],
)
def test_a_setting_that_cannot_be_read_gets_a_sentence(project: Project, setting: str, value: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        project.settings(TagSettings, {setting: [value]})


DECORATED = {
    "prepend_tags": ["first_one"],
    "append_tags": ["last_one"],
    "remove_parentheses": True,
    "replace_tags": ["forest -> wood"],
    "rating_tags": ["e"],
}


@pytest.mark.parametrize("removed", ["first one", "last one", "blaze marking", "wood", "explicit", "fox"])
def test_what_a_person_takes_out_of_a_sidecar_stays_out(project: Project, removed: str) -> None:
    before = written(project, **DECORATED)
    after = [each for each in before if each != removed]
    assert len(after) == len(before) - 1
    sidecar(project).write_text(", ".join(after), encoding="utf-8")
    for _ in range(2):
        assert written(project, **DECORATED) == after
    assert removed not in {each.replace("(", "").replace(")", "") for each in written(project)}
    assert ("forest" in written(project)) is (removed != "wood")


def test_what_a_person_took_out_and_put_back_is_there_again(project: Project) -> None:
    before = written(project, **DECORATED)
    for caption in ([each for each in before if each not in ("blaze marking", "explicit")], before):
        sidecar(project).write_text(", ".join(caption), encoding="utf-8")
        written(project, **DECORATED)
    assert set(written(project, **DECORATED)) == set(before)


def test_what_a_person_adds_stays_whatever_the_settings_leave_out(project: Project) -> None:
    chosen = {"category_order": ["species"], "append_tags": ["last_one"], "replace_tags": ["fox -> red_fox"]}
    assert written(project, **chosen) == ["zorvex", "red fox", "last one"]
    sidecar(project).write_text("zorvex, red fox, sitting, fox, last one", encoding="utf-8")
    for _ in range(2):
        assert written(project, **chosen) == ["zorvex", "red fox", "sitting", "fox", "last one"]


def test_other_settings_write_the_same_sidecar_anew_and_count_as_nobodys_edit(project: Project) -> None:
    written(project, **DECORATED)
    told = tag(project, project.settings(TagSettings))
    assert told.edited_elsewhere == () and sidecar(project).read_text(encoding="utf-8").split(", ") == PLAIN


def test_a_person_who_writes_a_tag_without_its_parentheses_gets_just_that(project: Project) -> None:
    before = written(project)
    sidecar(project).write_text(", ".join(before).replace("(marking)", "marking"), encoding="utf-8")
    assert set(written(project)) == {*PLAIN, "blaze marking"} - {"blaze (marking)"}


def test_the_word_of_a_rating_is_the_sites_own(project: Project) -> None:
    with project.transaction():
        picture = project.pictures.get("e621_7")
        words = {"e621 s": "safe", "e621 q": "questionable", "danbooru s": "sensitive", "danbooru g": "general"}
        for (site, rating), word in ((said.split(), word) for said, word in words.items()):
            project.pictures.add(Picture(**{**picture.__dict__, "post": {"site": site, "rating": rating}}))
            assert written(project, rating_tags=["g", "s", "q", "e"])[-1] == word


def test_a_caption_of_which_all_is_left_out_is_the_trigger(project: Project) -> None:
    assert written(project, category_order=["lore"]) == ["zorvex"]


def test_who_undoes_tag_keeps_what_was_written_by_hand(project: Project) -> None:
    before = written(project)
    sidecar(project).write_text(", ".join([*before, "monocle"]), encoding="utf-8")
    assert "monocle" in written(project)
    assert project.undo().stage == "tag"
    assert "monocle" in written(project)
    for stage in ("tag", "tags"):  # the edit itself is an entry too
        assert project.undo().stage == stage
    assert "monocle" not in written(project)


def test_a_call_that_is_refused_for_what_it_was_told_keeps_nothing_of_it(project: Project) -> None:
    from lorasmith.stages.run import run_stage

    before = (project.folder / "lorasmith.toml").read_text(encoding="utf-8")
    with pytest.raises(TaggerError, match="There is no tagger 'nowhere'"):
        run_stage(project, "tag", flags={"tagger": "nowhere", "veto": 0.0})
    assert (project.folder / "lorasmith.toml").read_text(encoding="utf-8") == before
    run_stage(project, "tag", flags={"tagger": "none", "underscores": True})
    assert project.settings(TagSettings).underscores
