"""Does a refinement round help? From one picture, in a world whose truth is known: `python benchmarks/refinement.py OUT`.

A person has one face picture of the demo's new character, describes its looks, and finds bodies of others that share two of
them; their heads are painted over (`touch-up "faceless cover"`). Preset single_picture, made small for the demo's base:
train, evaluate, `refine --candidates`, keep of what comes back that which a person would keep, prepare, tag, train again.

True likeness: fresh scenes dealt by the world's own lots are rendered from their prompts at seeds that chose nothing, and the
demo's tagger looks for the character's own looks, as far as the framing shows them (as in `verdicts.py truth`). The second round
trains as many steps as the first, from nothing: what it gains is not more training.
"""

import argparse
import json
import os
import random
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1")
sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np

from benchmarks.verdicts import asked_of, dealt
from lorasmith.demo import world
from lorasmith.demo.demo import model_files
from lorasmith.project.project import Project
from lorasmith.settings.tables import EvaluateSettings, TagSettings, TrainSettings
from lorasmith.stages.add.stage import add_folder
from lorasmith.stages.evaluate.bench import chosen_epochs, last_finished_run, settings_of_run
from lorasmith.stages.evaluate.renders import common_prompt
from lorasmith.stages.prune.stage import decide_by_hand
from lorasmith.stages.refine.masks import write_masks
from lorasmith.stages.run import run_stage
from lorasmith.stages.touch_up.stage import touch_up
from lorasmith.stages.touch_up.wishes import Wish
from lorasmith.stages.train.training_set import training_set
from lorasmith.terminal import shown

FRESH = 70_000  # seeds of the truth begin here
DESCRIBED = ("purple_fur", "striped_fur", "curled_horns", "pointy_ears", "green_eyes")
FOREIGN = ("duo", *(tag for tag in (*world.FUR, *world.EARS, *world.EYES) if tag not in DESCRIBED))
SMALL: dict[str, Any] = {
    "resolution": 128, "bucket_step": 32, "min_bucket": 64, "max_bucket": 256, "rank": 16, "alpha": 16.0, "batch_size": 8,
    "clip_skip": 1, "sample_every": 0, "epochs": 5, "repeats": 10,
}  # fmt: skip
PARTS = ["drawn weight=1 where is:generated", "body weight=1 where source:sidecar", "own weight=1"]  # as if from a site


def draw_sources(folder: Path, bodies: int) -> None:
    """Draws the one face, and bodies of other characters that have purple fur and stripes as it has."""
    face = world.Scene((world.NEW_LOOKS,), "forest", "headshot_portrait", "celwright", 77)
    rng = random.Random("borrowed bodies")
    scenes = {"face": face}
    for number in range(bodies):
        looks = replace(world.random_creature(rng), fur="purple_fur", marking="striped_fur")
        framing = rng.choice(("full-length_portrait", "full-length_portrait", "half-length_portrait"))
        scenes[f"body_{number:02d}"] = replace(world.random_scene(rng, (looks,)), framing=framing)
    folder.mkdir(parents=True, exist_ok=True)
    for name, scene in scenes.items():
        scene.draw(512, 512).save(folder / f"{name}.png")
        tags = [tag for tag in scene.tags() if tag not in world.ARTISTS and tag != world.COPYRIGHT]
        if name != "face":  # it is a file and nothing else, while a site tags its pictures
            (folder / f"{name}.txt").write_text(", ".join(tags), encoding="utf-8")


