"""Zips of pictures: taken like folders, and trusted in nothing."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from lorasmith.errors import UsageError
from lorasmith.project.project import Project
from lorasmith.stages.add import unpack
from lorasmith.stages.add.stage import add_source


def picture(shade: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (40, 30), (shade, 9, 90)).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with Project.create(tmp_path / "p", "robin") as opened:
        yield opened


def packed(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as pack:
        for name, content in files.items():
            pack.writestr(name, content)
    return path


def test_a_zip_is_added_with_its_sidecars_in_every_encoding(project: Project, tmp_path: Path) -> None:
    tags = "red fur, caf\u00e9"
    files = {
        "set/a.png": picture(1), "set/a.txt": tags.encode("utf-8"),
        "set/b.png": picture(2), "set/b.png.caption": tags.encode("cp1252"),
        "other/a.png": picture(3), "other/a.txt": tags.encode("utf-16"),
        "other/c.png": picture(4), "other/c.txt": tags.encode("utf-16-le"),
        "d.PNG": picture(5), "d.json": json.dumps({"post": {"tags": {"general": ["red fur", "caf\u00e9"]}}}).encode(),
        "e.png": picture(6), "e.json": json.dumps({"tags_general": ["red_fur"], "tags_artist": "caf\u00e9"}).encode(),
        "readme.md": b"passed over",
    }  # fmt: skip
    added = add_source(project, packed(tmp_path / "set.zip", files))
    assert (added.found, added.added, added.with_tags, added.failed) == (6, 6, 6, ())
    for one in project.pictures.originals():
        said = {tag.tag.replace("_", " ") for tag in project.pictures.tags(one.name)}
        assert said == {"red fur", "caf\u00e9"}
    assert not list((tmp_path / "cache").rglob("*.png"))  # what was unpacked is gone
    assert add_source(project, tmp_path / "set.zip").already == 6


def test_no_name_in_a_zip_says_where_a_file_goes(project: Project, tmp_path: Path) -> None:
    names = ["../../out.png", "/etc/abs.png", "C:\\win.png", "..\\up.png", "con.png", "a" * 200 + ".png"]
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    archive = packed(tmp_path / "x.zip", {name: picture(place) for place, name in enumerate(names)})
    assert add_source(project, archive).added == len(names)
    new = {path for path in tmp_path.rglob("*.png")} - before
    assert all(path.parent == project.images for path in new)


def test_what_marks_minors_in_a_zip_is_counted_and_never_unpacked(project: Project, tmp_path: Path) -> None:
    files = {"cub/a.png": picture(1), "b_loli.png": picture(2), "c.png": picture(3), "c.txt": b"solo, shota", "d.png": picture(4)}
    added = add_source(project, packed(tmp_path / "x.zip", files))
    assert (added.found, added.added, added.refused) == (4, 1, 3)
    assert "loli" not in json.dumps(added.failed)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"no zip at all", "cannot be unpacked"), (b"PK\x05\x06" + bytes(18), "holds no pictures"), (b"", "cannot be unpacked")],
)
def test_what_is_no_zip_of_pictures_is_a_sentence(project: Project, tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(UsageError, match=words):
        add_source(project, tmp_path / "x.zip")
    with pytest.raises(UsageError, match="no file"):
        add_source(project, tmp_path / "none.zip")


def test_a_bomb_is_refused_before_it_is_unpacked(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = packed(tmp_path / "x.zip", {"a.png": bytes(1 << 20)})
    monkeypatch.setattr(unpack, "LARGEST_FILE", 1000)
    with pytest.raises(UsageError, match="too large for a picture"):
        add_source(project, archive)


def test_a_broken_zip_leaves_nothing_half(project: Project, tmp_path: Path) -> None:
    archive = packed(tmp_path / "x.zip", {f"{place}.png": picture(place) for place in range(5)})
    data = bytearray(archive.read_bytes())
    data[60] ^= 0xFF
    archive.write_bytes(bytes(data))
    with pytest.raises(UsageError, match="cannot be unpacked"):
        add_source(project, archive)
    assert project.pictures.originals() == [] and not list((tmp_path / "cache").rglob("*.png"))


def test_a_sidecar_that_is_no_text_is_named_and_its_bytes_become_no_tags(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "own" / "a.png")
    (tmp_path / "own" / "a.txt").write_bytes(b"\x00\xff\xfe garbage \x00")
    with Project.create(tmp_path / "p", "mia") as project:
        added = add_source(project, tmp_path / "own")
        assert "a.txt is no text" in added.failed[0] and not project.pictures.originals()
