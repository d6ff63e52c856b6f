"""What a view is asked: which project, which part of it, and what the person chose to see."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from lorasmith.project.pictures import REFUSED, Decision, Picture
from lorasmith.project.project import Project
from lorasmith.ui import html

PER_PAGE = 48
T = TypeVar("T")


@dataclass(frozen=True)
class Ask:
    """One look at a stage of one project."""

    id: str  # the project's id in the list of projects
    page: int = 1
    show: str = "all"
    in_host: bool = False  # the page stands in a WebUI's tab


def paged(items: Sequence[T], ask: Ask) -> tuple[Sequence[T], str]:
    """Gives one page of the items, and the line with which a person turns the pages."""
    pages = max(1, -(-len(items) // PER_PAGE))
    page = min(max(1, ask.page), pages)
    part = items[(page - 1) * PER_PAGE : page * PER_PAGE]
    if pages == 1:
        return part, ""
    before = html.text("button", "‹ before", data_page=page - 1, disabled="" if page == 1 else None)
    after = html.text("button", "next ›", data_page=page + 1, disabled="" if page == pages else None)
    return part, html.element("nav", before, html.text("span", f"page {page} of {pages}"), after, class_="ls-pager")


def choices(ask: Ask, counts: Mapping[str, int]) -> str:
    """Writes the buttons that choose what is shown, with how many there are."""
    buttons = (
        html.text("button", f"{name} ({count})", data_show=name, class_="ls-chosen" if name == ask.show else None)
        for name, count in counts.items()
    )
    return html.element("nav", *buttons, class_="ls-choices")


def showable(project: Project, pictures: Sequence[Picture]) -> list[Picture]:
    """Leaves out what safety refused: nobody is shown it."""
    decisions = project.pictures.decisions_of({name for one in pictures for name in (one.name, one.parent or "")})
    return [one for one in pictures if not _refused(decisions.get(one.name)) and not _refused(decisions.get(one.parent or ""))]


def _refused(decision: Decision | None) -> bool:
    return decision is not None and decision.maker == REFUSED


def tile(ask: Ask, picture: Picture, *lines: str, buttons: str = "", mark: str = "") -> str:
    """Writes one picture of the project with lines below it; a click shows it large."""
    small = html.image(html.thumbnail_address(ask.id, picture.file, version=picture.sha256), picture.name)
    large = html.element("a", small, href=html.file_address(ask.id, picture.file), data_large="")
    words = "".join(html.text("span", line) for line in lines if line)
    return html.element(
        "figure", large, html.element("figcaption", html.text("b", picture.name), words), buttons,
        class_=f"ls-tile {mark}".strip(), data_name=picture.name,
    )  # fmt: skip


def decide_buttons(verdict: str) -> str:
    """Writes the two buttons of a person's word, the one that holds pressed."""
    return html.element(
        "div",
        *(
            html.text("button", word, data_decide=word, aria_pressed="true" if verdict == word else "false")
            for word in ("keep", "drop")
        ),
        class_="ls-decide",
    )


def wall(*tiles: str) -> str:
    """Puts tiles into a wall."""
    return html.element("div", *tiles, class_="ls-wall") if tiles else ""


def post_line(post: Mapping[str, Any]) -> str:
    """Says where a downloaded picture comes from."""
    if not post.get("site"):
        return ""
    return f"score {post.get('score', 0)}, rating {post.get('rating', '?')}"
