"""The command line: one command per stage and tool. Results go to standard output, progress and errors to standard error."""

import errno
import itertools
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, CycloptsError, Parameter

from lorasmith import __version__
from lorasmith.commands.download import Plan, planned
from lorasmith.commands.evaluate import Against, BaseOnly, Sweep, evaluate_otherwise
from lorasmith.errors import LorasmithError, UsageError
from lorasmith.stages.table import STAGES

_HELP = "From a character's name to a tested character LoRA. Add --json to any command for one JSON object on standard output."
_AGAIN = "Stopped. Nothing finished was lost: run the same command again to go on where it was."

Folder = Annotated[Path, Parameter(help="the project folder")]
Once = Annotated[bool, Parameter(help="use the settings of this call alone, and leave lorasmith.toml as it is", negative="")]


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command and exits: 0 done, 1 it could not be done, 2 it was asked wrongly, 130 stopped by Ctrl-C."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in words
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    sys.exit(_run(words, as_json))


def _run(words: list[str], as_json: bool) -> int:
    try:
        if "--events" in words:  # for a program that watches: progress as JSON lines, and the end of its input means stop
            from lorasmith.terminal import start_events

            start_events()
        words = [word for word in words if word not in ("--json", "--events")]
        result = build_app(words[0] if words else "")(words or ["--help"], exit_on_error=False, print_error=False)
    except CycloptsError as error:
        return _fail(f"{error} (`lorasmith {words[0] if words else ''} --help` shows how.)", 2, as_json)
    except LorasmithError as error:
        return _fail(str(error), error.exit_code, as_json)
    except KeyboardInterrupt:
        return _fail(_AGAIN, 130, as_json)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        return _fail(
            "The disk is full. Free some space and run the same command again; nothing finished was lost.", 1, as_json
        )
    try:
        code = _show(result, as_json)
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has read enough; what was asked is done
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _fail(text: str, code: int, as_json: bool) -> int:
    from lorasmith.terminal import as_json as written

    if as_json:
        print(written({"error": text, "exit_code": code}))
    print(f"lorasmith: {text}", file=sys.stderr)
    return code


def _show(result: Any, as_json: bool) -> int:
    from lorasmith.terminal import as_json as written
    from lorasmith.terminal import as_lines

    if result is not None:
        print(written(result) if as_json else as_lines(result))
    return int(getattr(result, "exit_code", 0))


def build_app(wanted: str = "") -> App:
    """Builds the commands; only the wanted stage's flags are read off its settings, so that --help starts at once."""
    app = App(name="lorasmith", help=_HELP, version=__version__, help_flags=["--help", "-h"], help_format="plaintext",
              result_action="return_value", suppress_keyboard_interrupt=False)  # fmt: skip
    place = itertools.count()
    from lorasmith.commands.batch import batch
    from lorasmith.commands.page import ui
    from lorasmith.commands.queue import queue_app
    from lorasmith.commands.refine import draw, masks
    from lorasmith.commands.tags import tags_app
    from lorasmith.commands.trainer import export_app, import_, inspect
    from lorasmith.commands.webui import erase, publish, test_grid, touch_up

    first: tuple[Callable[..., Any], ...] = (demo, ui, new, import_, add, run, batch)
    last: tuple[Callable[..., Any], ...] = (
        touch_up, erase, masks, draw, publish, test_grid, keep, drop, undo, redo, history, credits, check, inspect, doctor,
    )  # fmt: skip
    for command in first:
        app.command(command, sort_key=next(place))
    for stage in STAGES:
        app.command(
            _stage_command(stage.name, wanted == stage.name), name=stage.name, help=stage.help, sort_key=next(place)
        )
    app.command(tags_app(next(place)))
    app.command(queue_app(next(place)))
    app.command(export_app(next(place)))
    for command in last:
        app.command(command, sort_key=next(place))
    app.command(train_share, show=False)
    return app


def _stage_command(name: str, full: bool) -> Callable[..., Any]:
    def command(folder: Folder, *, once: Once = False, **flags: Any) -> Any:
        return _run_stage(folder, name, flags, keep=not once)

    def listed_or_pruned(folder: Folder, *, list: bool = False, once: Once = False, **flags: Any) -> Any:
        return _listing(folder) if list else _run_stage(folder, name, flags, keep=not once)

    def downloaded_or_planned(folder: Folder, *, plan: Plan = False, once: Once = False, **flags: Any) -> Any:
        return planned(folder, _absolute(flags)) if plan else _run_stage(folder, name, flags, keep=not once)

    def evaluated(
        folder: Folder, *, against: Against = None, base_only: BaseOnly = False, sweep: Sweep = False, once: Once = False,
        **flags: Any,
    ) -> Any:  # fmt: skip
        otherwise = evaluate_otherwise(folder, against, base_only, sweep, _absolute(flags))
        return _run_stage(folder, name, flags, keep=not once) if otherwise is None else otherwise

    if not full:
        return lambda: None
    from lorasmith.flags import with_flags
    from lorasmith.settings.tables import TABLES

    if name == "prune":
        listed_or_pruned.__annotations__["list"] = Annotated[
            bool, Parameter(help="list the decisions instead", negative="")
        ]
        return with_flags(listed_or_pruned, TABLES[name])
    return with_flags({"evaluate": evaluated, "download": downloaded_or_planned}.get(name, command), TABLES[name])


