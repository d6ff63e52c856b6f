"""What the Tag page asks: pages of pictures by a filter, one picture's tags, offers, thresholds tried, tables, what to look at."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from lorasmith.errors import UsageError
from lorasmith.project.pictures import Picture
from lorasmith.results import plain
from lorasmith.settings.tables import ResearchSettings, TagSettings
from lorasmith.stages.tag.audit import audit_tags
from lorasmith.stages.tag.caption_sets import caption_sets
from lorasmith.stages.tag.captions import outfits_of
from lorasmith.stages.tag.consolidate import consolidate
from lorasmith.stages.tag.index import unknown_words
from lorasmith.stages.tag.offers import offers
from lorasmith.stages.tag.picture_tags import common_of, picture_tags, surroundings_of
from lorasmith.stages.tag.tables import tables_of
from lorasmith.stages.tag.threshold_trial import disagreements_listed, read_scores, thresholds_now, try_thresholds
from lorasmith.tags.boards import vocabulary_of
from lorasmith.tags.filter import places_of, read_filter
from lorasmith.tags.tokens import count_tokens, meter
from lorasmith.ui import html
from lorasmith.ui.answering import Words, asked, fresh
from lorasmith.ui.context import Context
from lorasmith.ui.tag.kept import Kept

PER_PAGE = 100
MOST_COUNTS = 400  # tags listed beside the pictures
MOST_ROWS = 300  # of a table
MOST_NAMES = 40  # pictures a row leads to
_ORDERS: dict[str, Callable[[Kept, int], Any]] = {
    "name": lambda kept, place: place,
    "fewest tags": lambda kept, place: (kept.index.lengths[place], place),
    "most tags": lambda kept, place: (-kept.index.lengths[place], place),
}
_PLACE = re.compile(r"cannot be read at letter (\d+)")


def show(context: Context, request: Request, body: Any) -> Response:
    """Answers one question of the page; a filter that cannot be read is answered with the place of its fault."""
    answer, words = asked("Tag", _ANSWERS, request), request.query_params
    with context.tags.open(context.projects.folder_of(words.get("project", ""))) as kept:
        try:
            return fresh(answer(kept, words))
        except UsageError as error:
            return JSONResponse({"error": str(error)} | place_of_fault(str(error), words.get("where", "")), 400)


def place_of_fault(sentence: str, where: str) -> dict[str, int]:
    """Gives the place in a filter that a sentence tells of, from 0; nothing where it tells of none."""
    found = _PLACE.search(sentence)
    if found:
        return {"place": int(found[1]) - 1}
    return {"place": len(where)} if "cannot be read at its end" in sentence else {}


def _page(kept: Kept, words: Words) -> dict[str, Any]:
    """One page of the pictures that a filter means, the counts of their tags, and what no picture has."""
    chosen = read_filter(words.get("where", ""))
    bits = chosen.holds(kept.index)
    places = list(places_of(bits))
    if words.get("order", "name") in _ORDERS:
        places.sort(key=lambda place: _ORDERS[words.get("order", "name")](kept, place))
    pages = max(1, -(-len(places) // PER_PAGE))
    page = min(max(1, _number(words.get("page"))), pages)
    names = [kept.index.names[place] for place in places]
    shown = names[(page - 1) * PER_PAGE : page * PER_PAGE]
    core = set(_common(kept).core)
    counts = kept.once("counts", kept.index.counts) if bits == kept.index.everything else kept.index.counts(bits)
    return {
        "of": len(kept.index.names), "total": len(places), "page": page, "pages": pages,
        "pictures": [_tile(kept, kept.pictures[name], words.get("project", "")) for name in shown],
        "counts": [[one.tag, one.pictures, one.tag in core] for one in counts[:MOST_COUNTS]], "tags": len(counts),
        "hints": unknown_words(kept.index, chosen), "trigger": kept.project.trigger, "captions": len(kept.captions),
    }  # fmt: skip


def _tile(kept: Kept, picture: Picture, id: str) -> dict[str, Any]:
    caption = kept.captions.get(picture.name)
    return {
        "name": picture.name, "src": html.thumbnail_address(id, picture.file, version=picture.sha256),
        "kind": picture.kind, "tags": kept.index.lengths[kept.index.places[picture.name]],
        "tokens": None if caption is None else count_tokens(caption), "caption": caption or "",
    }  # fmt: skip


def _names(kept: Kept, words: Words) -> dict[str, Any]:
    """The neighbours of a picture among those that a filter means."""
    name = words.get("name", "")
    page = _ordered(kept, words)
    at = page.index(name) if name in page else -1
    return {
        "at": at + 1, "of": len(page), "before": page[at - 1] if at > 0 else None,
        "after": page[at + 1] if at >= 0 and at + 1 < len(page) else (page[0] if at < 0 and page else None),
    }  # fmt: skip


def _ordered(kept: Kept, words: Words) -> list[str]:
    places = list(places_of(read_filter(words.get("where", "")).holds(kept.index)))
    order = words.get("order", "name")
    if order != "name" and order in _ORDERS:
        places.sort(key=lambda place: _ORDERS[order](kept, place))
    return [kept.index.names[place] for place in places]


def _picture(kept: Kept, words: Words) -> dict[str, Any]:
    """All that is known of one picture's tags, its captions with the tokens of each tag, and its neighbours."""
    name = words.get("name", "")
    picture = kept.pictures.get(name)
    if picture is None:
        raise UsageError(f"'{name}' is not trained on any more; go back to the pictures.")
    around = kept.once("surroundings", lambda: surroundings_of(kept.project, len(kept.pictures)))
    found = plain(picture_tags(kept.project, picture, kept.index, around))
    for one in found["captions"]:
        one["meter"] = plain(meter(one["now"]))
    id = words.get("project", "")
    chips = found["chips"]
    for chip in chips:
        chip["pictures"] = kept.index.bits.get(chip["tag"], 0).bit_count()
    return found | {
        "large": html.file_address(id, picture.file), "small": html.thumbnail_address(id, picture.file, 1024, picture.sha256),
        "width": picture.width, "height": picture.height, "kind": picture.kind, "place": _names(kept, words),
    }  # fmt: skip


