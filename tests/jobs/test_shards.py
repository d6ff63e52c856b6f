"""Big looks at many pictures are shared out: in order, each piece once in the result, whoever did it and whoever went."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lorasmith.demo.demo import model_files
from lorasmith.jobs.farm.shards import _piece, _together, shared_out
from lorasmith.stages.prune.shards import measure_piece


class Others:
    """Stands for the cluster: says for each piece when it comes in (after so many looks), or that it never does."""

    def __init__(self, comes: dict[int, int]) -> None:
        self.comes, self.looks, self.forgotten = comes, 0, set[int]()

    def ask(self, piece: int) -> str:
        return f"piece {piece}"

    def take(self, asked: dict[str, int], done: dict[int, bytes]) -> None:
        self.looks += 1
        for ref, place in list(asked.items()):
            if self.comes.get(place, 10**9) <= self.looks:
                del asked[ref]
                done[place] = b"there %d" % place

    def forget(self, asked: dict[str, int], place: int) -> None:
        for ref in [ref for ref, its in asked.items() if its == place]:
            del asked[ref]
            self.forgotten.add(place)


@given(st.integers(2, 200), st.dictionaries(st.integers(0, 200), st.integers(1, 60)))
def test_each_piece_comes_once_and_in_order_whoever_does_it(count: int, comes: dict[int, int]) -> None:
    here: list[int] = []

    def work(piece: int) -> bytes:
        here.append(piece)
        return b"here %d" % piece

    found = list(_together(Others(comes), work, list(range(count))))  # type: ignore[arg-type]
    assert [int(each.split()[1]) for each in found] == list(range(count))
    assert [int(each.split()[1]) for each in found if each.startswith(b"here")] == here


def test_without_a_cluster_it_is_all_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LORASMITH_RAY", raising=False)
    assert list(shared_out(measure_piece, [1, 2, 3], home=lambda piece: b"%d" % piece)) == [b"1", b"2", b"3"]


def test_another_version_and_what_is_not_ours_are_refused_and_faults_are_told(tmp_path: Path) -> None:
    here = "lorasmith.stages.prune.shards"
    piece = json.dumps({"folder": str(tmp_path / "gone"), "files": []})
    assert "is not 0.0.0" in json.loads(_piece(here, "measure_piece", piece, "0.0.0"))["fault"]
    from lorasmith import __version__

    assert "fault" in json.loads(_piece("os", "system", json.dumps("true"), __version__))
    assert "gone" in json.loads(_piece(here, "measure_piece", piece, __version__))["fault"]


SHARED = """
import json, os, sys, time
from pathlib import Path
from lorasmith.jobs.farm.cluster import connect, leave
from lorasmith.jobs.farm.shards import _Cluster, surroundings
from lorasmith.stages.prune import shards as measuring
from lorasmith.stages.tag import shards as scoring
from lorasmith.stages.tag.scores import _alone
from lorasmith.taggers.open import open_tagger

jobs, pictures, tagger = map(Path, sys.argv[1:])
(jobs / "logs").mkdir(parents=True)
files = sorted(pictures.iterdir())
taggers = [open_tagger(str(tagger))]
alone = [[vector.astype("<f2").tobytes() for vector in each.scores] for each in _alone(taggers, files, 8)]
measures = list(measuring.measure_shared(pictures, files))
cluster = connect(jobs, workers=2)
leave(cluster, jobs, end=False)
os.environ |= surroundings(cluster.address, {"num_cpus": 1})
scoring._PIECE = measuring._PIECE = 8
here = [0]
own = scoring._scored
def counted(taggers, piece):
    here[0] += 1
    return own(taggers, piece)
scoring._scored = counted
looks, take = [0], _Cluster.take
def patient(cluster, asked, done):
    looks[0] += 1
    end = time.monotonic() + 200
    take(cluster, asked, done)
    while looks[0] == 2 and not done and time.monotonic() < end:  # a busy machine does all itself before its workers have begun
        time.sleep(0.2)
        take(cluster, asked, done)
_Cluster.take = patient
shared = [[vector.astype("<f2").tobytes() for vector in each.scores] for each in scoring.score_shared(pictures, taggers, files, 8)]
again = list(measuring.measure_shared(pictures, files))
leave(cluster, jobs, end=True)
print(json.dumps({"scores": shared == alone, "measures": again == measures, "pieces": len(files) // 8, "here": here[0]}))
"""


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_scores_and_measures_of_a_cluster_are_those_of_home(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason='no Ray here: `pip install -c constraints.txt -e ".[farm]"`')
    (tmp_path / "pictures").mkdir()
    for number in range(160):
        Image.effect_noise((200 + number, 220), 70).convert("RGB").save(tmp_path / "pictures" / f"{number:03d}.png")
    words: list[Any] = [sys.executable, "-c", SHARED, tmp_path / "jobs", tmp_path / "pictures", model_files()[1]]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=380, env=dict(os.environ))
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout.splitlines()[-1])
    assert told["scores"] and told["measures"]
    assert 0 < told["here"] < told["pieces"], "some were done by others"