def new_project(folder: Path, sources: Path, options: argparse.Namespace) -> Project:
    base, tagger = model_files()
    chosen: dict[str, dict[str, Any]] = {
        "tag": {"tagger": str(tagger), "core_tags": list(DESCRIBED)},
        "train": SMALL | {"checkpoint": str(base), "strength": options.strength, "seed": options.seed, "subsets": PARTS,
                           "masked_loss": {"mask": "file", "cover": "character", "learn": "character"}[options.heads],
                           "unmasked_weight": 0.0 if options.heads == "mask" else 0.2},
        "evaluate": {
            "width": 128, "height": 128, "guidance": 5.0, "batch_size": 8, "epochs": 2, "weights": [1.0], "asked": 2,
            "seeds": [11], "report_seeds": [101], "steps": 12,
        },
        "refine": {"ground": "any"},
    }  # fmt: skip
    project = Project.create(folder, world.NEW_CHARACTER, preset="single_picture", chosen=chosen)
    with shown() as bar:
        add_folder(project, sources, bar)
        run_stage(project, "prune", bar)
        if options.heads == "cover":
            bodies = [each.name for each in project.pictures.trained() if not str(each.post["file_name"]).startswith("face")]
            done = touch_up(project, Wish(("faceless cover",), tuple(bodies)), bar)
            covered = {name.split(".")[0] for name in done.made}
            if rest := [name for name in bodies if name not in covered]:
                decide_by_hand(project, "drop", rest)  # a body with another's head on it
            print(f"heads painted over: {done.changed} of {len(bodies)}; {done.not_done}: dropped")
        for stage in ("prepare", "tag"):
            run_stage(project, stage, bar)
        if options.heads == "mask":
            masked = write_masks(project, "source:sidecar", 0.2, bar)
            if rest := [name for names in masked.not_done.values() for name in names]:
                decide_by_hand(project, "drop", rest)
            print(f"heads not learnt on {masked.heads}; {masked.not_done}: dropped")
        run_stage(project, "train", bar)
    return project


def truth(project: Project, count: int, weight: float = 1.0) -> dict[str, list[float]]:
    """Gives for each fresh scene how much of the character's own looks, and of what was asked, the last LoRA draws."""
    from lorasmith.rendering.diffusers import renderer_as_trained
    from lorasmith.rendering.prompt import LoraUse, Prompt
    from lorasmith.stages.tag.scores import open_project_tagger
    from lorasmith.tags.spelling import for_prompt

    run = last_finished_run(project)
    trained = settings_of_run(run)
    file = chosen_epochs(project, run, 1)[-1][1]
    tagger = open_project_tagger(project.settings(TagSettings))
    renderer = renderer_as_trained(Path(trained["checkpoint"]), trained, "cpu", 8)
    common = common_prompt(project.settings(EvaluateSettings), 1)
    scenes = dealt(count)
    prompts = [
        replace(
            common, text=", ".join([world.NEW_CHARACTER, *map(for_prompt, asked_of(scene))]), seed=FRESH + place,
            loras=(LoraUse(file, weight),),
        )
        for place, scene in enumerate(scenes)
    ]  # fmt: skip
    assert isinstance(prompts[0], Prompt)
    found: dict[str, list[float]] = {"looks": [], "asked": [], **{tag: [] for tag in world.OWN_TAGS}}
    for scene, vector in zip(scenes, tagger.score(renderer.render(prompts)), strict=True):
        own = [tag for tag in world.OWN_TAGS if tag in scene.tags()]
        found["looks"].append(float(np.mean([vector[tagger.index[tag]] for tag in own])))
        found["asked"].append(float(np.mean([vector[tagger.index[tag]] for tag in asked_of(scene)])))
        for tag in own:
            found[tag].append(float(vector[tagger.index[tag]]))
    return found


