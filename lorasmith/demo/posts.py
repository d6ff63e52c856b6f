"""The booru's posts over the drawn world: a few hundred pictures with the tags, scores and faults a real site has."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from lorasmith.demo.creature import FUR
from lorasmith.demo.spoiling import encode, spoil
from lorasmith.demo.world import (
    BACKGROUNDS,
    NEW_LOOKS,
    OWN_TAGS,
    Scene,
    random_creature,
    random_scene,
    training_scene,
    vary,
    with_implied,
)

_FIRST_DAY = datetime(2022, 3, 1, 12, 0, tzinfo=UTC)
_RATIOS = ((1.0, 3), (0.75, 4), (0.667, 3), (1.333, 3), (1.5, 2), (0.5625, 1), (1.778, 1))
_FAULTS = {
    "blurred": 7,
    "jpeg_blocks": 5,
    "upscaled": 4,
    "signature": 12,
    "speech_bubble": 7,
    "text": 6,
    "sketch": 5,
    "wrong_tags": 6,
    "missing_tags": 10,
}
_FAULT_TAGS = {
    "signature": ("general", "signature"),
    "speech_bubble": ("general", "speech_bubble"),
    "text": ("general", "text"),
    "sketch": ("general", "sketch"),
    "jpeg_blocks": ("meta", "low_res"),
}
_COST = {"blurred": 45, "jpeg_blocks": 40, "upscaled": 40, "sketch": 30, "text": 8, "speech_bubble": 6}


@dataclass(frozen=True)
class WorldPost:
    """One post: what the site says about it, the scene it truly shows, and what is wrong with its file."""

    id: int
    scene: Scene
    tags: dict[str, tuple[str, ...]]
    width: int
    height: int
    ext: str
    created_at: str
    score: int
    fav_count: int
    rating: str = "s"
    faults: tuple[str, ...] = ()
    parent_id: int | None = None
    children: tuple[int, ...] = ()
    is_deleted: bool = False
    visible: bool = True
    twist: int = field(default=0)

    @property
    def up_score(self) -> int:
        """Counts the votes for the post."""
        return max(self.score, 0) + self.id % 7

    @property
    def down_score(self) -> int:
        """Counts the votes against the post as e621 does, as a number not above zero."""
        return self.score - self.up_score

    def draw(self) -> bytes:
        """Draws the picture and gives it as the bytes of its file: the same bytes every time."""
        pixels = self.scene.draw_array(self.width, self.height)
        return encode(spoil(pixels, self.faults, self.scene.seed, self.twist), self)


def posts(seed: str = "demo", count: int = 420) -> list[WorldPost]:
    """Lists `count` posts, newest last; about a third show the new character, and nothing is drawn yet."""
    rng = random.Random(f"posts {seed}")
    made: list[WorldPost] = []
    for original in _originals(rng):
        made.append(replace(original, id=1001 + len(made)))
        if len(made) < count and rng.random() < 0.09:
            made = _with_twin(made, rng)
        if len(made) >= count:
            break
    return [_dated(post, place, rng) for place, post in enumerate(made)]


def _originals(rng: random.Random) -> Iterator[WorldPost]:
    while True:
        yield _original(rng)


def _original(rng: random.Random) -> WorldPost:
    scene = _scene(rng)
    faults = _draw_faults(rng)
    width, height = _size(rng, small="upscaled" in faults or rng.random() < 0.03)
    kind = rng.choices(("jpg", "png", "webp"), (0.6, 0.3, 0.1))[0]
    ext = "jpg" if "jpeg_blocks" in faults else kind
    quality = 60 - sum(_COST.get(fault, 0) for fault in faults) + (10 if len(scene.creatures) == 1 else 0)
    score = round(rng.gauss(quality, 22) * rng.choice((0.6, 1.0, 1.0, 2.5)))
    unseen = rng.random()
    return WorldPost(
        id=0,
        scene=scene,
        tags=_site_tags(scene, faults, rng),
        width=width,
        height=height,
        ext=ext,
        created_at="",
        score=score,
        fav_count=max(0, round(score * rng.uniform(1.2, 2.2))),
        rating=rng.choices("sqe", (0.93, 0.05, 0.02))[0],
        faults=faults,
        is_deleted=unseen < 0.012,
        visible=unseen >= 0.03,
    )


def _scene(rng: random.Random) -> Scene:
    """Shows the new character in a third of all posts, mostly alone; nobody else has more than one of its looks."""
    lot = rng.random()
    if lot < 0.29:
        return random_scene(rng, (vary(NEW_LOOKS, rng),))
    if lot < 0.33:
        return random_scene(rng, (vary(NEW_LOOKS, rng), random_creature(rng)))
    if lot < 0.38:
        return random_scene(rng, (random_creature(rng, tuple(FUR)),))
    return training_scene(rng, held_out=False)


def _draw_faults(rng: random.Random) -> tuple[str, ...]:
    drawn = [fault for fault, percent in _FAULTS.items() if rng.random() < percent / 100]
    return tuple(drawn)


def _size(rng: random.Random, small: bool) -> tuple[int, int]:
    """Gives a width and height in pixels: 800 to 2000 on the long side, or a small file of 300 to 420."""
    ratio = rng.choices([ratio for ratio, _ in _RATIOS], [weight for _, weight in _RATIOS])[0]
    long_side = rng.randint(300, 420) if small else rng.choice((960, 1024, 1100, 1200, 1280, 1440, 1600, 2000))
    short_side = round(long_side * min(ratio, 1.0 / ratio))
    if not small:
        short_side = max(short_side, 800)
    return (short_side, long_side) if ratio < 1.0 else (long_side, short_side)


def _site_tags(scene: Scene, faults: tuple[str, ...], rng: random.Random) -> dict[str, tuple[str, ...]]:
    """Gives the tags as the site has them: implied ones added, and the faults' own tags, losses and errors."""
    tags = scene.tags_by_category()
    for fault in faults:
        if fault in _FAULT_TAGS:
            category, tag = _FAULT_TAGS[fault]
            tags[category].append(tag)
    if "sketch" in faults:
        tags["general"].append("monochrome")
    if "missing_tags" in faults:
        kept = [tag for tag in tags["general"] if tag in ("solo", "duo") or rng.random() < 0.6]
        tags["general"] = kept
    if "wrong_tags" in faults:
        tags["general"] = [_wrong(tag, rng) for tag in tags["general"]]
    if any(creature.name for creature in scene.creatures) is False:
        tags["character"] = []
    tags["general"] = with_implied([*tags["general"], "anthro"])
    tags["species"] = with_implied(tags["species"])
    tags["meta"].append("digital_media_(artwork)")
    return {category: tuple(dict.fromkeys(names)) for category, names in tags.items()}


