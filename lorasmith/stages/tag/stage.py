"""tag: tagger scores merged with booru tags, core looks absorbed by the trigger, captions written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lorasmith.progress import Progress, Report, silent
from lorasmith.project.pictures import TAGGER, Picture, Tag
from lorasmith.project.project import Project
from lorasmith.project.sidecars import announce_captions, write_dataset
from lorasmith.settings.tables import ResearchSettings, TagSettings, TrainSettings
from lorasmith.stages.prune.spoilt import spoilt
from lorasmith.stages.tag.captions import compose
from lorasmith.stages.tag.cast import FACT, told_of_cast
from lorasmith.stages.tag.index import LABELS
from lorasmith.stages.tag.outside_edits import enter_outside_edits
from lorasmith.stages.tag.scores import disagreements_of, open_project_taggers, refuse, score_pictures
from lorasmith.stages.tag.tables import in_words, tables_of

if TYPE_CHECKING:
    from lorasmith.stages.tag.captions import Composed

OUTSIDE = "edits made in the sidecars"  # the words of their entry in the history


@dataclass(frozen=True)
class Tagged:
    """What tag did."""

    pictures: int
    scored_now: int
    skipped: dict[str, str]  # picture -> why it could not be opened: it is left out of the set
    taggers: tuple[str, ...]
    provider: str
    disagreements: int  # tags on which booru and taggers are at odds
    core_tags: tuple[str, ...]  # absorbed by the trigger
    characters: tuple[str, ...]  # where there are several: each one's pictures and looks
    mean_tags: float  # tags per caption
    edited_elsewhere: tuple[str, ...]  # sidecars that another tool changed: merged
    refused: int  # pictures on which the tagger sees what marks minors: left out, whatever else is said of them
    folder: str
    sample: str  # one caption, to look at
    tables: str  # the site's aliases and implications, by which implied tags leave the captions: their age, or that none are there


def tag(project: Project, settings: TagSettings, report: Report = silent) -> Tagged:
    """Scores what has no scores yet, merges the sources, and writes the captions and sidecars."""
    pictures = project.pictures.trained()
    taggers = open_project_taggers(settings, report)
    scoring = score_pictures(project, taggers, pictures, settings.batch_size, report)
    with project.change("tag", "tag"):
        refused = refuse(project, pictures, taggers)
    skipped = {**scoring.skipped, **spoilt(project, pictures)}
    pictures = _to_caption(project, skipped)
    composed = compose(project, pictures, taggers, settings)
    with project.change("tags", OUTSIDE):  # an entry of its own: who undoes `tag` keeps what was written by hand
        edited, refused_edits = enter_outside_edits(project, settings, composed)
    if edited:
        pictures = _to_caption(project, skipped)
        composed = compose(project, pictures, taggers, settings)
    captions = composed.captions
    with project.change("tag", "tag"):
        announce_captions(project, settings.caption_set, captions)
        with project.transaction():
            _keep_tagger_tags(project, composed, [tagger.name for tagger in taggers])
            repeats = project.settings(TrainSettings).repeats
            write_dataset(project, settings.caption_set, captions, repeats)
            if settings.caption_set == project.settings(TagSettings).caption_set:  # evaluate judges what is trained on
                project.remember("core_tags", composed.core)
                project.remember(FACT, composed.casting.facts())
            for tagger in taggers:
                project.remember(f"{LABELS}{tagger.id}", [label.name for label in tagger.labels])
    report(Progress("tag", len(pictures), len(pictures), "done"))
    counts = [len(caption.split(", ")) for caption in captions.values()]
    return Tagged(
        pictures=len(captions),
        scored_now=scoring.scored,
        skipped=skipped,
        taggers=tuple(tagger.name for tagger in taggers),
        provider=", ".join(dict.fromkeys(tagger.provider for tagger in taggers)),
        disagreements=len(disagreements_of(project, taggers, pictures, settings)),
        core_tags=tuple(composed.core),
        characters=told_of_cast(composed.casting),
        mean_tags=round(sum(counts) / max(1, len(counts)), 1),
        edited_elsewhere=edited,
        refused=refused + refused_edits,
        folder=str(project.dataset(settings.caption_set)),
        sample=next(iter(captions.values()), ""),
        tables=in_words(tables_of(project), project.settings(ResearchSettings).site),
    )


def _to_caption(project: Project, skipped: Mapping[str, str]) -> list[Picture]:
    """Lists the pictures that are trained on and could be opened."""
    return [picture for picture in project.pictures.trained() if picture.name not in skipped]


def _keep_tagger_tags(project: Project, composed: "Composed", taggers: Sequence[str]) -> None:
    """Stores which tagger says which of the merged tags; what a tagger said that is asked no more goes."""
    before = project.tag_rows.sources()
    for name, merged in composed.merged.items():
        verdict = composed.verdicts.get(name)
        said = {} if verdict is None else verdict.by
        rows: dict[str, list[Tag]] = {f"{TAGGER}{tagger}": [] for tagger in taggers}
        rows |= {source: [] for source in before.get(name, ()) if source.startswith(TAGGER)}
        for one in merged:
            for tagger, score in said.get(one.tag, {}).items():
                rows[f"{TAGGER}{tagger}"].append(Tag(one.tag, one.category, f"{TAGGER}{tagger}", round(score, 3)))
        for source, its in rows.items():
            project.pictures.set_tags(name, source, its)
