"""Where an inpainting works: the part of a picture round the mask, drawn at the prompt's size and put back in place."""

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from lorasmith.rendering.prompt import Edges

PADDING = Edges().padding  # pixels of surroundings at least, seen by the model on each side
FEATHER = Edges().blur  # pixels over which the new part fades in, inside the mask

Box = tuple[int, int, int, int]


def region_of(mask: Image.Image, width: int, height: int, padding: int = PADDING) -> Box | None:
    """Finds the box to work on: round the mask with padding, of the shape width x height as far as the picture allows.

    None when nothing is masked.
    """
    found = mask.convert("L").getbbox()
    if found is None:
        return None
    left, right = _stretch(found[0] - padding, found[2] + padding, mask.width)
    top, bottom = _stretch(found[1] - padding, found[3] + padding, mask.height)
    wanted = width / height
    if (right - left) / (bottom - top) < wanted:
        left, right = _grow(left, right, round((bottom - top) * wanted), mask.width)
    else:
        top, bottom = _grow(top, bottom, round((right - left) / wanted), mask.height)
    return left, top, right, bottom


def _stretch(low: int, high: int, end: int) -> tuple[int, int]:
    return max(0, low), min(end, high)


def _grow(low: int, high: int, length: int, end: int) -> tuple[int, int]:
    """Widens a span to `length`, moved inside 0..end; the whole of it when that is shorter."""
    length = min(max(length, high - low), end)
    low = min(max(0, (low + high - length) // 2), end - length)
    return low, low + length


def put_back(
    picture: Image.Image, drawn: Image.Image, mask: Image.Image, box: Box, feather: float = FEATHER
) -> Image.Image:
    """Puts the drawn part into a copy of the picture, through the mask: black mask pixels keep their exact value.

    It fades in over `feather` pixels inside the mask. A transparency channel of the picture stays.
    """
    soft = mask.convert("L").filter(ImageFilter.GaussianBlur(feather / 2))
    through = ImageChops.darker(mask.convert("L"), soft)
    size = (box[2] - box[0], box[3] - box[1])
    whole = picture.convert("RGB")
    whole.paste(drawn.convert("RGB").resize(size, Image.Resampling.LANCZOS), box[:2])
    result = Image.composite(whole, picture.convert("RGB"), through)
    if "A" in picture.getbands():
        result.putalpha(picture.getchannel("A"))
    return result


def latent_mask(mask: Image.Image, width: int, height: int) -> np.ndarray:
    """Shrinks a mask to latents [height / 8, width / 8] of 0 and 1: a cell is 1 when any pixel of it is not black."""
    pixels = np.asarray(mask.convert("L").resize((width, height), Image.Resampling.BOX)) > 0
    cells = pixels.reshape(height // 8, 8, width // 8, 8).any(axis=(1, 3))
    return np.asarray(cells, dtype=np.float32)
