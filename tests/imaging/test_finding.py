"""The optional models: graphs of the same input and output as the real ones, built here, whose right answers are known."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from lorasmith.errors import ModelFileError
from lorasmith.imaging.crop import Box
from lorasmith.imaging.finders import FINDERS, finder_file
from lorasmith.imaging.finding import BoxFinder, Finders, MaskFinder

SIDE = 96
HEARD: list[str] = []


def write_graph(file: Path, nodes: list[Any], constants: dict[str, Any], input: str, output: Sequence[Any], side: Any = SIDE) -> Path:
    graph = helper.make_graph(
        nodes, "finder", [helper.make_tensor_value_info(input, TensorProto.FLOAT, [1, 3, side, side])],
        [helper.make_tensor_value_info("found", TensorProto.FLOAT, list(output))],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), file)
    return file


def mask_graph(file: Path, input: str = "img", logits: bool = False, side: Any = SIDE) -> Path:
    """Writes a graph that finds what is light: a sigmoid like ISNet's, or logits of what was normalised like BiRefNet's."""
    nodes = [
        helper.make_node("ReduceMean", [input, "axes"], ["mean"], keepdims=1),
        helper.make_node("Sub", ["mean", "middle"], ["apart"]),
        helper.make_node("Mul", ["apart", "steep"], ["found" if logits else "logits"]),
    ] + ([] if logits else [helper.make_node("Sigmoid", ["logits"], ["found"])])
    middle = np.float32(0.0 if logits else 0.5)
    constants = {"axes": np.array([1], np.int64), "middle": middle, "steep": np.float32(40)}
    return write_graph(file, nodes, constants, input, (1, 1, side, side), side)


def box_graph(file: Path, places: Sequence[Sequence[float]]) -> Path:
    """Writes a graph that gives these places (centre, size, score of each class) whatever it sees."""
    table = np.array(places, np.float32).T[None]
    nodes = [
        helper.make_node("ReduceMean", ["images", "axes"], ["mean"], keepdims=1),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Squeeze", ["nothing", "last"], ["flat"]),
        helper.make_node("Add", ["table", "flat"], ["found"]),
    ]
    constants = {"axes": np.array([1, 2, 3], np.int64), "zero": np.float32(0), "last": np.array([3], np.int64), "table": table}
    return write_graph(file, nodes, constants, "images", table.shape)


def light_box(size: tuple[int, int], box: tuple[int, int, int, int]) -> Image.Image:
    image = Image.new("RGB", size, (10, 10, 10))
    image.paste((240, 240, 240), box)
    return image


@pytest.mark.parametrize("size", [(300, 500), (500, 300), (64, 64), (1500, 40)])
@pytest.mark.parametrize(("input", "logits"), [("img", False), ("input_image", True)])
def test_masks_lie_where_the_character_is_in_both_ways(tmp_path: Path, size: tuple[int, int], input: str, logits: bool) -> None:
    box = (size[0] // 4, size[1] // 4, size[0] // 2, size[1] * 3 // 4)
    mask = MaskFinder(mask_graph(tmp_path / "m.onnx", input, logits)).mask(light_box(size, box))
    true = np.zeros(size[::-1], bool)
    true[box[1] : box[3], box[0] : box[2]] = True
    assert mask.shape == true.shape and set(np.unique(mask)) <= {0, 255}
    far = max(size) / SIDE + 1
    rows, columns = np.nonzero(mask)
    if min(size) > 60:  # what is thinner than a pixel of the model may be lost
        edges = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert all(abs(one - other) <= far for one, other in zip(edges, box, strict=True))


def test_a_graph_that_leaves_its_size_open_is_given_the_usual_one(tmp_path: Path) -> None:
    assert MaskFinder(mask_graph(tmp_path / "m.onnx", side="side")).mask(light_box((90, 120), (20, 20, 60, 90)))[50, 40] == 255


def test_boxes_come_back_to_the_picture_without_doubles_and_without_the_unsure(tmp_path: Path) -> None:
    places = [(48, 24, 24, 24, 0.9, 0.1), (49, 24, 24, 24, 0.2, 0.8), (20, 70, 10, 10, 0.6, 0.0), (80, 80, 8, 8, 0.3, 0.1)]
    found = BoxFinder(box_graph(tmp_path / "b.onnx", places), 0.4).boxes(Image.new("RGB", (192, 384)))
    assert [one.box for one in found] == [Box(72, 48, 120, 144), Box(30, 260, 50, 300)]
    assert [round(one.confidence, 2) for one in found] == [0.9, 0.6]


def test_a_look_takes_the_surest_head_that_lies_on_the_character(tmp_path: Path) -> None:
    mask = mask_graph(tmp_path / "m.onnx")
    heads = box_graph(tmp_path / "h.onnx", [(10, 80, 12, 12, 0.95), (48, 24, 24, 12, 0.7)])
    finders = Finders(str(mask), str(heads), HEARD.append)
    seen = finders.look(light_box((192, 192), (60, 20, 140, 180)))
    assert seen.head is not None and seen.head.sure == 0.7 and seen.head.box == Box(67, 31, 125, 65)
    assert seen.body is not None and abs(seen.body.left - 60) <= 3 and "m.onnx" in finders.key and "h.onnx" in finders.key
    assert Finders("built-in", "built-in", HEARD.append).key == ""


def test_files_that_are_no_such_model_are_told_in_a_sentence(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    with pytest.raises(ModelFileError, match="cannot be read as an ONNX model"):
        MaskFinder(broken)
    boxes, mask = box_graph(tmp_path / "b.onnx", [(48, 24, 24, 24, 0.9)]), mask_graph(tmp_path / "m.onnx")
    with pytest.raises(ModelFileError, match="no mask model"):
        MaskFinder(boxes).mask(Image.new("RGB", (50, 50)))
    with pytest.raises(ModelFileError, match="no detector"):
        BoxFinder(mask, 0.5).boxes(Image.new("RGB", (50, 50)))
    flat = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["found"])], "flat", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8])],
        [helper.make_tensor_value_info("found", TensorProto.FLOAT, [1, 8])],
    )  # fmt: skip
    onnx.save(helper.make_model(flat, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), tmp_path / "flat.onnx")
    with pytest.raises(ModelFileError, match="does not take one picture"):
        MaskFinder(tmp_path / "flat.onnx")


def test_names_that_are_nothing_and_no_network_are_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelFileError, match=r"There is no mask model 'isnet-anim'.*isnet-anime"):
        finder_file("isnet-anim", "mask", HEARD.append)
    with pytest.raises(ModelFileError, match="There is no mask model 'anime-head'"):
        finder_file("anime-head", "mask", HEARD.append)
    pickle = tmp_path / "model.ckpt"
    pickle.write_bytes(b"x")
    with pytest.raises(ModelFileError, match=r"only ONNX"):
        finder_file(str(pickle), "mask", HEARD.append)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    with pytest.raises(ModelFileError, match=r"offline.*Put isnetis.onnx .*skytnt/anime-seg"):
        finder_file("isnet-anime", "mask", HEARD.append, offline=True)


def test_every_row_says_what_a_person_must_know() -> None:
    for name, row in FINDERS.items():
        assert name == row.name and row.megabytes > 1 and row.licence and row.repo.count("/") == 1 and row.file.endswith(".onnx")
        assert row.sha256 is None or len(row.sha256) == 64
