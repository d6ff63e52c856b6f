"""dataset/: written from the record, and what others change in it is noticed and never lost."""

import string
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lorasmith.errors import RefusedError, UsageError
from lorasmith.project.pictures import Picture
from lorasmith.project.project import Project
from lorasmith.project.sidecars import OutsideEdit, folder_word, outside_edits, write_dataset

Make = Callable[..., Picture]
CAPTIONS = {"own_1": "zorvex, solo, forest", "own_2": "zorvex, sitting"}


@pytest.fixture
def filled(project: Project, picture: Make) -> Project:
    """A project with three pictures of four bytes."""
    with project.change("add", "add"):
        for name in ("own_1", "own_2", "own_3"):
            project.pictures.add(picture(name))
            (project.images / f"{name}.png").write_bytes(name.encode()[-4:])
    return project


def place(project: Project, repeats: int = 3) -> Path:
    return project.dataset("default") / f"{repeats}_zorvex"


def write(project: Project, captions: dict[str, str] = CAPTIONS, repeats: int = 3) -> None:
    with project.change("tag", "tag"), project.transaction():
        write_dataset(project, "default", captions, repeats)


def files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_pictures_and_captions_lie_side_by_side(filled: Project) -> None:
    write(filled)
    assert files(place(filled)) == ["own_1.png", "own_1.txt", "own_2.png", "own_2.txt"]
    assert (place(filled) / "own_1.txt").read_bytes() == b"zorvex, solo, forest"
    assert (place(filled) / "own_1.png").read_bytes() == b"wn_1"
    assert outside_edits(filled, "default", CAPTIONS) == {}


def test_writing_again_touches_nothing(filled: Project) -> None:
    write(filled)
    before = {name: (place(filled) / name).stat().st_mtime_ns for name in files(place(filled))}
    write(filled)
    assert {name: (place(filled) / name).stat().st_mtime_ns for name in files(place(filled))} == before
    assert len(filled.journal.history()) == 2, "the second writing changed nothing of the record"


def test_what_the_record_no_longer_has_goes_and_a_person_s_own_files_stay(filled: Project) -> None:
    write(filled)
    for mine in ("notes.txt", "own_1.npz"):
        (place(filled) / mine).write_text("mine")
    (place(filled) / "own_2").mkdir()
    write(filled, {"own_1": CAPTIONS["own_1"]})
    assert files(place(filled)) == ["notes.txt", "own_1.npz", "own_1.png", "own_1.txt", "own_2"]


def test_other_repeats_are_another_folder_and_the_old_one_goes(filled: Project) -> None:
    write(filled)
    write(filled, repeats=5)
    assert files(filled.dataset("default")) == ["5_zorvex"]


def test_a_caption_that_marks_minors_is_refused(filled: Project) -> None:
    with pytest.raises(RefusedError, match="caption of own_1"):
        write(filled, {"own_1": "zorvex, (cub:1.1)"})
    assert filled.pictures.captions("default") == {}


def test_an_edit_from_outside_is_told_by_what_it_added_and_removed(filled: Project) -> None:
    write(filled)
    (place(filled) / "own_1.txt").write_text("zorvex, forest,  night ,", encoding="utf-8")
    assert outside_edits(filled, "default", CAPTIONS) == {"own_1": OutsideEdit(("night",), ("solo",))}


@pytest.mark.parametrize("change", ["{}\n", "\ufeff{}", "\ufeff{}\r\n", "  {} "])
def test_marks_and_line_ends_that_editors_leave_are_no_edit(filled: Project, change: str) -> None:
    write(filled)
    (place(filled) / "own_1.txt").write_bytes(change.format(CAPTIONS["own_1"]).encode("utf-8"))
    assert outside_edits(filled, "default", CAPTIONS) == {}


@pytest.mark.parametrize("left", [b"", b" \r\n", b"\0\0\0\0\0\0", b"\xef\xbb\xbf", b",,\n"])
def test_a_sidecar_that_a_dying_program_emptied_is_no_edit(filled: Project, left: bytes) -> None:
    write(filled)
    (place(filled) / "own_1.txt").write_bytes(left)
    assert outside_edits(filled, "default", CAPTIONS) == {}
    write(filled)
    assert (place(filled) / "own_1.txt").read_bytes() == b"zorvex, solo, forest"


@pytest.mark.parametrize(
    ("encoding", "tag"),
    [("utf-16", "夜"), ("utf-16-le", "night"), ("cp1252", "café"), ("cp932", "夜の森"), ("utf-8-sig", "夜")],
)
def test_an_edit_in_another_encoding_is_read_as_it_was_meant(filled: Project, encoding: str, tag: str) -> None:
    write(filled)
    (place(filled) / "own_1.txt").write_bytes(f"zorvex, solo,\r\nforest, {tag}\r\n".encode(encoding))
    told = outside_edits(filled, "default", CAPTIONS)["own_1"]
    assert (told.added, told.removed) == ((tag,), ())
    assert told.encoding == ("" if encoding == "utf-8-sig" else encoding)
    kept = list((filled.folder / "sidecars-before").glob("own_1.*.txt"))
    assert [each.read_bytes().decode(encoding).count(tag) for each in kept] == ([1] if encoding in ("cp1252", "cp932") else [])


def test_tags_that_another_tool_moved_are_told_in_their_new_order(filled: Project) -> None:
    write(filled)
    (place(filled) / "own_1.txt").write_text("zorvex, forest, night, solo", encoding="utf-8")
    told = outside_edits(filled, "default", CAPTIONS)["own_1"]
    assert told == OutsideEdit(("night",), (), ("zorvex", "forest", "night", "solo"))


