"""Settings that are lines of text: what a line says."""


def threshold_rule(line: str) -> tuple[str, str, float]:
    """Reads `[model /] category or tag -> value`."""
    start, _, number = line.rpartition("->")
    model, _, what = start.rpartition(" / ")
    try:
        value = float(number)
    except ValueError:
        value = 0.0
    if not what.strip() or not 0 < value <= 1:
        raise ValueError(f"thresholds has '{line}'; write 'tag or category -> number', or 'tagger / tag or category -> number'")
    return model.strip() or "*", "_".join(what.split()), value


def old_and_new(line: str) -> tuple[str, str]:
    """Reads `old -> new`, both as tags are stored; empty where one is missing."""
    old, _, new = line.partition("->")
    return "_".join(old.split()), "_".join(new.split())
