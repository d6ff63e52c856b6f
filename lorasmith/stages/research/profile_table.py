"""The table of a character's tags, with the class that info.md gives each, and the ways to change it."""

import csv
from dataclasses import dataclass

from lorasmith.errors import ProjectError, UsageError
from lorasmith.project.project import Project

TAGS = "tags.csv"
CLASSES = {"core": "core looks", "toggle": "toggles", "choice": "choices", "picked": "picked choices", "state": "state"}


@dataclass(frozen=True)
class ProfileRow:
    """One tag: on how many of the posts that pass, its lift over the site, its class now, and the one research found."""

    tag: str
    category: str
    group: str
    posts: int
    share: float
    lift: float | None
    cls: str
    found: str


def profile_rows(project: Project) -> list[ProfileRow]:
    """Lists the tags that research counted and those that stand on info.md alone, the most frequent first."""
    from lorasmith.safety import is_refused
    from lorasmith.tags.groups import group_of
    from lorasmith.tags.sheet import read_sheet

    sheet = read_sheet(project.written.sheet())
    classes = sheet.classes()
    rows = []
    for row in _counted(project):
        tag, lift = row["tag"], row.get("lift")
        found = _FOUND.get(row.get("part") or "", "other")
        group = (group_of(tag) or row["category"]).replace("_", " ")
        cls = classes.pop(tag, "state")
        numbers = int(row["posts"]), float(row["share"]), float(lift) if lift else None
        rows.append(ProfileRow(tag, row["category"], group, *numbers, cls, found))
    percent = {entry.tag: entry.percent for entry in (*sheet.core, *sheet.toggles, *sheet.choices)}
    for tag, cls in classes.items():
        share = (percent.get(tag) or 0) / 100
        rows.append(ProfileRow(tag, "", (group_of(tag) or "").replace("_", " "), 0, share, None, cls, "by hand"))
    rows.sort(key=lambda row: (-row.posts, -row.share, row.tag))
    return [row for row in rows if not is_refused(row.tag)]


_FOUND = {"core": "core", "toggles": "toggle", "choices": "choice", "state": "state"}


def _counted(project: Project) -> list[dict[str, str]]:
    path = project.research / TAGS
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        for row in rows:
            int(row["posts"]), float(row["share"]), float(row["lift"] or 0), row["tag"], row["category"]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise ProjectError(f"{path} cannot be read; start research again, which writes it anew.") from error
    return rows


def put_in_class(project: Project, tag: str, cls: str) -> str:
    """Moves a tag to another class of info.md as one step of the history; gives the new text.

    The file is read at this moment, so that what an editor wrote meanwhile stays.
    """
    from lorasmith.safety import is_refused
    from lorasmith.tags.sheet import SHEET_CLASSES, read_sheet, write_sheet
    from lorasmith.tags.spelling import with_underscores

    tag = with_underscores(tag.strip())
    if cls not in SHEET_CLASSES:
        raise UsageError(f"There is no class '{cls}'; a tag is one of {', '.join(SHEET_CLASSES)}.")
    if not tag or not tag.isprintable() or "`" in tag or is_refused(tag):
        raise UsageError("That is no tag that can stand on info.md; write it as the site does, such as blue_eyes.")
    counted = next((row for row in _counted(project) if row["tag"] == tag), None)
    percent = None if counted is None else round(float(counted["share"]) * 100)
    text = project.written.sheet() or f"# {project.trigger}\n"
    text = write_sheet(read_sheet(text).moved(tag, cls, percent))
    project.write_sheet(text, f"{tag} to {CLASSES[cls]}")
    return text
