"""The command line of evaluate beside the stage itself: LoRAs side by side, all runs of a sweep, the base model alone."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from lorasmith.errors import UsageError

Against = Annotated[
    list[Path] | None,
    Parameter(help="set this project's LoRA beside other LoRA files, over the same prompts and seeds", consume_multiple=True),
]
BaseOnly = Annotated[
    bool, Parameter(help="measure how well the base model alone draws the described character, and propose a strength", negative="")
]
Sweep = Annotated[bool, Parameter(help="evaluate every finished run, and show all in one table and one plot", negative="")]


def evaluate_otherwise(
    folder: Path, against: list[Path] | None, base_only: bool, sweep: bool, flags: dict[str, Any]
) -> Any:
    """Does what the asked one of the three flags says; what is typed is not kept. Gives None where none was asked."""
    asked = [name for name, on in (("--against", against), ("--base-only", base_only), ("--sweep", sweep)) if on]
    if not asked:
        return None
    if len(asked) > 1:
        raise UsageError(f"{' and '.join(asked)} are two things; ask for one at a time.")
    from lorasmith.project.project import Project
    from lorasmith.settings.tables import EvaluateSettings
    from lorasmith.stages.evaluate.against import compare
    from lorasmith.stages.evaluate.strength import advise_strength
    from lorasmith.stages.evaluate.sweeps import sweep as sweep_runs
    from lorasmith.terminal import shown

    with Project.open(folder) as project, shown() as bar:
        settings = project.settings(EvaluateSettings, flags)
        if against:
            return compare(project, settings, against, bar)
        return advise_strength(project, settings, bar) if base_only else sweep_runs(project, settings, bar)
