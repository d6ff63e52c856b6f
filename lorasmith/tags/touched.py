"""What a touched-up picture still shows: which tags an operation ends, and which it brings."""

import colorsys
from collections.abc import Iterable
from dataclasses import dataclass

from lorasmith.tags.emanata import ANY_EMANATA, EMANATA
from lorasmith.tags.groups import COLOURS, group_of
from lorasmith.tags.spelling import with_underscores
from lorasmith.tags.vocabulary import names

# What is on a picture when a mark of this kind is: tags that go with it.
_OF_MARKS: dict[str, frozenset[str]] = {
    "signature": names("signature artist_name artist_signature dated signed"),
    "watermark": names(
        "watermark url web_address patreon_logo patreon_username twitter_username username logo artist_logo copyright_notice "
        "third-party_watermark sample_watermark character_name_watermark twitter_logo pixiv_id patreon discord_username"
    ),
    "text": names(
        "text english_text japanese_text chinese_text korean_text russian_text spanish_text sound_effects onomatopoeia "
        "dialogue talking_to_viewer talking_to_self character_name translated translation_request text_focus title profanity"
    ),
    "bubble": names("speech_bubble thought_bubble dialogue talking_to_viewer talking_to_self heart_in_bubble"),
    "logo": names("logo artist_logo watermark patreon_logo twitter_logo"),
    "border": names("border white_border black_border letterbox pillarbox outside_border border_frame frame"),
}
_OF_MARKS |= EMANATA
_GROUNDS = {
    "white": ("simple_background", "white_background"),
    "grey": ("simple_background", "grey_background"),
    "pink": ("simple_background", "pink_background"),
    "blur": ("blurred_background",),
}
PLAIN_GROUNDS = ("white", "grey", "pink")
# What no faceless head shows, besides the groups of tags that tell of eyes, mouth, looks and hair.
_OF_THE_FACE = names(
    """
    face nose snout muzzle beak teeth fangs fang tongue eyebrows eyebrow eyelashes pupils pupil sclera freckles whiskers
    blush tears sweat makeup lipstick eyeshadow mask tusks facial monocle glasses eyewear eyeglasses sunglasses goggles
    eyepatch"""
)
# What is gone with the whole head.
_OF_THE_HEAD = names(
    """
    head ear ears horn horns antlers antler mane hat cap headwear helmet hairband headband hairclip crown tiara earring
    earrings headphones beret beanie halo hood veil beard mustache goatee ahoge"""
)
_FACE_GROUPS = frozenset(["eyes", "eye_colour", "mouth", "expression", "gaze", "hair"])
_HEAD_FRAMINGS = names(
    "portrait headshot headshot_portrait bust_portrait close-up extreme_close-up face full_body full-length_portrait"
)
_OF_THE_GROUND = frozenset(["depth_of_field", "bokeh", "shadow", "drop_shadow", "scenery", "cast_shadow", "border", "furniture"])


@dataclass(frozen=True)
class Ended:
    """The tags that an operation leaves, those it ends with the reason, and those it brings."""

    left: tuple[str, ...]
    dropped: dict[str, str]
    brought: tuple[str, ...] = ()


def after_erasing(tags: Iterable[str], kinds: Iterable[str], still_there: Iterable[str] = ()) -> Ended:
    """Ends the tags of marks that were erased, but for those that a kind of mark still on the picture keeps up."""
    gone = {kind: tag_set for kind in kinds if (tag_set := _OF_MARKS.get(kind))}
    left_there = set(still_there)
    if gone.keys() & EMANATA.keys() and not left_there & EMANATA.keys():
        gone["emanata"] = ANY_EMANATA
    kept_up = frozenset[str]().union(*(_OF_MARKS.get(kind, frozenset()) for kind in left_there))
    dropped, left = {}, []
    for tag in tags:
        name = with_underscores(tag).lower()
        why = next((kind for kind, its in gone.items() if name in its and name not in kept_up), None)
        if why is None:
            left.append(tag)
        else:
            dropped[tag] = f"{why} erased"
    return Ended(tuple(left), dropped)


