"""Opening taggers by folder or name, with and without a network, and the truth about providers."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lorasmith.errors import TaggerError
from lorasmith.taggers.labels import read_labels, scores_by_tag
from lorasmith.taggers.models import TAGGERS
from lorasmith.taggers.open import open_tagger
from lorasmith.taggers.providers import available_providers_truth, choose_providers

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


def test_a_failed_download_tells_size_and_licence_first_and_then_the_way_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def refused(*args: object, **kwargs: object) -> str:
        raise ConnectionError("no route to the hub")

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", refused)
    with pytest.raises(TaggerError, match="no route to the hub.*Put model.onnx"):
        open_tagger("wd-swinv2-tagger-v3", models_folder=tmp_path, tell=told.append)
    assert "467 MB" in told[0] and "Apache-2.0" in told[0]


def test_an_unknown_name_gets_the_nearest_known_one(tmp_path: Path) -> None:
    with pytest.raises(TaggerError, match="did you mean 'wd-swinv2-tagger-v3'"):
        open_tagger("wd-swin2-tagger-v3", models_folder=tmp_path)


def test_a_folder_without_a_model_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(TaggerError, match="has no model.onnx"):
        open_tagger(str(tmp_path), models_folder=None)


def test_the_rows_of_the_table_have_a_licence_a_size_and_a_threshold() -> None:
    for row in TAGGERS.values():
        assert row.licence and row.megabytes > 50 and 0.2 < row.threshold < 0.6


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
