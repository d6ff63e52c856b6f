"""What the Prune page asks: pages of pictures, one picture with all that speaks against it, twins, coverage, what would leave."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from lorasmith.errors import UsageError
from lorasmith.project.pictures import PERSON, Decision, Picture
from lorasmith.results import plain
from lorasmith.settings.tables import PruneSettings
from lorasmith.stages.prune.look import Change, Family, preview, reasons_against
from lorasmith.stages.prune.reason_words import bare, how_sure, is_told_only, sentence
from lorasmith.stages.prune.reasons import sureness
from lorasmith.stages.prune.stage import candidate_of
from lorasmith.stages.tag.index import unknown_words
from lorasmith.tags.coverage import Share, band_of
from lorasmith.tags.filter import read_filter
from lorasmith.ui import html
from lorasmith.ui.answering import Words, asked, fresh
from lorasmith.ui.context import Context
from lorasmith.ui.prune.kept import Look

PER_PAGE = 100
_FAMILIES = 20  # on a page
_MOST_SHOWN = 120  # pictures of a preview that are shown
_MOST_SIZE = 10_000


def show(context: Context, request: Request, body: Any) -> Response:
    """Answers one question of the page."""
    answer, words = asked("Prune", _ANSWERS, request), request.query_params
    with context.prune.open(context.projects.folder_of(words.get("project", ""))) as look:
        return fresh(answer(look, words))


# which pictures


def chosen(look: Look, words: Words) -> list[Picture]:
    """Gives the pictures that the choices of the page mean, in its order."""
    found = list(look.chosen(_bits(look, words)))
    key = _ORDERS.get(words.get("order", "name"))
    if key is not None:
        found.sort(key=lambda one: (key(look, one), one.name))
    return found[::-1] if words.get("down") else found


def _bits(look: Look, words: Words) -> int:
    """Gives the pictures that are meant, a bit each."""
    bits = _verdict_bits(look, words.get("show", "all")) & look.shown
    if words.get("part"):
        having = look.features.get((words["part"], words.get("value", "")), 0)
        bits &= look.measured & ~having if words.get("without") else having
    if words.get("where", "").strip():
        bits &= read_filter(words["where"]).holds(look.index)
    return bits


def _verdict_bits(look: Look, show: str) -> int:
    if show in ("all", "kept", "dropped", "perhaps", "by hand"):
        return {
            "all": lambda: look.shown, "kept": lambda: ~look.dropped, "dropped": lambda: look.dropped,
            "perhaps": lambda: look.perhaps, "by hand": lambda: look.by_hand,
        }[show]()  # fmt: skip
    return look.bits(lambda word: word is not None and word.maker != PERSON and word.reason == show)


def _sharpness(look: Look, one: Picture) -> float:
    seen = look.measures.get(one.sha256)
    return seen.sharpness if seen else -1.0


def _surest(look: Look, one: Picture) -> float:
    word = look.decisions.get(one.name)
    return -1.0 if word is None or word.maker == PERSON else sureness(word)


_ORDERS: dict[str, Callable[[Look, Picture], float]] = {
    "score": lambda look, one: float(one.post.get("score") or 0),
    "size": lambda look, one: float(one.width * one.height),
    "sharpness": _sharpness,
    "quality": lambda look, one: look.quality.get(one.name, -1.0),
    "how sure": _surest,
}


def _page(look: Look, words: Words) -> dict[str, Any]:
    """One page of the chosen pictures, and how many there are of each kind."""
    found = chosen(look, words)
    pages = max(1, -(-len(found) // PER_PAGE))
    page = min(max(1, _number(words.get("page"))), pages)
    where = words.get("where", "").strip()
    return counts(look) | {
        "total": len(found), "page": page, "pages": pages, "per_page": PER_PAGE,
        "pictures": [tile(look, one, words) for one in found[(page - 1) * PER_PAGE : page * PER_PAGE]],
        "hints": unknown_words(look.index, read_filter(where)) if where else (),
    }  # fmt: skip


def counts(look: Look) -> dict[str, Any]:
    """Counts the pictures of each kind and reason."""
    reasons = sorted(look.reasons().items(), key=lambda row: (row[0][0], -row[1], row[0][1]))
    return {
        "of": look.shown.bit_count(),
        "counts": {
            "all": look.shown.bit_count(), "kept": (look.shown & ~look.dropped).bit_count(), "dropped": look.dropped.bit_count(),
            "perhaps": look.perhaps.bit_count(), "by hand": look.by_hand.bit_count(),
        },
        "reasons": [{"verdict": verdict, "reason": reason, "pictures": count} for (verdict, reason), count in reasons],
        "to": look.settings.to,
    }  # fmt: skip


def _names(look: Look, words: Words) -> dict[str, Any]:
    """The names of all chosen pictures in their order: what a person goes through one by one."""
    return {"names": [one.name for one in chosen(look, words)]}


# one picture


def tile(look: Look, one: Picture, words: Words) -> dict[str, Any]:
    """Gives what a tile says of a picture."""
    word, seen = look.decisions.get(one.name), look.measures.get(one.sha256)
    return {
        "name": one.name, "src": html.thumbnail_address(words.get("project", ""), one.file, version=one.sha256),
        "width": one.width, "height": one.height, "score": one.post.get("score") if one.post.get("site") else None,
        "sharpness": None if seen is None else round(seen.sharpness, 2), **_verdict(word),
    }  # fmt: skip


def _verdict(word: Decision | None) -> dict[str, Any]:
    if word is None:
        return {"verdict": "keep", "hand": False, "reason": "", "why": "", "sure": None, "perhaps": False}
    hand = word.maker == PERSON
    return {
        "verdict": word.verdict, "hand": hand, "reason": "" if hand else bare(word.reason), "why": sentence(word),
        "sure": None if hand else how_sure(word), "perhaps": is_told_only(word),
    }  # fmt: skip


def _picture(look: Look, words: Words) -> dict[str, Any]:
    """All that is known of one picture: every reason with its sentence, a person's word, facts, tags, its family."""
    one = look.picture(words.get("name", ""))
    if one is None:
        raise UsageError(f"There is no picture '{words.get('name', '')}' any more; go back to the pictures.")
    id, mine = words.get("project", ""), [family for family in _of_picture(look, one.name)]
    tags: dict[str, list[str]] = {}
    for tag, category in sorted(look.project.pictures.said(one.name).items()):
        tags.setdefault(category, []).append(tag)
    return tile(look, one, words) | {
        "large": html.file_address(id, one.file), "view": html.thumbnail_address(id, one.file, 1024, one.sha256),
        "chips": _chips(look, one), "facts": _facts(look, one), "tags": sorted(tags.items()),
        "sources": _sources(one),
        "families": [_family(look, family, words) for family in mine],
        "shows": [f"{part}: {value.replace('_', ' ')}" for part, value in _shown(look, one)],
    }  # fmt: skip


