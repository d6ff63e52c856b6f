"""Imports of heavy libraries without the garbage collector, which otherwise looks through all of them again and again."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Keeps the garbage collector from running inside the block; it goes on afterwards as it was.

    Importing torch, transformers and diffusers makes millions of objects that stay (benchmarks/NOTES.md).
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
