"""Big looks at many pictures, shared out over the cluster by whoever works on one of its machines, or at home of one.

The one who asks works too, piece by piece, and takes what the others have done meanwhile: a cluster that is busy costs nothing,
and a piece whose machine has gone, or that cannot see the files, is done at home. A piece is a fixed run of pictures, whoever
does it and however many there are.
"""

import base64
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from lorasmith import __version__

CLUSTER = "LORASMITH_RAY"  # the cluster's address, for the commands that its queue starts
_LENT = "LORASMITH_LENT"  # what one of its jobs asks for, as JSON
_HANDED_ON = ("SOURCE_DATE_EPOCH",)  # the moment that files say they were made at
_LEAST = 2  # pieces from which sharing out is worth its start
_MOST_ASKED = 64  # pieces that the cluster has in its line at once


def surroundings(address: str, asked: dict[str, Any]) -> dict[str, str]:
    """Gives the variables by which a command finds the cluster whose queue started it."""
    return {CLUSTER: address, _LENT: json.dumps(asked)}


def handed_on() -> dict[str, str]:
    """Gives the variables of the queue's own that a command is to have on whatever machine it runs."""
    return {name: os.environ[name] for name in _HANDED_ON if name in os.environ}


def is_shared() -> bool:
    """Says whether a cluster's queue started this process."""
    return bool(os.environ.get(CLUSTER))


def shared_out(work: Callable[[Any], bytes], pieces: Sequence[Any], home: Callable[[Any], bytes]) -> Iterator[bytes]:
    """Does `work`, a function of a module, on each piece (plain JSON), and gives the results in order.

    `home` is the same work with what this process has open already. Where no cluster answers, it does all of it.
    """
    cluster = _Cluster.of_this_process(work) if len(pieces) >= _LEAST else None
    if cluster is None:
        yield from map(home, pieces)
        return
    try:
        yield from _together(cluster, home, pieces)
    finally:
        cluster.close()


def _together(cluster: "_Cluster", work: Callable[[Any], bytes], pieces: Sequence[Any]) -> Iterator[bytes]:
    """Offers the pieces to the cluster from the last on, and does them here from the first on, until the two meet."""
    done: dict[int, bytes] = {}
    asked: dict[Any, int] = {}
    back = len(pieces)
    for place, piece in enumerate(pieces):
        while back - 1 > place and len(asked) < _MOST_ASKED:
            back -= 1
            asked[cluster.ask(pieces[back])] = back
        if place not in done:
            cluster.take(asked, done)
        if place not in done:
            cluster.forget(asked, place)
            done[place] = work(piece)
        yield done.pop(place)


class _Cluster:
    """The cluster as a command sees it that runs on it."""

    def __init__(self, ray: Any, work: Callable[[Any], bytes], asks: dict[str, Any]) -> None:
        self._ray = ray
        self._name = (work.__module__, work.__qualname__)
        self._task = ray.remote(_piece).options(max_retries=0, **asks)

    @classmethod
    def of_this_process(cls, work: Callable[[Any], bytes]) -> "_Cluster | None":
        """Connects to the cluster whose queue started this process; None where there is none or it does not answer."""
        address = os.environ.get(CLUSTER, "")
        if not address:
            return None
        try:
            import ray

            ray.init(address=address, namespace="lorasmith-shards", log_to_driver=False, configure_logging=False)
            return cls(ray, work, json.loads(os.environ.get(_LENT) or "{}"))
        except Exception:  # noqa: BLE001 - Ray raises whatever lay below; the work is done here then
            return None

    def ask(self, piece: Any) -> Any:
        """Puts a piece in the cluster's line."""
        return self._task.remote(*self._name, json.dumps(piece), __version__)

    def take(self, asked: dict[Any, int], done: dict[int, bytes]) -> None:
        """Takes what has come in; what could not be done there is left to be done here."""
        ready, _ = self._ray.wait(list(asked), num_returns=len(asked), timeout=0) if asked else ([], [])
        for ref in ready:
            place = asked.pop(ref)
            with suppress(Exception):  # that machine has gone, or knows less than this one
                answer = json.loads(self._ray.get(ref))
                if "done" in answer:
                    done[place] = base64.b64decode(answer["done"])

    def forget(self, asked: dict[Any, int], place: int) -> None:
        """Takes a piece out of the cluster's line; one that is at work there may go on for nothing."""
        for ref in [ref for ref, its in asked.items() if its == place]:
            del asked[ref]
            with suppress(Exception):
                self._ray.cancel(ref)

    def close(self) -> None:
        """Leaves the cluster."""
        with suppress(Exception):
            self._ray.shutdown()


def _piece(module: str, function: str, piece: str, version: str) -> bytes:
    """Does a piece on a machine of the cluster; gives JSON, with what hindered it instead where it could not."""
    if version != __version__ or not module.startswith("lorasmith."):
        return json.dumps({"fault": f"lorasmith {__version__} is not {version}"}).encode()
    try:
        made = getattr(import_module(module), function)(json.loads(piece))
    except Exception as error:  # noqa: BLE001 - whoever asked does it at home, and meets the same there if it is the picture's
        return json.dumps({"fault": str(error)}).encode()
    return json.dumps({"done": base64.b64encode(made).decode()}).encode()


def demand_folder(folder: Path) -> None:
    """Raises `FileNotFoundError` on a machine that does not share the project's folder."""
    if not folder.is_dir():
        raise FileNotFoundError(folder)
