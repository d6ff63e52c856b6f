"""How far a project is: what each stage has left behind, whoever ran it, and what to do next."""

from dataclasses import dataclass
from typing import Any, Literal

from lorasmith.project.pictures import Picture
from lorasmith.project.project import RESULT, Project
from lorasmith.settings.tables import TagSettings
from lorasmith.stages.refine import SCORES
from lorasmith.stages.table import STAGES

State = Literal["done", "begun", "ready", "waiting"]  # waiting: for an earlier stage


@dataclass(frozen=True)
class StageStatus:
    """How far one stage is, in a word and in a sentence."""

    name: str
    state: State
    words: str


@dataclass(frozen=True)
class Status:
    """How far a project is."""

    trigger: str
    stages: tuple[StageStatus, ...]
    next: str  # the stage to run next; empty when all are done
    advice: str


def status(project: Project) -> Status:
    """Reads how far a project is from its record and its folders; changes nothing."""
    found = tuple(_stage_status(project, stage.name) for stage in STAGES)
    following = next((one.name for one in found if one.state in ("ready", "begun")), "")
    return Status(project.trigger, found, following, _advice(found, following))


def last_result(project: Project, stage: str) -> dict[str, Any]:
    """Gives what a stage gave when it last ended, as plain values; nothing when it never did, or was undone."""
    value = project.fact(f"{RESULT}{stage}")
    return value if isinstance(value, dict) else {}


def _stage_status(project: Project, name: str) -> StageStatus:
    pictures = project.pictures.originals()
    if name == "research":
        return _research(project, pictures)
    if name == "download":
        return _download(project, pictures)
    if not [picture for picture in pictures if picture.origin != "render"]:
        return StageStatus(name, "waiting", "no pictures yet: download some, or add your own")
    judge = {"prune": _prune, "prepare": _prepare, "tag": _tag, "train": _train, "evaluate": _evaluate, "refine": _refine}
    return judge[name](project) if name in judge else _other(project, name)


def _other(project: Project, name: str) -> StageStatus:
    """Says of a stage that has no words of its own here whether it ever ended."""
    done = bool(last_result(project, name))
    return StageStatus(name, "done" if done else "ready", "done" if done else "not run yet")


def _research(project: Project, pictures: list[Picture]) -> StageStatus:
    found = project.fact("research")
    if found:
        return StageStatus("research", "done", f"{found['count']} posts on the site for '{found['query']}'")
    if pictures:
        return StageStatus("research", "done", "not needed: there are pictures")
    return StageStatus("research", "ready", "asks the site what it has, before anything big is fetched")


def _download(project: Project, pictures: list[Picture]) -> StageStatus:
    fetched = sum(picture.origin == "booru" for picture in pictures)
    own = sum(picture.origin == "folder" for picture in pictures)
    words = ", ".join(part for part in (f"{fetched} fetched" if fetched else "", f"{own} of your own" if own else "") if part)
    if not words:
        return StageStatus("download", "ready", "nothing fetched yet")
    finished = bool(last_result(project, "download")) or not fetched
    return StageStatus("download", "done" if finished else "begun", words if finished else f"{words}, not finished")


def _prune(project: Project) -> StageStatus:
    kept, all_of_them = len(project.pictures.kept()), len(project.pictures.originals())
    if last_result(project, "prune"):
        return StageStatus("prune", "done", f"{kept} of {all_of_them} pictures are kept")
    return StageStatus("prune", "ready", f"{all_of_them} pictures to look through")


def _prepare(project: Project) -> StageStatus:
    if not last_result(project, "prepare"):
        return StageStatus("prepare", "ready", "no crops made yet")
    return StageStatus("prepare", "done", f"{len(project.pictures.trained())} training pictures")


def _tag(project: Project) -> StageStatus:
    captions = len(project.pictures.captions(project.settings(TagSettings).caption_set))
    if not last_result(project, "tag"):
        return StageStatus("tag", "ready", "no captions written yet")
    return StageStatus("tag", "done", f"{captions} captions; the trigger stands for {_listed(project)}")


def _listed(project: Project) -> str:
    core = list(project.fact("core_tags") or ())
    return (", ".join(core[:4]) + (f" and {len(core) - 4} more" if len(core) > 4 else "")) or "nothing yet"


def _train(project: Project) -> StageStatus:
    runs = project.numbered(project.runs)
    if not runs:
        captions = project.pictures.captions(project.settings(TagSettings).caption_set)
        return StageStatus("train", "ready", "no LoRA yet") if captions else _after("train", "tag")
    newest = runs[-1]
    if (newest / "trained.json").is_file():
        files = len(list(project.loras.glob("*.safetensors")))
        return StageStatus("train", "done", f"run {newest.name} has ended; {files} LoRA files")
    return StageStatus("train", "begun", f"run {newest.name} was stopped before its end; it goes on where it was")


def _evaluate(project: Project) -> StageStatus:
    if not any((folder / "trained.json").is_file() for folder in project.numbered(project.runs)):
        return _after("evaluate", "train")
    folders = project.numbered(project.evaluations)
    if not folders:
        return StageStatus("evaluate", "ready", "nothing rendered yet")
    if not (folders[-1] / SCORES).is_file():
        return StageStatus("evaluate", "begun", f"evaluation {folders[-1].name} was stopped before its end; it goes on")
    result = last_result(project, "evaluate")
    best = f"; best is epoch {result['epoch']} at weight {result['weight']:g}" if result else ""
    return StageStatus("evaluate", "done", f"evaluation {folders[-1].name}{best}")


def _refine(project: Project) -> StageStatus:
    if not any((folder / SCORES).is_file() for folder in project.numbered(project.evaluations)):
        return _after("refine", "evaluate")
    back = len(project.pictures.all(origins=("render",)))
    if not last_result(project, "refine"):
        return StageStatus("refine", "ready", "no renders brought back yet")
    return StageStatus("refine", "done", f"{back} renders came back as candidates")


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
