"""What is rendered to judge a LoRA: prompts that ask for the character, and for it in other poses, places and clothes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Literal

from lorasmith.errors import UsageError
from lorasmith.judging.asked import FLEXIBILITY, Flexible, asked_members
from lorasmith.judging.strangers import strangers
from lorasmith.safety import demand_safe_text
from lorasmith.tags.spelling import escaped, for_prompt, from_prompt

Kind = Literal[
    "likeness", "blend", "group", "framing", "view", "pose", "expression", "background", "clothing", "toggle", "described",
    "others", "plain", "extra",
]  # fmt: skip
_WHOLE_FIGURE = ("full-length_portrait", "full_body")
_SEEN_WHOLE = ("pose", "clothing", "toggle")  # kinds that are asked with the whole figure in view, or nobody could see it
MOST = 4  # prompts of a kind


@dataclass(frozen=True)
class PlannedPrompt:
    """One prompt of an evaluation: its kind, its text, and the tags that a render of it should show.

    `asked` holds board names; without `has_trigger` the character is not asked for. `who` are the triggers in it where the LoRA
    holds several characters; with one it is empty.
    """

    kind: Kind
    text: str
    asked: tuple[str, ...] = ()
    has_trigger: bool = True
    who: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sought:
    """One of several characters that are asked for: its trigger, its own looks, the toggles that it was seen with."""

    trigger: str
    core: tuple[str, ...] = ()
    toggles: Collection[str] = ()


@dataclass(frozen=True)
class Wishes:
    """What a plan is made from.

    `core` are the character's own tags, `habits` the shares of the other tags in the training set, `known` what the tagger
    can see: only that is asked. `toggles` maps the word of each toggle to the tags by which it is seen. `extra` are a
    person's prompts with `{trigger}`; `most` is the number of prompts of one kind. `cast` are the characters where the LoRA
    holds several.
    """

    core: Sequence[str]
    habits: Mapping[str, float]
    known: Collection[str]
    toggles: Mapping[str, Sequence[str]] = field(default_factory=dict)
    extra: Sequence[str] = ()
    most: int = MOST
    cast: Sequence[Sought] = ()


def evaluation_prompts(trigger: str, wishes: Wishes) -> list[PlannedPrompt]:
    """Plans the prompts of an evaluation, each text once.

    `described` prompts name the looks without the trigger, `others` those of somebody else, `plain` ones neither: there the
    character should not come. What a render shows unasked is read off the prompts that do not ask for it.
    """
    known = wishes.known
    cast = wishes.cast or (Sought(trigger, tuple(wishes.core), tuple(wishes.toggles)),)
    worn = {tag for word, tags in wishes.toggles.items() for tag in (word, *tags)}
    chosen = {kind: asked_members(kind, wishes.habits, known, wishes.most, worn) for kind in FLEXIBILITY}
    whole = next((tag for tag in _WHOLE_FIGURE if tag in known), None)
    prompts = [_for(one, wishes, PlannedPrompt("likeness", _text(escaped(one.trigger)))) for one in cast]
    prompts += _apart_and_together(wishes, whole)
    for kind in FLEXIBILITY:
        asked = [(one, tag) for place, tag in enumerate(chosen[kind]) for one in _askers(kind, place, cast)]
        prompts += [_for(one, wishes, _asking(kind, escaped(one.trigger), tag, (tag,), whole)) for one, tag in asked]
    toggles = [(word, tuple(tag for tag in tags if tag in known)) for word, tags in wishes.toggles.items()]
    prompts += [
        _for(one, wishes, _asking("toggle", escaped(one.trigger), word, tags, whole))
        for word, tags in toggles for one in cast if tags and word in one.toggles
    ]  # fmt: skip
    looks = [tuple(tag for tag in one.core if tag in known) for one in cast]
    prompts += [PlannedPrompt("described", _text("", *seen), seen, has_trigger=False) for seen in looks if seen]
    prompts += _others(wishes, chosen)
    prompts += [PlannedPrompt("plain", _text("", *plain), plain, has_trigger=False) for plain in _plain(chosen, known)]
    prompts += [_named(extra_prompt(text, escaped(cast[0].trigger), known), wishes) for text in wishes.extra]
    for prompt in prompts:
        demand_safe_text(prompt.text, "evaluation prompt")
    return list({prompt.text: prompt for prompt in reversed(prompts)}.values())[::-1]


def _askers(kind: Flexible, place: int, cast: Sequence[Sought]) -> Sequence[Sought]:
    """Gives who is asked for with one tag: framings and views every character, of the rest each in turn."""
    return cast if kind in ("framing", "view") else [cast[place % len(cast)]]


def _for(one: Sought, wishes: Wishes, prompt: PlannedPrompt) -> PlannedPrompt:
    """Notes whom a prompt asks for, where there are several."""
    return replace(prompt, who=(one.trigger,)) if wishes.cast else prompt


def _apart_and_together(wishes: Wishes, whole: str | None) -> list[PlannedPrompt]:
    """Plans, of several characters, each by itself in so many words, and every two together."""
    if len(wishes.cast) < 2:
        return []
    solo, duo = (tuple(tag for tag in (word,) if tag in wishes.known) for word in ("solo", "duo"))
    figure = () if whole is None else (whole,)
    alone = [PlannedPrompt("blend", _text(escaped(one.trigger), *solo), solo, who=(one.trigger,)) for one in wishes.cast]
    pairs = list(combinations([one.trigger for one in wishes.cast], 2))[: wishes.most]
    return alone + [
        PlannedPrompt("group", _text(", ".join(map(escaped, pair)), *duo, *figure), (*duo, *figure), who=pair) for pair in pairs
    ]


def _named(prompt: PlannedPrompt, wishes: Wishes) -> PlannedPrompt:
    """Notes whom a person's own prompt asks for, where there are several."""
    text = prompt.text.casefold()
    who = tuple(one.trigger for one in wishes.cast if escaped(one.trigger).casefold() in text)
    return replace(prompt, who=who, has_trigger=bool(who)) if wishes.cast else prompt


