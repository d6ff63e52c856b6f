"""Subsets: read from lines, and their repeats worked out."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lorasmith.errors import UsageError
from lorasmith.training.dataset import TrainingPicture
from lorasmith.training.subsets import Subset, read_subsets, with_repeats


def rows(name: str, count: int, repeats: int = 5) -> list[TrainingPicture]:
    return [TrainingPicture(f"{name}{n}", Path(f"{name}{n}.png"), "mia", repeats, f"{repeats}_{name}") for n in range(count)]


def test_lines_are_read_with_folders_in_quotes_and_filters_to_the_end() -> None:
    found = read_subsets([
        "faces weight=1 where headshot_portrait | close-up AND NOT duo", "", "body weight=2",
        'old repeats=2 folder="D:/older pictures"', "others weight=1 regularisation prior=0.5 folder=reg",
    ])  # fmt: skip
    assert found == [
        Subset("faces", weight=1, where="headshot_portrait | close-up AND NOT duo"),
        Subset("body", weight=2),
        Subset("old", repeats=2, folder="D:/older pictures"),
        Subset("others", weight=1, regularisation=True, prior=0.5, folder="reg"),
    ]


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["a wieght=1 where x"], "has 'wieght'; a subset takes weight=NUMBER"),
        (["a weight=0"], "give a number above 0"),
        (["a weight=two"], "has 'weight'"),
        (["a weight=1 repeats=2"], "a weight and repeats; give one"),
        (["a where x", "a where y"], "Two subsets are named a"),
        (["a", "b weight=1"], "only one can take what is left"),
        (["a folder='x"], "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_a_sentence(lines: list[str], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        read_subsets(lines)


def test_one_face_and_twelve_bodies_get_equal_weight() -> None:
    subsets = [Subset("faces", weight=1, where="headshot"), Subset("body", weight=1)]
    found = with_repeats({"faces": rows("faces", 1), "body": rows("body", 12)}, subsets, 5)
    drawn = {name: sum(each.repeats for each in found if each.name.startswith(name)) for name in ("faces", "body")}
    assert drawn == {"faces": 32, "body": 36}
    assert found[0].folder == "32_faces" and found[-1].folder == "3_body"


@given(some.lists(some.tuples(some.integers(1, 40), some.floats(0.1, 10)), min_size=1, max_size=5), some.integers(1, 20))
def test_shares_are_as_asked_as_nearly_as_whole_repeats_allow(parts: list[tuple[int, float]], usual: int) -> None:
    subsets = [Subset(f"s{place}", weight=weight) for place, (_, weight) in enumerate(parts)]
    members = {f"s{place}": rows(f"s{place}_", count) for place, (count, _) in enumerate(parts)}
    found = with_repeats(members, subsets, usual)
    assert len(found) == sum(count for count, _ in parts)
    pictures, weights = len(found), sum(weight for _, weight in parts)
    for place, (count, weight) in enumerate(parts):
        ideal = usual * pictures * weight / weights / count
        given_ = next(each.repeats for each in found if each.name.startswith(f"s{place}_"))
        assert given_ in {max(1, min(1000, round(ideal * near))) for near in (1 - 1e-9, 1, 1 + 1e-9)}  # a half goes either way


def test_without_subsets_pictures_keep_their_own_repeats() -> None:
    assert [each.repeats for each in with_repeats({"": rows("a", 2, 7)}, [], 5)] == [7, 7]


def test_regularisation_counts_with_its_prior_and_is_no_picture_of_the_character() -> None:
    subsets = [Subset("reg", repeats=1, regularisation=True, prior=0.5, folder="reg")]
    reg, own = with_repeats({"reg": rows("reg", 1), "": rows("own", 1)}, subsets, 5)
    assert (reg.weight, reg.regularisation, reg.repeats) == (0.5, True, 1)
    assert (own.weight, own.regularisation, own.repeats) == (1.0, False, 5)
