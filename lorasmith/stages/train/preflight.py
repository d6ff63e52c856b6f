"""preflight: what `check` says, each fault with what to do about it and the page where that is done."""

import re
from dataclasses import dataclass
from typing import Literal

from lorasmith.errors import LorasmithError
from lorasmith.project.project import Project
from lorasmith.settings.tables import TrainSettings
from lorasmith.stages.train.check import Checked, check


@dataclass(frozen=True)
class Advice:
    """What to do, on which page; `setting` is the field of the Train page that it is about."""

    words: str
    page: str = ""
    setting: str = ""


@dataclass(frozen=True)
class Finding:
    """One thing that stops or may spoil a training, or is only good to know."""

    kind: Literal["error", "warning", "note"]
    words: str
    advice: Advice


# What check's sentences begin with or hold -> what to do. Those that say it themselves are only given their page.
_ADVICE: tuple[tuple[str, Advice], ...] = (
    (r"^No base model is set", Advice("Type the base model's path into the form.", "train", "checkpoint")),
    (r"to train on: .* dropped", Advice("Take some of them back.", "prune")),
    (r"has no pictures to train on", Advice("Download some, or add your own there.", "download")),
    (r"^No picture has a caption|ha(s|ve) no caption \(|^Without a caption", Advice("Start tag: it writes the captions.", "tag")),
    (r"pictures? cannot be read|picture files? (is|are) missing", Advice("Put the file back, or start prepare again.", "prepare")),
    (r"drawn by a model|is of generation", Advice("Drop drawn pictures, or raise the limit.", "prune")),
    (r"^block_weights has", Advice("Give as many numbers, or empty the field.", "train", "block_weights")),
    (r"v-prediction|^Zero terminal SNR", Advice("Set what the model predicts.", "train", "prediction_type")),
    (r"see tag\.characters", Advice("Name the characters there.", "tag", "")),
    (r"times as often as|each seen .* times|is nowhere alone", Advice("Download more of it.", "download")),
    (r"[Ss]ubset", Advice("Change the subsets in the form.", "train", "subsets")),
    (r"^Less than .* are free", Advice("Make room on that disk before the run.")),
    (r"^There are only", Advice("Download more, or take dropped ones back.", "download")),
    (r"^Smaller than their bucket", Advice("Drop them, or let none be enlarged.", "train", "bucket_no_upscale")),
    (r"^No bucket has their shape", Advice("Crop them nearer to a bucket's shape.", "prepare")),
    (r"^max_steps ends the run", Advice("Set it to 0 for all epochs.", "train", "max_steps")),
    (r"^The text encoder is not trained", Advice("Meant so for SDXL; else empty its rate.", "train", "text_encoder_lr")),
    (r"which is very high", Advice("Use more repeats or epochs.", "train", "repeats")),
    (r"more than twice the rank", Advice("Usual are the rank, or half of it.", "train", "alpha")),
    (r"^text_encoder_2_lr has no effect", Advice("Empty the field.", "train", "text_encoder_2_lr")),
    (r"^clip_skip has no effect", Advice("Nothing to do.", "train", "clip_skip")),
    (r"^SD1\.x was made for", Advice("Set the resolution to 512 or 768, or take a preset for SD1.x.", "train", "resolution")),
    (r"^SDXL was made for", Advice("Set the resolution to 1024, or take a preset for SDXL.", "train", "resolution")),
    (r"root model|merge|descends", Advice("Nothing to do, if you will use it with this model.", "train", "checkpoint")),
    (r"base model|checkpoint|safetensors|tensors|file", Advice("Choose another base model.", "train", "checkpoint")),
)
_GOOD_TO_KNOW = re.compile(r"^(The text encoder is not trained|Subset \S+: \d|clip_skip has no effect|Characters: )|root model")


@dataclass(frozen=True)
class Preflight:
    """What would stop or spoil a training; `checked` is None where it could not even be looked at."""

    findings: tuple[Finding, ...]
    checked: Checked | None

    @property
    def ready(self) -> bool:
        """Whether a training would start."""
        return not any(found.kind == "error" for found in self.findings)


def preflight(project: Project) -> Preflight:
    """Looks at a project as `check` does; a fault that keeps it from looking is an error like the others."""
    try:
        settings = project.settings(TrainSettings)
        checked = check(project, settings)
    except LorasmithError as error:
        return Preflight((Finding("error", str(error), advice_for(str(error))),), None)
    errors = [Finding("error", words, advice_for(words)) for words in checked.errors]
    others = [
        Finding("note" if _GOOD_TO_KNOW.search(words) else "warning", words, advice_for(words)) for words in checked.warnings
    ]
    return Preflight((*errors, *sorted(others, key=lambda one: one.kind == "note")), checked)


def advice_for(words: str) -> Advice:
    """Gives what to do about a sentence of `check`; nothing where the sentence says it itself."""
    return next((advice for pattern, advice in _ADVICE if re.search(pattern, words)), Advice(""))
