"""Taking over the settings of another program on the Projects page: a downloader's, a trainer's, or those in a LoRA."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from lorasmith.errors import LorasmithError
from lorasmith.settings.trainer_files import KNOWN
from lorasmith.stages.download.import_settings import Imported, import_settings
from lorasmith.stages.train.import_trainer import ImportedTraining, KeyHere, import_training, is_downloaders
from lorasmith.ui import html
from lorasmith.ui.context import Context
from lorasmith.ui.projects.names import folder_name
from lorasmith.ui.typed import faults_told, plain, typed_path


def build(context: Context) -> None:
    """Draws it into the Blocks that are being built."""
    with gr.Accordion("Take over settings of another program", open=False, elem_id="ls-import"):
        gr.HTML(html.note(f"Reads the settings of {KNOWN}, makes a project of them, and says what became of each."))
        file = gr.Textbox(label="settings file", info="its full path", elem_id="ls-import-file")
        trigger = gr.Textbox(label="trigger", info="the word that calls the character; a downloader's file may name it itself",
                             elem_id="ls-import-trigger")  # fmt: skip
        folder = gr.Textbox(label="folder", info="empty: named after the trigger", elem_id="ls-import-folder")
        told = gr.HTML("", elem_id="ls-import-told")
        button = gr.Button("Take over", elem_id="ls-import-go")
        button.click(_take_over(context), [file, trigger, folder], [told], show_progress="hidden")


def _take_over(context: Context) -> Any:
    def take_over(*typed: str | None) -> str:
        file, word, folder = map(plain, typed)
        with faults_told(OSError):
            if not file:
                raise LorasmithError("Give the settings file's path first.")
            source = typed_path(file)
            place = typed_path(folder) if folder else context.new_projects / folder_name(word or source.stem)
            downloaders = is_downloaders(source)
            done = import_settings(source, place, word) if downloaders else import_training(source, place, word)
            folders = [batch.project for batch in done.projects.values()] if isinstance(done, Imported) else [place]
            ids = [context.projects.remember(one).id for one in reversed(folders)]
            return _links(folders, ids[::-1]) + (_batches(done) if isinstance(done, Imported) else _training(done))

    return take_over


def _links(folders: Sequence[Path], ids: Sequence[str]) -> str:
    links = (html.text("button", f"Open {one.name}", data_open=id) for one, id in zip(folders, ids, strict=True))
    return html.element("p", *links, class_="ls-choices")


def _batches(done: Imported) -> str:
    parts = []
    for name, batch in done.projects.items():
        rows = [(one.setting, one.value) for one in batch.settings] + [(one.key, one.here) for one in batch.changed]
        title = f"{name}: {batch.batch}, {'made' if batch.made else 'changed'} with the trigger {batch.trigger}"
        parts.append(html.section(title, html.table(("setting", "value, or what holds here"), rows)))
    unknown = [(one.key, f"nobody knows it{f'; the nearest is {one.nearest}' if one.nearest else ''}") for one in done.unknown]
    if unknown:
        parts.append(html.section("Unknown", html.table(("key", ""), unknown)))
    return "".join(parts) + "".join(html.note(one) for one in done.notes)


def _training(done: ImportedTraining) -> str:
    lists: tuple[tuple[str, Sequence[KeyHere]], ...] = (
        ("Taken", done.taken), ("Changed", done.changed), ("Not there yet", done.not_there_yet),
        ("Not for here", done.not_applicable), ("Unknown", done.unknown),
    )  # fmt: skip
    parts = [html.note(f"From {done.maker}.")]
    for title, keys in lists:
        if keys:
            rows = [(one.key, one.there, one.here) for one in keys]
            parts.append(html.section(f"{title}: {len(keys)}", html.table(("key", "there", "here"), rows)))
    return "".join(parts)
