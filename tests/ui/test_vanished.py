"""What every page says when files of its project have gone: a sentence or what is left, never a fault of the program."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from lorasmith.demo.demo import model_files
from tests.ui.asking import ASKED, ask, asking
from tests.ui.evaluated import lora_name
from tests.ui.whole import RENDER, whole_project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
LORA = f"loras/{lora_name(3)}"
RENDERED = "evaluations/001/renders/e03-w1-p00-s11.png"
# what goes, by what a person would call it; "+" puts a file where a folder was
GONE: dict[str, tuple[str, ...]] = {
    "a picture": ("images/own_0.png",), "an edit": ("edits/own_0.2.png", "edits/own_1.2.png"), "all pictures": ("images", "edits"),
    "a LoRA": (LORA,), "all LoRAs": ("loras",), "a run's samples and grids": ("runs/002/samples", "runs/002/grids"),
    "a run's story": ("runs/002/events.jsonl", "runs/001/trained.json"),
    "a run's settings": ("runs/001/run.toml", "runs/002/run.toml"),
    "a run": ("runs/001",), "all runs": ("runs",), "a render": (RENDERED,), "all renders": ("evaluations/001/renders",),
    "an evaluation's record": ("evaluations/001/scores.json",), "an evaluation": ("evaluations/001", "evaluations/against/001"),
    "all evaluations": ("evaluations",), "what compares": ("evaluations/against/001/comparison.json", "evaluations/sweep.json"),
    "a candidate": (f"images/{RENDER}.png",), "the previews": ("research/previews",), "the research": ("research", "download.csv"),
    "info.md": ("info.md", "sheets", "dataset"), "a folder info.md": ("info.md", "info.md/"), "the record": ("project.db",),
    "the folders' place": ("+loras", "+runs/002", "+evaluations", "+research"), "the project's settings": ("lorasmith.toml",),
    "the project": (".",), "nearly all": ("images", "edits", "loras", "runs", "evaluations", "research", "info.md", "dataset"),
}  # fmt: skip
# where wishes are sent as well
WISHED = ("a picture", "a folder info.md", "the record", "the folders' place", "the project", "nearly all")
SENT: tuple[tuple[str, dict[str, Any]], ...] = (
    ("decide", {"names": ["own_0"], "verdict": "drop"}), ("history", {"way": "undo"}),
    ("suggestion", {"name": "own_0", "kind": "crop", "verdict": "accept", "box": [0, 0, 200, 200]}),
    ("suggestion", {"name": "own_0", "kind": "crop", "verdict": "refuse"}),
    ("touch-up", {"name": "own_0", "steps": ["trim"]}), ("research/class", {"tag": "fox", "cls": "state"}),
    ("research/min-score", {"value": 3}), ("research/search", {"query": "nick"}),
    ("prune/decide", {"names": ["own_1"], "verdict": "drop"}), ("prune/best", {"to": 3}),
    ("tags/preview", {"action": "add", "words": ["hat"], "pictures": ["own_0"]}),
    ("tags/edit", {"action": "add", "words": ["scarf"], "pictures": ["own_0"]}), ("tags/consolidate", {"core": ["fox"]}),
    ("tags/threshold", {"threshold": "0.4"}), ("evaluate/against", {"files": [lora_name(3), lora_name(1)]}), ("evaluate/sweep", {}),
    ("evaluate/base", {}), ("evaluate/bring", {"name": "001", "renders": ["e03-w1-p00-s11"]}),
    ("evaluate/strength", {"strength": 1.2}),
    ("train/use", {"values": {"epochs": "4"}}), ("train/preset", {"preset": "quick"}), ("refine/candidates", {"candidates": 2}),
    ("refine/best", {}), ("refine/draw", {"prompts": "nick", "lora": lora_name(3)}), ("queue/add", {"chosen": ["PROJECT"]}),
    ("inspect/file", {"file": {"lora": lora_name(3)}}),
    ("inspect/beside", {"file": {"lora": lora_name(3)}, "other": {"lora": lora_name(1)}}),
    ("inspect/project", {"file": {"lora": lora_name(3)}}), ("inspect/import", {"file": {"lora": lora_name(3)}, "preview": True}),
)  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return whole_project(tmp_path_factory.mktemp("whole") / "p", model_files()[0])


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "p"))


@pytest.fixture
def client(tmp_path: Path, folder: Path) -> Iterator[TestClient]:
    with asking(folder, tmp_path) as client:
        yield client


def take_away(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name.strip("+")
        if name.endswith("/"):
            path.mkdir()
        elif path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        if name.startswith("+"):
            path.write_text("no folder")


def is_told(answer: Any) -> None:
    """Says whether an answer is what was asked for, or a sentence."""
    assert answer.status_code in (200, 400, 404, 409, 415), (answer.request.url, answer.status_code, answer.text)
    assert "Traceback" not in answer.text
    if answer.status_code != 200:
        sentence = json.loads(answer.text)["error"]
        assert sentence.rstrip()[-1] in ".?)" and "Errno" not in sentence and len(sentence) > 15, (answer.request.url, sentence)


def send(client: TestClient, name: str, body: dict[str, Any]) -> Any:
    id = client.params["project"]
    return client.post(f"/api/{name}", json=json.loads(json.dumps({"project": id} | body).replace("PROJECT", id)))


def test_while_all_is_there_every_question_and_every_wish_is_fulfilled(client: TestClient) -> None:
    refused = [name for name in ASKED if ask(client, name).status_code != 200]
    assert refused == ["tags/trial"]  # no tagger was here
    assert [(name, answer.text) for name, body in SENT if (answer := send(client, name, body)).status_code != 200] == []


@pytest.mark.parametrize("gone", GONE)
def test_whatever_has_gone_every_question_and_every_wish_is_answered(client: TestClient, folder: Path, gone: str) -> None:
    for name in ("state", "prune/page", "tags/page", "train/plan", "evaluate/one"):  # something is kept of the time before
        assert ask(client, name).status_code == 200
    take_away(folder, *GONE[gone])
    for name in ASKED:
        is_told(ask(client, name))
    for file in ("images/own_0.png", LORA, RENDERED, "runs/002/samples/e01-0.png", "research/previews/e621_0_ab.jpg"):
        for what in ("file", "thumb"):
            is_told(client.get(f"/api/{what}/{client.params['project']}/{file}"))
    for name, body in SENT if gone in WISHED else ():
        is_told(send(client, name, body))
