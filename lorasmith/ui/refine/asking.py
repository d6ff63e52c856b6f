"""What the Refine page asks: the candidates with their scores and descent, what the set lacks, what would be drawn next."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from lorasmith.errors import LorasmithError, UsageError
from lorasmith.project.pictures import PERSON, REFUSED, Decision, Picture
from lorasmith.project.project import Project
from lorasmith.settings.tables import RefineSettings, TagSettings
from lorasmith.stages.evaluate.bench import SCORES, finished_runs, last_finished_run
from lorasmith.stages.evaluate.training_looks import habits
from lorasmith.stages.refine.candidates import FOLDER, ROWS, shown_in_training
from lorasmith.stages.refine.lineage import generation_of, lineage, lineage_faults, rendered_in
from lorasmith.stages.tag.threshold_trial import listed_taggers
from lorasmith.ui import html
from lorasmith.ui.answering import Words, over_project
from lorasmith.ui.evaluate import reading

PER_PAGE = 60
MOST_DRAWN = 1000
_LACKS = {"framing": "Framings", "view": "Views", "pose": "Poses"}
_MOST_LACKS = 8


# candidates


def _page(project: Project, words: Words) -> dict[str, Any]:
    """One page of the candidates that are waiting, kept or refused, with how many there are of each."""
    decisions = project.pictures.decisions()
    candidates = [one for one in project.pictures.all(origins=("render",)) if not _is_refused(decisions.get(one.name))]
    states = {one.name: state_of(decisions.get(one.name)) for one in candidates}
    counts = {"waiting": 0, "kept": 0, "refused": 0} | {"all": len(candidates)}
    for state in states.values():
        counts[state] += 1
    wanted = words.get("show", "waiting")
    found = [one for one in candidates if wanted not in ("waiting", "kept", "refused") or states[one.name] == wanted]
    found.sort(key=lambda one: _likest(project, one), reverse=True)
    pages = max(1, -(-len(found) // PER_PAGE))
    page = min(max(1, _number(words.get("page"))), pages)
    part = found[(page - 1) * PER_PAGE : page * PER_PAGE]
    return {
        "counts": counts, "total": len(found), "page": page, "pages": pages, "trigger": project.trigger,
        "candidates": [_tile(project, one, decisions, words.get("project", "")) for one in part],
    }  # fmt: skip


def state_of(decision: Decision | None) -> str:
    """Says what is the matter with a candidate: it waits, a person kept it, or a person refused it."""
    if decision is not None and decision.maker == PERSON:
        return "kept" if decision.verdict == "keep" else "refused"
    return "waiting"


def _is_refused(decision: Decision | None) -> bool:
    return decision is not None and decision.maker == REFUSED


def _likest(project: Project, one: Picture) -> tuple[float, str]:
    return float(render_of(project, one).get("likeness") or 0.0), one.name


def _tile(project: Project, one: Picture, decisions: Mapping[str, Decision], id: str) -> dict[str, Any]:
    post, render = one.post, render_of(project, one)
    near = project.pictures.find(str(render["nearest"])) if render.get("nearest") else None
    if near is not None and (_is_refused(decisions.get(near.name)) or _is_refused(decisions.get(near.parent or ""))):
        near = None
    return {
        "name": one.name, "state": state_of(decisions.get(one.name)), "src": html.thumbnail_address(id, one.file, version=one.sha256),
        "large": html.file_address(id, one.file), "width": one.width, "height": one.height,
        "prompt": post.get("prompt", ""), "seed": post.get("seed"), "lora": post.get("lora", ""), "weight": post.get("weight"),
        "generation": generation_of(one), "from": " or ".join(rendered_in(post)),
        "asked": (render.get("prompt") or {}).get("asked", []),
        "scores": {key: render.get(key) for key in ("likeness", "followed", "similarity")},
        "copies": render.get("copies", ""), "own": sorted((render.get("own_scores") or {}).items(), key=lambda row: -row[1]),
        "nearest": None if near is None else {"name": near.name, "src": html.thumbnail_address(id, near.file, 192, near.sha256)},
    }  # fmt: skip


def render_of(project: Project, one: Picture) -> Mapping[str, Any]:
    """Finds the judged render that a candidate was made from; empty where its evaluation has gone."""
    for place in rendered_in(one.post):
        file = project.folder / place / (ROWS if place.startswith(f"{FOLDER}/") else SCORES)
        try:
            facts = file.stat()
            found = _by_drawing(str(file), facts.st_mtime_ns, facts.st_size).get(_drawing(one.post, one.post.get("prompt")))
        except (OSError, LorasmithError):
            continue
        if found is not None:
            return found
    return {}


def _drawing(row: Mapping[str, Any], prompt: Any) -> tuple[str, str, str, str]:
    return str(row.get("lora", "")), str(prompt), str(row.get("seed")), f"{float(row.get('weight') or 0):.4g}"


@lru_cache(maxsize=8)
def _by_drawing(file: str, moment: int, size: int) -> dict[tuple[str, str, str, str], Mapping[str, Any]]:
    """Gives the judged renders of a folder by what drew them."""
    told = reading.read_rows(Path(file))
    return {_drawing(row, row["prompt"]["text"]): row for row in told if isinstance(row.get("prompt"), dict)}


# the set


def _set(project: Project, words: Words) -> dict[str, Any]:
    """What of the set a model drew, and how far the limits are; what must be there before the next round."""
    settings, trained = project.settings(RefineSettings), project.pictures.trained()
    drawn = lineage(project, trained)
    whole = len({one.name.split(".")[0] for one in trained})
    generations: dict[int, int] = {}
    for one in drawn:
        generations[one.generation] = generations.get(one.generation, 0) + 1
    loras: dict[str, int] = {}
    for one in drawn:
        loras[one.lora or "the base model alone"] = loras.get(one.lora or "the base model alone", 0) + 1
    evaluated = [folder.name for folder in reading.evaluations_of(project) if reading.is_finished(folder)]
    return {
        "pictures": whole, "drawn": len(drawn), "share": round(len(drawn) / whole, 4) if whole else 0.0,
        "generations": sorted(generations.items()), "loras": sorted(loras.items(), key=lambda row: -row[1]),
        "faults": lineage_faults(project, trained), "max_share": settings.max_generated, "max_generation": settings.max_generation,
        "evaluation": evaluated[0] if evaluated else "", "runs": len(finished_runs(project)),
        "candidates": settings.candidates, "ground": settings.ground, "grounds": ["grey", "pink", "white", "any"],
        "own": sorted((file.name for file in project.loras.glob("*.safetensors")), reverse=True),
        "min_likeness": settings.min_likeness, "top_n": settings.top_n,
    }  # fmt: skip


def _plan(project: Project, words: Words) -> dict[str, Any]:
    """What the set shows least, and the prompts that would be drawn for it, as refine plans them."""
    from lorasmith.judging.asked import asked_members
    from lorasmith.judging.candidates import candidate_prompts

    count = count_of(words.get("count", "8"))
    known = {label.name for tagger in listed_taggers(project, project.settings(TagSettings))[:1] for label in tagger.labels}
    shares = _shares(project)
    if not known or not shares:
        return {"lacks": [], "prompts": [], "why": "What the set lacks is known when tag has run."}
    ground = words.get("ground") if words.get("ground") in ("grey", "pink", "white", "any") else "grey"
    prompts = candidate_prompts(project.trigger, shares, known, count, str(ground))
    lacks = []
    for kind, title in _LACKS.items():
        rows = [(tag, round(shares.get(tag, 0.0), 4)) for tag in asked_members(kind, shares, known, _MOST_LACKS)]  # type: ignore[arg-type]
        lacks.append({"title": title, "rows": sorted(rows, key=lambda row: row[1])})
    return {"lacks": lacks, "prompts": [{"text": one.text, "asked": one.asked} for one in prompts], "why": ""}


def _shares(project: Project) -> dict[str, float]:
    """Gives how much of what the last run was shown carries each tag; before any run, how much of the set."""
    try:
        return shown_in_training(last_finished_run(project))
    except (LorasmithError, OSError, ValueError, KeyError, ZeroDivisionError):
        return habits(project)


def count_of(given: Any) -> int:
    """Reads how many candidates are drawn."""
    text = str(given).strip() if not isinstance(given, bool) else ""
    if not text.isdecimal() or not 0 < int(text[:9]) <= MOST_DRAWN:
        raise UsageError(f"Give how many candidates are drawn, from 1 to {MOST_DRAWN}.")
    return int(text)


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 9 else 1


ANSWERS: dict[str, Callable[[Project, Words], dict[str, Any]]] = {"page": _page, "set": _set, "plan": _plan}
show = over_project("Refine", ANSWERS)
