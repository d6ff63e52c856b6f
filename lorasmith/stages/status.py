"""How far a project is: what each stage has left behind, whoever ran it, and what to do next."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from lorasmith.project.pictures import Caption, Picture
from lorasmith.project.project import RESULT, Project
from lorasmith.settings.tables import NO_TAGGER, TagSettings
from lorasmith.stages.refine.stage import SCORES
from lorasmith.stages.table import STAGES

State = Literal["done", "begun", "ready", "waiting"]  # waiting: for an earlier stage


@dataclass(frozen=True)
class StageStatus:
    """How far one stage is, in a word and in a sentence."""

    name: str
    state: State
    words: str
    count: tuple[int, str] | None = None  # how much there is of what it makes, and what that is


@dataclass(frozen=True)
class Status:
    """How far a project is."""

    trigger: str
    stages: tuple[StageStatus, ...]
    next: str  # the stage to run next; empty when all are done
    advice: str


def status(project: Project) -> Status:
    """Reads how far a project is from its record and its folders; changes nothing."""
    look = Look(project)
    found = tuple(_counted(look, _stage_status(look, stage.name)) for stage in STAGES)
    following = next((one.name for one in found if one.state in ("ready", "begun")), "")
    return Status(project.trigger, found, following, _advice(found, following))


class Look:
    """One look at a project: what several stages ask about is read once."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.originals = project.pictures.originals()
        self.kept = project.pictures.kept(self.originals)

    @cached_property
    def trained(self) -> list[Picture]:
        """What is trained on."""
        return self.project.pictures.trained()

    @cached_property
    def captions(self) -> dict[str, Caption]:
        """The captions of the set that is written."""
        return self.project.pictures.captions(self.project.settings(TagSettings).caption_set)


def last_result(project: Project, stage: str) -> dict[str, Any]:
    """Gives what a stage gave when it last ended, as plain values; nothing when it never did, or was undone."""
    value = project.fact(f"{RESULT}{stage}")
    return value if isinstance(value, dict) else {}


def _stage_status(look: Look, name: str) -> StageStatus:
    if name in ("research", "download"):
        return _research(look) if name == "research" else _download(look)
    if not [picture for picture in look.originals if picture.origin != "render"]:
        return StageStatus(name, "waiting", "no pictures yet: download some, or add your own")
    judge = {"prune": _prune, "prepare": _prepare, "tag": _tag, "train": _train, "evaluate": _evaluate, "refine": _refine}
    return judge[name](look) if name in judge else _other(look, name)


def _counted(look: Look, one: StageStatus) -> StageStatus:
    """Adds how much there is of what a stage makes, once there is any."""
    if one.state not in ("done", "begun") or one.name not in _COUNTS:
        return one
    number, words = _COUNTS[one.name](look)
    if number == 1:
        words = _PLURAL.sub(r"\1", words)
    return replace(one, count=(number, words)) if number else one


_PLURAL = re.compile(r"\b(post|picture|caption|file|evaluation|render)s\b")
_COUNTS: dict[str, Callable[[Look], tuple[int, str]]] = {
    "research": lambda look: (int((look.project.fact("research") or {}).get("count") or 0), "posts on the site"),
    "download": lambda look: (sum(one.origin != "render" for one in look.originals), "pictures"),
    "prune": lambda look: (len(look.kept), "pictures kept"),
    "prepare": lambda look: (len(look.trained), "to train on"),
    "tag": lambda look: (len(look.captions), "captions"),
    "train": lambda look: (len(list(look.project.loras.glob("*.safetensors"))), "LoRA files"),
    "evaluate": lambda look: (len(look.project.numbered(look.project.evaluations)), "evaluations"),
    "refine": lambda look: (sum(one.origin == "render" for one in look.originals), "renders back"),
}


def _other(look: Look, name: str) -> StageStatus:
    """Says of a stage that has no words of its own here whether it ever ended."""
    done = bool(last_result(look.project, name))
    return StageStatus(name, "done" if done else "ready", "done" if done else "not run yet")


def _research(look: Look) -> StageStatus:
    found = look.project.fact("research")
    if found:
        return StageStatus("research", "done", f"{_many(found['count'], 'post')} on the site for '{found['query']}'")
    if look.originals:
        return StageStatus("research", "done", "not needed: there are pictures")
    return StageStatus("research", "ready", "asks the site what it has, before anything big is fetched")


def _download(look: Look) -> StageStatus:
    fetched = sum(picture.origin == "booru" for picture in look.originals)
    own = sum(picture.origin == "folder" for picture in look.originals)
    words = ", ".join(part for part in (f"{fetched} fetched" if fetched else "", f"{own} of your own" if own else "") if part)
    if not words:
        return StageStatus("download", "ready", "nothing fetched yet")
    finished = bool(last_result(look.project, "download")) or not fetched
    return StageStatus("download", "done" if finished else "begun", words if finished else f"{words}, not finished")


