"""Tests of pictures through the bridge: both ends together, over a stand-in host of either kind."""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from lorasmith.progress import Progress
from lorasmith.rendering.prompt import LoraUse
from lorasmith.rendering.webui import WebuiError, WebuiRenderer
from tests.extension_bridge.asking import PROMPT, ask, body_of, random_picture, square_mask, with_lora
from tests.extension_bridge.fake_models import write_lora
from tests.extension_bridge.served import Served


def test_a_picture_comes_back_with_what_was_asked_for(served: Served) -> None:
    seen: list[Progress] = []
    renderer = WebuiRenderer(served.webui, sampler="Euler", scheduler="Karras")
    prompt = with_lora(served, "hero")
    pictures = renderer.render([prompt, PROMPT], seen.append)
    assert [picture.size for picture in pictures] == [(64, 96)] * 2
    assert pictures[0].getpixel((0, 0)) != pictures[1].getpixel((0, 0))
    p = served.host.drawn[0]["p"]
    assert (p.prompt, p.negative_prompt) == ("a fox <lora:hero:0.8>", "blurred")
    assert (p.width, p.height, p.steps, p.cfg_scale, p.seed) == (64, 96, 4, 6.5, 9)
    assert (p.sampler_name, p.scheduler, p.scripts, p.closed) == ("Euler", "Karras", None, True)
    assert served.host.drawn[0]["settings"]["CLIP_stop_at_last_layers"] == 2
    assert "Lora hashes" in renderer.infotext(prompt) and "Model hash" in renderer.infotext(PROMPT)
    assert (seen[-1].done, seen[-1].total) == (2, 2)


def test_nothing_is_saved_and_every_setting_is_as_before(served: Served) -> None:
    before = dict(served.host.options.data)
    renderer = WebuiRenderer(served.webui)
    renderer.render([with_lora(served, "hero")])
    renderer.inpaint(random_picture(), square_mask((100, 80)), PROMPT)
    assert served.host.saved == []
    assert served.host.options.data == before  # also those that config.json did not hold
    assert (served.host.state.job, served.host.state.job_count) == ("", 0)


def test_settings_that_hold_already_are_left_alone(served: Served) -> None:
    served.host.options.data.update(served.powers._SETTINGS, CLIP_stop_at_last_layers=1)
    WebuiRenderer(served.webui).render([replace(PROMPT, clip_skip=1), PROMPT])
    assert [each["overridden"] for each in served.host.drawn] == [[], ["CLIP_stop_at_last_layers"]]


