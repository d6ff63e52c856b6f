"""The projects a person has opened: a list in their data folder. A page names a project by its id in this list alone."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from lorasmith.errors import ProjectError
from lorasmith.files import write_atomic
from lorasmith.settings.toml import FILE_NAME

_MOST = 200


@dataclass(frozen=True)
class Known:
    """A project of the list."""

    id: str
    folder: Path

    @property
    def is_there(self) -> bool:
        """Whether the folder still holds a project: disks are unplugged, folders are moved."""
        return (self.folder / FILE_NAME).is_file()


class Projects:
    """The list, newest first. An address of the page can name nothing that is not in it."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def known(self) -> list[Known]:
        """Lists the projects, the one opened last first."""
        try:
            folders = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return []
        return [Known(_id_of(folder), Path(folder)) for folder in folders if isinstance(folder, str)]

    def remember(self, folder: Path) -> Known:
        """Puts a project at the head of the list; raises where there is none."""
        known = Known(_id_of(str(folder.resolve())), folder.resolve())
        if not known.is_there:
            raise ProjectError(f"There is no project in {folder} (no {FILE_NAME}); make one, or give another folder.")
        others = [str(one.folder) for one in self.known() if one.id != known.id]
        write_atomic(self._file, json.dumps([str(known.folder), *others][:_MOST], indent=1, ensure_ascii=False))
        return known

    def forget(self, project: str) -> None:
        """Takes a project off the list; its folder stays."""
        left = [str(one.folder) for one in self.known() if one.id != project]
        write_atomic(self._file, json.dumps(left, indent=1, ensure_ascii=False))

    def folder_of(self, project: str) -> Path:
        """Gives the folder of an id; raises when the list has none, or the folder has gone."""
        found = next((one for one in self.known() if one.id == project), None)
        if found is None:
            raise ProjectError("This page's project is not in your list any more; open it again on the Projects page.")
        if not found.is_there:
            raise ProjectError(f"There is no project in {found.folder} any more; was the folder moved or the disk unplugged?")
        return found.folder


def _id_of(folder: str) -> str:
    return hashlib.sha256(folder.encode("utf-8", "surrogateescape")).hexdigest()[:12]
