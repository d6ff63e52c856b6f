"""A small project that has something to show on every page, made without a download or a training."""

import csv
import json
from pathlib import Path

from PIL import Image

from lorasmith.project.pictures import Caption, Decision, Picture, facts_of
from lorasmith.project.project import Project
from lorasmith.stages.download.outcomes import REPORT
from lorasmith.stages.research.scores import POSTS
from tests.ui.evaluated import evaluated_project, lora_name
from tests.ui.trainable import story, write_run

SHEET = "# nick\n\n## Core\n\n- fox\n- red_fur\n"
RENDER = "render_0123456789ab"


def whole_project(folder: Path, base: Path) -> Path:
    """Makes a project with previews, pictures, edits, captions, runs with samples, LoRAs, evaluations and a candidate."""
    with evaluated_project(folder, train={"checkpoint": str(base)}) as project:
        _researched(project)
        _prepared(project)
        for one in project.pictures.trained():
            project.pictures.set_caption("default", Caption(one.name, "nick, solo, hat"))
        project.remember("core_tags", ["fox"])
        _refined(project)
        _set_beside(project)
        project.sheet.write_text(SHEET, encoding="utf-8")
        (project.folder / "sheets").mkdir()
        Image.new("L", (64, 64)).save(project.folder / "sheets" / "masks.png")
    write_run(folder, story(40), number="002", steps=40, ended=True)
    grids = folder / "runs" / "002" / "grids"
    grids.mkdir()
    Image.new("RGB", (128, 64), "teal").save(grids / "e02.png")
    return folder


def _researched(project: Project) -> None:
    """Writes what research and download leave of four posts."""
    previews = project.research / "previews"
    previews.mkdir(parents=True)
    tiles, names = [], [f"e621_{number}" for number in range(4)]
    for number, name in enumerate(names):
        Image.effect_noise((150, 100), 40 + number).convert("RGB").save(previews / f"{name}_ab.jpg")
        tiles.append({
            "name": name, "preview": f"research/previews/{name}_ab.jpg", "page": f"https://e621.net/posts/{number}", "width": 900,
            "height": 600, "rating": "s", "score": 10 * number, "fav_count": number,
        })  # fmt: skip
    (project.research / "wall.json").write_text(json.dumps(tiles))
    with (project.research / POSTS).open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("post", "score", "left_out"), *((tile["name"], tile["score"], "") for tile in tiles)])
    with (project.folder / REPORT).open("w", encoding="utf-8", newline="") as stream:
        rows = ((name, f"https://e621.net/posts/{name}", "fetched", "") for name in names)
        csv.writer(stream).writerows([("post", "page", "outcome", "reason"), *rows])
    project.remember("research", {"count": 4, "query": "nick"})
    project.remember("result:research", {"count": 4, "query": "nick", "funnel": [["found", 4], ["left", 4]]})
    project.remember("result:download", {"fetched": 4, "report": REPORT})


def _prepared(project: Project) -> None:
    """Crops the first picture, and erases something in the second."""
    wishes = (("own_0", "crop", {"kind": "crop", "box": [20, 20, 280, 280], "steps": [{"step": "crop"}]}),
              ("own_1", "erase", {"kind": "erase", "steps": [{"step": "erase", "marks": []}], "replaces_parent": True}))  # fmt: skip
    with project.change("prepare", "prepare"):
        for parent, kind, operation in wishes:
            file = project.edits / f"{parent}.2.png"
            Image.effect_noise((260, 260), 30 + len(kind)).convert("RGB").save(file)
            facts = facts_of(project.folder, file, (260, 260))
            project.pictures.add(Picture(f"{parent}.2", origin="edit", parent=parent, operation=operation, **facts))


def _refined(project: Project) -> None:
    """Brings a render back that waits for a person's word."""
    file = project.images / f"{RENDER}.png"
    Image.effect_noise((64, 64), 70).convert("RGB").save(file)
    post = {"generated": True, "generation": 1, "evaluation": "001", "lora": lora_name(3), "prompt": "nick", "seed": 11, "weight": 1.0}
    with project.change("refine", "refine"):
        project.pictures.add(Picture(RENDER, origin="render", post=post, **facts_of(project.folder, file, (64, 64))))
        project.pictures.decide(RENDER, Decision("drop", "refine", "it waits"), maker="refine")


def _set_beside(project: Project) -> None:
    """Writes what a comparison, a sweep and a look at the base alone leave."""
    told = {
        "against/001/comparison.json": {"names": ["mine", "theirs"], "words": ["theirs is less like nick."], "lines": []},
        "sweep.json": {"advice": "Run 001 is best.", "runs": []},
        "base/001/strength.json": {"strength": 1.7, "reasons": ["It knows little."]},
    }  # fmt: skip
    for name, record in told.items():
        file = project.evaluations / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(record))
    Image.new("RGB", (64, 64), "olive").save(project.evaluations / "against/001/grid-pose.png")
