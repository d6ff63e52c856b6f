"""What an evaluation knows of the training set: habits, toggles, who shows what, who disagrees, and what copies are told by."""

import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lorasmith.progress import Progress, Report, silent
from lorasmith.project.caption_sets import TRIGGER
from lorasmith.project.pictures import Picture
from lorasmith.project.project import Project
from lorasmith.settings.tables import TagSettings
from lorasmith.stages.tag.cast import remembered_cast
from lorasmith.stages.tag.consolidate import sheet_of
from lorasmith.stages.tag.scores import has_scores, score_missing, vector_of

if TYPE_CHECKING:
    from lorasmith.judging.fixes import TrainingSet
    from lorasmith.judging.nearness import Known, Look
    from lorasmith.judging.plan import Sought
    from lorasmith.taggers.onnx import Tagger
    from lorasmith.tags.crops import CropKind
    from lorasmith.tags.index import TagIndex

_WORN = ("clothing", "accessories")
_MIN_WORN = 0.04  # share of the captions from which clothes that nobody put on the sheet count as a toggle
_DISAGREES = 0.35  # score of an own tag under which a picture does not show it


def habits(project: Project) -> dict[str, float]:
    """Gives the share of the training captions that carry each tag: what the LoRA has seen often."""
    from lorasmith.tags.spelling import with_underscores

    captions = caption_tags(project)
    triggers = {with_underscores(trigger) for trigger in (project.trigger, *project.settings(TagSettings).cast)}
    counts: Counter[str] = Counter()
    for tags in captions.values():
        counts.update(tags - triggers)
    return {tag: count / len(captions) for tag, count in sorted(counts.items())}


def sought(project: Project, toggles: Mapping[str, Sequence[str]]) -> "tuple[Sought, ...]":
    """Gives the characters that are asked for where the LoRA holds several: their looks, and the toggles seen on each."""
    from lorasmith.judging.plan import Sought
    from lorasmith.tags.spelling import with_underscores

    captions = caption_tags(project)
    found = []
    for one in remembered_cast(project):
        own = [tags for tags in captions.values() if with_underscores(one.trigger) in tags]
        worn = tuple(word for word in toggles if any(word in tags for tags in own))
        found.append(Sought(one.trigger, one.core, worn))
    return tuple(found)


def caption_tags(project: Project) -> dict[str, set[str]]:
    """Gives the tags of each training caption, by picture."""
    from lorasmith.tags.captions import tags_of_caption

    captions = project.pictures.captions(project.settings(TagSettings).caption_set)
    return {name: set(tags_of_caption(caption.text)) for name, caption in captions.items()}


def toggle_words(project: Project) -> list[str]:
    """Lists the toggles that captions name, those of most pictures first: from the sheet, outfits, and clothes named often."""
    from lorasmith.tags.groups import group_of

    core = set(project.fact("core_tags") or ())
    shares = habits(project)
    worn = [tag for tag, share in shares.items() if share >= _MIN_WORN and group_of(tag) in _WORN]
    words = dict.fromkeys([*(entry.tag for entry in sheet_of(project).toggles), *_outfits(project), *worn])
    return sorted((word for word in words if word in shares and word not in core), key=lambda word: -shares[word])


def _outfits(project: Project) -> dict[str, list[str]]:
    """Gives the tags that stand under each outfit's own tag."""
    outfits: dict[str, list[str]] = {}
    for one in project.caption_sets.gathered(project.settings(TagSettings).caption_set):
        if one.under != TRIGGER:
            outfits.setdefault(one.under, []).append(one.tag)
    return outfits


def toggles_of(project: Project, known: Mapping[str, int], most: int) -> dict[str, tuple[str, ...]]:
    """Gives the toggles that are asked for: word -> the tags by which a tagger sees it; of what is worn together the first."""
    outfits, captions = _outfits(project), caption_tags(project)
    found: dict[str, tuple[str, ...]] = {}
    pictures: list[frozenset[str]] = []
    for word in toggle_words(project):
        seen = tuple(tag for tag in outfits.get(word, [word]) if tag in known)
        names = frozenset(_with(captions, word))
        if seen and names not in pictures and len(found) < most:
            found[word] = seen
            pictures.append(names)
    return found


def _with(captions: Mapping[str, set[str]], word: str) -> list[str]:
    return sorted(name for name, tags in captions.items() if word in tags)


