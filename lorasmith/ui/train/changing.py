"""What a person changes on the Train page beside the form: rates taken over, another preset, and what was there put back."""

import threading
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from lorasmith.errors import UsageError
from lorasmith.project.project import Project
from lorasmith.settings.toml import FILE_NAME, read_tables
from lorasmith.stages.run import keep_settings
from lorasmith.stages.train.outlook import TRIED, tried
from lorasmith.stages.train.presets import put_back, take_preset
from lorasmith.ui.context import Context

WRITING = threading.Lock()  # the form keeps each field in a thread of its own


def change(context: Context, request: Request, body: Any) -> Response:
    """Changes the settings of the training in lorasmith.toml; gives what `back` takes to put the old ones back."""
    folder, what = context.open_folder(str(body.get("project", ""))), request.path_params["what"]
    with WRITING:
        if what == "use":
            return JSONResponse({"before": _use(folder, body.get("values"))})
        if what == "preset":
            before = take_preset(folder, str(body.get("preset", "")), all_else=body.get("all_else") is True)
            return JSONResponse({"before": before})
        if what == "back":
            put_back(folder, body.get("before"))
            return JSONResponse({"done": True})
    raise UsageError(f"The Train page cannot do '{what}'.")


def _use(folder: Path, values: Any) -> dict[str, dict[str, Any]]:
    """Writes tried rates; an empty one follows the rule from now on."""
    if not isinstance(values, dict) or not values or not all(name in TRIED and isinstance(text, str) for name, text in values.items()):
        raise UsageError("Send values: strength, repeats, epochs or a rate, each as text.")
    with Project.open(folder, writing=False) as project:
        wished = tried(project, values)
    before = read_tables(folder / FILE_NAME).get("train", {})
    keep_settings(folder, "train", {name: getattr(wished, name) for name in values})
    return {"train": {name: before.get(name) for name in values}}
