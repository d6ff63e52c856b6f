"""The site's tags and the tagger's, merged by source and threshold."""

from hypothesis import given
from hypothesis import strategies as st

from lorasmith.tags.merge import MergedTag, merge, resolve, resolve_one_of

NAMES = [
    "red_fur",
    "standing",
    "sitting",
    "open_mouth",
    "mouth_closed",
    "forest",
    "portrait",
    "headshot_portrait",
    "odd",
]


def merged(booru: dict[str, str], scores: dict[str, float], **kwargs: object) -> dict[str, MergedTag]:
    values = {"threshold": 0.35, "veto": 0.05, "known": set(scores), **kwargs}
    return {tag.tag: tag for tag in merge(booru, scores, **values)}  # type: ignore[arg-type]


def test_tagger_tags_join_from_the_threshold_on() -> None:
    tags = merged({}, {"forest": 0.35, "night": 0.34})
    assert list(tags) == ["forest"]
    assert tags["forest"] == MergedTag("forest", "general", frozenset(["tagger"]), 0.35)


def test_a_species_seen_by_the_tagger_gets_its_category() -> None:
    assert merged({}, {"fox": 0.9})["fox"].category == "species"


def test_a_tag_of_both_sources_names_both() -> None:
    tags = merged({"red_fur": "general", "scarf": "general"}, {"red_fur": 0.9, "scarf": 0.2})
    assert tags["red_fur"].sources == {"booru", "tagger"}
    assert tags["scarf"].sources == {"booru"}


def test_a_booru_tag_that_the_tagger_knows_and_does_not_see_at_all_is_left_out() -> None:
    assert merged({"top_hat": "general"}, {"top_hat": 0.01}) == {}
    assert "top_hat" in merged({"top_hat": "general"}, {"top_hat": 0.01}, veto=0.0)


def test_a_booru_tag_that_the_tagger_does_not_know_stays() -> None:
    assert merged({"zorvex_horn_ring": "general"}, {})["zorvex_horn_ring"].score is None


def test_of_a_one_of_group_the_best_stays() -> None:
    assert set(merged({}, {"open_mouth": 0.6, "mouth_closed": 0.7})) == {"mouth_closed"}


def test_a_person_s_tag_beats_a_slightly_higher_score() -> None:
    assert set(merged({"open_mouth": "general"}, {"open_mouth": 0.5, "mouth_closed": 0.7})) == {"open_mouth"}
    assert set(merged({"open_mouth": "general"}, {"open_mouth": 0.1, "mouth_closed": 0.95})) == {"mouth_closed"}


def test_an_umbrella_gives_way_to_the_exact_framing() -> None:
    tags = merged({"portrait": "meta", "headshot_portrait": "meta"}, {"headshot_portrait": 0.1})
    assert set(tags) == {"headshot_portrait"}


def test_aliases_of_both_sides_are_folded() -> None:
    aliases = {"violet_fur": "purple_fur", "curly": "curled", "curled": "curly"}
    tags = merged({"violet_fur": "general"}, {"purple_fur": 0.8, "violet_fur": 0.3}, aliases=aliases)
    assert tags["purple_fur"].sources == {"booru", "tagger"} and len(tags) == 1
    assert resolve("curly", aliases) == "curled"


@given(
    st.dictionaries(st.sampled_from(NAMES), st.just("general")),
    st.dictionaries(st.sampled_from(NAMES), st.floats(0, 1)),
    st.floats(0.1, 1),
    st.floats(0, 0.5),
)
def test_merging_invents_nothing_and_keeps_groups_exclusive(
    booru: dict[str, str], scores: dict[str, float], threshold: float, veto: float
) -> None:
    tags = merge(booru, scores, threshold=threshold, veto=veto, known=set(scores))
    names = [tag.tag for tag in tags]
    assert len(names) == len(set(names)) and set(names) <= set(booru) | set(scores)
    assert all(tag.sources for tag in tags)
    assert not {"open_mouth", "mouth_closed"} <= set(names) and not {"standing", "sitting"} <= set(names)
    assert resolve_one_of(tags) == tags
