"""Opening taggers by folder or name, with and without a network, and the truth about providers."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lorasmith.errors import TaggerError
from lorasmith.files import sha256_of
from lorasmith.taggers.labels import read_labels, scores_by_tag
from lorasmith.taggers.models import LABEL_FILES, TAGGERS, WD
from lorasmith.taggers.onnx import PREPARATION
from lorasmith.taggers.open import open_tagger
from lorasmith.taggers.providers import available_providers_truth, choose_providers, why_not_used
from tests.model_hub import Hub

WriteTagger = Callable[..., Path]


def labels_of(tmp_path: Path, rows: str) -> tuple:
    path = tmp_path / "selected_tags.csv"
    path.write_text("tag_id,name,category,count\n" + rows, encoding="utf-8")
    return read_labels(path)


def test_a_folder_opens_without_a_network(write_tagger: WriteTagger, tmp_path: Path) -> None:
    tagger = open_tagger(str(write_tagger(tmp_path)), models_folder=None, offline=True)
    assert [label.name for label in tagger.labels] == ["blue_background", "green_background", "red_background"]
    assert tagger.providers[-1] == "CPUExecutionProvider"


def test_a_known_name_is_taken_from_the_models_folder(write_tagger: WriteTagger, tmp_path: Path) -> None:
    write_tagger(tmp_path / "wd-vit-tagger-v3")
    tagger = open_tagger("wd-vit-tagger-v3", models_folder=tmp_path, offline=True, threads=1)
    assert tagger.name == "wd-vit-tagger-v3"


def test_offline_a_missing_tagger_says_which_files_to_put_where(tmp_path: Path) -> None:
    with pytest.raises(TaggerError) as caught:
        open_tagger("wd-vit-tagger-v3", models_folder=tmp_path, offline=True)
    for piece in ("offline", "model.onnx", "selected_tags.csv", "SmilingWolf/wd-vit-tagger-v3", str(tmp_path)):
        assert piece in str(caught.value)


def files_of(hub: Hub, repo: str, folder: Path, label_file: str = "selected_tags.csv") -> None:
    """Puts a tagger on the hub."""
    hub.files[f"{repo}/model.onnx"] = (folder / "model.onnx").read_bytes()
    hub.files[f"{repo}/{label_file}"] = (folder / "selected_tags.csv").read_bytes()
    hub.large.add(f"{repo}/model.onnx")


def test_a_tagger_of_the_table_is_fetched_on_its_first_use_and_then_never_again(
    hub: Hub, write_tagger: WriteTagger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files_of(hub, "toynya/Z3D-E621-Convnext", write_tagger(tmp_path / "there"), "tags-selected.csv")
    told: list[str] = []
    tagger = open_tagger("z3d-e621-convnext", models_folder=tmp_path / "here", tell=told.append)
    assert [label.name for label in tagger.labels] == ["blue_background", "green_background", "red_background"]
    assert "licence not stated" in told[0] and any("sha256" in sentence for sentence in told)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    again = open_tagger("z3d-e621-convnext", models_folder=tmp_path / "here", tell=told.append)
    assert again.id == tagger.id == f"{sha256_of(tmp_path / 'here/z3d-e621-convnext/model.onnx')}-{PREPARATION}"


def test_a_failed_download_says_the_way_by_hand(hub: Hub, tmp_path: Path) -> None:
    hub.status = 503
    with pytest.raises(TaggerError, match=r"could not be fetched .* Put selected_tags\.csv .* Or name a folder"):
        open_tagger("wd-swinv2-tagger-v3", models_folder=tmp_path)


def test_an_unknown_name_gets_the_nearest_known_one(tmp_path: Path) -> None:
    with pytest.raises(TaggerError, match="did you mean 'wd-swinv2-tagger-v3'"):
        open_tagger("wd-swin2-tagger-v3", models_folder=tmp_path)


def test_a_folder_without_a_model_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(TaggerError, match="has no model.onnx"):
        open_tagger(str(tmp_path), models_folder=None)


def test_the_rows_of_the_table_have_a_licence_a_size_and_a_threshold() -> None:
    for row in TAGGERS.values():
        assert row.licence and row.megabytes > 50 and 0.2 < row.threshold <= 0.6
        assert row.label_file in LABEL_FILES and (row.pixels == WD or row.vocabulary == "e621")


def test_category_five_is_species_on_e621_and_meta_on_danbooru(tmp_path: Path) -> None:
    assert labels_of(tmp_path, "1,anthro,0,9\n2,fox,5,9\n")[1].category == "species"
    assert labels_of(tmp_path, "1,1girl,0,9\n2,highres,5,9\n")[1].category == "meta"


def test_ratings_and_characters_stay_out_of_a_picture_s_tags(tmp_path: Path) -> None:
    labels = labels_of(tmp_path, "1,explicit,9,9\n2,someone,4,9\n3,smile,0,9\n")
    assert scores_by_tag(labels, [0.9, 0.8, 0.7]) == {"smile": 0.7}


def test_a_tag_list_that_is_none_gets_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "tags.csv"
    path.write_text("<html>not found</html>")
    with pytest.raises(TaggerError, match="no column 'name'"):
        read_labels(path)


def test_the_cpu_always_works_and_stands_last(tmp_path: Path) -> None:
    assert any(truth.name == "CPUExecutionProvider" and truth.works for truth in available_providers_truth())
    assert choose_providers(["NoSuchProvider"]) == ["CPUExecutionProvider"]


def test_a_provider_that_is_not_to_be_had_is_told_with_the_reason(write_tagger: WriteTagger, tmp_path: Path) -> None:
    told: list[str] = []
    tagger = open_tagger(str(write_tagger(tmp_path)), providers=["NoSuchProvider"], tell=told.append)
    assert tagger.provider == "CPUExecutionProvider"
    assert told == [tagger.fallback]
    assert "runs on the CPU and not on NoSuchProvider: the onnxruntime that is installed has no" in told[0]


def test_cuda_that_is_listed_and_does_not_load_says_which_library_is_amiss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    monkeypatch.setattr("onnxruntime.__file__", "/nowhere/onnxruntime/__init__.py")
    said = why_not_used([], ["CPUExecutionProvider"])
    assert said.startswith("The tagger runs on the CPU and not on CUDA: ") and "onnxruntime_providers" in said
    assert why_not_used([], ["CUDAExecutionProvider", "CPUExecutionProvider"]) == ""


def test_a_card_beside_an_onnxruntime_for_the_cpu_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    said = why_not_used([], ["CPUExecutionProvider"])
    assert "beside an NVIDIA card" in said and "install onnxruntime-gpu instead" in said
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert why_not_used([], ["CPUExecutionProvider"]) == ""


def test_colours_that_come_out_wrong_are_told_at_opening(write_tagger: WriteTagger, tmp_path: Path) -> None:
    told: list[str] = []
    open_tagger(str(write_tagger(tmp_path, labels=("red_background", "x", "blue_background"))), tell=told.append)
    assert len(told) == 1 and "takes red for blue" in told[0]


def test_a_local_folder_is_known_by_a_tag_list_that_only_one_model_has(write_tagger: WriteTagger, tmp_path: Path) -> None:
    folder = write_tagger(tmp_path / "mine", layout="NCHW", activated=False, width=8)
    (folder / "selected_tags.csv").unlink()
    (folder / "tags_8041.json").write_text('["anthro", "mammal", "fox"]', encoding="utf-8")
    tagger = open_tagger(str(folder))
    assert [label.name for label in tagger.labels][:2] == ["placeholder_0", "anthro"]
    assert [label.category for label in tagger.labels][-3:] == ["rating"] * 3
    assert (tagger.vocabulary, tagger.thresholds["*"]) == ("e621", 0.3)
