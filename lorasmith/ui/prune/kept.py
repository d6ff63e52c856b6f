"""What the Prune page knows of the projects looked at last: what decisions cannot change is read once, decisions at each change."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lorasmith.project.pictures import PERSON, REFUSED, Decision, Picture
from lorasmith.project.project import Project
from lorasmith.settings.tables import PruneSettings
from lorasmith.stages.prune.balance import members_of, toggles_of
from lorasmith.stages.prune.look import Family, candidates_known, measures_known, twin_families, version_families
from lorasmith.stages.prune.reason_words import is_told_only
from lorasmith.stages.prune.reasons import MAKER
from lorasmith.stages.tag.index import Asked, open_index
from lorasmith.tags.coverage import Share, coverage_of_counts
from lorasmith.tags.filter import bits_of, places_of
from lorasmith.tags.index import TagIndex

if TYPE_CHECKING:
    from lorasmith.imaging.measure import Measures

MOST = 2  # projects kept: one of 10,000 pictures takes some tens of megabytes
_DECISIONS_ALONE = ("by hand", "prune")  # entries of the history that change nothing but decisions on originals
_RECORD = ("project.db", "project.db-wal")
_SETTINGS = ("lorasmith.toml", "info.md")
T = TypeVar("T")
Feature = tuple[str, str]


@dataclass
class Still:
    """What no decision changes: the originals, what was measured on them, what they show, their tags."""

    pictures: list[Picture]
    found: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.places = {one.name: place for place, one in enumerate(self.pictures)}

    def once(self, name: str, find: Callable[[], T]) -> T:
        """Gives what `find` gives, found once."""
        if name not in self.found:
            self.found[name] = find()
        known: T = self.found[name]
        return known


class Look:
    """One state of a project as the Prune page sees it; the project is open for as long as a request lasts."""

    def __init__(self, project: Project, still: Still) -> None:
        self.project = project
        self.still = still
        self.decisions = project.pictures.decisions()
        self._found: dict[str, Any] = {}

    def _once(self, name: str, find: Callable[[], T]) -> T:
        if name not in self._found:
            self._found[name] = find()
        known: T = self._found[name]
        return known

    # pictures

    def picture(self, name: str) -> Picture | None:
        """Gives an original by its name; none where safety refused it."""
        place = self.still.places.get(name)
        return None if place is None or not self.shown >> place & 1 else self.still.pictures[place]

    def bits(self, fits: Callable[[Decision | None], bool]) -> int:
        """Gives the pictures whose decision fits, a bit each."""
        return bits_of(place for place, one in enumerate(self.still.pictures) if fits(self.decisions.get(one.name)))

    @property
    def shown(self) -> int:
        """Gives the pictures that safety did not refuse."""
        return self._once("shown", lambda: self.bits(lambda word: word is None or word.maker != REFUSED))

    @property
    def dropped(self) -> int:
        """Gives the dropped ones among them."""
        return self._once("dropped", lambda: self.bits(lambda word: word is not None and word.verdict == "drop") & self.shown)

    @property
    def perhaps(self) -> int:
        """Gives those that are kept although something was told against them, and no person has said anything yet."""
        return self._once("perhaps", lambda: self.bits(is_told_only) & self.shown)

    @property
    def by_hand(self) -> int:
        """Gives those of which a person said something."""
        return self._once("by hand", lambda: self.bits(lambda word: word is not None and word.maker == PERSON) & self.shown)

    def reasons(self) -> "Counter[tuple[str, str]]":
        """Counts (verdict, reason) of the decisions that hold, less those a person made."""
        words = ((one.name, self.decisions.get(one.name)) for one in self.still.pictures)
        return Counter((word.verdict, word.reason) for _, word in words if word is not None and word.maker not in (PERSON, REFUSED))

    @property
    def said(self) -> Mapping[str, Decision]:
        """Gives what prune said of each picture, whoever's word holds."""
        return self._once("said", lambda: self.project.pictures.words_of(MAKER))

    # what is on them

    @property
    def settings(self) -> PruneSettings:
        """Gives the settings of [prune]."""
        return self.still.once("settings", lambda: self.project.settings(PruneSettings))

    @property
    def measures(self) -> "Mapping[str, Measures]":
        """Gives sha256 -> measures."""
        return self.still.once("measures", lambda: measures_known(self.project))

    @property
    def index(self) -> TagIndex:
        """Gives the tags of all originals, to be asked with filters."""

        def build() -> tuple[TagIndex, Asked]:
            asked = Asked(self.project, self.still.pictures, "")
            return open_index(self.project, self.still.pictures, asked=asked), asked

        index, asked = self.still.once("index", build)
        asked.project = self.project
        return index

    @property
    def features(self) -> dict[Feature, int]:
        """Gives the pictures that show each value of each part (`view`, `back`), a bit each."""
        return self._shows()[0]

    @property
    def quality(self) -> Mapping[str, float]:
        """Gives how good each measured picture is beside the others, 0 to 1."""
        return self._shows()[1]

    @property
    def measured(self) -> int:
        """Gives the measured pictures, a bit each."""
        return self.still.once("measured", lambda: bits_of(self.still.places[name] for name in self.quality))

    def _shows(self) -> tuple[dict[Feature, int], dict[str, float]]:
        def find() -> tuple[dict[Feature, int], dict[str, float]]:
            places: dict[Feature, list[int]] = {}
            qualities = {}
            for member in members_of(candidates_known(self.project, self.measures), self.toggles):
                qualities[member.name] = member.quality
                for feature in member.features():
                    places.setdefault(feature, []).append(self.still.places[member.name])
            return {feature: bits_of(its) for feature, its in places.items()}, qualities

        return self.still.once("shows", find)

    @property
    def toggles(self) -> tuple[str, ...]:
        """Names what the character puts on and off."""
        return self.still.once("toggles", lambda: toggles_of(self.project))

    def coverage(self) -> tuple[int, list[Share]]:
        """Gives how many measured pictures are kept, and how they are spread."""
        kept = self.measured & self.shown & ~self.dropped
        counts = Counter({feature: (bits & kept).bit_count() for feature, bits in self.features.items()})
        return kept.bit_count(), coverage_of_counts(+counts, kept.bit_count(), self.toggles)

    def families(self) -> list[Family]:
        """Lists families of twins, then versions of one work; those that safety refused are in none."""

        def find() -> list[Family]:
            bits, pictures = self.settings.near_duplicate_bits, [one for one in self.still.pictures if one.origin != "render"]
            twins = self.still.once("twins", lambda: twin_families(pictures, self.measures, bits))
            return [family for family in (*twins, *version_families(self.said)) if all(map(self.picture, family.members))]

        return self._once("families", find)

    def chosen(self, bits: int) -> Iterator[Picture]:
        """Yields pictures by their bits."""
        return (self.still.pictures[place] for place in places_of(bits))


