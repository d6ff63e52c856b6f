"""Research: queries built and loosened, the funnel, the wall of previews, and what a person reads."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from lorasmith.demo.server import DemoBooru
from lorasmith.errors import RefusedError, SiteError, UsageError
from lorasmith.project.project import Project
from lorasmith.settings.tables import DownloadSettings, ResearchSettings
from lorasmith.stages.download.stage import download
from lorasmith.stages.research.site import looser_queries, query_of
from lorasmith.stages.research.stage import advice, research
from lorasmith.stages.research.wall import read_wall
from tests.demo.plain import PlainPost
from tests.imaging.drawing import creature

ROBIN = {"character": ("robin",), "general": ("solo", "red_hat", "blue_eyes")}


@pytest.fixture
def project(robin: Project) -> Project:
    return robin


def asked(project: Project, booru: DemoBooru, **changes: Any) -> ResearchSettings:
    return project.settings(ResearchSettings, {"site_url": booru.url, "min_area": 0} | changes)


@pytest.mark.parametrize(
    ("changes", "query"),
    [
        ({}, "robin solo"),
        ({"solo": "focus"}, "robin ~solo ~solo_focus"),
        ({"solo": "any", "character": "-Robin Hood"}, "robin_hood"),
        ({"without": ["monochrome", "-comic", " "]}, "robin solo -monochrome -comic"),
        ({"query": "my own order:random", "without": ["comic"]}, "my own order:random"),
        ({"with_tags": ["red hat"], "one_of": ["sitting", "~standing"]}, "robin solo red_hat ~sitting ~standing"),
        ({"one_of": ["sitting"], "without": ["comic"]}, "robin solo sitting -comic"),
        ({"solo": "focus", "one_of": ["a", "b"]}, "robin ( ~solo ~solo_focus ) ( ~a ~b )"),
        ({"site": "safebooru", "solo": "focus", "one_of": ["a", "b"]}, "robin {solo ~ solo_focus} {a ~ b}"),
    ],
)
def test_a_query_is_built_of_its_parts_or_taken_as_it_is(project: Project, changes: dict[str, Any], query: str) -> None:
    assert query_of(project, project.settings(ResearchSettings, changes)) == query


@pytest.mark.parametrize(
    ("query", "looser"),
    [
        ("robin solo -comic", ["robin -comic ~solo ~solo_focus", "robin -comic", "robin"]),
        ("robin ~solo ~solo_focus", ["robin"]),
        ("robin", []),
        ("solo", ["~solo ~solo_focus"]),
        ("robin solo -( a b )", ["robin -( a b ) ~solo ~solo_focus", "robin -( a b )"]),
        ("robin solo ~a ~b", ["robin ~a ~b"]),
        ("robin ( ~solo ~solo_focus ) ( ~a ~b )", ["robin ( ~a ~b )"]),
    ],
)
def test_looser_queries_come_the_nearest_first(query: str, looser: list[str]) -> None:
    assert looser_queries(query, ResearchSettings()) == looser


def test_two_groups_are_told_where_a_site_cannot_search_for_them(project: Project) -> None:
    wishes = {"site": "yandere", "solo": "focus", "one_of": ["a", "b"]}
    with pytest.raises(UsageError, match="takes one group"):
        query_of(project, project.settings(ResearchSettings, wishes))


def test_with_too_few_posts_research_says_so_and_counts_what_looser_queries_find(
    project: Project, serve: Callable[..., DemoBooru]
) -> None:
    posts = [PlainPost(number, tags=ROBIN) for number in range(1, 6)]
    posts += [PlainPost(number, tags=ROBIN | {"general": ("solo_focus",)}) for number in range(10, 13)]
    posts += [PlainPost(number, tags=ROBIN | {"general": ("duo",)}) for number in range(20, 24)]
    found = research(project, asked(project, serve(posts), previews=0))
    assert found.looser == (("robin ~solo ~solo_focus", 8), ("robin", 12))
    assert found.advice.startswith(
        "Only 5 posts pass: too few for a good LoRA. Add pictures of your own too (lorasmith add). "
        "A looser search: 'robin ~solo ~solo_focus' finds 8; 'robin' finds 12. The trigger 'robin' is one token"
    )


def test_a_character_that_is_not_there_is_told_with_what_to_do(project: Project, serve: Callable[..., DemoBooru]) -> None:
    with pytest.raises(SiteError, match=r"no posts for 'robin solo'. Check the spelling .* \(--character\)"):
        research(project, asked(project, serve([PlainPost(1)])))


def test_a_query_for_minors_is_refused_before_anything_is_asked(project: Project, serve: Callable[..., DemoBooru]) -> None:
    booru = serve([PlainPost(1)])
    for changes in ({"query": "robin cub"}, {"character": "loli"}, {"query": "~young ~robin"}):
        with pytest.raises(RefusedError):
            research(project, asked(project, booru, **changes))
    assert not any(request.path == "/posts.json" for request in booru.log)


def test_the_wall_shows_each_picture_once_and_nothing_big_is_fetched(
    project: Project, serve: Callable[..., DemoBooru]
) -> None:
    noisy = [PlainPost(number, tags=ROBIN, width=200 + number, height=200, noise=True, score=number) for number in (1, 2, 4, 5)]
    drawn = creature("sitting", "meadow", (600, 700), seed=3).picture
    booru = serve([*noisy, _Drawn(3, drawn, (600, 700), 3), _Drawn(9, drawn, (450, 525), 50)])  # posted again, smaller
    found = research(project, asked(project, booru))
    tiles = read_wall(project)
    folded = {tile.name: tile.twins for tile in tiles if tile.twins}
    assert folded == {"e621_3": ("e621_9",)} and len(tiles) == 5
    assert found.funnel[-1] == ("one of each picture", 5)
    assert not any(request.path.startswith("/data/") and "/preview/" not in request.path for request in booru.log)
    with Image.open(project.research / "wall.png") as sheet:
        assert sheet.width > 300
    booru.log.clear()
    research(project, asked(project, booru))
    assert not any(request.path.startswith("/data/") for request in booru.log)  # previews are there
    settings = project.settings(DownloadSettings, {"site_url": booru.url, "min_area": 0})
    result = download(project, settings)
    assert result.left_out == {"the same picture as e621_3": 1} and result.pictures == 5
    assert download(project, settings.model_copy(update={"fold_twins": False})).pictures == 6


class _Drawn(PlainPost):
    """A post that shows a given picture at some size."""

    def __init__(self, number: int, picture: Image.Image, size: tuple[int, int], score: int) -> None:
        super().__init__(number, tags=ROBIN, width=size[0], height=size[1], score=score)
        object.__setattr__(self, "picture", picture)

    def draw(self) -> bytes:
        stream = io.BytesIO()
        self.picture.resize((self.width, self.height)).save(stream, "PNG")  # type: ignore[attr-defined]
        return stream.getvalue()


def test_the_sheet_tells_toggles_choices_and_the_sites_words(project: Project, serve: Callable[..., DemoBooru]) -> None:
    hat = [PlainPost(number, tags=ROBIN | {"general": ("solo", "red_hat", "blue_eyes")}) for number in range(1, 7)]
    bare = [PlainPost(number, tags=ROBIN | {"general": ("solo", "green_eyes")}) for number in range(11, 17)]
    booru = serve([*hat, *bare], aliases={"robin_bird": "robin"})
    booru.site.wiki = {"robin": "h4. Robin\nA [[bird|robin]] of the \"forest\":/x.\n* thumb #12\nA young cub once.\n[b]Red[/b] hat."}
    research(project, asked(project, booru, previews=0, character="robin_bird"))
    text = project.sheet.read_text(encoding="utf-8")
    assert "- red_hat (50 %)" in text and "- blue_eyes (50 %): eye colour\n- green_eyes (50 %): eye colour" in text
    assert "## What e621 says\n\nRobin\nA robin of the forest\n\nRed hat." in text
    assert "cub" not in text and "- e621: robin\n" in text
    rows = (project.research / "tags.csv").read_text(encoding="utf-8").splitlines()
    assert rows[0] == "category,tag,posts,share,lift,part"
    assert "general,red_hat,6,0.500,1,toggles" in rows


def test_a_picked_side_is_absorbed_and_the_other_one_told(project: Project) -> None:
    from lorasmith.tags.sheet import read_sheet

    project.sheet.write_text("## Choices\n- blue_eyes (50 %): eye colour, pick\n- green_eyes (50 %)\n", encoding="utf-8")
    sheet = read_sheet(project.sheet.read_text(encoding="utf-8"))
    assert (sheet.core_names(), sheet.told_names()) == (("blue_eyes",), ("green_eyes",))


def test_advice_names_a_score_that_leaves_as_many_as_wanted() -> None:
    assert advice(range(900), ResearchSettings(), 700) == "900 posts pass; --min-score 700 on download leaves 200."
    assert "many with one score: --min-score 0 on download leaves 500" in advice([0] * 500, ResearchSettings(), 0)
    assert advice([1] * 200, ResearchSettings(), None).endswith("take them all.")


def test_more_wanted_than_at_most_is_a_sentence() -> None:
    with pytest.raises(UsageError, match="wanted must not be more than wanted_at_most"):
        ResearchSettings.build({"wanted": 400}, "research")
