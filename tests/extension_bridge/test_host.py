"""Tests of the bridge's other powers: who is let in, checkpoints and LoRAs."""

import sys
from pathlib import Path
from types import ModuleType

import pytest
import requests
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request

from lorasmith.rendering.prompt import Prompt
from lorasmith.rendering.webui import Webui, WebuiError, WebuiRenderer
from tests.extension_bridge.fake_host import Host
from tests.extension_bridge.fake_models import write_lora, write_model
from tests.extension_bridge.served import TOKEN, Served, listening, until

PROMPT = Prompt("a fox", width=64, height=64, steps=3)
ROUTES = [("GET", "status"), ("POST", "render"), ("POST", "gpu/release"), ("GET", "no/such"), ("PUT", "status")]


# who is let in


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("token", ["", "wrong", TOKEN + "x", "é"])
def test_a_wrong_token_is_refused_everywhere(a1111: Served, method: str, path: str, token: str) -> None:
    url = f"{a1111.url}/lorasmith-host/{path}"
    answer = requests.request(method, url, headers={"X-Lorasmith-Token": token.encode()}, json={}, timeout=5)
    assert answer.status_code == 403 and answer.json()["kind"] == "refused"
    assert a1111.host.loads == [] and a1111.webui.status()["gpu"] == "here"


@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
def test_whoever_comes_through_a_reverse_proxy_is_refused(a1111: Served, name: str) -> None:
    headers = {"X-Lorasmith-Token": TOKEN, name: "127.0.0.1"}
    answer = requests.get(f"{a1111.url}/lorasmith-host/status", headers=headers, timeout=5)
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("peer", "server", "let_in"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("::1", "::1", True),
        ("::ffff:127.0.0.1", "::", True),
        ("192.168.1.5", "192.168.1.5", True),  # a host that listens on that address alone, asked from itself
        ("192.168.1.6", "192.168.1.5", False),
        ("testclient", "testserver", False),
        (None, None, False),
    ],
)
def test_only_this_machine_is_let_in(
    bridge_module: ModuleType, peer: str | None, server: str | None, let_in: bool
) -> None:
    scope = {
        "type": "http", "method": "GET", "path": "/", "query_string": b"",
        "headers": [(b"x-lorasmith-token", b"t")],
        "client": (peer, 1) if peer else None, "server": (server, 7860) if server else None,
    }  # fmt: skip
    assert (bridge_module._refusal(Request(scope), "t") is None) is let_in


def test_without_a_token_nobody_is_let_in(bridge_module: ModuleType) -> None:
    scope = {"type": "http", "headers": [(b"x-lorasmith-token", b"")], "client": ("127.0.0.1", 1), "server": None}
    assert bridge_module._refusal(Request(scope), "") is not None


def test_the_client_words_a_refusal_as_the_bridge_does(a1111: Served) -> None:
    with pytest.raises(WebuiError, match="wrong token") as caught:
        Webui(f"{a1111.url}/lorasmith-host", token="wrong").status()
    assert (caught.value.kind, caught.value.status) == ("refused", 403)


def test_an_unknown_path_and_a_broken_body_are_answered_in_json(a1111: Served) -> None:
    headers = {"X-Lorasmith-Token": TOKEN}
    assert requests.get(f"{a1111.url}/lorasmith-host/x", headers=headers, timeout=5).json()["kind"] == "unknown"
    for data in (b"{", b"[1]", b"\xff"):
        answer = requests.post(f"{a1111.url}/lorasmith-host/render", data=data, headers=headers, timeout=5)
        assert answer.status_code == 400 and "JSON" in answer.json()["error"]
    assert requests.post(f"{a1111.url}/lorasmith-host/interrupt", headers=headers, timeout=5).status_code == 400


def test_the_bridge_is_found_under_the_host_s_sub_path_too(a1111: Served) -> None:
    assert Webui(f"{a1111.url}/sd/lorasmith-host", token=TOKEN).status()["gpu"] == "here"


def test_the_host_s_own_middleware_between_does_no_harm(tmp_path: Path, bridge_module: ModuleType) -> None:
    async def look(request: Request, call_next):  # type: ignore[no-untyped-def]  # as the host's api_middleware
        return await call_next(request)

    app = Starlette(middleware=[Middleware(BaseHTTPMiddleware, dispatch=look)])
    app.router.routes[:0] = bridge_module.routes(lambda: TOKEN)
    host = Host(tmp_path, step_seconds=0.15)
    with host.installed(), listening(app) as url:
        webui = Webui(f"{url}/lorasmith-host", token=TOKEN)
        assert WebuiRenderer(webui).render([PROMPT])
        body = {"task": "t", "prompt": "a fox", "width": 64, "height": 64, "steps": 100, "sampler": "Euler"}
        with pytest.raises(requests.Timeout):
            requests.post(f"{webui.url}/render", json=body, headers={"X-Lorasmith-Token": TOKEN}, timeout=0.3)
        until(lambda: host.state.job == "", seconds=3)  # a client that has gone is noticed behind it too


# checkpoints


def test_the_status_never_loads_a_model(served: Served) -> None:
    found = served.webui.status()
    assert served.host.loads == []
    assert found["host"] == ("Forge" if served.host.forge else "A1111")
    assert found["version"] == ("2.0.1" if served.host.forge else "v1.10.1")
    assert found["lora_dir"] == str(served.host.loras)
    assert (found["samplers"], found["schedulers"]) == (["DDIM", "Euler", "Euler a"], ["Automatic", "Karras"])
    checkpoint = found["checkpoint"]
    assert (checkpoint["title"], checkpoint["loaded"]) == (served.host.info("first").title, False)
    assert checkpoint["path"] == served.host.info("first").filename
    assert (checkpoint["family"], checkpoint["v_prediction"], checkpoint["inpainting"]) == ("sd1", False, False)


