"""The errors a person may see: each is one sentence that says what, which value, and what to do next."""


class LorasmithError(Exception):
    """A fault of the world, not of the program: front-ends show its text without a traceback and exit with `exit_code`."""

    exit_code = 1


class UsageError(LorasmithError):
    """The command was asked for in a way it cannot be: wrong words, unknown setting, value out of bounds."""

    exit_code = 2


class ProjectError(LorasmithError):
    """The project folder cannot be used: missing, from the future, in use by another process, damaged."""


class RefusedError(LorasmithError):
    """Something carries a tag that marks minors (see `safety.py`); it never passes."""


class NotReady(LorasmithError):
    """What a stage needs is not there, or does not fit together: found by looking, before any work."""


class PictureError(LorasmithError):
    """A picture cannot be read: broken, too large, or not a picture."""


class SiteError(LorasmithError):
    """A site answered in a way that the work cannot go on with."""


class SiteBlocked(SiteError):
    """A site refuses this client (401, 403, a page of HTML): the run stops, nothing is tried around it."""


class CheckpointError(LorasmithError):
    """A model file cannot be used: truncated, a pickle, or of an unknown family."""


class TaggerError(LorasmithError):
    """A tagger model or its tag list cannot be used."""


class ModelFileError(LorasmithError):
    """An optional model file is not on this machine and cannot be fetched, or is not the one it should be."""


class TrainingError(LorasmithError):
    """Training cannot start or go on: no pictures, a non-finite loss, a run that does not match."""


class DiskFull(LorasmithError):
    """There is no room left on the disk for what is to be written."""
