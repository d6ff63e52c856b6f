"""The CLIP tokenizer of SD1.x, built from the byte-pair vocabulary that ships beside this file."""

import gzip
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from transformers import CLIPTokenizer

BOS = 49406
EOS = 49407
_MERGES = 49152 - 256 - 2  # the vocabulary is two alphabets of 256 bytes, the merges, and two marks


def _byte_letters() -> Iterator[str]:
    """Yields the letter that stands for each byte: printable ones for themselves, the others from code point 256 up."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    yield from map(chr, printable)
    yield from (chr(256 + index) for index in range(256 - len(printable)))


def merges() -> list[tuple[str, str]]:
    """Reads the 48,894 merges, in order of rank."""
    packed = files("lorasmith.checkpoints.clip").joinpath("bpe_simple_vocab_16e6.txt.gz").read_bytes()
    lines = gzip.decompress(packed).decode("utf-8").split("\n")[1 : 1 + _MERGES]
    return [(left, right) for left, right in (line.split() for line in lines)]


@cache
def load_tokenizer() -> CLIPTokenizer:
    """Builds the tokenizer (vocabulary 49,408; padded with the end mark), with no network and no other files."""
    letters = list(_byte_letters())
    ranked = merges()
    words = [*letters, *(letter + "</w>" for letter in letters), *(left + right for left, right in ranked)]
    words += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: index for index, word in enumerate(words)}
    return CLIPTokenizer(vocab=vocabulary, merges=ranked, model_max_length=77)
