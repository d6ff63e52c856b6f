"""Pictures that must not hurt, from `add` through prune, prepare, touch-up and tag: each is named with its reason."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageCms

from lorasmith.project.pictures import Picture
from lorasmith.project.project import Project
from lorasmith.settings.tables import PrepareSettings, PruneSettings, TagSettings
from lorasmith.stages.add.stage import add_folder
from lorasmith.stages.prepare.stage import prepare
from lorasmith.stages.prune.stage import decide_by_hand, listing, prune
from lorasmith.stages.tag.stage import tag
from lorasmith.stages.touch_up.stage import touch_up
from lorasmith.stages.touch_up.wishes import Wish
from tests.imaging.drawing import creature
from tests.imaging.test_read_odd import BLUE, PICTURE, RED, REFUSED
from tests.taggers.conftest import write_colour_tagger

WISHES = (
    ("flatten grey", "trim", "erase text,signature,bubble", "background blur", "recolour #c03030 #2050ff", "faceless"),
    ("recolour eyes #2050ff", "faceless cover", "head-out", "split figures"), ("split panels",),
)  # fmt: skip
unix_names = pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")


def fill(folder: Path) -> dict[str, str]:
    """Writes every odd picture into a folder; gives those that can be read, each with the reason for which prune drops it."""
    for name, content in REFUSED.items():
        (folder / name).write_bytes(content)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    frames = [(RED.resize((300 + side, 300)), BLUE.resize((300 + side, 300))) for side in range(3)]
    good = {
        "good.png": (PICTURE, {}), "one pixel.png": (PICTURE.resize((1, 1)), {}), "wide.png": (PICTURE.resize((8000, 300)), {}),
        "large.jpg": (PICTURE.resize((8000, 2800)), {}), "cmyk.jpg": (PICTURE.convert("CMYK"), {"icc_profile": profile}),
        "16 bit.png": (PICTURE.convert("I;16"), {}),
        **{f"moving.{kind}": (frames[place][0], {"save_all": True, "append_images": [frames[place][1]]})
           for place, kind in enumerate(("webp", "gif", "png"))},
        "palette.png": (PICTURE.resize((320, 400)).convert("P"), {"transparency": 0}),
    }  # fmt: skip
    for name, (picture, options) in good.items():
        picture.save(folder / name, **options)
    PICTURE.resize((310, 390)).save(folder / "a jpeg.png", "JPEG")
    odd = {"two\nlines good.png", os.fsdecode(b"no text \xff.png")}
    for place, name in enumerate(sorted(odd)):
        PICTURE.resize((312 + 9 * place, 392)).save(folder / name)
    dropped = {"one pixel.png": "too small", "wide.png": "too long and narrow"}
    dropped |= dict.fromkeys((f"moving.{kind}" for kind in ("webp", "gif", "png")), "nearly blank")
    return {name: dropped.get(name, "") for name in (*good, "a jpeg.png", *odd)}


def opened(project: Project, picture: Picture) -> Image.Image:
    with Image.open(project.file_of(picture)) as image:
        image.load()
        return image


@unix_names
@pytest.mark.slow
def test_odd_pictures_are_named_with_the_reason_and_none_stops_a_run(tmp_path: Path) -> None:
    own, outside = tmp_path / "own", tmp_path / "outside"
    own.mkdir()
    outside.mkdir()
    good = fill(own)
    (outside / "secret.txt").write_text("not a picture", encoding="utf-8")
    PICTURE.resize((400, 500)).save(outside / "behind a folder.png")
    (own / "link out.png").symlink_to(outside / "secret.txt")
    (own / "link to nowhere.png").symlink_to(outside / "nothing.png")
    (own / "link to a folder").symlink_to(outside)
    with Project.create(tmp_path / "p", "nick") as project:
        added = add_folder(project, own)
        assert added.added == len(good) and len(added.failed) == len(REFUSED) + 1
        for name in (*REFUSED, "link out.png"):
            assert any(name in sentence for sentence in added.failed), name
        originals = {str(one.post["file_name"]): one for one in project.pictures.originals()}
        assert originals.keys() == good.keys() and not any(path.is_symlink() for path in project.images.iterdir())
        prune(project, PruneSettings(min_side=64, near_duplicate_bits=0))
        reasons = {line.name: line.reason for line in listing(project)}
        for name, reason in good.items():
            assert not reason or reasons[originals[name].name] == reason, name
        decide_by_hand(project, "keep", [one.name for one in originals.values()])
        assert prepare(project, PrepareSettings()).failed == ()
        for steps in WISHES:
            done = touch_up(project, Wish(steps))
            assert done.failed == () and done.looked_at == len(good), steps
        assert prepare(project, PrepareSettings(head_share=1.0)).failed == ()
        for settings in (TagSettings(tagger="none"), TagSettings(tagger=str(write_colour_tagger(tmp_path / "colours")))):
            tagged = tag(project, settings)
            assert tagged.skipped == {} and tagged.pictures == len(project.pictures.trained())
        for one in project.pictures.trained():
            assert max(opened(project, one).size) <= PrepareSettings().max_side


@pytest.fixture
def spoilt(tmp_path: Path) -> Iterator[Project]:
    """A project whose files were spoilt after prune had measured them, one in each way, but for the last."""
    (tmp_path / "own").mkdir()
    for number in range(len(REFUSED) + 3):
        picture = creature("sitting", "meadow", (300, 380 + number), seed=number % 4).picture
        picture.convert("RGB").save(tmp_path / "own" / f"{number}.png")
    with Project.create(tmp_path / "p", "nick") as project:
        add_folder(project, tmp_path / "own")
        if prune(project, PruneSettings()).dropped:
            project.undo()  # all are kept, and what was measured is known
        (tmp_path / "secret.txt").write_text("not a picture", encoding="utf-8")
        *some, gone, linked, _ = (project.file_of(one) for one in project.pictures.originals())
        for file, content in zip(some, REFUSED.values(), strict=True):
            file.write_bytes(content)
        gone.unlink()
        linked.unlink()
        linked.symlink_to(tmp_path / "secret.txt")
        yield project


def names(project: Project) -> list[str]:
    return [one.name for one in project.pictures.originals()][:-1]


@unix_names
def test_pictures_that_were_spoilt_later_are_dropped_by_prune_with_the_reason(spoilt: Project) -> None:
    pruned = prune(spoilt, PruneSettings())
    assert pruned.reasons == {"cannot be read": len(names(spoilt))} and pruned.kept == 1
    told = {line.name: str(line.detail["error"]) for line in listing(spoilt) if line.verdict == "drop"}
    assert sorted(told) == names(spoilt) and all(name in sentence for name, sentence in told.items())
    assert prepare(spoilt, PrepareSettings()).failed == ()


@unix_names
@pytest.mark.parametrize("settings", [PrepareSettings(), PrepareSettings(crop=False, head_crops=False, max_side=64)])
def test_pictures_that_were_spoilt_later_are_named_by_prepare_and_touch_up(spoilt: Project, settings: PrepareSettings) -> None:
    for failed in (prepare(spoilt, settings).failed, touch_up(spoilt, Wish(("trim",))).failed):
        assert len(failed) == len(names(spoilt))
        assert all(any(name in sentence for sentence in failed) for name in names(spoilt))
    assert {one.parent or one.name for one in spoilt.pictures.trained()} == {one.name for one in spoilt.pictures.originals()}


@unix_names
@pytest.mark.parametrize("known", [True, False])
def test_pictures_that_were_spoilt_later_are_named_by_tag_and_left_out(spoilt: Project, tmp_path: Path, known: bool) -> None:
    tagged = tag(spoilt, TagSettings(tagger=str(write_colour_tagger(tmp_path / "colours")) if known else "none"))
    assert sorted(tagged.skipped) == names(spoilt) and tagged.pictures == 1
    assert all(name in sentence for name, sentence in tagged.skipped.items())
    assert len(list(spoilt.dataset("default").rglob("*.txt"))) == len(list(spoilt.dataset("default").rglob("*.png"))) == 1
