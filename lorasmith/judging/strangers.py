"""Other characters, described in words without the trigger: what a LoRA that was trained too much no longer lets the base draw."""

from collections.abc import Collection, Sequence

from lorasmith.tags.groups import group_of

_COLOURS = ("red", "blue", "white", "orange", "black", "green", "yellow", "pink", "brown", "grey", "blonde", "purple")
_PARTS = ("ears", "tail", "horns", "wings")  # told apart by more than a colour


def strangers(core: Sequence[str], known: Collection[str], count: int) -> list[tuple[str, ...]]:
    """Gives the looks of up to `count` other characters: the same parts as the character's, each of another kind.

    For `purple_fur, pointy_ears` such as `red_fur, floppy_ears`: only what the tagger knows, and nothing of the character's own.
    """
    offers = [kinds for part in _parts_of(core) if (kinds := _kinds(part, core, known))]
    if not offers:
        return []
    turns = (tuple(kinds[(number + place) % len(kinds)] for place, kinds in enumerate(offers)) for number in range(count))
    return list(dict.fromkeys(turns))


def _parts_of(core: Sequence[str]) -> list[str]:
    """Names the parts that the looks tell of, each once: `fur`, `eyes`, `ears`."""
    parts = [tag.split("_")[-1] for tag in core if "_" in tag]
    return list(dict.fromkeys(parts))


def _kinds(part: str, core: Sequence[str], known: Collection[str]) -> list[str]:
    """Lists what else a part can be: of the plain colours, or of its other shapes."""
    coloured = [tag for colour in _COLOURS if (tag := f"{colour}_{part}") in known and tag not in core]
    if coloured or part not in _PARTS:
        return coloured
    shapes = (tag for tag in known if tag.endswith(f"_{part}") and tag.count("_") == 1 and tag not in core)
    return sorted(tag for tag in shapes if group_of(tag) == "body")
