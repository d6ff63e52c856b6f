"""The rules by which options that hang together go into [train]: rates, lengths, buckets, schedules."""

import math
import re
from collections.abc import Callable
from typing import Any

from lorasmith.safety import text_is_refused
from lorasmith.settings.trainer_plan import Draft, fitted, shown

# The optimizer here for each there, by its name in small letters, and what is different.
_OPTIMIZERS: dict[str, tuple[str, str]] = {
    "adamw": ("adamw", ""),
    "adamw8bit": ("adamw", "in full precision, which at a LoRA's size costs next to no memory and needs no package"),
    "adafactor": ("adafactor", ""),
    "lion": ("lion", ""),
    "lion8bit": ("lion", "in full precision"),
    "prodigy": ("prodigy", ""),
    "dadaptation": ("prodigy", "what came of it"),
    "adamwschedulefree": ("adamw_schedule_free", ""),
    "prodigyplusschedulefree": ("prodigy", "without the schedule-free part"),
}
_OWN_ARGUMENTS = ("relative_step", "scale_parameter", "warmup_init")  # of another Adafactor than PyTorch's
_LIKE: dict[str, tuple[str, str]] = {
    "constant_with_warmup": ("constant", ""),
    "cosine_annealing": ("cosine", ""),
    "piecewise_constant": ("constant", "in one piece"),
    "rex": ("cosine", "the nearest there is"),
    "adafactor": ("constant", "adafactor's own schedule is not here"),
}
_FOLLOWS = {  # what a scheduler has of its own: kohya's key, ours, the scheduler
    "lr_scheduler_num_cycles": ("lr_cycles", "cosine_with_restarts"),
    "lr_scheduler_power": ("lr_power", "polynomial"),
    "lr_scheduler_min_lr_ratio": ("lr_min", "cosine_with_min_lr"),
}
_FLAG = re.compile(r"\s--\w+")


def checkpoint(draft: Draft) -> None:
    """The base model: one .safetensors file, of SD1 or SDXL."""
    key = "pretrained_model_name_or_path"
    path = str(draft.get(key) or "")
    if path.lower().endswith(".safetensors"):
        draft.take(key, "checkpoint", path)
    elif path:
        kind = "is no .safetensors file" if re.search(r"\.(ckpt|pt|pth|bin)$", path) else "is a name at a hub, or a folder"
        draft.leave(key, f"it {kind}; set checkpoint to one .safetensors file", "changed")
    if draft.get("v2"):
        draft.leave("v2", "SD2.x models are not supported", "changed")
    if draft.get("v_parameterization"):
        draft.take("v_parameterization", "prediction_type", "v_prediction")
    if draft.get("zero_terminal_snr"):
        draft.take("zero_terminal_snr", "zero_terminal_snr", "on")
    for each in ("v2", "v_parameterization", "zero_terminal_snr"):
        if draft.has(each) and not draft.get(each):
            draft.leave(each, "read off the base model itself")


def network(draft: Draft) -> None:
    """The kind of network, and its alpha."""
    module, algo = str(draft.get("network_module") or ""), str(draft.get("network_args.algo") or "").lower()
    key = "network_args.algo" if algo else "network_module"
    kind = algo or {"networks.lora": "lora", "lycoris.kohya": "lora"}.get(module, module.rpartition(".")[2])
    if kind in ("lora", "locon", "lierla", ""):
        draft.told[key] = ("taken", "LoRA, as here")
    else:
        draft.take(key, "algorithm", kind)
    if algo:
        draft.leave("network_module", f"{algo}: see there")
    rank, alpha = draft.get("network_dim"), draft.get("network_alpha")
    if alpha and float(alpha) > 0:
        draft.take("network_alpha", "alpha", alpha)
    elif draft.has("network_alpha") and rank:
        draft.take("network_alpha", "alpha", float(rank), "0 stands for the rank there")


def convolutions(draft: Draft) -> None:
    """3x3 convolutions (LoCon), and factors block by block."""
    rank, alpha = draft.get("network_args.conv_dim"), draft.get("network_args.conv_alpha")
    if rank:
        draft.take("network_args.conv_dim", "conv_rank", rank)
        if alpha:
            draft.take("network_args.conv_alpha", "conv_alpha", alpha)
        elif draft.knows("network_dim"):  # of a whole training: left out it is 1 there
            draft.settings["conv_alpha"] = 1.0
    else:
        for key in ("network_args.conv_dim", "network_args.conv_alpha"):
            if draft.has(key):
                draft.told[key] = ("taken", "off, as here")
    keys = [f"network_args.{part}_lr_weight" for part in ("down", "mid", "up")]
    texts = [str(draft.get(key)) for key in keys if draft.has(key)]
    if not texts:
        return
    numbers = re.findall(r"[-+]?\d*\.?\d+(?:e[-+]?\d+)?", " ".join(texts))
    for key in keys:
        if len(texts) == len(keys) and len(numbers) in (19, 21, 25) and not re.search(r"[a-df-z]", " ".join(texts)):
            draft.take(key, "block_weights", [float(number) for number in numbers])
        elif draft.has(key):
            draft.leave(key, "write the factors of all blocks, down, middle and up, as block_weights", "changed")


