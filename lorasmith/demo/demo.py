"""`lorasmith demo`: the whole road over the drawn world, on this machine alone; the tagger says what was learnt."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from lorasmith.errors import UsageError
from lorasmith.progress import Progress, Report
from lorasmith.project.project import Project
from lorasmith.stages.run import run_all
from lorasmith.stages.tag.tables import fetch_tables

LEARNT = 0.7  # mean score of the character's own tags that the LoRA must reach
UNKNOWN = 0.2  # mean score that the base alone may have at the most
FOLLOWED = 0.8  # how often asked tags are drawn, as a share of the base's own rate
ASKED = ("pose", "framing", "background")  # kinds of prompt that ask for something beside the character
PRESET = "demo"


@dataclass(frozen=True)
class Line:
    """One line of the closing table."""

    what: str
    with_lora: float
    without: float


@dataclass(frozen=True)
class Demonstrated:
    """What the demo showed."""

    table: tuple[Line, ...]
    learnt: bool
    still_follows: bool
    epoch: int
    weight: float
    lora: str
    report: str
    project: str
    verdict: str

    @property
    def exit_code(self) -> int:
        """1 when the character was not learnt, or the base's own abilities were lost."""
        return 0 if self.learnt and self.still_follows else 1


def model_files() -> tuple[Path, Path]:
    """Gives the demo's base model file and the folder of its tagger."""
    models = Path(str(resources.files("lorasmith.demo") / "models"))
    return models / "base.safetensors", models / "tagger"


def run_demo(folder: Path | None, report: Report, *, seed: int = 1) -> Demonstrated:
    """Makes (or goes on with) a demo project and runs all eight stages over the loopback booru."""
    from lorasmith.demo import posts, world
    from lorasmith.demo.server import DemoBooru

    folder = folder or Path(tempfile.mkdtemp(prefix="lorasmith-demo-"))
    report(Progress("demo", 0, None, f"project in {folder}"))
    drawn = folder / "booru"  # the server's files: drawn once, so that a second start is quick
    booru = DemoBooru(posts.posts(), aliases=world.ALIASES, implications=world.IMPLICATIONS, cache=drawn)
    booru.site.exports_posts = False  # the tables of tags are enough, and the posts' would need every picture drawn
    with booru, open_or_create(folder, booru.url, world.NEW_CHARACTER, seed) as project:
        fetch_tables("e621", booru.url, report)
        results = run_all(project, report)
        return conclude(project, results["evaluate"], world.OWN_TAGS)


def open_or_create(folder: Path, url: str, trigger: str, seed: int) -> Project:
    """Opens the demo project of the folder, with the booru's address of today, or makes it."""
    from lorasmith.settings.toml import FILE_NAME, keep_choice

    base, tagger = model_files()
    site: dict[str, Any] = {"query": f"{trigger} solo", "site_url": url}
    if (folder / FILE_NAME).exists():
        project = Project.open(folder)
        if project.tables.get("project", {}).get("preset") != PRESET:
            project.close()
            raise UsageError(f"{folder} is a project of your own, not a demo; give another folder, or none.")
        keep_choice(folder / FILE_NAME, "site", site)
        keep_choice(folder / FILE_NAME, "train", {"seed": seed})
        return project
    chosen: dict[str, dict[str, Any]] = {
        "site": site,
        "tag": {"tagger": str(tagger)},
        "train": {"checkpoint": str(base), "seed": seed},
    }
    return Project.create(folder, trigger, preset=PRESET, chosen=chosen)


def conclude(project: Project, evaluated: Any, own_tags: tuple[str, ...]) -> Demonstrated:
    """Says whether the character was learnt, by the renders of the seeds that chose nothing."""
    folder = project.folder / evaluated.folder
    scores: Mapping[str, Any] = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    told, base = scores["told"]["followed"], scores["told_base"]["followed"]
    own = _own_tags_line(scores, own_tags)
    kinds = [kind for kind in ASKED if kind in told and kind in base]
    lines = [own, *(Line(f"{kind} prompts followed", told[kind]["mean"], base[kind]["mean"]) for kind in kinds)]
    learnt = own.with_lora >= LEARNT and own.without <= UNKNOWN
    follows = all(line.with_lora >= FOLLOWED * line.without for line in lines[1:])
    verdict = "The character was learnt, and prompts are still followed." if learnt and follows else (
        "The LoRA follows prompts less well than the base." if learnt else "The character was not learnt."
    )  # fmt: skip
    return Demonstrated(
        tuple(lines), learnt, follows, evaluated.epoch, evaluated.weight, evaluated.lora, str(folder / "report.html"),
        str(project.folder), verdict,
    )  # fmt: skip


def _own_tags_line(scores: Mapping[str, Any], own_tags: tuple[str, ...]) -> Line:
    """The mean score of the character's own tags over the told renders, with the chosen LoRA and without any."""
    means = []
    for with_lora in (True, False):
        values = [
            render["own_scores"][tag]
            for render in scores["renders"]
            if render["told"] and bool(render["lora"]) is with_lora and render["prompt"]["kind"] in ("likeness", *ASKED)
            for tag in own_tags
            if tag in render["own_scores"]
        ]
        means.append(sum(values) / max(1, len(values)))
    return Line(f"own tags ({', '.join(own_tags)})", *means)