def test_a_setting_that_the_person_saves_while_we_draw_is_saved_without_ours(served: Served, tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    options = served.host.options
    options.data["CLIP_stop_at_last_layers"] = 1

    def save(path: str) -> None:
        Path(path).write_text(json.dumps(options.data), encoding="utf-8")

    options.__dict__["save"] = save
    sys.modules["modules.shared"].config_filename = str(file)  # type: ignore[attr-defined]
    save(str(file))
    served.host.meanwhile = lambda: (options.data.update(samples_format="webp"), time.sleep(0.02), save(str(file)))
    WebuiRenderer(served.webui).render([replace(PROMPT, clip_skip=2)])
    saved = json.loads(file.read_text(encoding="utf-8"))
    assert (saved["samples_format"], saved["CLIP_stop_at_last_layers"]) == ("webp", 1)


def test_the_person_s_own_added_lora_is_not_in_our_picture(served: Served) -> None:
    served.host.options.data["sd_lora"] = "hero"
    WebuiRenderer(served.webui).render([PROMPT])
    assert served.host.drawn[0]["loras"] == {}
    assert served.host.options.data["sd_lora"] == "hero"


def test_a_failed_picture_is_a_sentence_and_the_next_one_is_drawn(served: Served) -> None:
    served.host.fault = RuntimeError("mat1 and mat2 shapes cannot be multiplied")
    renderer = WebuiRenderer(served.webui)
    with pytest.raises(WebuiError, match="The WebUI failed: RuntimeError: mat1 and mat2"):
        renderer.render([PROMPT])
    assert served.host.state.job == ""
    served.host.fault = RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
    with pytest.raises(WebuiError, match="out of GPU memory"):
        renderer.render([PROMPT])
    assert renderer.render([PROMPT])


def test_a_missing_lora_is_refused_before_anything_is_drawn(served: Served, tmp_path: Path) -> None:
    with pytest.raises(WebuiError, match="no LoRA named 'lost'"):
        WebuiRenderer(served.webui).render([replace(PROMPT, loras=(LoraUse(tmp_path / "lost.safetensors"),))])
    assert served.host.drawn == [] and served.host.state.begun == []


def test_a_new_lora_is_found_by_itself(served: Served) -> None:
    write_lora(served.host.loras / "lorasmith" / "fresh.safetensors")
    lora = LoraUse(served.host.loras / "lorasmith" / "fresh.safetensors", 1.0, 0.5)
    WebuiRenderer(served.webui).render([replace(PROMPT, loras=(lora,))])
    assert served.host.drawn[0]["p"].prompt == "a fox <lora:fresh:0.5:1>"
    assert list(served.host.drawn[0]["loras"]) == ["fresh"]


def test_a_lora_that_the_host_dropped_without_a_word_is_told(served: Served) -> None:
    served.host.forgets_loras = True
    with pytest.raises(WebuiError, match="without the LoRA 'hero'"):
        WebuiRenderer(served.webui).render([with_lora(served, "hero")])


def test_the_bridge_itself_gives_no_picture_that_lacks_its_lora(served: Served) -> None:
    served.host.forgets_loras = True
    answer = ask(served, "render", body_of("t", loras=[{"name": "hero", "weight": 1.0}]))
    assert answer.status_code == 422 and answer.json()["kind"] == "missing_lora" and "image" not in answer.json()


def test_the_best_size_is_that_of_the_selected_checkpoint_s_family(served: Served) -> None:
    assert WebuiRenderer(served.webui).side == 512
    served.host.options.data["sd_model_checkpoint"] = served.host.info("big").title
    assert WebuiRenderer(served.webui).side == 1024


def test_a_lora_of_another_family_is_refused(served: Served) -> None:
    with pytest.raises(WebuiError, match="made for SDXL, and first.safetensors.* is SD1"):
        WebuiRenderer(served.webui).render([with_lora(served, "large")])
    title = served.host.info("big").title
    assert WebuiRenderer(served.webui, checkpoint=title).render([with_lora(served, "large")])


def test_another_file_under_the_name_of_our_lora_is_told(served: Served, tmp_path: Path) -> None:
    theirs = served.host.loras / "hero.safetensors"
    other = tmp_path / "hero.safetensors"
    other.write_bytes(theirs.read_bytes().replace(b'"sshs_model_hash"', b'"sshs_model_hasX"'))
    with pytest.raises(WebuiError, match="another file under the name of the LoRA 'hero'"):
        WebuiRenderer(served.webui).render([replace(PROMPT, loras=(LoraUse(other),))])


def test_a_checkpoint_switched_under_way_changes_none_of_our_pictures(served: Served) -> None:
    renderer = WebuiRenderer(served.webui)
    host = served.host

    def person_switches(progress: Progress) -> None:
        host.options.data["sd_model_checkpoint"] = host.info("second").title

    renderer.render([PROMPT] * 3, person_switches)
    assert {each["model"] for each in host.drawn} == {"first.safetensors"}
    assert host.options.data["sd_model_checkpoint"] == host.info("second").title
    host.person_draws()
    assert host.drawn[-1]["model"] == "second.safetensors"


def test_an_unknown_checkpoint_or_sampler_is_a_sentence(served: Served) -> None:
    with pytest.raises(WebuiError, match="no checkpoint 'none'"):
        WebuiRenderer(served.webui, checkpoint="none").render([PROMPT])
    assert ask(served, "render", body_of("t", checkpoint="none")).status_code == 404
    with pytest.raises(WebuiError, match="no sampler 'Magic'; it has DDIM, Euler, Euler a"):
        WebuiRenderer(served.webui, sampler="Magic").render([PROMPT])
    with pytest.raises(WebuiError, match="no scheduler 'Magic'"):
        WebuiRenderer(served.webui, scheduler="Magic").render([PROMPT])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"width": 60}, "'width' is 60"),
        ({"width": 100}, "multiple of 8"),
        ({"steps": 0}, "'steps' is 0"),
        ({"steps": 2.5}, "whole number"),
        ({"seed": True}, "'seed' is True"),
        ({"prompt": "a fox <lora:hero:1>"}, "under 'loras'"),
        ({"prompt": 3}, "'prompt' must be a text"),
        ({"loras": ["hero"]}, "list of {name, weight}"),
        ({"loras": [{"name": "a>b"}]}, "cannot be named"),
        ({"loras": 5}, "cannot be understood"),
        ({"task": ""}, "'task' must be a text"),
    ],
)
def test_what_no_host_could_draw_is_told_in_a_sentence(a1111: Served, changes: dict[str, object], words: str) -> None:
    answer = ask(a1111, "render", body_of("t") | changes)
    assert answer.status_code == 400 and words in answer.json()["error"]
