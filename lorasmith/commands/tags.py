"""The commands under `lorasmith tags`: edit, count and look over the tags of a project's pictures, and its caption sets."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from lorasmith.errors import UsageError

Folder = Annotated[Path, Parameter(help="the project folder")]
Where = Annotated[
    str,
    Parameter(help="the pictures meant: 'smile AND NOT closed_eyes', 'score(smile)>0.3 -smile', group:mouth, is:head; left out: all"),
]

Set = Annotated[str, Parameter(help="the caption set; left out: the one under [tag]")]
Preview = Annotated[bool, Parameter(help="only show what would change", negative="")]


def tags_app(sort_key: int) -> App:
    """Builds the sub-commands."""
    app = App(name="tags", help="Edit, count and look over tags and captions.", sort_key=sort_key)
    commands: tuple[Callable[..., Any], ...] = (
        count, edit, audit, consolidate, outfit, sets, reinforce, import_, fetch, show, translate, tokens,
    )  # fmt: skip
    for place, command in enumerate(commands):
        app.command(command, name=command.__name__.strip("_"), sort_key=place)
    return app


def count(folder: Folder, *, where: Where = "") -> Any:
    """Count the tags of the pictures that are trained on."""
    from lorasmith.project.project import Project
    from lorasmith.stages.tag.index import count_tags

    with Project.open(folder, writing=False) as project:
        return count_tags(project, where)


def audit(
    folder: Folder,
    *,
    set: Set = "",
) -> Any:
    """Look over tags and captions: questions without answer, contradictions, toggles, duplicates, orphans, empty and long ones."""
    from lorasmith.project.project import Project
    from lorasmith.stages.tag.audit import audit_tags

    with Project.open(folder, writing=False) as project:
        return audit_tags(project, set)


def consolidate(  # noqa: PLR0913 - one parameter per flag
    folder: Folder,
    *,
    core: Annotated[list[str] | None, Parameter(help="tags that go under the trigger whatever the figures say")] = None,
    leave: Annotated[list[str] | None, Parameter(help="tags that stay in the captions")] = None,
    none: Annotated[bool, Parameter(help="give the consolidation up: `tag` decides by itself again", negative="")] = False,
    set: Set = "",
    preview: Preview = False,
) -> Any:
    """Put the character's core looks under the trigger, in one caption set; both lists and the toggles are shown."""
    from lorasmith.project.project import Project
    from lorasmith.stages.tag.consolidate import Wanted
    from lorasmith.stages.tag.consolidate import consolidate as do

    with Project.open(folder, writing=not preview) as project:
        return do(project, Wanted(tuple(core or ()), tuple(leave or ()), none), set, preview=preview)


def outfit(
    folder: Folder,
    name: Annotated[str, Parameter(help="the outfit's own tag, a new word such as nameshirt")],
    *tags: Annotated[str, Parameter(help="the tags it stands for; none: the outfit is given up")],
    set: Set = "",
    preview: Preview = False,
) -> Any:
    """Put an outfit's tags under one tag of its own: a picture with at least half of them carries that tag instead."""
    from lorasmith.project.project import Project
    from lorasmith.stages.tag.consolidate import set_outfit

    with Project.open(folder, writing=not preview) as project:
        return set_outfit(project, name, tags, set, preview=preview)


def sets(  # noqa: PLR0913 - one parameter per flag
    folder: Folder,
    name: Annotated[str, Parameter(help="the caption set to change or make; left out: all are listed")] = "",
    *,
    family: Annotated[str | None, Parameter(help="the base family: sd15, e621, illustrious, noobai, pony, plain")] = None,
    prefix: Annotated[list[str] | None, Parameter(help="tags behind the trigger of every caption, one flag each")] = None,
    suffix: Annotated[list[str] | None, Parameter(help="tags at the end of every caption, one flag each")] = None,
    keep_tokens: Annotated[int | None, Parameter(help="tags at the start that training leaves in place")] = None,
    generated: Annotated[str | None, Parameter(help="the tag of pictures that a model drew")] = None,
    underscores: Annotated[bool | None, Parameter(help="write tags with underscores")] = None,
    write: Annotated[bool, Parameter(help="write the captions of this set now", negative="")] = False,
) -> Any:
    """List the caption sets, or say what one is like; the record of tags is one, each set is a view for a base family."""
    from lorasmith.project.project import Project
    from lorasmith.settings.tables import TagSettings
    from lorasmith.stages.tag.caption_sets import caption_sets, change_caption_set
    from lorasmith.stages.tag.stage import tag
    from lorasmith.tags.spelling import with_underscores
    from lorasmith.terminal import shown

    ends = {"prefix": prefix, "suffix": suffix}
    chosen: dict[str, Any] = {"family": family, "keep_tokens": keep_tokens, "generated": generated, "underscores": underscores}
    chosen |= {key: None if tags is None else tuple(filter(None, map(with_underscores, tags))) for key, tags in ends.items()}
    if not name:
        with Project.open(folder, writing=False) as project:
            return {"caption_sets": caption_sets(project)}
    with Project.open(folder) as project, shown() as bar:
        changes = any(value is not None for value in chosen.values())
        row = change_caption_set(project, name, chosen) if changes or not write else None
        return tag(project, project.settings(TagSettings, {"caption_set": name}), bar) if write else row


