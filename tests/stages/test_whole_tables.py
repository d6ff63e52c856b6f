"""How often a stage reads all of a project's rows: with thousands of pictures nothing may do so for each of them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from lorasmith.project.pictures import PERSON, Decision, Picture, Tag, facts_of
from lorasmith.project.project import Project
from lorasmith.settings.tables import PrepareSettings, PruneSettings, TagSettings, TrainSettings
from lorasmith.stages.add.stage import add_folder
from lorasmith.stages.download.credits import write_credits
from lorasmith.stages.prepare.stage import prepare
from lorasmith.stages.prune.stage import decide_by_hand, prune
from lorasmith.stages.refine.masks import write_masks
from lorasmith.stages.status import status
from lorasmith.stages.tag.audit import audit_tags
from lorasmith.stages.tag.consolidate import Wanted, consolidate
from lorasmith.stages.tag.edit_tags import TagEdit, edit_tags
from lorasmith.stages.tag.stage import tag
from lorasmith.stages.touch_up.stage import touch_up
from lorasmith.stages.touch_up.wishes import Wish
from lorasmith.stages.train.check import check
from lorasmith.stages.train.training_set import training_set

COUNTS = (2, 6)
LARGE = ("pictures", "decisions", "tags", "captions", "placed_tags", "written", "measures", "scores", "journal_changes")


def make(folder: Path, count: int) -> Project:
    """Makes a project of pictures that a person keeps, each of which prepare crops or makes smaller."""
    chosen = {"tag": {"tagger": "none", "absorb": False}, "prepare": {"max_side": 256}}
    project = Project.create(folder, "zorvex", chosen=chosen)
    with project.change("add", "add"), project.transaction():
        for number in range(count):
            file = project.images / f"own_{number}.png"
            Image.effect_noise((400, 300), 40 + 9 * number).convert("RGB").save(file)
            project.pictures.add(Picture(file.stem, origin="folder", **facts_of(project.folder, file, (400, 300))))
            project.pictures.set_tags(file.stem, "sidecar", [Tag("fox", "species", "sidecar"), Tag("solo", "general", "sidecar")])
            project.pictures.decide(file.stem, Decision("keep", PERSON, "by hand"), maker=PERSON)
    return project


def edit_sidecars(project: Project) -> None:
    """Another tool adds a tag to every sidecar."""
    for sidecar in project.dataset("default").rglob("*.txt"):
        sidecar.write_text(f"{sidecar.read_text(encoding='utf-8')}, rain", encoding="utf-8")


def reads_a_whole_table(project: Project, words: str) -> bool:
    """Asks SQLite whether a statement goes through all rows of a table that grows with the pictures."""
    if not words.lstrip().startswith(("SELECT", "UPDATE", "DELETE")):
        return False
    plan = [row["detail"].split() for row in project._connection.execute(f"EXPLAIN QUERY PLAN {words}")]
    return any(step[0] == "SCAN" and step[1] in LARGE for step in plan)


def add_more(project: Project) -> None:
    """Adds a folder of as many other pictures."""
    given = project.folder.parent / "given"
    given.mkdir(exist_ok=True)
    for picture in project.images.glob("own_?.png"):
        Image.open(picture).rotate(180).save(given / f"other_{picture.name}")
    add_folder(project, given)


STEPS: dict[str, Callable[[Project], object]] = {
    "prune": lambda project: prune(project, project.settings(PruneSettings)),
    "prepare": lambda project: prepare(project, project.settings(PrepareSettings)),
    "prepare again": lambda project: prepare(project, project.settings(PrepareSettings)),
    "tag": lambda project: tag(project, project.settings(TagSettings)),
    "edited sidecars": edit_sidecars,
    "tag again": lambda project: tag(project, project.settings(TagSettings)),
    "edit": lambda project: edit_tags(project, TagEdit("add", ("night",))),
    "touch up": lambda project: touch_up(project, Wish(("background grey",))),
    "prepare what was touched up": lambda project: prepare(project, project.settings(PrepareSettings)),
    "sort": lambda project: edit_tags(project, TagEdit("sort", ("alphabet",))),
    "audit": audit_tags,
    "consolidate": lambda project: consolidate(project, Wanted(core=("fox",))),
    "keep": lambda project: decide_by_hand(project, "keep", [picture.name for picture in project.pictures.originals()]),
    "training set": lambda project: training_set(project, project.settings(TrainSettings)),
    "check": check,
    "masks": lambda project: write_masks(project, ground=0.2),
    "more pictures": add_more,
    "the same ones again": add_more,
    "credits": write_credits,
    "undo": lambda project: project.undo(),
    "status": status,
}


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, dict[str, int]]]:
    """Gives how often each step read a whole table, by the number of pictures."""
    found: dict[int, dict[str, int]] = {}
    for count in COUNTS:
        with make(tmp_path_factory.mktemp("tables") / "p", count) as project:
            for name, step in STEPS.items():
                asked: list[str] = []
                project._connection.set_trace_callback(asked.append)
                step(project)
                project._connection.set_trace_callback(None)
                found.setdefault(count, {})[name] = sum(reads_a_whole_table(project, words) for words in asked)
            assert len(project.pictures.trained()) >= count
    yield found


@pytest.mark.parametrize("step", STEPS)
def test_no_stage_reads_a_whole_table_for_each_picture(read: dict[int, dict[str, int]], step: str) -> None:
    few, many = (read[count][step] for count in COUNTS)
    assert few == many
