"""Forms made from settings: every setting has a component, and only what a person changed is written."""

import math
import re
from pathlib import Path
from types import SimpleNamespace, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import gradio as gr
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lorasmith.errors import UsageError
from lorasmith.project.project import Project
from lorasmith.settings.tables import TABLES
from lorasmith.settings.toml import resolve
from lorasmith.stages.table import STAGES, Stage
from lorasmith.ui.form import FILES, Form, make_form
from lorasmith.ui.pages import StagePage, keep_changes, starter


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


BAD: dict[Any, tuple[object, ...]] = {  # by what a setting is: what no setting of that kind can be
    int: ("abc", "🦊", "", " \n", None, "1, x", 10**30, -(10**30), 0.5, math.nan, math.inf, [1]),
    float: ("abc", "🦊", "", " \n", None, "1, x", 10**30, -1e30, math.nan, -math.inf, [1]),
    bool: ("perhaps", "🦊", 7, None, 1e30),
    str: ("a\0b", "one\ntwo", "\x1b[31m", "\ud800"),
    Literal: ("abc", "🦊", "no\nsuch", -(10**30), ["a"], "/no/such/place"),
}


def bad_values(form: Form, name: str) -> tuple[object, ...]:
    """Gives what a field must refuse; None is an answer where a setting can be unset."""
    kind = form.model.model_fields[name].annotation
    if get_origin(kind) in (UnionType, Union):
        return tuple(bad for part in get_args(kind) for bad in BAD.get(part, ()) if bad not in (None, ""))
    if get_origin(kind) is list:
        inside = get_args(kind)[0]
        return ("a\0b", "\ud800") if inside is str else ("1, x, , ;", "🦊", "/no/such/place", "-1e", "abc\ndef")
    return BAD[get_origin(kind) or kind]


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_no_field_takes_what_it_cannot_be_and_the_sentence_names_it(forms: dict[str, Form], stage: Stage, tmp_path: Path) -> None:
    Project.create(tmp_path / "p", "nick").close()
    form, file = forms[stage.name], tmp_path / "p" / "lorasmith.toml"
    before, page = file.read_bytes(), StagePage(stage, form, None)
    shown = dict(zip(form.components, form.filled(form.model()), strict=True))
    for name, field in form.fields.items():
        for bad in bad_values(form, name):
            with pytest.raises(UsageError) as told:
                resolve(stage.name, {}, form.changed(shown | {field: bad}))
            assert re.search(rf"\b{name.replace('_', '[ _]')}\b", str(told.value)), bad
            assert "Traceback" not in str(told.value)
        last = str(tmp_path / "no.safetensors") if name in FILES else bad_values(form, name)[0]
        with pytest.raises(UsageError, match=name.replace("_", "[ _]")):  # as the Start button does it: nothing is written
            keep_changes(tmp_path / "p", page, shown | {field: last})
    assert file.read_bytes() == before


def test_a_start_with_a_field_that_cannot_be_is_told_and_puts_nothing_in_the_line(forms: dict[str, Form], tmp_path: Path) -> None:
    Project.create(tmp_path / "p", "nick").close()
    started: list[object] = []
    context: Any = SimpleNamespace(open_folder=lambda id: tmp_path / "p", start=lambda *words: started.append(words))
    for stage in STAGES:
        form, project = forms[stage.name], object()
        name = next(iter(form.fields))
        given = dict(zip(form.components, form.filled(form.model()), strict=True)) | {form.fields[name]: bad_values(form, name)[0]}
        page = StagePage(stage, form, None)
        with pytest.raises(gr.Error, match=name.replace("_", "[ _]")):
            starter(context, page, [page], project)(given | {project: "p"})
    assert started == []


lines = st.lists(st.text(st.characters(codec="ascii", min_codepoint=33, max_codepoint=126), min_size=1), max_size=4)


@settings(deadline=None, max_examples=60)
@given(prompts=lines, tags=st.lists(st.text("abc_()", min_size=1), max_size=4))
def test_lists_come_back_from_the_form_as_they_went_in(forms: dict[str, Form], prompts: list[str], tags: list[str]) -> None:
    train, tag = forms["train"], forms["tag"]
    filled = dict(zip(train.components, train.filled(TABLES["train"](sample_prompts=prompts)), strict=True))
    assert train.changed(filled | {train.shown: "{}"})["sample_prompts"] == prompts
    filled = dict(zip(tag.components, tag.filled(TABLES["tag"](drop_tags=tags)), strict=True))
    assert tag.changed(filled | {tag.shown: "{}"})["drop_tags"] == tags