def _prune(look: Look) -> StageStatus:
    found = last_result(look.project, "prune")
    if not found:
        return StageStatus("prune", "ready", f"{_many(len(look.originals), 'picture')} to look through")
    new = len(look.originals) - int(found.get("pictures", 0))
    if new > len([one for one in look.originals if one.origin == "render"]):
        return StageStatus("prune", "begun", "pictures came in since it was run last")
    return StageStatus("prune", "done", f"{len(look.kept)} of {len(look.originals)} pictures are kept")


def _prepare(look: Look) -> StageStatus:
    if not last_result(look.project, "prepare"):
        return StageStatus("prepare", "ready", "no crops made yet")
    waiting = sum(not _is_prepared(look.project, picture) for picture in look.kept)
    if waiting:
        words = f"{_many(waiting, 'picture')} {'are' if waiting > 1 else 'is'} new, kept again or erased in since it was run last"
        return StageStatus("prepare", "begun", words)
    return StageStatus("prepare", "done", _many(len(look.trained), "training picture"))


def _is_prepared(project: Project, original: Picture) -> bool:
    """Says whether an original was prepared from the version that stands for it now."""
    done = project.fact(f"prepared:{original.name}")
    return isinstance(done, dict) and done.get("of") == project.pictures.newest_version(original.name).sha256


def _tag(look: Look) -> StageStatus:
    if not last_result(look.project, "tag"):
        return StageStatus("tag", "ready", "no captions written yet")
    without = sum(picture.name not in look.captions for picture in look.trained)
    if without:
        return StageStatus("tag", "begun", f"{_many(without, 'training picture')} {'have' if without > 1 else 'has'} no caption yet")
    return StageStatus("tag", "done", f"{_many(len(look.captions), 'caption')}; the trigger stands for {_listed(look.project)}")


def _listed(project: Project) -> str:
    core = list(project.fact("core_tags") or ())
    return (", ".join(core[:4]) + (f" and {len(core) - 4} more" if len(core) > 4 else "")) or "nothing yet"


def _train(look: Look) -> StageStatus:
    runs = look.project.numbered(look.project.runs)
    if not runs:
        return StageStatus("train", "ready", "no LoRA yet") if look.captions else _after("train", "tag")
    newest = runs[-1]
    if (newest / "trained.json").is_file():
        files = len(json.loads((newest / "trained.json").read_text(encoding="utf-8"))["files"])
        return StageStatus("train", "done", f"run {newest.name} has ended; {_many(files, 'LoRA file')}")
    return StageStatus("train", "begun", f"run {newest.name} has not ended; it goes on where it was")


def _evaluate(look: Look) -> StageStatus:
    project = look.project
    if project.settings(TagSettings).tagger == NO_TAGGER:
        return StageStatus("evaluate", "waiting", "needs a tagger, and tag.tagger is 'none'")
    if not any((folder / "trained.json").is_file() for folder in project.numbered(project.runs)):
        return _after("evaluate", "train")
    folders = project.numbered(project.evaluations)
    if not folders:
        return StageStatus("evaluate", "ready", "nothing rendered yet")
    if not (folders[-1] / SCORES).is_file():
        return StageStatus("evaluate", "begun", f"evaluation {folders[-1].name} has not ended; it goes on where it was")
    result = last_result(project, "evaluate")
    best = f"; best is epoch {result['epoch']} at weight {result['weight']:g}" if result else ""
    return StageStatus("evaluate", "done", f"evaluation {folders[-1].name}{best}")


def _refine(look: Look) -> StageStatus:
    project = look.project
    if not any((folder / SCORES).is_file() for folder in project.numbered(project.evaluations)):
        return _after("refine", "evaluate")
    back = sum(picture.origin == "render" for picture in look.originals)
    if not last_result(project, "refine"):
        return StageStatus("refine", "ready", "no renders brought back yet")
    return StageStatus("refine", "done", f"{_many(back, 'render')} came back as candidates")


def _many(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _after(name: str, earlier: str) -> StageStatus:
    return StageStatus(name, "waiting", f"comes after {earlier}")


def _advice(stages: tuple[StageStatus, ...], following: str) -> str:
    """Says in one sentence what to do next."""
    if not following:
        return "All stages are done: look at the evaluation, keep the renders that are good, and train again if you like."
    begun = next(one for one in stages if one.name == following)
    if begun.state == "begun":
        return f"Next: {following} goes on where it was ({begun.words})."
    sentences = {stage.name: stage.help for stage in STAGES}
    return f"Next: {following}. {sentences[following]}"
