"""Finds what was put over a picture: writing of all kinds, speech bubbles, emanata and borders; makes masks."""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lorasmith.imaging.borders import find_border
from lorasmith.imaging.bubbles import Bubble, Polygon, find_bubbles
from lorasmith.imaging.crop import Box
from lorasmith.imaging.emanata import Sign, find_emanata
from lorasmith.imaging.text import Line, find_lines

Kind = Literal["signature", "watermark", "text", "bubble", "border", "emanata", "logo"]
LOGO: Kind = "logo"  # without letters: only that it repeats tells that it is one
WRITING: frozenset[Kind] = frozenset(["signature", "watermark", "text"])

# Tags that say what to look for, in the boards' words.
SIGNATURE_TAGS = frozenset(["signature", "artist_name", "artist_signature", "dated", "character_name"])
WATERMARK_TAGS = frozenset(
    ["watermark", "url", "web_address", "patreon_logo", "patreon_username", "twitter_username", "logo",
     "third-party_watermark", "sample_watermark", "copyright_notice", "username", "artist_logo"]
)  # fmt: skip
TEXT_TAGS = frozenset(
    ["text", "english_text", "japanese_text", "dialogue", "speech_bubble", "thought_bubble", "sound_effects",
     "onomatopoeia", "translated", "translation_request", "text_on_clothing", "comic", "cover", "sign", "text_focus",
     "profanity"]
)  # fmt: skip
BUBBLE_TAGS = frozenset(["speech_bubble", "thought_bubble", "dialogue", "comic"])

_BELIEVED = 0.54
_HINTED = 0.42  # where a tag says that there is writing
_UNHINTED = 0.64  # where there are tags, and none says so
_ROUND = frozenset("0OoQDCcGeaug8óöøØ°●◯○〇口回日四品1234569lIJL")  # what eyes, noses and rims are read as
_SITE = re.compile(
    r"www\.|https?:|\.(com|net|org|art|info|ru|jp|me|tv)\b|@\w|©|\(c\)|patreon|twitter|furaffinity|deviantart|"
    r"pixiv|gumroad|ko-?fi|subscribestar|commission by|instagram|tumblr|bluesky|bsky",
    re.IGNORECASE,
)


class _Kept(NamedTuple):
    line: Line
    sure: float


@dataclass(frozen=True)
class Mark:
    """Something found on a picture: its kind, its box in pixels, how sure, and its words.

    A border's box is the inside that stays. `outline` is the exact area of writing, of a sign and of a bubble without its
    tail, `whole` the bubble's with it; both are empty for a border. The words of emanata are the kind of sign.
    """

    kind: Kind
    box: Box
    confidence: float
    words: str = ""
    outline: Polygon = ()
    whole: Polygon = ()


def find_marks(image: Image.Image, hints: Collection[str] = frozenset(), *, signs: bool = True) -> list[Mark]:
    """Finds the marks on a picture, writing from top to bottom, then bubbles, emanata, and the border.

    `hints` are the picture's tags as far as they are known; tags of writing lower what is demanded, other tags alone
    raise it, and none at all leave it. Words in a bubble are told on their own as well as with the bubble. Without `signs`
    emanata are not looked for.
    """
    image = image if image.mode == "RGB" else image.convert("RGB")
    tags = frozenset(tag.replace(" ", "_") for tag in hints)
    kept = _believed(find_lines(image), image.size, tags)
    bubbles = find_bubbles(image, [keep.line.corners for keep in kept], bool(tags & BUBBLE_TAGS))
    spoken = {place for bubble in bubbles for place in bubble.lines}
    often = Counter(_plain(keep.line.words) for keep in kept)
    marks = [
        _mark(keep, "text" if place in spoken else _kind_of(keep, image.size, tags, often))
        for place, keep in enumerate(kept)
    ]
    marks += [_of_bubble(bubble, kept) for bubble in bubbles]
    taken = [mark.box for mark in marks]
    found = find_emanata(image, tags) if signs else []
    marks += [_of_sign(sign) for sign in found if not any(_covers(box, sign.box) for box in taken)]
    inside = find_border(image)
    if inside is not None:
        marks.append(Mark("border", inside, 1.0))
    return [mark for mark in (_on_picture(mark, image.size) for mark in marks) if mark.box.area]


def _on_picture(mark: Mark, size: tuple[int, int]) -> Mark:
    return Mark(mark.kind, mark.box.inside(size), mark.confidence, mark.words, mark.outline, mark.whole)


