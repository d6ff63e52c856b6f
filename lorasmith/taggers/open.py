"""Opens a tagger by name or folder; a known name is fetched once, with its size and licence told before."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import huggingface_hub

from lorasmith.errors import TaggerError
from lorasmith.files import demand_space
from lorasmith.folders import cache_folder
from lorasmith.settings.stage import unknown_name
from lorasmith.taggers.models import LABEL_FILES, MODEL_FILE, TAGGERS, TaggerRow
from lorasmith.taggers.onnx import Tagger, first_line

Tell = Callable[[str], None]


def _tell_nobody(sentence: str) -> None:
    """Says nothing."""


def open_tagger(
    name_or_folder: str,
    *,
    models_folder: Path | None = None,
    providers: Sequence[str] = (),
    offline: bool = False,
    threads: int = 0,
    tell: Tell = _tell_nobody,
) -> Tagger:
    """Opens a folder with `model.onnx` and `selected_tags.csv`, or a row of the table out of `models_folder/<name>`.

    `tell` hears one sentence before a download. Raises `TaggerError` with what to do when there is no such tagger,
    or when it is not on this machine and may not or cannot be fetched.
    """
    folder = Path(name_or_folder).expanduser()
    if folder.is_dir():
        return Tagger(folder, providers, threads)
    row = TAGGERS.get(name_or_folder)
    if row is None:
        start = f"There is no tagger '{name_or_folder}': it is neither a folder nor a known name"
        raise TaggerError(unknown_name(name_or_folder, list(TAGGERS), start))
    home = (models_folder or default_models_folder()) / row.name
    if not is_complete(home):
        fetch(row, home, offline or is_offline(), tell)
    return Tagger(home, providers, threads, row.name)


def default_models_folder() -> Path:
    """Gives the place of fetched taggers when nobody named one."""
    return cache_folder() / "taggers"


def is_complete(folder: Path) -> bool:
    """Says whether model and tag list are there; files are moved in complete, so being there is enough."""
    return (folder / MODEL_FILE).is_file() and any((folder / name).is_file() for name in LABEL_FILES)


def is_offline() -> bool:
    """Says whether the surroundings forbid the hub (`HF_HUB_OFFLINE`)."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def fetch(row: TaggerRow, home: Path, offline: bool, tell: Tell) -> None:
    """Downloads a tagger's two files into `home`; raises `TaggerError` with the way to do it by hand."""
    by_hand = (
        f"Put {MODEL_FILE} and {LABEL_FILES[0]} of the Hugging Face repository {row.repo} into {home}, or name a "
        "folder that has both."
    )
    if offline:
        raise TaggerError(f"The tagger {row.name} is not on this machine, and this run is offline. {by_hand}")
    home.mkdir(parents=True, exist_ok=True)
    demand_space(home, row.megabytes * 1_000_000)
    tell(f"Fetching the tagger {row.name}: about {row.megabytes} MB, licence {row.licence}, once, into {home}.")
    try:
        for name in (LABEL_FILES[0], MODEL_FILE):
            huggingface_hub.hf_hub_download(row.repo, name, local_dir=home)
    except (OSError, RuntimeError, ValueError) as error:
        raise TaggerError(
            f"The tagger {row.name} could not be fetched ({first_line(error)}). Try again later. {by_hand}"
        ) from error
