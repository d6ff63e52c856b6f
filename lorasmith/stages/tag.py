"""tag: tagger scores merged with booru tags, core looks absorbed by the trigger, captions written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lorasmith.progress import Progress, Report, silent
from lorasmith.project.pictures import NOT_THERE, PERSON, REFUSED, TAGGER, Decision, Picture, Tag
from lorasmith.project.project import Project
from lorasmith.project.sidecars import OutsideEdit, announce_captions, outside_edits, write_dataset
from lorasmith.safety import fold, text_is_refused
from lorasmith.settings.tables import NO_TAGGER, TagSettings, TrainSettings
from lorasmith.stages.scores import open_project_tagger, refuse, score_missing, vector_of

if TYPE_CHECKING:
    from lorasmith.taggers.onnx import Tagger
    from lorasmith.tags.consolidate import CaptionRules
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


def tag(project: Project, settings: TagSettings, report: Report = silent) -> Tagged:
    """Scores what has no scores yet, merges the sources, and writes the captions and sidecars."""
    pictures = project.pictures.trained()
    tagger = None if settings.tagger == NO_TAGGER else open_project_tagger(settings, report)
    scored = 0 if tagger is None else score_missing(project, tagger, pictures, settings.batch_size, report)
    with project.change("tag", "tag"):
        refused = refuse(project, pictures, tagger)
        pictures = project.pictures.trained()
        merged, core, captions = _compose(project, pictures, tagger, settings)
        edited, refused_edits = enter_outside_edits(project, settings, captions)
        refused += refused_edits
        if edited:
            pictures = project.pictures.trained()
            merged, core, captions = _compose(project, pictures, tagger, settings)
        announce_captions(project, settings.caption_set, captions)
        with project.transaction():
            for name, tags in merged.items():
                _keep_tagger_tags(project, name, tagger, tags)
            repeats = project.settings(TrainSettings).repeats
            write_dataset(project, settings.caption_set, captions, repeats)
            project.remember("core_tags", core)
    report(Progress("tag", len(pictures), len(pictures), "done"))
    counts = [len(caption.split(", ")) for caption in captions.values()]
    return Tagged(
        pictures=len(captions),
        scored_now=scored,
        tagger=NO_TAGGER if tagger is None else tagger.name,
        provider="" if tagger is None else tagger.provider,
        core_tags=tuple(core),
        mean_tags=round(sum(counts) / max(1, len(counts)), 1),
        edited_elsewhere=edited,
        refused=refused,
        folder=str(project.dataset(settings.caption_set)),
        sample=next(iter(captions.values()), ""),
    )


Merged = Mapping[str, "list[MergedTag]"]


def _compose(
    project: Project, pictures: Sequence[Picture], tagger: "Tagger | None", settings: TagSettings
) -> tuple[Merged, list[str], dict[str, str]]:
    """Gives each picture's merged tags, the core tags of the set, and the captions."""
    merged = {picture.name: _merge(project, picture, tagger, settings) for picture in pictures}
    core = _core(project, merged, settings)
    return merged, core, _captions(project, merged, core, settings)


def enter_outside_edits(
    project: Project, settings: TagSettings, ours: Mapping[str, str]
) -> tuple[tuple[str, ...], int]:
    """Enters what other tools changed in the sidecars as a person's word: added tags, and tags that are not to come back.

    A sidecar that now says what marks minors says it of the picture: the picture is refused. Gives the names of the edited
    sidecars, and how many pictures were refused for theirs.
    """
    edits = outside_edits(project, settings.caption_set, ours)
    refused = 0
    for name, edit in edits.items():
        if any(text_is_refused(tag) for tag in edit.added):
            project.pictures.decide(name.split(".")[0], Decision("drop", REFUSED, "refused"), maker=REFUSED)
            refused += 1
            continue
        said = _with_edit(project.pictures.tags(name), edit, settings.replacements)
        project.pictures.set_tags(name, PERSON, said)
    return tuple(edits), refused


def _with_edit(rows: Sequence[Tag], edit: OutsideEdit, replaced: Mapping[str, str]) -> list[Tag]:
    """Gives what a person says of a picture after an edit of its sidecar, where tags may be spelled or named otherwise."""
    from lorasmith.tags.spelling import same_tag, with_underscores

    added, removed = ({same_tag(tag): with_underscores(tag) for tag in tags} for tags in (edit.added, edit.removed))
    known = {row.tag: row.category for row in rows}
    said = {row.tag: row for row in rows if row.source == PERSON}
    said = {tag: row for tag, row in said.items() if row.score > NOT_THERE or same_tag(tag) not in added}
    said |= {tag: Tag(tag, known.get(tag, "general"), PERSON, 1.0) for tag in added.values()}
    gone = [row.tag for row in rows if {same_tag(row.tag), same_tag(replaced.get(row.tag, ""))} & removed.keys()]
    return list((said | {tag: Tag(tag, "general", PERSON, NOT_THERE) for tag in (*gone, *removed.values())}).values())


