"""One decode: what is told of a JPEG that was decoded reduced holds for the whole picture."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from lorasmith.errors import PictureError
from lorasmith.imaging.duplicates import families, is_near
from lorasmith.imaging.jpeg import without_refinements
from lorasmith.imaging.measure import Measures, glance, measure, measure_picture
from lorasmith.imaging.read import open_reduced, reduction, thumbnail
from lorasmith.settings.tables import PruneSettings
from tests.imaging.drawing import creature

BLUR = PruneSettings().blur
SIZES = [(700, 900), (1000, 1400), (1300, 1000), (1500, 2000), (2600, 2000)]
DRAWINGS = [
    creature(("standing", "sitting", "lying")[index % 3], ("meadow", "room", "stripes")[index % 3], size, 0.8, index).picture
    for index, size in enumerate(SIZES)
]


def _saved(picture: Image.Image, path: Path, **how: object) -> Path:
    picture.save(path, **how)
    return path


def _bits(a: Measures, b: Measures) -> int:
    return max((int(x, 16) ^ int(y, 16)).bit_count() for x, y in ((a.dhash, b.dhash), (a.phash, b.phash)))


@pytest.mark.parametrize("picture", DRAWINGS)
def test_a_jpeg_its_png_and_its_preview_are_recognised_as_one_picture(picture: Image.Image, tmp_path: Path) -> None:
    small = picture.copy()
    small.thumbnail((256, 256))
    tiny = picture.copy()
    tiny.thumbnail((150, 150))
    all_of_them = {
        "png": measure(_saved(picture, tmp_path / "a.png", compress_level=1)),
        "jpeg": measure(_saved(picture, tmp_path / "a.jpg", quality=85)),
        "poor": measure(_saved(picture, tmp_path / "poor.jpg", quality=50)),
        "progressive": measure(_saved(picture, tmp_path / "p.jpg", quality=90, progressive=True)),
        "preview": measure(_saved(small, tmp_path / "preview.jpg", quality=75)),
        "small preview": measure(_saved(tiny, tmp_path / "tiny.jpg", quality=75)),
    }
    assert max(_bits(one, other) for one in all_of_them.values() for other in all_of_them.values()) <= 4
    assert families(all_of_them) == [tuple(sorted(all_of_them))]
    assert all((m.width, m.height) == picture.size for name, m in all_of_them.items() if "preview" not in name)


@pytest.mark.parametrize("how", [{"quality": 85}, {"quality": 95, "subsampling": 0}, {"quality": 90, "progressive": True}])
@pytest.mark.parametrize("picture", DRAWINGS)
def test_what_is_blurred_is_told_from_the_reduced_picture(
    picture: Image.Image, how: dict[str, object], tmp_path: Path
) -> None:
    side = max(1.0, max(picture.size) / 1024)
    clean = measure(_saved(picture, tmp_path / "a.jpg", **how))
    assert clean.sharpness > 2 * BLUR
    for radius in (2.5, 4):
        soft = picture.filter(ImageFilter.GaussianBlur(radius * side))
        jpeg, png = measure(_saved(soft, tmp_path / "b.jpg", **how)), measure(_saved(soft, tmp_path / "b.png"))
        assert jpeg.sharpness < BLUR and abs(jpeg.sharpness - png.sharpness) < 0.04


@pytest.mark.parametrize("picture", DRAWINGS)
def test_blockiness_follows_the_quality_and_sees_an_earlier_save(picture: Image.Image, tmp_path: Path) -> None:
    saved = [measure(_saved(picture, tmp_path / f"{q}.jpg", quality=q)).blockiness for q in (95, 75, 50, 20, 8)]
    assert saved == sorted(saved) and saved[0] < 0.06 and saved[-1] > 0.2
    with Image.open(tmp_path / "8.jpg") as poor:
        again = measure(_saved(poor, tmp_path / "again.jpg", quality=95))
    assert again.blockiness > saved[0] + 0.1


def test_copies_of_a_jpeg_with_other_metadata_are_equal_and_other_pixels_are_not(tmp_path: Path) -> None:
    data = io.BytesIO()
    DRAWINGS[3].save(data, "JPEG", quality=88)
    plain = data.getvalue()
    comment = b"\xff\xfe" + (2 + 5).to_bytes(2, "big") + b"hello"
    (tmp_path / "a.jpg").write_bytes(plain)
    (tmp_path / "b.jpg").write_bytes(plain[:2] + comment + plain[2:])
    a, b = measure(tmp_path / "a.jpg"), measure(tmp_path / "b.jpg")
    other = measure(_saved(DRAWINGS[3], tmp_path / "c.jpg", quality=87))
    assert a == b and a.pixel_sha != other.pixel_sha and is_near(a, other)


def test_the_thumbnail_comes_with_the_measures(tmp_path: Path) -> None:
    for name, how in {"a.jpg": {"quality": 90}, "a.png": {}, "p.jpg": {"quality": 90, "progressive": True}}.items():
        path = _saved(DRAWINGS[4], tmp_path / name, **how)
        for side in (256, 100, 400):
            measures, small = glance(path, side)
            assert small.mode == "RGB" and max(small.size) == side and measures == measure(path)
            careful = thumbnail(path, side)
            assert small.size == careful.size
            assert np.abs(np.asarray(small, np.int16) - np.asarray(careful, np.int16)).mean() < 3
    tiny = DRAWINGS[0].resize((60, 80))
    assert glance(_saved(tiny, tmp_path / "t.png"))[1].size == (60, 80)


def test_a_jpeg_on_its_side_is_measured_upright(tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    path = _saved(DRAWINGS[3].transpose(Image.Transpose.ROTATE_90), tmp_path / "a.jpg", quality=90, exif=turned)
    measures, small = glance(path)
    assert (measures.width, measures.height) == DRAWINGS[3].size and small.height > small.width
    assert _bits(measures, measure_picture(DRAWINGS[3])) <= 4


@pytest.mark.parametrize("mode", ["L", "CMYK"])
@pytest.mark.parametrize("size", [(2000, 1500), (1, 2000), (3001, 7)])
def test_jpegs_of_other_modes_and_odd_shapes_are_measured(mode: str, size: tuple[int, int], tmp_path: Path) -> None:
    path = _saved(DRAWINGS[3].resize(size).convert(mode), tmp_path / "a.jpg")
    measures, small = glance(path)
    assert (measures.width, measures.height) == size and max(small.size) == 256
    assert open_reduced(path).reduced in (1, reduction(*size))


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_is_cut_short_is_broken_though_little_of_it_is_decoded(progressive: bool, tmp_path: Path) -> None:
    path = _saved(DRAWINGS[4], tmp_path / "a.jpg", quality=90, progressive=progressive)
    whole = path.read_bytes()
    for share in (0.3, 0.7, 0.97):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(PictureError, match="broken or cut short"):
            measure(path)


def test_refinements_are_left_out_of_progressive_files_alone() -> None:
    for how in ({"progressive": True}, {}):
        data = io.BytesIO()
        DRAWINGS[3].save(data, "JPEG", quality=90, **how)
        parted = without_refinements(data.getvalue())
        assert (parted is not None) == bool(how)
        if parted is not None:
            assert len(parted[0]) < 0.6 * len(data.getvalue()) < len(data.getvalue()) == sum(map(len, parted))
            assert Image.open(io.BytesIO(parted[0])).convert("RGB").size == DRAWINGS[3].size
    for data in (b"", b"\xff\xd8", b"\xff\xd8\xff\xc2", b"\xff\xd8\xff\xda\0\2", b"\xff\xd8\xff\xc2\0\0" * 9):
        assert without_refinements(data) is None


def test_measures_of_an_older_version_are_not_taken() -> None:
    values = json.loads(json.dumps(measure_picture(DRAWINGS[0]).to_dict()))
    assert Measures.from_dict(values) is not None
    older = {name: value for name, value in values.items() if name != "version"}
    assert Measures.from_dict(older) is None and Measures.from_dict(values | {"version": 1}) is None
    assert Measures.from_dict(None) is None
