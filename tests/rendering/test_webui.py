"""Tests of rendering in a WebUI with `--api`, against a loopback server that answers as one."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lorasmith.checkpoints.hashes import lora_hash
from lorasmith.errors import RefusedError, UsageError
from lorasmith.progress import Progress
from lorasmith.rendering.prompt import LoraUse, Prompt, RenderingError
from lorasmith.rendering.webui import Webui, WebuiError, WebuiRenderer
from lorasmith.rendering.webui_order import lora_hashes, told
from tests.rendering.fake_webui import FIRST, SECOND, FakeWebui, serving

PROMPT = Prompt("a fox", negative="blurred", width=64, height=96, steps=5, guidance=6.5, seed=9, clip_skip=2)
HERO = LoraUse(Path("hero.safetensors"), 0.8)
TXT2IMG = "/sdapi/v1/txt2img"


@pytest.fixture
def webui() -> Iterator[FakeWebui]:
    """A WebUI that knows one LoRA."""
    with serving(FakeWebui(loras=["hero"])) as state:
        yield state


def renderer_of(webui: FakeWebui, **words: str) -> WebuiRenderer:
    return WebuiRenderer(Webui(webui.url), **words)  # type: ignore[arg-type]


def until(happens: object) -> None:
    end = time.monotonic() + 5
    while not happens():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def test_the_client_loads_neither_torch_nor_diffusers() -> None:
    code = "import sys, lorasmith.rendering.webui; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "diffusers", "transformers", "peft"} & set(loaded)


def test_a_prompt_becomes_the_standard_fields(webui: FakeWebui) -> None:
    seen: list[Progress] = []
    prompt = replace(PROMPT, loras=(HERO,))
    renderer = renderer_of(webui, checkpoint=SECOND, sampler="Euler", scheduler="Karras")
    pictures = renderer.render([prompt, PROMPT], seen.append)
    assert [picture.size for picture in pictures] == [(64, 96)] * 2
    assert pictures[0].getpixel((0, 0)) != pictures[1].getpixel((0, 0))
    body = webui.asked(TXT2IMG)[0]
    assert body["prompt"] == "a fox <lora:hero:0.8>"
    wanted = {"negative_prompt": "blurred", "width": 64, "height": 96, "steps": 5, "cfg_scale": 6.5, "seed": 9}
    assert wanted.items() <= body.items()
    assert (body["sampler_name"], body["scheduler"], body["save_images"]) == ("Euler", "Karras", False)
    settings = body["override_settings"]
    assert (settings["CLIP_stop_at_last_layers"], settings["sd_model_checkpoint"]) == (2, SECOND)
    assert settings["sd_lora"] == "None"  # the person's own "add network to prompt"
    assert set(settings) <= {*webui.options, "CLIP_stop_at_last_layers"}  # an unknown one would be an error there
    assert [(progress.done, progress.total) for progress in seen] == [(1, 2), (2, 2)]
    assert renderer.infotext(prompt).startswith("a fox <lora:hero:0.8>\nNegative prompt")


def test_the_text_encoder_weight_comes_first_in_the_tag() -> None:
    assert LoraUse(Path("a/hero.safetensors"), 0.8, 0.5).tag == "<lora:hero:0.5:0.8>"


def test_a_webui_from_before_1_9_gets_sampler_and_scheduler_as_one_name() -> None:
    with serving(FakeWebui(old=True, loras=["hero"])) as webui:
        renderer_of(webui, sampler="Euler", scheduler="Karras").render([replace(PROMPT, loras=(HERO,))])
        renderer_of(webui, sampler="DDIM").render([PROMPT])
        with_scheduler, without = webui.asked(TXT2IMG)
        assert with_scheduler["sampler_name"] == "Euler Karras" and "scheduler" not in with_scheduler
        assert without["sampler_name"] == "DDIM"
        status = Webui(webui.url).status()
        assert (status["schedulers"], status["lora_dir"]) == ([], "")


def test_a_new_lora_is_found_after_a_refresh_and_an_unknown_one_is_told(webui: FakeWebui) -> None:
    webui.waiting_loras = ["fresh"]
    renderer = renderer_of(webui)
    renderer.render([replace(PROMPT, loras=(LoraUse(Path("fresh.safetensors")),))])
    with pytest.raises(RenderingError, match="no LoRA named 'lost'; copy the file"):
        renderer.render([replace(PROMPT, loras=(LoraUse(Path("lost.safetensors")),))])


def test_a_lora_that_was_left_out_without_a_word_is_told(webui: FakeWebui) -> None:
    webui.forgotten_loras = ["hero"]
    with pytest.raises(WebuiError, match="drew without the LoRA 'hero'") as caught:
        renderer_of(webui).render([replace(PROMPT, loras=(HERO,))])
    assert caught.value.kind == "missing_lora"


def test_another_file_of_the_same_name_is_not_taken_for_ours(webui: FakeWebui, lora: Path) -> None:
    webui.loras = [lora.stem]
    ours = replace(PROMPT, loras=(LoraUse(lora),))
    webui.hashes[lora.stem] = lora_hash(lora)[:12]
    assert renderer_of(webui).render([ours])
    webui.hashes[lora.stem] = "000000000000"
    with pytest.raises(WebuiError, match="another file under the name"):
        renderer_of(webui).render([ours])


def test_pictures_of_one_call_are_of_one_checkpoint_whatever_the_person_selects_meanwhile(webui: FakeWebui) -> None:
    def person_switches(progress: Progress) -> None:
        webui.options["sd_model_checkpoint"] = SECOND

    renderer_of(webui).render([PROMPT] * 3, person_switches)
    assert {body["override_settings"]["sd_model_checkpoint"] for body in webui.asked(TXT2IMG)} == {FIRST}


def test_a_picture_of_another_checkpoint_is_drawn_again_once_and_then_told(webui: FakeWebui) -> None:
    webui.switched_under_way = 1
    assert renderer_of(webui).render([PROMPT])
    assert len(webui.asked(TXT2IMG)) == 2
    webui.switched_under_way = 2
    with pytest.raises(WebuiError, match="drew with the checkpoint 'second' and not with 'first.safetensors"):
        renderer_of(webui).render([PROMPT])


def test_a_switch_that_the_host_puts_off_is_right_with_the_first_picture() -> None:
    with serving(FakeWebui(deferred=True)) as webui:
        client = Webui(webui.url)
        assert client.switch(SECOND)["title"] == SECOND
        assert webui.loaded == FIRST
        assert WebuiRenderer(client).render([PROMPT])
        with pytest.raises(WebuiError, match="no checkpoint 'third'"):
            client.switch("third")
        assert client.status()["lora_dir"] == ""


@pytest.mark.parametrize("title", ["second.safetensors", "second", SECOND])
def test_a_checkpoint_is_found_by_its_title_from_before_its_hash_was_known(webui: FakeWebui, title: str) -> None:
    assert Webui(webui.url).switch(title)["title"] == SECOND
    renderer_of(webui, checkpoint=title).render([PROMPT])
    assert webui.asked(TXT2IMG)[0]["override_settings"]["sd_model_checkpoint"] == SECOND


def test_what_a_webui_tells_of_itself_has_the_words_of_the_bridge(webui: FakeWebui) -> None:
    client = Webui(webui.url)
    status = client.status()
    assert status["checkpoint"]["title"] == FIRST and status["checkpoint"]["family"] == "unknown"
    assert (status["busy"], status["gpu"], status["samplers"]) == (False, "here", ["DDIM", "Euler", "Euler a"])
    assert status["lora_dir"].endswith("Lora")
    assert [row["title"] for row in client.checkpoints()] == [FIRST, SECOND]
    assert client.loras()["loras"][0]["name"] == "hero"
    client.release_gpu()
    client.restore_gpu()
    assert [path for path, _ in webui.requests][-2:] == ["/sdapi/v1/unload-checkpoint", "/sdapi/v1/reload-checkpoint"]


def test_inpainting_keeps_every_unmasked_pixel_though_the_webui_blurs_over_the_edge(webui: FakeWebui) -> None:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 200, (80, 100, 3), dtype=np.uint8))
    mask = Image.new("L", picture.size)
    mask.paste(255, (30, 20, 70, 60))
    result = renderer_of(webui).inpaint(picture, mask, PROMPT, strength=0.6)
    changed = np.abs(np.asarray(result).astype(int) - np.asarray(picture).astype(int)).max(axis=2)
    assert changed[np.asarray(mask) == 0].max() == 0
    assert result.getpixel((50, 40)) == (255, 0, 0)
    body = webui.asked("/sdapi/v1/img2img")[0]
    assert (body["denoising_strength"], body["inpainting_fill"], body["inpaint_full_res"]) == (0.6, 1, True)
    assert body["override_settings"]["img2img_color_correction"] is False


def test_a_faint_mask_is_sent_so_that_the_webui_does_not_take_it_for_blank(webui: FakeWebui) -> None:
    picture = Image.new("RGB", (100, 80), "blue")
    mask = Image.new("L", picture.size)
    mask.paste(60, (30, 20, 70, 60))
    result = renderer_of(webui).inpaint(picture, mask, PROMPT)
    assert result.getpixel((0, 0)) == (0, 0, 255) and result.getpixel((50, 40)) != (0, 0, 255)


def test_inpainting_nothing_asks_nobody(webui: FakeWebui) -> None:
    picture = Image.new("RGB", (64, 64), "blue")
    renderer_of(webui).inpaint(picture, Image.new("L", (64, 64)), PROMPT)
    assert webui.requests == []


def test_a_picture_of_another_size_changes_nothing(webui: FakeWebui, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webui, "img2img", webui.txt2img)
    mask = Image.new("L", (100, 80), 255)
    with pytest.raises(RenderingError, match=r"\(64, 96\) pixels back for \(100, 80\)"):
        renderer_of(webui).inpaint(Image.new("RGB", (100, 80)), mask, PROMPT)


def test_waiting_for_others_and_being_drawn_are_told(webui: FakeWebui, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lorasmith.rendering.webui_client._LOOK_EVERY", 0.03)
    webui.seconds = 0.2
    seen: list[Progress] = []
    with webui.lock:
        ours = threading.Thread(target=lambda: renderer_of(webui).render([PROMPT], seen.append))
        ours.start()
        until(lambda: seen)
        assert seen[0].note == "the WebUI is busy with another picture; waiting"
    ours.join()
    assert any(progress.note == "a fox (40 of 100)" for progress in seen)


def test_whoever_is_stopped_stops_the_picture_too(webui: FakeWebui, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lorasmith.rendering.webui_client._LOOK_EVERY", 0.03)
    webui.seconds = 30

    def cancelled(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        renderer_of(webui).render([PROMPT], cancelled)
    until(lambda: not webui.current)


def test_an_interrupt_never_hits_somebody_else_s_picture(webui: FakeWebui) -> None:
    webui.current = "task(the person's)"
    assert Webui(webui.url).interrupt("task(ours)") is False
    assert not webui.interrupted


def test_a_webui_that_is_too_slow_is_told_and_stopped(webui: FakeWebui) -> None:
    webui.seconds = 30
    with pytest.raises(WebuiError, match="did not answer within 0.3 seconds"):
        WebuiRenderer(Webui(webui.url, timeout=0.3)).render([PROMPT])
    until(lambda: not webui.current)


def test_a_login_is_sent_and_its_lack_is_told() -> None:
    with serving(FakeWebui(login="me:secret")) as webui:
        with pytest.raises(RenderingError, match="wants a login"):
            renderer_of(webui).render([PROMPT])
        assert WebuiRenderer(Webui(webui.url, login=("me", "secret"))).render([PROMPT])


def test_a_webui_without_its_api_is_told() -> None:
    with serving(FakeWebui(api=False)) as webui, pytest.raises(RenderingError, match="start it with --api"):
        renderer_of(webui).render([PROMPT])


def test_nobody_at_the_address_is_told() -> None:
    with pytest.raises(RenderingError, match="No WebUI answers at http://127.0.0.1:9"):
        WebuiRenderer(Webui("http://127.0.0.1:9/")).render([PROMPT])


def test_a_bridge_that_is_not_there_is_not_told_to_start_with_its_api() -> None:
    with serving(FakeWebui()) as webui, pytest.raises(WebuiError, match="wait until it has started"):
        Webui(webui.url, token="secret").status()


@pytest.mark.parametrize("url", ["127.0.0.1:7860", "ftp://x", "http://", ""])
def test_an_address_that_is_none_is_told(url: str) -> None:
    with pytest.raises(UsageError, match="is no address of a WebUI"):
        Webui(url)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (
            (500, {"error": "OutOfMemoryError", "detail": "", "body": "", "errors": "CUDA out of memory."}),
            "out of GPU memory",
        ),
        ((500, {"error": "RuntimeError", "errors": "expected Half"}), "status 500: RuntimeError expected Half"),
        ((422, {"detail": [{"loc": ["body", "width"], "msg": "value is not valid"}]}), "status 422.*not valid"),
        ((403, {"detail": "Forbidden"}), "wants a login"),
        ((307, {}), "sends on to another address"),
        ((503, {}), "busy or starting"),
        ((200, {"images": []}), "without a picture"),
        ((200, {"images": ["@@@"]}), "cannot be read"),
        ((200, {"images": ["aGVsbG8="]}), "cannot be read"),
    ],
)
def test_each_fault_is_told_in_a_sentence(webui: FakeWebui, fault: tuple[int, object], words: str) -> None:
    webui.fault = (fault[0], json.dumps(fault[1]).encode())
    way = Webui(webui.url)._way
    with pytest.raises(RenderingError, match=words):
        way.connection.post(TXT2IMG) if fault[0] != 200 else _drawn(webui)


def _drawn(webui: FakeWebui) -> None:
    fault, webui.fault = webui.fault, None
    client = Webui(webui.url)
    client.status()
    assert fault is not None
    webui.txt2img = lambda body: (200, json.loads(fault[1]))  # type: ignore[method-assign]
    WebuiRenderer(client).render([PROMPT])


def test_a_page_of_html_is_not_a_webui(webui: FakeWebui) -> None:
    webui.fault = (200, b"<html>hello</html>")
    with pytest.raises(RenderingError, match="no JSON"):
        renderer_of(webui).render([PROMPT])


def test_an_unknown_sampler_is_told_in_the_webuis_words(webui: FakeWebui) -> None:
    with pytest.raises(RenderingError, match="404: Sampler not found"):
        renderer_of(webui, sampler="Magic").render([PROMPT])


def test_a_prompt_that_marks_minors_is_never_sent(webui: FakeWebui) -> None:
    for unsafe in (replace(PROMPT, text="fox, cub"), replace(PROMPT, negative="cub")):
        with pytest.raises(RefusedError):
            renderer_of(webui).render([PROMPT, unsafe])
        with pytest.raises(RefusedError):
            renderer_of(webui).inpaint(Image.new("RGB", (64, 64)), Image.new("L", (64, 64), 255), unsafe)
    assert webui.requests == []


def test_the_environment_names_a_webui(webui: FakeWebui, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URL", "TOKEN", "LOGIN", "VERIFY"):
        monkeypatch.delenv(f"LORASMITH_WEBUI_{name}", raising=False)
    assert Webui.from_environment() is None
    monkeypatch.setenv("LORASMITH_WEBUI_URL", webui.url)
    monkeypatch.setenv("LORASMITH_WEBUI_LOGIN", "me:a:b")
    monkeypatch.setenv("LORASMITH_WEBUI_VERIFY", "0")
    found = Webui.from_environment()
    assert found is not None
    assert (found.url, found.connection.login, found.connection.verify) == (webui.url, ("me", "a:b"), False)
    assert not found.connection.headers
    monkeypatch.setenv("LORASMITH_WEBUI_TOKEN", "secret")
    bridged = Webui.from_environment()
    assert bridged is not None and bridged.connection.headers == {"X-Lorasmith-Token": "secret"}
    monkeypatch.setenv("LORASMITH_WEBUI_LOGIN", "me")
    with pytest.raises(UsageError, match="user:password"):
        Webui.from_environment()


def test_a_proxy_for_the_web_is_not_asked_for_this_machine(webui: FakeWebui, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert renderer_of(webui).render([PROMPT])


@pytest.mark.parametrize(
    ("infotext", "hashes"),
    [
        ('x\nSteps: 2, Lora hashes: "a: 123, b c: 456", Version: 1', {"a": "123", "b c": "456"}),
        ("x, Lora hashes: evil\nSteps: 2, Seed: 1", {}),
        ("", {}),
        ('x\nLora hashes: "odd: 12"', {"odd": "12"}),
    ],
)
def test_the_loras_of_a_picture_are_read_off_its_last_line(infotext: str, hashes: dict[str, str]) -> None:
    assert lora_hashes(infotext) == hashes


def test_values_of_an_infotext_are_read_whole() -> None:
    line = 'a\nSteps: 2, Model hash: 0123456789, Model: "a, b", Size: 64x64'
    assert (told(line, "Model hash"), told(line, "Model"), told(line, "Steps")) == ("0123456789", "a, b", "2")
