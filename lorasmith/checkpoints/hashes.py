"""The hashes by which WebUIs and Civitai name model files."""

import hashlib
from functools import lru_cache
from pathlib import Path

from lorasmith.checkpoints.header import read_header
from lorasmith.files import sha256_of

_BLOCK = 1 << 20


def model_sha(path: Path) -> str:
    """Gives the sha256 of a model file, read once per file state; WebUIs show its first ten digits.

    For a diffusers folder it is that of its files' names and hashes, which no other program shows.
    """
    if not path.is_dir():
        return _file_sha(path)
    from lorasmith.checkpoints.folder import files_of

    digest = hashlib.sha256()
    for file in files_of(path):
        digest.update(f"{file.relative_to(path).as_posix()}:{_file_sha(file)}\n".encode())
    return digest.hexdigest()


def _file_sha(path: Path) -> str:
    state = path.stat()
    return _model_sha(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=16)
def _model_sha(path: Path, size: int, modified: int) -> str:
    return sha256_of(path)


def lora_hash(path: Path) -> str:
    """Gives the sha256 of a LoRA's data, which no change of metadata changes; WebUIs show twelve digits."""
    header = read_header(path)
    if written := header.metadata.get("sshs_model_hash"):
        return written
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        stream.seek(header.data_start)
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
