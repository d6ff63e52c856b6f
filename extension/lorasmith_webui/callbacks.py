"""What the host calls, and when."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from modules import script_callbacks
from starlette.responses import RedirectResponse
from starlette.routing import Route

from lorasmith_webui import bridge, host_flags, options, tab
from lorasmith_webui.access import Door
from lorasmith_webui.memory import Memory, memory
from lorasmith_webui.passthrough import Passthrough
from lorasmith_webui.tab_routes import TabRoutes


def register() -> None:
    """Tells the host about us; "Reload UI" forgets all callbacks and runs this again."""
    script_callbacks.on_ui_settings(options.add)
    script_callbacks.on_ui_tabs(tab.build)
    script_callbacks.on_app_started(app_started)
    script_callbacks.on_script_unloaded(unloaded)


def app_started(demo: Any, app: Any) -> None:
    """Opens our routes on the host's new app; a child from before "Reload UI" is simply used again."""
    kept = memory()
    kept.serve(demo)

    def host_stops() -> bool:
        return bool(getattr(getattr(demo, "server", None), "should_exit", False))

    # In front of the host's own: its last route takes every path.
    app.router.routes[0:0] = [*routes_for(kept, host_stops), *bridge.routes(lambda: kept.bridge_token, host_stops)]
    if host_flags.option("autostart", False):
        kept.child.ensure()


def routes_for(kept: Memory, host_stops: Callable[[], bool]) -> list[Route]:
    door = Door(kept.token, kept.secret)
    proxy = Passthrough(door, kept.child, host_stops, host_flags.subpath())
    return [
        Route("/lorasmith/{path:path}", proxy),
        Route("/lorasmith", to_the_slash, methods=["GET", "HEAD"]),
        *TabRoutes(kept, door).routes(),
    ]


async def to_the_slash(request: Any) -> RedirectResponse:
    return RedirectResponse("lorasmith/", 307)  # relative: a reverse proxy may show us elsewhere


def unloaded() -> None:
    """The host's UI is loaded anew: gives its model back to it, unless a child lives: that one sees to it by itself."""
    if not memory().child.is_alive:
        bridge.restore_gpu_if_given_back()
