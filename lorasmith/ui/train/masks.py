"""Masks on the Train page: says what of the pictures is not learnt, and puts the writing of the masks in the line."""

from typing import Any

import gradio as gr

from lorasmith.errors import UsageError
from lorasmith.tags.filter import read_filter
from lorasmith.ui import html
from lorasmith.ui.context import Context
from lorasmith.ui.typed import faults_told, plain

_HELP = "Then take 'file' at masked loss. Write them anew after prepare, or when pictures came in."
_SHEET = "sheets/masks.png"


def build(context: Context, project: Any) -> None:
    """Draws the fields into the Blocks that are being built."""
    with gr.Accordion("Masks: what is not learnt", open=False):
        heads = gr.Textbox(
            label="without heads", info="a filter: on these pictures the head is not learnt, such as source:booru",
            elem_id="ls-mask-heads", max_lines=1,
        )  # fmt: skip
        ground = gr.Number(
            1.0, label="ground", info="how much counts what is behind the character, 0 to 1, on all pictures", step=None,
            elem_id="ls-mask-ground",
        )  # fmt: skip
        told = gr.HTML(html.text("p", _HELP, class_="ls-help"))
        gr.Button("Write masks", elem_id="ls-masks").click(_write(context), [project, heads, ground], told, show_progress="hidden")


def _write(context: Context) -> Any:
    def write(project: str, heads: str | None, ground: float | None) -> str:
        with faults_told():
            folder = context.open_folder(project)
            job = context.start(folder, ["masks", str(folder), *words_of(plain(heads), ground)])
        gr.Info(f"The masks are in the line as job {job.id}.", duration=3)
        sheet = html.text("a", "the sheet", href=html.file_address(project, _SHEET), data_large="")
        return html.element("p", "When the job has ended, ", sheet, f" shows in black what is not learnt. {_HELP}", class_="ls-help")

    return write


def words_of(heads: str, ground: float | None) -> list[str]:
    """Gives the flags for `lorasmith masks`; raises `UsageError` for what cannot be."""
    if isinstance(ground, bool) or not isinstance(ground, int | float) or not 0 <= ground <= 1:
        raise UsageError("'ground' is a number from 0 (not learnt) to 1 (learnt like the character).")
    if not heads and ground == 1:
        raise UsageError("Say what is not learnt: a filter at 'without heads', a 'ground' below 1, or both.")
    if "\0" in heads:
        raise UsageError("'without heads' holds a sign that cannot be written; type it anew.")
    read_filter(heads)
    return [f"--heads={heads}", f"--ground={ground:g}"] if heads else [f"--ground={ground:g}"]
