"""install.py, run for real: real venvs and the real pip, on a small scene of packages made here, with no network."""

import ast
import base64
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).parent.parent
BACKEND = '''
import base64, hashlib, zipfile
from pathlib import Path

def get_requires_for_build_editable(config_settings=None):
    return []

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    import wheels
    extras = {"cpu": "onnxruntime", "gpu": "onnxruntime-gpu", "dev": None}
    return wheels.make(Path(wheel_directory), "lorasmith", "1", {"lorasmith.pth": str(Path.cwd())}, extras)
'''
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "lorasmith"
version = "1"
"""
MAIN = """
import json, os, sys
print(json.dumps({"words": sys.argv[1:], "folder": os.getcwd(), "path": os.environ.get("PYTHONPATH")}))
sys.exit(7 if "fail" in sys.argv else 0)
"""


def make(folder: Path, name: str, version: str, files: dict[str, str], extras: dict[str, str | None]) -> str:
    """Writes a wheel: a zip of the files with its metadata and its record; returns its file name."""
    distribution = name.replace("-", "_")
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    for extra, requirement in extras.items():
        metadata += f"Provides-Extra: {extra}\n"
        metadata += f'Requires-Dist: {requirement}; extra == "{extra}"\n' if requirement else ""
    info = f"{distribution}-{version}.dist-info"
    wheel = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    everything = {**files, f"{info}/METADATA": metadata, f"{info}/WHEEL": wheel}
    record = ""
    file_name = f"{distribution}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(folder / file_name, "w") as archive:
        for path, text in everything.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record += f"{path},sha256={digest},{len(text.encode())}\n"
            archive.writestr(path, text)
        archive.writestr(f"{info}/RECORD", record + f"{info}/RECORD,,\n")
    return file_name


def publish(index: Path, name: str, version: str, files: dict[str, str]) -> None:
    """Puts a wheel into a folder that pip reads as a package index."""
    folder = index / name
    folder.mkdir(parents=True, exist_ok=True)
    make(folder, name, version, files, {})
    links = "".join(f'<a href="{path.name}">{path.name}</a>' for path in sorted(folder.glob("*.whl")))
    (folder / "index.html").write_text(f"<!DOCTYPE html><html><body>{links}</body></html>", encoding="utf-8")


class Scene:
    """A repository in a folder with a space in its name, an index of packages beside it, and an empty home."""

    def __init__(self, root: Path) -> None:
        self.here = root / "lora smith"
        self.index, self.other_index = root / "index", root / "other"
        self.venv = self.here / ".venv"
        (self.here / "lorasmith").mkdir(parents=True)
        (root / "home").mkdir()
        self.write("install.py", (REPOSITORY / "install.py").read_text(encoding="utf-8"))
        self.write("pyproject.toml", PYPROJECT)
        self.write("backend.py", BACKEND)
        test = Path(__file__).read_text(encoding="utf-8")
        source = next(ast.unparse(node) for node in ast.parse(test).body if getattr(node, "name", "") == "make")
        self.write("wheels.py", "import base64, hashlib, zipfile\nfrom pathlib import Path\n\n" + source)
        self.write("constraints.txt", "torch==1.0\nonnxruntime==2.0\nonnxruntime-gpu==2.0\n")
        self.write("lorasmith/__init__.py", "")
        self.write("lorasmith/__main__.py", MAIN)
        publish(self.index, "torch", "1.0", {"torch.py": "__version__ = '1.0'"})
        publish(self.other_index, "torch", "1.0+other", {"torch.py": "__version__ = '1.0+other'"})
        publish(self.index, "onnxruntime", "2.0", {"onnxruntime/__init__.py": "__version__ = '2.0'"})
        publish(self.index, "onnxruntime-gpu", "2.0", {"onnxruntime/__init__.py": "__version__ = '2.0'"})
        kept = {n: v for n, v in os.environ.items() if not n.startswith("PIP_") and n != "TORCH_INDEX_URL"}
        self.environment = {
            **kept,
            "HOME": str(root / "home"),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": self.index.as_uri(),
            "PIP_NO_CACHE_DIR": "1",
            "PYTHONPATH": "/a/host",
            "PATH": f"{root / 'bin'}{os.pathsep}{os.environ['PATH']}",
        }

    def write(self, name: str, text: str) -> None:
        (self.here / name).write_text(text, encoding="utf-8")

    def command(self, *words: str) -> list[str]:
        return [sys.executable, str(self.here / "install.py"), *words]

    def install(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words), env=self.environment, capture_output=True, text=True, cwd=self.here.parent
        )

    def pip(self, *words: str) -> str:
        python = self.venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        done = subprocess.run(
            [python, "-m", "pip", *words], env=self.environment, capture_output=True, text=True, check=True
        )
        return done.stdout


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A scene that is set up once; tests that change it run the installer again and so leave it whole."""
    scene = Scene(tmp_path_factory.mktemp("scene"))
    first = scene.install("demo", "--json")
    assert first.returncode == 0, first.stderr
    assert "1/4" in first.stderr and "4/4" in first.stderr
    assert json.loads(first.stdout)["words"] == ["demo", "--json"]
    return scene


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("install", REPOSITORY / "install.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_second_call_says_nothing_and_runs_the_command_at_once(scene: Scene) -> None:
    started = time.monotonic()
    second = scene.install("tag", "a folder", "--threshold", "0.3")
    assert time.monotonic() - started < 2
    assert second.stderr == ""
    answer = json.loads(second.stdout)
    assert answer["words"] == ["tag", "a folder", "--threshold", "0.3"]
    assert answer["folder"] == str(scene.here.parent)
    assert answer["path"] is None


def test_the_exit_code_of_the_command_is_passed_on(scene: Scene) -> None:
    assert scene.install("fail").returncode == 7


def test_changed_constraints_are_installed(scene: Scene) -> None:
    publish(scene.index, "onnxruntime", "2.1", {"onnxruntime/__init__.py": "__version__ = '2.1'"})
    before = (scene.here / "constraints.txt").read_text(encoding="utf-8")
    scene.write("constraints.txt", before.replace("onnxruntime==2.0", "onnxruntime==2.1"))
    again = scene.install("demo")
    assert again.returncode == 0 and "3/4" in again.stderr and "anew" not in again.stderr
    assert "onnxruntime==2.1" in scene.pip("freeze")


def test_two_onnxruntimes_are_mended_to_the_one_that_serves_the_machine(scene: Scene) -> None:
    scene.pip("install", "onnxruntime-gpu")
    (scene.venv / "setup.json").unlink()
    assert scene.install("demo").returncode == 0
    frozen = scene.pip("freeze")
    assert "onnxruntime==" in frozen and "onnxruntime-gpu==" not in frozen


def test_an_onnxruntime_that_lost_its_files_is_mended(scene: Scene) -> None:
    next(scene.venv.rglob("onnxruntime/__init__.py")).unlink()
    (scene.venv / "setup.json").unlink()
    again = scene.install("demo")
    assert again.returncode == 0 and "mending onnxruntime" in again.stderr


@pytest.mark.skipif(os.name == "nt" or os.uname().machine != "x86_64", reason="the stand-in card needs Linux x86_64")
def test_a_machine_with_a_card_gets_the_gpu_runtime_and_without_it_the_other_again(scene: Scene) -> None:
    tool = scene.here.parent / "bin" / "nvidia-smi"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho 'GPU 0: NVIDIA H0'\n", encoding="utf-8")
    tool.chmod(0o755)
    assert scene.install("demo").returncode == 0
    frozen = scene.pip("freeze")
    assert "onnxruntime-gpu==2.0" in frozen and "onnxruntime==" not in frozen
    tool.unlink()
    assert scene.install("demo").returncode == 0
    frozen = scene.pip("freeze")
    assert "onnxruntime-gpu==" not in frozen and "onnxruntime==" in frozen


def test_another_torch_index_changes_the_build_and_is_remembered(scene: Scene) -> None:
    assert scene.install("--torch-index", scene.other_index.as_uri(), "demo").returncode == 0
    assert "torch==1.0+other" in scene.pip("freeze")
    later = scene.install("demo")
    assert later.stderr == ""
    back = scene.install("demo", f"--torch-index={scene.index.as_uri()}")
    assert back.returncode == 0 and json.loads(back.stdout)["words"] == ["demo"]
    assert "torch==1.0\n" in scene.pip("freeze")


def test_a_failed_step_ends_with_pips_last_words_and_a_sentence_and_the_next_call_goes_on(scene: Scene) -> None:
    whole = (scene.here / "constraints.txt").read_text(encoding="utf-8")
    scene.write("constraints.txt", whole.replace("torch==1.0", "torch==9.9"))
    failed = scene.install("demo")
    assert failed.returncode == 1 and failed.stdout == ""
    assert "No matching distribution found for torch==9.9" in failed.stderr
    assert "--torch-index URL" in failed.stderr.splitlines()[-1]
    scene.write("constraints.txt", whole)
    assert scene.install("demo").returncode == 0


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_set_up_killed_half_way_is_made_anew(scene: Scene) -> None:
    (scene.venv / "setup.json").unlink()
    child = subprocess.Popen(scene.command("demo"), env=scene.environment, stderr=subprocess.PIPE)
    assert child.stderr
    while b"3/4" not in child.stderr.readline():
        pass
    child.kill()
    child.communicate()
    again = scene.install("demo")
    assert again.returncode == 0 and "anew" in again.stderr
    assert scene.install("demo").stderr == ""


def test_a_venv_that_lost_its_python_is_made_anew(scene: Scene) -> None:
    for python in [*scene.venv.glob("bin/python*"), *scene.venv.glob("Scripts/python*")]:
        python.unlink()
    again = scene.install("demo")
    assert again.returncode == 0 and "anew" in again.stderr


def test_setup_sets_up_and_runs_nothing(scene: Scene) -> None:
    done = scene.install("setup")
    assert (done.returncode, done.stdout) == (0, "")


def test_the_hook_says_one_line_and_succeeds_set_up_or_not(scene: Scene, tmp_path: Path) -> None:
    bare = tmp_path / "install.py"
    bare.write_text((REPOSITORY / "install.py").read_text(encoding="utf-8"), encoding="utf-8")
    unset = subprocess.run([sys.executable, str(bare)], capture_output=True, text=True)
    done = scene.install()
    assert (unset.returncode, done.returncode) == (0, 0)
    assert len(unset.stdout.splitlines()) == len(done.stdout.splitlines()) == 1
    assert "not set up" in unset.stdout and "not set up" not in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["install.py"]


def test_the_file_parses_on_python_3_8() -> None:
    ast.parse((REPOSITORY / "install.py").read_text(encoding="utf-8"), feature_version=(3, 8))


def test_an_old_python_is_told_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["install.py", "demo"])
    install = load()
    with pytest.raises(install.SetupError, match=r"needs Python 3\.11 or newer, this is 3\.9: .*python\.org.*py demo"):
        install.demand_python((3, 9))
    install.demand_python((3, 11))


