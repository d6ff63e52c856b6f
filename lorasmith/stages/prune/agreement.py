"""How much of the character's core looks the tagger sees on each picture."""

from collections.abc import Sequence

from lorasmith.progress import Report, silent
from lorasmith.project.pictures import Picture
from lorasmith.project.project import Project
from lorasmith.settings.tables import TagSettings
from lorasmith.stages.tag.scores import has_scores, open_project_tagger, score_missing, vector_of


def agreement(
    project: Project, pictures: Sequence[Picture], settings: TagSettings, report: Report = silent
) -> dict[str, float]:
    """Gives each picture's mean tagger score of the core looks on info.md; none where the tagger knows none of them.

    The scores are kept by the picture's content: `tag` does not look again.
    """
    from lorasmith.taggers.labels import scores_by_tag
    from lorasmith.tags.sheet import read_sheet

    if not settings.tagger_names or not project.sheet.exists():
        return {}
    core = set(read_sheet(project.sheet.read_text(encoding="utf-8", errors="replace")).core_names())
    tagger = open_project_tagger(settings, report)
    if not core.intersection(label.name for label in tagger.labels):
        return {}
    score_missing(project, tagger, pictures, settings.batch_size, report)
    seen = {}
    for picture in pictures:
        if not has_scores(project, [tagger], picture):
            continue
        scores = scores_by_tag(tagger.labels, vector_of(project, tagger, picture).tolist())
        told = [score for tag, score in scores.items() if tag in core]
        seen[picture.name] = sum(told) / len(told)
    return seen
