"""lorasmith.toml: what is chosen comes back, what is unknown is told, and comments survive."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import PydanticUndefined

from lorasmith.errors import UsageError
from lorasmith.settings.stage import StageSettings
from lorasmith.settings.tables import (
    TABLES,
    DownloadSettings,
    ResearchSettings,
    SiteSettings,
    TagSettings,
    TrainSettings,
)
from lorasmith.settings.toml import (
    FILE_NAME,
    SITE,
    bounds_text,
    keep_choice,
    limits_text,
    new_document,
    preset_names,
    preset_note,
    read_preset,
    read_tables,
    resolve,
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / FILE_NAME
    path.write_text(new_document("zorvex", "quick"), encoding="utf-8")
    return path


# presets


@pytest.mark.parametrize("preset", ["", *preset_names()])
@pytest.mark.parametrize("stage", TABLES)
def test_every_preset_resolves_for_every_stage(preset: str, stage: str, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(new_document("zorvex", preset), encoding="utf-8")
    resolved = resolve(stage, read_tables(tmp_path / FILE_NAME))
    assert isinstance(resolved, TABLES[stage])
    if preset:
        tables = read_preset(preset)
        shared = tables.get(SITE, {}) if isinstance(resolved, SiteSettings) else {}
        expected = shared | tables.get(stage, {})
        assert {name: getattr(resolved, name) for name in expected} == expected
        assert preset_note(preset).endswith(".")


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="no preset 'character_sd51'; did you mean 'character_sd15'"):
        read_preset("character_sd51")
    with pytest.raises(UsageError, match="no preset"):
        read_preset("../settings/tables")


# what holds


def test_default_then_preset_then_site_then_stage_then_flag() -> None:
    assert resolve("download", {}).model_dump()["top_n"] == 200
    tables: dict[str, dict[str, Any]] = {"project": {"preset": "quick"}}
    preset = read_preset("quick")["download"]
    assert preset and resolve("download", tables) == DownloadSettings(**preset)
    tables["site"] = {"query": "fox", "min_area": 1}
    tables["download"] = {"top_n": 7, "min_area": 2}
    assert resolve("download", tables) == DownloadSettings(query="fox", top_n=7, min_area=2)
    assert resolve("research", tables) == ResearchSettings(query="fox", min_area=1)
    assert resolve("download", tables, {"top_n": 3}) == DownloadSettings(query="fox", top_n=3, min_area=2)


def test_any_line_of_the_file_wins_over_the_preset() -> None:
    tables = {"project": {"preset": "demo"}, "site": {"min_area": 5}}
    assert resolve("download", tables) == DownloadSettings(**(read_preset("demo")["download"] | {"min_area": 5}))


# reading


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[trian]", r"lorasmith.toml has an unknown table \[trian\]; did you mean 'train'\?"),
        ("[zzzz]", r"unknown table \[zzzz\]; it has: project, site, research"),
        ("[train]\nrankk = 4", r"\[train\] has no setting 'rankk'; did you mean 'rank'\?"),
        ("[site]\ntop_n = 4", r"\[site\] has no setting 'top_n'"),
        ("[project]\ntriger = 'x'", r"\[project\] has no setting 'triger'; did you mean 'trigger'\?"),
        ("train = 4", r"'train' must be a table, written as \[train\]"),
        ("[train]\nrank = ", r"is not valid TOML \(.*\); correct that line"),
        ("[train]\nrank = 1\nrank = 2", r"is not valid TOML"),
        ("[train]\nrank = '\udcff'", r"is not valid TOML"),
    ],
)
def test_what_cannot_be_read_is_a_sentence(file: Path, text: str, sentence: str) -> None:
    file.write_bytes(text.encode("utf-8", errors="surrogateescape"))
    with pytest.raises(UsageError, match=sentence):
        read_tables(file)


def test_the_mark_and_line_ends_of_windows_editors_are_read(file: Path) -> None:
    file.write_bytes(b'\xef\xbb\xbf[project]\r\ntrigger = "zorvex"\r\n# mine\r\n[train]\r\nrank = 4\r\n')
    assert read_tables(file) == {"project": {"trigger": "zorvex"}, "train": {"rank": 4}}
    keep_choice(file, "train", {"rank": 8})
    assert file.read_bytes() == b'[project]\r\ntrigger = "zorvex"\r\n# mine\r\n[train]\r\nrank = 8\r\n'


# a new file


def test_a_new_file_names_every_setting_with_its_help_and_what_holds(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert read_tables(file) == {"project": {"trigger": "zorvex", "preset": "quick"}} | {t: {} for t in (SITE, *TABLES)}
    for model in (SiteSettings, *TABLES.values()):
        for name, info in model.model_fields.items():
            assert f"# {name} =" in text and str(info.description) in text
    top_n = read_preset("quick")["download"]["top_n"]
    assert f"# top_n = {top_n}\n" in text, "the preset's value, for it holds"


def test_a_commented_line_means_what_it_says_when_its_mark_is_removed(file: Path) -> None:
    lines = file.read_text(encoding="utf-8").splitlines()
    freed = [
        line.removeprefix("# ") if line.startswith("# ") and " = " in line and not line.startswith("#   ") else line
        for line in lines[2:]
    ]
    tables = tomllib.loads("\n".join(line for line in freed if not line.endswith(" = ")))
    for stage in TABLES:
        assert resolve(stage, tables) == resolve(stage, {"project": {"preset": "quick"}})


@pytest.mark.parametrize("trigger", ['a"b', "初音ミク", "it's", "# no comment", "[train]", "'''", "\\x"])
def test_any_trigger_comes_back(tmp_path: Path, trigger: str) -> None:
    (tmp_path / FILE_NAME).write_text(new_document(trigger, ""), encoding="utf-8")
    assert read_tables(tmp_path / FILE_NAME)["project"] == {"trigger": trigger}


PLAIN = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
CHOICES = st.fixed_dictionaries(
    {},
    optional={
        "tagger": PLAIN,
        "drop_tags": st.lists(PLAIN, max_size=3),
        "threshold": st.floats(0.01, 1),
        "underscores": st.booleans(),
        "batch_size": st.integers(1, 128),
    },
)


@settings(max_examples=40, deadline=None)
@given(first=CHOICES, second=CHOICES)
def test_what_is_chosen_comes_back(tmp_path_factory: pytest.TempPathFactory, first: Any, second: Any) -> None:
    path = tmp_path_factory.mktemp("toml") / FILE_NAME
    path.write_text("# mine\n[tag] # mine too\n\n[train]\nrank = 4\n", encoding="utf-8")
    for choice in (first, second):
        keep_choice(path, "tag", choice)
    assert read_tables(path) == {"tag": first | second, "train": {"rank": 4}}
    assert resolve("tag", read_tables(path)) == TagSettings(**(first | second))
    assert path.read_text(encoding="utf-8").startswith("# mine\n[tag] # mine too\n")


@pytest.mark.parametrize("value", ["", 'a "b"', "C:\\models\\base.safetensors", "狐", "#", "]", "'x' \"y\""])
def test_what_is_chosen_for_a_new_project_comes_back(tmp_path: Path, value: str) -> None:
    chosen = {"tag": {"tagger": value, "drop_tags": [value, "b"], "threshold": 0.4}}
    (tmp_path / FILE_NAME).write_text(new_document("zorvex", "", chosen), encoding="utf-8")
    assert read_tables(tmp_path / FILE_NAME)["tag"] == chosen["tag"]


# changing a file


def test_comments_survive_a_kept_choice(file: Path) -> None:
    text = file.read_text(encoding="utf-8").replace("[train]\n", "[train]\nrank = 4 # enough for her\n# my own note\n")
    file.write_text(text, encoding="utf-8")
    keep_choice(file, "train", {"rank": 8, "epochs": 3})
    keep_choice(file, "site", {"query": "fox"})
    after = file.read_text(encoding="utf-8")
    assert "rank = 8 # enough for her\n# my own note\n" in after
    gone = set(text.splitlines()) - set(after.splitlines())
    assert gone == {"rank = 4 # enough for her"}
    tables = read_tables(file)
    assert tables["train"] == {"rank": 8, "epochs": 3} and tables["site"] == {"query": "fox"}


def test_a_kept_choice_makes_the_table_that_is_missing(file: Path) -> None:
    file.write_text('[project]\ntrigger = "zorvex"\n# last words', encoding="utf-8")
    keep_choice(file, "site", {"query": "fox"})
    assert read_tables(file) == {"project": {"trigger": "zorvex"}, "site": {"query": "fox"}}
    assert "# last words" in file.read_text(encoding="utf-8")


def test_a_choice_of_nothing_takes_the_line_out(file: Path) -> None:
    keep_choice(file, "train", {"unet_lr": 1e-4})
    assert resolve("train", read_tables(file)).model_dump()["unet_lr"] == 1e-4
    keep_choice(file, "train", {"unet_lr": None, "text_encoder_lr": None})
    assert read_tables(file)["train"] == {}


# words


@pytest.mark.parametrize(
    ("model", "name", "limits", "whole"),
    [
        (TrainSettings, "resolution", "64 to 2048", " (pixels, 64 to 2048)"),
        (TrainSettings, "alpha", "above 0", " (above 0)"),
        (TrainSettings, "min_bucket", "from 32", " (pixels, from 32)"),
        (SiteSettings, "requests_per_second", "above 0, up to 2", " (1/s, above 0, up to 2)"),
        (TrainSettings, "flip", "", ""),
    ],
)
def test_bounds_are_worded(model: type[StageSettings], name: str, limits: str, whole: str) -> None:
    assert limits_text(model, name) == limits and bounds_text(model, name) == whole


def test_every_default_can_be_written_in_toml() -> None:
    for model in TABLES.values():
        for info in model.model_fields.values():
            default = info.get_default(call_default_factory=True)
            assert default is not PydanticUndefined
            if default is not None:
                assert tomllib.loads(f"x = {tomlkit.item(default).as_string()}") == {"x": default}
