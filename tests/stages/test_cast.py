"""Several characters in one project: captions say who is on the picture, and each trigger absorbs its own looks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lorasmith.demo import several
from lorasmith.errors import RefusedError, UsageError
from lorasmith.project.pictures import PERSON, Tag
from lorasmith.project.project import Project
from lorasmith.settings.tables import TagSettings, TrainSettings
from lorasmith.stages.add.stage import add_folder
from lorasmith.stages.run import run_stage
from lorasmith.stages.tag.cast import remembered_cast
from lorasmith.stages.tag.picture_tags import picture_tags, surroundings_of
from lorasmith.stages.train.check import check
from lorasmith.stages.train.training_set import training_set
from tests.stages.several_project import make

FIRST, SECOND = several.LOOKS


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return several.write_folder(tmp_path_factory.mktemp("drawn"), several.scenes(6, 3, 2), 192)


@pytest.fixture
def project(tmp_path: Path, drawn: Path) -> Iterator[Project]:
    with make(tmp_path / "p", drawn) as made:
        yield made


def captions(project: Project) -> dict[str, list[str]]:
    return {name: one.text.split(", ") for name, one in project.pictures.captions("default").items()}


def test_captions_name_who_is_there_and_leave_its_looks_to_the_trigger(project: Project) -> None:
    told = run_stage(project, "tag")
    written = list(captions(project).values())
    heads = [tuple(tag for tag in tags if tag in several.LOOKS) for tags in written]
    assert sorted(heads) == sorted([(FIRST,)] * 6 + [(SECOND,)] * 3 + [(FIRST, SECOND)] * 2)
    assert all(tuple(tags[: len(head)]) == head for tags, head in zip(written, heads, strict=True)), "triggers stand first"
    looks = {tag.replace("_", " ") for own in several.OWN.values() for tag in own}
    assert not [tags for tags in written if looks & set(tags)]
    assert told.characters[0].startswith(f"{FIRST}: 8 pictures, 6 alone; it stands for")
    found = {one.trigger: set(one.core) for one in remembered_cast(project)}
    assert set(several.OWN[SECOND]) <= found[SECOND] and not set(several.OWN[FIRST]) & found[SECOND]
    assert {"purple_fur", "yellow_fur"} <= set(told.core_tags)


def test_a_strangers_looks_stay_in_words(project: Project, drawn: Path) -> None:
    run_stage(project, "tag", flags={"characters": [FIRST]})
    beside = [tags for tags in captions(project).values() if "duo" in tags]
    assert len(beside) == 2 and all({"yellow fur", "long ears"} <= set(tags) and "purple fur" not in tags for tags in beside)
    alone = [tags for tags in captions(project).values() if "yellow fur" in tags and "duo" not in tags]
    assert len(alone) == 3 and not [tags for tags in alone if FIRST in tags], "who is not there is not called"


def test_a_persons_word_about_a_trigger_wins_over_the_filter(project: Project) -> None:
    run_stage(project, "tag")
    both = next(name for name, tags in captions(project).items() if {FIRST, SECOND} <= set(tags))
    own = next(name for name, tags in captions(project).items() if tags[0] == FIRST and SECOND not in tags)
    with project.change("tags", "by hand"):
        project.pictures.set_tags(both, PERSON, [Tag(SECOND, "general", PERSON, 0.0)])
        project.pictures.set_tags(own, PERSON, [Tag(SECOND, "general", PERSON, 1.0)])
    run_stage(project, "tag")
    assert SECOND not in captions(project)[both] and captions(project)[own][:2] == [FIRST, SECOND]


def test_looks_put_under_the_trigger_by_hand_are_each_ones_own(project: Project) -> None:
    from lorasmith.stages.tag.consolidate import consolidate

    run_stage(project, "tag")
    before = captions(project)
    found = consolidate(project)
    assert {tag for own in several.OWN.values() for tag in own} <= {row.tag for row in found.core}
    run_stage(project, "tag")
    cast = {one.trigger: set(one.core) for one in remembered_cast(project)}
    assert set(several.OWN[FIRST]) <= cast[FIRST] and not set(several.OWN[SECOND]) & cast[FIRST]
    assert captions(project) == before


def test_a_render_that_came_back_shows_whom_its_prompt_asked_for(project: Project) -> None:
    name = next(picture.name for picture in project.pictures.trained() if SECOND in project.pictures.said(picture.name))
    project.pictures.set_tags(name, "sidecar", [])
    project.pictures.set_tags(name, "prompt", [Tag(FIRST, "general", "prompt")])
    run_stage(project, "tag", flags={"characters": [f"{FIRST} where folder:nowhere", SECOND]})
    assert captions(project)[name][0] == FIRST


def test_what_the_page_tells_of_a_picture_is_what_tag_wrote(project: Project) -> None:
    from lorasmith.stages.tag.index import open_index

    run_stage(project, "tag")
    index, pictures = open_index(project), project.pictures.trained()
    around = surroundings_of(project, len(pictures))
    for picture in pictures:
        told = picture_tags(project, picture, index, around)
        assert told.captions[0].now == told.captions[0].written
        states = {chip.tag: chip.state for chip in told.chips}
        assert all(states[name] == "core" for name in several.LOOKS if name in states)


def test_a_sidecar_of_another_tool_keeps_its_order_and_its_triggers(project: Project) -> None:
    run_stage(project, "tag")
    name = next(name for name, tags in captions(project).items() if {FIRST, SECOND} <= set(tags))
    sidecar = next(project.dataset("default").rglob(f"{name}.txt"))
    tags = sidecar.read_text(encoding="utf-8").split(", ")
    turned = [*tags[:2], *reversed(tags[2:]), "monocle"]
    sidecar.write_text(", ".join(turned), encoding="utf-8")
    assert run_stage(project, "tag").edited_elsewhere
    assert captions(project)[name] == turned


def test_training_sees_both_equally_often_and_keeps_both_triggers_in_front(project: Project) -> None:
    run_stage(project, "tag")
    with_balance = training_set(project, TrainSettings(repeats=6))
    without = training_set(project, TrainSettings(repeats=6, balance=False))
    assert with_balance.notes[0] == f"Characters: {FIRST} 8 pictures, 48% of the draws; {SECOND} 5 pictures, 52% of the draws."
    assert f"{FIRST} 8 pictures, 62% of the draws" in without.notes[0] and f"{FIRST} is seen 1.6 times as often" in without.notes[1]
    both = [one.caption for one in with_balance.pictures if one.caption.startswith(f"{FIRST}, {SECOND}")]
    assert len(both) == 2 and all(caption.startswith(f"{FIRST}, {SECOND} ||| ") for caption in both)
    by_hand = TrainSettings(repeats=6, subsets=[f"first weight=1 where {FIRST} AND NOT {SECOND}", "rest weight=1"])
    assert any(note.startswith("Subset first") for note in training_set(project, by_hand).notes)


def test_a_folder_of_each_is_enough(tmp_path: Path, drawn: Path) -> None:
    with make(tmp_path / "p", drawn) as project:
        for name, place in (("Mia", 0), ("tom", 7)):
            (tmp_path / name / "best").mkdir(parents=True)
            picture = Image.open(drawn / f"{place:03d}.png").transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            picture.save(tmp_path / name / "best" / "1.png")
            add_folder(project, tmp_path / name)
        run_stage(project, "tag", flags={"characters": ["mia where folder:mia", "tom where folder:tom | quillam"]})
        heads = [tags[0] for tags in captions(project).values() if tags[0] in ("mia", "tom")]
        assert sorted(heads) == ["mia", *["tom"] * 6]


def test_check_tells_of_a_filter_that_nothing_fits(project: Project) -> None:
    run_stage(project, "tag", flags={"characters": [FIRST, "carol where character:carol"]})
    assert any("No picture shows carol" in line for line in check(project).warnings)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["alice where "], "write 'trigger where FILTER'"),
        (["a, b where c"], "write 'trigger where FILTER'"),
        (["alice", "Alice where bob"], "a trigger twice"),
    ],
)
def test_lines_that_cannot_be_meant_are_a_sentence(lines: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        TagSettings.build({"characters": lines}, "tag")


def test_a_filter_that_cannot_be_read_is_a_sentence(project: Project) -> None:
    with pytest.raises(UsageError, match="AND|filter|end"):
        run_stage(project, "tag", flags={"characters": [f"{FIRST} where ({SECOND}"]})


def test_a_trigger_that_marks_minors_is_refused() -> None:
    with pytest.raises(RefusedError):
        TagSettings(characters=["alice", "loli where bob"])


def test_notes_and_spaces_in_a_trigger_are_understood() -> None:
    settings: Any = TagSettings(characters=["# a note", "", "bob  the great where bob OR robert", "alice"])
    assert settings.cast == {"bob the great": "bob OR robert", "alice": '"alice"'}
