"""Captions and prompts as token chunks and text encoder states, cut exactly as the WebUIs cut them.

A chunk is 75 tokens between the start mark and the end mark, padded with end marks to 77; a cut goes back to the last
comma when that is at most 20 tokens away. As many chunks as needed are made, nothing is cut off. SDXL's second text
encoder takes the same chunks with zeros in place of the padding.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from transformers import CLIPTokenizer

from lorasmith.checkpoints import emphasis
from lorasmith.checkpoints.clip.tokenizer import BOS, EOS
from lorasmith.checkpoints.conditioning import Conditioning
from lorasmith.checkpoints.emphasis import Segment
from lorasmith.checkpoints.load import BaseModel

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


def encode(model: BaseModel, texts: Sequence[str], clip_skip: int = 1, grad: bool = False) -> Conditioning:
    """Encodes captions to [b, 77 n, d], n being the most chunks any of them needs; shorter ones get empty chunks."""
    cuts = [cut(model.tokenizer, emphasis.plain(text)) for text in texts]
    return encode_chunks(model, cuts, clip_skip, grad)


def encode_chunks(
    model: BaseModel, cuts: Sequence[Sequence[WeightedChunk]], clip_skip: int = 1, grad: bool = False
) -> Conditioning:
    """Encodes chunks made by `cut` to [b, 77 n, d]; weights scale the states and leave each chunk's mean as it was.

    SDXL has one layer of each text encoder that counts, whatever `clip_skip` is.
    """
    longest = max(len(chunks) for chunks in cuts)
    rows = [row for chunks in cuts for row in (*chunks, *(EMPTY,) * (longest - len(chunks)))]
    ids = torch.tensor([row.ids for row in rows], device=model.device)
    pooled = None
    with nullcontext() if grad else torch.no_grad():
        if model.is_sdxl:
            first = _sdxl_states(model, ids)
            second, each = _sdxl_states_2(model, ids)
            encoded, pooled = [first, second], each.reshape(len(cuts), longest, -1)[:, 0]
        else:
            encoded = [hidden_states(model, ids, clip_skip)]
        if any(weight != 1.0 for row in rows for weight in row.weights):
            encoded = [_weighted(states, _weights(rows, states)) for states in encoded]
    states = encoded[0] if len(encoded) == 1 else torch.cat(encoded, -1)
    return Conditioning(states.reshape(len(cuts), longest * states.shape[1], states.shape[2]), pooled)


def _weights(rows: Sequence[WeightedChunk], states: torch.Tensor) -> torch.Tensor:
    return torch.tensor([row.weights for row in rows], device=states.device, dtype=states.dtype)


def _weighted(states: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Scales states [m, 77, d] by token weights [m, 77] and gives each chunk its mean back, as the WebUIs do.

    Where the mean is about zero (not so in real CLIP models) the factor would be wild, and is left out.
    """
    scaled = states * weights[:, :, None]
    factor = states.mean((1, 2), keepdim=True) / scaled.mean((1, 2), keepdim=True)
    return scaled * torch.where((factor > 0.5) & (factor < 2), factor, torch.ones_like(factor))


def hidden_states(model: BaseModel, ids: torch.Tensor, clip_skip: int = 1) -> torch.Tensor:
    """Runs SD1.x's text encoder over ids [m, 77] to states [m, 77, d].

    `clip_skip` counts layers from the end, 1 being the last; the final layer norm is applied to whichever is taken.
    """
    encoder = model.text_encoder
    if clip_skip == 1:
        last: torch.Tensor = encoder(ids).last_hidden_state
        return last
    layers = encoder(ids, output_hidden_states=True).hidden_states
    normed: torch.Tensor = encoder.final_layer_norm(layers[-clip_skip])
    return normed


def _sdxl_states(model: BaseModel, ids: torch.Tensor) -> torch.Tensor:
    """Gives CLIP-L's last layer but one (11 of 12), without the final norm, as SDXL was trained on."""
    states: torch.Tensor = model.text_encoder(ids, output_hidden_states=True).hidden_states[-2]
    return states


def _sdxl_states_2(model: BaseModel, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Gives bigG's last layer but one, without the final norm, and its projected state at the end mark [m, p]."""
    encoder = model.text_encoder_2
    said = encoder(padded_with_zeros(ids), output_hidden_states=True)
    pooled: torch.Tensor = encoder.text_projection(said.pooler_output)
    return said.hidden_states[-2], pooled


def padded_with_zeros(ids: torch.Tensor) -> torch.Tensor:
    """Puts 0 in the place of all that follows the first end mark of each row [m, 77]."""
    ends = (ids == EOS).long()
    return ids.masked_fill(ends.cumsum(1) - ends > 0, 0)
