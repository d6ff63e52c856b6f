"""erase: takes marks out of a picture, by a WebUI's loaded model or by OpenCV; the erased version stands in its place."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

from lorasmith.errors import RefusedError, UsageError
from lorasmith.progress import Progress, Report, silent
from lorasmith.project.pictures import ERASE, REFUSED, VERSIONS, Picture
from lorasmith.project.project import Project
from lorasmith.safety import demand_safe_text
from lorasmith.stages.prepare.edits import add_edit

if TYPE_CHECKING:
    import PIL.Image

    from lorasmith.rendering.prompt import Renderer

_CROPS = ("crop", "head")  # edits that are a part of their parent, at its box
_STEP = 64  # renders of other sides are drawn worse by some hosts
_LONGEST = 2.0  # of one side to the other; longer parts are drawn with more of their surroundings


class Words(TypedDict, total=False):
    """What can be said about an erasing; see `How`."""

    prompt: str
    negative: str
    denoise: float
    blur: int
    padding: int
    side: int
    steps: int
    guidance: float
    seed: int


@dataclass(frozen=True)
class How:
    """How a model draws anew what was under the mask."""

    prompt: str = ""
    negative: str = "text, watermark, signature, logo"
    denoise: float = 0.75
    blur: int = 4  # pixels over which the new fades in, inside the mask
    padding: int = 48  # pixels of surroundings that the model sees
    side: int = 0  # of the squares the model draws best, in pixels; 0 asks the renderer
    steps: int = 24
    guidance: float = 6.0
    seed: int = 0


@dataclass(frozen=True)
class Erased:
    """What was made."""

    name: str
    file: str
    parent: str
    changed_pixels: int


def erase(
    project: Project,
    name: str,
    mask: Path,
    report: Report = silent,
    renderer: "Renderer | None" = None,
    **words: Unpack[Words],
) -> Erased:
    """Erases what is white in a mask from a picture, and from nothing else of it; without a renderer by OpenCV.

    The erased version is a new edit that stands for its parent. A mask over a crop is laid over the picture it was
    cropped from, at full size: prepare then makes the crops anew. Undo brings the old state back.
    """
    from lorasmith.imaging.erase import changed_pixels

    how = How(**words)
    demand_safe_text(how.prompt, "prompt")
    demand_safe_text(how.negative, "negative prompt")
    base, image, hole = _base(project, name, mask)
    report(Progress("erase", 0, None, base.name))
    result = without(image, hole, how, renderer, report)
    with project.change("erase", f"erase in {base.name}"), project.transaction():
        made = add_edit(project, base, _operation(hole, how, renderer), result, painted=hole)
    report(Progress("erase", 1, 1, "done"))
    return Erased(made.name, made.file, base.name, changed_pixels(image, result))


def _base(project: Project, name: str, mask: Path) -> "tuple[Picture, PIL.Image.Image, PIL.Image.Image]":
    """Gives the picture to erase in, opened, and the mask laid over it."""
    from PIL import Image

    from lorasmith.imaging.erase import open_mask
    from lorasmith.imaging.read import open_picture

    picture = project.pictures.get(name)
    if picture.trashed:
        raise UsageError(f"{name} is in the trash; undo what put it there, or choose another picture.")
    original = name.split(".")[0]
    decision = project.pictures.decisions_of([original]).get(original)
    if decision is not None and decision.maker == REFUSED:
        raise RefusedError(f"{name} is refused by the safety rules; it is not worked on.")
    painted = open_mask(mask, (picture.width, picture.height))
    base = _newest(project, picture)
    image = open_picture(project.file_of(base))
    if base.name == picture.name:
        return base, image, painted
    whole = (0, 0, *image.size)
    left, top, right, bottom = (picture.operation or {}).get("box", whole) if picture.kind in _CROPS else whole
    hole = Image.new("L", image.size)
    hole.paste(painted.resize((right - left, bottom - top), Image.Resampling.NEAREST), (left, top))
    return base, image, hole


def _newest(project: Project, picture: Picture) -> Picture:
    """Gives what is erased in: the newest erased version, also where an older one or a crop was shown; else the picture."""
    if picture.parent is not None and picture.kind not in (*_CROPS, "resize", *VERSIONS):
        return picture
    return project.pictures.newest_version(picture.name.split(".")[0])


def without(
    image: "PIL.Image.Image", hole: "PIL.Image.Image", how: How, renderer: "Renderer | None", report: Report
) -> "PIL.Image.Image":
    """Gives the picture without what is white in `hole`; part by part, so that each is drawn at full resolution."""
    from lorasmith.imaging.erase import classical, parts_of

    if renderer is None:
        return classical(image, hole)
    from lorasmith.rendering.prompt import Edges, Prompt

    side = how.side or int(getattr(renderer, "side", 512))
    parts = parts_of(hole, how.padding)
    for done, part in enumerate(parts):
        report(Progress("erase", done, len(parts), f"part {done + 1} of {len(parts)}"))
        width, height = size_of_part(part.getbbox() or (0, 0, *part.size), how.padding, side)
        prompt = Prompt(how.prompt, how.negative, width, height, how.steps, how.guidance, how.seed)
        image = renderer.inpaint(image, part, prompt, how.denoise, Edges(how.padding, how.blur))
    return image


def size_of_part(box: tuple[int, int, int, int], padding: int, side: int) -> tuple[int, int]:
    """Gives the size a part is drawn at: the shape of its surroundings, the area of a square of `side` pixels."""
    wide, high = box[2] - box[0] + 2 * padding, box[3] - box[1] + 2 * padding
    ratio = min(_LONGEST, max(1 / _LONGEST, wide / high))
    step = _STEP if side >= 4 * _STEP else 8
    return tuple(max(64, round(length / step) * step) for length in (side * ratio**0.5, side / ratio**0.5))  # type: ignore[return-value]


def _operation(hole: "PIL.Image.Image", how: How, renderer: "Renderer | None") -> dict[str, object]:
    operation: dict[str, object] = {"kind": ERASE, "maker": ERASE, "replaces_parent": True}
    operation["box"] = list(hole.getbbox() or ())
    if renderer is None:
        return operation | {"by": "OpenCV"}
    return operation | {"by": type(renderer).__name__, "how": asdict(how)}
