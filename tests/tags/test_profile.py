"""The profile of a character's posts."""

from lorasmith.tags.profile import lift, profile, trait_of

POSTS = [
    {"general": ["purple_fur", "curled_horns", "standing", "scarf", "hi_res"], "species": ["fox"], "artist": ["a"]},
    {"general": ["purple_fur", "curled_horns", "sitting", "scarf"], "species": ["fox"], "artist": ["b"]},
    {"general": ["purple_fur", "curled_horns", "standing", "glowing_markings"], "species": ["fox"], "artist": ["a"]},
    {"general": ["purple_fur", "curled_horns", "standing", "anthro"], "species": ["fox"], "meta": ["sketch", "2026"]},
]


def names(entries: tuple) -> list[str]:
    return [entry.tag for entry in entries]


def test_tags_are_split_by_what_a_trainer_does_with_them() -> None:
    found = profile(POSTS)
    assert names(found.core) == ["curled_horns", "fox", "purple_fur"]
    assert names(found.toggles) == ["scarf", "anthro"]  # what it wears, and another form
    assert names(found.choices) == ["glowing_markings"]
    assert names(found.state) == ["standing", "sitting", "sketch"]


def test_names_and_technical_marks_are_counted_but_in_no_part() -> None:
    found = profile(POSTS)
    assert names(found.by_category["artist"]) == ["a", "b"]
    parts = {*names(found.core), *names(found.toggles), *names(found.choices), *names(found.state)}
    assert not {"a", "hi_res", "2026"} & parts


def test_shares_are_of_posts_and_lift_is_against_the_site() -> None:
    found = profile(POSTS, {"scarf": 100, "purple_fur": 10}, 1000)
    scarf = found.toggles[0]
    assert (scarf.count, scarf.share) == (2, 0.5) and abs((scarf.lift or 0) - 5.0) < 1e-9
    assert lift(0.5, "unknown", {"scarf": 1}, 10) is None


def test_a_look_that_is_as_common_on_the_whole_site_is_no_core_look() -> None:
    found = profile(POSTS, {"purple_fur": 900}, 1000)
    assert "purple_fur" not in names(found.core)
    assert "purple_fur" not in names(found.toggles)  # it is on nearly every post: it does not come and go


def test_the_sides_of_a_trait_that_varies_stand_together() -> None:
    sides = ["blue_eyes"] * 6 + ["green_eyes"] * 4
    found = profile([{"general": [eyes, "tail_tuft"] if place % 2 else [eyes]} for place, eyes in enumerate(sides)])
    assert [trait_of(entry) for entry in found.choices] == ["body", "eye colour", "eye colour"]
    assert names(found.choices)[1:] == ["blue_eyes", "green_eyes"]


def test_a_tag_written_twice_on_a_post_counts_once() -> None:
    assert profile([{"general": ["tail", "tail"]}]).core[0].share == 1.0


def test_no_posts_have_an_empty_profile() -> None:
    found = profile([])
    assert found.total == 0 and found.core == ()
