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


def character_line(line: str) -> tuple[str, str]:
    """Reads `trigger where FILTER`; without a filter the pictures are meant that have the trigger as a tag."""
    start, where, filter_text = f" {line.strip()} ".partition(" where ")
    trigger = " ".join(start.split())
    if not trigger or "," in trigger or (where and not filter_text.strip()):
        raise ValueError(f"characters has '{line}'; write 'trigger where FILTER', such as 'alice where character:alice'")
    return trigger, filter_text.strip() or f'"{trigger}"'
