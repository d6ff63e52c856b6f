"""What is different between AUTOMATIC1111 1.10, Forge and reForge: all of it is here, each with its reason.

Nothing asks which program this is: each question is put to the functions that are there. The name is for people only.
The host's `modules` is imported inside functions, because this package is loaded before the host has finished loading.
"""

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lorasmith_webui import model_files

_NOTE = "lorasmith_gave_back_the_gpu"  # an attribute of modules.shared: it outlives "Reload UI", this module may not


def module(name: str) -> Any:
    """Gives a module of the host, or None where this host has none of that name."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


# who it is


def name_and_version() -> "tuple[str, str]":
    """Names the host for a person: A1111, Forge, reForge or unknown, and its version."""
    if module("modules.sd_models") is None:
        return "unknown", ""
    # Forge alone has `modules_forge.main_entry`; reForge and the classic Forge have `modules_forge` without it.
    if module("modules_forge.main_entry") is not None:
        kind = "Forge"
    else:
        kind = "A1111" if module("modules_forge") is None else "reForge"
    return kind, _version()


def _version() -> str:
    # Forge counts its own versions; git_tag() of the others asks git, and fails in a copy without its history.
    own = getattr(module("modules_forge.forge_version"), "version", None)
    tag = getattr(module("modules.launch_utils"), "git_tag", None)
    if own or tag is None:
        return str(own or "")
    try:
        return str(tag())
    except (OSError, RuntimeError):
        return ""


# the queue


def queue_lock() -> Any:
    """Gives the lock that the person's own jobs and REST take too: first come, first served; NOT reentrant."""
    return importlib.import_module("modules.call_queue").queue_lock


# checkpoints


def loaded_model() -> Any:
    """Gives the model in memory, or None; never loads one.

    `shared.sd_model` of A1111 loads the checkpoint when it is read, and Forge has a stand-in without
    `sd_checkpoint_info` until the first picture: so the holder is asked, and its answer is looked at.
    """
    data = getattr(importlib.import_module("modules.sd_models"), "model_data", None)
    model = getattr(data, "sd_model", None)
    return model if getattr(model, "sd_checkpoint_info", None) is not None else None


def selected_checkpoint() -> Any:
    """Gives the checkpoint that the next picture is drawn with, or None where the host has none."""
    sd_models = importlib.import_module("modules.sd_models")
    try:
        return sd_models.select_checkpoint()  # without checkpoints: Forge gives None, A1111 raises
    except FileNotFoundError:
        return None


def find_checkpoint(title: str) -> Any:
    """Gives the checkpoint of just that title or alias, or None. The host's own search takes what is merely similar."""
    return importlib.import_module("modules.sd_models").checkpoint_aliases.get(title)


def model_facts(info: Any) -> model_files.Facts:
    """Tells family, v-prediction and inpainting: by the loaded model where it is this checkpoint, else by its file.

    v-prediction counts when either says so: A1111 1.10 does not read the `v_pred` marker of a file, and a .yaml beside
    the file is read by the host alone.
    """
    in_file = model_files.checkpoint_facts(info.filename)
    model = loaded_model()
    if model is None or not _same_file(model.sd_checkpoint_info.filename, info.filename):
        return in_file
    flags = (("is_sdxl", model_files.SDXL), ("is_sd2", model_files.SD2), ("is_sd1", model_files.SD1))
    family = next((family for flag, family in flags if getattr(model, flag, False)), in_file.family)
    # Forge keeps it in its predictor, A1111 and reForge on the model.
    predicts = (_dig(model, "forge_objects.unet.model.predictor.prediction_type"), _dig(model, "parameterization"))
    # Forge has a flag, A1111 the way the conditioning gets in.
    inpaints = bool(_dig(model, "is_inpaint")) or _dig(model, "model.conditioning_key") in ("hybrid", "concat")
    v_prediction = in_file.v_prediction or any(each in ("v", "v_prediction") for each in predicts)
    return model_files.Facts(family, v_prediction, in_file.inpainting or inpaints)


def is_loaded(info: Any) -> bool:
    """Tells whether just this checkpoint is the one in memory."""
    model = loaded_model()
    return model is not None and _same_file(model.sd_checkpoint_info.filename, info.filename)


def switch_checkpoint(info: Any) -> None:
    """Makes a checkpoint the selected one and loads it. The queue lock must be held.

    Forge only notes the wish and would load at the next picture: it is told to load now, so that a broken file is
    told now. On the others the option's own callback takes the queue lock, which is held and not reentrant: the
    callback is left out and the weights are loaded here.
    """
    shared = importlib.import_module("modules.shared")
    sd_models = importlib.import_module("modules.sd_models")
    before = shared.opts.data.get("sd_model_checkpoint")
    change = getattr(module("modules_forge.main_entry"), "checkpoint_change", None)

    def select(title: Any) -> None:
        if change is not None:
            change(title, save=False, refresh=True)
        else:
            shared.opts.set("sd_model_checkpoint", title, run_callbacks=False)

    select(info.title)
    try:
        getattr(sd_models, "forge_model_reload", sd_models.reload_model_weights)()
    except BaseException:
        if before:
            select(before)  # else every later picture of the person would fail on the same file
        raise


def _same_file(one: str, other: str) -> bool:
    return Path(one).resolve() == Path(other).resolve()


def _dig(thing: Any, path: str) -> Any:
    for name in path.split("."):
        thing = getattr(thing, name, None)
    return thing


# the GPU


def gpu_is_given_back() -> bool:
    """Tells whether the model was moved off the GPU for a training."""
    return bool(getattr(importlib.import_module("modules.shared"), _NOTE, False))


