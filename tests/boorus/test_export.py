import csv
import gzip
import hashlib
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lorasmith.boorus import export, export_rows
from lorasmith.boorus.e621 import E621
from lorasmith.boorus.export import COLUMNS, Export, open_export
from lorasmith.boorus.export_rows import Table
from lorasmith.demo.server import DemoBooru
from lorasmith.errors import LorasmithError, RefusedError, SiteError, UsageError
from lorasmith.safety import any_refused
from tests.demo.plain import plain_posts

Open = Callable[..., E621]
Row = Mapping[str, object]
ROW = {
    "id": 1, "created_at": "2024-05-06 07:08:09.123", "md5": "0" * 32, "source": "", "rating": "s", "image_width": 900,
    "image_height": 600, "tag_string": "fox solo", "fav_count": 4, "file_ext": "png", "parent_id": "", "change_seq": 9,
    "file_size": 1000, "is_deleted": "f", "score": 5, "description": "", "locked_tags": "",
}  # fmt: skip


def packed(rows: Iterable[Row], columns: Iterable[str] = ROW, newline: str = "\n") -> bytes:
    columns, text = list(columns), io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=newline)
    writer.writerow(columns)
    writer.writerows([{**ROW, **row}.get(column, "") for column in columns] for row in rows)
    return gzip.compress(text.getvalue().encode("utf-8"), 1)


@pytest.fixture
def opened(tmp_path: Path) -> Callable[..., Export]:
    """Writes an export of some rows, each by what is special about it, and opens it."""

    def write(*rows: Row, **options: object) -> Export:
        (tmp_path / "posts.csv.gz").write_bytes(packed(rows, **options))
        return open_export(tmp_path)

    return write


def ids(posts: Iterable[object]) -> list[int]:
    return [post.id for post in posts]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> tuple[DemoBooru, Path]:
    """Serves posts, with one that is deleted, and downloads their exports as the site's own list of them says."""
    posts = plain_posts(60, width=8, height=8)
    posts[7] = replace(posts[7], is_deleted=True)
    posts[8] = replace(posts[8], tags={"general": ("solo", "toddler")})
    posts[9] = replace(posts[9], parent_id=9, tags={"general": ("duo",), "species": ("fox",), "artist": ("a,b",)})
    folder = tmp_path_factory.mktemp("exports")
    with DemoBooru(posts, aliases={"vulpine": "fox", "whelp": "cub"}) as running:
        for listed in requests.get(f"{running.url}/db_exports.json", headers={"User-Agent": "tests"}, timeout=30).json():
            content = requests.get(listed["url"], headers={"User-Agent": "tests"}, timeout=30).content
            assert hashlib.sha256(content).hexdigest() == listed["checksum"]
            (folder / listed["file_name"]).write_bytes(content)
        yield running, folder


@pytest.mark.parametrize(
    "query",
    ["", "fox order:score", "vulpine -duo order:score_asc", "score:>50 ~duo ~solo", "status:deleted", "parent:9", "*u*o"],
)
def test_an_export_finds_what_the_site_finds(served: tuple[DemoBooru, Path], open_at: Open, query: str) -> None:
    booru, folder = served
    site, here = open_at(booru), open_export(folder)
    theirs = list(site.search(query, 40))
    ours = list(here.search(query, 40))
    blank = {"url": None, "preview_url": None, "sample_url": None, "children": (), "sources": ()}
    assert [replace(post, tags={}) for post in ours] == [replace(post, tags={}, **blank) for post in theirs]
    for our, their in zip(ours, theirs, strict=True):
        assert {name: set(tags) for name, tags in our.tags.items()} == {
            name: set(tags) for name, tags in their.tags.items() if tags
        }
    assert here.count(query) == len(list(site.search(query, 999)))


def test_counts_aliases_and_categories_are_those_of_the_site(served: tuple[DemoBooru, Path], open_at: Open) -> None:
    booru, folder = served
    site, here = open_at(booru), open_export(folder)
    names = ["fox", "duo", "solo", "unheard_of", "toddler", "a,b"]
    assert here.tag_facts(names[:5]) == site.tag_facts(names[:5])
    assert here.tag_facts(names)["a,b"] == (1, "artist")
    assert here.aliases(["vulpine", "fox", "whelp"]) == {"vulpine": "fox", "whelp": "cub"}
    assert here.total_posts() == 60


def test_a_post_of_an_export_has_no_address_at_all(served: tuple[DemoBooru, Path]) -> None:
    posts = list(open_export(served[1]).search("status:any", 99))
    assert len(posts) == 59
    assert {(post.url, post.preview_url, post.sample_url) for post in posts} == {(None, None, None)}


