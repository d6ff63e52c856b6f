"""`lorasmith ui`: the server of the page, for a person at this machine, for a home network, or inside a WebUI's tab."""

import json
import os
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable

from lorasmith import __version__
from lorasmith.errors import LorasmithError
from lorasmith.folders import uploads_folder
from lorasmith.jobs import processes
from lorasmith.jobs.place import Place
from lorasmith.ui.wish import Serving, demand_password

USUAL_PORT = 7870
_TRIES = 20  # ports tried after the usual one
READY = "LORASMITH-READY "


def serve(wish: Serving, say: Callable[[str], None], place: Place | None = None) -> None:
    """Serves the page until Ctrl-C, or, inside a WebUI, until standard input ends; its jobs run at `place`, or on this machine.

    Raises `UsageError` for a network without a password, `LorasmithError` when the port is taken or a page runs already.
    """
    demand_password(wish)
    listener = open_port(wish)
    os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_DISABLE_TELEMETRY="1", GRADIO_TEMP_DIR=str(uploads_folder()))
    from lorasmith.ui.projects.quick_import import import_gradio

    import_gradio()
    from lorasmith.ui.running import Running

    with listener, Running(wish, place) as running:
        port = listener.getsockname()[1]
        first = running.remember(wish.folder) if wish.folder else ""
        address = f"http://{_own_address() if wish.listen else '127.0.0.1'}:{port}/{first}"
        server = running.server()
        if wish.child:
            processes.when_input_ends(lambda: setattr(server, "should_exit", True))  # the WebUI has gone, or wants it to go
            say(READY + json.dumps({"port": port, "pid": os.getpid(), "version": __version__}))
        else:
            say(f"lorasmith is at {address}  (Ctrl-C ends it)")
            if wish.browser:
                threading.Timer(0.5, webbrowser.open, [address]).start()
        processes.end_in_order()
        server.run([listener])


def open_port(wish: Serving) -> socket.socket:
    """Opens the port asked for, or the usual one, or the next that is free; raises when the one asked for is taken."""
    host = "0.0.0.0" if wish.listen else "127.0.0.1"
    wanted = [wish.port] if wish.port else [0] if wish.child else [USUAL_PORT + step for step in range(_TRIES)] + [0]
    if wish.child and wish.port:
        wanted.append(0)  # the tab asks for the port it liked and learns which one it got
    for port in wanted:
        # named, because asyncio sends small answers at once only where the protocol is named TCP
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        if sys.platform == "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:  # on Windows this would let two programs share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(128)
        except OSError:
            listener.close()
            continue
        return listener
    raise LorasmithError(f"Port {wish.port} is taken by another program; give another with --port, or leave --port out.")


def _own_address() -> str:
    """Gives the address by which others in the network reach this machine; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"
