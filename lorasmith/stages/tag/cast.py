"""Several characters in one LoRA: who is on which picture, and what each one's trigger stands for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lorasmith.project.pictures import NOT_THERE, PERSON, Picture, Tag
from lorasmith.project.project import Project
from lorasmith.safety import fold
from lorasmith.settings.tables import TagSettings

if TYPE_CHECKING:
    from lorasmith.tags.filter import Filter

FACT = "characters"  # what `tag` found: a row for each character
_OWN = 0.5  # share of a character's pictures that must have a look which a person calls core, for it to be this one's

Rows = Mapping[str, Sequence[Tag]]  # picture -> what is said of it, by source


@dataclass(frozen=True)
class Casting:
    """Who is on the pictures of a set, and the looks that each trigger absorbs.

    `who` is None where there is one character, who is on every picture. `names` are tags that name a character, which
    captions leave to the triggers.
    """

    cores: Mapping[str, tuple[str, ...]]  # trigger -> its core looks
    who: Mapping[str, tuple[str, ...]] | None = None  # picture -> triggers, in the order of the setting
    names: frozenset[str] = frozenset()

    @property
    def core(self) -> list[str]:
        """Gives the core looks of all, each once."""
        return list(dict.fromkeys(tag for looks in self.cores.values() for tag in looks))

    def on(self, picture: str) -> tuple[str, ...]:
        """Names the triggers of those who are on a picture."""
        return tuple(self.cores) if self.who is None else self.who.get(picture, ())

    def absorbed_on(self, picture: str) -> list[str]:
        """Gives the looks that captions of a picture leave to its triggers: a stranger's on it stay in words."""
        return list(dict.fromkeys(tag for trigger in self.on(picture) for tag in self.cores.get(trigger, ())))

    def facts(self) -> list[dict[str, object]]:
        """Gives what is remembered of several characters: trigger, looks, pictures, and pictures that show no other."""
        if self.who is None:
            return []
        shown = list(self.who.values())
        return [
            {
                "trigger": trigger, "core": list(looks), "pictures": sum(trigger in one for one in shown),
                "alone": sum(one == (trigger,) for one in shown),
            }
            for trigger, looks in self.cores.items()
        ]  # fmt: skip


def told_of_cast(casting: Casting) -> tuple[str, ...]:
    """Says of each of several characters how many pictures show it and what its trigger stands for, and who is on none."""
    lines = []
    for row in casting.facts():
        looks = ", ".join(str(tag).replace("_", " ") for tag in casting.cores[str(row["trigger"])]) or "nothing yet"
        lines.append(f"{row['trigger']}: {row['pictures']} pictures, {row['alone']} alone; it stands for {looks}")
    nobody = sum(not shown for shown in (casting.who or {}).values())
    return (*lines, *([f"{nobody} pictures show none of them: their captions begin with no trigger"] if nobody else []))


@dataclass(frozen=True)
class Remembered:
    """A character as `tag` last found it."""

    trigger: str
    core: tuple[str, ...]
    pictures: int
    alone: int


def remembered_cast(project: Project) -> tuple[Remembered, ...]:
    """Gives the characters that `tag` last wrote captions for; none where the project has one."""
    rows = project.fact(FACT) or ()
    return tuple(Remembered(row["trigger"], tuple(row["core"]), row["pictures"], row["alone"]) for row in rows)


def casting_of(
    project: Project, pictures: Sequence[Picture], rows: Rows, settings: TagSettings,
    looks_of: "Callable[[Sequence[str] | None], list[str]]", by_hand: Mapping[str, Sequence[str]] | None = None,
) -> Casting:  # fmt: skip
    """Works out who is on which picture and each one's looks; `looks_of` gives the core looks of pictures by name (None: of all).

    A character's looks are read off the pictures that show no other of them. `by_hand` maps pictures to the looks that a
    person called core: a character has those that stand on half of its pictures.
    """
    if not settings.cast:
        return Casting({project.trigger: tuple(looks_of(None))})
    who = who_is_on(project, pictures, rows, settings)
    cores = {}
    for trigger in settings.cast:
        alone = [name for name, shown in who.items() if shown == (trigger,)]
        cores[trigger] = tuple(looks_of(alone)) if by_hand is None else tuple(_on_half(by_hand, alone))
    return Casting(cores, who, names_of(settings))


def known_casting(project: Project, settings: TagSettings, core: Sequence[str]) -> Casting:
    """Gives the casting of the set with the looks that `tag` last found; `core` are those of a project with one character."""
    if not settings.cast:
        return Casting({project.trigger: tuple(core)})
    found = {one.trigger: one.core for one in remembered_cast(project)}
    who = who_is_on(project, project.pictures.trained(), project.tag_rows.by_picture(), settings)
    return Casting({trigger: found.get(trigger, ()) for trigger in settings.cast}, who, names_of(settings))


def _on_half(by_hand: Mapping[str, Sequence[str]], pictures: Sequence[str]) -> list[str]:
    """Names the looks that stand on half of the pictures."""
    counts: dict[str, int] = {}
    for name in pictures:
        for tag in by_hand.get(name, ()):
            counts[tag] = counts.get(tag, 0) + 1
    return [tag for tag, count in counts.items() if count >= _OWN * len(pictures)]


def who_is_on(project: Project, pictures: Sequence[Picture], rows: Rows, settings: TagSettings) -> dict[str, tuple[str, ...]]:
    """Gives the triggers of those on each picture: by the filters, a render's prompt, and a person's word about a trigger."""
    from lorasmith.stages.tag.index import open_index
    from lorasmith.tags.filter import read_filter

    index = open_index(project, pictures)
    fitting = {trigger: set(index.chosen(read_filter(where).holds(index))) for trigger, where in settings.cast.items()}
    found = {}
    for picture in pictures:
        said = _said_of_triggers(rows.get(picture.name, ()))
        found[picture.name] = tuple(
            trigger for trigger in settings.cast if said.get(fold(trigger), picture.name in fitting[trigger])
        )
    return found


def _said_of_triggers(rows: Sequence[Tag]) -> dict[str, bool]:
    """Gives what the prompt of a render and, above it, a person say of tags, which may be triggers: there or not there."""
    asked = {fold(row.tag): True for row in rows if row.source == "prompt"}
    return asked | {fold(row.tag): row.score > NOT_THERE for row in rows if row.source == PERSON}


def names_of(settings: TagSettings) -> frozenset[str]:
    """Gives what captions never say beside the triggers, folded: the triggers themselves, and tags that are a whole filter."""
    from lorasmith.tags.filter import read_filter

    found = {fold(trigger) for trigger in settings.cast}
    return frozenset(found | {fold(name) for where in settings.cast.values() if (name := _name_in(read_filter(where)))})


def _name_in(asked: "Filter") -> str:
    """Gives the tag where a filter is nothing but one."""
    from lorasmith.tags.filter import Has

    term = asked.term
    plain = isinstance(term, Has) and term.field in ("tag", "character") and not set("*?") & set(term.pattern)
    return term.pattern if plain and isinstance(term, Has) else ""
