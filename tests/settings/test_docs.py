"""docs/settings.md is written from the code and never stale."""

import subprocess
import sys
from pathlib import Path

from lorasmith.settings.docs import settings_page
from lorasmith.settings.tables import TABLES
from lorasmith.settings.toml import preset_names

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_page_is_the_one_that_the_code_writes() -> None:
    again = "run `python -m lorasmith.settings.docs docs/settings.md`"
    assert PAGE.read_text(encoding="utf-8") == settings_page(), again


def test_the_page_has_every_setting_and_every_preset() -> None:
    page = settings_page()
    for stage, model in TABLES.items():
        assert f"## `[{stage}]`" in page
        assert all(f"| `{name}`" in page for name in model.model_fields)
    assert all(f"### `{name}`" in page for name in preset_names())
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert all(line.replace("\\|", "").count("|") == 5 for line in rows)


def test_the_page_can_be_written_by_command(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "lorasmith.settings.docs"]
    subprocess.run([*words, str(tmp_path / "page.md")], check=True)
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == settings_page()
    shown = subprocess.run(words, check=True, capture_output=True)
    assert shown.stdout.decode("utf-8").replace("\r\n", "\n") == settings_page()
