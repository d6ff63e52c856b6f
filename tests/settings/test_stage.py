"""A setting is written once: checked, worded, and with help for everybody who reads it."""

from typing import Any

import pytest
from pydantic import ValidationError

from lorasmith.errors import UsageError
from lorasmith.settings.stage import unknown_name
from lorasmith.settings.tables import TABLES, PruneSettings, SiteSettings, TrainSettings

EVERY_SETTING = [(model, name) for model in (SiteSettings, *TABLES.values()) for name in model.model_fields]


@pytest.mark.parametrize(("model", "name"), EVERY_SETTING, ids=lambda value: getattr(value, "__name__", value))
def test_every_setting_has_help_and_a_default_in_its_bounds(model: type[SiteSettings], name: str) -> None:
    info = model.model_fields[name]
    assert info.description and info.description[0] not in " ." and not info.description.endswith(".")
    assert isinstance(info.json_schema_extra, dict) and set(info.json_schema_extra) == {"unit", "advanced", "lines"}
    default = info.get_default(call_default_factory=True)
    assert getattr(model.build({name: default}, "table"), name) == default


@pytest.mark.parametrize("model", [SiteSettings, *TABLES.values()])
def test_every_stage_s_settings_have_a_sentence_and_stay_as_they_are(model: type[SiteSettings]) -> None:
    assert (model.__doc__ or "").strip().endswith(".")
    with pytest.raises(ValidationError, match="frozen"):
        setattr(model(), next(iter(model.model_fields)), 1)


def test_two_settings_do_not_share_a_list() -> None:
    assert SiteSettings().ratings is not SiteSettings().ratings


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"rnak": 4}, "train has no setting 'rnak'; did you mean 'rank'[?]"),
        ({"rank": 0}, "train.rank: input should be greater than or equal to 1, not 0."),
        ({"rank": "many"}, "train.rank: input should be a valid integer, .*, not 'many'."),
        ({"strength": float("inf")}, "train.strength: input should be a finite number, not inf."),
        ({"strength": float("nan")}, "train.strength: .*not nan."),
        ({"bucket_step": 48}, "train.bucket_step: input should be 32 or 64, not 48."),
        ({"resolution": 2000, "max_bucket": 1024}, "train: resolution must lie between min_bucket and max_bucket."),
        ({"rank": 0, "epochs": 0}, "train.rank: .*0. train.epochs: .*0."),
    ],
)
def test_a_wrong_value_is_a_sentence(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=f"^{sentence}$") as told:
        TrainSettings.build(values, "train")
    assert told.value.exit_code == 2


def test_a_name_like_no_other_lists_all_that_there_are() -> None:
    with pytest.raises(UsageError, match="has no setting 'qqqq'; it has: to, sure, min_side"):
        PruneSettings.build({"qqqq": 1}, "prune")
    assert unknown_name("x", ["alpha"], "No 'x'") == "No 'x'; it has: alpha."
