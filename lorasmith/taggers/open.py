"""Opens a tagger by name or folder; a known name is fetched once, with size, sha256 and licence told before."""

from collections.abc import Callable, Sequence
from pathlib import Path

from lorasmith.errors import ModelFileError, TaggerError
from lorasmith.folders import cache_folder
from lorasmith.model_files import fetch_model, is_offline
from lorasmith.settings.stage import unknown_name
from lorasmith.taggers.labels import find_label_file
from lorasmith.taggers.models import MODEL_FILE, TAGGERS, TaggerRow, row_of_folder
from lorasmith.taggers.onnx import Tagger, colour_order_is_right

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
    """Opens a folder with `model.onnx` and a tag list, or a row of the table out of `models_folder/<name>`.

    `tell` hears one sentence before a download, and what is amiss: a provider that was not to be had, colours that come
    out wrong. Raises `TaggerError` with what to do when there is no such tagger, or it may not or cannot be fetched.
    """
    folder = Path(name_or_folder).expanduser()
    if folder.is_dir():
        tagger = Tagger(folder, providers, threads, row=row_of_folder(folder))
    else:
        row = TAGGERS.get(name_or_folder)
        if row is None:
            start = f"There is no tagger '{name_or_folder}': it is neither a folder nor a known name"
            raise TaggerError(unknown_name(name_or_folder, list(TAGGERS), start))
        home = (models_folder or default_models_folder()) / row.name
        fetch(row, home, offline, tell)
        tagger = Tagger(home, providers, threads, row.name, row)
    if tagger.fallback:
        tell(tagger.fallback)
    if colour_order_is_right(tagger) is False:
        tell(f"The tagger {tagger.name} takes red for blue: its files do not fit each other, or want another preparation.")
    return tagger


def default_models_folder() -> Path:
    """Gives the place of fetched taggers when nobody named one."""
    return cache_folder() / "taggers"


def fetch(row: TaggerRow, home: Path, offline: bool, tell: Tell) -> None:
    """Sees to it that a tagger's two files are in `home`; raises `TaggerError` with the way to do it by hand."""
    files = [MODEL_FILE] if find_label_file(home) else [row.label_file, MODEL_FILE]
    if (offline or is_offline()) and not all((home / file).is_file() for file in files):
        raise TaggerError(
            f"The tagger {row.name} is not on this machine, and this run is offline. Put {MODEL_FILE} and {row.label_file} of "
            f"the Hugging Face repository {row.repo} into {home}, or name a folder that has both."
        )
    try:
        for file in files:
            fetch_model(
                row.repo,
                file,
                tell=tell,
                folder=home,
                offline=offline,
                revision=row.revision,
                sha256=row.sha256.get(file),
                megabytes=row.megabytes,
                licence=row.licence,
            )
    except ModelFileError as error:
        raise TaggerError(
            f"The tagger {row.name} is not to be had: {error} Or name a folder that has {MODEL_FILE} and {row.label_file}."
        ) from error