def _wrong(tag: str, rng: random.Random) -> str:
    """Swaps a background or a minor look for another one, as hasty taggers do; never the character's own tags."""
    if tag in OWN_TAGS or rng.random() < 0.5:
        return tag
    for family in (BACKGROUNDS, ("standing", "sitting", "lying"), ("open_mouth", "mouth_closed")):
        if tag in family:
            return rng.choice([other for other in family if other != tag])
    return tag


def _with_twin(made: list[WorldPost], rng: random.Random) -> list[WorldPost]:
    """Adds a near or exact twin of the last post, most often linked to it as its child."""
    first = made[-1]
    kind, change = rng.choice(_TWINS)
    linked = rng.random() < 0.75
    twin = replace(
        change(first),
        id=first.id + 1,
        faults=(*first.faults, kind),
        score=round(first.score * 0.5),
        fav_count=first.fav_count // 2,
        parent_id=first.id if linked else None,
        is_deleted=False,
        visible=True,
    )
    if linked:
        made = [*made[:-1], replace(first, children=(twin.id,))]
    return [*made, twin]


def _resized(post: WorldPost) -> WorldPost:
    return replace(post, width=round(post.width * 0.8), height=round(post.height * 0.8))


def _recoded(post: WorldPost) -> WorldPost:
    return replace(post, ext="png" if post.ext == "jpg" else "jpg")


def _recoloured(post: WorldPost) -> WorldPost:
    return replace(post, twist=9)


_TWINS: tuple[tuple[str, Callable[[WorldPost], WorldPost]], ...] = (
    ("twin_resized", _resized),
    ("twin_recoded", _recoded),
    ("twin_recoloured", _recoloured),
)


def _dated(post: WorldPost, place: int, rng: random.Random) -> WorldPost:
    moment = _FIRST_DAY + timedelta(days=3 * place, minutes=rng.randint(0, 1400))
    return replace(post, created_at=moment.isoformat(timespec="milliseconds"))
