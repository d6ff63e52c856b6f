"""What the host can do for lorasmith: name its checkpoints and LoRAs, draw a picture, and give its GPU back for a while."""

from __future__ import annotations

import base64
import importlib
import io
import logging
import re
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any

from lorasmith_webui import hosts, model_files
from lorasmith_webui.asked import Asked, HostError
from lorasmith_webui.tasks import RUNNING, UNKNOWN, Task, Tasks

if TYPE_CHECKING:
    from PIL import Image

tasks = Tasks()
_SETTINGS: dict[str, Any] = {
    "add_model_hash_to_info": True,  # what the client checks the picture by
    "add_model_name_to_info": True,
    "lora_add_hashes_to_infotext": True,
    "sd_lora": "None",  # "Add network to prompt" would put the person's LoRA into ours
    "save_init_img": False,
    "img2img_color_correction": False,  # would change pixels outside the mask
    "overlay_inpaint": True,  # without it the part comes back instead of the picture
    "return_mask": False,  # these two put another picture beside ours
    "return_mask_composite": False,
}
_LORA_HASHES = re.compile(r'Lora hashes: ("(?:[^"\\]|\\.)*"|[^,\n]*)')
_take_off_watch: list[Callable[[], None]] = []
_gpu_orders = [0]  # how many orders there were for the GPU to go or to come back; the newest holds
_counting = threading.Lock()
_SETTLE = 0.3  # seconds
_PAUSES = (1.0, 3.0, 10.0, 30.0)  # seconds before the next tries to bring the model back
_log = logging.getLogger("lorasmith")


# what there is


def status() -> dict[str, Any]:
    """Tells who the host is, what it is doing, and which checkpoint the next picture is drawn with."""
    shared = importlib.import_module("modules.shared")
    host, version = hosts.name_and_version()
    job = str(getattr(shared.state, "job", "") or "")
    info = hosts.selected_checkpoint()
    return {
        "host": host,
        "version": version,
        "busy": bool(job) or getattr(shared.state, "job_count", 0) > 0,
        "job": job,
        "gpu": "given back" if hosts.gpu_is_given_back() else "here",
        "checkpoint": None if info is None else describe(info),
        "lora_dir": hosts.lora_folder(),
        "samplers": hosts.sampler_names(),
        "schedulers": hosts.scheduler_names(),
    }


def describe(info: Any) -> dict[str, Any]:
    """Tells what one checkpoint is."""
    facts = hosts.model_facts(info)
    return {
        **_short(info),
        "family": facts.family,
        "v_prediction": facts.v_prediction,
        "inpainting": facts.inpainting,
        "loaded": hosts.is_loaded(info),
    }


def _short(info: Any) -> dict[str, Any]:
    # The hash is None until the host has worked it out, which takes long for a large file: nobody is made to wait here.
    return {"title": info.title, "name": info.name, "path": info.filename, "sha256": info.sha256 or None}


def checkpoints() -> list[dict[str, Any]]:
    """Lists the host's checkpoints."""
    listed = importlib.import_module("modules.sd_models").checkpoints_list
    return [_short(info) for info in list(listed.values())]


def loras() -> dict[str, Any]:
    """Lists the LoRAs that the host has seen in its folder."""
    known = hosts.networks()
    entries = [] if known is None else list(known.available_networks.values())
    return {
        "lora_dir": hosts.lora_folder(),
        "loras": [
            {"name": each.name, "alias": each.alias, "path": each.filename, "version": _version(each)}
            for each in entries
        ],
    }


def _version(entry: Any) -> str:
    """Gives the host's own word for the family: SD1, SD2, SDXL, Unknown."""
    return str(getattr(getattr(entry, "sd_version", None), "name", "Unknown"))


# what changes something: one at a time, in the host's own queue, like any of the person's jobs


def refresh_loras() -> dict[str, Any]:
    """Has the host look through its LoRA folder again, and lists what it found."""
    with hosts.queue_lock():
        hosts.refresh_loras()
        return loras()


def switch(title: str) -> dict[str, Any]:
    """Selects and loads another checkpoint; nothing is written to the person's settings file."""
    with hosts.queue_lock():
        _demand_gpu()
        info = _checkpoint(title)
        hosts.switch_checkpoint(info)
        if not hosts.is_loaded(info):
            raise HostError(500, "failed", f"The WebUI did not load {title}; its console says why.")
        return describe(info)