def _chips(look: Look, one: Picture) -> list[dict[str, Any]]:
    """Lists what speaks against a picture: what prune said of it, then every other reason that can be seen now."""
    said, seen = look.said.get(one.name), look.measures.get(one.sha256)
    found = [said] if said is not None and (said.verdict == "drop" or is_told_only(said)) else []
    if seen is not None and one.origin != "render":
        candidate = candidate_of(one, seen, look.project.pictures.said(one.name))
        known = {bare(word.reason) for word in found}
        found += [word for word in reasons_against(candidate, look.settings) if bare(word.reason) not in known]
    sure = look.settings.sure
    return [
        {"reason": bare(word.reason), "why": sentence(word), "sure": how_sure(word),
         "drops": word.verdict == "drop" and sureness(word) >= sure}
        for word in found
    ]  # fmt: skip


def _facts(look: Look, one: Picture) -> list[tuple[str, str]]:
    post, seen = one.post, look.measures.get(one.sha256)
    facts = [("size", f"{one.width} x {one.height}"), ("file", f"{one.file.rpartition('/')[2]}, {one.bytes / 1024:.0f} KB")]
    if seen is not None:
        facts += [("sharpness", f"{seen.sharpness:.2f}"), ("blocks", f"{seen.blockiness:.2f}")]
    if one.name in look.quality:
        facts.append(("quality", f"{look.quality[one.name]:.2f}"))
    if post.get("site"):
        facts += [("post", f"{post['site']} {post.get('id', '')}"), ("score", str(post.get("score", 0)))]
        facts += [(name, str(post[key])) for name, key in (("favourites", "fav_count"), ("rating", "rating")) if post.get(key)]
    else:
        facts.append(("origin", {"folder": "your own", "render": "a render that came back"}.get(one.origin, one.origin)))
    return facts


