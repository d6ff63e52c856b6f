"""The commands that talk to a Stable Diffusion WebUI: erase marks with its model, give it a LoRA, render a test grid.

The WebUI is named by LORASMITH_WEBUI_URL; its login, where it has one, by LORASMITH_WEBUI_LOGIN.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from lorasmith.errors import UsageError

_STEPS = (
    "what to do, one after the other, each in quotes: 'erase signature,watermark,text,bubble,emanata', trim, 'crop 10,20,500,600', "
    "'background grey' (or white, pink, blur), 'flatten grey', 'recolour eyes #2050ff', faceless, head-out, 'split panels' "
    "(or figures); or again: the last erasing another time"
)
Folder = Annotated[Path, Parameter(help="the project folder")]


def erase(  # noqa: PLR0913 - one parameter per flag
    folder: Folder,
    name: Annotated[str, Parameter(help="the picture's name")],
    *,
    mask: Annotated[Path, Parameter(help="a picture of the same size: white is erased")],
    webui: Annotated[bool, Parameter(help="let the WebUI named by LORASMITH_WEBUI_URL draw it anew", negative="")] = False,
    prompt: Annotated[str, Parameter(help="what the WebUI draws there; may be empty")] = "",
    seed: Annotated[int, Parameter(help="the seed of what the WebUI draws")] = 0,
) -> Any:
    """Erase marks from a picture: from their surroundings, or by a WebUI's model; the original stays."""
    from lorasmith.project.project import Project
    from lorasmith.stages.touch_up.erase import erase as erase_in
    from lorasmith.terminal import shown

    with Project.open(folder) as project, shown() as bar:
        renderer = _webui_renderer(bar) if webui else None
        return erase_in(project, name, mask, bar, renderer, prompt=prompt, seed=seed)


def touch_up(  # noqa: PLR0913 - one parameter per flag
    folder: Folder,
    *steps: Annotated[str, Parameter(help=_STEPS)],
    names: Annotated[
        list[str] | None,
        Parameter(help="the pictures meant, such as A,B; left out: all kept ones, or those of the filter", negative=""),
    ] = None,
    filter: Annotated[str, Parameter(help="the pictures meant, by their tags: 'signature | watermark, -comic'")] = "",
    recipe: Annotated[str, Parameter(help="steps and filter of this name in recipes.toml of the project")] = "",
    preview: Annotated[bool, Parameter(help="only draw before and after, and change nothing", negative="")] = False,
    sure: Annotated[float | None, Parameter(help="marks that are found less surely are left, 0 to 1; left out: 0.6")] = None,
    without: Annotated[str, Parameter(help="numbers of marks that stay, such as 2,3; --preview numbers them")] = "",
    box: Annotated[list[str] | None, Parameter(help="LEFT,TOP,RIGHT,BOTTOM in pixels: erase this too", negative="")] = None,
    mask: Annotated[Path | None, Parameter(help="a PNG of the same size: erase what is white too")] = None,
    seed: Annotated[int | None, Parameter(help="the seed of what the WebUI draws")] = None,
    webui: Annotated[bool, Parameter(help="let the WebUI named by LORASMITH_WEBUI_URL draw anew what is erased", negative="")] = False,
    retag: Annotated[bool, Parameter(help="say what the tagger sees no longer, or newly, on the results", negative="")] = False,
) -> Any:
    """Do the same to many pictures: erase what is found, trim borders, change the ground, recolour, split. Originals stay."""
    from lorasmith.project.project import Project
    from lorasmith.stages.touch_up.recipes import read_recipe
    from lorasmith.stages.touch_up.stage import touch_up as do
    from lorasmith.stages.touch_up.wishes import Wish
    from lorasmith.terminal import shown

    with Project.open(folder) as project, shown() as bar:
        if recipe:
            steps, filter = _of_recipe(read_recipe(project, recipe), steps, filter)
        wish = Wish(
            steps, _names(names or (), steps), filter, preview, sure, seed, _numbers("--without", without),
            _boxes(box or ()), mask, retag,
        )  # fmt: skip
        return do(project, wish, bar, _webui_renderer(bar) if webui else None)


def _of_recipe(recipe: tuple[tuple[str, ...], str], steps: tuple[str, ...], filter: str) -> tuple[tuple[str, ...], str]:
    """Gives a recipe's steps and filter; a filter that was typed stands in its place, steps cannot be typed as well."""
    if steps:
        raise UsageError(f"The recipe says what to do; leave out {steps[0]!r}, or the recipe.")
    return recipe[0], filter or recipe[1]


def _names(typed: Sequence[str], steps: Sequence[str]) -> tuple[str, ...]:
    """Parts names at commas; a name that stands among the steps was meant to be one of them."""
    names = tuple(name for each in typed for name in each.replace(",", " ").split())
    stray = next((step for step in steps if names and step.rpartition("_")[2].replace(".", "").isdecimal()), "")
    if stray:
        raise UsageError(f"Several pictures are named with commas and no spaces: --names {names[-1]},{stray}")
    return names


def _numbers(flag: str, typed: str) -> tuple[int, ...]:
    words = typed.replace(",", " ").split()
    if not all(word.isdecimal() and int(word) for word in words):
        raise UsageError(f"{flag} takes numbers such as 2,3, not '{typed}'.")
    return tuple(map(int, words))


def _boxes(typed: Sequence[str]) -> tuple[tuple[int, int, int, int], ...]:
    boxes = []
    for each in typed:
        words = each.replace(",", " ").split()
        sides = tuple(int(word) for word in words if word.isdecimal())
        if len(words) != 4 or len(sides) != 4 or sides[2] <= sides[0] or sides[3] <= sides[1]:
            raise UsageError(f"--box takes left, top, right and bottom in pixels, such as 10,20,200,60, not '{each}'.")
        boxes.append((sides[0], sides[1], sides[2], sides[3]))
    return tuple(boxes)


def publish(
    folder: Folder,
    lora: Annotated[Path, Parameter(help="the LoRA's file")],
    *,
    lora_dir: Annotated[Path | None, Parameter(help="the WebUI's LoRA folder; left out, the WebUI is asked")] = None,
) -> Any:
    """Put a LoRA into a WebUI's LoRA folder: complete, with its sidecars, under a name never used before."""
    from lorasmith.project.project import Project
    from lorasmith.stages.evaluate.publish import publish as publish_to

    with Project.open(folder, writing=False) as project:
        place = lora_dir or Path(str(_webui().status()["lora_dir"]))
        return {"published": publish_to(project, lora, place)}


def test_grid(folder: Folder, lora: Annotated[Path, Parameter(help="a LoRA that was published")]) -> Any:
    """Render a published LoRA at once on the WebUI's loaded model: a few prompts and weights, and the base alone."""
    from lorasmith.project.project import Project
    from lorasmith.stages.evaluate.test_grid import test_grid as draw
    from lorasmith.terminal import shown

    with Project.open(folder, writing=False) as project, shown() as bar:
        return draw(project, lora, _webui_renderer(bar), bar)


def _webui() -> Any:
    """Gives the WebUI that the environment names."""
    from lorasmith.rendering.webui import Webui

    found = Webui.from_environment()
    if found is None:
        raise UsageError(
            "No WebUI is named: set LORASMITH_WEBUI_URL to its address, such as http://127.0.0.1:7860 (started with --api; "
            "its --api-auth goes into LORASMITH_WEBUI_LOGIN as user:password)."
        )
    return found


def _webui_renderer(report: Any) -> Any:
    from lorasmith.rendering.webui import WebuiRenderer

    return WebuiRenderer(_webui(), report=report)
