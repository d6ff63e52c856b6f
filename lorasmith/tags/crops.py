"""What a crop still shows: tags of parts that left the picture go, and the framing is named anew."""

from collections.abc import Iterable
from typing import Literal

from lorasmith.tags.groups import group_of
from lorasmith.tags.spelling import with_underscores
from lorasmith.tags.vocabulary import names

CropKind = Literal["head", "upper", "body"]
VocabularyName = Literal["e621", "danbooru"]

FRAMING: dict[VocabularyName, dict[CropKind, str]] = {
    "e621": {"head": "headshot_portrait", "upper": "half-length_portrait", "body": "full-length_portrait"},
    "danbooru": {"head": "portrait", "upper": "upper_body", "body": "full_body"},
}
_LEGS = names(
    """
    feet foot leg legs thigh thighs knee knees kneehighs ankle anklet toe toes shoe shoes boot boots sandals sneakers
    heels slippers footwear sock socks thighhighs pantyhose stockings legwear leggings garter pants jeans shorts skirt
    miniskirt bottomwear kilt loincloth underwear panties briefs boxers barefoot digitigrade plantigrade unguligrade
    hindpaw hindpaws paws paw pawpads hooves hoof soles crotch hips butt bottomless legband"""
)
_TORSO = names(
    """
    tail tails belly chest torso back arm arms hand hands finger fingers elbow elbows shoulder shoulders breasts abs
    pecs navel midriff waist claws claw wings wing wrist bracelet wristwatch gloves glove handwear belt shirt topwear
    vest jacket coat hoodie sweater dress suit uniform kimono robe apron swimsuit bikini leotard bodysuit armor
    overalls pajamas tuxedo sleeves sleeve clothing clothed clothes outfit costume nude topless cape cloak backpack
    bag armband feathered_wings body build slim muscular overweight chubby tall biped bipedal quadruped quadrupedal
    topwear tuxedo toga gown blouse cardigan serafuku hakama membrane"""
)
# Groups that a crop ends as a whole. A head crop shows no pose and no hands; half a figure shows arms but no stance.
_ENDED: dict[CropKind, frozenset[str]] = {
    "head": frozenset(["pose", "arms", "hands", "action", "clothing", "objects"]),
    "upper": frozenset(["pose"]),
    "body": frozenset(),
}
# Clothing and poses that a crop does show.
_STAY: dict[CropKind, frozenset[str]] = {
    "head": frozenset(["hood", "hood_up", "hood_down", "sleeping", "upside-down", "cosplay"]),
    "upper": frozenset(
        ["leaning_forward", "leaning_back", "leaning_backward", "leaning", "sleeping", "bent_over", "flying", "on_back"]
    ),
    "body": frozenset(),
}
_NO_LONGER_TRUE = frozenset(
    [
        "out_of_frame",
        "wide_shot",
        "very_wide_shot",
        "negative_space",
        "letterbox",
        "border",
        "white_border",
        "black_border",
    ]
)
_COLOUR_OF_ALL = frozenset(["body", "skin", "fur", "scales", "feathers"])


def visible(tags: Iterable[str], kind: CropKind, vocabulary: VocabularyName = "e621") -> list[str]:
    """Gives the tags that a crop of the kind still shows, with its framing in the board's words in the old one's place.

    A `body` crop (to the whole character) keeps the picture's own framing, since it shows the same parts.
    """
    kept: list[str] = []
    framing_at: int | None = None
    for tag in tags:
        if kind != "body" and group_of(tag) == "framing":
            framing_at = len(kept) if framing_at is None else framing_at
        elif _is_seen(tag, kind):
            kept.append(tag)
    if kind == "body":
        return kept
    place = 0 if framing_at is None else framing_at
    return [*kept[:place], FRAMING[vocabulary][kind], *kept[place:]]


def shown_by(tags: Iterable[str], kind: CropKind) -> list[str]:
    """Gives those of the tags that a picture framed like this kind of crop can show, and no framing."""
    return [tag for tag in tags if group_of(tag) != "framing" and _is_seen(tag, kind)]


def kind_of_framing(tag: str) -> CropKind:
    """Says which crop a framing tag is like."""
    name = with_underscores(tag).lower()
    if name in ("headshot_portrait", "headshot", "portrait", "close-up", "bust_portrait"):
        return "head"
    return "upper" if name in ("half-length_portrait", "upper_body") else "body"


def _is_seen(tag: str, kind: CropKind) -> bool:
    name = with_underscores(tag).lower()
    if name in _NO_LONGER_TRUE:
        return False
    if kind == "body" or name in _STAY[kind]:
        return True
    group = group_of(name)
    if group in _ENDED[kind]:
        return False
    if group in ("background", "style", "species", "text_and_icons", "light"):
        return True
    return not _names_hidden_part(name, kind)


def _names_hidden_part(name: str, kind: CropKind) -> bool:
    words = name.replace("(", "").replace(")", "").split("_")
    if len(words) > 1 and words[-1] in _COLOUR_OF_ALL:
        return False
    hidden = _LEGS if kind == "upper" else _LEGS | _TORSO
    return bool(hidden.intersection(words))
