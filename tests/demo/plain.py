"""Plain posts for tests: a flat colour and a stripe, drawn in a blink, with whatever a test wants the site to say."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from PIL import Image, ImageDraw

FORMATS = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP"}


@dataclass(frozen=True)
class PlainPost:
    """A post of a world that is one colour."""

    id: int
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: {"general": ("solo",), "species": ("fox",)})
    rating: str = "s"
    score: int = 0
    fav_count: int = 0
    width: int = 96
    height: int = 64
    ext: str = "png"
    created_at: str = "2024-05-06T07:08:09.000+00:00"
    parent_id: int | None = None
    children: tuple[int, ...] = ()
    is_deleted: bool = False
    visible: bool = True
    noise: bool = False

    def draw(self) -> bytes:
        """Draws the picture: a stripe on a colour that depends on the id, or noise that does not compress."""
        picture = Image.new("RGB", (self.width, self.height), (self.id % 256, self.id // 256 % 256, 90))
        ImageDraw.Draw(picture).line((0, 0, self.width, self.height), fill=(255, 255, 255), width=3)
        if self.noise:
            picture = Image.effect_noise((self.width, self.height), 90).convert("RGB")
        stream = io.BytesIO()
        picture.save(stream, FORMATS[self.ext])
        return stream.getvalue()


def plain_posts(count: int, **changes: object) -> list[PlainPost]:
    """Lists posts 1 to `count`; scores rise and fall so that their order is not that of the ids."""
    return [replace(PlainPost(number, score=number * 37 % 101), **changes) for number in range(1, count + 1)]
