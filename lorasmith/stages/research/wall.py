"""The preview wall: the best posts as small pictures, the same picture once, before anything big is fetched."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from lorasmith.errors import PictureError
from lorasmith.files import sha256_of, write_atomic
from lorasmith.progress import Progress, Report
from lorasmith.project.pictures import REFUSED, Decision
from lorasmith.project.project import Project
from lorasmith.results import plain

if TYPE_CHECKING:
    from lorasmith.boorus.booru import Booru
    from lorasmith.boorus.post import Post
    from lorasmith.imaging.measure import Measures

CONNECTIONS = 2
_SHEET = 120  # tiles on the contact sheet


@dataclass(frozen=True)
class Tile:
    """One picture of the wall; `preview` is relative to the project folder, `twins` are posts with the same picture."""

    name: str
    preview: str
    page: str
    width: int
    height: int
    rating: str
    score: int
    fav_count: int
    artists: tuple[str, ...] = ()
    twins: tuple[str, ...] = ()


def build_wall(project: Project, booru: "Booru", posts: Sequence["Post"], bits: int, report: Report) -> list[Tile]:
    """Fetches the previews that are not there yet, folds posts that show the same picture, and writes the wall down.

    Tiles come in the order of `posts`; of twins the best one is shown. A post without a preview is not on the wall.
    """
    from lorasmith.boorus.funnel import best_of
    from lorasmith.imaging.duplicates import families

    previews = _fetch_previews(project, booru, posts, report)
    by_name = {post.name: post for post in posts if post.name in previews}
    shown: dict[str, tuple[str, ...]] = dict.fromkeys(by_name, ())
    measured = _measure(project, previews)
    for family in families(measured, bits):
        best = best_of([by_name[name] for name in family]).name
        twins = tuple(name for name in family if name != best)
        shown[best] = twins
        for twin in twins:
            del shown[twin]
    tiles = [_tile(project, booru, by_name[name], previews[name], twins) for name, twins in shown.items()]
    _write(project, tiles)
    return tiles


def _write(project: Project, tiles: Sequence[Tile]) -> None:
    write_atomic(project.research / "wall.json", json.dumps([plain(tile) for tile in tiles], ensure_ascii=False, indent=0))
    _draw(project, tiles)


def read_wall(project: Project) -> list[Tile]:
    """Gives the wall of the last research, empty where there is none or it cannot be read; nothing that is refused by now."""
    decisions = project.pictures.decisions()
    return [tile for tile in _all_tiles(project) if not is_out(decisions.get(tile.name))]


def is_out(decision: Decision | None) -> bool:
    """Says whether safety has put a picture or a post out for good."""
    return decision is not None and decision.maker == REFUSED


def forget_refused(project: Project) -> None:
    """Takes posts that are refused by now off the wall, and removes their previews."""
    decisions = project.pictures.decisions()
    tiles = _all_tiles(project)
    left = [tile for tile in tiles if not is_out(decisions.get(tile.name))]
    for name, word in decisions.items():
        if is_out(word):
            for preview in (project.research / "previews").glob(f"{name}_*"):
                preview.unlink(missing_ok=True)
    if len(left) < len(tiles):
        _write(project, left)


def _all_tiles(project: Project) -> list[Tile]:
    known = {field.name for field in fields(Tile)}
    try:
        rows = json.loads((project.research / "wall.json").read_text(encoding="utf-8"))
        tiles = [Tile(**{name: value for name, value in row.items() if name in known}) for row in rows]
    except (OSError, ValueError, TypeError, AttributeError):
        return []
    return [Tile(**asdict(tile) | {"twins": tuple(tile.twins), "artists": tuple(tile.artists)}) for tile in tiles]


def twins_of(tiles: Iterable[Tile]) -> dict[str, str]:
    """Gives, for each post that was folded away, the post that is shown in its place."""
    return {twin: tile.name for tile in tiles for twin in tile.twins}


def _fetch_previews(project: Project, booru: "Booru", posts: Sequence["Post"], report: Report) -> dict[str, Path]:
    from lorasmith.boorus.together import together

    folder = project.research / "previews"
    folder.mkdir(parents=True, exist_ok=True)
    there = {path.stem: path for path in folder.iterdir() if path.suffix != ".tmp"}
    found = {post.name: there[_stem(post)] for post in posts if _stem(post) in there}
    missing = [post for post in posts if post.name not in found and post.preview_url]
    fetched = together(missing, booru.preview, CONNECTIONS, booru.client.stopped)
    for done, (post, data) in enumerate(fetched, 1):
        report(Progress("research", done, len(missing), "previews"))
        if data is not None:
            found[post.name] = _keep(folder, post, data)
    return found


def _stem(post: "Post") -> str:
    """Names a preview by its post and its file: one that was replaced on the site is fetched anew."""
    return f"{post.name}_{(post.md5 or '')[:8]}"


def _keep(folder: Path, post: "Post", data: bytes) -> Path:
    from lorasmith.imaging.signatures import HEAD_BYTES, true_extension

    path = folder / f"{_stem(post)}.{true_extension(data[:HEAD_BYTES])}"
    write_atomic(path, data)
    return path


def _measure(project: Project, previews: Mapping[str, Path]) -> dict[str, "Measures"]:
    """Measures previews once, kept by content; a broken one has no twins."""
    from lorasmith.imaging.measure import Measures, measure

    measured = {}
    for name, path in previews.items():
        sha = sha256_of(path)
        facts = Measures.from_dict(project.caches.measures(sha))
        if facts is None:
            try:
                facts = measure(path)
            except PictureError:
                continue
            project.caches.keep_measures(sha, facts.to_dict())
        measured[name] = facts
    return measured


def _tile(project: Project, booru: "Booru", post: "Post", preview: Path, twins: tuple[str, ...]) -> Tile:
    return Tile(
        post.name, preview.relative_to(project.folder).as_posix(), booru.site.page(post.id), post.width, post.height,
        post.rating, post.score, post.fav_count, post.tags.get("artist", ()), twins,
    )  # fmt: skip


def _draw(project: Project, tiles: Sequence[Tile]) -> None:
    from lorasmith.imaging.read import save_png
    from lorasmith.imaging.sheets import contact_sheet

    if not tiles:
        (project.research / "wall.png").unlink(missing_ok=True)
        return
    labels = [(_label(tile), project.folder / tile.preview) for tile in tiles[:_SHEET]]
    save_png(contact_sheet(labels, columns=10, cell=160), project.research / "wall.png")


def _label(tile: Tile) -> str:
    twins = f", {len(tile.twins) + 1} alike" if tile.twins else ""
    return f"{tile.name} score {tile.score}, {tile.width}x{tile.height}{twins}"
