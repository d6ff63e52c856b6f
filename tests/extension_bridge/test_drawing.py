"""Tests of pictures through the bridge: both ends together, over a stand-in host of either kind."""

import base64
import io
import json
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image

from lorasmith.progress import Progress
from lorasmith.rendering.prompt import Edges, LoraUse, Prompt
from lorasmith.rendering.webui import WebuiError, WebuiRenderer
from tests.extension_bridge.fake_host import write_lora
from tests.extension_bridge.served import TOKEN, Served, until

PROMPT = Prompt("a fox", negative="blurred", width=64, height=96, steps=4, guidance=6.5, seed=9, clip_skip=2)


def with_lora(served: Served, name: str, weight: float = 0.8) -> Prompt:
    return replace(PROMPT, loras=(LoraUse(served.host.loras / f"{name}.safetensors", weight),))


def ask(served: Served, path: str, body: dict[str, object]) -> requests.Response:
    headers = {"X-Lorasmith-Token": TOKEN}
    return requests.post(f"{served.url}/lorasmith-host/{path}", json=body, headers=headers, timeout=20)


def body_of(task: str, **changes: object) -> dict[str, object]:
    return {"task": task, "prompt": "a fox", "width": 64, "height": 64, "steps": 2, "sampler": "Euler", **changes}


def packed(picture: Image.Image) -> str:
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


def random_picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 200, (80, 100, 3), dtype=np.uint8))


def square_mask(size: tuple[int, int], value: int = 255) -> Image.Image:
    mask = Image.new("L", size)
    mask.paste(value, (30, 20, 70, 60))
    return mask


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


def test_the_person_s_job_gets_its_turn_between_two_of_our_pictures(served: Served) -> None:
    served.host.step_seconds = 0.02
    renderer = WebuiRenderer(served.webui)
    ours = threading.Thread(target=lambda: renderer.render([PROMPT] * 3))
    ours.start()
    until(lambda: served.host.state.job == "lorasmith")
    served.host.person_draws()
    ours.join()
    assert served.host.state.begun == ["lorasmith", "task(txt2img-person)", "lorasmith", "lorasmith"]


