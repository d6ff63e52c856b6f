"""Two characters in one LoRA, balanced and not: `python benchmarks/several_characters.py OUT [--counts 24 6 2] [--seeds 1 2]`.

Draws so many pictures of the first character, of the second and of both, trains with `train.balance` and without on the very same
pictures, and counts on fresh seeds what the prompts of one show of the other. Each line of OUT/found.jsonl is one training; what
stands there is not trained again; the line `base` is what the base alone draws by chance. `--scenes` prompts a character: its
trigger alone, and with a framing, pose, mouth and place.
"""

import argparse
import json
import os
import random
import statistics
import sys
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1")
sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np

from lorasmith.demo import several, world
from lorasmith.demo.demo import model_files
from lorasmith.judging.blend import blend_in, shown_of
from lorasmith.judging.judge import Judge, Judged
from lorasmith.judging.plan import PlannedPrompt
from lorasmith.judging.scores import likeness
from lorasmith.project.project import Project
from lorasmith.rendering.diffusers import renderer_as_trained
from lorasmith.rendering.prompt import LoraUse, Prompt
from lorasmith.settings.tables import TagSettings
from lorasmith.stages.add.stage import add_folder
from lorasmith.stages.run import run_stage
from lorasmith.stages.tag.scores import open_project_tagger
from lorasmith.tags.spelling import for_prompt

FRESH = 60_000  # seeds of the renders begin here
BASE = model_files()[0]


def project_in(folder: Path, counts: list[int], repeats: int, epochs: int, strength: float) -> Project:
    """Makes the project of these counts, tagged, or opens it."""
    if (folder / "project" / "project.db").is_file():
        return Project.open(folder / "project")
    drawn = several.write_folder(folder / "drawn", several.scenes(*counts))
    chosen: dict[str, dict[str, Any]] = {
        "tag": {"tagger": str(model_files()[1]), "characters": list(several.LOOKS)},
        "train": {"checkpoint": str(BASE), "sample_every": 0, "repeats": repeats, "epochs": epochs, "save_every": epochs,
                  "strength": strength},  # fmt: skip
    }
    project = Project.create(folder / "project", world.NEW_CHARACTER, preset="demo", chosen=chosen)
    add_folder(project, drawn)
    run_stage(project, "tag")
    return project


def prompts_of(trigger: str, count: int) -> list[PlannedPrompt]:
    """Deals prompts for one character: every fourth is the trigger alone."""
    rng = random.Random(f"prompts of {trigger}")
    found = []
    for place in range(count):
        scene = world.random_scene(rng, (world.vary(several.LOOKS[trigger], rng),))
        pose = world.visible_pose(scene.creatures[0].pose, scene.framing)
        asked = [] if place % 4 == 0 else [tag for tag in (scene.framing, pose, scene.creatures[0].mouth, scene.background) if tag]
        text = ", ".join([trigger, *map(for_prompt, asked)])
        found.append(PlannedPrompt("likeness", text, tuple(asked), who=(trigger,)))
    return found


def measured(project: Project, lora: Path | None, scenes: int, steps: int) -> dict[str, float]:
    """Gives likeness and blend of a LoRA, or of the base alone, on seeds that nothing else used."""
    tagger = open_project_tagger(project.settings(TagSettings))
    judge = Judge(tagger.index, tuple(tag for looks in several.OWN.values() for tag in looks), cast=dict(several.OWN))
    renderer = renderer_as_trained(BASE, {"clip_skip": 1}, "cpu", 8)
    planned = [prompt for trigger in several.OWN for prompt in prompts_of(trigger, scenes)]
    used = () if lora is None else (LoraUse(lora, 1.0),)
    asked = [Prompt(one.text, "", 128, 128, steps, 5.0, FRESH + place, loras=used) for place, one in enumerate(planned)]
    vectors = tagger.score(renderer.render(asked))
    judged = [Judged(one, FRESH, vector) for one, vector in zip(planned, vectors, strict=True)]
    found = {"blend": _mean([blend_in(one, judge) for one in judged])}
    for trigger in several.OWN:
        own = [one for one in judged if one.prompt.who == (trigger,)]
        other = next(name for name in several.OWN if name != trigger)
        shown = [shown_of(one, other, judge) for one in own]
        like = [likeness(one, judge) for one in own]
        found[f"likeness of {trigger}"] = _mean(like)
        found[f"{other} in {trigger}"] = _mean(shown)
        found[f"{trigger} taken for {other}"] = _mean([float((a or 0.0) > (b or 0.0)) for a, b in zip(shown, like, strict=True)])
    return found


def _mean(values: list[float | None]) -> float:
    return round(float(np.mean([value for value in values if value is not None])), 4)


def note(file: Path, rows: list[dict[str, Any]], row: dict[str, Any]) -> None:
    """Keeps a line of what was found, and tells it."""
    rows.append(row)
    with file.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(row) + "\n")
    print(row, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--counts", type=int, nargs=3, default=[24, 6, 2])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--strength", type=float, default=4.0)
    parser.add_argument("--scenes", type=int, default=16)
    parser.add_argument("--steps", type=int, default=12)
    given = parser.parse_args()
    name = "-".join(map(str, [*given.counts, f"{given.repeats}x{given.epochs}", f"S{given.strength:g}"]))
    kept = given.out / "found.jsonl"
    rows = [json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines()] if kept.is_file() else []
    with project_in(given.out / name, given.counts, given.repeats, given.epochs, given.strength) as project:
        if not any(row["set"] == "base" for row in rows):
            note(kept, rows, {"set": "base"} | measured(project, None, given.scenes, given.steps))
        for seed in given.seeds:
            for balance in (False, True):
                key = {"set": name, "seed": seed, "balance": balance}
                if any(key.items() <= row.items() for row in rows):
                    continue
                trained = run_stage(project, "train", flags={"balance": balance, "seed": seed}, keep=False)
                note(kept, rows, key | measured(project, project.folder / trained.files[-1], given.scenes, given.steps))
    for balance in (False, True):
        own = [row for row in rows if row["set"] == name and row["balance"] is balance]
        words = [f"{what} {statistics.mean(row[what] for row in own):.3f}" for what in own[0] if isinstance(own[0][what], float)]
        print(f"\n{name} {'with' if balance else 'without'} balance, {len(own)} trainings: {', '.join(words)}")


if __name__ == "__main__":
    main()
