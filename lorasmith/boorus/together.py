"""Several files at the same time: a few threads that fetch, and one caller that hears of each file as it is done."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TypeVar

Item = TypeVar("Item")
Got = TypeVar("Got")


def together(
    items: Iterable[Item], work: Callable[[Item], Got], threads: int, stopped: threading.Event
) -> Iterator[tuple[Item, Got]]:
    """Yields (item, what `work` gave for it) as they are done; a fault of `work` is raised here, and ends it all.

    `stopped` is set when the caller leaves early (Ctrl-C too), so that `work` may end in the middle. The threads never hold
    up the end of the program: what they leave behind is good to go on from.
    """
    waiting: queue.SimpleQueue[Item] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[Item, Got | None, BaseException | None]] = queue.SimpleQueue()
    count = 0
    for item in items:
        waiting.put(item)
        count += 1

    def run() -> None:
        with suppress(queue.Empty):
            while not stopped.is_set():
                item = waiting.get_nowait()
                try:
                    done.put((item, work(item), None))
                except BaseException as error:  # noqa: BLE001 - carried to the caller, whatever it is
                    done.put((item, None, error))
                    return

    workers = [threading.Thread(target=run, name=f"fetch {number}", daemon=True) for number in range(min(threads, count))]
    for worker in workers:
        worker.start()
    try:
        for _ in range(count):
            item, got, error = _next(done)
            if error is not None:
                raise error
            yield item, got  # type: ignore[misc]
    except BaseException:
        stopped.set()
        raise


def _next(done: "queue.SimpleQueue[tuple[Item, Got, BaseException | None]]") -> tuple[Item, Got, BaseException | None]:
    """Waits for the next result; in short waits, because on Windows a long one does not hear Ctrl-C."""
    while True:
        with suppress(queue.Empty):
            return done.get(timeout=0.5)
