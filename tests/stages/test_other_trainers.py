"""A project's way in from other trainers' files, its way out to kohya's scripts, and a LoRA beside it."""

import json
import tomllib
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from lorasmith.errors import LorasmithError, UsageError
from lorasmith.project.project import Project
from lorasmith.settings.kohya_schema import faults_of
from lorasmith.settings.tables import TrainSettings
from lorasmith.settings.toml import keep_choice
from lorasmith.stages.run import run_stage
from lorasmith.stages.train.compare import compare_with_project
from lorasmith.stages.train.export_kohya import export_kohya
from lorasmith.stages.train.import_trainer import import_training, is_downloaders

CONFIG = """
network_module = "networks.lora"
network_dim = 24
network_alpha = 12
learning_rate = 1e-4
max_train_epochs = 7
resolution = 512
enable_bucket = true
pretrained_model_name_or_path = "gone.safetensors"
train_data_dir = "pictures"
"""


@pytest.fixture
def captioned(tmp_path: Path, tiny_base: Path) -> Path:
    """A project with four captioned pictures, one of them transparent and one turned by EXIF."""
    source = tmp_path / "pictures"
    source.mkdir()
    for number in range(4):
        picture = Image.effect_noise((640, 512 + 64 * number), 40 + number * 20).convert("RGBA" if number == 1 else "RGB")
        if number == 1:
            picture.putalpha(Image.linear_gradient("L").resize(picture.size))
        exif = Image.Exif()
        exif[0x0112] = 6 if number == 2 else 1
        picture.save(source / f"{number}.png" if number != 2 else source / "2.jpg", exif=exif)
        (source / f"{number}.txt").write_text(f"hero, smile, tag {number}", encoding="utf-8")
    chosen = {"train": {"checkpoint": str(tiny_base), "sample_prompts": ["hero, night"]}, "tag": {"tagger": "none"}}
    from lorasmith.stages.add.stage import add_source

    with Project.create(tmp_path / "hero", "hero", chosen=chosen) as project:
        add_source(project, source)
        run_stage(project, "tag")
    return tmp_path / "hero"


def test_settings_are_written_with_comments_kept_and_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(CONFIG, encoding="utf-8")
    Project.create(tmp_path / "p", "hero").close()
    toml = tmp_path / "p" / "lorasmith.toml"
    toml.write_text(toml.read_text(encoding="utf-8") + "# a note of mine\n", encoding="utf-8")
    before = toml.read_text(encoding="utf-8")
    told = import_training(tmp_path / "c.toml", tmp_path / "p", dry_run=True)
    assert not told.written and toml.read_text(encoding="utf-8") == before
    assert "rank = 24" in told.train
    told = import_training(tmp_path / "c.toml", tmp_path / "p")
    after = toml.read_text(encoding="utf-8")
    assert told.written and "# a note of mine" in after and "LoRA rank (network dim)" in after
    with Project.open(tmp_path / "p", writing=False) as project:
        settings = project.settings(TrainSettings)
    assert (settings.rank, settings.alpha, settings.epochs, settings.unet_lr, settings.text_encoder_lr) == (24, 12.0, 7, 1e-4, 1e-4)
    assert settings.checkpoint == "" and any("gone.safetensors" in row.here for row in told.changed)


