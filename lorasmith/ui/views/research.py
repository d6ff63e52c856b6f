"""What a site has: the funnel, the scores, and the character sheet."""

from lorasmith.project.project import Project
from lorasmith.stages.status import last_result
from lorasmith.ui import charts, html
from lorasmith.ui.views.ask import Ask


def view(project: Project, ask: Ask) -> str:
    """Draws the funnel of the last research and shows info.md."""
    found = last_result(project, "research")
    parts = []
    if found:
        parts.append(html.note(str(found.get("advice", ""))))
        rows = [(str(name), float(left)) for name, left in found.get("funnel", [])]
        parts.append(html.section("How many posts are left after each filter", charts.bars(rows)))
        parts.append(html.section("Scores", html.table(("score from", "posts"), found.get("scores", []))))
    if project.sheet.is_file():
        sheet = project.sheet.read_text(encoding="utf-8", errors="replace")
        parts.append(html.section("The character sheet, info.md", html.text("pre", sheet, class_="ls-sheet")))
    return "".join(parts) or html.note("Start asks the site; nothing big is fetched yet.")