def test_posts_that_mark_minors_are_counted_and_never_come_out(opened: Callable[..., Export]) -> None:
    here = opened({"id": 1}, {"id": 2, "tag_string": "solo cub"}, {"id": 3, "tag_string": "solo young_fox"})
    assert ids(here.search("solo", 9)) == [1]
    assert here.refused == {"e621_2", "e621_3"}
    assert here.count("solo") == 1
    assert ids(here.search("solo order:score", 9)) == [1]


def test_an_alias_of_such_a_tag_is_refused_too(opened: Callable[..., Export], tmp_path: Path) -> None:
    alias = ["id,antecedent_name,consequent_name,created_at,status", "1,whelp,cub,,active", "2,pup_x,cub,,deleted"]
    (tmp_path / "tag_aliases.csv.gz").write_bytes(gzip.compress("\n".join(alias).encode()))
    here = opened({"id": 1, "tag_string": "solo whelp"}, {"id": 2, "tag_string": "solo pup_x"})
    assert ids(here.search("solo", 9)) == [2]
    for query in ("whelp", "solo ( ~whelp )", "cub"):
        with pytest.raises(RefusedError):
            here.search(query, 9)
    assert ids(here.search("solo -whelp", 9)) == [2]


def test_a_word_in_a_description_or_in_a_longer_tag_is_no_tag(opened: Callable[..., Export]) -> None:
    here = opened(
        {"id": 1, "tag_string": "wolf", "description": 'a "fox"\nand\n\nfox'},
        {"id": 2, "tag_string": "fox_tail"},
        {"id": 3, "source": "https://fox.example\nhttps://b.example"},
    )
    (found,) = here.search("fox", 9)
    assert found.id == 3
    assert found.sources == ("https://fox.example", "https://b.example")
    assert found.created_at == "2024-05-06T07:08:09.123"


def test_the_best_of_many_are_found_however_deep_they_lie(opened: Callable[..., Export]) -> None:
    scores = {number: number * 7919 % 1000 for number in range(1, 1001)}
    here = opened(*({"id": number, "score": score} for number, score in scores.items()))
    assert ids(here.search("solo order:score", 3)) == sorted(scores, key=scores.__getitem__, reverse=True)[:3]
    assert len(list(here.search("solo order:score limit:7", 50))) == 7


def test_a_search_that_was_made_is_counted_and_ordered_anew_without_a_second_pass(tmp_path: Path) -> None:
    (tmp_path / "posts.csv.gz").write_bytes(packed({"id": number, "score": -number} for number in range(1, 9)))
    told: list[float] = []
    here = open_export(tmp_path / "posts.csv.gz", told=told.append)
    assert here.count("fox") == 8
    passes = len(told)
    assert told[-1] == 1.0
    assert ids(here.search(here.best_first("fox"), 2)) == [1, 2]
    assert ids(here.search("fox", 2)) == [8, 7]
    assert here.total_posts() == 8
    assert len(told) == passes


def test_more_than_is_kept_takes_another_pass_and_finds_the_same(
    opened: Callable[..., Export], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "KEPT", 3)
    here = opened(*({"id": number} for number in range(1, 9)))
    assert (here.count("fox"), ids(here.search("fox", 2)), here.count("fox")) == (8, [8, 7], 8)


def test_a_folder_may_hold_unpacked_or_dated_files(tmp_path: Path) -> None:
    (tmp_path / "post_versions.csv.gz").write_bytes(b"nothing")
    for day, number in (("2025-01-01", 1), ("2025-02-01", 2)):
        (tmp_path / f"posts-{day}.csv.gz").write_bytes(packed([{"id": number}]))
    assert ids(open_export(tmp_path).search("fox", 9)) == [2]
    (tmp_path / "posts.csv").write_bytes(b"\xef\xbb\xbf" + gzip.decompress(packed([{"id": 3}], newline="\r\n")))
    assert ids(open_export(tmp_path).search("fox", 9)) == [3]


@pytest.mark.parametrize(
    ("query", "told"),
    [("isparent:true", "'isparent:'"), ("solo ( ~inpool:true )", "'inpool:'"), ("fav:me", "'fav'"), ("score:x", "'x'")],
)
def test_what_an_export_does_not_say_is_a_sentence(opened: Callable[..., Export], query: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        opened({}).search(query, 9)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no column 'created_at'"),
        (b"\x1f\x8b\x08", "cut off"),
        (b"\x1f\x8b\x07 nothing that was ever packed", "damaged"),
        (b"PK\x03\x04\xff\xff\xff", "damaged"),
        (b"id,name,category,post_count\n1,fox,5,7\n", "no column 'created_at'"),
        (",".join((*COLUMNS, "tag_string")).encode(), "'tag_string' twice"),
    ],
)
def test_a_wrong_file_is_a_sentence_as_soon_as_it_is_opened(tmp_path: Path, content: bytes, told: str) -> None:
    file = tmp_path / "posts.csv.gz"
    file.write_bytes(content)
    with pytest.raises((UsageError, SiteError), match=told):
        open_export(tmp_path)