def _merge(project: Project, picture: Picture, tagger: "Tagger | None", settings: TagSettings) -> "list[MergedTag]":
    """Gives a picture's tags: a person's word, the site's or sidecar's tags, and the tagger's."""
    from lorasmith.taggers.labels import scores_by_tag
    from lorasmith.tags.consolidate import RATING
    from lorasmith.tags.merge import MergedTag, merge

    rows = project.pictures.tags(picture.name)
    own = {row.tag: row.category for row in rows if row.source in ("sidecar", PERSON) and row.score > NOT_THERE}
    gone = {row.tag for row in rows if row.source == PERSON and row.score == NOT_THERE}
    site = {row.tag: row.category for row in rows if row.source in ("booru", "prompt") and settings.use_booru_tags}
    scores: dict[str, float] = {}
    known: set[str] = set()
    if tagger is not None:
        scores = scores_by_tag(tagger.labels, vector_of(project, tagger, picture).tolist())
        known = set(scores)
    merged = merge(site | own, scores, threshold=settings.threshold, veto=settings.veto, known=known)
    there = {tag.tag for tag in merged}
    merged += [
        MergedTag(tag, category, frozenset(["booru"]), None) for tag, category in own.items() if tag not in there
    ]
    word = _rating_word(picture) if picture.post.get("rating") in settings.rating_tags else ""
    if word:
        merged = [tag for tag in merged if tag.tag != word] + [MergedTag(word, RATING, frozenset(["booru"]), None)]
    return [tag for tag in merged if tag.tag not in gone and not text_is_refused(tag.tag)]


def _rating_word(picture: Picture) -> str:
    """Gives the site's own word for a picture's rating, empty where it has none."""
    from lorasmith.boorus.sites import SITES

    site = SITES.get(str(picture.post.get("site")))
    second = "safe" if site is None or site.family in ("e621", "moebooru") else "sensitive"
    words = {"g": "general", "s": second, "q": "questionable", "e": "explicit"}
    return words.get(str(picture.post.get("rating")), "")


def _core(project: Project, merged: Merged, settings: TagSettings) -> list[str]:
    """Names the core tags: what the settings say, what info.md says, and identity tags on most pictures."""
    from lorasmith.tags.consolidate import core_tags
    from lorasmith.tags.sheet import CharacterSheet, read_sheet

    sheet = CharacterSheet(project.trigger)
    if project.sheet.exists():
        sheet = read_sheet(project.sheet.read_text(encoding="utf-8", errors="replace"))
    categories = {tag.tag: tag.category for tags in merged.values() for tag in tags}
    per_picture = {name: {tag.tag for tag in tags} for name, tags in merged.items()}
    always = [tag for tag in (*settings.core_tags, *sheet.core_names()) if tag in categories]
    keep = [*settings.keep_tags, *sheet.told_names()]
    wanted = [tag for tag in always if tag not in settings.keep_tags]
    found = core_tags(per_picture, settings.core_share, keep, wanted, lambda tag: categories.get(tag, "general"))
    return [core.tag for core in found]


def _captions(project: Project, merged: Merged, core: Sequence[str], settings: TagSettings) -> dict[str, str]:
    """Writes the caption of each picture: trigger first."""
    from lorasmith.tags.captions import caption_text
    from lorasmith.tags.consolidate import caption
    from lorasmith.tags.spelling import same_tag

    rules = _rules(settings)
    captions = {}
    for name, tags in merged.items():
        absorbed = core if settings.absorb else ()
        said = [row for row in project.pictures.tags(name) if row.source == PERSON]
        own = [row.tag for row in said if row.score > NOT_THERE]
        gone = {same_tag(row.tag) for row in said if row.score == NOT_THERE}
        chosen = caption(project.trigger, {tag.tag: tag.category for tag in tags}, absorbed, rules, own)
        chosen = [tag for tag in chosen if tag in own or same_tag(tag) not in gone]
        # The trigger is written as the person typed it, everywhere: captions, prompts and activation text must agree.
        rest = [tag for tag in chosen if fold(tag) != fold(project.trigger)]
        text = caption_text(rest, settings.underscores, not settings.remove_parentheses)
        captions[name] = f"{project.trigger}, {text}" if text else project.trigger
    return captions


def _rules(settings: TagSettings) -> "CaptionRules":
    """Reads off the settings what captions leave out, replace and add, and in which order they stand."""
    from lorasmith.tags.consolidate import DROPPED_CATEGORIES, RATING, CaptionRules
    from lorasmith.tags.spelling import with_underscores

    kept = {"character"} if settings.use_character_tags else set()
    return CaptionRules(
        drop=frozenset(settings.drop_tags),
        drop_categories=DROPPED_CATEGORIES - kept - ({RATING} if settings.rating_tags else set()),
        replace=settings.replacements,
        category_order=tuple(settings.category_order),
        prepend=tuple(filter(None, map(with_underscores, settings.prepend_tags))),
        append=tuple(filter(None, map(with_underscores, settings.append_tags))),
    )


def _keep_tagger_tags(project: Project, name: str, tagger: "Tagger | None", tags: "Sequence[MergedTag]") -> None:
    if tagger is None:
        return
    source = f"{TAGGER}{tagger.name}"
    rows = [Tag(tag.tag, tag.category, source, round(tag.score or 0.0, 3)) for tag in tags if "tagger" in tag.sources]
    project.pictures.set_tags(name, source, rows)
