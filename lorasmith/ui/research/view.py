"""What a site has: the funnel, the scores, the wall of previews, and the character sheet."""

from collections.abc import Mapping
from typing import Any

from lorasmith.project.pictures import PERSON, Decision
from lorasmith.project.project import Project
from lorasmith.stages.research.wall import Tile, read_wall
from lorasmith.stages.status import last_result
from lorasmith.ui import charts, html
from lorasmith.ui.ask import Ask, choices, decide_buttons, paged, wall


def view(project: Project, ask: Ask) -> str:
    """Draws the funnel of the last research, its wall of previews with keep and drop, and info.md."""
    found = last_result(project, "research")
    parts = _figures(found) if found else []
    if tiles := read_wall(project):
        heading = "The best posts, each picture once: drop what you do not want before it is fetched"
        parts.append(html.section(heading, _wall(project, ask, tiles)))
    if project.sheet.is_file():
        sheet = project.sheet.read_text(encoding="utf-8", errors="replace")
        parts.append(html.section("The character sheet, info.md", html.text("pre", sheet, class_="ls-sheet")))
    return "".join(parts) or html.note("Start asks the site; nothing big is fetched yet.")


def _figures(found: Mapping[str, Any]) -> list[str]:
    count = found.get("count")
    steps = [("posts in all", float(count))] if isinstance(count, int) else []
    steps += [(str(name), float(left)) for name, left in found.get("funnel", [])]
    # What an earlier version kept was of another form: it is not shown.
    scores = [row for row in found.get("scores", []) if isinstance(row, dict)]
    rows = [(f"best {100 - row['percentile']} %", row["score"], row["posts"]) for row in scores]
    return [
        html.note(str(found.get("advice", ""))),
        html.section("How many posts are left after each filter", charts.bars(steps)),
        html.section("Scores", html.table(("", "score from", "posts"), rows)),
    ]


def _wall(project: Project, ask: Ask, tiles: list[Tile]) -> str:
    decisions = project.pictures.decisions()
    dropped = [tile for tile in tiles if _verdict(decisions, tile) == "drop"]
    kept = [tile for tile in tiles if tile not in dropped]
    lists = {"all": tiles, "wanted": kept, "dropped": dropped}
    shown, pager = paged(lists.get(ask.show, tiles), ask)
    buttons = choices(ask, {name: len(some) for name, some in lists.items()})
    return buttons + wall(*(_tile(ask, tile, _verdict(decisions, tile)) for tile in shown)) + pager


def _verdict(decisions: Mapping[str, Decision], tile: Tile) -> str:
    """Gives a person's word; what prune thinks of a picture that was fetched is no reason against the post."""
    decision = decisions.get(tile.name)
    return decision.verdict if decision is not None and decision.maker == PERSON else ""


def _tile(ask: Ask, tile: Tile, verdict: str) -> str:
    address = html.file_address(ask.id, tile.preview)
    lines = (
        f"score {tile.score}, rating {tile.rating}, {tile.width} x {tile.height}",
        f"{len(tile.twins) + 1} posts alike" if tile.twins else "",
        f"by {', '.join(tile.artists)}" if tile.artists else "",
    )
    words = "".join(html.text("span", line) for line in lines if line)
    page = html.text("a", tile.name, href=tile.page, target="_blank", rel="noreferrer")
    return html.element(
        "figure", html.element("a", html.image(address, tile.name), href=address, data_large=""),
        html.element("figcaption", html.element("b", page), words), decide_buttons(verdict),
        class_=f"ls-tile {'ls-dropped' if verdict == 'drop' else ''}".strip(), data_name=tile.name,
    )  # fmt: skip
