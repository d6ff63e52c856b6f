"""What belongs to one caption set alone: its profile, what was put under one tag, and tags moved to the front or the end."""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lorasmith.project.database import transaction

TRIGGER = ""  # stands for the trigger where a tag is named under which others were put


@dataclass(frozen=True)
class Gathered:
    """A tag that captions of a set no longer tell, because another tag stands for it; and why, in figures and words."""

    under: str  # TRIGGER, or the tag of an outfit
    tag: str
    why: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Placed:
    """A tag that stands before (place under 0) or behind (over 0) the others of a picture's caption."""

    picture: str
    tag: str
    place: int


class CaptionSets:
    """Reads and changes the rows of a project's caption sets; every change is inside the caller's journal entry."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    # profiles

    def profiles(self) -> dict[str, dict[str, Any]]:
        """Gives what was chosen for each caption set, by its name."""
        rows = self._db.execute("SELECT name, profile FROM caption_sets ORDER BY name")
        return {row["name"]: json.loads(row["profile"]) for row in rows}

    def set_profile(self, name: str, profile: Mapping[str, Any]) -> None:
        """Records what is chosen for a caption set."""
        text = json.dumps(profile, sort_keys=True)
        self._db.execute(
            "INSERT INTO caption_sets (name, profile) VALUES (?, ?) ON CONFLICT DO UPDATE SET profile = excluded.profile "
            "WHERE profile != excluded.profile",
            (name, text),
        )

    # what was put under one tag

    def gathered(self, caption_set: str) -> list[Gathered]:
        """Lists what was put under the trigger and under the tags of outfits."""
        rows = self._db.execute(
            "SELECT under, tag, why FROM gathered WHERE caption_set = ? ORDER BY under, tag", (caption_set,)
        )
        return [Gathered(row["under"], row["tag"], json.loads(row["why"])) for row in rows]

    def gather(self, caption_set: str, under: str, tags: Iterable[Gathered]) -> None:
        """Replaces what stands under one tag; without tags nothing does any more."""
        wanted = {one.tag: json.dumps(one.why, sort_keys=True) for one in tags}
        with transaction(self._db):
            here = "caption_set = ? AND under = ?"
            old = {
                row["tag"]: row["why"]
                for row in self._db.execute(f"SELECT tag, why FROM gathered WHERE {here}", (caption_set, under))
            }
            for gone in old.keys() - wanted.keys():
                self._db.execute(f"DELETE FROM gathered WHERE {here} AND tag = ?", (caption_set, under, gone))
            for tag, why in wanted.items():
                if old.get(tag) != why:
                    self._db.execute(
                        "INSERT INTO gathered (caption_set, under, tag, why) VALUES (?, ?, ?, ?) "
                        "ON CONFLICT DO UPDATE SET why = excluded.why",
                        (caption_set, under, tag, why),
                    )

    # order

    def placed(self, caption_set: str) -> dict[str, dict[str, int]]:
        """Gives picture -> tag -> place, of tags that were moved to the front or the end."""
        places: dict[str, dict[str, int]] = {}
        cursor = self._db.cursor()
        cursor.row_factory = None
        for picture, tag, place in cursor.execute(
            "SELECT picture, tag, place FROM placed_tags WHERE caption_set = ? ORDER BY picture, place", (caption_set,)
        ):
            places.setdefault(picture, {})[tag] = place
        return places

    def place(self, caption_set: str, put: Iterable[Placed], freed: Iterable[str] = ()) -> None:
        """Puts tags at their places; the tags of the `freed` pictures stand again where their groups do."""
        with transaction(self._db):
            self._db.executemany(
                "DELETE FROM placed_tags WHERE caption_set = ? AND picture = ?", [(caption_set, name) for name in freed]
            )
            self._db.executemany(
                "INSERT INTO placed_tags (caption_set, picture, tag, place) VALUES (?, ?, ?, ?) "
                "ON CONFLICT DO UPDATE SET place = excluded.place WHERE place != excluded.place",
                [(caption_set, one.picture, one.tag, one.place) for one in put],
            )
