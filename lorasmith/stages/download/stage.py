"""download: the chosen posts as verified files, with their tags by category."""

import csv
import io
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lorasmith.errors import PictureError, SiteError
from lorasmith.files import demand_space, move_into_place, write_atomic
from lorasmith.progress import Progress, Report, silent
from lorasmith.project.pictures import Picture, facts_of
from lorasmith.project.project import Project
from lorasmith.settings.tables import DownloadSettings
from lorasmith.stages.download.chosen import Chosen, choose
from lorasmith.stages.download.resync import Resynced, bring_up_to_date, provenance, tags_of
from lorasmith.stages.research.site import demand_passable_character, in_the_sites_words, open_site, query_of
from lorasmith.stages.research.wall import forget_refused

if TYPE_CHECKING:
    from lorasmith.boorus.booru import Booru
    from lorasmith.boorus.post import Post

REPORT = "download.csv"
PLAN = "plan:download"  # the fact that holds the last plan
_ENOUGH = 3  # files in a row that the site does not give: then it is the site, and not the file


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
    refused_here: tuple[str, ...]  # files of earlier downloads whose posts are refused now: never trained on; remove them
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
    if not settings.collect_from_listed_posts_file:
        demand_passable_character(booru, query)
    settings = in_the_sites_words(booru, settings)
    chosen = choose(project, booru, query, settings, report)
    with project.change("download", f"download '{query}'"):
        synced = bring_up_to_date(project, booru, chosen.seen)
        new = [post for post in chosen.posts if post.name in synced.replaced or not have(project, post)]
        new += _replaced_besides(chosen, synced, settings)
        demand_space(project.folder, sum(post.size for post in new))
        failed = _fetch_all(project, booru, new, settings, report)
    report(Progress("download", len(new), len(new), "done"))
    project.remember(PLAN, None)  # what was planned has been done
    forget_refused(project)
    _remove_full_size(project, settings)
    new_names = {post.name for post in new}
    _write_report(project, booru, chosen, new, synced, failed)
    replaced = sum(post.name in synced.replaced and post.name not in failed for post in new)
    return Downloaded(
        query, len(chosen.posts) + len(chosen.left_out), len(new) - len(failed) - replaced,
        sum(post.name not in new_names for post in chosen.posts), len(synced.changed), replaced, synced.taken_down,
        len(booru.refused), synced.refused,
        dict(sorted(Counter(reason for _, reason in chosen.left_out).items())), tuple(chosen.not_found),
        tuple(failed.values()), str(project.folder / REPORT), len(project.pictures.originals()),
    )  # fmt: skip


def have(project: Project, post: "Post") -> bool:
    """Says whether a post's picture is here, by its name or its md5."""
    known = project.pictures.find(post.name)
    if known is None and post.md5:
        known = project.pictures.by_md5(post.md5)
    return known is not None and project.file_of(known).exists()


def _replaced_besides(chosen: Chosen, synced: Resynced, settings: DownloadSettings) -> "list[Post]":
    """Gives the posts that are here, have another file now, and are not among the chosen."""
    from lorasmith.boorus.funnel import cannot_be_had

    wanted = {post.name for post in chosen.posts}
    besides = (post for name, post in synced.replaced.items() if name not in wanted)
    return [post for post in besides if cannot_be_had(post, settings.model_copy(update={"export": ""})) is None]


def _fetch_all(
    project: Project, booru: "Booru", posts: Sequence["Post"], settings: DownloadSettings, report: Report
) -> dict[str, str]:
    """Fetches with a few connections and records here, one after the other; gives a sentence for each that failed."""
    from lorasmith.boorus.together import together

    failed: dict[str, str] = {}
    pace = _Pace(sum(post.size for post in posts))
    in_a_row = 0

    def fetch(post: "Post") -> "_File | SiteError":
        return _fetch(project, booru, post, settings)

    for done, (post, got) in enumerate(together(posts, fetch, settings.connections, booru.client.stopped), 1):
        problem = str(got) if isinstance(got, SiteError) else _record(project, got, settings)
        if problem:
            failed[post.name] = problem
        in_a_row = in_a_row + 1 if isinstance(got, SiteError) and _is_the_sites(got) else 0
        if in_a_row == _ENOUGH:
            raise SiteError(f"{_ENOUGH} files in a row could not be had, the last one so: {got} The run stops here; try again later.")
        report(Progress("download", done, len(posts), f"{post.name}, {pace.told(post.size, done, len(posts))}"))
    return failed


def _is_the_sites(error: SiteError) -> bool:
    from lorasmith.boorus.faults import UnservedFileError

    return isinstance(error, UnservedFileError)


@dataclass(frozen=True)
class _Place:
    """Where the files of one post go: the one that comes, and the smaller one that is made of it."""

    full_size: Path | None
    images: Path

    @property
    def incoming(self) -> Path:
        """Where the file is fetched to."""
        return self.full_size or self.images


