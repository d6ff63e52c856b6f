"""The name of a new project's folder."""

import re

_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))}


def folder_name(trigger: str) -> str:
    """Gives a folder's name for a trigger, which every disk takes: Windows keeps some names for itself."""
    name = re.sub(r"[^\w-]+", "_", trigger).strip("_") or "project"
    return f"{name}_" if name.lower() in _RESERVED else name
