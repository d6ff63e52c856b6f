"""Tests of tokens, chunks and text encoder states."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lorasmith.checkpoints import emphasis
from lorasmith.checkpoints.clip.tokenizer import BOS, EOS, load_tokenizer
from lorasmith.checkpoints.emphasis import Segment, parse
from lorasmith.checkpoints.load import BaseModel, load_base
from lorasmith.checkpoints.prompts import BACKTRACK, CHUNK, COMMA, chunk, count_tokens, cut, encode_chunks
from lorasmith.checkpoints.prompts import encode as encode_texts

WORDS = ["red", "fox", "blue_eyes", "1girl", ":3", "(solo)", "looking at viewer", "ünï"]


@pytest.fixture(scope="module")
def model(tiny: Path) -> BaseModel:
    """The text encoder of the tiny model."""
    return load_base(tiny, parts=("text_encoder",))


def encode(model: BaseModel, texts: list[str], **choices: Any) -> torch.Tensor:
    """The states alone, which is all that SD1.x has."""
    found = encode_texts(model, texts, **choices)
    assert found.pooled is None
    return found.context


def inner(chunks: list[list[int]]) -> list[int]:
    """The text tokens of all chunks, without marks and padding."""
    return [token for ids in chunks for token in ids if token not in (BOS, EOS)]


def test_the_vocabulary_gives_the_known_ids() -> None:
    tokenizer = load_tokenizer()
    assert tokenizer("a photo of a cat")["input_ids"] == [49406, 320, 1125, 539, 320, 2368, 49407]
    assert len(tokenizer) == 49408
    assert tokenizer(",", add_special_tokens=False)["input_ids"] == [COMMA]
    assert tokenizer.decode([320, 1125, 539, 320, 2368]).strip() == "a photo of a cat"


def test_a_short_caption_is_one_padded_chunk() -> None:
    assert chunk(load_tokenizer(), "a photo of a cat") == [[BOS, 320, 1125, 539, 320, 2368] + [EOS] * 71]
    assert chunk(load_tokenizer(), "") == [[BOS] + [EOS] * 76]


def test_a_full_chunk_has_75_tokens_and_the_76th_starts_another() -> None:
    tokenizer = load_tokenizer()
    assert len(chunk(tokenizer, "cat " * 75)) == 1
    two = chunk(tokenizer, "cat " * 76)
    assert [len(ids) for ids in two] == [77, 77]
    assert two[1] == [BOS, 2368] + [EOS] * 75


def test_a_cut_goes_back_to_a_comma_that_is_near() -> None:
    two = chunk(load_tokenizer(), "cat " * 60 + "," + "dog " * 30)
    assert inner(two[:1]) == [2368] * 60 + [COMMA]
    assert inner(two[1:]) == [1929] * 30


def test_a_cut_does_not_go_back_to_a_comma_that_is_far() -> None:
    two = chunk(load_tokenizer(), "cat " * (CHUNK - BACKTRACK - 2) + "," + "dog " * 40)
    assert len(inner(two[:1])) == CHUNK


def test_a_comma_that_is_the_76th_token_goes_into_the_next_chunk() -> None:
    two = chunk(load_tokenizer(), "cat " * 75 + ", dog")
    assert inner(two[1:]) == [COMMA, 1929]


@settings(max_examples=60, deadline=None)
@given(words=st.lists(st.sampled_from(WORDS), max_size=120))
def test_nothing_is_lost_and_every_chunk_is_77_long(words: list[str]) -> None:
    tokenizer = load_tokenizer()
    text = ", ".join(words)
    chunks = chunk(tokenizer, text)
    assert all(len(ids) == 77 and ids[0] == BOS and ids[-1] == EOS for ids in chunks)
    assert inner(chunks) == tokenizer(text, add_special_tokens=False)["input_ids"]
    assert count_tokens(tokenizer, text) == len(inner(chunks))


def test_escaped_brackets_of_a_caption_are_brackets() -> None:
    tokenizer = load_tokenizer()
    assert chunk(tokenizer, r"fox \(animal\)") == chunk(tokenizer, "fox (animal)")


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("plain, text", [("plain, text", 1.0)]),
        ("(more)", [("more", 1.1)]),
        ("((more))", [("more", 1.21)]),
        ("[less]", [("less", 1 / 1.1)]),
        ("a (cat:1.3), dog", [("a ", 1.0), ("cat", 1.3), (", dog", 1.0)]),
        ("(a (b:2) c:0.5)", [("a ", 0.5), ("b", 1.0), (" c", 0.5)]),
        (r"fox \(animal\)", [("fox (animal)", 1.0)]),
        ("(open", [("open", 1.1)]),
        ("closed)", [("closed)", 1.0)]),
        (":3 and a: b", [(":3 and a: b", 1.0)]),
        ("", [("", 1.0)]),
    ],
)
def test_the_prompt_language_is_read_as_the_webui_reads_it(text: str, segments: list[tuple[str, float]]) -> None:
    read = [(segment.text, round(segment.weight, 6)) for segment in parse(text)]
    assert read == [(words, round(weight, 6)) for words, weight in segments]


@settings(max_examples=200, deadline=None)
@given(text=st.text(alphabet="ab ()[]:.1\\,", max_size=40))
def test_any_prompt_can_be_read(text: str) -> None:
    assert parse(text)


def test_break_starts_a_new_chunk() -> None:
    assert parse("a BREAK b") == [Segment("a"), Segment("b", 1.0, starts_chunk=True)]
    chunks = cut(load_tokenizer(), parse("cat BREAK dog"))
    assert [chunk.ids[1] for chunk in chunks] == [2368, 1929]


def test_shapes_follow_the_longest_caption_and_short_ones_get_empty_chunks(model: BaseModel) -> None:
    states = encode(model, ["a cat", "red cat, " * 60])
    assert states.shape == (2, 231, 64)
    assert torch.allclose(states[0, :77], encode(model, ["a cat"])[0], atol=1e-5)
    assert torch.allclose(states[0, 77:154], encode(model, [""])[0], atol=1e-5)


def test_clip_skip_takes_an_earlier_layer_and_norms_it(model: BaseModel) -> None:
    caught: list[torch.Tensor] = []
    hook = model.text_encoder.encoder.layers[10].register_forward_hook(
        lambda module, inputs, output: caught.append(output[0] if isinstance(output, tuple) else output)
    )
    skipped = encode(model, ["a cat"], clip_skip=2)
    hook.remove()
    assert torch.allclose(skipped, model.text_encoder.final_layer_norm(caught[0]), atol=1e-6)
    assert not torch.allclose(skipped, encode(model, ["a cat"]), atol=1e-3)


def test_gradients_flow_only_when_asked_for(model: BaseModel) -> None:
    weight = model.text_encoder.encoder.layers[0].mlp.fc1.weight
    weight.requires_grad_(True)
    try:
        assert encode(model, ["a cat"], grad=True).requires_grad
        assert encode(model, ["a cat"], clip_skip=2, grad=True).requires_grad
        assert not encode(model, ["a cat"]).requires_grad
    finally:
        weight.requires_grad_(False)


def test_a_weight_scales_its_tokens_and_leaves_the_mean(model: BaseModel) -> None:
    cuts = [cut(model.tokenizer, parse("a (cat:1.5)"))]
    model.text_encoder.final_layer_norm.bias.fill_(0.5)  # real models have a mean that is not zero
    try:
        plain, weighted = encode(model, ["a cat"]), encode_chunks(model, cuts).context
    finally:
        model.text_encoder.final_layer_norm.bias.zero_()
    factors = (weighted / plain)[0]
    assert torch.allclose(factors[2] / factors[1], torch.full((64,), 1.5), atol=1e-3)
    assert torch.allclose(weighted.mean(), plain.mean(), atol=1e-5)
    assert torch.equal(encode_chunks(model, [cut(model.tokenizer, emphasis.plain("a cat"))]).context, encode(model, ["a cat"]))


def test_a_weight_works_where_the_mean_is_zero(model: BaseModel) -> None:
    plain = encode(model, ["a cat"])
    weighted = encode_chunks(model, [cut(model.tokenizer, parse("a (cat:1.5)"))]).context
    assert torch.allclose(weighted[0, 2], plain[0, 2] * 1.5, atol=1e-5)
    assert torch.equal(weighted[0, 3:], plain[0, 3:])
