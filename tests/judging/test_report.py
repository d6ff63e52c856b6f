"""The two files of an evaluation: scores.json and report.html."""

import base64
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from lorasmith.errors import RefusedError
from lorasmith.judging.fixes import Fix
from lorasmith.judging.judge import Spread
from lorasmith.judging.plan import PlannedPrompt
from lorasmith.judging.rank import rank
from lorasmith.judging.record import Evaluation, RenderRow, rows
from lorasmith.judging.report import write_page, write_scores
from lorasmith.judging.scores import CellScores

VOID = {"meta", "img", "br"}


class Balanced(HTMLParser):
    """Checks that every element is closed, and collects what the page refers to."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


FIX = Fix("background_leaks", "forest", "prepare", "The background 'forest' leaks.", ("e621_1", "e621_2"), 2, 0.9, 0.1)


def flat(value: float) -> Spread:
    return Spread(value, value, value, 0.0, 4)


def evaluation(trigger: str = "zorvex") -> Evaluation:
    base = CellScores(None, 0.0, flat(0.1), {"pose": flat(0.8)}, flat(0.05), 0.03, {"purple_fur": 0.1})
    cell = CellScores(4, 0.7, flat(0.91234567), {"pose": flat(0.6)}, flat(0.1), 0.02, {"purple_fur": 0.9})
    prompt = PlannedPrompt("pose", f"{trigger}, sitting", ("sitting",))
    renders = (
        RenderRow("renders/e4 #1.png", prompt, 101, 4, 0.7, 0.9, 1.0, told=True),
        RenderRow("renders/base.png", prompt, 101, None, 0.0, 0.1, 1.0, told=True),
        RenderRow("renders/choosing.png", prompt, 11, 4, 0.7),
    )
    return Evaluation(
        "002",
        trigger,
        "base.safetensors",
        "loras/z.safetensors",
        "demo",
        ("purple_fur", "fox"),
        base,
        (cell,),
        rank([cell], base),
        cell,
        base,
        renders,
        ("fox",),
        "grid.png",
        "2026-11-21",
        {"steps": 20, "where": Path("x")},
        fixes=(FIX,),
        grids={"pose": "grid-pose.png"},
    )


def test_the_page_stands_alone_is_well_formed_and_shows_the_told_renders(tmp_path: Path) -> None:
    page = write_page(tmp_path, evaluation()).read_text(encoding="utf-8")
    parser = Balanced()
    parser.feed(page)
    assert parser.open == [] and not {"script", "link", "iframe"} & parser.tags
    assert parser.sources == ["grid-pose.png", "renders/e4%20%231.png", "renders/base.png"], "links alone: nothing lies there"
    assert not re.search(r"https?://|url\(", page)


def test_the_pictures_are_in_the_page_so_that_it_can_be_moved(tmp_path: Path) -> None:
    picture = Image.new("RGB", (300, 200), "teal")
    for name in ("grid-pose.png", "renders/e4 #1.png", "e621_1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        picture.save(tmp_path / name)
    page = write_page(tmp_path, evaluation(), lambda name: tmp_path / f"{name}.png").read_text(encoding="utf-8")
    inlined = re.findall(r"<img loading='lazy' decoding='async' src='data:image/jpeg;base64,([^']+)'", page)
    assert len(inlined) == 3, "the training picture, the grid of the question, and the one render that is there"
    sizes = [Image.open(io.BytesIO(base64.b64decode(data))).size for data in inlined]
    assert sizes == [(96, 64), (300, 200), (176, 117)]
    assert "Does it take the pose?" in page and "e621_2" in page and "prepare" in page


def test_the_page_says_what_to_use_and_the_scores_with_their_spread(tmp_path: Path) -> None:
    page = write_page(tmp_path, evaluation()).read_text(encoding="utf-8")
    for piece in (
        "Epoch 4 at weight 0.7",
        "0.91 <i>± 0.00</i>",
        "75%",
        "The tagger cannot see: fox",
        "zorvex, sitting",
        "good",
    ):
        assert piece in page


def test_a_name_with_markup_is_only_text(tmp_path: Path) -> None:
    page = write_page(tmp_path, evaluation('<b onload="x">')).read_text(encoding="utf-8")
    assert "<b onload" not in page and "&lt;b onload" in page


def test_the_json_holds_every_number_to_four_digits(tmp_path: Path) -> None:
    write_scores(tmp_path, evaluation())
    content = json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))
    assert content["cells"][0]["likeness"]["mean"] == 0.9123 and content["kept"] == 0.75
    assert content["kept_by_group"] == {"pose": 0.75} and content["settings"] == {"steps": 20, "where": "x"}
    assert content["ranking"]["best"]["epoch"] == 4 and len(content["renders"]) == 3


def test_the_table_sets_with_beside_without() -> None:
    table = {
        row.what: (row.with_lora and row.with_lora.mean, row.without and row.without.mean, row.kept)
        for row in rows(evaluation())
    }
    assert table == {
        "likeness": (0.91234567, 0.1, None),
        "pose followed": (0.6, 0.8, pytest.approx(0.75)),
        "leak": (0.1, 0.05, None),
    }


def test_an_evaluation_that_could_judge_nothing_still_makes_a_page(tmp_path: Path) -> None:
    blank = CellScores(4, 1.0, None)
    empty = replace(
        evaluation(),
        cells=(blank,),
        told=None,
        told_base=None,
        renders=(),
        grid="",
        ranking=rank([blank], CellScores(None, 0.0, None)),
    )
    page = write_page(tmp_path, empty).read_text(encoding="utf-8")
    assert "nothing to rank" in page and rows(empty) == []


def test_a_prompt_with_a_minor_s_tag_stops_the_report(tmp_path: Path) -> None:
    for write in (write_page, write_scores):
        with pytest.raises(RefusedError):
            write(tmp_path, evaluation("toddler"))
    assert list(tmp_path.iterdir()) == []
