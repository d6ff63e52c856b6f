"""Steps of work on a project as values, for a state machine; `python -m tests.stages.random_work DIR MOMENTS STEP` dies in one.

A step is a mapping that JSON can tell. Pictures are meant by a number, taken round among those that there are just then.
"""

import json
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from PIL import Image

from lorasmith.errors import LorasmithError, PictureError
from lorasmith.project.pictures import Picture
from lorasmith.project.project import Project
from lorasmith.settings.tables import PrepareSettings, PruneSettings, TagSettings
from lorasmith.stages.add.stage import add_folder
from lorasmith.stages.prepare.stage import prepare
from lorasmith.stages.prepare.suggestions import accept, refuse, suggestions_for
from lorasmith.stages.prune.stage import decide_by_hand, prune
from lorasmith.stages.tag.caption_sets import change_caption_set
from lorasmith.stages.tag.consolidate import Wanted, consolidate, set_outfit
from lorasmith.stages.tag.edit_tags import TagEdit, edit_tags
from lorasmith.stages.tag.stage import tag
from lorasmith.stages.touch_up.erase import erase
from lorasmith.stages.touch_up.stage import touch_up
from lorasmith.stages.touch_up.wishes import Wish
from tests.stages.dying import die_in
from tests.stages.random_edits import change_a_sidecar

Step = Mapping[str, Any]
TENTHS = 10  # boxes are told in tenths of a picture
OPERATIONS = (
    "trim", "crop 20,30,180,220", "background grey", "background white", "background blur", "flatten pink", "erase text",
    "erase signature,watermark,bubble", "recolour #c03030 #2050ff", "recolour eyes #2050ff", "recolour fur #209040", "faceless",
    "faceless cover 60,20,150,110", "head-out 60,20,150,90", "split panels", "split figures",
)  # fmt: skip
WORDS = ("solo", "red_fur", "pose1", "outside", "text", "hat", "open_mouth", "Solo")
FILTERS = ("", "solo", "NOT outside", "red_fur AND (hat | pose1)", "tags>3")
_EDITS = {"add": 1, "remove": 1, "replace": 2, "rename": 2, "dedupe": 0, "first": 1, "last": 2}  # action -> words it takes

_pictures = st.integers(0, 11)
_boxes = st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(5, TENTHS), st.integers(5, TENTHS))


def _steps(do: str, **said: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"do": st.just(do), **said})


STEPS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "prune": _steps(
        "prune", to=st.sampled_from((0, 3, 5)), sure=st.sampled_from((0.5, 0.65)), min_side=st.sampled_from((64, 230)),
        worst_share=st.sampled_from((0.0, 0.3)), near_duplicate_bits=st.sampled_from((0, 4)),
    ),
    "prepare": _steps(
        "prepare", crop=st.booleans(), head_crops=st.booleans(), margin=st.sampled_from((0.02, 0.1)),
        min_gain=st.sampled_from((0.05, 0.3)), head_share=st.sampled_from((0.0, 0.5, 1.0)), max_side=st.sampled_from((128, 600)),
    ),
    "decide": _steps("decide", verdict=st.sampled_from(("keep", "drop")), pictures=st.lists(_pictures, min_size=1, max_size=2)),
    "word": _steps(
        "word", say=st.sampled_from(("accept", "refuse", "whole")), kind=st.sampled_from(("crop", "head")), picture=_pictures,
        box=_boxes, max_side=st.sampled_from((128, 600)),
    ),
    "touch up": _steps(
        "touch up", steps=st.lists(st.sampled_from(OPERATIONS), min_size=1, max_size=2), pictures=st.lists(_pictures, max_size=2),
        where=st.sampled_from(("", "solo", "-hat pose1")), preview=st.booleans(),
    ),
    "again": _steps(
        "again", picture=_pictures, without=st.lists(st.integers(1, 2), max_size=1), boxes=st.lists(_boxes, max_size=1),
        mask=st.none() | _boxes,
    ),
    "erase": _steps("erase", picture=_pictures, mask=_boxes),
    "tags": _steps(
        "tags", action=st.sampled_from(sorted(_EDITS)), words=st.tuples(st.sampled_from(WORDS), st.sampled_from(WORDS)),
        where=st.sampled_from(FILTERS),
    ),
    "captions": _steps(
        "captions", what=st.sampled_from(("write", "write", "consolidate", "outfit", "set")), word=st.sampled_from(WORDS),
        sidecar=st.none() | st.integers(0, 50),
    ),
    "add": _steps("add", more=st.integers(0, 1)),
    "undo": _steps("undo", times=st.integers(1, 4)),
    "redo": _steps("redo", times=st.integers(1, 4)),
}  # fmt: skip
# The record is interesting where it has a past: what makes and takes back versions comes more often than the rest.
ANY_STEP = st.one_of(*STEPS.values(), *(STEPS[each] for each in ("prepare", "touch up", "undo", "undo", "redo")))


