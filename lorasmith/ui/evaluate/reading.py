"""What evaluations left on the disk, read back: each file once for as long as it stays as it is."""

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lorasmith.errors import ProjectError, UsageError
from lorasmith.project.project import Project
from lorasmith.stages.evaluate.bench import PLAN, SCORES

if TYPE_CHECKING:
    from lorasmith.judging.blend import Blend
    from lorasmith.judging.judge import Control, Spread
    from lorasmith.judging.scores import CellScores


def read_json(file: Path) -> dict[str, Any]:
    """Reads a file that an evaluation left; raises `ProjectError` with a sentence where it is damaged."""
    facts = file.stat()
    return _read(str(file), facts.st_mtime_ns, facts.st_size)


@lru_cache(maxsize=6)  # the largest has some megabytes as a file
def _read(file: str, moment: int, size: int) -> dict[str, Any]:
    name = "/".join(Path(file).parts[-3:])
    try:
        found = json.loads(Path(file).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ProjectError(f"{name} is damaged and cannot be read; start evaluate again, and it is written anew.") from error
    if not isinstance(found, dict):
        raise ProjectError(f"{name} holds something else than an evaluation; start evaluate again.")
    return found


def read_rows(file: Path) -> list[dict[str, Any]]:
    """Reads the judged renders of a folder: an evaluation's record, or the candidates' list; nothing where it is damaged."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        return []
    rows = found.get("renders") if isinstance(found, dict) else found
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def evaluations_of(project: Project) -> list[Path]:
    """Lists the folders of evaluations, the newest first, those that have not ended too."""
    folders = reversed(project.numbered(project.evaluations))
    return [folder for folder in folders if (folder / SCORES).is_file() or (folder / PLAN).is_file()]


def is_finished(folder: Path) -> bool:
    """Says whether an evaluation has ended."""
    return (folder / SCORES).is_file()


def evaluation_named(project: Project, name: str) -> tuple[Path, dict[str, Any]]:
    """Gives the folder and the record of a finished evaluation; without a name the newest."""
    finished = [folder for folder in evaluations_of(project) if is_finished(folder)]
    if not finished:
        raise UsageError("Nothing is evaluated yet.")
    folder = next((folder for folder in finished if folder.name == name), None) if name else finished[0]
    if folder is None:
        raise UsageError(f"There is no finished evaluation {name}; choose another.")
    told = read_json(folder / SCORES)
    if not isinstance(told.get("ranking"), dict) or not isinstance(told.get("cells"), list):
        raise ProjectError(f"{SCORES} of evaluation {folder.name} is damaged; start evaluate again, and it is written anew.")
    return folder, told


def short_of(folder: Path) -> dict[str, Any]:
    """Gives one line of an evaluation: its run, its day, what it recommends."""
    line: dict[str, Any] = {"name": folder.name, "finished": is_finished(folder)}
    if not line["finished"]:
        return line
    facts = (folder / SCORES).stat()
    return line | _short(str(folder / SCORES), facts.st_mtime_ns, facts.st_size)


@lru_cache(maxsize=512)
def _short(file: str, moment: int, size: int) -> dict[str, Any]:
    try:
        told = json.loads(Path(file).read_text(encoding="utf-8"))
        return {key: told.get(key, "") for key in ("run", "made", "lora")} | {"best": told["ranking"]["best"]}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {"damaged": True}


def cell_of(told: Mapping[str, Any]) -> "CellScores":
    """Gives the scores of one epoch and weight as the evaluation had them."""
    from lorasmith.judging.scores import CellScores

    return CellScores(
        told.get("epoch"), float(told.get("weight") or 0.0),
        followed={kind: share for kind, each in (told.get("followed") or {}).items() if (share := spread_of(each))},
        diversity=told.get("diversity"), by_tag=told.get("by_tag") or {}, unasked=told.get("unasked") or {},
        outfit={word: _control(each) for word, each in (told.get("outfit") or {}).items()},
        each={who: share for who, each in (told.get("each") or {}).items() if (share := spread_of(each))},
        blend=spread_of(told.get("blend")), together=spread_of(told.get("together")), blends=_blends(told.get("blends") or ()),
        likeness=spread_of(told.get("likeness")), leak=spread_of(told.get("leak")), described=spread_of(told.get("described")),
        artefacts=spread_of(told.get("artefacts")), similarity=spread_of(told.get("similarity")),
        copies=spread_of(told.get("copies")),
    )  # fmt: skip


def spread_of(told: Any) -> "Spread | None":
    """Gives a mean with its spread, None where there is none."""
    from lorasmith.judging.judge import Spread

    if not isinstance(told, Mapping) or not isinstance(told.get("mean"), int | float):
        return None
    mean = float(told["mean"])
    low, high = float(told.get("low", mean)), float(told.get("high", mean))
    return Spread(mean, low, high, float(told.get("deviation", 0.0)), int(told.get("count", 1)), told.get("over_seeds"))


def _blends(told: Any) -> "tuple[Blend, ...]":
    from lorasmith.judging.blend import Blend

    found = ((each, spread_of(each.get("shown"))) for each in told if isinstance(each, Mapping))
    return tuple(Blend(str(each["asked"]), str(each["other"]), shown, each.get("by_tag") or {}) for each, shown in found if shown)


def _control(told: Mapping[str, Any]) -> "Control":
    from lorasmith.judging.judge import Control

    return Control(spread_of(told.get("asked")), spread_of(told.get("unasked")))
