from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lorasmith.boorus.grammar import read_query
from lorasmith.boorus.post import Post
from lorasmith.demo import world
from lorasmith.demo.drawn import Drawable, Files, Listing
from lorasmith.demo.posts import posts as demo_posts
from lorasmith.demo.search import read_search
from lorasmith.errors import UsageError

FACTS = {
    "site": "e621", "id": 1, "md5": "0" * 32, "ext": "png", "width": 1000, "height": 500, "size": 1000, "url": None,
    "preview_url": None, "sample_url": None, "rating": "s", "score": 10, "fav_count": 4,
    "created_at": "2023-01-31T23:00:00Z", "tags": {"general": ("solo", "blue_fur"), "species": ("fox",)},
}  # fmt: skip


def post(**changes: object) -> Post:
    return Post(**{**FACTS, **changes})


FOX = post(sources=("somewhere",), pools=(8,), change_seq=70)
WOLF = post(
    id=2, tags={"general": ("duo", "red_fur"), "species": ("wolf",)}, rating="q", score=-3, fav_count=9, width=600,
    height=900, ext="jpg", created_at="2024-06-01T00:00:00Z", parent_id=1, md5="a" * 32, size=5 << 20,
)  # fmt: skip
BEAR = post(
    id=3, tags={"general": ("solo", "red_fur", "hat"), "species": ("bear",), "meta": ("hi_res", ":3")}, rating="e",
    score=55, width=2000, height=2000, children=(2,), created_at="2025-06-01T00:00:00Z", md5=None, size=2 << 20,
)  # fmt: skip
GONE = post(id=4, is_deleted=True)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", [3, 2, 1]),
        ("SOLO -hat", [1]),
        ("~fox ~bear solo -hat", [1]),
        ("*_fur -red*", [1]),
        ("r*_f*r", [3, 2]),
        ("[s]olo", []),
        ("vulpine -lupine", [1]),
        ("( ~vulpine ~wolf ) red_fur", [2]),
        ("-( red_fur solo )", [2, 1]),
        ("~( fox ~( solo ) ) ~( duo red_fur )", [2, 1]),
        (":3", [3]),
        ("rating:safe", [1]),
        ("rating:q,e", [3, 2]),
        ("score:-5..10", [2, 1]),
        ("score:<=-3", [2]),
        ("score:10,55", [3, 1]),
        ("favcount:>=9", [2]),
        ("width:1000..", [3, 1]),
        ("height:..900", [2, 1]),
        ("mpixels:0.52", [2, 1]),
        ("ratio:2:1", [1]),
        ("ratio:1", [3]),
        ("filesize:2mb", [3]),
        ("filesize:>4.5mb", [2]),
        ("filesize:<1kb", [1]),
        ("tagcount:3", [2, 1]),
        ("change:70", [1]),
        ("date:2023-01-31", [1]),
        ("date:2024-01-01..", [3, 2]),
        ("date:>2_days_ago", []),
        ("date:<today date:decade id:>2", [3]),
        ("filetype:png,webp -type:jpg", [3, 1]),
        (f"md5:{'a' * 32},{'b' * 32}", [2]),
        ("parent:none", [3, 1]),
        ("parent:1", [2, 1]),
        ("ischild:true", [2]),
        ("isparent:false", [2, 1]),
        ("child:any", [3]),
        ("inpool:true", [1]),
        ("pool:8", [1]),
        ("-pool:any", [3, 2]),
        ("hassource:true", [1]),
        ("status:deleted", [4]),
        ("status:any fox", [4, 1]),
        ("order:score", [3, 1, 2]),
        ("-order:score", [2, 1, 3]),
        ("order:score_asc", [2, 1, 3]),
        ("order:id", [1, 2, 3]),
        ("-order:id", [3, 2, 1]),
        ("-order:portrait", [1, 3, 2]),
        ("order:portrait", [2, 3, 1]),
        ("( solo order:id )", [1, 3]),
        ("order:id order:favcount", [2, 3, 1]),
        ("order:change", [1, 3, 2]),
        ("limit:2", [3, 2]),
    ],
)
def test_the_grammar_finds_what_it_says(text: str, ids: list[int]) -> None:
    query = read_query(text, {"vulpine": "fox", "lupine": "wolf"})
    posts = [post for post in (FOX, WOLF, BEAR, GONE) if query.matches(post)]
    assert [post.id for post in query.best(posts, 9)] == ids


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("vulpine solo", {"fox", "solo"}),
        ("solo ( red_fur ( hat ~duo ) )", {"solo", "red_fur", "hat"}),
        ("-solo ~hat fo* score:>5 -( duo ) ~( wolf )", set()),
    ],
)
def test_the_tags_that_each_post_must_carry_are_told(text: str, words: set[str]) -> None:
    assert read_query(text, {"vulpine": "fox"}).words == words


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("fav:somebody", "'fav'"),
        ("solo -( ~gentags:>5 )", "'gentags'"),
        ("score:many", "'many' is not a whole number"),
        ("score:>", "'' is not a whole number"),
        ("score:=>5", "'=>' compares nothing"),
        ("date:some-day", "'some-day' is not a day"),
        ("ischild:maybe", "neither true nor false"),
        ("status:pending", "'pending'"),
        ("child:7", "neither any nor none"),
        ("order:hot", "order:hot"),
        ("-order:unheard_of", "unheard_of"),
        ("limit:all", "limit:100"),
        ("( solo", "not closed"),
        ("solo )", "not opened"),
        ("( " * 11, "10 deep"),
    ],
)
def test_what_cannot_be_told_from_a_post_is_a_sentence_that_names_it(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told.replace("(", r"\(")):
        read_query(text)


