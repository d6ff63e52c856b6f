"""One picture ordered from a WebUI, what came of it, and what its infotext says."""

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from lorasmith.rendering.prompt import Edges, Prompt

if TYPE_CHECKING:
    from PIL import Image

Fill = Literal[0, 1, 2, 3]  # what stands under the mask at the start: filled colours, the original, noise, nothing
State = Literal["waiting", "running", "done", "unknown"]
Table = dict[str, Any]
_VALUE = '("(?:[^"\\\\]|\\\\.)*"|[^,\n]*)'


@dataclass(frozen=True)
class Inpainting:
    """A picture of which the white part of a mask is drawn anew."""

    picture: "Image.Image"
    mask: "Image.Image"
    strength: float
    edges: Edges
    fill: Fill = 1


@dataclass(frozen=True)
class Order:
    """One picture; `checkpoint` is a title of the WebUI's list, None takes the selected one."""

    prompt: Prompt
    sampler: str
    scheduler: str
    checkpoint: str | None = None
    inpainting: Inpainting | None = None


@dataclass(frozen=True)
class Drawn:
    """What came of an order."""

    picture: "Image.Image"
    infotext: str


@dataclass(frozen=True)
class Under:
    """How far an order is."""

    state: State
    step: int = 0
    steps: int = 0


def is_named(row: Table, asked: str) -> bool:
    """Tells whether a row of the list of checkpoints is the one asked for.

    WebUIs put the hash into a title, `name [0123456789]`, only when they have worked it out: both forms are taken.
    """
    return asked in (row["title"], row["name"]) or _without_hash(asked) == _without_hash(str(row["title"]))


def _without_hash(title: str) -> str:
    return re.sub(r"\s*\[[0-9a-fA-F]+\]$", "", title)


def told(infotext: str, name: str) -> str:
    """Gives one value of an infotext's last line: `Model hash`, `Model`, `Lora hashes`; empty where it is not there."""
    found = re.search(rf"(?:^|, ){re.escape(name)}: {_VALUE}", infotext.rpartition("\n")[2])
    value = found.group(1).strip() if found else ""
    return str(json.loads(value)) if len(value) > 1 and value[0] == value[-1] == '"' else value


def lora_hashes(infotext: str) -> dict[str, str]:
    """Gives the LoRAs that a picture was really drawn with: name -> first digits of its hash."""
    pairs = (piece.rpartition(":") for piece in told(infotext, "Lora hashes").split(","))
    return {name.strip(): digits.strip() for name, _, digits in pairs if name.strip()}


def infotext_name(stem: str) -> str:
    """Gives a LoRA's name as infotexts write it: without the two marks that part their lists."""
    return stem.translate(str.maketrans("", "", ":,"))
