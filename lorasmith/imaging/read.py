"""Opens picture files as plain 8-bit sRGB, whatever was in them, and writes PNG files."""

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

from lorasmith.errors import PictureError
from lorasmith.files import write_atomic
from lorasmith.imaging.jpeg import without_refinements
from lorasmith.imaging.signatures import HEAD_BYTES, Extension, is_lossless, true_extension

_DECODERS: dict[Extension, str] = {
    "png": "PNG",
    "jpg": "JPEG",
    "webp": "WEBP",
    "gif": "GIF",
    "bmp": "BMP",
    "avif": "AVIF",
}
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, OverflowError, TypeError, struct.error, zlib.error)
_TOO_LARGE = (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError)
_SRGB = ImageCms.createProfile("sRGB")
_ORIENTATION = 0x0112  # the EXIF tag; from 5 on width and height change places
_FINE_STEP = 8  # quality 70 and better, by the mean of the ten finest luma steps
Rgb = tuple[int, int, int]
WHITE: Rgb = (255, 255, 255)
_Draft = Callable[[int, int], tuple[int, int]]  # from a JPEG's size to the least that it is decoded at


@dataclass(frozen=True)
class Decoded:
    """A picture as `open_picture` gives it, perhaps at 1/2 or 1/4 of its size, and what only its file could tell.

    `luma_steps` are the 64 quantisation steps of a JPEG's brightness, else none. `left_out` is what of the file was not
    decoded: a reduced picture does without the last bits of a progressive JPEG.
    """

    picture: Image.Image
    width: int
    height: int
    reduced: int = 1
    lossless: bool = True
    luma_steps: tuple[int, ...] = ()
    left_out: bytes = b""


def read_head(path: Path) -> bytes:
    """Reads the first bytes of a picture file; raises `PictureError` where there is no file to read."""
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
    except OSError as error:
        raise PictureError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not head:
        raise PictureError(f"{path} is empty: download or copy it again.")
    return head


def open_picture(path: Path, max_pixels: int = 100_000_000, ground: Rgb = WHITE) -> Image.Image:
    """Gives the picture as RGB: upright (EXIF), on `ground` where transparent, first frame, colours in sRGB.

    Raises `PictureError` for a file that is broken, cut short, larger than `max_pixels`, or not a picture.
    """
    return _decode(Path(path), max_pixels, ground=ground).picture


def transparent_share(path: Path) -> float:
    """Gives how much of a picture is transparent, 0..1; raises `PictureError` as `open_picture` does."""
    white, black = (np.asarray(open_picture(path, ground=ground), np.float32) for ground in (WHITE, (0, 0, 0)))
    return float((white - black).mean() / 255)


def reduction(width: int, height: int) -> int:
    """Gives by how much a picture is reduced for looking at it as a whole: its long side stays 480 pixels or more."""
    longest = max(width, height)
    return 4 if longest >= 1920 else 2 if longest >= 1280 else 1


def open_reduced(path: Path, max_pixels: int = 100_000_000) -> Decoded:
    """Decodes a JPEG at the size `reduction` says, which is much faster, and any other file whole.

    Raises `PictureError` as `open_picture` does.
    """
    return _decode(Path(path), max_pixels, _reduced, thinned=True)


