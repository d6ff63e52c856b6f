import hashlib
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lorasmith.boorus.e621 import E621
from lorasmith.boorus.faults import DamagedFileError, FileError, MissingFileError, UnservedFileError
from lorasmith.boorus.post import Post
from lorasmith.demo.server import DemoBooru
from lorasmith.demo.server_faults import Fault
from lorasmith.errors import DiskFull, RefusedError, SiteBlocked, SiteError
from lorasmith.files import md5_of
from lorasmith.imaging.signatures import true_extension
from tests.demo.plain import PlainPost, plain_posts

Serve = Callable[..., DemoBooru]


@pytest.fixture
def booru(serve: Serve, noisy: PlainPost) -> DemoBooru:
    return serve([noisy])


@pytest.fixture
def opened(booru: DemoBooru, open_at: Callable[..., E621]) -> E621:
    return open_at(booru)


@pytest.fixture
def post(opened: E621, booru: DemoBooru) -> Post:
    (post,) = opened.search("solo", 1)
    booru.log.clear()
    return post


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_verified_and_named_by_site_and_id(opened: E621, post: Post, tmp_path: Path) -> None:
    path = opened.fetch(post, tmp_path / "new")
    assert path == tmp_path / "new" / "e621_7.png"
    assert (md5_of(path), path.stat().st_size) == (post.md5, post.size)
    assert names(path.parent) == ["e621_7.png"]


def test_a_file_that_is_there_is_not_fetched_again(opened: E621, post: Post, booru: DemoBooru, tmp_path: Path) -> None:
    opened.fetch(post, tmp_path)
    booru.log.clear()
    opened.fetch(post, tmp_path)
    assert booru.log == []
    (tmp_path / "e621_7.png").write_bytes(b"spoilt")
    assert md5_of(opened.fetch(post, tmp_path)) == post.md5


@pytest.mark.parametrize("ext", ["jpg", "png", "webp"])
def test_the_signature_decides_the_extension(
    serve: Serve, open_at: Callable[..., E621], tmp_path: Path, ext: str
) -> None:
    opened = open_at(serve(plain_posts(1, ext=ext)))
    (post,) = opened.search("solo", 1)
    assert opened.fetch(replace(post, ext="exe"), tmp_path).suffix == f".{ext}"


def test_a_broken_connection_is_taken_up_where_it_broke(
    opened: E621, post: Post, booru: DemoBooru, tmp_path: Path
) -> None:
    booru.faults.add(Fault("cut", "/data/"))
    assert md5_of(opened.fetch(post, tmp_path)) == post.md5
    assert booru.log[1].headers["range"].startswith("bytes=")
    assert not booru.log[1].headers["range"].startswith("bytes=0")


@pytest.mark.parametrize(
    "left",
    [b"", b"rubbish", b"\x89PNG\r\n\x1a\n" + bytes(100), bytes(1 << 20)],
)
def test_whatever_part_was_left_the_right_file_comes_of_it(
    opened: E621, post: Post, tmp_path: Path, left: bytes
) -> None:
    (tmp_path / "e621_7.part").write_bytes(left)
    assert md5_of(opened.fetch(post, tmp_path)) == post.md5
    assert names(tmp_path) == ["e621_7.png"]


def test_a_part_that_is_complete_is_taken_without_asking(
    opened: E621, post: Post, booru: DemoBooru, tmp_path: Path
) -> None:
    opened.fetch(post, tmp_path).rename(tmp_path / "e621_7.part")
    booru.log.clear()
    assert opened.fetch(post, tmp_path).name == "e621_7.png"
    assert booru.log == []


def test_a_site_without_ranges_starts_over(opened: E621, post: Post, booru: DemoBooru, tmp_path: Path) -> None:
    booru.faults.add(Fault("whole", "/data/"))
    (tmp_path / "e621_7.part").write_bytes(b"first bytes")
    assert md5_of(opened.fetch(post, tmp_path)) == post.md5


def test_a_range_beyond_the_end_starts_over(opened: E621, post: Post, booru: DemoBooru, tmp_path: Path) -> None:
    booru.faults.add(Fault("status", "/data/", status=416))
    (tmp_path / "e621_7.part").write_bytes(b"first bytes")
    assert md5_of(opened.fetch(post, tmp_path)) == post.md5


@pytest.mark.parametrize("kind", ["wrong", "long"])
def test_damage_is_mended_once_and_then_told(
    opened: E621, post: Post, booru: DemoBooru, tmp_path: Path, kind: str
) -> None:
    booru.faults.add(Fault(kind, "/data/"))
    assert md5_of(opened.fetch(post, tmp_path / "once")) == post.md5
    booru.faults.add(Fault(kind, "/data/", times=2))
    with pytest.raises(DamagedFileError, match="e621_7 came damaged twice"):
        opened.fetch(post, tmp_path / "twice")
    assert names(tmp_path / "twice") == []


