"""How a person, or a WebUI's tab, wishes the page to be served."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lorasmith.errors import UsageError

_SHORTEST_PASSWORD = 8
_SHORTEST_KEY = 16


def _usual_folder() -> Path:
    return Path.home() / "lorasmith"


@dataclass(frozen=True)
class Serving:
    """How the page is served."""

    folder: Path | None = None  # the project shown first
    port: int = 0  # 0: the usual one, or the next that is free
    listen: bool = False
    password: str = ""
    browser: bool = True
    key: str = ""  # inside a WebUI: what its pass-through shows
    root_path: str = ""
    new_projects: Path = field(default_factory=_usual_folder)
    give_back_gpu: bool = True
    child: bool = False


def child_serving(config: Mapping[str, Any], folder: Path | None = None) -> Serving:
    """Reads what a WebUI's tab sends as the first line, and puts the bridge's address where jobs find it."""
    key = str(config.get("key", ""))
    if len(key) < _SHORTEST_KEY:
        raise UsageError("The first line of input must be a JSON object with a `key` of 16 characters or more.")
    if bridge := config.get("bridge"):
        from lorasmith.rendering.webui_client import TOKEN, URL, VERIFY

        os.environ.update({URL: str(bridge["url"]), TOKEN: str(bridge["token"])})
        os.environ[VERIFY] = "1" if bridge.get("verify", True) else "0"
    projects = str(config.get("projects") or "")
    return Serving(
        folder,
        port=int(config.get("port") or 0),
        key=key,
        root_path=str(config.get("root_path", "")),
        new_projects=Path(projects).expanduser() if projects else _usual_folder(),
        give_back_gpu=bool(config.get("give_back_gpu", True)),
        browser=False,
        child=True,
    )


def demand_password(wish: Serving) -> None:
    """Refuses to show a page to a network without a password, or with one that is soon guessed."""
    if wish.listen and len(wish.password) < _SHORTEST_PASSWORD:
        example = secrets.token_urlsafe(9)
        raise UsageError(
            f"--listen lets everyone in the network reach the page, so it needs a password of {_SHORTEST_PASSWORD} characters "
            f"or more: set LORASMITH_PASSWORD={example} (or one of your own), or give --password."
        )
