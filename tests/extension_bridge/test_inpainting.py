"""Tests of drawing a part of a picture anew through the bridge."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from lorasmith.rendering.prompt import Edges
from lorasmith.rendering.webui import WebuiRenderer
from tests.extension_bridge.asking import PROMPT, ask, body_of, packed, random_picture, square_mask
from tests.extension_bridge.served import Served


def test_the_bridge_itself_changes_nothing_beyond_the_mask_and_its_blur(served: Served) -> None:
    picture = random_picture()
    answer = ask(served, "inpaint", body_of("t", image=packed(picture), mask=packed(square_mask((100, 80))), blur=2))
    with Image.open(io.BytesIO(base64.b64decode(answer.json()["image"]))) as opened:
        changed = np.abs(np.asarray(opened).astype(int) - np.asarray(picture).astype(int)).max(axis=2)
    near = np.zeros_like(changed, dtype=bool)
    near[20 - 10 : 60 + 10, 30 - 10 : 70 + 10] = True
    assert changed[~near].max() == 0 and changed[40, 50] > 0


@pytest.mark.parametrize("blur", [0, 4, 12])
def test_inpainting_changes_what_is_masked_and_nothing_else(served: Served, blur: int) -> None:
    picture, mask = random_picture(), square_mask((100, 80))
    renderer = WebuiRenderer(served.webui)
    result = renderer.inpaint(picture, mask, PROMPT, strength=0.6, edges=Edges(padding=24, blur=blur))
    changed = np.abs(np.asarray(result).astype(int) - np.asarray(picture).astype(int)).max(axis=2)
    assert result.size == picture.size
    assert changed[np.asarray(mask) == 0].max() == 0
    assert changed[35:45, 45:55].min() > 0
    p = served.host.drawn[0]["p"]
    assert (p.denoising_strength, p.inpainting_fill, p.inpaint_full_res) == (0.6, 1, True)
    assert (p.mask_blur, p.inpaint_full_res_padding, p.initial_noise_multiplier) == (blur, 24, 1.0)


@pytest.mark.parametrize("value", [0, 1, 128])
def test_a_mask_of_which_the_host_would_leave_nothing_is_refused(served: Served, value: int) -> None:
    picture = packed(random_picture())
    body = body_of("t", image=picture, mask=packed(square_mask((100, 80), value)))
    answer = ask(served, "inpaint", body)
    assert answer.status_code == 422 and answer.json()["kind"] == "blank_mask"
    assert served.host.drawn == []


def test_a_faint_mask_of_a_person_is_drawn_and_not_taken_for_blank(served: Served) -> None:
    picture = random_picture()
    result = WebuiRenderer(served.webui).inpaint(picture, square_mask((100, 80), 90), PROMPT)
    assert np.asarray(result)[40, 50].tolist() != np.asarray(picture)[40, 50].tolist()


@pytest.mark.parametrize("image", ["", "@@@", "aGVsbG8=", packed(Image.new("RGB", (8, 8)))])
def test_a_picture_that_is_none_is_told_in_a_sentence(a1111: Served, image: str) -> None:
    body = body_of("t", image=image, mask=packed(square_mask((100, 80))))
    answer = ask(a1111, "inpaint", body)
    assert answer.status_code == 400 and answer.json()["error"].endswith((".", "one size."))
