import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from lorasmith.errors import PictureError
from lorasmith.imaging.read import open_picture, read_head, save_png, thumbnail, transparent_share
from lorasmith.imaging.signatures import is_lossless, true_extension
from tests.imaging.drawing import creature

PICTURE = creature("sitting", "meadow", size=(240, 300)).picture


def _apart(a, b):
    return np.abs(np.asarray(a, np.int16) - np.asarray(b, np.int16)).mean()


@pytest.mark.parametrize(
    ("kind", "name", "options"),
    [
        ("png", "PNG", {}), ("jpg", "JPEG", {"quality": 95}), ("webp", "WEBP", {"quality": 95}), ("gif", "GIF", {}),
        ("bmp", "BMP", {}), ("avif", "AVIF", {"quality": 95}),
    ],
)
def test_every_kind_is_known_by_its_first_bytes_and_opened_under_any_name(tmp_path, kind, name, options):
    path = tmp_path / "picture.dat"
    PICTURE.save(path, name, **options)
    assert true_extension(read_head(path)) == kind
    opened = open_picture(path)
    assert opened.mode == "RGB" and opened.size == PICTURE.size
    assert _apart(opened, PICTURE) < 6


def test_lossless_webp_is_told_from_lossy_webp(tmp_path):
    PICTURE.save(tmp_path / "a.webp", lossless=True)
    PICTURE.save(tmp_path / "b.webp", quality=80)
    assert is_lossless(read_head(tmp_path / "a.webp")) and not is_lossless(read_head(tmp_path / "b.webp"))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_every_colour_mode_becomes_rgb_of_the_same_brightness(tmp_path, mode):
    if mode == "I;16":
        image = Image.fromarray(np.asarray(PICTURE.convert("L")).astype(np.uint16) * 257)
    else:
        image = PICTURE.convert("RGB").convert(mode if mode != "LA" else "L").convert(mode)
    path = tmp_path / ("picture.jpg" if mode == "CMYK" else "picture.png")
    image.save(path)
    opened = open_picture(path)
    assert opened.mode == "RGB"
    assert abs(np.asarray(opened.convert("L")).mean() - np.asarray(PICTURE.convert("L")).mean()) < 8


@pytest.mark.parametrize("kind", ["png", "webp"])
def test_transparency_is_laid_on_white(tmp_path, kind):
    image = PICTURE.convert("RGBA")
    image.putalpha(Image.new("L", image.size, 0))
    image.save(tmp_path / f"clear.{kind}")
    assert open_picture(tmp_path / f"clear.{kind}").getextrema() == ((255, 255),) * 3


def test_transparency_is_laid_on_the_colour_that_is_asked_for(tmp_path):
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([255, 0, 0, 0, 255, 0])
    pictures = {
        "clear": (Image.new("RGBA", (4, 4), (255, 0, 0, 0)), (90, 80, 70), 1.0),
        "half": (Image.new("LA", (4, 4), (0, 128)), (45, 40, 35), 0.5),
        "palette": (palette, (90, 80, 70), 1.0),
        "whole": (Image.new("RGB", (4, 4), (5, 5, 5)), (5, 5, 5), 0.0),
    }
    for name, (picture, wanted, share) in pictures.items():
        path = tmp_path / f"{name}.png"
        picture.save(path, **({"transparency": 0} if name == "palette" else {}))
        seen = open_picture(path, ground=(90, 80, 70)).getpixel((1, 1))
        assert max(abs(a - b) for a, b in zip(seen, wanted, strict=True)) <= 1, name
        assert abs(transparent_share(path) - share) < 0.01


def test_a_palette_with_a_transparent_colour_is_laid_on_white(tmp_path):
    image = Image.new("P", (20, 20), 0)
    image.putpalette([10, 20, 30])
    image.save(tmp_path / "a.gif", transparency=0)
    assert open_picture(tmp_path / "a.gif").getpixel((3, 3)) == (255, 255, 255)


def test_a_picture_marked_as_lying_on_its_side_is_set_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    PICTURE.save(tmp_path / "side.jpg", exif=exif, quality=95)
    assert open_picture(tmp_path / "side.jpg").size == (PICTURE.height, PICTURE.width)


def test_only_the_first_frame_is_read(tmp_path):
    Image.new("RGB", (8, 8), "red").save(
        tmp_path / "two.gif", save_all=True, append_images=[Image.new("RGB", (8, 8), "blue")]
    )
    assert open_picture(tmp_path / "two.gif").getpixel((0, 0)) == (255, 0, 0)


def test_a_colour_profile_is_applied_and_a_broken_one_is_passed_over(tmp_path):
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    for name, profile in (("lab", lab.tobytes()), ("srgb", srgb.tobytes()), ("broken", b"not a profile at all")):
        PICTURE.save(tmp_path / f"{name}.png", icc_profile=profile)
        assert _apart(open_picture(tmp_path / f"{name}.png"), PICTURE) == 0


def test_what_is_not_a_picture_gets_a_sentence_that_names_the_file(tmp_path):
    whole = io.BytesIO()
    PICTURE.save(whole, "PNG")
    for name, content in {
        "page.png": b"<html><body>not found</body></html>",
        "empty.jpg": b"",
        "cut.png": whole.getvalue()[: len(whole.getvalue()) // 2],
        "head.png": whole.getvalue()[:20],
        "document.png": b"%PDF-1.7 something",
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(PictureError, match=name):
            open_picture(tmp_path / name)
    with pytest.raises(PictureError, match="absent"):
        open_picture(tmp_path / "absent.png")


@pytest.mark.parametrize("kind", ["jpg", "webp"])
def test_a_file_cut_short_is_refused(tmp_path, kind):
    PICTURE.save(tmp_path / f"a.{kind}")
    content = (tmp_path / f"a.{kind}").read_bytes()
    (tmp_path / f"a.{kind}").write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(PictureError, match="broken or cut short"):
        open_picture(tmp_path / f"a.{kind}")


def test_a_picture_with_too_many_pixels_is_refused_before_it_is_decoded(tmp_path):
    Image.new("1", (20000, 9500)).save(tmp_path / "bomb.png")
    for limit in (100_000_000, 10**12):
        with pytest.raises(PictureError, match="too large"):
            open_picture(tmp_path / "bomb.png", limit)


def test_a_saved_picture_reads_back_pixel_for_pixel_and_leaves_no_other_file(tmp_path):
    save_png(PICTURE, tmp_path / "new" / "a.png")
    assert _apart(open_picture(tmp_path / "new" / "a.png"), PICTURE) == 0
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.png"]


def test_a_thumbnail_fits_its_side_and_is_not_enlarged(tmp_path):
    PICTURE.save(tmp_path / "a.jpg")
    assert max(thumbnail(tmp_path / "a.jpg", 64).size) == 64
    assert thumbnail(tmp_path / "a.jpg", 999).size == PICTURE.size
