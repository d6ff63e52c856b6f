"""Captions and prompts as token chunks and text encoder states, cut exactly as the WebUIs cut them.

A chunk is 75 tokens between the start mark and the end mark, padded with end marks to 77; a cut goes back to the last
comma when that is at most 20 tokens away. As many chunks as needed are made, nothing is cut off.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from transformers import CLIPTokenizer

from lorasmith.checkpoints import emphasis
from lorasmith.checkpoints.clip.tokenizer import BOS, EOS
from lorasmith.checkpoints.emphasis import Segment
from lorasmith.checkpoints.load import Sd1

CHUNK = 75  # tokens of text in a chunk
BACKTRACK = 20  # tokens a cut may go back to reach a comma
COMMA = 267  # the token of "," at the end of a word


@dataclass(frozen=True)
class WeightedChunk:
    """77 token ids and the weight of each."""

    ids: tuple[int, ...]
    weights: tuple[float, ...]


EMPTY = WeightedChunk((BOS,) + (EOS,) * (CHUNK + 1), (1.0,) * (CHUNK + 2))


class _Cutter:
    """Fills one chunk after another."""

    def __init__(self) -> None:
        self.done: list[WeightedChunk] = []
        self.tokens: list[tuple[int, float]] = []
        self.last_comma = -1

    def add(self, token: int, weight: float) -> None:
        """Puts a token into the chunk, making room first."""
        if token == COMMA:
            self.last_comma = len(self.tokens)
        elif len(self.tokens) == CHUNK and self.last_comma >= 0 and CHUNK - self.last_comma <= BACKTRACK:
            moved = self.tokens[self.last_comma + 1 :]
            del self.tokens[self.last_comma + 1 :]
            self.close()
            self.tokens = moved
        if len(self.tokens) == CHUNK:
            self.close()
        self.tokens.append((token, weight))

    def close(self) -> None:
        """Pads the chunk and begins the next."""
        padding = CHUNK + 1 - len(self.tokens)
        ids = (BOS, *(token for token, _ in self.tokens), *(EOS,) * padding)
        self.done.append(WeightedChunk(ids, (1.0, *(weight for _, weight in self.tokens), *(1.0,) * padding)))
        self.tokens = []
        self.last_comma = -1


def cut(tokenizer: CLIPTokenizer, segments: Sequence[Segment]) -> list[WeightedChunk]:
    """Cuts weighted segments of text into chunks; at least one."""
    cutter = _Cutter()
    for segment in segments:
        if segment.starts_chunk:
            cutter.close()
        for token in _tokens(tokenizer, segment.text):
            cutter.add(token, segment.weight)
    if cutter.tokens or not cutter.done:
        cutter.close()
    return cutter.done


def _tokens(tokenizer: CLIPTokenizer, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False, truncation=False, verbose=False)["input_ids"]
    return ids


def chunk(tokenizer: CLIPTokenizer, text: str) -> list[list[int]]:
    """Cuts a caption into chunks of 77 ids; brackets are text, escaped ones are unescaped."""
    return [list(piece.ids) for piece in cut(tokenizer, emphasis.plain(text))]


def count_tokens(tokenizer: CLIPTokenizer, text: str) -> int:
    """Counts a caption's tokens, marks and padding apart, for a token meter (75 to a chunk)."""
    return sum(len(_tokens(tokenizer, segment.text)) for segment in emphasis.plain(text))


def encode(sd1: Sd1, texts: Sequence[str], clip_skip: int = 1, grad: bool = False) -> torch.Tensor:
    """Encodes captions to [b, 77 n, d], n being the most chunks any of them needs; shorter ones get empty chunks."""
    cuts = [cut(sd1.tokenizer, emphasis.plain(text)) for text in texts]
    return encode_chunks(sd1, cuts, clip_skip, grad)


def encode_chunks(
    sd1: Sd1, cuts: Sequence[Sequence[WeightedChunk]], clip_skip: int = 1, grad: bool = False
) -> torch.Tensor:
    """Encodes chunks made by `cut` to [b, 77 n, d]; weights scale the states and leave each chunk's mean as it was."""
    longest = max(len(chunks) for chunks in cuts)
    rows = [row for chunks in cuts for row in (*chunks, *(EMPTY,) * (longest - len(chunks)))]
    ids = torch.tensor([row.ids for row in rows], device=sd1.device)
    with nullcontext() if grad else torch.no_grad():
        states = hidden_states(sd1, ids, clip_skip)
        if any(weight != 1.0 for row in rows for weight in row.weights):
            weights = torch.tensor([row.weights for row in rows], device=states.device, dtype=states.dtype)
            states = _weighted(states, weights)
    return states.reshape(len(cuts), longest * states.shape[1], states.shape[2])


def _weighted(states: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Scales states [m, 77, d] by token weights [m, 77] and gives each chunk its mean back, as the WebUIs do.

    Where the mean is about zero (not so in real CLIP models) the factor would be wild, and is left out.
    """
    scaled = states * weights[:, :, None]
    factor = states.mean((1, 2), keepdim=True) / scaled.mean((1, 2), keepdim=True)
    return scaled * torch.where((factor > 0.5) & (factor < 2), factor, torch.ones_like(factor))


def hidden_states(sd1: Sd1, ids: torch.Tensor, clip_skip: int = 1) -> torch.Tensor:
    """Runs the text encoder over ids [m, 77] to states [m, 77, d].

    `clip_skip` counts layers from the end, 1 being the last; the final layer norm is applied to whichever is taken.
    """
    encoder = sd1.text_encoder
    if clip_skip == 1:
        last: torch.Tensor = encoder(ids).last_hidden_state
        return last
    layers = encoder(ids, output_hidden_states=True).hidden_states
    normed: torch.Tensor = encoder.final_layer_norm(layers[-clip_skip])
    return normed
