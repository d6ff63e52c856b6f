"""Which poses, places, expressions and clothes are asked for: plain ones, and of these what the set shows least often."""

from collections.abc import Collection, Mapping
from typing import Literal

from lorasmith.tags.groups import group_of, members

Flexible = Literal["framing", "view", "pose", "expression", "background", "clothing"]
FLEXIBILITY: tuple[Flexible, ...] = ("framing", "view", "pose", "expression", "background", "clothing")

# Raised arms and the like are asked among the poses; a prompt asks one thing at a time.
_ASKED_GROUPS: dict[Flexible, tuple[str, ...]] = {
    "framing": ("framing",),
    "view": ("view",),
    "pose": ("pose", "arms"),
    "expression": ("expression", "mouth", "eyes"),
    "background": ("background",),
    "clothing": ("clothing", "accessories"),
}
# Asked first: plain and different from each other, in the boards' own words.
_FIRST: dict[Flexible, str] = {
    "framing": """
        headshot_portrait half-length_portrait full-length_portrait portrait upper_body cowboy_shot full_body
        three-quarter_portrait close-up""",
    "view": "front_view side_view rear_view three-quarter_view from_side from_behind from_above from_below",
    "pose": "standing sitting lying raised_arms arms_up kneeling running crossed_arms",
    "expression": "smile angry open_mouth closed_eyes eyes_closed crying mouth_closed closed_mouth",
    "background": "white_background forest beach night inside indoors city snow simple_background",
    "clothing": "scarf hat jacket shirt dress hoodie sunglasses cape gloves backpack",
}
# Half as many are asked of what says less of a character's freedom.
_FEWER: tuple[Flexible, ...] = ("expression", "clothing")
# They say little by themselves, or contradict a single character that is drawn in full.
_NOT_ASKED = frozenset(
    """
    multiple_views multiple_angles multiple_images reference_sheet model_sheet turnaround character_sheet out_of_frame
    head_out_of_frame faceless_character detailed_background depth_of_field outside outdoors pose tree plant sky water
    nude topless bottomless barefoot clothed clothing clothes fully_clothed partially_clothed mostly_nude underwear panties
    bra lingerie undressing midriff bare_shoulders topless_male naughty_face bedroom_eyes legs_apart spread_legs
    straddling bent_over""".split()
)
_MIN_HABIT = 0.02


def asked_members(
    kind: Flexible, habits: Mapping[str, float], known: Collection[str], most: int, left_out: Collection[str] = ()
) -> list[str]:
    """Chooses the tags of a kind that are asked for: known to the tagger, plain ones first, then the set's own.

    Of the plain ones those come first that the set shows least: what it shows often the LoRA draws anyway. Framings and views
    stay in their order, since all of them are wanted.
    """
    groups = _ASKED_GROUPS[kind]
    plain = _FIRST[kind].split()
    if kind not in ("framing", "view"):
        plain.sort(key=lambda tag: round(habits.get(tag, 0.0), 2))
    own = sorted((tag for tag, share in habits.items() if share >= _MIN_HABIT), key=lambda tag: (habits[tag], tag))
    table = [tag for group in groups for tag in members(group)]
    fitting = [
        tag
        for tag in dict.fromkeys([*plain, *own, *table])
        if tag in known and tag not in _NOT_ASKED and tag not in left_out and group_of(tag) in groups
    ]
    return fitting[: max(1, most // 2) if kind in _FEWER else most]