def thumbnail(path: Path, max_side: int = 256, max_pixels: int = 100_000_000) -> Image.Image:
    """Gives a small RGB copy; a JPEG is decoded at reduced size, which is several times faster than `open_picture`."""
    picture = _decode(Path(path), max_pixels, lambda *_: (max_side, max_side)).picture
    picture.thumbnail((max_side, max_side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return picture


def save_png(image: Image.Image, path: Path) -> None:
    """Writes a PNG file complete or not at all; compressed fast rather than small."""
    write_atomic(Path(path), png_of(image))


def png_of(image: Image.Image) -> bytes:
    """Gives the bytes of a PNG file; the same pixels give the same bytes."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _decode(
    path: Path, max_pixels: int, draft: _Draft | None = None, thinned: bool = False, ground: Rgb = WHITE
) -> Decoded:
    head = read_head(path)
    kind = true_extension(head)
    if kind is None:
        raise PictureError(f"{path} is not a picture this program reads (PNG, JPEG, WebP, GIF, BMP, AVIF).")
    try:
        with Image.open(path, formats=[_DECODERS[kind]]) as image:
            _demand_pixels(path, image.size, max_pixels)
            if draft is None or kind != "jpg":
                return _as_decoded(image, image.size, is_lossless(head), ground=ground)
            wanted = draft(*image.size)
            parted = without_refinements(path.read_bytes()) if thinned and _does_without_refinements(image, wanted) else None
            if parted is None:
                return _drafted(image, wanted)
        with Image.open(io.BytesIO(parted[0]), formats=[_DECODERS[kind]]) as image:
            return replace(_drafted(image, wanted), left_out=parted[1])
    except PictureError:
        raise
    except _TOO_LARGE as error:
        raise PictureError(f"{path} is too large to open: {error}. Make it smaller or leave it out.") from error
    except _BROKEN as error:
        raise PictureError(f"{path} is broken or cut short ({error}): download or copy it again.") from error


def _does_without_refinements(image: Image.Image, wanted: tuple[int, int]) -> bool:
    """Tells whether a progressive JPEG is reduced, and so finely quantised that its last bits are seen by nobody then."""
    if not image.info.get("progressive") or max(image.size) < 2 * max(wanted):
        return False
    steps = sorted(_luma_steps(image))[:10]
    return bool(steps) and sum(steps) <= _FINE_STEP * len(steps)


def _luma_steps(image: Image.Image) -> tuple[int, ...]:
    return tuple(getattr(image, "quantization", {}).get(0, ()))


def _drafted(image: Image.Image, wanted: tuple[int, int]) -> Decoded:
    """Decodes a JPEG by the scaled transform, at `wanted` pixels or more."""
    size = image.size
    image.draft(image.mode, wanted)
    return _as_decoded(image, size, False, _luma_steps(image))


def _as_decoded(
    image: Image.Image, size: tuple[int, int], lossless: bool, steps: tuple[int, ...] = (), ground: Rgb = WHITE
) -> Decoded:
    image.load()
    turned = _orientation(image)
    width, height = size if turned < 5 else size[::-1]
    reduced = round(max(size) / max(image.size))
    picture = image if turned == 1 and _is_plain(image) else _as_srgb(_upright(image), ground)
    return Decoded(picture, width, height, reduced, lossless, steps)


def _is_plain(image: Image.Image) -> bool:
    """Tells whether the pixels are RGB as they are; such a picture is not copied, which takes a tenth of the decoding."""
    if image.mode != "RGB" or image.info.get("icc_profile") or image.has_transparency_data:
        return False
    return getattr(image, "n_frames", 1) == 1


def _reduced(width: int, height: int) -> tuple[int, int]:
    by = reduction(width, height)
    return max(1, width // by), max(1, height // by)


def _demand_pixels(path: Path, size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise PictureError(
            f"{path} is too large to open: {width} x {height} pixels, and at most {max_pixels / 1e6:g} million are "
            "allowed. Make it smaller or leave it out."
        )


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except _BROKEN:
        return 1


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except _BROKEN:  # unreadable EXIF data says nothing about the pixels
        return image


def _as_srgb(image: Image.Image, ground: Rgb = WHITE) -> Image.Image:
    """Gives RGB on the ground's colour; an embedded profile other than sRGB is applied before transparency is removed."""
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8))
    alpha = None
    if image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
    if image.mode not in ("RGB", "L", "CMYK"):
        image = image.convert("RGBA" if alpha else "RGB").convert("RGB")
    picture = _through_profile(image, profile) if profile else image.convert("RGB")
    if alpha is None:
        return picture
    plain = Image.new("RGB", picture.size, ground)
    plain.paste(picture, mask=alpha)
    return plain


def _through_profile(image: Image.Image, profile: bytes) -> Image.Image:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if image.mode == "RGB" and "srgb" in ImageCms.getProfileDescription(source).lower():
            return image
        converted = ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB")
    except (ImageCms.PyCMSError, *_BROKEN):  # a damaged or mismatched profile: the plain numbers are the best guess
        return image.convert("RGB")
    return image.convert("RGB") if converted is None else converted
