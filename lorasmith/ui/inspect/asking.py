"""What the Inspect page asks: what a model file is and holds, how two differ, how one's settings stand beside the project's."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from lorasmith.errors import UsageError
from lorasmith.project.project import Project
from lorasmith.results import in_short, plain
from lorasmith.settings.tables import TrainSettings
from lorasmith.ui.answering import fresh
from lorasmith.ui.context import Context
from lorasmith.ui.inspect.source import header_meant

PLACE = '<div data-ls-own="inspect" class="lse lsi" role="region" aria-label="look into a model file"></div>'
MOST_TAGS = 300  # in the cloud
# How people look for settings; what is in none of them stands under "More".
_GROUPS: dict[str, tuple[str, ...]] = {
    "Network": ("rank", "alpha", "conv_rank", "conv_alpha", "dropout", "block_weights", "scale_weight_norms"),
    "Learning rates": ("strength", "unet_lr", "text_encoder_lr", "text_encoder_2_lr", "optimizer", "optimizer_args", "weight_decay",
                       "max_grad_norm"),
    "Schedule and length": ("lr_scheduler", "lr_cycles", "lr_power", "lr_min", "warmup", "epochs", "repeats", "batch_size",
                            "gradient_accumulation", "max_steps", "save_every"),
    "Resolution": ("resolution", "bucket_step", "min_bucket", "max_bucket", "bucket_no_upscale", "flip"),
    "Captions": ("clip_skip", "shuffle", "keep_tokens", "caption_dropout", "tag_dropout", "caption_variants", "token_warmup"),
    "Noise and loss": ("prediction_type", "zero_terminal_snr", "min_snr_gamma", "loss", "noise_offset", "multires_iterations",
                       "multires_discount", "ip_noise_gamma", "masked_loss"),
    "Machine": ("seed", "precision", "base_precision", "gradient_checkpointing"),
}  # fmt: skip


def show(context: Context, request: Request, body: Any) -> Response:
    """Answers what can be asked without a file: the LoRAs of the project."""
    id = request.query_params.get("project", "")
    if request.path_params["what"] != "loras":
        raise UsageError(f"The Inspect page has no '{request.path_params['what']}'.")
    if not id:
        return fresh({"project": "", "loras": []})
    with Project.open(context.projects.folder_of(id), writing=False) as project:
        files = sorted(project.loras.glob("*.safetensors"), key=lambda file: file.stat().st_mtime_ns, reverse=True)
        content = {"project": project.trigger, "loras": [file.name for file in files]}
    return fresh(content)


def answer(context: Context, request: Request, body: Any) -> Response:
    """Answers what is asked of a file, or takes its settings over; files travel as their headers, so this is a POST."""
    what, id = request.path_params["what"], str(body.get("project", ""))
    if what not in _ANSWERS:
        raise UsageError(f"The Inspect page cannot do '{what}'.")
    folder = context.projects.folder_of(id) if id else None
    return JSONResponse(plain(_ANSWERS[what](context, folder, body)))


def _file(context: Context, folder: Path | None, body: Any) -> dict[str, Any]:
    """What a file is: in the groups that people look for, its tags, its metadata as it stands."""
    from lorasmith.checkpoints.inspection import inspect

    header = header_meant(context, folder, body.get("file"))
    told = inspect(header, everything=True)
    tags = told.pop("tags", [])
    settings = told.pop("settings", {})
    return {
        "name": header.path.name, "path": str(header.path), "kind": told.pop("kind"), "megabytes": told.pop("megabytes"),
        "trigger": told.pop("trigger", ""), "title": told.pop("name", ""), "made_by": told.pop("made_by", ""),
        "network": told.pop("network", ""), "base": _lines(told.pop("base", {})), "training": _lines(told.pop("training", {})),
        "modules": [{"part": each.part, "layers": each.layers, "words": each.in_words} for each in told.pop("modules", ())],
        "settings": _grouped(settings), "other_settings": _lines(told.pop("other_settings", {})),
        "folders": told.pop("folders", []), "buckets": told.pop("buckets", []), "hash": _lines(told.pop("hash", {})),
        "tags": [[row["tag"], row["pictures"]] for row in tags[:MOST_TAGS]], "all_tags": len(tags),
        "refused_tags": told.pop("refused_tags", 0), "metadata": list(told.pop("metadata", {}).items()),
        "facts": [[_words(name), in_short(plain(value))] for name, value in told.items() if name != "file"],
    }  # fmt: skip


def _lines(table: Mapping[str, Any]) -> list[list[str]]:
    return [[_words(name), in_short(plain(value))] for name, value in table.items()]


def _words(name: str) -> str:
    return name.replace("_", " ")


def _grouped(settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Puts settings into the groups that people look for, each with the help that the form has for it."""
    left = dict(settings)
    groups = [(title, [name for name in names if name in left]) for title, names in _GROUPS.items()]
    for _, names in groups:
        for name in names:
            left.pop(name)
    groups.append(("More", list(left)))
    return [{"title": title, "rows": [_setting(name, settings[name]) for name in names]} for title, names in groups if names]


def _setting(name: str, value: Any) -> list[str]:
    field = TrainSettings.model_fields.get(name)
    return [_words(name), in_short(plain(value)), (field.description or "") if field else ""]


def _beside(context: Context, folder: Path | None, body: Any) -> dict[str, Any]:
    """What differs between two files."""
    from lorasmith.checkpoints.inspection import difference

    one, two = (header_meant(context, folder, body.get(key)) for key in ("file", "other"))
    rows = difference(one, two)
    return {"a": one.path.name, "b": two.path.name, "rows": [[_words(row["what"]), row["a"], row["b"]] for row in rows]}


def _with_project(context: Context, folder: Path | None, body: Any) -> dict[str, Any]:
    """A file's training settings beside those of the open project."""
    from lorasmith.stages.train.compare import compare_with_project

    header = header_meant(context, folder, body.get("file"))
    with Project.open(_demand(folder), writing=False) as project:
        found = compare_with_project(project, header)
        return {
            "name": header.path.name, "project": project.trigger, "same": [_words(name) for name in found.same],
            "rows": [[_words(row.setting), row.file, row.project] for row in found.differ], "silent": list(found.not_in_the_file),
        }  # fmt: skip


def _import(context: Context, folder: Path | None, body: Any) -> Any:
    """Takes a file's training settings into the open project, or says what that would be."""
    from lorasmith.stages.train.import_trainer import import_training

    header, place = header_meant(context, folder, body.get("file")), _demand(folder)
    preview = body.get("preview") is not False
    if not preview:
        context.demand_idle(place)
    return import_training(header.path, place, dry_run=preview, metadata=header.metadata)


def _demand(folder: Path | None) -> Path:
    if folder is None:
        raise UsageError("Open a project first: its settings are compared, and taken over into it.")
    return folder


_ANSWERS: dict[str, Callable[[Context, Path | None, Any], Any]] = {
    "file": _file, "beside": _beside, "project": _with_project, "import": _import,
}  # fmt: skip
