"""The command line as a person meets it: help, results, sentences, exit codes."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from lorasmith.cli import main
from lorasmith.demo.server import DemoBooru
from lorasmith.demo.server_faults import Fault
from lorasmith.project.project import Project
from lorasmith.stages.table import STAGES
from tests.road import make_project


def call(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Runs a command in this process; gives its exit code, standard output and standard error."""
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


def test_help_names_every_stage_and_tool(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "--help")
    assert code == 0
    for name in [*(stage.name for stage in STAGES), "demo", "new", "add", "run", "check", "inspect", "doctor", "undo", "redo"]:
        assert f" {name} " in out


@pytest.mark.parametrize("stage", [stage.name for stage in STAGES])
def test_a_stages_help_lists_its_settings(
    capsys: pytest.CaptureFixture[str], stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lorasmith.settings.tables import TABLES

    monkeypatch.setenv("COLUMNS", "300")  # long names are broken over two lines of a narrow terminal
    code, out, _ = call(capsys, stage, "--help")
    assert code == 0
    for name in TABLES[stage].model_fields:
        assert f"--{name.replace('_', '-')}" in out


def test_a_new_project_is_told_as_one_json_object(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, err = call(capsys, "new", tmp_path / "p", "--trigger", "zorvex", "--json")
    assert code == 0 and err == ""
    assert Path(json.loads(out)["settings"]).is_file()


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["history", "{here}/nothing"], 1, "`lorasmith new` makes one"),
        (["trian", "{here}"], 2, 'Did you mean "train"'),
        (["train", "{project}", "--rnak", "4"], 2, "Did you mean --rank"),
        (["train", "{project}", "--rank", "0"], 2, "greater than or equal to 1"),
        (["train", "{project}", "--rank", "many"], 2, "--rank"),
        (["new", "{project}", "--trigger", "other"], 1, "already a project"),
        (["new", "{here}/q", "--trigger", "a, b"], 2, "letters, digits"),
        (["new", "{here}/q", "--trigger", "zorvex", "--preset", "quik"], 2, "did you mean 'quick'"),
        (["keep", "{project}", "nobody"], 1, "no picture named 'nobody'"),
        (["keep", "{project}"], 2, "Name the pictures to keep"),
        (["undo", "{project}"], 1, "nothing to undo"),
        (["redo", "{project}"], 1, "nothing to redo"),
        (["add", "{project}", "{here}/nowhere"], 2, "is not a folder"),
        (["run", "{project}", "--from", "train", "--to", "prune"], 2, "comes after"),
        (["run", "{project}", "--from", "trian"], 2, "did you mean 'train'"),
        (["inspect", "{here}/none.safetensors"], 1, "none.safetensors"),
        (["evaluate", "{project}"], 2, "run `lorasmith train` first"),
        (["tag", "{project}", "--tagger", "wd-swin"], 1, "wd-swin"),
    ],
)
def test_wrong_words_get_a_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: list[str], code: int, sentence: str
) -> None:
    Project.create(tmp_path / "project", "zorvex").close()
    filled = [word.format(here=tmp_path, project=tmp_path / "project") for word in words]
    got, _, err = call(capsys, *filled)
    assert got == code, err
    assert sentence.lower() in err.lower() and "Traceback" not in err


def test_one_command_makes_the_project_and_the_same_command_goes_on_with_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, booru: DemoBooru, tiny_base: Path
) -> None:
    booru.faults.clear()
    words = ["run", tmp_path / "p", "--trigger", "zorvex", "--preset", "quick", "--site-url", booru.url]
    code, _, err = call(capsys, *words)
    assert code == 1 and "No base model is set" in err
    words += ["--checkpoint", tiny_base, "--to", "download"]
    code, out, err = call(capsys, *words, "--json")
    assert code == 0, err
    assert json.loads(out)["download"]["fetched"] > 0
    code, out, _ = call(capsys, *words, "--json")
    assert json.loads(out)["download"].startswith("skipped")
    code, _, err = call(capsys, "run", tmp_path / "p", "--trigger", "other")
    assert code == 2 and "choose another folder" in err