def test_waiting_for_the_person_and_drawing_are_told_apart(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lorasmith.rendering.webui_client._LOOK_EVERY", 0.05)
    served.host.step_seconds = 0.1
    person = threading.Thread(target=served.host.person_draws)
    person.start()
    until(lambda: served.host.state.job == "task(txt2img-person)")
    seen: list[Progress] = []
    WebuiRenderer(served.webui).render([PROMPT], seen.append)
    person.join()
    notes = [progress.note for progress in seen]
    assert "the WebUI is busy with another picture; waiting" in notes
    assert any(note.startswith("a fox (") and note.endswith(" of 4)") for note in notes)


def test_whoever_waits_for_a_picture_and_is_stopped_stops_the_picture_too(served: Served) -> None:
    served.host.step_seconds = 0.2

    def cancelled(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        WebuiRenderer(served.webui).render([replace(PROMPT, steps=100)], cancelled)
    until(lambda: served.host.state.job == "", seconds=3)


def test_an_interrupt_of_ours_never_hits_the_person_s_own_job(served: Served) -> None:
    served.host.step_seconds = 0.1
    person = threading.Thread(target=served.host.person_draws)
    person.start()
    until(lambda: served.host.state.job == "task(txt2img-person)")
    answers: list[requests.Response] = []
    ours = threading.Thread(target=lambda: answers.append(ask(served, "render", body_of("t"))))
    ours.start()
    until(lambda: served.host.lock.waiting)
    assert served.webui.interrupt("t") and not served.webui.interrupt("nobody's")
    assert not served.host.state.interrupted
    person.join()
    ours.join()
    assert answers[0].status_code == 409 and answers[0].json()["kind"] == "interrupted"
    assert [each["p"].prompt for each in served.host.drawn] == ["person"]
    assert not served.webui.interrupt("t")


def test_a_running_picture_is_interrupted_though_the_host_clears_the_flag_once(served: Served) -> None:
    served.host.step_seconds = 0.1
    answers: list[requests.Response] = []
    ours = threading.Thread(target=lambda: answers.append(ask(served, "render", body_of("t", steps=100))))
    ours.start()
    until(lambda: served.host.state.job == "lorasmith")
    assert served.webui.interrupt("t")
    served.host.state.interrupted = False  # as the end of the person's last job does, after the lock is free
    ours.join(5)
    assert answers[0].json()["kind"] == "interrupted"


def test_our_task_is_over_before_the_host_s_job_is(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    state, seen = served.host.state, []
    end = state.end

    def look() -> None:
        seen.append((served.powers.tasks.find("t").state, served.host.lock.acquire(blocking=False)))
        end()

    monkeypatch.setattr(state, "end", look)
    assert ask(served, "render", body_of("t")).status_code == 200
    assert seen == [("done", False)]  # else a late interrupt of ours could hit the person's next job


def test_a_job_that_fails_while_it_begins_is_ended(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    state = served.host.state

    def begin(job: str) -> None:
        state.job = job
        raise RuntimeError("no")

    monkeypatch.setattr(state, "begin", begin)
    assert ask(served, "render", body_of("t")).status_code == 500
    assert state.job == "" and ask(served, "render", body_of("t")).status_code == 500


def test_a_job_that_never_began_is_not_ended(a1111: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []
    monkeypatch.setattr(a1111.host.state, "end", lambda: ended.append("x"))
    monkeypatch.setattr(a1111.powers.tasks, "begin", lambda task, state: False)  # called off at the last moment
    assert ask(a1111, "render", body_of("t")).json()["kind"] == "interrupted"
    assert ended == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_host_that_ends_the_work_like_a_program_is_answered_for(a1111: Served) -> None:
    a1111.host.fault = SystemExit()  # type: ignore[assignment]
    answer = ask(a1111, "render", body_of("t"))
    assert answer.status_code == 500 and "without a word" in answer.json()["error"]


def test_a_picture_that_the_person_interrupted_is_not_taken_for_a_finished_one(served: Served) -> None:
    served.host.step_seconds = 0.05

    def interrupt() -> None:
        until(lambda: served.host.state.job == "lorasmith")
        served.host.state.interrupt()

    threading.Thread(target=interrupt).start()
    with pytest.raises(WebuiError, match="interrupted in the WebUI before it was finished"):
        WebuiRenderer(served.webui).render([replace(PROMPT, steps=100)])


def test_a_client_that_has_gone_leaves_no_picture_to_be_drawn(served: Served) -> None:
    served.host.step_seconds = 0.05
    with pytest.raises(requests.Timeout):
        requests.post(
            f"{served.url}/lorasmith-host/render",
            json=body_of("t", steps=100),
            headers={"X-Lorasmith-Token": TOKEN},
            timeout=0.3,
        )
    until(lambda: served.host.state.job == "", seconds=3)


def test_whoever_waits_too_long_is_told_that_the_host_is_busy(served: Served) -> None:
    with served.host.lock:
        answer = ask(served, "render", body_of("t", patience=0.3))
    assert answer.status_code == 503 and "busy" in answer.json()["error"]
    assert served.webui.status()["busy"] is False
    assert served.host.drawn == []


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


def test_the_bridge_itself_changes_nothing_beyond_the_mask_and_its_blur(served: Served) -> None:
    picture = random_picture()
    answer = ask(served, "inpaint", body_of("t", image=packed(picture), mask=packed(square_mask((100, 80))), blur=2))
    with Image.open(io.BytesIO(base64.b64decode(answer.json()["image"]))) as opened:
        changed = np.abs(np.asarray(opened).astype(int) - np.asarray(picture).astype(int)).max(axis=2)
    near = np.zeros_like(changed, dtype=bool)
    near[20 - 10 : 60 + 10, 30 - 10 : 70 + 10] = True
    assert changed[~near].max() == 0 and changed[40, 50] > 0


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


@pytest.mark.parametrize("image", ["", "@@@", "aGVsbG8=", packed(Image.new("RGB", (8, 8)))])
def test_a_picture_that_is_none_is_told_in_a_sentence(a1111: Served, image: str) -> None:
    body = body_of("t", image=image, mask=packed(square_mask((100, 80))))
    answer = ask(a1111, "inpaint", body)
    assert answer.status_code == 400 and answer.json()["error"].endswith((".", "one size."))


def test_two_tasks_of_one_name_are_not_drawn_at_once(a1111: Served) -> None:
    a1111.host.step_seconds = 0.1
    ours = threading.Thread(target=lambda: ask(a1111, "render", body_of("t")))
    ours.start()
    until(lambda: a1111.host.state.job == "lorasmith")
    assert "under way" in ask(a1111, "render", body_of("t")).json()["error"]
    ours.join()
    assert ask(a1111, "render", body_of("t")).status_code == 200
