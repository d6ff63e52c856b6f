"""Taggers with random weights, for measuring: a ViT-like and a convolutional graph of any weight, under the WD contract."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 448


class _Graph:
    """Nodes and weights, written down one after another."""

    def __init__(self, seed: int) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._random = np.random.default_rng(seed)

    def constant(self, values: np.ndarray) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def weight(self, *shape: int) -> str:
        spread = 1 / np.sqrt(np.prod(shape[1:]) if len(shape) == 4 else shape[0])
        return self.constant(self._random.normal(0, spread, shape).astype(np.float32))

    def add(self, kind: str, *inputs: str, **attributes: object) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def norm(self, x: str, width: int) -> str:
        ones, zeros = self.constant(np.ones(width, np.float32)), self.constant(np.zeros(width, np.float32))
        return self.add("LayerNormalization", x, ones, zeros, axis=-1)

    def shape(self, *sizes: int) -> str:
        return self.constant(np.array(sizes, np.int64))

    def save(self, folder: Path, labels: int, output: str) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        self.nodes.append(helper.make_node("Sigmoid", [output], ["predictions_sigmoid"]))
        pixels = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", SIDE, SIDE, 3])
        scores = helper.make_tensor_value_info("predictions_sigmoid", TensorProto.FLOAT, ["N", labels])
        graph = helper.make_graph(self.nodes, "random", [pixels], [scores], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
        onnx.save(model, folder / "model.onnx")
        rows = "".join(f"{place},tag_{place},0,1\n" for place in range(labels))
        (folder / "selected_tags.csv").write_text("tag_id,name,category,count\n" + rows, encoding="utf-8")
        return folder


def _first(graph: _Graph) -> str:
    scaled = graph.add("Mul", "input", graph.constant(np.float32(1 / 255)))
    return graph.add("Transpose", scaled, perm=[0, 3, 1, 2])


def vit(folder: Path, width: int, depth: int, patch: int = 16, labels: int = 10861) -> Path:
    """Writes a vision transformer: patches, `depth` blocks of attention and a four times wider layer, a mean, a head."""
    graph, heads, tokens = _Graph(1), width // 64, (SIDE // patch) ** 2
    x = graph.add("Conv", _first(graph), graph.weight(width, 3, patch, patch), strides=[patch, patch])
    x = graph.add("Transpose", graph.add("Reshape", x, graph.shape(0, width, -1)), perm=[0, 2, 1])
    for _ in range(depth):
        x = graph.add("Add", x, _attention(graph, graph.norm(x, width), width, heads, tokens))
        wide = graph.add("Gelu", graph.add("MatMul", graph.norm(x, width), graph.weight(width, 4 * width)))
        x = graph.add("Add", x, graph.add("MatMul", wide, graph.weight(4 * width, width)))
    x = graph.add("ReduceMean", graph.norm(x, width), graph.shape(1), keepdims=0)
    return graph.save(folder, labels, graph.add("MatMul", x, graph.weight(width, labels)))


def _attention(graph: _Graph, x: str, width: int, heads: int, tokens: int) -> str:
    def part(*order: int) -> str:
        heads_apart = graph.add("Reshape", graph.add("MatMul", x, graph.weight(width, width)), graph.shape(0, tokens, heads, 64))
        return graph.add("Transpose", heads_apart, perm=list(order))

    query, key, value = part(0, 2, 1, 3), part(0, 2, 3, 1), part(0, 2, 1, 3)
    sharp = graph.add("Mul", graph.add("MatMul", query, key), graph.constant(np.float32(0.125)))
    mixed = graph.add("Transpose", graph.add("MatMul", graph.add("Softmax", sharp, axis=-1), value), perm=[0, 2, 1, 3])
    return graph.add("MatMul", graph.add("Reshape", mixed, graph.shape(0, tokens, width)), graph.weight(width, width))


def convolutions(folder: Path, width: int, depth: int, labels: int = 10861) -> Path:
    """Writes a ConvNeXt-like network: 4 stages of `depth` blocks (7x7 depthwise, two 1x1), each half as large and twice as wide."""
    graph = _Graph(2)
    x = graph.add("Conv", _first(graph), graph.weight(width, 3, 4, 4), strides=[4, 4])
    for stage in range(4):
        if stage:
            x = graph.add("Conv", x, graph.weight(2 * width, width, 2, 2), strides=[2, 2])
            width *= 2
        for _ in range(depth):
            near = graph.add("Conv", x, graph.weight(width, 1, 7, 7), group=width, pads=[3, 3, 3, 3])
            wide = graph.add("Relu", graph.add("Conv", near, graph.weight(4 * width, width, 1, 1)))
            x = graph.add("Add", x, graph.add("Conv", wide, graph.weight(width, 4 * width, 1, 1)))
    x = graph.add("ReduceMean", x, graph.shape(2, 3), keepdims=0)
    return graph.save(folder, labels, graph.add("MatMul", x, graph.weight(width, labels)))