@pytest.mark.parametrize(
    ("output", "advice"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("The virtual environment was not created because ensurepip is not available.", "apt install python3-venv"),
        ("Failed to establish a new connection\nNo matching distribution found for torch==2", "network"),
        ("Max retries exceeded (Caused by SSLError(CERTIFICATE_VERIFY_FAILED))", "PIP_CERT"),
        ("ERROR: No matching distribution found for torch==2.13.0", "--torch-index"),
        ("ERROR: No matching distribution found for numpy==2.4.6", "64-bit Python"),
        ("PermissionError: [WinError 5] Access is denied", "end every running lorasmith"),
        ("ImportError: DLL load failed while importing", "Visual C++"),
        ("something nobody foresaw", "delete the folder .venv"),
    ],
)
def test_a_fault_of_pip_becomes_a_sentence(output: str, advice: str) -> None:
    assert advice in load().explain(output)


def test_the_options_of_the_installer_are_taken_out_of_the_commands_words() -> None:
    install = load()
    assert install.split_options(["--torch-index", "U", "test", "-k", "x"]) == (["test", "-k", "x"], "U")
    assert install.split_options(["run", "D", "--torch-index=U"]) == (["run", "D"], "U")
    with pytest.raises(install.SetupError, match="needs the URL"):
        install.split_options(["demo", "--torch-index"])


def test_tests_run_in_two_processes_unless_told_otherwise() -> None:
    install = load()
    assert install.command_for(["test", "-x"])[1:] == ["-m", "pytest", "-n", "2", "--dist", "loadfile", "-x"]
    assert install.command_for(["test", "-n0"])[1:] == ["-m", "pytest", "-n0"]


def test_the_constraints_pin_torch_without_a_local_suffix_and_name_no_path() -> None:
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert "torch==2.13.0" in pins
    assert all("==" in pin and "+" not in pin and "/" not in pin for pin in pins)
    assert not [pin for pin in pins if pin.lower().startswith(("nvidia-", "triton"))]
