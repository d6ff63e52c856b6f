"""Caption sets: one master record, one set of captions for each base family; what each is like, and changing that."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lorasmith.errors import UsageError
from lorasmith.project.caption_sets import TRIGGER
from lorasmith.project.project import Project
from lorasmith.settings.tables import TagSettings
from lorasmith.stages.tag.captions import outfits_of, profile_of
from lorasmith.stages.tag.edit_tags import STAGE

if TYPE_CHECKING:
    from lorasmith.tags.families import Profile


@dataclass(frozen=True)
class SetRow:
    """One caption set, and what training does best with it."""

    name: str
    trained_on: bool  # the one that [tag] names
    captions: int
    family: str
    words: str
    prefix: tuple[str, ...]
    suffix: tuple[str, ...]
    under_the_trigger: int  # tags consolidated by hand; 0: `tag` decides
    outfits: tuple[str, ...]
    hint: str


def caption_sets(project: Project) -> list[SetRow]:
    """Lists the caption sets: the one that is trained on, those that were written and those that were described."""
    current = project.settings(TagSettings).caption_set
    names = {current, *project.caption_sets.profiles(), *project.pictures.caption_set_names()}
    return [_row(project, name, current) for name in sorted(names)]


def change_caption_set(project: Project, name: str, chosen: dict[str, Any]) -> SetRow:
    """Changes what a caption set is like, and makes it where there is none; one entry of the history."""
    current = project.settings(TagSettings)
    TagSettings.build({"caption_set": name}, "tag")  # the name can be a folder's
    wanted = {key: value for key, value in chosen.items() if value is not None}
    if not wanted:
        raise UsageError("Say what the set is to be like: --family, --prefix, --suffix, --keep-tokens, --generated or --underscores.")
    profile = replace(profile_of(project, name), **wanted)
    with project.change(STAGE, f"caption set {name}"):
        project.caption_sets.set_profile(name, profile.to_dict())
    return _row(project, name, current.caption_set)


def _row(project: Project, name: str, current: str) -> SetRow:
    profile = profile_of(project, name)
    outfits = tuple(outfits_of(project, name))
    by_hand = sum(one.under == TRIGGER for one in project.caption_sets.gathered(name))
    row = profile.row
    return SetRow(
        name, name == current, len(project.pictures.captions(name)), row.name, row.words or "as in the record", profile.first,
        profile.last, by_hand, outfits, _hint(profile, len(outfits)),
    )  # fmt: skip


def _hint(profile: "Profile", outfits: int) -> str:
    kept, row = profile.kept(outfits), profile.row
    return f"under [train]: keep_tokens = {kept}, tag_dropout = {row.tag_dropout}, caption_dropout = {row.caption_dropout}"
