"""The Projects page: make one, open one, the recent ones, how far the open one is, and the whole road in one click."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from lorasmith.errors import LorasmithError
from lorasmith.project.project import Project
from lorasmith.settings.toml import preset_names, preset_note
from lorasmith.stages.train.check import checkpoint_faults
from lorasmith.ui import html
from lorasmith.ui.context import Context
from lorasmith.ui.projects import importing
from lorasmith.ui.projects.names import folder_name
from lorasmith.ui.typed import faults_told, plain, typed_path

_SHOWN = 20  # projects on the list
_GO = "(id) => { if (id) window.lorasmith.open(id) }"


@dataclass(frozen=True)
class ProjectsPage:
    """The parts of the page that others fill."""

    recent: Any
    run_all: Any


def build(context: Context) -> ProjectsPage:
    """Draws the page into the Blocks that are being built."""
    gone = gr.Textbox(visible="hidden")
    gr.HTML('<div data-ls="overview"></div>')
    run_all = gr.Button("Run all stages", elem_id="ls-run-all", elem_classes=["ls-needs-project"])
    with gr.Row(equal_height=False):
        with gr.Column(scale=3, min_width=340):
            recent = gr.HTML("")
            with gr.Accordion("Open another folder", open=False):
                folder = gr.Textbox(label="folder", info="a folder with a lorasmith.toml in it", elem_id="ls-open-folder")
                gr.Button("Open", elem_id="ls-open").click(_open(context), [folder], [gone]).then(None, [gone], js=_GO)
            importing.build(context)
        with gr.Column(scale=2, min_width=340):
            _new_project(context, gone)
    return ProjectsPage(recent, run_all)


def _new_project(context: Context, gone: Any) -> None:
    gr.HTML("<h3>New project</h3>")
    names = preset_names()
    trigger = gr.Textbox(label="trigger", info="the word that calls the character, such as zorvex", elem_id="ls-new-trigger")
    query = gr.Textbox(label="query", info="the search on the site; empty means '<trigger> solo'", elem_id="ls-new-query")
    checkpoint = gr.Textbox(label="base model", info="one .safetensors file; can be given later", elem_id="ls-new-checkpoint")
    preset = gr.Dropdown(
        [(f"{name}: {preset_note(name)}", name) for name in names], value="character_sd15", label="preset",
        elem_id="ls-new-preset",
    )  # fmt: skip
    with gr.Accordion("More", open=False, elem_id="ls-new-more"):
        folder = gr.Textbox(label="folder", info=f"empty: a folder named after the trigger in {context.new_projects}",
                            elem_id="ls-new-folder")  # fmt: skip
        site_url = gr.Textbox(label="site address", info="a mirror or a test server", elem_id="ls-new-site")
        tagger = gr.Textbox(label="tagger", info="a known name, or a folder with model.onnx and selected_tags.csv",
                            elem_id="ls-new-tagger")  # fmt: skip
    fields = [trigger, query, checkpoint, preset, folder, site_url, tagger]
    gr.Button("Create", variant="primary", elem_id="ls-create").click(_create(context), fields, [gone]).then(
        None, [gone], js=_GO
    )


def _create(context: Context) -> Any:
    def create(*typed: str | None) -> str:
        trigger, query, checkpoint, preset, folder, site_url, tagger = map(plain, typed)
        wishes = {"query": query, "site_url": site_url}
        chosen: dict[str, dict[str, Any]] = {"site": {name: value for name, value in wishes.items() if value}}
        with faults_told():
            if checkpoint:
                chosen["train"] = {"checkpoint": _usable_checkpoint(checkpoint)}
            if tagger:
                chosen["tag"] = {"tagger": tagger}
            place = typed_path(folder) if folder else context.new_projects / folder_name(trigger)
            Project.create(place, trigger, preset=preset, chosen=chosen).close()
            return context.projects.remember(place).id

    return create


def _usable_checkpoint(typed: str) -> str:
    """Gives the full path of a base model; raises with what is wrong with it."""
    path = str(typed_path(typed).resolve())
    if faults := checkpoint_faults(path):
        raise LorasmithError(" ".join(faults))
    return path


def _open(context: Context) -> Any:
    def opened(folder: str | None) -> str:
        with faults_told():
            return context.projects.remember(typed_path(plain(folder))).id

    return opened


def recent_html(context: Context, shown: str) -> str:
    """Writes the list of recent projects; one whose folder has gone says so and can be forgotten."""
    lines = []
    for known in context.projects.known()[:_SHOWN]:
        name = html.text("b", known.folder.name)
        if known.is_there:
            where = html.text("span", known.folder)
            link = html.element(
                "a", name, where, href=f"?project={known.id}", data_open=known.id, aria_current="true" if known.id == shown else None
            )  # fmt: skip
        else:
            told = f"{known.folder} is not there: was it moved, or its disk unplugged? Open it where it is now, or forget it."
            link = html.element("div", name, html.text("span", told), class_="ls-gone")
        label = f"take {known.folder.name} off this list; the folder stays"
        button = html.text("button", "×", data_forget=known.id, title=label, aria_label=label)
        lines.append(html.element("li", link, button, class_="ls-chosen" if known.id == shown else None))
    if not lines:
        return html.note("No projects yet: make one on the right.")
    return html.section("Recent projects", html.element("ul", *lines, class_="ls-recent"))
