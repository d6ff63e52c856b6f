"""publish: a finished LoRA, complete and under a name never used before, into a WebUI's folder."""

import json
import os
from contextlib import suppress
from pathlib import Path

from lorasmith.errors import CheckpointError, UsageError
from lorasmith.files import demand_space, disk_full_is_a_sentence, move_into_place, write_atomic
from lorasmith.project.project import Project

FOLDER = "lorasmith"
_BLOCK = 1 << 20
_SHORT, _LONG = 8, 64  # digits of the file's sha256 in its name


def publish(project: Project, lora: Path, lora_dir: Path) -> Path:
    """Puts a LoRA with its sidecars into `<lora_dir>/lorasmith/` and gives its path there; the same again is given back.

    WebUIs keep what they once read under a name, and show the old content for ever. So the name has digits of the
    content in it; the file is written under a name that they do not look at, and appears complete.
    """
    from lorasmith.checkpoints.family import identify
    from lorasmith.checkpoints.hashes import model_sha
    from lorasmith.checkpoints.header import read_header

    if identify(read_header(lora)).kind != "lora":
        raise CheckpointError(f"{lora} is no LoRA; only LoRAs are put into a WebUI's LoRA folder.")
    if not lora_dir.is_absolute() or not lora_dir.is_dir():
        raise UsageError(f"{lora_dir} is no folder; the WebUI's LoRA folder must be on this machine.")
    sha = model_sha(lora)
    folder = lora_dir / FOLDER
    target = _free_name(folder, lora.stem, sha)
    if not target.is_file():
        demand_space(lora_dir, lora.stat().st_size)
        _write_sidecars(project, lora, target)
        _copy(lora, target)
    return target


def _free_name(folder: Path, stem: str, sha: str) -> Path:
    """Gives the name for this content: one that is free, or that holds just this content already."""
    from lorasmith.checkpoints.hashes import model_sha

    short = folder / f"{stem}-{sha[:_SHORT]}.safetensors"
    if not short.is_file() or model_sha(short) == sha:
        return short
    return folder / f"{stem}-{sha[:_LONG]}.safetensors"  # somebody put another file there


def _copy(lora: Path, target: Path) -> None:
    temporary = target.with_name(f".{target.name}.part")  # WebUIs look at *.safetensors, and at no name with a dot
    with disk_full_is_a_sentence(target):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with lora.open("rb") as source, temporary.open("wb") as stream:
                while block := source.read(_BLOCK):
                    stream.write(block)
                stream.flush()
                os.fsync(stream.fileno())
            move_into_place(temporary, target)
        except OSError:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise


def _write_sidecars(project: Project, lora: Path, target: Path) -> None:
    """Writes what WebUIs show beside a LoRA; before the LoRA itself, so that it never appears without."""
    facts = lora.with_suffix(".json")
    text = facts.read_text(encoding="utf-8") if facts.is_file() else _facts(project, lora)
    write_atomic(target.with_suffix(".json"), text)
    words = lora.with_suffix(".txt")
    if words.is_file():
        write_atomic(target.with_suffix(".txt"), words.read_bytes())
    picture = lora.with_suffix(".png")
    if picture.is_file():
        write_atomic(target.with_suffix(".png"), picture.read_bytes())
    elif sample := _sample(project, lora):
        write_atomic(target.with_suffix(".png"), sample.read_bytes())


def _facts(project: Project, lora: Path) -> str:
    from lorasmith.stages.evaluate.card import card_of

    facts = card_of(project, lora).facts(1.0, "", ["lorasmith: not yet evaluated"])
    return json.dumps(facts, indent=2, ensure_ascii=False) + "\n"


def _sample(project: Project, lora: Path) -> Path | None:
    """Gives the sample picture that training drew of the epoch of this file."""
    run = run_of(project, lora)
    if run is None:
        return None
    from lorasmith.checkpoints.header import read_header

    epoch = read_header(lora).metadata.get("ss_epoch", "")
    samples = sorted((run / "samples").glob(f"e{int(epoch):02d}-*.png")) if epoch.isdigit() else []
    return samples[0] if samples else None


def run_of(project: Project, lora: Path) -> Path | None:
    """Gives the run that a LoRA comes from: the one whose fingerprint it carries."""
    import tomllib

    from lorasmith.checkpoints.header import read_header

    fingerprint = read_header(lora).metadata.get("lorasmith_fingerprint", "")
    for folder in reversed(project.numbered(project.runs)):
        with suppress(OSError, tomllib.TOMLDecodeError):
            run = tomllib.loads((folder / "run.toml").read_text(encoding="utf-8")).get("run", {})
            if fingerprint and run.get("fingerprint") == fingerprint:
                return folder
    return None
