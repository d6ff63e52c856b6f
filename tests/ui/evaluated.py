"""A small project as after an evaluation: real records by the real judging, over renders that nobody had to train for."""

import json
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lorasmith.jobs.store import Store
from lorasmith.judging.fixes import Fix, TrainingSet, fixes
from lorasmith.judging.judge import Judge, Judged
from lorasmith.judging.plan import PlannedPrompt
from lorasmith.judging.rank import rank
from lorasmith.judging.record import Evaluation, RenderRow
from lorasmith.judging.report import write_page, write_scores
from lorasmith.judging.scores import CellScores, followed, likeness, score_cell
from lorasmith.project.pictures import Picture, Tag, facts_of
from lorasmith.project.project import Project
from lorasmith.stages.evaluate.renders import Cell
from lorasmith.ui.projects.recent import Projects
from tests.extension.browsing import chromium, window
from tests.ui.serving import page as served
from tests.ui.serving import surroundings

CORE = ("fox", "red_fur", "blue_eyes")
TAGS = (*CORE, "standing", "sitting", "beach", "hat", "solo")
EPOCHS, WEIGHTS, SEEDS = (1, 2, 3), (0.7, 1.0), (11, 12)
PROMPTS = (
    PlannedPrompt("likeness", "nick"), PlannedPrompt("pose", "nick, standing", ("standing",)),
    PlannedPrompt("pose", "nick, sitting", ("sitting",)), PlannedPrompt("toggle", "nick, hat", ("hat",)),
    PlannedPrompt("plain", "solo, standing", ("solo", "standing"), has_trigger=False),
)  # fmt: skip
METADATA = {
    "ss_network_dim": "8", "ss_network_alpha": "4.0", "ss_network_module": "networks.lora", "ss_unet_lr": "0.0004",
    "ss_num_epochs": "3", "ss_base_model_version": "sd_v1", "ss_sd_model_name": "base.safetensors", "ss_resolution": "(512, 512)",
    "ss_training_started_at": "1700000000", "ss_training_finished_at": "1700003600", "sshs_model_hash": "ab" * 32,
    "ss_tag_frequency": json.dumps({"3_nick": {"nick": 6, "solo": 6, "hat": 5, "beach": 2}}),
    "ss_bucket_info": json.dumps({"buckets": {"0": {"resolution": [512, 512], "count": 6}}}),
    "modelspec.trigger_phrase": "nick",
}  # fmt: skip


