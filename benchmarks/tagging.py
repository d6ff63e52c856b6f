"""Pictures tagged a second, ours beside two plain loops: `python benchmarks/tagging.py [rounds] [pictures] [graph]`.

The same ONNX file, pictures and two cores for all. "one by one" opens, prepares and runs picture after picture; "batched"
does so eight at a time; "ours" is `score_stream`. "session alone" runs the graph on prepared pictures and nothing else, in the
better of two ways (one run on both cores, two runs side by side): nobody can be quicker. The plain loops use onnxruntime as it
comes. Arms run in turn and the best of the rounds counts; ratios are also given as the median of the rounds' own.

Graphs: the demo's tagger, and random weights after ViT and ConvNeXt (`tagging_graphs.py`); pictures: drawn scenes of the
demo's world as boorus have them (1 to 3 megapixels, JPEG and PNG).
"""

import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
import onnxruntime
from PIL import Image, ImageOps
from tagging_graphs import SIDE, convolutions, vit

from lorasmith.demo.world import NEW_LOOKS, random_scene, vary
from lorasmith.imaging.read import open_picture
from lorasmith.taggers.onnx import Tagger
from lorasmith.taggers.stream import score_stream

DEMO = Path(__file__).parent.parent / "lorasmith" / "demo" / "models" / "tagger"
SIZES = ((1024, 1448), (1500, 1200), (1200, 1700), (850, 1200), (1920, 1080), (1400, 2000))
BATCH = 8
GRAPHS: dict[str, Callable[[Path], Path]] = {
    "demo's tagger": lambda folder: DEMO,
    "convolutions, small": lambda folder: convolutions(folder, 24, 1),
    "convolutions, middle": lambda folder: convolutions(folder, 48, 2),
    "ViT, tiny": lambda folder: vit(folder, 192, 4),
    "ViT, small": lambda folder: vit(folder, 384, 6),
}


def draw(folder: Path, count: int) -> list[Path]:
    """Draws pictures; one in five is a PNG, the others JPEG at quality 90, with grain as painted ones have it."""
    paths = []
    for number in range(count):
        dice = random.Random(f"tagging {number}")
        width, height = SIZES[number % len(SIZES)]
        pixels = random_scene(dice, (vary(NEW_LOOKS, dice),)).draw_array(width, height).astype(np.float32)
        pixels += np.random.default_rng(number).normal(0, 4, (height, width, 1))
        picture = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
        path = folder / f"{number:03}.{'png' if number % 5 == 4 else 'jpg'}"
        picture.save(path, **({"compress_level": 6} if path.suffix == ".png" else {"quality": 90}))
        paths.append(path)
    return paths


def plain_prepare(path: Path) -> np.ndarray:
    """The contract as one writes it down: upright, white square, bicubic, BGR."""
    with Image.open(path) as opened:
        picture = ImageOps.exif_transpose(opened)
        picture = picture if picture.mode == "RGB" else picture.convert("RGB")
    side = max(picture.size)
    square = Image.new("RGB", (side, side), "white")
    square.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    resized = square.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.asarray(resized, dtype=np.float32)[:, :, ::-1])


def plain_session(folder: Path, threads: int = 0) -> onnxruntime.InferenceSession:
    """A session as it comes, on all cores; `threads` for the bound's runs side by side."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])


class Arms:
    """The ways to tag the same pictures with the same file."""

    def __init__(self, folder: Path, paths: Sequence[Path]) -> None:
        self.paths = paths
        self.session, self.narrow = plain_session(folder), plain_session(folder, 1)
        self.input = self.session.get_inputs()[0].name
        self.tagger = Tagger(folder)
        self.prepared = [plain_prepare(path)[None] for path in paths]

    def one_by_one(self) -> np.ndarray:
        return np.concatenate([self.session.run(None, {self.input: plain_prepare(path)[None]})[0] for path in self.paths])

    def batched(self) -> np.ndarray:
        batches = [self.paths[start : start + BATCH] for start in range(0, len(self.paths), BATCH)]
        prepared = (np.stack([plain_prepare(path) for path in batch]) for batch in batches)
        return np.concatenate([self.session.run(None, {self.input: batch})[0] for batch in prepared])

    def ours(self) -> np.ndarray:
        sources = [lambda path=path: open_picture(path) for path in self.paths]
        return np.stack([scored.scores[0] for scored in score_stream([self.tagger], sources, BATCH)])

    def session_wide(self) -> None:
        for pixels in self.prepared:
            self.session.run(None, {self.input: pixels})

    def session_side_by_side(self) -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda pixels: self.narrow.run(None, {self.input: pixels}), self.prepared))


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(name: str, arms: Arms, rounds: int) -> str:
    """Runs the arms in turn; gives one line of the table."""
    assert np.abs(arms.one_by_one() - arms.ours()).max() < 0.02  # the same scores, to a level of 255
    arms.batched()
    ways = [arms.one_by_one, arms.batched, arms.ours, arms.session_wide, arms.session_side_by_side]
    taken: list[list[float]] = []
    for number in range(rounds):
        order = ways if number % 2 == 0 else ways[::-1]
        once = {way.__name__: seconds(way) for way in order}
        taken.append([once[way.__name__] for way in ways])
    best = [min(times) for times in zip(*taken, strict=True)]
    rates = [len(arms.paths) / time for time in (*best[:3], min(best[3:]))]
    medians = [statistics.median(times[arm] / times[2] for times in taken) for arm in (0, 1)]
    return (
        f"| {name} | {' | '.join(f'{rate:.1f}' for rate in rates)} | {best[0] / best[2]:.2f} ({medians[0]:.2f}) "
        f"| {best[1] / best[2]:.2f} ({medians[1]:.2f}) |"
    )


def main() -> None:
    given = [int(argument) for argument in sys.argv[1:3]]
    rounds, count = given + [5, 24][len(given) :]
    print("| graph | one by one | batched | ours | session alone | ours / one by one: best (median) | ours / batched |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        paths = draw(Path(folder), count)
        for name, write in GRAPHS.items():
            if sys.argv[3:] and sys.argv[3] not in name:
                continue
            print(measure(name, Arms(write(Path(folder) / name.replace(" ", "_")), paths), rounds), flush=True)


if __name__ == "__main__":
    main()
