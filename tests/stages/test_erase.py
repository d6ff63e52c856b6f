"""Tests of erase, and of prepare after it: only the mask changes, nothing is lost, undo brings everything back."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lorasmith.errors import PictureError, RefusedError, UsageError
from lorasmith.files import sha256_of
from lorasmith.imaging.erase import classical, open_mask, parts_of
from lorasmith.project.pictures import PERSON, REFUSED, Decision, Tag
from lorasmith.project.project import Project
from lorasmith.settings.tables import PrepareSettings
from lorasmith.stages.prepare.stage import prepare
from lorasmith.stages.touch_up.erase import erase, size_of_part
from tests.stages.brush import MARK, SIZE, Painter, add_picture, difference, mask_file

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A project with one picture."""
    with Project.create(tmp_path / "zorvex", "zorvex", preset="quick") as opened:
        with opened.change("add", "add"):
            add_picture(opened)
        yield opened


def trained(project: Project) -> list[str]:
    return [picture.name for picture in project.pictures.trained()]


def prepared(project: Project) -> list[str]:
    prepare(project, project.settings(PrepareSettings))
    return trained(project)


@pytest.mark.parametrize("painter", [None, Painter()])
def test_only_the_mask_changes_and_the_original_stays(
    project: Project, tmp_path: Path, painter: Painter | None
) -> None:
    original = project.pictures.get("own_1")
    erased = erase(project, "own_1", mask_file(tmp_path), renderer=painter)
    assert (erased.name, erased.parent, erased.file) == ("own_1.2", "own_1", "edits/own_1.2.png")
    differs = difference(project, original, project.pictures.get("own_1.2"))
    outside = np.ones_like(differs, dtype=bool)
    outside[MARK[1] : MARK[3], MARK[0] : MARK[2]] = False
    assert differs[outside].max() == 0
    assert 100 < erased.changed_pixels == int((differs > 0).sum()) <= 70 * 50
    assert sha256_of(project.file_of(original)) == original.sha256


def test_the_erased_version_stands_for_the_picture_with_its_tags(project: Project, tmp_path: Path) -> None:
    project.pictures.set_tags("own_1", "tagger:wd", [Tag("text", "general", "tagger:wd", 0.9)])
    erase(project, "own_1", mask_file(tmp_path))
    assert trained(project) == ["own_1.2"]
    # the tagger will look at the new file itself
    assert {tag.tag for tag in project.pictures.tags("own_1.2")} == {"solo", "watermark"}


def test_undo_brings_the_old_state_back_and_redo_the_new_one(project: Project, tmp_path: Path) -> None:
    before = prepared(project)
    erase(project, "own_1", mask_file(tmp_path))
    after = prepared(project)
    assert before != after
    project.undo()
    project.undo()
    assert prepared(project) == before
    assert all(project.file_of(picture).is_file() for picture in project.pictures.trained())


def test_redo_after_undo_stands_for_the_picture_again(project: Project, tmp_path: Path) -> None:
    erase(project, "own_1", mask_file(tmp_path))
    assert project.undo().what == "erase in own_1"
    assert trained(project) == ["own_1"]
    project.redo()
    assert trained(project) == ["own_1.2"]


def test_a_second_erasing_goes_on_from_the_first(project: Project, tmp_path: Path) -> None:
    erase(project, "own_1", mask_file(tmp_path))
    second = erase(project, "own_1", mask_file(tmp_path, (0, 0, 40, 40)), renderer=Painter())
    assert second.parent == "own_1.2" and trained(project) == ["own_1.3"]
    differs = difference(project, project.pictures.get("own_1"), project.pictures.get("own_1.3"))
    assert differs[20, 20] > 0 and differs[MARK[1] : MARK[3], MARK[0] : MARK[2]].max() > 0


