"""The page: Projects, then one page per stage out of the table of stages, each with the form its settings give."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from lorasmith.errors import LorasmithError
from lorasmith.project.project import Project
from lorasmith.settings.tables import TABLES, SiteSettings
from lorasmith.stages.run import keep_settings
from lorasmith.stages.table import STAGES, Stage
from lorasmith.ui import stage_extras
from lorasmith.ui.context import Context
from lorasmith.ui.form import Form, demand_files, make_form
from lorasmith.ui.inspect import asking as inspect_asking
from lorasmith.ui.projects import page as projects_page
from lorasmith.ui.queue import asking as queue_asking
from lorasmith.ui.research.asking import SEARCH
from lorasmith.ui.typed import faults_told

PROJECTS = "projects"
# settings for which there is a better place than a field of the stage's form: the query builder, and Research for both
_ELSEWHERE: dict[str, Collection[str]] = {"research": SEARCH, "download": SiteSettings.model_fields}


@dataclass(frozen=True)
class StagePage:
    """One stage's form and buttons."""

    stage: Stage
    form: Form
    start: Any
    plan: Any = None  # download's: the page's script presses it


def build(context: Context) -> gr.Blocks:
    """Builds the whole page; which project it shows stands in its address."""
    with gr.Blocks(title="lorasmith", analytics_enabled=False, fill_width=True) as blocks:
        project = gr.Textbox(visible="hidden", elem_id="ls-project")
        gr.HTML('<div data-ls="head"></div>')
        with gr.Tabs(selected=PROJECTS, elem_id="ls-tabs"):  # the page's script shows the one that the address names
            with gr.Tab("Projects", id=PROJECTS):
                made = projects_page.build(context)
            with gr.Tab("Queue", id="queue"):
                gr.HTML(queue_asking.PLACE)
            pages = [_stage_page(context, stage, project) for stage in STAGES]
            with gr.Tab("Inspect", id="inspect"):
                gr.HTML(inspect_asking.PLACE)
        fields = [component for page in pages for component in page.form.components]
        for page in pages:
            _bind(context, pages, page, project)
        run = _run_all(context, pages, project)
        made.run_all.click(run, inputs={project, *fields}, outputs=fields, show_progress="hidden")
        refill = gr.Button("Fill the forms anew", visible="hidden", elem_id="ls-refill")  # the page's script presses it
        refill.click(
            _refiller(context, pages, project), inputs={project, *fields}, outputs=fields, show_progress="hidden",
            trigger_mode="always_last",  # a change during a filling is not passed over
        )  # fmt: skip
        blocks.load(_opener(context, pages), outputs=[project, made.recent, *fields], show_progress="hidden")
    return blocks


def _opener(context: Context, pages: list[StagePage]) -> Any:
    """Makes the function that fills the page when it is opened or loaded again."""

    def opened(request: gr.Request) -> list[Any]:
        wanted = dict(request.query_params).get("project", "")
        recent = projects_page.recent_html(context, wanted)
        if not wanted:
            return ["", recent, *_nothing(pages)]
        values = [value for page in pages for value in _filled(context, wanted, page.form)]
        return [wanted, recent, *values]

    return opened


def _refiller(context: Context, pages: list[StagePage], project: Any) -> Any:
    """Makes the function that brings the forms to what lorasmith.toml says now; what a person typed and kept for later stays."""

    def refill(given: Mapping[Any, Any]) -> list[Any]:
        wanted = str(given[project] or "")
        if not wanted:
            return _nothing(pages)
        return [value for page in pages for value in page.form.refilled(given, _filled(context, wanted, page.form))]

    return refill


def _filled(context: Context, wanted: str, form: Form) -> list[Any]:
    """Gives the values of a form; a setting that cannot be leaves its own stage's form empty, with a sentence."""
    try:
        with Project.open(context.projects.folder_of(wanted), writing=False) as project:
            return form.filled(project.settings(form.model))
    except LorasmithError as error:
        gr.Warning(str(error))
        return [gr.skip() for _ in form.components]


def _nothing(pages: list[StagePage]) -> list[Any]:
    return [gr.skip() for page in pages for _ in page.form.components]


def _stage_page(context: Context, stage: Stage, project: Any) -> StagePage:
    with gr.Tab(stage.name.title(), id=stage.name), gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300, elem_classes=["ls-form"]):
            gr.HTML(f'<p class="ls-help">{stage.help}</p><div data-ls="stage" data-stage="{stage.name}"></div>')
            start = gr.Button(f"Start {stage.name}", variant="primary", elem_id=f"ls-start-{stage.name}")
            stage_extras.above(stage.name)
            plan = gr.Button("Plan", visible="hidden", elem_id="ls-plan-download") if stage.name == "download" else None
            form = make_form(TABLES[stage.name], _ELSEWHERE.get(stage.name, ()))
            stage_extras.build(context, stage.name, project, form)
        with gr.Column(scale=5, min_width=400):
            gr.HTML(f'<div data-ls="view" data-stage="{stage.name}"><p class="ls-note">Open a project first.</p></div>')
    return StagePage(stage, form, start, plan)


def _bind(context: Context, pages: list[StagePage], page: StagePage, project: Any) -> None:
    """Binds a Start button; Download keeps what was typed on Research, which has the settings that both share ([site])."""
    shown = [other for other in pages if other is page or _share(other, page)]
    components = [component for other in shown for component in other.form.components]
    for button, also in ((page.start, ()), (page.plan, ("--plan",))):
        if button is not None:
            start = starter(context, page, shown, project, also)
            button.click(start, inputs={project, *components}, outputs=components, show_progress="hidden")


def _share(one: StagePage, other: StagePage) -> bool:
    return issubclass(one.form.model, SiteSettings) and issubclass(other.form.model, SiteSettings)


def starter(context: Context, page: StagePage, shown: list[StagePage], project: Any, also: tuple[str, ...] = ()) -> Any:
    """Makes the function behind a Start button: keeps what was changed in the form, then puts the stage in the line."""

    def start(given: Mapping[Any, Any]) -> list[Any]:
        with faults_told():
            folder = context.open_folder(str(given[project] or ""))
            for other in shown:
                keep_changes(folder, other, given)
            job = context.start(folder, [page.stage.name, str(folder), *also])
            values = [value for other in shown for value in _filled(context, str(given[project]), other.form)]
        gr.Info(f"{page.stage.name} is in the line as job {job.id}.", duration=3)
        return values

    return start


def _run_all(context: Context, pages: list[StagePage], project: Any) -> Any:
    """Makes the function behind "Run all stages": what was changed in any form is kept first."""

    def run(given: Mapping[Any, Any]) -> list[Any]:
        with faults_told():
            folder = context.open_folder(str(given[project] or ""))
            for page in pages:
                keep_changes(folder, page, given)
            job = context.start(folder, ["run", str(folder)])
        gr.Info(f"The whole road is in the line as job {job.id}.", duration=3)
        return [value for page in pages for value in _filled(context, str(given[project]), page.form)]

    return run


def keep_changes(folder: Path, page: StagePage, given: Mapping[Any, Any]) -> None:
    """Writes what a person changed in a form to the project's settings."""
    changed = page.form.changed(given)
    if changed:
        demand_files(changed)
        keep_settings(folder, page.stage.name, changed)