def do(project: Project, step: Step) -> str:
    """Does a step; what cannot be done just now is told as a sentence, like to a person."""
    try:
        _DO[step["do"]](project, step)
    except LorasmithError as error:
        return f"told: {error}"
    return str(step["do"])


def _settings(step: Step) -> dict[str, Any]:
    return {name: value for name, value in step.items() if name != "do"}


def _meant(pictures: Sequence[Picture], numbers: Sequence[int]) -> list[str]:
    return list(dict.fromkeys(pictures[number % len(pictures)].name for number in numbers)) if pictures else []


def _one(project: Project, step: Step) -> Picture:
    every = project.pictures.all()
    if not every:
        raise PictureError("There is no picture.")  # the adding itself was undone
    return every[step["picture"] % len(every)]


def _box(picture: Picture, tenths: Sequence[int]) -> tuple[int, int, int, int]:
    left, top, right, bottom = tenths
    across, down = picture.width, picture.height
    return left * across // TENTHS, top * down // TENTHS, right * across // TENTHS, bottom * down // TENTHS


def _mask(project: Project, picture: Picture, tenths: Sequence[int]) -> Path:
    hole = Image.new("L", (picture.width, picture.height))
    hole.paste(255, _box(picture, tenths))
    path = project.folder.parent / "mask.png"
    hole.save(path)
    return path


def _say(project: Project, step: Step) -> None:
    settings = PrepareSettings(max_side=step["max_side"])
    shown = suggestions_for(project, _one(project, step).name, settings)
    if step["say"] == "refuse":
        refuse(project, shown.name, step["kind"], settings)
        return
    source = project.pictures.get(shown.source)
    box = (0, 0, shown.width, shown.height) if step["say"] == "whole" else _box(source, step["box"])
    accept(project, shown.name, step["kind"], box, settings)


def _touch_up(project: Project, step: Step) -> None:
    names = _meant(project.pictures.kept(), step["pictures"])
    touch_up(project, Wish(tuple(step["steps"]), tuple(names), step["where"], step["preview"]))


def _again(project: Project, step: Step) -> None:
    picture = _one(project, step)
    boxes = tuple(_box(picture, tenths) for tenths in step["boxes"])
    root = project.pictures.newest_version(picture.name.split(".")[0])
    mask = None if step["mask"] is None else _mask(project, root, step["mask"])
    touch_up(project, Wish(("again",), (picture.name,), without=tuple(step["without"]), boxes=boxes, mask=mask))


def _erase(project: Project, step: Step) -> None:
    picture = _one(project, step)
    erase(project, picture.name, _mask(project, picture, step["mask"]))


def _edit_tags(project: Project, step: Step) -> None:
    action = step["action"]
    edit_tags(project, TagEdit(action, tuple(step["words"][: _EDITS[action]]), "" if action == "rename" else step["where"]))


def _captions(project: Project, step: Step) -> None:
    what, word = step["what"], step["word"]
    if what == "consolidate":
        consolidate(project, Wanted(leave=(word,)))
    elif what == "outfit":
        set_outfit(project, "nameshirt", (word,))
    elif what == "set":
        change_caption_set(project, "default", {"prefix": (word,)})
    else:
        tag(project, TagSettings(tagger="none"))
        if step["sidecar"] is not None:  # as other tools do between two writings
            change_a_sidecar(project, random.Random(step["sidecar"]))


_DO: dict[str, Callable[[Project, Step], object]] = {
    "prune": lambda project, step: prune(project, PruneSettings(**_settings(step))),
    "prepare": lambda project, step: prepare(project, PrepareSettings(**_settings(step))),
    "decide": lambda project, step: decide_by_hand(
        project, step["verdict"], _meant(project.pictures.all(), step["pictures"])
    ),
    "word": _say,
    "touch up": _touch_up,
    "again": _again,
    "erase": _erase,
    "tags": _edit_tags,
    "captions": _captions,
    "add": lambda project, step: add_folder(project, project.folder.parent / f"more {step['more']}"),
    "undo": lambda project, step: [project.undo() for _ in range(step["times"])],
    "redo": lambda project, step: [project.redo() for _ in range(step["times"])],
}


def main(folder: Path, moments: int, step: Step) -> None:
    """Does one step, and dies in it unless it is done before."""
    with Project.open(folder, patience=10) as project:
        die_in(project.folder, moments)
        do(project, step)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3]))