@dataclass(frozen=True)
class _File:
    """A file that came."""

    post: "Post"
    path: Path
    place: _Place


def _place_of(project: Project, post: "Post", settings: DownloadSettings) -> _Place:
    """Gives where a post's files go: originals are never rewritten, so another file of the same post gets a folder."""
    from lorasmith.boorus.fetch import PICTURES, finished

    full_size = project.full_size if settings.max_short_side else None
    there = any((project.images / f"{post.name}.{ext}").exists() for ext in PICTURES)
    if not there or finished(post, project.images) or (full_size and finished(post, full_size) and _is_its(project, post)):
        return _Place(full_size, project.images)
    apart = (post.md5 or "")[:8]
    return _Place(full_size and full_size / apart, project.images / apart)


def _is_its(project: Project, post: "Post") -> bool:
    """Says whether the picture that is here, if there is one, was made of this very file."""
    known = project.pictures.find(post.name)
    return known is None or known.md5 == post.md5


def _fetch(project: Project, booru: "Booru", post: "Post", settings: DownloadSettings) -> "_File | SiteError":
    """Fetches one file; gives the fault when this one cannot be had, for a fault of the site ends the stage."""
    from lorasmith.boorus.faults import DamagedFileError, FileError

    for again in (False, True):
        place = _place_of(project, post, settings)
        try:
            return _File(post, booru.fetch(post, place.incoming, project.quarantine), place)
        except DamagedFileError as error:
            fresh = None if again else next(iter(booru.by_ids([post.id])), None)
            if fresh is None or fresh.md5 == post.md5:
                return error
            post = fresh  # the site has replaced the file since the post was read
        except FileError as error:
            return error
    raise AssertionError("the second try gives something")


def _record(project: Project, got: _File, settings: DownloadSettings) -> str | None:
    """Looks at a file that came, makes it smaller where asked, and adds it; gives a sentence when it is no whole picture."""
    try:
        facts = read_new_picture(project, got.path, got.post, got.place, settings.max_short_side)
    except PictureError as error:
        project.quarantine.mkdir(exist_ok=True)
        move_into_place(got.path, project.quarantine / f"{got.post.name}.damaged")
        return f"{error} It lies in {project.quarantine.name}/."
    with project.transaction():
        project.pictures.add(Picture(got.post.name, origin="booru", post=provenance(got.post), **facts))
        project.pictures.set_tags(got.post.name, "booru", tags_of(got.post))
    return None


def read_new_picture(project: Project, path: Path, post: "Post", place: _Place, short_side: int) -> dict[str, Any]:
    """Checks that a new file is a whole picture, makes it smaller where asked, and gives the row's facts."""
    from lorasmith.imaging.crop import fit_short_side
    from lorasmith.imaging.read import open_picture, save_png

    image = open_picture(path)
    if place.full_size is not None:
        place.images.mkdir(parents=True, exist_ok=True)
        if min(image.size) > short_side:
            image = fit_short_side(image, short_side)
            path = place.images / f"{post.name}.png"
            save_png(image, path)
        else:
            move_into_place(path, place.images / path.name)
            path = place.images / path.name
    facts = facts_of(project.folder, path, image.size)
    return facts | {"md5": post.md5 or facts["md5"]}  # the site's md5, by which a smaller copy is still known


def _remove_full_size(project: Project, settings: DownloadSettings) -> None:
    """Removes the files as they came of pictures that were made smaller; what a killed run left of them too."""
    if not settings.delete_original or not project.full_size.is_dir():
        return
    here = {picture.name for picture in project.pictures.originals()}
    for file in project.full_size.rglob("*"):
        if file.is_file() and file.stem in here and file.suffix != ".part":
            file.unlink(missing_ok=True)


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
    project: Project, booru: "Booru", chosen: Chosen, new: "Sequence[Post]", synced: Resynced, failed: dict[str, str]
) -> None:
    """Writes every post that was looked at, and what became of it; refused ones are nowhere."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("post", "page", "outcome", "reason"))
    new_names = {post.name for post in new}

    def outcome(post: "Post") -> str:
        if post.name in failed:
            return "failed"
        if post.name in synced.replaced:
            return "replaced"
        return "fetched" if post.name in new_names else "changed" if post.name in synced.changed else "already"

    taken = {post.name: post for post in (*chosen.posts, *new)}
    told = [(post, outcome(post), failed.get(name, "")) for name, post in taken.items()]
    told += [(post, "left out", reason) for post, reason in chosen.left_out if post.name not in taken]
    rows.writerows((post.name, booru.site.page(post.id), word, reason) for post, word, reason in told)
    rows.writerows((name, "", "left out", "not found") for name in chosen.not_found)
    rows.writerows((Path(file).stem, "", "taken down", file) for file in synced.taken_down)
    write_atomic(project.folder / REPORT, text.getvalue())
