"""A command line's flags read off a settings model: same names, help, units and bounds as everywhere."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any

from cyclopts import Parameter

from lorasmith.settings.stage import StageSettings
from lorasmith.settings.toml import bounds_text


def with_flags(function: Callable[..., Any], model: type[StageSettings]) -> Callable[..., Any]:
    """Gives a function whose keyword parameters are `function`'s own plus one flag per setting of `model`.

    `function` takes `**flags`: only the flags that were typed arrive in it.
    """
    own = [p for p in inspect.signature(function).parameters.values() if p.kind is not p.VAR_KEYWORD]
    flags = [_flag(model, name) for name in model.model_fields]

    def command(*args: Any, **values: Any) -> Any:
        typed = {name: value for name, value in values.items() if value is not None}
        return function(*args, **typed)

    parameters = own + flags
    command.__doc__ = function.__doc__
    command.__name__ = function.__name__
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


def _flag(model: type[StageSettings], name: str) -> inspect.Parameter:
    info = model.model_fields[name]
    default = info.get_default(call_default_factory=True)
    shown = "" if default in (None, "", []) else f" [default: {_shown(default)}]"
    help_text = f"{info.description}{bounds_text(model, name)}{shown}"
    kind: Any = info.annotation
    annotation = Annotated[kind | None, Parameter(help=help_text, show_default=False)]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
