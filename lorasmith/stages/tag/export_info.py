"""info.txt: what a person must know to use a published LoRA: trigger, weight, outfits, toggles, how it was trained."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lorasmith.errors import UsageError
from lorasmith.files import write_atomic
from lorasmith.project.caption_sets import TRIGGER
from lorasmith.project.project import Project
from lorasmith.safety import demand_safe_text
from lorasmith.settings.tables import TagSettings
from lorasmith.stages.tag.captions import outfits_of, profile_of
from lorasmith.stages.tag.cast import remembered_cast
from lorasmith.stages.tag.consolidate import sheet_of
from lorasmith.stages.tag.index import count_tags

_TRAINING = (
    ("base model", "ss_sd_model_name"), ("rank", "ss_network_dim"), ("alpha", "ss_network_alpha"), ("epochs", "ss_num_epochs"),
    ("this file's epoch", "ss_epoch"), ("steps", "ss_steps"), ("resolution", "ss_resolution"), ("unet_lr", "ss_unet_lr"),
    ("text_encoder_lr", "ss_text_encoder_lr"),
)  # fmt: skip


@dataclass(frozen=True)
class InfoWritten:
    """Where the text lies, and of which LoRA it tells."""

    file: str
    lora: str
    lines: int


def export_info(project: Project, lora: Path | None = None, to: Path | None = None) -> InfoWritten:
    """Writes the text that goes with a LoRA, the one named or the one that evaluate chose, else the newest."""
    lora = lora or _best(project)
    if lora is not None and not lora.is_file():
        raise UsageError(f"{lora} is missing; name a .safetensors file in {project.loras}.")
    lines = list(_lines(project, lora))
    text = "\n".join(lines) + "\n"
    demand_safe_text(text, "info.txt")
    file = to or (project.folder / "info.txt" if lora is None else lora.with_suffix(".info.txt"))
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(file, text)
    return InfoWritten(str(file), "" if lora is None else lora.name, len(lines))


def _best(project: Project) -> Path | None:
    """Gives the LoRA that an evaluation chose (it has a description beside it), else the newest."""
    files = sorted(project.loras.glob("*.safetensors"))
    chosen = [file for file in files if file.with_suffix(".json").is_file()]
    return next(reversed(chosen or files), None)


def _lines(project: Project, lora: Path | None) -> Iterator[str]:
    name = project.settings(TagSettings).caption_set
    facts = _facts(lora)
    cast = remembered_cast(project)
    triggers = [f"Trigger: {_prompt([one.trigger])}" for one in cast] or [f"Trigger: {_prompt([project.trigger])}"]
    yield from (project.trigger, "=" * len(project.trigger), "", *triggers)
    if lora is not None:
        yield f"File: {lora.name}"
        yield f"Weight: {facts.get('preferred weight', 1.0)}"
        yield from (f"Note: {note.removeprefix('lorasmith: ')}" for note in [str(facts.get("notes", ""))] if note)
    yield from _looks(project, name)
    yield from _toggles(project)
    if lora is not None:
        yield from _training(lora)
    yield from _captions(project, name)


def _facts(lora: Path | None) -> Mapping[str, object]:
    with suppress(OSError, ValueError):
        read = json.loads(lora.with_suffix(".json").read_text(encoding="utf-8")) if lora is not None else {}
        return read if isinstance(read, dict) else {}
    return {}


def _looks(project: Project, caption_set: str) -> Iterator[str]:
    cast = remembered_cast(project)
    core = [one.tag for one in project.caption_sets.gathered(caption_set) if one.under == TRIGGER] or project.fact("core_tags") or []
    if cast:
        yield from ("", *(f"{_prompt([one.trigger])} brings: {_prompt(one.core)}" for one in cast))
    elif core:
        yield from ("", f"The trigger brings: {_prompt(core)}")
    for outfit, tags in outfits_of(project, caption_set).items():
        yield f"Outfit {_prompt([outfit])}: {_prompt(sorted(tags))}"


def _toggles(project: Project) -> Iterator[str]:
    from lorasmith.tags.reinforcement import read_reinforcement

    sheet = sheet_of(project)
    helps = read_reinforcement(sheet)
    shares = {one.tag: one.share for one in count_tags(project).tags}
    toggles = list(dict.fromkeys((*(entry.tag for entry in sheet.toggles), *helps)))
    if toggles:
        yield from ("", "What can be switched (share of the training pictures; what helps):")
    for toggle in toggles:
        more = f"; with {_prompt(helps[toggle])}" if helps.get(toggle) else ""
        yield f"- {_prompt([toggle])} ({shares.get(toggle, 0.0):.0%}){more}"
    sides = [entry.tag for entry in sheet.choices]
    if sides:
        yield f"Choices: {_prompt(sides)}"


def _training(lora: Path) -> Iterator[str]:
    from lorasmith.checkpoints.header import read_header

    metadata = read_header(lora).metadata
    told = [f"{word} {_short(metadata[key])}" for word, key in _TRAINING if metadata.get(key) not in (None, "", "None")]
    if told:
        yield from ("", f"Trained with: {', '.join(told)}")


def _short(text: str) -> str:
    """Writes a long number with three digits that count; other texts as they are."""
    with suppress(ValueError):
        return text if len(text) < 8 else f"{float(text):.3g}"
    return text


def _captions(project: Project, caption_set: str) -> Iterator[str]:
    captions = project.pictures.captions(caption_set)
    profile = profile_of(project, caption_set)
    if not captions:
        return
    yield from ("", f"Captions: {len(captions)} pictures, caption set {caption_set} ({profile.row.help})")
    if profile.first or profile.last:
        yield f"Every caption has: {_prompt((*profile.first, *profile.last))}"
    yield f"An example: {next(iter(captions.values())).text}"
    artists = {artist for picture in project.pictures.trained() for artist in _artists(project, picture.name)}
    if artists:
        yield f"Drawn by {len(artists)} artists; `lorasmith credits` lists them."


def _artists(project: Project, name: str) -> list[str]:
    return [tag for tag, category in project.pictures.said(name).items() if category == "artist"]


def _prompt(tags: Sequence[str]) -> str:
    """Writes tags as they are typed into a WebUI."""
    from lorasmith.tags.spelling import for_prompt

    return ", ".join(map(for_prompt, tags))
