"""Files are whole or not there, also when the process or the disk ends in the middle."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lorasmith.errors import DiskFull
from lorasmith.files import demand_space, md5_of, remove_begun, sha256_of, write_atomic


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(content=st.one_of(st.binary(max_size=5000), st.text(st.characters(exclude_categories=["Cs"]), max_size=500)))
def test_what_is_written_is_read_back_byte_for_byte(tmp_path: Path, content: bytes | str) -> None:
    file = tmp_path / "deep" / "er" / "file.bin"
    write_atomic(file, content)
    assert file.read_bytes() == (content.encode("utf-8") if isinstance(content, str) else content)
    assert list(file.parent.iterdir()) == [file]


def test_the_digests_are_those_of_hashlib(tmp_path: Path) -> None:
    data = os.urandom((1 << 20) + 17)
    (tmp_path / "f").write_bytes(data)
    assert sha256_of(tmp_path / "f") == hashlib.sha256(data).hexdigest()
    assert md5_of(tmp_path / "f") == hashlib.md5(data).hexdigest()


def test_a_rename_waits_for_whoever_holds_the_file_for_a_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = iter([True, True, False])
    rename = os.replace

    def replace(source: Path, target: Path) -> None:
        if next(held):
            raise PermissionError(13, "held by a scanner")
        rename(source, target)

    monkeypatch.setattr(os, "replace", replace)
    write_atomic(tmp_path / "f", b"whole")
    assert (tmp_path / "f").read_bytes() == b"whole" and list(tmp_path.iterdir()) == [tmp_path / "f"]


_WRITER = """
import sys
from pathlib import Path
from lorasmith.files import write_atomic
number = 0
while True:
    write_atomic(Path(sys.argv[1]), bytes([number % 251]) * 200_000)
    if number == 0:
        sys.stdout.write("begun\\n"); sys.stdout.flush()
    number += 1
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL")
def test_a_kill_in_the_middle_leaves_a_whole_file(tmp_path: Path) -> None:
    file = tmp_path / "file.bin"
    for wait in (0.0, 0.013, 0.031):
        with subprocess.Popen([sys.executable, "-c", _WRITER, str(file)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None and process.stdout.readline() == b"begun\n"
            time.sleep(wait)
            process.send_signal(signal.SIGKILL)
        content = file.read_bytes()
        assert len(content) == 200_000 and len(set(content)) == 1


def test_what_a_kill_left_half_written_is_removed_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(source: Path, target: Path) -> None:
        raise SystemExit

    own = [tmp_path / name for name in ("whole.png", "notes.tmp", "1-2.tmp", "a.1-2.tmp.png", "deep/a.safetensors")]
    for path in own:
        write_atomic(path, b"own")
    monkeypatch.setattr(os, "replace", killed)
    for path in (tmp_path / "whole.png", tmp_path / "deep" / "er" / "b"):
        with pytest.raises(SystemExit):
            write_atomic(path, b"half")
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == len(own) + 2
    remove_begun(tmp_path)
    remove_begun(tmp_path / "nowhere")
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(own)


def test_a_full_disk_is_a_sentence_and_the_old_file_stays(small_disk: Path) -> None:
    file = small_disk / "file.bin"
    write_atomic(file, b"old" * 1000)
    with pytest.raises(DiskFull, match="The disk is full: .*file.bin could not be written"):
        write_atomic(file, bytes(4 << 20))
    assert file.read_bytes() == b"old" * 1000
    assert list(small_disk.iterdir()) == [file]
    write_atomic(file, b"new")
    assert file.read_bytes() == b"new"


def test_room_is_asked_for_before_the_work(small_disk: Path) -> None:
    demand_space(small_disk, 1000)
    with pytest.raises(DiskFull, match="5 MB are to be written"):
        demand_space(small_disk, 5_000_000)


def test_a_fault_that_is_no_full_disk_stays_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(FileExistsError):
        write_atomic(tmp_path / "file" / "below.txt", "x")
