"""The recipes of docs/recipes.md from end to end over the drawn world: their presets, made small."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lorasmith.demo import world
from lorasmith.demo.demo import model_files
from lorasmith.demo.posts import WorldPost
from lorasmith.demo.server import DemoBooru
from lorasmith.errors import RefusedError, UsageError
from lorasmith.project.project import Project
from lorasmith.settings.tables import RefineSettings, TrainSettings
from lorasmith.stages.add.stage import add_source
from lorasmith.stages.prune.stage import decide_by_hand
from lorasmith.stages.refine.draw import draw
from lorasmith.stages.refine.masks import write_masks
from lorasmith.stages.run import run_stage
from lorasmith.stages.train.check import check
from lorasmith.stages.train.training_set import training_set

LOOKS = ["purple_fur", "striped_fur", "curled_horns", "green_eyes"]
SMALL: dict[str, Any] = {
    "resolution": 64, "min_bucket": 64, "max_bucket": 128, "bucket_step": 64, "rank": 4, "alpha": 2.0, "max_steps": 2,
    "batch_size": 2, "sample_every": 0, "precision": "fp32", "device": "cpu", "epochs": 1,
}  # fmt: skip
JUDGED: dict[str, Any] = {
    "width": 64, "height": 64, "steps": 1, "epochs": 1, "weights": [1.0], "asked": 1, "seeds": [1], "report_seeds": [2],
    "device": "cpu",
}  # fmt: skip


def start(folder: Path, preset: str, base: Path, **tables: dict[str, Any]) -> Project:
    chosen: dict[str, dict[str, Any]] = {
        "train": SMALL | {"checkpoint": str(base)}, "evaluate": JUDGED, "tag": {"tagger": str(model_files()[1]), "core_tags": LOOKS},
    }  # fmt: skip
    for table, values in tables.items():
        chosen[table] = chosen.get(table, {}) | values
    return Project.create(folder, world.NEW_CHARACTER, preset=preset, chosen=chosen)


def go(project: Project, *stages: str) -> Any:
    return [run_stage(project, stage) for stage in stages][-1]


@pytest.fixture(scope="module")
def bodies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoBooru]:
    """A booru on which others share two of the looks, and some only one."""
    rng, posts = random.Random("bodies"), []
    for number in range(8):
        marking = "striped_fur" if number < 5 else ""
        looks = replace(world.random_creature(rng), fur="purple_fur", marking=marking, pose="standing", accessory="")
        scene = world.Scene((looks,), ("white_background", "forest")[number % 2], "full-length_portrait", "boldline", number)
        tags = {category: tuple(world.with_implied(names)) for category, names in scene.tags_by_category().items()}
        day = f"2024-01-0{number + 1}T00:00:00.000+00:00"
        posts.append(WorldPost(1001 + number, scene, tags, 640, 512, "png", day, 50 + number, 10))
    with DemoBooru(posts, aliases=world.ALIASES, implications=world.IMPLICATIONS, cache=tmp_path_factory.mktemp("bodies")) as server:
        yield server


@pytest.fixture
def face(tmp_path: Path) -> Path:
    scene = world.Scene((world.NEW_LOOKS,), "forest", "headshot_portrait", "celwright", 77)
    scene.draw(400, 400).save(tmp_path / "face.png")
    return tmp_path / "face.png"


@pytest.mark.usefixtures("quick")
def test_a_single_picture_and_borrowed_bodies_go_two_rounds(tmp_path: Path, bodies: DemoBooru, face: Path, tiny_base: Path) -> None:
    site = {"site_url": bodies.url, "query": "purple_fur striped_fur solo", "min_area": 65536}
    with start(tmp_path / "mia", "single_picture", tiny_base, site=site) as project:
        assert add_source(project, face).added == 1
        go(project, "download", "prune", "prepare", "tag")
        assert len(project.pictures.trained()) == 6
        warned = check(project).warnings
        assert any("5 of 5 borrowed bodies still show a head" in words for words in warned)
        masked = write_masks(project, "source:booru", 0.2)
        assert masked.heads + sum(map(len, masked.not_done.values())) == 5 and masked.heads >= 3
        decide_by_hand(project, "drop", [name for names in masked.not_done.values() for name in names])
        warned = check(project).warnings
        assert not any("head" in words or "core_tags" in words for words in warned)
        chosen = training_set(project, project.settings(TrainSettings))
        own = sum(each.repeats for each in chosen.pictures if each.folder.endswith("_own"))
        assert own / sum(each.repeats for each in chosen.pictures) == pytest.approx(0.5, abs=0.07)
        captions = [each.caption for each in chosen.pictures]
        assert not any(look.replace("_", " ") in caption for caption in captions for look in LOOKS)
        go(project, "train", "evaluate")
        back = run_stage(project, "refine", flags={"candidates": 3, "min_likeness": 0.0, "min_followed": 0.0, "top_n": 2})
        assert len(back.brought_back) == 2
        decide_by_hand(project, "keep", list(back.brought_back))
        assert go(project, "prepare", "tag", "train").steps == 2
        parts = {each.folder.partition("_")[2] for each in training_set(project, project.settings(TrainSettings)).pictures}
        assert parts == {"own", "body", "drawn"}


def test_check_says_what_a_single_picture_lacks(tmp_path: Path, face: Path, tiny_base: Path) -> None:
    with start(tmp_path / "mia", "single_picture", tiny_base, tag={"core_tags": []}, train={"repeats": 900, "epochs": 2}) as project:
        add_source(project, face)
        go(project, "prune", "prepare", "tag")
        warned = " ".join(check(project).warnings)
        assert "Nothing shows the body" in warned and "is seen 1800 times" in warned
        project.remember("core_tags", [])
        assert "tag.core_tags is empty" in " ".join(check(project).warnings)


def test_masks_are_white_where_is_learnt_black_on_heads_and_grey_on_grounds(tmp_path: Path, tiny_base: Path) -> None:
    looks = replace(world.NEW_LOOKS, horns=False)
    world.Scene((looks,), "white_background", "full-length_portrait", "boldline", 7).draw(900, 500).save(tmp_path / "body.png")
    Image.new("RGB", (300, 300), (30, 90, 30)).save(tmp_path / "plain.png")
    with start(tmp_path / "mia", "single_picture", tiny_base, prepare={"crop": False}) as project:
        names = []
        for file in ("body.png", "plain.png"):
            add_source(project, tmp_path / file)
            names += [one.name for one in project.pictures.originals() if one.name not in names]
        with pytest.raises(UsageError, match="Say what is not to be learnt"):
            write_masks(project)
        done = write_masks(project, f"name:{names[0]} | name:{names[1]}", 0.2)
        assert done.heads == done.grounds == 1
        assert [name for named in done.not_done.values() for name in named] == [names[1]]
        with Image.open(project.folder / "masks" / f"{names[0]}.png") as mask:
            levels = np.asarray(mask)
        assert levels.shape == (500, 900)
        assert {0, 51, 255} <= set(np.unique(levels).tolist()) and levels[0, 0] == 51
        assert (levels[:, 450] == 0).mean() > 0.3 and levels[-60:, 300:600].max() == 255
        assert (project.folder / done.sheet).is_file()


def test_every_picture_without_colours_says_so_also_its_crops(tmp_path: Path, tiny_base: Path) -> None:
    rng = random.Random("comics")
    (tmp_path / "own").mkdir()
    for number in range(6):
        looks = world.vary(world.NEW_LOOKS, rng)
        picture = world.Scene((looks,), "white_background", "full-length_portrait", "boldline", number).draw(900, 500)
        picture = picture.convert("L") if number % 3 else picture
        picture.save(tmp_path / "own" / f"{number}.png")
    with start(tmp_path / "rook", "comic_sources", tiny_base, prepare={"head_crops": False}) as project:
        add_source(project, tmp_path / "own")
        go(project, "prune", "prepare", "tag")
        captions = project.pictures.captions("default")
        crops = [name for name in captions if "." in name]
        said = {name for name, caption in captions.items() if "monochrome, greyscale" in caption.text}
        assert len(captions) == 6 and len(said) == 4 and said & set(crops)
        assert not any("fur" in captions[name].text or "eyes" in captions[name].text for name in said)  # a tagger's guesses
        chosen = training_set(project, project.settings(TrainSettings))
        assert {each.name for each in chosen.pictures if each.folder.endswith("_grey")} == said
        assert go(project, "train").steps == 2


def test_a_character_is_drawn_from_a_description_and_each_round_draws_for_the_next(tmp_path: Path, tiny_base: Path) -> None:
    with start(tmp_path / "vex", "original_character", tiny_base) as project:
        refining = project.settings(RefineSettings)
        words = ("solo, (purple fur:1.2), green eyes, standing", "solo, purple fur, headshot portrait")
        done = draw(project, words, [7, 8], refining)
        assert len(done.drawn) == 4 and done.lora == "" and done.generation == 1 and (project.folder / done.sheet).is_file()
        assert {"purple_fur", "green_eyes", "solo", "standing"} == set(project.pictures.said(done.drawn[0]))
        assert draw(project, words, [7, 8], refining).already == 4
        assert project.pictures.trained() == []
        decide_by_hand(project, "keep", list(done.drawn))
        go(project, "prune", "prepare", "tag", "train")
        with pytest.raises(UsageError, match="not evaluated yet"):
            draw(project, ["scarf"], [9], refining)
        go(project, "evaluate")
        second = draw(project, ["full-length portrait, scarf"], [9], refining)
        picture = project.pictures.get(second.drawn[0])
        assert second.generation == 2 and picture.post["prompt"] == "zorvex, full-length portrait, scarf"
        assert set(project.pictures.said(picture.name)) == {"full-length_portrait", "scarf"}
        assert draw(project, ["scarf"], [9], project.settings(RefineSettings, {"lora": "none"})).generation == 1
        with pytest.raises(UsageError, match="is of generation 2"):
            draw(project, ["scarf"], [9], project.settings(RefineSettings, {"max_generation": 1}))
        project.undo()
        assert len(project.pictures.all()) >= 5


def test_a_prompt_that_marks_minors_or_says_nothing_is_refused(tmp_path: Path, tiny_base: Path) -> None:
    with start(tmp_path / "vex", "original_character", tiny_base) as project:
        with pytest.raises(RefusedError):
            draw(project, ["solo, toddler"], [7], project.settings(RefineSettings))
        with pytest.raises(UsageError, match="The prompt is empty"):
            draw(project, [" , "], [7], project.settings(RefineSettings))
