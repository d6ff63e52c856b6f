"""The web application: our own routes, Gradio mounted below them, and one gate before both."""

from typing import Any

import gradio as gr
from fastapi import FastAPI

from lorasmith.ui.access import Access, Gate
from lorasmith.ui.assets import head
from lorasmith.ui.context import Context
from lorasmith.ui.pages import build
from lorasmith.ui.routes import routes

_LARGEST_UPLOAD = 1 << 30  # bytes of one file
_LOOK_EVERY = 0.02  # seconds between two of Gradio's looks for pressed buttons


def make_app(context: Context, gate: Gate, root_path: str = "") -> Any:
    """Builds the application; `root_path` is where a WebUI shows it (`/sd/lorasmith`)."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.router.routes.extend(routes(context))
    blocks = build(context)
    for function in blocks.fns.values():  # Gradio would write examples of calling each into the page: more than half of it
        function.api_visibility = "undocumented"
    gr.mount_gradio_app(
        app, blocks, path="/", root_path=root_path or None, ssr_mode=False, show_error=True, head=head(),
        theme=_theme(), footer_links=[], max_file_size=_LARGEST_UPLOAD, enable_monitoring=False, pwa=False, mcp_server=False,
    )  # fmt: skip
    # A page that is left open must not hold a connection for ever: a browser has six for one address, and inside a
    # WebUI that page's own are among them. Every state of ours lies on disk, so nobody needs to know that a page has gone.
    # Gradio makes the setting when it is mounted; it has no public option for it.
    blocks.config["connect_heartbeat"] = False
    # Nor would it let the machine sleep: it looks a thousand times a second whether somebody has pressed a button.
    blocks._queue.sleep_when_free = blocks._queue.progress_update_sleep_when_free = _LOOK_EVERY
    return Access(app, gate)


def _theme() -> gr.themes.Base:
    """Gives the look, with fonts that every machine has: the default theme asks a font server."""
    fonts = ("ui-sans-serif", "system-ui", "Segoe UI", "sans-serif")
    mono = ("ui-monospace", "Consolas", "monospace")
    plain = gr.themes.Default(primary_hue="orange", font=fonts, font_mono=mono)
    # its soft words are too pale to read: these have more than 4.5 : 1 on both grounds (WCAG 2.2, 1.4.3)
    return plain.set(
        body_text_color_subdued="*neutral_600", body_text_color_subdued_dark="*neutral_400",
        block_info_text_color="*neutral_600", block_info_text_color_dark="*neutral_400",
        button_primary_background_fill="*primary_700", button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover="*primary_800", button_primary_background_fill_hover_dark="*primary_800",
        button_primary_border_color="*primary_700", button_primary_border_color_dark="*primary_700",
    )  # fmt: skip
