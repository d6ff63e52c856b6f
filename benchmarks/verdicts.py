"""Whether evaluate is right, in a world whose truth is known: `python benchmarks/verdicts.py DEMO OUT [step ...]`.

DEMO is a finished project of `lorasmith demo DEMO`; OUT takes the projects that are made here. Steps, all by default, each
going on where it was: `low` and `high` train the demo's set at S = 0.1 and S = 6 (`higher`: 12) and evaluate, `uniform` draws a set
with one background and one scarf in every picture, `truth` measures every saved epoch of DEMO on fresh seeds, `others` what the
last epochs of all of them leave of other creatures.

The truth of an epoch: fresh scenes are dealt by the world's own lots, rendered from their prompts, and the tagger, which was
trained on this world's drawings, looks for what the world says such a picture shows: half the score is the character's own
looks as far as the framing shows them, half what the prompt asked for.
"""

import argparse
import json
import os
import random
import shutil
import sqlite3
import sys
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1")
sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np

from lorasmith.demo import world
from lorasmith.demo.demo import model_files
from lorasmith.project.project import Project
from lorasmith.settings.tables import EvaluateSettings, TagSettings
from lorasmith.stages.add.stage import add_folder
from lorasmith.stages.evaluate.bench import chosen_epochs, finished_runs, last_finished_run, settings_of_run
from lorasmith.stages.evaluate.renders import common_prompt
from lorasmith.stages.run import run_stage
from lorasmith.terminal import shown

COPIED = ("images", "edits", "dataset", "info.md", "lorasmith.toml")
STRENGTHS = {"low": 0.1, "high": 6.0, "higher": 12.0}
FRESH = 40_000  # seeds of the truth begin here


def copy_of(demo: Path, target: Path) -> Project:
    """Copies what was tagged, without runs and evaluations."""
    if not (target / "project.db").is_file():
        for name in COPIED:
            (shutil.copytree if (demo / name).is_dir() else shutil.copy)(demo / name, target / name)  # type: ignore[operator]
        with sqlite3.connect(demo / "project.db") as source, sqlite3.connect(target / "project.db") as copy:
            source.backup(copy)
    return Project.open(target)


def with_strength(demo: Path, target: Path, strength: float) -> None:
    target.mkdir(parents=True, exist_ok=True)
    with copy_of(demo, target) as project, shown() as bar:
        if not finished_runs(project):
            run_stage(project, "train", bar, {"strength": strength, "sample_every": 0})
        tell(target.name, project, run_stage(project, "evaluate", bar))


def short(demo: Path, target: Path, strength: float) -> None:
    """Trains over two epochs without repeats: the rule L = S / (R*E*I) then gives a rate seven times higher."""
    target.mkdir(parents=True, exist_ok=True)
    with copy_of(demo, target) as project, shown() as bar:
        if not finished_runs(project):
            run_stage(project, "train", bar, {"strength": strength, "sample_every": 0, "epochs": 2, "repeats": 1})
        tell(target.name, project, run_stage(project, "evaluate", bar, {"epochs": 1, "weights": [1.0], "asked": 2}))


def uniform(target: Path) -> None:
    """A set in which every picture is in the forest and wears a scarf."""
    if not (target / "project.db").is_file():
        drawn = target.parent / "drawn"
        drawn.mkdir(parents=True, exist_ok=True)
        rng = random.Random("uniform")
        for number in range(48):
            scene = world.random_scene(rng, (world.vary(world.NEW_LOOKS, rng),))
            worn = type(scene.creatures[0])(**{**vars(scene.creatures[0]), "accessory": "scarf"})
            scene = world.Scene((worn,), "forest", scene.framing, scene.artist, scene.seed)
            scene.draw(512, 512).save(drawn / f"{number:03d}.png")
            (drawn / f"{number:03d}.txt").write_text(", ".join(scene.tags()), encoding="utf-8")
        base, tagger = model_files()
        chosen: dict[str, dict[str, Any]] = {
            "tag": {"tagger": str(tagger)}, "train": {"checkpoint": str(base), "repeats": 5, "sample_every": 0},
        }  # fmt: skip
        with Project.create(target, world.NEW_CHARACTER, preset="demo", chosen=chosen) as made:
            add_folder(made, drawn)
    with Project.open(target) as project, shown() as bar:
        for stage in ("tag", "train"):
            run_stage(project, stage, bar)
        tell(target.name, project, run_stage(project, "evaluate", bar))


def tell(name: str, project: Project, found: Any) -> None:
    scores = json.loads((project.folder / found.folder / "scores.json").read_text(encoding="utf-8"))
    print(f"\n## {name}: {found.advice}")
    for one in scores["ranking"]["order"]:
        print(f"  epoch {one['epoch']} weight {one['weight']:g}: {one['bake']}: {one['reason']}")
    for cell in (scores["base"], *scores["cells"]):
        number = {key: cell[key]["mean"] for key in ("likeness", "leak", "similarity", "copies", "described") if cell[key]}
        control = {key: (one["asked"]["mean"], one["unasked"]["mean"]) for key, one in cell["outfit"].items()}
        print(f"  {cell['epoch']} {cell['weight']:g} {number} diversity {cell['diversity']} {control}")
    for fix in scores["fixes"]:
        print(f"  {fix['kind']} {fix['tag']}: {fix['words']} [{len(fix['pictures'])} pictures]")