def test_a_day_may_be_told_from_today() -> None:
    now = datetime.now(UTC)
    fresh, old = (post(id=days, created_at=(now - timedelta(days)).isoformat()) for days in (3, 20))
    assert [read_query("date:week").matches(one) for one in (fresh, old)] == [True, False]
    assert [read_query("date:..2_weeks_ago").matches(one) for one in (fresh, old)] == [False, True]
    assert read_query("date:>99999_decades_ago").matches(old)


def test_a_random_order_hangs_on_its_seed_alone() -> None:
    many = [post(id=number) for number in range(50)]
    orders = [[post.id for post in read_query(f"order:random randseed:{seed}").sort(many)] for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == list(range(50))


TAGS = st.sampled_from("solo fox wolf duo red_fur blue_fur dragon vulpine simple_background cat *_fur s*o* * -".split())
NUMBERS = st.sampled_from(["0", "1", "7", "60", "150", "320", "512", "-3"])
BOUNDS = st.one_of(
    NUMBERS,
    st.builds("{}{}".format, st.sampled_from(["<", ">", "<=", ">="]), NUMBERS),
    st.builds("{}..{}".format, NUMBERS, NUMBERS),
    st.builds("{}..".format, NUMBERS),
    st.builds("..{}".format, NUMBERS),
    st.lists(NUMBERS, min_size=2, max_size=4).map(",".join),
)
METATAGS = st.one_of(
    st.builds("{}:{}".format, st.sampled_from("id score favcount width height mpixels ratio tagcount".split()), BOUNDS),
    st.sampled_from(
        "rating:s rating:q,e rating:explicit type:png filetype:jpg,webp status:any status:deleted status:active parent:any "
        "parent:none child:any child:none parent:3 date:>2024-01-01 date:..2024-06-30 date:2024-03-01..2025-01-01 "
        "filesize:1kb filesize:>2kb filesize:..0.01mb ratio:1:1 ratio:>3:4 mpixels:0.26".split()
    ),
)
WISHES = st.builds(
    "{}:{}{}".format,
    st.sampled_from(["order", "-order"]),
    st.sampled_from("score favcount created md5 mpixels filesize size tagcount landscape aspect_ratio".split()),
    st.sampled_from(["", "_asc", "_desc"]),
) | st.sampled_from("order:id order:id_desc -order:id -order:id_desc order:portrait".split())
TERMS = st.builds("{}{}".format, st.sampled_from(["", "", "-", "~"]), TAGS | METATAGS)
QUERIES = st.recursive(
    st.lists(TERMS | WISHES, max_size=4).map(" ".join),
    lambda inner: st.builds("{} {}( {} ) {}".format, inner, st.sampled_from(["", "-", "~"]), inner, inner),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Listing, Post]]:
    """Gives every tenth post of the drawn world and those of its families, as the server and as we see it."""
    chosen = [post for post in demo_posts() if post.id % 10 == 0 or post.parent_id or post.children or post.is_deleted]
    files = Files(chosen[:150], tmp_path_factory.mktemp("drawn"))
    files.draw_all(chosen[:150])
    listings = [Listing(post, files) for post in chosen[:150]]
    yield [(listing, as_we_see(listing.post, listing)) for listing in listings]
    files.close()


def as_we_see(drawn: Drawable, listing: Listing) -> Post:
    known = {name: getattr(drawn, name) for name in FACTS if hasattr(drawn, name) and name != "tags"}
    family = {"parent_id": drawn.parent_id, "children": tuple(drawn.children), "is_deleted": drawn.is_deleted}
    tags = {category: tuple(names) for category, names in drawn.tags.items()}
    return post(**known, **family, tags=tags, md5=listing.md5, size=listing.size)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example("-( ) ~( ~fox ~( -solo ) ) order:filesize_asc")
@given(QUERIES)
def test_it_finds_what_the_demo_booru_finds_in_the_same_order(pairs: list[tuple[Listing, Post]], text: str) -> None:
    if len(text.split()) > 40:
        return
    search, query = read_search(text, world.ALIASES), read_query(text, world.ALIASES)
    theirs = [listing.post.id for listing in search.sort(one for one, _ in pairs if search.matches(one))]
    found = [post for _, post in pairs if query.matches(post)]
    assert [post.id for post in query.sort(found)] == theirs
    assert [post.id for post in query.best(found, 7)] == theirs[:7]
    assert all(query.words <= set(post.all_tags) for post in found)


ODD = "solo ( ) -( ~( score:>0 id:1,2 rating:s order:score : -: ~ - * ~- (( x:y date: date:5_days_ago order: -order:"


@given(st.lists(st.sampled_from(ODD.split())))
def test_any_words_are_a_search_or_a_sentence(words: list[str]) -> None:
    try:
        assert read_query(" ".join(words)).matches(FOX) in (True, False)
    except UsageError as error:
        assert str(error).startswith("The search")
