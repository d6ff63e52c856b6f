"""run: the whole road, stage after stage; what is finished is not repeated."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lorasmith.errors import CheckpointError, LorasmithError, NotReady, RefusedError, TaggerError, UsageError
from lorasmith.files import write_atomic
from lorasmith.progress import Report, silent
from lorasmith.project.project import RESULT, Project
from lorasmith.results import plain
from lorasmith.safety import demand_safe_query
from lorasmith.settings.stage import unknown_name
from lorasmith.settings.tables import TABLES, SiteSettings, TrainSettings
from lorasmith.settings.toml import FILE_NAME, SITE, keep_choice, read_tables, resolve
from lorasmith.stages.research.site import query_of
from lorasmith.stages.table import STAGES, Stage
from lorasmith.stages.train.check import checkpoint_faults

_ONCE = ("renders",)  # flags that name things of one moment are not kept
# What was typed cannot be: it is not kept either. After a kill, or a site that is down, it is: the next call goes on with it.
_NOT_MEANT = (UsageError, NotReady, RefusedError, CheckpointError, TaggerError)
_ASKING = ("research", "download")  # stages that ask a site: done once for the same settings, unless asked for again


def run_stage(
    project: Project, name: str, report: Report = silent, flags: Mapping[str, Any] | None = None, *, keep: bool = True
) -> Any:
    """Runs one stage; with `keep` what a person typed stands in lorasmith.toml, so that the next call goes on with it."""
    stage = _stage(name)
    settings = project.settings(TABLES[name], flags)
    if isinstance(settings, SiteSettings):
        demand_safe_query(settings.query)
    file = project.folder / FILE_NAME
    before = file.read_bytes()
    if flags and keep:
        keep_settings(project.folder, name, {key: value for key, value in flags.items() if key not in _ONCE})
    kept = file.read_bytes()
    project.sweep()
    try:
        result = stage.function()(project, settings, report)
    except _NOT_MEANT:
        if file.read_bytes() == kept != before:
            write_atomic(file, before)
        raise
    project.remember(f"{RESULT}{name}", plain(result))
    if name in _ASKING:
        assert isinstance(settings, SiteSettings)
        if not getattr(result, "failed", ()):  # what failed is tried again
            project.remember(f"done:{name}", _asked(project, settings))
    return result


def download_listed(project: Project, file: Path, report: Report = silent) -> Any:
    """Downloads the posts of a list of ids or md5s, and leaves the project's search as it is."""
    flags = {"collect_from_listed_posts_file": str(file.absolute())}
    return _stage("download").function()(project, project.settings(TABLES["download"], flags), report)


def keep_settings(folder: Path, name: str, flags: Mapping[str, Any]) -> None:
    """Writes what a person typed to the stage's table, None for unset; what is said of the site goes to [site].

    Nothing is written when a value cannot be (`UsageError`).
    """
    shared = SiteSettings.model_fields if name in _ASKING else {}
    file = folder / FILE_NAME
    resolve(name, read_tables(file), flags)
    for table, mine in ((SITE, True), (name, False)):
        values = {key: value for key, value in flags.items() if (key in shared) is mine}
        if values:
            keep_choice(file, table, values)


def run_all(
    project: Project,
    report: Report = silent,
    *,
    start: str = STAGES[0].name,
    end: str = STAGES[-1].name,
    again: bool = False,
) -> dict[str, Any]:
    """Runs the stages from `start` to `end`; gives each one's result, or the reason why it was skipped."""
    names = [stage.name for stage in STAGES]
    first, last = names.index(_stage(start).name), names.index(_stage(end).name)
    if first > last:
        raise UsageError(f"--from {start} comes after --to {end}; the order is {', '.join(names)}.")
    for name in names[first : last + 1]:
        project.settings(TABLES[name])  # a mistake in the settings is told before any work is done
    if first <= names.index("train") <= last and (
        faults := checkpoint_faults(project.settings(TrainSettings).checkpoint)
    ):
        raise LorasmithError(" ".join(faults))
    results: dict[str, Any] = {}
    for name in names[first : last + 1]:
        reason = None if again else skip_reason(project, name)
        results[name] = f"skipped: {reason}" if reason else run_stage(project, name, report)
    return results


def skip_reason(project: Project, name: str) -> str | None:
    """Says why a stage need not run; only the stages that ask a site are ever skipped, the others look for themselves."""
    if name not in _ASKING:
        return None
    settings = project.settings(TABLES[name])
    assert isinstance(settings, SiteSettings)
    if not (settings.query or settings.character) and project.pictures.all(origins=("folder",)):
        return "the project has pictures of your own and no query"
    if project.fact(f"done:{name}") == _asked(project, settings):
        return "done before with the same settings"
    return None


def _asked(project: Project, settings: SiteSettings) -> dict[str, Any]:
    """Gives what a site was asked for, and how: the same again need not be asked."""
    named = ("export", "collect_from_listed_posts_file", "skip_posts_file")
    files = {name: _state_of(str(getattr(settings, name, ""))) for name in named}
    return settings.model_dump(mode="json") | {"query": query_of(project, settings), "files": files}


def _state_of(file: str) -> list[int]:
    """Gives what changes when a file is written anew."""
    try:
        facts = Path(file).expanduser().stat()
    except OSError:
        return []
    return [facts.st_size, facts.st_mtime_ns] if file else []


def _stage(name: str) -> Stage:
    for stage in STAGES:
        if stage.name == name:
            return stage
    names = [stage.name for stage in STAGES]
    raise UsageError(unknown_name(name, names, f"There is no stage '{name}'"))
