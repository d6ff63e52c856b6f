"""Coverage: how a set is spread over outfits, views, framings, poses and hands that drew it; and which pictures to take."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heapreplace

from lorasmith.tags.crops import kind_of_framing
from lorasmith.tags.groups import group_of

LEAST_TOGGLE, MOST_TOGGLE = 0.25, 0.75  # of the pictures: seen often enough, and often enough not
MOST_ARTIST = 0.25
# part -> (least share of each of these values, most share of any value); a value with share 0 wanted is only capped
WISHES: dict[str, tuple[Mapping[str, float], float]] = {
    "framing": ({"head": 0.10, "upper": 0.15, "body": 0.20}, 0.7),
    "view": ({"front": 0.30, "side": 0.10, "back": 0.05, "three-quarter": 0.05}, 0.8),
    "pose": ({}, 0.5),
    "expression": ({}, 0.6),
    "background": ({"simple": 0.15, "scene": 0.25}, 0.7),
    "artist": ({}, MOST_ARTIST),
    "style": ({}, 0.5),
}
_VIEWS = {
    "front_view": "front", "straight-on": "front", "from_behind": "back", "rear_view": "back", "from_side": "side",
    "side_view": "side", "profile": "side", "three-quarter_view": "three-quarter", "looking_back": "back",
}  # fmt: skip
_SIMPLE = ("simple_background", "white_background", "transparent_background", "grey_background", "gradient_background")
_FEW = 0.02  # values on fewer pictures are not told


@dataclass(frozen=True)
class Member:
    """One picture of a set: what it shows by part (`view` -> {"back"}), and how good it is, 0 to 1."""

    name: str
    quality: float
    shows: Mapping[str, frozenset[str]]
    must: bool = False  # a person's keep

    def features(self) -> list[tuple[str, str]]:
        """Lists (part, value)."""
        return [(part, value) for part, values in sorted(self.shows.items()) for value in sorted(values)]


@dataclass(frozen=True)
class Share:
    """How often one value of a part is in a set, and what should be done about it (empty: nothing)."""

    part: str
    value: str
    pictures: int
    share: float
    advice: str = ""


@dataclass(frozen=True)
class Picked:
    """The set that was picked, in the order of picking, with the reason of each; and why others were not."""

    names: tuple[str, ...]
    reasons: Mapping[str, str] = field(default_factory=dict)
    left: Mapping[str, str] = field(default_factory=dict)


def shows(tags: Sequence[str], artists: Sequence[str], toggles: Sequence[str]) -> dict[str, frozenset[str]]:
    """Sorts a picture's tags into the parts that coverage looks at."""
    groups: dict[str, set[str]] = {part: set() for part in ("toggle", *WISHES)}
    for tag in tags:
        group = group_of(tag)
        if tag in toggles:
            groups["toggle"].add(tag)
        if group == "framing":
            groups["framing"].add(kind_of_framing(tag))
        elif tag in _VIEWS:
            groups["view"].add(_VIEWS[tag])
        elif group in ("pose", "expression", "style") and not tag.endswith("_(artwork)"):  # the medium is no style
            groups[group].add(tag)
        elif group == "background":
            groups["background"].add("simple" if tag in _SIMPLE else "scene")
    if len(groups["framing"]) > 1:  # e621's `portrait` is implied by all framings: the widest one is meant
        groups["framing"] = {next(kind for kind in ("body", "upper", "head") if kind in groups["framing"])}
    if "simple" in groups["background"]:
        groups["background"] = {"simple"}
    groups["view"] = groups["view"] or {"front"}  # nobody tags what is usual
    groups["artist"] = set(artists)
    return {part: frozenset(values) for part, values in groups.items() if values}


def coverage(members: Sequence[Member], toggles: Sequence[str] = ()) -> list[Share]:
    """Tells each part's values with their share and what to do; the toggles first, then what is wanted and missing."""
    counts = Counter(feature for member in members for feature in member.features())
    return coverage_of_counts(counts, len(members), toggles)


def coverage_of_counts(counts: Counter[tuple[str, str]], total: int, toggles: Sequence[str] = ()) -> list[Share]:
    """Tells the same of a set of `total` pictures from how many of them have each (part, value)."""
    if not total:
        return []
    rows = [toggle_share(toggle, counts["toggle", toggle], total) for toggle in toggles]
    for part, (wanted, most) in WISHES.items():
        values = {value for found, value in counts if found == part} | set(wanted)
        ranked = sorted(values, key=lambda value: (-counts[part, value], value))
        for value in ranked:
            count = counts[part, value]
            if count >= _FEW * total or value in wanted:
                rows.append(Share(part, value, count, count / total, _advice(part, value, count, total, wanted, most)))
    return rows


