"""What a batch came to: a row for each character, and one page of all of them beside the file."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorasmith.errors import LorasmithError
from lorasmith.files import write_atomic
from lorasmith.project.project import Project
from lorasmith.settings.toml import FILE_NAME
from lorasmith.stages.batch.stage import Batch, Standing
from lorasmith.stages.status import last_result

PAGE = ".html"


@dataclass(frozen=True)
class CharacterRow:
    """One character: how far it is, and what the evaluation recommends."""

    trigger: str
    state: str
    part: str
    note: str
    pictures: int | None = None
    epoch: int | None = None
    weight: float | None = None
    likeness: float | None = None
    lora: str = ""
    project: str = ""


@dataclass(frozen=True)
class Batched:
    """What a batch came to."""

    characters: tuple[CharacterRow, ...]
    done: int
    failed: int
    page: str

    @property
    def exit_code(self) -> int:
        """1 when a character could not be brought through."""
        return int(self.failed > 0)


def summed(batch: Batch) -> Batched:
    """Reads how far each character is, and writes the page."""
    rows, reports, looks = [], list[str](), list[Path]()
    for one in batch.standing():
        told = _told(one.character.folder)
        rows.append(_row(one, told))
        report = one.character.folder / str(told.get("evaluate", {}).get("report", ""))
        reports.append(os.path.relpath(report, batch.file.parent).replace("\\", "/") if report.is_file() else "")
        lora = one.character.folder / rows[-1].lora
        looks.append(lora.with_suffix(".png"))
    from lorasmith.judging.page_tables import batch_page

    page = batch.file.with_name(batch.file.name + PAGE)
    write_atomic(page, batch_page(batch.file.name, [vars(row) for row in rows], reports, looks))
    states = [row.state for row in rows]
    return Batched(tuple(rows), states.count("done"), states.count("failed"), str(page))


def _row(one: Standing, told: Mapping[str, dict[str, Any]]) -> CharacterRow:
    evaluated, trained = told.get("evaluate", {}), told.get("train", {})
    files = trained.get("files") or [""]
    return CharacterRow(
        one.character.trigger, one.state, one.part, one.note, trained.get("pictures"), evaluated.get("epoch"),
        evaluated.get("weight"), evaluated.get("likeness"), str(evaluated.get("lora") or files[-1] or ""), str(one.character.folder),
    )  # fmt: skip


def _told(folder: Path) -> dict[str, dict[str, Any]]:
    if not (folder / FILE_NAME).exists():
        return {}
    try:
        with Project.open(folder, writing=False) as project:
            return {stage: last_result(project, stage) for stage in ("train", "evaluate")}
    except LorasmithError:
        return {}  # its job says what is wrong with it
