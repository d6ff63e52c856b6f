"""What a picture's tags answer to the questions that every caption should: one tag for each, or visibly none.

A question may be idle: a plain background has no inside and no daytime, a head alone no pose. Then the tag that makes it idle
stands as the answer, so that nobody is asked for what is not there.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from lorasmith.tags.boards import twin
from lorasmith.tags.crops import kind_of_framing
from lorasmith.tags.groups import group_of, one_of
from lorasmith.tags.spelling import with_underscores
from lorasmith.tags.vocabulary import ONE_OF, UMBRELLAS, names

ASKED = ("count", "framing", "view", "gaze", "eyes", "mouth", "pose", "place", "inside", "light")

# Tags that say what a member of a one-of group says, and more: the member in front, as the table has it.
_SAYING: dict[str, str] = {
    "close-up": "extreme_close-up eye_focus",
    "wide_shot": "very_wide_shot",
    "from_side": "profile",
    "closed_eyes": "^_^ >_< =_= u_u sleeping",
    "one_eye_closed": "wink ;d ;) ;p one_eye_open",
    "half-closed_eyes": "bedroom_eyes narrowed_eyes squinting squint",  # on e621 half-closed ones imply narrowed ones
    "open_eyes": "wide-eyed wide_eyed",
    "open_mouth": ":d ;d xd :o open_smile yawning yawn screaming shouting half-open_mouth jaw_drop",
    "lying": "on_back on_stomach on_front on_side prone supine reclining fetal_position lying_down",
    "sitting": "seiza wariza indian_style lotus_position slouching",
    "kneeling": "on_one_knee",
    "all_fours": "quadruped_pose crawling",
    "squatting": "crouched",
    "standing": "standing_on_one_leg on_one_leg",
    "simple_background": """
        white_background grey_background black_background transparent_background gradient_background pattern_background
        abstract_background patterned_background two-tone_background colored_background""",
    "inside": """
        room bedroom kitchen bathroom classroom office bar restaurant cafe library gym stage train_station market
        fireplace""",
    "outside": """
        forest beach city nature landscape mountain mountains hill field meadow desert jungle swamp lake river ocean sea
        waterfall pond street alley cityscape park garden town village rooftop seaside countryside horizon snowing rain
        raining blue_sky cloudy_sky night_sky starry_sky sunset sunrise""",
    "night": "night_sky starry_sky moonlight",
    "day": "blue_sky sunlight sunbeam dappled_sunlight",
}
# Tags that answer a question in a way of their own; no member of the one-of group says it.
_OWN: dict[str, str] = {
    "count": """
        1girl 1boy 1other 2girls 2boys 3girls 3boys 4girls 4boys 5girls 5boys 6+girls 6+boys multiple_girls multiple_boys
        multiple_others solo_focus crowd large_group no_humans zero_pictured""",
    "framing": """
        multiple_views multiple_angles multiple_images reference_sheet model_sheet character_sheet turnaround
        cropped_legs cropped_torso cropped_shoulders""",
    "view": "multiple_views multiple_angles reference_sheet model_sheet character_sheet turnaround facing_away",
    "gaze": "smiling_at_viewer eye_contact",
    "eyes": "covered_eyes rolling_eyes eye_roll cross-eyed empty_eyes blank_eyes spiral_eyes",
    "mouth": "mouth_hold biting_own_lip biting_lip mouth_mask covered_mouth clenched_teeth",
    "pose": """
        walking running jumping flying floating swimming climbing dancing hovering falling midair mid-air hanging perched
        leaning bent_over straddling balancing pouncing multiple_views model_sheet reference_sheet""",
    "place": "scenery photo_background",
    "light": "sunset sunrise dawn dusk evening twilight dark",
}
# Tags beside which a question is idle.
_IDLE: dict[str, str] = {
    "gaze": "closed_eyes eyes_closed covered_eyes head_out_of_frame faceless_character no_humans zero_pictured",
    "eyes": "head_out_of_frame faceless_character no_humans zero_pictured",
    "mouth": "head_out_of_frame faceless_character no_humans zero_pictured beak",
    "pose": "no_humans zero_pictured",
    "view": "no_humans zero_pictured",
}
_PREFIXED = re.compile(r"(sitting|lying|standing|kneeling|squatting)_(on|in|at|against)_.+")
_PERSONAL = frozenset(["gaze", "eyes", "mouth", "pose", "view", "angle"])
_SEEN_THROUGH = frozenset(["inside", "light"])  # a window shows the sea, a lamp lights the night
_SEVERAL = names(
    """
    duo trio group large_group crowd 2girls 2boys 3girls 3boys 4girls 4boys 5girls 5boys 6+girls 6+boys multiple_girls
    multiple_boys multiple_others multiple_views multiple_angles multiple_images reference_sheet model_sheet comic
    character_sheet turnaround"""
)
_MEMBER_SAID = {tag: member for member, tags in _SAYING.items() for tag in tags.split()}
_ALSO = {tag: [one for one, tags in _SAYING.items() if tag in tags.split()] for tag in _MEMBER_SAID}
_GROUP_OF_MEMBER = {tag: group for group, tags in ONE_OF.items() for tag in tags}
_Rank = tuple[int, bool, int]


def answers(tags: Iterable[str]) -> dict[str, str | None]:
    """Gives for each question of `ASKED` the picture's own tag that answers it, or None where it is unset."""
    own: dict[str, str] = {}
    best: dict[str, tuple[_Rank, str]] = {}  # question -> the first of what answers it best, as it is called
    for tag in tags:
        word = _word(tag)
        if word.answers:
            own[word.name] = tag
            for group, rank in word.answers:
                if group not in best or rank < best[group][0]:
                    best[group] = rank, word.name
    found: dict[str, str | None] = {}
    for group in ASKED:
        name = best[group][1] if group in best else _idle_by(group, found)
        found[group] = None if name is None else own[name]
    return found


