"""Small charts as SVG: they follow the page's colours and need no script."""

from collections.abc import Sequence
from html import escape

from lorasmith.ui.html import element

_WIDTH, _LABEL, _ROW = 640, 190, 26
_HEIGHT, _LEFT, _BOTTOM, _TOP = 240, 52, 26, 8


def bars(rows: Sequence[tuple[str, float]]) -> str:
    """Draws horizontal bars, the first row as the full length."""
    if not rows:
        return ""
    most = max(max(value for _, value in rows), 1e-9)
    drawn = []
    for place, (label, value) in enumerate(rows):
        y = place * _ROW
        length = (_WIDTH - _LABEL - 70) * value / most
        drawn.append(_words(_LABEL - 8, y + 17, label, "end"))
        drawn.append(f'<rect class="ls-bar" x="{_LABEL}" y="{y + 4}" width="{max(length, 1):.1f}" height="{_ROW - 8}" rx="3"/>')
        drawn.append(_words(_LABEL + length + 6, y + 17, f"{value:g}", "start"))
    return _svg(_WIDTH, len(rows) * _ROW, drawn)


def curve(points: Sequence[tuple[float, float]], marks: Sequence[tuple[float, str]], x_name: str, y_name: str) -> str:
    """Draws a line through points (x, y), smoothed over it in a second line, with named marks on the x axis."""
    if len(points) < 2:
        return ""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    low, high = min(ys), max(ys)
    span_x, span_y = (max(xs) - min(xs)) or 1, (high - low) or 1

    def at(x: float, y: float) -> str:
        left = _LEFT + (x - min(xs)) / span_x * (_WIDTH - _LEFT - 10)
        return f"{left:.1f},{_TOP + (high - y) / span_y * (_HEIGHT - _TOP - _BOTTOM):.1f}"

    drawn = []
    for share in (0.0, 0.5, 1.0):
        y = low + span_y * share
        where = at(min(xs), y).split(",")[1]
        drawn.append(f'<line class="ls-grid" x1="{_LEFT}" x2="{_WIDTH - 10}" y1="{where}" y2="{where}"/>')
        drawn.append(_words(_LEFT - 6, float(where) + 4, f"{y:.3g}", "end"))
    for x, name in marks:
        where = at(x, low).split(",")[0]
        drawn.append(f'<line class="ls-mark" x1="{where}" x2="{where}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"/>')
        drawn.append(_words(float(where), _HEIGHT - 8, name, "middle"))
    drawn.append(f'<polyline class="ls-raw" points="{" ".join(at(x, y) for x, y in points)}"/>')
    smooth = zip(xs, smoothed(ys), strict=True)
    drawn.append(f'<polyline class="ls-line" points="{" ".join(at(x, y) for x, y in smooth)}"/>')
    drawn.append(_words(_WIDTH - 12, _TOP + 12, f"{y_name} over {x_name}", "end"))
    return _svg(_WIDTH, _HEIGHT, drawn)


def smoothed(values: Sequence[float]) -> list[float]:
    """Gives the running mean over a twentieth of the values on each side."""
    reach = max(1, len(values) // 20)
    result = []
    for place in range(len(values)):
        window = values[max(0, place - reach) : place + reach + 1]
        result.append(sum(window) / len(window))
    return result


def _words(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _svg(width: int, height: int, drawn: Sequence[str]) -> str:
    return element("svg", *drawn, viewBox=f"0 0 {width} {height}", class_="ls-chart", role="img")
