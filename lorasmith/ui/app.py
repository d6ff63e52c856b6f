"""The web application: our own routes, Gradio mounted below them, and one gate before both."""

from typing import Any

import gradio as gr
from fastapi import FastAPI

from lorasmith.ui.access import Access, Gate
from lorasmith.ui.context import Context
from lorasmith.ui.pages import build
from lorasmith.ui.routes import routes

# Relative to the page's address, which ends with a slash also behind a WebUI's own address.
_HEAD = """<link rel="stylesheet" href="api/static/lorasmith.css"><link rel="stylesheet" href="api/static/tag.css">
<script src="api/static/lorasmith.js" defer></script><script src="api/static/tiles.js" defer></script>
<script src="api/static/erase.js" defer></script><script src="api/static/crop.js" defer></script>
<script src="api/static/touch.js" defer></script><script src="api/static/batch.js" defer></script>
<script src="api/static/tag.js" defer></script><script src="api/static/tag_picture.js" defer></script>
<script src="api/static/tag_tables.js" defer></script>
<link rel="stylesheet" href="api/static/prune.css"><script src="api/static/prune.js" defer></script>
<script src="api/static/prune_picture.js" defer></script><script src="api/static/prune_sides.js" defer></script>
<link rel="stylesheet" href="api/static/research.css"><script src="api/static/research.js" defer></script>
<script src="api/static/research_query.js" defer></script><script src="api/static/research_wall.js" defer></script>
<script src="api/static/research_profile.js" defer></script>
<link rel="stylesheet" href="api/static/download.css"><script src="api/static/download.js" defer></script>
<link rel="stylesheet" href="api/static/evaluate.css"><script src="api/static/zoom.js" defer></script>
<script src="api/static/evaluate.js" defer></script><script src="api/static/evaluate_scores.js" defer></script>
<script src="api/static/evaluate_beside.js" defer></script><script src="api/static/refine.js" defer></script>
<link rel="stylesheet" href="api/static/train.css"><script src="api/static/train.js" defer></script>
<script src="api/static/train_plan.js" defer></script><script src="api/static/train_plot.js" defer></script>
<script src="api/static/train_run.js" defer></script>
<link rel="stylesheet" href="api/static/queue.css"><script src="api/static/queue.js" defer></script>
<script src="api/static/queue_add.js" defer></script>
<link rel="stylesheet" href="api/static/inspect.css"><script src="api/static/inspect.js" defer></script>
<script src="api/static/inspect_beside.js" defer></script>"""
_LARGEST_UPLOAD = 1 << 30  # bytes of one file


def make_app(context: Context, gate: Gate, root_path: str = "") -> Any:
    """Builds the application; `root_path` is where a WebUI shows it (`/sd/lorasmith`)."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.router.routes.extend(routes(context))
    blocks = build(context)
    gr.mount_gradio_app(
        app, blocks, path="/", root_path=root_path or None, ssr_mode=False, show_error=True, head=_HEAD,
        theme=_theme(), footer_links=[], max_file_size=_LARGEST_UPLOAD, enable_monitoring=False, pwa=False, mcp_server=False,
    )  # fmt: skip
    # A page that is left open must not hold a connection for ever: a browser has six for one address, and inside a
    # WebUI that page's own are among them. Every state of ours lies on disk, so nobody needs to know that a page has gone.
    # Gradio makes the setting when it is mounted; it has no public option for it.
    blocks.config["connect_heartbeat"] = False
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
