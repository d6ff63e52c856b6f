"""Opens picture files as plain 8-bit sRGB, whatever was in them, and writes PNG files."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

from lorasmith.errors import PictureError
from lorasmith.files import write_atomic
from lorasmith.imaging.signatures import HEAD_BYTES, Extension, true_extension

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


def open_picture(path: Path, max_pixels: int = 100_000_000) -> Image.Image:
    """Gives the picture as RGB: upright (EXIF), on white where transparent, first frame, colours in sRGB.

    Raises `PictureError` for a file that is broken, cut short, larger than `max_pixels`, or not a picture.
    """
    return _decode(Path(path), max_pixels, None)


def thumbnail(path: Path, max_side: int = 256, max_pixels: int = 100_000_000) -> Image.Image:
    """Gives a small RGB copy; a JPEG is decoded at reduced size, which is several times faster than `open_picture`."""
    picture = _decode(Path(path), max_pixels, max_side)
    picture.thumbnail((max_side, max_side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return picture


def save_png(image: Image.Image, path: Path) -> None:
    """Writes a PNG file complete or not at all; compressed fast rather than small."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    write_atomic(Path(path), buffer.getvalue())


def _decode(path: Path, max_pixels: int, draft_side: int | None) -> Image.Image:
    kind = true_extension(read_head(path))
    if kind is None:
        raise PictureError(f"{path} is not a picture this program reads (PNG, JPEG, WebP, GIF, BMP, AVIF).")
    try:
        with Image.open(path, formats=[_DECODERS[kind]]) as image:
            _demand_pixels(path, image.size, max_pixels)
            if draft_side is not None and kind == "jpg":
                image.draft(image.mode, (draft_side, draft_side))
            image.load()
            return _as_srgb(_upright(image))
    except PictureError:
        raise
    except _TOO_LARGE as error:
        raise PictureError(f"{path} is too large to open: {error}. Make it smaller or leave it out.") from error
    except _BROKEN as error:
        raise PictureError(f"{path} is broken or cut short ({error}): download or copy it again.") from error


def _demand_pixels(path: Path, size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise PictureError(
            f"{path} is too large to open: {width} x {height} pixels, and at most {max_pixels / 1e6:g} million are "
            "allowed. Make it smaller or leave it out."
        )


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except _BROKEN:  # unreadable EXIF data says nothing about the pixels
        return image


def _as_srgb(image: Image.Image) -> Image.Image:
    """Gives RGB on white; an embedded profile other than sRGB is applied before transparency is removed."""
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
    white = Image.new("RGB", picture.size, "white")
    white.paste(picture, mask=alpha)
    return white


def _through_profile(image: Image.Image, profile: bytes) -> Image.Image:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if image.mode == "RGB" and "srgb" in ImageCms.getProfileDescription(source).lower():
            return image
        converted = ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB")
    except (ImageCms.PyCMSError, *_BROKEN):  # a damaged or mismatched profile: the plain numbers are the best guess
        return image.convert("RGB")
    return image.convert("RGB") if converted is None else converted