def test_a_new_project_needs_a_trigger_and_one_that_is_there_keeps_its_own(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(CONFIG, encoding="utf-8")
    with pytest.raises(UsageError, match="--trigger NAME"):
        import_training(tmp_path / "c.toml", tmp_path / "p")
    assert import_training(tmp_path / "c.toml", tmp_path / "p", "hero").written
    with pytest.raises(UsageError, match="keeps its trigger"):
        import_training(tmp_path / "c.toml", tmp_path / "p", "hero")


def test_the_files_beside_are_read_and_the_base_model_is_found(tmp_path: Path, tiny_base: Path) -> None:
    (tmp_path / "d.toml").write_text('[[datasets]]\nresolution = 768\n[[datasets.subsets]]\nimage_dir = "x"\nnum_repeats = 3\n')
    (tmp_path / "prompts.txt").write_text("hero, smile --d 1\n", encoding="utf-8")
    base = f'pretrained_model_name_or_path = "{tiny_base.as_posix()}"'
    text = f'dataset_config = "d.toml"\nsample_prompts = "prompts.txt"\nnetwork_dim = 4\n{base}'
    (tmp_path / "c.toml").write_text(text, encoding="utf-8")
    told = import_training(tmp_path / "c.toml", None)
    assert {"resolution = 768", "repeats = 3", 'sample_prompts = ["hero, smile"]'} <= set(told.train)
    assert any(tiny_base.name in line for line in told.train)


def test_settings_that_cannot_hold_together_are_a_sentence_and_nothing_is_written(tmp_path: Path) -> None:
    Project.create(tmp_path / "p", "hero", chosen={"train": {"resolution": 512, "min_bucket": 256, "max_bucket": 768}}).close()
    (tmp_path / "c.toml").write_text("[[datasets]]\nresolution = 1024\n", encoding="utf-8")
    before = (tmp_path / "p" / "lorasmith.toml").read_bytes()
    with pytest.raises(UsageError, match="between min_bucket and max_bucket"):
        import_training(tmp_path / "c.toml", tmp_path / "p")
    assert (tmp_path / "p" / "lorasmith.toml").read_bytes() == before


def _lora(path: Path, metadata: dict[str, str]) -> Path:
    name = "lora_unet_mid_block_attentions_0_proj_in"
    parts = {f"{name}.lora_down.weight": torch.zeros(8, 64, 1, 1), f"{name}.lora_up.weight": torch.zeros(64, 8, 1, 1)}
    save_file(parts, path, metadata)
    return path


def test_a_lora_gives_its_settings_and_is_compared(tmp_path: Path) -> None:
    metadata = {"ss_network_dim": "8", "ss_network_alpha": "4", "ss_unet_lr": "0.0004", "ss_num_epochs": "10", "ss_seed": "1"}
    lora = _lora(tmp_path / "a.safetensors", metadata)
    assert not is_downloaders(lora)
    assert {"rank = 8", "alpha = 4.0", "epochs = 10"} <= set(import_training(lora, None).train)
    with Project.create(tmp_path / "p", "hero", chosen={"train": {"rank": 16, "batch_size": 4}}) as project:
        told = compare_with_project(project, lora)
    assert {(row.setting, row.file, row.project) for row in told.differ} == {
        ("rank", "8", "16"), ("alpha", "4", "16"), ("unet_lr", "0.0004", "by the rule"),
    }  # fmt: skip
    assert set(told.same) == {"epochs", "seed"} and told.not_in_the_file == ("batch_size = 4",)
    with pytest.raises(UsageError, match="wrote none into it"):
        import_training(_lora(tmp_path / "b.safetensors", {}), None)


def test_what_is_exported_is_what_was_meant_when_it_is_imported_again(captioned: Path, tmp_path: Path) -> None:
    chosen = {"rank": 12, "alpha": 6.0, "conv_rank": 4, "lr_scheduler": "cosine_with_restarts", "lr_cycles": 3,
              "noise_offset": 0.03, "repeats": 3, "flip": True, "tag_dropout": 0.1, "batch_size": 3}  # fmt: skip
    keep_choice(captioned / "lorasmith.toml", "train", chosen)
    with Project.open(captioned, writing=False) as project:
        told = export_kohya(project, tmp_path / "out")
        wanted = project.settings(TrainSettings)
    back = import_training(told.folder / "config.toml", None)
    settings = TrainSettings(**tomllib.loads("\n".join(back.train))["train"])
    for name in [*chosen, "resolution", "epochs", "seed"]:
        assert getattr(settings, name) == getattr(wanted, name), name
    assert settings.sample_prompts == ["hero, night"] and settings.checkpoint == wanted.checkpoint
    assert not back.unknown and not back.not_there_yet
    assert settings.unet_lr == pytest.approx(wanted.strength / (3 * wanted.epochs * 4))


def test_pictures_go_out_as_the_scripts_must_see_them(captioned: Path, tmp_path: Path) -> None:
    with Project.open(captioned, writing=False) as project:
        told = export_kohya(project, tmp_path / "out")
    folder = tmp_path / "out" / "pictures" / "5_hero"
    pictures = sorted(path for path in folder.iterdir() if path.suffix != ".txt")
    assert len(pictures) == told.pictures == 4
    for path in pictures:
        with Image.open(path) as image:
            assert image.mode == "RGB" and image.getexif().get(0x0112, 1) == 1
            assert image.size[0] == 640 or image.size[1] == 640
        assert path.with_suffix(".txt").read_text(encoding="utf-8").startswith("hero, ")
    assert '--config_file "' in told.command and told.command.split()[4] == "train_network.py"


def test_a_second_export_has_nothing_of_the_first_that_is_gone(captioned: Path, tmp_path: Path) -> None:
    with Project.open(captioned) as project:
        export_kohya(project, tmp_path / "out")
        (tmp_path / "out" / "pictures" / "5_hero" / "old.png").write_bytes(b"x")
        (tmp_path / "out" / "notes.md").write_text("mine")
        export_kohya(project, tmp_path / "out")
    assert not (tmp_path / "out" / "pictures" / "5_hero" / "old.png").exists() and (tmp_path / "out" / "notes.md").exists()


def test_what_the_scripts_would_refuse_is_found() -> None:
    faults = faults_of({
        "general": {"caption_extention": ".txt", "alpha_mask": True}, "other": {},
        "datasets": [{"resolution": "512", "batch_size": True, "subsets": [{"num_repeats": 2}, {"image_dir": "/nowhere/at/all"}]}],
    })  # fmt: skip
    text = " ".join(faults)
    for words in ("caption_extention is no key", "alpha_mask is no key", "[other]", "resolution", "batch_size", "no image_dir"):
        assert words in text


def test_a_project_that_cannot_be_trained_is_not_exported(tmp_path: Path, captioned: Path, tiny_base: Path) -> None:
    with Project.create(tmp_path / "empty", "hero") as project, pytest.raises(LorasmithError, match="No base model is set"):
        export_kohya(project, tmp_path / "out")
    with Project.create(tmp_path / "bare", "hero", chosen={"train": {"checkpoint": str(tiny_base)}}) as project, pytest.raises(
        UsageError, match="No picture has a caption"
    ):
        export_kohya(project, tmp_path / "out")
    with Project.open(captioned, writing=False) as project, pytest.raises(UsageError, match="folder of its own"):
        export_kohya(project, captioned)


def test_json_of_every_tool_names_itself(tmp_path: Path) -> None:
    for content, maker in (
        ({"base_model": "a", "img_folder": "b", "net_dim": 4}, "LoRA Easy"), ({"LoRA_type": "Standard", "network_dim": 4}, "kohya_ss"),
        ({"training_method": "LORA", "lora_rank": 4}, "OneTrainer"),
    ):  # fmt: skip
        (tmp_path / "x.json").write_text(json.dumps(content), encoding="utf-8")
        assert maker in import_training(tmp_path / "x.json", None).maker
        assert not is_downloaders(tmp_path / "x.json")
