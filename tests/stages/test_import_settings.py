"""import: what each key of the downloader's settings file becomes, and what is said of the rest."""

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lorasmith.boorus.funnel import any_group
from lorasmith.boorus.grammar import read_query
from lorasmith.boorus.post import Post
from lorasmith.demo.posts import posts
from lorasmith.demo.server import DemoBooru
from lorasmith.demo.world import NEW_CHARACTER
from lorasmith.errors import LorasmithError, RefusedError, UsageError
from lorasmith.project.project import Project
from lorasmith.settings.downloader import KEYS, Batch, read_batches
from lorasmith.settings.downloader_plan import MOST_TERMS, TOLD, Beside, Plan, plan
from lorasmith.settings.tables import DownloadSettings, ResearchSettings, TagSettings
from lorasmith.settings.toml import keep_choice, read_tables
from lorasmith.stages.download.import_settings import import_settings
from lorasmith.stages.download.stage import download

# The keys of the tool's file, and the two names that it had before, as its users know them.
TOOLS_KEYS = """
    batch_folder required_tags blacklist include_png include_jpg include_gif include_webm include_swf include_explicit
    include_questionable include_safe min_score min_fav_count min_date min_area top_n sort_by collect_from_listed_posts_file
    collect_from_listed_posts_type apply_filter_to_listed_posts skip_posts_file skip_posts_type save_searched_list_type
    save_searched_list_path downloaded_posts_folder png_folder jpg_folder webm_folder gif_folder swf_folder
    save_filename_type skip_post_download include_tag_file tag_sep include_explicit_tag include_questionable_tag
    include_safe_tag reorder_tags tag_order_format prepend_tags append_tags replace_underscores remove_parentheses
    remove_tags_list replace_tags_list tag_count_list_folder skip_resize max_short_side img_ext lossy_quality webp_lossless
    delete_original resized_img_folder method_tag_files min_short_side do_sort
    """.split()

TEXTS = Beside("1:1\nhi res\n\n", "fox,red fox\n cat , tom \n", listed_posts="/a/list", skipped_posts="/b/skip")
NOTHING = (None, None, "")
ALL_CATEGORIES = ["general", "contributor", "lore"]

