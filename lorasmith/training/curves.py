"""A run's curve for a person's eyes: smoothed, and thinned to as many points as a picture shows."""

from collections.abc import Sequence

Point = tuple[int, float, float]  # step, loss, the loss smoothed


def smoothed(values: Sequence[float], weights: Sequence[float], share: float = 0.05) -> list[float]:
    """Gives the running mean over a share of the values on each side, at least two; `weights` (above 0) say what each counts."""
    reach = max(2, round(len(values) * share))
    sums, counts = [0.0], [0.0]
    for value, weight in zip(values, weights, strict=True):
        sums.append(sums[-1] + value * weight)
        counts.append(counts[-1] + weight)
    found = []
    for place in range(len(values)):
        low, high = max(0, place - reach), min(len(values), place + reach + 1)
        found.append((sums[high] - sums[low]) / (counts[high] - counts[low]))
    return found


def thinned(points: Sequence[Point], most: int) -> list[Point]:
    """Gives at most `most` points, each the mean of its stretch at the stretch's last step; the last step stays."""
    if len(points) <= most:
        return list(points)
    edges = [round(place * len(points) / most) for place in range(most + 1)]
    parts = (points[low:high] for low, high in zip(edges, edges[1:], strict=False))
    return [(part[-1][0], _mean([one[1] for one in part]), _mean([one[2] for one in part])) for part in parts]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
