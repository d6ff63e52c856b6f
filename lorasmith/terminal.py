"""What a person sees in a terminal: a bar while it works, the result as lines, or one JSON object.

And what another program hears on standard output when it asks for events.
"""

import _thread
import json
import os
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from lorasmith.progress import Progress
from lorasmith.results import in_short, plain

_LONG = 100  # characters from which a list is written one below the other
_QUIET_SECONDS = 15.0  # between two lines where the output is no terminal
_BETWEEN_EVENTS = 0.2  # seconds
_GRACE = 15.0  # seconds from the end of standard input until the process goes whatever it does
_STOPPED = 130


class Bar:
    """Shows progress on standard error: a rich bar on a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._tasks: dict[str, Any] = {}
        self._last = ("", 0.0)

    def __enter__(self) -> "Bar":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, progress: Progress) -> None:
        if sys.stderr.isatty():
            self._draw(progress)
        else:
            self._line(progress)

    def _draw(self, progress: Progress) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as RichProgress

        if self._bar is None:
            columns = (TextColumn("{task.fields[stage]:<9}", markup=False), BarColumn(30), MofNCompleteColumn(), TimeElapsedColumn(),
                       TextColumn("{task.description}", markup=False))  # fmt: skip
            self._bar = RichProgress(*columns, console=Console(stderr=True))
            self._bar.start()
        if progress.stage not in self._tasks:
            self._tasks[progress.stage] = self._bar.add_task("", stage=progress.stage, total=progress.total)
        self._bar.update(
            self._tasks[progress.stage], completed=progress.done, total=progress.total, description=progress.note[:60]
        )

    def _line(self, progress: Progress) -> None:
        stage, at = self._last
        finished = progress.total is not None and progress.done >= progress.total
        if progress.stage == stage and not finished and time.monotonic() - at < _QUIET_SECONDS:
            return
        self._last = (progress.stage, time.monotonic())
        of = f" of {progress.total}" if progress.total else ""
        sys.stderr.write(f"{progress.stage}: {progress.done}{of} {progress.note}\n")
        sys.stderr.flush()


class Events:
    """Writes progress on standard output, one JSON object a line: `{"progress": {"stage", "done", "total", "note"}}`."""

    def __init__(self) -> None:
        self._last: tuple[str, int | None, float] = ("", None, 0.0)

    def __enter__(self) -> "Events":
        return self

    def __exit__(self, *_: object) -> None:
        """Has nothing to put away."""

    def __call__(self, progress: Progress) -> None:
        stage, total, at = self._last
        same = (progress.stage, progress.total) == (stage, total) and progress.done != progress.total
        if same and time.monotonic() - at < _BETWEEN_EVENTS:
            return
        self._last = (progress.stage, progress.total, time.monotonic())
        with suppress(OSError):  # nobody listens any more: the end of standard input says so too
            sys.stdout.write(json.dumps({"progress": asdict(progress)}, ensure_ascii=False) + "\n")
            sys.stdout.flush()


_bar: "type[Bar] | type[Events]" = Bar


def shown() -> "Bar | Events":
    """Gives what shows progress to whoever asked, as a context manager."""
    return _bar()


def start_events() -> None:
    """From now on progress goes to a program that watches, and the end of standard input means stop."""
    global _bar
    _bar = Events
    stop_when_input_ends()


def stop_when_input_ends() -> None:
    """Interrupts the work, as Ctrl-C does, when standard input ends: asked by whoever started it, or because that one died."""

    from lorasmith.jobs.processes import when_input_ends

    def stop() -> None:
        _thread.interrupt_main()
        time.sleep(_GRACE)
        os._exit(_STOPPED)  # it sits in a library that does not hear; every stage outlives being killed

    when_input_ends(stop)


def as_json(result: Any) -> str:
    """Writes a result as one JSON object."""
    value = plain(result)
    return json.dumps(value if isinstance(value, dict) else {"result": value}, ensure_ascii=False)


def as_lines(result: Any, indent: str = "") -> str:
    """Writes a result as lines for a person: names and values, rows of one kind as a table, results of stages one by one."""
    value = plain(result)
    if isinstance(value, list):
        return _table(value, indent)
    if not isinstance(value, dict):
        return f"{indent}{value}"
    width = max((len(str(key)) for key in value), default=0)
    lines = []
    for key, item in value.items():
        word = str(key).replace("_", " ")
        if isinstance(item, dict) and (any(isinstance(part, dict | list) for part in item.values()) or len(in_short(item)) > _LONG):
            lines += [f"{indent}{word}:", as_lines(item, indent + "  ")]
        elif isinstance(item, list) and item and (isinstance(item[0], dict) or len(in_short(item)) > _LONG):
            lines += [f"{indent}{word}:", _table(item, indent + "  ")]
        else:
            lines.append(f"{indent}{word:<{width}}  {in_short(item)}")
    return "\n".join(lines)


def _table(rows: list[Any], indent: str) -> str:
    """Writes rows of the same names as a table with a head, any others as a line each."""
    names = list(rows[0]) if rows and isinstance(rows[0], dict) else []
    if not names or any(not isinstance(row, dict) or list(row) != names for row in rows):
        return "\n".join(f"{indent}{in_short(row)}" for row in rows) or f"{indent}-"
    cells = [[name.replace("_", " ") for name in names], *([in_short(row[name]) for name in names] for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(names))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]
    return "\n".join(f"{indent}{line.rstrip()}" for line in lines)
