"""export kohya: the training set and the settings of a project as kohya's scripts take them, for those who train elsewhere."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomlkit

from lorasmith.errors import LorasmithError, UsageError
from lorasmith.files import demand_space, write_atomic
from lorasmith.progress import Progress, Report, silent
from lorasmith.project.project import Project
from lorasmith.project.sidecars import folder_word
from lorasmith.settings.kohya_export import Rates, config_of, dataset_of, not_carried
from lorasmith.settings.kohya_schema import PICTURES, faults_of
from lorasmith.settings.tables import TrainSettings
from lorasmith.stages.train.check import checkpoint_faults, plan_of
from lorasmith.stages.train.training_set import training_set

if TYPE_CHECKING:
    from lorasmith.training.dataset import TrainingPicture

DATASET, CONFIG, PROMPTS = "dataset.toml", "config.toml", "prompts.txt"
_SCRIPTS = {False: "train_network.py", True: "sdxl_train_network.py"}


@dataclass(frozen=True)
class Exported:
    """What was written, and the command that trains with it."""

    folder: Path
    files: tuple[str, ...]
    pictures: int
    steps: int
    command: str
    not_carried: tuple[str, ...]
    notes: tuple[str, ...]


def export_kohya(project: Project, folder: Path, report: Report = silent) -> Exported:
    """Writes pictures, captions, dataset file, config file and prompts into a folder; looks the whole over at the end."""
    settings = project.settings(TrainSettings)
    if faults := checkpoint_faults(settings.checkpoint):
        raise LorasmithError(" ".join(faults))
    pictures = training_set(project, settings).pictures
    if not pictures:
        raise UsageError("No picture has a caption yet; run `lorasmith tag` first.")
    folder = folder.expanduser().resolve()
    if folder == project.folder.resolve() or project.images.resolve() in (folder, *folder.parents):
        raise UsageError(f"{folder} is the project itself; export into a folder of its own.")
    rates = _rates(project, settings, pictures)
    alpha = settings.masked_loss == "alpha"
    subsets = _write_pictures(folder / "pictures", pictures, alpha, report)
    for subset in subsets:
        subset |= {"class_tokens": project.trigger} | ({"alpha_mask": True} if alpha else {})
    marks = any(mark in picture.caption for picture in pictures for mark in ("|||", ";;;"))
    dataset = dataset_of(settings, subsets, marks=marks, steps=rates.steps)
    files = [DATASET, CONFIG]
    config = _paths(project, settings, folder) | config_of(settings, rates)
    if settings.sample_every:
        write_atomic(folder / PROMPTS, _prompts(project, settings))
        files.append(PROMPTS)
    write_atomic(folder / DATASET, tomlkit.dumps(dataset))
    write_atomic(folder / CONFIG, tomlkit.dumps(config))
    if faults := [*faults_of(dataset), *_missing(config)]:
        raise LorasmithError(f"What was written would not train: {' '.join(faults)}")
    script = _SCRIPTS[rates.xl]
    command = f'accelerate launch --num_cpu_threads_per_process 2 {script} --config_file "{(folder / CONFIG).as_posix()}"'
    left, notes = tuple(not_carried(settings)), _notes(settings, pictures)
    return Exported(folder, tuple(files), len(pictures), rates.steps, command, left, notes)


def _rates(project: Project, settings: TrainSettings, pictures: "list[TrainingPicture]") -> Rates:
    from lorasmith.checkpoints.checkpoint import detect_at
    from lorasmith.checkpoints.family import chosen

    family = chosen(detect_at(settings.checkpoint), settings.prediction_type, settings.zero_terminal_snr)
    plan = plan_of(project, settings, pictures)
    velocity = family.prediction_type == "v_prediction"
    return Rates(plan.unet_lr, plan.text_encoder_lr, plan.steps, family.kind == "sdxl", velocity, family.zero_terminal_snr)


def _write_pictures(folder: Path, pictures: "Sequence[TrainingPicture]", alpha: bool, report: Report) -> list[dict[str, Any]]:
    """Copies pictures with their captions, by repeats and kind; gives the subsets. Of an earlier export what is gone is removed."""
    demand_space(_existing(folder), sum(picture.path.stat().st_size for picture in pictures))
    subsets: dict[str, dict[str, Any]] = {}
    wanted: set[Path] = set()
    for done, picture in enumerate(pictures):
        report(Progress("export", done, len(pictures), picture.name))
        word = picture.folder.partition("_")[2] or "pictures"
        place = folder / f"{picture.repeats}_{word}{'_reg' if picture.regularisation else ''}"
        place.mkdir(parents=True, exist_ok=True)
        file = _copy(picture, place, alpha=alpha)
        write_atomic(file.with_suffix(".txt"), f"{picture.caption}\n")
        wanted |= {file, file.with_suffix(".txt")}
        row = {"image_dir": place.as_posix(), "num_repeats": picture.repeats}
        subsets[place.name] = row | ({"is_reg": True} if picture.regularisation else {})
    for old in folder.glob("*/*"):
        if old.is_file() and old not in wanted and old.suffix.lower() in {*PICTURES, ".txt"}:
            old.unlink()
    return list(subsets.values())


def _existing(folder: Path) -> Path:
    return next(each for each in (folder, *folder.parents) if each.exists())


def _copy(picture: "TrainingPicture", place: Path, *, alpha: bool) -> Path:
    """Copies a picture's file; what the scripts would read otherwise than lorasmith becomes a plain PNG."""
    suffix = picture.path.suffix.lower()
    if suffix in PICTURES and not _reads_otherwise(picture.path, alpha):
        file = place / f"{picture.name}{suffix}"
        there = file.stat() if file.exists() else None
        facts = picture.path.stat()
        if there is None or there.st_size != facts.st_size or there.st_mtime < facts.st_mtime:
            shutil.copyfile(picture.path, file)
        return file
    from lorasmith.imaging.read import open_picture, save_png

    file = place / f"{picture.name}.png"
    save_png(open_picture(picture.path), file)
    return file


