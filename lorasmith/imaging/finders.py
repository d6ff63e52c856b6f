"""The optional models that find a character or its head: a row each, with what a person must know before the download."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lorasmith.errors import ModelFileError
from lorasmith.model_files import fetch_model
from lorasmith.settings.stage import unknown_name

Task = Literal["mask", "head"]
Tell = Callable[[str], None]
BUILT_IN = "built-in"


@dataclass(frozen=True)
class FinderRow:
    """One ONNX file on Hugging Face; `megabytes` as its listing says, `sha256` None where nobody has published one.

    `around` is what is added on each side of a found box, as a share of its longer side: a face is less than a head.
    """

    name: str
    task: Task
    what: str
    repo: str
    file: str
    megabytes: float
    licence: str
    sha256: str | None = None
    confidence: float = 0.5
    around: float = 0.0


# Sources: the repositories' listings and cards. The detectors are declared MIT, but come of a toolchain under the AGPL.
FINDERS: dict[str, FinderRow] = {
    row.name: row
    for row in (
        FinderRow(
            "isnet-anime", "mask", "the character of a drawn picture, with a soft edge",
            "skytnt/anime-seg", "isnetis.onnx", 176, "Apache-2.0",
        ),
        FinderRow(
            "anime-head", "head", "heads in anime style", "deepghs/anime_head_detection", "head_detect_v2.0_s/model.onnx",
            45, "MIT (declared)", confidence=0.4, around=0.1,
        ),
        FinderRow(
            "anime-face", "head", "faces in anime style; hair and ears are guessed", "deepghs/anime_face_detection",
            "face_detect_v1.4_s/model.onnx", 44.6, "MIT (declared)", confidence=0.25, around=0.45,
        ),
        FinderRow(
            "anime-face-small", "head", "the same, smaller", "deepghs/anime_face_detection",
            "face_detect_v1.4_n/model.onnx", 12.1, "MIT (declared)", confidence=0.25, around=0.45,
        ),
    )
}  # fmt: skip


def finder_file(name_or_file: str, task: Task, tell: Tell, *, offline: bool = False) -> tuple[Path, FinderRow]:
    """Gives the file of a row, fetched on its first use after `tell` heard size and licence, or the file that is named.

    Raises `ModelFileError` for a name that is neither, and for a file that is not here and cannot be fetched.
    """
    row = FINDERS.get(name_or_file)
    if row is not None and row.task == task:
        about = {"revision": "main", "sha256": row.sha256, "megabytes": row.megabytes, "licence": row.licence}
        return fetch_model(row.repo, row.file, tell=tell, offline=offline, **about), row  # type: ignore[arg-type]
    file = Path(name_or_file).expanduser()
    if file.is_file():
        if file.suffix.lower() != ".onnx":
            raise ModelFileError(f"{file} is no .onnx file; only ONNX models are read.")
        return file, FinderRow(file.name, task, "a file of your own", "", file.name, 0, "unknown", around=0.1)
    names = [BUILT_IN, *(one.name for one in FINDERS.values() if one.task == task)]
    raise ModelFileError(unknown_name(name_or_file, names, f"There is no {task} model '{name_or_file}', and no such .onnx file"))
