"""What a download would fetch, told before: the same posts that are then fetched, their bytes, the time at the polite rate."""

from collections.abc import Callable
from typing import Any

import pytest

from lorasmith.boorus.families import open_booru
from lorasmith.boorus.limiter import Pace
from lorasmith.boorus.post import Post
from lorasmith.demo.server import DemoBooru
from lorasmith.errors import RefusedError
from lorasmith.project.project import Project
from lorasmith.settings.tables import DownloadSettings
from lorasmith.stages.download.outcomes import counted, read_outcomes
from lorasmith.stages.download.plan import last_plan, plan_download, seconds_for
from lorasmith.stages.download.stage import download
from tests.demo.plain import PlainPost

ROBIN = {"character": ("robin",), "general": ("solo",)}


def a_post(number: int, size: int) -> Post:
    url = f"https://static1.e621.net/{number}.png"
    return Post("e621", number, "0" * 32, "png", 900, 900, size, url, None, None, "s", 1, 1, "2024-01-01", {"general": ("solo",)})


def settings_of(project: Project, booru: DemoBooru, **changes: Any) -> DownloadSettings:
    return project.settings(DownloadSettings, {"site_url": booru.url, "min_area": 0} | changes)


def test_the_plan_names_the_posts_that_are_then_fetched(robin: Project, serve: Callable[..., DemoBooru]) -> None:
    posts = [PlainPost(number, tags=ROBIN, score=number) for number in range(1, 8)]
    posts.append(PlainPost(8, tags=ROBIN | {"general": ("solo", "animated")}, score=8))
    booru = serve(posts)
    settings = settings_of(robin, booru, min_score=3)
    planned = plan_download(robin, settings)
    assert (planned.fetched, planned.already, planned.left_out) == (5, 0, {"blacklist": 1, "score": 2})
    assert planned.bytes == sum(len(post.draw()) for post in posts[2:7]) and not list(robin.images.iterdir())
    assert counted(read_outcomes(robin, "plan")) == [("left out", "score", 2), ("left out", "blacklist", 1), ("to fetch", "", 5)]
    done = download(robin, settings)
    assert done.fetched == planned.fetched and done.left_out == planned.left_out
    fetched = {one.post for one in read_outcomes(robin, "done") if one.outcome == "fetched"}
    assert fetched == {one.post for one in read_outcomes(robin, "plan") if one.outcome == "to fetch"}
    assert last_plan(robin) == {}  # it has been done
    again = plan_download(robin, settings)
    assert (again.fetched, again.already, again.bytes, again.seconds) == (0, 5, 0, 0)


def test_a_plan_says_whether_the_settings_are_still_its_own(robin: Project, serve: Callable[..., DemoBooru]) -> None:
    booru = serve([PlainPost(1, tags=ROBIN)])
    assert last_plan(robin) == {}
    robin.write_settings({"site": {"site_url": booru.url}}, "the site")
    plan_download(robin, robin.settings(DownloadSettings))
    assert last_plan(robin)["current"] is True
    robin.write_settings({"download": {"min_score": 7}}, "minimum score 7")
    assert last_plan(robin)["current"] is False


def test_the_time_is_a_turn_for_each_file_or_its_bytes() -> None:
    booru = open_booru("e621", pace=Pace())
    many = [a_post(number, 1000) for number in range(100)]
    assert seconds_for(many, booru, DownloadSettings()) == 100
    large = [a_post(1, 80_000_000)]
    assert seconds_for(large, booru, DownloadSettings()) == 20
    assert seconds_for([], booru, DownloadSettings()) == 0


def test_a_plan_for_minors_is_refused(robin: Project, serve: Callable[..., DemoBooru]) -> None:
    with pytest.raises(RefusedError):
        plan_download(robin, settings_of(robin, serve([PlainPost(1, tags=ROBIN)]), query="robin young"))