def toggle_share(toggle: str, count: int, total: int) -> Share:
    """Tells how a toggle stands: seen often enough, and often enough not."""
    advice = ""
    if count < LEAST_TOGGLE * total:
        advice = f"add {_missing(count, total, LEAST_TOGGLE)} with it, or take it off the sheet: too rare to learn"
    elif count > MOST_TOGGLE * total:
        advice = f"add {_missing(total - count, total, 1 - MOST_TOGGLE)} without it, or count it as a core look"
    return Share("toggle", toggle, count, count / total, advice)


def band_of(part: str, value: str) -> tuple[float, float]:
    """Gives the least and the most share of a set that a value of a part should have."""
    if part == "toggle":
        return LEAST_TOGGLE, MOST_TOGGLE
    wanted, most = WISHES[part]
    return wanted.get(value, 0.0), most


def _advice(part: str, value: str, count: int, total: int, wanted: Mapping[str, float], most: float) -> str:
    if count < wanted.get(value, 0.0) * total:
        return f"add {_missing(count, total, wanted[value])}"
    if total >= 4 and count > most * total:
        return f"more than {most:.0%} of the set: add others, or drop some"
    return ""


def _missing(count: int, total: int, share: float) -> int:
    """Gives how many more pictures make `count` of `total` a share of the then larger set."""
    return max(1, -int(-(share * total - count) // (1 - share)))


def pick(members: Sequence[Member], size: int, toggles: Sequence[str] = ()) -> Picked:
    """Picks the set of `size` that is best in quality while it fills what coverage wants; always the same one.

    Greedy: each step takes the member whose quality and use for the set together are greatest. A part that is still short
    of its least share draws; one that would pass its most repels. A person's keeps come first, whatever they bring.
    """
    least, most = _quotas(size, toggles)
    counts: Counter[tuple[str, str]] = Counter()
    queues = _queues(members)
    names: list[str] = []
    reasons: dict[str, str] = {}

    def key(place: int) -> tuple[bool, float, float, str, int]:
        one = queues[place][-1]
        return not one.must, -_use(one, counts, least, most), -one.quality, one.name, place

    # Nobody's use grows while the set does, so that whoever is first by a new look at it alone is first among all.
    heap = [key(place) for place in range(len(queues))]
    heapify(heap)
    while heap and len(names) < size:
        place = heap[0][-1]
        if heap[0] == (now := key(place)):
            best = queues[place].pop()
            reasons[best.name] = _why(best, counts, least)
            names.append(best.name)
            counts.update(best.features())
            if not queues[place]:
                heappop(heap)
                continue
            now = key(place)
        heapreplace(heap, now)
    left = sorted((one for queue in queues for one in queue), key=lambda one: one.name)
    return Picked(tuple(names), reasons, {one.name: _why_not(one, counts, most) for one in left})


def _queues(members: Sequence[Member]) -> list[list[Member]]:
    """Puts those that show the same together, the next to be taken last: only that one is looked at."""
    queues: dict[tuple[object, ...], list[Member]] = {}
    for one in sorted(members, key=lambda one: (-one.quality, one.name), reverse=True):
        queues.setdefault((one.must, *one.features()), []).append(one)
    return list(queues.values())


def _quotas(size: int, toggles: Sequence[str]) -> tuple[dict[tuple[str, str], float], dict[str, float]]:
    least = {("toggle", toggle): LEAST_TOGGLE * size for toggle in toggles}
    least |= {(part, value): share * size for part, (wanted, _) in WISHES.items() for value, share in wanted.items()}
    most = {part: share * size for part, (_, share) in WISHES.items()} | {"toggle": MOST_TOGGLE * size}
    return least, most


def _use(one: Member, counts: Counter[tuple[str, str]], least: Mapping[tuple[str, str], float], most: Mapping[str, float]) -> float:
    use = one.quality
    for feature in one.features():
        short = least.get(feature, 0.0) - counts[feature]
        if short > 0:
            use += 0.5 * min(1.0, short / least[feature] + 0.2)
        elif counts[feature] + 1 > most.get(feature[0], float("inf")):
            use -= 1.0
    return use


def _why(one: Member, counts: Counter[tuple[str, str]], least: Mapping[tuple[str, str], float]) -> str:
    if one.must:
        return "kept by you"
    wanted = [f"{part} {value}" for part, value in one.features() if counts[part, value] < least.get((part, value), 0.0)]
    return f"brings {', '.join(wanted[:3])}" if wanted else f"quality {one.quality:.2f}"


def _why_not(one: Member, counts: Counter[tuple[str, str]], most: Mapping[str, float]) -> str:
    full = [f"{part} {value}" for part, value in one.features() if counts[part, value] + 1 > most.get(part, float("inf"))]
    return f"enough of {', '.join(full[:2])}" if full else f"quality {one.quality:.2f}, and nothing that was missing"
