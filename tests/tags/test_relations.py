"""Aliases and implications: chains and rings end, pruning loses nothing that the tables cannot give back."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lorasmith.errors import UsageError
from lorasmith.tags.relations import (
    Relation,
    Relations,
    load_relations,
    read_relations,
    relations_file,
    write_relations,
)

NOW = datetime(2026, 7, 1, tzinfo=UTC)
NAMES = st.sampled_from([f"tag_{letter}" for letter in "abcdefgh"])
ALIASES = st.dictionaries(NAMES, NAMES, max_size=6)
IMPLICATIONS = st.dictionaries(NAMES, st.frozensets(NAMES, max_size=3), max_size=8)
TABLES = st.builds(lambda aliases, implications: Relations("e621", NOW, aliases, implications), ALIASES, IMPLICATIONS)
CHAINS = st.builds(lambda implications: Relations("e621", NOW, {}, implications), IMPLICATIONS)
TAGS = st.lists(NAMES, unique=True, max_size=8)


def tables(aliases: str = "", implications: str = "") -> Relations:
    direct: dict[str, set[str]] = {}
    for pair in implications.split():
        old, new = pair.split(">")
        direct.setdefault(old, set()).add(new)
    named = dict(pair.split(">") for pair in aliases.split())
    return Relations("e621", NOW, named, {old: frozenset(new) for old, new in direct.items()})


CREATURES = tables(
    "vulpine>fox doggo>dog hound>doggo", "fox>canine canine>canid canid>mammal dog>canine car>vehicle scar>mark"
)


def test_an_alias_of_an_alias_leads_to_the_name_in_use() -> None:
    assert CREATURES.name("hound") == "dog" and CREATURES.name("red fox") == "red_fox"


def test_implied_tags_leave_over_any_number_of_steps_and_each_names_why() -> None:
    left, gone = CREATURES.pruned(["mammal", "solo", "fox", "canid", "canine"])
    assert left == ["solo", "fox"]
    assert gone == {"mammal": "fox", "canid": "fox", "canine": "fox"}


def test_an_alias_is_pruned_as_what_it_means() -> None:
    assert CREATURES.pruned(["hound", "mammal"])[0] == ["hound"]


def test_nothing_is_pruned_because_its_letters_stand_in_another_tag() -> None:
    assert CREATURES.pruned(["scar", "car"]) == (["scar", "car"], {})


def test_a_person_s_tag_stays_though_it_is_implied() -> None:
    left, gone = CREATURES.pruned(["fox", "canine", "mammal"], keep=["mammal"])
    assert left == ["fox", "mammal"] and gone == {"canine": "fox"}
    assert CREATURES.implied_among(["fox", "canine", "mammal"], ["mammal"])["fox"] == {"canine"}


def test_of_a_ring_of_implications_the_first_stays() -> None:
    ring = tables(implications="a>b b>c c>a")
    assert ring.pruned(["b", "c", "a"]) == (["b"], {"c": "b", "a": "b"})


@given(TABLES, NAMES)
def test_a_name_is_found_in_any_tangle_of_aliases_and_is_its_own(relations: Relations, tag: str) -> None:
    name = relations.name(tag)
    assert relations.name(name) == name
    assert name == tag or tag in relations.aliases


@given(CHAINS, TAGS, TAGS)
def test_what_was_pruned_follows_from_what_is_left(relations: Relations, tags: list[str], keep: list[str]) -> None:
    left, gone = relations.pruned(tags, keep)
    assert sorted([*left, *gone]) == sorted(tags)
    assert left == [tag for tag in tags if tag in left] and not set(gone) & set(keep)
    assert all(by in left and tag in relations.implied(by) for tag, by in gone.items())
    assert set(relations.expanded(left)) == set(relations.expanded(tags))
    assert relations.pruned(left, keep) == (left, {})


@given(TABLES, NAMES)
def test_what_a_tag_implies_is_closed_and_never_itself(relations: Relations, tag: str) -> None:
    implied = relations.implied(tag)
    assert relations.name(tag) not in implied
    assert all(relations.implied(other) <= implied | {relations.name(tag)} for other in implied)


@settings(deadline=None)  # each writes a file and waits for the disk
@given(rows=st.lists(st.builds(Relation, st.sampled_from(["alias", "implies"]), NAMES, NAMES)))
def test_a_written_file_is_read_back(rows: list[Relation], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("tables") / "e621.tsv"
    assert write_relations(path, "e621", rows, NOW) == len(rows)
    found = read_relations(path)
    assert (found.site, found.fetched) == ("e621", NOW)
    assert found.aliases == {row.old: row.new for row in rows if row.kind == "alias"}
    assert {(old, new) for old, all_new in found.implications.items() for new in all_new} == {
        (row.old, row.new) for row in rows if row.kind == "implies"
    }


def test_a_file_cut_off_at_any_line_is_damaged_and_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "e621.tsv"
    write_relations(path, "e621", [Relation("alias", "a", "b"), Relation("implies", "b", "c")], NOW)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    for number in range(len(lines)):
        path.write_text("".join(lines[:number]), encoding="utf-8")
        with pytest.raises(UsageError, match="damaged; fetch the tables again"):
            read_relations(path)


def test_names_that_mark_minors_are_not_kept_and_what_leads_to_them_is_known(tmp_path: Path) -> None:
    path = tmp_path / "e621.tsv"
    rows = [Relation("alias", "odd_word", "shota"), Relation("implies", "shota", "male"), Relation("alias", "a", "b")]
    write_relations(path, "e621", rows, NOW)
    found = read_relations(path)
    assert found.refused == {"odd_word"} and found.aliases == {"a": "b"} and not found.implications
    assert "shota" not in path.read_text(encoding="utf-8")


def test_tables_never_fetched_are_none_and_fetched_ones_tell_their_age(tmp_path: Path) -> None:
    assert load_relations("e621", folder=tmp_path) is None
    write_relations(relations_file("e621", folder=tmp_path), "e621", [Relation("alias", "a", "b")], NOW)
    found = load_relations("e621", folder=tmp_path)
    assert found is not None and found is load_relations("e621", folder=tmp_path)
    assert found.age_days(NOW + timedelta(days=40, hours=3)) == 40 and found.age_days(NOW - timedelta(days=1)) == 0


def test_a_mirror_s_tables_do_not_take_the_place_of_the_site_s(tmp_path: Path) -> None:
    own, mirror = relations_file("e621", "", tmp_path), relations_file("e621", "http://127.0.0.1:8021", tmp_path)
    assert own != mirror and mirror.name == "e621@127.0.0.1.tsv"