def test_prepare_crops_the_erased_version_and_the_older_crops_go_to_the_trash(project: Project, tmp_path: Path) -> None:
    first = prepared(project)
    assert first and "own_1" not in first
    figure = (290, 300, 350, 360)
    erased = erase(project, "own_1", mask_file(tmp_path, figure), renderer=Painter())
    assert trained(project) == [erased.name]  # until prepare is run, the whole picture; never what was there before
    again = prepared(project)
    assert again and not set(again) & {*first, erased.name}
    assert {project.pictures.get(name).parent for name in again if name != erased.name} == {erased.name}
    assert all(project.pictures.get(name).trashed for name in first)
    crop = next(project.pictures.get(name) for name in again if project.pictures.get(name).kind == "crop")
    pixels = np.asarray(Image.open(project.file_of(crop)).convert("RGB")).reshape(-1, 3)
    assert (pixels == (0, 200, 0)).all(axis=1).any()
    assert prepared(project) == again
    assert prepare(project, project.settings(PrepareSettings)).made_now == 0


def test_a_mask_over_a_crop_is_laid_over_the_picture_it_was_cut_from(project: Project, tmp_path: Path) -> None:
    prepare(project, project.settings(PrepareSettings, {"max_side": 200}))
    crop = next(picture for picture in project.pictures.trained() if picture.kind == "crop")
    assert max(crop.width, crop.height) == 200
    left, top, right, bottom = (crop.operation or {})["box"]
    scale = (right - left) / crop.width
    box = (20, 30, 60, 50)
    erased = erase(project, crop.name, mask_file(tmp_path, box, (crop.width, crop.height)), renderer=Painter())
    assert erased.parent == "own_1"
    differs = difference(project, project.pictures.get("own_1"), project.pictures.get(erased.name)) > 0
    rows, columns = np.nonzero(differs)
    found = (columns.min(), rows.min(), columns.max(), rows.max())
    wanted = (left + 20 * scale, top + 30 * scale, left + 60 * scale, top + 50 * scale)
    assert all(abs(one - other) <= 6 for one, other in zip(found, wanted, strict=True))


def test_what_a_person_said_of_a_crop_goes_over_to_the_crop_that_is_made_anew(project: Project, tmp_path: Path) -> None:
    crop = prepared(project)[0]
    with project.change("tag", "by hand"):
        project.pictures.set_tags(crop, PERSON, [Tag("monocle", "general", PERSON)])
    erase(project, "own_1", mask_file(tmp_path))
    again = prepared(project)
    new = next(name for name in again if project.pictures.get(name).kind == project.pictures.get(crop).kind)
    assert Tag("monocle", "general", PERSON) in project.pictures.tags(new)


def test_a_dropped_erased_version_gives_its_place_back(project: Project, tmp_path: Path) -> None:
    before = prepared(project)
    erased = erase(project, "own_1", mask_file(tmp_path))
    with project.change("drop", "drop"):
        project.pictures.decide(erased.name, Decision("drop", PERSON, "worse"), maker=PERSON)
    assert trained(project) == before
    assert project.pictures.newest_version("own_1").name == "own_1"


def test_a_kill_in_the_middle_loses_nothing(project: Project, tmp_path: Path) -> None:
    before = prepared(project)
    mask = mask_file(tmp_path)
    project.close()
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom lorasmith.project.project import Project\n"
        "from lorasmith.project.pictures import Pictures\nfrom lorasmith.stages.touch_up.erase import erase\n"
        "from lorasmith.stages.prepare.stage import prepare\nfrom lorasmith.settings.tables import PrepareSettings\n"
        "def killed(*_, **__): os._exit(9)\n"
        "when, folder, mask = sys.argv[1:]\n"
        "project = Project.open(Path(folder))\n"
        "if when == 'erase': Pictures.set_tags = killed\n"
        "erase(project, 'own_1', Path(mask))\n"
        "Pictures.trash = killed\n"
        "prepare(project, project.settings(PrepareSettings))\n"
    )
    for when in ("erase", "prepare"):
        words = [sys.executable, "-c", code, when, str(project.folder), str(mask)]
        assert subprocess.run(words, cwd=REPOSITORY, check=False).returncode == 9
        with Project.open(project.folder) as opened:
            if when == "erase":
                assert prepared(opened) == before
            else:
                assert trained(opened) == [opened.pictures.newest_version("own_1").name]
                after = prepared(opened)
                assert after and all(opened.file_of(picture).is_file() for picture in opened.pictures.trained())
                assert {opened.pictures.get(name).parent for name in after} <= {
                    opened.pictures.newest_version("own_1").name
                }


