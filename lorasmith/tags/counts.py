"""Who is in the picture, in two boards' ways: Danbooru counts girls and boys, e621 names sexes and says solo, duo, group."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

_NUMBERED = re.compile(r"([1-6])(\+?)(girl|boy|other)s?")
_SEXES = {"girl": "female", "boy": "male", "other": "ambiguous_gender"}
_WORDS = {sex: word for word, sex in _SEXES.items()}
_MANY = re.compile(r"multiple_(girl|boy|other)s")
_COMPANY = ("duo", "trio", "group", "large_group", "crowd")

Became = dict[str, tuple[tuple[str, ...], str]]


def counted(tags: Sequence[str], to: Literal["danbooru", "e621"]) -> Mapping[str, tuple[tuple[str, ...], str]]:
    """Gives, for those of a picture's tags that count or name sexes, what each becomes and what is lost.

    All that the other board would say stands with the first of them; the rest become nothing.
    """
    return _to_e621(tags) if to == "e621" else _to_danbooru(tags)


def _to_e621(tags: Sequence[str]) -> Became:
    numbered = {tag: match for tag in tags if (match := _NUMBERED.fullmatch(tag))}
    many = {tag: match for tag in tags if (match := _MANY.fullmatch(tag))}
    if not numbered and not many:
        return {}
    here = [tag for tag in tags if tag in numbered or tag in many]
    said = [_SEXES[match[3]] for match in numbered.values()] + [_SEXES[match[1]] for match in many.values()]
    numbers = sum(int(match[1]) for match in numbered.values())
    uncounted = {match[1] for match in many.values()} - {match[3] for match in numbered.values()}
    exact = not uncounted and not any(match[2] for match in numbered.values())
    why = ""
    if not {"solo", *_COMPANY} & set(tags):
        if numbers == 2 and exact:
            said.append("duo")
        elif numbers >= 3 or (uncounted and numbers):
            said.append("group")
        elif uncounted:
            why = "e621 tells two from three and more, and this does not say which"
    if numbers > 2:
        why = "e621 does not count beyond two"
    return _with_the_first(here, said, why)


def _to_danbooru(tags: Sequence[str]) -> Became:
    sexes = [tag for tag in tags if tag in _WORDS]
    company = [tag for tag in tags if tag in _COMPANY]
    here = [tag for tag in tags if tag in _WORDS or tag in _COMPANY]
    if not here:
        return {}
    if any(_NUMBERED.fullmatch(tag) or _MANY.fullmatch(tag) for tag in tags):
        return _with_the_first(here, (), "")  # already counted
    words = [_WORDS[sex] for sex in sexes]
    if not words:
        return _with_the_first(here, (), "Danbooru counts girls and boys, and this names no sex")
    if not company:
        several = "two sexes, and not how many of each" if len(words) > 1 else ""
        return _with_the_first(here, [f"1{word}" for word in words], several)
    if company == ["duo"] and len(words) < 3:
        pair = [f"1{word}" for word in words] if len(words) == 2 else [f"2{words[0]}s", f"multiple_{words[0]}s"]
        return _with_the_first(here, pair, "")
    if len(words) == 1:
        number = [f"3{words[0]}s"] if company == ["trio"] else []
        why = "" if number else "Danbooru counts, and a group may be of any number"
        return _with_the_first(here, [*number, f"multiple_{words[0]}s"], why)
    return _with_the_first(here, (), "Danbooru counts each sex, and e621 only all together")


def _with_the_first(here: Sequence[str], said: Iterable[str], why: str) -> Became:
    """Lets the first tag become all that is said, with the note, and the others nothing."""
    first, *rest = dict.fromkeys(here)
    return {first: (tuple(dict.fromkeys(said)), why)} | {tag: ((), "") for tag in rest}
