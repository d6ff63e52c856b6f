"""The page: Projects, then one page per stage out of the table of stages, each with the form its settings give."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from lorasmith.errors import LorasmithError
from lorasmith.project.project import Project
from lorasmith.settings.tables import TABLES
from lorasmith.stages.run import keep_settings
from lorasmith.stages.table import STAGES, Stage
from lorasmith.ui import projects_page, stage_extras
from lorasmith.ui.context import Context
from lorasmith.ui.form import Form, make_form

PROJECTS = "projects"


@dataclass(frozen=True)
class StagePage:
    """One stage's form and buttons."""

    stage: Stage
    form: Form
    start: Any


def build(context: Context) -> gr.Blocks:
    """Builds the whole page; which project it shows stands in its address."""
    with gr.Blocks(title="lorasmith", analytics_enabled=False, fill_width=True) as blocks:
        project = gr.Textbox(visible="hidden", elem_id="ls-project")
        gr.HTML('<div data-ls="head"></div>')
        with gr.Tabs(selected=PROJECTS, elem_id="ls-tabs") as tabs:
            with gr.Tab("Projects", id=PROJECTS):
                made = projects_page.build(context)
            pages = [_stage_page(context, stage, project) for stage in STAGES]
        made.attach(project)
        fields = [component for page in pages for component in page.form.components]
        blocks.load(_opener(context, pages), outputs=[project, tabs, made.recent, *fields], show_progress="hidden")
    return blocks


def _opener(context: Context, pages: list[StagePage]) -> Any:
    """Makes the function that fills the page when it is opened or loaded again."""

    def opened(request: gr.Request) -> list[Any]:
        asked = dict(request.query_params)
        wanted = asked.get("project", "")
        recent = projects_page.recent_html(context, wanted)
        if not wanted:
            return ["", gr.skip(), recent, *_nothing(pages)]
        try:
            folder = context.projects.folder_of(wanted)
            with Project.open(folder, writing=False) as project:
                values = [value for page in pages for value in page.form.filled(project.settings(page.form.model))]
        except LorasmithError as error:
            gr.Warning(str(error))
            return ["", gr.skip(), recent, *_nothing(pages)]
        names = {page.stage.name for page in pages}
        page = asked.get("page", "")
        return [wanted, gr.Tabs(selected=page if page in names else PROJECTS), recent, *values]

    return opened


def _nothing(pages: list[StagePage]) -> list[Any]:
    return [gr.skip() for page in pages for _ in page.form.components]


def _stage_page(context: Context, stage: Stage, project: Any) -> StagePage:
    with gr.Tab(stage.name.title(), id=stage.name), gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300, elem_classes=["ls-form"]):
            gr.HTML(f'<p class="ls-help">{stage.help}</p><div data-ls="stage" data-stage="{stage.name}"></div>')
            start = gr.Button(f"Start {stage.name}", variant="primary", elem_id=f"ls-start-{stage.name}")
            form = make_form(TABLES[stage.name])
            stage_extras.build(context, stage.name, project, form)
        with gr.Column(scale=5, min_width=400):
            gr.HTML(f'<div data-ls="view" data-stage="{stage.name}"><p class="ls-note">Open a project first.</p></div>')
    page = StagePage(stage, form, start)
    start.click(
        _starter(context, page, project), inputs={project, *form.components}, outputs=form.components,
        show_progress="hidden", js=None,
    )  # fmt: skip
    return page


def _starter(context: Context, page: StagePage, project: Any) -> Any:
    """Makes the function behind a Start button: keeps what was changed in the form, then puts the stage in the line."""

    def start(given: Mapping[Any, Any]) -> list[Any]:
        try:
            folder = open_folder(context, str(given[project] or ""))
            changed = page.form.changed(given)
            if changed:
                keep_settings(folder, page.stage.name, changed)
            job = context.start(folder, [page.stage.name, str(folder)])
            with Project.open(folder, writing=False) as opened:
                values = page.form.filled(opened.settings(page.form.model))
        except LorasmithError as error:
            raise gr.Error(str(error), duration=None, print_exception=False) from error
        gr.Info(f"{page.stage.name} is in the line as job {job.id}.", duration=3)
        return values

    return start


def open_folder(context: Context, project: str) -> Path:
    """Gives the folder of the page's project; raises when none is open."""
    if not project:
        raise LorasmithError("Open or create a project on the Projects page first.")
    return context.projects.folder_of(project)
