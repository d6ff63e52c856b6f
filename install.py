"""Sets lorasmith up in `.venv` beside this file, then runs a command in it. Standard library only.

    python install.py demo                  set up once, then `lorasmith demo`
    python install.py test [WORDS…]         set up once, then the tests (pytest)
    python install.py COMMAND [WORDS…]      set up once, then `lorasmith COMMAND`
    python install.py setup                 set up and do nothing else
    python install.py --torch-index URL …   the same with another build of torch (or the variable TORCH_INDEX_URL);
                                            remembered, so later calls need not repeat it
    python install.py                       the hook that a Stable Diffusion WebUI calls at every start: says one line

Set-up speaks on standard error, so that a command's `--json` stays alone on standard output.
The file must parse on Python 3.8: an old Python is told what it lacks, in a sentence.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
WINDOWS = os.name == "nt"
PYTHON = VENV / ("Scripts/python.exe" if WINDOWS else "bin/python")
LOG = VENV / "setup.log"
STAMP = VENV / "setup.json"  # written last: what the finished set-up was made from
UNFINISHED = VENV / "setup.unfinished"  # there while pip works: a set-up killed half-way leaves it behind
TORCH_INDEX = VENV / "torch-index.txt"  # where the installed torch came from; empty: the default place
LOCK = HERE / ".venv.lock"

OLDEST_PYTHON = (3, 11)
CUDA_INDEX = "https://download.pytorch.org/whl/cu130"  # plain torch is a CPU build on Windows
NEEDED_BYTES = 3_000_000_000
RUNTIMES = ("onnxruntime", "onnxruntime-gpu")

# pip's own words (lower case) -> what a person can do. The first that matches is said.
AGAIN = "and run the same command again"
ADVICE = (
    ("no space left|not enough space|errno 28|disk quota",
     f"The disk is full: make about 6 GB of room (10 GB with CUDA) {AGAIN}."),
    ("ensurepip is not|no module named venv|no module named ensurepip|python3-venv",
     f"This Python lacks its venv module: run `sudo apt install python3-venv` (or your system's like of it) {AGAIN}."),
    ("certificate_verify_failed|certificate verify failed",
     f"The package index shows a certificate that is not trusted, as behind some company proxies: name your "
     f"certificate file in the variable PIP_CERT {AGAIN}."),
    ("name resolution|getaddrinfo failed|nodename nor servname|failed to establish a new connection|max retries"
     "|connection refused|connection reset|read timed out|proxyerror|network is unreachable|remote end closed"
     "|incompleteread|connection broken",
     f"The package index cannot be reached: connect this machine to the network (or set HTTPS_PROXY) {AGAIN}; "
     "what is already there is kept."),
    ("no matching distribution found for torch==",
     f"This Python and this index have no such torch: use 64-bit Python 3.11 to 3.13, or name another index with "
     f"--torch-index URL, {AGAIN}."),
    ("no matching distribution found|requires a different python|failed to build",
     f"A package has no build for this machine: use 64-bit Python 3.11 to 3.13 {AGAIN}."),
    ("permission denied|access is denied|being used by another process|read-only file system",
     f"A file could not be written: end every running lorasmith, make this folder yours to write {AGAIN}."),
    ("dll load failed|vcruntime|winerror 126",
     f"A library of Windows is missing: install the Microsoft Visual C++ Redistributable (x64) {AGAIN}."),
)  # fmt: skip


class SetupError(Exception):
    """Set-up cannot go on; the text is what a person is told. `half_done`: packages may be half written."""

    half_done = False


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def environment() -> dict[str, str]:
    """Returns the environment for `.venv`: a host's own Python paths and pip targets must not leak into it."""
    foreign = {"PYTHONPATH", "PYTHONHOME", "__PYVENV_LAUNCHER__", "PIP_TARGET", "PIP_PREFIX", "PIP_USER"}
    kept = {name: value for name, value in os.environ.items() if name not in foreign}
    return {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", **kept}


def torch_pin() -> str:
    """Returns the tested `torch==…` line of constraints.txt."""
    for line in (HERE / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("torch=="):
            return line.split(";")[0].split("#")[0].strip()
    raise SetupError("constraints.txt has no line torch==…: fetch lorasmith again.")


def nvidia_smi() -> str | None:
    """Returns the path of NVIDIA's own tool, which comes with the driver, or None."""
    on_path = shutil.which("nvidia-smi")
    beside_windows = Path(os.environ.get("SYSTEMROOT", r"C:\Windows"), "System32", "nvidia-smi.exe")
    return on_path or (str(beside_windows) if WINDOWS and beside_windows.is_file() else None)


def has_nvidia_card() -> bool:
    try:
        tool = nvidia_smi() or "nvidia-smi"
        answer = subprocess.run([tool, "-L"], capture_output=True, timeout=60, text=True, errors="replace")
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and "GPU" in answer.stdout


def recorded_torch_index() -> str | None:
    return TORCH_INDEX.read_text(encoding="utf-8").strip() if TORCH_INDEX.is_file() else None


def choose_torch_index(asked: str | None) -> str | None:
    """Returns the index asked for, else the one used before, else None: nobody chose one yet."""
    asked = asked or os.environ.get("TORCH_INDEX_URL", "").strip()
    return asked or recorded_torch_index()


def choose_runtime(card: bool, torch_index: str) -> str:
    """Returns which onnxruntime serves this machine; the two overwrite each other's files, so never both."""
    has_wheels = WINDOWS or (sys.platform == "linux" and platform.machine() == "x86_64")
    return "onnxruntime-gpu" if card and has_wheels and not torch_index.endswith("/cpu") else "onnxruntime"


def fingerprint(torch_index: str | None) -> dict[str, str]:
    """Returns everything a finished set-up depends on, all of it quick to find out."""

    def sha256(name: str) -> str:
        return hashlib.sha256((HERE / name).read_bytes()).hexdigest()

    return {
        "pyproject": sha256("pyproject.toml"),
        "constraints": sha256("constraints.txt"),
        "folder": str(HERE),
        "python": os.path.realpath(str(PYTHON)),
        "torch_index": torch_index or "",
        "nvidia": str(nvidia_smi() is not None),
    }


def is_ready(torch_index: str | None) -> bool:
    """Tells whether `.venv` was finished from these very files and choices."""
    if UNFINISHED.exists() or not PYTHON.is_file():
        return False
    try:
        return json.loads(STAMP.read_text(encoding="utf-8")) == fingerprint(torch_index)
    except (OSError, ValueError):
        return False


def explain(output: str) -> str:
    """Returns one sentence on what to do about a failed step."""
    lowered = output.lower()
    for signs, sentence in ADVICE:
        if any(sign in lowered for sign in signs.split("|")):
            return sentence
    return "Run the same command again; if it fails again, delete the folder .venv and try once more."


def logged(command: list[str]) -> None:
    """Runs one command, its output in the log, the seconds on a terminal; a failure shows the log's last lines."""
    started = time.monotonic()
    begins_at = LOG.stat().st_size if LOG.exists() else 0
    with LOG.open("ab") as log:
        log.write(("\n$ " + " ".join(command) + "\n").encode())
        log.flush()
        streams = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": subprocess.STDOUT}
        child = subprocess.Popen(command, **streams, cwd=str(HERE), env=environment(), close_fds=WINDOWS)
        while child.poll() is None:
            try:
                child.wait(timeout=1)
            except subprocess.TimeoutExpired:
                if sys.stderr.isatty():
                    print("    %d s\r" % (time.monotonic() - started), end="", file=sys.stderr, flush=True)
            except KeyboardInterrupt:
                child.wait()
                raise
    if child.returncode:
        output = LOG.read_bytes()[begins_at:].decode("utf-8", "replace")
        last = "\n".join("    " + line for line in output.strip().splitlines()[-12:])
        error = SetupError(f"{last}\nThis step failed. {explain(output)} (All of its output: {LOG})")
        error.half_done = "Installing collected packages" in output
        raise error


def pip(*words: str) -> None:
    logged([str(PYTHON), "-m", "pip", *words])


def answer_of(code: str) -> str | None:
    """Returns what `.venv`'s Python prints for this code, or None where it fails."""
    command = [str(PYTHON), "-c", code]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=environment(), timeout=300)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def demand_python(version: tuple[int, ...]) -> None:
    if version < OLDEST_PYTHON:
        words = " ".join(sys.argv[1:])
        raise SetupError(
            f"lorasmith needs Python 3.11 or newer, this is {version[0]}.{version[1]}: install Python 3.11 to 3.13 "
            f"from python.org (or your system's packages) and run `python3.11 install.py {words}`, "
            f"on Windows `py -3.11 install.py {words}`."
        )


def demand_room() -> None:
    free = shutil.disk_usage(str(HERE)).free
    if free < NEEDED_BYTES:
        raise SetupError(
            f"The set-up needs {NEEDED_BYTES / 1e9:.0f} GB of free disk for {VENV}, there are {free / 1e9:.1f} GB: "
            "make room and run the same command again."
        )


def make_venv() -> None:
    """Makes `.venv`, or keeps the one that is there when it works and no set-up died in the middle of it."""
    asks = "import sys, pip; print(sys.version_info >= (3, 11) and sys.prefix != sys.base_prefix)"
    if not UNFINISHED.exists() and answer_of(asks) == "True":
        return
    demand_python(sys.version_info[:2])
    torch_index = recorded_torch_index()
    if VENV.exists():
        say("    the .venv that is there is broken or unfinished: making it anew")
        shutil.rmtree(str(VENV))
    demand_room()
    VENV.mkdir()
    UNFINISHED.touch()
    logged([sys.executable, "-m", "venv", str(VENV)])
    if torch_index is not None:
        TORCH_INDEX.write_text(torch_index, encoding="utf-8")


def install_torch(pin: str, index: str) -> None:
    """Installs torch before all else, so that its build is the one asked for and nothing that comes later picks it."""
    installed = answer_of("import importlib.metadata as m; print(m.version('torch'))")
    if installed and recorded_torch_index() != index:
        pip("uninstall", "-y", "torch")
    pip("install", pin, *(["--index-url", index] if index else []))
    TORCH_INDEX.write_text(index, encoding="utf-8")


def installed_runtimes() -> list[str]:
    listing = "import importlib.metadata as m; print(*{d.metadata['Name'].lower() for d in m.distributions()})"
    names = (answer_of(listing) or "").split()
    return [name for name in RUNTIMES if name in names]


def install_rest(runtime: str) -> None:
    extra = "gpu" if runtime == "onnxruntime-gpu" else "cpu"
    if installed_runtimes() not in ([], [runtime]):
        pip("uninstall", "-y", *RUNTIMES)
    pip("install", "-c", "constraints.txt", "-e", f".[{extra},dev]")


def check(runtime: str) -> None:
    """Demands one onnxruntime that imports (a leftover of the other has no version), and a torch that imports."""
    asks = "import onnxruntime; print(onnxruntime.__version__)"
    if installed_runtimes() != [runtime] or not answer_of(asks):
        say(f"    mending {runtime}")
        pip("uninstall", "-y", *RUNTIMES)
        pip("install", "-c", "constraints.txt", "--force-reinstall", "--no-deps", runtime)
    logged([str(PYTHON), "-c", f"{asks}; import torch; print(torch.__version__); import lorasmith"])


def set_up(asked_index: str | None) -> None:
    """Takes `.venv` from whatever state it is in to the tested set; does nothing needlessly."""
    started = time.monotonic()
    index, card = choose_torch_index(asked_index), has_nvidia_card()
    if index is None:
        index = CUDA_INDEX if WINDOWS and card else ""
    runtime, pin = choose_runtime(card, index), torch_pin()
    say(f"Setting up lorasmith in {VENV} (the details go to {LOG.name} there)")
    say(f"1/4 making .venv with Python {sys.version.split()[0]}")
    make_venv()
    UNFINISHED.touch()
    try:
        say(f"2/4 installing {pin}" + (f" from {index}" if index else ""))
        install_torch(pin, index)
        say(f"3/4 installing lorasmith, its libraries and {runtime} as constraints.txt pins them")
        install_rest(runtime)
        say("4/4 checking that it works")
        check(runtime)
    except SetupError as error:
        if not error.half_done:
            UNFINISHED.unlink()  # what is there is whole: the next call goes on from it
        raise
    half = STAMP.with_suffix(".tmp")
    half.write_text(json.dumps(fingerprint(index), indent=1), encoding="utf-8")
    half.replace(STAMP)
    UNFINISHED.unlink()
    say(f"Ready after {time.monotonic() - started:.0f} s.")


def take_lock() -> IO[bytes]:
    """Waits for the operating system's lock on `.venv.lock`: two set-ups at once would ruin each other's files."""
    file = LOCK.open("a+b")
    waited = False
    while True:
        try:
            if WINDOWS:
                import msvcrt

                file.seek(0)
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.set_inheritable(file.fileno(), True)  # a pip that outlives a killed set-up keeps the lock
            return file
        except OSError:
            if not waited:
                say("Another set-up of this folder is running: waiting for it.")
            waited = True
            time.sleep(0.5)


def split_options(words: list[str]) -> tuple[list[str], str | None]:
    """Returns the command's words without `--torch-index URL`, and the URL."""
    left: list[str] = []
    index: str | None = None
    rest = iter(words)
    for word in rest:
        if word == "--torch-index":
            index = next(rest, None)
            if index is None:
                raise SetupError("--torch-index needs the URL of a package index that holds builds of torch.")
        elif word.startswith("--torch-index="):
            index = word.split("=", 1)[1]
        else:
            left.append(word)
    return left, index


def command_for(words: list[str]) -> list[str]:
    """Returns the command in `.venv`: `test` is pytest (two processes unless `-n` says more), all else lorasmith."""
    if words and words[0] == "test":
        spread = [] if any(word.startswith("-n") for word in words) else ["-n", "2", "--dist", "loadfile"]
        return [str(PYTHON), "-m", "pytest", *spread, *words[1:]]
    return [str(PYTHON), "-m", "lorasmith", *words]


def run(command: list[str]) -> int:
    """Runs the command in this process's place (POSIX) or as a child that gets Ctrl-C itself (Windows)."""
    sys.stdout.flush()
    if command[2] == "pytest":
        os.chdir(str(HERE))
    if not WINDOWS:
        os.execve(command[0], command, environment())
    child = subprocess.Popen(command, env=environment())
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            continue


def hook() -> int:
    """Says one line and never fails: the host runs this at every start, before anything else."""
    try:
        state = "is set up" if STAMP.is_file() else "is not set up yet: its tab in the WebUI does that at a click"
    except OSError:
        state = "cannot read its own folder"
    print("LoRA Smith " + state)
    return 0


def main(words: list[str]) -> int:
    if not words:
        return hook()
    try:
        words, asked_index = split_options(words)
        if not is_ready(choose_torch_index(asked_index)):
            if not PYTHON.is_file():
                demand_python(sys.version_info[:2])
            with take_lock():
                if not is_ready(choose_torch_index(asked_index)):
                    set_up(asked_index)
        return run(command_for(words)) if words not in ([], ["setup"]) else 0
    except SetupError as error:
        say(str(error))
        return 1
    except OSError as error:
        say(f"{error}\n{explain(str(error))}")
        return 1
    except KeyboardInterrupt:
        say("\nStopped. The same command goes on with the set-up.")
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