def test_a_connection_that_always_breaks_is_told(opened: E621, post: Post, booru: DemoBooru, tmp_path: Path) -> None:
    booru.faults.add(Fault("cut", "/data/", times=4))
    with pytest.raises(UnservedFileError, match="the next run goes on where it broke"):
        opened.fetch(post, tmp_path)
    assert names(tmp_path) == ["e621_7.part"]
    booru.log.clear()
    assert md5_of(opened.fetch(post, tmp_path)) == post.md5
    assert "range" in booru.log[0].headers


@pytest.mark.parametrize("status", [400, 410, 500])
def test_a_file_that_is_not_served_is_a_fault_of_this_file_alone(
    opened: E621, post: Post, booru: DemoBooru, tmp_path: Path, status: int
) -> None:
    booru.faults.add(Fault("status", "/data/", status=status, times=5))
    with pytest.raises(UnservedFileError):
        opened.fetch(post, tmp_path)


def test_a_web_page_for_a_picture_stops_the_run(opened: E621, post: Post, booru: DemoBooru, tmp_path: Path) -> None:
    booru.faults.add(Fault("page", "/data/", status=200))
    with pytest.raises(SiteBlocked, match="web page instead of a picture"):
        opened.fetch(post, tmp_path)
    assert names(tmp_path) == []


def test_what_is_no_picture_is_refused_even_with_the_right_md5(
    opened: E621, post: Post, booru: DemoBooru, tmp_path: Path
) -> None:
    page = b"<html>not a picture at all</html>"
    (tmp_path / "e621_7.part").write_bytes(page)
    false = replace(post, md5=hashlib.md5(page).hexdigest(), size=len(page))
    with pytest.raises(DamagedFileError):
        opened.fetch(false, tmp_path)
    assert names(tmp_path) == []


def test_a_file_that_is_gone_is_a_fault_of_this_file_alone(opened: E621, post: Post, tmp_path: Path) -> None:
    gone = replace(post, url=str(post.url).replace(str(post.md5), "0" * 32))
    with pytest.raises(MissingFileError, match="has nothing there"):
        opened.fetch(gone, tmp_path)


@pytest.mark.parametrize("change", [{"url": None}, {"md5": None}, {"size": 101 << 20}])
def test_what_cannot_be_had_is_never_asked_for(
    opened: E621, post: Post, booru: DemoBooru, tmp_path: Path, change: dict[str, object]
) -> None:
    with pytest.raises(FileError):
        opened.fetch(replace(post, **change), tmp_path)
    assert booru.log == []


def test_a_refused_post_is_never_fetched(opened: E621, post: Post, booru: DemoBooru, tmp_path: Path) -> None:
    with pytest.raises(RefusedError):
        opened.fetch(replace(post, tags={"general": ("cub",)}), tmp_path)
    assert booru.log == []


def test_a_file_on_a_strange_host_is_not_fetched(opened: E621, post: Post, tmp_path: Path) -> None:
    with pytest.raises(SiteError, match="not a host of"):
        opened.fetch(replace(post, url="https://evil.example/x.png"), tmp_path)


def test_a_kill_in_the_middle_leaves_a_part_and_the_next_run_goes_on(
    opened: E621, post: Post, booru: DemoBooru, tmp_path: Path
) -> None:
    booru.faults.add(Fault("slow", "/data/"))
    program = (
        "from pathlib import Path\n"
        "from lorasmith.boorus.families import open_booru\n"
        f"booru = open_booru('e621', url='{booru.url}', requests_per_second=100)\n"
        f"booru.fetch(next(booru.search('solo', 1)), Path({str(tmp_path)!r}))\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program])
    part = tmp_path / "e621_7.part"
    deadline = time.monotonic() + 30
    while not (part.exists() and part.stat().st_size > 30_000) and time.monotonic() < deadline:
        time.sleep(0.02)
    child.kill()
    child.wait()
    assert names(tmp_path) == ["e621_7.part"]
    assert 0 < part.stat().st_size < post.size
    assert md5_of(opened.fetch(post, tmp_path)) == post.md5
    assert "range" in booru.log[-1].headers
    assert names(tmp_path) == ["e621_7.png"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's device that is always full")
def test_a_full_disk_is_a_sentence(opened: E621, post: Post, tmp_path: Path) -> None:
    (tmp_path / "e621_7.part").symlink_to("/dev/full")
    with pytest.raises(DiskFull, match="The disk is full"):
        opened.fetch(post, tmp_path)


def test_signatures_are_known() -> None:
    assert true_extension(b"RIFF\x00\x00\x00\x00WEBPVP8 ") == "webp"
    assert true_extension(b"GIF89a") == "gif"
    assert true_extension(b"<html>") is None
    assert true_extension(b"") is None
