"""Looks once at a picture for all that its crops are decided from, and ranks heads by what they are worth in training."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from PIL import Image

from lorasmith.imaging.crop import Box, character_box, cut
from lorasmith.imaging.heads import Head, find_head
from lorasmith.imaging.masks import Mask
from lorasmith.imaging.measure import measure_picture

VERSION = 1  # of the figures below: kept ones of another version are measured anew
_TWIN_BITS = 10  # of 64: heads whose hashes both differ by less are the same drawing
_CUT = 0.6  # what a head at the picture's edge is worth of a whole one
_SHARP = 0.6  # from this sharpness on a head gains nothing more


@dataclass(frozen=True)
class SeenHead:
    """A head on a picture, with what tells how good its crop would be.

    `dhash` and `phash` are 64 bits of the crop as 16 hex digits; `whole` is false where the picture's edge cuts it;
    `sharpness` is 0..1.
    """

    box: Box
    sure: float
    upright: float
    whole: bool
    sharpness: float
    dhash: str
    phash: str

    def enlarged(self, resolution: int) -> float:
        """Gives the factor by which training at `resolution` pixels enlarges the head's crop; 1 or less is none."""
        return resolution / max(1.0, self.box.area**0.5)

    def worth(self, resolution: int) -> float:
        """Gives how good a training picture the crop is, 0..1: enough pixels, sharp, upright, surely a head, and whole."""
        pixels = min(1.0, 1 / self.enlarged(resolution))
        parts = 0.35 * pixels + 0.3 * min(1.0, self.sharpness / _SHARP) + 0.1 * self.upright + 0.25 * self.sure
        return parts * (1.0 if self.whole else _CUT)

    def is_twin(self, other: "SeenHead") -> bool:
        """Says whether two heads are the same drawing."""
        return all(
            (int(one, 16) ^ int(two, 16)).bit_count() < _TWIN_BITS
            for one, two in ((self.dhash, other.dhash), (self.phash, other.phash))
        )


@dataclass(frozen=True)
class Framing:
    """The boxes of the character, without a margin, and of its head; None where none was found."""

    body: Box | None
    head: SeenHead | None

    def to_dict(self) -> dict[str, Any]:
        """Gives the look as values that JSON can hold, with the version of these figures."""
        head = None if self.head is None else vars(self.head) | {"box": _numbers(self.head.box)}
        return {"body": None if self.body is None else _numbers(self.body), "head": head, "version": VERSION}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any] | None) -> Self | None:
        """Makes a look from `to_dict` of it; None where there is none, or of another version."""
        if values is None or values.get("version") != VERSION:
            return None
        body, head = values["body"], values["head"]
        seen = None if head is None else SeenHead(**{**head, "box": Box(*head["box"])})
        return cls(None if body is None else Box(*body), seen)


def look(image: Image.Image, mask: Mask, head: Head | None = None) -> Framing:
    """Looks where the character of the mask and its head are; a head that is given (a detector's) is taken as it is."""
    found = find_head(image, mask) if head is None else head
    return Framing(character_box(mask, 0.0), None if found is None else _seen(image, found))


def _seen(image: Image.Image, head: Head) -> SeenHead:
    box = head.box
    facts = measure_picture(cut(image, box))
    whole = box.left > 0 and box.top > 0 and box.right < image.width
    return SeenHead(box, head.sure, head.upright, whole, facts.sharpness, facts.dhash, facts.phash)


def _numbers(box: Box) -> list[int]:
    return [box.left, box.top, box.right, box.bottom]
