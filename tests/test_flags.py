"""Flags are read off the settings: same names, and only what was typed arrives."""

from pathlib import Path
from typing import Any

import pytest
from cyclopts import App, CycloptsError

from lorasmith.flags import with_flags
from lorasmith.settings.stage import StageSettings
from lorasmith.settings.tables import TABLES, EvaluateSettings, PruneSettings, TrainSettings


def arrived(model: type[StageSettings], *words: str) -> dict[str, Any]:
    """What a command of that model gets for the words of a command line."""
    app = App(result_action="return_value")

    def command(folder: Path, **flags: Any) -> Any:
        """Does it."""
        return {"folder": folder} | flags

    app.command(with_flags(command, model), name="stage")
    return dict(app(["stage", *words], exit_on_error=False, print_error=False))


@pytest.mark.parametrize("stage", TABLES)
def test_every_setting_is_a_flag_with_its_help(
    stage: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")  # long names are broken over two lines of a narrow terminal
    app = App(help_format="plaintext", result_action="return_value")
    app.command(with_flags(lambda folder, **flags: None, TABLES[stage]), name=stage)
    app([stage, "--help"])
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for name, info in TABLES[stage].model_fields.items():
        assert f"--{name.replace('_', '-')}" in shown
        assert str(info.description).split()[0] in shown


def test_only_the_flags_that_were_typed_arrive(tmp_path: Path) -> None:
    assert arrived(TrainSettings, str(tmp_path)) == {"folder": tmp_path}
    typed = arrived(TrainSettings, str(tmp_path), "--rank", "8", "--unet-lr", "1e-4", "--lr-scheduler", "linear")
    assert typed == {"folder": tmp_path, "rank": 8, "unet_lr": 1e-4, "lr_scheduler": "linear"}


def test_switches_can_be_put_on_and_off_and_zero_is_a_value(tmp_path: Path) -> None:
    assert arrived(PruneSettings, str(tmp_path), "--solo")["solo"] is True
    typed = arrived(PruneSettings, str(tmp_path), "--no-solo", "--blur", "0", "--min-score=-5")
    assert typed == {"folder": tmp_path, "solo": False, "blur": 0.0, "min_score": -5}


def test_lists_take_their_flag_several_times(tmp_path: Path) -> None:
    typed = arrived(
        EvaluateSettings, str(tmp_path), "--weights", "0.5", "--weights", "1", "--prompts", "{trigger}, sitting"
    )
    assert typed == {"folder": tmp_path, "weights": [0.5, 1.0], "prompts": ["{trigger}, sitting"]}
    assert EvaluateSettings.build({k: v for k, v in typed.items() if k != "folder"}, "evaluate").weights == [0.5, 1.0]


@pytest.mark.parametrize("words", [["--rnak", "3"], ["--rank", "many"], ["--lr-scheduler", "zigzag"], ["--rank"]])
def test_what_is_no_flag_or_no_value_is_refused(tmp_path: Path, words: list[str]) -> None:
    with pytest.raises(CycloptsError):
        arrived(TrainSettings, str(tmp_path), *words)


def test_the_function_s_own_name_and_words_stay() -> None:
    def command(folder: Path, **flags: Any) -> None:
        """Does it."""

    made = with_flags(command, PruneSettings)
    assert (made.__name__, made.__doc__) == ("command", "Does it.")