def _sources(one: Picture) -> list[str]:
    """Lists the address of a post's page, then what it says of where it comes from."""
    from lorasmith.boorus.sites import SITES

    site, number = SITES.get(str(one.post.get("site"))), one.post.get("id")
    page = [site.page(number)] if site and isinstance(number, int) else []
    return page + [str(source) for source in one.post.get("sources") or ()]


def _shown(look: Look, one: Picture) -> list[tuple[str, str]]:
    place = look.still.places[one.name]
    return sorted(feature for feature, bits in look.features.items() if bits >> place & 1)


# families


def _of_picture(look: Look, name: str) -> list[Family]:
    return [family for family in look.families() if name in family.members]


def _family(look: Look, family: Family, words: Words) -> dict[str, Any]:
    tiles = [tile(look, one, words) for name in family.members if (one := look.picture(name)) is not None]
    why = {**family.why, family.best: "the best of them" if family.kind == "twins" else "the highest score"}
    return {"kind": family.kind, "best": family.best, "members": [one | {"beside": why[one["name"]]} for one in tiles]}


def _families(look: Look, words: Words) -> dict[str, Any]:
    """One page of the families of twins and versions."""
    found = look.families()
    pages = max(1, -(-len(found) // _FAMILIES))
    page = min(max(1, _number(words.get("page"))), pages)
    part = found[(page - 1) * _FAMILIES : page * _FAMILIES]
    return {"total": len(found), "page": page, "pages": pages, "families": [_family(look, one, words) for one in part]}


# coverage


def coverage(look: Look, words: Words) -> dict[str, Any]:
    """How the kept pictures are spread, with what is wanted, and what to do about it: each row leads to its pictures."""
    pictures, rows = look.coverage()
    return {
        "pictures": pictures,
        "rows": [_bar(row) for row in rows],
        "advice": [_advice(look, row) for row in rows if row.advice],
        "unmeasured": sum(one.sha256 not in look.measures for one in look.chosen(look.shown) if one.origin != "render"),
        "toggles": len(look.toggles),
    }  # fmt: skip


def _bar(row: Share) -> dict[str, Any]:
    least, most = band_of(row.part, row.value)
    return {
        "part": row.part, "value": row.value, "pictures": row.pictures, "share": round(row.share, 4),
        "least": least, "most": most, "advice": row.advice,
    }  # fmt: skip


def _advice(look: Look, row: Share) -> dict[str, Any]:
    """Gives a row of advice, and which pictures help: dropped ones to take back, or the weakest kept ones to drop."""
    least, _ = band_of(row.part, row.value)
    few = row.share < least
    without = row.part == "toggle" and not few
    query = {"part": row.part, "value": row.value, "order": "quality"}
    query |= {"show": "dropped", "down": "1"} if few or without else {"show": "kept"}
    if without:
        query["without"] = "1"
    return {"part": row.part, "value": row.value, "words": row.advice, "query": query, "pictures": _bits(look, query).bit_count()}


# the best so many


def _best(look: Look, words: Words) -> dict[str, Any]:
    """What would leave and come back if the best so many were chosen."""
    settings = look.project.settings(PruneSettings, {"to": size_of(words.get("to"))})
    found = preview(look.project, settings, look.measures)

    def listed(changes: tuple[Change, ...]) -> list[dict[str, Any]]:
        pictures = ((look.picture(one.name), one.why) for one in changes[:_MOST_SHOWN])
        return [tile(look, one, words) | {"beside": why} for one, why in pictures if one is not None]

    return {
        "to": settings.to, "pictures": found.pictures, "kept_now": found.kept_now, "kept_then": found.kept_then,
        "leaves": len(found.leaves), "comes": len(found.comes), "unmeasured": found.unmeasured,
        "leaving": listed(found.leaves), "coming": listed(found.comes),
        "advice": [plain(row) for row in found.balance.rows if row.advice], "by_hand": look.by_hand.bit_count(),
    }  # fmt: skip


def size_of(given: Any) -> int:
    """Reads how many pictures are wanted; 0 keeps all that are fit."""
    text = str(given).strip() if not isinstance(given, bool) else ""
    if not text.isdecimal() or int(text[:9]) > _MOST_SIZE:
        raise UsageError(f"Give how many pictures are wanted, from 1 to {_MOST_SIZE}; 0 keeps all that are fit.")
    return int(text)


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 9 else 1


_ANSWERS: dict[str, Callable[[Look, Words], dict[str, Any]]] = {
    "page": _page, "names": _names, "picture": _picture, "families": _families, "coverage": coverage, "best": _best,
}  # fmt: skip
