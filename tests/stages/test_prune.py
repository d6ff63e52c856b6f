from pathlib import Path

from lorasmith.progress import Progress
from lorasmith.project.project import Project
from lorasmith.settings.tables import PruneSettings
from lorasmith.stages.add import add_folder
from lorasmith.stages.prune import measure_all, prune
from tests.imaging.drawing import creature


def test_measures_of_an_older_version_are_made_anew_and_those_of_this_one_are_not(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    creature("sitting", "meadow", (600, 700), seed=3).picture.save(tmp_path / "own" / "a.png")
    with Project.create(tmp_path / "p", "nick") as project:
        add_folder(project, tmp_path / "own")
        prune(project, PruneSettings())
        picture = project.pictures.originals()[0]
        kept = project.caches.measures(picture.sha256)
        assert kept is not None
        project.caches.keep_measures(picture.sha256, {"width": 1, "sharpness": 0.0})
        said: list[Progress] = []
        candidates, broken = measure_all(project, said.append)
        assert len(said) == 2 and not broken and candidates[0].measures.width == 600
        assert project.caches.measures(picture.sha256) == kept
        said.clear()
        measure_all(project, said.append)
        assert len(said) == 1
