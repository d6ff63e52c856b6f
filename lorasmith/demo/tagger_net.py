"""The demo's tagger: a small convolutional net, and its export to ONNX under the WD contract."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from lorasmith.demo.tagger_pictures import CHARACTERS, LABELS, NET_SIDE, RATINGS
from lorasmith.files import write_atomic

CONTRACT_SIDE = 448
OPSET = 17
_SMALL = 256


class _Fold(nn.Sequential):
    """A 3 x 3 convolution, its normalisation and a ReLU."""

    def __init__(self, inner: int, outer: int, stride: int = 1) -> None:
        convolution = nn.Conv2d(inner, outer, 3, stride, 1, bias=False)
        super().__init__(convolution, nn.BatchNorm2d(outer), nn.ReLU(inplace=True))


class _Residual(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _Fold(width, width)
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.second(self.first(x)))


class TaggerNet(nn.Module):
    """Gives logits N x labels for BGR pictures N x 3 x NET_SIDE x NET_SIDE in 0..255."""

    def __init__(self, labels: int = len(LABELS)) -> None:
        super().__init__()
        self.stem = _Fold(3, 24, 2)
        self.fine = nn.Sequential(_Fold(24, 48, 2), _Residual(48))
        self.middle = nn.Sequential(_Fold(48, 96, 2), _Residual(96))
        self.coarse = nn.Sequential(_Fold(96, 160, 2), _Residual(160))
        self.drop = nn.Dropout(0.1)
        self.head = nn.Linear(2 * (96 + 160), labels)

    def forward(self, bgr: Tensor) -> Tensor:
        middle = self.middle(self.fine(self.stem(bgr / 127.5 - 1.0)))
        coarse = self.coarse(middle)
        seen = [pool(x) for x in (middle, coarse) for pool in (_mean, _peak)]
        return self.head(self.drop(torch.cat(seen, dim=1)))  # type: ignore[no-any-return]


def _mean(x: Tensor) -> Tensor:
    return x.mean(dim=(2, 3))


def _peak(x: Tensor) -> Tensor:
    return x.amax(dim=(2, 3))


class WdContract(nn.Module):
    """Wraps the net as the WD family does: NHWC BGR 0..255 at 448 px in, probabilities out."""

    def __init__(self, net: TaggerNet, temperature: float = 1.0) -> None:
        super().__init__()
        self.net = net
        self.temperature = temperature

    def forward(self, pictures: Tensor) -> Tensor:
        shrunk = functional.avg_pool2d(pictures.permute(0, 3, 1, 2), CONTRACT_SIDE // NET_SIDE)
        return torch.sigmoid(self.net(shrunk) / self.temperature)


def export_onnx(net: TaggerNet, temperature: float, path: Path) -> float:
    """Writes model.onnx with fp16 weights and float32 in- and outputs; gives the largest difference to torch."""
    wrapped = WdContract(net.float().eval().cpu(), temperature).eval()
    sample = torch.rand(2, CONTRACT_SIDE, CONTRACT_SIDE, 3) * 255
    buffer = io.BytesIO()
    torch.onnx.export(wrapped, (sample,), buffer, input_names=["input"], output_names=["output"], opset_version=OPSET,
                      dynamic_axes={"input": {0: "batch"}, "output": {0: "batch"}}, dynamo=False)
    model = onnx.load_from_string(buffer.getvalue())
    _halve_weights(model)
    onnx.checker.check_model(model, full_check=True)
    data = model.SerializeToString()
    write_atomic(path, data)
    return _difference(wrapped, data, sample)


def _halve_weights(model: onnx.ModelProto) -> None:
    """Stores every large float32 weight as float16 behind a cast, which runtimes fold away when they load the file."""
    graph = model.graph
    casts = []
    for index, weight in enumerate(list(graph.initializer)):
        values = numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < _SMALL:
            continue
        half = numpy_helper.from_array(values.astype(np.float16), f"{weight.name}_half")
        to = onnx.TensorProto.FLOAT
        casts.append(helper.make_node("Cast", [half.name], [weight.name], to=to, name=f"widen_{index}"))
        graph.initializer.remove(weight)
        graph.initializer.append(half)
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _difference(wrapped: WdContract, data: bytes, sample: Tensor) -> float:
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    with torch.no_grad():
        expected = wrapped(sample).numpy()
    got = session.run(None, {session.get_inputs()[0].name: sample.numpy()})[0]
    return float(np.abs(got - expected).max())


def write_tag_list(path: Path, counts: Sequence[int]) -> None:
    """Writes selected_tags.csv: row number = output index; category 9 rating, 0 general, 4 character."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("tag_id", "name", "category", "count"))
    for index, (label, count) in enumerate(zip(LABELS, counts, strict=True)):
        category = 9 if label in RATINGS else 4 if label in CHARACTERS else 0
        writer.writerow((index + 1, label, category, count))
    write_atomic(path, out.getvalue().encode("utf-8"))
