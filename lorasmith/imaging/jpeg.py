"""Leaves out of a progressive JPEG the scans that a reduced picture does not show (ITU-T T.81, annex G)."""

_SCAN, _END, _PROGRESSIVE = 0xDA, 0xD9, 0xC2
_FRAMES = (0xC0, 0xC1, 0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))


def without_refinements(data: bytes) -> tuple[bytes, bytes] | None:
    """Parts a progressive JPEG into one without its refinement scans, and those scans; None for any other file.

    A refinement adds the last bits of coefficients, and half of the file and more is refinements: without them a decoder
    needs a third of the time. A file that is cut short or not well formed gives None too.
    """
    try:
        return _parted(data)
    except (IndexError, ValueError):
        return None


def _parted(data: bytes) -> tuple[bytes, bytes] | None:
    kept, left_out = bytearray(data[:2]), bytearray()
    at, progressive = 2, False
    while True:
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == _END:
            return (bytes(kept + data[at : at + 2]), bytes(left_out)) if progressive and left_out else None
        if marker in _FRAMES:
            return None
        progressive = progressive or marker == _PROGRESSIVE
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        refines = False
        if marker == _SCAN:
            refines = data[end - 1] >> 4 > 0  # the successive approximation's high half: bits that are there already
            end = _end_of_scan(data, end)
        (left_out if refines else kept).extend(data[at:end])
        at = end


def _end_of_scan(data: bytes, at: int) -> int:
    """Gives the place of the marker after coded data: in that, 0xFF stands before a 0 or a restart marker."""
    while True:
        at = data.index(b"\xff", at)
        if data[at + 1] != 0 and not 0xD0 <= data[at + 1] <= 0xD7:
            return at
        at += 2
