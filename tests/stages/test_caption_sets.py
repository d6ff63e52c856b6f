"""Consolidation, outfits, caption sets, the audit, reinforcement, info.txt and captions of other layouts, on one small project."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from lorasmith.errors import RefusedError, UsageError
from lorasmith.project.pictures import Picture, Tag, facts_of
from lorasmith.project.project import Project
from lorasmith.settings.tables import TagSettings
from lorasmith.stages.tag.audit import audit_tags
from lorasmith.stages.tag.caption_sets import caption_sets, change_caption_set
from lorasmith.stages.tag.consolidate import Wanted, consolidate, set_outfit
from lorasmith.stages.tag.edit_tags import TagEdit, edit_tags
from lorasmith.stages.tag.export_info import export_info
from lorasmith.stages.tag.import_captions import import_captions
from lorasmith.stages.tag.index import open_index
from lorasmith.stages.tag.reinforce import reinforce
from lorasmith.stages.tag.stage import tag

ALWAYS = "fox red_fur blue_eyes solo"
TAGS = {
    "e621_1": "t-shirt red_shirt shirt rear_view mouth_closed standing",
    "e621_2": "shirt red_shirt front_view mouth_closed open_mouth standing",
    "e621_3": "scarf snow front_view closed_eyes sitting",
    "e621_4": "scarf snow monochrome front_view",
    "e621_5": "front_view Front_View half-length_portrait",
    "e621_6": "spotted_fur",
}
CATEGORIES = {"fox": "species", "monochrome": "meta"}


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A project of six pictures of a site without a tagger; e621_6 has a crop that stands for it."""
    with Project.create(tmp_path / "p", "zorvex", chosen={"tag": {"tagger": "none"}}) as made:
        for place, (name, tags) in enumerate({**TAGS, "e621_6.2": TAGS["e621_6"]}.items()):
            file = made.images / f"{name}.png"
            Image.new("RGB", (64, 64), (place * 30, 90, 10)).save(file)
            crop = {"origin": "edit", "parent": "e621_6", "operation": {"kind": "crop", "replaces_parent": True}}
            more = crop if name.endswith(".2") else {"origin": "booru"}
            post = {"site": "e621", "id": place + 1, "file_name": f"drawing {place}.png"}
            rows = [Tag(word, CATEGORIES.get(word, "general"), "booru") for word in f"{ALWAYS} {tags}".split()]
            with made.transaction():
                made.pictures.add(Picture(name=name, post=post, **facts_of(made.folder, file, (64, 64)), **more))  # type: ignore[arg-type]
                made.pictures.set_tags(name, "booru", rows)
        yield made


def captions(project: Project, name: str = "default") -> dict[str, str]:
    tag(project, project.settings(TagSettings, {"caption_set": name}))
    return {caption.picture: caption.text for caption in project.pictures.captions(name).values()}


def lifts(project: Project, text: str) -> None:
    project.research.mkdir(exist_ok=True)
    (project.research / "tags.csv").write_text(f"category,tag,posts,share,lift,part\n{text}", encoding="utf-8")


def test_core_looks_go_under_the_trigger_with_figures_and_all_else_stays_with_a_reason(project: Project) -> None:
    lifts(project, "species,fox,6,1,1.0,\ngeneral,red_fur,6,1,3.5,\ngeneral,blue_eyes,6,1,1.01,\n")
    before = captions(project)
    assert before["e621_3"].startswith("zorvex, solo")
    told = consolidate(project, preview=True)
    done = consolidate(project)
    assert (told.core, told.stays) == (done.core, done.stays) and done.pictures == 6
    assert [(row.tag, row.why) for row in done.core] == [
        ("fox", "a look on 100%, 1 times as often as on the site"), ("red_fur", "a look on 100%, 3.5 times as often as on the site"),
    ]  # fmt: skip
    why = {row.tag: row.why for row in done.stays}
    assert why["blue_eyes"] == "on 100%, but as common on the whole site (lift 1.01)"
    assert why["spotted_fur"] == "a look, but on 17% only" and why["scarf"] == "on 33%: clothes and accessories come and go"
    assert why["standing"] == "on 33%: pose differs from picture to picture"
    assert done.worn_together == (("red_shirt", "shirt"),)
    assert captions(project)["e621_3"].startswith("zorvex, solo, blue eyes")
    project.undo()
    project.undo()
    assert captions(project) == before


