"""Which group a tag belongs to (framing, pose, markings...), and whether it tells who, what or where."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

from lorasmith.tags.spelling import with_underscores
from lorasmith.tags.vocabulary import MEMBERS, ONE_OF, TABLE, names

Role = Literal["identity", "state", "picture"]

COLOURS = names(
    """
    red orange yellow green blue cyan teal aqua purple violet pink magenta brown tan beige cream grey gray silver
    white black gold golden blonde blond amber dark light pale rainbow multicolored two-tone colored maroon turquoise
    lavender bronze copper indigo crimson scarlet mint peach ginger navy"""
)
ROLES: dict[str, Role] = {
    "species": "identity",
    "body": "identity",
    "colour": "identity",
    "eye_colour": "identity",
    "markings": "identity",
    "hair": "identity",
    "count": "state",
    "framing": "state",
    "view": "state",
    "gaze": "state",
    "eyes": "state",
    "mouth": "state",
    "expression": "state",
    "pose": "state",
    "arms": "state",
    "hands": "state",
    "action": "state",
    "clothing": "state",
    "accessories": "state",
    "objects": "state",
    "background": "picture",
    "light": "picture",
    "style": "picture",
    "text_and_icons": "picture",
    "quality": "picture",
}

# The last words of tags that are in no table.
_ENDINGS: dict[str, str] = {
    "background": "background backdrop scenery sky sunset room wall floor",
    "framing": "portrait shot",
    "view": "view angle",
    "hair": "hair bangs ponytail ponytails braid braids twintails ahoge haircut hairstyle bun",
    "markings": "markings marking stripes stripe spots spot scar scars tattoo tattoos birthmark",
    "body": """
        ears ear horns horn tail tails wings wing antlers antler tuft tufts fin fins snout muzzle beak claws claw paws
        hooves hoof pawpads nose mane whiskers eyebrows eyelashes pupils fangs tusks build freckles anatomy""",
    "colour": "fur body skin scales feathers belly sclera membrane tongue_colour",
    "eye_colour": "eyes eye",
    "mouth": "smile grin mouth lips frown smirk teeth tongue",
    "expression": "expression face blush",
    "pose": "pose stance position sitting standing lying kneeling",
    "arms": "arms arm elbows",
    "hands": "hands hand fingers finger gesture sign",
    "clothing": """
        shirt topwear bottomwear pants jeans shorts skirt dress jacket coat hoodie sweater vest suit uniform kimono
        robe cape cloak apron swimsuit bikini leotard bodysuit armor overalls pajamas clothing clothes outfit costume
        shoes boots sandals sneakers footwear socks thighhighs pantyhose stockings legwear leggings underwear sleeves
        sleeve kneehighs slippers heels tuxedo top blouse hood""",
    "accessories": """
        hat cap scarf bow bowtie ribbon ribbons glasses eyeglasses eyewear sunglasses goggles mask crown tiara helmet
        headwear headband hairband gloves collar choker necklace pendant earring earrings bracelet ring jewelry
        piercing belt bag backpack headphones bandana necktie neckerchief ornament hairclip handwear watch gem beret
        beanie accessory makeup""",
    "text_and_icons": "text bubble symbol logo username watermark signature name url note",
    "light": "lighting light shadow shadows sunlight glow",
    "style": "theme palette shading style artstyle outline outlines",
    "quality": "quality res",
    "objects": "sword gun weapon knife book cup phone bottle food flower flowers pillow chair ball",
}
_LAST_WORD = {word: group for group, words in _ENDINGS.items() for word in words.split()}
_FIRST_WORD: dict[str, str] = {
    "looking": "gaze",
    "facing": "gaze",
    "holding": "action",
    "eating": "action",
    "playing": "action",
    "hand": "hands",
    "hands": "hands",
    "arm": "arms",
    "arms": "arms",
    "from": "view",
    "on": "pose",
    "leaning": "pose",
    "sitting": "pose",
    "standing": "pose",
    "lying": "pose",
    "kneeling": "pose",
    "touching": "hands",
    "countershade": "markings",
}
_VERBS = names("looking facing holding eating playing touching countershade")
_PREPOSITIONS = names("on in at to up behind under over around between against above below out near")
_QUALIFIERS: dict[str, str] = {
    "artwork": "style",
    "medium": "style",
    "marking": "markings",
    "species": "species",
    "anatomy": "body",
    "weapon": "objects",
    "object": "objects",
}
_PATTERNED_FUR = names("striped spotted patterned mottled brindle ticked countershade countershaded tabby")
_STATE_EYES = names(
    """
    closed half-closed open narrowed wide rolling covered glowing empty teary sparkling eyes blank crying shut
    squinting bedroom crossed angry tired sad happy"""
)
_PATTERNED_PARTS = names("tail tails ears ear wings horn horns claws legs arms")
_NOT_ALIVE = names("stuffed toy teddy plush rubber hot sea hand balloon snow")
_STATE_OF_BODY = names("raised lowered wagging spread hiding holding grabbing touching biting covering")


@lru_cache(1 << 16)  # thousands of pictures share a few thousand tags
def group_of(tag: str) -> str | None:
    """Names a tag's group by the table, else by its qualifier, last word and first word; None when nothing tells."""
    name = with_underscores(tag).lower()
    if name in TABLE:
        return TABLE[name]
    return _by_qualifier(name) or _by_words(name)