def test_an_error_is_json_too_when_asked(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = call(capsys, "history", tmp_path, "--json")
    assert json.loads(out)["exit_code"] == code == 1


def test_a_pickle_checkpoint_is_refused_and_a_truncated_one_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, tiny_base: Path
) -> None:
    import pickle

    (tmp_path / "old.ckpt").write_bytes(pickle.dumps({"state_dict": {}}))
    whole = tiny_base.read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    for name, word in (("old.ckpt", "pickle"), ("cut.safetensors", "cut.safetensors")):
        code, _, err = call(capsys, "inspect", tmp_path / name)
        assert code == 1 and word in err and "Traceback" not in err
        Project.create(tmp_path / f"p-{name}", "zorvex", chosen={"train": {"checkpoint": str(tmp_path / name)}}).close()
        code, out, _ = call(capsys, "check", tmp_path / f"p-{name}", "--json")
        assert code == 1 and any(word in fault for fault in json.loads(out)["errors"])


def test_a_second_process_on_the_same_project_is_told_to_wait(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with Project.create(tmp_path / "p", "zorvex"):
        code, _, err = call(capsys, "prune", tmp_path / "p")
        assert code == 1 and "Another lorasmith is working on" in err
        code, _, _ = call(capsys, "history", tmp_path / "p")
        assert code == 0


def test_a_broken_picture_is_named_and_the_others_are_added(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    Image.effect_noise((300, 300), 80).convert("RGB").save(folder / "good.png")
    (folder / "good.txt").write_text("zorvex, standing", encoding="utf-8")
    (folder / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"0" * 100)
    Project.create(tmp_path / "p", "zorvex").close()
    code, out, _ = call(capsys, "add", tmp_path / "p", folder, "--json")
    told = json.loads(out)
    assert code == 0 and told["added"] == told["with_tags"] == 1 and "bad.png" in told["failed"][0]
    code, out, _ = call(capsys, "add", tmp_path / "p", folder, "--json")
    assert json.loads(out)["already"] == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("suffix", [".txt", ".caption"])
def test_sidecars_are_read_in_the_usual_encodings(tmp_path: Path, encoding: str, suffix: str) -> None:
    from lorasmith.stages.add.stage import read_sidecar

    (tmp_path / "a.png").with_suffix(suffix).write_bytes("café, blue eyes".encode(encoding))
    assert list(read_sidecar(tmp_path / "a.png")[0]) == ["café", "blue_eyes"]


def test_what_marks_minors_is_counted_and_not_copied(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    Image.effect_noise((300, 300), 80).convert("RGB").save(folder / "one.png")
    (folder / "one.json").write_text(json.dumps({"tags": {"general": ["Cub"]}}), encoding="utf-8")
    Project.create(tmp_path / "p", "zorvex").close()
    code, out, _ = call(capsys, "add", tmp_path / "p", folder, "--json")
    assert code == 0 and json.loads(out)["refused"] == 1 and not list((tmp_path / "p" / "images").iterdir())
    code, _, err = call(capsys, "new", tmp_path / "q", "--trigger", "cub")
    assert code == 1 and "minors" in err and "cub" not in err
    code, _, err = call(capsys, "research", tmp_path / "p", "--query", "zorvex young", "--site-url", "http://127.0.0.1:9")
    assert code == 1 and "minors" in err


def test_a_booru_that_answers_with_a_web_page_stops_the_download(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, booru: DemoBooru, tiny_base: Path
) -> None:
    booru.faults.clear()
    make_project(tmp_path / "p", booru.url, tiny_base).close()
    booru.faults.add(Fault("page", "/posts", times=3, status=200))
    code, _, err = call(capsys, "download", tmp_path / "p")
    booru.faults.clear()
    assert code == 1 and "web page" in err and "Traceback" not in err


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="mounts a small disk")
def test_a_full_disk_is_a_sentence_and_loses_nothing(tmp_path: Path, booru: DemoBooru, tiny_base: Path) -> None:
    booru.faults.clear()
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", str(disk)], capture_output=True).returncode:
        pytest.skip("no right to mount here")
    try:
        make_project(disk / "p", booru.url, tiny_base).close()
        (disk / "ballast").write_bytes(b"0" * 900_000)
        command = [sys.executable, "-m", "lorasmith", "run", str(disk / "p"), "--to", "prepare"]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert ended.returncode == 1 and "Traceback" not in ended.stderr, ended.stderr[-2000:]
        assert "free" in ended.stderr.lower()
        shutil.copytree(disk / "p", tmp_path / "moved")
        with Project.open(tmp_path / "moved") as project:
            for picture in project.pictures.originals():
                assert project.file_of(picture).stat().st_size == picture.bytes
    finally:
        subprocess.run(["umount", str(disk)], check=False)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_ctrl_c_ends_with_a_line_that_says_how_to_go_on(tmp_path: Path, booru: DemoBooru, tiny_base: Path) -> None:
    booru.faults.clear()
    make_project(tmp_path / "p", booru.url, tiny_base).close()
    command = [sys.executable, "-m", "lorasmith", "run", str(tmp_path / "p")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list((tmp_path / "p" / "images").glob("*")) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "run the same command again" in err and "Traceback" not in err


def test_doctor_says_a_line_for_everything(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = call(capsys, "doctor", "--json")
    told = json.loads(out)
    assert [line["what"] for line in told["findings"]] == ["Python", "torch", "GPU", "trainer", "onnxruntime", "disk"]
    assert all(line["seen"] for line in told["findings"])


def test_results_are_utf_8_whatever_the_terminal_says(tmp_path: Path) -> None:
    Project.create(tmp_path / "p", "zörvex").close()
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "lorasmith", "new", str(tmp_path / "ü"), "--trigger", "zörvex", "--json"]
    ended = subprocess.run(command, capture_output=True, env=environment, timeout=60)
    assert "ü" in json.load(io.StringIO(ended.stdout.decode("utf-8")))["project"]


def test_what_marks_minors_is_found_in_folders_between_and_in_every_sidecar(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    (folder / "loli").mkdir(parents=True)
    for number, name in enumerate(["loli/a.png", "b.png", "c.png"]):
        Image.effect_noise((300, 300), 40 + number).convert("RGB").save(folder / name)
    (folder / "b.txt").write_text("solo", encoding="utf-8")
    (folder / "b.json").write_text(json.dumps({"tags": ["loli"]}), encoding="utf-8")
    Project.create(tmp_path / "p", "zorvex").close()
    code, out, _ = call(capsys, "add", tmp_path / "p", folder, "--json")
    told = json.loads(out)
    assert code == 0 and (told["added"], told["refused"]) == (1, 2)


def test_the_projects_own_pictures_are_not_added_to_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    Image.effect_noise((300, 300), 40).convert("RGB").save(tmp_path / "a.png")
    Project.create(tmp_path / "p", "zorvex").close()
    assert json.loads(call(capsys, "add", tmp_path / "p", tmp_path, "--json")[1])["added"] == 1
    again = json.loads(call(capsys, "add", tmp_path / "p", tmp_path, "--json")[1])
    assert (again["found"], again["already"]) == (1, 1)


def test_the_demo_leaves_a_project_of_ones_own_alone(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    Project.create(tmp_path / "p", "zorvex").close()
    before = (tmp_path / "p" / "lorasmith.toml").read_text(encoding="utf-8")
    code, _, err = call(capsys, "demo", tmp_path / "p")
    assert code == 2 and "project of your own" in err
    assert (tmp_path / "p" / "lorasmith.toml").read_text(encoding="utf-8") == before


def test_a_slip_of_the_pen_in_an_option_is_no_tag(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, told = call(capsys, "tags", "edit", tmp_path, "add", "smile", "--previw")
    assert code == 2 and "There is no option --previw" in told


def test_a_reader_that_has_read_enough_is_no_fault(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "lorasmith", "doctor"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None and child.stderr is not None
        child.stdout.close()
        told = child.stderr.read().decode("utf-8", errors="replace")
    assert "Traceback" not in told
