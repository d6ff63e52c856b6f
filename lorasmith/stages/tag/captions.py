"""Captions worked out from the master record: sources merged, tags gathered under others, order, words of the base family."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lorasmith.project.caption_sets import TRIGGER
from lorasmith.project.pictures import NOT_THERE, PERSON, Picture, Tag
from lorasmith.project.project import Project
from lorasmith.safety import fold, text_is_refused
from lorasmith.settings.tables import TagSettings
from lorasmith.stages.tag.cast import Casting, Rows, casting_of
from lorasmith.stages.tag.scores import verdicts_of
from lorasmith.stages.tag.tables import tables_of

if TYPE_CHECKING:
    from lorasmith.taggers.onnx import Tagger
    from lorasmith.taggers.verdicts import Verdict
    from lorasmith.tags.consolidate import CaptionRules
    from lorasmith.tags.families import Profile
    from lorasmith.tags.merge import MergedTag
    from lorasmith.tags.relations import Relations

Merged = Mapping[str, "list[MergedTag]"]
_COLOURLESS = ("monochrome", "greyscale")  # what a picture without colours always says
_OF_COLOURLESS = frozenset([*_COLOURLESS, "grayscale", "black_and_white", "spot_color", "limited_palette"])

_NAMED_ON = 0.5  # share of a character's pictures that must have a look which is named, where there are several
_COLOURING = frozenset(["background", "flatten", "recolour"])  # steps of touch-up that may bring colours

_NAMES = frozenset(["artist", "character", "copyright"])


@dataclass(frozen=True)
class Composed:
    """The captions of a set: each picture's merged tags, who is on it and what triggers absorb, the outfits, and the texts."""

    merged: Merged
    casting: Casting
    outfits: Mapping[str, frozenset[str]]  # an outfit's tag -> the tags it stands for
    captions: dict[str, str]
    verdicts: "Mapping[str, Verdict]"  # what the taggers say of each picture

    @property
    def core(self) -> list[str]:
        """Gives the looks that triggers absorb."""
        return self.casting.core


def compose(
    project: Project, pictures: Sequence[Picture], taggers: "Tagger | None | Sequence[Tagger]", settings: TagSettings
) -> Composed:
    """Works out the captions of the set that the settings name."""
    verdicts = verdicts_of(project, taggers, pictures, settings)
    rows = project.tag_rows.by_picture()
    merged = {one.name: _merge(project, one, rows.get(one.name, []), verdicts.get(one.name), settings) for one in pictures}
    casting = _casting(project, pictures, merged, rows, settings)
    outfits = outfits_of(project, settings.caption_set)
    captions = _captions(project, pictures, merged, rows, casting, settings)
    return Composed(merged, casting, outfits, captions, verdicts)


def _casting(project: Project, pictures: Sequence[Picture], merged: Merged, rows: Rows, settings: TagSettings) -> Casting:
    """Says who is on which picture, and works out the looks of each."""
    picked = set(_by_hand(project, settings)) if settings.cast else set()
    by_hand = {name: [tag.tag for tag in tags if tag.tag in picked] for name, tags in merged.items()} if picked else None

    def looks_of(names: Sequence[str] | None) -> list[str]:
        among = merged if names is None else {name: merged[name] for name in names}
        return core_of(project, among, settings)

    return casting_of(project, pictures, rows, settings, looks_of, by_hand)


def caption_of(
    project: Project, picture: Picture, verdict: "Verdict | None", casting: Casting, settings: TagSettings,
    common: Collection[str] = (),
) -> "tuple[list[MergedTag], str]":
    """Works out one picture's merged tags and caption, with the casting and a person's common tags as the set has them."""
    rows = {picture.name: project.pictures.tags(picture.name)}
    merged = {picture.name: _merge(project, picture, rows[picture.name], verdict, settings)}
    text = _captions(project, [picture], merged, rows, casting, settings, common)[picture.name]
    return merged[picture.name], text


def profile_of(project: Project, caption_set: str) -> "Profile":
    """Gives what was chosen for a caption set."""
    from lorasmith.tags.families import Profile

    return Profile.from_dict(project.caption_sets.profiles().get(caption_set, {}))


def outfits_of(project: Project, caption_set: str) -> dict[str, frozenset[str]]:
    """Gives the outfits of a caption set: each one's tag, and the tags it stands for."""
    outfits: dict[str, set[str]] = {}
    for one in project.caption_sets.gathered(caption_set):
        if one.under != TRIGGER:
            outfits.setdefault(one.under, set()).add(one.tag)
    return {name: frozenset(tags) for name, tags in outfits.items()}


