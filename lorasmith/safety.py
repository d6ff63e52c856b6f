"""The tags that mark minors: whatever carries one is refused, everywhere. There is no switch.

Tags are matched whole, after folding case, width, spaces, hyphens, underscores and look-alike letters and resolving
aliases; never as substrings, because `baby` and `child` stand inside ordinary words. Compounds (`young_*`, `*_cub`,
anything with an unmistakable word in it) are matched by their words. Free text (prompts, captions, folder names) is
matched word by word, so that it is always at least as strict as the tags in it.
Refused posts are counted, never stored, previewed or listed.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from lorasmith.errors import RefusedError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

# The protective blacklists' own names (e621, Danbooru), with the synonyms and plural forms they are aliased from.
REFUSED_TAGS = frozenset(
    "young cub toddler baby child loli lolicon shota shotacon toddlercon "
    "cubs toddlers babies children lolis shotas kid kids infant infants newborn preteen preteens underage "
    "underaged pre_teen pre_teens under_age new_born adolescents child_focus "
    "adolescent female_child male_child babyfur baby_fur".split()
)
# A word that is unmistakable wherever it stands in a tag of several words.
REFUSED_WORDS = frozenset(
    "toddler toddlers toddlercon loli lolis lolicon shota shotas shotacon underage preteen preteens babyfur".split()
)
FIRST_WORDS = frozenset(["young", "baby", "infant", "newborn", "cub"])  # young_*, baby_dragon, cub_focus
LAST_WORDS = frozenset(  # *_cub, female_child, human_baby
    ["cub", "cubs", "child", "children", "toddler", "baby", "babies", "infant", "infants", "newborn"]
)
QUALIFIERS = ("_(age)", "_(lore)")  # cub_(age) says what cub says
# Phrases that hold such a word and mean something else: colours, flowers, jutting hips.
INNOCENT_PHRASES = ("baby blue", "baby pink", "baby breath", "baby's breath", "brain child", "child bearing")
SEEN = 0.35  # a tagger's score from which on a refused tag counts as seen; no setting changes it
KEY_NEGATIVE = "-young"  # goes into every query that is sent to a site that knows the tag

_LENGTH_OF_A_TAG = 80  # letters; longer texts are captions and prompts, of which each is another
_FOLD = re.compile(r"[\s_\-]+")
_WORD = re.compile(r"[^\W\d_]+")
_INNOCENT = re.compile(rf"\b(?:{'|'.join(map(re.escape, INNOCENT_PHRASES))})\b")
_WEIGHT = re.compile(r":\s*[+-]?[0-9.]+\s*(?=[)\]>]|$)")
_BRACKETS = re.compile(r"[()\[\]{}]")
# Cyrillic and Greek letters that look like Latin ones.
_LOOK_ALIKES = str.maketrans(
    "авьсԁеһіјкӏмнорԛѕтуүхѵαβεηικνορτυχγϲ",
    "abbcdehijklmhopqstyyxvabenikvoptuxyc",
)


def fold(tag: str) -> str:
    """Writes a tag the one way that it is compared in: lower case, underscores for spaces and hyphens, unescaped.

    Compatibility forms (full width, mathematical, circled) become plain letters (Unicode's NFKC); unseen marks go.
    """
    plain = tag if tag.isascii() else _compatible(tag)
    return _FOLD.sub("_", plain.strip().lower().replace("\\", "")).strip("_")


def _compatible(text: str) -> str:
    seen = "".join(letter for letter in text if unicodedata.category(letter) != "Cf")
    return unicodedata.normalize("NFKC", seen)


def is_refused(tag: str, aliases: Mapping[str, str] | None = None) -> bool:
    """Says whether one tag marks minors; `aliases` maps folded antecedents to their consequents."""
    return _tag_is_refused(tag) or bool(aliases and _tag_is_refused(aliases.get(fold(tag), "")))


@lru_cache(maxsize=1 << 16)  # a few thousand tags stand on all the posts of a search
def _tag_is_refused(tag: str) -> bool:
    return _name_is_refused(_latin(fold(tag)))


def _name_is_refused(name: str) -> bool:
    for qualifier in QUALIFIERS:
        name = name.removesuffix(qualifier)
    if name in REFUSED_TAGS:
        return True
    words = _words(name)
    if not words:
        return False
    return bool(REFUSED_WORDS.intersection(words)) or words[0] in FIRST_WORDS or words[-1] in LAST_WORDS


def any_refused(tags: Iterable[str], aliases: Mapping[str, str] | None = None) -> bool:
    """Says whether any of the tags marks minors."""
    return any(is_refused(tag, aliases) for tag in tags)


def text_is_refused(text: str, aliases: Mapping[str, str] | None = None) -> bool:
    """Says whether a prompt, caption or folder name carries such a tag, as a whole piece or as a word of it.

    A prompt knows no negation: `-young` draws what `young` draws.
    """
    if aliases or len(text) > _LENGTH_OF_A_TAG:
        return _text_is_refused(text, aliases)
    return _tag_text_is_refused(text)


@lru_cache(maxsize=1 << 14)  # the same few thousand tags stand in all the captions of a project
def _tag_text_is_refused(text: str) -> bool:
    return _text_is_refused(text, None)


def _text_is_refused(text: str, aliases: Mapping[str, str] | None) -> bool:
    pieces = [piece for piece in re.split(r"[,\n|]", text) if piece.strip()]
    if any(is_refused(form, aliases) for piece in pieces for form in (piece, _without_weight(piece))):
        return True
    plain = _latin(fold(text))
    # `c()ub` and `c\\ub` reach the tokenizer as one word, `(a)(b)` as two: both readings count.
    readings = (plain, _BRACKETS.sub("", _WEIGHT.sub("", plain)))
    return any(word in REFUSED_TAGS for reading in readings for word in _words(reading))


def query_is_refused(query: str, aliases: Mapping[str, str] | None = None) -> bool:
    """Says whether a search asks for such a tag; a negated term (`-young`) asks for the opposite and passes."""
    asked = [term for term in query.split() if not unicodedata.normalize("NFKC", term).startswith("-")]
    return any_refused((term.lstrip("~") for term in asked), aliases) or text_is_refused(" ".join(asked), aliases)


def _latin(folded: str) -> str:
    """Takes accents off and writes look-alike letters as the Latin ones they are taken for; for comparison only."""
    if folded.isascii():
        return folded
    letters = unicodedata.normalize("NFKD", folded.translate(_LOOK_ALIKES))
    return "".join(letter for letter in letters if not unicodedata.combining(letter)).translate(_LOOK_ALIKES)


def _words(name: str) -> list[str]:
    """Gives the words of a folded text, the innocent phrases left out."""
    return _WORD.findall(_INNOCENT.sub(" ", name.replace("_", " ")))


def _without_weight(piece: str) -> str:
    """Takes a WebUI attention weight off a prompt piece: `(tag:1.2)` is `tag`."""
    bare = piece.strip().strip("(){}[]~ ")
    return re.sub(r":[0-9.]+$", "", bare)


def demand_safe_text(text: str, what: str) -> None:
    """Raises `RefusedError` when `text` carries such a tag; `what` names the thing to the person, not the tag."""
    if text_is_refused(text):
        raise _refusal(what)


def demand_safe_query(query: str) -> None:
    """Raises `RefusedError` when a search asks for such a tag."""
    if query_is_refused(query):
        raise _refusal("search")


def refused_places(labels: Iterable[str]) -> list[int]:
    """Gives where among a tagger's labels such tags stand."""
    return [place for place, label in enumerate(labels) if is_refused(label)]


def is_seen(scores: "Sequence[float] | npt.NDArray[np.float32]", places: Sequence[int]) -> bool:
    """Says whether a tagger sees one of the tags at those places; `scores` has one number per label."""
    return any(scores[place] >= SEEN for place in places)


def _refusal(what: str) -> RefusedError:
    return RefusedError(
        f"The {what} carries a tag that marks minors; lorasmith refuses such material always, and has no switch for it."
    )
