"""The settings file of the usual e621 downloader: its keys with their defaults, and its batches.

The file is one flat JSON object. A value that is a list holds one entry per batch, all lists are of one length, and any other
value holds for every batch. Facts are those of the tool as its users have it (last changed in 2024); the defaults are those of
the file that comes with it.
"""

import difflib
import json
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lorasmith.errors import UsageError

Value = str | bool | int
LARGEST_FILE = 16 << 20  # bytes; a settings file has two thousand
_KINDS = {bool: "true or false", int: "a whole number", str: "text"}
_ID_OR_MD5 = ("id", "md5")
_SORTS = tuple(f"{what}_{way}" for what in ("score", "fav_count", "date", "id") for way in ("desc", "asc"))
_FORMATS = tuple(f"{dot}{ext}" for ext in ("png", "jpg", "webp") for dot in ("", ".")) + ("same_as_original",)


@dataclass(frozen=True)
class Key:
    """One key: what holds where the file leaves it out (its kind too), and the only values it takes, if there are such."""

    default: Value
    choices: tuple[str, ...] = ()


KEYS: dict[str, Key] = {
    "batch_folder": Key("batch0"),
    "required_tags": Key(""),
    "blacklist": Key(
        "animated | comic | e621 | alpha_channel | young | model_sheet | image_macro | humor | reaction_image | "
        "blursed_image | what_has_science_done | what | nightmare_fuel | where_is_your_god_now | why | "
        "grandfathered_content | low_res"
    ),
    "include_png": Key(True),
    "include_jpg": Key(True),
    "include_gif": Key(False),
    "include_webm": Key(False),
    "include_swf": Key(False),
    "include_explicit": Key(True),
    "include_questionable": Key(True),
    "include_safe": Key(True),
    "min_score": Key(500),
    "min_fav_count": Key(0),
    "min_date": Key("2013"),
    "min_area": Key(262144),
    "top_n": Key(100),
    "sort_by": Key("score_desc", _SORTS),
    "collect_from_listed_posts_file": Key(""),
    "collect_from_listed_posts_type": Key("id", _ID_OR_MD5),
    "apply_filter_to_listed_posts": Key(False),
    "skip_posts_file": Key(""),
    "skip_posts_type": Key("id", _ID_OR_MD5),
    "save_searched_list_type": Key("id", (*_ID_OR_MD5, "None")),
    "save_searched_list_path": Key("list_of_searched_ids.txt"),
    "downloaded_posts_folder": Key("downloaded_posts"),
    "png_folder": Key("downloaded_img_posts"),
    "jpg_folder": Key("downloaded_img_posts"),
    "webm_folder": Key("downloaded_webm_posts"),
    "gif_folder": Key("downloaded_gif_posts"),
    "swf_folder": Key("downloaded_swf_posts"),
    "save_filename_type": Key("id", _ID_OR_MD5),
    "skip_post_download": Key(False),
    "include_tag_file": Key(True),
    "tag_sep": Key(", "),
    "include_explicit_tag": Key(True),
    "include_questionable_tag": Key(True),
    "include_safe_tag": Key(True),
    "reorder_tags": Key(True),
    "tag_order_format": Key("character, species, artist, rating, general, meta"),
    # The file that comes with the tool has placeholders here (my_prepend_tag, ...): nobody wants them who has not written them.
    "prepend_tags": Key(""),
    "append_tags": Key(""),
    "replace_underscores": Key(False),
    "remove_parentheses": Key(False),
    "remove_tags_list": Key("remove_tags.txt"),
    "replace_tags_list": Key(""),
    "tag_count_list_folder": Key("tag_count"),
    "skip_resize": Key(False),
    "max_short_side": Key(768),
    "img_ext": Key("png", _FORMATS),
    "lossy_quality": Key(95),
    "webp_lossless": Key(False),
    "delete_original": Key(False),
    "resized_img_folder": Key("resized_img"),
    "method_tag_files": Key("copy", ("copy", "relocate")),
    # Names of 2023, which people's files still have.
    "min_short_side": Key(768),
    "do_sort": Key(True),
}