def import_(
    folder: Folder,
    source: Annotated[Path, Parameter(help="a folder of captions, or kohya's JSON, a .jsonl or a .csv of file names and captions")],
    *,
    add: Annotated[bool, Parameter(help="add to what came with the pictures before; else that is replaced", negative="")] = False,
    preview: Preview = False,
) -> Any:
    """Take in captions of another layout for the pictures that are here, matched by name, file name, post or md5."""
    from lorasmith.project.project import Project
    from lorasmith.stages.tag.import_captions import import_captions

    with Project.open(folder, writing=not preview) as project:
        return import_captions(project, source, add=add, preview=preview)


def reinforce(
    folder: Folder,
    toggle: Annotated[str, Parameter(help="a toggle; left out: all toggles of info.md that have no line yet")] = "",
    *tags: Annotated[str, Parameter(help="the tags that help to prompt it; left out: what the set shows")],
    again: Annotated[bool, Parameter(help="look anew for those that have a line too", negative="")] = False,
) -> Any:
    """Write to info.md which tags help to prompt each toggle."""
    from lorasmith.project.project import Project
    from lorasmith.stages.tag.reinforce import reinforce as do

    with Project.open(folder) as project:
        return do(project, toggle, tags, again=again)


def edit(  # noqa: PLR0913 - one parameter per flag
    folder: Folder,
    action: Annotated[str, Parameter(help="add, remove, replace, rename, regex, dedupe, first, last or sort")],
    *words: Annotated[str, Parameter(help="its tags: 'add TAG …', 'replace OLD NEW', 'regex PATTERN NEW'", allow_leading_hyphen=True)],
    where: Where = "",
    set: Annotated[str, Parameter(help="the caption set, for first, last and sort; left out: the one under [tag]")] = "",
    preview: Annotated[bool, Parameter(help="only show what would change", negative="")] = False,
    show: Annotated[int, Parameter(help="pictures listed; 0 lists all")] = 40,
) -> Any:
    """Edit the tags of many pictures: what would change is shown first with --preview; undo takes an edit back."""
    from lorasmith.project.project import Project
    from lorasmith.stages.tag.edit_tags import TagEdit, edit_tags

    if strange := next((word for word in words if word.startswith("--")), None):  # no tag: a slip of the pen would be one
        raise UsageError(f"There is no option {strange}; there are --where, --set, --preview and --show.")
    with Project.open(folder, writing=not preview) as project:
        return edit_tags(project, TagEdit(action, words, where, set), preview=preview, shown=show)


def fetch(
    site: Annotated[str, Parameter(help="e621 or danbooru")],
    *,
    site_url: Annotated[str, Parameter(help="another address for the site")] = "",
) -> Any:
    """Fetch a site's own tables of aliases and implications, for all projects; a few requests, a few megabytes."""
    from lorasmith.stages.tag.tables import fetch_tables
    from lorasmith.terminal import shown

    with shown() as bar:
        return fetch_tables(site, site_url, bar)


def show(tag: Annotated[str, Parameter(help="one tag, in quotes where it has spaces")]) -> Any:
    """Show what is known of a tag: its group, what it is used as, its name on both boards, what it implies."""
    from lorasmith.stages.tag.words import show_tag

    return show_tag(tag)


def translate(
    caption: Annotated[str, Parameter(help="tags with commas between them, in quotes")],
    *,
    to: Annotated[str, Parameter(help="danbooru or e621")],
) -> Any:
    """Say a caption in the words of Danbooru or e621, with a note for what is lost."""
    from lorasmith.stages.tag.words import say_in_words_of

    return say_in_words_of(caption, to)


def tokens(caption: Annotated[str, Parameter(help="a caption or a trigger, in quotes")]) -> Any:
    """Count the CLIP tokens of a caption tag by tag, show where its windows of 75 end, and how the trigger splits."""
    from lorasmith.stages.tag.words import count_words

    return count_words(caption)
