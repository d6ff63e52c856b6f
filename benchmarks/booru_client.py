"""Metadata and files of a booru on this machine, through our client and through curl, with nobody asking for politeness.

    python benchmarks/booru_client.py [rounds] [files] [connections] [MB/s of a connection, 0 for no limit]

Told is, for the metadata of 2,000 posts and for the files (500 of 1 MB each), the wall and CPU seconds of curl and of ours
(medians over rounds that take turns), and the ratios to plain curl; then the same for curl followed by md5sum and a sync of
each file, which is what ours has done when it says that a file is there; then for our files with one part of the work left
out at a time, which shows what that part costs. Both sides use the same server, a process of its own that sends from
memory, the same addresses, as many connections, and empty folders on the same disk.
"""

import hashlib
import json
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parent.parent))

POSTS = 2000
SIZE = 1 << 20
PAGE = 320
HEAD = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\4\0\0\0\4\0\x08\2\0\0\0"


class Server:
    """The smallest booru: a thread for each connection, every answer ready in memory."""

    def __init__(self, megabytes_per_second: int) -> None:
        self.pause = (1 << 16) / (megabytes_per_second << 20) if megabytes_per_second else 0.0
        self.body = HEAD + os.urandom(SIZE - len(HEAD) - 8)
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.pages = {page: json.dumps({"posts": self._posts(page)}).encode() for page in pages()}

    def serve(self) -> None:
        while True:
            connection, _ = self.socket.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._answer_all, args=(connection,), daemon=True).start()

    def _answer_all(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as asked:
            while line := asked.readline():
                while asked.readline().strip():
                    pass
                path = line.split()[1].decode()
                if path.startswith("/data/"):
                    tail = int(path.split("/")[2]).to_bytes(8, "big")
                    connection.sendall(_header("image/png", SIZE))
                    self._send(connection, self.body)
                    connection.sendall(tail)
                else:
                    page = path.partition("page=b")[2].partition("&")[0]
                    answer = self.pages[int(page or POSTS + 1)]
                    connection.sendall(_header("application/json", len(answer)) + answer)

    def _send(self, connection: socket.socket, body: bytes) -> None:
        """Sends a file, at the pace of a slower line where one is set."""
        if not self.pause:
            return connection.sendall(body)
        due = time.perf_counter()
        for start in range(0, len(body), 1 << 16):
            due += self.pause
            time.sleep(max(0.0, due - time.perf_counter()))
            connection.sendall(body[start : start + (1 << 16)])
        return None

    def _posts(self, below: int) -> list[dict[str, object]]:
        digest = hashlib.md5(self.body, usedforsecurity=False)
        return [self._post(number, digest.copy()) for number in range(below - 1, max(0, below - 1 - PAGE), -1)]

    def _post(self, number: int, digest: "hashlib._Hash") -> dict[str, object]:
        digest.update(number.to_bytes(8, "big"))
        file = {"width": 1024, "height": 1024, "ext": "png", "size": SIZE, "md5": digest.hexdigest()}
        words = [f"{kind}_{number * 31 % (50 + kind)}" for kind in range(40)]
        return {
            "id": number, "created_at": "2024-05-06T07:08:09.000+00:00", "updated_at": None, "change_seq": number,
            "file": {**file, "url": f"{self.url}/data/{number}"}, "preview": {"url": None}, "sample": {"url": None},
            "score": {"up": 5, "down": -1, "total": 4}, "tags": {"general": words[:34], "species": words[34:]},
            "flags": {"deleted": False}, "rating": "s", "fav_count": 3, "sources": [f"https://example.org/{number}"],
            "pools": [], "relationships": {"parent_id": None, "children": []}, "description": "some words " * 20,
        }  # fmt: skip


def _header(kind: str, size: int) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\n\r\n".encode()


def pages() -> list[int]:
    """Gives the ids below which each page of the search begins."""
    return list(range(POSTS + 1, 1, -PAGE))


def curl(urls: list[str], folder: Path, connections: int) -> None:
    """Lets curl put each address into a file."""
    lines = [f'url = "{url}"\noutput = "{folder / str(number)}"\n' for number, url in enumerate(urls)]
    (folder / "config").write_text("".join(lines), encoding="utf-8")
    parallel = ["--parallel", "--parallel-max", str(connections)] if connections > 1 else []
    subprocess.run(["curl", "--silent", "--no-progress-meter", "--fail", *parallel, "--config", str(folder / "config")], check=True)


def checked_curl(urls: list[str], folder: Path, connections: int) -> None:
    """Lets curl put each address into a file, then works out their md5s and waits for the disk."""
    curl(urls, folder, connections)
    names = [str(folder / str(number)) for number in range(len(urls))]
    command = ["xargs", "-P", str(connections), "-n", "50", "md5sum"]
    subprocess.run(command, input="\n".join(names), text=True, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["sync", *names], check=True)


class Ours:
    """Our client at the server, as the download stage uses it."""

    def __init__(self, url: str, home: Path, connections: int) -> None:
        from lorasmith.boorus.client import Client
        from lorasmith.boorus.e621 import E621
        from lorasmith.boorus.limiter import Pace, SharedTurns
        from lorasmith.boorus.sites import find_site

        pace = Pace(1e9, turns=SharedTurns(home / "turns.db"))
        self.booru = E621(Client(find_site("e621", url), pace, "benchmark"))
        self.connections = connections
        self.posts = list(self.booru.search("", POSTS))

    def metadata(self, folder: Path) -> None:
        assert len(list(self.booru.search("", POSTS))) == POSTS

    def files(self, folder: Path, count: int) -> None:
        from lorasmith.boorus.together import together

        stopped = threading.Event()
        for _ in together(self.posts[:count], lambda post: self.booru.fetch(post, folder), self.connections, stopped):
            pass
        assert len(list(folder.iterdir())) == count


def seconds(work: Callable[[Path], None], home: Path) -> tuple[float, float]:
    """Gives wall and CPU seconds of some work in an empty folder, its own processes' included."""
    with tempfile.TemporaryDirectory(dir=home) as place:
        os.sync()
        cpu, wall = _cpu(), time.perf_counter()
        work(Path(place))
        return time.perf_counter() - wall, _cpu() - cpu


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


class _NoDigest:
    """An md5 that is not worked out: it says what the posts' own would be, so that nothing else changes."""

    def update(self, block: bytes) -> None:
        self.tail = bytes(block[-8:])

    def hexdigest(self) -> str:
        return _NoDigest.known[self.tail]

    known: dict[bytes, str] = {}


def lesser(files: Callable[[Path], None], posts: list) -> dict[str, Callable[[Path], None]]:
    """Gives our work on the files with one part left out."""
    _NoDigest.known = {post.id.to_bytes(8, "big"): post.md5 for post in posts}

    def without(*patches: object) -> Callable[[Path], None]:
        def work(folder: Path) -> None:
            with ExitStack() as stack:
                for one in patches:
                    stack.enter_context(one)  # type: ignore[arg-type]
                files(folder)

        return work

    return {
        "without waiting for the disk": without(patch("os.fsync", lambda number: None)),
        "without md5": without(patch("hashlib.md5", lambda *words, **options: _NoDigest())),
        "without either": without(
            patch("os.fsync", lambda number: None), patch("hashlib.md5", lambda *words, **options: _NoDigest())
        ),
    }


def main(rounds: int, files: int, connections: int, speed: int) -> None:
    if shutil.which("curl") is None:
        sys.exit("There is no curl here to compare with.")
    with tempfile.TemporaryDirectory() as place, _served(speed) as url:
        home = Path(place)
        ours = Ours(url, home, connections)
        listed = [f"{url}/posts.json?tags=-young&limit={PAGE}" + (f"&page=b{page}" if page <= POSTS else "") for page in pages()]
        fetched = [str(post.url) for post in ours.posts[:files]]
        all_files = lambda folder: ours.files(folder, files)  # noqa: E731 - a short name for the table below
        works = {
            "metadata, curl": lambda folder: curl(listed, folder, 1),  # each page is asked for when the last was read
            "metadata, ours": ours.metadata,
            "files, curl": lambda folder: curl(fetched, folder, connections),
            "files, curl + md5sum + sync": lambda folder: checked_curl(fetched, folder, connections),
            "files, ours": all_files,
            **lesser(all_files, ours.posts),
        }
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
        for _ in range(rounds):
            for name, work in works.items():
                taken[name].append(seconds(work, home))
    tell(taken)


def tell(taken: dict[str, list[tuple[float, float]]]) -> None:
    """Prints the medians, and the ratios of each round's pairs."""
    for name, pairs in taken.items():
        base = taken["metadata, curl" if name.startswith("metadata") else "files, curl"]
        wall, cpu = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratios = [statistics.median(mine[at] / his[at] for mine, his in zip(pairs, base, strict=True)) for at in (0, 1)]
        print(f"{name:30} wall {wall:6.2f} s  cpu {cpu:6.2f} s   of curl's {ratios[0]:5.2f} {ratios[1]:6.2f}")
    ours = [pair[0] + other[0] for pair, other in zip(taken["metadata, ours"], taken["files, ours"], strict=True)]
    for rival in ("files, curl", "files, curl + md5sum + sync"):
        theirs = [pair[0] + other[0] for pair, other in zip(taken["metadata, curl"], taken[rival], strict=True)]
        ratios = [mine / his for mine, his in zip(ours, theirs, strict=True)]
        told = f"{statistics.median(ratios):.2f} (from {min(ratios):.2f} to {max(ratios):.2f})"
        print(f"metadata and files, ours / {rival.removeprefix('files, ')}, wall: {told}")


class _served:  # noqa: N801 - used like a function
    """Runs the server in a process of its own, and gives its address."""

    def __init__(self, speed: int = 0) -> None:
        self.speed = speed

    def __enter__(self) -> str:
        command = [sys.executable, __file__, "--serve", str(self.speed)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def __exit__(self, *fault: object) -> None:
        self.process.kill()
        self.process.wait()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        server = Server(int(sys.argv[2]))
        print(server.url, flush=True)
        server.serve()
    else:
        main(*(int(word) for word in (sys.argv[1:] + ["5", "500", "2", "0"][len(sys.argv) - 1 :])))
