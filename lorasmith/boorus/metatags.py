"""The metatags of e621's search grammar that a post itself answers: `score:>=5`, `rating:s`, `date:2024-01-01..`."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from lorasmith.boorus.post import Post
from lorasmith.errors import UsageError

Test = Callable[[Post], bool]
Read = Callable[[Post], Any]  # gives what is compared, None where the post does not say
Parse = Callable[[str], Any]

LOOSE = 0.05  # a bare mpixels: or filesize: takes what is that share larger or smaller
# Metatags of the site that only the site can answer: who voted, what was noted, how a post is ranked.
UNTOLD = frozenset(
    "user user_id uploader approver fav favoritedby voted votedup voteddown vote set age duration change_by "
    "gentags arttags conttags copytags chartags spectags invtags metatags lortags "
    "description hasdescription source note noteupdater comment commenter commentcount comment_count noter "
    "notelocked ratinglocked statuslocked locked pending_replacements artverified upvotes downvotes hotness "
    "delreason deletedby flagger disapprover updated hot rank".split()
)
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_DECIMAL = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,9})?")
_SIZE = re.compile(r"(.*?)(kb|mb|b)?", re.DOTALL)
_UNITS = {None: 1, "b": 1, "kb": 1 << 10, "mb": 1 << 20}
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_AGO = re.compile(r"([0-9]{1,5})_(day|week|month|year|decade)s?_ago")
_DAYS = {"day": 1, "week": 7, "month": 30.4375, "year": 365.25, "decade": 3652.5}


def metatag_test(name: str, value: str) -> Test:
    """Gives the test of a metatag; raises `UsageError` when its value cannot be read."""
    try:
        return TOLD[name](value)
    except ValueError as error:
        raise UsageError(f"The search has '{name}:{value}', and {error}; write it as the site does.") from None


def _in_range(read: Read, parse: Parse, loose: float = 0.0) -> Callable[[str], Test]:
    """Makes a metatag that takes one value, a list `a,b`, a range `a..b`, `a..`, `..b`, or `>`, `>=`, `<`, `<=`."""

    def make(value: str) -> Test:
        if "," in value:
            return _holding(read, frozenset(parse(part) for part in value.split(",") if part).__contains__)
        low, dots, high = value.partition("..")
        if dots:
            return _holding(read, _between(parse(low) if low else None, parse(high) if high else None))
        bare = value.lstrip("<>=")
        sign, bound = value[: len(value) - len(bare)], parse(bare)
        if not sign and loose:
            return _holding(read, _between(bound * (1 - loose), bound * (1 + loose)))
        if sign not in _COMPARED:
            raise ValueError(f"'{sign}' compares nothing")
        return _holding(read, _COMPARED[sign](bound))

    return make


def _holding(read: Read, holds: Callable[[Any], bool]) -> Test:
    def test(post: Post) -> bool:
        found = read(post)
        return found is not None and holds(found)

    return test


def _between(low: Any, high: Any) -> Callable[[Any], bool]:
    return lambda found: bool((low is None or low <= found) and (high is None or found <= high))


_COMPARED: dict[str, Callable[[Any], Callable[[Any], bool]]] = {
    "": lambda bound: lambda found: bool(found == bound),
    "<": lambda bound: lambda found: bool(found < bound),
    "<=": lambda bound: lambda found: bool(found <= bound),
    ">": lambda bound: lambda found: bool(found > bound),
    ">=": lambda bound: lambda found: bool(found >= bound),
}


def _whole(text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"'{text}' is not a whole number")
    return int(text)


def _decimal(text: str) -> float:
    if not _DECIMAL.fullmatch(text):
        raise ValueError(f"'{text}' is not a number")
    return float(text)


def _ratio(text: str) -> float:
    """Reads `16:9` or `1.78`."""
    width, colon, height = text.partition(":")
    return round(_decimal(width) / (_decimal(height) or 1.0) if colon else _decimal(width), 2)


def _bytes(text: str) -> int:
    number, unit = _SIZE.fullmatch(text).groups()  # type: ignore[union-attr]  # it fits any text
    return int(_decimal(number) * _UNITS[unit]) if unit else _whole(number)


def _day(text: str) -> str:
    """Reads a day as `YYYY-MM-DD`, `today`, `yesterday` or `5_weeks_ago`."""
    today = datetime.now(UTC).date()
    named = {"today": "0_days_ago", "yesterday": "1_day_ago"}.get(text, text)
    if match := _AGO.fullmatch(named):
        days = int(match[1]) * _DAYS[match[2]]
        return str(today - timedelta(days=days)) if days < today.toordinal() else str(date.min)
    if not _DAY.fullmatch(text):
        raise ValueError(f"'{text}' is not a day like 2024-05-31")
    return text


def _date(value: str) -> Test:
    """Tests the day of upload; `week`, `month`, `year` and `decade` take what is no older."""
    return _days(f">=1_{value}_ago" if value in ("week", "month", "year", "decade") else value)


def _words(read: Read, letters: int | None = None) -> Callable[[str], Test]:
    """Makes a metatag with words as its values, several after commas, of which the first `letters` count."""

    def make(value: str) -> Test:
        return _holding(read, frozenset(word[:letters] for word in value.split(",")).__contains__)

    return make


def _truth(holds: Test) -> Callable[[str], Test]:
    """Makes a metatag that takes true or false."""
    return _either(holds, "true", "false")


def _either(holds: Test, yes: str, no: str) -> Callable[[str], Test]:
    def make(value: str) -> Test:
        if value == yes:
            return holds
        if value == no:
            return lambda post: not holds(post)
        raise ValueError(f"'{value}' is neither {yes} nor {no}")

    return make


def _status(value: str) -> Test:
    if value in ("any", "all"):
        return lambda post: True
    return _either(lambda post: post.is_deleted, "deleted", "active")(value)


def _parent(value: str) -> Test:
    if value in ("any", "none"):
        return _either(_has_parent, "any", "none")(value)
    wanted = _whole(value)
    return lambda post: wanted in (post.parent_id, post.id)


def _pool(value: str) -> Test:
    if value in ("any", "none"):
        return _either(_has_pool, "any", "none")(value)
    wanted = _whole(value)
    return lambda post: wanted in post.pools


def _has_parent(post: Post) -> bool:
    return post.parent_id is not None


def _has_children(post: Post) -> bool:
    return bool(post.children)


def _has_pool(post: Post) -> bool:
    return bool(post.pools)


def shape(post: Post) -> float:
    """Gives width by height; 0 where the site does not say."""
    return post.width / post.height if post.height else 0.0


_days = _in_range(lambda post: post.created_at[:10] or None, _day)
TOLD: Mapping[str, Callable[[str], Test]] = {
    "id": _in_range(lambda post: post.id, _whole),
    "score": _in_range(lambda post: post.score, _whole),
    "favcount": _in_range(lambda post: post.fav_count, _whole),
    "width": _in_range(lambda post: post.width, _whole),
    "height": _in_range(lambda post: post.height, _whole),
    "mpixels": _in_range(lambda post: round(post.area / 1e6, 2), _decimal, LOOSE),
    "ratio": _in_range(lambda post: round(shape(post), 2), _ratio),
    "filesize": _in_range(lambda post: post.size, _bytes, LOOSE),
    "tagcount": _in_range(lambda post: len(post.all_tags), _whole),
    "change": _in_range(lambda post: post.change_seq, _whole),
    "date": _date,
    "rating": _words(lambda post: post.rating, 1),
    "type": _words(lambda post: post.ext),
    "filetype": _words(lambda post: post.ext),
    "md5": _words(lambda post: post.md5),
    "status": _status,
    "parent": _parent,
    "child": _either(_has_children, "any", "none"),
    "ischild": _truth(_has_parent),
    "isparent": _truth(_has_children),
    "pool": _pool,
    "inpool": _truth(_has_pool),
    "hassource": _truth(lambda post: bool(post.sources)),
}
