"""What is rendered to judge a LoRA: prompts that ask for the character, and for it in other poses and places."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lorasmith.errors import UsageError
from lorasmith.safety import demand_safe_text
from lorasmith.tags.groups import group_of, members
from lorasmith.tags.spelling import escaped, for_prompt, from_prompt

Kind = Literal["likeness", "pose", "framing", "background", "described", "plain", "extra"]
FLEXIBILITY: tuple[Kind, ...] = ("pose", "framing", "background")

# Raised arms and the like are asked among the poses; a prompt asks one thing at a time.
_ASKED_GROUPS: dict[Kind, tuple[str, ...]] = {
    "pose": ("pose", "arms"),
    "framing": ("framing",),
    "background": ("background",),
}
# Asked first: plain and different from each other, in the boards' own words.
_FIRST: dict[Kind, str] = {
    "pose": "standing sitting lying raised_arms arms_up kneeling running crossed_arms",
    "framing": """
        headshot_portrait half-length_portrait full-length_portrait portrait upper_body cowboy_shot full_body
        three-quarter_portrait close-up""",
    "background": "white_background forest beach night inside indoors city snow simple_background",
}
# They say little by themselves, or contradict a single character that is drawn in full.
_NOT_ASKED = frozenset(
    [
        "multiple_views",
        "multiple_angles",
        "reference_sheet",
        "model_sheet",
        "out_of_frame",
        "head_out_of_frame",
        "detailed_background",
        "depth_of_field",
        "outside",
        "outdoors",
        "pose",
        "tree",
        "plant",
        "sky",
        "water",
    ]
)
_WHOLE_FIGURE = ("full-length_portrait", "full_body")
_MIN_HABIT = 0.02


@dataclass(frozen=True)
class PlannedPrompt:
    """One prompt of an evaluation: its kind, its text, and the tags that a render of it should show.

    `asked` holds board names; without `has_trigger` the character is not asked for.
    """

    kind: Kind
    text: str
    asked: tuple[str, ...] = ()
    has_trigger: bool = True


def evaluation_prompts(
    trigger: str,
    core: Sequence[str],
    habits: Mapping[str, float],
    known: Collection[str],
    extra: Sequence[str] = (),
    per_group: int = 4,
) -> list[PlannedPrompt]:
    """Plans the prompts of an evaluation.

    `core` are the character's own tags, `habits` the shares of the other tags in the training set, `known` what the
    tagger can see: only that is asked. `extra` are a person's prompts with `{trigger}`. `described` prompts name the
    looks without the trigger, `plain` ones neither: there the character should not come.
    """
    trigger = escaped(trigger)
    likeness = [PlannedPrompt("likeness", _text(trigger))]
    chosen = {kind: asked_members(kind, habits, known, per_group) for kind in FLEXIBILITY}
    whole = next((tag for tag in _WHOLE_FIGURE if tag in known), None)
    flexible = [_flexible(kind, trigger, tag, whole) for kind in FLEXIBILITY for tag in chosen[kind]]
    seen = tuple(tag for tag in core if tag in known)
    base = [PlannedPrompt("described", _text("", *seen), seen, has_trigger=False)] if seen else []
    base += [PlannedPrompt("plain", _text("", *plain), plain, False) for plain in _plain(chosen, known)]
    prompts = [*likeness, *flexible, *base, *(extra_prompt(text, trigger, known) for text in extra)]
    for prompt in prompts:
        demand_safe_text(prompt.text, "evaluation prompt")
    return prompts


def _flexible(kind: Kind, trigger: str, tag: str, whole: str | None) -> PlannedPrompt:
    """Plans a prompt that asks one thing; a pose is asked with the whole figure in view, or nobody could see it."""
    shown = [whole] if kind == "pose" and whole is not None else []
    return PlannedPrompt(kind, _text(trigger, *shown, tag), (tag,))


def asked_members(kind: Kind, habits: Mapping[str, float], known: Collection[str], limit: int) -> list[str]:
    """Chooses the tags of a group that are asked for: known to the tagger, plain ones first, then the set's own."""
    groups = _ASKED_GROUPS[kind]
    own = sorted((tag for tag, share in habits.items() if share >= _MIN_HABIT), key=lambda tag: (-habits[tag], tag))
    table = [tag for group in groups for tag in members(group)]
    candidates = [*_FIRST[kind].split(), *own, *table]
    fitting = [tag for tag in candidates if tag in known and tag not in _NOT_ASKED and group_of(tag) in groups]
    return list(dict.fromkeys(fitting))[:limit]


def extra_prompt(text: str, trigger: str, known: Collection[str]) -> PlannedPrompt:
    """Plans a person's own prompt; what it asks is read off its words, as far as the tagger knows them."""
    try:
        filled = text.format(trigger=trigger)
    except (KeyError, IndexError, ValueError, AttributeError, TypeError) as error:
        raise UsageError(
            f"The evaluation prompt '{text}' has braces that stand for nothing; only {{trigger}} is known."
        ) from error
    pieces = [from_prompt(piece.strip()) for piece in filled.split(",")]
    asked = tuple(dict.fromkeys(piece for piece in pieces if piece in known))
    return PlannedPrompt("extra", filled, asked, trigger.casefold() in filled.casefold())


def _plain(chosen: Mapping[Kind, Sequence[str]], known: Collection[str]) -> list[tuple[str, ...]]:
    """Gives two ordinary scenes without the character."""
    count = ["solo"] if "solo" in known else []
    groups = (chosen["pose"], chosen["background"])
    scenes = [tuple([*count, *(tags[place] for tags in groups if place < len(tags))]) for place in (0, 1)]
    return [scene for scene in dict.fromkeys(scenes) if scene]


def _text(trigger: str, *tags: str) -> str:
    return ", ".join([*([trigger] if trigger else []), *(for_prompt(tag) for tag in tags)])