def _merge(
    project: Project, picture: Picture, rows: Sequence[Tag], verdict: "Verdict | None", settings: TagSettings
) -> "list[MergedTag]":
    """Gives a picture's tags: a person's word, the site's or sidecar's tags, and the taggers'."""
    from lorasmith.tags.colourless import without_guessed_colours
    from lorasmith.tags.consolidate import RATING
    from lorasmith.tags.merge import MergedTag, merge, person_wins

    own = {row.tag: row.category for row in rows if row.source in ("sidecar", PERSON) and row.score > NOT_THERE}
    added = [row.tag for row in rows if row.source == PERSON and row.score > NOT_THERE]
    gone = {row.tag for row in rows if row.source == PERSON and row.score == NOT_THERE}
    site = {row.tag: row.category for row in rows if row.source in ("booru", "prompt") and settings.use_booru_tags}
    said = {tag: category for tag, category in (site | own).items() if tag not in gone}
    scores = {} if verdict is None else verdict.scores_for_merging(said)
    least = {} if verdict is None else {tag: 0.0 for tag in verdict.by if tag not in gone}
    merged = merge(said, scores, threshold=least, veto=settings.veto, known=set(scores))
    there = {tag.tag for tag in merged}
    merged += [MergedTag(tag, category, frozenset(["booru"]), None) for tag, category in own.items() if tag not in there]
    word = _rating_word(picture) if picture.post.get("rating") in settings.rating_tags else ""
    if word:
        merged = [tag for tag in merged if tag.tag != word] + [MergedTag(word, RATING, frozenset(["booru"]), None)]
    if _is_colourless(project, picture):
        merged = without_guessed_colours(merged)
        if not _OF_COLOURLESS & ({tag.tag for tag in merged} | gone):
            merged += [MergedTag(tag, "meta", frozenset(["booru"]), None) for tag in _COLOURLESS]
    merged = _without_head(project, picture, person_wins(merged, added), added)
    return [tag for tag in merged if tag.tag not in gone and not text_is_refused(tag.tag)]


def _without_head(project: Project, picture: Picture, merged: "list[MergedTag]", added: Collection[str]) -> "list[MergedTag]":
    """Leaves out what a picture whose face or head was taken away cannot show, whoever says it but a person."""
    from lorasmith.stages.touch_up.headless import still_said
    from lorasmith.tags.merge import MergedTag

    left = still_said(project, picture, [tag.tag for tag in merged])
    if left is None:
        return merged
    kept = [tag for tag in merged if tag.tag in left.left or tag.tag in added]
    there = {tag.tag for tag in kept}
    return kept + [MergedTag(tag, "general", frozenset(["booru"]), None) for tag in left.brought if tag not in there]


def _is_colourless(project: Project, picture: Picture) -> bool:
    """Says whether the file was measured to have no colours, or what it was cut from was."""
    facts = project.caches.measures(picture.sha256)
    while facts is None and picture.parent and not _COLOURING & {word.split()[0] for word in _steps_of(picture)}:
        picture = project.pictures.get(picture.parent)
        facts = project.caches.measures(picture.sha256)
    return bool(facts and facts.get("is_grey"))


def _steps_of(picture: Picture) -> list[str]:
    """Gives the words of the steps that touch-up made an edit with."""
    return [str(step["step"]) for step in (picture.operation or {}).get("steps", ()) if step.get("step")]


def _rating_word(picture: Picture) -> str:
    """Gives the site's own word for a picture's rating, empty where it has none."""
    from lorasmith.boorus.sites import SITES

    site = SITES.get(str(picture.post.get("site")))
    second = "safe" if site is None or site.family in ("e621", "moebooru") else "sensitive"
    words = {"g": "general", "s": second, "q": "questionable", "e": "explicit"}
    return words.get(str(picture.post.get("rating")), "")


def core_of(project: Project, merged: Merged, settings: TagSettings) -> list[str]:
    """Names the core tags: those consolidated by hand; else what settings and info.md say, and identity tags on most pictures."""
    from lorasmith.tags.consolidate import core_tags
    from lorasmith.tags.sheet import CharacterSheet, read_sheet

    if by_hand := _by_hand(project, settings):
        return by_hand
    sheet = CharacterSheet(project.trigger)
    if project.sheet.exists():
        sheet = read_sheet(project.sheet.read_text(encoding="utf-8", errors="replace"))
    categories = {tag.tag: tag.category for tags in merged.values() for tag in tags}
    per_picture = {name: {tag.tag for tag in tags} for name, tags in merged.items()}
    counts = Counter(tag for tags in per_picture.values() for tag in tags)
    least = _NAMED_ON * len(merged) if settings.cast else 1  # of several characters not all have a look that is named
    always = [tag for tag in (*settings.core_tags, *sheet.core_names()) if counts[tag] >= max(1, least)]
    keep = [*settings.keep_tags, *sheet.told_names()]
    wanted = [tag for tag in always if tag not in settings.keep_tags]
    found = core_tags(per_picture, settings.core_share, keep, wanted, lambda tag: categories.get(tag, "general"))
    return [core.tag for core in found]


def _by_hand(project: Project, settings: TagSettings) -> list[str]:
    """Lists the looks that a person put under the trigger."""
    gathered = project.caption_sets.gathered(settings.caption_set)
    return [one.tag for one in gathered if one.under == TRIGGER and one.tag not in settings.keep_tags]


