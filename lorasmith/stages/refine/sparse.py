"""What a set of one picture and borrowed bodies needs to be told before it is trained on."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lorasmith.project.project import Project
from lorasmith.project.sidecars import folder_word
from lorasmith.settings.tables import TagSettings, TrainSettings

if TYPE_CHECKING:
    from lorasmith.training.dataset import TrainingPicture

_HEADLESS = ("head_out_of_frame", "faceless_character", "faceless")
_BY_HEART = 1500  # draws of one picture in a run, beyond which it is rather copied than learnt
_MOST_NAMED = 3


def sparse_notes(project: Project, settings: TrainSettings, pictures: "Sequence[TrainingPicture]") -> list[str]:
    """Says what spoils a set that is parted into a character's own pictures and bodies of others; nothing of other sets.

    It is parted so where a subset's filter asks for `head_out_of_frame` or `faceless`, as in the preset single_picture.
    """
    from lorasmith.training.subsets import read_subsets

    parts = [each for each in read_subsets(settings.subsets) if any(word in each.where for word in _HEADLESS)]
    if not parts or not pictures:
        return []
    ends = tuple(f"_{folder_word(each.name)}" for each in parts)
    bodies = [picture for picture in pictures if picture.folder.endswith(ends)]
    generated = {picture.name for picture in project.pictures.trained() if picture.generated}
    own = [picture for picture in pictures if picture not in bodies and picture.name not in generated]
    masked = {one.name for one in bodies if settings.masked_loss == "file" and one.mask is not None}
    learnt = [one for one in bodies if one.name not in masked]
    return [*_heads(learnt, len(bodies)), *_sides(own, bodies, generated), *_looks(project), *_by_heart(own, settings)]


def _heads(bodies: "Sequence[TrainingPicture]", of: int) -> list[str]:
    """Names the borrowed bodies from which the head of somebody else would be learnt."""
    from lorasmith.tags.captions import tags_of_caption

    shown = [one.name for one in bodies if not set(tags_of_caption(one.caption)).intersection(_HEADLESS)]
    if not shown:
        return []
    which = ", ".join(shown[:_MOST_NAMED]) + (", ..." if len(shown) > _MOST_NAMED else "")
    return [
        f"{len(shown)} of {of} borrowed bodies still show a head ({which}): it would become the character's. "
        "`lorasmith masks DIR --heads FILTER` with train.masked_loss = 'file' keeps it from being learnt, "
        '`lorasmith touch-up DIR "faceless cover" --names NAME,...` paints it over; what neither can do, `drop`.'
    ]


def _sides(own: Sequence[object], bodies: Sequence[object], generated: Sequence[str] | set[str]) -> list[str]:
    notes = []
    if not own:
        notes.append("No picture of the character itself is trained on: add it with `lorasmith add DIR FILE`, or keep it.")
    if not bodies and not generated:
        notes.append(
            "Nothing shows the body: the base model will make one up. Fetch bodies of others by the traits they share, such as "
            "`lorasmith download DIR --query 'red_fur striped_tail solo' --top-n 20`, and cover their heads."
        )
    return notes


def _looks(project: Project) -> list[str]:
    if project.settings(TagSettings).core_tags or project.fact("core_tags"):
        return []
    return [
        "tag.core_tags is empty: with so few pictures nobody can tell from the set which looks are the character's. Name them, "
        "such as core_tags = ['red_fur', 'green_eyes'] under [tag], and run `lorasmith tag` again."
    ]


def _by_heart(own: "Sequence[TrainingPicture]", settings: TrainSettings) -> list[str]:
    often = max(own, key=lambda one: one.repeats, default=None)
    draws = 0 if often is None else often.repeats * settings.epochs
    if often is None or draws <= _BY_HEART:
        return []
    return [
        f"{often.name} is seen {draws} times in the run ({often.repeats} repeats, {settings.epochs} epochs): it will be "
        "copied, ground and pose too. Lower `repeats`, borrow fewer bodies, or let `refine` bring candidates back beside it."
    ]