def optimizer(draft: Draft) -> None:
    """The optimizer by name, and its arguments."""
    key = "optimizer_type"
    there = str(draft.get(key) or "AdamW")
    for old, meant in (("use_8bit_adam", "AdamW8bit"), ("use_lion_optimizer", "Lion")):
        if draft.has(old):
            draft.leave(old, f"see optimizer_type: {meant}" if draft.get(old) else "off")
            there = meant if draft.get(old) and not draft.has(key) else there
    name = there.rpartition(".")[2].lower().removeprefix("paged").replace("32bit", "")
    if name.startswith("dadapt"):
        name = "dadaptation"
    if draft.knows(key):
        found, how = _OPTIMIZERS.get(name, ("", ""))
        if found:
            draft.take(key, "optimizer", found, f"{how} ({there} there)" if how else "")
        else:
            draft.take(key, "optimizer", "adamw", f"there is no {there} here")
    words = []
    for each, value in draft.optimizer_arguments():
        part = each.partition(".")[2]
        if name not in _OPTIMIZERS or (name == "adafactor" and part in _OWN_ARGUMENTS):
            draft.leave(each, f"an argument of {there} that is not here", "changed")
        else:
            words.append(f"{part}={value}")
            draft.told[each] = ("taken", f"optimizer_args has {part}={shown(value)}")
    if words:
        draft.settings["optimizer_args"] = words


def rates(draft: Draft) -> None:
    """Learning rates; where the file has none that can be used, the rule of `strength` gives them."""
    whole, unet, text = draft.get("learning_rate"), draft.get("unet_lr"), draft.get("text_encoder_lr")
    if isinstance(text, list):
        if len(text) > 1 and text[1] is not None:
            draft.settings["text_encoder_2_lr"] = text[1]
        text = next((rate for rate in text if rate is not None), None)
    if _adaptive(draft):
        for key in ("learning_rate", "unet_lr", "text_encoder_lr"):
            if draft.has(key):
                draft.leave(key, "it steers an optimizer that is not here; the rule of strength gives the rate", "changed")
    else:
        rate = unet if draft.has("unet_lr") else whole
        if rate:
            draft.take("unet_lr" if draft.has("unet_lr") else "learning_rate", "unet_lr", rate)
            text = rate_of_text(text, whole)
        if draft.has("unet_lr") and draft.has("learning_rate"):
            draft.leave("learning_rate", "unet_lr and text_encoder_lr are given, and hold there too")
        if text is not None:
            draft.take("text_encoder_lr" if draft.has("text_encoder_lr") else "learning_rate", "text_encoder_lr", text)
            if not draft.has("unet_lr") and not draft.has("text_encoder_lr"):
                draft.told["learning_rate"] = ("taken", f"unet_lr = text_encoder_lr = {shown(text)}")
    _parts(draft)


def rate_of_text(text: Any, whole: Any) -> Any:
    """Gives the text encoder's rate: its own, else the common one."""
    return whole if text is None else text


def _adaptive(draft: Draft) -> bool:
    """Says whether the rates are those of an optimizer that finds them itself, and that is not the one taken."""
    name = str(draft.get("optimizer_type") or "").lower().rpartition(".")[2]
    return name.startswith(("prodigy", "dadapt")) and draft.settings.get("optimizer") != "prodigy"


def _parts(draft: Draft) -> None:
    """Which parts are trained."""
    if draft.get("network_train_unet_only"):
        draft.take("network_train_unet_only", "text_encoder_lr", 0.0)
        draft.told["network_train_unet_only"] = ("taken", "text_encoder_lr = 0")
    elif draft.has("network_train_unet_only"):
        draft.told["network_train_unet_only"] = ("taken", "off, as here")
    if draft.get("network_train_text_encoder_only"):
        draft.leave("network_train_text_encoder_only", "the U-Net is always trained", "changed")
    elif draft.has("network_train_text_encoder_only"):
        draft.told["network_train_text_encoder_only"] = ("taken", "off, as here")