def unset(tags: Iterable[str]) -> list[str]:
    """Names the questions that a picture's tags leave open."""
    return [group for group, tag in answers(tags).items() if tag is None]


def conflicts(tags: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Gives the one-of groups with more than one answer, and the tags that give them.

    Two boards' spellings of one thing are one answer, an umbrella is none. Where there are several figures or pictures in
    one, each may have its own eyes, mouth and pose.
    """
    own = {word.name: (tag, word) for tag in tags if (word := _word(tag)).says or word.name in _SEVERAL}
    several = not _SEVERAL.isdisjoint(own)
    sides: dict[str, dict[str, str]] = {}
    for tag, word in own.values():
        for group, side in word.says:
            sides.setdefault(group, {}).setdefault(side, tag)
    silent = _PERSONAL.union(("framing", "inside", "light")) if several else ()
    return {group: tuple(sides[group].values()) for group in ONE_OF if len(sides.get(group, ())) > 1 and group not in silent}


@dataclass(frozen=True)
class _Word:
    """What one tag can say, whatever else is on the picture."""

    name: str
    answers: tuple[tuple[str, _Rank], ...]  # each question that it answers, and how well: the least is the best
    says: tuple[tuple[str, str], ...]  # each one-of group that it gives an answer to, and which


@lru_cache(maxsize=1 << 16)
def _word(tag: str) -> _Word:
    """Reads a tag once: sets of ten thousand pictures have a few thousand different ones."""
    name = with_underscores(tag).lower()
    ranks = ((group, _rank(name, group)) for group in ASKED)
    said = ((group, _members_said(name, group)) for group in ONE_OF)
    says = ((group, its) for group, its in said if its and (name in its or group not in _SEEN_THROUGH))
    return _Word(
        name, tuple((group, rank) for group, rank in ranks if rank is not None), tuple((group, twin(its[0])) for group, its in says)
    )  # fmt: skip


def _rank(name: str, group: str) -> _Rank | None:
    """Says how well a tag answers: a member, the exact before the umbrella, then one that says a member, one of its own, an idler."""
    members = ONE_OF.get(group, ())
    if name in members:
        return 0, name in UMBRELLAS, list(members).index(name)
    asked = (group, "inside") if group == "place" else (group,)  # to be inside or outside is to be somewhere
    for place, one in enumerate(asked):
        if _members_said(name, one):
            return 1, False, place
    if name in _OWN.get(group, "").split() or (group == "gaze" and _is_gaze(name)):
        return 2, False, 0
    return (3, False, 0) if name in _IDLE.get(group, "").split() else None


def _idle_by(group: str, before: Mapping[str, str | None]) -> str | None:
    """Names the answer to an earlier question that makes this one idle."""
    framing, place, inside = (_plain(before.get(one)) for one in ("framing", "place", "inside"))
    if group == "pose" and framing and one_of(framing) == "framing" and kind_of_framing(framing) != "body":
        return framing
    if group in ("inside", "light") and place and _said(place) == "simple_background":
        return place
    return inside if group == "light" and inside and twin(_said(inside)) == twin("inside") else None


def _is_gaze(name: str) -> bool:
    return group_of(name) == "gaze" and name != "head_tilt"


def _members_said(name: str, group: str) -> list[str]:
    """Gives the members of a one-of group that a tag is, or says with more words; an umbrella is none."""
    if name in UMBRELLAS:
        return []
    if _GROUP_OF_MEMBER.get(name) == group:
        return [name]
    if group == "pose" and (match := _PREFIXED.fullmatch(name)):
        return [match[1]]
    return [member for member in _ALSO.get(name, ()) if _GROUP_OF_MEMBER[member] == group]


def _said(name: str) -> str:
    return _MEMBER_SAID.get(name, name)


def _plain(tag: str | None) -> str:
    return "" if tag is None else with_underscores(tag).lower()
