"""Lineage: nobody trains on copies of copies unknowingly."""

import json
from pathlib import Path

from PIL import Image

from lorasmith.project.pictures import Picture, facts_of
from lorasmith.project.project import Project
from lorasmith.settings.toml import keep_choice
from lorasmith.stages.refine.lineage import generation_after, lineage, lineage_faults, rendered_in


def put(project: Project, name: str, **post: object) -> Picture:
    file = project.images / f"{name}.png"
    file.parent.mkdir(exist_ok=True)
    Image.new("RGB", (64, 64)).save(file)
    origin = "render" if post else "folder"
    picture = Picture(name, origin=origin, post=post, **facts_of(project.folder, file, (64, 64)))
    with project.change("add", "a picture"):
        project.pictures.add(picture)
    return picture


def ran(project: Project, lora: str, *names: str) -> None:
    folder = project.runs / "001"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "trained.json").write_text(json.dumps({"files": [{"file": lora}]}), encoding="utf-8")
    rows = "".join(f'[pictures."{name}"]\nrepeats = 1\n' for name in names)
    (folder / "run.toml").write_text(rows, encoding="utf-8")


def test_what_a_lora_draws_is_one_generation_after_what_it_learnt_from(robin: Project) -> None:
    put(robin, "own")
    put(robin, "render_a", generated=True, generation=1, lora="a.safetensors")
    ran(robin, "robin.safetensors", "own", "render_a.2")
    assert generation_after(robin, "robin.safetensors") == 2
    assert generation_after(robin, "elsewhere.safetensors") == 1


def test_where_a_picture_was_rendered_is_read_from_new_and_old_records() -> None:
    assert rendered_in({"rendered_in": "evaluations/002"}) == ("evaluations/002",)
    assert rendered_in({"rendered_in": "candidates/drawn-0a1b2c"}) == ("candidates/drawn-0a1b2c",)
    assert rendered_in({"evaluation": "001"}) == ("candidates/001", "evaluations/001"), "a bare number is either's"
    assert rendered_in({"evaluation": "drawn-0a1b2c"})[0] == "candidates/drawn-0a1b2c"
    for strange in ({}, {"rendered_in": "../elsewhere/001"}, {"evaluation": "../001"}, {"rendered_in": "candidates/../.."}):
        assert rendered_in(strange) == ()


def test_drawn_pictures_are_listed_with_their_lora_and_their_crops_count_once(robin: Project) -> None:
    own = put(robin, "own")
    first = put(robin, "render_a", generated=True, generation=1, lora="a.safetensors")
    second = put(robin, "render_b", generated=True, generation=2, lora="b.safetensors")
    found = lineage(robin, [own, first, first, second])
    assert [(one.picture, one.lora, one.generation) for one in found] == [
        ("render_b", "b.safetensors", 2), ("render_a", "a.safetensors", 1),
    ]  # fmt: skip


def test_copies_of_copies_are_refused_in_words(robin: Project) -> None:
    pictures = [put(robin, name) for name in ("one", "two", "three")]
    assert lineage_faults(robin, pictures) == []
    pictures.append(put(robin, "render_b", generated=True, generation=2, lora="b.safetensors"))
    assert "render_b is of generation 2" in lineage_faults(robin, pictures)[0]


def test_a_set_that_is_mostly_drawn_is_refused_until_the_limit_is_raised(robin: Project, tmp_path: Path) -> None:
    pictures = [put(robin, "one"), *(put(robin, f"render_{n}", generated=True, lora="a") for n in range(2))]
    faults = lineage_faults(robin, pictures)
    assert len(faults) == 1 and "2 of 3 pictures were drawn by a model (67%)" in faults[0]
    keep_choice(robin.folder / "lorasmith.toml", "refine", {"max_generated": 0.7})
    assert lineage_faults(robin, pictures) == []
