"""download: the chosen posts as verified files, with their tags by category."""

import csv
import io
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lorasmith.errors import PictureError
from lorasmith.files import demand_space, move_into_place, write_atomic
from lorasmith.progress import Progress, Report, silent
from lorasmith.project.pictures import Picture, facts_of
from lorasmith.project.project import Project
from lorasmith.settings.tables import DownloadSettings
from lorasmith.stages.chosen import Chosen, choose
from lorasmith.stages.resync import Resynced, bring_up_to_date, provenance, tags_of
from lorasmith.stages.site import in_the_sites_words, open_site, query_of

if TYPE_CHECKING:
    from lorasmith.boorus.booru import Booru
    from lorasmith.boorus.post import Post

REPORT = "download.csv"


@dataclass(frozen=True)
class Downloaded:
    """What download did."""

    query: str
    found: int  # posts looked at
    fetched: int
    already: int
    changed: int  # posts that are here and whose tags were brought up to date
    replaced: int  # posts that are here and whose file the site has replaced: fetched anew, the old one stays
    taken_down: tuple[str, ...]  # files of posts that the site has taken down: no longer trained on, yours to remove
    refused: int  # posts that mark minors: counted, never stored
    left_out: dict[str, int]  # reason -> posts
    not_found: tuple[str, ...]  # what a list of posts named and the site does not have
    failed: tuple[str, ...]  # sentences
    report: str  # path of the table of every post and what became of it
    pictures: int  # originals in the project now


def download(project: Project, settings: DownloadSettings, report: Report = silent) -> Downloaded:
    """Fetches the posts that pass the filters, the first ones of the order, and records each as it arrives."""
    query = query_of(project, settings)
    booru = open_site(settings)
    report(Progress("download", 0, None, f"asking {settings.site} for '{query}'"))
    settings = in_the_sites_words(booru, settings)
    chosen = choose(project, booru, query, settings, report)
    with project.change("download", f"download '{query}'"):
        synced = bring_up_to_date(project, booru, chosen.looked_at)
        new = [post for post in chosen.posts if post.name in synced.replaced or not _have(project, post)]
        demand_space(project.folder, sum(post.size for post in new))
        failed = _fetch_all(project, booru, new, settings, report)
    report(Progress("download", len(new), len(new), "done"))
    _write_report(project, booru, chosen, {post.name for post in new}, synced, failed)
    replaced = sum(post.name in synced.replaced and post.name not in failed for post in new)
    return Downloaded(
        query, len(chosen.posts) + len(chosen.left_out), len(new) - len(failed) - replaced, len(chosen.posts) - len(new),
        len(synced.changed), replaced, synced.taken_down, len(booru.refused),
        dict(sorted(Counter(reason for _, reason in chosen.left_out).items())), tuple(chosen.not_found),
        tuple(failed.values()), str(project.folder / REPORT), len(project.pictures.originals()),
    )  # fmt: skip


def _have(project: Project, post: "Post") -> bool:
    known = project.pictures.find(post.name)
    if known is None and post.md5:
        known = project.pictures.by_md5(post.md5)
    return known is not None and project.file_of(known).exists()


def _fetch_all(
    project: Project, booru: "Booru", posts: Sequence["Post"], settings: DownloadSettings, report: Report
) -> dict[str, str]:
    """Fetches with a few connections and records here, one after the other; gives a sentence for each that failed."""
    from lorasmith.boorus.together import together

    folder = project.full_size if settings.max_short_side else project.images
    failed: dict[str, str] = {}
    pace = _Pace(sum(post.size for post in posts))

    def fetch(post: "Post") -> "tuple[Post, Path] | str":
        return _fetch(project, booru, post, folder)

    for done, (post, got) in enumerate(together(posts, fetch, settings.connections, booru.client.stopped), 1):
        problem = got if isinstance(got, str) else _record(project, *got, settings)
        if problem:
            failed[post.name] = problem
        report(Progress("download", done, len(posts), f"{post.name}, {pace.told(post.size, done, len(posts))}"))
    return failed


