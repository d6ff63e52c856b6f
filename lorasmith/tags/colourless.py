"""What a picture without colours cannot say: the colour of eyes, hair or fur, which a tagger guesses all the same."""

from collections.abc import Iterable

from lorasmith.tags.groups import COLOURS
from lorasmith.tags.merge import MergedTag
from lorasmith.tags.spelling import with_underscores

_PARTS = frozenset(
    """eyes eye hair fur body skin scales feathers tail ears horns horn wings mane nose claws clothing shirt dress scarf hat bow
    jacket coat pants skirt belly markings stripes spots""".split()
)


def without_guessed_colours(tags: Iterable[MergedTag]) -> list[MergedTag]:
    """Leaves out the colours of parts that only a tagger says: `grey_fur` in a caption would stand for the style."""
    return [tag for tag in tags if "booru" in tag.sources or not _names_a_colour(tag.tag)]


def _names_a_colour(tag: str) -> bool:
    words = with_underscores(tag).lower().split("_")
    return len(words) > 1 and words[0] in COLOURS and words[-1] in _PARTS
