"""The Ray cluster that jobs run on: one that stands, or one of this machine's own that is started when it is needed.

Everything goes with Ray's token authentication: whoever reaches a cluster's port without the token is refused. A cluster of
this machine listens on the loopback address alone, and outlives the queue that started it, so that a queue that was killed
finds its jobs again; it is ended with the last job.
"""

import hashlib
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from lorasmith import __version__
from lorasmith.errors import LorasmithError, UsageError
from lorasmith.files import write_atomic

NAMESPACE = "lorasmith"
TOKEN = "ray.token"
_STANDING = "ray.json"  # where a cluster of this machine's own is written down
_STARTING = 180  # seconds
_ENDING = 10.0  # seconds
_STORE = 200_000_000  # bytes of shared memory of a cluster of this machine's own; Ray would take a third of all
_GET_IT = (
    "Ray is not installed, and `--on ray` needs it on every machine that is to work: `pip install \"lorasmith[farm]\"`, "
    "or in a clone `.venv/bin/python -m pip install -c constraints.txt -e \".[farm]\"`."
)  # fmt: skip


@dataclass(frozen=True)
class Cluster:
    """A cluster that this process is connected to."""

    address: str
    own: bool  # started by us on this machine, and ended by us

    def has(self) -> dict[str, float]:
        """Gives what all its machines have together: "CPU", "GPU", "memory" in bytes."""
        import ray

        return dict(ray.cluster_resources())


def demand_ray() -> None:
    """Raises `UsageError` with how to get it where Ray is not installed, or is too old for tokens."""
    try:
        import ray
    except ImportError as error:
        raise UsageError(_GET_IT) from error
    if tuple(int(part) for part in ray.__version__.split(".")[:2]) < (2, 52):
        raise UsageError(f"Ray {ray.__version__} knows no tokens: anybody in the network could give it work. Install 2.52 or newer.")


def connect(folder: Path, address: str = "", workers: int = 0) -> Cluster:
    """Connects to the cluster at `address`, or to one of this machine's own, which is started where none stands.

    `folder` is the jobs' folder, with the token in it unless the environment names one (RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH).
    `workers` is how many processors a cluster of this machine's own offers (0: all). Raises `UsageError` without Ray, and
    `LorasmithError` when nobody answers at the address or what answers wants another token.
    """
    _surround(folder, own=not address)
    demand_ray()
    own = not address
    address = address or _standing(folder) or _start(folder, workers)
    import ray

    try:
        ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, configure_logging=False)
    except Exception as error:  # noqa: BLE001 - Ray raises whatever lay below: grpc's, its own, RuntimeError, ConnectionError
        raise LorasmithError(
            f"No Ray cluster lets this machine in at {address} ({first_line(error)}). Does it run, is it the same version of Ray "
            f"and of Python, and is its token the one in {_token_place(folder)}?"
        ) from error
    return Cluster(address, own)


def leave(cluster: Cluster, folder: Path, *, end: bool) -> None:
    """Lets the cluster go; with `end`, one of this machine's own is ended too."""
    import ray

    with suppress(Exception):
        ray.shutdown()
    if cluster.own and end:
        for process in _processes(_temp(folder)):
            with suppress(psutil.Error):
                process.terminate()
        _, alive = psutil.wait_procs(list(_processes(_temp(folder))), _ENDING)
        for process in alive:
            with suppress(psutil.Error):
                process.kill()
        (folder / _STANDING).unlink(missing_ok=True)


def _surround(folder: Path, *, own: bool) -> None:
    """Writes into the environment what Ray reads when it is imported: tokens on, one made where there is none.

    `own` keeps a cluster of this machine to the loopback address, whatever the variable's name says.
    """
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_USAGE_STATS_ENABLED": "0"}
    if own:
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    if os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH"):
        return
    place = folder / TOKEN
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError), os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
    os.environ["RAY_AUTH_TOKEN_PATH"] = str(place)


def _token_place(folder: Path) -> str:
    if os.environ.get("RAY_AUTH_TOKEN"):
        return "RAY_AUTH_TOKEN"
    return os.environ.get("RAY_AUTH_TOKEN_PATH") or str(folder / TOKEN)


def _standing(folder: Path) -> str:
    """Gives the address of this machine's own cluster, when one stands that somebody left."""
    try:
        address = str(json.loads((folder / _STANDING).read_text(encoding="utf-8"))["address"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    host, _, port = address.partition(":")
    with suppress(OSError), socket.create_connection((host, int(port)), timeout=2):
        return address
    leave(Cluster(address, own=True), folder, end=True)  # what is left of it
    return ""


def _start(folder: Path, workers: int) -> str:
    """Starts a cluster of this machine's own and gives its address."""
    address = f"127.0.0.1:{_free_port()}"
    _temp(folder).mkdir(parents=True, exist_ok=True, mode=0o700)
    words = ["start", "--head", f"--port={address.split(':')[1]}", f"--temp-dir={_temp(folder)}", "--include-dashboard=false",
             "--disable-usage-stats", f"--object-store-memory={_STORE}", *([f"--num-cpus={workers}"] if workers else [])]  # fmt: skip
    with (folder / "logs" / "ray.txt").open("ab") as log:
        ended = subprocess.run(
            [sys.executable, "-m", "ray.scripts.scripts", *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            timeout=_STARTING, check=False,
            start_new_session=os.name == "posix",  # a Ctrl-C is for the queue: what runs is asked to stop first
        )  # fmt: skip
    if ended.returncode:
        raise LorasmithError(f"Ray could not be started on this machine; what it said is in {folder / 'logs' / 'ray.txt'}.")
    write_atomic(folder / _STANDING, json.dumps({"address": address, "version": __version__, "started": time.time()}) + "\n")
    return address


def _temp(folder: Path) -> Path:
    """Gives where a cluster of this machine's own keeps its sockets: their whole path may have 107 letters."""
    return Path(tempfile.gettempdir()) / f"lorasmith-{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"


def _processes(temp: Path) -> Iterator[Any]:
    """Finds the processes of the cluster that keeps its things in `temp`."""
    for process in psutil.process_iter(["cmdline"]):
        if any(str(temp) in word for word in process.info["cmdline"] or ()):
            yield process


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def first_line(error: Exception) -> str:
    """Gives the first line of an error that says something."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
