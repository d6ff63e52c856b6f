"""What a person typed: paths as they are pasted, and faults as sentences."""

from pathlib import Path

import gradio as gr
import pytest

from lorasmith.errors import UsageError
from lorasmith.ui.typed import faults_told, typed_path


def test_a_pasted_path_loses_its_quotes_and_knows_the_persons_folder() -> None:
    assert typed_path(' "/a folder/x" ') == Path("/a folder/x")
    assert typed_path("~/x") == Path.home() / "x"


def test_a_fault_for_people_is_told_and_one_of_ours_keeps_its_kind() -> None:
    with pytest.raises(gr.Error, match="Do this"), faults_told():
        raise UsageError("Do this.")
    with pytest.raises(gr.Error, match="no such disk"), faults_told(OSError):
        raise FileNotFoundError("no such disk")
    with pytest.raises(FileNotFoundError), faults_told():
        raise FileNotFoundError("no such disk")
