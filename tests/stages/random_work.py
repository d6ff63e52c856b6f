"""Random prune and prepare work on a project, until somebody kills it: `python -m tests.stages.random_work DIR SEED LOG`."""

import random
import sys
from pathlib import Path

from PIL import Image

from lorasmith.errors import LorasmithError
from lorasmith.project.project import Project
from lorasmith.settings.tables import PrepareSettings, PruneSettings
from lorasmith.stages.erase import erase
from lorasmith.stages.prepare import prepare
from lorasmith.stages.prune import decide_by_hand, prune
from lorasmith.stages.touch_up import touch_up
from lorasmith.stages.wishes import Wish

STEPS = (
    "background grey", "background white", "background blur", "trim", "erase text,signature", "split panels",
    "recolour #c03030 #2050ff",
)  # fmt: skip


def one_step(project: Project, luck: random.Random) -> str:
    """Does one random thing, and says what; what cannot be done just now is told as a sentence, like to a person."""
    names = [picture.name for picture in project.pictures.originals()]
    what = luck.choice(("prune", "prepare", "prepare", "decide", "decide", "touch up", "touch up", "erase", "undo", "redo"))
    if what == "prune":
        prune(project, PruneSettings(to=luck.choice((0, 3, 5)), sure=luck.choice((0.5, 0.65)), min_side=luck.choice((64, 300)),
                                     worst_share=luck.choice((0.0, 0.3))))  # fmt: skip
    elif what == "prepare":
        prepare(project, PrepareSettings(margin=luck.choice((0.02, 0.1)), min_gain=luck.choice((0.05, 0.3)),
                                         head_share=luck.choice((0.0, 0.5, 1.0)), max_side=luck.choice((128, 600))))  # fmt: skip
    elif what == "decide":
        every = [*names, *(edit.name for edit in project.pictures.all(origins=("edit",)))]
        decide_by_hand(project, luck.choice(("keep", "drop")), luck.sample(every, k=min(2, len(every))))
    elif what == "touch up":
        touch_up(project, Wish(tuple(luck.sample(STEPS, k=luck.choice((1, 2)))), names=tuple(luck.sample(names, k=2))))
    elif what == "erase":
        picture = project.pictures.get(luck.choice(names))
        mask = project.folder.parent / "mask.png"
        hole = Image.new("L", (picture.width, picture.height))
        hole.paste(255, (5, 5, luck.randint(10, 40), luck.randint(10, 40)))
        hole.save(mask)
        erase(project, picture.name, mask)
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
