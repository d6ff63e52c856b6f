"""Why a picture should not be trained on: one pure function for each reason, with its words and how sure it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lorasmith.project.pictures import Decision, Picture
from lorasmith.settings.tables import PruneSettings

if TYPE_CHECKING:
    from lorasmith.imaging.measure import Measures

MAKER = "prune"
_SEVERAL = frozenset(
    ["duo", "trio", "group", "crowd", "multiple_girls", "multiple_boys", "2girls", "2boys", "3girls", "3boys", "everyone"]
)
_SKETCHY = frozenset(
    ["sketch", "rough_sketch", "unfinished", "work_in_progress", "wip", "sketch_page", "line_art", "lineart", "scribble"]
)
_ENLARGED = frozenset(["upscale", "upscaled", "ai_upscaled", "waifu2x", "ai_upscale", "resized", "jpeg_artifacts_(cause)"])
_GREY = frozenset(["monochrome", "greyscale", "grayscale", "black_and_white"])
_MOVING = frozenset(["animated", "animated_gif", "animated_png", "ugoira", "webm", "video"])
_WORDY = frozenset(
    ["comic", "4koma", "dialogue", "speech_bubble", "english_text", "text", "japanese_text", "profanity", "thought_bubble",
     "translated", "text_on_topwear", "onomatopoeia", "character_name", "subtitled", "text_focus", "meme", "talking_to_viewer"]
)  # fmt: skip
_WORDY_ALONE = frozenset(["comic", "4koma", "text_focus", "subtitled"])
_CONVOLUTED = frozenset(
    ["multiple_views", "multiple_poses", "model_sheet", "character_sheet", "reference_sheet", "split_screen", "inset", "collage",
     "rotated", "upside-down", "fisheye_lens", "first_person_view", "pov", "kaleidoscope", "multiple_scenes", "sequence",
     "expression_sheet", "turnaround", "extreme_foreshortening", "zoom_layer", "variations"]
)  # fmt: skip


@dataclass(frozen=True)
class Candidate:
    """What a decision about one picture rests on."""

    picture: Picture
    measures: "Measures"
    tags: frozenset[str]
    characters: frozenset[str] = frozenset()  # the tags among them that name characters
    artists: tuple[str, ...] = ()  # those that name artists
    agreement: float | None = None  # mean tagger score of the character's core tags, where it was looked at

    @property
    def score(self) -> int:
        """The booru score; 0 for a person's own pictures."""
        return int(self.picture.post.get("score") or 0)

    @property
    def aspect(self) -> float:
        """The longer side over the shorter one."""
        return max(self.measures.width, self.measures.height) / max(1, min(self.measures.width, self.measures.height))


def judge(candidate: Candidate, settings: PruneSettings) -> Decision | None:
    """Gives the surest reason against one picture, looked at by itself; None when there is none.

    It drops the picture when it is at least as sure as the setting asks; else it keeps it, and tells the reason.
    """
    found = [decision for reason in REASONS if (decision := reason(candidate, settings)) is not None]
    if not found:
        return None
    surest = max(found, key=sureness)  # of equals the first in the table
    return surest if sureness(surest) >= settings.sure else _told(surest)


def sureness(decision: Decision) -> float:
    """Gives how sure a decision is, 0 to 1."""
    return float(decision.detail.get("sure", 1.0))


def _told(decision: Decision) -> Decision:
    return Decision("keep", MAKER, f"perhaps {decision.reason}", decision.detail)


def drop(reason: str, sure: float, **detail: object) -> Decision:
    """Makes a suggestion to drop, with how sure it is."""
    return Decision("drop", MAKER, reason, {"sure": round(min(1.0, max(0.0, sure)), 2), **detail})


def too_small(candidate: Candidate, settings: PruneSettings) -> Decision | None:
    """The short side is under the setting."""
    side = min(candidate.measures.width, candidate.measures.height)
    return drop("too small", 1.0, short_side=side, wanted=settings.min_side) if side < settings.min_side else None


def nearly_blank(candidate: Candidate, settings: PruneSettings) -> Decision | None:
    """There is next to nothing on it."""
    return drop("nearly blank", 1.0) if candidate.measures.blank else None


def blurred(candidate: Candidate, settings: PruneSettings) -> Decision | None:
    """It is blurred, or was made larger from a small picture."""
    sharp = candidate.measures.sharpness
    if sharp >= settings.blur:
        return None
    return drop("blurred", 0.7 + 0.3 * (1 - sharp / settings.blur), sharpness=round(sharp, 3), wanted=settings.blur)


def enlarged(candidate: Candidate, settings: PruneSettings) -> Decision | None:
    """Its tags say that it was made larger, or its edges are soft all over for its size."""
    if tags := sorted(candidate.tags & _ENLARGED):
        return drop("made larger from a small picture", 0.75, tags=tags)
    soft = settings.blur <= candidate.measures.sharpness < settings.blur * 1.25
    return drop("made larger from a small picture", 0.5, sharpness=round(candidate.measures.sharpness, 3)) if soft else None


def sketchy(candidate: Candidate, settings: PruneSettings) -> Decision | None:
    """Its tags say that it is a sketch, or not finished."""
    tags = sorted(candidate.tags & _SKETCHY)
    return drop("a sketch", 0.6, tags=tags) if tags else None


def blocky(candidate: Candidate, settings: PruneSettings) -> Decision | None:
    """Compression has left its blocks."""
    seen = candidate.measures.blockiness
    if seen < settings.blocks:
        return None
    return drop("blocky", 0.65 + min(0.35, seen - settings.blocks), blockiness=round(seen, 3), wanted=settings.blocks)


