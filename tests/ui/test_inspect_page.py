"""A person before the Inspect page: what a file is told to be, two compared, settings taken over, and files that are none."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lorasmith.project.project import Project
from lorasmith.settings.tables import TrainSettings
from tests.ui.evaluated import METADATA, asked, evaluated_project, lora_name, watched, write_lora

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
MINE, OTHER = '[data-slot="file"]', '[data-slot="other"]'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("projects") / "p"
    evaluated_project(place, train={"rank": 16, "batch_size": 4}).close()
    return place


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA of elsewhere: another rank, its alpha in the weights alone."""
    metadata = {key: text for key, text in METADATA.items() if key not in ("ss_network_alpha", "sshs_model_hash")}
    return write_lora(tmp_path_factory.mktemp("models") / "other's one.safetensors", metadata | {"ss_network_dim": "4"}, 2.0, 4)


@pytest.fixture(scope="module")
def browser_tab(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Any]:
    with watched(tmp_path_factory.mktemp("home"), folder, "inspect") as tab:
        yield tab


@pytest.fixture
def tab(browser_tab: Any) -> Any:
    browser_tab.wait_for_selector(".lsi-drop")
    browser_tab.evaluate("""() => {
        document.querySelectorAll(".ls-toast").forEach((one) => one.remove());
        Object.assign(lorasmith.inspect.wishes(), { file: null, other: null });
        return lorasmith.inspect.open("file");
    }""")
    browser_tab.get_by_text("Choose a LoRA or a checkpoint").wait_for()
    return browser_tab


def choose(tab: Any, slot: str, file: Path | dict[str, Any]) -> None:
    tab.set_input_files(f"{slot} .lsi-file", file)


def part(tab: Any, name: str) -> Any:
    tab.locator(f'.lsi-part[data-part="{name}"]:not(.lsi-waiting)').wait_for()
    return tab.locator(".lsi-part")


def test_a_file_of_this_computer_is_told_and_only_its_header_is_sent(tab: Any, foreign: Path) -> None:
    sent: list[int] = []
    tab.on("request", lambda one: sent.append(len(one.post_data or "")) if "api/inspect" in one.url else None)
    choose(tab, MINE, foreign)
    told = part(tab, "file")
    assert told.get_by_role("heading", name="other's one.safetensors").count() == 1
    words = told.inner_text()
    for line in ("SD1.x", "base.safetensors", "rank\n4", "alpha\n2", "unet lr\n0.0004", "resolution\n512", "1 h 0 min", "512 x 512"):
        assert line in words, (line, words)
    assert "1 x LoRA, rank 4, alpha 2" in words and "called by nick" in words
    cloud = told.locator(".lsi-cloud li").all_inner_texts()
    assert cloud[0].split() == ["nick", "6"] and ["beach", "2"] in [one.split() for one in cloud]
    assert max(sent) < 6000 + len(json.dumps(METADATA))
    tab.reload()
    assert "other's one.safetensors" in part(tab, "file").inner_text()


def test_a_large_file_is_not_sent(tab: Any, tmp_path: Path) -> None:
    header = json.dumps({"__metadata__": METADATA, "lora_unet_a.lora_down.weight": {
        "dtype": "F32", "shape": [8, 50_000_000], "data_offsets": [0, 1_600_000_000]}}).encode()  # fmt: skip
    with (tmp_path / "large.safetensors").open("wb") as stream:
        stream.write(struct.pack("<Q", len(header)) + header)
        stream.truncate(8 + len(header) + 1_600_000_000)  # holes, where the file system has them
    choose(tab, MINE, tmp_path / "large.safetensors")
    assert "1600" in part(tab, "file").inner_text()


def test_a_path_a_lora_of_the_project_and_a_click_on_another_page_lead_to_the_same(tab: Any, folder: Path, foreign: Path) -> None:
    tab.fill(f"{MINE} input[type=text]", f'"{foreign}"')
    tab.locator(MINE).get_by_role("button", name="Look", exact=True).click()
    assert "other's one.safetensors" in part(tab, "file").inner_text()
    tab.select_option(f"{MINE} .lsi-own", lora_name(2))
    tab.locator(".lsi-head", has_text=lora_name(2)).wait_for()
    tab.evaluate("lorasmith.go('evaluate')")
    tab.get_by_role("button", name="Inspect the LoRA").click()
    tab.locator(".lsi-head", has_text=lora_name(3)).wait_for()
    assert tab.locator(f"{MINE} .lsi-own").input_value() == lora_name(3)


def test_two_files_are_compared_and_dropped_together(tab: Any, folder: Path, foreign: Path) -> None:
    own = folder / "loras" / lora_name(1)
    tab.evaluate(
        """async ([one, two]) => {
            const data = new DataTransfer();
            for (const [name, bytes] of [one, two]) data.items.add(new File([new Uint8Array(bytes)], name));
            const event = new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
            document.querySelector(".lsi-drop").dispatchEvent(event);
        }""",
        [["a.safetensors", list(foreign.read_bytes())], ["b.safetensors", list(own.read_bytes())]],
    )
    told = part(tab, "beside")
    assert "a.safetensors beside b.safetensors" in told.inner_text()
    assert told.get_by_role("row", name="rank 4 8").count() == 1 and told.get_by_role("row", name="alpha 2.0 4.0").count() == 1
    tab.select_option(f"{MINE} .lsi-own", lora_name(1))
    tab.select_option(f"{OTHER} .lsi-own", lora_name(1))
    tab.get_by_text("Nothing that the headers tell differs.").wait_for()
    assert "the same, by their stored hashes" in part(tab, "beside").inner_text()


