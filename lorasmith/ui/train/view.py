"""The Train page's place: `static/train.js` draws what is to be known before and while it trains, and asks `train/asking.py`."""

from lorasmith.project.project import Project
from lorasmith.ui import html
from lorasmith.ui.ask import Ask


def view(project: Project, ask: Ask) -> str:
    """Gives the place alone, the same for every state of the project: what stands in it is not drawn anew by a change."""
    waiting = html.note("The training comes in a moment.")
    return html.element(
        "div", waiting, data_ls_own="train", data_in_host="yes" if ask.in_host else None, class_="lsr", role="region",
        aria_label="the training",
    )  # fmt: skip
