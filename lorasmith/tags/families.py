"""Base families and what their captions look like: whose words, which quality tags and where, what training does best with.

Figures from the model cards and from trainers' guides; a family is one row, and what a person chose for a set wins.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lorasmith.errors import UsageError
from lorasmith.safety import demand_safe_text
from lorasmith.settings.stage import unknown_name
from lorasmith.tags.spelling import with_underscores

Words = Literal["danbooru", "e621", ""]  # empty: as the record has them


@dataclass(frozen=True)
class Family:
    """One family of base models: the vocabulary it was trained on, its quality tags, and hints for training."""

    name: str
    words: Words
    prefix: tuple[str, ...] = ()  # behind the trigger
    suffix: tuple[str, ...] = ()  # at the end
    caption_dropout: float = 0.05
    tag_dropout: float = 0.1
    help: str = ""


FAMILIES: dict[str, Family] = {
    row.name: row
    for row in (
        Family("sd15", "danbooru", help="SD 1.5 anime bases and their merges"),
        Family("e621", "e621", help="bases trained on e621, such as fluffyrock"),
        Family("illustrious", "danbooru", suffix=("masterpiece", "best_quality"), tag_dropout=0.05, help="Illustrious and its merges"),
        Family("noobai", "", suffix=("masterpiece", "best_quality"), tag_dropout=0.05, help="NoobAI: Danbooru's and e621's words"),
        Family("pony", "", prefix=("score_9", "score_8_up", "score_7_up"), tag_dropout=0.05, help="Pony v6: score tags first"),
        Family("plain", "", help="the tags as the record has them"),
    )
}


@dataclass(frozen=True)
class Profile:
    """What is chosen for one caption set; None and "" leave it to the family and to the settings of [tag]."""

    family: str = ""
    prefix: tuple[str, ...] | None = None
    suffix: tuple[str, ...] | None = None
    keep_tokens: int | None = None
    generated: str = ""  # the tag of pictures that a model drew
    underscores: bool | None = None

    def __post_init__(self) -> None:
        """Raises `UsageError` or `RefusedError` when captions cannot be written so."""
        if self.family and self.family not in FAMILIES:
            raise UsageError(unknown_name(self.family, list(FAMILIES), f"There is no base family '{self.family}'"))
        demand_safe_text("\n".join((*(self.prefix or ()), *(self.suffix or ()), self.generated)), "caption set")
        if self.keep_tokens is not None and not 0 <= self.keep_tokens <= 10:
            raise UsageError(f"keep_tokens is {self.keep_tokens}; it goes from 0 to 10.")

    @property
    def row(self) -> Family:
        """Gives the family's row."""
        return FAMILIES[self.family or "plain"]

    @property
    def first(self) -> tuple[str, ...]:
        """Gives the tags that stand behind the trigger."""
        return self.row.prefix if self.prefix is None else self.prefix

    @property
    def last(self) -> tuple[str, ...]:
        """Gives the tags that stand at the end."""
        return self.row.suffix if self.suffix is None else self.suffix

    def kept(self, outfits: int) -> int:
        """Gives how many tags at the start should stay in place in training: trigger, prefix, and an outfit's tag."""
        if self.keep_tokens is not None:
            return self.keep_tokens
        return min(10, 1 + len(self.first) + (1 if outfits else 0))

    def to_dict(self) -> dict[str, Any]:
        """Gives what was chosen, for the record."""
        return {name: value for name, value in vars(self).items() if value not in (None, "")}

    @classmethod
    def from_dict(cls, chosen: Mapping[str, Any]) -> "Profile":
        """Reads what the record holds."""
        values = dict(chosen)
        for name in ("prefix", "suffix"):
            if values.get(name) is not None:
                values[name] = tuple(map(with_underscores, values[name]))
        return cls(**values)