def test_a_sidecar_that_a_killed_run_wrote_is_no_edit(filled: Project) -> None:
    write(filled)
    (place(filled) / "own_1.txt").write_text("zorvex, night", encoding="utf-8")
    assert outside_edits(filled, "default", {"own_1": "zorvex, night"}) == {}


def test_an_edit_of_a_picture_that_is_no_longer_trained_is_told_too(filled: Project) -> None:
    write(filled)
    (place(filled) / "own_2.txt").write_text("zorvex, sitting, night", encoding="utf-8")
    assert outside_edits(filled, "default", {"own_1": CAPTIONS["own_1"]}) == {"own_2": OutsideEdit(("night",), ())}


def test_a_sidecar_that_was_removed_is_no_edit_and_comes_back(filled: Project) -> None:
    write(filled)
    (place(filled) / "own_1.txt").unlink()
    assert outside_edits(filled, "default", CAPTIONS) == {}
    write(filled)
    assert (place(filled) / "own_1.txt").is_file()


def test_what_undo_takes_back_is_not_taken_for_an_edit(filled: Project) -> None:
    write(filled, {"own_1": "zorvex, solo"})
    write(filled, {"own_1": "zorvex, solo, forest"})
    filled.undo()
    assert outside_edits(filled, "default", {"own_1": "zorvex, night"}) == {}
    filled.undo()
    (place(filled) / "own_1.txt").write_text("zorvex, solo, forest, day", encoding="utf-8")
    told = outside_edits(filled, "default", {"own_1": "zorvex, night"})
    assert told == {"own_1": OutsideEdit(("day",), ())}, "an edit is told even where the record has no caption left"


TAGS = st.lists(st.text(string.ascii_lowercase[:12].replace("c", ""), min_size=1, max_size=3), unique=True, max_size=5).map(tuple)


@settings(max_examples=25, deadline=None)
@given(steps=st.lists(st.tuples(st.sampled_from(["ours", "outside", "undo", "redo"]), TAGS), max_size=8))
def test_edits_from_outside_are_always_the_difference_to_what_was_written(
    steps: list[tuple[str, tuple[str, ...]]],
) -> None:
    with tempfile.TemporaryDirectory() as place_, Project.create(Path(place_) / "p", "zorvex") as project:
        project.pictures.add(Picture("own_1", "images/own_1.png", "folder", 1, 1, 4, "s", "m"))
        (project.images / "own_1.png").write_bytes(b"four")
        sidecar = place(project) / "own_1.txt"
        write(project, {"own_1": "zorvex"})
        written = on_disk = ("zorvex",)
        for step, tags in steps:
            if step == "ours":
                written = on_disk = ("zorvex", *tags)
                write(project, {"own_1": ", ".join(written)})
            elif step == "outside":
                on_disk = tags
                sidecar.write_text(", ".join(tags), encoding="utf-8")
            else:
                wanted = {"undo": "done", "redo": "undone"}[step]
                if any(entry.state == wanted for entry in project.journal.history()):
                    getattr(project, step)()
            told = outside_edits(project, "default", {"own_1": "something, else"})
            added = tuple(tag for tag in on_disk if tag not in written)
            removed = tuple(tag for tag in written if tag not in on_disk)
            stayed = [tag for tag in written if tag in on_disk]
            moved = [tag for tag in on_disk if tag in written] != stayed
            order = on_disk if moved or len(added) > 1 or (added and on_disk[-1] != added[0]) else ()
            # An empty sidecar is an accident and comes back.
            assert told == ({} if on_disk in (written, ()) else {"own_1": OutsideEdit(added, removed, order)})


@pytest.mark.parametrize(
    ("trigger", "word"),
    [
        ("zorvex", "zorvex"), ("zor vex", "zor_vex"), ("miku_(vocaloid)", "miku_vocaloid"), ("初音ミク", "初音ミク"),
        ("../..", "character"), ("!!!", "character"), ("CON", "CON_character"), ("nul", "nul_character"),
        ("com1", "com1_character"), ("COM¹", "COM1_character"), ("LPT9", "LPT9_character"), ("aux.", "aux_character"),
        ("CON$", "CON_character"), ("Conny", "Conny"), ("ｚｏｒ", "zor"), ("a:b*c?", "a_b_c"), ("x" * 300, "x" * 100),
    ],
)  # fmt: skip
def test_the_trigger_as_part_of_a_file_s_name(trigger: str, word: str) -> None:
    assert folder_word(trigger) == word


@given(st.text(max_size=200))
def test_a_file_s_name_is_short_whole_and_harmless(trigger: str) -> None:
    word = folder_word(trigger)
    assert 0 < len(word.encode("utf-8", errors="surrogatepass")) <= 110
    assert not set(word) & set('/\\:*?"<>|. \0') and word.isprintable()


@pytest.mark.parametrize(
    ("name", "sentence"), [("CON", "keeps that name for a device"), ("Default", "a caption set 'default' already")]
)
def test_a_caption_set_that_windows_could_not_keep_apart_is_refused(project: Project, name: str, sentence: str) -> None:
    write_dataset(project, "default", {}, 1)
    with pytest.raises(UsageError, match=sentence):
        write_dataset(project, name, {}, 1)
    assert [entry.name for entry in project.dataset("default").parent.iterdir()] == ["default"]