def _by_qualifier(name: str) -> str | None:
    if not name.endswith(")") or "_(" not in name:
        return None
    return _QUALIFIERS.get(name[name.rindex("_(") + 2 : -1])


def _by_words(name: str) -> str | None:
    words = name.split("_")
    if len(words) < 2:
        return None
    first, last = words[0], words[-1]
    if first in _VERBS or (first in _FIRST_WORD and words[1] in _PREPOSITIONS):
        return _FIRST_WORD[first]
    group = _LAST_WORD.get(last)
    if group == "eye_colour" and _STATE_EYES.intersection(words[:-1]):
        return "eyes"
    if group == "body" and first in _STATE_OF_BODY:
        return "pose"
    if _PATTERNED_FUR.intersection(words[:-1]) and (group == "colour" or last in _PATTERNED_PARTS):
        return "markings"
    if last == "tongue" and COLOURS.intersection(words[:-1]):
        return "colour"
    return group or _FIRST_WORD.get(first) or _breed(first, last)


def _breed(first: str, last: str) -> str | None:
    """Takes a name that ends in an animal's for a kind of it (`spotted_hyena`), unless it is a thing made like one."""
    return "species" if TABLE.get(last) == "species" and first not in _NOT_ALIVE else None


def is_coloured(tag: str) -> bool:
    """Says whether a tag names a colour in front of something (`red_fur`, `dark_blue_hair`)."""
    words = with_underscores(tag).lower().split("_")
    return len(words) > 1 and any(word in COLOURS for word in words[:-1])


def role_of(tag: str, category: str = "general") -> Role:
    """Says what a tag tells of: identity (what the character is), state (what may change), or the picture."""
    if category == "species":
        return "identity"
    group = group_of(tag)
    if group is not None:
        return ROLES[group]
    return "picture" if category in ("meta", "artist", "copyright", "rating") else "state"


def is_identity(tag: str, category: str = "general") -> bool:
    """Says whether a tag tells what the character is: species, body, colours, eyes' colour, hair, markings."""
    return role_of(tag, category) == "identity"


def members(group: str) -> tuple[str, ...]:
    """Gives the known tags of a group, the most telling first."""
    return MEMBERS.get(group, ())


def one_of(tag: str) -> str | None:
    """Names the one-of group of a tag (of its members a picture can have one), or None."""
    return _ONE_OF_BY_TAG.get(with_underscores(tag).lower())


def of_groups(tags: Iterable[str], groups: Iterable[str]) -> list[str]:
    """Gives the tags that belong to one of the groups, in the order given."""
    wanted = frozenset(groups)
    return [tag for tag in tags if group_of(tag) in wanted]


_ONE_OF_BY_TAG = {tag: name for name, tags in ONE_OF.items() for tag in tags}