@pytest.mark.parametrize(
    ("stem", "facts"),
    [("first", ("sd1", False, False)), ("second", ("sd1", False, True)), ("big", ("sdxl", True, False))],
)
def test_a_checkpoint_is_known_by_its_file_and_by_the_loaded_model(
    served: Served, stem: str, facts: tuple[str, bool, bool]
) -> None:
    served.host.options.data["sd_model_checkpoint"] = served.host.info(stem).title
    for loaded in (False, True):
        found = served.webui.checkpoint()
        assert found is not None
        assert (found["family"], found["v_prediction"], found["inpainting"]) == facts
        assert found["loaded"] is loaded
        served.webui.switch(served.host.info(stem).title)


def test_v_prediction_that_only_the_host_knows_of_is_told(a1111: Served) -> None:
    a1111.webui.switch(a1111.host.info("first").title)
    a1111.host.model.parameterization = "v"  # a .yaml beside the file says so
    found = a1111.webui.checkpoint()
    assert found is not None and found["v_prediction"] is True


def test_a_host_without_checkpoints_says_so(served: Served) -> None:
    sd_models = served.host.modules["modules.sd_models"]
    sd_models.checkpoints_list.clear()
    assert served.webui.status()["checkpoint"] is None and served.webui.checkpoints() == []
    with pytest.raises(WebuiError, match="no checkpoint to draw with"):
        WebuiRenderer(served.webui).render([PROMPT])


def test_a_switch_loads_at_once_and_does_not_wait_for_its_own_lock(served: Served) -> None:
    titles = [row["title"] for row in served.webui.checkpoints()]
    found = served.webui.switch(served.host.info("second").title)
    assert found["title"] in titles and found["loaded"] is True
    assert served.host.loads[-1] == "second.safetensors"
    WebuiRenderer(served.webui).render([PROMPT])
    assert served.host.drawn[-1]["model"] == "second.safetensors"


def test_a_switch_to_a_broken_or_unknown_file_leaves_the_person_s_choice(served: Served) -> None:
    with pytest.raises(WebuiError, match="the file is broken"):
        served.webui.switch(served.host.info("broken").title)
    with pytest.raises(WebuiError, match="no checkpoint 'x'"):
        served.webui.switch("x")
    assert served.host.options.sd_model_checkpoint == served.host.info("first").title
    served.host.person_draws()
    assert served.host.drawn[-1]["model"] == "first.safetensors"


# LoRAs


def test_new_loras_are_listed_after_a_refresh(served: Served) -> None:
    write_lora(served.host.loras / "lorasmith" / "fresh.safetensors")
    assert {row["name"] for row in served.webui.loras()["loras"]} == {"hero", "large"}
    found = served.webui.refresh_loras()
    assert {row["name"] for row in found["loras"]} == {"hero", "large", "fresh"}
    assert found["lora_dir"] == str(served.host.loras)


def test_a_host_without_the_lora_extension_lists_none(a1111: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "networks")
    assert a1111.webui.refresh_loras()["loras"] == []


@pytest.mark.parametrize(
    ("tensors", "metadata", "family"),
    [
        ({"lora_unet_x_attn2_to_k.lora_down.weight": [4, 768]}, {"ss_base_model_version": "sdxl_base_v1-0"}, "sd1"),
        ({"lora_unet_x_attn2_to_k.lora_down.weight": [4, 1024]}, {}, "sd2"),
        ({"lora_unet_x.lora_down.weight": [4, 64]}, {"modelspec.architecture": "stable-diffusion-v1/lora"}, "sd1"),
        ({"a": [1]}, {"modelspec.architecture": "stable-diffusion-xl-v1-base/lora"}, "sdxl"),
        ({"a": [1]}, {"ss_base_model_version": "sdxl_base_v1-0"}, "sdxl"),
        ({"a": [1]}, {"ss_base_model_version": "sd_v1"}, "sd1"),
        ({"a": [1]}, {"ss_v2": "True"}, "sd2"),
        ({"lora_te2_text_model_x.lora_down.weight": [4, 8]}, {}, "sdxl"),
        ({"a": [1]}, {"modelspec.architecture": "flux-1-dev/lora"}, "unknown"),
    ],
)
def test_the_family_of_a_lora_is_read_off_its_header(
    bridge_module: ModuleType, tmp_path: Path, tensors: dict[str, list[int]], metadata: dict[str, str], family: str
) -> None:
    from lorasmith_webui import model_files

    assert model_files.lora_family(str(write_model(tmp_path / "x.safetensors", tensors, metadata))) == family


@pytest.mark.parametrize("content", [b"", b"\x02", b"\xff" * 40, b"\x03\x00\x00\x00\x00\x00\x00\x00[1]"])
def test_a_file_that_is_no_model_is_of_no_known_family(
    bridge_module: ModuleType, tmp_path: Path, content: bytes
) -> None:
    from lorasmith_webui import model_files

    for name in ("x.safetensors", "x.ckpt", "there/is/none.safetensors"):
        if "/" not in name:
            (tmp_path / name).write_bytes(content)
        assert model_files.lora_family(str(tmp_path / name)) == "unknown"
        assert model_files.checkpoint_facts(str(tmp_path / name)) == ("unknown", False, False)
