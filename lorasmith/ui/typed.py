"""What a person typed: paths as they are pasted, and a sentence in the page's corner where it cannot be done."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gradio as gr

from lorasmith.errors import LorasmithError


def plain(typed: str | None) -> str:
    """Gives what stands in a field, without spaces round it; a field in a part that was never unfolded has nothing at all."""
    return (typed or "").strip()


def typed_path(typed: str) -> Path:
    """Reads a path; Windows' "copy as path" puts quotes round it."""
    return Path(typed.strip().strip('"')).expanduser()


@contextmanager
def faults_told(*also: type[Exception]) -> Iterator[None]:
    """Tells the person a `LorasmithError`, and what `also` names, until it is put away; another error is a bug of ours."""
    told: tuple[type[Exception], ...] = (LorasmithError, *also)
    try:
        yield
    except told as error:
        raise gr.Error(str(error), duration=None, print_exception=False) from error