def a_person_would_keep(project: Project, names: tuple[str, ...], options: argparse.Namespace) -> list[str]:
    """Names the candidates on which every own look is to be seen at `sure`, at most a third of them headshots.

    A lenient person looks at neither eyes nor ears, and takes headshots without end.
    """
    from lorasmith.imaging.read import open_picture
    from lorasmith.stages.tag.scores import open_project_tagger

    tagger = open_project_tagger(project.settings(TagSettings))
    pictures = [project.pictures.get(name) for name in names]
    vectors = tagger.score([open_picture(project.file_of(picture)) for picture in pictures]) if pictures else []
    looks = world.OWN_TAGS if options.lenient else DESCRIBED
    good = [
        (min(float(vector[tagger.index[tag]]) for tag in looks), picture.name, vector[tagger.index["headshot_portrait"]] >= 0.5)
        for picture, vector in zip(pictures, vectors, strict=True)
    ]
    if options.clean:
        wrong = [tagger.index[tag] for tag in FOREIGN]
        good = [one for one, vector in zip(good, vectors, strict=True) if (vector[wrong] < 0.5).all()]
    good = sorted((one for one in good if one[0] >= options.sure), reverse=True)
    if options.lenient:
        return [name for _, name, _ in good][: options.keep]
    rest = [name for _, name, close in good if not close][: options.keep]
    return rest + [name for _, name, close in good if close][: max(1, len(rest) // 2)][: max(0, options.keep - len(rest))]


def told(name: str, found: dict[str, list[float]]) -> str:
    count = len(found["looks"])
    figures = [
        f"{key} {np.mean(found[key]):.3f} ± {np.std(found[key], ddof=1) / max(1, len(found[key])) ** 0.5:.3f}"
        for key in found
        if found[key]
    ]
    return f"{name} ({count} fresh scenes): {', '.join(figures)}"


def once(folder: Path, sources: Path, options: argparse.Namespace) -> dict[str, dict[str, list[float]]]:
    """Goes through both rounds at one training seed."""
    there = (folder / "project.db").is_file()  # its first round ended: only the second is wanted
    with Project.open(folder) if there else new_project(folder, sources, options) as project, shown() as bar:
        before = truth(project, options.scenes)
        print(told("before", before), flush=True)
        if options.first:
            return {"before": before}
        run_stage(project, "evaluate", bar)
        steps = json.loads((last_finished_run(project) / "trained.json").read_text(encoding="utf-8"))["steps"]
        bars = {"min_likeness": options.bar, "min_followed": options.followed}
        wishes = {"candidates": options.candidates, "top_n": options.top, "ground": options.ground} | bars
        back = run_stage(project, "refine", bar, wishes)
        kept = a_person_would_keep(project, back.brought_back, options)
        print(f"{back.considered} candidates, {len(back.brought_back)} came back, {len(kept)} kept: {kept}", flush=True)
        if not kept:
            return {"before": before}
        decide_by_hand(project, "keep", kept)
        for stage in ("prepare", "tag"):
            run_stage(project, stage, bar)
        if options.remask:
            write_masks(project, "source:sidecar", 0.2, bar)  # the drawn ones' grounds too
        chosen = {"subsets": [each.replace("drawn weight=1", f"drawn weight={options.drawn:g}") for each in PARTS]}
        wished = project.settings(TrainSettings, chosen | {"repeats": SMALL["repeats"]})
        draws = sum(each.repeats for each in training_set(project, wished).pictures)
        repeats = max(1, round(SMALL["repeats"] * steps * SMALL["batch_size"] / SMALL["epochs"] / draws))
        result = run_stage(project, "train", bar, chosen | {"repeats": repeats})  # as many steps as before: more is no help
        after = truth(project, options.scenes)
        print(f"steps: {steps} before, {result.steps} after")
        print(told("after", after), flush=True)
    return {"before": before, "after": after}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--scenes", type=int, default=32)
    parser.add_argument("--bodies", type=int, default=16)
    parser.add_argument("--candidates", type=int, default=32)
    parser.add_argument("--top", type=int, default=16)
    parser.add_argument("--keep", type=int, default=12)
    parser.add_argument("--bar", type=float, default=0.5)
    parser.add_argument("--followed", type=float, default=0.5, help="share of the asked that a candidate must show to come back")
    parser.add_argument("--sure", type=float, default=0.5, help="score from which the person takes a look for drawn")
    parser.add_argument("--clean", action="store_true", help="keep nothing that shows another's looks, or two")
    parser.add_argument("--remask", action="store_true", help="let the drawn pictures' grounds count a fifth too")
    parser.add_argument("--ground", default="any", help="what candidates are asked in front of")
    parser.add_argument("--lenient", action="store_true", help="the person of the first trials")
    parser.add_argument("--drawn", type=float, default=1.0, help="weight of the drawn pictures, beside bodies and face")
    parser.add_argument("--strength", type=float, default=4.0)
    parser.add_argument("--heads", choices=("mask", "cover", "learn"), default="mask", help="what becomes of the bodies' heads")
    parser.add_argument("--first", action="store_true", help="the first round alone")
    options = parser.parse_args()
    sources = options.out / "sources"
    draw_sources(sources, options.bodies)
    rows = []
    for seed in options.seeds:
        options.seed = seed
        print(f"## training seed {seed}")
        rows.append(once(options.out / f"seed{seed}", sources, options))
    for key in ("before", "after"):
        means = [float(np.mean(row[key]["looks"])) for row in rows if key in row]
        asked = [float(np.mean(row[key]["asked"])) for row in rows if key in row]
        if means:
            print(f"{key}: true likeness {np.mean(means):.3f} ({min(means):.3f} to {max(means):.3f}), asked {np.mean(asked):.3f}")


if __name__ == "__main__":
    main()