def _offer(kept: Kept, words: Words) -> dict[str, Any]:
    project = kept.project
    board = vocabulary_of(project.settings(ResearchSettings).site)
    return {"offers": plain(offers(words.get("typed", ""), kept.index, board, tables_of(project)))}


def wished(settings: TagSettings, wish: Mapping[str, Any]) -> dict[str, Any]:
    """Gives the settings of [tag] that a threshold on the page means: of one tag or category, else of all."""
    value, what = wish.get("threshold"), str(wish.get("for", "")).strip()
    try:
        number = round(float(str(value)), 3)
    except ValueError:
        raise UsageError(f"The threshold '{value}' is no number; give one from 0 to 1.") from None
    if not what:
        return {"threshold": number}
    others = [line for line in settings.thresholds if line.partition("->")[0].strip() != what]
    return {"thresholds": [*others, f"{what} -> {number:g}"]}


def _trial(kept: Kept, words: Words) -> dict[str, Any]:
    """What other thresholds would let join or leave."""
    settings = kept.settings
    scores = kept.once("scores", lambda: read_scores(kept.project, list(kept.pictures.values()), settings))
    after = kept.project.settings(TagSettings, wished(settings, words)) if words.get("threshold") else settings
    what = words.get("for", "").strip()
    return plain(try_thresholds(scores, settings, after)) | {
        "threshold": settings.threshold, "lines": settings.thresholds, "taggers": list(scores.taggers),
        "now": thresholds_now(kept.project, settings, what) if what else {},
    }  # fmt: skip


def _consolidation(kept: Kept, words: Words) -> dict[str, Any]:
    """The tables of looks: what goes under the trigger and what stays, as the figures say and as it is set now."""
    name = words.get("set") or kept.settings.caption_set
    return kept.once(f"consolidation:{name}", lambda: _tables(kept, name))


def _tables(kept: Kept, name: str) -> dict[str, Any]:
    found = plain(consolidate(kept.project, caption_set=name, preview=True))
    common = common_of(kept.project, len(kept.pictures), kept.project.settings(TagSettings, {"caption_set": name}))
    outfits = {outfit: sorted(tags) for outfit, tags in outfits_of(kept.project, name).items()}
    by_hand = any(not one.under for one in kept.project.caption_sets.gathered(name))
    found["stays"] = found["stays"][:MOST_ROWS]
    return found | {"now": list(common.core), "by_hand": by_hand, "outfits": outfits, "sets": plain(caption_sets(kept.project))}


def _audit(kept: Kept, words: Words) -> dict[str, Any]:
    found = kept.once("audit", lambda: plain(audit_tags(kept.project, known=(list(kept.pictures.values()), kept.index))))
    rows = [row | {"where": _where_of(row)} for row in found["findings"][:MOST_ROWS]]
    parts = {part: list(found[part].items())[:MOST_ROWS] for part in ("constant", "variable", "rare")}
    return {"findings": rows, "more": len(found["findings"]) - len(rows), "pictures": found["pictures"], **parts}


def _where_of(row: Mapping[str, Any]) -> str:
    """Gives the filter that means the pictures of a finding: an exact one where the filter language has it, else their names."""
    asked = re.search(r"the filter (unset:\w+) means them", str(row["advice"]))
    if asked:
        return asked[1]
    if row["kind"] == "contradiction":
        return " AND ".join(f'"{tag}"' for tag in str(row["what"]).split(" and "))
    return "tokens>75" if row["kind"] == "over-long" else named(row["names"])


def named(names: Sequence[str]) -> str:
    """Gives the filter that means pictures by their names."""
    return " | ".join(f'name:"{name}"' for name in names[:MOST_NAMES])


def _disagreements(kept: Kept, words: Words) -> dict[str, Any]:
    """Where booru and taggers are at odds, by tag: those on most pictures first."""
    return kept.once("disagreements", lambda: _gathered(kept))


def _gathered(kept: Kept) -> dict[str, Any]:
    rows: dict[tuple[str, str], list[tuple[str, float]]] = {}
    for one in disagreements_listed(kept.project, list(kept.pictures.values()), kept.settings):
        rows.setdefault((one.kind, one.tag), []).append((one.picture, max(one.scores.values())))
    order = sorted(rows.items(), key=lambda row: (-len(row[1]), row[0]))
    found = [
        {"kind": kind, "tag": tag, "pictures": len(its), "names": [name for name, _ in its],
         "score": round(sum(score for _, score in its) / len(its), 3), "where": named([name for name, _ in its])}
        for (kind, tag), its in order[:MOST_ROWS]
    ]  # fmt: skip
    return {"rows": found, "more": len(order) - len(found)}


def _common(kept: Kept) -> Any:
    return kept.once("common", lambda: common_of(kept.project, len(kept.pictures), kept.settings))


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 9 else 1


_ANSWERS: dict[str, Callable[[Kept, Words], dict[str, Any]]] = {
    "page": _page, "picture": _picture, "offer": _offer, "trial": _trial, "consolidation": _consolidation,
    "audit": _audit, "disagreements": _disagreements,
}  # fmt: skip
