"""A render becomes a candidate picture of the project: with what drew it on record, waiting for a person's keep."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lorasmith.files import sha256_of, write_atomic
from lorasmith.project.pictures import Decision, Picture, Tag, facts_of
from lorasmith.project.project import Project

MAKER = "refine"


def bring_back(project: Project, folder: Path, render: Mapping[str, Any], generation: int) -> str | None:
    """Adds one render as a candidate; None when it is there already."""
    from lorasmith.imaging.read import open_picture
    from lorasmith.tags.spelling import with_underscores

    source = folder / str(render["file"])
    name = f"render_{sha256_of(source)[:12]}"
    if project.pictures.find(name) is not None:
        return None
    target = project.images / f"{name}.png"
    write_atomic(target, source.read_bytes())
    image = open_picture(target)
    place = folder.relative_to(project.folder).as_posix()
    provenance = {
        "generated": True, "generation": generation, "rendered_in": place, "lora": render["lora"],
        "lora_sha256": _sha_of_lora(project, str(render["lora"])), "weight": render["weight"],
        "prompt": render["prompt"]["text"], "seed": render["seed"],
    }  # fmt: skip
    with project.transaction():
        project.pictures.add(
            Picture(name, origin="render", post=provenance, **facts_of(project.folder, target, image.size))
        )
        asked = [*render["prompt"]["asked"], *map(with_underscores, render["prompt"].get("who", ()))]
        project.pictures.set_tags(name, "prompt", [Tag(tag, "general", "prompt") for tag in asked])
        waits = Decision("drop", MAKER, "a render that came back: it waits for a person's keep", {"of": place})
        project.pictures.decide(name, waits, maker=MAKER)
    return name


def _sha_of_lora(project: Project, name: str) -> str:
    """Gives the hash of a LoRA of this project, empty for one of elsewhere: its name may not stay what it is."""
    file = project.loras / name
    return sha256_of(file) if name and file.is_file() else ""