# key -> (what the file says, the setting of ours or None, its value, words of the remark or "" for none)
CASES: dict[str, list[tuple[dict[str, Any], str | None, Any, str]]] = {
    "batch_folder": [({"batch_folder": "mine"}, None, None, "project's folder")],
    "required_tags": [
        ({"required_tags": "Fox, solo|wolf , red fur"}, "site.required_tags", ["fox, solo", "wolf, red_fur"], ""),
        ({"required_tags": "fox, solo"}, "site.query", "fox solo", ""),
        ({"required_tags": "fox | wolf"}, "site.query", "~fox ~wolf", ""),
        ({"required_tags": "fox, solo | wolf"}, "site.query", "~( fox solo ) ~wolf", ""),
        ({"required_tags": "fox, s*"}, "site.query", "fox", ""),
        ({"required_tags": "fox* | wolf"}, "site.query", "~( fox* ) ~wolf", "40 most used"),
        ({"required_tags": ""}, "site.query", "-status:deleted", "every post"),
    ],
    "blacklist": [
        ({"blacklist": "Comic|a, b |"}, "site.blacklist", ["comic", "a, b"], ""),
        ({"blacklist": ""}, "site.blacklist", [], ""),
        ({"blacklist": "young | comic | fox, cub"}, "site.blacklist", ["comic"], "2 entries left out: always refused"),
        ({"blacklist": "comic | solo", "required_tags": "fox, solo"}, "site.blacklist", ["comic"], "not applied.*: solo"),
        ({"blacklist": "a, solo", "required_tags": "fox, solo"}, "site.blacklist", ["a, solo"], ""),
    ],
    "include_png": [({"include_png": False}, "site.file_types", ["jpg"], "")],
    "include_jpg": [({"include_jpg": False}, "site.file_types", ["png"], "")],
    "include_gif": [({"include_gif": True}, "site.file_types", ["png", "jpg", "gif"], "first frame")],
    "include_webm": [({"include_webm": True}, "site.file_types", ["png", "jpg"], "cannot be trained on")],
    "include_swf": [({"include_swf": True}, "site.file_types", ["png", "jpg"], "cannot be trained on")],
    "include_explicit": [({"include_explicit": False}, "site.ratings", ["s", "q"], "")],
    "include_questionable": [({"include_questionable": False}, "site.ratings", ["s", "e"], "")],
    "include_safe": [({"include_safe": False}, "site.ratings", ["q", "e"], "")],
    "min_score": [
        ({"min_score": -5}, "download.min_score", -5, ""),
        ({"min_score": -(10**9)}, "download.min_score", -100000, "least it can be"),
    ],
    "min_fav_count": [({"min_fav_count": 7}, "site.min_fav_count", 7, ""), ({"min_fav_count": -7}, "site.min_fav_count", 0, "")],
    "min_date": [
        ({"min_date": "2020-02"}, "site.min_date", "2020-02", ""),
        ({"min_date": "2007"}, "site.min_date", "2007", ""),
        ({"min_date": "2006-12-31"}, "site.min_date", "", ""),
    ],
    "min_area": [
        ({"min_area": 65536}, "site.min_area", 65536, ""),
        ({"min_area": 65535}, "site.min_area", 0, ""),
        ({"min_area": -1}, "site.min_area", 0, ""),
    ],
    "top_n": [
        ({"top_n": 3}, "download.top_n", 3, ""),
        ({"top_n": -1}, "download.top_n", 0, ""),
        ({"top_n": 0}, "download.top_n", 0, ""),
        ({"top_n": 10**40}, "download.top_n", 10000, "most it can be"),
    ],
    "sort_by": [
        ({"sort_by": "id_asc"}, "download.sort_by", "id_asc", ""),
        ({"sort_by": "id_asc", "top_n": -1}, "download.sort_by", "score_desc", ""),
    ],
    "collect_from_listed_posts_file": [
        ({"collect_from_listed_posts_file": "list"}, "download.collect_from_listed_posts_file", "/a/list", "")
    ],
    "collect_from_listed_posts_type": [({"collect_from_listed_posts_type": "md5"}, None, None, "id or an md5")],
    "apply_filter_to_listed_posts": [({"apply_filter_to_listed_posts": True}, "download.apply_filter_to_listed_posts", True, "")],
    "skip_posts_file": [({"skip_posts_file": "skip"}, "download.skip_posts_file", "/b/skip", "")],
    "skip_posts_type": [({"skip_posts_type": "md5"}, None, None, "id or an md5")],
    "save_searched_list_type": [({"save_searched_list_type": "None"}, None, None, "no list")],
    "save_searched_list_path": [({"save_searched_list_path": "a.txt"}, None, None, "no list")],
    "skip_post_download": [({"skip_post_download": True}, None, None, "run download"), ({"skip_post_download": False}, *NOTHING)],
    "include_tag_file": [({"include_tag_file": False}, None, None, "always writes"), ({"include_tag_file": True}, *NOTHING)],
    "tag_sep": [
        ({"tag_sep": " ", "prepend_tags": "a b"}, "tag.prepend_tags", ["a", "b"], "', '"),
        ({"tag_sep": ","}, None, None, ""),
    ],
    "include_explicit_tag": [({"include_explicit_tag": False}, "tag.rating_tags", ["s", "q"], "")],
    "include_questionable_tag": [({"include_questionable_tag": False}, "tag.rating_tags", ["s", "e"], "")],
    "include_safe_tag": [({"include_safe_tag": False}, "tag.rating_tags", ["q", "e"], "")],
    "reorder_tags": [({"reorder_tags": False}, None, None, "by category"), ({"reorder_tags": True}, None, None, "")],
    "tag_order_format": [
        ({"tag_order_format": "general ,contributor,, lore,general"}, "tag.category_order", ALL_CATEGORIES, "")
    ],
    "prepend_tags": [
        ({"prepend_tags": "one tag, b, b"}, "tag.prepend_tags", ["one_tag", "b"], "keep_tokens under .train. is 3"),
        ({"prepend_tags": ""}, "tag.prepend_tags", [], ""),
    ],
    "append_tags": [({"append_tags": "a,b, c"}, "tag.append_tags", ["a,b", "c"], "")],
    "replace_underscores": [
        ({"replace_underscores": True}, "tag.underscores", False, "drawn tags"),
        ({"replace_underscores": False}, "tag.underscores", True, ""),
    ],
    "remove_parentheses": [({"remove_parentheses": True}, "tag.remove_parentheses", True, "drawn tags")],
    "remove_tags_list": [({"remove_tags_list": "r.txt"}, "tag.drop_tags", ["1:1", "hi_res"], "")],
    "replace_tags_list": [({"replace_tags_list": "r.csv"}, "tag.replace_tags", ["fox -> red_fox", "cat -> tom"], "")],
    "tag_count_list_folder": [({"tag_count_list_folder": "c"}, None, None, "the page counts")],
    "skip_resize": [
        ({"skip_resize": True}, "download.max_short_side", 0, ""),
        ({"skip_resize": True, "delete_original": True}, "download.delete_original", False, ""),
    ],
    "max_short_side": [
        ({"max_short_side": 512}, "download.max_short_side", 512, ""),
        ({"max_short_side": -1}, "download.max_short_side", 0, ""),
    ],
    "img_ext": [({"img_ext": name}, None, None, "kept as PNG") for name in ("jpg", ".webp", "same_as_original")]
    + [({"img_ext": ".png"}, None, None, "")],
    "lossy_quality": [
        ({"lossy_quality": 80, "img_ext": "jpg"}, None, None, "counts for nothing"),
        ({"lossy_quality": 80}, *NOTHING),
    ],
    "webp_lossless": [({"webp_lossless": True, "img_ext": "webp"}, None, None, "counts for nothing")],
    "delete_original": [({"delete_original": True}, "download.delete_original", True, "")],
    "method_tag_files": [({"method_tag_files": "relocate"}, None, None, "dataset/")],
    "min_short_side": [
        ({"min_short_side": 300}, "download.max_short_side", 300, "an old name"),
        ({"min_short_side": 300, "max_short_side": 600}, "download.max_short_side", 600, "an old name"),
    ],
    "do_sort": [
        ({"do_sort": True}, "download.sort_by", "score_desc", "an old name"),
        ({"do_sort": False}, "download.sort_by", "id_asc", "an old name"),
        ({"do_sort": False, "sort_by": "date_asc"}, "download.sort_by", "date_asc", "an old name"),
    ],
} | {
    name: [({name: "somewhere"}, None, None, "images/")]
    for name in "downloaded_posts_folder png_folder jpg_folder webm_folder gif_folder swf_folder resized_img_folder".split()
} | {"save_filename_type": [({"save_filename_type": "md5"}, None, None, "named by its site and id")]}  # fmt: skip


