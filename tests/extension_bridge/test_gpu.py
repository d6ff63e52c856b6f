"""Tests of the GPU given back and restored through the bridge, and of a host that stops meanwhile."""

import importlib
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import requests

from lorasmith.rendering.prompt import Prompt
from lorasmith.rendering.webui import WebuiError, WebuiRenderer
from tests.extension_bridge.fake_host import Host
from tests.extension_bridge.served import TOKEN, Served, serving, until

PROMPT = Prompt("a fox", width=64, height=64, steps=3)


def test_the_gpu_is_given_back_and_restored_and_twice_is_once(served: Served) -> None:
    WebuiRenderer(served.webui).render([PROMPT])
    for _ in range(2):
        served.webui.release_gpu()
        assert served.host.model.device == "cpu"
        assert served.webui.status()["gpu"] == "given back"
    for _ in range(2):
        served.webui.restore_gpu()
        assert served.webui.status()["gpu"] == "here"
    served.host.person_draws()
    assert WebuiRenderer(served.webui).render([PROMPT])


def test_nothing_is_drawn_or_switched_while_the_gpu_is_given_back(served: Served) -> None:
    served.webui.release_gpu()
    with pytest.raises(WebuiError, match="given its GPU to a training") as caught:
        WebuiRenderer(served.webui).render([PROMPT])
    assert (caught.value.kind, caught.value.status) == ("gpu", 409)
    with pytest.raises(WebuiError, match="given its GPU to a training"):
        served.webui.switch(served.host.info("second").title)
    assert served.host.drawn == [] and served.host.state.begun == []


def test_the_gpu_is_given_back_after_the_picture_that_is_being_drawn(served: Served) -> None:
    served.host.step_seconds = 0.05
    person = threading.Thread(target=served.host.person_draws)
    person.start()
    until(lambda: served.host.state.job)
    served.webui.release_gpu()
    assert not served.host.state.job and served.host.model.device == "cpu"
    person.join()


def test_the_person_s_own_picture_brings_the_model_back(served: Served) -> None:
    served.host.person_draws()
    sd_models = served.host.modules["modules.sd_models"]
    untouched = sd_models.reload_model_weights
    served.webui.release_gpu()
    served.host.person_draws()
    assert served.host.model.device == "cuda" and len(served.host.drawn) == 2
    served.webui.restore_gpu()
    assert sd_models.reload_model_weights is untouched
    served.host.person_draws()


def test_a_model_that_was_never_loaded_is_not_loaded_to_be_given_back(served: Served) -> None:
    served.webui.release_gpu()
    assert served.host.loads == []
    served.webui.restore_gpu()
    assert served.host.loads == []


def test_a_model_that_is_just_loading_is_given_back_when_it_is_there(a1111: Served) -> None:
    sd_models = a1111.host.modules["modules.sd_models"]
    sd_models.model_data.lock.acquire()
    giving = threading.Thread(target=a1111.webui.release_gpu)
    giving.start()
    giving.join(0.3)
    assert giving.is_alive()
    sd_models.reload_model_weights()
    sd_models.model_data.lock.release()
    giving.join(5)
    assert a1111.host.model.device == "cpu"


def test_the_gpu_is_restored_when_the_training_side_died(served: Served) -> None:
    WebuiRenderer(served.webui).render([PROMPT])
    served.webui.release_gpu()
    served.powers.restore_gpu_if_given_back()
    assert served.webui.status()["gpu"] == "here"
    if not served.host.forge:
        assert served.host.model.device == "cuda"
    served.powers.restore_gpu_if_given_back()


def test_a_busy_host_gets_its_gpu_back_as_soon_as_it_is_free_and_nobody_is_held_up(served: Served) -> None:
    served.webui.release_gpu()
    with served.host.lock:
        served.powers.restore_gpu_if_given_back()
        assert served.webui.status()["gpu"] == "given back"
    until(lambda: served.webui.status()["gpu"] == "here")


def test_a_reload_of_the_ui_does_not_forget_that_the_gpu_was_given_back(
    tmp_path: Path, bridge_module: ModuleType
) -> None:
    with serving(Host(tmp_path), bridge_module) as served:
        served.host.person_draws()
        served.webui.release_gpu()
        fresh = importlib.reload(bridge_module.powers)
        fresh.restore_gpu_if_given_back()
        assert served.host.model.device == "cuda" and served.webui.status()["gpu"] == "here"
        served.host.person_draws()


def test_a_release_whose_asker_has_died_before_its_turn_leaves_the_gpu_here(served: Served) -> None:
    served.host.person_draws()
    faults: list[WebuiError] = []

    def ask() -> None:
        with pytest.raises(WebuiError) as caught:
            served.webui.release_gpu()
        faults.append(caught.value)

    with served.host.lock:
        asking = threading.Thread(target=ask)
        asking.start()
        until(lambda: served.host.lock.waiting)
        served.powers.restore_gpu_if_given_back()  # as when the child has died
    asking.join(5)
    assert (faults[0].kind, faults[0].status) == ("gpu", 409)
    assert served.webui.status()["gpu"] == "here" and served.host.model.device == "cuda"