def release_gpu() -> str:
    """Moves the model off the GPU for a training; a second call does nothing.

    The asker may stop or die while this waits for its turn, and nobody can call the waiting off: so it is void when a
    newer order has come, as whoever wants the GPU back gives one.
    """
    is_newest = _gpu_order()
    with hosts.queue_lock():
        before = hosts.gpu_is_given_back()
        hosts.note_gpu(True)  # before the look: an order that comes from now on finds something to bring back
        try:
            if not is_newest():
                raise HostError(409, "gpu", "The WebUI keeps its GPU: it was wanted back before its turn had come.")
            if not before:
                hosts.move_off_gpu()
                _take_off_watch.append(hosts.when_the_person_draws(_bring_back))
        except BaseException:
            hosts.note_gpu(before)
            raise
    return "given back"


def restore_gpu() -> str:
    """Brings the model back; a second call does nothing, nor does one that a newer order has overtaken."""
    is_newest = _gpu_order()
    with hosts.queue_lock():
        if hosts.gpu_is_given_back() and is_newest():
            _bring_back()
        return "given back" if hosts.gpu_is_given_back() else "here"


def _gpu_order() -> Callable[[], bool]:
    """Counts an order, and gives what tells whether it is still the newest."""
    with _counting:
        _gpu_orders[0] += 1
        mine = _gpu_orders[0]
    return lambda: _gpu_orders[0] == mine


def _bring_back() -> None:
    """Brings the model back, with the queue lock held by whoever calls."""
    hosts.bring_to_gpu()
    hosts.note_gpu(False)
    while _take_off_watch:
        _take_off_watch.pop()()


def restore_gpu_if_given_back(after: float = 0.0) -> None:
    """Brings the model back where the training side died; where the host is busy or it fails, later and in a thread.

    `after`: seconds to wait first. A training whose parent died hears of it, writes down where it was and only then
    leaves the GPU; the two must not be on it together. A release that comes meanwhile is newer, and holds.
    """
    is_newest = _gpu_order()  # also where there is nothing to bring back: a release may be waiting
    if not hosts.gpu_is_given_back():
        return
    lock = hosts.queue_lock()
    if not after and lock.acquire(blocking=False):
        try:
            if _brought_back(is_newest):
                return
        finally:
            lock.release()
    threading.Thread(target=_keep_bringing_back, args=(is_newest, after), name="lorasmith: GPU back", daemon=True).start()


def _keep_bringing_back(is_newest: Callable[[], bool], after: float) -> None:
    for pause in (after, *_PAUSES):
        time.sleep(pause)
        with hosts.queue_lock():
            if _brought_back(is_newest):
                return


def _brought_back(is_newest: Callable[[], bool]) -> bool:
    """Tries to bring the model back, and tells whether nothing is left to do; a dying training may still fill the GPU."""
    if not hosts.gpu_is_given_back() or not is_newest():
        return True
    try:
        _bring_back()
    except Exception:  # noqa: BLE001 - the host's own faults are of any kind
        _log.exception("lorasmith could not bring the WebUI's model back to the GPU")
        return False
    return True


def _demand_gpu() -> None:
    if hosts.gpu_is_given_back():
        raise HostError(409, "gpu", "The WebUI has given its GPU to a training; it draws again when that has ended or was stopped.")


def _checkpoint(title: str) -> Any:
    info = hosts.find_checkpoint(title)
    if info is None:
        raise HostError(404, "unknown", f"The WebUI has no checkpoint '{title}'; refresh its list or choose another.")
    return info


# pictures


def draw(asked: Asked, task: Task) -> dict[str, Any]:
    """Draws one picture in its turn, and checks that it is the one that was asked for."""
    shared = importlib.import_module("modules.shared")
    try:
        with hosts.queue_lock():
            _demand_gpu()
            if _settings(asked):
                # A change that the person just made in the Settings had the lock before us and is about to be saved with
                # all other settings: ours must not stand among them yet.
                time.sleep(_SETTLE)
            settings = _settings(asked)  # anew: the person may have chosen another checkpoint meanwhile
            fields = _fields(asked)
            began = time.monotonic()
            begun = True  # also where the host fails half-way through beginning
            try:
                begun = tasks.begin(task, shared.state)
                if not begun:
                    raise HostError(409, "interrupted", "The picture was called off while it waited for its turn.")
                with hosts.settings_as_before(list(settings)):
                    done = _process(asked, {**fields, "override_settings": settings})
                was_interrupted = task.called_off or shared.state.interrupted or shared.state.skipped
            finally:
                tasks.end(task)  # with the lock still held: an interrupt that comes from now on would hit the next job
                if begun:
                    shared.state.end()
    finally:
        tasks.end(task)
    if was_interrupted:
        raise HostError(409, "interrupted", "The picture was interrupted in the WebUI before it was finished.")
    image, infotext = _result(done)
    _demand_loras_used(asked, infotext)
    if asked.image is not None and image.size != asked.image.size:
        raise HostError(500, "failed", f"The WebUI gave {image.size} pixels back for {asked.image.size}.")
    return {"image": _packed(image), "infotext": infotext, "seconds": round(time.monotonic() - began, 3)}