def _mark(keep: _Kept, kind: Kind) -> Mark:
    corners = tuple((round(x), round(y)) for x, y in keep.line.corners)
    return Mark(kind, keep.line.box, round(keep.sure, 3), keep.line.words, corners)


def _of_bubble(bubble: Bubble, kept: Sequence[_Kept]) -> Mark:
    words = " ".join(kept[place].line.words for place in bubble.lines)
    return Mark("bubble", bubble.box, bubble.confidence, words, bubble.body, bubble.whole)


def _of_sign(sign: Sign) -> Mark:
    return Mark("emanata", sign.box, sign.sure, sign.kind, sign.outline)


def _covers(box: Box, sign: Box) -> bool:
    """Says whether half of a sign lies in the box of writing or of a bubble: it belongs there."""
    wide = min(box.right, sign.right) - max(box.left, sign.left)
    high = min(box.bottom, sign.bottom) - max(box.top, sign.top)
    return max(0, wide) * max(0, high) > 0.5 * sign.area


def _believed(lines: Sequence[Line], size: tuple[int, int], tags: frozenset[str]) -> list[_Kept]:
    """Keeps what is truly writing. What stands by such a line and is as high as it needs less."""
    writing = bool(tags & (SIGNATURE_TAGS | WATERMARK_TAGS | TEXT_TAGS))
    least = _HINTED if writing else _UNHINTED if tags else _BELIEVED
    beliefs = [_belief(line, size) for line in lines]
    firm = [line for line, belief in zip(lines, beliefs, strict=True) if belief >= least]
    kept = []
    for line, belief in zip(lines, beliefs, strict=True):
        if belief < least and _can_follow(line) and any(_beside(line, other) for other in firm):
            belief = max(belief, line.read * 0.9, line.seen * 0.6 if line.words else 0.0)
        if belief < least and tags & SIGNATURE_TAGS and _is_scribble(line, size):
            belief = least
        if belief >= least:
            kept.append(_Kept(line, min(1.0, belief)))
    return kept


def _belief(line: Line, size: tuple[int, int]) -> float:
    """Gives how sure it is that a line is writing: the reader's share, less for what eyes and clouds are read as."""
    letters = [letter for letter in line.words if letter.isalnum()]
    weight = sum(1 if letter.isascii() else 1.6 for letter in letters)
    if not letters:
        return 0.0
    belief = line.read * (0.35 + 0.65 * min(1.0, line.seen / 0.75))
    if weight < 2:
        belief *= 0.5
    elif weight < 3:
        belief *= 0.8
    telling = [letter for letter in letters if letter not in _ROUND]
    if not telling:
        belief *= 0.5 if len(letters) < 5 else 0.8
    elif len(telling) == 1 and len(letters) < 4:
        belief *= 0.85
    if len(letters) >= 4 and len(set(letters)) < 0.5 * len(letters):  # edges and rows of dots
        belief *= 0.55
    if line.height > (0.12 if weight < 4 else 0.25) * size[1]:
        belief *= 0.8
    return belief


def _can_follow(line: Line) -> bool:
    letters = [letter for letter in line.words if letter.isalnum()]
    return not letters or any(letter not in _ROUND for letter in letters)


def _beside(one: Line, two: Line) -> bool:
    """Says whether two lines are of like height and stand within a line's height of each other."""
    if one is two or not 0.6 < one.height / max(1.0, two.height) < 1.67:
        return False
    reach, first, second = max(one.height, two.height), one.box, two.box
    apart_x = max(first.left, second.left) - min(first.right, second.right)
    apart_y = max(first.top, second.top) - min(first.bottom, second.bottom)
    return apart_x < reach and apart_y < reach


def _is_scribble(line: Line, size: tuple[int, int]) -> bool:
    """Says whether a line is surely writing that cannot be read, small and at the edge: a signature by hand."""
    return line.seen >= 0.7 and line.height < 0.08 * min(size) * 1.3 and _from_edge(line.box, size) < 0.12


def _from_edge(box: Box, size: tuple[int, int]) -> float:
    """Gives how far a box's middle lies from the nearer of the upper and lower edges, or of a side if it is upright."""
    down = (box.top + box.bottom) / 2 / size[1]
    across = (box.left + box.right) / 2 / size[0]
    upright = box.height > 1.5 * box.width
    return min(across, 1 - across) if upright else min(down, 1 - down)


