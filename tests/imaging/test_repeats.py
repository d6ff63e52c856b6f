"""Repeated marks: one logo on many pictures is one group, whatever is behind it and however large the picture is."""

from PIL import Image

from lorasmith.imaging.crop import Box
from lorasmith.imaging.marks import Mark
from lorasmith.imaging.repeats import Look, look_of, repeated
from tests.imaging.writing import meadow, write

GROUNDS = ((200, 210, 230), (90, 140, 80), (250, 250, 250), (60, 40, 80))


def marked(number: int, words: str, at: tuple[float, float], read: str | None = None) -> Look:
    """Writes words at a share of the picture, light on dark or dark on light, in one of three sizes."""
    side = (500, 800, 1100)[number % 3]
    ground = GROUNDS[number % len(GROUNDS)]
    picture = Image.new("RGB", (side, side), ground)
    ink = "black" if sum(ground) > 380 else "white"
    box = write(picture, words, (at[0] * side, at[1] * side), 0.05 * side, ink)
    return look_of(picture, Mark("watermark", box, 0.9, words if read is None else read))


def test_one_logo_in_one_corner_is_one_group() -> None:
    looks = {f"{number}": [marked(number, "Inkwood", (0.85, 0.95))] for number in range(8)}
    (group,) = repeated(looks)
    assert (group.words, group.corner) == ("Inkwood", "bottom right")
    assert {name for name, _ in group.marks} == set(looks)


def test_a_logo_read_differently_is_known_by_its_look() -> None:
    reads = ("Inkwood", "1nkw00d", "", "Znkvvod")
    looks = {f"{number}": [marked(number, "Inkwood", (0.85, 0.95), reads[number])] for number in range(4)}
    assert len(repeated(looks)[0].marks) == 4


def test_other_words_in_the_same_corner_and_the_same_words_elsewhere_are_other_marks() -> None:
    looks = {f"{number}": [marked(number, "Inkwood", (0.85, 0.95))] for number in range(4)}
    looks |= {f"other {number}": [marked(number, "Pale Fox", (0.85, 0.95))] for number in range(3)}
    looks |= {f"away {number}": [marked(number, "Inkwood", (0.2, 0.3))] for number in range(2)}
    assert [(group.words, len(group.marks)) for group in repeated(looks)] == [("Inkwood", 4), ("Pale Fox", 3)]


def test_fewer_pictures_than_asked_are_no_group() -> None:
    looks = {f"{number}": [marked(number, "Inkwood", (0.85, 0.95))] for number in range(3)}
    assert repeated(looks, least=4) == []
    assert len(repeated(looks, least=3)) == 1
    assert repeated({}) == []


def test_bubbles_and_borders_are_no_logos() -> None:
    picture = meadow(400, 400)
    looks = {str(number): [look_of(picture, Mark("bubble", Box(10, 10, 200, 90), 1.0))] for number in range(5)}
    assert repeated(looks) == []


def test_the_order_of_the_pictures_changes_nothing() -> None:
    looks = {f"{number}": [marked(number, "Inkwood", (0.85, 0.95))] for number in range(6)}
    assert repeated(looks) == repeated(dict(reversed(looks.items())))