def one(entries: dict[str, Any]) -> Batch:
    """Reads a settings file of one batch."""
    return read_batches(json.dumps(entries).encode()).batches[0]


def planned(entries: dict[str, Any], beside: Beside = TEXTS) -> Plan:
    return plan(one({"required_tags": "zorvex"} | entries), beside)


def setting(made: Plan, name: str) -> Any:
    table, field = name.split(".")
    return made.tables[table][field]


def file_in(folder: Path, entries: dict[str, Any]) -> Path:
    file = folder / "settings.json"
    file.write_text(json.dumps(entries), encoding="utf-8")
    return file


# keys


def test_every_key_of_the_tool_is_known_and_has_a_test() -> None:
    assert sorted(TOOLS_KEYS) == sorted(KEYS) == sorted(CASES)


@pytest.mark.parametrize(("key", "case"), [(key, case) for key, cases in CASES.items() for case in cases])
def test_a_key_becomes_our_setting_or_a_sentence(key: str, case: tuple[dict[str, Any], str | None, Any, str]) -> None:
    entries, name, value, remark = case
    made = planned(entries)
    if name is not None:
        assert setting(made, name) == value
    else:
        assert made.tables == planned({key: KEYS[key].default} if key not in ("min_short_side", "do_sort") else {}).tables
    told = made.changed.get(key, "")
    assert re.search(remark, told) if remark else not told