def dealt(count: int) -> list[world.Scene]:
    """Deals fresh scenes of the character."""
    rng = random.Random("fresh scenes")
    return [world.random_scene(rng, (world.vary(world.NEW_LOOKS, rng),)) for _ in range(count)]


def asked_of(scene: world.Scene) -> list[str]:
    """Names what a prompt for the scene says beside the trigger."""
    creature = scene.creatures[0]
    pose = world.visible_pose(creature.pose, scene.framing)
    return [tag for tag in (scene.framing, pose, creature.mouth, creature.accessory, scene.background) if tag]


def truth(demo: Path, count: int) -> None:
    from lorasmith.rendering.diffusers import renderer_as_trained
    from lorasmith.rendering.prompt import LoraUse, Prompt
    from lorasmith.stages.tag.scores import open_project_tagger
    from lorasmith.tags.spelling import for_prompt

    with Project.open(demo) as project:
        run = last_finished_run(project)
        trained = settings_of_run(run)
        settings = project.settings(EvaluateSettings)
        tagger = open_project_tagger(project.settings(TagSettings))
        renderer = renderer_as_trained(Path(trained["checkpoint"]), trained, "cpu", 8)
        common = common_prompt(settings, 1)
        scores = json.loads(sorted(project.evaluations.glob("*/scores.json"))[-1].read_text(encoding="utf-8"))
        best = scores["ranking"]["best"]
        scenes = dealt(count)
        print(f"recommended: epoch {best['epoch']} at weight {best['weight']:g}; {count} fresh scenes")
        for epoch, file in chosen_epochs(project, run, 100):
            for weight in [best["weight"]]:
                prompts = []
                for place, scene in enumerate(scenes):
                    text = ", ".join([world.NEW_CHARACTER, *map(for_prompt, asked_of(scene))])
                    prompts.append(Prompt(
                        text, common.negative, common.width, common.height, common.steps, common.guidance, FRESH + place,
                        loras=(LoraUse(file, weight),),
                    ))  # fmt: skip
                vectors = tagger.score(renderer.render(prompts))
                own, followed = [], []
                for scene, vector in zip(scenes, vectors, strict=True):
                    looks = [tag for tag in world.OWN_TAGS if tag in scene.tags()]
                    own.append(np.mean([vector[tagger.index[tag]] for tag in looks]))
                    followed.append(np.mean([vector[tagger.index[tag]] for tag in asked_of(scene)]))
                looks_mean, asked_mean = np.mean(own), np.mean(followed)
                told = f"looks {looks_mean:.3f} asked {asked_mean:.3f} true {(looks_mean + asked_mean) / 2:.3f}"
                print(f"  epoch {epoch} weight {weight:g}: {told}", flush=True)


def finished(place: Path) -> bool:
    return any(place.glob("runs/*/trained.json"))


def looks_of(scene: world.Scene) -> list[str]:
    """Names the looks of a scene's creature that the new character does not have."""
    creature = scene.creatures[0]
    seen = (creature.fur, creature.ears, creature.eyes, creature.marking)
    return [tag for tag in seen if tag in scene.tags() and tag not in (*world.OWN_TAGS, "pointy_ears", "green_eyes")]


def others(projects: list[Path], count: int) -> None:
    """Measures how many looks of other creatures, described in full without the trigger, still come at fresh seeds."""
    from lorasmith.rendering.diffusers import renderer_as_trained
    from lorasmith.rendering.prompt import LoraUse, Prompt
    from lorasmith.taggers.onnx import Tagger
    from lorasmith.tags.spelling import for_prompt

    base, folder = model_files()
    tagger, renderer = Tagger(folder, threads=1), renderer_as_trained(base, {"checkpoint": str(base)}, "cpu", 8)
    rng = random.Random("others")
    scenes = [world.random_scene(rng, (world.random_creature(rng),)) for _ in range(count)]
    files: dict[str, Path | None] = {"base": None}
    for place in projects:
        with Project.open(place) as project:
            files[place.name] = chosen_epochs(project, last_finished_run(project), 1)[-1][1]
    for name, file in files.items():
        uses = () if file is None else (LoraUse(file),)
        prompts = [
            Prompt(", ".join(map(for_prompt, [*looks_of(scene), *asked_of(scene), "solo"])), "", 128, 128, 20, 5.0, FRESH + 500 + at,
                   loras=uses)
            for at, scene in enumerate(scenes)
        ]  # fmt: skip
        vectors = tagger.score(renderer.render(prompts))
        kept = [np.mean([vector[tagger.index[tag]] >= 0.5 for tag in looks_of(scene)])
                for scene, vector in zip(scenes, vectors, strict=True) if looks_of(scene)]  # fmt: skip
        print(f"  {name}: {np.mean(kept):.3f} ± {np.std(kept, ddof=1) / len(kept) ** 0.5:.3f} of the looks of others", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("demo", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("steps", nargs="*", default=["low", "high", "higher", "short", "uniform", "truth", "others"])
    parser.add_argument("--scenes", type=int, default=32)
    given = parser.parse_args()
    for step in given.steps:
        if step in STRENGTHS:
            with_strength(given.demo, given.out / step, STRENGTHS[step])
        elif step == "short":
            for strength in (6.0, 0.1):
                short(given.demo, given.out / f"short{strength:g}", strength)
        elif step == "uniform":
            uniform(given.out / "uniform")
        elif step == "others":
            others([each for each in (given.demo, *map(given.out.joinpath, STRENGTHS)) if finished(each)], given.scenes)
        else:
            truth(given.demo, given.scenes)


if __name__ == "__main__":
    main()
