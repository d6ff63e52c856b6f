"""Random edits of tags on a project, until somebody kills it: `python -m tests.stages.random_edits DIR SEED LOG`."""

import random
import sys
from pathlib import Path

from lorasmith.errors import LorasmithError
from lorasmith.project.project import Project
from lorasmith.settings.tables import TagSettings
from lorasmith.stages.tag.consolidate import Wanted, consolidate, set_outfit
from lorasmith.stages.tag.edit_tags import TagEdit, edit_tags
from lorasmith.stages.tag.stage import tag

WORDS = ("fox", "red_fur", "smile", "open_mouth", "closed_mouth", "hat", "forest", "night", "sitting", "Smile")
FILTERS = ("", "smile", "NOT forest", "fox AND (hat | night)", "group:mouth", "tags>4", "own_1", "name:own_2")


def random_edit(luck: random.Random) -> TagEdit:
    """Draws an edit."""
    action = luck.choice(("add", "remove", "replace", "rename", "regex", "dedupe", "first", "last", "sort"))
    one, other = luck.sample(WORDS, k=2)
    words = {
        "add": (one,), "remove": (luck.choice((one, "*_mouth", "*")),), "replace": (one, other), "rename": (one, other),
        "regex": (r"^(\w+)_mouth$", r"mouth_\1"), "dedupe": (), "first": (one,), "last": (one, other),
        "sort": (luck.choice(("groups", "alphabet", "count")),),
    }[action]  # fmt: skip
    return TagEdit(action, words, "" if action == "rename" else luck.choice(FILTERS))


def change_a_sidecar(project: Project, luck: random.Random) -> None:
    """Does to a sidecar what other tools do: adds, removes, moves, saves in another encoding, empties, loses."""
    files = sorted(project.dataset("default").rglob("*.txt"))
    if not files:
        return
    file = luck.choice(files)
    tags = [word.strip() for word in file.read_text(encoding="utf-8", errors="ignore").split(",")]
    how = luck.choice(("add", "remove", "move", "empty", "lose", "encode"))
    if how == "lose":
        file.unlink()
        return
    if how == "add":
        tags.append(luck.choice(WORDS).replace("_", " "))
    elif how == "remove" and len(tags) > 1:
        tags.pop(luck.randrange(1, len(tags)))
    elif how == "move":
        luck.shuffle(tags)
    text = "" if how == "empty" else ", ".join(tags)
    file.write_bytes(text.encode(luck.choice(("utf-16", "utf-8-sig", "cp1252")) if how == "encode" else "utf-8"))


def one_step(project: Project, luck: random.Random) -> str:
    """Does one random thing, and says what; what cannot be done just now is told as a sentence."""
    what = luck.choice(("edit", "edit", "edit", "sidecar", "tag", "tag", "consolidate", "outfit", "undo", "undo", "redo"))
    if what == "edit":
        edit_tags(project, random_edit(luck))
    elif what == "sidecar":
        change_a_sidecar(project, luck)
    elif what == "tag":
        tag(project, project.settings(TagSettings))
    elif what == "consolidate":
        consolidate(project, Wanted(none=luck.random() < 0.3, leave=(luck.choice(WORDS),)))
    elif what == "outfit":
        set_outfit(project, "nameshirt", luck.choice((("hat",), ("hat", "smile"), ())))
    elif what == "undo":
        project.undo()
    else:
        project.redo()
    return what


def main(folder: Path, seed: int, log: Path) -> None:
    """Works on until it is killed; a line in `log` for each thing that was done."""
    luck = random.Random(seed)
    with Project.open(folder, patience=10) as project, log.open("a", encoding="utf-8") as stream:
        while True:
            try:
                what = one_step(project, luck)
            except LorasmithError as error:
                what = f"told: {error}"
            stream.write(what + "\n")
            stream.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
