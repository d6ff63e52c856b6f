"""Download where things meet that seldom meet: exports, vanished posts, twins, kills, and sites that are half down."""

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from lorasmith.demo.server import DemoBooru
from lorasmith.demo.server_faults import Fault
from lorasmith.errors import RefusedError, SiteError
from lorasmith.files import md5_of
from lorasmith.project.project import Project
from lorasmith.settings.tables import DownloadSettings
from lorasmith.stages.download.credits import credits
from lorasmith.stages.download.stage import download
from lorasmith.stages.prune.stage import decide_by_hand
from lorasmith.stages.research.stage import FOLDED, research
from lorasmith.stages.research.wall import read_wall
from lorasmith.stages.run import run_stage, skip_reason
from tests.demo.plain import PlainPost, plain_posts
from tests.stages.test_research import asked

pytestmark = pytest.mark.usefixtures("quick")
Serve = Callable[..., DemoBooru]
YOUNG = {"general": ("solo", "young")}


@pytest.fixture
def project(robin: Project) -> Project:
    return robin


def settings(project: Project, booru: DemoBooru, **changes: Any) -> DownloadSettings:
    chosen = {"site_url": booru.url, "query": "solo", "min_area": 0, "blacklist": []} | changes
    return project.settings(DownloadSettings, chosen)


def names(project: Project) -> list[str]:
    return [picture.name for picture in project.pictures.originals()]


def export_of(booru: DemoBooru, folder: Path) -> str:
    """Downloads the booru's export as a person would."""
    folder.mkdir(exist_ok=True)
    for name in ("posts", "tags", "tag_aliases"):
        data = requests.get(f"{booru.url}/db_export/{name}.csv.gz", headers={"User-Agent": "lorasmith/1"}, timeout=30).content
        (folder / f"{name}.csv.gz").write_bytes(data)
    return str(folder)


def test_an_export_is_searched_here_and_the_site_asked_for_what_passes(project: Project, serve: Serve, tmp_path: Path) -> None:
    posts = plain_posts(12)
    export = export_of(serve(posts), tmp_path / "export")
    booru = serve([replace(post, is_deleted=post.id == 3) for post in posts if post.id != 5])
    result = download(project, settings(project, booru, export=export, top_n=8))
    best = sorted((post for post in posts if post.id not in (3, 5)), key=lambda post: (-post.score, -post.id))[:8]
    assert sorted(names(project)) == sorted(f"e621_{post.id}" for post in best)  # who is gone has a successor
    assert result.left_out.get("gone since the export", 0) + result.left_out.get("deleted", 0) >= 1
    again = download(project, settings(project, booru, export=export, top_n=8, min_score=90))
    assert again.taken_down == () and len(project.pictures.kept()) == 8


def test_what_is_refused_since_the_export_is_counted_and_named_nowhere(project: Project, serve: Serve, tmp_path: Path) -> None:
    export = export_of(serve(plain_posts(5)), tmp_path / "export")
    booru = serve([replace(post, tags=YOUNG if post.id == 2 else post.tags) for post in plain_posts(5)])
    result = download(project, settings(project, booru, export=export))
    assert (result.refused, result.pictures) == (1, 4)
    assert "e621_2" not in (project.folder / "download.csv").read_text(encoding="utf-8")


def test_a_listed_post_that_is_refused_is_counted_and_named_nowhere(project: Project, serve: Serve, tmp_path: Path) -> None:
    booru = serve([PlainPost(1), PlainPost(2, tags=YOUNG)])
    (tmp_path / "list.txt").write_text("1\n2\n", encoding="utf-8")
    result = download(project, settings(project, booru, collect_from_listed_posts_file=str(tmp_path / "list.txt")))
    assert (result.refused, result.not_found, names(project)) == (1, (), ["e621_1"])


