"""evaluate --base-only: how well the base alone draws the described character, and the strength that this asks for."""

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from lorasmith.errors import UsageError
from lorasmith.files import write_atomic
from lorasmith.progress import Progress, Report, silent
from lorasmith.project.project import Project
from lorasmith.settings.tables import EvaluateSettings, TrainSettings
from lorasmith.stages.evaluate.bench import SCORES, Bench, Subject, finished_runs, open_bench, settings_of_run
from lorasmith.stages.evaluate.judged import judge_renders, render, without_refused
from lorasmith.stages.evaluate.renders import scores_of, wanted
from lorasmith.stages.evaluate.stage import BASE

if TYPE_CHECKING:
    from lorasmith.judging.advisor import Outcome
    from lorasmith.judging.plan import PlannedPrompt
    from lorasmith.rendering.prompt import Renderer

PLACE = "base"  # folder below evaluations/
ADVICE = "strength.json"


@dataclass(frozen=True)
class Advised:
    """The proposed strength, why, and what the base draws of each own look when told."""

    folder: str
    strength: float
    present: float
    reasons: tuple[str, ...]
    described: float | None
    unnamed: float | None
    by_tag: dict[str, float]
    rendered_now: int
    next: str


def advise_strength(
    project: Project, settings: EvaluateSettings, report: Report = silent, renderer: "Renderer | None" = None
) -> Advised:
    """Renders the character in words with the base alone, in each framing, and the same scenes without the words."""
    from lorasmith.judging.advisor import advise, drawn_by_base

    report(Progress("evaluate", 0, None, "loading"))
    if not project.fact("core_tags"):
        raise UsageError("The character's own tags are not known yet; run `lorasmith tag` first.")
    train = project.settings(TrainSettings)
    bench = open_bench(
        project, settings, Subject("base", (), train.model_dump(mode="json"), project.evaluations / PLACE), report, renderer
    )
    prompts = _prompts(bench)
    renders = wanted([BASE], prompts, [*settings.seeds, *settings.report_seeds], told=False)
    made = render(bench, renders)
    judged = judge_renders(bench, renders)[BASE]
    without_refused(bench, renders, scores_of(project, bench.tagger, bench.folder, renders, report))
    named = [one for one in judged if one.prompt.kind == "described"]
    drawn = drawn_by_base(named, [one for one in judged if one.prompt.kind == "plain"], bench.judge)
    found = advise(drawn, train.strength, _outcomes(project))
    write_atomic(
        bench.folder / ADVICE, json.dumps({"format": 1, **asdict(drawn), **asdict(found)}, indent=2, ensure_ascii=False) + "\n"
    )
    report(Progress("evaluate", 1, 1, "done"))
    change = "" if found.strength == train.strength else f"`lorasmith train DIR --strength {found.strength:g}`"
    return Advised(
        bench.folder.relative_to(project.folder).as_posix(), found.strength, train.strength, found.reasons,
        None if drawn.described is None else round(drawn.described.mean, 3),
        None if drawn.unnamed is None else round(drawn.unnamed.mean, 3),
        {tag: round(score, 3) for tag, score in drawn.by_tag.items()}, made, change,
    )  # fmt: skip


def _prompts(bench: Bench) -> "list[PlannedPrompt]":
    """Plans the looks in words alone and in each framing that can show them, and the same without the words."""
    from lorasmith.judging.plan import PlannedPrompt
    from lorasmith.tags.crops import kind_of_framing, shown_by
    from lorasmith.tags.spelling import for_prompt

    framings = [prompt.asked[0] for prompt in bench.prompts if prompt.kind == "framing"]
    cores = list(bench.judge.cast.values()) or [bench.judge.core]  # several characters: each described by itself
    found = [looks for core in cores if (looks := [tag for tag in core if tag in bench.judge.index])]
    if not found:
        raise UsageError(
            'The tagger knows none of the character\'s own tags; name the looks under "Core looks" in info.md, or as tag.core_tags.'
        )
    plan = []
    for looks in found:
        plan.append(PlannedPrompt("described", ", ".join(map(for_prompt, looks)), tuple(looks), has_trigger=False))
        for framing in framings:
            seen = tuple(shown_by(looks, kind_of_framing(framing)))
            if seen:
                text = ", ".join(map(for_prompt, (framing, *seen)))
                plan.append(PlannedPrompt("described", text, seen, has_trigger=False))
                plan.append(PlannedPrompt("plain", for_prompt(framing), (framing,), has_trigger=False))
    return list({prompt.text: prompt for prompt in plan}.values())


def _outcomes(project: Project) -> "list[Outcome]":
    """Reads how the project's runs came out, in their order: the strength of each and the word of its best cell."""
    from lorasmith.judging.advisor import Outcome

    strengths = {run.name: float(settings_of_run(run).get("strength", 0.0)) for run in finished_runs(project)}
    found: dict[str, Outcome] = {}
    for folder in project.numbered(project.evaluations):
        if (folder / SCORES).is_file():
            scores = json.loads((folder / SCORES).read_text(encoding="utf-8"))
            run, best = scores.get("run", ""), scores["ranking"]["best"]
            if run in strengths and best:
                found[run] = Outcome(run, strengths[run], best["bake"])
    return [found[run] for run in sorted(found)]
