"""A site's tables of aliases and implications: fetched from e621's exports and Danbooru's API, checked, only what is in force."""

import csv
import gzip
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from lorasmith.boorus import tag_export
from lorasmith.boorus.client import Client
from lorasmith.boorus.sites import SITES, find_site
from lorasmith.boorus.tag_export import open_client, relations_of
from lorasmith.demo.server import DemoBooru
from lorasmith.demo.server_faults import Fault
from lorasmith.errors import SiteError, UsageError
from lorasmith.tags.relations import Relation
from tests.boorus.conftest import Clock
from tests.boorus.fakes.danbooru import FakeDanbooru

ALIASES = {"vulpine": "fox", "gray_fur": "grey_fur", "woods": "forest", "headshot": "headshot_portrait"}
IMPLICATIONS = {"fox": ("canine", "mammal"), "canine": ("mammal",), "forest": ("tree",)}
ALL = {Relation("alias", old, new) for old, new in ALIASES.items()} | {
    Relation("implies", old, new) for old, all_new in IMPLICATIONS.items() for new in all_new
}


@pytest.fixture
def booru(serve: Callable[..., DemoBooru]) -> DemoBooru:
    running = serve([], aliases=ALIASES, implications=IMPLICATIONS)
    running.site.exports_posts = False
    return running


@pytest.fixture
def client(booru: DemoBooru, clock: Clock) -> Client:
    return open_client("e621", booru.url, clock.pace())


def quiet(sentence: str) -> None:
    assert sentence


def asked(booru: DemoBooru) -> list[str]:
    return [one.path for one in booru.log if one.path.startswith("/db_export/")]


def test_an_export_is_fetched_checked_and_read(client: Client, tmp_path: Path) -> None:
    assert set(relations_of(client, tmp_path, quiet)) == ALL
    assert not list(tmp_path.glob("*.part"))


def test_a_table_that_has_not_changed_is_not_fetched_again(client: Client, booru: DemoBooru, tmp_path: Path) -> None:
    first = list(relations_of(client, tmp_path, quiet))
    assert list(relations_of(client, tmp_path, quiet)) == first
    assert asked(booru) == ["/db_export/tag_aliases.csv.gz", "/db_export/tag_implications.csv.gz"]


@pytest.mark.parametrize("kind", ["cut", "wrong", "long"])
def test_a_table_that_came_damaged_is_fetched_once_more(
    client: Client, booru: DemoBooru, tmp_path: Path, kind: str
) -> None:
    booru.faults.add(Fault(kind, "/db_export/tag_aliases", times=2))
    assert set(relations_of(client, tmp_path, quiet)) == ALL
    assert asked(booru).count("/db_export/tag_aliases.csv.gz") == 3


def test_a_table_that_never_fits_its_sum_is_refused_and_leaves_nothing(
    client: Client, booru: DemoBooru, tmp_path: Path
) -> None:
    booru.faults.add(Fault("wrong", "/db_export/tag_aliases", times=9))
    with pytest.raises(SiteError, match="another sum than the site says"):
        list(relations_of(client, tmp_path, quiet))
    assert not list(tmp_path.iterdir())


def test_a_site_without_its_exports_says_so(client: Client, booru: DemoBooru, tmp_path: Path) -> None:
    booru.site._exports = {"tags": b""}
    with pytest.raises(SiteError, match="lists no export 'tag_aliases'"):
        list(relations_of(client, tmp_path, quiet))


def test_only_rows_in_force_come_out_whatever_columns_stand_between(
    client: Client, booru: DemoBooru, tmp_path: Path
) -> None:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("new_column", "id", "consequent_name", "reason", "antecedent_name", "status"))
    for number, status in enumerate(("active", "deleted", "pending", "processing", "retired")):
        rows.writerow(("x", number, "new", 'said "so",\nand why', f"old_{status}", status))
    odd = gzip.compress(text.getvalue().encode())
    booru.site._exports = {**booru.site._exports, "tag_aliases": odd}
    found = [row for row in relations_of(client, tmp_path, quiet) if row.kind == "alias"]
    assert found == [Relation("alias", "old_active", "new")]


def test_danbooru_is_asked_page_after_page(
    serve: Callable[..., DemoBooru], clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tag_export, "PAGE", 2)
    with FakeDanbooru([], aliases=ALIASES, implications=IMPLICATIONS) as booru:
        found = list(relations_of(open_client("danbooru", booru.url, clock.pace()), tmp_path, quiet))
        assert set(found) == ALL and len(found) == len(ALL)
        assert [one.params["page"] for one in booru.log] == ["a0", "a2", "a4", "a0", "a2", "a4"]


def test_a_site_that_gives_no_tables_names_the_one_that_does() -> None:
    with pytest.raises(UsageError, match="fetch those of danbooru"):
        open_client("gelbooru")


def test_the_exports_of_e621_may_lie_on_any_host_below_its_name_and_on_no_other() -> None:
    site = open_client("e621").site
    assert site.serves("exports.e621.net") and not site.serves("e621.net.example.org")
    assert not SITES["e621"].serves("exports.e621.net")
    assert not open_client("e621", "http://127.0.0.1:1").site.serves("exports.e621.net")
    assert find_site("danbooru").file_hosts == open_client("danbooru").site.file_hosts