def test_a_restore_behind_a_waiting_release_leaves_the_gpu_here(served: Served) -> None:
    served.host.person_draws()
    headers = {"X-Lorasmith-Token": TOKEN}
    urls = [f"{served.url}/lorasmith-host/gpu/{word}" for word in ("release", "restore")]
    asking = [
        threading.Thread(target=requests.post, args=(url,), kwargs={"headers": headers, "timeout": 20}) for url in urls
    ]
    with served.host.lock:
        asking[0].start()
        until(lambda: served.host.lock.waiting == 1)
        asking[1].start()
        until(lambda: served.host.lock.waiting == 2)
    for thread in asking:
        thread.join(5)
    assert served.webui.status()["gpu"] == "here" and served.host.model.device == "cuda"


def test_a_release_that_fails_half_way_is_not_noted_as_done(a1111: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    a1111.host.person_draws()

    def fails() -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(a1111.host.modules["modules.sd_models"], "unload_model_weights", fails)
    with pytest.raises(WebuiError, match="The WebUI failed"):
        a1111.webui.release_gpu()
    assert a1111.webui.status()["gpu"] == "here"


def failing(a1111: Served, monkeypatch: pytest.MonkeyPatch, times: int) -> list[str]:
    """Has the way back to the GPU fail so many times; gives what was tried."""
    sd_models = a1111.host.modules["modules.sd_models"]
    send, tries = sd_models.send_model_to_device, []

    def send_model_to_device(model: object) -> None:
        tries.append("try")
        if len(tries) <= times:
            raise RuntimeError("CUDA out of memory")
        send(model)

    monkeypatch.setattr(sd_models, "send_model_to_device", send_model_to_device)
    return tries


def test_a_model_that_finds_no_room_yet_is_brought_back_later(a1111: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(a1111.powers, "_PAUSES", (0.05,) * 4)
    a1111.host.person_draws()
    a1111.webui.release_gpu()
    failing(a1111, monkeypatch, times=3)
    a1111.powers.restore_gpu_if_given_back()
    until(lambda: a1111.webui.status()["gpu"] == "here")
    assert a1111.host.model.device == "cuda"


def test_a_model_is_not_brought_back_later_when_a_new_training_has_the_gpu(
    a1111: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(a1111.powers, "_PAUSES", (0.3,))
    a1111.host.person_draws()
    a1111.webui.release_gpu()
    tries = failing(a1111, monkeypatch, times=2)
    a1111.powers.restore_gpu_if_given_back()
    until(lambda: len(tries) == 2)
    a1111.webui.release_gpu()
    until(lambda: not any(thread.name == "lorasmith: GPU back" for thread in threading.enumerate()))
    assert len(tries) == 2 and a1111.webui.status()["gpu"] == "given back"


# the host stops or reloads


def test_a_host_that_is_stopping_takes_no_new_orders(served: Served) -> None:
    served.stopping.set()
    with pytest.raises(WebuiError, match="stopping or reloading") as caught:
        WebuiRenderer(served.webui).render([PROMPT])
    assert (caught.value.kind, caught.value.status) == ("closing", 409)
    assert served.host.drawn == []


@pytest.mark.parametrize("path", ["render", "gpu/release", "loras/refresh"])
def test_a_host_that_stops_does_not_wait_for_what_waits_for_its_turn(a1111: Served, path: str) -> None:
    answers: list[requests.Response] = []
    body = {"task": "t", "prompt": "a fox", "width": 64, "height": 64, "steps": 2, "sampler": "Euler"}
    url, headers = f"{a1111.url}/lorasmith-host/{path}", {"X-Lorasmith-Token": TOKEN}
    with a1111.host.lock:
        asking = threading.Thread(
            target=lambda: answers.append(requests.post(url, json=body, headers=headers, timeout=5))
        )
        asking.start()
        until(lambda: a1111.host.lock.waiting)
        a1111.stopping.set()
        asking.join(1)
        assert answers and answers[0].json()["kind"] == "closing"
    assert a1111.host.drawn == []


def test_a_host_that_stops_does_not_wait_for_our_picture(a1111: Served) -> None:
    a1111.host.step_seconds = 0.05
    faults: list[WebuiError] = []

    def draw() -> None:
        with pytest.raises(WebuiError) as caught:
            WebuiRenderer(a1111.webui).render([replace(PROMPT, steps=150)])
        faults.append(caught.value)

    ours = threading.Thread(target=draw)
    ours.start()
    until(lambda: a1111.host.state.job == "lorasmith")
    a1111.stopping.set()
    ours.join(2)
    assert faults and faults[0].kind == "closing"
    until(lambda: a1111.host.state.job == "", seconds=2)


def test_after_a_crash_the_model_waits_until_the_training_has_left_the_gpu(a1111: Served) -> None:
    a1111.host.person_draws()
    a1111.webui.release_gpu()
    a1111.powers.restore_gpu_if_given_back(after=0.3)
    assert a1111.webui.status()["gpu"] == "given back"
    until(lambda: a1111.webui.status()["gpu"] == "here")


def test_a_training_that_goes_on_before_that_keeps_the_gpu(a1111: Served) -> None:
    a1111.host.person_draws()
    a1111.webui.release_gpu()
    a1111.powers.restore_gpu_if_given_back(after=0.2)
    a1111.webui.release_gpu()
    time.sleep(0.5)
    assert a1111.webui.status()["gpu"] == "given back"
