"""The faults of a site that a stage tells apart: those of one file are counted, all others end the run."""

from lorasmith.errors import SiteError


class NotFoundError(SiteError):
    """The site has no such thing (404)."""


class LeftAloneError(SiteError):
    """The host asked for patience, or failed too often: nobody asks it for now."""


class CalledOffError(SiteError):
    """The work was called off."""


class StrangeHostError(SiteError):
    """The site points to a host that is not its own."""


class FileError(SiteError):
    """One post's file cannot be had; the run goes on with the next post and counts this one."""


class MissingFileError(FileError):
    """The file is not visible to whoever asks, or is gone."""


class UnservedFileError(FileError):
    """The site would not give this file, or broke off each time; what came is kept for the next run."""


class DamagedFileError(FileError):
    """The bytes that came are not the file that the site announced."""
