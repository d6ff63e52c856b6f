"""touch-up's second look: what the tagger sees on a picture now and did not see before, and the other way round."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lorasmith.errors import PictureError, UsageError
from lorasmith.progress import Report
from lorasmith.project.pictures import Picture
from lorasmith.project.project import Project
from lorasmith.settings.tables import TagSettings
from lorasmith.stages.tag.scores import open_project_tagger, thresholds_by_tag

if TYPE_CHECKING:
    import PIL.Image

_LEAST_STEP = 0.1  # a score that moves less over the threshold tells nothing
_MOST = 12  # rows a picture, the largest steps first


@dataclass(frozen=True)
class Difference:
    """A tag that the tagger no longer sees on a picture, or sees there for the first time."""

    picture: str
    tag: str
    change: str  # gone or new
    before: float
    after: float


class Look:
    """The project's tagger, opened once; nothing that it says is written down."""

    def __init__(self, project: Project, settings: TagSettings, report: Report) -> None:
        if not settings.tagger_names:
            raise UsageError("--retag needs a tagger, and the project has none; name one under [tag] in lorasmith.toml.")
        self._project = project
        self._tagger = open_project_tagger(settings, report)
        self._least = thresholds_by_tag(self._tagger, settings)

    def differences(self, source: Picture, after: "PIL.Image.Image") -> list[Difference]:
        """Compares what is seen on a picture and on what was made of it: tags that pass the threshold on one side only."""
        from lorasmith.imaging.read import open_picture
        from lorasmith.safety import text_is_refused
        from lorasmith.taggers.labels import scores_by_tag

        try:
            before = open_picture(self._project.file_of(source))
        except PictureError:
            return []
        was, now = (scores_by_tag(self._tagger.labels, row.tolist()) for row in self._tagger.score([before, after]))
        rows = [
            Difference(source.name, tag, "new" if now[tag] > score else "gone", round(score, 2), round(now[tag], 2))
            for tag, score in was.items()
            if (score >= self._least[tag]) != (now[tag] >= self._least[tag])
            and abs(now[tag] - score) >= _LEAST_STEP
            and not text_is_refused(tag)
        ]
        return sorted(rows, key=lambda row: (-abs(row.after - row.before), row.tag))[:_MOST]
