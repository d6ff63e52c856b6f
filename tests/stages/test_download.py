"""Download against a booru that has every fault of the real one; what it did is read from the booru's own log."""

import csv
import hashlib
import os
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lorasmith.demo.server import DemoBooru
from lorasmith.demo.server_faults import Fault
from lorasmith.errors import RefusedError, SiteBlocked, SiteError, UsageError
from lorasmith.files import md5_of
from lorasmith.project.project import Project
from lorasmith.settings.tables import DownloadSettings, ResearchSettings
from lorasmith.stages.download.credits import write_credits
from lorasmith.stages.download.stage import Downloaded, download
from lorasmith.stages.prune.stage import decide_by_hand
from lorasmith.stages.research.stage import research
from tests.demo.plain import PlainPost, plain_posts

RATE = 20.0  # what stages allow a server on this machine
Run = Callable[..., Downloaded]
pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def project(robin: Project) -> Project:
    return robin


def settings(project: Project, booru: DemoBooru, **changes: Any) -> DownloadSettings:
    chosen = {"site_url": booru.url, "query": "solo", "min_area": 0, "blacklist": []} | changes
    return project.settings(DownloadSettings, chosen)


def names(project: Project) -> list[str]:
    return [picture.name for picture in project.pictures.originals()]


def outcomes(project: Project) -> dict[str, tuple[str, str]]:
    with (project.folder / "download.csv").open(encoding="utf-8", newline="") as stream:
        return {row["post"]: (row["outcome"], row["reason"]) for row in csv.DictReader(stream)}


def demand_right(project: Project) -> None:
    """Nothing wrong is kept: every picture is whole and of the md5 that its post says, and nothing half lies about."""
    for picture in project.pictures.originals():
        assert md5_of(project.file_of(picture)) == picture.md5 == picture.post["md5"]
    assert not list(project.images.rglob("*.part")) and not list(project.images.rglob("*.tmp*"))


def most_in_a_second(booru: DemoBooru) -> int:
    times = sorted(asked.time for asked in booru.log)
    return max(sum(start <= each < start + 1.0 for each in times) for start in times)


FAULTS = [
    Fault("status", "/posts.json", status=429, headers={"Retry-After": "0"}),
    Fault("page", "/posts.json", times=2, status=503),
    Fault("garbage", "/posts.json"),
    Fault("cut", "/posts.json"),
    Fault("snap", "/posts.json"),
    Fault("snap", "/data/", times=5),
    Fault("cut", "/data/", times=3),
    Fault("wrong", "/data/"),
    Fault("long", "/data/"),
    Fault("status", "/data/", times=2, status=503),
    Fault("whole", "/data/", times=2),
    Fault("status", "/data/", status=500),
    Fault("status", "/data/", status=416),
    Fault("trickle", "/data/"),
]


@pytest.mark.parametrize("rotate", range(5 if os.environ.get("LORASMITH_LONG") else 2))
def test_a_site_with_every_fault_is_survived_with_nothing_lost_and_nothing_wrong_kept(
    project: Project, serve: Callable[..., DemoBooru], rotate: int
) -> None:
    booru = serve([PlainPost(number, width=60, height=60, noise=True) for number in range(1, 13)])
    faults = FAULTS[3 * rotate :] + FAULTS[: 3 * rotate]
    booru.faults.add(*(replace(fault) for fault in faults))
    for _ in range(4):  # whoever is told to go on later goes on later
        try:
            result = download(project, settings(project, booru))
        except SiteError:
            continue
        if not result.failed:
            break
    assert len(names(project)) == 12 and result.failed == ()
    demand_right(project)
    assert most_in_a_second(booru) <= RATE + 1


def test_a_redirect_into_a_private_network_is_not_followed(project: Project, serve: Callable[..., DemoBooru]) -> None:
    booru = serve(plain_posts(3))
    booru.faults.add(Fault("redirect", "/data/", location="http://169.254.169.254/latest/meta-data"))
    with pytest.raises(SiteError, match="not a host of e621"):
        download(project, settings(project, booru))
    assert download(project, settings(project, booru)).pictures == 3


def test_a_web_page_stops_the_run_and_nothing_is_tried_around_it(project: Project, serve: Callable[..., DemoBooru]) -> None:
    booru = serve(plain_posts(3))
    booru.faults.add(Fault("page", "/posts.json", status=403))
    with pytest.raises(SiteBlocked, match="nothing is tried around it"):
        download(project, settings(project, booru))
    assert [request.path for request in booru.log].count("/posts.json") == 1 and booru.log[-1].path == "/posts.json"


