"""The road as a whole: eight stages over a real booru, with real models."""

import json
from pathlib import Path

import pytest

from lorasmith.demo import world
from lorasmith.errors import LorasmithError, UsageError
from lorasmith.project.project import Project
from lorasmith.settings.tables import DownloadSettings, PrepareSettings, ResearchSettings, TagSettings, TrainSettings
from lorasmith.stages.download.stage import download
from lorasmith.stages.prepare.stage import prepare
from lorasmith.stages.prune.stage import decide_by_hand, listing
from lorasmith.stages.research.stage import research
from lorasmith.stages.run import run_all, run_stage, skip_reason
from lorasmith.stages.tag.stage import tag
from lorasmith.stages.train.check import check

pytestmark = pytest.mark.slow


def test_research_tells_the_funnel_and_writes_a_sheet_that_names_the_core_looks(project: Project) -> None:
    found = research(project, project.settings(ResearchSettings))
    left = [count for _, count in found.funnel]
    assert left == sorted(left, reverse=True) and found.count >= found.looked_at > 10
    sheet = project.sheet.read_text(encoding="utf-8")
    assert "curled_horns" in sheet and world.NEW_CHARACTER in sheet


def test_an_edited_sheet_is_not_written_again(project: Project) -> None:
    research(project, project.settings(ResearchSettings))
    project.sheet.write_text(project.sheet.read_text(encoding="utf-8") + "- mine\n", encoding="utf-8")
    again = research(project, project.settings(ResearchSettings))
    assert again.sheet_kept and project.sheet.read_text(encoding="utf-8").endswith("- mine\n")


def test_download_takes_the_best_first_and_a_second_call_fetches_nothing(project: Project) -> None:
    first = download(project, project.settings(DownloadSettings, {"top_n": 5}))
    assert first.fetched == first.pictures == 5 and first.left_out
    again = download(project, project.settings(DownloadSettings, {"top_n": 5}))
    assert (again.fetched, again.already) == (0, 5)


def test_a_downloaded_picture_keeps_its_tags_by_category_and_its_provenance(project: Project) -> None:
    download(project, project.settings(DownloadSettings, {"top_n": 1}))
    picture = project.pictures.originals()[0]
    categories = {row.tag: row.category for row in project.pictures.tags(picture.name)}
    assert categories[world.NEW_CHARACTER] == "character"
    assert picture.post["site"] == "e621" and picture.post["md5"] == picture.md5
    assert project.file_of(picture).is_file()


def test_max_short_side_keeps_pictures_smaller(project: Project) -> None:
    download(project, project.settings(DownloadSettings, {"top_n": 2, "max_short_side": 300}))
    assert all(min(picture.width, picture.height) == 300 for picture in project.pictures.originals())
    again = download(project, project.settings(DownloadSettings, {"top_n": 2, "max_short_side": 300}))
    assert again.fetched == 0


def test_prune_gives_a_reason_for_each_dropped_picture_and_a_persons_word_wins(walked: Project) -> None:
    dropped = [line for line in listing(walked) if line.verdict == "drop" and line.maker == "prune"]
    assert dropped and all(line.reason for line in dropped)
    name = dropped[0].name
    decide_by_hand(walked, "keep", [name])
    run_stage(walked, "prune")
    assert name in {picture.name for picture in walked.pictures.kept()}
    walked.undo()
    assert name not in {picture.name for picture in walked.pictures.kept()}


def test_a_dropped_picture_leaves_the_dataset_and_comes_back_with_undo(walked: Project) -> None:
    kept = walked.pictures.kept()[0].name
    decide_by_hand(walked, "drop", [kept])
    run_stage(walked, "tag")
    files = {path.stem for path in walked.dataset("default").rglob("*.txt")}
    assert not any(stem.split(".")[0] == kept for stem in files)
    walked.undo()
    walked.undo()
    run_stage(walked, "tag")
    assert any(path.stem.split(".")[0] == kept for path in walked.dataset("default").rglob("*.txt"))


def test_originals_are_untouched_by_every_stage(walked: Project) -> None:
    from lorasmith.files import sha256_of

    assert all(sha256_of(walked.file_of(picture)) == picture.sha256 for picture in walked.pictures.originals())


def test_a_head_crop_loses_the_tags_of_what_left_the_picture(walked: Project) -> None:
    prepare(walked, walked.settings(PrepareSettings, {"head_share": 0.6}))  # a quarter are headshots already
    heads = [p for p in walked.pictures.all() if (p.operation or {}).get("kind") == "head"]
    assert heads
    for head in heads:
        tags = {row.tag for row in walked.pictures.tags(head.name) if row.source == "booru"}
        assert "headshot_portrait" in tags
        assert not tags & {"full-length_portrait", "half-length_portrait", "standing", "sitting", "lying"}


def test_new_prepare_settings_put_the_old_edits_in_the_trash(walked: Project) -> None:
    before = {picture.name for picture in walked.pictures.all(origins=("edit",))}
    prepare(walked, walked.settings(PrepareSettings, {"crop": False, "head_crops": False, "max_side": 4096}))
    assert before and not walked.pictures.all(origins=("edit",))
    walked.undo()
    assert {picture.name for picture in walked.pictures.all(origins=("edit",))} == before


