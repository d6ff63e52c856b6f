"""How near renders come to the training pictures: by what the tagger sees in both, and by picture hashes for copies.

The features are the tagger's score vectors (or its last features, where its graph gives them): what ships sees tags, and
two pictures with the same tags are near though every line differs. So nearness alone accuses nobody of copying.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from lorasmith.imaging.duplicates import COLOUR_LEVELS
from lorasmith.imaging.measure import measure_picture

SAME_BITS = 4  # of both hashes: the same picture, as prune has it
NEAR_BITS = 9  # the same composition; a copy where the features agree too
SAME_FEATURES = 0.98
_SIDE = 256  # pixels of the copy that hashes are read off


@dataclass(frozen=True)
class Look:
    """What a picture is recognised by: dHash, pHash, mean colours of a 4 x 4 grid, and whether the hashes say anything."""

    dhash: str
    phash: str
    colours: str
    telling: bool


@dataclass(frozen=True)
class Known:
    """The training pictures: `features` has a unit row for each, `looks` several a picture (cropped, mirrored)."""

    names: tuple[str, ...]
    features: np.ndarray
    looks: tuple[tuple[Look, ...], ...]

    def typical(self) -> float | None:
        """Gives how near a training picture is to the nearest other one, in the mean: what a render can be measured by."""
        if len(self.names) < 2:
            return None
        cosines = self.features @ self.features.T
        np.fill_diagonal(cosines, -1.0)
        return float(cosines.max(axis=1).mean())


@dataclass(frozen=True)
class Near:
    """The training picture that a render is nearest to by its features, and the one that it copies, or nothing."""

    name: str
    similarity: float
    copies: str = ""


def unit(vectors: np.ndarray) -> np.ndarray:
    """Scales each row to length 1; rows of zeros stay."""
    rows = np.atleast_2d(vectors).astype(np.float64)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))


def look_of(picture: Image.Image) -> Look:
    """Reads what a picture is recognised by."""
    measured = measure_picture(picture)
    return Look(measured.dhash, measured.phash, measured.colours, measured.telling)


def looks_of(picture: Image.Image, aspect: float) -> tuple[Look, ...]:
    """Gives the looks under which a training picture may come back: whole and cut to the renders' shape, and mirrored."""
    small = picture.convert("RGB")
    small.thumbnail((_SIDE, _SIDE))
    height = max(1, round(_SIDE / aspect))
    shapes = [small, ImageOps.fit(small, (_SIDE, height))]
    return tuple(look_of(each) for shape in shapes for each in (shape, ImageOps.mirror(shape)))


def near(known: Known, features: np.ndarray, look: Look) -> Near | None:
    """Compares a render with the training pictures; None where there are none."""
    if not known.names:
        return None
    cosines = known.features @ unit(features)[0]
    copied = ""
    for place in np.argsort(-cosines, kind="stable").tolist():
        if _copied(look, known.looks[place], float(cosines[place])):
            copied = known.names[place]
            break
    nearest = int(cosines.argmax())
    return Near(known.names[nearest], float(cosines[nearest]), copied)


def _copied(render: Look, looks: Sequence[Look], similarity: float) -> bool:
    most = NEAR_BITS if similarity >= SAME_FEATURES else SAME_BITS
    return render.telling and any(
        look.telling
        and _bits(render.dhash, look.dhash) <= most
        and _bits(render.phash, look.phash) <= most
        and _colours_apart(render.colours, look.colours) <= COLOUR_LEVELS
        for look in looks
    )


def _bits(one: str, other: str) -> int:
    return (int(one, 16) ^ int(other, 16)).bit_count()


def _colours_apart(one: str, other: str) -> int:
    return max(abs(a - b) for a, b in zip(bytes.fromhex(one), bytes.fromhex(other), strict=True))