class KeptLooks:
    """The projects looked at last; one request at a time asks of each."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[str, str, Look]] = {}
        self._locks: dict[Path, threading.Lock] = {}
        self._guard = threading.Lock()

    @contextmanager
    def open(self, folder: Path) -> Iterator[Look]:
        """Opens a project to read, with what is known of it; looks again at what has changed since."""
        with self._guard:
            lock = self._locks.setdefault(folder, threading.Lock())
        with lock, Project.open(folder, writing=False) as project:
            yield self.look(folder, project)

    def look(self, folder: Path, project: Project) -> Look:
        """Gives what is known of a project that is open."""
        state, stamp, before = repr(_facts(folder, _RECORD)), _stamp(folder, project), self._known.get(folder)
        if before is not None and before[:2] == (state, stamp):
            before[2].project = project
            return before[2]
        still = before[2].still if before is not None and before[1] == stamp else Still(project.pictures.originals())
        look = Look(project, still)
        with self._guard:
            self._known.pop(folder, None)
            self._known[folder] = state, stamp, look
            while len(self._known) > MOST:
                self._known.pop(next(iter(self._known)))
        return look


def _stamp(folder: Path, project: Project) -> str:
    """Gives a word that changes when anything but decisions does."""
    entries = [one for one in project.journal.states() if one[1] not in _DECISIONS_ALONE]
    return repr((entries, len(project.pictures.every_name()), project.caches.measured(), _facts(folder, _SETTINGS)))


def _facts(folder: Path, names: Iterable[str]) -> list[tuple[str, int, int]]:
    """Lists name, time and size of files; an empty log comes and goes with each reader."""
    found = ((name, folder / name) for name in names)
    facts = [(name, path.stat()) for name, path in found if path.is_file()]
    return [(name, one.st_mtime_ns, one.st_size) for name, one in facts if one.st_size]
