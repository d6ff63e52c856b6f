"""A stage's form, made from its settings: the component that fits each, its help, unit and bounds, and values back."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin
from unicodedata import category

import gradio as gr

from lorasmith.errors import UsageError
from lorasmith.settings.stage import StageSettings
from lorasmith.settings.toml import bounds_text
from lorasmith.ui.typed import typed_path

FILES = {"checkpoint", "collect_from_listed_posts_file", "export", "lora", "skip_posts_file"}  # settings that name a file
_LARGEST = 2**53  # the page's script holds no larger whole number exactly


@dataclass(frozen=True)
class Form:
    """The components of one settings table by name; a form travels as `{name: value}`."""

    model: type[StageSettings]
    fields: dict[str, Any]
    shown: Any  # a hidden text: the values as they were last shown, so that only what was changed is written

    @property
    def components(self) -> list[Any]:
        """The fields and the hidden text, in the order of `filled`."""
        return [*self.fields.values(), self.shown]

    def filled(self, settings: StageSettings) -> list[Any]:
        """Gives the values of all components for these settings."""
        values = [_to_field(self.model, name, getattr(settings, name)) for name in self.fields]
        return [*values, json.dumps(dict(zip(self.fields, values, strict=True)))]

    def refilled(self, given: Mapping[Any, Any], now: list[Any]) -> list[Any]:
        """Gives `filled` values with nothing to do where a field shows them already, or where a person has changed it."""
        before = json.loads(given.get(self.shown) or "{}")
        values = [
            gr.skip() if given.get(component) != before.get(name) or given.get(component) == value else value
            for (name, component), value in zip(self.fields.items(), now, strict=False)
        ]
        return [*values, now[-1]]

    def changed(self, given: Mapping[Any, Any]) -> dict[str, Any]:
        """Gives the settings that a person changed since they were shown, as the model takes them.

        `given` maps components to values, as Gradio gives them. Raises `UsageError` for a number that is none.
        """
        before = json.loads(given.get(self.shown) or "{}")
        now = {name: given.get(component) for name, component in self.fields.items()}
        return {
            name: _from_field(self.model, name, value) for name, value in now.items() if value != before.get(name)
        }


def make_form(model: type[StageSettings], elsewhere: Collection[str] = ()) -> Form:
    """Draws the form into the Blocks that are being built: ordinary settings first, the others folded away.

    `elsewhere` names settings that the page has a better place for than a field.
    """
    fields: dict[str, Any] = {}
    names = [name for name in model.model_fields if name not in elsewhere]
    ordinary = [name for name in names if not _extra(model, name, "advanced")]
    folded = [name for name in names if _extra(model, name, "advanced")]
    for name in ordinary:
        fields[name] = _component(model, name)
    if folded:
        with gr.Accordion(f"{len(folded)} more settings", open=False):
            for name in folded:
                fields[name] = _component(model, name)
    return Form(model, fields, gr.Textbox(visible="hidden"))


def _component(model: type[StageSettings], name: str) -> Any:
    info = model.model_fields[name]
    kind = _without_none(info.annotation)
    words: dict[str, Any] = {
        "label": name.replace("_", " "),
        "info": _unmarked(f"{info.description}{bounds_text(model, name)}"),
        "elem_classes": [f"ls-field-{name}"],
    }
    if kind is bool:
        return gr.Checkbox(**words)
    if get_origin(kind) is Literal:
        return gr.Dropdown(choices=list(get_args(kind)), **words)
    if get_origin(kind) is list and get_origin(get_args(kind)[0]) is Literal:
        return gr.CheckboxGroup(choices=list(get_args(get_args(kind)[0])), **words)
    if kind is int:
        return gr.Number(precision=0, **words)
    if kind is float:
        return gr.Number(step=None, **words)
    if _extra(model, name, "lines"):
        return gr.Textbox(**words | {"info": f"{words['info']}; one on a line"}, lines=2, max_lines=8)
    return gr.Textbox(**words, max_lines=1 if kind is str else 4)


def _unmarked(words: str) -> str:
    """Keeps Gradio from reading a formula as emphasis: it knows the signs of Markdown here, but no way to escape them."""
    return words.replace("*", "·").replace("`", "'")


def _to_field(model: type[StageSettings], name: str, value: Any) -> Any:
    if isinstance(value, list) and not _is_choice_list(model, name):
        return ("\n" if _extra(model, name, "lines") else ", ").join(map(str, value))
    return value


def _from_field(model: type[StageSettings], name: str, value: Any) -> Any:
    kind = model.model_fields[name].annotation
    if isinstance(value, str):
        _demand_writable(name, value, one_line=kind is str)
    if _is_choice_list(model, name):
        return value.split(",") if isinstance(value, str) else value
    if get_origin(kind) is list and isinstance(value, str):
        pieces = value.split("\n") if _extra(model, name, "lines") else value.replace("\n", ",").split(",")
        parts = [part.strip() for part in pieces]
        return [_number(name, part, get_args(kind)[0]) for part in parts if part]
    if kind is str:
        return str(value or "").strip().strip('"')  # Windows' "copy as path" puts quotes round it
    if isinstance(value, int | float) and abs(value) > _LARGEST:
        raise UsageError(f"'{_words(name)}' is far beyond what can be meant; give a smaller number.")
    if value is None and NoneType not in get_args(kind):
        raise UsageError(f"'{_words(name)}' is empty; give a number.")
    return value


def demand_files(changed: Mapping[str, Any]) -> None:
    """Raises for a setting that names a file by its whole path, and nothing is there."""
    for name in FILES & changed.keys():
        file = typed_path(str(changed[name]))
        if file.is_absolute() and not file.exists():
            raise UsageError(f"'{_words(name)}' is {file}, and nothing is there; look at the path.")


def _demand_writable(name: str, text: str, *, one_line: bool) -> None:
    """Raises for what no file or path can hold: it came by pasting, and nobody sees it."""
    strange = next((sign for sign in text if category(sign) in ("Cc", "Cs") and sign not in "\r\n\t"), None)
    if strange is not None:
        raise UsageError(f"'{_words(name)}' holds a sign that cannot be written (U+{ord(strange):04X}); type it anew.")
    if one_line and "\n" in text.strip():
        raise UsageError(f"'{_words(name)}' has a line break; write it on one line.")


def _words(name: str) -> str:
    return name.replace("_", " ")


def _number(name: str, part: str, kind: Any) -> Any:
    if kind is str:
        return part
    try:
        return kind(part)
    except ValueError as error:
        raise UsageError(f"'{_words(name)}' has '{part}', which is no number; write numbers with commas between.") from error


def _is_choice_list(model: type[StageSettings], name: str) -> bool:
    kind = model.model_fields[name].annotation
    return get_origin(kind) is list and get_origin(get_args(kind)[0]) is Literal


def _without_none(kind: Any) -> Any:
    if get_origin(kind) is UnionType or NoneType in get_args(kind):
        return next(part for part in get_args(kind) if part is not NoneType)
    return kind


def _extra(model: type[StageSettings], name: str, word: str) -> bool:
    extra = model.model_fields[name].json_schema_extra
    return isinstance(extra, dict) and bool(extra.get(word))
