"""What kohya's dataset file may hold: sd-scripts checks it and refuses any other key (its configuration's schema, 2026-02)."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp"})  # what sd-scripts reads without plugins
_NUMBER: tuple[type, ...] = (int, float)
_SUBSET: Mapping[str, tuple[type, ...]] = {
    "num_repeats": (int,), "shuffle_caption": (bool,), "keep_tokens": (int,), "keep_tokens_separator": (str,),
    "caption_separator": (str,), "secondary_separator": (str,), "enable_wildcard": (bool,), "color_aug": (bool,),
    "flip_aug": (bool,), "face_crop_aug_range": (list,), "random_crop": (bool,), "caption_prefix": (str,), "caption_suffix": (str,),
    "caption_dropout_rate": _NUMBER, "caption_dropout_every_n_epochs": (int,), "caption_tag_dropout_rate": _NUMBER,
    "token_warmup_min": (int,), "token_warmup_step": _NUMBER, "caption_extension": (str,), "class_tokens": (str,),
    "cache_info": (bool,), "resize_interpolation": (str,), "custom_attributes": (dict,),
}  # fmt: skip
_DATASET: Mapping[str, tuple[type, ...]] = {
    "resolution": (int, list), "batch_size": (int,), "enable_bucket": (bool,), "min_bucket_reso": (int,), "max_bucket_reso": (int,),
    "bucket_reso_steps": (int,), "bucket_no_upscale": (bool,), "network_multiplier": (float,), "validation_split": (float,),
    "validation_seed": (int,),
}  # fmt: skip
GENERAL = {**_SUBSET, **_DATASET}
SUBSET = {**_SUBSET, "image_dir": (str,), "is_reg": (bool,), "alpha_mask": (bool,)}


def faults_of(document: Mapping[str, Any]) -> list[str]:
    """Lists what sd-scripts would refuse or silently pass over, a sentence each: keys, kinds, folders, captions."""
    found = [f"[{name}] is no table of a dataset file." for name in document if name not in ("general", "datasets")]
    found += _table(document.get("general", {}), GENERAL, "[general]")
    general = document.get("general", {})
    for number, dataset in enumerate(document.get("datasets", []), 1):
        where = f"data set {number}"
        found += _table({key: value for key, value in dataset.items() if key != "subsets"}, GENERAL, where)
        for place, subset in enumerate(dataset.get("subsets", []), 1):
            found += _table(subset, SUBSET, f"subset {place} of {where}")
            found += _folder(general | dataset | subset, f"Subset {place} of {where}")
    return found


def _table(values: Mapping[str, Any], known: Mapping[str, tuple[type, ...]], where: str) -> Iterator[str]:
    for key, value in values.items():
        kinds = known.get(key)
        if kinds is None:
            yield f"{key} is no key of {where}."
        elif not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            yield f"{key} of {where} cannot be {value!r}."


def _folder(subset: Mapping[str, Any], where: str) -> Iterator[str]:
    if "image_dir" not in subset:
        yield f"{where} names no image_dir."
        return
    folder = Path(subset["image_dir"])
    if not folder.is_dir():
        yield f"{where} names {folder}, which is no folder."
        return
    pictures = [path for path in folder.iterdir() if path.suffix.lower() in PICTURES]
    if not pictures:
        yield f"{where} names {folder}, which holds no pictures that the scripts read."
    ending = subset.get("caption_extension", ".caption")
    bare = sum(not path.with_suffix(ending).is_file() or not path.with_suffix(ending).read_bytes().strip() for path in pictures)
    if bare:
        yield f"{bare} pictures in {folder} have no {ending} file beside them, or an empty one."
