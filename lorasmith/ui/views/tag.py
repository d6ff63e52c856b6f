"""The tags: how often each is in the captions, what the trigger absorbed, and the captions themselves."""

from collections import Counter

from lorasmith.project.project import Project
from lorasmith.settings.tables import TagSettings
from lorasmith.tags.captions import tags_of_caption
from lorasmith.ui import html
from lorasmith.ui.views.ask import Ask, paged, tile, wall

_ROWS = 200


def view(project: Project, ask: Ask) -> str:
    """Shows the table of tags and every caption under its picture."""
    captions = project.pictures.captions(project.settings(TagSettings).caption_set)
    if not captions:
        return html.note("No captions yet.")
    core = list(project.fact("core_tags") or ())
    counts = Counter(tag for caption in captions.values() for tag in set(tags_of_caption(caption.text)))
    rows = [(tag, count, f"{count / len(captions):.0%}") for tag, count in counts.most_common(_ROWS)]
    part, pager = paged([project.pictures.get(name) for name in captions if project.pictures.find(name)], ask)
    tiles = (tile(ask, picture, captions[picture.name].text) for picture in part)
    return (
        html.section("Absorbed by the trigger", html.note(", ".join(core) or "nothing"))
        + html.section(f"{len(counts)} tags in {len(captions)} captions", html.table(("tag", "captions", "share"), rows))
        + html.section("Captions", pager, wall(*tiles), pager)
    )
