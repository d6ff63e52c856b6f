"""What kind of picture a file really is, by its first bytes."""

from typing import Literal

Extension = Literal["png", "jpg", "webp", "gif", "bmp", "avif"]
HEAD_BYTES = 32


def true_extension(head: bytes) -> Extension | None:
    """Tells the kind of a picture file from its first 32 bytes; None when it is none of the kinds read here."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith(b"\xff\xd8\xff"):
        return "jpg"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if head.startswith(b"BM") and len(head) >= 18 and head[6:10] == b"\0\0\0\0":
        return "bmp"
    if head[4:8] == b"ftyp" and (head[8:12] in (b"avif", b"avis") or b"avif" in head[16:32]):
        return "avif"
    return None


def is_lossless(head: bytes) -> bool:
    """Tells whether the file's kind keeps every pixel as drawn: PNG, BMP and lossless WebP (chunk `VP8L`)."""
    return true_extension(head) in ("png", "bmp") or (true_extension(head) == "webp" and head[12:16] == b"VP8L")
