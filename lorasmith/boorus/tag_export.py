"""The aliases and implications of a whole site, fetched politely once: e621's nightly exports, or Danbooru's API page by page."""

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from lorasmith.boorus.answers import Fields, read_list
from lorasmith.boorus.client import BROKEN, Client
from lorasmith.boorus.export_rows import Table
from lorasmith.boorus.limiter import Pace
from lorasmith.boorus.sites import Site, find_site
from lorasmith.errors import SiteError, UsageError
from lorasmith.files import disk_full_is_a_sentence, move_into_place, sha256_of
from lorasmith.tags.relations import Kind, Relation

TABLES: tuple[tuple[str, Kind], ...] = (("tag_aliases", "alias"), ("tag_implications", "implies"))
CEILING = 64 << 20  # bytes of one packed table; each has about two million
MOST = 2_000_000  # rows of one table; the largest has 90 thousand
PAGE = 1000  # rows that Danbooru answers at most
_COLUMNS = ("antecedent_name", "consequent_name", "status")
_TRIES = 3
# e621 serves its exports from a host of their own below its name, and says in its list which.
_EXPORT_HOSTS = (".e621.net",)

Told = Callable[[str], None]


class _Listed(NamedTuple):
    """One row of the list of exports."""

    name: str
    url: str
    size: int
    sha256: str


def open_client(site: str, url: str = "", pace: Pace | None = None, user: str = "", api_key: str = "") -> Client:
    """Opens a client for a site's tables; raises `UsageError` for a site that gives none."""
    row = find_site(site, url)
    if row.family not in ("e621", "danbooru"):
        raise UsageError(f"{site} gives no tables of its tags; it uses Danbooru's words, so fetch those of danbooru.")
    return Client(_with_export_hosts(row), pace or Pace(), user, api_key)


def _with_export_hosts(site: Site) -> Site:
    if site.family != "e621" or not site.host.endswith("e621.net"):
        return site
    return replace(site, file_hosts=(*site.file_hosts, *_EXPORT_HOSTS))


def relations_of(client: Client, folder: Path, told: Told) -> Iterator[Relation]:
    """Gives the active aliases and implications of a site, one at a time.

    `folder` keeps e621's packed tables, so that one that has not changed is not fetched again; `told` hears what is done.
    Raises `SiteError` for a table that is damaged or is none.
    """
    if client.site.family == "danbooru":
        for name, kind in TABLES:
            yield from _paged(client, name, kind, told)
        return
    listed = _list_of_exports(client)
    for name, kind in TABLES:
        told(f"fetching {name} of {client.site.name}")
        path = _fetched(client, listed[name], folder)
        told(f"reading {name} of {client.site.name}")
        yield from _active(path, kind)


def _list_of_exports(client: Client) -> dict[str, _Listed]:
    rows = read_list(client.json("/db_exports.json"), "db_exports", client.site.name)
    found = {}
    for row in rows:
        fields = Fields(row, f"The list of exports of {client.site.name}")
        url = fields.address("url", client.site.url) or ""
        one = _Listed(fields.text("name"), url, fields.number("file_size"), fields.text("checksum").lower())
        found[one.name] = one
    for name, _ in TABLES:
        if name not in found:
            raise SiteError(f"{client.site.host} lists no export '{name}'; the site may have changed its exports.")
        if found[name].size > CEILING:
            raise SiteError(f"The export '{name}' of {client.site.host} is larger than {CEILING >> 20} MB; it is not fetched.")
    return found


def _fetched(client: Client, listed: _Listed, folder: Path) -> Path:
    """Gives the file of an export with the sum that the site says, fetching it where it is not there yet."""
    path = folder / f"{client.site.host.replace(':', '_')}-{listed.name}.csv.gz"
    if path.is_file() and sha256_of(path) == listed.sha256:
        return path
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with disk_full_is_a_sentence(path):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            for _ in range(_TRIES):
                if _download(client, listed, part) == listed.sha256:
                    move_into_place(part, path)
                    return path
        finally:
            part.unlink(missing_ok=True)
    raise SiteError(
        f"The export '{listed.name}' of {client.site.host} came {_TRIES} times with another sum than the site says; "
        "it may be renewed just now, so try again in an hour."
    )


def _download(client: Client, listed: _Listed, part: Path) -> str:
    """Fetches an export into a part and gives its sha256, empty when the connection broke or more came than announced."""
    digest, got = hashlib.sha256(), 0
    with client.get(listed.url, headers={"Accept-Encoding": "identity"}) as response, part.open("wb") as stream:
        try:
            for block in client.blocks(response):
                got += len(block)
                if got > listed.size:
                    return ""
                digest.update(block)
                stream.write(block)
        except BROKEN:
            if client.stopped.is_set():
                raise
            return ""
        stream.flush()
        os.fsync(stream.fileno())
    return digest.hexdigest()


def _active(path: Path, kind: Kind) -> Iterator[Relation]:
    """Gives the rows of a packed table that are in force, read block by block."""
    for number, (old, new, status) in enumerate(Table(path, _COLUMNS).rows()):
        if number >= MOST:
            raise SiteError(f"{path} has more than {MOST} rows; it is not read further.")
        if status == "active":
            yield Relation(kind, old, new)


def _paged(client: Client, name: str, kind: Kind, told: Told) -> Iterator[Relation]:
    """Asks for the active rows page after page, by rising id: no depth is too great, and no row comes twice."""
    last, number = 0, 0
    while True:
        told(f"{name} of {client.site.name}: {number} so far")
        asked: dict[str, str | int] = {
            "search[status]": "active", "limit": PAGE, "page": f"a{last}", "only": "id,antecedent_name,consequent_name,status",
        }  # fmt: skip
        answer = read_list(client.json(f"/{name}.json", asked), name, client.site.name)
        rows = [Fields(row, f"A row of {name} of {client.site.name}") for row in answer]
        for row in rows:
            if row.text("status", "active") == "active":
                yield Relation(kind, row.text("antecedent_name"), row.text("consequent_name"))
        number += len(rows)
        highest = max((row.number("id") for row in rows), default=last)
        if len(rows) < PAGE or number >= MOST:
            return
        if highest <= last:
            raise SiteError(f"{client.site.host} gave the same page of {name} again; the tables were not taken over.")
        last = highest
