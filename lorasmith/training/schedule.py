"""The learning rate over the run, as a pure function of the step."""

import math


def rate_factor(step: int, steps: int, kind: str, warmup: float) -> float:
    """Gives the factor, 0 to 1, of the learning rate at `step` (from 0) of `steps`.

    It rises linearly over the first `warmup` share of the steps, then stays (`constant`) or falls to 0 at the end
    along a line (`linear`) or half a cosine (`cosine`).
    """
    rising = round(warmup * steps)
    if step < rising:
        return (step + 1) / (rising + 1)
    if kind == "constant":
        return 1.0
    gone = (step - rising) / max(1, steps - rising)
    return 1 - gone if kind == "linear" else 0.5 * (1 + math.cos(math.pi * gone))