def training_set(project: Project, tagger: "Tagger", core: Sequence[str], run: Path | None = None) -> "TrainingSet":
    """Gives who shows which tag by the record, and on which pictures the tagger does not see an own look they could show.

    `run` is the training that saw them: it says how often each of several characters was seen.
    """
    from lorasmith.judging.fixes import TrainingSet
    from lorasmith.stages.tag.index import open_index

    pictures = _captioned(project)
    index = open_index(project, pictures)
    showing = {tag: tuple(index.chosen(bits)) for tag, bits in index.bits.items()}
    captions, toggles = caption_tags(project), toggle_words(project)
    showing |= {word: tuple(_with(captions, word)) for word in toggles}
    kinds = _framings(index)
    cast = _pictures_of_each(project, captions)
    having = {tag: {name for one in remembered_cast(project) if tag in one.core for name in cast[one.trigger]} for tag in core}
    against = {
        tag: tuple(
            one.name for one in pictures
            if (not cast or one.name in having[tag]) and _disagrees(project, tagger, one, tag, kinds.get(one.name, "body"))
        )
        for tag in core
        if tag in tagger.index
    }  # fmt: skip
    against = {tag: names for tag, names in against.items() if names}
    return TrainingSet(tuple(index.names), showing, against, tuple(toggles), cast, _draws(run, cast))


def _pictures_of_each(project: Project, captions: Mapping[str, set[str]]) -> dict[str, tuple[str, ...]]:
    """Gives the pictures whose captions name each of several characters."""
    from lorasmith.tags.spelling import with_underscores

    return {one.trigger: tuple(_with(captions, with_underscores(one.trigger))) for one in remembered_cast(project)}


def _draws(run: Path | None, cast: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Gives how often a run saw each of several characters in an epoch."""
    if run is None or not cast:
        return {}
    pictures = tomllib.loads((run / "run.toml").read_text(encoding="utf-8"))["pictures"]
    return {trigger: sum(int(pictures[name]["repeats"]) for name in names if name in pictures) for trigger, names in cast.items()}


def _framings(index: "TagIndex") -> "dict[str, CropKind]":
    """Gives how each picture is framed, where its tags say so: the widest that they name."""
    from lorasmith.tags.crops import kind_of_framing
    from lorasmith.tags.groups import group_of

    kinds: dict[str, CropKind] = {}
    widest: dict[CropKind, int] = {"head": 0, "upper": 1, "body": 2}
    for tag, bits in index.bits.items():
        if group_of(tag) == "framing":
            kind = kind_of_framing(tag)
            for name in index.chosen(bits):
                kinds[name] = max(kind, kinds.get(name, kind), key=lambda one: widest[one])
    return kinds


def _disagrees(project: Project, tagger: "Tagger", picture: Picture, tag: str, kind: "CropKind") -> bool:
    """Says whether the tagger does not see an own tag on a picture that could show it."""
    from lorasmith.tags.crops import shown_by

    if not shown_by([tag], kind) or not has_scores(project, [tagger], picture):
        return False
    return float(vector_of(project, tagger, picture)[tagger.index[tag]]) < _DISAGREES


def _captioned(project: Project) -> list[Picture]:
    captions = project.pictures.captions(project.settings(TagSettings).caption_set)
    return [picture for picture in project.pictures.trained() if picture.name in captions]


def known_pictures(project: Project, tagger: "Tagger", aspect: float, report: Report = silent) -> "Known":
    """Gives what renders are held against to find copies; what was measured once is kept."""
    import numpy as np

    from lorasmith.judging.nearness import Known, unit

    pictures = _captioned(project)
    score_missing(project, tagger, pictures, project.settings(TagSettings).batch_size)
    pictures = [picture for picture in pictures if has_scores(project, [tagger], picture)]
    looks = []
    for done, picture in enumerate(pictures):
        report(Progress("evaluate", done, len(pictures), "looking at the training set"))
        looks.append(_looks(project, picture, aspect))
    vectors = [vector_of(project, tagger, picture) for picture in pictures]
    features = unit(np.stack(vectors)) if vectors else np.zeros((0, len(tagger.labels)))
    return Known(tuple(picture.name for picture in pictures), features, tuple(looks))


def _looks(project: Project, picture: Picture, aspect: float) -> "tuple[Look, ...]":
    from dataclasses import asdict

    from lorasmith.errors import PictureError
    from lorasmith.imaging.measure import VERSION
    from lorasmith.imaging.read import thumbnail
    from lorasmith.judging.nearness import Look, looks_of

    key = f"{picture.sha256}-looks-{VERSION}-{aspect:.4g}"
    stored = project.caches.measures(key)
    if stored is None:
        try:
            looks = looks_of(thumbnail(project.file_of(picture), 256), aspect)
        except PictureError:  # scored once, and gone or broken since: it is found by its features alone
            return ()
        stored = {"looks": [asdict(look) for look in looks]}
        with project.transaction():
            project.caches.keep_measures(key, stored)
    return tuple(Look(**each) for each in stored["looks"])
