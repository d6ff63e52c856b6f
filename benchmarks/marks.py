"""What finding writing, bubbles and borders gets right: marks of our own over drawn scenes and over photographs.

    python benchmarks/marks.py --fonts FOLDER --photos FOLDER [--drawn 200] [--natural 50] [--seed 3]

Every mark is drawn in `drawn_marks.py`, so its box is known. The pictures of the `--photos` folder must be free of writing.
Emanata and logos without letters have a file of their own, `emanata.py`.
"""

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from drawn_marks import SIZES, Sheet, Truth, draw_text, drawn_sheets, natural_sheets, shared
from PIL import ImageDraw

from lorasmith.demo.world import training_scene
from lorasmith.imaging.crop import Box
from lorasmith.imaging.marks import Mark, find_marks
from lorasmith.imaging.repeats import Look, look_of, repeated

TEXTS = frozenset(["signature", "watermark", "text"])
EDGES = (0.0, 0.015, 0.03, 0.06, 1.0)
COVERED, OWN, BUBBLE_IOU = 0.6, 0.5, 0.6


def covered(box: Box, by: list[Box]) -> float:
    """Gives the part of a box that others cover together."""
    field_ = np.zeros((max(1, box.height), max(1, box.width)), bool)
    for other in by:
        low, top = max(0, other.left - box.left), max(0, other.top - box.top)
        field_[top : max(0, other.bottom - box.top), low : max(0, other.right - box.left)] = True
    return float(field_.mean())


@dataclass
class Count:
    """Found and missed, right and wrong, over a set of pictures."""

    found: Counter[str] = field(default_factory=Counter)
    wanted: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    given: Counter[str] = field(default_factory=Counter)
    clean: int = 0
    alarmed: int = 0
    seconds: list[float] = field(default_factory=list)

    def take(self, name: str, sheet: Sheet, marks: list[Mark], verbose: bool) -> None:
        truths = [truth for truth in sheet.truths if truth.kind in TEXTS]
        texts = [mark for mark in marks if mark.kind in TEXTS]
        for truth in truths:
            self._truth(name, truth, texts, verbose)
        for mark in texts:
            own = covered(mark.box, [truth.box.grown(0.05) for truth in truths]) >= OWN
            self.given["text"] += 1
            self.right["text"] += own
            if verbose and not own:
                print(f"    {name}: wrong {mark}")
        self._shapes(name, sheet, marks, verbose)
        if not sheet.truths and sheet.frame is None:
            self.clean += 1
            self.alarmed += bool(marks)

    def _truth(self, name: str, truth: Truth, texts: list[Mark], verbose: bool) -> None:
        got = covered(truth.box, [mark.box for mark in texts]) >= COVERED
        low = max(edge for edge in EDGES if edge <= truth.height)
        names = [f"height {low:.3f}+", truth.make, *(["text of 3 % and more"] if truth.height >= 0.03 else []), "text"]
        for key in names:
            self.wanted[key] += 1
            self.found[key] += got
        if got:
            near = [mark.kind for mark in texts if shared(mark.box, truth.box)]
            self.wanted[f"named {truth.kind}"] += 1
            self.found[f"named {truth.kind}"] += truth.kind in near
        elif verbose:
            print(f"    {name}: missed {truth}")

    def _shapes(self, name: str, sheet: Sheet, marks: list[Mark], verbose: bool) -> None:
        bubbles = [truth.box for truth in sheet.truths if truth.kind == "bubble"]
        seen = [mark.box for mark in marks if mark.kind == "bubble"]
        hit = [box for box in bubbles if any(box.overlap(other) >= BUBBLE_IOU for other in seen)]
        fair = hit[: len(seen)]  # one found box for each true one; further ones are wrong
        self._add("bubble", (len(hit), len(bubbles)), (len(fair), len(seen)))
        frames = [mark.box for mark in marks if mark.kind == "border"]
        exact = sheet.frame is not None and any(near(box, sheet.frame) for box in frames)
        self._add("border", (int(exact), int(sheet.frame is not None)), (int(exact), len(frames)))
        if verbose and (len(hit) < len(bubbles) or len(fair) < len(seen) or exact != (len(frames) == 1)):
            wrong = [(mark.kind, mark.box) for mark in marks if mark.kind in ("bubble", "border")]
            if wrong or bubbles or sheet.frame:
                print(f"    {name}: shapes {bubbles} {sheet.frame} found {wrong}")

    def _add(self, key: str, recall: tuple[int, int], precision: tuple[int, int]) -> None:
        self.found[key] += recall[0]
        self.wanted[key] += recall[1]
        self.right[key] += precision[0]
        self.given[key] += precision[1]

    def told(self, title: str) -> None:
        print(f"\n{title}: {self.alarmed} of {self.clean} pictures without marks had a false one; "
              f"{np.mean(self.seconds):.2f} CPU seconds a picture, {max(self.seconds):.2f} at most")  # fmt: skip
        for key in ("text", "bubble", "border"):
            recall = share(self.found[key], self.wanted[key])
            print(f"  {key:26} precision {share(self.right[key], self.given[key])}   recall {recall}")
        for key in sorted(self.wanted.keys() - {"text", "bubble", "border"}):
            print(f"    {key:24} {share(self.found[key], self.wanted[key])}")


