"""Pictures that must not hurt: each is read as it should be, or refused with a sentence that names it."""

import io
import os
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from lorasmith.errors import PictureError
from lorasmith.imaging.measure import glance
from lorasmith.imaging.read import open_picture, open_reduced, thumbnail
from tests.imaging.drawing import creature

PICTURE = creature("sitting", "meadow", size=(240, 300)).picture
RED, BLUE = Image.new("RGB", (32, 24), (220, 20, 30)), Image.new("RGB", (32, 24), (20, 30, 220))
WAYS = (open_picture, open_reduced, thumbnail, glance)


def _bytes(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def _chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _png(width, height, depth=8, colour=2, rows=b""):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")


def _jpeg_of(width, height):
    content = bytearray(_bytes(PICTURE, "JPEG"))
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(content)


def _gif_of(width, height):
    return b"GIF89a" + struct.pack("<HH", width, height) + _bytes(RED, "GIF")[10:]


def _bmp_of(width, height):
    content = bytearray(_bytes(RED, "BMP"))
    content[18:26] = struct.pack("<ii", width, height)
    return bytes(content)


REFUSED = {
    "no bytes.png": b"",
    "one byte.jpg": b"\xff",
    "page.jpg": b"<!DOCTYPE html><html><body>503</body></html>",
    "cut.png": _bytes(PICTURE, "PNG")[:4000],
    "cut.jpg": _bytes(PICTURE, "JPEG")[:4000],
    "cut.webp": _bytes(PICTURE, "WEBP")[:1500],
    "cut.gif": _bytes(PICTURE, "GIF")[:3000],
    "cut.bmp": _bytes(PICTURE, "BMP")[:3000],
    "cut.avif": _bytes(PICTURE, "AVIF")[:1500],
    "only a head.jpg": _bytes(PICTURE, "JPEG")[:30],
    "bomb.png": _png(50_000, 50_000),
    "bomb.jpg": _jpeg_of(50_000, 50_000),
    "bomb.gif": _gif_of(50_000, 50_000),
    "bomb.bmp": _bmp_of(50_000, 50_000),
    "no width.png": _png(0, 10),
    "wrong sum.png": _bytes(PICTURE, "PNG").replace(b"IDAT", b"IDAX", 1),
    "no pixels.png": _png(40, 40, rows=b"\0" * 10),
    "text bomb.png": _bytes(RED, "PNG")[:33] + _chunk(b"zTXt", b"a\0\0" + zlib.compress(b" " * 80_000_000)) + _bytes(RED, "PNG")[33:],
    "two\nlines.png": b"\x89PNG\r\n\x1a\nnothing",
}  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_by_name(tmp_path, name, way):
    path = tmp_path / name
    path.write_bytes(REFUSED[name])
    with pytest.raises(PictureError) as refused:
        way(path)
    assert name in str(refused.value) and str(refused.value).endswith((".", "again", "again."))


def test_a_folder_and_a_link_to_nowhere_are_refused_by_name(tmp_path):
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(PictureError, match=r"folder\.png"):
        open_picture(tmp_path / "folder.png")
    try:
        (tmp_path / "link.png").symlink_to(tmp_path / "nowhere.png")
    except OSError:
        return  # Windows lets only some people make links
    with pytest.raises(PictureError, match=r"link\.png"):
        open_picture(tmp_path / "link.png")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
@pytest.mark.parametrize("size", [(1, 1), (1, 700), (8000, 2), (8000, 40)])
def test_tiny_and_very_wide_pictures_are_read_and_measured(tmp_path, kind, size):
    path = tmp_path / "odd"
    Image.new("RGB", size, (90, 120, 40)).save(path, kind)
    opened = open_picture(path)
    assert opened.size == size and abs(opened.getpixel((0, 0))[1] - 120) < 6
    assert max(thumbnail(path, 64).size) <= 64
    glance(path)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_the_first_frame_of_an_animation_is_read(tmp_path, kind):
    path = tmp_path / "moving"
    RED.save(path, kind, save_all=True, append_images=[BLUE], duration=80, loop=0)
    assert path.read_bytes().count(b"acTL") == (kind == "PNG")
    red, green, blue = open_picture(path).getpixel((5, 5))
    assert red > 200 and green < 60 and blue < 60
    glance(path)


def test_a_cmyk_jpeg_with_a_profile_is_read_in_colours(tmp_path):
    path = tmp_path / "print.jpg"
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()  # no CMYK profile: it is passed over
    RED.convert("CMYK").save(path, quality=95, icc_profile=srgb)
    red, green, blue = open_picture(path).getpixel((5, 5))
    assert red > 180 and green < 70 and blue < 70


def test_an_srgb_profile_changes_nothing(tmp_path):
    plain = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    RED.save(tmp_path / "a.png", icc_profile=plain.tobytes())
    assert np.abs(np.asarray(open_picture(tmp_path / "a.png")).astype(int) - np.asarray(RED)).max() <= 1


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bits_become_8(tmp_path, channels):
    ramp = np.linspace(0, 65535, 64).astype(np.uint16)[None].repeat(16, 0)
    deep = np.repeat(ramp[..., None], channels, axis=2)
    if channels == 4:
        deep[..., 3] = 65535
    coded = cv2.imencode(".png", deep if channels > 1 else deep[..., 0])[1]
    (tmp_path / "deep.png").write_bytes(coded.tobytes())
    opened = np.asarray(open_picture(tmp_path / "deep.png")).astype(int)
    assert opened.shape == (16, 64, 3) and np.abs(opened[..., 0] - (ramp >> 8)).max() <= 1


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP"])
def test_a_palette_with_transparency_is_laid_on_white(tmp_path, kind):
    whole = PICTURE.convert("RGBA")
    alpha = Image.new("L", whole.size, 255)
    alpha.paste(0, (0, 0, 120, 300))
    whole.putalpha(alpha)
    picture = whole if kind != "PNG" else whole.quantize(64, Image.Quantize.FASTOCTREE)
    picture.save(tmp_path / "a", kind)
    opened = open_picture(tmp_path / "a")
    assert opened.getpixel((20, 150)) == (255, 255, 255) and opened.getpixel((180, 20)) != (255, 255, 255)


def test_a_palette_with_half_transparent_colours_is_mixed_with_white(tmp_path):
    picture = Image.new("P", (8, 8), 1)
    picture.putpalette([0, 0, 0, 255, 0, 0])
    picture.save(tmp_path / "half.png", transparency=bytes([255, 128]))
    red, green, _ = open_picture(tmp_path / "half.png").getpixel((2, 2))
    assert red == 255 and abs(green - 127) <= 1


@pytest.mark.parametrize(("kind", "name"), [("PNG", "a.jpg"), ("JPEG", "a.png"), ("WEBP", "a.gif"), ("GIF", "a.txt")])
def test_the_ending_of_the_name_does_not_matter(tmp_path, kind, name):
    PICTURE.save(tmp_path / name, kind)
    assert open_picture(tmp_path / name).size == PICTURE.size


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
@pytest.mark.parametrize("name", ["two\nlines.png", "tab\there.png", "-rf.png", "percent%s{0}.png", "ünïcode 狐.png"])
def test_odd_names_are_read_like_others(tmp_path, name):
    PICTURE.save(tmp_path / name, "PNG")
    assert open_picture(tmp_path / name).size == PICTURE.size


@pytest.mark.parametrize("turn", range(1, 9))
def test_every_way_of_lying_is_set_upright(tmp_path, turn):
    exif = Image.Exif()
    exif[0x0112] = turn
    PICTURE.save(tmp_path / "side.png", exif=exif)
    opened = open_picture(tmp_path / "side.png")
    assert opened.size == (PICTURE.size if turn < 5 else PICTURE.size[::-1])
    back = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[turn]
    if back is not None:
        opened = opened.transpose(Image.Transpose(back))
    assert (np.asarray(opened) == np.asarray(PICTURE)).all()
