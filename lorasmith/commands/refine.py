"""Commands for sets with few pictures or none: draw a description, and say what of a picture is not to be learnt."""

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


def masks(
    folder: Annotated[Path, Parameter(help="the project folder")],
    *,
    heads: Annotated[str, Parameter(help="on the pictures that fit this filter the head is not learnt: 'source:booru'")] = "",
    ground: Annotated[float, Parameter(help="how much what is behind the character counts, 0 to 1, on all pictures")] = 1.0,
) -> Any:
    """Write masks for `train --masked-loss file`: borrowed bodies without their heads, grounds that count less."""
    from lorasmith.errors import UsageError
    from lorasmith.project.project import Project
    from lorasmith.stages.refine.masks import write_masks
    from lorasmith.terminal import shown

    if not 0 <= ground <= 1:
        raise UsageError(f"--ground is {ground:g}; give a share from 0 (not learnt) to 1 (learnt like the character).")
    with Project.open(folder) as project, shown() as bar:
        return write_masks(project, heads, ground, bar)