def _asking(kind: Kind, trigger: str, word: str, tags: tuple[str, ...], whole: str | None) -> PlannedPrompt:
    """Plans a prompt that asks one thing."""
    shown = [whole] if kind in _SEEN_WHOLE and whole is not None else []
    return PlannedPrompt(kind, _text(trigger, *shown, word), tags)


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


def _others(wishes: Wishes, chosen: Mapping[Flexible, Sequence[str]]) -> list[PlannedPrompt]:
    """Plans other characters in so many words, framed as the character is; they are judged by their looks alone.

    There are never fewer than `MOST`: with two, one look that is missed would decide.
    """
    core = tuple(dict.fromkeys([*wishes.core, *(tag for one in wishes.cast for tag in one.core)]))
    framings = chosen["framing"] or [""]
    count = [tag for tag in ("solo",) if tag in wishes.known]
    return [
        PlannedPrompt("others", _text("", *count, *looks, *filter(None, [framings[place % len(framings)]])), looks, has_trigger=False)
        for place, looks in enumerate(strangers(core, wishes.known, max(MOST, wishes.most)))
    ]


def _plain(chosen: Mapping[Flexible, Sequence[str]], known: Collection[str]) -> list[tuple[str, ...]]:
    """Gives two ordinary scenes without the character."""
    count = ["solo"] if "solo" in known else []
    groups = (chosen["pose"], chosen["background"])
    scenes = [tuple([*count, *(tags[place] for tags in groups if place < len(tags))]) for place in (0, 1)]
    return [scene for scene in dict.fromkeys(scenes) if scene]


def _text(trigger: str, *tags: str) -> str:
    return ", ".join([*([trigger] if trigger else []), *(for_prompt(tag) for tag in tags)])
