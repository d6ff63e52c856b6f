"""Batch edits: what they change, that the preview says just that, that one undo takes an edit back, and what they never do."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from lorasmith.errors import RefusedError, UsageError
from lorasmith.project.pictures import Picture, Tag, facts_of
from lorasmith.project.project import Project
from lorasmith.settings.tables import TagSettings
from lorasmith.stages.tag.edit_tags import EditedTags, TagEdit, edit_tags
from lorasmith.stages.tag.index import count_tags
from lorasmith.stages.tag.stage import tag

TAGS = {
    "own_1": "fox red_fur smile open_mouth hat",
    "own_2": "fox red_fur Smile closed_mouth",
    "own_3": "fox red_fur closed_mouth forest",
    "own_4": "fox blue_fur forest Red_Fur red_fur",
}


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A project of four small pictures with tags of a sidecar and no tagger; own_4 has a crop that stands for it."""
    with Project.create(tmp_path / "p", "zorvex", chosen={"tag": {"tagger": "none", "absorb": False}}) as made:
        for place, (name, tags) in enumerate({**TAGS, "own_4.2": TAGS["own_4"]}.items()):
            file = made.images / f"{name}.png"
            Image.new("RGB", (64, 64), (place * 40, 90, 10)).save(file)
            crop = {"origin": "edit", "parent": "own_4", "operation": {"kind": "crop", "replaces_parent": True}}
            more = crop if "." in name else {"origin": "folder"}
            with made.transaction():
                made.pictures.add(Picture(name=name, **facts_of(made.folder, file, (64, 64)), **more))  # type: ignore[arg-type]
                made.pictures.set_tags(name, "sidecar", [Tag(word, "general", "sidecar") for word in tags.split()])
        yield made


def tags_of(project: Project) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {picture.name: set() for picture in project.pictures.all()}
    for name, word, _ in project.tag_rows.rows():
        found[name].add(word)
    return found


def changes(result: EditedTags) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    return {one.picture: (one.removed, one.added) for one in result.difference}


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (TagEdit("add", ("night sky",), "forest"), {"own_3": ((), ("night_sky",)), "own_4.2": ((), ("night_sky",))}),
        (TagEdit("add", ("smile",)), {"own_3": ((), ("smile",)), "own_4.2": ((), ("smile",))}),
        (TagEdit("remove", ("*_mouth",), "-forest"), {"own_1": (("open_mouth",), ()), "own_2": (("closed_mouth",), ())}),
        (TagEdit("replace", ("hat", "cap")), {"own_1": (("hat",), ("cap",))}),
        (TagEdit("replace", ("smile", "smile"), "own_1"), {}),
        (TagEdit("replace", ("smile", "smile")), {"own_2": (("Smile",), ("smile",))}),
        (TagEdit("replace", ("open_mouth", "*_fur", "hat"), "smile"),
         {"own_1": (("open_mouth", "red_fur"), ()), "own_2": (("red_fur",), ("hat",))}),
        (TagEdit("regex", (r"^(open|closed)_(mouth)$", r"\2_\1"), "hat"), {"own_1": (("open_mouth",), ("mouth_open",))}),
        (TagEdit("regex", ("forest", "")), {"own_3": (("forest",), ()), "own_4.2": (("forest",), ())}),
        (TagEdit("dedupe"), {"own_4.2": (("Red_Fur",), ())}),
        (TagEdit("remove", ("nothing_such",)), {}),
    ],
)  # fmt: skip
def test_an_edit_changes_what_it_says_and_the_preview_said_so(
    project: Project, edit: TagEdit, expected: dict[str, object]
) -> None:
    before = tags_of(project)
    told = edit_tags(project, edit, preview=True)
    assert tags_of(project) == before, "a preview changes nothing"
    done = edit_tags(project, edit)
    assert changes(told) == changes(done) == expected
    assert (told.added, told.removed, told.pictures, told.behind_them) == (done.added, done.removed, done.pictures, done.behind_them)
    after = tags_of(project)
    for name, (removed, added) in changes(done).items():
        assert after[name] == before[name] - set(removed) | set(added)
    if expected:
        project.undo()
        assert tags_of(project) == before
        project.redo()
        assert tags_of(project) == after
    else:
        assert project.journal.history() == []


def test_what_is_behind_a_crop_keeps_the_edit_too(project: Project) -> None:
    done = edit_tags(project, TagEdit("add", ("night",), "forest"))
    assert (done.pictures, done.behind_them) == (2, 1)
    assert "night" in tags_of(project)["own_4"]


def test_a_tag_that_was_taken_out_does_not_come_back_from_its_source(project: Project) -> None:
    edit_tags(project, TagEdit("remove", ("fox",)))
    project.pictures.set_tags("own_1", "sidecar", [Tag("fox", "species", "sidecar"), Tag("hat", "general", "sidecar")])
    assert tags_of(project)["own_1"] == {"hat"}
    edit_tags(project, TagEdit("add", ("fox",), "hat"))
    assert tags_of(project)["own_1"] == {"hat", "fox"}


