"""All that is known of one picture's tags: who says each, what becomes of it in the caption and why, and what is not answered."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from lorasmith.project.caption_sets import TRIGGER
from lorasmith.project.pictures import NOT_THERE, PERSON, TAGGER, Picture, Tag
from lorasmith.project.project import Project
from lorasmith.settings.tables import ResearchSettings, TagSettings
from lorasmith.stages.tag.captions import caption_of, outfits_of
from lorasmith.stages.tag.cast import Casting, known_casting
from lorasmith.stages.tag.threshold_trial import voices_of

if TYPE_CHECKING:
    from lorasmith.taggers.verdicts import Verdict, Voice
    from lorasmith.tags.index import TagIndex

State = Literal["told", "core", "outfit", "left out", "taken out"]
_CHOICES = 7  # answers offered to a question


@dataclass(frozen=True)
class Chip:
    """One tag of a picture: who says it (a tagger with its score), what a tagger sees of it, what becomes of it, and why."""

    tag: str
    category: str
    group: str
    sources: Mapping[str, float]  # booru, sidecar, prompt, person, tagger:NAME -> score
    seen: float | None
    state: State
    why: str = ""


@dataclass(frozen=True)
class SetCaption:
    """A picture's caption in one caption set: as it was written, and as `tag` would write it now."""

    name: str
    trained_on: bool
    written: str
    now: str


@dataclass(frozen=True)
class PictureTags:
    """What is known of one picture's tags."""

    name: str
    chips: tuple[Chip, ...]  # in the order of the caption, then what it leaves out
    unset: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # question -> answers to choose from
    conflicts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    captions: tuple[SetCaption, ...] = ()


@dataclass(frozen=True)
class Common:
    """What the pictures of a set have in common: the core looks as `tag` last found them, and tags a person gave to most."""

    core: tuple[str, ...]
    given: frozenset[str]
    casting: Casting  # who is on which picture, and what each one's trigger stands for


@dataclass(frozen=True)
class OneSet:
    """One caption set as its captions need it: settings, what its pictures have in common, and the captions that were written."""

    settings: TagSettings
    common: Common
    written: Mapping[str, str]


@dataclass(frozen=True)
class Surroundings:
    """What a picture's captions need besides its own tags: all caption sets, the one trained on first, and the taggers' voices."""

    sets: Mapping[str, OneSet]
    voices: "Mapping[str, Voice]"  # by the id that its scores are kept under; none where no tagger has looked


def surroundings_of(project: Project, pictures: int) -> Surroundings:
    """Reads what holds for all pictures, for as long as the project stays the same."""
    settings = project.settings(TagSettings)
    return Surroundings(_sets_of(project, pictures, settings.caption_set), voices_of(project, settings))


def _sets_of(project: Project, pictures: int, current: str) -> dict[str, OneSet]:
    names = {current, *project.caption_sets.profiles(), *project.pictures.caption_set_names()}
    found = {}
    for name in sorted(names, key=lambda one: (one != current, one)):
        settings = project.settings(TagSettings, {"caption_set": name})
        written = {one.picture: one.text for one in project.pictures.captions(name).values()}
        found[name] = OneSet(settings, common_of(project, pictures, settings), written)
    return found


def common_of(project: Project, pictures: int, settings: TagSettings) -> Common:
    """Reads what holds for all pictures of the settings' caption set."""
    by_hand = [one.tag for one in project.caption_sets.gathered(settings.caption_set) if one.under == TRIGGER]
    core = [tag for tag in by_hand or project.fact("core_tags") or () if tag not in settings.keep_tags]
    counts = Counter(tag for _, tag in project.tag_rows.said_by(PERSON))
    given = frozenset(tag for tag, count in counts.items() if count >= max(2.0, settings.core_share * pictures))
    return Common(tuple(core), given, known_casting(project, settings, core))


def picture_tags(project: Project, picture: Picture, index: "TagIndex", around: Surroundings) -> PictureTags:
    """Says what becomes of each tag of a picture; the index is that of the pictures that are trained on."""
    from lorasmith.tags.answers import conflicts, unset

    first = next(iter(around.sets.values()))
    settings, common = first.settings, first.common
    rows = project.pictures.tags(picture.name)
    verdict = _verdict(project, picture, rows, around.voices)
    captions = [_caption(project, picture, verdict, name, one, one is first) for name, one in around.sets.items()]
    merged, now = caption_of(project, picture, verdict, common.casting, settings, common.given)
    of_tag = {row.tag: [other for other in rows if other.tag == row.tag] for row in rows}
    for one in merged:  # what a measure says, or a tagger under other thresholds than when `tag` last ran
        scores = verdict.by.get(one.tag, {})
        said = [Tag(one.tag, one.category, f"{TAGGER}{name}", round(score, 3)) for name, score in scores.items()]
        of_tag.setdefault(one.tag, said or [Tag(one.tag, one.category, "measured")])
    seen = {tag: score for tag in of_tag if (score := verdict.score_of(tag)) is not None}
    common = replace(common, core=tuple(common.casting.absorbed_on(picture.name)))
    judge = _Judge(project, settings, common, {one.tag: one.category for one in merged}, now, seen)
    chips = [judge.chip(tag, its) for tag, its in of_tag.items()]
    chips.sort(key=lambda chip: (judge.place(chip), chip.state, chip.tag))
    there = [chip.tag for chip in chips if chip.state != "taken out"]
    asked = {group: _answers_to(group, project, index) for group in unset(there)}
    return PictureTags(picture.name, tuple(chips), asked, conflicts(there), tuple(captions))