def test_of_many_vanished_posts_the_refused_ones_are_out_for_good(project: Project, serve: Serve) -> None:
    posts = plain_posts(60)
    download(project, settings(project, serve(posts)))
    now = [replace(post, tags=YOUNG) for post in posts if post.id % 10 == 9]
    result = download(project, settings(project, serve([*now, PlainPost(99)])))
    assert len(result.refused_here) == len(now) and result.refused == len(now)
    assert len(result.taken_down) == 60 - len(now)
    with pytest.raises(RefusedError):
        decide_by_hand(project, "keep", ["e621_9"])
    assert not {credit.picture for credit in credits(project)} & {f"e621_{post.id}" for post in now}


def test_what_is_refused_since_research_leaves_the_wall_and_its_preview(project: Project, serve: Serve) -> None:
    posts = [PlainPost(number, width=200 + number, height=200, noise=True) for number in range(1, 5)]
    booru = serve(posts)
    research(project, asked(project, booru, query="solo"))
    download(project, settings(project, booru))
    assert "e621_1" in {tile.name for tile in read_wall(project)}
    download(project, settings(project, serve([replace(posts[0], tags=YOUNG), *posts[1:]])))
    assert "e621_1" not in {tile.name for tile in read_wall(project)}
    assert "e621_1" not in (project.research / "wall.json").read_text(encoding="utf-8")
    assert not list((project.research / "previews").glob("e621_1_*"))


@pytest.mark.parametrize("query", ["robin solo", "Robin"])
def test_a_character_that_is_mostly_young_is_refused_by_download_too(project: Project, serve: Serve, query: str) -> None:
    tags = {"character": ("robin",), "general": ("solo",)}
    posts = [PlainPost(number, tags=tags if number <= 5 else tags | {"general": ("solo", "young")}) for number in range(1, 30)]
    with pytest.raises(RefusedError, match="Most posts of 'robin'"):
        download(project, settings(project, serve(posts), query=query))


def test_a_post_named_twice_is_fetched_once(project: Project, serve: Serve, tmp_path: Path) -> None:
    post = PlainPost(4, width=60, height=60)
    booru = serve([post])
    booru.faults.add(Fault("slow", "/data/"))
    import hashlib

    md5 = hashlib.md5(post.draw(), usedforsecurity=False).hexdigest()
    (tmp_path / "list.txt").write_text(f"4\n{md5}\n4\n", encoding="utf-8")
    result = download(project, settings(project, booru, collect_from_listed_posts_file=str(tmp_path / "list.txt")))
    assert (result.fetched, result.found) == (1, 1)


def test_one_file_that_is_never_served_does_not_hold_up_the_others(project: Project, serve: Serve) -> None:
    posts = plain_posts(6)
    booru = serve(posts)
    bad = booru.site._listings[2].md5
    booru.faults.add(Fault("status", f"/data/{bad[:2]}/{bad[2:4]}/{bad}", status=500, times=99))
    for _ in range(3):
        result = download(project, settings(project, booru, connections=1))
        assert len(result.failed) == 1 and result.pictures == 5
    assert "could not be had" in result.failed[0]


def test_a_site_that_gives_no_file_at_all_ends_the_run(project: Project, serve: Serve) -> None:
    booru = serve(plain_posts(9))
    booru.faults.add(Fault("status", "/data/", status=410, times=99))
    with pytest.raises(SiteError, match="3 files in a row could not be had"):
        download(project, settings(project, booru, connections=1))


def test_of_twins_the_best_that_passes_is_taken(project: Project, serve: Serve) -> None:
    posts = [PlainPost(1, width=300, height=300, score=1), PlainPost(2, width=200, height=200, score=500), PlainPost(3, score=7)]
    booru = serve(posts)
    project.remember(FOLDED, {"e621_2": "e621_1"})
    strict = download(project, settings(project, booru, min_score=100))
    assert names(project) == ["e621_2"] and "score" in strict.left_out
    other = Project.create(project.folder.parent / "q", "robin", preset="demo")
    with other:
        other.remember(FOLDED, {"e621_2": "e621_1"})
        result = download(other, settings(other, booru, top_n=1))  # the lesser twin comes first, the better is asked for
        assert names(other) == ["e621_1"] and result.left_out["the same picture as e621_1"] == 1


