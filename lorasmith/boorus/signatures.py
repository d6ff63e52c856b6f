"""What a file really is, by its first bytes."""

SIGNATURE_BYTES = 16


def true_ext(head: bytes) -> str | None:
    """Names the picture format of a file's first 16 bytes (png, jpg, webp, gif), or None for anything else."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith(b"\xff\xd8\xff"):
        return "jpg"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    return None
