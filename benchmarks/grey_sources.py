"""Does a set of grey pictures make a grey character? `python benchmarks/grey_sources.py OUT`, in the drawn world.

Two thirds of the demo's new character's pictures are drawn without colours, and nobody tags them so. Preset comic_sources,
made small for the demo's base: the style is measured and said in every grey picture's caption. Beside it `untold`: the same
set with those tags left out and no subsets. Fresh seeds: how colourful is the trigger alone, how is trigger + monochrome.
"""

import argparse
import os
import random
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1")
sys.path.insert(0, str(Path(__file__).parent.parent))

import cv2
import numpy as np
from PIL import Image

from benchmarks.refinement import DESCRIBED, SMALL
from lorasmith.demo import world
from lorasmith.demo.demo import model_files
from lorasmith.project.project import Project
from lorasmith.settings.tables import EvaluateSettings, TagSettings
from lorasmith.stages.add.stage import add_folder
from lorasmith.stages.evaluate.bench import chosen_epochs, last_finished_run, settings_of_run
from lorasmith.stages.evaluate.renders import common_prompt
from lorasmith.stages.run import run_stage
from lorasmith.terminal import shown

GREY = 6.0  # mean distance from grey in CIE Lab under which a render counts as grey
PARTS = (
    "colour weight={colour:g} where NOT caption:monochrome AND NOT caption:greyscale AND NOT caption:comic", "grey weight=1",
)  # fmt: skip
UNTOLD = {"drop_tags": ["monochrome", "greyscale"]}


def draw_sources(folder: Path, count: int, grey: float) -> None:
    rng = random.Random("grey sources")
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        scene = world.random_scene(rng, (world.vary(world.NEW_LOOKS, rng),))
        picture = scene.draw(512, 512)
        picture = picture.convert("L").convert("RGB") if number < grey * count else picture
        picture.save(folder / f"{number:02d}.png")
        seen = [tag for tag in scene.tags() if "fur" not in tag and "eyes" not in tag]
        (folder / f"{number:02d}.txt").write_text(", ".join(tag for tag in seen if tag not in world.ARTISTS), encoding="utf-8")


def colour_of(picture: Image.Image) -> float:
    """Gives the mean distance of a picture's pixels from grey (CIE Lab chroma)."""
    lab = cv2.cvtColor(np.asarray(picture.convert("RGB"), np.float32) / 255, cv2.COLOR_RGB2LAB)
    return float(np.linalg.norm(lab[..., 1:], axis=2).mean())


def look(project: Project, words: str, count: int) -> list[float]:
    from lorasmith.rendering.diffusers import renderer_as_trained
    from lorasmith.rendering.prompt import LoraUse

    run = last_finished_run(project)
    trained = settings_of_run(run)
    file = chosen_epochs(project, run, 1)[-1][1]
    renderer = renderer_as_trained(Path(trained["checkpoint"]), trained, "cpu", 8)
    common = common_prompt(project.settings(EvaluateSettings), 1)
    prompts = [replace(common, text=words, seed=90_000 + place, loras=(LoraUse(file),)) for place in range(count)]
    pictures = renderer.render(prompts)
    sheet = Image.new("RGB", (128 * count, 128))
    for place, picture in enumerate(pictures):
        sheet.paste(picture, (128 * place, 0))
    sheet.save(project.folder / f"{words.replace(', ', '-').replace(' ', '_')}.png")
    return [colour_of(picture) for picture in pictures]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--pictures", type=int, default=30)
    parser.add_argument("--grey", type=float, default=0.67)
    parser.add_argument("--seeds", type=int, default=16)
    parser.add_argument("--strength", type=float, default=4.0)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--colour", type=float, default=2.0, help="weight of the pictures in colour, beside 1 for the grey ones")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    draw_sources(options.out / "sources", options.pictures, options.grey)
    base, tagger = model_files()
    parts = [words.format(colour=options.colour) for words in PARTS]
    for name, tag, train in (("told", {}, {"subsets": parts}), ("untold", UNTOLD, {"subsets": []})):
        if options.only not in ("", name):
            continue
        chosen: dict[str, dict[str, Any]] = {
            "tag": {"tagger": str(tagger), "core_tags": list(DESCRIBED)} | tag,
            "train": SMALL | {"checkpoint": str(base), "strength": options.strength, "repeats": options.repeats} | train,
            "evaluate": {"width": 128, "height": 128, "guidance": 5.0, "batch_size": 8, "steps": 12},
        }
        with Project.create(options.out / name, world.NEW_CHARACTER, preset="comic_sources", chosen=chosen) as project, shown() as bar:
            add_folder(project, options.out / "sources", bar)
            for stage in ("prune", "prepare", "tag", "train"):
                run_stage(project, stage, bar)
            captions = project.pictures.captions(project.settings(TagSettings).caption_set).values()
            said = sum("monochrome" in caption.text for caption in captions)
            print(f"## {name}: {len(captions)} captions, {said} say monochrome", flush=True)
            for words in (world.NEW_CHARACTER, f"{world.NEW_CHARACTER}, monochrome, greyscale"):
                found = look(project, words, options.seeds)
                grey = sum(value < GREY for value in found)
                told = f"{words}: colour {np.mean(found):.1f} ({min(found):.1f} to {max(found):.1f})"
                print(f"{told}, {grey} of {len(found)} grey", flush=True)


if __name__ == "__main__":
    main()
