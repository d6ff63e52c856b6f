"""download: the chosen posts as verified files, with their tags by category."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lorasmith.errors import PictureError
from lorasmith.files import demand_space
from lorasmith.progress import Progress, Report, silent
from lorasmith.project.pictures import Picture, Tag, facts_of
from lorasmith.project.project import Project
from lorasmith.settings.tables import DownloadSettings
from lorasmith.stages.site import open_site, query_of

if TYPE_CHECKING:
    from lorasmith.boorus.booru import Booru
    from lorasmith.boorus.post import Post


@dataclass(frozen=True)
class Downloaded:
    """What download did."""

    query: str
    found: int
    fetched: int
    already: int
    refused: int
    left_out: dict[str, int]  # reason -> posts
    failed: tuple[str, ...]  # sentences
    pictures: int  # originals in the project now


def download(project: Project, settings: DownloadSettings, report: Report = silent) -> Downloaded:
    """Fetches the posts of the query that pass the filters, best score first, and records each as it arrives."""
    query = query_of(project, settings)
    booru = open_site(settings)
    report(Progress("download", 0, None, f"asking {settings.site} for '{query}'"))
    chosen, left_out, found = choose(booru, query, settings)
    new = [post for post in chosen if not _have(project, post)]
    demand_space(project.folder, sum(post.size for post in new))
    failed: list[str] = []
    with project.change("download", f"download '{query}'"):
        for done, post in enumerate(new):
            report(Progress("download", done, len(new), post.name))
            problem = _fetch(project, booru, post, settings)
            if problem:
                failed.append(problem)
    report(Progress("download", len(new), len(new), "done"))
    total = len(project.pictures.originals())
    already = len(chosen) - len(new)
    return Downloaded(query, found, len(new) - len(failed), already, len(booru.refused), left_out, tuple(failed), total)


def choose(booru: "Booru", query: str, settings: DownloadSettings) -> tuple[list["Post"], dict[str, int], int]:
    """Gives the posts to have, best first, why others are left out, and how many were found."""
    from lorasmith.boorus.funnel import reject

    limit = settings.top_n * 3 if settings.top_n else 10000
    chosen: list[Post] = []
    left_out: Counter[str] = Counter()
    found = 0
    for post in booru.search(booru.best_first(query), limit):
        found += 1
        reason = reject(post, settings)
        if reason is None and settings.top_n and len(chosen) >= settings.top_n:
            reason = f"beyond the best {settings.top_n}"
        if reason is None:
            chosen.append(post)
        else:
            left_out[reason] += 1
    return chosen, dict(sorted(left_out.items())), found


def _have(project: Project, post: "Post") -> bool:
    known = project.pictures.find(post.name)
    if known is None and post.md5:
        known = project.pictures.by_md5(post.md5)
    return known is not None and project.file_of(known).exists()


def _fetch(project: Project, booru: "Booru", post: "Post", settings: DownloadSettings) -> str | None:
    """Fetches and records one post; gives a sentence when this one cannot be had."""
    from lorasmith.boorus.faults import FileError

    try:
        path = booru.fetch(post, project.images)
        picture = read_new_picture(project, path, post, settings.max_short_side)
    except (FileError, PictureError) as error:  # this file alone; a fault of the site ends the stage
        return str(error)
    provenance = {
        "site": post.site, "id": post.id, "rating": post.rating, "score": post.score, "fav_count": post.fav_count,
        "created_at": post.created_at, "sources": list(post.sources), "parent_id": post.parent_id,
        "children": list(post.children), "md5": post.md5,
    }  # fmt: skip
    with project.transaction():
        project.pictures.add(Picture(post.name, origin="booru", post=provenance, **picture))
        tags = [Tag(tag, category, "booru") for category, names in post.tags.items() for tag in names]
        project.pictures.set_tags(post.name, "booru", tags)
    return None


def read_new_picture(project: Project, path: Path, post: "Post", max_short_side: int) -> dict[str, Any]:
    """Checks that a new file is a whole picture, keeps it smaller where asked, and gives the row's facts."""
    from lorasmith.imaging.crop import fit_within
    from lorasmith.imaging.read import open_picture, save_png

    image = open_picture(path)
    if max_short_side and min(image.size) > max_short_side:
        image = fit_within(image, round(max(image.size) * max_short_side / min(image.size)))
        smaller = path.with_name(f"{post.name}.png")
        save_png(image, smaller)
        if smaller != path:
            path.unlink()
        path = smaller
    facts = facts_of(project.folder, path, image.size)
    return facts | {"md5": post.md5 or facts["md5"]}  # the site's md5, by which a smaller copy is still known
