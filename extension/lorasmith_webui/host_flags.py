"""What the tab asks of its host besides the callbacks: command line, options, address. Never touches a model."""

from __future__ import annotations

import shlex
from typing import Any

from modules import shared

LOOPBACK = ("", "127.0.0.1", "localhost", "::1", "[::1]")
EVERYWHERE = ("0.0.0.0", "::", "[::]")


def flag(name: str, default: Any = None) -> Any:
    """Returns a word of the host's command line; hosts do not all know the same ones."""
    return getattr(shared.cmd_opts, name, default)


def option(name: str, default: Any) -> Any:
    """Returns one of our own settings in the host's Settings tab."""
    value = getattr(shared.opts, "lorasmith_" + name, None)
    return default if value is None else value


def subpath() -> str:
    """Returns the path under which a reverse proxy shows the host: empty, or `/sd`."""
    words = str(flag("subpath") or "").strip("/")
    return "/" + words if words else ""


def is_open_to_all() -> bool:
    """Tells whether people other than this machine's reach the host without a login."""
    name = str(flag("server_name") or "")
    reachable = flag("listen") or flag("share") or flag("ngrok") or name not in LOOPBACK
    return bool(reachable) and not (flag("gradio_auth") or flag("gradio_auth_path"))


def may_name_sources() -> bool:
    """Tells whether visitors may name an address that programs are installed from, by what the host lets them do."""
    # A1111 and its kin set the flag for every host that others can reach, unless it is started with
    # --enable-insecure-extension-access.
    return not (flag("disable_extension_access") or is_open_to_all())


def own_address(demo: Any) -> str:
    """Returns where the host's server answers on this machine, as `http://127.0.0.1:7860`."""
    name = str(getattr(demo, "server_name", None) or flag("server_name") or "")
    if name in EVERYWHERE or name in LOOPBACK:
        name = "[::1]" if ":" in name else "127.0.0.1"
    elif ":" in name and not name.startswith("["):
        name = f"[{name}]"
    port = getattr(demo, "server_port", None) or flag("port") or (7860 if demo else 7861)  # 7861: --nowebui
    return f"{'https' if flag('tls_keyfile') else 'http'}://{name}:{port}"


def words_for_child(demo: Any, bridge_token: str) -> dict[str, Any]:
    """Returns what the child is told at its start, but for its key."""
    # Without the sub-path: that is the reverse proxy's, and the child asks the server itself.
    bridge = {"url": own_address(demo) + "/lorasmith-host", "token": bridge_token, "verify": not flag("tls_keyfile")}
    return {
        "port": whole_number(option("port", 0)),
        "root_path": subpath() + "/lorasmith",
        "arguments": split_words(str(option("arguments", ""))),
        "bridge": bridge,
        "give_back_gpu": bool(option("give_back_gpu", True)),
        "projects": str(option("projects", "")).strip(),
    }


def whole_number(value: Any) -> int:
    try:
        port = int(value)
    except (TypeError, ValueError):
        return 0
    return port if 1024 <= port <= 65535 else 0


def split_words(text: str) -> list[str]:
    try:
        return shlex.split(text, posix=True)
    except ValueError:  # an unclosed quote
        return text.split()
