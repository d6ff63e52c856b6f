from pathlib import Path

import pytest
from PIL import Image

from lorasmith.progress import Progress
from lorasmith.project.project import Project
from lorasmith.settings.tables import PruneSettings
from lorasmith.stages.add.stage import add_folder
from lorasmith.stages.prune.stage import decide_by_hand, measure_all, prune
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


def _own_pictures(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        drawing = creature(("sitting", "standing", "lying")[number % 3], "meadow", (500 + 40 * number, 600), seed=number)
        drawing.picture.save(folder / f"{number}.png")
    return folder


def test_two_reasons_of_one_file_name_share_a_sheet(tmp_path: Path) -> None:
    with Project.create(tmp_path / "p", "nick") as project:
        add_folder(project, _own_pictures(tmp_path / "own", 3))
        one, two, _ = (picture.name for picture in project.pictures.originals())
        decide_by_hand(project, "drop", [one], "汚い")
        prune(project, PruneSettings())
        alone = Image.open(project.sheets / "dropped-other.png").size
        decide_by_hand(project, "drop", [two], "悪い")
        prune(project, PruneSettings())
        assert Image.open(project.sheets / "dropped-other.png").size[0] > alone[0]


def test_a_second_pass_changes_nothing_and_draws_nothing(tmp_path: Path) -> None:
    with Project.create(tmp_path / "p", "nick") as project:
        add_folder(project, _own_pictures(tmp_path / "own", 3))
        broken = project.pictures.originals()[1]
        project.file_of(broken).write_bytes(b"no picture")
        first = prune(project, PruneSettings())
        assert (first.kept, first.reasons) == (2, {"cannot be read": 1})
        drawn = {path: path.stat().st_mtime_ns for path in project.sheets.iterdir()}
        entries = project.journal.history()
        assert prune(project, PruneSettings()) == first
        assert {path: path.stat().st_mtime_ns for path in project.sheets.iterdir()} == drawn
        assert project.journal.history() == entries


def test_what_was_measured_before_a_stop_is_not_measured_again(tmp_path: Path) -> None:
    with Project.create(tmp_path / "p", "nick") as project:
        add_folder(project, _own_pictures(tmp_path / "own", 4))

        def stop(progress: Progress) -> None:
            if progress.done == 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            measure_all(project, stop)
        assert len(list(project.caches.measures_of_all())) == 2
        said: list[Progress] = []
        measure_all(project, said.append)
        assert [one.done for one in said] == [2, 3, 4]


@pytest.mark.parametrize("to", [1, 2, 50])
def test_a_smaller_set_than_asked_for_and_a_persons_keeps_beyond_it_stay(tmp_path: Path, to: int) -> None:
    with Project.create(tmp_path / "p", "nick") as project:
        assert prune(project, PruneSettings(to=to)).kept == 0
        add_folder(project, _own_pictures(tmp_path / "own", 3))
        names = [picture.name for picture in project.pictures.originals()]
        decide_by_hand(project, "keep", names[:2])
        for _ in range(2):
            assert prune(project, PruneSettings(to=to)).kept == (3 if to == 50 else 2)
        decide_by_hand(project, "drop", names)
        done = prune(project, PruneSettings(to=to))
        assert done.kept == 0 and not (project.sheets / "kept.png").exists()