def _run_stage(folder: Path, name: str, flags: dict[str, Any], *, keep: bool = True) -> Any:
    from lorasmith.project.project import Project
    from lorasmith.stages.run import run_stage
    from lorasmith.terminal import shown

    with Project.open(folder) as project, shown() as bar:
        return run_stage(project, name, bar, _absolute(flags), keep=keep)


def _listing(folder: Path) -> Any:
    from lorasmith.project.project import Project
    from lorasmith.stages.prune.stage import listing

    with Project.open(folder, writing=False) as project:
        return listing(project)


Trigger = Annotated[str, Parameter(help="the word that calls the character")]
Preset = Annotated[str, Parameter(help="a preset; 'quick' is the shortest road")]
Query = Annotated[str, Parameter(help="the search on the site; empty means '<trigger> solo'")]
SiteUrl = Annotated[str, Parameter(help="another address for the site")]
Checkpoint = Annotated[str, Parameter(help="the base model, one .safetensors file")]
TaggerName = Annotated[str, Parameter(help="tagger name, or a folder with model.onnx and selected_tags.csv")]


def new(  # noqa: PLR0913 - one parameter per flag
    folder: Folder,
    *,
    trigger: Trigger,
    preset: Preset = "character_sd15",
    query: Query = "",
    site_url: SiteUrl = "",
    checkpoint: Checkpoint = "",
    tagger: TaggerName = "",
) -> Any:
    """Make a project folder for one character."""
    wishes = {"query": query, "site_url": site_url, "checkpoint": checkpoint, "tagger": tagger}
    with _create(folder, trigger, preset, wishes) as project:
        after = f"lorasmith run {folder}"
        if not checkpoint:
            after = f"write the base model's path as `checkpoint` under [train] in lorasmith.toml, then {after}"
        return {"project": project.folder, "settings": project.folder / "lorasmith.toml", "next": after}


def _create(folder: Path, trigger: str, preset: str, wishes: dict[str, str]) -> Any:
    """Makes a project with what was typed written into its settings; paths are made absolute."""
    from lorasmith.project.project import Project

    return Project.create(folder, trigger, preset=preset, chosen=_by_table(wishes))