def after_background(tags: Iterable[str], ground: str) -> Ended:
    """Ends the tags of the old ground and brings those of the new one; a blurred ground is still the same place."""
    brought = _GROUNDS[ground]
    dropped, left = {}, []
    for tag in tags:
        name = with_underscores(tag).lower()
        if name in brought:
            continue
        if ground != "blur" and (group_of(name) == "background" or name in _OF_THE_GROUND):
            dropped[tag] = f"background {ground}"
        else:
            left.append(tag)
    return Ended((*left, *brought), dropped, brought)


def after_faceless(tags: Iterable[str], headless: bool, danbooru: bool = False) -> Ended:
    """Ends the tags of a face that was smoothed over, or of a whole head that is gone, and says so in the board's words."""
    words = _OF_THE_FACE | _OF_THE_HEAD if headless else _OF_THE_FACE
    why = "the head is gone" if headless else "the face is gone"
    brought = "head_out_of_frame" if headless else "faceless" if danbooru else "faceless_character"
    dropped, left = {}, []
    for tag in tags:
        name = with_underscores(tag).lower()
        if name == brought:
            continue
        of_face = group_of(name) in _FACE_GROUPS or bool(words.intersection(name.replace("(", "").replace(")", "").split("_")))
        if of_face or headless and name in _HEAD_FRAMINGS:
            dropped[tag] = why
        else:
            left.append(tag)
    return Ended((*left, brought), dropped, (brought,))


def after_flattening(tags: Iterable[str], colour: str) -> Ended:
    """Ends the tag of a transparent ground, and names the colour that it was laid on, where that has a tag."""
    brought = _GROUNDS.get(colour, ("simple_background",))
    clear = ("transparent_background", "transparent_png")
    dropped = {tag: f"laid on {colour}" for tag in tags if with_underscores(tag).lower() in clear}
    left = [tag for tag in tags if tag not in dropped and with_underscores(tag).lower() not in brought]
    return Ended((*left, *brought), dropped, brought)


def after_recolouring(tags: Iterable[str], part: str, colour: tuple[int, int, int]) -> Ended:
    """Ends the tags that name a part's old colour (`green_eyes`) and brings the new one's, where the colour has a plain name."""
    dropped, left = {}, []
    for tag in tags:
        words = with_underscores(tag).lower().split("_")
        if words[-1] in _SPELT[part] and len(words) > 1 and all(word in COLOURS for word in words[:-1]):
            dropped[tag] = f"{part} recoloured"
        else:
            left.append(tag)
    if not dropped:
        return Ended(tuple(left), {})
    ending = next(iter(dropped)).replace(" ", "_").lower().rpartition("_")[2]
    brought = f"{colour_name(colour)}_{ending}"
    dropped.pop(brought, None)
    return Ended((*left, brought), dropped, (brought,))


_SPELT = {
    "eyes": ("eyes", "eye"), "nose": ("nose",), "hair": ("hair",), "fur": ("fur", "body", "skin", "scales", "feathers"),
}  # fmt: skip


def colour_name(colour: tuple[int, int, int]) -> str:
    """Names a colour (sRGB, 0..255 each) by the boards' plainest words."""
    red, green, blue = (channel / 255 for channel in colour)
    hue, light, vivid = colorsys.rgb_to_hls(red, green, blue)
    chroma = vivid * (1 - abs(2 * light - 1))
    if chroma < 0.12:
        return "black" if light < 0.25 else "white" if light > 0.85 else "grey"
    turn = 360 * hue
    if 15 <= turn < 45 and light < 0.45:
        return "brown"
    if (turn >= 290 or turn < 15) and light > 0.72 or 315 <= turn < 345:
        return "pink"
    bounds = ((15, "red"), (42, "orange"), (70, "yellow"), (165, "green"), (195, "cyan"), (255, "blue"), (315, "purple"))
    return next((name for bound, name in bounds if turn < bound), "red")
