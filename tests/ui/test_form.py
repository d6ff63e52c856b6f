"""Forms made from settings: every setting has a component, and only what a person changed is written."""

import gradio as gr
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lorasmith.errors import UsageError
from lorasmith.settings.tables import TABLES
from lorasmith.ui.form import Form, make_form


@pytest.fixture(scope="module")
def forms() -> dict[str, Form]:
    with gr.Blocks():
        return {name: make_form(model) for name, model in TABLES.items()}


@pytest.mark.parametrize("stage", TABLES)
def test_every_setting_has_a_labelled_component_with_its_help(forms: dict[str, Form], stage: str) -> None:
    form = forms[stage]
    assert set(form.fields) == set(TABLES[stage].model_fields)
    for name, component in form.fields.items():
        assert component.label == name.replace("_", " ") and component.info


@pytest.mark.parametrize("stage", TABLES)
def test_a_form_left_as_it_was_changes_nothing(forms: dict[str, Form], stage: str) -> None:
    form = forms[stage]
    given = dict(zip(form.components, form.filled(TABLES[stage]()), strict=True))
    assert form.changed(given) == {}


def changed(form: Form, **values: object) -> dict[str, object]:
    """Fills a form with the defaults, types some values, and gives what would be written."""
    given = dict(zip(form.components, form.filled(form.model()), strict=True))
    return form.changed(given | {form.fields[name]: value for name, value in values.items()})


def test_what_is_typed_arrives_as_the_setting_takes_it(forms: dict[str, Form]) -> None:
    assert changed(forms["train"], epochs=3, unet_lr=1e-4, sample_prompts="a, b\nc") == {
        "epochs": 3, "unet_lr": 1e-4, "sample_prompts": ["a, b", "c"],
    }  # fmt: skip
    assert changed(forms["evaluate"], seeds="1, 2 ,3", weights="0.5\n1") == {"seeds": [1, 2, 3], "weights": [0.5, 1.0]}
    assert changed(forms["tag"], drop_tags="tail, , big_ears") == {"drop_tags": ["tail", "big_ears"]}
    assert changed(forms["research"], ratings=["s"]) == {"ratings": ["s"]}


def test_an_emptied_field_unsets_what_can_be_unset_and_is_an_error_elsewhere(forms: dict[str, Form]) -> None:
    full = dict(zip(forms["train"].components, forms["train"].filled(TABLES["train"](unet_lr=1.0)), strict=True))
    assert forms["train"].changed(full | {forms["train"].fields["unet_lr"]: None}) == {"unet_lr": None}
    with pytest.raises(UsageError, match="'epochs' is empty"):
        changed(forms["train"], epochs=None)


def test_a_number_that_is_none_is_told_with_its_field(forms: dict[str, Form]) -> None:
    with pytest.raises(UsageError, match="'seeds' has 'x'"):
        changed(forms["evaluate"], seeds="1, x")


lines = st.lists(st.text(st.characters(codec="ascii", exclude_characters="\r\n", min_codepoint=33), min_size=1), max_size=4)


@settings(deadline=None, max_examples=60)
@given(prompts=lines, tags=st.lists(st.text("abc_()", min_size=1), max_size=4))
def test_lists_come_back_from_the_form_as_they_went_in(prompts: list[str], tags: list[str]) -> None:
    with gr.Blocks():
        train, tag = make_form(TABLES["train"]), make_form(TABLES["tag"])
    filled = dict(zip(train.components, train.filled(TABLES["train"](sample_prompts=prompts)), strict=True))
    assert train.changed(filled | {train.shown: "{}"})["sample_prompts"] == prompts
    filled = dict(zip(tag.components, tag.filled(TABLES["tag"](drop_tags=tags)), strict=True))
    assert tag.changed(filled | {tag.shown: "{}"})["drop_tags"] == tags
