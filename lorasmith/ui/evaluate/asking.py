"""What the Evaluate page asks: which evaluations there are, what one found, its grids by question, one render, the card."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from lorasmith.errors import UsageError
from lorasmith.files import sha256_of
from lorasmith.project.project import Project
from lorasmith.settings.tables import TagSettings
from lorasmith.stages.evaluate.against import COMPARISON
from lorasmith.stages.evaluate.against import PLACE as AGAINST
from lorasmith.stages.evaluate.bench import finished_runs
from lorasmith.stages.evaluate.strength import ADVICE
from lorasmith.stages.evaluate.strength import PLACE as BASE
from lorasmith.stages.evaluate.sweeps import PAGE, PLOT, TABLE
from lorasmith.ui import html
from lorasmith.ui.answering import Words, over_project
from lorasmith.ui.ask import showable
from lorasmith.ui.evaluate import reading
from lorasmith.ui.evaluate.plotted import plots_of, table_of

MOST_NAMES = 300  # pictures that a link to another page chooses
_SHOWN = 12  # pictures of one thing to fix
_MOST_SIDE = 256


# which there are


def _all(project: Project, words: Words) -> dict[str, Any]:
    """All evaluations, the newest first, and what else was compared; what is missing before the next can begin."""
    beside = project.evaluations / AGAINST
    runs = finished_runs(project)
    return {
        "evaluations": [reading.short_of(folder) for folder in reading.evaluations_of(project)],
        "comparisons": [folder.name for folder in reversed(project.numbered(beside)) if (folder / COMPARISON).is_file()],
        "base": _newest(project, ADVICE), "sweep": (project.evaluations / TABLE).is_file(), "runs": len(runs),
        "loras": sorted((file.name for file in project.loras.glob("*.safetensors")), reverse=True),
        "tagger": bool(project.settings(TagSettings).tagger_names),
    }  # fmt: skip


def _newest(project: Project, file: str) -> str:
    """Names the newest look at the base alone."""
    folders = [folder.name for folder in project.numbered(project.evaluations / BASE) if (folder / file).is_file()]
    return folders[-1] if folders else ""


# one evaluation


def _one(project: Project, words: Words) -> dict[str, Any]:
    """What one evaluation found, but for its renders."""
    folder, told = reading.evaluation_named(project, words.get("name", ""))
    id, ranking = words.get("project", ""), told["ranking"]
    report = folder / "report.html"
    lora = project.loras / Path(str(told.get("lora", ""))).name
    return {
        "name": folder.name, "made": told.get("made", ""), "run": told.get("run", ""), "trigger": told.get("trigger", ""),
        "base_model": told.get("base_model", ""), "tagger": told.get("tagger", ""), "pictures": told.get("pictures"),
        "core": told.get("core", []), "unknown": told.get("unknown", []), "settings": told.get("settings") or {},
        "lora": lora.name, "lora_here": lora.is_file(), "advice": ranking.get("advice", ""), "rule": ranking.get("rule", ""),
        "best": ranking.get("best"), "standings": ranking.get("order", []),
        "plots": plots_of(told), "told": table_of(told.get("told"), told.get("told_base")),
        "fixes": [_fix(project, id, fix) for fix in told.get("fixes") or ()],
        "questions": _questions(told), "preview": _preview(project, id, folder, told, lora),
        "report": html.file_address(id, _within(project, report)) if report.is_file() else "",
    }  # fmt: skip


def _preview(project: Project, id: str, folder: Path, told: Mapping[str, Any], lora: Path) -> str:
    file = lora.with_suffix(".png")
    return _small(project, id, file) if file.is_file() else ""


def _fix(project: Project, id: str, fix: Mapping[str, Any]) -> dict[str, Any]:
    """One thing to fix: in words, with some of its pictures, and where it is mended with just those chosen."""
    names = [str(name) for name in fix.get("pictures") or ()]
    found = [one for name in names[:_SHOWN] if (one := project.pictures.find(name)) is not None]
    tiles = [
        {"name": one.name, "src": html.thumbnail_address(id, one.file, 192, one.sha256), "large": html.file_address(id, one.file)}
        for one in showable(project, found)
    ]
    stage = str(fix.get("stage", "prune"))
    return {
        "kind": str(fix.get("kind", "")).replace("_", " "), "tag": fix.get("tag", ""), "words": fix.get("words", ""),
        "stage": stage, "pictures": len(names), "of": fix.get("of"), "tiles": tiles, "names": chosen_there(stage, names),
        "with": fix.get("with_lora"), "without": fix.get("without"),
    }  # fmt: skip


def chosen_there(stage: str, names: Sequence[str]) -> list[str]:
    """Gives the names by which a page chooses pictures: Tag has what is trained on, the others the originals."""
    found = names if stage == "tag" else [name.split(".")[0] for name in names]
    return list(dict.fromkeys(found))[:MOST_NAMES]


def _questions(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Gives the questions that were asked, in the report's order."""
    from lorasmith.judging.record import QUESTIONS

    kinds: dict[str, set[str]] = {}
    for row in told.get("renders") or ():
        kinds.setdefault(str(row["prompt"]["kind"]), set()).add(str(row["prompt"]["text"]))
    ordered = [*(kind for kind in QUESTIONS if kind in kinds), *(kind for kind in kinds if kind not in QUESTIONS)]
    return [{"kind": kind, "question": QUESTIONS.get(kind, kind), "prompts": len(kinds[kind])} for kind in ordered]


