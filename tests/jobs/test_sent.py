"""A project that is sent elsewhere and brought home: without a cluster, the two halves against each other."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lorasmith.errors import ProjectError
from lorasmith.jobs.farm.copy import Copy
from lorasmith.jobs.farm.home import Home, Moment
from lorasmith.jobs.farm.parcels import cut, inside, listed, packed, unpacked
from lorasmith.project.pictures import Caption
from lorasmith.project.project import Project
from tests.ui.trainable import make_trainable


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "data"))
    return make_trainable(tmp_path / "zorvex", None)


def sent(home: Home) -> Copy:
    copy = Copy(home.folder.name)
    moment = home.begin()
    for bundle in home.bundles(moment):
        copy.take(bundle)
    copy.complete(json.loads(json.dumps(moment.files)))
    return copy


def bring(home: Home, copy: Copy, *, apply: bool = True) -> bool:
    moment = Moment.read(copy.moment())
    assert moment is not None
    change = home.change_to(moment)
    for parts in home.parts(change):
        home.keep(copy.give(parts))
    still = copy.still({name: state for name, state in moment.files.items() if name in change.come})
    if still and apply:
        home.apply(change)
    return still


def record(folder: Path) -> list[str]:
    with Project.open(folder, writing=False) as project:
        return [each.text for each in project.pictures.captions("default").values()]


def test_what_was_done_to_the_copy_is_at_home_afterwards_with_the_same_times_and_the_rest_untouched(project: Path) -> None:
    (project / "cache").mkdir()
    (project / "cache" / "big.bin").write_bytes(b"1")
    home = Home(project)
    copy = sent(home)
    assert listed(copy.folder) == listed(project)
    assert not (copy.folder / "cache").exists(), "what can be made again is not sent"
    with Project.open(copy.folder) as there, there.change("tag", "tag"):
        there.pictures.set_caption("default", Caption("own_00", "nick, changed"))
        (there.folder / "loras" / "nick.safetensors").write_bytes(os.urandom(5_000_000))
        (there.folder / "images" / "own_01.png").unlink()
    untouched = (project / "images" / "own_02.png").stat()
    assert bring(home, copy)
    assert listed(project) == listed(copy.folder)
    assert "nick, changed" in record(project)
    assert (project / "images" / "own_02.png").stat() == untouched
    assert (project / "cache" / "big.bin").exists()
    home.end()
    copy.remove()
    assert not list((project / "cache").glob("away")) and not copy.folder.parent.exists()


def test_a_file_that_a_person_changed_at_home_meanwhile_stays_as_it_is(project: Path) -> None:
    sheet = project / "info.md"
    sheet.write_text("one\n", encoding="utf-8")
    home = Home(project)
    copy = sent(home)
    sheet.write_text("by hand\n", encoding="utf-8")
    (copy.folder / "info.md").write_text("by the machine\n", encoding="utf-8")
    (copy.folder / "other.txt").write_text("new\n", encoding="utf-8")
    assert bring(home, copy)
    assert sheet.read_text(encoding="utf-8") == "by hand\n"
    assert (project / "other.txt").read_text(encoding="utf-8") == "new\n"
    (copy.folder / "info.md").write_text("by the machine again\n", encoding="utf-8")
    assert bring(home, copy) and sheet.read_text(encoding="utf-8") == "by hand\n"


def test_a_queue_that_is_killed_before_the_list_is_done_does_the_rest_of_it_at_its_next_start(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(project)
    copy = sent(home)
    for number in range(6):
        (copy.folder / f"new_{number}.txt").write_text(str(number), encoding="utf-8")
    with Project.open(copy.folder) as there, there.change("tag", "tag"):
        there.pictures.set_caption("default", Caption("own_00", "nick, changed"))

    moved: list[str] = []

    def killed(came: Path, place: Path) -> None:
        if len(moved) == 3:
            raise KeyboardInterrupt
        moved.append(place.name)
        os.replace(came, place)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("lorasmith.jobs.farm.home.move_into_place", killed)
        bring(home, copy)
    assert len(list(project.glob("new_*"))) == 3 and "nick, changed" not in record(project), "half of it is at home"
    second = Home(project)
    second.take_up()
    assert len(list(project.glob("new_*"))) == 6 and "nick, changed" in record(project)
    (copy.folder / "new_0.txt").write_text("later", encoding="utf-8")
    assert bring(second, copy)
    assert (project / "new_0.txt").read_text(encoding="utf-8") == "later", "what the list wrote is not taken for a person's"


def test_a_project_that_was_changed_at_home_while_no_queue_held_it_is_not_overwritten(project: Path) -> None:
    copy = sent(Home(project))
    Home(project).take_up()
    with Project.open(project) as there, there.change("tag", "by hand"):
        there.pictures.set_caption("default", Caption("own_00", "nick, mine"))
    with pytest.raises(ProjectError, match="was changed here while another machine worked on a copy"):
        Home(project).take_up()
    copy.remove()


def test_what_is_written_anew_while_it_is_fetched_is_not_taken_and_what_only_grows_is(project: Path) -> None:
    home = Home(project)
    copy = sent(home)
    log, model = copy.folder / "events.jsonl", copy.folder / "model.bin"
    log.write_text("1\n", encoding="utf-8")
    model.write_bytes(b"old")
    moment = Moment.read(copy.moment())
    assert moment is not None
    with log.open("a", encoding="utf-8") as file:
        file.write("2\n")
    assert copy.still({"events.jsonl": moment.files["events.jsonl"]})
    model.with_suffix(".other").write_bytes(b"newer")
    model.with_suffix(".other").replace(model)
    assert not copy.still({"model.bin": moment.files["model.bin"]})
    change = home.change_to(moment)
    for parts in home.parts(change):
        home.keep(copy.give(parts))
    home.apply(change)
    assert (project / "events.jsonl").read_text(encoding="utf-8") == "1\n", "no more of it than that moment had"


def test_a_moment_is_told_between_two_commits_of_a_command_that_writes_all_the_time(project: Path) -> None:
    home = Home(project)
    copy = sent(home)
    writer = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from lorasmith.project.pictures import Caption\n"
        "from lorasmith.project.project import Project\n"
        "with Project.open(Path(sys.argv[1])) as p:\n"
        "    for n in range(150):\n"
        "        (p.folder / f'n_{n}.txt').write_text(str(n))\n"
        "        with p.change('t', 't'): p.pictures.set_caption('default', Caption('own_00', f'nick, {n}'))\n"
        "        time.sleep(0.02)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", writer, str(copy.folder)])
    brought = 0
    while child.poll() is None:
        moment = Moment.read(copy.moment())
        if moment is None:
            continue
        change = home.change_to(moment)
        for parts in home.parts(change):
            home.keep(copy.give(parts))
        home.apply(change)
        said = [int(text.split(", ")[1]) for text in record(project) if text.split(", ")[1].isdigit()]
        if said:
            assert (project / f"n_{said[0]}.txt").exists(), "the record speaks of nothing that is not there"
            brought += 1
    assert child.returncode == 0 and brought > 2
    assert bring(home, copy) and len(list(project.glob("n_*.txt"))) == 150


def test_copies_of_workers_that_are_no_more_are_removed_and_others_stay(project: Path) -> None:
    code = "from lorasmith.jobs.farm.copy import Copy; print(Copy('p').folder)"
    left = Path(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip())
    mine = Copy("p")
    assert not left.exists()
    other = Copy("p")
    assert mine.folder.is_dir() and other.folder.is_dir() and mine.folder != other.folder
    if sys.platform != "win32":
        assert oct(mine.folder.parent.stat().st_mode & 0o777) == "0o700"


@pytest.mark.parametrize("name", ["../out.txt", "/etc/x", "a/../../b", "", ".", "a\\..\\b", "a/.."])
def test_a_name_that_leads_out_of_the_project_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ProjectError, match="not in the project"):
        inside(tmp_path / "p", name)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from([0, 1, 7, 100, 4095, (4 << 20) - 3, 4 << 20, (9 << 20) + 5]), min_size=0, max_size=6))
def test_bundles_hold_every_byte_once_in_order_and_are_small(tmp_path: Path, sizes: list[int]) -> None:
    files = {f"f{number}.bin": os.urandom(min(size, 64)) * (size // 64) + os.urandom(size % 64) for number, size in enumerate(sizes)}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    came = dict.fromkeys(files, b"")
    for parts in cut({name: len(content) for name, content in files.items()}):
        bundle = packed(parts, {name: tmp_path / name for name in files})
        assert len(bundle) < 5 << 20
        for name, offset, data in unpacked(bundle):
            assert offset == len(came[name])
            came[name] += data
    assert came == files