def test_a_person_s_word_and_the_sheet_win_over_the_figures(project: Project) -> None:
    project.sheet.write_text("# zorvex\n\n## Core looks\n\n- blue_eyes\n\n## Toggles\n\n- scarf\n", encoding="utf-8")
    done = consolidate(project, Wanted(core=("spotted fur",), leave=("fox",)))
    assert {row.tag for row in done.core} == {"blue_eyes", "red_fur", "spotted_fur"}
    assert [(row.value, row.pictures, row.advice) for row in done.toggles] == [("scarf", 2, "")]
    consolidate(project, Wanted(none=True))
    assert project.caption_sets.gathered("default") == []


@pytest.mark.parametrize("wanted", [Wanted(core=("nosuch",)), Wanted(leave=("nosuch",))])
def test_a_tag_that_no_picture_has_cannot_be_consolidated(project: Project, wanted: Wanted) -> None:
    with pytest.raises(UsageError, match="No picture has the tag 'nosuch'"):
        consolidate(project, wanted)


def test_an_outfit_stands_under_its_own_tag_on_the_pictures_that_show_it(project: Project) -> None:
    done = set_outfit(project, "nameshirt", ("shirt", "red_shirt", "t-shirt"))
    assert done.shown_on == ("e621_1", "e621_2")
    found = captions(project)
    assert found["e621_1"].startswith("zorvex, nameshirt, solo") and "shirt," not in found["e621_1"].replace("nameshirt,", "")
    assert "nameshirt" not in found["e621_3"]
    assert captions(project, "other")["e621_1"].count("shirt") == 3, "it belongs to one set"
    set_outfit(project, "nameshirt", ())
    assert "nameshirt" not in captions(project)["e621_1"]
    project.undo()
    project.undo()
    assert "nameshirt" in captions(project)["e621_1"]


def test_an_outfit_taken_out_of_a_sidecar_is_not_worn(project: Project) -> None:
    set_outfit(project, "nameshirt", ("shirt", "red_shirt"))
    captions(project)
    sidecar = next(project.dataset("default").rglob("e621_2.txt"))
    sidecar.write_text(sidecar.read_text(encoding="utf-8").replace("nameshirt, ", ""), encoding="utf-8")
    assert "shirt" not in captions(project)["e621_2"]