def _fetch(project: Project, booru: "Booru", post: "Post", folder: Path) -> "tuple[Post, Path] | str":
    """Fetches one file; gives a sentence when this one cannot be had, for a fault of the site ends the stage."""
    from lorasmith.boorus.faults import DamagedFileError, FileError

    known = project.images / f"{post.name}.{post.ext}"
    if known.exists() and folder == project.images:  # another file of this post is here, and originals are never rewritten
        folder = project.images / (post.md5 or "")[:8]
    try:
        return post, booru.fetch(post, folder, project.quarantine)
    except DamagedFileError as error:
        fresh = next(iter(booru.by_ids([post.id])), None)
        if fresh is None or fresh.md5 == post.md5:
            return str(error)
        post = fresh  # the site has replaced the file since the post was read
    except FileError as error:
        return str(error)
    try:
        return post, booru.fetch(post, folder, project.quarantine)
    except FileError as error:
        return str(error)


def _record(project: Project, post: "Post", path: Path, settings: DownloadSettings) -> str | None:
    """Looks at a file that came, makes it smaller where asked, and adds it; gives a sentence when it is no whole picture."""
    try:
        picture, full_size = read_new_picture(project, path, post, settings.max_short_side)
    except PictureError as error:
        project.quarantine.mkdir(exist_ok=True)
        move_into_place(path, project.quarantine / f"{post.name}.damaged")
        return f"{error} It lies in {project.quarantine.name}/."
    with project.transaction():
        project.pictures.add(Picture(post.name, origin="booru", post=provenance(post), **picture))
        project.pictures.set_tags(post.name, "booru", tags_of(post))
    if full_size is not None and settings.delete_original:
        full_size.unlink(missing_ok=True)
    return None


def read_new_picture(project: Project, path: Path, post: "Post", short_side: int) -> tuple[dict[str, Any], Path | None]:
    """Checks that a new file is a whole picture; gives the row's facts, and the full-size file where a smaller was made."""
    from lorasmith.imaging.crop import fit_short_side
    from lorasmith.imaging.read import open_picture, save_png

    image = open_picture(path)
    full_size = None
    if path.parent == project.full_size:
        if min(image.size) > short_side:
            full_size, image = path, fit_short_side(image, short_side)
            path = project.images / f"{post.name}.png"
            save_png(image, path)
        else:
            path = _moved(path, project.images / path.name)
    facts = facts_of(project.folder, path, image.size)
    return facts | {"md5": post.md5 or facts["md5"]}, full_size  # the site's md5, by which a smaller copy is still known


def _moved(path: Path, to: Path) -> Path:
    to.parent.mkdir(exist_ok=True)
    move_into_place(path, to)
    return to


class _Pace:
    """Says how fast files come, and how long the rest will take."""

    def __init__(self, size: int) -> None:
        self._start = time.monotonic()
        self._size = size
        self._got = 0

    def told(self, size: int, done: int, total: int) -> str:
        """Words the pace after one more file of `size` bytes; by bytes where the site says sizes, else by files."""
        self._got += size
        took = time.monotonic() - self._start
        left = took * ((self._size - self._got) / self._got if self._got else (total - done) / done)
        rate = f"{done / took:.1f} files/s" if took > 1 else ""
        rest = f"{left / 60:.0f} min left" if left >= 90 else f"{left:.0f} s left"
        return ", ".join(part for part in (f"{self._got / 1e6:.0f} MB", rate, rest) if part)


def _write_report(
    project: Project, booru: "Booru", chosen: Chosen, new: set[str], synced: Resynced, failed: dict[str, str]
) -> None:
    """Writes every post that was looked at, and what became of it; refused ones are nowhere."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("post", "page", "outcome", "reason"))

    def row(posts: "Iterable[tuple[Post, str, str]]") -> None:
        rows.writerows((post.name, booru.site.page(post.id), outcome, reason) for post, outcome, reason in posts)

    def outcome(post: "Post") -> str:
        if post.name in failed:
            return "failed"
        if post.name in synced.replaced:
            return "replaced"
        return "fetched" if post.name in new else "changed" if post.name in synced.changed else "already"

    row((post, outcome(post), failed.get(post.name, "")) for post in chosen.posts)
    row((post, "left out", reason) for post, reason in chosen.left_out)
    rows.writerows((name, "", "left out", "not found") for name in chosen.not_found)
    rows.writerows((Path(file).stem, "", "taken down", file) for file in synced.taken_down)
    write_atomic(project.folder / REPORT, text.getvalue())
