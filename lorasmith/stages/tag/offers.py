"""Tags offered while a person types: those of the set with their counts, those the tables know, and today's names of old ones."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lorasmith.safety import text_is_refused

if TYPE_CHECKING:
    from lorasmith.tags.boards import Vocabulary
    from lorasmith.tags.index import TagIndex
    from lorasmith.tags.relations import Relations

MOST = 12


@dataclass(frozen=True)
class Offer:
    """A tag to choose: on how many pictures of the set it is, its group, and the old name by which it was found."""

    tag: str
    pictures: int
    group: str
    typed_as: str = ""


def offers(typed: str, index: "TagIndex", board: "Vocabulary", relations: "Relations | None") -> list[Offer]:
    """Lists tags that begin as typed, then those that hold it: the commonest of the set first; names of the board's words."""
    from lorasmith.tags.groups import group_of
    from lorasmith.tags.spelling import with_underscores

    wanted = with_underscores(typed).casefold()
    if not wanted:
        return []
    found: dict[str, str] = {}
    for tag, old in _candidates(wanted, index, board, relations):
        if tag not in found and not text_is_refused(tag):
            found[tag] = old
        if len(found) == MOST:
            break
    return [Offer(tag, index.bits.get(tag, 0).bit_count(), (group_of(tag) or "").replace("_", " "), old) for tag, old in found.items()]


def _candidates(
    wanted: str, index: "TagIndex", board: "Vocabulary", relations: "Relations | None"
) -> "Iterator[tuple[str, str]]":
    """Yields (tag, old name): an alias or another board's name typed in full first, then by how they fit and how common they are."""
    from lorasmith.tags.boards import translate
    from lorasmith.tags.vocabulary import TABLE

    if relations is not None and wanted in relations.aliases:
        yield relations.name(wanted), wanted
    said = translate([wanted], board).tags
    yield from ((tag, wanted) for tag in said if said != (wanted,))
    common = sorted(index.bits, key=lambda tag: (-index.bits[tag].bit_count(), tag))
    yield from ((tag, "") for tag in common if tag.casefold().startswith(wanted))
    yield from ((tag, "") for tag in TABLE if tag.startswith(wanted))
    if relations is not None:
        old = sorted((name for name in relations.aliases if name.startswith(wanted)), key=lambda name: (len(name), name))
        yield from ((relations.name(name), name) for name in old)
    yield from ((tag, "") for tag in common if wanted in tag.casefold())
    yield from ((tag, "") for tag in TABLE if wanted in tag)
