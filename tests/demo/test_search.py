from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorasmith.demo.drawn import Files, Listing
from lorasmith.demo.search import SearchRefusedError, read_search
from tests.demo.plain import PlainPost

FOX = PlainPost(
    1, {"general": ("solo", "blue_fur"), "species": ("fox",)}, rating="s", score=10, fav_count=4, width=1000,
    height=500, created_at="2023-01-31T23:00:00Z",
)  # fmt: skip
WOLF = PlainPost(
    2, {"general": ("duo", "red_fur"), "species": ("wolf",)}, rating="q", score=-3, fav_count=9, width=600, height=900,
    ext="jpg", created_at="2024-06-01T00:00:00Z", parent_id=1,
)  # fmt: skip
BEAR = PlainPost(
    3, {"general": ("solo", "red_fur", "hat"), "species": ("bear",)}, rating="e", score=55, width=2000, height=2000,
    children=(2,), created_at="2025-06-01T00:00:00Z",
)  # fmt: skip
GONE = replace(FOX, id=4, is_deleted=True)
WORDS = """
solo duo fox wolf bear red_fur *_fur ( ) -( ~( score:>0 id:1,2 id:..2 rating:s,q width:>=600 order:score -order:id
limit:3 status:any mpixels:0.5 ratio:2 date:2024-06-01 parent:none child:any type:png score:x : -: ~ - * ~- ((
"""


@pytest.fixture(scope="module")
def listings(tmp_path_factory: pytest.TempPathFactory) -> list[Listing]:
    posts = [FOX, WOLF, BEAR, GONE]
    files = Files(posts, tmp_path_factory.mktemp("drawn"))
    return [Listing(post, files) for post in posts]


def found(listings: list[Listing], text: str) -> list[int]:
    search = read_search(text, {"vulpine": "fox"})
    return [listing.post.id for listing in search.sort(listing for listing in listings if search.matches(listing))]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", [3, 2, 1]),
        ("solo", [3, 1]),
        ("SOLO -hat", [1]),
        ("~fox ~wolf", [2, 1]),
        ("~fox ~bear solo -hat", [1]),
        ("*_fur -red*", [1]),
        ("vulpine", [1]),
        ("-vulpine", [3, 2]),
        ("( ~fox ~wolf ) red_fur", [2]),
        ("-( red_fur solo )", [2, 1]),
        ("~( fox solo ) ~( duo red_fur )", [2, 1]),
        ("rating:s", [1]),
        ("-rating:explicit", [2, 1]),
        ("rating:q,e", [3, 2]),
        ("score:>9", [3, 1]),
        ("score:10", [1]),
        ("score:-5..10", [2, 1]),
        ("score:<=-3", [2]),
        ("id:1,3,99", [3, 1]),
        ("width:1000..", [3, 1]),
        ("height:..900", [2, 1]),
        ("mpixels:0.5", [1]),
        ("mpixels:4.1", [3]),
        ("mpixels:>=4", [3]),
        ("ratio:2:1", [1]),
        ("type:jpg", [2]),
        ("filetype:png,jpg favcount:>3", [2, 1]),
        ("date:2023-01-31", [1]),
        ("date:2024-01-01..2024-12-31", [2]),
        ("date:>2024-01-01 order:id", [2, 3]),
        ("parent:none", [3, 1]),
        ("parent:1", [2, 1]),
        ("child:any", [3]),
        ("tagcount:4", [3]),
        ("status:deleted", [4]),
        ("status:any solo", [4, 3, 1]),
        ("filesize:<1b", []),
        ("order:score", [3, 1, 2]),
        ("order:score_asc", [2, 1, 3]),
        ("-order:score", [2, 1, 3]),
        ("order:id", [1, 2, 3]),
        ("-order:id", [3, 2, 1]),
        ("order:favcount", [2, 1, 3]),
        ("order:landscape", [1, 3, 2]),
        ("order:portrait", [2, 3, 1]),
        ("order:created_asc", [1, 2, 3]),
        ("( solo order:id )", [1, 3]),
        ("order:unheard_of", [3, 2, 1]),
        ("md5:00", []),
    ],
)
def test_the_grammar_finds_what_it_says(listings: list[Listing], text: str, ids: list[int]) -> None:
    assert found(listings, text) == ids


def test_a_file_is_found_by_its_md5(listings: list[Listing]) -> None:
    assert found(listings, f"md5:{listings[1].md5}") == [2]


def test_a_random_order_keeps_its_seed(listings: list[Listing]) -> None:
    orders = {tuple(found(listings, f"order:random randseed:{seed}")) for seed in range(20)}
    assert len(orders) > 2
    assert found(listings, "order:random randseed:4") == found(listings, "order:random randseed:4")


@pytest.mark.parametrize(
    "text",
    ["score:many", "date:some-day", "( solo", "solo )", "( " * 11, "limit:x", " ".join(f"t{n}" for n in range(41))],
)
def test_what_the_site_refuses_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(SearchRefusedError):
        read_search(text)


def test_ratings_do_not_count_as_terms() -> None:
    read_search(" ".join(f"t{n}" for n in range(40)) + " rating:s -status:deleted limit:5")


@given(st.lists(st.sampled_from(WORDS.split()), max_size=8))
def test_any_words_are_a_search_or_are_refused(listings: list[Listing], words: list[str]) -> None:
    try:
        assert set(found(listings, " ".join(words))) <= {1, 2, 3, 4}
    except SearchRefusedError as error:
        assert str(error)
