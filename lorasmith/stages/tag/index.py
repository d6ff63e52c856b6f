"""The tags of a project's pictures as an index: what filters, counts, edits and the audit look at."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache, partial
from struct import unpack
from typing import TYPE_CHECKING, Any

from lorasmith.errors import UsageError
from lorasmith.project.pictures import Picture
from lorasmith.project.project import Project
from lorasmith.project.tag_rows import SEPARATOR
from lorasmith.settings.tables import TagSettings

if TYPE_CHECKING:
    from lorasmith.tags.filter import Filter
    from lorasmith.tags.index import TagCount, TagIndex

LABELS = "labels:"  # how the facts begin that hold the names of a tagger's scores; the tagger's id follows
NAN = float("nan")


@dataclass(frozen=True)
class Counted:
    """How often each tag is on the pictures that a filter means."""

    pictures: int
    of: int
    tags: "tuple[TagCount, ...]"
    hints: tuple[str, ...] = ()  # words of the filter that no picture has, with the nearest that one has


def count_tags(project: Project, where: str = "") -> Counted:
    """Counts the tags of the pictures that are trained on and fit a filter."""
    from lorasmith.tags.filter import read_filter

    chosen = read_filter(where)
    index = open_index(project)
    bits = chosen.holds(index)
    return Counted(bits.bit_count(), len(index.names), tuple(index.counts(bits)), unknown_words(index, chosen))


def open_index(
    project: Project, pictures: Sequence[Picture] | None = None, caption_set: str = "", asked: "Asked | None" = None
) -> "TagIndex":
    """Builds the index of some pictures, those that are trained on where none are given.

    A picture has what any source says of it, less what a person took out. `asked` is what an index that is kept answers from.
    """
    from lorasmith.tags.index import index_of_lists

    pictures = project.pictures.trained() if pictures is None else pictures
    names = [picture.name for picture in pictures]
    asked = asked or Asked(project, pictures, caption_set)
    texts = {word: partial(asked.text, word) for word in ("name", "caption", "source", "rating", "is", "folder")}
    rows = project.tag_rows
    return index_of_lists(names, rows.lists(), rows.gone(), SEPARATOR, texts=texts, number=asked.number)


def unknown_words(index: "TagIndex", chosen: "Filter") -> tuple[str, ...]:
    """Says which tags of a filter no picture has, and which are nearest."""
    hints = []
    for pattern in chosen.tags():
        if not index.fitting(pattern):
            near = get_close_matches(pattern, index.bits, 1, 0.7)
            hints.append(f"No picture has '{pattern}'{f'; did you mean {near[0]}' if near else ''}.")
    return tuple(hints)


class Asked:
    """Answers a filter's other words from the project; what was asked once is kept.

    An index may outlive the project that it was built from: `project` is then the one opened now, of the same state.
    """

    def __init__(self, project: Project, pictures: Sequence[Picture], caption_set: str) -> None:
        self.project = project
        self._pictures = pictures
        self._set = caption_set
        self._texts: dict[str, Sequence[Collection[str]]] = {}
        self._kept: dict[tuple[str, str], Any] = {}

    def text(self, word: str) -> Sequence[Collection[str]]:
        """Gives what each picture answers to one of the filter's words: `source`, `is`, …"""
        if word not in self._texts:
            simple = {"name": _names, "rating": _rating, "is": _kinds, "folder": _folders}
            answer = simple.get(word) or (self._source() if word == "source" else self._caption())
            self._texts[word] = [answer(picture) for picture in self._pictures]
        return self._texts[word]

    def _source(self) -> Callable[[Picture], Collection[str]]:
        said = self.project.tag_rows.sources()
        return lambda one: {word for source in said.get(one.name, ()) for word in (source, source.split(":")[0])}

    def _caption(self) -> Callable[[Picture], Collection[str]]:
        texts = self._captions()
        return lambda one: (texts.get(one.name, ""),)

    def number(self, field: str, tag: str) -> Sequence[float]:
        """Gives a number for each picture."""
        if field in ("width", "height"):
            return [getattr(picture, field) for picture in self._pictures]
        if (field, tag) not in self._kept:
            self._kept[field, tag] = self._tokens() if field == "tokens" else self._scores(tag)
        kept: Sequence[float] = self._kept[field, tag]
        return kept

    def _captions(self) -> dict[str, str]:
        name = self._set or self.project.settings(TagSettings).caption_set
        return {caption.picture: caption.text for caption in self.project.pictures.captions(name).values()}

    def _tokens(self) -> Sequence[float]:
        texts = self._captions()
        return [float(_tokens_in(texts[one.name])) if one.name in texts else NAN for one in self._pictures]

    def _scores(self, tag: str) -> Sequence[float]:
        """Gives the best score of all taggers that know the tag."""
        best = [NAN] * len(self._pictures)
        lists = self.project.facts_named(LABELS)
        if not lists:
            raise UsageError(f"score({tag}) asks what a tagger saw, and none has looked yet; run `lorasmith tag` first.")
        places = {model: names.index(tag) for model, names in lists.items() if tag in names}
        if not places:
            near = get_close_matches(tag, sorted({name for names in lists.values() for name in names}), 1, 0.7)
            raise UsageError(f"The tagger does not know '{tag}'{f'; did you mean {near[0]}' if near else ''}.")
        for model, place in places.items():
            column = self.project.tag_rows.column(model.removeprefix(LABELS), place)
            for at, picture in enumerate(self._pictures):
                if stored := column.get(picture.sha256):
                    score = unpack("<e", stored)[0]
                    best[at] = score if best[at] != best[at] else max(best[at], score)
        return best


@lru_cache(maxsize=1 << 14)
def _tokens_in(caption: str) -> int:
    """Counts the tokens of a caption; most captions stay as they are from one index to the next."""
    from lorasmith.tags.tokens import count_tokens

    return count_tokens(caption)


def _names(picture: Picture) -> Collection[str]:
    """Gives a picture's name and that of the original it was made from."""
    return {picture.name, picture.name.split(".")[0]}


def _rating(picture: Picture) -> Collection[str]:
    """Gives a picture's rating on its site: a letter."""
    return (str(picture.post.get("rating", "")),)


def _folders(picture: Picture) -> Collection[str]:
    """Gives the folders that a picture of one's own was added with."""
    return [part for part in str(picture.post.get("folder", "")).split("/") if part]


def _kinds(picture: Picture) -> Collection[str]:
    """Gives what a picture is: where it came from, original or what kind of edit, generated."""
    return {picture.origin, picture.kind or "original", *(("generated",) if picture.generated else ())}
