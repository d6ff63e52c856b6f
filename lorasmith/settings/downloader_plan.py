"""What a batch of the e621 downloader's settings means here: our settings, and what differs.

Pure: what stands in files beside the settings comes in as text (`Beside`).
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from lorasmith.errors import UsageError
from lorasmith.safety import demand_safe_query, demand_safe_text, text_is_refused
from lorasmith.settings.downloader import KEYS, Batch
from lorasmith.settings.stage import StageSettings, unknown_name
from lorasmith.settings.tables import CATEGORIES, DownloadSettings

MOST_TERMS = 39  # the site takes 40 in a search, and one is the key negative
EVERYTHING = "-status:deleted"  # the search that finds every post
_LEAST_AREA = 65536  # pixels; a smaller min_area counts for nothing there
_FIRST_YEAR = "2007"  # an earlier min_date counts for nothing there
_LEAST_SIDE = 256
_DATE = re.compile(r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?")
_NO_TAG = re.compile(r"[-~].*|[()]|(rating|order|limit|randseed|status|score|favcount|id|md5|date|user|fav|pool|set|type):.*")

_PLACES = "pictures lie in images/ of the project, whatever their type and size"
_LISTS = "no list is written: the project's record has every post it took"
# Keys that only say where the tool puts its own files.
TOLD = {
    "batch_folder": "the project's folder takes its place",
    "save_searched_list_type": _LISTS,
    "save_searched_list_path": _LISTS,
    "downloaded_posts_folder": _PLACES,
    "png_folder": _PLACES,
    "jpg_folder": _PLACES,
    "gif_folder": _PLACES,
    "webm_folder": _PLACES,
    "swf_folder": _PLACES,
    "resized_img_folder": _PLACES,
    "save_filename_type": "a file is named by its site and id, such as e621_123.png; the record has its md5",
    "method_tag_files": "tag writes the captions to dataset/, each beside a copy of its picture",
    "tag_count_list_folder": "no lists are written: the page counts the tags of the captions under Tag",
}


@dataclass(frozen=True)
class Beside:
    """What the files hold that a batch names; None for one that is not there.

    The tag lists as text; the lists of posts as full paths, also of one that is not there (then in `missing`).
    """

    remove_tags: str | None = None
    replace_tags: str | None = None
    listed_posts: str = ""
    skipped_posts: str = ""
    missing: frozenset[str] = frozenset()  # keys of post lists that are not there


@dataclass
class Plan:
    """Our settings by table, what differs here (key -> sentence), and the first plain tag that every post of a group has."""

    site: dict[str, Any] = field(default_factory=dict)
    download: dict[str, Any] = field(default_factory=dict)
    tag: dict[str, Any] = field(default_factory=dict)
    changed: dict[str, str] = field(default_factory=dict)
    plain_tag: str = ""

    @property
    def tables(self) -> dict[str, dict[str, Any]]:
        """The settings as tables of lorasmith.toml."""
        return {"site": self.site, "download": self.download, "tag": self.tag}

    def tell(self, key: str, sentence: str) -> None:
        """Notes what differs here for a key."""
        self.changed[key] = f"{self.changed[key]}; {sentence}" if key in self.changed else sentence


def plan(batch: Batch, beside: Beside = Beside()) -> Plan:
    """Says what a batch means here; raises `UsageError` for what the downloader refuses too, `RefusedError` for refused tags."""
    made = Plan()
    parts: tuple[Callable[[Batch, Beside, Plan], None], ...] = (
        _search, _filters, _lists, _sizes, _ends, _order, _spelling, _tag_lists,
    )  # fmt: skip
    for part in parts:
        part(batch, beside, made)
    for key, sentence in TOLD.items():
        if key in batch.given:
            made.tell(key, sentence)
    return made


# which posts


def _search(batch: Batch, _: Beside, made: Plan) -> None:
    required = _groups(batch, "required_tags")
    for group in required:
        demand_safe_query(" ".join(group))
    made.plain_tag = next((tag for group in required for tag in group if "*" not in tag), "")
    made.site["required_tags"] = [", ".join(group) for group in required]
    made.site["query"] = _query(required, made)
    lines, refused, overruled = [], 0, []
    for group in _groups(batch, "blacklist"):
        if any(map(text_is_refused, group)):
            refused += 1
        elif any(set(group) <= set(wanted) for wanted in required):
            overruled.append(" with ".join(group))
        else:
            lines.append(", ".join(group))
    made.site["blacklist"] = lines
    if refused:
        made.tell("blacklist", f"{_count(refused, 'entry', 'entries')} left out: always refused here, with no need to ask")
    if overruled:
        made.tell("blacklist", f"not applied, as there, because required_tags asks for it: {', '.join(overruled)}")


def _groups(batch: Batch, key: str) -> list[tuple[str, ...]]:
    """Reads `a, b | c`: groups of tags in small letters, spaces inside a tag as underscores."""
    found = []
    for group in batch.text(key).lower().split("|"):
        tags = ["_".join(tag.split()) for tag in group.split(",")]
        tags = list(dict.fromkeys(tag for tag in tags if tag))
        for tag in tags:
            if _NO_TAG.fullmatch(tag) and not text_is_refused(tag):
                raise UsageError(
                    f"{key} of batch {batch.number} has '{tag}', which is no tag: the downloader knows no '-' and no "
                    "search words there; take it out."
                )
        if tags:
            found.append(tuple(tags))
    return list(dict.fromkeys(found))


def _query(required: list[tuple[str, ...]], made: Plan) -> str:
    """Builds a search that finds every post with one of the groups; what it finds besides, required_tags sorts out."""
    if not required:
        made.tell("required_tags", "empty, so every post of the site is gone through, which takes long without `export`")
        return EVERYTHING
    # A wildcard stands for the 40 most used tags only, so it is left to required_tags wherever another tag narrows the search.
    asked = [[tag for tag in group if "*" not in tag] or [group[0]] for group in required]
    if any("*" in terms[0] for terms in asked):
        made.tell("required_tags", "the site reads * as its 40 most used tags; with `export` it means all of them")
    # What a shorter group finds, a longer one with the same terms need not ask for again.
    asked = [list(terms) for terms in dict.fromkeys(map(tuple, asked)) if not any(set(each) < set(terms) for each in asked)]
    if len(asked) == 1:
        return " ".join(asked[0][:MOST_TERMS])
    if sum(map(len, asked)) > MOST_TERMS:
        asked = [terms[:1] for terms in asked]
    if len(asked) > MOST_TERMS:
        lost = len(asked) - MOST_TERMS
        made.tell(
            "required_tags",
            f"a search takes {MOST_TERMS} terms, so the last {_count(lost, 'group', 'groups')} are not asked for; "
            "split the batch",
        )
    terms = asked[:MOST_TERMS]
    return " ".join(f"~{each[0]}" if len(each) == 1 and "*" not in each[0] else f"~( {' '.join(each)} )" for each in terms)


def _filters(batch: Batch, _: Beside, made: Plan) -> None:
    types = [name for name in ("png", "jpg", "gif") if batch.on(f"include_{name}")]
    if not types:
        raise UsageError(
            f"Batch {batch.number} takes no pictures: include_png, include_jpg and include_gif are all false, and films "
            "cannot be trained on; set one of them to true."
        )
    ratings = [name[0] for name in ("safe", "questionable", "explicit") if batch.on(f"include_{name}")]
    if not ratings:
        raise UsageError(
            f"Batch {batch.number} takes no rating: include_safe, include_questionable and include_explicit are all false; "
            "set one of them to true."
        )
    made.site |= {"file_types": types, "ratings": ratings}
    if batch.on("include_gif"):
        made.tell("include_gif", "the first frame of each is taken")
    for name, what in (("webm", "films"), ("swf", "Flash files")):
        if batch.on(f"include_{name}"):
            made.tell(f"include_{name}", f"{what} cannot be trained on and are left out")
    area, day = batch.number_of("min_area"), batch.text("min_date")
    if not _DATE.fullmatch(day):
        raise UsageError(f"min_date of batch {batch.number} is '{day}'; write it as 2013, 2013-05 or 2013-05-31.")
    made.site["min_area"] = _within(made, "min_area", area) if area >= _LEAST_AREA else 0
    made.site["min_fav_count"] = _within(made, "min_fav_count", max(0, batch.number_of("min_fav_count")))
    made.site["min_date"] = day if day >= _FIRST_YEAR else ""
    made.download["min_score"] = _within(made, "min_score", batch.number_of("min_score"))
    top = _within(made, "top_n", max(0, batch.number_of("top_n")))
    made.download |= {"top_n": top, "sort_by": _sort_by(batch, made) if top else KEYS["sort_by"].default}


def _sort_by(batch: Batch, made: Plan) -> str:
    if "do_sort" not in batch.given:
        return batch.text("sort_by")
    if "sort_by" in batch.given:
        made.tell("do_sort", "an old name: sort_by is there too and holds")
        return batch.text("sort_by")
    sort = "score_desc" if batch.on("do_sort") else "id_asc"
    made.tell("do_sort", f"an old name: read as sort_by = {sort}")
    return sort


def _within(made: Plan, key: str, value: int, model: type[StageSettings] = DownloadSettings) -> int:
    """Gives the nearest number that our setting of the same name takes, and tells where that is another one."""
    lowest, highest = 0, 2**31 - 1
    for bound in model.model_fields[key].metadata:
        lowest, highest = getattr(bound, "ge", lowest), getattr(bound, "le", highest)
    nearest = min(max(value, lowest), highest)
    if nearest != value:
        made.tell(key, f"{nearest} is the {'most' if value > nearest else 'least'} it can be here")
    return nearest


def _lists(batch: Batch, beside: Beside, made: Plan) -> None:
    made.download["collect_from_listed_posts_file"] = beside.listed_posts
    made.download["apply_filter_to_listed_posts"] = batch.on("apply_filter_to_listed_posts")
    made.download["skip_posts_file"] = beside.skipped_posts
    for key in sorted(beside.missing):
        made.tell(key, f"'{batch.text(key)}' is not there; download needs it: put it there, or change the setting")
    for key in ("collect_from_listed_posts_type", "skip_posts_type"):
        if key in batch.given:
            made.tell(key, "each line of the list is known by its looks as an id or an md5")
    if batch.on("skip_post_download"):
        made.tell("skip_post_download", "nothing is fetched before you run download; research only looks")


# how large


def _sizes(batch: Batch, _: Beside, made: Plan) -> None:
    key = "max_short_side"
    if "min_short_side" in batch.given:
        if key in batch.given:
            made.tell("min_short_side", "an old name: max_short_side is there too and holds")
        else:
            key = "min_short_side"
            made.tell(key, "an old name: read as max_short_side")
    side = batch.number_of(key)
    if 0 <= side < _LEAST_SIDE:
        raise UsageError(f"{key} of batch {batch.number} is {side}; the downloader takes {_LEAST_SIDE} and more, or -1 for none.")
    side = 0 if batch.on("skip_resize") or side < 0 else _within(made, "max_short_side", side)
    made.download |= {"max_short_side": side, "delete_original": bool(side) and batch.on("delete_original")}
    ext = batch.text("img_ext").removeprefix(".")
    if ext != "png":
        made.tell("img_ext", "a picture that is made smaller is kept as PNG, which loses nothing")
    quality = batch.number_of("lossy_quality")
    if not 0 <= quality <= 100:
        raise UsageError(f"lossy_quality of batch {batch.number} is {quality}; it goes from 0 to 100.")
    for name in ("lossy_quality", "webp_lossless"):
        if name in batch.given and ext != "png":
            made.tell(name, "nothing is kept as JPEG or WebP, so it counts for nothing")


# what the captions say


def _ends(batch: Batch, _: Beside, made: Plan) -> None:
    separator = batch.text("tag_sep")
    if not separator:
        raise UsageError(f"tag_sep of batch {batch.number} is empty; write ', '.")
    if separator.strip() != ",":
        made.tell("tag_sep", "captions always part their tags by ', '")
    for key in ("prepend_tags", "append_tags"):
        tags = ["_".join(tag.split()) for tag in batch.text(key).split(separator)]
        made.tag[key] = list(dict.fromkeys(tag for tag in tags if tag))
        demand_safe_text("\n".join(made.tag[key]), f"{key} of batch {batch.number}")
    if made.tag["prepend_tags"]:
        kept = 1 + len(made.tag["prepend_tags"])
        made.tell("prepend_tags", f"they follow the trigger; training shuffles them unless keep_tokens under [train] is {kept}")


def _order(batch: Batch, _: Beside, made: Plan) -> None:
    order = list(dict.fromkeys(name for part in batch.text("tag_order_format").split(",") if (name := part.strip())))
    if not order:
        raise UsageError(f"tag_order_format of batch {batch.number} is empty; name at least one category, such as general.")
    for name in order:
        if name not in CATEGORIES:
            start = f"tag_order_format of batch {batch.number} has no category '{name}'"
            raise UsageError(unknown_name(name, list(CATEGORIES), start))
    made.tag["category_order"] = order
    if not batch.on("reorder_tags"):
        made.tell("reorder_tags", "tags stand by category here too; training shuffles them, so that their order does not count")


def _spelling(batch: Batch, _: Beside, made: Plan) -> None:
    words = [name[0] for name in ("safe", "questionable", "explicit") if batch.on(f"include_{name}_tag")]
    made.tag |= {"rating_tags": words, "underscores": not batch.on("replace_underscores")}
    made.tag["remove_parentheses"] = batch.on("remove_parentheses")
    if batch.on("replace_underscores"):
        made.tell("replace_underscores", "drawn tags such as ^_^ keep theirs")
    if batch.on("remove_parentheses"):
        made.tell("remove_parentheses", "drawn tags such as :) keep theirs")
    if "include_tag_file" in batch.given and not batch.on("include_tag_file"):
        made.tell("include_tag_file", "training needs captions: tag always writes them")


def _tag_lists(batch: Batch, beside: Beside, made: Plan) -> None:
    removed = _read_lines(batch, "remove_tags_list", beside.remove_tags, made)
    tags = ["_".join(line.split()) for _, line in removed]
    refused = sum(map(text_is_refused, tags))
    made.tag["drop_tags"] = list(dict.fromkeys(tag for tag in tags if not text_is_refused(tag)))
    if refused:
        made.tell("remove_tags_list", f"{_count(refused, 'tag', 'tags')} left out: always refused here")
    replaced: dict[str, str] = {}
    for number, line in _read_lines(batch, "replace_tags_list", beside.replace_tags, made):
        old, new = ("_".join(cell.split()) for cell in (*line.split(","), "", "")[:2])
        if not old or not new or "->" in old + new:
            raise UsageError(f"Line {number} of {batch.text('replace_tags_list')} is not old,new; correct it.")
        demand_safe_text(new, f"replace_tags_list of batch {batch.number}")
        if not text_is_refused(old):
            replaced[old] = new
    made.tag["replace_tags"] = [f"{old} -> {new}" for old, new in replaced.items()]


def _read_lines(batch: Batch, key: str, text: str | None, made: Plan) -> Iterable[tuple[int, str]]:
    """Gives the lines of a tag list that have something on them, with their numbers; a list that is not there is told."""
    if batch.text(key) and text is None:
        made.tell(
            key,
            f"'{batch.text(key)}' is neither beside the settings file nor in the batch's folder, so nothing is taken from it; "
            "put it there and import again",
        )
    lines = enumerate((text or "").splitlines(), 1)
    return [(number, line.strip()) for number, line in lines if line.strip()]


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