def extreme_aspect(candidate: Candidate, settings: PruneSettings) -> Decision | None:
    """It is so long and narrow that no bucket fits it."""
    if candidate.aspect <= settings.max_aspect:
        return None
    return drop("too long and narrow", 0.9, aspect=round(candidate.aspect, 2), wanted=settings.max_aspect)


def grey(candidate: Candidate, settings: PruneSettings) -> Decision | None:
    """It has no colours, where colours are wanted."""
    tags = sorted(candidate.tags & _GREY)
    if settings.grey or not (candidate.measures.is_grey or tags):
        return None
    return drop("without colours", 0.9 if candidate.measures.is_grey else 0.7, tags=tags)


def animated(candidate: Candidate, settings: PruneSettings) -> Decision | None:
    """It moves: only its first frame would be seen."""
    tags = sorted(candidate.tags & _MOVING)
    if not tags and not candidate.picture.file.lower().endswith(".gif"):
        return None
    return drop("animated", 0.9 if tags else 0.5, tags=tags)


def several_characters(candidate: Candidate, settings: PruneSettings) -> Decision | None:
    """Its tags say that more than one character is on it."""
    if not settings.solo or "solo" in candidate.tags:
        return None
    if several := sorted(candidate.tags & _SEVERAL):
        return drop("more than one character", 0.95, tags=several)
    names = sorted(candidate.characters)
    return drop("more than one character", 0.7, tags=names) if len(names) > 1 and "solo_focus" not in candidate.tags else None


def wordy(candidate: Candidate, settings: PruneSettings) -> Decision | None:
    """Much of it is text."""
    tags = sorted(candidate.tags & _WORDY)
    if not tags:
        return None
    if set(tags) & _WORDY_ALONE:
        return drop("full of text", 0.75, tags=tags)
    return drop("full of text", 0.4 + 0.1 * len(tags), tags=tags) if len(tags) > 1 else None


def convoluted(candidate: Candidate, settings: PruneSettings) -> Decision | None:
    """It shows several views at once, or one that is hard to learn from."""
    tags = sorted(candidate.tags & _CONVOLUTED)
    return drop("convoluted framing", 0.55, tags=tags) if tags else None


def low_score(candidate: Candidate, settings: PruneSettings) -> Decision | None:
    """The site's users thought little of it."""
    if candidate.picture.origin != "booru" or candidate.score >= settings.min_score:
        return None
    return drop("low score", 1.0, score=candidate.score, wanted=settings.min_score)


def unlike(candidate: Candidate, settings: PruneSettings) -> Decision | None:
    """The tagger sees little of what the character nearly always is."""
    seen = candidate.agreement
    if seen is None or seen >= settings.agreement:
        return None
    sure = 0.6 + 0.4 * (1 - seen / settings.agreement)
    return drop("unlike the character", sure, agreement=round(seen, 3), wanted=settings.agreement)


# In this order they are told, where two are equally sure.
REASONS = (
    too_small, nearly_blank, several_characters, blurred, animated, extreme_aspect, grey, blocky, enlarged, unlike, wordy,
    sketchy, convoluted, low_score,
)  # fmt: skip


def judge_twins(candidates: Sequence[Candidate], bits: int) -> dict[str, Decision]:
    """Of each family of equal or nearly equal pictures, all but the best are dropped, with the best one's name."""
    from lorasmith.imaging.duplicates import Twin, best, better, families

    twins = {c.picture.name: Twin(c.picture.name, c.measures, c.score) for c in candidates}
    decisions: dict[str, Decision] = {}
    for family in families({name: twin.measures for name, twin in twins.items()}, bits):
        kept = best([twins[name] for name in family])
        for name in family:
            if name != kept.name:
                exact = twins[name].measures.pixel_sha == kept.measures.pixel_sha
                words = "same picture as another" if exact else "nearly the same picture as another"
                why = f"{kept.name} {better(kept, twins[name]).reason}"
                decisions[name] = drop(words, 1.0 if exact else 0.9, twin=kept.name, why=why)
    return decisions


def judge_variants(candidates: Sequence[Candidate], most: int) -> dict[str, Decision]:
    """Of posts that are versions of one work (parent and children, one pool, one source), only the best `most` stay."""
    decisions: dict[str, Decision] = {}
    for link, family in variant_families(candidates).items():
        ranked = sorted(family, key=lambda one: (-one.score, -one.measures.width * one.measures.height, one.picture.name))
        for one in ranked[most:]:
            if one.picture.name not in decisions:
                best = ranked[0].picture.name
                decisions[one.picture.name] = drop("another version of the same work", 0.7, twin=best, why=f"same {link}")
    return decisions


def variant_families(candidates: Sequence[Candidate]) -> Mapping[str, list[Candidate]]:
    """Groups candidates by what links their posts: `parent 12`, `pool 3`, `source https://…`; only groups of several."""
    families: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        post = candidate.picture.post
        if not post.get("site"):
            continue
        parent = post.get("parent_id") or (post.get("id") if post.get("children") else None)
        links = [f"parent {post['site']} {parent}"] if parent else []
        links += [f"pool {post['site']} {pool}" for pool in post.get("pools") or ()]
        links += [f"source {source}" for source in post.get("sources") or () if _is_a_work(str(source))]
        for link in links:
            families.setdefault(link, []).append(candidate)
    return {link: family for link, family in sorted(families.items()) if len(family) > 1}


def _is_a_work(source: str) -> bool:
    """Says whether an address is that of one work, not of an artist's page: it has a number or a long word at its end."""
    last = source.rstrip("/").split("?")[0].rpartition("/")[2]
    return source.startswith("http") and source.count("/") > 3 and (any(sign.isdigit() for sign in last) or len(last) > 20)
