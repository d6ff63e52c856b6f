"""Tests of whose turn it is: ours and the person's pictures in one line, and an interrupt that hits the right one."""

import threading
from dataclasses import replace

import pytest
import requests

from lorasmith.progress import Progress
from lorasmith.rendering.webui import WebuiError, WebuiRenderer
from tests.extension_bridge.asking import PROMPT, ask, body_of
from tests.extension_bridge.served import TOKEN, Served, until


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


def test_two_tasks_of_one_name_are_not_drawn_at_once(a1111: Served) -> None:
    a1111.host.step_seconds = 0.1
    ours = threading.Thread(target=lambda: ask(a1111, "render", body_of("t")))
    ours.start()
    until(lambda: a1111.host.state.job == "lorasmith")
    assert "under way" in ask(a1111, "render", body_of("t")).json()["error"]
    ours.join()
    assert ask(a1111, "render", body_of("t")).status_code == 200
