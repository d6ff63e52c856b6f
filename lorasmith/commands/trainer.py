"""The commands about other trainers' files: look into a LoRA, take settings over, hand a project to kohya's scripts."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from lorasmith.errors import UsageError

_SETTINGS = "a trainer's settings, a LoRA that has them in it, or the e621 downloader's settings.json"
_FILE = "a LoRA or a checkpoint (.safetensors), or the folder of a PEFT adapter"


def inspect(
    file: Annotated[Path, Parameter(help=_FILE)],
    *,
    diff: Annotated[Path | None, Parameter(help="a second file: list only what differs")] = None,
    project: Annotated[Path | None, Parameter(help="a project: compare its training settings with the file's")] = None,
    all: Annotated[bool, Parameter(help="every tag, and the metadata as it stands", negative="")] = False,
    hash: Annotated[bool, Parameter(help="read the data and compute its hash", negative="")] = False,
) -> Any:
    """Show what a model file is and holds: base, network, ranks, training settings, buckets, tags, hash."""
    from lorasmith.checkpoints import inspection

    if diff is not None and project is not None:
        raise UsageError("Give --diff FILE or --project DIR, not both.")
    if diff is not None:
        return {"a": file, "b": diff, "differences": inspection.difference(file, diff)}
    if project is not None:
        from lorasmith.project.project import Project
        from lorasmith.stages.train.compare import compare_with_project

        with Project.open(project, writing=False) as opened:
            return compare_with_project(opened, file)
    return inspection.inspect(file, everything=all, hashed=hash)


def import_(
    file: Annotated[Path, Parameter(help=_SETTINGS)],
    folder: Annotated[
        Path | None,
        Parameter(name=["--project", "--folder"], help="the project; of several batches of the downloader their folder"),
    ] = None,
    *,
    trigger: Annotated[str, Parameter(help="make the project, with this word that calls the character")] = "",
    dataset: Annotated[Path | None, Parameter(help="kohya's dataset file that belongs to a config file")] = None,
    dry_run: Annotated[bool, Parameter(help="only say what would be taken over", negative="")] = False,
) -> Any:
    """Take over the settings of another trainer, or of the e621 downloader, and say what became of each of them."""
    from lorasmith.stages.train.import_trainer import import_training, is_downloaders

    if not is_downloaders(file):
        return import_training(file, folder, trigger, dataset=dataset, dry_run=dry_run)
    from lorasmith.stages.download.import_settings import import_settings

    if folder is None or dry_run:
        raise UsageError(f"{file.name} is an e621 downloader's: `lorasmith import {file.name} DIR` makes its projects in DIR.")
    return import_settings(file, folder, trigger)


def export_app(sort_key: int) -> App:
    """Builds the sub-commands of `export`."""
    app = App(name="export", help="Hand a project to another trainer, or a LoRA to others.", sort_key=sort_key)
    app.command(kohya)
    app.command(info)
    return app


def info(
    folder: Annotated[Path, Parameter(help="the project folder")],
    lora: Annotated[Path | None, Parameter(help="the LoRA; left out: the one that evaluate chose, else the newest")] = None,
    *,
    to: Annotated[Path | None, Parameter(help="where to write; left out: beside the LoRA, as .info.txt")] = None,
) -> Any:
    """Write the text that goes with a published LoRA: trigger, weight, outfits, toggles and what helps, how it was trained."""
    from lorasmith.project.project import Project
    from lorasmith.stages.tag.export_info import export_info

    with Project.open(folder, writing=False) as project:
        return export_info(project, lora, to)


def kohya(
    folder: Annotated[Path, Parameter(help="the project folder")],
    *,
    to: Annotated[Path | None, Parameter(help="where to write; left out: export/kohya in the project")] = None,
) -> Any:
    """Write pictures, captions, dataset file and config file for kohya's sd-scripts, and say the command that trains with them."""
    from lorasmith.project.project import Project
    from lorasmith.stages.train.export_kohya import export_kohya
    from lorasmith.terminal import shown

    with Project.open(folder, writing=False) as project, shown() as bar:
        return export_kohya(project, to or project.folder / "export" / "kohya", bar)
