"""credits: who drew the pictures, where they come from, and under which conditions, as a table."""

import csv
import io
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from lorasmith.errors import UsageError
from lorasmith.files import write_atomic
from lorasmith.project.pictures import Picture
from lorasmith.project.project import Project
from lorasmith.stages.research.wall import is_out


@dataclass(frozen=True)
class Credit:
    """Where one picture comes from."""

    picture: str
    artists: str
    post: str  # address of its page
    sources: str
    rating: str
    posted: str
    md5: str
    conditions: str  # what the artist asks, as the site tells it
    trained_on: bool


@dataclass(frozen=True)
class Credited:
    """What was written."""

    pictures: int
    artists: int
    without_artist: int
    file: str


def write_credits(project: Project, file: Path | None = None) -> Credited:
    """Writes the credits of all downloaded pictures as CSV, or as Markdown where the file ends in .md."""
    file = project.folder / "credits.csv" if file is None else file.expanduser().absolute()
    if file.suffix.lower() not in (".csv", ".md"):
        raise UsageError(f"The credits are written as .csv or .md, not to {file.name}.")
    rows = credits(project)
    write_atomic(file, _as_markdown(rows) if file.suffix.lower() == ".md" else _as_csv(rows))
    artists = {name for row in rows for name in row.artists.split(", ") if name}
    return Credited(len(rows), len(artists), sum(not row.artists for row in rows), str(file))


def credits(project: Project) -> list[Credit]:
    """Lists the downloaded pictures with their origin, by name."""
    kept = {picture.name for picture in project.pictures.kept()}
    decisions = project.pictures.decisions()
    shown = (one for one in project.pictures.all(origins=("booru",)) if not is_out(decisions.get(one.name)))
    return [_credit(project, picture, picture.name in kept) for picture in shown]


def _credit(project: Project, picture: Picture, trained_on: bool) -> Credit:
    from lorasmith.boorus.sites import SITES

    post = picture.post
    said = [tag for tag in project.pictures.tags(picture.name) if tag.source == "booru"]
    artists = [tag.tag for tag in said if tag.category == "artist" and tag.tag not in _NOT_ARTISTS]
    site = SITES.get(str(post.get("site")))
    page = site.page(int(post["id"])) if site and isinstance(post.get("id"), int) else ""
    return Credit(
        picture.name, ", ".join(artists), page, " ".join(map(str, post.get("sources") or ())), str(post.get("rating", "")),
        str(post.get("created_at", ""))[:10], str(post.get("md5", "")), str(post.get("do_not_post", "")), trained_on,
    )  # fmt: skip


_NOT_ARTISTS = frozenset(["conditional_dnp", "unknown_artist", "unknown_artist_signature", "sound_warning", "third-party_edit"])


def _as_csv(rows: list[Credit]) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(field.name for field in fields(Credit))
    table.writerows(astuple(row) for row in rows)
    return text.getvalue()


def _as_markdown(rows: list[Credit]) -> str:
    lines = ["# Credits", ""]
    by_artist: dict[str, list[Credit]] = {}
    for row in rows:
        by_artist.setdefault(row.artists or "unknown artist", []).append(row)
    for artist, theirs in sorted(by_artist.items()):
        lines += [f"- {artist.replace('_', ' ')}: " + ", ".join(f"[{row.picture}]({row.post})" for row in theirs)]
    return "\n".join(lines) + "\n"