def test_a_page_of_more_than_the_site_gives_is_never_asked_for(project: Project, serve: Callable[..., DemoBooru]) -> None:
    booru = serve(plain_posts(700, width=8, height=8))
    result = download(project, settings(project, booru, top_n=0, min_score=10**6))
    assert result.found == 700 and result.left_out == {"score": 700}
    assert all(int(asked.params.get("limit", 1)) <= 320 for asked in booru.log)


def test_posts_without_an_address_are_counted_and_never_looked_for(project: Project, serve: Callable[..., DemoBooru]) -> None:
    booru = serve([*plain_posts(3), PlainPost(9, visible=False), PlainPost(10, is_deleted=True)])
    result = download(project, settings(project, booru, query="status:any"))
    assert (result.pictures, result.left_out) == (3, {"deleted": 1, "not visible": 1})
    assert outcomes(project)["e621_9"] == ("left out", "not visible")
    assert sum(asked.path.startswith("/data/") for asked in booru.log) == 3


def refused_posts() -> list[PlainPost]:
    marks = ("cub", "Young", "loli", "baby", "toddler", "shota")
    return [PlainPost(100 + place, tags={"general": ("solo", mark)}) for place, mark in enumerate(marks)]


def test_refused_posts_never_reach_the_disk_whatever_asks_for_them(
    project: Project, serve: Callable[..., DemoBooru], tmp_path: Path
) -> None:
    bad = refused_posts()
    booru = serve([*plain_posts(9), *bad])
    md5s = [hashlib.md5(post.draw(), usedforsecurity=False).hexdigest() for post in bad]
    listed = "\n".join(["1", *(str(post.id) for post in bad), *md5s])
    (tmp_path / "ids.txt").write_text(listed, encoding="utf-8")
    asked = settings(project, booru, collect_from_listed_posts_file=str(tmp_path / "ids.txt"))
    result = download(project, asked)
    assert result.pictures == 1 and result.refused == 6
    result = download(project, settings(project, booru))
    assert result.pictures == 9 and result.refused == 6
    report = (project.folder / "download.csv").read_text(encoding="utf-8")
    stored = project.folder.rglob("*")
    for post in bad:
        assert f"e621_{post.id}" not in names(project)
        assert not any(f"e621_{post.id}" in path.name for path in stored)
        assert f"e621_{post.id},http" not in report
    research(project, project.settings(ResearchSettings, {"site_url": booru.url, "query": "solo", "min_area": 0}))
    shown = {int(path.name.split("_")[1]) for path in (project.research / "previews").iterdir()}
    assert shown == set(range(1, 10))


def test_a_character_whose_posts_mostly_mark_minors_is_refused(project: Project, serve: Callable[..., DemoBooru]) -> None:
    tags = {"character": ("robin",), "general": ("solo",)}
    grown = [PlainPost(number, tags=tags) for number in range(1, 11)]
    others = [PlainPost(number, tags=tags | {"general": ("solo", "young")}) for number in range(20, 35)]
    asked = {"query": "robin solo", "min_area": 0, "previews": 0}
    with pytest.raises(RefusedError, match="Most posts of 'robin' carry a tag that marks minors"):
        research(project, project.settings(ResearchSettings, asked | {"site_url": serve([*grown, *others]).url}))
    assert research(project, project.settings(ResearchSettings, asked | {"site_url": serve(grown).url})).looked_at == 10


def test_a_post_that_is_refused_now_is_put_out_for_good(project: Project, serve: Callable[..., DemoBooru]) -> None:
    before = serve(plain_posts(2))
    download(project, settings(project, before))
    after = serve([PlainPost(1, tags={"general": ("solo", "cub")}), PlainPost(2)])
    result = download(project, settings(project, after))
    assert result.refused == 1
    assert [picture.name for picture in project.pictures.kept()] == ["e621_2"]
    assert project.pictures.decisions()["e621_1"].maker == "safety"


