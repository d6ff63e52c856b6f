"""What the page asks and says of touch-up: a picture with its marks and versions, steps for one or many, and recipes."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from lorasmith.errors import UsageError
from lorasmith.project.project import Project
from lorasmith.stages.touch_up.opened import LOOKED_FOR, opened
from lorasmith.stages.touch_up.operations import OPERATIONS, read_steps
from lorasmith.stages.touch_up.recipes import keep_recipe, read_recipe, recipe_names
from lorasmith.stages.touch_up.wishes import Wish, chosen_pictures, demand_sense
from lorasmith.ui import html
from lorasmith.ui.answering import fresh
from lorasmith.ui.context import Context
from lorasmith.ui.prepare.suggesting import demand_allowed

_MOST_STEPS, _MOST_BOXES = 20, 100
_FARTHEST = 1_000_000  # pixels; what lies farther out is no place on a picture
_SHEET = "sheets/touch-up.png"


def show(context: Context, request: Request, body: Any) -> Response:
    """Gives one picture with marks and versions; without a name the recipes, and how many pictures a filter means."""
    asked = request.query_params
    id = asked.get("project", "")
    with Project.open(context.projects.folder_of(id), writing=False) as project:
        content = _one(project, id, asked["name"]) if "name" in asked else _many(project, id, asked.get("filter", ""))
    return fresh(content)


def _one(project: Project, id: str, name: str) -> dict[str, Any]:
    demand_allowed(project, name)
    found = opened(project, name)
    content = asdict(found) | {"large": html.file_address(id, found.file), "kinds": list(LOOKED_FOR)}
    content["small"] = html.thumbnail_address(id, found.file, 1024, found.sha256)
    for row, version in zip(content["versions"], found.versions, strict=True):
        row["large"] = html.thumbnail_address(id, version.file, 1024, version.sha256)
    return content


def _many(project: Project, id: str, filter: str) -> dict[str, Any]:
    recipes = []
    for name in recipe_names(project):
        steps, chosen = read_recipe(project, name)
        recipes.append({"name": name, "do": steps, "filter": chosen})
    meant = len(chosen_pictures(project, Wish(("trim",), filter=filter)))
    return {
        "recipes": recipes, "usage": [step.usage for step in OPERATIONS.values()], "pictures": meant,
        "sheet": html.file_address(id, _SHEET),
    }  # fmt: skip


def start(context: Context, folder: Path, body: Any) -> Response:
    """Puts a touch-up in the line; what cannot be meant is refused before."""
    wish, renders = _wish(body), body.get("with") == "webui"
    if renders and context.host is None:
        raise UsageError("There is no WebUI round this page.")
    with Project.open(folder, writing=False) as project:
        for name in wish.names:
            demand_allowed(project, name)
        if not wish.again:
            read_steps(wish.steps)
        demand_sense(wish, renders)
        if not chosen_pictures(project, wish):
            raise UsageError("No kept picture fits the filter.")
    words = ["touch-up", str(folder), *wish.steps]
    words += ["--names", ",".join(wish.names)] if wish.names else []
    words += [f"--filter={wish.filter}"] if wish.filter else []
    words += ["--without", ",".join(map(str, wish.without))] if wish.without else []
    words += [word for box in wish.boxes for word in ("--box", ",".join(map(str, box)))]
    words += ["--preview"] * wish.preview + ["--webui"] * renders
    return JSONResponse({"job": context.start(folder, words).id})


def keep(project: Project, body: Any) -> Response:
    """Keeps steps and a filter as a recipe."""
    name = body.get("recipe")
    if not isinstance(name, str):
        raise UsageError("Send recipe (its name), steps and filter.")
    keep_recipe(project, name, _steps(body), _filter(body))
    return JSONResponse({"recipe": name})


def _wish(body: Any) -> Wish:
    name = body.get("name", "")
    if not isinstance(name, str):
        raise UsageError("Send name as the name of one picture.")
    numbers = body.get("without", [])
    if not isinstance(numbers, list) or not all(type(number) is int and 0 < number < 10_000 for number in numbers):
        raise UsageError("Send without as the numbers of the marks that stay.")
    boxes = body.get("boxes", [])
    if not isinstance(boxes, list) or len(boxes) > _MOST_BOXES:
        raise UsageError(f"Send boxes as a list of {_MOST_BOXES} at most.")
    sides = tuple(_sides(box) for box in boxes)
    names = (name,) if name else ()
    return Wish(_steps(body), names, _filter(body), bool(body.get("preview")), without=tuple(numbers), boxes=sides)


def _steps(body: Any) -> tuple[str, ...]:
    steps = body.get("steps")
    if not isinstance(steps, list) or not all(isinstance(step, str) for step in steps) or len(steps) > _MOST_STEPS:
        raise UsageError(f"Send steps as a list of {_MOST_STEPS} at most, such as trim or background grey.")
    return tuple(step.strip() for step in steps if step.strip())


def _filter(body: Any) -> str:
    filter = body.get("filter", "")
    if not isinstance(filter, str) or not filter.isprintable():
        raise UsageError("Send filter as one line of tags.")
    return filter.strip()


def _sides(box: Any) -> tuple[int, int, int, int]:
    if not isinstance(box, list) or len(box) != 4 or not all(type(side) is int and 0 <= side < _FARTHEST for side in box):
        raise UsageError("Send each box as four whole numbers: left, top, right, bottom.")
    left, top, right, bottom = box
    if right <= left or bottom <= top:
        raise UsageError("A box must be at least one pixel wide and high.")
    return left, top, right, bottom
