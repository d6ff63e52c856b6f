"""info.md as a text that a person edits on a page while other programs may edit it too."""

import hashlib
from dataclasses import dataclass

from lorasmith.errors import UsageError
from lorasmith.project.project import Project
from lorasmith.safety import text_is_refused

LONGEST = 200_000  # letters


@dataclass(frozen=True)
class SheetText:
    """The text, and the word by which it is known that it is still the same."""

    text: str
    version: str


class SheetChangedError(UsageError):
    """info.md is another than the one that was edited; `now` is what stands there."""

    def __init__(self, now: SheetText) -> None:
        super().__init__(
            "info.md was changed meanwhile, by another program or in another window; nothing was written. Compare the two, "
            "then save yours over it or take that one."
        )
        self.now = now


def sheet_text(project: Project) -> SheetText:
    """Gives info.md as it is on the disk now."""
    text = project.written.sheet()
    return SheetText(text, version_of(text))


def version_of(text: str) -> str:
    """Gives the word for a text; ends of lines do not count, which editors change unasked."""
    return hashlib.sha256("\n".join(text.splitlines()).encode()).hexdigest()[:16]


def save_sheet(project: Project, text: str, version: str) -> SheetText:
    """Writes a person's text as one step of the history; raises `SheetChangedError` when what was edited is not there any more.

    Raises `UsageError` for a text that marks minors or is too long.
    """
    if len(text) > LONGEST:
        raise UsageError(f"info.md would have {len(text)} letters; {LONGEST} are the most.")
    refused = next((line for line in text.splitlines() if text_is_refused(_as_tags(line))), None)
    there = sheet_text(project)
    if refused is not None and refused not in there.text.splitlines():
        raise UsageError("A line of the text marks minors; lorasmith makes no LoRA of such a character. Nothing was written.")
    if version != there.version:
        raise SheetChangedError(there)
    text = "\n".join(text.splitlines()) + "\n" if text.strip() else ""
    project.write_sheet(text, "info.md edited")
    return sheet_text(project)


def _as_tags(line: str) -> str:
    """Gives the tag of a line of the sheet; prose is no tag, and the site's own text may speak of a character's childhood."""
    bare = line.strip()
    return bare.lstrip("-*+ ").partition("(")[0].partition(":")[0].strip("` ") if bare[:1] in "-*+#" else ""
