"""What a touched-up picture still shows: which tags an operation ends, and which it brings."""

from collections.abc import Iterable
from dataclasses import dataclass

from lorasmith.tags.groups import group_of
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
    "border": names("border white_border black_border letterbox pillarbox outside_border border_frame frame"),
}
_GROUNDS = {
    "white": ("simple_background", "white_background"),
    "grey": ("simple_background", "grey_background"),
    "pink": ("simple_background", "pink_background"),
    "blur": ("blurred_background",),
}
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
    kept_up = frozenset[str]().union(*(_OF_MARKS.get(kind, frozenset()) for kind in still_there))
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
