"""One HTTP request to a WebUI; every way it can fail is an error that says what to do."""

import base64
import binascii
import io
import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests
from PIL import Image

from lorasmith.errors import UsageError
from lorasmith.rendering.prompt import RenderingError

_MAX_PIXELS = 8192 * 8192
_MAX_ANSWER = 400_000_000  # bytes: a picture of that size in base64
_CONNECT = 10  # seconds
_BLOCK = 1 << 20


class WebuiError(RenderingError):
    """The WebUI did not do what it was asked; `kind` is one word for programs (busy, gpu, interrupted, missing_lora...)."""

    def __init__(self, sentence: str, kind: str = "failed", status: int = 0) -> None:
        super().__init__(sentence)
        self.kind = kind
        self.status = status


@dataclass(frozen=True)
class Connection:
    """Where a WebUI is and how it is asked; `timeout` are the seconds one answer may take."""

    url: str
    login: tuple[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    verify: bool = True
    timeout: float = 900
    advice: str = "start it with --api"  # where nobody answers, or nobody knows the path

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"'{self.url}' is no address of a WebUI; write it like http://127.0.0.1:7860.")
        object.__setattr__(self, "url", self.url.rstrip("/"))

    def get(self, path: str, words: Mapping[str, str] | None = None) -> Any:
        """Asks for something."""
        return self._ask("GET", path, words=words)

    def post(self, path: str, payload: Mapping[str, Any] | None = None) -> Any:
        """Has something done."""
        return self._ask("POST", path, payload={} if payload is None else payload)

    def _ask(
        self, method: str, path: str, words: Mapping[str, str] | None = None, payload: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            status, reason, content = self._answer(method, path, words, payload)
        except requests.Timeout as error:
            raise WebuiError(
                f"The WebUI at {self.url} did not answer within {self.timeout:g} seconds.", "timeout"
            ) from error
        except requests.exceptions.SSLError as error:
            raise WebuiError(
                f"The certificate of the WebUI at {self.url} cannot be checked; set LORASMITH_WEBUI_VERIFY=0 if it is "
                "your own.",
                "unreachable",
            ) from error
        except requests.RequestException as error:
            raise WebuiError(
                f"No WebUI answers at {self.url}; {self.advice}, or correct the address.", "unreachable"
            ) from error
        if status != 200:
            raise self._fault(path, status, _Words.of(content, reason))
        return self._parsed(content)

    def _answer(
        self, method: str, path: str, words: Mapping[str, str] | None, payload: Mapping[str, Any] | None
    ) -> tuple[int, str, bytes]:
        with requests.Session() as session:
            # A proxy that the environment names for the web is not to be asked for this machine's own address, nor told
            # the bridge's token.
            session.trust_env = not _is_here(self.url) and not self.headers
            answer = session.request(
                method, self.url + path, params=words, json=payload, auth=self.login, headers=dict(self.headers),
                timeout=(_CONNECT, self.timeout), verify=self.verify, stream=True, allow_redirects=False,
            )  # fmt: skip
            content = bytearray()
            for block in answer.iter_content(_BLOCK):
                content += block
                if len(content) > _MAX_ANSWER:
                    raise WebuiError(f"The WebUI at {self.url} sends more than {_MAX_ANSWER / 1e6:.0f} MB.")
            return answer.status_code, answer.reason or "", bytes(content)

    def _parsed(self, content: bytes) -> Any:
        try:
            return json.loads(content) if content else None
        except ValueError as error:
            raise WebuiError(f"{self.url} did not answer as a WebUI does (no JSON); correct the address.") from error

    def _fault(self, path: str, status: int, words: "_Words") -> WebuiError:
        """Words an error status for a person."""
        if words.sentence:
            return WebuiError(words.said, words.kind, status)
        if 300 <= status < 400:
            return WebuiError(f"{self.url} sends on to another address; give that one instead.", "unreachable", status)
        if status in (401, 403):
            said = f"The WebUI at {self.url} wants a login; give the name and password of its --api-auth."
            return WebuiError(said, "login", status)
        if status == 404 and words.said in ("", "Not Found"):
            return WebuiError(f"The WebUI at {self.url} has no {path}; {self.advice}, or update it.", "old", status)
        if status in (502, 503, 504):
            return WebuiError(
                f"The WebUI at {self.url} is busy or starting ({status}); try again in a while.", "busy", status
            )
        if "OutOfMemory" in words.said or "out of memory" in words.said:
            said = f"The WebUI at {self.url} is out of GPU memory; render smaller pictures, or close other programs."
            return WebuiError(said, "memory", status)
        return WebuiError(f"The WebUI at {self.url} failed with status {status}: {words.said[:300]}", "failed", status)


@dataclass(frozen=True)
class _Words:
    """What the body of an error says: a sentence of the bridge, or the WebUI's own words."""

    said: str
    kind: str = ""
    sentence: bool = False

    @classmethod
    def of(cls, content: bytes, reason: str) -> "_Words":
        try:
            body = json.loads(content)
        except ValueError:
            return cls(reason)
        if not isinstance(body, dict):
            return cls(reason)
        if isinstance(body.get("kind"), str) and isinstance(body.get("error"), str):
            return cls(body["error"], body["kind"], sentence=True)
        return cls(" ".join(str(body[name]) for name in ("error", "errors", "detail") if body.get(name)))


def _is_here(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def packed(picture: Image.Image) -> str:
    """Packs a picture as PNG in base64."""
    stream = io.BytesIO()
    picture.save(stream, format="PNG", compress_level=1)
    return base64.b64encode(stream.getvalue()).decode("ascii")


def unpacked(text: str, url: str) -> Image.Image:
    """Reads a picture that a WebUI sent in base64; raises `WebuiError` where it is none or too large."""
    try:
        data = base64.b64decode(text.rpartition(",")[2], validate=True)
        with Image.open(io.BytesIO(data), formats=["PNG", "JPEG", "WEBP"]) as opened:
            if opened.width * opened.height > _MAX_PIXELS:
                raise WebuiError(f"The WebUI at {url} sent a picture of {opened.size}, which is too large.")
            return opened.convert("RGB")
    except (binascii.Error, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise WebuiError(f"The WebUI at {url} sent a picture that cannot be read.") from error
