"""What is trained on: subsets by filter and folder, over a project that has been through all stages."""

from pathlib import Path

import pytest
from PIL import Image

from lorasmith.errors import UsageError
from lorasmith.project.project import Project
from lorasmith.settings.tables import TrainSettings
from lorasmith.stages.run import run_stage
from lorasmith.stages.train.check import check
from lorasmith.stages.train.training_set import read_folder, training_set


def test_without_subsets_every_captioned_picture_has_the_usual_repeats(walked: Project) -> None:
    settings = walked.settings(TrainSettings)
    chosen = training_set(walked, settings)
    assert chosen.notes == () and chosen.pictures
    assert {each.repeats for each in chosen.pictures} == {settings.repeats}


def test_two_subsets_of_equal_weight_are_seen_about_equally_often(walked: Project) -> None:
    few = training_set(walked, TrainSettings(repeats=20)).pictures[0].name
    settings = TrainSettings(repeats=20, subsets=[f"few weight=1 where name:{few}", "many weight=1"])
    chosen = training_set(walked, settings)
    own = sum(each.repeats for each in chosen.pictures if each.name == few)
    assert own / sum(each.repeats for each in chosen.pictures) == pytest.approx(0.5, abs=0.1)
    assert chosen.notes[0] == f"Subset few: 1 pictures, {own / sum(e.repeats for e in chosen.pictures):.0%} of the draws."
    assert next(each.folder for each in chosen.pictures if each.name == few) == f"{own}_few"


def test_a_filter_that_nothing_fits_is_told(walked: Project) -> None:
    chosen = training_set(walked, TrainSettings(subsets=["none weight=1 where no_such_tag", "rest weight=1"]))
    assert "Subset none: no picture fits 'where no_such_tag'." in chosen.notes


def test_a_plain_folder_joins_with_its_captions_and_kohyas_folders_bring_their_repeats(tmp_path: Path) -> None:
    for place, caption in (("a.png", "mia, sitting\r\n"), ("7_red_fox/b.png", None), ("sub/a.png", "")):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        Image.new("RGB", (64, 64)).save(tmp_path / place)
        if caption is not None:
            (tmp_path / place).with_suffix(".txt").write_bytes(b"\xef\xbb\xbf" + caption.encode())
    rows = {each.path.relative_to(tmp_path).as_posix(): each for each in read_folder("old", tmp_path, 5)}
    assert {place: (row.repeats, row.caption) for place, row in rows.items()} == {
        "a.png": (5, "mia, sitting"), "7_red_fox/b.png": (7, "red fox"), "sub/a.png": (5, ""),
    }  # fmt: skip
    assert len({row.name for row in rows.values()}) == 3


def test_what_marks_minors_is_passed_over_in_a_folder_too(tmp_path: Path) -> None:
    for name, caption in (("a", "mia, loli"), ("b", "mia")):
        Image.new("RGB", (64, 64)).save(tmp_path / f"{name}.png")
        (tmp_path / f"{name}.txt").write_text(caption, encoding="utf-8")
    assert [each.path.stem for each in read_folder("old", tmp_path, 5)] == ["b"]


def test_a_folder_that_is_not_there_or_empty_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="which is not there"):
        read_folder("old", tmp_path / "nowhere", 5)
    with pytest.raises(UsageError, match="holds no pictures"):
        read_folder("old", tmp_path, 5)


def test_a_kept_picture_that_vanished_is_told_with_the_way_out(walked: Project) -> None:
    untouched = next(one for one in walked.pictures.trained() if one.parent is None)
    edited = next(one for one in walked.pictures.trained() if one.parent is not None)
    for picture, way in ((untouched, "prune"), (edited, "prepare")):
        walked.file_of(picture).unlink()
        for _ in range(2):
            (told,) = check(walked, walked.settings(TrainSettings)).errors
            assert picture.name in told and f"run `lorasmith {way}`" in told
            run_stage(walked, "tag")
        for stage in ("prune", "prepare", "tag"):
            run_stage(walked, stage)
        assert not check(walked, walked.settings(TrainSettings)).errors


def test_a_set_of_which_all_is_dropped_is_not_told_to_download(walked: Project) -> None:
    run_stage(walked, "prune", flags={"min_side": 5000}, keep=False)
    (told,) = check(walked, walked.settings(TrainSettings)).errors
    assert "dropped. `lorasmith prune DIR --list` says why" in told
