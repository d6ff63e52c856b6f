"""What is known of words, for a person who asks: a tag's group and relations, its name on the other board, what a caption costs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lorasmith.errors import UsageError
from lorasmith.stages.tag.tables import in_words

if TYPE_CHECKING:
    from lorasmith.tags.boards import Vocabulary

BOARDS: tuple["Vocabulary", ...] = ("danbooru", "e621")


@dataclass(frozen=True)
class TagShown:
    """All that is known of one tag."""

    tag: str
    group: str
    one_of: str  # the one-of group that it answers, empty where it is in none
    used_as: str  # core, toggle, state, choice or other
    in_prompts: str
    tokens: int
    on_danbooru: str
    on_e621: str
    relations: tuple[str, ...]


@dataclass(frozen=True)
class Lost:
    """A tag that the other board cannot say as it is."""

    tag: str
    became: str
    why: str


@dataclass(frozen=True)
class Said:
    """A caption in the words of a board."""

    caption: str
    lost: tuple[Lost, ...]
    tables: str


@dataclass(frozen=True)
class Counted:
    """What a caption or a trigger costs."""

    tokens: int
    windows: int  # of 75 tokens
    cuts: tuple[str, ...]  # where a window ends, a sentence each
    tags: tuple["TagCost", ...]
    trigger: str


@dataclass(frozen=True)
class TagCost:
    """One tag of a caption."""

    tag: str
    tokens: int  # with the comma behind it
    window: int
    splits: str


def show_tag(tag: str) -> TagShown:
    """Says of one tag what lorasmith does with it, and what the fetched tables say of it."""
    from lorasmith.tags.groups import group_of, one_of
    from lorasmith.tags.profile import class_of
    from lorasmith.tags.spelling import demand_tag, for_prompt, with_spaces
    from lorasmith.tags.tokens import count_tokens

    name = demand_tag(tag).lower()
    known = [line for board in BOARDS for line in _relations_of(name, board)]
    return TagShown(
        name, (group_of(name) or "none").replace("_", " "), one_of(name) or "", class_of(name), for_prompt(name),
        count_tokens(with_spaces(name)), _on("danbooru", name), _on("e621", name), tuple(known),
    )  # fmt: skip


def _on(to: "Vocabulary", name: str) -> str:
    """Words what a tag is called on a board."""
    from lorasmith.tags.boards import translate

    other: Vocabulary = "e621" if to == "danbooru" else "danbooru"
    said, meant = translate([name], to), translate([name], to, other)
    if name in said.tags and name not in meant.tags:  # a false friend
        return f"{name}, but not what {other} means by it"
    return "; ".join([", ".join(said.tags) or "nothing", *(note.why for note in said.notes)])


def _relations_of(name: str, board: str) -> list[str]:
    from lorasmith.tags.relations import load_relations

    found = load_relations(board)
    if found is None:
        return [in_words(None, board)]
    lines = [in_words(found, board)]
    if found.name(name) != name:
        lines.append(f"{board}: another name for {found.name(name)}")
    if implied := sorted(found.implied(name)):
        lines.append(f"{board}: implies {', '.join(implied)}")
    return lines


def say_in_words_of(caption: str, board: str) -> Said:
    """Translates a caption into the words of a board, and says what was lost."""
    from lorasmith.tags.boards import translate
    from lorasmith.tags.captions import caption_text, tags_of_caption
    from lorasmith.tags.relations import load_relations

    if board not in BOARDS:
        raise UsageError(f"There is no table for '{board}'; say --to danbooru or --to e621.")
    tables = load_relations(board)
    tags = tags_of_caption(caption)
    done = translate(tags, "danbooru", "e621", tables) if board == "danbooru" else translate(tags, "e621", "danbooru", tables)
    lost = tuple(Lost(note.tag, ", ".join(note.became) or "left out", note.why) for note in done.notes)
    return Said(caption_text(done.tags), lost, in_words(tables, board))


def count_words(text: str) -> Counted:
    """Counts the tokens of a caption tag by tag, and says how its first tag, the trigger, splits."""
    from lorasmith.tags.tokens import meter, tokens_of
    from lorasmith.tags.trigger import trigger_advice

    read = meter(text)
    costs = tuple(
        TagCost(one.tag, one.tokens, one.window, " + ".join(token.text.strip() for token in tokens_of(one.tag))) for one in read.tags
    )
    cuts = tuple(
        f"window {one.window} of 75 tokens ends at '{one.tag}', which " + ("is cut in two" if one.torn else "moves into the next one")
        for one in read.crossings
    )
    return Counted(read.tokens, read.windows, cuts, costs, trigger_advice(text.split(",")[0]).sentence)
