"""The Train page's form: a changed field is kept at once, so that a reload, a second window and the page beside it agree."""

import json
from collections.abc import Mapping
from typing import Any

import gradio as gr

from lorasmith.errors import LorasmithError
from lorasmith.stages.run import keep_settings
from lorasmith.ui.context import Context
from lorasmith.ui.form import Form
from lorasmith.ui.train.changing import WRITING

KEEP = "ls-keep-train"
PLACE = '<div data-ls-own="train-preset" class="lsr lsr-side" role="region" aria-label="preset of the project"></div>'


def build(context: Context, project: Any, form: Form) -> None:
    """Binds the fields of the form.

    A field that is left presses a hidden button, as the page's script asks the server before every press.
    """
    keep = gr.Button("Keep", visible="hidden", elem_id=KEEP)
    keep.click(
        _keeper(context, project, form), inputs={project, *form.components}, outputs=[form.shown], show_progress="hidden",
        trigger_mode="always_last",
    )  # fmt: skip
    press = f"() => document.getElementById('{KEEP}').click()"
    gr.on([_left(component) for component in form.fields.values()], None, js=press, trigger_mode="multiple")


def _left(component: Any) -> Any:
    """Gives the event by which a person has done with a field."""
    return component.blur if isinstance(component, gr.Textbox | gr.Number) else component.input


def _keeper(context: Context, project: Any, form: Form) -> Any:
    """Makes the function that keeps what was changed; what cannot be is told, and all else is kept."""

    def keep(given: Mapping[Any, Any]) -> Any:
        wanted = str(given[project] or "")
        if not wanted:
            return gr.skip()
        shown = json.loads(given.get(form.shown) or "{}")
        try:
            folder = context.projects.folder_of(wanted)
            for name, component in form.fields.items():
                if given.get(component) == shown.get(name):
                    continue
                one = Form(form.model, {name: component}, form.shown)
                try:
                    with WRITING:
                        keep_settings(folder, "train", one.changed(given))
                    shown[name] = given.get(component)
                except LorasmithError as error:
                    gr.Warning(f"{error} It is not kept.", duration=12)
        except LorasmithError as error:
            gr.Warning(str(error))
        return json.dumps(shown)

    return keep