def test_the_open_projects_settings_stand_beside_and_are_taken_over(tab: Any, folder: Path, foreign: Path) -> None:
    choose(tab, MINE, foreign)
    part(tab, "file")
    tab.locator(".lse-parts [data-part=project]").click()
    beside = part(tab, "project")
    assert beside.get_by_role("row", name="rank 4 16").count() == 1 and "batch_size = 4" in beside.inner_text()
    before = (folder / "lorasmith.toml").read_text(encoding="utf-8")
    tab.locator(".lse-parts [data-part=import]").click()
    assert "rank = 4" in part(tab, "import").inner_text()
    assert (folder / "lorasmith.toml").read_text(encoding="utf-8") == before
    tab.get_by_role("button", name="Write this into lorasmith.toml").click()
    tab.get_by_text("The settings stand in lorasmith.toml").wait_for()
    with Project.open(folder, writing=False) as project:
        settings = project.settings(TrainSettings)
        assert (settings.rank, settings.unet_lr, settings.epochs, settings.batch_size) == (4, 0.0004, 3, 4)


def header(length: int, more: bytes = b"") -> bytes:
    return struct.pack("<Q", length) + more


def test_what_is_no_safetensors_is_a_sentence(tab: Any, foreign: Path) -> None:
    whole = foreign.read_bytes()
    for name, data, sentence in (
        ("empty.safetensors", b"", "it has only 0 bytes"), ("words.safetensors", b"hello, this is no model", "is not a .safetensors"),
        ("cut.safetensors", whole[:200], "is cut off"), ("short.safetensors", whole[:-100], "is cut off"),
        ("giant.safetensors", header(90_000_000, b"{"), "is cut off"), ("endless.safetensors", header(1 << 60), "its header would be"),
        ("pickle.ckpt", b"PK\x03\x04" + b"0" * 40, "is a pickle"), ("list.safetensors", header(2, b"[]"), "its header is not a table"),
        ("noise.safetensors", header(4, b"\xff\xfe\xfd\xfc"), "its header is not JSON"),
    ):  # fmt: skip
        choose(tab, MINE, {"name": name, "mimeType": "application/octet-stream", "buffer": data})
        fault = tab.locator(".lsi-part [role=alert]", has_text=sentence).filter(has_text=name)
        fault.wait_for()


def test_a_giant_header_is_not_sent_but_told(tab: Any, tmp_path: Path) -> None:
    with (tmp_path / "giant.safetensors").open("wb") as stream:
        stream.write(header(90_000_000))
        stream.truncate(8 + 90_000_000)
    choose(tab, MINE, tmp_path / "giant.safetensors")
    tab.get_by_text("has a header of 90 MB, more than is sent (30 MB); if it lies on this machine, name its path").wait_for()


def test_paths_that_lead_nowhere_are_sentences(tab: Any, folder: Path) -> None:
    for wish, sentence in (
        ({"path": ""}, "Name a file"), ({"path": "/nowhere/a.safetensors"}, "There is no model file"),
        ({"path": "/etc/passwd"}, "is no .safetensors"), ({"path": str(folder)}, "is a folder and holds no"),
        ({"lora": "../lorasmith.toml"}, "There is no LoRA"), ({"lora": "x"}, "There is no LoRA"), (None, "Choose a file"),
        ({"start": "%%", "size": 9, "name": "a"}, "cannot be read"), ({"start": "", "size": "x"}, "size in bytes"),
    ):  # fmt: skip
        status, content = asked(tab, "api/inspect/file", {"file": wish})
        assert status == 400 and sentence in content["error"], content
    assert asked(tab, "api/inspect/nothing", {})[0] == 400 and asked(tab, "api/inspect/nothing")[0] == 400


def test_names_and_tags_with_markup_and_refused_tags_are_only_text(tab: Any, tmp_path: Path) -> None:
    tags = {"a": {"<img src=x onerror=alert(1)>": 3, "fox": 2, "loli": 9}}
    file = write_lora(tmp_path / "m.safetensors", METADATA | {"ss_output_name": "<b>bold</b>", "ss_tag_frequency": json.dumps(tags)})
    choose(tab, MINE, file)
    told = part(tab, "file")
    assert told.locator(".lsi-cloud li").first.inner_text().startswith("<img src=x") and told.locator("img").count() == 0
    assert "loli" not in told.inner_text() and "1 more are not shown" in told.inner_text()
    assert "<b>bold</b>" in told.inner_text()


def test_a_lost_connection_is_told_and_no_project_is_needed(tab: Any, foreign: Path) -> None:
    tab.route("**/api/inspect/file", lambda route: route.abort())
    choose(tab, MINE, foreign)
    tab.get_by_text("The server did not answer; try again in a moment.").wait_for()
    tab.unroute("**/api/inspect/file")
    tab.goto(tab.server)
    tab.get_by_role("tab", name="Inspect").click()
    choose(tab, MINE, foreign)
    assert "other's one.safetensors" in part(tab, "file").inner_text()
    assert tab.locator(".lse-parts [data-part=project]").count() == 0 and tab.locator(f"{MINE} .lsi-own").is_hidden()