def test_long_differences_are_cut_and_say_so(project: Project) -> None:
    done = edit_tags(project, TagEdit("add", ("night",)), preview=True, shown=1)
    assert len(done.difference) == 1 and done.not_listed == 3 and done.pictures == 4
    assert len(edit_tags(project, TagEdit("add", ("night",)), preview=True, shown=0).difference) == 4


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (TagEdit("ad", ("x",)), "did you mean 'add'"), (TagEdit("replace", ("x",)), "replace OLD … NEW"), (TagEdit("add"), "add TAG"),
        (TagEdit("add", ("a, b",)), "comma"), (TagEdit("regex", ("(", "x")), "cannot be read"),
        (TagEdit("regex", ("f", r"\3")), "cannot be read"),
        (TagEdit("sort", ("colour",)), "order 'colour'"), (TagEdit("rename", ("a", "b"), "fox"), "it is `replace`"),
        (TagEdit("add", ("x",), "fox AND"), "at its end"), (TagEdit("add", ("x",), "score(fox)>0.5"), "lorasmith tag"),
    ],
)  # fmt: skip
def test_a_wrong_edit_is_told_and_changes_nothing(project: Project, edit: TagEdit, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        edit_tags(project, edit)
    assert project.journal.history() == []


@pytest.mark.parametrize("words", [("add", "some cub"), ("regex", "fox", "loli"), ("replace", "fox", "toddler")])
def test_a_tag_that_marks_minors_is_refused(project: Project, words: tuple[str, ...]) -> None:
    with pytest.raises(RefusedError):
        edit_tags(project, TagEdit(words[0], words[1:]))
    assert project.journal.history() == []


def test_a_word_that_no_picture_has_is_told_with_the_nearest(project: Project) -> None:
    assert count_tags(project, "forrest").hints == ("No picture has 'forrest'; did you mean forest.",)


def captions(project: Project) -> dict[str, str]:
    tag(project, project.settings(TagSettings))
    return {caption.picture: caption.text for caption in project.pictures.captions("default").values()}


def test_tags_are_moved_in_the_captions_of_one_set_alone(project: Project) -> None:
    edit_tags(project, TagEdit("first", ("hat", "smile")))
    edit_tags(project, TagEdit("last", ("fox",)))
    assert captions(project)["own_1"] == "zorvex, hat, smile, red fur, open mouth, fox"
    assert project.caption_sets.placed("other") == {}
    edit_tags(project, TagEdit("sort", ("alphabet",)))
    assert captions(project)["own_1"] == "zorvex, fox, hat, open mouth, red fur, smile"
    edit_tags(project, TagEdit("sort"))
    assert captions(project)["own_1"] == "zorvex, fox, red fur, open mouth, smile, hat"
    project.undo()
    project.undo()
    assert captions(project)["own_1"] == "zorvex, fox, hat, open mouth, red fur, smile"


def test_a_person_s_word_ends_a_contradiction(project: Project) -> None:
    edit_tags(project, TagEdit("add", ("closed_mouth",), "hat"))
    assert "open mouth" not in captions(project)["own_1"] and "closed mouth" in captions(project)["own_1"]


def test_an_order_that_another_tool_wrote_is_kept(project: Project) -> None:
    captions(project)
    sidecar = next(project.dataset("default").rglob("own_1.txt"))
    sidecar.write_text("zorvex, hat, open mouth, smile, red fur, fox", encoding="utf-16")
    result = tag(project, project.settings(TagSettings))
    assert result.edited_elsewhere == ("own_1 (utf-16)",)
    assert sidecar.read_bytes() == b"zorvex, hat, open mouth, smile, red fur, fox"
    edit_tags(project, TagEdit("add", ("night",), "hat"))
    assert captions(project)["own_1"] == "zorvex, hat, open mouth, smile, red fur, fox, night"


def test_an_edit_of_named_pictures_leaves_all_others_and_reaches_the_original_behind_a_crop(project: Project) -> None:
    done = edit_tags(project, TagEdit("add", ("night",), "", pictures=("own_4.2",)))
    assert (done.pictures, done.behind_them) == (1, 1)
    assert {name for name, tags in tags_of(project).items() if "night" in tags} == {"own_4", "own_4.2"}
    assert project.journal.history()[-1].what == "tags add night on own_4.2"
    edit_tags(project, TagEdit("remove", ("fox",), "red_fur", pictures=("own_1", "own_2")))
    assert {name for name, tags in tags_of(project).items() if "fox" not in tags} == {"own_1", "own_2"}
    with pytest.raises(UsageError, match="'own_4' is not trained on"):
        edit_tags(project, TagEdit("add", ("night",), pictures=("own_4",)))


def test_a_pattern_that_takes_a_whole_tag_writes_its_words_once() -> None:
    import re

    from lorasmith.tags.batch import _times

    assert re.compile(".*").sub("abc", "smile", count=_times(re.compile(".*"), "smile")) == "abc"
    assert re.compile("l").sub("L", "all", count=_times(re.compile("l"), "all")) == "aLL"


@pytest.mark.parametrize(
    ("where", "changed"),
    [
        ("NOT is:crop", {"own_1", "own_2", "own_3"}), ("is:crop", {"own_4", "own_4.2"}),
        ("name:own_4.2", {"own_4", "own_4.2"}), ("tokens>0 forest is:crop", {"own_4", "own_4.2"}),
    ],
)  # fmt: skip
def test_a_filter_is_asked_of_what_is_trained_on_and_what_is_behind_follows(
    project: Project, where: str, changed: set[str]
) -> None:
    captions(project)
    edit_tags(project, TagEdit("add", ("night",), where))
    assert {name for name, tags in tags_of(project).items() if "night" in tags} == changed


def test_what_is_said_of_a_close_up_is_not_said_of_the_whole_picture(project: Project) -> None:
    file = project.images / "own_4.3.png"
    Image.new("RGB", (64, 64), (1, 2, 3)).save(file)
    head = {"kind": "head", "replaces_parent": False}
    project.pictures.add(
        Picture("own_4.3", origin="edit", parent="own_4", operation=head, **facts_of(project.folder, file, (64, 64)))
    )
    edit_tags(project, TagEdit("add", ("night",), "name:own_4.3"))
    assert {name for name, tags in tags_of(project).items() if "night" in tags} == {"own_4.3"}


def test_an_edit_of_a_crop_s_sidecar_reaches_the_original_behind_it(project: Project) -> None:
    captions(project)
    next(project.dataset("default").rglob("own_4.2.txt")).write_text("zorvex, fox, red fur, blue fur, rain", encoding="utf-8")
    assert "rain" in captions(project)["own_4.2"]
    assert "rain" in tags_of(project)["own_4"] and "forest" not in tags_of(project)["own_4"]
    assert "rain" not in tags_of(project)["own_3"]


def test_many_edited_sidecars_read_the_list_of_pictures_no_oftener_than_one(project: Project) -> None:
    tag(project, project.settings(TagSettings))
    asked: list[int] = []
    for names in (["own_1"], ["own_1", "own_2", "own_3", "own_4"]):
        read: list[str] = []
        for sidecar in project.dataset("default").rglob("own_*.txt"):
            if any(sidecar.stem.startswith(name) for name in names):
                sidecar.write_text(f"{sidecar.read_text(encoding='utf-8')}, hat of {len(names)}", encoding="utf-8")
        project._connection.set_trace_callback(lambda words, read=read: read.append(words))  # type: ignore[misc]
        told = tag(project, project.settings(TagSettings))
        project._connection.set_trace_callback(None)
        assert len(told.edited_elsewhere) == len(names)
        asked.append(sum("FROM pictures WHERE trashed = 0" in words for words in read))
    assert asked[0] == asked[1]


@pytest.mark.parametrize("left", [b"zorvex, fox\0\0\0\0", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR, x", b"zor\x01\x02, \x8d"])
def test_a_damaged_sidecar_is_nobody_s_word_and_its_bytes_are_kept(project: Project, left: bytes) -> None:
    before = captions(project)
    said = tags_of(project)
    sidecar = next(project.dataset("default").rglob("own_1.txt"))
    sidecar.write_bytes(left)
    result = tag(project, project.settings(TagSettings))
    assert len(result.edited_elsewhere) == 1 and result.edited_elsewhere[0].startswith("own_1 (damaged")
    assert sidecar.read_text(encoding="utf-8") == before["own_1"] and tags_of(project) == said
    assert [kept.read_bytes() for kept in (project.folder / "sidecars-before").glob("own_1.*.txt")] == [left]


def test_several_tags_that_another_tool_wrote_keep_their_order(project: Project) -> None:
    captions(project)
    sidecar = next(project.dataset("default").rglob("own_1.txt"))
    wanted = "zorvex, zebra mug, fox, red fur, old barn, apple"
    sidecar.write_text(wanted, encoding="utf-8")
    assert captions(project)["own_1"] == wanted
    assert captions(project)["own_1"] == wanted


def test_a_tag_that_only_another_one_hid_does_not_rise_when_that_is_taken_out(project: Project) -> None:
    words = ("fox", "portrait", "half-length_portrait", "hat")
    project.pictures.set_tags("own_1", "sidecar", [])
    project.pictures.set_tags("own_1", "booru", [Tag(word, "general", "booru") for word in words])
    before = captions(project)["own_1"].split(", ")
    assert "half-length portrait" in before and "portrait" not in before
    left = ", ".join(tag for tag in before if tag != "half-length portrait")
    sidecar = next(project.dataset("default").rglob("own_1.txt"))
    sidecar.write_text(left, encoding="utf-8")
    assert captions(project)["own_1"] == left
    assert captions(project)["own_1"] == left
