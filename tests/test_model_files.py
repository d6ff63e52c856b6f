"""Model files: told before, gone on with after a break, checked, remembered; against a hub on this machine."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import huggingface_hub.file_download
import pytest

from lorasmith.errors import DiskFull, ModelFileError
from lorasmith.model_files import fetch_model, remembered_sha256
from tests.model_hub import COMMIT, Hub

MODEL = bytes(range(256)) * 8000  # 2 MB
SHA256 = hashlib.sha256(MODEL).hexdigest()
LIST = b"tag_id,name,category,count\n1,solo,0,9\n"
FACTS: dict[str, Any] = {"revision": "main", "sha256": None, "megabytes": 2, "licence": "Apache-2.0"}


@pytest.fixture
def hub(hub: Hub) -> Hub:
    """A hub with one repository of a large and a small file."""
    hub.files.update({"some/tagger/model.onnx": MODEL, "some/tagger/tags.csv": LIST})
    hub.large.add("some/tagger/model.onnx")
    return hub


def fetched(folder: Path, told: list[str] | None = None, **other: Any) -> Path:
    tell = (told if told is not None else []).append
    return fetch_model("some/tagger", "model.onnx", tell=tell, folder=folder, **(FACTS | other))


def ranges(hub: Hub) -> list[str]:
    return [asked for method, path, asked in hub.asked if method == "GET"]


def test_size_licence_and_sha256_are_told_before_a_download(hub: Hub, tmp_path: Path) -> None:
    told: list[str] = []
    assert fetched(tmp_path, told).read_bytes() == MODEL
    assert told == [
        f"Fetching model.onnx of some/tagger: 2 MB, licence Apache-2.0, sha256 {SHA256}, once, into {tmp_path}."
    ]


def test_what_is_there_is_not_asked_for_again(hub: Hub, tmp_path: Path) -> None:
    fetched(tmp_path)
    asked = len(hub.asked)
    assert fetched(tmp_path, sha256=SHA256) == tmp_path / "model.onnx"
    assert len(hub.asked) == asked


def test_without_a_folder_it_lies_in_the_person_s_cache(hub: Hub) -> None:
    path = fetch_model("some/tagger", "tags.csv", tell=lambda sentence: None, **FACTS)
    assert path.read_bytes() == LIST
    assert path.parts[-3:] == ("models", "some--tagger", "tags.csv")


def test_a_hash_that_nobody_published_is_told_and_remembered(hub: Hub, tmp_path: Path) -> None:
    told: list[str] = []
    path = fetch_model("some/tagger", "tags.csv", tell=told.append, folder=tmp_path, **FACTS)
    sha256 = hashlib.sha256(LIST).hexdigest()
    assert told[-1] == f"tags.csv has sha256 {sha256}; it is remembered."
    record = json.loads((tmp_path / "tags.csv.source.json").read_text(encoding="utf-8"))
    assert (record["sha256"], record["commit"], record["licence"]) == (sha256, COMMIT, "Apache-2.0")
    assert remembered_sha256(path) == sha256


def test_a_later_change_on_this_machine_is_noticed(hub: Hub, tmp_path: Path) -> None:
    path = fetched(tmp_path)
    path.write_bytes(MODEL + b"x")
    assert remembered_sha256(path) == ""
    told: list[str] = []
    fetched(tmp_path, told)
    assert "has changed since it was fetched" in told[0] and SHA256 in told[0]


def test_a_later_change_on_the_hub_is_noticed(hub: Hub, tmp_path: Path) -> None:
    fetched(tmp_path).unlink()
    hub.files["some/tagger/model.onnx"] = MODEL + b"x"
    told: list[str] = []
    fetched(tmp_path, told)
    assert "is another file than last time" in told[-1] and SHA256 in told[-1]


def test_a_download_that_broke_off_goes_on_where_it_stopped(hub: Hub, tmp_path: Path) -> None:
    hub.break_after, hub.breaks = 700_000, 1
    assert fetched(tmp_path).read_bytes() == MODEL
    assert ranges(hub) == ["", "bytes=700000-"]


def test_after_a_killed_download_the_next_run_goes_on_where_it_stopped(hub: Hub, tmp_path: Path) -> None:
    hub.break_after = 1_100_000
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(huggingface_hub.file_download.time, "sleep", raise_interrupt)
        with pytest.raises(KeyboardInterrupt):
            fetched(tmp_path)
    (part,) = tmp_path.glob("*.part")
    assert part.stat().st_size == 1_100_000
    hub.break_after = None
    told: list[str] = []
    assert fetched(tmp_path, told).read_bytes() == MODEL
    assert ranges(hub)[-1] == "bytes=1100000-"
    assert "1 MB of it are already here" in told[0]
    assert not list(tmp_path.glob("*.part"))


def raise_interrupt(seconds: float) -> None:
    raise KeyboardInterrupt


def test_a_part_of_another_content_is_not_gone_on_with(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / f"model.onnx.{'0' * 16}.part").write_bytes(b"of an older model")
    assert fetched(tmp_path).read_bytes() == MODEL
    assert ranges(hub) == [""]


def test_damaged_bytes_are_thrown_away_with_both_hashes(hub: Hub, tmp_path: Path) -> None:
    hub.announced = "ab" * 32
    with pytest.raises(ModelFileError, match=f"arrived damaged: its sha256 is {SHA256}, and {hub.announced}"):
        fetched(tmp_path)
    assert not list(tmp_path.glob("*.part")) and not (tmp_path / "model.onnx").exists()


def test_another_file_than_the_known_one_is_refused_before_it_is_fetched(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="the hub has another file under this name by now"):
        fetched(tmp_path, sha256="12" * 32)
    assert ranges(hub) == []


def test_a_file_put_there_by_hand_is_taken_offline_and_checked(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(MODEL)
    assert fetched(tmp_path, sha256=SHA256) == tmp_path / "model.onnx"
    with pytest.raises(ModelFileError, match="has sha256 .* but lorasmith knows it with .*: delete "):
        fetched(tmp_path, sha256="12" * 32)


def test_offline_it_is_said_which_file_to_put_where(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=re.escape(f"Put model.onnx of the Hugging Face repository some/tagger into {tmp_path}")):
        fetched(tmp_path)


def test_a_hub_that_cannot_be_reached_is_a_sentence(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelFileError, match="could not be fetched .* what has arrived is kept"):
        fetched(tmp_path)


def test_a_hub_that_breaks_off_each_time_is_a_sentence_and_keeps_the_part(hub: Hub, tmp_path: Path) -> None:
    hub.break_after = 0
    with pytest.raises(ModelFileError, match="could not be fetched"):
        fetched(tmp_path)


def test_a_repository_with_terms_says_where_to_agree(hub: Hub, tmp_path: Path) -> None:
    hub.status = 403
    with pytest.raises(ModelFileError, match="asks for its terms to be agreed to first: open https://huggingface.co/some/tagger"):
        fetched(tmp_path)


def test_a_file_that_is_not_there_is_a_sentence(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"tags\.json of some/tagger could not be fetched"):
        fetch_model("some/tagger", "tags.json", tell=lambda sentence: None, folder=tmp_path, **FACTS)


def test_the_key_goes_to_the_hub_and_not_to_the_host_of_the_bytes(hub: Hub, tmp_path: Path) -> None:
    fetched(tmp_path)
    assert hub.keys == [""]


def test_too_little_room_is_told_before_a_byte_is_fetched(hub: Hub, small_disk: Path) -> None:
    with pytest.raises(DiskFull, match="2 MB are to be written"):
        fetched(small_disk)
    assert ranges(hub) == []


def test_a_disk_that_fills_up_meanwhile_keeps_the_part(hub: Hub, small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lorasmith.model_files.demand_space", lambda folder, needed: None)
    (small_disk / "something else").write_bytes(bytes(1_000_000))
    with pytest.raises(DiskFull, match="Free some space and run the same command again"):
        fetched(small_disk)
    (part,) = small_disk.glob("*.part")
    assert 0 < part.stat().st_size < len(MODEL)