def near(one: Box, two: Box) -> bool:
    """Says whether two frames' edges lie within two pixels."""
    return all(abs(getattr(one, side) - getattr(two, side)) <= 2 for side in ("left", "top", "right", "bottom"))


def share(part: int, whole: int) -> str:
    return f"{part / whole:.3f} ({part} of {whole})" if whole else "none"


def hints_of(sheet: Sheet) -> frozenset[str]:
    """Gives the tags that a board would have."""
    names = {"bubble": "speech_bubble"}
    return frozenset(names.get(truth.kind, truth.kind) for truth in sheet.truths)


def counted(sheets: Iterator[Sheet], hinted: bool, verbose: bool, keep: Path | None) -> Count:
    count = Count()
    for number, sheet in enumerate(sheets):
        start = time.process_time()
        marks = find_marks(sheet.image, hints_of(sheet) if hinted else frozenset())
        count.seconds.append(time.process_time() - start)
        count.take(str(number), sheet, marks, verbose)
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            pen = ImageDraw.Draw(sheet.image)
            boxes = [(truth.box, "lime") for truth in sheet.truths] + [(mark.box, "red") for mark in marks]
            for box, ink in boxes:
                pen.rectangle((box.left, box.top, box.right, box.bottom), outline=ink, width=2)
            sheet.image.save(keep / f"{number}.jpg")
    return count


def repeats(fonts: dict[str, list[Path]], seed: int) -> None:
    """Puts one of two logos of words on three in four of 40 pictures, beside words in other places."""
    found: dict[str, list[Look]] = {}
    truth: dict[str, int] = {}
    for number in range(40):
        rng = random.Random(f"repeats {seed} {number}")
        one_each = {"east": [], "plain": fonts["plain"][:1], "script": fonts["script"][:1]}
        sheet = Sheet(training_scene(rng, held_out=True).draw(*rng.choice(SIZES)), rng, one_each)
        if number % 4:
            logo = number % 2
            truth[str(number)] = logo
            sheet.write("watermark", ("inkpaw.example", "Vexdraws")[logo], ("plain", "script")[logo], height=0.035,
                        middle=((0.86, 0.95), (0.15, 0.05))[logo], edge=True, ink=(250, 250, 250))  # fmt: skip
        if rng.random() < 0.5:
            draw_text(sheet)
        found[str(number)] = [look_of(sheet.image, mark) for mark in find_marks(sheet.image)]
    groups = repeated(found)
    sets = [{name for name, _ in group.marks} for group in groups]
    for logo in (0, 1):
        own = {name for name, which in truth.items() if which == logo}
        best = max(sets, key=lambda names: len(names & own), default=set())
        print(f"  repeated logo {logo}: {len(best & own)} of {len(own)} in one group, {len(best - own)} strangers in it")
    print(f"  {len(groups)} groups in all")


def fonts_in(folder: Path) -> dict[str, list[Path]]:
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".ttf", ".otf"))
    east = [path for path in files if path.stem.startswith(("VL-", "NotoSansCJK"))]
    by_hand = ("dkg", "dancing", "lobster", "breip", "italic")
    script = [path for path in files if any(word in path.stem.lower() for word in by_hand)]
    plain = [path for path in files if path not in east and path not in script]
    return {"east": east, "script": script or files, "plain": plain or files}


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--fonts", type=Path, default=Path("/usr/share/fonts"))
    words.add_argument("--photos", type=Path)
    words.add_argument("--drawn", type=int, default=200)
    words.add_argument("--natural", type=int, default=50)
    words.add_argument("--seed", type=int, default=3)
    words.add_argument("--hints", action="store_true", help="give each picture's tags along")
    words.add_argument("--verbose", action="store_true")
    words.add_argument("--keep", type=Path, help="writes the pictures with true (green) and found (red) boxes there")
    given = words.parse_args()
    fonts = fonts_in(given.fonts)
    sheets = drawn_sheets(given.drawn, fonts, given.seed)
    counted(sheets, given.hints, given.verbose, given.keep and given.keep / "drawn").told("Drawn")
    if given.photos:
        sheets = natural_sheets(given.natural, given.photos, fonts, given.seed)
        counted(sheets, given.hints, given.verbose, given.keep and given.keep / "natural").told("Natural")
    repeats(fonts, given.seed)


if __name__ == "__main__":
    main()