@dataclass(frozen=True)
class Batch:
    """One batch: its number from 1, a value for every key, and the keys that stand in the file."""

    number: int
    values: Mapping[str, Value]
    given: frozenset[str]

    def text(self, key: str) -> str:
        """Gives a value that is text."""
        return str(self.values[key])

    def on(self, key: str) -> bool:
        """Says whether a switch is on."""
        return bool(self.values[key])

    def number_of(self, key: str) -> int:
        """Gives a value that is a number."""
        return int(self.values[key])


@dataclass(frozen=True)
class Batches:
    """What a settings file holds: its batches, and the keys that nobody knows with the nearest known one (or nothing)."""

    batches: tuple[Batch, ...]
    unknown: Mapping[str, str]


def read_batches(data: bytes, name: str = "settings.json") -> Batches:
    """Reads a settings file; raises `UsageError` with a sentence that names the file (`name`), the key and the value."""
    entries = _read_object(data, name)
    known = {key: value for key, value in entries.items() if key in KEYS}
    unknown = {key: _nearest(key) for key in entries if key not in KEYS}
    lists = {key: value for key, value in known.items() if isinstance(value, list)}
    count = _batch_count(lists, name)
    for key, value in known.items():
        for entry in value if key in lists else [value]:
            _demand_kind(key, entry, name)
    defaults = {key: row.default for key, row in KEYS.items()}
    batches = []
    for place in range(count):
        given = {key: value[place] if key in lists else value for key, value in known.items()}
        batches.append(Batch(place + 1, defaults | given, frozenset(given)))
    return Batches(tuple(batches), unknown)


def _read_object(data: bytes, name: str) -> dict[str, Any]:
    if len(data) > LARGEST_FILE:
        raise UsageError(f"{name} has {len(data) >> 20} MB, which no settings file has; name the downloader's settings.json.")
    try:
        found = json.loads(data.decode(json.detect_encoding(data)))
    except UnicodeDecodeError as error:
        raise UsageError(f"{name} is not text that can be read ({error.reason}); save it as UTF-8.") from error
    except json.JSONDecodeError as error:
        raise UsageError(
            f"{name} is not JSON (line {error.lineno}: {error.msg}); comments, and a comma after the last entry, are not allowed."
        ) from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, brackets in brackets without end
        raise UsageError(f"{name} is not a settings file of the downloader; name its settings.json.") from error
    if not isinstance(found, dict):
        raise UsageError(f"{name} holds {_named(found)}, not an object; a settings file begins with {{ and has a name for each value.")
    return found


def _batch_count(lists: Mapping[str, list[Any]], name: str) -> int:
    lengths = {key: len(value) for key, value in lists.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{key} has {length}" for key, length in lengths.items())
        raise UsageError(f"The lists of {name} are not of one length ({told}); each needs one entry per batch.")
    if 0 in lengths.values():
        raise UsageError(f"The list of {next(iter(lengths))} in {name} is empty; it needs one entry per batch.")
    return next(iter(lengths.values()), 1)


def _demand_kind(key: str, value: Any, name: str) -> None:
    row = KEYS[key]
    kind = type(row.default)
    fits = type(value) is kind or (kind is bool and type(value) is int and value in (0, 1))
    if not fits:
        raise UsageError(f"{key} in {name} is {_named(value)}; it must be {_KINDS[kind]}.")
    if kind is str and any(_cannot_be_written(value)):
        raise UsageError(f"{key} in {name} has a character that cannot be written; type it anew.")
    if row.choices and value not in row.choices:
        raise UsageError(f"{key} in {name} is {_named(value)}; it must be one of {', '.join(row.choices)}.")


def _cannot_be_written(text: str) -> Iterator[bool]:
    for letter in text:
        yield unicodedata.category(letter) in ("Cc", "Cs") and letter not in "\t\n\r"


def _named(value: Any) -> str:
    """Names a value for a sentence, shortened."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:60]}..."


def _nearest(key: str) -> str:
    return next(iter(difflib.get_close_matches(key, KEYS, n=1, cutoff=0.5)), "")
