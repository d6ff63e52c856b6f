"""tag: tagger scores merged with booru tags, core looks absorbed by the trigger, captions written."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lorasmith.progress import Progress, Report, silent
from lorasmith.project.pictures import TAGGER, Tag
from lorasmith.project.project import Project
from lorasmith.project.sidecars import announce_captions, write_dataset
from lorasmith.settings.tables import NO_TAGGER, ResearchSettings, TagSettings, TrainSettings
from lorasmith.stages.captions import compose
from lorasmith.stages.outside_edits import enter_outside_edits
from lorasmith.stages.scores import open_project_tagger, refuse, score_missing
from lorasmith.stages.tag_index import LABELS
from lorasmith.stages.tag_tables import in_words, tables_of

if TYPE_CHECKING:
    from lorasmith.taggers.onnx import Tagger
    from lorasmith.tags.merge import MergedTag


@dataclass(frozen=True)
class Tagged:
    """What tag did."""

    pictures: int
    scored_now: int
    tagger: str
    provider: str
    core_tags: tuple[str, ...]  # absorbed by the trigger
    mean_tags: float  # tags per caption
    edited_elsewhere: tuple[str, ...]  # sidecars that another tool changed: merged
    refused: int  # pictures on which the tagger sees what marks minors: left out, whatever else is said of them
    folder: str
    sample: str  # one caption, to look at
    tables: str  # the site's aliases and implications, by which implied tags leave the captions: their age, or that none are there


def tag(project: Project, settings: TagSettings, report: Report = silent) -> Tagged:
    """Scores what has no scores yet, merges the sources, and writes the captions and sidecars."""
    pictures = project.pictures.trained()
    tagger = None if settings.tagger == NO_TAGGER else open_project_tagger(settings, report)
    scored = 0 if tagger is None else score_missing(project, tagger, pictures, settings.batch_size, report)
    with project.change("tag", "tag"):
        refused = refuse(project, pictures, tagger)
        pictures = project.pictures.trained()
        composed = compose(project, pictures, tagger, settings)
        edited, refused_edits = enter_outside_edits(project, settings, composed)
        refused += refused_edits
        if edited:
            pictures = project.pictures.trained()
            composed = compose(project, pictures, tagger, settings)
        captions = composed.captions
        announce_captions(project, settings.caption_set, captions)
        with project.transaction():
            for name, tags in composed.merged.items():
                _keep_tagger_tags(project, name, tagger, tags)
            repeats = project.settings(TrainSettings).repeats
            write_dataset(project, settings.caption_set, captions, repeats)
            project.remember("core_tags", composed.core)
            if tagger is not None:
                project.remember(f"{LABELS}{tagger.id}", [label.name for label in tagger.labels])
    report(Progress("tag", len(pictures), len(pictures), "done"))
    counts = [len(caption.split(", ")) for caption in captions.values()]
    return Tagged(
        pictures=len(captions),
        scored_now=scored,
        tagger=NO_TAGGER if tagger is None else tagger.name,
        provider="" if tagger is None else tagger.provider,
        core_tags=tuple(composed.core),
        mean_tags=round(sum(counts) / max(1, len(counts)), 1),
        edited_elsewhere=edited,
        refused=refused,
        folder=str(project.dataset(settings.caption_set)),
        sample=next(iter(captions.values()), ""),
        tables=in_words(tables_of(project), project.settings(ResearchSettings).site),
    )


def _keep_tagger_tags(project: Project, name: str, tagger: "Tagger | None", tags: "Sequence[MergedTag]") -> None:
    if tagger is None:
        return
    source = f"{TAGGER}{tagger.name}"
    rows = [Tag(tag.tag, tag.category, source, round(tag.score or 0.0, 3)) for tag in tags if "tagger" in tag.sources]
    project.pictures.set_tags(name, source, rows)