def test_what_the_file_leaves_out_is_as_in_the_file_that_comes_with_the_tool() -> None:
    made = planned({})
    assert made.site | {"blacklist": made.site["blacklist"][:3]} == {
        "required_tags": ["zorvex"], "query": "zorvex", "blacklist": ["animated", "comic", "e621"],
        "file_types": ["png", "jpg"], "ratings": ["s", "q", "e"], "min_area": 262144, "min_fav_count": 0, "min_date": "2013",
    }  # fmt: skip
    assert made.download == {
        "min_score": 500, "top_n": 100, "sort_by": "score_desc", "max_short_side": 768, "delete_original": False,
        "collect_from_listed_posts_file": "/a/list", "apply_filter_to_listed_posts": False, "skip_posts_file": "/b/skip",
    }  # fmt: skip
    assert made.tag["category_order"] == ["character", "species", "artist", "rating", "general", "meta"]
    assert made.tag["underscores"] and made.tag["rating_tags"] == ["s", "q", "e"] and not made.tag["prepend_tags"]
    assert len(made.site["blacklist"]) == 16 and set(made.changed) == {"blacklist"}


def test_every_setting_that_is_made_is_one_that_its_stage_takes() -> None:
    made = planned({})
    DownloadSettings.build(made.site | made.download, "download")
    ResearchSettings.build(made.site, "research")
    TagSettings.build(made.tag, "tag")


def test_keys_that_only_say_where_the_tool_puts_its_files_are_told_when_they_are_there() -> None:
    assert set(TOLD) <= set(planned({key: KEYS[key].default for key in TOLD}).changed)
    assert not set(TOLD) & set(planned({}).changed)


# the search


GROUPS = st.lists(st.lists(st.sampled_from(["fox", "solo", "wolf", "red*", "a*"]), min_size=1, max_size=3), min_size=1, max_size=4)


@settings(max_examples=100, deadline=None)
@given(GROUPS, st.sets(st.sampled_from(["fox", "solo", "wolf", "red_fur", "apple"])))
def test_the_search_finds_every_post_that_the_required_tags_let_through(groups: list[list[str]], tags: set[str]) -> None:
    made = planned({"required_tags": " | ".join(", ".join(group) for group in groups)})
    post = Post("e621", 7, "0" * 32, "png", 9, 9, 9, None, None, None, "s", 1, 1, "2020-01-01", {"general": tuple(tags)})
    wanted = any(all(any(fnmatchcase(tag, term) for tag in tags) for term in group) for group in groups)
    assert any_group(post, made.site["required_tags"]) is wanted
    assert read_query(made.site["query"]).matches(post) or not wanted


def test_a_search_stays_within_what_the_site_takes() -> None:
    many = [f"tag{number}" for number in range(60)]
    made = planned({"required_tags": ", ".join(many)})
    assert len(made.site["query"].split()) == MOST_TERMS and len(made.site["required_tags"][0].split()) == 60
    assert "required_tags" not in made.changed
    made = planned({"required_tags": " | ".join(f"{tag}, solo" for tag in many[:30])})
    assert made.site["query"].split() == [f"~{tag}" for tag in many[:30]]
    made = planned({"required_tags": " | ".join(many)})
    assert len(made.site["query"].split()) == MOST_TERMS and "last 21 groups are not asked for" in made.changed["required_tags"]


# refusals


@pytest.mark.parametrize(
    "entries",
    [
        {"required_tags": "fox, young"},
        {"required_tags": "fox | cub*"},
        {"required_tags": ["fox", "shota"]},
        {"prepend_tags": "a, cub"},
        {"append_tags": "young fox"},
    ],
)
def test_a_batch_that_asks_for_what_is_refused_is_refused_whole(tmp_path: Path, entries: dict[str, Any]) -> None:
    with pytest.raises(RefusedError):
        import_settings(file_in(tmp_path, {"required_tags": "zorvex"} | entries), tmp_path / "p")
    assert not (tmp_path / "p").exists()


