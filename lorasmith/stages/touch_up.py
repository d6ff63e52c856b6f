"""touch-up: the same operations on many pictures: erase what is found, trim borders, change the ground, recolour, split."""

import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lorasmith.errors import PictureError, UsageError
from lorasmith.progress import Progress, Report, silent
from lorasmith.project.pictures import TOUCH_UP, Picture
from lorasmith.project.project import Project
from lorasmith.safety import fold
from lorasmith.settings.stage import unknown_name
from lorasmith.stages.edits import add_edit
from lorasmith.stages.operations import OPERATIONS, REPEATED, WRITING, Step, Work

if TYPE_CHECKING:
    import PIL.Image

    from lorasmith.imaging.marks import Mark
    from lorasmith.rendering.prompt import Renderer

RECIPES = "recipes.toml"
_SHOWN = 60  # pairs on the sheet of a preview


@dataclass(frozen=True)
class Wish:
    """What is to be done, to which pictures: names, or those whose tags fit the filter; without both, all that are kept."""

    steps: tuple[str, ...]
    names: tuple[str, ...] = ()
    filter: str = ""
    preview: bool = False
    sure: float = 0.6  # marks found less surely are left


@dataclass(frozen=True)
class TouchedUp:
    """What touch-up did, or would do."""

    looked_at: int
    changed: int
    made: tuple[str, ...]  # names of the new versions and parts
    done: dict[str, int]  # step -> pictures it changed
    dropped_tags: dict[str, int]  # tag -> pictures whose captions no longer have it
    failed: tuple[str, ...]  # sentences
    sheet: str  # before and after, side by side


@dataclass
class _Result:
    """One picture after all steps."""

    source: Picture
    work: Work
    steps: list[dict[str, Any]] = field(default_factory=list)
    dropped: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _With:
    """What the steps are given besides the picture."""

    renderer: "Renderer | None"
    repeated: "Mapping[str, list[Mark]]"  # picture -> marks on it that the set has many times


def _repeated(
    project: Project, pictures: Sequence[Picture], steps: Sequence[tuple[Step, str, str]], report: Report
) -> "dict[str, list[Mark]]":
    """Finds the marks that several pictures have at one place, where a step asks for them."""
    from lorasmith.imaging.marks import find_marks
    from lorasmith.imaging.read import open_picture
    from lorasmith.imaging.repeats import look_of, repeated

    asking = [place for place, (_, arguments, words) in enumerate(steps) if words.startswith("erase") and REPEATED in arguments]
    if not asking:
        return {}
    if asking[0] > 0:
        raise UsageError("`erase repeated` must be the first step: it looks at the pictures as they are before all others.")
    looks = {}
    for done, original in enumerate(pictures):
        report(Progress("touch-up", done, len(pictures), f"looking at {original.name}"))
        source = project.pictures.newest_version(original.name)
        with suppress(PictureError):
            image = open_picture(project.file_of(source))
            marks = find_marks(image, frozenset(project.pictures.said(source.name)))
            looks[source.name] = [look_of(image, mark) for mark in marks if mark.kind in WRITING]
    found: dict[str, list[Mark]] = {}
    for repeat in repeated(looks):
        for name, mark in repeat.marks:
            found.setdefault(name, []).append(mark)
    return found


def touch_up(
    project: Project, wish: Wish, report: Report = silent, renderer: "Renderer | None" = None
) -> TouchedUp:
    """Does the steps one after the other on each picture, from its newest version; what changes is a new version.

    All of it is one entry of the history. With `preview` nothing is recorded: the sheet shows what would be.
    """
    steps = read_steps(wish.steps)
    pictures = chosen_pictures(project, wish)
    failed: list[str] = []
    results: list[_Result] = []
    again = _repeated(project, pictures, steps, report)
    pairs: list[tuple[Picture, PIL.Image.Image]] = []
    made: list[str] = []
    if wish.preview:
        for result in _each(project, pictures, steps, wish, _With(renderer, again), report, failed):
            results.append(result)
            pairs.append((result.source, result.work.image))
    else:
        with project.change("touch-up", f"touch-up: {', '.join(wish.steps)}"):
            for result in _each(project, pictures, steps, wish, _With(renderer, again), report, failed):
                made += _put_down(project, result, wish.steps)
                results.append(result)
                pairs.append((result.source, result.work.image))
                result.work.image = None  # type: ignore[assignment]  # thousands of pictures would not fit
    report(Progress("touch-up", len(pictures), len(pictures), "done"))
    done = Counter(str(step["step"]) for result in results for step in result.steps)
    dropped = Counter(tag for result in results for tag in result.dropped)
    return TouchedUp(
        len(pictures), len(results), tuple(made), dict(done), dict(sorted(dropped.items())), tuple(failed),
        _draw(project, pairs[:_SHOWN]),
    )  # fmt: skip


def read_steps(words: Sequence[str]) -> list[tuple[Step, str, str]]:
    """Reads the steps (`erase signature,watermark`, `background grey`, …); gives each with its arguments and its words."""
    if not words:
        raise UsageError(f"Say what to do: {'; '.join(each.usage for each in OPERATIONS.values())}.")
    steps = []
    for each in words:
        name, _, rest = each.strip().partition(" ")
        if name not in OPERATIONS:
            raise UsageError(unknown_name(name, list(OPERATIONS), f"There is no operation '{name}'"))
        OPERATIONS[name].check(rest.strip())
        steps.append((OPERATIONS[name], rest.strip(), each.strip()))
    return steps