def _plain(words: str) -> str:
    return "".join(letter for letter in words.lower() if letter.isalnum())


def _kind_of(keep: _Kept, size: tuple[int, int], tags: frozenset[str], often: Counter[str]) -> Kind:
    """Says what writing outside a bubble is: an address or what is repeated, a small name at the edge, or words."""
    words, box = keep.line.words, keep.line.box
    if _SITE.search(words) or (often[_plain(words)] >= 3 and len(_plain(words)) >= 4):
        return "watermark"
    small = keep.line.height < (0.085 if tags & SIGNATURE_TAGS else 0.07) * size[1]
    at_edge = _from_edge(box, size) < (0.16 if tags & SIGNATURE_TAGS else 0.12)
    if small and at_edge and len(words.split()) <= 3 and len(words) <= 24:
        return "watermark" if tags & WATERMARK_TAGS and not tags & SIGNATURE_TAGS else "signature"
    return "text"


def mask_of(marks: Sequence[Mark], image: Image.Image, tails: bool = True, margin: float = 0.12) -> Image.Image:
    """Paints marks white on black, of the picture's size, to be erased.

    Writing on plain ground is masked by its strokes, on any other by its whole line; both with a margin, a share of the
    line's height. A bubble is masked with its tail unless `tails` is false; a border is all that is outside its box.
    """
    mask = np.zeros((image.height, image.width), np.uint8)
    for mark in marks:
        if mark.kind == "border":
            outside = np.full_like(mask, 255)
            outside[mark.box.top : mark.box.bottom, mark.box.left : mark.box.right] = 0
            mask |= outside
        elif mark.kind == "bubble":
            _paint_bubble(mask, mark, tails)
        elif mark.kind in ("emanata", "logo"):
            _paint_figure(mask, mark)
        else:
            _paint_writing(mask, mark, image, margin)
    return Image.fromarray(mask)


def _paint_bubble(mask: NDArray[np.uint8], mark: Mark, tails: bool) -> None:
    """Fills a bubble and the line round it."""
    points = np.asarray(mark.whole if tails else mark.outline, np.int32)
    line = max(3, round(0.012 * min(mask.shape)))
    cv2.fillPoly(mask, [points], 255)
    cv2.polylines(mask, [points], True, 255, 2 * line)


def _paint_figure(mask: NDArray[np.uint8], mark: Mark) -> None:
    """Fills a sign or a logo, with what its own line and thin ends may reach beyond."""
    points = np.asarray(mark.outline, np.int32)
    line = max(2, round(0.12 * max(mark.box.width, mark.box.height)))
    cv2.fillPoly(mask, [points], 255)
    cv2.polylines(mask, [points], True, 255, 2 * line)


def _paint_writing(mask: NDArray[np.uint8], mark: Mark, image: Image.Image, margin: float) -> None:
    points = np.asarray(mark.outline, np.int32).reshape(-1, 2)
    high = min(np.linalg.norm(points[1] - points[0]), np.linalg.norm(points[2] - points[1]))
    reach = max(2, round(margin * float(high)))
    around = mark.box.grown(0)
    box = Box(around.left - 3 * reach, around.top - 3 * reach, around.right + 3 * reach, around.bottom + 3 * reach)
    box = box.inside(image.size)
    area = np.zeros((box.height, box.width), np.uint8)
    cv2.fillPoly(area, [points - (box.left, box.top)], 255)
    line = cv2.dilate(area, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    pixels = np.asarray(image.crop((box.left, box.top, box.right, box.bottom)).convert("RGB"))
    strokes = _strokes(pixels, line, reach)
    part = mask[box.top : box.bottom, box.left : box.right]
    part |= line if strokes is None else strokes


def _strokes(pixels: NDArray[np.uint8], line: NDArray[np.uint8], reach: int) -> NDArray[np.uint8] | None:
    """Gives the letters within a line, grown a little; None where the ground round the line is not plain."""
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    ring = (cv2.dilate(line, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) > 0) & (line == 0)
    if ring.sum() < 12:
        return None
    ground = np.median(lab[ring], axis=0)
    apart = np.linalg.norm(lab - ground, axis=2)
    if (apart[ring] < 6).mean() < 0.95:
        return None
    ink = ((apart > 6) & (line > 0)).astype(np.uint8) * 255
    side = 2 * max(1, reach // 2) + 1
    return np.asarray(cv2.dilate(ink, np.ones((side, side), np.uint8)), np.uint8) & line