def test_refused_tags_in_tag_lists_are_left_out_and_never_written() -> None:
    made = planned({"replace_tags_list": "r"}, Beside(remove_tags="cub\nfox\nyoung_fox", replace_tags="cub,cat\nfox,cat"))
    assert made.tag["drop_tags"] == ["fox"] and made.tag["replace_tags"] == ["fox -> cat"]
    assert made.changed["remove_tags_list"] == "2 tags left out: always refused here"
    with pytest.raises(RefusedError):
        planned({"replace_tags_list": "r"}, Beside(replace_tags="fox,cub"))


def test_a_required_tag_never_overrules_what_is_always_refused() -> None:
    with pytest.raises(RefusedError):
        planned({"required_tags": "fox, young", "blacklist": "young"})


# bad files


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "is not JSON"),
        (b"required_tags: fox", "is not JSON .line 1"),
        (b'{\n// mine\n"top_n": 3}', "line 2.*comments"),
        (b'{"top_n": 3,}', "comma after the last entry"),
        (b'[{"top_n": 3}]', "holds a list, not an object"),
        (b"null", "holds null"),
        (b"\xff\xff\xff", "not text that can be read"),
        (b"[" * 100000, "is not a settings file|is not JSON"),
        (b'{"top_n": ' + b"9" * 5000 + b"}", "is not a settings file"),
        (b'{"top_n": [1, 2], "min_score": [1], "min_area": 5}', "top_n has 2, min_score has 1"),
        (b'{"top_n": []}', "top_n.*is empty"),
        (b'{"top_n": "3"}', "top_n.*'3'; it must be a whole number"),
        (b'{"top_n": true}', "top_n.*is true; it must be a whole number"),
        (b'{"top_n": 3.0}', "top_n.*3.0; it must be a whole number"),
        (b'{"top_n": null}', "top_n.*is null"),
        (b'{"top_n": [[1]]}', "top_n.*is a list"),
        (b'{"blacklist": 3}', "blacklist.*must be text"),
        (b'{"include_png": "yes"}', "include_png.*must be true or false"),
        (b'{"include_png": 2}', "include_png.*must be true or false"),
        (b'{"blacklist": "\\ud800"}', "blacklist.*cannot be written"),
        (b'{"blacklist": "a\\u0000"}', "blacklist.*cannot be written"),
        (b'{"sort_by": "score"}', "sort_by.*must be one of score_desc"),
        (b'{"img_ext": "bmp"}', "img_ext.*must be one of png"),
        (b'{"include_png": false, "include_jpg": false}', "include_png, include_jpg and include_gif are all false"),
        (b'{"include_png": false, "include_jpg": false, "include_webm": true}', "films cannot be trained on"),
        (b'{"include_safe": false, "include_questionable": 0, "include_explicit": 0}', "takes no rating"),
        (b'{"min_date": "May 2013"}', "min_date of batch 1 is 'May 2013'"),
        (b'{"min_date": "2013-13"}', "min_date"),
        (b'{"max_short_side": 100}', "max_short_side of batch 1 is 100"),
        (b'{"min_short_side": 0}', "min_short_side of batch 1 is 0"),
        (b'{"lossy_quality": 101}', "lossy_quality"),
        (b'{"tag_sep": ""}', "tag_sep"),
        (b'{"tag_order_format": " , "}', "tag_order_format of batch 1 is empty"),
        (b'{"tag_order_format": "specis"}', "did you mean 'species'"),
        (b'{"required_tags": "fox, -solo"}', "'-solo', which is no tag"),
        (b'{"blacklist": "rating:e"}', "'rating:e', which is no tag"),
        (b'{"blacklist": "("}', "which is no tag"),
    ],
)
def test_a_file_that_cannot_be_used_gets_one_sentence(tmp_path: Path, data: bytes, sentence: str) -> None:
    file = tmp_path / "settings.json"
    file.write_bytes(data)
    with pytest.raises(UsageError, match=sentence) as told:
        import_settings(file, tmp_path / "p", "zorvex")
    assert str(told.value).endswith((".", "?")) and "\n" not in str(told.value)
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_a_file_in_any_unicode_encoding_is_read(encoding: str) -> None:
    assert read_batches('{"required_tags": "é"}'.encode(encoding)).batches[0].text("required_tags") == "é"


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    for file in (tmp_path / "none.json", tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            import_settings(file, tmp_path / "p")


def test_an_unknown_key_is_named_with_the_nearest_known_one() -> None:
    assert read_batches(b'{"min_scores": 3, "zzz": [1, 2, 3]}').unknown == {"min_scores": "min_score", "zzz": ""}


TEXT = st.text(max_size=12) | st.sampled_from(["a, b | c", "young", "2013", "score_asc", "png", "../..", "CON", "a->b", "x" * 999])
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
NAMES = st.sampled_from(sorted(KEYS)) | st.text(max_size=8)
ENTRIES = st.dictionaries(NAMES, VALUES | st.lists(VALUES | TEXT, max_size=2), max_size=8)
_OF_KIND = {bool: st.booleans(), int: st.integers(), str: TEXT}
FITTING = {key: st.sampled_from(row.choices) if row.choices else _OF_KIND[type(row.default)] for key, row in KEYS.items()}


@settings(max_examples=150, deadline=None)
@given(ENTRIES | st.fixed_dictionaries({}, optional=FITTING), st.none() | TEXT, st.none() | TEXT)
def test_any_flat_object_gives_a_plan_or_a_sentence(entries: dict[str, Any], removed: str | None, replaced: str | None) -> None:
    try:
        for batch in read_batches(json.dumps(entries).encode()).batches:
            made = plan(batch, Beside(removed, replaced))
            DownloadSettings.build(made.site | made.download, "download")
            TagSettings.build(made.tag, "tag")
    except LorasmithError as error:
        assert str(error).endswith((".", "?"))


@settings(max_examples=40, deadline=None)
@given(entries=st.fixed_dictionaries({}, optional=FITTING))
def test_any_file_becomes_a_project_or_a_sentence(tmp_path_factory: pytest.TempPathFactory, entries: dict[str, Any]) -> None:
    folder = tmp_path_factory.mktemp("any")
    try:
        import_settings(file_in(folder, entries), folder / "p", "zorvex")
    except LorasmithError as error:
        assert str(error).endswith((".", "?")) and not (folder / "p").exists()
    else:
        with Project.open(folder / "p") as project:
            project.settings(DownloadSettings)
            project.settings(TagSettings)


# projects


def test_one_batch_becomes_the_project_and_its_first_plain_tag_the_trigger(tmp_path: Path) -> None:
    (tmp_path / "remove_tags.txt").write_text("hi_res\n", encoding="utf-8")
    told = import_settings(file_in(tmp_path, {"required_tags": "zor*, nick_wilde | fox", "typo": 1}), tmp_path / "p")
    (batch,) = told.projects.values()
    assert (batch.trigger, batch.made, [row.key for row in told.unknown]) == ("nick_wilde", True, ["typo"])
    with Project.open(tmp_path / "p") as project:
        assert project.trigger == "nick_wilde"
        wish = project.settings(DownloadSettings)
        assert (wish.query, wish.min_score, wish.top_n, wish.max_short_side) == ("~nick_wilde ~fox", 500, 100, 768)
        assert project.settings(TagSettings).drop_tags == ["hi_res"]
    assert not [row for row in batch.changed if row.key == "remove_tags_list"]


def test_a_typed_trigger_is_taken_and_the_first_plain_tag_is_the_character(tmp_path: Path) -> None:
    import_settings(file_in(tmp_path, {"required_tags": "nick_wilde"}), tmp_path / "p", "nickw")
    with Project.open(tmp_path / "p") as project:
        assert project.trigger == "nickw" and project.settings(ResearchSettings).character == "nick_wilde"


def test_without_a_plain_tag_a_trigger_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Batch 2 .b. requires no tag.*--trigger"):
        import_settings(file_in(tmp_path, {"required_tags": ["fox", "f*"], "batch_folder": ["a", "b"]}), tmp_path / "p")
    assert not (tmp_path / "p").exists()


def test_several_batches_become_projects_with_names_that_windows_takes(tmp_path: Path) -> None:
    names = ["sets/Nick", "sets\\nick", "CON", "a:b?", "/abs/last/", ""]
    told = import_settings(file_in(tmp_path, {"required_tags": "fox", "batch_folder": names, "min_score": 9}), tmp_path / "p")
    folders = [batch.project.name for batch in told.projects.values()]
    assert folders == ["Nick", "nick_2", "CON_character", "a_b", "last", "character"]
    for batch in told.projects.values():
        with Project.open(batch.project) as project:
            assert project.settings(DownloadSettings).min_score == 9


def test_lists_hold_one_value_per_batch_and_scalars_one_for_all(tmp_path: Path) -> None:
    entries = {"required_tags": ["fox", "wolf"], "top_n": [1, -1], "min_score": 7, "batch_folder": ["a", "b"]}
    import_settings(file_in(tmp_path, entries), tmp_path / "p")
    found = [read_tables(tmp_path / "p" / name / "lorasmith.toml") for name in ("a", "b")]
    assert [(each["project"]["trigger"], each["download"]["top_n"], each["download"]["min_score"]) for each in found] == [
        ("fox", 1, 7),
        ("wolf", 0, 7),
    ]


def test_one_trigger_for_several_batches_says_how_they_are_told_apart(tmp_path: Path) -> None:
    told = import_settings(file_in(tmp_path, {"top_n": [1, 2]}), tmp_path / "p", "zorvex")
    assert "their folders tell them apart" in told.notes[-1]
    assert [batch.project.name for batch in told.projects.values()] == ["batch0", "batch0_2"]


def test_several_batches_do_not_go_into_a_project(tmp_path: Path) -> None:
    Project.create(tmp_path / "p", "zorvex").close()
    with pytest.raises(UsageError, match="is a project, and 2 batches"):
        import_settings(file_in(tmp_path, {"top_n": [1, 2]}), tmp_path / "p", "zorvex")


def test_a_project_that_is_there_keeps_its_trigger_and_all_other_settings(tmp_path: Path) -> None:
    chosen = {"train": {"rank": 4}, "site": {"query": "old"}, "download": {"min_score": 1, "query": "older", "connections": 1}}
    Project.create(tmp_path / "p", "mine", chosen=chosen).close()
    told = import_settings(file_in(tmp_path, {"required_tags": "fox"}), tmp_path / "p")
    (batch,) = told.projects.values()
    assert (batch.made, batch.trigger) == (False, "mine")
    tables = read_tables(tmp_path / "p" / "lorasmith.toml")
    assert tables["train"] == {"rank": 4} and tables["site"]["character"] == "fox"
    with Project.open(tmp_path / "p") as project:
        wish = project.settings(DownloadSettings)
    assert (wish.query, wish.min_score, wish.connections) == ("fox", 500, 1)
    with pytest.raises(UsageError, match="the trigger 'mine', not 'other'"):
        import_settings(file_in(tmp_path, {}), tmp_path / "p", "other")


def test_a_project_of_another_family_of_sites_is_left_alone(tmp_path: Path) -> None:
    Project.create(tmp_path / "p", "mine", chosen={"site": {"site": "danbooru"}}).close()
    with pytest.raises(UsageError, match="is a project of danbooru"):
        import_settings(file_in(tmp_path, {"required_tags": "fox"}), tmp_path / "p")


def test_importing_twice_changes_nothing(tmp_path: Path) -> None:
    file = file_in(tmp_path, {"required_tags": "fox", "prepend_tags": "a, b"})
    import_settings(file, tmp_path / "p")
    before = (tmp_path / "p" / "lorasmith.toml").read_text(encoding="utf-8")
    assert not next(iter(import_settings(file, tmp_path / "p").projects.values())).made
    assert (tmp_path / "p" / "lorasmith.toml").read_text(encoding="utf-8") == before


def test_files_beside_the_settings_and_in_the_batchs_folder_are_found_and_missing_ones_told(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "r.csv").write_text("\ufefffox,vulpes\n", encoding="utf-8")
    (tmp_path / "ids.txt").write_text("7\n", encoding="utf-8")
    lists = {"collect_from_listed_posts_file": "ids.txt", "skip_posts_file": "gone.txt", "replace_tags_list": "r.csv"}
    told = import_settings(file_in(tmp_path, {"required_tags": "fox", "batch_folder": "b"} | lists), tmp_path / "p")
    tables = read_tables(tmp_path / "p" / "lorasmith.toml")
    assert tables["tag"]["replace_tags"] == ["fox -> vulpes"] and tables["tag"]["drop_tags"] == []
    assert tables["download"]["collect_from_listed_posts_file"] == str(tmp_path / "ids.txt")
    assert tables["download"]["skip_posts_file"] == str(tmp_path / "gone.txt")
    changed = {row.key: row.here for row in next(iter(told.projects.values())).changed}
    assert "is not there" in changed["skip_posts_file"] and "import again" in changed["remove_tags_list"]
    assert "collect_from_listed_posts_file" not in changed


@pytest.mark.parametrize("line", ["fox", "fox,", ",fox", "a->b,c"])
def test_a_line_of_the_replace_list_that_is_no_pair_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "r.csv").write_text(f"a,b\n\n{line}\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"Line 3 of r\.csv"):
        import_settings(file_in(tmp_path, {"required_tags": "fox", "replace_tags_list": "r.csv"}), tmp_path / "p")


def test_a_tag_list_that_is_no_text_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "remove_tags.txt").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(UsageError, match="save it as UTF-8"):
        import_settings(file_in(tmp_path, {"required_tags": "fox"}), tmp_path / "p")


