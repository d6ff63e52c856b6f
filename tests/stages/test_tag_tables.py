"""A site's tables on this machine: fetched by a command, used by captions where they are, missed by nothing where they are not."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from lorasmith.cli import main
from lorasmith.demo.server import DemoBooru
from lorasmith.errors import SiteError
from lorasmith.project.pictures import PERSON, Picture, Tag, facts_of
from lorasmith.project.project import Project
from lorasmith.settings.tables import TagSettings
from lorasmith.stages.tag.stage import tag
from lorasmith.stages.tag.tables import fetch_tables, in_words
from lorasmith.tags.relations import load_relations

TAGS = {"zorvex": "character", "fox": "species", "canine": "species", "mammal": "species", "forest": "general", "tree": "general"}
IMPLICATIONS = {"fox": ("canine",), "canine": ("mammal",), "forest": ("tree",), "zorvex": ("forest",)}


@pytest.fixture(autouse=True)
def a_person_s_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "data"))


@pytest.fixture
def booru(serve: Callable[..., DemoBooru]) -> DemoBooru:
    running = serve([], aliases={"vulpine": "fox"}, implications=IMPLICATIONS)
    running.site.exports_posts = False
    return running


@pytest.fixture
def project(tmp_path: Path, booru: DemoBooru) -> Iterator[Project]:
    """A project of one picture with all that its tags imply, and no tagger."""
    chosen = {"tag": {"tagger": "none", "absorb": False}, "site": {"site_url": booru.url}}
    with Project.create(tmp_path / "p", "zorvex", chosen=chosen) as made:
        file = made.images / "e621_7.png"
        Image.effect_noise((64, 64), 90).convert("RGB").save(file)
        with made.transaction():
            facts = facts_of(made.folder, file, (64, 64))
            made.pictures.add(Picture("e621_7", origin="booru", post={"site": "e621", "id": 7}, **facts))
            made.pictures.set_tags("e621_7", "booru", [Tag(name, category, "booru") for name, category in TAGS.items()])
        yield made


def written(project: Project, **chosen: object) -> list[str]:
    done = tag(project, project.settings(TagSettings, chosen))
    return [done.tables, *next(project.dataset("default").rglob("*.txt")).read_text(encoding="utf-8").strip().split(", ")]


def test_without_tables_captions_keep_every_tag_and_the_result_says_what_is_missing(project: Project) -> None:
    said, *caption = written(project)
    assert said == "no tables of e621 yet: `lorasmith tags fetch e621` brings aliases and implications"
    assert set(caption) == set(TAGS)


def test_with_tables_the_implied_tags_leave_the_captions_and_the_record_keeps_them(project: Project, booru: DemoBooru) -> None:
    fetch_tables("e621", booru.url)
    said, *caption = written(project)
    assert said == "tables of e621 fetched today"
    assert caption == ["zorvex", "fox", "forest"]  # the character's own name implies nothing away
    assert {row.tag for row in project.pictures.tags("e621_7")} == set(TAGS)


def test_what_a_person_or_a_setting_keeps_stays(project: Project, booru: DemoBooru) -> None:
    fetch_tables("e621", booru.url)
    assert "mammal" in written(project, keep_tags=["mammal"])
    assert set(written(project, prune_implied=False)[1:]) == set(TAGS)
    project.pictures.set_tags("e621_7", PERSON, [Tag("canine", "species", PERSON, 1.0)])
    assert "canine" in written(project)


def test_a_tag_that_is_never_written_takes_nothing_with_it(project: Project, booru: DemoBooru) -> None:
    fetch_tables("e621", booru.url)
    assert written(project, drop_tags=["forest"])[1:] == ["zorvex", "fox", "tree"]


def test_a_site_with_nothing_leaves_the_old_tables(serve: Callable[..., DemoBooru], booru: DemoBooru) -> None:
    fetch_tables("e621", booru.url)
    empty = serve([])
    empty.site.exports_posts = False
    with pytest.raises(SiteError, match="stay as they were"):
        fetch_tables("e621", empty.url)
    found = load_relations("e621", booru.url)
    assert found is not None and found.implied("fox") == {"canine", "mammal"}
    assert "fetched today" in in_words(found, "e621")


def told(capsys: pytest.CaptureFixture[str], *words: str) -> dict:
    with pytest.raises(SystemExit) as ended:
        main(["tags", *words, "--json"])
    assert ended.value.code == 0
    return json.loads(capsys.readouterr().out)


def test_the_commands_say_what_is_known_of_words(capsys: pytest.CaptureFixture[str], booru: DemoBooru) -> None:
    assert told(capsys, "fetch", "e621", "--site-url", booru.url)["implications"] == 4
    shown = told(capsys, "show", "from behind")
    assert (shown["group"], shown["used_as"], shown["on_e621"]) == ("view", "state", "rear_view")
    assert "not what e621 means" in told(capsys, "show", "narrowed_eyes")["on_danbooru"]
    said = told(capsys, "translate", "1girl, solo, narrowed eyes", "--to", "e621")
    assert said["caption"] == "female, solo" and said["lost"][0]["became"] == "left out"
    cost = told(capsys, "tokens", "nick, solo, looking at viewer")
    assert (cost["tokens"], cost["windows"]) == (7, 1) and "Add the surname" in cost["trigger"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["fetch", "gelbooru"], "fetch those of danbooru"),
        (["fetch", "e612"], "did you mean 'e621'"),
        (["translate", "solo", "--to", "kemono"], "--to danbooru or --to e621"),
        (["show", "a, b"], "holds a comma"),
    ],
)
def test_what_cannot_be_asked_is_answered_with_a_sentence(
    capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["tags", *words])
    assert ended.value.code == 2 and sentence in capsys.readouterr().err