def _by_table(wishes: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Sorts what was typed into the tables of lorasmith.toml."""
    places = {"query": "site", "site_url": "site", "checkpoint": "train", "tagger": "tag"}
    chosen: dict[str, dict[str, Any]] = {}
    for name, value in _absolute({name: value for name, value in wishes.items() if value}).items():
        chosen.setdefault(places[name], {})[name] = value
    return chosen


def _absolute(flags: dict[str, Any]) -> dict[str, Any]:
    """Makes paths among the flags absolute: they are kept, and the next call may come from another folder."""
    paths = {name: Path(flags[name]).expanduser() for name in ("checkpoint", "tagger") if flags.get(name)}
    found = {name: str(path.resolve()) for name, path in paths.items() if path.exists()}
    return flags | found


def add(
    folder: Folder,
    source: Annotated[
        Path,
        Parameter(
            help="a folder or zip of pictures, or one picture, with .txt, .caption or .json sidecars or without; or a text file"
            " of post ids or md5s"
        ),
    ],
) -> Any:
    """Add one's own pictures to a project, or the posts of a list."""
    from lorasmith.project.project import Project
    from lorasmith.stages.add.stage import add_source
    from lorasmith.stages.run import download_listed
    from lorasmith.terminal import shown

    with Project.open(folder) as project, shown() as bar:
        if source.suffix.lower() in (".txt", ".list", ".csv") and source.is_file():
            return download_listed(project, source, bar)
        return add_source(project, source, bar)


def credits(
    folder: Folder,
    file: Annotated[Path | None, Parameter(help="where to write it, .csv or .md; left out: credits.csv in the project")] = None,
) -> Any:
    """Write who drew the downloaded pictures and where they come from."""
    from lorasmith.project.project import Project
    from lorasmith.stages.download.credits import write_credits

    with Project.open(folder, writing=False) as project:
        return write_credits(project, file)


def run(  # noqa: PLR0913 - one parameter per flag
    folder: Folder,
    *,
    start: Annotated[str, Parameter(name="--from", help="the first stage run")] = STAGES[0].name,
    end: Annotated[str, Parameter(name="--to", help="the last stage run")] = STAGES[-1].name,
    again: Annotated[bool, Parameter(help="ask the site again even where that was done", negative="")] = False,
    trigger: Annotated[str, Parameter(help="make the project first, with this trigger")] = "",
    preset: Preset = "",
    query: Query = "",
    site_url: SiteUrl = "",
    checkpoint: Checkpoint = "",
    tagger: TaggerName = "",
) -> Any:
    """Run all stages in order; what is finished is not repeated. With --trigger the project is made where there is none."""
    from lorasmith.settings.toml import FILE_NAME
    from lorasmith.stages.run import run_all
    from lorasmith.terminal import shown

    wishes = {"query": query, "site_url": site_url, "checkpoint": checkpoint, "tagger": tagger}
    if trigger and not (folder / FILE_NAME).exists():
        opened = _create(folder, trigger, preset or "character_sd15", wishes)
    else:
        opened = _reopen(folder, {"trigger": trigger, "preset": preset}, wishes)
    with opened as project, shown() as bar:
        return run_all(project, bar, start=start, end=end, again=again)


def _reopen(folder: Path, identity: dict[str, str], wishes: dict[str, str]) -> Any:
    """Opens a project that a command names again: the same trigger and preset pass, what else was typed is kept."""
    from lorasmith.project.project import Project
    from lorasmith.settings.toml import FILE_NAME, keep_choice

    project = Project.open(folder)
    known = project.tables.get("project", {})
    for name, value in identity.items():
        if value and value != known.get(name, ""):
            project.close()
            raise UsageError(
                f"{folder} is a project with the {name} '{known.get(name, '')}', not '{value}'; "
                "choose another folder for a new one."
            )
    for table, values in _by_table(wishes).items():
        keep_choice(folder / FILE_NAME, table, values)
    return project


def keep(folder: Folder, *names: str) -> Any:
    """Keep pictures whatever the suggestions say."""
    return _decide(folder, "keep", names)


def drop(folder: Folder, *names: str) -> Any:
    """Drop pictures; they stay in the folder, and undo brings them back."""
    return _decide(folder, "drop", names)


def _decide(folder: Path, verdict: Literal["keep", "drop"], names: Sequence[str]) -> Any:
    from lorasmith.project.project import Project
    from lorasmith.stages.prune.stage import decide_by_hand, told_of_dropped

    if not names:
        raise UsageError(
            f"Name the pictures to {verdict}: lorasmith {verdict} DIR NAME ...; `prune DIR --list` shows the names."
        )
    with Project.open(folder) as project:
        done: dict[str, Any] = {verdict: decide_by_hand(project, verdict, names)}
        return done | ({"note": note} if verdict == "drop" and (note := told_of_dropped(project, names)) else {})


def undo(folder: Folder) -> Any:
    """Take the last change of the project's record back."""
    from lorasmith.project.project import Project

    with Project.open(folder) as project:
        return {"undone": project.undo()}


def redo(folder: Folder) -> Any:
    """Do again what was last undone."""
    from lorasmith.project.project import Project

    with Project.open(folder) as project:
        return {"redone": project.redo()}


def history(folder: Folder) -> Any:
    """List the changes of the project's record, oldest first."""
    from lorasmith.project.project import Project

    with Project.open(folder, writing=False) as project:
        return {"history": project.journal.history()}


def check(folder: Folder) -> Any:
    """Look for everything that would stop or spoil a training; exit 1 when something would stop it."""
    from lorasmith.project.project import Project
    from lorasmith.stages.train.check import check as look

    with Project.open(folder, writing=False) as project:
        return look(project)


def doctor() -> Any:
    """Say what this machine has for the work, one line each; exit 1 when training cannot work."""
    from lorasmith.stages.doctor import doctor as look

    return look()


def train_share(request: Path) -> Any:
    """Train one process's part of a request; `train --processes N` and torchrun start it."""
    from lorasmith.stages.train.together import take_part
    from lorasmith.terminal import shown

    with shown() as bar:
        return take_part(request, bar)


def demo(
    folder: Annotated[
        Path | None, Parameter(help="where to make the demo project; a temporary folder when left out")
    ] = None,
    *,
    seed: Annotated[int, Parameter(help="training seed")] = 1,
) -> Any:
    """Prove the installation: a drawn world, all eight stages, no network, no GPU, no downloads."""
    from lorasmith.demo.demo import run_demo
    from lorasmith.terminal import shown

    with shown() as bar:
        return run_demo(folder, bar, seed=seed)