def _captions(  # noqa: PLR0913 - all that a caption is made of
    project: Project, pictures: Sequence[Picture], merged: Merged, rows: Rows, casting: Casting,
    settings: TagSettings, common: Collection[str] | None = None,
) -> dict[str, str]:
    """Writes the caption of each picture: the triggers of those on it first."""
    from lorasmith.tags.captions import caption_text
    from lorasmith.tags.consolidate import caption
    from lorasmith.tags.spelling import same_tag

    profile = profile_of(project, settings.caption_set)
    outfits = outfits_of(project, settings.caption_set)
    places = project.caption_sets.placed(settings.caption_set)
    common = _said_of_most(rows, merged, settings.core_share) if common is None else common
    rules = replace(_rules(settings, profile), outfits=outfits)
    underscores = settings.underscores if profile.underscores is None else profile.underscores
    tables = tables_of(project) if settings.prune_implied else None
    unsaid = casting.names or {fold(project.trigger)}
    captions = {}
    for picture in pictures:
        said = [row for row in rows.get(picture.name, ()) if row.source == PERSON]
        triggers = casting.on(picture.name)
        absorbed = casting.absorbed_on(picture.name) if settings.absorb else ()
        # What a person gave to most pictures at once (a renamed core tag) is absorbed like any other.
        own = [row.tag for row in said if row.score > NOT_THERE and not (row.tag in common and row.tag in absorbed)]
        gone = {same_tag(row.tag) for row in said if row.score == NOT_THERE}
        tags = {tag.tag: tag.category for tag in merged[picture.name]}
        rules = replace(rules, implied=_implied(tags, tables, rules, [*settings.keep_tags, *own]))
        chosen = caption("", tags, absorbed, rules, own, places.get(picture.name, {}))
        chosen = [tag for tag in chosen if tag in own or same_tag(tag) not in gone]
        if profile.generated and picture.generated:
            chosen.append(profile.generated)
        # A trigger is written as the person typed it, everywhere: captions, prompts and activation text must agree.
        rest = [tag for tag in chosen if tag and fold(tag) not in unsaid]
        words = [tag for tag in _in_words(rest, picture, profile, rules) if tag in own or same_tag(tag) not in gone]
        text = caption_text(words, underscores, not settings.remove_parentheses)
        captions[picture.name] = ", ".join(filter(None, [*triggers, text]))
    return captions


def _implied(
    tags: Mapping[str, str], tables: "Relations | None", rules: "CaptionRules", kept: Sequence[str]
) -> Mapping[str, frozenset[str]]:
    """Gives what each of a picture's tags implies of the others; a name or a tag never written takes nothing with it."""
    if tables is None:
        return {}
    silent = {tag for tag, category in tags.items() if tag in rules.drop or category in _NAMES}
    return {tag: less for tag, less in tables.implied_among(tags, kept).items() if tag not in silent}


def _said_of_most(rows: Mapping[str, Sequence[Tag]], merged: Merged, share: float) -> set[str]:
    """Gives the tags that a person gave to at least a share of the pictures."""
    counts = Counter(row.tag for name in merged for row in rows.get(name, ()) if row.source == PERSON and row.score > NOT_THERE)
    return {tag for tag, count in counts.items() if count >= max(2.0, share * len(merged))}


def _in_words(tags: Sequence[str], picture: Picture, profile: "Profile", rules: "CaptionRules") -> Sequence[str]:
    """Says tags in the words of the base family; what a person wrote into the rules stays as it is."""
    from lorasmith.tags.boards import translate, vocabulary_of

    words = profile.row.words
    site = str(picture.post.get("site") or "")
    if not words or (site and vocabulary_of(site) == words):
        return tags
    head, tail = {*rules.prepend, *rules.outfits}, {*rules.append, profile.generated}
    said = translate([tag for tag in tags if tag not in head | tail], words).tags
    return [*(tag for tag in tags if tag in head), *said, *(tag for tag in tags if tag in tail - head)]


def _rules(settings: TagSettings, profile: "Profile") -> "CaptionRules":
    """Reads off the settings what captions leave out, replace and add, and in which order they stand."""
    from lorasmith.tags.consolidate import DROPPED_CATEGORIES, RATING, CaptionRules
    from lorasmith.tags.spelling import with_underscores

    kept = {"character"} if settings.use_character_tags else set()
    first, last = (*profile.first, *settings.prepend_tags), (*settings.append_tags, *profile.last)
    return CaptionRules(
        drop=frozenset(settings.drop_tags),
        drop_categories=DROPPED_CATEGORIES - kept - ({RATING} if settings.rating_tags else set()),
        replace=settings.replacements,
        category_order=tuple(settings.category_order),
        prepend=tuple(filter(None, map(with_underscores, first))),
        append=tuple(filter(None, map(with_underscores, last))),
    )
