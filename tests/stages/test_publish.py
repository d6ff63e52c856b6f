"""Tests of publish and test-grid: complete, under a name never used before, with sidecars, and drawn at once."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomlkit
from PIL import Image

from lorasmith import safety
from lorasmith.demo.demo import model_files
from lorasmith.errors import CheckpointError, UsageError
from lorasmith.files import sha256_of
from lorasmith.progress import Progress
from lorasmith.project.pictures import Caption
from lorasmith.project.project import Project
from lorasmith.settings.toml import keep_choice
from lorasmith.stages.evaluate import test_grid as grids
from lorasmith.stages.evaluate.publish import publish
from tests.extension_bridge.fake_models import write_model
from tests.stages.brush import Painter

STEM = "zorvex-r001-e02-345d186b"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A project with one run, its LoRA of the second epoch and that epoch's sample."""
    with Project.create(tmp_path / "zorvex", "zorvex (hero)", preset="quick") as opened:
        run = opened.runs / "001"
        (run / "samples").mkdir(parents=True)
        document = {"run": {"fingerprint": "f" * 64}, "settings": {"clip_skip": 2}}
        (run / "run.toml").write_text(tomlkit.dumps(document), encoding="utf-8")
        Image.new("RGB", (64, 64), "red").save(run / "samples" / "e01-0.png")
        Image.new("RGB", (64, 64), "blue").save(run / "samples" / "e02-0.png")
        write(opened.loras / f"{STEM}.safetensors")
        chosen = {"width": 64, "height": 64, "weights": [0.5, 1.0], "steps": 3, "seeds": [7]}
        keep_choice(opened.folder / "lorasmith.toml", "evaluate", chosen)
        keep_choice(opened.folder / "lorasmith.toml", "tag", {"tagger": str(model_files()[1])})
        yield opened


@pytest.fixture
def lora_dir(tmp_path: Path) -> Path:
    """A WebUI's LoRA folder."""
    folder = tmp_path / "webui" / "models" / "Lora"
    folder.mkdir(parents=True)
    return folder


def write(path: Path, sides: int = 8) -> Path:
    metadata = {"ss_epoch": "2", "lorasmith_fingerprint": "f" * 64, "ss_sd_model_name": "base.safetensors"}
    return write_model(path, {"lora_unet_x.lora_down.weight": [4, sides]}, metadata)


def test_a_lora_appears_complete_with_its_sidecars(project: Project, lora_dir: Path) -> None:
    ours = project.loras / f"{STEM}.safetensors"
    theirs = publish(project, ours, lora_dir)
    assert theirs.parent == lora_dir / "lorasmith" and theirs.stem.startswith(f"{STEM}-")
    assert theirs.read_bytes() == ours.read_bytes() and ours.is_file()
    facts = json.loads(theirs.with_suffix(".json").read_text(encoding="utf-8"))
    assert facts["activation text"] == r"zorvex \(hero\)" and facts["sd version"] == "SD1"
    with Image.open(theirs.with_suffix(".png")) as preview:
        assert preview.getpixel((0, 0)) == (0, 0, 255)  # the sample of its own epoch
    assert {path.suffix for path in theirs.parent.iterdir()} == {".safetensors", ".json", ".png"}


def test_the_sidecars_that_evaluate_wrote_go_with_it(project: Project, lora_dir: Path) -> None:
    ours = project.loras / f"{STEM}.safetensors"
    ours.with_suffix(".json").write_text('{"preferred weight": 0.7}', encoding="utf-8")
    Image.new("RGB", (8, 8), "green").save(ours.with_suffix(".png"))
    theirs = publish(project, ours, lora_dir)
    assert json.loads(theirs.with_suffix(".json").read_text(encoding="utf-8")) == {"preferred weight": 0.7}
    assert theirs.with_suffix(".png").read_bytes() == ours.with_suffix(".png").read_bytes()


