"""Lineage: which pictures of a set a model drew, after which LoRA, and how many models stand between them and a hand.

A picture that a person or a site gave has generation 0. One that a LoRA drew has one more than the pictures which that LoRA
was trained on: so that nobody trains on copies of copies unknowingly.
"""

import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorasmith.project.pictures import Picture
from lorasmith.project.project import Project
from lorasmith.settings.tables import RefineSettings

_PLACE = re.compile(r"(evaluations|candidates)/[\w-]+")
_NUMBER = re.compile(r"[\w-]+")


@dataclass(frozen=True)
class Descent:
    """One generated picture: what drew it, and its generation."""

    picture: str
    lora: str
    generation: int


def generation_of(picture: Picture) -> int:
    """Gives how many models stand between a picture and a hand: 0 where none drew it."""
    return max(1, int(picture.post.get("generation", 1))) if picture.generated else 0


def rendered_in(post: Mapping[str, Any]) -> tuple[str, ...]:
    """Gives the folders of the project in which the render of a picture's provenance may lie.

    `rendered_in` names the one; older projects have a bare number as `evaluation`, which may be that of either kind.
    """
    place, number = str(post.get("rendered_in", "")), str(post.get("evaluation", ""))
    if place:
        return (place,) if _PLACE.fullmatch(place) else ()
    return (f"candidates/{number}", f"evaluations/{number}") if _NUMBER.fullmatch(number) else ()


def generation_after(project: Project, lora: str) -> int:
    """Gives the generation of what a LoRA file of this project draws; one of elsewhere counts as trained on drawn pictures."""
    names = _trained_on(project, lora)
    found = [generation_of(picture) for name in names if (picture := _origin(project, name)) is not None]
    return 1 + max(found, default=0)


def _origin(project: Project, name: str) -> Picture | None:
    """Gives the original that an edit was made from."""
    return project.pictures.find(name.split(".")[0])


def _trained_on(project: Project, lora: str) -> list[str]:
    """Names the pictures of the run that wrote a LoRA file."""
    for folder in reversed(project.numbered(project.runs)):
        with suppress(OSError, ValueError, KeyError, TypeError):
            files = json.loads((folder / "trained.json").read_text(encoding="utf-8"))["files"]
            if any(row["file"] == Path(lora).name for row in files):
                return list(tomllib.loads((folder / "run.toml").read_text(encoding="utf-8")).get("pictures", {}))
    return []


def lineage(project: Project, pictures: Iterable[Picture]) -> list[Descent]:
    """Lists the generated ones among some pictures, the latest generation first; crops of one picture count once."""
    found_of = ((each if each.parent is None else _origin(project, each.name)) for each in pictures)
    origins = {picture.name: picture for picture in found_of if picture is not None}
    found = [
        Descent(name, str(picture.post.get("lora", "")), generation_of(picture))
        for name, picture in origins.items()
        if picture.generated
    ]
    return sorted(found, key=lambda one: (-one.generation, one.picture))


def lineage_faults(project: Project, pictures: Sequence[Picture]) -> list[str]:
    """Says which limit on generated pictures a set passes; nothing when it passes none."""
    settings = project.settings(RefineSettings)
    drawn = lineage(project, pictures)
    if not drawn:
        return []
    names = {picture.name.split(".")[0] for picture in pictures}
    faults = []
    share = len(drawn) / len(names)
    if share > settings.max_generated:
        faults.append(
            f"{len(drawn)} of {len(names)} pictures were drawn by a model ({share:.0%}); refine.max_generated allows "
            f"{settings.max_generated:.0%}. Drop some of them, add pictures, or raise the limit."
        )
    deep = [one for one in drawn if one.generation > settings.max_generation]
    if deep:
        faults.append(
            f"{deep[0].picture} is of generation {deep[0].generation}: drawn by a LoRA that learnt from drawn pictures. "
            f"refine.max_generation allows {settings.max_generation}; drop it, or raise the limit."
        )
    return faults