def length(draft: Draft) -> None:
    """Epochs, or steps."""
    epochs, steps = draft.get("max_train_epochs"), draft.get("max_train_steps")
    if epochs:
        draft.take("max_train_epochs", "epochs", epochs)
        if draft.has("max_train_steps"):
            draft.leave("max_train_steps", "the epochs are given, and win there too")
    elif steps:
        draft.take("max_train_steps", "max_steps", steps, "set epochs so that there are so many")
    if draft.has("save_n_epoch_ratio") and draft.get("save_n_epoch_ratio") and epochs:
        every = max(1, int(epochs) // int(draft.get("save_n_epoch_ratio")))
        draft.take("save_n_epoch_ratio", "save_every", every, f"{draft.get('save_n_epoch_ratio')} files in all")
    value = draft.get("num_repeats")
    repeats = sorted({int(each) for each in (value if isinstance(value, list) else [value]) if each})
    if len(repeats) == 1:
        draft.take("num_repeats", "repeats", repeats[0])
    elif repeats:
        draft.take("num_repeats", "repeats", repeats[-1], "here all pictures are repeated alike; the most is taken")
    if not draft.has("num_repeats") and draft.has("train_data_dir"):  # its folders are named by them
        draft.settings.pop("repeats", None)
        draft.told.pop("num_repeats", None)


def size(draft: Draft) -> None:
    """Resolution and buckets."""
    if not draft.knows("resolution") and not draft.has("max_bucket_reso"):
        return
    sides = _sides(draft.get("resolution"))
    if sides is not None:
        side = sides[0] if sides[0] == sides[1] else max(64, round(math.sqrt(sides[0] * sides[1]) / 64) * 64)
        how = "" if sides[0] == sides[1] else f"buckets keep the area of {sides[0]} x {sides[1]}"
        draft.take("resolution", "resolution", side, how)
    resolution = draft.settings.get("resolution")
    if draft.knows("enable_bucket") and not draft.get("enable_bucket"):
        if resolution:
            draft.settings |= {"min_bucket": resolution, "max_bucket": resolution}
            draft.leave("enable_bucket", f"min_bucket = max_bucket = {resolution}: one bucket, cropped square", "changed")
        for key in ("min_bucket_reso", "max_bucket_reso", "bucket_no_upscale"):
            draft.leave(key, "buckets are off there")
    else:
        _buckets(draft, resolution)


def _buckets(draft: Draft, resolution: int | None) -> None:
    """The shortest and the longest side; the resolution must lie between them."""
    if draft.get("enable_bucket"):
        draft.take("enable_bucket", "bucket_rule", "kohya")
    low, high = draft.get("min_bucket_reso"), draft.get("max_bucket_reso")
    if low:
        _bucket(draft, "min_bucket_reso", "min_bucket", low, min(int(low), resolution or int(low)))
    if high:
        _bucket(draft, "max_bucket_reso", "max_bucket", high, max(int(high), resolution or int(high)))


def _bucket(draft: Draft, key: str, name: str, there: Any, here: int) -> None:
    draft.take(key, name, here, "" if int(there) == here else "as far as the resolution needs")


def _sides(value: Any) -> tuple[int, int] | None:
    numbers = [int(each) for each in re.findall(r"\d{1,6}", str(value or ""))]
    return None if not numbers or not all(numbers[:2]) else (numbers[0], numbers[1] if len(numbers) > 1 else numbers[0])


def schedule(draft: Draft) -> None:
    """The learning rate over the run."""
    key = "lr_scheduler"
    name = str(draft.get(key) or "").lower().partition(":")[0]
    if name and not fitted(key, name)[1]:
        draft.take(key, key, name)
    elif name in _LIKE:
        like, how = _LIKE[name]
        draft.take(key, key, like, f"{how} ({name} there)" if how else "")
    elif name:
        draft.leave(key, f"there is no '{name}' here; lr_scheduler stays as it is", "changed")
    for each, (ours, whose) in _FOLLOWS.items():
        if draft.has(each) and name == whose and draft.get(each):
            draft.take(each, ours, draft.get(each))
        elif draft.has(each):
            draft.leave(each, f"{name or 'the scheduler'} does not use it")
    for each in ("lr_scheduler_type", "lr_scheduler_args"):
        if draft.get(each):
            draft.later(each, "lr_scheduler of one's own")
    _warmup(draft, name)


def _warmup(draft: Draft, scheduler: str) -> None:
    key = "lr_warmup_steps"
    if not draft.knows(key):
        return
    steps, total = float(draft.get(key) or 0), draft.get("max_train_steps")
    if scheduler == "constant":
        draft.take(key, "warmup", 0.0, "constant has no warm-up there" if steps else "")
    elif steps < 1:
        draft.take(key, "warmup", steps)
    elif draft.has("max_train_steps") and float(total) > 0:
        draft.take(key, "warmup", round(min(0.5, steps / float(total)), 4), f"a share of the steps: {steps:g} of {total}")
    else:
        draft.leave(key, "here it is a share of the steps, and how many there are is not in the file; set warmup", "changed")


def single_values(draft: Draft) -> None:
    """Seed, clip skip, precision, noise."""
    seed = draft.get("seed")
    if draft.has("seed"):
        if int(seed) <= 0:
            draft.leave("seed", "random there; here a run has a seed, so that it can be made again", "changed")
        else:
            fits = int(seed) < 2**31
            draft.take("seed", "seed", int(seed) % 2**31, "" if fits else "seeds end at 2147483647")
    skip = draft.get("clip_skip")
    if draft.knows("clip_skip"):
        layer = max(1, int(skip or 1))
        draft.take("clip_skip", "clip_skip", min(2, layer), "" if layer <= 2 else "2 is the most")
    if draft.has("mixed_precision"):
        word = str(draft.get("mixed_precision")).lower()
        draft.take("mixed_precision", "precision", {"no": "fp32", "fp32": "fp32"}.get(word, word))
    if draft.has("noise_offset_type"):
        draft.leave("noise_offset_type", "it says which of the noise keys count")
    if draft.has("multires_noise_discount"):
        if draft.get("multires_noise_iterations"):
            draft.take("multires_noise_discount", "multires_discount", draft.get("multires_noise_discount"))
        else:
            draft.leave("multires_noise_discount", "multires noise is off there")


def captions(draft: Draft) -> None:
    """Marks inside captions, and how their tags come in."""
    for key, mark in (("keep_tokens_separator", "|||"), ("secondary_separator", ";;;")):
        if draft.get(key) == mark:
            draft.told[key] = ("taken", f"{mark} in a caption means the same here")
        elif draft.has(key):
            draft.leave(key, f"here the mark is {mark}; write it so in the captions", "changed")
    steps, total = float(draft.get("token_warmup_step") or 0), draft.get("max_train_steps")
    if steps < 1 and draft.has("token_warmup_step"):
        draft.take("token_warmup_step", "token_warmup", steps)
    elif steps and draft.has("max_train_steps"):
        draft.take("token_warmup_step", "token_warmup", min(1.0, steps / float(total)), f"a share of the {total} steps")
    elif steps:
        draft.leave("token_warmup_step", "here it is a share of the steps; set token_warmup", "changed")


def masks(draft: Draft) -> None:
    """What is learnt of a picture."""
    keys = [key for key in ("masked_loss", "alpha_mask", "conditioning_data_dir") if draft.has(key)]
    kind = "alpha" if draft.get("alpha_mask") else "file" if draft.get("conditioning_data_dir") else "none"
    if draft.get("masked_loss") and kind == "none":
        kind = "alpha"
    for key in keys:
        draft.take(key, "masked_loss", kind)
        if kind == "file" and key == "conditioning_data_dir":
            draft.take(key, "masked_loss", kind, "a mask lies beside its picture here")


def samples(draft: Draft) -> None:
    """Prompts of the samples: text with kohya's flags behind them."""
    text = draft.get("sample_prompts")
    if draft.has("sample_prompts"):
        lines = [line.strip() for line in str(text).splitlines() if line.strip() and not line.strip().startswith("#")]
        prompts = [_FLAG.split(f" {line}", maxsplit=1)[0].strip() for line in lines]
        if len(lines) == 1 and re.search(r"\.(txt|toml|json)$", lines[0]):
            draft.leave("sample_prompts", f"{lines[0]} is not to be found, or holds no text; set sample_prompts", "changed")
        elif any(map(text_is_refused, prompts)):
            draft.leave("sample_prompts", "a prompt carries a tag that marks minors, which is refused", "changed")
        else:
            changed = "sizes, steps and negatives are those of the settings" if prompts != lines else ""
            draft.take("sample_prompts", "sample_prompts", prompts, changed)
    if draft.get("sample_every_n_steps"):
        draft.leave("sample_every_n_steps", "samples are drawn at the end of epochs: sample_every", "changed")
    elif draft.has("sample_every_n_steps"):
        draft.told["sample_every_n_steps"] = ("taken", "off, as here")


def folders(draft: Draft) -> None:
    """Where the pictures lie: they are added by a command of their own."""
    for key in ("train_data_dir", "image_dir"):
        if draft.has(key):
            draft.leave(key, "`lorasmith add` copies the pictures into a project")
    if draft.has("dataset_config"):
        draft.leave("dataset_config", "what stands in that file is among these keys, if it was there")
    if draft.has("class_tokens"):
        draft.leave("class_tokens", "captions begin with the project's trigger")


RULES: tuple[Callable[[Draft], None], ...] = (
    checkpoint, network, convolutions, optimizer, rates, length, size, schedule, single_values, captions, masks, samples,
    folders,
)  # fmt: skip
