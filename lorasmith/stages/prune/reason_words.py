"""Reasons of prune as sentences for a person, with the numbers and tags that they rest on."""

from collections.abc import Callable, Mapping
from typing import Any

from lorasmith.project.pictures import PERSON, REFUSED, Decision
from lorasmith.stages.prune.reasons import sureness

PERHAPS = "perhaps "  # how the reasons begin that are told and drop nothing
_MOST_TAGS = 6
Detail = Mapping[str, Any]


def bare(reason: str) -> str:
    """Gives a reason without its `perhaps`."""
    return reason.removeprefix(PERHAPS)


def is_told_only(decision: Decision | None) -> bool:
    """Says whether a decision keeps a picture and tells a reason that was not sure enough."""
    return decision is not None and decision.verdict == "keep" and decision.reason.startswith(PERHAPS)


def sentence(decision: Decision) -> str:
    """Says why in one sentence."""
    if decision.maker == REFUSED:
        return "The safety rules refuse it; nobody's word changes that."
    if decision.maker == PERSON:
        why = "" if decision.reason.startswith("a person's") else f": {decision.reason}"
        return f"You said {decision.verdict}{why}."
    words = _WORDS.get(bare(decision.reason))
    told = words(decision.detail) if words else str(decision.detail.get("why", ""))
    return told or f"{decision.reason[:1].upper()}{decision.reason[1:]}."


def how_sure(decision: Decision) -> float | None:
    """Gives how sure a reason is, 0 to 1; None where it was no question of that."""
    return sureness(decision) if "sure" in decision.detail else None


def _tags(detail: Detail) -> str:
    tags = [str(tag).replace("_", " ") for tag in detail.get("tags") or ()]
    more = f" and {len(tags) - _MOST_TAGS} more" if len(tags) > _MOST_TAGS else ""
    return ", ".join(tags[:_MOST_TAGS]) + more


def _too_small(detail: Detail) -> str:
    return f"Its short side has {detail.get('short_side')} pixels; {detail.get('wanted')} are wanted."


def _blurred(detail: Detail) -> str:
    return f"Its edges are soft: sharpness {_two(detail, 'sharpness')}, and from {_two(detail, 'wanted')} on a picture is sharp."


def _enlarged(detail: Detail) -> str:
    if detail.get("tags"):
        return f"Its tags say so: {_tags(detail)}."
    return f"Its edges are soft for its size: sharpness {_two(detail, 'sharpness')}."


def _blocky(detail: Detail) -> str:
    return f"Compression has left its blocks: {_two(detail, 'blockiness')}, where {_two(detail, 'wanted')} is too much."


def _narrow(detail: Detail) -> str:
    return f"One side is {detail.get('aspect')} times the other; no bucket fits beyond {detail.get('wanted')}."


def _grey(detail: Detail) -> str:
    return f"Its tags say so: {_tags(detail)}." if detail.get("tags") else "It has no colours, and colours are wanted."


def _animated(detail: Detail) -> str:
    return f"It moves ({_tags(detail)}): only its first frame would be seen." if detail.get("tags") else "A GIF may move."


def _low_score(detail: Detail) -> str:
    return f"Its score on the site is {detail.get('score')}; {detail.get('wanted')} is asked."


def _unlike(detail: Detail) -> str:
    seen, wanted = _two(detail, "agreement"), _two(detail, "wanted")
    return f"The tagger sees little of the character's core looks: {seen} on average, where {wanted} is asked."


def _twin(detail: Detail) -> str:
    return f"It has a twin, and {detail.get('why') or detail.get('twin')}."


def _version(detail: Detail) -> str:
    link = str(detail.get("why", "")).removeprefix("same ")
    return f"Other versions of the same work are kept, {detail.get('twin')} before it ({link})."


def _two(detail: Detail, name: str) -> str:
    value = detail.get(name)
    return f"{value:.2f}" if isinstance(value, int | float) else "?"


_WORDS: dict[str, Callable[[Detail], str]] = {
    "too small": _too_small,
    "nearly blank": lambda detail: "There is next to nothing on it.",
    "blurred": _blurred,
    "made larger from a small picture": _enlarged,
    "a sketch": lambda detail: f"Its tags say that it is not finished: {_tags(detail)}.",
    "blocky": _blocky,
    "too long and narrow": _narrow,
    "without colours": _grey,
    "animated": _animated,
    "more than one character": lambda detail: f"Its tags say so: {_tags(detail)}.",
    "full of text": lambda detail: f"Its tags tell of text: {_tags(detail)}.",
    "convoluted framing": lambda detail: f"It shows several views or an unusual one: {_tags(detail)}.",
    "low score": _low_score,
    "unlike the character": _unlike,
    "same picture as another": _twin,
    "nearly the same picture as another": _twin,
    "another version of the same work": _version,
    "among the weakest": lambda detail: f"It is among the least sharp and lowest scored (sharpness {_two(detail, 'sharpness')}).",
    "cannot be read": lambda detail: str(detail.get("error", "")),
    "picked": lambda detail: f"It was picked: {detail.get('why', '')}.",
}