def _verdict(project: Project, picture: Picture, rows: Sequence[Tag], voices: "Mapping[str, Voice]") -> "Verdict":
    """Gives what the taggers say under the settings as they are; where their lists are gone, what they said when `tag` last ran."""
    import numpy as np

    from lorasmith.taggers.verdicts import Verdict, verdicts

    stored = [project.caches.scores(picture.sha256, model) for model in voices]
    if voices and all(vector is not None for vector in stored):
        return next(verdicts(list(voices.values()), [np.frombuffer(vector or b"", "<f2")[None] for vector in stored]))
    by: dict[str, dict[str, float]] = {}
    for row in rows:
        if row.source.startswith(TAGGER):
            by.setdefault(row.tag, {})[row.source.removeprefix(TAGGER)] = row.score
    return Verdict(by, (), ())


def _caption(  # noqa: PLR0913 - one picture in one set
    project: Project, picture: Picture, verdict: "Verdict", name: str, one: OneSet, trained_on: bool
) -> SetCaption:
    now = caption_of(project, picture, verdict, one.common.casting, one.settings, one.common.given)[1]
    return SetCaption(name, trained_on, one.written.get(picture.name, ""), now)


def _answers_to(group: str, project: Project, index: "TagIndex") -> tuple[str, ...]:
    """Lists tags that answer a question: those of the site's words, the commonest of the set first."""
    from lorasmith.tags.boards import translate, vocabulary_of
    from lorasmith.tags.vocabulary import ONE_OF, TABLE

    board = vocabulary_of(project.settings(ResearchSettings).site)
    members = ONE_OF.get(group) or tuple(tag for tag, its in TABLE.items() if its == group)
    own = [tag for tag in members if translate([tag], board).tags == (tag,)]
    order = sorted(own, key=lambda tag: -index.bits.get(tag, 0).bit_count())
    return tuple(order[:_CHOICES])


class _Judge:
    """Says what becomes of a picture's tags in the caption that would be written now."""

    def __init__(  # noqa: PLR0913 - all that a caption is made of
        self, project: Project, settings: TagSettings, common: Common, merged: Mapping[str, str], now: str, seen: Mapping[str, float]
    ) -> None:
        from lorasmith.stages.tag.tables import tables_of
        from lorasmith.tags.captions import tags_of_caption
        from lorasmith.tags.consolidate import worn_outfits
        from lorasmith.tags.spelling import same_tag

        self._settings, self._common, self._merged, self._seen = settings, common, merged, seen
        self._same = same_tag
        self._order = {same_tag(word): place for place, word in reversed(list(enumerate(tags_of_caption(now))))}
        outfits = outfits_of(project, settings.caption_set)
        self._under = {tag: outfit for outfit in worn_outfits(merged, outfits) for tag in outfits[outfit]}
        tables = tables_of(project) if settings.prune_implied else None
        self._implied: Mapping[str, Collection[str]] = {} if tables is None else tables.implied_among(merged, settings.keep_tags)
        self._triggers = {self._same(trigger) for trigger in common.casting.cores}

    def place(self, chip: Chip) -> int:
        """Gives a chip's place: that of its word in the caption, then core, then what is left out."""
        behind = {"told": 0, "core": 1, "outfit": 2, "left out": 3, "taken out": 4}[chip.state]
        return self._order.get(self._same(chip.tag), len(self._order)) if not behind else (1 + behind) * 10_000

    def chip(self, tag: str, rows: Sequence[Tag]) -> Chip:
        """Makes one tag's chip."""
        from lorasmith.tags.groups import group_of

        sources = {row.source: row.score for row in rows}
        state, why = self._fate(tag, sources)
        category = next((row.category for row in rows if row.category != "general"), rows[0].category)
        seen = round(self._seen[tag], 3) if tag in self._seen else None
        return Chip(tag, category, (group_of(tag) or "").replace("_", " "), sources, seen, state, why)

    def _fate(self, tag: str, sources: Mapping[str, float]) -> tuple[State, str]:
        if sources.get(PERSON) == NOT_THERE:
            return "taken out", "taken out by a person"
        if self._same(tag) in self._order:
            return ("core", "it is the trigger") if self._same(tag) in self._triggers else ("told", "")
        if tag in self._common.core and self._settings.absorb:
            return "core", "the trigger stands for it"
        if tag in self._under:
            return "outfit", f"{self._under[tag]} stands for it"
        return "left out", self._why_left_out(tag)

    def _why_left_out(self, tag: str) -> str:
        from lorasmith.tags.consolidate import DROPPED_CATEGORIES
        from lorasmith.tags.groups import group_of, one_of

        if tag in self._settings.drop_tags:
            return "drop_tags leaves it out"
        if tag in self._settings.replacements:
            return f"written as {self._settings.replacements[tag]}"
        if tag not in self._merged:
            group = one_of(tag)
            winner = next((other for other in self._merged if group and one_of(other) == group), "")
            seen = self._seen.get(tag)
            doubted = seen is not None and seen < self._settings.veto
            return f"doubted: the tagger sees {seen:.0%} of it" if doubted else f"{winner} holds instead" if winner else "not merged"
        implier = next((other for other, less in self._implied.items() if tag in less), "")
        if implier:
            return f"{implier} implies it"
        if self._merged[tag] in DROPPED_CATEGORIES:
            return f"captions tell no {self._merged[tag]}"
        return "captions tell no quality" if group_of(tag) == "quality" else "the caption set says it otherwise"
