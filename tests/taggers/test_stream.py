"""Many pictures through taggers: order, broken pictures, cancelling, bounded memory, several taggers on one decode."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lorasmith.errors import PictureError, TaggerError
from lorasmith.taggers.onnx import Tagger
from lorasmith.taggers.stream import Source, score_stream

WriteTagger = Callable[..., Path]
COLOURS = [(number * 9, 255 - number * 9, number * 5) for number in range(25)]


def one_colour(colour: tuple[int, int, int]) -> Source:
    return lambda: Image.new("RGB", (20, 13), colour)


def broken() -> Image.Image:
    raise PictureError("x.png is broken or cut short: download or copy it again.")


@pytest.fixture(params=["lanes", "one run at a time"])
def tagger(request: pytest.FixtureRequest, write_tagger: WriteTagger, tmp_path: Path) -> Tagger:
    """A tagger that works side by side, as on a CPU, or in batches, as before a graphics card."""
    tagger = Tagger(write_tagger(tmp_path / "tagger"))
    tagger.lanes = 3 if request.param == "lanes" else 1
    return tagger


def test_pictures_come_out_in_their_order_with_the_scores_they_have_alone(tagger: Tagger) -> None:
    streamed = list(score_stream([tagger], [one_colour(colour) for colour in COLOURS], 4))
    alone = tagger.score([one_colour(colour)() for colour in COLOURS])
    np.testing.assert_allclose(np.stack([scored.scores[0] for scored in streamed]), alone, atol=1e-6)


def test_order_holds_when_early_pictures_take_longest(tagger: Tagger) -> None:
    def slow(number: int) -> Source:
        def opened() -> Image.Image:
            time.sleep(0.002 * (12 - number))
            return one_colour(COLOURS[number])()

        return opened

    streamed = [scored.scores[0] for scored in score_stream([tagger], [slow(number) for number in range(12)], 2)]
    np.testing.assert_allclose(streamed, tagger.score([one_colour(colour)() for colour in COLOURS[:12]]), atol=1e-6)


def test_a_broken_picture_is_named_and_the_others_go_on(tagger: Tagger) -> None:
    sources = [one_colour(colour) for colour in COLOURS[:7]]
    sources[0] = sources[3] = sources[4] = broken
    streamed = list(score_stream([tagger], sources, 2))
    assert ["x.png is broken" in scored.fault for scored in streamed] == [True, False, False, True, True, False, False]
    assert [len(scored.scores) for scored in streamed] == [0, 1, 1, 0, 0, 1, 1]


def test_no_pictures_give_nothing(tagger: Tagger) -> None:
    assert list(score_stream([tagger], [])) == []


def test_closing_the_stream_ends_the_work_and_its_threads(tagger: Tagger) -> None:
    opened: list[int] = []

    def count(number: int) -> Source:
        def source() -> Image.Image:
            opened.append(number)
            return one_colour((1, 2, 3))()

        return source

    before = threading.active_count()
    stream = score_stream([tagger], [count(number) for number in range(500)], 2)
    next(stream)
    stream.close()
    assert len(opened) < 60
    assert threading.active_count() == before


def test_few_pictures_are_open_at_once_however_slowly_they_are_taken(tagger: Tagger) -> None:
    lock, alive, most, opened = threading.Lock(), 0, 0, 0

    class Counted(Image.Image):
        """A picture that says when it goes."""

        def __del__(self) -> None:
            nonlocal alive
            with lock:
                alive -= 1

    def source() -> Image.Image:
        nonlocal alive, most, opened
        picture = Counted()
        picture.__dict__.update(Image.new("RGB", (600, 400), "red").__dict__)
        with lock:
            alive, opened = alive + 1, opened + 1
            most = max(most, alive)
        return picture

    for taken, _ in enumerate(score_stream([tagger], [source] * 60, 4)):
        time.sleep(0.001)
        assert opened <= taken + 40
    assert most <= 9  # one in each thread, and a last one that Python still holds


def test_a_fault_of_the_tagger_ends_the_stream_with_its_sentence(tagger: Tagger, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(rgb: np.ndarray) -> np.ndarray:
        raise TaggerError("The tagger failed on a picture.")

    monkeypatch.setattr(tagger, "score_fitted", fails)
    with pytest.raises(TaggerError, match="failed on a picture"):
        list(score_stream([tagger], [one_colour(colour) for colour in COLOURS], 4))


def test_several_taggers_share_one_decoding(write_tagger: WriteTagger, tmp_path: Path) -> None:
    both = [Tagger(write_tagger(tmp_path / "a")), Tagger(write_tagger(tmp_path / "b", layout="NCHW", activated=False))]
    opened: list[int] = []

    def source() -> Image.Image:
        opened.append(1)
        return one_colour((200, 10, 10))()

    streamed = list(score_stream(both, [source] * 5, 2))
    assert len(opened) == 5
    for place, tagger in enumerate(both):
        np.testing.assert_allclose(streamed[2].scores[place], tagger.score([source()])[0], atol=1e-6)