def test_the_same_again_is_the_same_file_and_a_persons_notes_beside_it_stay(project: Project, lora_dir: Path) -> None:
    ours = project.loras / f"{STEM}.safetensors"
    first = publish(project, ours, lora_dir)
    first.with_suffix(".json").write_text("mine", encoding="utf-8")
    before = first.stat()
    assert publish(project, ours, lora_dir) == first
    assert first.stat().st_mtime_ns == before.st_mtime_ns
    assert first.with_suffix(".json").read_text(encoding="utf-8") == "mine"


def test_other_content_gets_a_name_of_its_own(project: Project, lora_dir: Path) -> None:
    ours = project.loras / f"{STEM}.safetensors"
    first = publish(project, ours, lora_dir)
    write(ours, sides=16)
    second = publish(project, ours, lora_dir)
    assert first != second and sha256_of(first) != sha256_of(second)
    second.write_bytes(b"somebody else's")
    third = publish(project, ours, lora_dir)
    assert third not in (first, second) and third.read_bytes() == ours.read_bytes()
    assert second.read_bytes() == b"somebody else's"


def test_a_broken_copy_leaves_nothing_that_a_webui_would_show(
    project: Project, lora_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Exception, match="disk is full"):
        publish(project, project.loras / f"{STEM}.safetensors", lora_dir)
    assert not list(lora_dir.rglob("*.safetensors"))


def test_what_is_no_lora_or_no_folder_is_told(project: Project, lora_dir: Path) -> None:
    base = write_model(project.loras / "base.safetensors", {"model.diffusion_model.x": [2]})
    with pytest.raises(CheckpointError, match="is no LoRA"):
        publish(project, base, lora_dir)
    for folder in (lora_dir / "none", Path(), Path("C:\\webui\\models\\Lora")):  # told by nobody, or by another machine
        with pytest.raises(UsageError, match="is no folder"):
            publish(project, project.loras / f"{STEM}.safetensors", folder)


def test_the_grid_shows_prompts_by_weights_and_the_base_alone(project: Project, lora_dir: Path) -> None:
    for number in range(3):
        text = "zorvex (hero), solo, standing, full-length portrait, forest"
        project.pictures.set_caption("default", Caption(f"own_{number}", text))
    published = publish(project, project.loras / f"{STEM}.safetensors", lora_dir)
    painter = Painter()
    seen: list[Progress] = []
    project.close()
    with Project.open(project.folder, writing=False) as reading:  # while another process trains
        grid = grids.test_grid(reading, published, painter, seen.append)
    assert grid.file == project.runs / "001" / "grids" / f"{published.stem}.png" and grid.file.is_file()
    assert grid.weights == (0.0, 0.5, 1.0) and 2 <= len(grid.prompts) <= 5
    prompts = [prompt for prompt, _ in painter.asked]
    assert len(prompts) == len(grid.prompts) * 3
    assert {len(prompt.loras) for prompt in prompts} == {0, 1}
    assert all(lora.path == published for prompt in prompts for lora in prompt.loras)
    assert all((prompt.seed, prompt.steps, prompt.clip_skip) == (7, 3, 2) for prompt in prompts)
    assert grid.prompts[0] == r"zorvex \(hero\)"
    assert seen[-1].stage == "test-grid"


def test_a_render_that_nobody_may_see_is_not_in_the_grid(
    project: Project, lora_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    renders = {("a", 0.0): Image.new("RGB", (64, 64)), ("a", 1.0): Image.new("RGB", (64, 64), "white")}
    assert grids.without_refused(project, renders) == renders
    monkeypatch.setattr(safety, "is_refused", lambda name: True)
    monkeypatch.setattr(safety, "SEEN", -1.0)
    assert grids.without_refused(project, renders) == {}


def test_a_lora_of_no_run_has_no_grid(project: Project, tmp_path: Path) -> None:
    stranger = write_model(tmp_path / "x.safetensors", {"lora_unet_x.lora_down.weight": [4, 8]})
    with pytest.raises(UsageError, match="comes from none of the runs"):
        grids.test_grid(project, stranger, Painter())
