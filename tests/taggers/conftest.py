"""Tiny tagger graphs, built here, whose right answers are known by arithmetic."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

LABELS = ("blue_background", "green_background", "red_background")


def write_colour_tagger(
    folder: Path,
    layout: str = "NHWC",
    batch: int | str = "N",
    activated: bool = True,
    labels: Sequence[str] = LABELS,
    width: int = 3,
) -> Path:
    """Writes a tagger of the mean of each channel: in the WD contract the channels are blue, green, red.

    Output: sigmoid((mean - 127.5) / 32) for NHWC, or the logits 4 * mean of the normalised channels for NCHW; with more
    than three in `width` the logits of the others are 0.
    """
    folder.mkdir(parents=True, exist_ok=True)
    first = layout == "NCHW"
    shape = [batch, 3, 8, 8] if first else [batch, 8, 8, 3]
    shift, scale = (0.0, 4.0) if first else (-127.5, 1 / 32)
    constants = [
        numpy_helper.from_array(np.array([2, 3] if first else [1, 2], np.int64), "axes"),
        numpy_helper.from_array(np.array(shift, np.float32), "shift"),
        numpy_helper.from_array(np.array(scale, np.float32), "scale"),
    ]
    nodes = [
        helper.make_node("ReduceMean", ["pixels", "axes"], ["mean"], keepdims=0),
        helper.make_node("Add", ["mean", "shift"], ["shifted"]),
        helper.make_node("Mul", ["shifted", "scale"], ["logits"]),
    ]
    output = "logits"
    if width > 3:
        constants.append(numpy_helper.from_array(np.array([0, 0, 0, width - 3], np.int64), "more"))
        nodes.append(helper.make_node("Pad", ["logits", "more"], ["wide"]))
        output = "wide"
    if activated:
        nodes.append(helper.make_node("Sigmoid", [output], ["predictions_sigmoid"]))
        output = "predictions_sigmoid"
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, [batch, width])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, folder / "model.onnx")
    rows = "".join(f"{number},{name},0,{100 - number}\n" for number, name in enumerate(labels))
    (folder / "selected_tags.csv").write_text("tag_id,name,category,count\n" + rows, encoding="utf-8")
    return folder


@pytest.fixture
def write_tagger() -> Callable[..., Path]:
    """Gives the function that writes a tagger folder."""
    return write_colour_tagger
