"""What finding emanata and letterless logos gets right: signs of others' drawing over drawn scenes.

    python benchmarks/emanata.py [--signs FOLDER] [--pictures 120] [--seed 3] [--verbose] [--keep FOLDER]

Signs are the symbols of the DejaVu fonts, motion lines that are drawn here, and the transparent PNG files of the `--signs`
folder, each named after its kind (`heart-red.png`; `other-key.png` is no sign). None of them was fitted on. Told are precision and
recall with the tags of the signs that are there, with tags that say nothing, and without tags. A sign is found where a found one of
its kind covers half of its box, and a found one is right where half of it lies on a sign of its kind.
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
from drawn_marks import SIZES, contrasting, shared
from marks import covered, share
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from lorasmith.demo.world import training_scene
from lorasmith.imaging.crop import Box
from lorasmith.imaging.emanata import SIGNS, find_emanata
from lorasmith.imaging.logos import find_logos
from lorasmith.imaging.marks import Mark
from lorasmith.imaging.repeats import Look, look_of, repeated

TYPED = {
    "heart": "♥❤", "note": "♪♫♩♬", "sparkle": "✦✧", "exclamation mark": ("!", "!!", "‼", "!?"), "question mark": ("?", "??"),
}  # fmt: skip
TAGS = {
    "heart": "heart", "sweatdrop": "sweatdrop", "anger vein": "anger_vein", "note": "musical_note", "sparkle": "sparkle",
    "exclamation mark": "!", "question mark": "?", "motion lines": "motion_lines",
}  # fmt: skip
OTHER = "other"  # figures that are no signs


@dataclass
class Sheet:
    """A picture in the making, with the boxes of its signs."""

    image: Image.Image
    rng: random.Random
    truths: list[tuple[str, Box]] = field(default_factory=list)
    others: list[Box] = field(default_factory=list)

    def put(self, kind: str, sign: Image.Image, size: float) -> None:
        """Puts a sign (RGBA, or L to be coloured here) where no other is, rather on plain ground than elsewhere."""
        scale = size * max(self.image.size) / max(sign.size)
        sign = sign.resize((max(5, round(sign.width * scale)), max(5, round(sign.height * scale))), Image.Resampling.LANCZOS)
        places = [self._place(sign.size) for _ in range(6)]
        free = [box for box in places if not any(shared(box.grown(0.1), other) for other in self._taken())]
        if not free:
            return
        box = min(free, key=lambda each: self._under(each).std(axis=(0, 1)).sum())
        if sign.mode == "L":
            sign = self._coloured(sign, box)
        self.image.paste(sign, (box.left, box.top), sign)
        left, top, right, bottom = sign.getchannel("A").point(lambda value: 255 * (value > 100)).getbbox() or (0, 0, *sign.size)
        inner = Box(box.left + left, box.top + top, box.left + right, box.top + bottom)
        if kind == OTHER:
            self.others.append(inner)
        else:
            self.truths.append((kind, inner))

    def _taken(self) -> list[Box]:
        return [*(box for _, box in self.truths), *self.others]

    def _place(self, size: tuple[int, int]) -> Box:
        left, top = (self.rng.randint(2, max(2, side - own - 2)) for side, own in zip(self.image.size, size, strict=True))
        return Box(left, top, left + size[0], top + size[1])

    def _under(self, box: Box) -> np.ndarray:
        return np.asarray(self.image.crop((box.left, box.top, box.right, box.bottom)), np.float32)

    def _coloured(self, sign: Image.Image, box: Box) -> Image.Image:
        """Gives a coloured sign, half of them with an outline."""
        colour = contrasting(self._under(box).reshape(-1, 3), False, self.rng)
        solid = Image.new("RGBA", sign.size, (*colour, 0))
        solid.putalpha(sign)
        if self.rng.random() < 0.5:
            return solid
        rim = max(1, round(0.03 * max(sign.size))) * 2 + 1
        line = Image.new("RGBA", sign.size, self.rng.choice(((10, 8, 14, 0), (255, 255, 255, 0))))
        line.putalpha(sign.filter(ImageFilter.MaxFilter(rim)))
        return Image.alpha_composite(line, solid)


def typed(words: str, font: Path) -> Image.Image:
    """Draws symbols of a font as coverage (L), with room for an outline."""
    face = ImageFont.truetype(str(font), 200)
    left, top, right, bottom = face.getbbox(words)
    layer = Image.new("L", (round(right - left) + 24, round(bottom - top) + 24))
    ImageDraw.Draw(layer).text((12 - left, 12 - top), words, fill=255, font=face)
    return layer


def lines(rng: random.Random) -> Image.Image:
    """Draws three or four strokes side by side, as beside a hand that shakes (L)."""
    layer = Image.new("L", (240, 240))
    pen, start, step = ImageDraw.Draw(layer), rng.uniform(0, 360), rng.uniform(20, 34)
    for place in range(rng.choice((3, 3, 4))):
        reach = 30 + place * rng.uniform(0.9, 1.1) * step
        pen.arc((120 - reach, 120 - reach, 120 + reach, 120 + reach), start, start + 4200 / (reach + 20), 255, rng.randint(5, 10))
    return layer.crop(layer.getbbox()) if layer.getbbox() else layer


def sign_of(kind: str, rng: random.Random, folder: dict[str, list[Path]], fonts: list[Path]) -> Image.Image | None:
    """Gives a sign of a kind: of the folder or of a font, turned a little."""
    ways = [way for way, there in (("file", kind in folder), ("type", kind in TYPED), ("line", kind == "motion lines")) if there]
    if not ways:
        return None
    way = rng.choice(ways)
    if way == "file":
        with Image.open(rng.choice(folder[kind])) as opened:
            sign = opened.convert("RGBA")
    else:
        sign = lines(rng) if way == "line" else typed(rng.choice(TYPED[kind]), rng.choice(fonts))
    turned = sign.rotate(rng.uniform(-20, 20), Image.Resampling.BICUBIC, expand=True)
    return turned.crop((turned.getchannel("A") if turned.mode == "RGBA" else turned).getbbox())


def sheets(count: int, folder: dict[str, list[Path]], fonts: list[Path], seed: int) -> Iterator[Sheet]:
    """Draws scenes: one in four bears no sign; on half there are one to three other figures as well."""
    for number in range(count):
        rng = random.Random(f"emanata {seed} {number}")
        sheet = Sheet(training_scene(rng, held_out=True).draw(*rng.choice(SIZES)).convert("RGB"), rng)
        kinds = [rng.choice(SIGNS[1:])] * rng.randint(1, 3) + ([rng.choice(SIGNS[1:])] if rng.random() < 0.4 else [])
        if number % 4 == 0:
            kinds = []
        if rng.random() < 0.5:
            kinds += [OTHER] * rng.randint(1, 3)
        for kind in kinds:
            sign = sign_of(kind, rng, folder, fonts)
            if sign is not None:
                sheet.put(kind, sign, rng.uniform(0.03, 0.13))
        yield sheet


@dataclass
class Count:
    """Found and missed, right and wrong, for each kind of sign."""

    wanted: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    given: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    clean: int = 0
    alarmed: int = 0

    def take(self, name: str, sheet: Sheet, tags: frozenset[str], verbose: bool) -> list[Mark]:
        signs = find_emanata(sheet.image, tags)
        for kind, box in sheet.truths:
            hit = covered(box, [sign.box for sign in signs if sign.kind == kind]) >= 0.5
            self.wanted[kind] += 1
            self.found[kind] += hit
            if verbose and not hit:
                print(f"    {name}: missed {kind} {box}, found {[sign.kind for sign in signs if shared(sign.box, box)]}")
        for sign in signs:
            own = covered(sign.box, [box.grown(0.05) for kind, box in sheet.truths if kind == sign.kind]) >= 0.5
            self.given[sign.kind] += 1
            self.right[sign.kind] += own
            if verbose and not own:
                print(f"    {name}: wrong {sign.kind} {sign.sure} {sign.box}")
        self.clean += not sheet.truths
        self.alarmed += bool(signs) and not sheet.truths
        return [Mark("text", sign.box, sign.sure, sign.kind) for sign in signs]

    def told(self, title: str) -> None:
        print(f"\n{title}: {self.alarmed} of {self.clean} pictures without signs had a false one")
        recall = share(self.found.total(), self.wanted.total())
        print(f"  {'all':18} precision {share(self.right.total(), self.given.total())}   recall {recall}")
        for kind in SIGNS[1:]:
            recall = share(self.found[kind], self.wanted[kind])
            print(f"    {kind:16} precision {share(self.right[kind], self.given[kind]):20} recall {recall}")


def logos(folder: dict[str, list[Path]], seed: int) -> None:
    """Puts one of two small figures into its corner of three in four of 40 pictures, and others elsewhere; tells the groups."""
    files = sorted(path for paths in folder.values() for path in paths)
    dice = random.Random(f"logos {seed}")
    chosen = dice.sample(files, 2)
    found: dict[str, list[Look]] = {}
    truth: dict[str, tuple[int, Box]] = {}
    seconds = []
    for number in range(40):
        rng = random.Random(f"logos {seed} {number}")
        image = training_scene(rng, held_out=True).draw(*rng.choice(SIZES)).convert("RGB")
        if number % 4:
            which = number % 2
            with Image.open(chosen[which]) as opened:
                logo = opened.convert("RGBA")
            side = round(0.07 * min(image.size))
            logo = logo.resize((round(side * logo.width / max(logo.size)), round(side * logo.height / max(logo.size))))
            at = (image.width - logo.width - round(0.03 * image.width), image.height - logo.height - round(0.03 * image.height))
            left, top = at if which else (round(0.03 * image.width), round(0.03 * image.height))
            image.paste(logo, (left, top), logo)
            truth[str(number)] = which, Box(left, top, left + logo.width, top + logo.height)
        start = time.process_time()
        found[str(number)] = [look_of(image, mark) for mark in find_logos(image)]
        seconds.append(time.process_time() - start)
    right, given, own = 0, 0, set()
    for group in repeated(found):
        for name, mark in group.marks:
            given += 1
            hit = name in truth and covered(truth[name][1], [mark.box]) >= 0.6 and covered(mark.box, [truth[name][1]]) >= 0.4
            right += hit
            own |= {name} if hit else set()
    print(f"\nLogos without letters ({chosen[0].stem}, {chosen[1].stem}): precision {share(right, given)}, "
          f"recall {share(len(own), len(truth))}, {np.mean(seconds):.2f} s a picture")  # fmt: skip


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--signs", type=Path)
    words.add_argument("--pictures", type=int, default=120)
    words.add_argument("--seed", type=int, default=3)
    words.add_argument("--verbose", action="store_true")
    words.add_argument("--keep", type=Path, help="writes the pictures with true (green) and found (red) boxes there")
    given = words.parse_args()
    folder: dict[str, list[Path]] = {}
    for path in sorted(given.signs.glob("*.png")) if given.signs else []:
        folder.setdefault(path.name.split("-")[0].replace("_", " "), []).append(path)
    files = Path("/usr/share/fonts").rglob("DejaVuSans*.ttf")
    fonts = sorted(path for path in files if "ExtraLight" not in path.name and "Mono" not in path.name)
    hinted, other, bare = Count(), Count(), Count()
    for number, sheet in enumerate(sheets(given.pictures, folder, fonts, given.seed)):
        tags = frozenset(TAGS[kind] for kind, _ in sheet.truths)
        marks = hinted.take(str(number), sheet, tags | {"solo"}, given.verbose)
        other.take(str(number), sheet, frozenset(["solo"]), False)
        bare.take(str(number), sheet, frozenset(), False)
        if given.keep is not None:
            given.keep.mkdir(parents=True, exist_ok=True)
            pen = ImageDraw.Draw(sheet.image)
            for box, ink in [(box, "lime") for _, box in sheet.truths] + [(mark.box, "red") for mark in marks]:
                pen.rectangle((box.left, box.top, box.right, box.bottom), outline=ink, width=3)
            sheet.image.save(given.keep / f"{number}.jpg")
    hinted.told("With the tags of what is there")
    other.told("With tags that say nothing of signs")
    bare.told("Without tags")
    if folder:
        for seed in range(given.seed, given.seed + 3):
            logos(folder, seed)


if __name__ == "__main__":
    main()
