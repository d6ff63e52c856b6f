"""The card of a LoRA: what WebUIs read beside it, and the text to publish it with, from its own metadata."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lorasmith.project.project import Project
from lorasmith.stages.tag.consolidate import sheet_of

if TYPE_CHECKING:
    from lorasmith.judging.record import Evaluation

_TAGS = 24  # of the training tags, as many as WebUIs show
_SETTINGS = {
    "ss_network_dim": "rank",
    "ss_network_alpha": "alpha",
    "ss_unet_lr": "U-Net rate",
    "ss_text_encoder_lr": "text encoder rate",
    "ss_optimizer": "optimizer",
    "ss_lr_scheduler": "scheduler",
    "ss_batch_size_per_device": "batch",
    "ss_resolution": "resolution",
    "ss_clip_skip": "clip skip",
    "ss_min_snr_gamma": "min-SNR gamma",
    "ss_noise_offset": "noise offset",
    "ss_seed": "seed",
}


@dataclass(frozen=True)
class Card:
    """What a LoRA file says of itself, with what the character sheet adds: the tags that help to prompt each toggle."""

    name: str
    trigger: str
    version: str  # SD1 or SDXL, as WebUIs write it
    base: str  # the base model's name
    pictures: str
    length: Mapping[str, Any]
    settings: Mapping[str, str]
    tags: Mapping[str, int]
    reinforcement: Mapping[str, tuple[str, ...]]
    triggers: tuple[str, ...] = ()  # of several characters in one LoRA

    @property
    def activation(self) -> str:
        """The text that calls the character, the first of several, as it is typed into a prompt."""
        from lorasmith.tags.spelling import escaped

        return escaped(self.trigger)

    def facts(self, weight: float, negative: str, notes: Sequence[str]) -> dict[str, Any]:
        """Gives the keys of `<name>.json` that WebUIs read."""
        described = f"{' and '.join(self.triggers) or self.trigger}, trained on {self.base}"
        described += f" with {self.pictures} pictures" if self.pictures else ""
        helped = [f"{_shown(toggle)}: {', '.join(map(_shown, tags))}" for toggle, tags in self.reinforcement.items()]
        return {
            "description": described,
            "sd version": self.version,
            "activation text": self.activation,
            "preferred weight": weight,
            "negative text": negative,
            "notes": "\n".join([*self.cast_lines(), *notes, *(f"Helps with {line}" for line in helped)]),
        }


    def cast_lines(self) -> list[str]:
        """Says how each of several characters is called, and two of them together."""
        from lorasmith.tags.spelling import escaped

        if len(self.triggers) < 2:
            return []
        called = [escaped(trigger) for trigger in self.triggers]
        return [f"Characters, one trigger each: {'; '.join(called)}", f"Together: {', '.join(called[:2])}, duo"]


def card_of(project: Project, lora: Path) -> Card:
    """Reads the card off a LoRA's metadata and the project's character sheet; tags that mark minors are not on it."""
    from lorasmith.checkpoints import lora_history as history
    from lorasmith.checkpoints.header import read_header
    from lorasmith.safety import is_refused
    from lorasmith.tags.reinforcement import read_reinforcement

    metadata = read_header(lora).metadata
    length = history.length_told(metadata)
    trigger = history.value(metadata, "lorasmith_trigger", "modelspec.trigger_phrase") or project.trigger
    tags, _ = history.tags_told(metadata)
    called = history.triggers_told(metadata)
    helped = {
        toggle: tuple(tag for tag in tags_of if not is_refused(tag))
        for toggle, tags_of in read_reinforcement(sheet_of(project)).items()
        if not is_refused(toggle)
    }
    return Card(
        name=lora.stem,
        trigger=trigger,
        version="SDXL" if history.version_of(metadata) == "SDXL" else "SD1",
        base=history.value(metadata, "ss_sd_model_name") or "an unknown base model",
        pictures=str(length.get("pictures", "")),
        length=length,
        settings={name: _short(text) for key, name in _SETTINGS.items() if (text := history.value(metadata, key))},
        tags={tag: count for tag, count in list(tags.items())[: _TAGS + 1] if tag not in (trigger, *called)},
        reinforcement={toggle: tags_of for toggle, tags_of in helped.items() if tags_of},
        triggers=called,
    )


def publication(card: Card, weight: float, record: "Evaluation | None" = None) -> str:
    """Writes the text to publish a LoRA with: how to use it, how it scored, how it was made."""
    called = card.cast_lines() or [f"Trigger: {card.activation}"]
    lines = [card.name, "", *called, f"Weight: {weight:g}", f"Base model: {card.base} ({card.version})"]
    if card.reinforcement:
        lines += ["", "Outfits and what helps to prompt them:"]
        lines += [f"- {_shown(toggle)}: {', '.join(map(_shown, tags))}" for toggle, tags in card.reinforcement.items()]
    if record is not None:
        lines += ["", *_scores(record)]
    facts = [f"{name} {text}" for name, text in card.length.items() if name in ("epoch", "steps", "took", "trained")]
    lines += ["", "How it was made:"]
    if card.pictures:
        lines.append(f"- {card.pictures} pictures, {card.length.get('draws_an_epoch', '?')} draws an epoch")
    lines += [f"- {', '.join(facts)}"] if facts else []
    lines += [f"- {name}: {text}" for name, text in card.settings.items()]
    if card.tags:
        lines += ["", "Tags: " + ", ".join(f"{_shown(tag)} ({count})" for tag, count in list(card.tags.items())[:_TAGS])]
    return "\n".join(lines) + "\n"


def _scores(record: "Evaluation") -> list[str]:
    from lorasmith.judging.record import rows

    lines = [f"Judged by {record.tagger} on seeds that chose nothing (with the LoRA, without it):"]
    for row in rows(record):
        pair = [f"{one.mean:.2f}" if one is not None else "-" for one in (row.with_lora, row.without)]
        lines.append(f"- {row.what}: {pair[0]}, {pair[1]}")
    return lines


def _short(text: str) -> str:
    """Writes a long fraction with four digits."""
    try:
        return f"{float(text):.4g}"
    except ValueError:
        return text


def _shown(tag: str) -> str:
    return tag.replace("_", " ")