def write_lora(path: Path, metadata: dict[str, str], alpha: float = 4.0, rank_: int = 8) -> Path:
    """Writes a LoRA of one module in kohya's names, by the format's own rules."""
    name = "lora_unet_mid_block_attentions_0_proj_in"
    shapes = {f"{name}.lora_down.weight": (rank_, 64, 1, 1), f"{name}.lora_up.weight": (64, rank_, 1, 1), f"{name}.alpha": ()}
    table: dict[str, Any] = {"__metadata__": metadata}
    data = b""
    for tensor, shape in shapes.items():
        raw = struct.pack("<f", alpha) if not shape else bytes(4 * int(np.prod(shape)))
        table[tensor] = {"dtype": "F32", "shape": list(shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    header = json.dumps(table).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)
    return path


def add_pictures(project: Project, count: int = 6) -> list[str]:
    """Adds pictures that wear a hat, a third of them on a beach."""
    names = [f"own_{number}" for number in range(count)]
    with project.change("add", "add"):
        for number, name in enumerate(names):
            path = project.images / f"{name}.png"
            Image.effect_noise((300, 300), 60 + number).convert("RGB").save(path)
            project.pictures.add(Picture(name, origin="folder", **facts_of(project.folder, path, (300, 300))))
            said = ["fox", "solo", "hat", *(["beach"] if number % 3 == 0 else [])]
            project.pictures.set_tags(name, "sidecar", [Tag(tag, "general", "sidecar") for tag in said])
    return names


def lora_name(epoch: int) -> str:
    return f"nick-r001-e{epoch:02d}-abcd1234.safetensors"


def add_run(project: Project, names: Sequence[str]) -> None:
    """Writes what a finished training leaves."""
    run = project.runs / "001"
    run.mkdir(parents=True)
    rows = "".join(f'[pictures.{name}]\ncaption = "nick, solo, hat"\nrepeats = 3\n' for name in names)
    (run / "run.toml").write_text(f'[run]\nfingerprint = "x"\n[settings]\nstrength = 1.0\n{rows}', encoding="utf-8")
    for epoch in EPOCHS:
        write_lora(project.loras / lora_name(epoch), METADATA | {"ss_epoch": str(epoch)})
    (run / "trained.json").write_text(json.dumps({"files": [{"epoch": epoch, "file": lora_name(epoch)} for epoch in EPOCHS]}))


def _vector(epoch: int | None, weight: float, prompt: PlannedPrompt, seed: int) -> np.ndarray:
    """Scores as a LoRA gives that grows likest at epoch 2 and then no longer listens."""
    found = dict.fromkeys(TAGS, 0.02 + 0.1 * (seed % 2))
    strength = (epoch or 0) * weight
    own = 0.1 if epoch is None else min(0.97, 0.35 + 0.3 * strength) - 0.02 * (seed % 2)
    if epoch is not None and (prompt.has_trigger or strength > 2):
        found |= dict.fromkeys(CORE, own)
    found |= dict.fromkeys(prompt.asked, 0.1 if prompt.kind == "pose" and strength > 2.5 else 0.9)
    found |= {"hat": 0.9} if epoch is not None and prompt.has_trigger else {}
    return np.array([found[tag] for tag in TAGS], dtype=np.float32)


class Renders:
    """The renders of an evaluation while it is made: drawn, judged, and a row for each."""

    def __init__(self, folder: Path, nearest: str) -> None:
        self.folder, self.nearest, self.rows = folder, nearest, list[RenderRow]()
        self.index = {tag: place for place, tag in enumerate(TAGS)}
        self.judge = Judge(self.index, CORE, 0.5, {"hat": ("hat",)}, ("beach",))
        (folder / "renders").mkdir(parents=True)

    def judged(self, cell: Cell, seeds: Sequence[int], *, told: bool) -> CellScores:
        """Gives the scores of a column."""
        found = [self._one(cell, row, prompt, seed, told) for row, prompt in enumerate(PROMPTS) for seed in seeds]
        return score_cell(cell.epoch, cell.weight, found, self.judge)

    def _one(self, cell: Cell, row: int, prompt: PlannedPrompt, seed: int, told: bool) -> Judged:
        one = Judged(prompt, seed, _vector(cell.epoch, cell.weight, prompt, seed), 0.8, self.nearest)
        name = f"{cell.name}-p{row:02d}-s{seed}"
        image = Image.new("RGB", (64, 64), (40 * (cell.epoch or 0) + 20, 30 * row + 40, int(150 * cell.weight)))
        image.putpixel((seed % 64, int(self.folder.name)), (255, 255, 255))  # no two are the same file
        image.save(self.folder / "renders" / f"{name}.png")
        self.rows.append(RenderRow(
            f"renders/{name}.png", prompt, seed, cell.epoch, cell.weight, likeness(one, self.judge), followed(one, self.judge), told,
            name=name, lora=cell.lora.name if cell.lora else "", similarity=0.8, nearest=self.nearest,
            own_scores={tag: float(one.scores[self.index[tag]]) for tag in CORE},
        ))  # fmt: skip
        return one


def add_evaluation(project: Project, names: Sequence[str], number: int = 1) -> Path:
    """Renders, judges and records, as evaluate does; the grid has a column for the base, and one for each epoch and weight."""
    folder = project.evaluations / f"{number:03d}"
    renders = Renders(folder, names[0])
    (folder / "evaluation.json").write_text("{}")
    base = Cell(None, None, 0.0)
    cells = [Cell(epoch, project.loras / lora_name(epoch), weight) for epoch in EPOCHS for weight in WEIGHTS]
    scored = {cell: renders.judged(cell, SEEDS, told=False) for cell in (base, *cells)}
    ranking = rank([scored[cell] for cell in cells], scored[base])
    assert ranking.best is not None
    best = next(cell for cell in cells if (cell.epoch, cell.weight) == (ranking.best.epoch, ranking.best.weight))
    assert best.lora is not None
    told = {cell: renders.judged(cell, (101,), told=True) for cell in (base, best)}
    record = Evaluation(
        folder.name, "nick", "base.safetensors", best.lora.name, "tagger", CORE, scored[base], tuple(scored[cell] for cell in cells),
        ranking, told[best], told[base], tuple(renders.rows), made="2026-01-02T03:04:05+00:00", run="001", pictures=len(names),
        fixes=_fixes(scored[best], scored[base], names), settings={"steps": 20, "width": 64, "height": 64},
    )  # fmt: skip
    write_page(folder, record)
    write_scores(folder, record)
    return folder


def _fixes(best: CellScores, base: CellScores, names: Sequence[str]) -> tuple[Fix, ...]:
    """Gives what the judging finds of such a set, and one thing for each of the pages that mend."""
    showing = {"hat": tuple(names), "beach": tuple(names[::3]), "fox": tuple(names)}
    training = TrainingSet(tuple(names), showing, {"blue_eyes": tuple(names[:2])}, ("hat",))
    weak = replace(best, by_tag={**best.by_tag, "blue_eyes": 0.2})
    return (
        *fixes(weak, base, training),
        Fix("artefact", "watermark", "prepare", "A watermark comes.", tuple(names[2:4]), len(names), 0.5, 0.0),
        Fix("toggle_comes_unasked", "beach", "tag", "The beach comes unasked.", tuple(names[::3]), len(names), 0.5, 0.0),
    )


def evaluated_project(folder: Path, **chosen: dict[str, Any]) -> Project:
    """Makes the whole project, open to be changed further."""
    project = Project.create(folder, "nick", chosen=chosen)
    names = add_pictures(project)
    add_run(project, names)
    add_evaluation(project, names)
    return project


def address_of(home: Path, folder: Path, at: str) -> str:
    known = Projects(Path(surroundings(home)["LOCALAPPDATA"]) / "lorasmith" / "projects.json").remember(folder)
    return f"?project={known.id}&at={at}"


@contextmanager
def watched(home: Path, folder: Path, at: str) -> Iterator[Any]:
    """Opens a page of a project in a browser, 1280 x 720; no script of the page may fail."""
    query = address_of(home, folder, at)
    with served(home) as (address, process), chromium() as browser:
        tab = window(browser)
        tab.set_viewport_size({"width": 1280, "height": 720})
        tab.server, tab.process, tab.start = address, process, address + query
        tab.goto(tab.start)
        yield tab
        assert tab.faults == []


@contextmanager
def paused(home: Path) -> Iterator[Store]:
    """Lets no job of a person's queue start; what was put in the line is taken out again."""
    store = Store(Path(surroundings(home)["LOCALAPPDATA"]) / "lorasmith" / "jobs" / "jobs.db")
    store.pause(finish=True)
    try:
        yield store
        for job in store.open():
            store.cancel(job.id)
    finally:
        store.resume()
        store.close()


def asked(tab: Any, path: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
    """Asks the server as the page does; gives the status and what came back."""
    found = tab.evaluate(
        """async ([path, body]) => {
            const mark = path.includes("?") ? "&" : "?";
            const sent = body && {
                method: "POST", headers: { "Content-Type": "application/json" },
                body: JSON.stringify({ project: lorasmith.project(), ...body }),
            };
            const answer = await (sent ? fetch(path, sent) : fetch(path + mark + "project=" + lorasmith.project()));
            return [answer.status, await answer.json()];
        }""",
        [path, body],
    )
    return found[0], found[1]
