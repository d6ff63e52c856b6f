"""The tags that mark minors: whatever carries one is refused, everywhere. There is no switch.

Tags are matched whole, after folding case, spaces, hyphens and underscores and resolving aliases; never as substrings,
because `baby` and `child` stand inside ordinary words. Compounds (`young_*`, `*_cub`, anything with an unmistakable
word in it) are matched by their words. Free text (prompts, captions, folder names) is matched word by word.
Refused posts are counted, never stored, previewed or listed.
"""

import re
from collections.abc import Iterable, Mapping

from lorasmith.errors import RefusedError

# The protective blacklists' own names (e621, Danbooru), with the synonyms and plural forms they are aliased from.
REFUSED_TAGS = frozenset(
    "young cub toddler baby child loli lolicon shota shotacon toddlercon "
    "cubs toddlers babies children lolis shotas kid kids infant infants newborn preteen preteens underage "
    "adolescent female_child male_child babyfur baby_fur cub_(age) young_(age)".split()
)
# A word that is unmistakable wherever it stands in a tag of several words.
REFUSED_WORDS = frozenset(
    "toddler toddlers toddlercon loli lolis lolicon shota shotas shotacon underage preteen preteens babyfur".split()
)
FIRST_WORDS = frozenset(["young"])  # young_*
LAST_WORDS = frozenset(["cub", "cubs", "child", "children", "toddler"])  # *_cub, female_child
# In free text every word counts, but these phrases are ordinary.
INNOCENT_PHRASES = ("baby blue", "baby pink", "baby breath", "baby's breath", "brain child")
KEY_NEGATIVE = "-young"  # goes into every query that is sent to a site that knows the tag

_FOLD = re.compile(r"[\s_\-]+")
_WORD = re.compile(r"[^\W_]+")


def fold(tag: str) -> str:
    """Writes a tag the one way that it is compared in: lower case, underscores for spaces and hyphens, unescaped."""
    return _FOLD.sub("_", tag.strip().lower().replace("\\", "")).strip("_")


def is_refused(tag: str, aliases: Mapping[str, str] | None = None) -> bool:
    """Says whether one tag marks minors; `aliases` maps folded antecedents to their consequents."""
    folded = fold(tag)
    names = {folded}
    if aliases and folded in aliases:
        names.add(fold(aliases[folded]))
    return any(_name_is_refused(name) for name in names)


def _name_is_refused(name: str) -> bool:
    if name in REFUSED_TAGS:
        return True
    words = _WORD.findall(name.replace("_", " "))
    if not words:
        return False
    return bool(REFUSED_WORDS.intersection(words)) or words[0] in FIRST_WORDS or words[-1] in LAST_WORDS


def any_refused(tags: Iterable[str], aliases: Mapping[str, str] | None = None) -> bool:
    """Says whether any of the tags marks minors."""
    return any(is_refused(tag, aliases) for tag in tags)


def text_is_refused(text: str, aliases: Mapping[str, str] | None = None) -> bool:
    """Says whether a prompt, caption, query or folder name carries such a tag, as a whole piece or as a word of it.

    A negated term (`-young`) asks for the opposite and passes.
    """
    pieces = [piece for piece in re.split(r"[,\n|]", text) if piece.strip()]
    if any(is_refused(_without_weight(piece), aliases) for piece in pieces if not piece.strip().startswith("-")):
        return True
    plain = re.sub(r"(?:^|(?<=\s))-\S+", " ", text.lower().replace("_", " "))
    for phrase in INNOCENT_PHRASES:
        plain = plain.replace(phrase, " ")
    return any(word in REFUSED_TAGS for word in _WORD.findall(plain))


def _without_weight(piece: str) -> str:
    """Takes a WebUI attention weight off a prompt piece: `(tag:1.2)` is `tag`."""
    bare = piece.strip().strip("(){}[]~ ")
    return re.sub(r":[0-9.]+$", "", bare)


def demand_safe_text(text: str, what: str) -> None:
    """Raises `RefusedError` when `text` carries such a tag; `what` names the thing to the person, not the tag."""
    if text_is_refused(text):
        raise RefusedError(
            f"The {what} carries a tag that marks minors; lorasmith refuses such material always, and has no switch for it."
        )
