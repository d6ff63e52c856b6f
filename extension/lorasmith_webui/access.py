"""Who is let in: the token of the tab's HTML buys a signed cookie; all else is refused.

The WebUI's own login does not guard the routes of extensions, and cookies do not tell ports apart: so the token stands
only in a page that is behind the login, and the cookie's name and signature belong to one run of one host.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import Any, NamedTuple
from urllib.parse import urlsplit

ADDRESS = re.compile(r"https?://(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?(?:/[A-Za-z0-9._~%@+-]+)*/")
HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?")


class Address(NamedTuple):
    """Where a browser sees our page: `https`, `example.org:7860`, `/sd/lorasmith/`."""

    scheme: str
    host: str
    path: str

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.host}"


def read_address(text: str) -> Address | None:
    """Returns the address that the page's script sent, or None where it is none of ours."""
    if len(text) > 1000 or not ADDRESS.fullmatch(text) or not text.endswith("/lorasmith/") or "/../" in text:
        return None
    parts = urlsplit(text)
    return Address(parts.scheme, parts.netloc.lower(), parts.path)


def headers_of(scope: Any) -> dict[str, str]:
    """Returns the request's headers by lower-case name; of two with one name the last."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


class Door:
    """Makes and reads the cookies of one run of the host."""

    def __init__(self, token: str, secret: bytes) -> None:
        self.token = token
        self._secret = secret
        self.name = "ls_" + hashlib.sha256(token.encode()).hexdigest()[:8]

    def knows(self, token: str) -> bool:
        return hmac.compare_digest(token.encode("utf-8", "replace"), self.token.encode())

    def cookie(self, address: Address) -> str:
        """Returns the value of a Set-Cookie header for a browser that sees us at this address."""
        value = self._pack(address)
        secure = "; Secure" if address.scheme == "https" else ""
        return f"{self._name_for(address)}={value}; Path={address.path[:-1]}; HttpOnly; SameSite=Strict{secure}"

    def visitor(self, headers: dict[str, str]) -> Address | None:
        """Returns the address under which this request's browser was let in, or None: it was not."""
        seen = [address for name, value in self._cookies(headers) if (address := self._unpack(name, value))]
        # Behind a reverse proxy that names itself as the host only the origin, where it is sent, tells one from another.
        origin, host = headers.get("origin", "").lower(), headers.get("host", "").lower()
        same = [address for address in seen if address.origin == origin]
        fitting = [address for address in seen if address.host == host]
        return (same or fitting or seen or [None])[0]

    def _name_for(self, address: Address) -> str:
        return f"{self.name}_{hashlib.sha256(address.origin.encode()).hexdigest()[:6]}"

    def _cookies(self, headers: dict[str, str]) -> list[tuple[str, str]]:
        pairs = [piece.strip().partition("=") for piece in headers.get("cookie", "").split(";")]
        return [(name, value) for name, _, value in pairs if name.startswith(self.name + "_")]

    def _sign(self, text: bytes) -> str:
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()

    def _pack(self, address: Address) -> str:
        text = base64.urlsafe_b64encode((address.origin + address.path).encode()).rstrip(b"=")
        return f"{text.decode()}.{self._sign(text)}"

    def _unpack(self, name: str, value: str) -> Address | None:
        text, _, signature = value.partition(".")
        if not hmac.compare_digest(signature.encode("utf-8", "replace"), self._sign(text.encode()).encode()):
            return None
        address = read_address(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode())
        return address if address and name == self._name_for(address) else None


def comes_from_elsewhere(headers: dict[str, str], own: set[str]) -> bool:
    """Tells whether a browser says that another page made this request; `own` are the origins that are ours."""
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return True
    origin = headers.get("origin")
    return origin is not None and origin.lower() not in own


def own_origins(headers: dict[str, str]) -> set[str]:
    """Returns both spellings of the origin that the request itself names as its host's."""
    host = headers.get("host", "").lower()
    return {f"http://{host}", f"https://{host}"} if HOST.fullmatch(host) else set()
