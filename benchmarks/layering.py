"""A character that nobody has drawn, features added run by run: `python benchmarks/layering.py OUT`, in the drawn world.

The base alone draws a described creature; what shows its looks is kept and trained on. Its LoRA then draws it with one more
feature, those that have looks and feature become the next set, and the feature one of the looks. After each run, at seeds that
chose nothing: what does the trigger alone show, and what else is asked followed? The person who keeps is the tagger at 0.5.
"""

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1")
sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np

from benchmarks.refinement import SMALL
from lorasmith.demo.demo import model_files
from lorasmith.imaging.read import open_picture
from lorasmith.project.project import Project
from lorasmith.settings.tables import EvaluateSettings, RefineSettings, TagSettings
from lorasmith.stages.evaluate.bench import chosen_epochs, last_finished_run, settings_of_run
from lorasmith.stages.evaluate.renders import common_prompt
from lorasmith.stages.prune.stage import decide_by_hand
from lorasmith.stages.refine.draw import draw
from lorasmith.stages.run import run_stage
from lorasmith.stages.tag.scores import open_project_tagger
from lorasmith.tags.spelling import for_prompt
from lorasmith.terminal import shown

TRIGGER = "mirrow"
LOOKS = ("blue_fur", "round_ears", "yellow_eyes")
SCENES = tuple(
    (framing, place)
    for framing in ("full-length_portrait", "half-length_portrait", "headshot_portrait")
    for place in ("forest", "white_background", "beach", "inside")
)
FRESH = 70_000


def words(*tags: str) -> str:
    return ", ".join(map(for_prompt, tags))


def next_set(project: Project, looks: tuple[str, ...], asked: tuple[str, ...], seeds: list[int], lora: str) -> tuple[int, int]:
    """Draws every scene at every seed; keeps what shows all looks, drops what was kept before. Gives drawn and kept."""
    before = [one.name for one in project.pictures.originals()]
    settings = project.settings(RefineSettings, {"lora": lora})
    done = draw(project, [words("solo", *asked, *scene) for scene in SCENES], seeds, settings)
    tagger = open_project_tagger(project.settings(TagSettings))
    pictures = [project.pictures.get(name) for name in done.drawn]
    vectors = tagger.score([open_picture(project.file_of(one)) for one in pictures])
    good = [
        one.name for one, seen in zip(pictures, vectors, strict=True) if all(seen[tagger.index[tag]] >= 0.5 for tag in looks)
    ]  # fmt: skip
    if before:
        decide_by_hand(project, "drop", before)
    decide_by_hand(project, "keep", good)
    return len(pictures), len(good)


def train_on(project: Project, looks: tuple[str, ...], kept: int, steps: int) -> str:
    """Trains on what is kept over about as many steps as the last time; gives the LoRA's name."""
    with shown() as bar:
        for stage in ("prune", "prepare"):
            run_stage(project, stage, bar)
        run_stage(project, "tag", bar, {"core_tags": list(looks)})
        repeats = max(1, round(steps * SMALL["batch_size"] / SMALL["epochs"] / kept))
        run_stage(project, "train", bar, {"repeats": repeats})
    return chosen_epochs(project, last_finished_run(project), 1)[-1][1].name


def measure(project: Project, tags: tuple[str, ...], count: int) -> str:
    """Tells the share of fresh renders of the trigger alone that show each tag, and how much of a scene is followed."""
    from lorasmith.rendering.diffusers import renderer_as_trained
    from lorasmith.rendering.prompt import LoraUse

    run = last_finished_run(project)
    trained = settings_of_run(run)
    use = LoraUse(chosen_epochs(project, run, 1)[-1][1])
    tagger = open_project_tagger(project.settings(TagSettings))
    renderer = renderer_as_trained(Path(trained["checkpoint"]), trained, "cpu", 8)
    common = common_prompt(project.settings(EvaluateSettings), 1)
    alone = [replace(common, text=TRIGGER, seed=FRESH + place, loras=(use,)) for place in range(count)]
    chosen = [SCENES[place % len(SCENES)] for place in range(count)]
    scenes = [
        replace(common, text=f"{TRIGGER}, {words(*scene)}", seed=FRESH + 500 + place, loras=(use,))
        for place, scene in enumerate(chosen)
    ]
    pictures = renderer.render([*alone, *scenes])
    vectors = tagger.score(pictures)
    shares = {tag: float(np.mean([seen[tagger.index[tag]] for seen in vectors[:count]])) for tag in tags}
    asked = [np.mean([seen[tagger.index[tag]] for tag in scene]) for scene, seen in zip(chosen, vectors[count:], strict=True)]
    in_scenes = {tag: float(np.mean([seen[tagger.index[tag]] for seen in vectors[count:]])) for tag in tags}
    told = ", ".join(f"{tag} {share:.2f} (in scenes {in_scenes[tag]:.2f})" for tag, share in shares.items())
    return f"the trigger alone: {told}; scenes followed {np.mean(asked):.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--features", nargs="+", default=["scarf", "top_hat"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8])
    parser.add_argument("--steps", type=int, default=90)
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--strength", type=float, default=4.0)
    options = parser.parse_args()
    base, tagger = model_files()
    chosen: dict[str, dict[str, Any]] = {
        "tag": {"tagger": str(tagger), "core_tags": list(LOOKS)},
        "train": SMALL | {"checkpoint": str(base), "strength": options.strength},
        "evaluate": {"width": 128, "height": 128, "guidance": 5.0, "batch_size": 8, "steps": 16},
        "refine": {"max_generated": 1.0},
    }  # fmt: skip
    with Project.create(options.out, TRIGGER, preset="original_character", chosen=chosen) as project:
        looks, lora = LOOKS, "none"
        for layer, feature in enumerate(["", *options.features]):
            asked = LOOKS if not feature else (feature,)  # the trigger stands for the looks from the first run on
            looks = (*looks, feature) if feature else looks
            drawn, kept = next_set(project, looks, asked, [seed + 100 * layer for seed in options.seeds], lora)
            print(f"## run {layer + 1}: {words(*asked)}: {kept} of {drawn} kept", flush=True)
            if kept < 4:
                print("too few: the layering ends here")
                return
            lora = train_on(project, looks, kept, options.steps)
            print(measure(project, (*LOOKS, *options.features), options.count), flush=True)


if __name__ == "__main__":
    main()