# grids


def _grid(project: Project, words: Words) -> dict[str, Any]:
    """The renders of one question: a row for each prompt and seed, a column for the base and each epoch and weight."""
    folder, told = reading.evaluation_named(project, words.get("name", ""))
    kind, id = words.get("kind", ""), words.get("project", "")
    columns = _columns(told)
    rows: dict[tuple[str, int, bool], dict[str, Any]] = {}
    for render in told.get("renders") or ():
        if render["prompt"]["kind"] != kind:
            continue
        key = (str(render["prompt"]["text"]), int(render["seed"]), bool(render.get("told")))
        row = rows.setdefault(key, {"prompt": key[0], "seed": key[1], "told": key[2], "asked": render["prompt"]["asked"], "cells": {}})
        row["cells"][column_of(render)] = _cell(project, id, folder, render)
    ordered = sorted(rows.values(), key=lambda row: row["told"])
    return {"name": folder.name, "kind": kind, "columns": columns, "rows": ordered}


def column_of(row: Mapping[str, Any]) -> str:
    """Names the column that a render or a standing belongs to."""
    return "base" if row.get("epoch") is None else f"e{row['epoch']}-w{float(row['weight']):g}"


def _columns(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    best = told["ranking"].get("best")
    chosen = column_of(best) if best else ""
    words = {column_of(one): one for one in told["ranking"].get("order") or ()}
    columns: list[dict[str, Any]] = [{"key": "base", "title": "without LoRA", "bake": "", "best": False}]
    for cell in told["cells"]:
        key = column_of(cell)
        standing = words.get(key) or {}
        columns.append({
            "key": key, "title": f"epoch {cell['epoch']}, weight {float(cell['weight']):g}", "bake": standing.get("bake", ""),
            "reason": standing.get("reason", ""), "best": key == chosen,
        })  # fmt: skip
    return columns


def _cell(project: Project, id: str, folder: Path, render: Mapping[str, Any]) -> dict[str, Any]:
    file = folder / str(render["file"])
    return {
        "name": render["name"], "src": _small(project, id, file), "likeness": render.get("likeness"),
        "followed": render.get("followed"), "copies": render.get("copies", ""),
    }  # fmt: skip


def _small(project: Project, id: str, file: Path) -> str:
    """Gives the address of a small picture; empty where its file has gone."""
    try:
        version = f"{file.stat().st_mtime_ns:x}"[-12:]
    except OSError:
        return ""
    return html.thumbnail_address(id, _within(project, file), _MOST_SIDE, version)


def _within(project: Project, file: Path) -> str:
    return file.relative_to(project.folder).as_posix()


def _render(project: Project, words: Words) -> dict[str, Any]:
    """All that is known of one render: prompt, seed, scores, and the training picture that it is nearest to."""
    folder, told = reading.evaluation_named(project, words.get("name", ""))
    found = next((row for row in told.get("renders") or () if row["name"] == words.get("render")), None)
    if found is None:
        raise UsageError(f"Evaluation {folder.name} has no render '{words.get('render', '')}'.")
    id, file = words.get("project", ""), folder / str(found["file"])
    settings = told.get("settings") or {}
    drawn = {key: settings[key] for key in ("steps", "guidance", "width", "height", "negative") if settings.get(key) not in (None, "")}
    return {
        "name": found["name"], "large": html.file_address(id, _within(project, file)) if file.is_file() else "",
        "prompt": found["prompt"]["text"], "kind": found["prompt"]["kind"], "asked": found["prompt"]["asked"],
        "seed": found["seed"], "told": found.get("told", False), "column": column_of(found), "lora": found.get("lora", ""),
        "epoch": found.get("epoch"), "weight": found.get("weight"), "drawn": drawn,
        "scores": {key: found.get(key) for key in ("likeness", "followed", "similarity")}, "typical": told.get("typical"),
        "own": sorted((found.get("own_scores") or {}).items(), key=lambda row: (-row[1], row[0])),
        "copies": found.get("copies", ""), "nearest": _nearest(project, id, str(found.get("nearest", ""))),
        "brought": _came_back(project, file), "newest": folder.name == reading.evaluation_named(project, "")[0].name,
    }  # fmt: skip


def _nearest(project: Project, id: str, name: str) -> dict[str, Any] | None:
    found = project.pictures.find(name) if name else None
    if found is None or not showable(project, [found]):
        return None
    return {"name": name, "src": html.thumbnail_address(id, found.file, 192, found.sha256)}


def _came_back(project: Project, file: Path) -> str:
    """Names the picture of the project that a render became; empty where it did not."""
    if not file.is_file():
        return ""
    name = f"render_{sha256_of(file)[:12]}"
    return name if project.pictures.find(name) is not None else ""


# the card and what stands beside


def _card(project: Project, words: Words) -> dict[str, Any]:
    """The texts that go with the recommended LoRA: as it is published, and what WebUIs read beside it."""
    from lorasmith.stages.evaluate.card import card_of, publication

    folder, told = reading.evaluation_named(project, words.get("name", ""))
    lora = project.loras / Path(str(told.get("lora", ""))).name
    if not lora.is_file():
        raise UsageError(f"The LoRA that evaluation {folder.name} recommends is not in {project.loras} any more.")
    facts: dict[str, Any] = {}
    with suppress(OSError, ValueError):
        facts = json.loads(lora.with_suffix(".json").read_text(encoding="utf-8"))
    text = ""
    with suppress(OSError, UnicodeDecodeError):
        text = lora.with_suffix(".txt").read_text(encoding="utf-8")
    best = told["ranking"].get("best") or {}
    text = text or publication(card_of(project, lora), float(best.get("weight") or 1.0))
    return {"lora": lora.name, "text": text, "facts": [[str(key), str(value)] for key, value in facts.items()]}


def _comparison(project: Project, words: Words) -> dict[str, Any]:
    """LoRAs side by side: the table, what is more than luck, the report with the grids."""
    name = words.get("name", "")
    folder = project.evaluations / AGAINST / name
    if not name.isdecimal() or not (folder / COMPARISON).is_file():
        raise UsageError(f"There is no comparison '{name}' any more; choose another.")
    told, id = reading.read_json(folder / COMPARISON), words.get("project", "")
    report = folder / "report.html"
    return {
        "name": name, "names": told["names"], "words": told["words"], "loras": told.get("loras", []),
        "lines": [[line["what"], *(_mean(value) for value in line["values"])] for line in told["lines"]],
        "report": html.file_address(id, _within(project, report)) if report.is_file() else "",
        "grids": [[file.stem.removeprefix("grid-"), html.file_address(id, _within(project, file))]
                  for file in sorted(folder.glob("grid-*.png"))],
    }  # fmt: skip


def _mean(value: Any) -> float | None:
    return round(float(value["mean"]), 3) if isinstance(value, Mapping) and value.get("mean") is not None else None


def _base(project: Project, words: Words) -> dict[str, Any]:
    """How well the base alone draws the described character, and the strength that this asks for."""
    from lorasmith.settings.tables import TrainSettings

    name = _newest(project, ADVICE)
    if not name:
        raise UsageError("The base alone was not looked at yet.")
    told = reading.read_json(project.evaluations / BASE / name / ADVICE)
    return {
        "strength": told["strength"], "present": project.settings(TrainSettings).strength, "reasons": told["reasons"],
        "described": _mean(told.get("described")), "unnamed": _mean(told.get("unnamed")),
        "by_tag": sorted((told.get("by_tag") or {}).items(), key=lambda row: row[1]),
    }  # fmt: skip


def _sweep(project: Project, words: Words) -> dict[str, Any]:
    """All runs in one table and one plot."""
    place, id = project.evaluations, words.get("project", "")
    if not (place / TABLE).is_file():
        raise UsageError("No sweep was evaluated yet.")
    told = reading.read_json(place / TABLE)
    address = {name: html.file_address(id, _within(project, place / file)) for name, file in (("plot", PLOT), ("report", PAGE))
               if (place / file).is_file()}  # fmt: skip
    return {"advice": told["advice"], "runs": told["runs"], "plot": "", "report": ""} | address


ANSWERS: dict[str, Callable[[Project, Words], dict[str, Any]]] = {
    "all": _all, "one": _one, "grid": _grid, "render": _render, "card": _card,
    "comparison": _comparison, "base": _base, "sweep": _sweep,
}  # fmt: skip
show = over_project("Evaluate", ANSWERS)
