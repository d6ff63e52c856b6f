"""What other tools wrote into the sidecars, entered in the record as a person's word before anything is written again."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from lorasmith.project.caption_sets import Placed
from lorasmith.project.pictures import NOT_THERE, PERSON, REFUSED, Decision, Tag
from lorasmith.project.project import Project
from lorasmith.project.sidecars import OutsideEdit, outside_edits, tags_in
from lorasmith.safety import fold, text_is_refused
from lorasmith.settings.tables import TagSettings
from lorasmith.stages.tag.behind import Behind
from lorasmith.stages.tag.captions import Composed, caption_of
from lorasmith.stages.tag.cast import Casting

_HIDDEN = 10  # tags of a one-of group that may hide one another


def enter_outside_edits(project: Project, settings: TagSettings, ours: Composed) -> tuple[tuple[str, ...], int]:
    """Enters tags that were added and those that are not to come back, and a new order for this caption set.

    A sidecar that now says what marks minors says it of the picture: the picture is refused. Gives the names of the edited
    sidecars, with the encoding where it is not utf-8, and how many pictures were refused for theirs.
    """
    edits = outside_edits(project, settings.caption_set, ours.captions)
    if not edits:
        return (), 0
    refused = 0
    told = []
    behind = Behind.of(project)
    for name, edit in edits.items():
        told.append(_told(name, edit))
        if any(text_is_refused(tag) for tag in edit.added):
            project.pictures.decide(name.split(".")[0], Decision("drop", REFUSED, "refused"), maker=REFUSED)
            refused += 1
        elif not edit.damaged:
            _enter(project, name, edit, settings, ours, behind)
    return tuple(told), refused


def _told(name: str, edit: OutsideEdit) -> str:
    if edit.damaged:
        return f"{name} (damaged, no text: its caption is written anew, and the file is kept in sidecars-before)"
    return f"{name} ({edit.encoding})" if edit.encoding else name


def _enter(
    project: Project, name: str, edit: OutsideEdit, settings: TagSettings, ours: Composed, behind: Behind
) -> None:
    """Enters an edit as a person's word, on what is behind the picture too: a crop made anew takes its tags from there."""
    from lorasmith.tags.groups import group_of

    rows = project.pictures.tags(name)
    project.pictures.set_tags(name, PERSON, _with_edit(rows, edit, settings.replacements, ours.outfits))
    if edit.removed and name in ours.captions:
        edit = replace(edit, removed=(*edit.removed, *_without_risen(project, name, edit, settings, ours)))
    if edit.order:
        project.caption_sets.place(settings.caption_set, _order(name, edit, rows, ours.casting), [name])
    added, removed = (tuple(tag for tag in tags if group_of(tag) != "framing") for tags in (edit.added, edit.removed))
    for origin in behind.meant_by([name]):  # the framing is the crop's own
        said = _with_edit(project.pictures.tags(origin), OutsideEdit(added, removed), settings.replacements, ours.outfits)
        project.pictures.set_tags(origin, PERSON, said)


def _without_risen(project: Project, name: str, edit: OutsideEdit, settings: TagSettings, ours: Composed) -> list[str]:
    """Takes out the tags that would now be in the caption only because the one that hid them was taken out; names them.

    A member of a one-of group hides the others, a tag those that it implies: the other tool never saw them.
    """
    from lorasmith.tags.spelling import with_spaces

    picture = project.pictures.get(name)
    known = {fold(tag) for tag in (*tags_in(ours.captions[name]), *edit.added, *edit.order)}
    known |= {fold(spelled) for tag in (*ours.core, *ours.outfits) for spelled in (tag, with_spaces(tag))}
    found: list[str] = []
    for _ in range(_HIDDEN):
        _, text = caption_of(project, picture, ours.verdicts.get(name), ours.casting, settings)
        risen = tuple(tag for tag in tags_in(text) if fold(tag) not in known)
        if not risen or set(risen) <= set(found):
            break
        rows = project.pictures.tags(name)
        said = _with_edit(rows, OutsideEdit((), risen), settings.replacements, {})
        project.pictures.set_tags(name, PERSON, said)
        found += risen
    return found


def _with_edit(
    rows: Sequence[Tag], edit: OutsideEdit, replaced: Mapping[str, str], outfits: Mapping[str, frozenset[str]]
) -> list[Tag]:
    """Gives what a person says of a picture after an edit of its sidecar, where tags may be spelled or named otherwise."""
    from lorasmith.tags.spelling import same_tag, with_underscores

    added, removed = ({same_tag(tag): with_underscores(tag) for tag in tags} for tags in (edit.added, edit.removed))
    for outfit, its in outfits.items():  # an outfit that is taken out of a caption is not worn
        if same_tag(outfit) in removed:
            removed |= {same_tag(tag): tag for tag in its}
    known = {row.tag: row.category for row in rows}
    said = {row.tag: row for row in rows if row.source == PERSON}
    said = {tag: row for tag, row in said.items() if row.score > NOT_THERE or same_tag(tag) not in added}
    said |= {tag: Tag(tag, known.get(tag, "general"), PERSON, 1.0) for tag in added.values()}
    gone = [row.tag for row in rows if {same_tag(row.tag), same_tag(replaced.get(row.tag, ""))} & removed.keys()]
    return list((said | {tag: Tag(tag, "general", PERSON, NOT_THERE) for tag in (*gone, *removed.values())}).values())


def _order(name: str, edit: OutsideEdit, rows: Sequence[Tag], casting: Casting) -> list[Placed]:
    """Gives the places of a caption's tags as the other tool left them, before any that come later."""
    from lorasmith.tags.spelling import same_tag, with_underscores

    stored = {same_tag(row.tag): row.tag for row in rows}
    triggers = {fold(trigger) for trigger in casting.cores}
    tags = [stored.get(same_tag(tag), with_underscores(tag)) for tag in edit.order if fold(tag) not in triggers]
    return [Placed(name, tag, place) for place, tag in enumerate(tags, -len(tags))]
