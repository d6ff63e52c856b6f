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
NOT_KEPT = "values that were told to be wrong"  # by field, beside what the fields show
# Gradio shows its own warnings as one, which goes when the time of the first is over: the newest was gone at once.
TELL = "(words) => { for (const one of JSON.parse(words || '[]')) window.lorasmith.tell(one, 'warn'); }"
PLACE = '<div data-ls-own="train-preset" class="lsr lsr-side" role="region" aria-label="preset of the project"></div>'


def build(context: Context, project: Any, form: Form) -> None:
    """Binds the fields of the form.

    A field that is left presses a hidden button, as the page's script asks the server before every press.
    """
    keep = gr.Button("Keep", visible="hidden", elem_id=KEEP)
    faults = gr.Textbox(visible="hidden")
    keep.click(
        _keeper(context, project, form), inputs={project, *form.components}, outputs=[form.shown, faults], show_progress="hidden",
        trigger_mode="always_last",
    ).success(None, inputs=[faults], js=TELL)  # fmt: skip
    press = f"() => document.getElementById('{KEEP}').click()"
    gr.on([_left(component) for component in form.fields.values()], None, js=press, trigger_mode="multiple")


def _left(component: Any) -> Any:
    """Gives the event by which a person has done with a field."""
    return component.blur if isinstance(component, gr.Textbox | gr.Number) else component.input


def _keeper(context: Context, project: Any, form: Form) -> Any:
    """Makes the function that keeps what was changed; what cannot be is told once, and all else is kept."""

    def keep(given: Mapping[Any, Any]) -> list[Any]:
        wanted = str(given[project] or "")
        if not wanted:
            return [gr.skip(), "[]"]
        try:
            folder = context.projects.folder_of(wanted)
        except LorasmithError as error:
            return [gr.skip(), json.dumps([str(error)])]
        shown = json.loads(given.get(form.shown) or "{}")
        told = shown.setdefault(NOT_KEPT, {})
        faults = []
        for name, component in form.fields.items():
            value = given.get(component)
            try:
                if value != shown.get(name):
                    with WRITING:
                        keep_settings(folder, "train", Form(form.model, {name: component}, form.shown).changed(given))
                    shown[name] = value
                told.pop(name, None)
            except LorasmithError as error:
                if told.get(name, ()) != value:
                    faults.append(f"{error} It is not kept.")
                told[name] = value
        return [json.dumps(shown), json.dumps(faults)]

    return keep
