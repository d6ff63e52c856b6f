"""Pieces of HTML, every value escaped: what the views are made of."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any
from urllib.parse import quote

from lorasmith.results import in_short

_LONG_LIST = 12  # entries of a list shown in a result


def element(tag: str, *inside: str, **attributes: Any) -> str:
    """Writes an element round finished HTML; `class_` and `data_x` become class and data-x, None and False are left out."""
    words = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(str(value), quote=True)}"'
        for name, value in attributes.items()
        if value is not None and value is not False
    )
    return f"<{tag}{words}>{''.join(inside)}</{tag}>"


def text(tag: str, words: Any, **attributes: Any) -> str:
    """Writes an element round plain text."""
    return element(tag, escape(str(words)), **attributes)


def image(address: str, alt: str, **attributes: Any) -> str:
    """Writes a picture that is fetched when it comes into sight."""
    words = {"src": address, "alt": alt, "loading": "lazy"} | attributes
    return "<img" + "".join(f' {name}="{escape(str(value), quote=True)}"' for name, value in words.items()) + ">"


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Writes a table; numbers stand to the right."""
    top = element("tr", *(text("th", name) for name in head))
    body = "".join(
        element("tr", *(text("td", in_short(cell), class_=_class_of(cell)) for cell in row)) for row in rows
    )
    return element("div", element("table", element("thead", top), element("tbody", body)), class_="ls-table")


def result(values: dict[str, Any]) -> str:
    """Writes a stage's result: a name and a value a line, whatever the stage gives."""
    if not values:
        return ""
    lines = "".join(
        text("dt", name.replace("_", " ")) + element("dd", _shown(value)) for name, value in values.items()
    )
    return element("dl", lines, class_="ls-result")


def _shown(value: Any) -> str:
    if isinstance(value, list) and len(value) > _LONG_LIST:
        return escape(f"{in_short(value[:_LONG_LIST])} and {len(value) - _LONG_LIST} more")
    return escape(in_short(value))


def _class_of(cell: Any) -> str | None:
    return "ls-number" if isinstance(cell, int | float) and not isinstance(cell, bool) else None


def note(words: str, kind: str = "") -> str:
    """Writes a sentence to a person; `kind` is "warn" for what wants care."""
    return text("p", words, class_=f"ls-note {kind}".strip())


def section(title: str, *inside: str) -> str:
    """Writes a titled part; nothing when there is nothing in it."""
    body = "".join(inside)
    return element("section", text("h3", title), body) if body else ""


def thumbnail_address(project: str, file: str, side: int = 256, version: str = "") -> str:
    """Gives the address of a small picture of a file of the project, relative to the page."""
    return f"api/thumb/{project}/{quote(file)}?side={side}" + (f"&v={version[:12]}" if version else "")


def file_address(project: str, file: str) -> str:
    """Gives the address of a file of the project, relative to the page."""
    return f"api/file/{project}/{quote(file)}"
