"""What a picture's tags answer to the questions that every caption should: one tag for each, or visibly none.

A question may be idle: a plain background has no inside and no daytime, a head alone no pose. Then the tag that makes it idle
stands as the answer, so that nobody is asked for what is not there.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

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


def answers(tags: Iterable[str]) -> dict[str, str | None]:
    """Gives for each question of `ASKED` the picture's own tag that answers it, or None where it is unset."""
    own = {with_underscores(tag).lower(): tag for tag in tags}
    found: dict[str, str | None] = {}
    for group in ASKED:
        name = _answer(group, list(own), found)
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
    own = {with_underscores(tag).lower(): tag for tag in tags}
    several = bool(_SEVERAL.intersection(own))
    found = {}
    for group in ONE_OF:
        if several and (group in _PERSONAL or group in ("framing", "inside", "light")):
            continue
        sides: dict[str, str] = {}
        for name, tag in own.items():
            said = _members_said(name, group)
            if said and (name in said or group not in _SEEN_THROUGH):
                sides.setdefault(twin(said[0]), tag)
        if len(sides) > 1:
            found[group] = tuple(sides.values())
    return found


def _answer(group: str, own: Sequence[str], before: Mapping[str, str | None]) -> str | None:
    """Finds the tag that answers: a member, the exact before the umbrella, one that says a member, one of its own, an idler."""
    order = {member: place for place, member in enumerate(ONE_OF.get(group, ()))}
    members = sorted((name for name in own if name in order), key=lambda name: (name in UMBRELLAS, order[name]))
    asked = (group, "inside") if group == "place" else (group,)  # to be inside or outside is to be somewhere
    saying = [name for one in asked for name in own if _members_said(name, one)]
    alone = [name for name in own if name in _OWN.get(group, "").split() or (group == "gaze" and _is_gaze(name))]
    idle = [name for name in own if name in _IDLE.get(group, "").split()]
    return next(iter([*members, *saying, *alone, *idle]), None) or _idle_by(group, before)


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