def test_captions_begin_with_the_trigger_and_leave_the_core_looks_out(walked: Project) -> None:
    core = set(walked.fact("core_tags"))
    assert {"purple_fur", "curled_horns", "striped_fur"} <= core
    for caption in walked.pictures.captions("default").values():
        tags = [piece.replace(" ", "_") for piece in caption.text.split(", ")]
        assert tags[0] == world.NEW_CHARACTER and not core & set(tags)


def test_what_another_tool_changed_in_a_sidecar_is_kept(walked: Project) -> None:
    sidecar = sorted(walked.dataset("default").rglob("*.txt"))[0]
    tags = sidecar.read_text(encoding="utf-8").split(", ")
    sidecar.write_text(", ".join([tags[0], "wearing a monocle", *tags[2:]]), encoding="utf-8")
    told = tag(walked, walked.settings(TagSettings))
    assert told.edited_elsewhere == (sidecar.stem,)
    for _ in range(2):
        after = sidecar.read_text(encoding="utf-8").split(", ")
        assert "wearing a monocle" in after and tags[1] not in after
        tag(walked, walked.settings(TagSettings))


def test_the_lora_has_its_sidecars_and_the_report_its_picture(walked: Project) -> None:
    lora = next(path for path in walked.loras.glob("*.json")).with_suffix(".safetensors")
    facts = json.loads(lora.with_suffix(".json").read_text(encoding="utf-8"))
    assert facts["activation text"] == world.NEW_CHARACTER and facts["preferred weight"] == 1.0
    folder = walked.numbered(walked.evaluations)[0]
    report = (folder / "report.html").read_text(encoding="utf-8")
    grids = [file.name for file in folder.glob("grid-*.png")]
    assert (folder / "grid.png").is_file() and len(grids) > 1 and all(name in report for name in grids)


def test_renders_come_back_marked_as_generated_and_wait_for_a_persons_keep(walked: Project) -> None:
    renders = walked.pictures.all(origins=("render",))
    assert renders and all(picture.generated and picture.post["prompt"] for picture in renders)
    assert not {picture.name for picture in renders} & {picture.name for picture in walked.pictures.trained()}
    decide_by_hand(walked, "keep", [renders[0].name])
    assert renders[0].name in {picture.name for picture in walked.pictures.trained()}


def test_prune_leaves_the_candidates_alone(walked: Project) -> None:
    decisions = walked.pictures.decisions()
    run_stage(walked, "prune")
    assert walked.pictures.decisions() == decisions


def test_what_is_said_of_the_site_is_kept_for_the_next_stage(project: Project) -> None:
    run_stage(project, "research", flags={"query": "zorvex solo sitting"})
    assert project.settings(DownloadSettings).query == "zorvex solo sitting"
    assert skip_reason(project, "research") == "done before with the same settings"
    assert skip_reason(project, "download") is None


def test_a_mistake_in_the_settings_is_told_before_any_work(project: Project, booru: object) -> None:
    with (project.folder / "lorasmith.toml").open("a", encoding="utf-8") as file:
        file.write("\n[prunes]\nblur = 1\n")
    with pytest.raises(UsageError, match="did you mean 'prune'"):
        run_all(project)
    assert not project.pictures.all()


def test_training_without_pictures_says_what_to_do(project: Project) -> None:
    with pytest.raises(LorasmithError, match="run download, or `lorasmith add`"):
        run_stage(project, "train")


def test_evaluating_before_training_says_what_to_do(project: Project, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="run `lorasmith train` first"):
        run_stage(project, "evaluate")
    with pytest.raises(UsageError, match="run `lorasmith evaluate` first"):
        run_stage(project, "refine")


def test_the_demos_verdict_rests_on_the_seeds_that_chose_nothing(walked: Project) -> None:
    from lorasmith.demo.demo import conclude

    result = run_stage(walked, "evaluate")
    path = walked.folder / result.folder / "scores.json"
    scores = json.loads(path.read_text(encoding="utf-8"))
    for render in scores["renders"]:
        good = render["told"] and bool(render["lora"])
        render["own_scores"] = dict.fromkeys(world.OWN_TAGS, 0.9 if good else 0.1)
    for kind in ("pose", "framing", "background"):
        scores["told"]["followed"][kind]["mean"] = scores["told_base"]["followed"][kind]["mean"] = 0.5
    path.write_text(json.dumps(scores), encoding="utf-8")
    shown = conclude(walked, result, world.OWN_TAGS)
    assert shown.learnt and shown.still_follows and shown.exit_code == 0
    assert (round(shown.table[0].with_lora, 6), round(shown.table[0].without, 6)) == (0.9, 0.1)
    scores["told"]["followed"]["pose"]["mean"] = 0.3
    path.write_text(json.dumps(scores), encoding="utf-8")
    assert conclude(walked, result, world.OWN_TAGS).exit_code == 1
    for render in scores["renders"]:
        render["own_scores"] = dict.fromkeys(world.OWN_TAGS, 0.5)
    path.write_text(json.dumps(scores), encoding="utf-8")
    assert not conclude(walked, result, world.OWN_TAGS).learnt


def test_check_shows_the_buckets_and_after_a_run_how_long_the_next_will_take(walked: Project) -> None:
    found = check(walked)
    assert found.errors == () and found.images_seen and found.steps
    assert sum(row.pictures for row in found.buckets) == found.pictures
    assert all(0 <= row.cut <= row.most_cut < 1 <= row.enlarged for row in found.buckets)
    assert found.minutes is not None and found.minutes >= 0
    other = check(walked, walked.settings(TrainSettings, {"batch_size": 1}))
    assert other.minutes is None
