"""How a trigger reads to CLIP: its pieces, and whether they mean something else already."""

from dataclasses import dataclass

from lorasmith.tags.spelling import with_underscores
from lorasmith.tags.tokens import LETTERS, Token, normalised, tokens_of
from lorasmith.tags.vocabulary import TABLE

COMMON = 20_000  # numbers below are merges that CLIP's texts had most often: its common words
LONG = 8  # tokens from which on a trigger costs a tenth of the window

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True)
class Piece:
    """One token of a trigger: its number is its rank too, `word` says that it is a whole word, `common` that CLIP saw it often."""

    text: str
    id: int
    word: bool
    common: bool


@dataclass(frozen=True)
class TriggerAdvice:
    """How a trigger splits, whether it is weak, and in a sentence what to do about it."""

    trigger: str
    pieces: tuple[Piece, ...]
    tokens: int
    weak: bool
    sentence: str


def trigger_advice(trigger: str) -> TriggerAdvice:
    """Says how a trigger splits into CLIP's tokens and what to change.

    One token, or nothing but common words, is weak: it brings along what those words mean. Pieces of words mean little, so
    that a training can give them a meaning.
    """
    read = normalised(trigger.strip())
    tokens = tokens_of(read)
    pieces = tuple(_piece(tokens, place) for place in range(len(tokens)))
    known = TABLE.get(with_underscores(trigger.strip()).lower())
    weak, sentence = _judged(trigger.strip(), pieces, known)
    return TriggerAdvice(trigger, pieces, len(pieces), weak, sentence)


def _piece(tokens: list[Token], place: int) -> Piece:
    """Reads one token; it is a word when it begins and ends one, and has letters."""
    token = tokens[place]
    begins = place == 0 or tokens[place - 1].text.endswith(" ")
    word = begins and token.text.endswith(" ") and token.id >= LETTERS and token.text.strip().isalpha()
    return Piece(token.text.strip(), token.id, word, word and token.id < COMMON)


def _judged(trigger: str, pieces: tuple[Piece, ...], group: str | None) -> tuple[bool, str]:
    if not pieces:
        return True, "There is no trigger; choose a word that calls the character."
    split = f"'{trigger}' is {_number(len(pieces))} to CLIP ({' + '.join(piece.text for piece in pieces)})"
    named = [piece for piece in pieces if piece.text.strip("_-'.") and not piece.text.isdigit()]
    if group is not None:
        return True, f"{split}, and a tag of its own ({group.replace('_', ' ')}): choose a name that is no tag."
    if len(pieces) == 1:
        what = "a common word that already means something" if pieces[0].common else "a word that it knows"
        if not pieces[0].word:
            what = "too little to tell from others"
        return True, f"{split}, {what}. Add the surname or a word to it, or choose a rarer spelling: two to four tokens are good."
    if named and all(piece.common for piece in named):
        each = "a common word" if len(named) == 1 else "each a common word"
        return True, f"{split}, {each} that brings its own meaning along. Add a rarer word, or spell one in a rarer way."
    return False, f"{split}{_remarks(trigger, pieces)}."


def _remarks(trigger: str, pieces: tuple[Piece, ...]) -> str:
    """Words what makes a good trigger longer than it need be; otherwise that it is good."""
    digits = sum(piece.text.isdigit() for piece in pieces)
    unders = trigger.count("_")
    said = []
    if digits:
        said.append(f"{_spelt(digits)} of them for digits, each of which is one")
    if unders:
        said.append(f"{_spelt(unders)} of them for underscores, which spaces would save")
    if len(pieces) > LONG:
        said.append("long: every caption pays for it")
    return ": " + "; ".join(said) if said else ": good, since its pieces mean little by themselves"


def _number(count: int) -> str:
    return f"{_spelt(count)} token{'' if count == 1 else 's'}"


def _spelt(count: int) -> str:
    return _NUMBERS[count] if count < len(_NUMBERS) else str(count)
