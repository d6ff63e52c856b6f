"""Answers of the older protocols: JSON or XML that says so or not, and nothing at all where nothing was found."""

import html
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from lorasmith.boorus.client import BROKEN, JSON_CEILING, Client
from lorasmith.errors import SiteBlocked, SiteError

Params = Mapping[str, str | int]
_TRIES = 3
# Attributes alone are wanted, so no XML is parsed: nothing in an answer can make a parser fetch or unfold anything.
_ELEMENT = re.compile(r"<([A-Za-z][\w.-]*)((?:\s+[\w:.-]+\s*=\s*(?:\"[^\"<]*\"|'[^'<]*'))*)\s*/?>")
_WEB_PAGE = re.compile(r"(<\?xml[^>]{0,99}>\s*)?<(!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"([\w:.-]+)\s*=\s*(?:\"([^\"<]*)\"|'([^'<]*)')")


class Element(NamedTuple):
    """One element of an XML answer with its attributes."""

    name: str
    attributes: dict[str, str]


def ask_json(client: Client, path: str, params: Params) -> Any:
    """Gives the JSON that the site answers, None for an empty answer; raises `SiteBlocked` for a web page."""
    text = _ask(client, path, params)
    if not text:
        return None
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise SiteError(f"{client.site.host} answered with data that is not JSON; try again later.") from error


def ask_elements(client: Client, path: str, params: Params) -> list[Element]:
    """Gives the elements of the XML that the site answers, the root first; raises `SiteError` when it is none."""
    text = _ask(client, path, params)
    if text and not text.startswith("<"):
        raise SiteError(f"{client.site.host} answered with data that is not XML; it may have changed its answers.")
    return [Element(match[1], _attributes(match[2])) for match in _ELEMENT.finditer(text)]


def _attributes(text: str) -> dict[str, str]:
    return {match[1]: html.unescape(match[2] or match[3] or "") for match in _ATTRIBUTE.finditer(text)}


def _ask(client: Client, path: str, params: Params) -> str:
    """Gives the text of an answer; a web page is refused, however its type is called."""
    for _ in range(_TRIES):
        with client.get(client.site.url + path, params) as response:
            try:
                body = _read(client, client.blocks(response))
            except BROKEN:
                continue
        text = body.decode("utf-8", "replace").strip().removeprefix("\ufeff")
        if _WEB_PAGE.match(text):
            raise SiteBlocked(
                f"{client.site.host} answered with a web page instead of data. It may be closed to this client or "
                "under maintenance; the run stops here. Look at it in a browser, and try again later."
            )
        return text
    raise SiteError(f"{client.site.host} broke off its answer {_TRIES} times; try again later.")


def _read(client: Client, blocks: Iterable[bytes]) -> bytes:
    body = bytearray()
    for block in blocks:
        body += block
        if len(body) > JSON_CEILING:
            most = f"{JSON_CEILING >> 20} MB"
            raise SiteError(f"{client.site.host} answered with more than {most} of data; it is not read.")
    return bytes(body)


def _no_constant(name: str) -> None:
    raise ValueError(name)
