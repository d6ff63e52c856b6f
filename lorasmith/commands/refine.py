"""The command that begins a character without a picture: draw a description, and what each LoRA adds to it."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

_PROMPT = "what is drawn, each prompt in quotes: 'solo, fox, red fur, green eyes, standing'; with a LoRA its trigger comes first"


def draw(  # noqa: PLR0913 - one parameter per flag
    folder: Annotated[Path, Parameter(help="the project folder")],
    *prompts: Annotated[str, Parameter(help=_PROMPT)],
    seeds: Annotated[
        list[int] | None,
        Parameter(help="seeds: each prompt is drawn at each; the same seed keeps the looks alike", consume_multiple=True),
    ] = None,
    lora: Annotated[str, Parameter(help="a LoRA file; left out, the recommended one; none is the base model alone")] = "",
    weight: Annotated[float, Parameter(help="its weight; 0 is the recommended one")] = 0.0,
) -> Any:
    """Draw pictures of one's own prompts as candidates; keep names those that are trained on."""
    from lorasmith.errors import UsageError
    from lorasmith.project.project import Project
    from lorasmith.settings.tables import RefineSettings
    from lorasmith.stages.refine.draw import draw as draw_in
    from lorasmith.terminal import shown

    if not prompts:
        raise UsageError("Say what to draw: lorasmith draw DIR 'solo, fox, red fur, green eyes' --seeds 7 8")
    with Project.open(folder) as project, shown() as bar:
        typed = {name: value for name, value in (("lora", lora), ("weight", weight)) if value}
        return draw_in(project, prompts, seeds or [7], project.settings(RefineSettings, typed), bar)
