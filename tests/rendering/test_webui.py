"""Tests of rendering in a WebUI, against a loopback server that answers as one."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lorasmith.errors import RefusedError
from lorasmith.progress import Progress
from lorasmith.rendering.prompt import LoraUse, Prompt, RenderingError
from lorasmith.rendering.webui import WebuiRenderer
from tests.rendering.fake_webui import FakeWebui, serving

PROMPT = Prompt("a fox", negative="blurred", width=64, height=96, steps=5, guidance=6.5, seed=9, clip_skip=2)


@pytest.fixture
def webui() -> Iterator[FakeWebui]:
    """A WebUI that knows one LoRA."""
    with serving(FakeWebui(loras=["hero"])) as state:
        yield state


def test_a_prompt_becomes_the_standard_fields(webui: FakeWebui) -> None:
    seen: list[Progress] = []
    prompt = replace(PROMPT, loras=(LoraUse(Path("hero.safetensors"), 0.8),))
    pictures = WebuiRenderer(webui.url + "/", checkpoint="base.safetensors").render([prompt, PROMPT], seen.append)
    assert [picture.size for picture in pictures] == [(64, 96)] * 2
    assert pictures[0].getpixel((0, 0)) != pictures[1].getpixel((0, 0))
    body = next(body for path, body in webui.requests if path == "/sdapi/v1/txt2img")
    assert body["prompt"] == "a fox <lora:hero:0.8>"
    wanted = {"negative_prompt": "blurred", "width": 64, "height": 96, "steps": 5, "cfg_scale": 6.5, "seed": 9}
    assert wanted.items() <= body.items()
    assert body["override_settings"] == {"CLIP_stop_at_last_layers": 2, "sd_model_checkpoint": "base.safetensors"}
    assert body["save_images"] is False
    assert [(progress.done, progress.total) for progress in seen] == [(1, 2), (2, 2)]


def test_the_text_encoder_weight_comes_first_in_the_tag() -> None:
    assert LoraUse(Path("a/hero.safetensors"), 0.8, 0.5).tag == "<lora:hero:0.5:0.8>"


def test_a_new_lora_is_found_after_a_refresh_and_an_unknown_one_is_told(webui: FakeWebui) -> None:
    webui.waiting_loras = ["fresh"]
    renderer = WebuiRenderer(webui.url)
    renderer.render([replace(PROMPT, loras=(LoraUse(Path("fresh.safetensors")),))])
    with pytest.raises(RenderingError, match="no LoRA named 'lost'; copy the file"):
        renderer.render([replace(PROMPT, loras=(LoraUse(Path("lost.safetensors")),))])


def test_inpainting_keeps_every_unmasked_pixel_though_the_webui_blurs_over_the_edge(webui: FakeWebui) -> None:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 200, (80, 100, 3), dtype=np.uint8))
    mask = Image.new("L", picture.size)
    mask.paste(255, (30, 20, 70, 60))
    result = WebuiRenderer(webui.url).inpaint(picture, mask, PROMPT, strength=0.6)
    changed = np.abs(np.asarray(result).astype(int) - np.asarray(picture).astype(int)).max(axis=2)
    assert changed[np.asarray(mask) == 0].max() == 0
    assert result.getpixel((50, 40)) == (255, 0, 0)
    path, body = webui.requests[-1]
    assert path == "/sdapi/v1/img2img"
    assert (body["denoising_strength"], body["inpainting_fill"], body["inpaint_full_res"]) == (0.6, 1, True)


def test_inpainting_nothing_asks_nobody(webui: FakeWebui) -> None:
    picture = Image.new("RGB", (64, 64), "blue")
    WebuiRenderer(webui.url).inpaint(picture, Image.new("L", (64, 64)), PROMPT)
    assert webui.requests == []


def test_a_login_is_sent_and_its_lack_is_told() -> None:
    with serving(FakeWebui(login="me:secret")) as webui:
        with pytest.raises(RenderingError, match="wants a login"):
            WebuiRenderer(webui.url).render([PROMPT])
        assert WebuiRenderer(webui.url, login=("me", "secret")).render([PROMPT])


def test_a_webui_without_its_api_is_told() -> None:
    with serving(FakeWebui(api=False)) as webui, pytest.raises(RenderingError, match="start it with --api"):
        WebuiRenderer(webui.url).render([PROMPT])


def test_nobody_at_the_address_is_told() -> None:
    with pytest.raises(RenderingError, match="No WebUI answers at http://127.0.0.1:9"):
        WebuiRenderer("http://127.0.0.1:9").render([PROMPT])


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (
            (500, {"error": "OutOfMemoryError", "detail": "", "body": "", "errors": "CUDA out of memory."}),
            "out of GPU memory",
        ),
        ((500, {"error": "RuntimeError", "errors": "expected Half"}), "status 500: RuntimeError expected Half"),
        ((422, {"detail": [{"loc": ["body", "width"], "msg": "value is not valid"}]}), "status 422.*not valid"),
        ((200, {"images": []}), "without a picture"),
        ((200, {"images": ["@@@"]}), "cannot be read"),
        ((200, {"images": ["aGVsbG8="]}), "cannot be read"),
    ],
)
def test_each_fault_is_told_in_a_sentence(webui: FakeWebui, fault: tuple[int, object], words: str) -> None:
    webui.fault = (fault[0], json.dumps(fault[1]).encode())
    with pytest.raises(RenderingError, match=words):
        WebuiRenderer(webui.url).render([PROMPT])


def test_a_page_of_html_is_not_a_webui(webui: FakeWebui) -> None:
    webui.fault = (200, b"<html>hello</html>")
    with pytest.raises(RenderingError, match="no JSON"):
        WebuiRenderer(webui.url).render([PROMPT])


def test_an_unknown_sampler_is_told_in_the_webuis_words(webui: FakeWebui) -> None:
    with pytest.raises(RenderingError, match="404: Sampler not found"):
        WebuiRenderer(webui.url, sampler="Magic").render([PROMPT])


def test_a_prompt_that_marks_minors_is_never_sent(webui: FakeWebui) -> None:
    with pytest.raises(RefusedError):
        WebuiRenderer(webui.url).render([PROMPT, replace(PROMPT, text="fox, cub")])
    assert webui.requests == []