def test_new_changed_replaced_and_taken_down_posts_are_told_apart(project: Project, serve: Callable[..., DemoBooru]) -> None:
    first = [PlainPost(number, width=40, height=40) for number in range(1, 6)]
    download(project, settings(project, serve(first)))
    old = project.file_of(project.pictures.get("e621_3"))
    changed = replace(first[1], tags={"general": ("solo", "new_tag")})
    now = [first[0], changed, replace(first[2], width=44), replace(first[3], is_deleted=True), PlainPost(6)]  # and 5 is gone
    booru = serve(now)
    result = download(project, settings(project, booru))
    assert (result.fetched, result.already, result.changed, result.replaced) == (1, 2, 1, 1)
    assert sorted(Path(file).stem for file in result.taken_down) == ["e621_4", "e621_5"]
    assert "new_tag" in {tag.tag for tag in project.pictures.tags("e621_2")}
    assert project.pictures.get("e621_3").width == 44 and old.exists()
    assert project.file_of(project.pictures.get("e621_3")) != old
    assert [picture.name for picture in project.pictures.kept()] == ["e621_1", "e621_2", "e621_3", "e621_6"]
    demand_right(project)
    assert outcomes(project)["e621_3"][0] == "replaced" and outcomes(project)["e621_4"][0] == "taken down"
    again = download(project, settings(project, booru))
    assert (again.fetched, again.changed, again.replaced) == (0, 0, 0)
    back = download(project, settings(project, serve(first)))
    assert "e621_4" in {picture.name for picture in project.pictures.kept()} and back.taken_down == (
        project.pictures.get("e621_6").file,
    )


def test_undo_gives_a_replaced_picture_its_old_file_back(project: Project, serve: Callable[..., DemoBooru]) -> None:
    download(project, settings(project, serve([PlainPost(1, width=40, height=40)])))
    old = project.pictures.get("e621_1")
    download(project, settings(project, serve([PlainPost(1, width=44, height=40)])))
    project.undo()
    assert project.pictures.get("e621_1") == old and md5_of(project.file_of(old)) == old.md5


def test_what_a_person_rejected_or_removed_does_not_come_back(project: Project, serve: Callable[..., DemoBooru]) -> None:
    booru = serve(plain_posts(4))
    download(project, settings(project, booru))
    decide_by_hand(project, "drop", ["e621_1"])
    project.file_of(project.pictures.get("e621_1")).unlink()
    project.file_of(project.pictures.get("e621_2")).unlink()
    booru.log.clear()
    result = download(project, settings(project, booru))
    assert result.left_out == {"rejected by you": 1, "its file was removed by you": 1} and result.fetched == 0
    assert not any(asked.path.startswith("/data/") for asked in booru.log)
    restored = download(project, settings(project, booru, restore=True))
    assert restored.fetched == 1 and restored.left_out == {"rejected by you": 1}


def test_a_post_dropped_on_the_wall_is_never_fetched_nor_its_twin(project: Project, serve: Callable[..., DemoBooru]) -> None:
    booru = serve([PlainPost(number, width=300 + number, height=300, noise=True) for number in (1, 2, 3)])
    asked = {"site_url": booru.url, "query": "solo", "min_area": 0}
    found = research(project, project.settings(ResearchSettings, asked))
    assert found.wall
    decide_by_hand(project, "drop", ["e621_2"])
    result = download(project, settings(project, booru))
    assert "e621_2" not in names(project) and result.left_out["rejected by you"] >= 1
    project.undo()
    project.undo()
    assert "e621_2" not in project.pictures.decisions()


def test_what_comes_damaged_twice_lies_in_quarantine(project: Project, serve: Callable[..., DemoBooru]) -> None:
    booru = serve([PlainPost(7, width=60, height=60, noise=True)])
    booru.faults.add(Fault("wrong", "/data/", times=2))
    result = download(project, settings(project, booru))
    assert "came damaged twice (another md5 than the site says)" in result.failed[0]
    assert [path.name for path in project.quarantine.iterdir()] == ["e621_7.damaged"]
    assert outcomes(project)["e621_7"][0] == "failed"
    assert download(project, settings(project, booru)).fetched == 1


@pytest.mark.parametrize("delete_original", [False, True])
def test_the_full_size_file_of_a_smaller_picture_is_kept_unless_it_is_to_be_deleted(
    project: Project, serve: Callable[..., DemoBooru], delete_original: bool
) -> None:
    booru = serve([PlainPost(1, width=90, height=60, ext="jpg"), PlainPost(2, width=30, height=20)])
    asked = settings(project, booru, max_short_side=40, delete_original=delete_original)
    download(project, asked)
    sizes = {picture.name: (picture.width, picture.height) for picture in project.pictures.originals()}
    assert sizes == {"e621_1": (60, 40), "e621_2": (30, 20)}
    assert project.pictures.get("e621_1").file == "images/e621_1.png"
    assert [path.name for path in project.full_size.iterdir()] == ([] if delete_original else ["e621_1.jpg"])
    booru.log.clear()
    assert download(project, asked).fetched == 0
    assert not any(asked.path.startswith("/data/") for asked in booru.log)