@pytest.mark.parametrize(
    ("name", "tags", "words"),
    [
        ("zorvex", ("shirt",), "it is the trigger"), ("shirt", ("shirt",), "one of its tags"),
        ("x", ("nothing",), "No picture has the tag 'nothing'"),
    ],
)  # fmt: skip
def test_an_outfit_that_cannot_be_is_told(project: Project, name: str, tags: tuple[str, ...], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        set_outfit(project, name, tags)
    with pytest.raises(RefusedError):
        set_outfit(project, "loli", ("shirt",))
    assert project.journal.history() == []


def test_a_renamed_core_tag_is_absorbed_as_before_and_one_added_to_a_single_picture_is_written(project: Project) -> None:
    edit_tags(project, TagEdit("rename", ("red_fur", "crimson_fur")))
    assert all("crimson" not in text for text in captions(project).values())
    edit_tags(project, TagEdit("add", ("fluffy_tail",), "e621_3 | scarf -monochrome"))
    assert "fluffy tail" in captions(project)["e621_3"]


def test_pictures_without_colours_always_say_so(project: Project) -> None:
    project.caches.keep_measures(project.pictures.get("e621_5").sha256, {"is_grey": True})
    consolidate(project, Wanted(core=("monochrome",)))
    found = captions(project)
    assert "monochrome" in found["e621_4"] and "monochrome, greyscale" in found["e621_5"] and "greyscale" not in found["e621_3"]


def test_each_set_speaks_the_words_of_its_family(project: Project) -> None:
    change_caption_set(project, "sd", {"family": "sd15"})
    change_caption_set(project, "pony", {"family": "pony", "suffix": ("last_one",)})
    change_caption_set(project, "ill", {"family": "illustrious", "underscores": True, "keep_tokens": 3})
    assert "closed mouth" in captions(project, "sd")["e621_1"] and "mouth closed" in captions(project)["e621_1"]
    assert captions(project, "pony")["e621_1"].startswith("zorvex, score_9, score_8_up, score_7_up, solo")
    assert captions(project, "pony")["e621_1"].endswith("last one")
    assert captions(project, "ill")["e621_1"].endswith("masterpiece, best_quality")
    rows = {row.name: row for row in caption_sets(project)}
    assert rows.keys() == {"default", "sd", "pony", "ill"} and rows["default"].trained_on
    assert "keep_tokens = 4" in rows["pony"].hint and "keep_tokens = 3" in rows["ill"].hint
    removed = "closed mouth"
    sidecar = next(project.dataset("sd").rglob("e621_1.txt"))
    sidecar.write_text(sidecar.read_text(encoding="utf-8").replace(f", {removed}", ""), encoding="utf-8")
    assert removed not in captions(project, "sd")["e621_1"], "what is taken out in the family's words stays out"


def test_generated_pictures_can_carry_their_tag(project: Project) -> None:
    project.pictures.add(Picture(**(vars(project.pictures.get("e621_3")) | {"origin": "render"})))
    change_caption_set(project, "default", {"generated": "drawn_by_a_model"})
    found = captions(project)
    assert found["e621_3"].endswith("drawn by a model") and "model" not in found["e621_1"]


@pytest.mark.parametrize("chosen", [{"family": "ponny"}, {"keep_tokens": 99}, {}])
def test_a_set_that_cannot_be_is_told(project: Project, chosen: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        change_caption_set(project, "x", chosen)
    with pytest.raises(UsageError, match="caption_set"):
        change_caption_set(project, "../x", {"family": "pony"})
    with pytest.raises(RefusedError):
        change_caption_set(project, "x", {"prefix": ("some cub",)})


def test_the_audit_finds_what_should_be_looked_at(project: Project) -> None:
    project.sheet.write_text("# zorvex\n\n## Toggles\n\n- scarf\n- t-shirt\n- solo\n", encoding="utf-8")
    captions(project)
    folder = next(project.dataset("default").glob("*_zorvex"))
    (folder / "mine.txt").write_text("x", encoding="utf-8")
    (folder / "e621_3.txt").unlink()
    edit_tags(project, TagEdit("add", tuple(f"a_very_long_tag_number_{place}" for place in range(20)), "rear_view"))
    captions_now = project.pictures.captions("default")
    assert len(captions_now) == 6
    found = {(one.kind, one.what): one for one in audit_tags(project).findings}
    assert found["no answer", "no view tag"].names == ("e621_6.2",)
    assert found["contradiction", "mouth_closed and open_mouth"].names == ("e621_2",)
    assert found["toggle", "t-shirt on 17%, under 25%"].pictures == 1 and ("toggle", "solo on 100%, over 75%") in found
    assert not any("scarf" in what for _, what in found)
    assert found["duplicate", "Front_View and front_view are one tag"].names == ("e621_5",)
    assert found["orphan", "a caption file without a picture"].names == (f"{folder.name}/mine",)
    assert any(what == "a picture file without a caption" for _, what in found)
    assert found["camera", "cut-outs without a framing tag"].names == ("e621_6.2",)
    captions(project)
    over = [one for one in audit_tags(project).findings if one.kind == "over-long"]
    assert over[0].names == ("e621_1",) and "cut at" in over[0].advice
    report = audit_tags(project)
    assert "solo" in report.constant and "snow" in report.rare and "fox" not in report.constant
    pictures = project.pictures.trained()
    assert audit_tags(project, known=(pictures, open_index(project, pictures))) == report


def test_reinforcement_is_found_in_the_set_and_kept_as_a_person_wrote_it(project: Project) -> None:
    project.sheet.write_text("# zorvex\n\n## Toggles\n\n- scarf\n- hat\n\n## My list\n\n1. one\n", encoding="utf-8")
    first = reinforce(project)
    assert first.reinforcement == {"scarf": ("snow",)} and first.without == ("hat",)
    assert reinforce(project, "hat", ("top hat", "looking up")).reinforcement["hat"] == ("top_hat", "looking_up")
    written = project.sheet.read_text(encoding="utf-8")
    assert "- hat: top_hat, looking_up" in written and "1. one" in written and written.count("## Reinforcement tags") == 1
    project.sheet.write_text(written.replace("scarf: snow", "scarf: winter"), encoding="utf-8")
    assert reinforce(project).found_now == () and reinforce(project).reinforcement["scarf"] == ("winter",)
    assert reinforce(project, again=True).reinforcement["scarf"] == ("snow",)


def test_info_says_what_a_person_must_know(project: Project) -> None:
    project.sheet.write_text("# zorvex\n\n## Toggles\n\n- scarf\n", encoding="utf-8")
    reinforce(project)
    consolidate(project)
    set_outfit(project, "nameshirt", ("shirt", "red_shirt"))
    captions(project)
    text = Path(export_info(project).file).read_text(encoding="utf-8")
    for line in ("Trigger: zorvex", "The trigger brings: blue eyes, fox, red fur", "Outfit nameshirt: red shirt, shirt",
                 "- scarf (33%); with snow"):  # fmt: skip
        assert line in text.splitlines()
    with pytest.raises(UsageError, match="is missing"):
        export_info(project, project.loras / "no.safetensors")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("meta.json", json.dumps({r"C:\a\e621_3.png": {"caption": "rain", "tags": "(night:1.2), ((umbrella))"}, "x.png": "y"})),
        ("hub.jsonl", '{"file_name": "drawing 2.png", "text": "rain, night, umbrella"}\n{"file_name": "x.png", "text": "y"}\n'),
        ("table.csv", 'filename,caption\n3.jpg,"rain, night, umbrella"\nx,y\n'),
        ("table.tsv", "file\ttags\npost_3.jpg\train, night, umbrella\nx\ty\n"),
    ],
)  # fmt: skip
def test_captions_of_other_layouts_are_taken_in(project: Project, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_bytes(text.encode("utf-16"))
    before = project.pictures.tags("e621_3")
    told = import_captions(project, tmp_path / name, preview=True)
    assert project.pictures.tags("e621_3") == before
    done = import_captions(project, tmp_path / name)
    assert (told.pictures, told.tags) == (done.pictures, done.tags) == (1, 3) and done.without_picture == ("x",)
    assert {row.tag for row in project.pictures.tags("e621_3") if row.source == "sidecar"} == {"rain", "night", "umbrella"}
    project.undo()
    assert project.pictures.tags("e621_3") == before


def test_a_folder_of_captions_is_taken_in_for_crops_too_and_refused_ones_put_the_picture_out(
    project: Project, tmp_path: Path
) -> None:
    folder = tmp_path / "captions"
    folder.mkdir()
    (folder / "e621_6.caption").write_text("rain, full-length portrait\nsecond line", encoding="cp1252")
    (folder / "e621_6.txt").write_text("rain, full-length portrait\nsecond line", encoding="utf-8")
    (folder / "e621_1.txt").write_text("some cub", encoding="utf-8")
    done = import_captions(project, folder, add=True)
    assert (done.pictures, done.refused) == (1, 1)
    said = {name: {row.tag for row in project.pictures.tags(name) if row.source == "sidecar"} for name in ("e621_6", "e621_6.2")}
    assert said == {"e621_6": {"rain", "full-length_portrait", "second_line"}, "e621_6.2": {"rain", "second_line"}}
    assert "e621_1" not in {picture.name for picture in project.pictures.trained()}


@pytest.mark.parametrize(
    ("name", "text"), [("a.json", "{"), ("a.json", "3"), ("a.json", "{}"), ("a.jsonl", "[1]"), ("a.csv", "a,b\n1,2"), ("a.doc", "")]
)
def test_a_file_that_is_no_layout_is_told(project: Project, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"a\.(json|jsonl|csv|doc)"):
        import_captions(project, tmp_path / name)