def chosen_pictures(project: Project, wish: Wish) -> list[Picture]:
    """Gives the kept originals that are meant, by name or by the filter over what is said of them."""
    kept = {picture.name: picture for picture in project.pictures.kept()}
    if wish.names:
        unknown = [name for name in wish.names if name.split(".")[0] not in kept]
        if unknown:
            raise UsageError(f"{unknown[0]} is not among the kept pictures; `prune --list` shows the names.")
        return [kept[name] for name in dict.fromkeys(name.split(".")[0] for name in wish.names)]
    groups = [group.replace(",", " ").split() for group in wish.filter.split("|")]
    groups = [group for group in groups if group]
    if not groups:
        return list(kept.values())
    return [one for one in kept.values() if _fits({fold(tag) for tag in project.pictures.said(one.name)}, groups)]


def _fits(tags: set[str], groups: Sequence[Sequence[str]]) -> bool:
    def holds(term: str) -> bool:
        wanted = fold(term.removeprefix("-"))
        return any(fnmatchcase(tag, wanted) for tag in tags) != term.startswith("-")

    return any(all(map(holds, group)) for group in groups)


def read_recipe(project: Project, name: str) -> tuple[tuple[str, ...], str]:
    """Gives the steps and the filter of a recipe in recipes.toml of the project; raises `UsageError` naming those there are."""
    file = project.folder / RECIPES
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8-sig")) if file.is_file() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} is not valid TOML ({error}); correct it.") from error
    if name not in tables or not isinstance(tables[name], dict):
        raise UsageError(unknown_name(name, list(tables) or ["(none)"], f"{file} has no recipe '{name}'"))
    steps, chosen = tables[name].get("do"), tables[name].get("filter", "")
    if not isinstance(steps, list) or not all(isinstance(step, str) for step in steps) or not isinstance(chosen, str):
        raise UsageError(f'The recipe {name} in {file} needs do = ["step", …], and may have filter = "tags".')
    read_steps(steps)
    return tuple(steps), chosen


def _each(  # noqa: PLR0913 - one walk over all that a wish has
    project: Project, pictures: Sequence[Picture], steps: Sequence[tuple[Step, str, str]], wish: Wish,
    given: "_With", report: Report, failed: list[str],
) -> Iterator[_Result]:
    """Yields what the steps make of each picture that they change."""
    for place, original in enumerate(pictures):
        report(Progress("touch-up", place, len(pictures), original.name))
        source = project.pictures.newest_version(original.name)
        if _has_had(source, wish.steps):
            continue
        try:
            result = _touched(project, source, steps, wish, given)
        except PictureError as error:
            failed.append(str(error))
            continue
        if result.steps:
            yield result


def _has_had(source: Picture, words: Sequence[str]) -> bool:
    """Says whether the newest version came of these very steps: a killed touch-up goes on with the next picture."""
    asked = (source.operation or {}).get("asked")
    return source.kind == TOUCH_UP and asked == list(words)


def _touched(
    project: Project, source: Picture, steps: Sequence[tuple[Step, str, str]], wish: Wish, given: "_With"
) -> _Result:
    from lorasmith.imaging.read import open_picture

    tags = tuple(project.pictures.said(source.name))
    work = Work(open_picture(project.file_of(source)), tags, wish.sure, given.renderer)
    work.repeated = given.repeated.get(source.name, ())
    result = _Result(source, work)
    for step, arguments, words in steps:
        done = step.do(result.work, arguments)
        if done is None:
            continue
        result.steps.append({"step": words, **done.facts})
        result.dropped |= done.dropped
    return result


def _put_down(project: Project, result: _Result, asked: Sequence[str]) -> list[str]:
    """Records the new version, and the parts of a split; one transaction a picture."""
    operation = {
        "kind": TOUCH_UP, "maker": "touch-up", "replaces_parent": True, "steps": result.steps, "dropped": result.dropped,
        "asked": list(asked),
    }  # fmt: skip
    gone, brought = set(result.dropped), result.work.brought

    def left(tags: Mapping[str, Any]) -> list[str]:
        kept = [tag for tag in tags if tag not in gone]
        return [*kept, *(tag for tag in brought if tag not in kept)]

    with project.transaction():
        version = result.source
        names = []
        if any(step.get("changes", True) for step in result.steps):
            version = add_edit(project, result.source, operation, result.work.image, left)
            names.append(version.name)
        for box in result.work.parts:
            part = {"kind": "panel", "maker": "touch-up", "replaces_parent": True, "box": list(box)}
            names.append(add_edit(project, version, part, result.work.image.crop(box)).name)
    return names


def _draw(project: Project, pairs: "Sequence[tuple[Picture, PIL.Image.Image]]") -> str:
    """Draws before and after, a row a picture."""
    from lorasmith.imaging.read import save_png, thumbnail
    from lorasmith.imaging.sheets import labelled_grid

    if not pairs:
        return ""
    cells: dict[tuple[str, str], PIL.Image.Image] = {}
    for source, image in pairs:
        small = image.copy()
        small.thumbnail((256, 256))
        cells[source.name, "before"] = thumbnail(project.file_of(source), 256)
        cells[source.name, "after"] = small
    project.sheets.mkdir(exist_ok=True)
    path: Path = project.sheets / "touch-up.png"
    save_png(labelled_grid(["before", "after"], [source.name for source, _ in pairs], cells, cell=256), path)
    return str(path)