def test_a_file_or_folder_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no posts.csv.gz"):
        open_export(tmp_path)
    with pytest.raises(UsageError, match="cannot be read"):
        open_export(str(tmp_path / "elsewhere.csv.gz"))


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"score": "many"}, "'many' as 'score' of post 1"),
        ({"id": ""}, "as 'id'"),
        ({"is_deleted": "maybe"}, "'maybe' as 'is_deleted'"),
        ({"file_size": "9" * 4000}, "as 'file_size'"),
    ],
)
def test_an_odd_value_is_a_sentence_that_names_it(opened: Callable[..., Export], row: Row, told: str) -> None:
    with pytest.raises(SiteError, match=told):
        opened(row).search("fox", 9)


def test_a_row_of_another_width_and_a_row_without_end_are_sentences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = gzip.decompress(packed([{"id": 1}, {"id": 2}]))
    file = tmp_path / "posts.csv"
    file.write_bytes(good + b"3,fox,solo\n")
    with pytest.raises(SiteError, match="a row of 3 fields"):
        open_export(file).search("fox", 9)
    monkeypatch.setattr(export_rows, "LONGEST_ROW", 1000)
    monkeypatch.setattr(export_rows, "_BLOCK", 512)
    file.write_bytes(good + b'"' + b"fox\n" * 5000)
    with pytest.raises(SiteError, match="damaged"):
        open_export(file).count("fox")


# A lone carriage return is left out: databases quote it, Python's writer does not.
PIECES = ["fox", "wolf", "young", " ", ",", '"', "\n", "\r\n", "\t", ";", "é", "☃", "\u2028", "\x0b", "\x1c"]
CELLS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
TAG_LISTS = st.lists(st.sampled_from(["fox", "wolf", "solo", 'a"b', "é", "cub", "x,y", "young_fox", "foxy"]), max_size=5)
ROWS = st.lists(st.tuples(TAG_LISTS, CELLS, CELLS), max_size=12)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS, st.permutations([*ROW, "a new one"]), st.integers(1, 200), st.sampled_from(["\n", "\r\n"]))
def test_quoted_newlines_and_any_order_of_columns_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list, columns: list[str], block: int, newline: str
) -> None:
    monkeypatch.setattr(export_rows, "_BLOCK", block)
    written = [
        {"id": number, "tag_string": " ".join(tags), "description": text, "a new one": text, "source": source}
        for number, (tags, text, source) in enumerate(rows, start=1)
    ]
    (tmp_path / "posts.csv.gz").write_bytes(packed(written, columns, newline))
    for word in ("fox", 'a"b', "é", ""):
        here = open_export(tmp_path)
        wanted = [row["id"] for row in written if {word} - {""} <= set(row["tag_string"].split())]
        safe = [number for number in wanted if not any_refused(written[number - 1]["tag_string"].split())]
        assert ids(here.search(f"{word} order:id", 99)) == safe
        assert here.refused == {f"e621_{number}" for number in set(wanted) - set(safe)}
        assert here.total_posts() == len(rows)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_file_that_was_cut_off_or_changed_is_a_sentence_or_right(tmp_path: Path, data: st.DataObject) -> None:
    content = packed({"id": number, "description": '"\n' * number, "tag_string": "fox cub"} for number in range(30))
    plain = data.draw(st.booleans())
    content = gzip.decompress(content) if plain else content
    place = data.draw(st.integers(0, len(content) - 1))
    cut = data.draw(st.booleans())
    broken = content[:place] if cut else content[:place] + bytes([content[place] ^ 0x15]) + content[place + 1 :]
    file = tmp_path / "posts.csv.gz"
    file.write_bytes(broken)
    try:
        posts = list(open_export(file).search("fox", 99))
    except LorasmithError as error:
        assert str(error).startswith(str(file))
    else:
        assert posts == [] or not cut
        assert not any(any_refused(post.all_tags) for post in posts)


def test_a_hundred_thousand_rows_are_counted_whole(tmp_path: Path) -> None:
    columns = list(ROW)
    lines = [",".join(columns)]
    for number in range(1, 100_001):
        row = {**ROW, "id": number, "score": number % 977, "tag_string": "fox solo" if number % 1000 == 0 else "wolf"}
        lines.append(",".join(str(row[column]) for column in columns))
    file = tmp_path / "posts.csv.gz"
    file.write_bytes(gzip.compress("\n".join(lines).encode(), 1))
    here = open_export(file)
    best = list(here.search("fox order:score", 5))
    assert [post.score for post in best] == sorted((number % 977 for number in range(1000, 100_001, 1000)), reverse=True)[:5]
    assert (here.count("fox"), here.total_posts()) == (100, 100_000)
    assert Table(file, ["id"]).count() == 100_000