def note_gpu(given_back: bool) -> None:
    """Notes where the model is, in a place that a reload of the UI leaves alone."""
    setattr(importlib.import_module("modules.shared"), _NOTE, given_back)


def move_off_gpu() -> None:
    """Frees the GPU's memory. The queue lock must be held."""
    sd_models = importlib.import_module("modules.sd_models")
    # A1111 loads its first checkpoint in a thread of its own that holds this lock: without waiting for it, the model
    # would land on the GPU just after it was given back. Forge has no such lock.
    lock = getattr(getattr(sd_models, "model_data", None), "lock", None)
    if lock is not None:
        with lock:
            pass
    if loaded_model() is None:
        return  # A1111's unload would load the model first, only to move it away
    sd_models.unload_model_weights()  # no arguments: reForge's takes others than A1111's


def bring_to_gpu() -> None:
    """Brings the model back. The queue lock must be held.

    A1111 must be told: it takes a model on the CPU for a loaded one, and would fail at the next picture. Forge loads by
    itself, its function is an empty stub.
    """
    model = loaded_model()
    send = getattr(importlib.import_module("modules.sd_models"), "send_model_to_device", None)
    if model is not None and send is not None:
        send(model)


def when_the_person_draws(come_back: "Callable[[], None]") -> "Callable[[], None]":
    """Has `come_back` called before the person's own next picture; gives what takes that off again.

    Forge loads by itself. A1111 would fail ("expected all tensors to be on the same device"); but each picture begins
    with `sd_models.reload_model_weights()`, so that is where the model is brought back.
    """
    sd_models = importlib.import_module("modules.sd_models")
    if hasattr(sd_models, "forge_model_reload"):
        return lambda: None
    original = sd_models.reload_model_weights

    def reload_model_weights(*arguments: Any, **named: Any) -> Any:
        if gpu_is_given_back():
            come_back()
        return original(*arguments, **named)

    def take_off() -> None:
        if sd_models.reload_model_weights is reload_model_weights:  # else another extension has put its own on top
            sd_models.reload_model_weights = original

    sd_models.reload_model_weights = reload_model_weights
    return take_off


# LoRAs


def lora_folder() -> str:
    """Gives the folder that the host looks for LoRAs in."""
    options = importlib.import_module("modules.shared").cmd_opts
    paths = module("modules.paths")
    # forge-classic has no such option where the flag was not given.
    return str(getattr(options, "lora_dir", None) or Path(getattr(paths, "models_path", "models"), "Lora"))


def networks() -> Any:
    """Gives the built-in LoRA extension, which registers itself as top-level `networks`; None where it is disabled."""
    found = sys.modules.get("networks")
    return found if hasattr(found, "available_networks") else None


def refresh_loras() -> None:
    """Has the host look through its LoRA folder again. The queue lock must be held: the lists are emptied first."""
    known = networks()
    if known is not None:
        known.list_available_networks()


def find_loras(names: "list[str]") -> "dict[str, Any]":
    """Gives the host's entries of these LoRAs; new files are looked for, unknown names are left out."""
    known = networks()
    if known is None:
        return {}
    missing = [name for name in names if name not in known.available_networks]
    if missing:
        # Since 1.8 single names can be looked for; before, the whole folder is read again.
        look = getattr(known, "update_available_networks_by_names", None)
        if look is not None:
            look(missing)
        else:
            known.list_available_networks()
    return {name: known.available_networks[name] for name in names if name in known.available_networks}


# drawing


def sampler_names() -> "list[str]":
    """Lists the samplers; before 1.9 their names hold the scheduler too ("DPM++ 2M Karras")."""
    return [each.name for each in importlib.import_module("modules.sd_samplers").all_samplers]


def scheduler_names() -> "list[str]":
    """Lists the schedulers by the label that pictures carry; none before 1.9."""
    return [each.label for each in getattr(module("modules.sd_schedulers"), "schedulers", [])]


def known_settings(wanted: "dict[str, Any]") -> "dict[str, Any]":
    """Leaves the settings that must be changed: this host has them (an unknown one is a KeyError), and they are otherwise.

    The fewer the better: while a picture is drawn they stand among the person's own, and are saved with them by a host
    whose person changes any setting just then.
    """
    opts = importlib.import_module("modules.shared").opts
    labels = opts.data_labels
    return {
        key: value
        for key, value in wanted.items()
        if key in labels and opts.data.get(key, getattr(labels[key], "default", None)) != value
    }


def known_fields(made: Any, wanted: "dict[str, Any]") -> "dict[str, Any]":
    """Leaves the fields that a class of `modules.processing` takes here: `scheduler` is missing before 1.9."""
    taken = inspect.signature(made).parameters
    return {key: value for key, value in wanted.items() if key in taken}


@contextmanager
def settings_as_before(keys: "list[str]") -> "Iterator[None]":
    """Has these settings after the block as they were before it.

    Hosts put an overridden setting back only where it stands in `opts.data`; one that the person's config.json does
    not hold (a newer one, one of an extension) would stay overridden for good.
    """
    shared = importlib.import_module("modules.shared")
    data = shared.opts.data
    absent = [key for key in keys if key not in data]
    saved = _saved_at(shared)
    try:
        yield
    finally:
        for key in absent:
            data.pop(key, None)
        if keys and _saved_at(shared) != saved:  # the person changed a setting meanwhile: ours went into the file with it
            shared.opts.save(shared.config_filename)


def _saved_at(shared: Any) -> "int | None":
    """Gives when the host's settings were last saved."""
    try:
        return Path(shared.config_filename).stat().st_mtime_ns
    except (AttributeError, OSError, TypeError):
        return None
