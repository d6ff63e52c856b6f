"""The tagger on tiny graphs: contract, batches, logits, and what it says about broken files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnxruntime.capi import onnxruntime_pybind11_state
from PIL import Image

from lorasmith.errors import TaggerError
from lorasmith.taggers.contract import squared
from lorasmith.taggers.onnx import Tagger, colour_order_is_right, sigmoid

WriteTagger = Callable[..., Path]

COLOURS = ("blue", "lime", "red")


def plain(colours: tuple[str, ...] = COLOURS) -> list[Image.Image]:
    return [Image.new("RGB", (20, 20), colour) for colour in colours]


def test_channels_reach_the_graph_as_blue_green_red_from_0_to_255(write_tagger: WriteTagger, tmp_path: Path) -> None:
    tagger = Tagger(write_tagger(tmp_path))
    scores = tagger.score(plain())
    high, low = 1 / (1 + np.exp(-127.5 / 32)), 1 / (1 + np.exp(127.5 / 32))
    np.testing.assert_allclose(scores, np.where(np.eye(3) > 0, high, low), atol=1e-5)
    assert scores.dtype == np.float32
    assert colour_order_is_right(tagger) is True


def test_a_tag_list_in_the_wrong_order_is_found_by_the_colour_test(write_tagger: WriteTagger, tmp_path: Path) -> None:
    swapped = Tagger(write_tagger(tmp_path, labels=("red_background", "green_background", "blue_background")))
    assert colour_order_is_right(swapped) is False


def test_the_colour_test_is_silent_where_the_tags_are_unknown(write_tagger: WriteTagger, tmp_path: Path) -> None:
    assert colour_order_is_right(Tagger(write_tagger(tmp_path, labels=("a", "b", "c")))) is None


def test_logits_of_a_channels_first_graph_become_probabilities(write_tagger: WriteTagger, tmp_path: Path) -> None:
    tagger = Tagger(write_tagger(tmp_path, layout="NCHW", activated=False))
    scores = tagger.score(plain(("red", "black")))
    high, low = 1 / (1 + np.exp(-4.0)), 1 / (1 + np.exp(4.0))
    np.testing.assert_allclose(scores, [[high, low, low], [low, low, low]], atol=1e-5)


def test_mean_and_deviation_beside_the_model_are_used(write_tagger: WriteTagger, tmp_path: Path) -> None:
    folder = write_tagger(tmp_path, layout="NCHW", activated=False)
    (folder / "preprocess.json").write_text('{"test": [{"type": "resize"}, {"mean": [0, 0, 0], "std": [1, 1, 1]}]}')
    np.testing.assert_allclose(Tagger(folder).score(plain(("black",))), [[0.5, 0.5, 0.5]], atol=1e-6)


@pytest.mark.parametrize("batch", [1, 4, "N"])
def test_any_number_of_pictures_goes_through_any_batch_size_of_the_graph(
    write_tagger: WriteTagger, tmp_path: Path, batch: int | str
) -> None:
    tagger = Tagger(write_tagger(tmp_path, batch=batch))
    pictures = plain() * 3
    together = tagger.score(pictures, batch_size=7)
    one_by_one = np.concatenate([tagger.score([picture]) for picture in pictures])
    assert together.shape == (9, 3)
    np.testing.assert_allclose(together, one_by_one, atol=1e-6)
    assert tagger.batch_limit == (None if batch == "N" else batch)


def test_no_pictures_give_an_empty_table(write_tagger: WriteTagger, tmp_path: Path) -> None:
    assert Tagger(write_tagger(tmp_path)).score([]).shape == (0, 3)


def test_padding_is_white_centred_and_done_before_the_resize() -> None:
    square = squared(Image.new("RGB", (10, 3), "black"))
    assert square.size == (10, 10)
    assert [square.getpixel((5, y))[0] for y in range(10)] == [255] * 3 + [0] * 3 + [255] * 4


def test_transparency_is_laid_on_white() -> None:
    assert squared(Image.new("RGBA", (4, 4), (0, 0, 0, 0))).getpixel((1, 1)) == (255, 255, 255)
    palette = Image.new("P", (4, 4), 0)
    palette.info["transparency"] = 0
    assert squared(palette).getpixel((1, 1)) == (255, 255, 255)


def test_a_tag_list_of_another_model_is_refused_with_both_numbers(write_tagger: WriteTagger, tmp_path: Path) -> None:
    with pytest.raises(TaggerError, match="has 2 tags, but the model gives 3"):
        Tagger(write_tagger(tmp_path, labels=("a", "b")))


def test_the_id_follows_the_model_and_not_the_folder(write_tagger: WriteTagger, tmp_path: Path) -> None:
    one, same = write_tagger(tmp_path / "one"), write_tagger(tmp_path / "same")
    other = write_tagger(tmp_path / "other", batch=1)
    assert Tagger(one).id == Tagger(same).id != Tagger(other).id
    assert Tagger(one).name == "one"


def test_a_truncated_model_gets_a_sentence(write_tagger: WriteTagger, tmp_path: Path) -> None:
    model = write_tagger(tmp_path) / "model.onnx"
    model.write_bytes(model.read_bytes()[:50])
    with pytest.raises(TaggerError, match="half downloaded"):
        Tagger(tmp_path)


def test_a_git_lfs_pointer_is_named_as_such(write_tagger: WriteTagger, tmp_path: Path) -> None:
    (write_tagger(tmp_path) / "model.onnx").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00")
    with pytest.raises(TaggerError, match="LFS pointer"):
        Tagger(tmp_path)


NO_MEMORY = {
    "CUDA arena": "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Non-zero status code returned while running Conv node. Name:"
    "'/stem/Conv' Status Message: bfc_arena.cc:376 void* onnxruntime::BFCArena::AllocateRawInternal(size_t, bool) Failed to "
    "allocate memory for requested buffer of size 3221225472",
    "CUDA": "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : CUDA failure 2: out of memory ; GPU=0 ; hostname=pc ; "
    "file=cuda_allocator.cc ; line=47 ; expr=cudaMalloc((void**)&p, size);",
    "cuBLAS": "[ONNXRuntimeError] : 1 : FAIL : CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0 ; hostname=pc ; "
    "expr=cublasCreate(&cublas_handle_);",
    "cuDNN 8": "[ONNXRuntimeError] : 1 : FAIL : CUDNN failure 2: CUDNN_STATUS_ALLOC_FAILED ; GPU=0 ; hostname=pc",
    "cuDNN 9": "[ONNXRuntimeError] : 1 : FAIL : CUDNN failure 4003: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED ; GPU=0",
    "DirectML": "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Exception during initialization: DmlCommittedResourceAllocator.cpp"
    "(22) Exception(1) tid(1a2c) 8007000E Not enough memory resources are available to complete this operation.",
    "CPU": "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : std::bad_alloc",
}


class ShortOfMemory:
    """A session that runs, but whose memory is short for more than `most` pictures."""

    def __init__(self, session: Any, most: int, error: Exception) -> None:
        self.session, self.most, self.error = session, most, error
        self.tried: list[int] = []

    def get_providers(self) -> list[str]:
        return self.session.get_providers()

    def run(self, outputs: list[str], inputs: dict[str, np.ndarray]) -> Any:
        count = len(next(iter(inputs.values())))
        self.tried.append(count)
        if count > self.most:
            raise self.error
        return self.session.run(outputs, inputs)


@pytest.mark.parametrize("words", NO_MEMORY.values(), ids=NO_MEMORY)
def test_a_batch_that_does_not_fit_into_memory_is_halved_and_the_rest_goes_on(
    write_tagger: WriteTagger, tmp_path: Path, words: str
) -> None:
    tagger = Tagger(write_tagger(tmp_path))
    pictures = np.stack([tagger.fit(picture) for picture in plain() * 3])
    expected = tagger.score_fitted(pictures)
    error = onnxruntime_pybind11_state.RuntimeException(words) if "6 :" in words else onnxruntime_pybind11_state.Fail(words)
    tagger._session = ShortOfMemory(tagger._session, 2, error)
    np.testing.assert_allclose(tagger.score_fitted(pictures), expected, atol=1e-6)
    assert tagger._session.tried == [9, 4, 2, 2, 2, 2, 1]
    assert tagger.batch_limit == 2
    tagger.score_fitted(pictures)
    assert tagger._session.tried[7:] == [2, 2, 2, 2, 1]  # remembered: it does not fail once more


@pytest.mark.parametrize("error", [*map(RuntimeError, NO_MEMORY.values()), MemoryError("Unable to allocate 3.00 GiB")])
def test_no_memory_for_a_single_picture_is_a_sentence(write_tagger: WriteTagger, tmp_path: Path, error: Exception) -> None:
    tagger = Tagger(write_tagger(tmp_path))
    tagger._session = ShortOfMemory(tagger._session, 0, error)
    with pytest.raises(TaggerError, match="even with one picture at a time. Close other programs"):
        tagger.score(plain())


def test_another_fault_of_the_runtime_is_not_taken_for_short_memory(write_tagger: WriteTagger, tmp_path: Path) -> None:
    tagger = Tagger(write_tagger(tmp_path))
    tagger._session = ShortOfMemory(tagger._session, 0, RuntimeError("CUDA failure 700: an illegal memory access"))
    with pytest.raises(TaggerError, match="failed on a picture: CUDA failure 700"):
        tagger.score(plain())


def test_sigmoid_does_not_overflow() -> None:
    np.testing.assert_allclose(sigmoid(np.array([-1e4, 0.0, 1e4])), [0.0, 0.5, 1.0])