def _reads_otherwise(path: Path, alpha: bool) -> bool:
    """Says whether a file has what the scripts pass over: transparency (unless that is the mask), rotation by EXIF, many bits."""
    from PIL import Image

    with Image.open(path) as image:
        seen = image.mode in ("RGB", "L") or (alpha and image.mode in ("RGBA", "LA"))
        return not seen or "transparency" in image.info or image.getexif().get(0x0112, 1) != 1


def _paths(project: Project, settings: TrainSettings, folder: Path) -> dict[str, Any]:
    values = {
        "pretrained_model_name_or_path": Path(settings.checkpoint).expanduser().resolve().as_posix(),
        "dataset_config": (folder / DATASET).as_posix(),
        "output_dir": (folder / "output").as_posix(),
        "output_name": folder_word(project.trigger),
    }
    return values | ({"sample_prompts": (folder / PROMPTS).as_posix(), "sample_sampler": "ddim"} if settings.sample_every else {})


def _prompts(project: Project, settings: TrainSettings) -> str:
    side = settings.resolution
    prompts = settings.sample_prompts or [project.trigger]
    return "".join(f"{prompt} --w {side} --h {side} --s {settings.sample_steps} --d {settings.seed}\n" for prompt in prompts)


def _missing(config: dict[str, Any]) -> list[str]:
    named = [config[key] for key in ("pretrained_model_name_or_path", "sample_prompts") if key in config]
    return [f"There is no {path}." for path in named if not Path(path).exists()]


def _notes(settings: TrainSettings, pictures: "Sequence[TrainingPicture]") -> tuple[str, ...]:
    notes = ["The scripts put pictures into buckets by their own rule, so their number of steps can differ a little."]
    if settings.bucket_rule == "kohya":
        notes = []
    if any(picture.weight != 1 for picture in pictures):
        notes.append("The weights of subsets are not carried over; the scripts know one for regularisation alone.")
    notes.append("Run the command in the folder of sd-scripts. Both files hold this machine's paths: elsewhere change them.")
    return tuple(notes)
