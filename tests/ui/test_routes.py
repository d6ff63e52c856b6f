"""The page's own routes, asked as a browser asks them, over a real project."""

import base64
import io
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from lorasmith.jobs.place import Place, Work
from lorasmith.jobs.queue import Queue
from lorasmith.jobs.store import Job
from lorasmith.project.pictures import REFUSED, Decision
from lorasmith.project.project import Project
from lorasmith.stages.add.stage import add_folder
from lorasmith.stages.table import STAGES
from lorasmith.ui.context import Context
from lorasmith.ui.projects.recent import Projects
from lorasmith.ui.routes import routes
from lorasmith.ui.thumbs import Thumbs


class NoPlace(Place):
    """Takes jobs and never begins."""

    def start(self, job: Job, log: Path) -> Work:
        raise OSError("not here")


class Page:
    """A client, and what it looks at."""

    def __init__(self, client: TestClient, context: Context, id: str, folder: Path) -> None:
        self.client, self.context, self.id, self.folder = client, context, id, folder

    def view(self, stage: str, **words: Any) -> str:
        answer = self.client.get(f"/api/view/{stage}", params={"project": self.id} | words)
        assert answer.status_code == 200, answer.text
        return answer.text

    def prune(self, what: str = "page", **words: Any) -> Any:
        answer = self.client.get(f"/api/prune/{what}", params={"project": self.id} | words)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, **body: Any) -> Any:
        return self.client.post(path, json={"project": self.id} | body)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with sixty pictures, to be copied."""
    place = tmp_path_factory.mktemp("made")
    pictures = place / "pictures"
    pictures.mkdir()
    for number in range(60):
        picture = Image.effect_noise((300 + number, 300), 60).convert("RGB")
        picture.save(pictures / f"p{number:02d}.png")
        (pictures / f"p{number:02d}.txt").write_text("solo, <b>bold</b>, standing", encoding="utf-8")
    with Project.create(place / "p", "zorvex") as project:
        add_folder(project, pictures)
    return place / "p"


@pytest.fixture
def page(tmp_path: Path, made: Path) -> Iterator[Page]:
    folder = Path(shutil.copytree(made, tmp_path / "a project & more"))
    queue = Queue(tmp_path / "jobs", NoPlace())
    context = Context(Projects(tmp_path / "projects.json"), queue, Thumbs(tmp_path / "thumbs"), tmp_path)
    known = context.projects.remember(folder)
    with TestClient(Starlette(routes=routes(context))) as client:
        yield Page(client, context, known.id, folder)
    queue.close()


def names_of(page: Page) -> list[str]:
    with Project.open(page.folder, writing=False) as project:
        return [picture.name for picture in project.pictures.originals()]


@pytest.mark.parametrize("stage", [stage.name for stage in STAGES])
def test_every_stage_has_a_view_of_a_project_that_has_only_pictures(page: Page, stage: str) -> None:
    assert page.view(stage)


def test_pictures_come_in_pages_with_small_pictures_that_really_are_there(page: Page) -> None:
    first, second = page.view("download"), page.view("download", page=2)
    assert first.count("<figure") == 48 and second.count("<figure") == 12
    address = first.split('src="')[1].split('"')[0].replace("&amp;", "&")
    answer = page.client.get("/" + address)
    assert answer.headers["content-type"] == "image/webp" and "immutable" in answer.headers["cache-control"]
    assert max(Image.open(io.BytesIO(answer.content)).size) == 256


def test_a_persons_drop_is_recorded_and_can_be_taken_back(page: Page) -> None:
    name = names_of(page)[0]
    assert page.post("/api/decide", names=[name], verdict="drop").json() == {"changed": 1}
    assert len(page.prune(show="dropped")["pictures"]) == 1
    assert page.post("/api/history", way="undo").json()["what"] == f"drop {name}"
    assert len(page.prune(show="dropped")["pictures"]) == 0
    assert page.post("/api/history", way="redo").status_code == 200
    assert len(page.prune(show="dropped")["pictures"]) == 1


def test_what_safety_refused_is_shown_to_nobody(page: Page) -> None:
    name = names_of(page)[0]
    with Project.open(page.folder) as project, project.change("tag", "tag"):
        project.pictures.decide(name, Decision("drop", REFUSED, "refused"), maker=REFUSED)
    for stage in ("download", "prepare"):
        shown = page.view(stage) + page.view(stage, page=2)
        assert name not in shown
    for what in ("page", "names", "families", "coverage"):
        assert name not in str(page.prune(what))
    assert page.client.get("/api/prune/picture", params={"project": page.id, "name": name}).status_code == 400
    answer = page.post("/api/decide", names=[name], verdict="keep")
    assert answer.status_code == 400 and "Nobody's word" in answer.json()["error"]


def test_words_from_outside_never_become_markup(page: Page) -> None:
    with Project.open(page.folder) as project, project.change("test", "a name of the devil's"):
        project.remember("result:research", {"advice": "<script>alert(1)</script>", "funnel": [["<img src=x>", 3]]})
    shown = page.view("research")
    assert "<script>" not in shown and "<img src=x>" not in shown and "&lt;script&gt;" in shown


def test_a_new_result_of_a_stage_appears_by_itself(page: Page) -> None:
    with Project.open(page.folder) as project:
        project.remember("result:refine", {"a_new_number": 17})
    assert "a new number" in page.view("refine") and "17" in page.view("refine")


@pytest.mark.parametrize(
    "path",
    ["../secret.png", "%2e%2e/secret.png", "images/../../secret.png", "images/%2e%2e/%2e%2e/secret.png", "lorasmith.toml",
     "project.db", "images/none.png", "/etc/passwd", "images", "images/..%2f..%2fsecret.png"],
)  # fmt: skip
def test_nothing_outside_the_projects_pictures_and_models_can_be_fetched(page: Page, path: str) -> None:
    (page.folder.parent / "secret.png").write_bytes(b"secret")
    for way in ("file", "thumb"):
        answer = page.client.get(f"/api/{way}/{page.id}/{path}")
        assert answer.status_code in (400, 404) and b"secret" not in answer.content.replace(path.encode(), b"")


def test_a_link_out_of_the_project_is_not_followed(page: Page) -> None:
    secret = page.folder.parent / "secret.png"
    secret.write_bytes(b"secret")
    try:
        (page.folder / "images" / "way_out.png").symlink_to(secret)
    except OSError:
        pytest.skip("no links here")
    assert page.client.get(f"/api/file/{page.id}/images/way_out.png").status_code == 404


def test_a_projects_own_html_can_run_no_script_here(page: Page) -> None:
    place = page.folder / "evaluations" / "001"
    place.mkdir(parents=True)
    (place / "report.html").write_text("<script>1</script>", encoding="utf-8")
    answer = page.client.get(f"/api/file/{page.id}/evaluations/001/report.html")
    policy = answer.headers["content-security-policy"]
    assert answer.status_code == 200 and "default-src 'none'" in policy and "script-src" not in policy


def test_a_download_can_go_on_in_the_middle(page: Page) -> None:
    name = names_of(page)[0]
    whole = page.client.get(f"/api/file/{page.id}/images/{name}.png").content
    part = page.client.get(f"/api/file/{page.id}/images/{name}.png", headers={"range": "bytes=10-19"})
    assert part.status_code == 206 and part.content == whole[10:20]


def test_a_project_that_is_not_in_the_list_is_told_in_a_sentence_beside_the_jobs(page: Page) -> None:
    answer = page.client.get("/api/state", params={"project": "0" * 12}).json()
    assert "open it again" in answer["fault"] and answer["jobs"] == []
    assert page.client.get("/api/view/prune", params={"project": "0" * 12}).status_code == 400


def test_broken_settings_are_told_and_jobs_can_be_seen_and_stopped_all_the_same(page: Page) -> None:
    (page.folder / "lorasmith.toml").write_text("[train\n", encoding="utf-8")
    answer = page.client.get("/api/state", params={"project": page.id}).json()
    assert "not valid TOML" in answer["fault"] and "jobs" in answer


def test_the_version_changes_with_the_project_and_not_without(page: Page) -> None:
    def version() -> str:
        return page.client.get("/api/state", params={"project": page.id}).json()["version"]

    before = version()
    assert version() == before
    page.post("/api/decide", names=[names_of(page)[0]], verdict="drop")
    assert version() != before


def test_looking_does_not_change_the_version(page: Page) -> None:
    before = page.client.get("/api/state", params={"project": page.id}).json()["version"]
    with Project.open(page.folder, writing=False):
        assert page.client.get("/api/state", params={"project": page.id}).json()["version"] == before
    assert page.view("prune")
    assert page.client.get("/api/state", params={"project": page.id}).json()["version"] == before


def test_two_quick_clicks_are_both_recorded(page: Page) -> None:
    names = names_of(page)[:6]
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda name: page.post("/api/decide", names=[name], verdict="drop"), names))
    assert [answer.status_code for answer in answers] == [200] * 6
    assert len(page.prune(show="dropped")["pictures"]) == 6


def test_while_a_job_works_on_the_project_a_click_is_told_to_wait(page: Page) -> None:
    job = page.context.queue.store.add(page.folder, ("train", str(page.folder)), "gpu")
    page.context.queue.store.change(job.id, state="running")
    answer = page.post("/api/decide", names=names_of(page)[:1], verdict="drop")
    page.context.queue.store.change(job.id, state="done")
    assert answer.status_code == 400 and "train is at work" in answer.json()["error"]


def test_an_upload_that_is_too_large_is_refused_before_it_is_read(page: Page) -> None:
    headers = {"content-type": "application/json", "content-length": "9000000000"}
    assert page.client.post("/api/erase", content=b"{}", headers=headers).status_code == 413


def test_a_form_post_is_no_json_and_is_refused(page: Page) -> None:
    answer = page.client.post("/api/decide", data={"project": page.id, "names": "x", "verdict": "drop"})
    assert answer.status_code == 415


def test_an_unreadable_picture_is_told_and_costs_nothing_else(page: Page) -> None:
    (page.folder / "images" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 40)
    answer = page.client.get(f"/api/thumb/{page.id}/images/broken.png")
    assert answer.status_code == 415 and answer.json()["error"]


def test_a_painted_mask_is_kept_in_the_project_and_the_erasing_put_in_the_line(page: Page) -> None:
    name = names_of(page)[0]
    stream = io.BytesIO()
    Image.new("L", (300, 300), 255).save(stream, format="PNG")
    mask = "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
    answer = page.post("/api/erase", name=name, mask=mask, **{"with": "surroundings"})
    assert answer.status_code == 200, answer.text
    job = page.context.queue.store.get(answer.json()["job"])
    assert job is not None and job.words[:3] == ("erase", str(page.folder), name) and Path(job.words[4]).is_file()
    for wrong in ("", "data:text/html;base64,AAAA", "data:image/png;base64,***"):
        assert page.post("/api/erase", name=name, mask=wrong).status_code == 400


def test_a_persons_box_over_a_picture_is_a_new_version_and_faults_are_sentences(page: Page) -> None:
    name = names_of(page)[0]
    shown = page.client.get("/api/suggestion", params={"project": page.id, "name": name}).json()
    assert shown["width"] >= 300 and shown["height"] == 300 and [512, 512] in shown["buckets"]
    assert page.client.get("/" + shown["large"]).status_code == page.client.get("/" + shown["small"]).status_code == 200
    done = page.post("/api/suggestion", name=name, kind="crop", verdict="accept", box=[10, 20, 210, 220]).json()
    assert done == {"name": f"{name}.2", "refused": False}
    with Project.open(page.folder, writing=False) as project:
        assert (project.pictures.get(f"{name}.2").operation or {})["box"] == [10, 20, 210, 220]
    assert page.post("/api/suggestion", name=name, kind="crop", verdict="whole").json()["refused"]
    assert "refused by you" in page.view("prepare")
    for body, words in (
        ({"kind": "tail", "verdict": "accept", "box": [0, 0, 50, 50]}, "Send name"),
        ({"kind": "crop", "verdict": "accept", "box": [0, 0, "x", 50]}, "four whole numbers"),
        ({"kind": "crop", "verdict": "accept", "box": [0, 0, 1e9, 50]}, "four whole numbers"),
        ({"kind": "crop", "verdict": "accept", "box": [0, 0, 3, 3]}, "too small"),
    ):
        answer = page.post("/api/suggestion", name=name, **body)
        assert answer.status_code == 400 and words in answer.json()["error"]
    assert page.post("/api/suggestion", name="none", kind="crop", verdict="refuse").status_code == 400


def test_nobody_frames_what_safety_refused(page: Page) -> None:
    name = names_of(page)[0]
    with Project.open(page.folder) as project, project.change("tag", "tag"):
        project.pictures.decide(name, Decision("drop", REFUSED, "refused"), maker=REFUSED)
    assert page.client.get("/api/suggestion", params={"project": page.id, "name": name}).status_code == 400
    assert page.post("/api/suggestion", name=name, kind="crop", verdict="accept", box=[0, 0, 99, 99]).status_code == 400