def test_parts_far_from_each_other_are_drawn_each_at_full_size(project: Project, tmp_path: Path) -> None:
    mask = Image.new("L", SIZE)
    for box in ((0, 0, 40, 40), (560, 420, 630, 470), (300, 0, 420, 20)):
        mask.paste(255, box)
    mask.save(tmp_path / "three.png")
    painter = Painter()
    erase(project, "own_1", tmp_path / "three.png", renderer=painter, prompt="a wall", padding=32, side=512, steps=9)
    assert sorted(box for _, box in painter.asked if box) == [(0, 0, 40, 40), (300, 0, 420, 20), (560, 420, 630, 470)]
    prompts = [prompt for prompt, _ in painter.asked]
    assert all((prompt.text, prompt.steps) == ("a wall", 9) for prompt in prompts)
    assert all(prompt.width % 64 == prompt.height % 64 == 0 for prompt in prompts)
    assert all(0.7 < prompt.width * prompt.height / 512**2 < 1.4 for prompt in prompts)


def test_parts_of_a_mask_hold_just_the_mask_and_are_few() -> None:
    rng = np.random.default_rng(3)
    pixels = np.where(rng.random((200, 300)) > 0.995, 255, 0).astype(np.uint8)
    parts = parts_of(Image.fromarray(pixels), 1)
    assert 1 <= len(parts) <= 8
    assert np.array_equal(sum(np.asarray(part).astype(int) for part in parts), pixels.astype(int))
    assert parts_of(Image.new("L", (9, 9)), 4) == []


@pytest.mark.parametrize(("box", "side"), [((0, 0, 900, 20), 512), ((0, 0, 3, 3), 64), ((0, 0, 20, 900), 1024)])
def test_a_part_is_drawn_at_a_size_that_models_draw_well(box: tuple[int, int, int, int], side: int) -> None:
    width, height = size_of_part(box, 32, side)
    assert width % 8 == height % 8 == 0 and min(width, height) >= 64
    assert 0.45 <= width / height <= 2.2 and 0.7 < width * height / side**2 < 1.5


def test_the_classical_way_takes_a_mark_off_a_plain_wall() -> None:
    wall = Image.new("RGB", (120, 90), (180, 190, 200))
    marked = wall.copy()
    marked.paste((255, 0, 0), (50, 40, 70, 50))
    mask = Image.new("L", wall.size)
    mask.paste(255, (48, 38, 72, 52))
    assert np.abs(np.asarray(classical(marked, mask)).astype(int) - np.asarray(wall)).max() <= 4


def test_masks_that_cannot_be_used_are_told(project: Project, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is blank; paint white"):
        erase(project, "own_1", mask_file(tmp_path, (0, 0, 0, 0)))
    with pytest.raises(UsageError, match="both must have one size"):
        erase(project, "own_1", mask_file(tmp_path, size=(64, 64)))
    (tmp_path / "no.png").write_bytes(b"hello")
    with pytest.raises(PictureError, match="not a PNG"):
        erase(project, "own_1", tmp_path / "no.png")
    assert trained(project) == ["own_1"]


def test_a_transparent_mask_counts_as_black(tmp_path: Path) -> None:
    mask = Image.new("RGBA", (40, 30), (255, 255, 255, 0))
    mask.paste((255, 255, 255, 255), (5, 5, 10, 10))
    mask.save(tmp_path / "m.png")
    assert open_mask(tmp_path / "m.png", (40, 30)).getbbox() == (5, 5, 10, 10)


def test_prompts_that_mark_minors_and_refused_pictures_are_refused(project: Project, tmp_path: Path) -> None:
    for words in ({"prompt": "a cub"}, {"negative": "(child:-1)"}):
        with pytest.raises(RefusedError):
            erase(project, "own_1", mask_file(tmp_path), **words)  # type: ignore[arg-type]
    project.pictures.decide("own_1", Decision("drop", REFUSED, "refused"), maker=REFUSED)
    with pytest.raises(RefusedError, match="not worked on"):
        erase(project, "own_1", mask_file(tmp_path))


def test_a_picture_in_the_trash_is_told(project: Project, tmp_path: Path) -> None:
    project.pictures.trash("own_1")
    with pytest.raises(UsageError, match="in the trash"):
        erase(project, "own_1", mask_file(tmp_path))