def test_listed_posts_are_taken_as_they_are_unless_they_must_pass_the_filters(
    project: Project, serve: Callable[..., DemoBooru], tmp_path: Path
) -> None:
    booru = serve([PlainPost(number, score=number) for number in range(1, 6)])
    wishes = tmp_path / "wanted.txt"
    wishes.write_text(f"# mine\n2\n{booru.url}/posts/4?q=x\n77\n\n", encoding="utf-8")
    skip = tmp_path / "skip.txt"
    skip.write_text("1\n", encoding="utf-8")
    asked = {"collect_from_listed_posts_file": str(wishes), "min_score": 3}
    strict = download(project, settings(project, booru, apply_filter_to_listed_posts=True, **asked))
    assert names(project) == ["e621_4"] and strict.left_out == {"score": 1} and strict.not_found == ("e621_77",)
    download(project, settings(project, booru, **asked))
    assert names(project) == ["e621_2", "e621_4"]
    result = download(project, settings(project, booru, skip_posts_file=str(skip)))
    assert names(project) == ["e621_2", "e621_3", "e621_4", "e621_5"] and result.left_out == {"on the skip list": 1}
    wishes.write_text("4\nnonsense here\n", encoding="utf-8")
    with pytest.raises(UsageError, match="Line 2 of .* neither a post's id nor an md5: 'nonsense here'"):
        download(project, settings(project, booru, **asked))


@pytest.mark.parametrize(
    ("sort_by", "best"),
    [("score_desc", 5), ("score_asc", 1), ("fav_count_desc", 1), ("id_asc", 1), ("date_desc", 5), ("id_desc", 5)],
)
def test_the_first_so_many_are_taken_in_the_order_of_sort_by(
    project: Project, serve: Callable[..., DemoBooru], sort_by: str, best: int
) -> None:
    booru = serve([
        PlainPost(number, score=number, fav_count=9 - number, created_at=f"2020-01-0{number}T00:00:00.000+00:00")
        for number in range(1, 6)
    ])  # fmt: skip
    download(project, settings(project, booru, top_n=1, sort_by=sort_by))
    assert names(project) == [f"e621_{best}"]


def test_required_tags_and_blacklist_are_understood_under_their_old_names(
    project: Project, serve: Callable[..., DemoBooru]
) -> None:
    booru = serve(
        [PlainPost(1, tags={"species": ("fox",), "general": ("solo",)}), PlainPost(2, tags={"general": ("solo", "wolf")})],
        aliases={"vulpine": "fox", "lupine": "wolf"},
    )
    result = download(project, settings(project, booru, required_tags=["vulpine | wolf"], blacklist=["lupine, solo"]))
    assert names(project) == ["e621_1"] and result.left_out == {"blacklist": 1}


def test_no_more_than_the_allowed_rate_and_connections_ever(project: Project, serve: Callable[..., DemoBooru]) -> None:
    booru = serve([PlainPost(number, width=30, height=30, noise=True) for number in range(1, 41)])
    download(project, settings(project, booru, connections=4))
    assert len(names(project)) == 40
    assert most_in_a_second(booru) <= RATE + 1
    agents = {asked.headers["user-agent"] for asked in booru.log}
    assert len(agents) == 1 and next(iter(agents)).startswith("lorasmith/")


def test_the_credits_name_artist_post_and_sources(project: Project, serve: Callable[..., DemoBooru], tmp_path: Path) -> None:
    mine = PlainPost(1, tags={"general": ("solo",), "artist": ("a_painter", "conditional_dnp")})
    download(project, settings(project, serve([mine, PlainPost(2)])))
    told = write_credits(project)
    assert (told.pictures, told.artists, told.without_artist) == (2, 1, 1)
    with Path(told.file).open(encoding="utf-8", newline="") as stream:
        first = next(iter(csv.DictReader(stream)))
    assert first["artists"] == "a_painter" and first["post"] == "https://e621.net/posts/1"
    assert (first["conditions"], first["trained_on"]) == ("conditional", "True")
    page = Path(write_credits(project, tmp_path / "credits.md").file).read_text(encoding="utf-8")
    assert "- a painter: [e621_1](https://e621.net/posts/1)" in page
    with pytest.raises(UsageError, match=r"\.csv or \.md"):
        write_credits(project, tmp_path / "credits.exe")


def test_every_post_that_was_looked_at_is_in_the_report(project: Project, serve: Callable[..., DemoBooru]) -> None:
    booru = serve([PlainPost(number, score=number) for number in range(1, 9)])
    result = download(project, settings(project, booru, min_score=5))
    told = outcomes(project)
    by_outcome = defaultdict(int)
    for outcome, _ in told.values():
        by_outcome[outcome] += 1
    assert dict(by_outcome) == {"fetched": 4, "left out": 4} and sum(by_outcome.values()) == result.found
