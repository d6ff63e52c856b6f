"""The few replies that are ours and not the child's: refused, starting, not there. Pages for people, JSON for scripts."""

from __future__ import annotations

import html

from starlette.responses import HTMLResponse, JSONResponse, Response

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>LoRA Smith</title>{refresh}<style>
:root {{ color-scheme: light dark; }}
body {{ margin: 0; min-height: 90vh; display: grid; place-content: center; justify-items: center; text-align: center;
  font: 16px/1.5 system-ui, sans-serif; color: #374151; background: #fff; }}
body.dark {{ color: #d1d5db; background: #0b0f19; }}
h1 {{ font-size: 1.15rem; margin: .8rem 0 .2rem; }} p {{ margin: 0; max-width: 34rem; opacity: .8; }}
i {{ width: 28px; height: 28px; border: 3px solid #f9731633; border-top-color: #f97316; border-radius: 50%;
  animation: turn 1s linear infinite; }}
@keyframes turn {{ to {{ transform: rotate(1turn); }} }}
</style></head><body{theme}>{wheel}<h1>{title}</h1><p>{words}</p></body></html>"""
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def wants_page(headers: dict[str, str]) -> bool:
    return "text/html" in headers.get("accept", "")


def reply(headers: dict[str, str], status: int, title: str, words: str, dark: bool = False) -> Response:
    """Returns a page, or the same as JSON; a 503 page loads itself again each second."""
    if not wants_page(headers):
        return JSONResponse({"error": words or title, "status": status}, status, HEADERS)
    again = status == 503
    text = PAGE.format(
        refresh='<meta http-equiv="refresh" content="1">' if again else "",
        wheel="<i></i>" if again else "",
        theme=' class="dark"' if dark else "",
        title=html.escape(title),
        words=html.escape(words),
    )
    return HTMLResponse(text, status, HEADERS)


def refused(headers: dict[str, str]) -> Response:
    words = "Open the WebUI's own page and its tab “LoRA Smith”; where it is open already, reload it."
    return reply(headers, 403, "This page can only be opened from the WebUI", words)


def bad_request(headers: dict[str, str], why: str) -> Response:
    return reply(headers, 400, "This request is not passed on", why[:1].upper() + why[1:] + ".")


def not_running(headers: dict[str, str], why: str, dark: bool) -> Response:
    if why:
        return reply(headers, 503, "LoRA Smith is not running", why, dark)
    return reply(headers, 503, "LoRA Smith is starting", "This page opens by itself as soon as it is there.", dark)
