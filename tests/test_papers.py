"""The papers say what is so: commands exist, files are where they are said to be, links lead somewhere."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

import install
from lorasmith import __version__
from lorasmith.cli import build_app
from lorasmith.settings.docs import settings_page
from lorasmith.settings.stage import StageSettings
from lorasmith.settings.tables import TABLES, SiteSettings
from lorasmith.settings.toml import preset_names, resolve
from lorasmith.stages.table import STAGES

REPOSITORY = Path(__file__).parent.parent
PAPERS = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")])
NAMES = [paper.relative_to(REPOSITORY).as_posix() for paper in PAPERS]
GRID = "docs/demo_grid.png"
LORASMITH = ".venv/bin/lorasmith"
TOOLS = {".venv/bin/ruff", ".venv/bin/mypy"}


def text_of(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


def section(text: str, heading: str) -> str:
    """Gives what stands under a heading of the second level."""
    return re.split(r"^## ", text.split(f"\n## {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def commands_of(name: str) -> list[list[str]]:
    """Gives the lines of a paper's shell blocks as words."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text_of(name), flags=re.MULTILINE | re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.splitlines() if line.strip()]


def demand_known(words: list[str]) -> None:
    """Lets the real parser read a lorasmith command: an unknown word, flag or a bad value raises."""
    words = [word for word in words if word != "--json"]
    build_app(words[0]).parse_args(words, exit_on_error=False, print_error=False)


ALL_COMMANDS = [(name, words) for name in NAMES for words in commands_of(name)]


@pytest.mark.parametrize(("name", "words"), ALL_COMMANDS, ids=lambda value: str(value)[:60])
def test_a_command_that_a_paper_shows_exists(name: str, words: list[str]) -> None:
    if words[:2] == ["python3", "install.py"]:
        left, _ = install.split_options(words[2:])
        if left[0] != "test":
            demand_known(left)
    elif words[0] == LORASMITH:
        demand_known(words[1:])
    else:
        assert words[0] in TOOLS, f"{name} shows {' '.join(words)}, which nobody checks"


@pytest.mark.parametrize("words", [["prun", "nick"], ["prune"], ["prune", "nick", "--blurr", "1"]])
def test_a_command_that_does_not_exist_would_be_found(words: list[str]) -> None:
    from cyclopts import CycloptsError

    with pytest.raises(CycloptsError):
        demand_known(words)


def test_the_readme_shows_every_stage_and_both_first_commands() -> None:
    shown = commands_of("README.md")
    assert shown[:2] == [["python3", "install.py", "demo"], ["python3", "install.py", "test"]]
    asked = [words[1] for words in shown if words[0] == LORASMITH]
    assert [name for name in asked if name in {stage.name for stage in STAGES}][: len(STAGES)] == [
        stage.name for stage in STAGES
    ]


def inline_commands() -> Iterator[tuple[str, str]]:
    for name in NAMES:
        for word in re.findall(r"`lorasmith ([a-z-]+)\b", text_of(name)):
            yield name, word


@pytest.mark.parametrize(("name", "word"), sorted(set(inline_commands())))
def test_a_command_named_in_passing_exists(name: str, word: str) -> None:
    assert word in set(build_app()), f"{name} names `lorasmith {word}`"


def files_of_the_map() -> list[str]:
    """Gives the paths in the README's file map: those in backticks that have a slash or a suffix."""
    words = re.findall(r"`([^`\s]+)`", section(text_of("README.md"), "File map"))
    return [word for word in words if word != ".venv" and ("/" in word or "." in word)]


def test_the_file_map_names_files_that_are_there() -> None:
    assert not [path for path in files_of_the_map() if not (REPOSITORY / path).exists()]


def test_the_file_map_has_every_folder_of_the_package() -> None:
    folders = {f"lorasmith/{path.parent.name}/" for path in (REPOSITORY / "lorasmith").glob("*/__init__.py")}
    assert not folders - set(files_of_the_map())


def test_contributing_names_files_that_are_there() -> None:
    words = re.findall(r"`((?:lorasmith|tests|docs)/[^`\s]+)`", text_of("CONTRIBUTING.md"))
    real = [word for word in words if "NAME" not in word]
    assert real
    assert not [word for word in real if not (REPOSITORY / word).exists()]


@pytest.mark.parametrize("name", NAMES)
def test_every_relative_link_leads_somewhere(name: str) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", text_of(name))
    near = [target.split("#")[0] for target in targets if not target.startswith(("http://", "https://", "#"))]
    there = {target for target in near if (REPOSITORY / name).parent.joinpath(target).exists()}
    assert set(near) - there <= {GRID}, "a link that leads nowhere"


def test_the_changelog_has_this_version() -> None:
    assert re.search(
        rf"^## \[{re.escape(__version__)}\] - (unreleased|\d{{4}}-\d\d-\d\d)$", text_of("CHANGELOG.md"), re.M
    )


def settings_of(model: type[StageSettings]) -> set[str]:
    """Names a model's settings that forms do not fold away; those of the site are told once, under research."""
    shared = set() if model is TABLES["research"] else set(SiteSettings.model_fields)
    fields = model.model_fields.items()
    extras = {name: info.json_schema_extra for name, info in fields if name not in shared}
    return {name for name, extra in extras.items() if isinstance(extra, dict) and not extra["advanced"]}


@pytest.mark.parametrize("stage", TABLES)
def test_the_page_of_the_stages_names_every_usual_setting(stage: str) -> None:
    part = section(text_of("docs/stages.md"), stage)
    missing = {name for name in settings_of(TABLES[stage]) if f"`{name}`" not in part}
    assert not missing


@pytest.mark.parametrize("stage", TABLES)
def test_the_page_of_the_stages_names_no_setting_that_is_not_there(stage: str) -> None:
    part = section(text_of("docs/stages.md"), stage)
    listed = re.search(r"- \*\*Settings:\*\*(.*?)\n- \*\*", part, re.DOTALL)
    assert listed is not None
    known = set(TABLES[stage].model_fields)
    assert set(re.findall(r"`([a-z_]+)`", listed[1])) <= known


@pytest.mark.parametrize("preset", preset_names())
def test_a_preset_fits_every_stage(preset: str) -> None:
    for stage in TABLES:
        resolve(stage, {"project": {"preset": preset}})
    assert f"`{preset}`" in text_of("CHANGELOG.md")


def test_the_page_of_the_settings_is_the_one_the_code_writes() -> None:
    assert settings_page() == text_of("docs/settings.md"), "write it anew: see CONTRIBUTING.md, 'a setting'"


def test_the_picture_of_the_demos_grid_is_there() -> None:
    """The last one: the picture comes out of the finished demo (its grid.png)."""
    assert (REPOSITORY / GRID).is_file()
