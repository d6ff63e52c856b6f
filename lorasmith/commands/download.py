"""What `lorasmith download` can do besides downloading."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

Plan = Annotated[
    bool, Parameter(help="only say what would be fetched: posts, bytes and time at the polite rate; keeps no flag", negative="")
]


def planned(folder: Path, flags: dict[str, Any]) -> Any:
    """Asks the site which posts would be fetched, and fetches none."""
    from lorasmith.project.project import Project
    from lorasmith.safety import demand_safe_query
    from lorasmith.settings.tables import DownloadSettings
    from lorasmith.stages.download.plan import plan_download
    from lorasmith.terminal import shown

    with Project.open(folder) as project, shown() as bar:
        settings = project.settings(DownloadSettings, flags)
        demand_safe_query(settings.query)
        return plan_download(project, settings, bar)
