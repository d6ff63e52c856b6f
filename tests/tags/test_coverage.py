"""How a set is spread, and which pictures make a better one."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from lorasmith.tags.coverage import Member, _quotas, _use, coverage, pick, shows


def member(number: int, quality: float = 0.5, must: bool = False, **parts: str) -> Member:
    return Member(f"p{number:03d}", quality, {part: frozenset(values.split()) for part, values in parts.items()}, must)


def test_tags_are_sorted_into_the_parts_that_are_looked_at() -> None:
    tags = ["portrait", "full-length_portrait", "rear_view", "sitting", "simple_background", "white_background", "red_hat", "smile"]
    assert shows(tags, ["a_painter"], ["red_hat"]) == {
        "toggle": {"red_hat"}, "framing": {"body"}, "view": {"back"}, "pose": {"sitting"}, "background": {"simple"},
        "artist": {"a_painter"},
    }  # fmt: skip
    assert shows([], [], []) == {"view": {"front"}}  # nobody tags what is usual


def test_a_toggle_that_is_rare_or_always_there_is_told_with_how_many_to_add() -> None:
    members = [member(number, toggle="hat" if number < 2 else "coat", view="front") for number in range(20)]
    advice = {row.value: row.advice for row in coverage(members, ["hat", "coat", "boots"]) if row.part == "toggle"}
    assert advice["hat"] == "add 4 with it, or take it off the sheet: too rare to learn"
    assert advice["coat"] == "add 4 without it, or count it as a core look"
    assert advice["boots"].startswith("add 7 with it")
    assert (2 + 4) / 24 == 0.25 and (20 - 18 + 4) / 24 == 0.25  # what is advised is just enough


def test_what_is_missing_and_what_there_is_too_much_of_is_told() -> None:
    members = [member(number, view="front", artist="one" if number < 12 else f"a{number}") for number in range(20)]
    advice = {(row.part, row.value): row.advice for row in coverage(members)}
    assert advice["view", "back"] == "add 2" and advice["view", "front"].startswith("more than 80%")
    assert advice["artist", "one"].startswith("more than 25%") and advice["artist", "a15"] == ""
    assert coverage([]) == []


def test_a_smaller_set_keeps_what_is_rare_and_caps_what_is_common() -> None:
    same = [member(number, 0.9, artist="one", view="front") for number in range(30)]
    rare = [member(100 + number, 0.3, artist=f"a{number}", view="back", toggle="hat") for number in range(10)]
    picked = pick([*same, *rare], 20, ["hat"])
    taken = set(picked.names)
    assert len(taken) == 20 and len(taken & {one.name for one in rare}) == 10
    assert picked.reasons["p100"].startswith("brings") and "toggle hat" in picked.reasons["p100"]
    assert all("enough of artist one" in why for why in picked.left.values())


def test_a_persons_keeps_come_first_whatever_they_bring() -> None:
    members = [member(number, 0.9) for number in range(5)] + [member(9, 0.0, must=True, artist="one")]
    picked = pick(members, 2)
    assert picked.names[0] == "p009" and picked.reasons["p009"] == "kept by you"


MEMBERS = st.lists(
    st.builds(
        member, st.integers(0, 999), st.floats(0, 1), st.booleans(), artist=st.sampled_from(["", "a", "b"]),
        view=st.sampled_from(["front", "back", "side"]), toggle=st.sampled_from(["", "hat"]),
    ),
    max_size=25, unique_by=lambda one: one.name,
)  # fmt: skip


@given(MEMBERS, st.integers(0, 30), st.randoms())
def test_the_same_pictures_in_any_order_give_the_same_set_each_with_a_reason(members: list[Member], size: int, luck: object) -> None:
    picked = pick(members, size, ["hat"])
    shuffled = list(members)
    luck.shuffle(shuffled)  # type: ignore[attr-defined]
    assert pick(shuffled, size, ["hat"]) == picked
    assert len(picked.names) == min(size, len(members)) == len(set(picked.names))
    assert set(picked.reasons) == set(picked.names) and set(picked.left) == {one.name for one in members} - set(picked.names)
    must = [one.name for one in members if one.must]
    assert len(set(must) & set(picked.names)) == min(size, len(must))


_PARTS = st.dictionaries(st.sampled_from(["view", "pose", "background"]), st.sampled_from(["front", "side", "simple sitting"]))


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.5, 0.51]), st.booleans(), _PARTS), max_size=25), st.integers(0, 30))
def test_what_is_picked_is_what_looking_at_everybody_at_each_step_picks(
    drawn: list[tuple[float, bool, dict[str, str]]], size: int
) -> None:
    members = [member(number, quality, must, **parts) for number, (quality, must, parts) in enumerate(drawn)]
    least, most = _quotas(size, ("hat",))
    counts: Counter[tuple[str, str]] = Counter()
    left, names = list(members), []
    for _ in range(min(size, len(left))):
        best = max(left, key=lambda one: (one.must, _use(one, counts, least, most), one.quality))
        names.append(best.name)
        counts.update(best.features())
        left.remove(best)
    picked = pick(members, size, ("hat",))
    assert list(picked.names) == names and list(picked.left) == [one.name for one in left]
