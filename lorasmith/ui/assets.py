"""The page's scripts and styles: each kind joined to one file and compressed once, which a browser keeps until it changes."""

import gzip
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from starlette.responses import Response

from lorasmith import __version__

_FOLDER = Path(__file__).parent / "static"
# The first ones are used by the others, and a page's first script by its further ones.
_SCRIPTS = (
    "lorasmith", "tiles", "zoom", "erase", "crop", "touch", "batch", "tag", "tag_picture", "tag_tables",
    "prune", "prune_picture", "prune_sides", "research", "research_query", "research_wall", "research_profile", "download",
    "evaluate", "evaluate_scores", "evaluate_beside", "refine", "train", "train_plan", "train_plot", "train_run",
    "queue", "queue_add", "inspect", "inspect_beside",
)  # fmt: skip
_STYLES = ("lorasmith", "tag", "prune", "research", "download", "evaluate", "train", "queue", "inspect")
JOINED = {  # a joined file: its type, what it is made of
    "lorasmith.js": ("text/javascript", [f"{name}.js" for name in _SCRIPTS]),
    "lorasmith.css": ("text/css", [f"{name}.css" for name in _STYLES]),
}
_KEPT = "private, max-age=31536000, immutable"  # its address has a word of the content


def head() -> str:
    """Gives what the page's head asks for, relative to the page's address, which ends with a slash also behind a WebUI's own."""
    script, style = (f"api/static/{name}?v={word(name)}" for name in JOINED)
    return f'<link rel="stylesheet" href="{style}"><script src="{script}" defer></script>'


def answer(name: str, headers: Mapping[str, str]) -> Response:
    """Answers with a joined file, compressed for a browser that says it can read that; raises for a name that is none."""
    if name not in JOINED:
        raise FileNotFoundError(name)
    told = {"cache-control": _KEPT, "vary": "accept-encoding", "x-content-type-options": "nosniff"}
    if "gzip" in headers.get("accept-encoding", ""):
        return Response(_compressed(name), media_type=JOINED[name][0], headers=told | {"content-encoding": "gzip"})
    return Response(_joined(name), media_type=JOINED[name][0], headers=told)


@cache
def _joined(name: str) -> bytes:
    return b"\n".join((_FOLDER / part).read_bytes() for part in JOINED[name][1])


@cache
def _compressed(name: str) -> bytes:
    return gzip.compress(_joined(name), mtime=0)


def word(name: str = "lorasmith.js") -> str:
    """Gives a word of a joined file's content and of the program's version."""
    return hashlib.sha256(_joined(name) + __version__.encode()).hexdigest()[:12]
