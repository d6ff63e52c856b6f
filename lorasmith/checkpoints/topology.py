"""The shape of a base model as far as names depend on it: how many levels, transformer blocks and text layers it has."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Base = Literal["sd1", "sdxl"]
LAYERS = 2  # layers of each U-Net and VAE level; the way up has one more


@dataclass(frozen=True)
class Topology:
    """A family and its depths: transformer blocks in each attention of a U-Net level, layers of each text encoder."""

    base: Base
    depths: tuple[int, ...]
    text_layers: int = 12
    text_layers_2: int = 0

    @property
    def levels(self) -> int:
        """How many levels the U-Net has."""
        return len(self.depths)

    @property
    def middle(self) -> int:
        """Transformer blocks of the middle: as many as the deepest level with attention."""
        return next((depth for depth in reversed(self.depths) if depth), 1)


SD1 = Topology("sd1", (1, 1, 1, 0))
SDXL = Topology("sdxl", (0, 2, 10), text_layers_2=32)


def count_after(names: Iterable[str], start: str) -> int:
    """Counts numbered items: one more than the highest number that follows `start` in any name."""
    numbers = (name[len(start) :].split(".", 1)[0] for name in names if name.startswith(start))
    return max((int(number) for number in numbers if number.isdigit()), default=-1) + 1