def test_a_replaced_post_that_is_not_chosen_is_brought_up_to_date_all_the_same(project: Project, serve: Serve) -> None:
    download(project, settings(project, serve([PlainPost(1), PlainPost(2, score=9)])))
    now = serve([PlainPost(1, width=44, tags={"general": ("solo", "newer")}), PlainPost(2, score=9)])
    result = download(project, settings(project, now, top_n=1))
    assert result.replaced == 1 and project.pictures.get("e621_1").width == 44
    assert "newer" in {tag.tag for tag in project.pictures.tags("e621_1")}


def test_a_replaced_picture_that_was_made_smaller_leaves_the_old_files_as_they_were(project: Project, serve: Serve) -> None:
    download(project, settings(project, serve([PlainPost(1, width=90, height=60)]), max_short_side=40))
    old = project.pictures.get("e621_1")
    before = {path: md5_of(path) for path in project.folder.rglob("e621_1.*")}
    download(project, settings(project, serve([PlainPost(1, width=92, height=60)]), max_short_side=40))
    assert all(md5_of(path) == md5 for path, md5 in before.items())
    new = project.pictures.get("e621_1")
    assert new.sha256 != old.sha256 and project.file_of(new).exists()
    project.undo()
    assert project.pictures.get("e621_1") == old


def test_undo_and_download_again_fetch_nothing_twice(project: Project, serve: Serve) -> None:
    booru = serve(plain_posts(4))
    download(project, settings(project, booru))
    project.undo()
    assert names(project) == []
    booru.log.clear()
    assert download(project, settings(project, booru)).pictures == 4
    assert not any(request.path.startswith("/data/") for request in booru.log)
    assert sorted(path.name for path in project.images.rglob("*") if path.is_file()) == [f"e621_{n}.png" for n in range(1, 5)]


def test_a_download_that_is_killed_again_and_again_keeps_what_it_has_and_leaves_no_orphans(
    project: Project, serve: Serve
) -> None:
    booru = serve([PlainPost(number, width=50, height=50, noise=True) for number in range(1, 31)])
    folder = project.folder
    project.close()
    command = [sys.executable, "-m", "lorasmith", "download", str(folder), "--site-url", booru.url, "--query", "solo",
               "--min-area", "0", "--connections", "4"]  # fmt: skip
    for wait in (1.2, 1.5, 1.9):
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(wait)
        child.kill()
        child.wait()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with Project.open(folder) as opened:
        files = [path for path in opened.images.rglob("*") if path.is_file()]
        assert len(files) == len(names(opened)) == 30 and {path.suffix for path in files} == {".png"}
        assert all(md5_of(opened.file_of(one)) == one.md5 for one in opened.pictures.originals())
    fetched = [request for request in booru.log if request.path.startswith("/data/")]
    assert len(fetched) <= 30 + 3 * 4  # at most what was on its way at each kill


def test_a_run_tries_what_failed_again_and_sees_that_a_list_was_edited(project: Project, serve: Serve, tmp_path: Path) -> None:
    booru = serve(plain_posts(3))
    skip = tmp_path / "skip.txt"
    skip.write_text("1\n", encoding="utf-8")
    flags = {"site_url": booru.url, "query": "solo", "min_area": 0, "skip_posts_file": str(skip)}
    booru.faults.add(Fault("wrong", "/data/", times=4))
    run_stage(project, "download", flags=flags)
    assert skip_reason(project, "download") is None
    run_stage(project, "download")
    assert skip_reason(project, "download") is not None
    skip.write_text("2\n", encoding="utf-8")
    assert skip_reason(project, "download") is None


def test_a_post_of_which_nothing_is_said_is_not_taken(project: Project, serve: Serve) -> None:
    booru = serve([PlainPost(1), PlainPost(2, tags={})])
    result = download(project, settings(project, booru, query="id:>0"))
    assert result.left_out == {"no tags": 1} and names(project) == ["e621_1"]