def _process(asked: Asked, fields: dict[str, Any]) -> Any:
    processing = importlib.import_module("modules.processing")
    shared = importlib.import_module("modules.shared")
    made = processing.StableDiffusionProcessingTxt2Img
    if asked.image is not None:
        made = processing.StableDiffusionProcessingImg2Img
    with closing(made(**hosts.known_fields(made, {"sd_model": shared.sd_model, **fields}))) as p:
        p.scripts = None  # other extensions' scripts (detailers, wildcards) have no part in it
        try:
            return processing.process_images(p)
        finally:
            bar = getattr(shared, "total_tqdm", None)
            if bar is not None:
                bar.clear()


def _settings(asked: Asked) -> dict[str, Any]:
    """Gives the settings that hold for this picture alone."""
    wanted = {**_SETTINGS, "CLIP_stop_at_last_layers": asked.clip_skip}
    selected = hosts.selected_checkpoint()
    used = selected
    if asked.checkpoint is not None:
        # An unknown title in `override_settings` is left out by hosts without a word.
        used = _checkpoint(asked.checkpoint)
        if selected is None or used.filename != selected.filename:
            wanted["sd_model_checkpoint"] = used.title
    if used is None:
        raise HostError(409, "no_checkpoint", "The WebUI has no checkpoint to draw with; put one into its folder.")
    _demand_loras_fit(asked, used)
    return hosts.known_settings(wanted)


def _fields(asked: Asked) -> dict[str, Any]:
    if asked.sampler not in hosts.sampler_names():
        there = ", ".join(hosts.sampler_names())
        raise HostError(400, "sampler", f"The WebUI has no sampler '{asked.sampler}'; it has {there}.")
    if asked.scheduler and hosts.scheduler_names() and asked.scheduler not in hosts.scheduler_names():
        there = ", ".join(hosts.scheduler_names())
        raise HostError(400, "sampler", f"The WebUI has no scheduler '{asked.scheduler}'; it has {there}.")
    return asked.fields()


def _demand_loras_fit(asked: Asked, info: Any) -> None:
    """Refuses a LoRA that the host has not, or that was made for another family: hosts draw on without it."""
    found = hosts.find_loras([each.name for each in asked.loras])
    family = hosts.model_facts(info).family if asked.loras else model_files.UNKNOWN
    for each in asked.loras:
        if each.name not in found:
            raise HostError(
                422, "missing_lora", f"The WebUI has no LoRA named '{each.name}'; put the file into its LoRA folder."
            )
        made_for = model_files.lora_family(found[each.name].filename)
        if model_files.UNKNOWN not in (family, made_for) and family != made_for:
            raise HostError(
                422,
                "wrong_family",
                f"The LoRA '{each.name}' was made for {made_for.upper()}, and {info.title} is {family.upper()}; "
                "choose a checkpoint of its family.",
            )


def _demand_loras_used(asked: Asked, infotext: str) -> None:
    """Refuses a picture that was drawn without a LoRA: hosts then say nothing and draw the base's picture."""
    found = _LORA_HASHES.search(infotext)
    named = [piece.rpartition(":")[0].strip() for piece in (found.group(1).strip('"') if found else "").split(",")]
    for each in asked.loras:
        # The host takes these two marks out of the name before it writes it.
        if each.name.replace(":", "").replace(",", "") not in named:
            raise HostError(422, "missing_lora", f"The WebUI drew the picture without the LoRA '{each.name}'.")


def _result(done: Any) -> tuple[Image.Image, str]:
    images = list(getattr(done, "images", None) or [])
    if not images:
        raise HostError(500, "failed", "The WebUI gave no picture back; its console says why.")
    infotexts = list(getattr(done, "infotexts", None) or [])
    return images[0].convert("RGB"), str(infotexts[0] if infotexts else getattr(done, "info", ""))


def _packed(image: Image.Image) -> str:
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=1)
    return base64.b64encode(stream.getvalue()).decode("ascii")


def progress(name: str) -> dict[str, Any]:
    """Tells how far a task is."""
    task = tasks.find(name)
    if task is None:
        return {"state": UNKNOWN, "step": 0, "steps": 0}
    state = importlib.import_module("modules.shared").state
    step = int(getattr(state, "sampling_step", 0) or 0) if task.state == RUNNING else 0
    return {"state": task.state, "step": min(step, task.steps), "steps": task.steps}


def interrupt(name: str) -> bool:
    """Stops a task of ours; the person's own job is never touched."""
    return tasks.call_off(name, importlib.import_module("modules.shared").state.interrupt)


def keep_interrupting(task: Task) -> None:
    """Sees to it that a task that was called off does stop."""
    if task.called_off:
        tasks.keep_calling_off(task, importlib.import_module("modules.shared").state.interrupt)