def test_the_command_tells_projects_changes_and_unknown_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from lorasmith.cli import main

    file = file_in(tmp_path, {"required_tags": "nick_wilde", "include_webm": True, "top_m": 3})
    with pytest.raises(SystemExit) as ended:
        main(["import", str(file), str(tmp_path / "p"), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert not ended.value.code and told["unknown"] == [{"key": "top_m", "nearest": "top_n"}]
    (project,) = told["projects"].values()
    assert {"key": "include_webm", "here": "films cannot be trained on and are left out"} in project["changed"]
    assert {"setting": "site.query", "value": '"nick_wilde"'} in project["settings"]


@pytest.mark.slow
def test_a_download_takes_the_posts_that_the_tool_would_take(tmp_path: Path, booru: DemoBooru) -> None:
    booru.faults.clear()
    entries = {
        "required_tags": f"{NEW_CHARACTER}, solo | {NEW_CHARACTER}, sitting",
        "blacklist": "sketch | simple_background, standing | young",
        "min_score": 20, "min_date": "2022-04", "min_area": 70000, "top_n": 6, "sort_by": "date_asc",
        "max_short_side": 256, "delete_original": True, "include_questionable": False,
    }  # fmt: skip
    import_settings(file_in(tmp_path, entries), tmp_path / "p")
    keep_choice(tmp_path / "p" / "lorasmith.toml", "site", {"site_url": booru.url})
    with Project.open(tmp_path / "p") as project:
        download(project, project.settings(DownloadSettings))
        taken = {picture.name for picture in project.pictures.originals()}

    def tool_takes(post: Any) -> bool:
        tags = {tag for names in post.tags.values() for tag in names}
        required = {NEW_CHARACTER, "solo"} <= tags or {NEW_CHARACTER, "sitting"} <= tags
        unwanted = "sketch" in tags or {"simple_background", "standing"} <= tags or "young" in tags
        large = post.width * post.height >= 70000 and post.score >= 20 and post.created_at >= "2022-04"
        kind = post.ext in ("png", "jpg") and post.rating in "se" and not post.is_deleted and post.visible
        return required and not unwanted and large and kind and "avoid_posting" not in tags

    theirs = [post for post in posts() if NEW_CHARACTER in post.tags.get("character", ())][:24]  # those that the booru has
    wanted = sorted(post.id for post in theirs if tool_takes(post))[:6]
    assert taken == {f"e621_{number}" for number in wanted} and len(taken) > 2
