"""Subsets: parts of a training set with repeats of their own, or with weights from which the repeats are worked out.

    faces  weight=1 where headshot_portrait
    body   weight=1
    old    repeats=2 folder="D:/older pictures"
    others weight=1 regularisation prior=0.5 folder="D:/reg"

A picture belongs to the first subset whose filter it fits; one without filter and folder takes what is left. A line that
begins with # is a note.
"""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from lorasmith.errors import UsageError
from lorasmith.training.dataset import TrainingPicture

_WHERE = " where "
_MOST = 1000  # repeats


@dataclass(frozen=True)
class Subset:
    """One part of the set; `weight` is its share of the draws beside the others' weights, `repeats` fixes it instead."""

    name: str
    weight: float | None = None
    repeats: int | None = None
    where: str = ""  # a filter over the project's pictures
    folder: str = ""  # pictures that are not the project's
    regularisation: bool = False  # teaches what the trigger is not: does not count as pictures of the character
    prior: float = 1.0  # how much its loss counts

    @property
    def takes_the_rest(self) -> bool:
        """Whether it takes the project's pictures that fit no other."""
        return not self.where and not self.folder


def read_subsets(lines: Sequence[str]) -> list[Subset]:
    """Reads the lines of the setting `subsets`; raises `UsageError` saying what is wrong with which."""
    found = [_read(line) for line in lines if line.strip() and not line.lstrip().startswith("#")]
    names = [each.name for each in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"Two subsets are named {twice}; give one of them another name.")
    if sum(each.takes_the_rest for each in found) > 1:
        raise UsageError("Two subsets have neither a filter (where …) nor a folder: only one can take what is left.")
    return found


def _read(line: str) -> Subset:
    head, _, where = f" {line.strip()} ".partition(_WHERE)
    try:
        name, *words = shlex.split(head, posix=True)
    except ValueError as error:
        raise UsageError(f"The subset '{line}' cannot be read ({error}); write: name weight=1 where TAGS.") from error
    values: dict[str, object] = {"name": name, "where": where.strip()}
    for word in words:
        key, sign, text = word.partition("=")
        values[key] = _value(line, key, text if sign else None)
    if values.get("weight") is not None and values.get("repeats") is not None:
        raise UsageError(f"The subset '{line}' has a weight and repeats; give one of them.")
    return Subset(**values)  # type: ignore[arg-type]


def _value(line: str, key: str, text: str | None) -> object:
    if key == "regularisation" and text is None:
        return True
    if key == "folder" and text:
        return text
    kinds = {"weight": float, "prior": float, "repeats": int}
    try:
        number = kinds[key](text or "")
    except (KeyError, ValueError) as error:
        known = "weight=NUMBER, repeats=NUMBER, folder=PATH, prior=NUMBER, regularisation, where TAGS"
        raise UsageError(f"The subset '{line}' has '{key}'; a subset takes {known}.") from error
    if not 0 < number <= _MOST:
        raise UsageError(f"The subset '{line}' has {key}={text}; give a number above 0, up to {_MOST}.")
    return number


def with_repeats(
    members: Mapping[str, Sequence[TrainingPicture]], subsets: Iterable[Subset], usual: int
) -> list[TrainingPicture]:
    """Gives the pictures of all subsets (by name) with their repeats and their loss's weight, in the order given.

    Those with a weight share the draws by it: their repeats are worked out so that a picture has about `usual` on the mean
    and each subset gets its share as nearly as whole repeats allow. The others have the subset's, else the pictures' own.
    """
    rows = {subset.name: subset for subset in subsets}
    weighed = {name: each for name, each in rows.items() if each.weight is not None and members.get(name)}
    pictures = sum(len(members[name]) for name in weighed)
    draws = usual * pictures / sum(each.weight or 0.0 for each in weighed.values()) if weighed else 0.0
    found = []
    for name, pictures_of in members.items():
        subset = rows.get(name, Subset(name))
        fixed = subset.repeats
        if name in weighed:
            fixed = min(_MOST, max(1, round(draws * (subset.weight or 0.0) / len(pictures_of))))
        found += [_with(each, fixed or each.repeats, subset) for each in pictures_of]
    return found


def _with(picture: TrainingPicture, repeats: int, subset: Subset) -> TrainingPicture:
    return replace(
        picture, repeats=repeats, folder=f"{repeats}_{picture.folder.partition('_')[2] or picture.folder}",
        weight=subset.prior if subset.regularisation else 1.0, regularisation=subset.regularisation,
    )  # fmt: skip
