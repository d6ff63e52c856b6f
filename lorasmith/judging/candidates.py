"""Prompts for candidates: renders that may become pictures of the set, balanced over what the set lacks."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import product

from lorasmith.judging.asked import asked_members
from lorasmith.judging.plan import PlannedPrompt
from lorasmith.safety import demand_safe_text
from lorasmith.tags.crops import kind_of_framing, shown_by
from lorasmith.tags.spelling import escaped, for_prompt

GROUNDS = {
    "grey": ("grey_background", "simple_background"),
    "pink": ("pink_background", "simple_background"),
    "white": ("white_background", "simple_background"),
    "any": (),
}
_MOST = 8  # framings and views that are looked at
_POSES = 6


def candidate_prompts(
    trigger: str, habits: Mapping[str, float], known: Collection[str], count: int, ground: str
) -> list[PlannedPrompt]:
    """Plans `count` prompts that ask for framing, view and pose, those first that the set shows least.

    `habits` are the shares of the tags in the training set and `known` what the tagger sees: only that is asked. Where a framing
    shows few poses, as many prompts ask for none: a half figure with raised arms time and again would be a set of its own. A plain
    ground (a key of `GROUNDS`) is asked too, so that what comes back can be cut out. The same inputs give the same prompts.
    """
    framings = asked_members("framing", habits, known, _MOST) or [""]
    views = asked_members("view", habits, known, _MOST) or [""]
    poses = asked_members("pose", habits, known, _POSES) or [""]
    plain = [tag for tag in GROUNDS[ground] if tag in known][:1]
    seen = {tag: habits.get(tag, 0.0) for tag in (*framings, *views, *poses)}
    unposed: dict[str, float] = {}  # by framing
    prompts: list[PlannedPrompt] = []
    while len(prompts) < count:
        framing, view = min(product(framings, views), key=lambda pair: round(seen[pair[0]] + seen[pair[1]], 6))
        shown = shown_by(poses, kind_of_framing(framing)) if framing else poses  # a headshot shows no stance
        pose = min(shown, key=lambda tag: round(seen[tag], 6), default="")
        if len(shown) < len(poses) and unposed.get(framing, 0.0) <= seen.get(pose, 0.0):
            pose = ""
            unposed[framing] = unposed.get(framing, 0.0) + 1 / max(1, count)
        asked = tuple(tag for tag in (framing, view, pose, *plain) if tag)
        for tag in filter(None, (framing, view, pose)):
            seen[tag] += 1 / max(1, count)
        text = ", ".join([escaped(trigger), *map(for_prompt, asked)])
        demand_safe_text(text, "candidate prompt")
        prompts.append(PlannedPrompt("extra", text, asked))
    return prompts


def candidates_of_several(
    triggers: Sequence[str], habits: Mapping[str, float], known: Collection[str], count: int, ground: str
) -> list[PlannedPrompt]:
    """Plans `count` prompts that ask for several characters of one LoRA in turn, each alone."""
    each = -(-count // max(1, len(triggers)))
    planned = [
        [replace(one, who=(trigger,)) for one in candidate_prompts(trigger, habits, known, each, ground)] for trigger in triggers
    ]
    return [prompt for group in zip(*planned, strict=True) for prompt in group][:count]
