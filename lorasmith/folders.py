"""Where a person's own files lie, outside every project: configuration, data that must stay, caches that may go."""

import os
from pathlib import Path


def config_folder() -> Path:
    """Gives the folder of a person's own configuration: %APPDATA%/lorasmith, or ~/.config/lorasmith."""
    return _folder("APPDATA", "XDG_CONFIG_HOME", ".config")


def data_folder() -> Path:
    """Gives the folder of the list of projects and the queue of jobs: %LOCALAPPDATA%/lorasmith, or ~/.local/share/lorasmith."""
    return _folder("LOCALAPPDATA", "XDG_DATA_HOME", ".local/share")


def cache_folder() -> Path:
    """Gives the folder of what can be made or fetched again: below %LOCALAPPDATA%/lorasmith, or ~/.cache/lorasmith."""
    if os.environ.get("LOCALAPPDATA"):
        return data_folder() / "cache"
    return _folder("", "XDG_CACHE_HOME", ".cache")


def uploads_folder() -> Path:
    """Gives where files uploaded to the page lie until a job has taken them; the machine's own temporary folder is shared."""
    return cache_folder() / "uploads"


def _folder(windows: str, elsewhere: str, below_home: str) -> Path:
    base = (windows and os.environ.get(windows)) or os.environ.get(elsewhere)
    return (Path(base) if base else Path.home() / below_home) / "lorasmith"
