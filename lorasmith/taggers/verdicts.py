"""What one or several taggers say of a picture, by stored scores: tags with who says them, and where they disagree."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from lorasmith.taggers.labels import PICTURE_CATEGORIES, Label
from lorasmith.taggers.thresholds import ThresholdRule, over, thresholds_of

SURE = 0.85  # from here on a tagger's word alone is worth a look where others say otherwise
_NOT_ASKED = np.inf


@dataclass(frozen=True)
class Voice:
    """One tagger as far as its stored scores go: its name, its tags and where they stand, and the threshold of each."""

    name: str
    labels: tuple[Label, ...]
    places: Mapping[str, int]  # tags of pictures only: no ratings, no characters
    thresholds: np.ndarray


@dataclass(frozen=True)
class Verdict:
    """What the taggers say of one picture: `by` has tag -> tagger -> score, each over that tagger's own threshold for it.

    `vectors` are the stored scores, one row for each voice.
    """

    by: Mapping[str, Mapping[str, float]]
    voices: tuple[Voice, ...]
    vectors: tuple[np.ndarray, ...]

    @property
    def tags(self) -> dict[str, float]:
        """Gives the tags that any tagger says, with the best score."""
        return {tag: max(scores.values()) for tag, scores in self.by.items()}

    def scores_of(self, tag: str) -> dict[str, float]:
        """Gives every tagger's score of a tag that it knows, however low."""
        return {
            voice.name: float(vector[voice.places[tag]])
            for voice, vector in zip(self.voices, self.vectors, strict=True)
            if tag in voice.places
        }

    def score_of(self, tag: str) -> float | None:
        """Gives the best score of a tag, None where no tagger knows it."""
        return max(self.scores_of(tag).values(), default=None)

    def scores_for_merging(self, asked: Collection[str]) -> dict[str, float]:
        """Gives the best scores of what the taggers say, and of the `asked` tags that any of them knows."""
        known = {tag: score for tag in asked if (score := self.score_of(tag)) is not None}
        return known | self.tags

    def category_of(self, tag: str) -> str:
        """Gives a tag's category by the first tagger that knows it, empty where none does."""
        return next((voice.labels[voice.places[tag]].category for voice in self.voices if tag in voice.places), "")


@dataclass(frozen=True)
class Disagreement:
    """One tag of one picture on which the sources are at odds.

    `denied`: the booru says it, and every tagger that knows it scores it under the veto. `unsaid`: a tagger is sure of it on
    a picture whose booru tags leave it out. `differ`: one tagger is sure of it, another that knows it scores it under the veto.
    """

    picture: str
    tag: str
    kind: Literal["denied", "unsaid", "differ"]
    scores: Mapping[str, float]  # by tagger


class Known(Protocol):
    """What a voice needs of a tagger: one that is open, or one of which only the files were read."""

    @property
    def name(self) -> str:
        """Gives its name."""
        ...

    @property
    def labels(self) -> tuple[Label, ...]:
        """Gives its outputs, in the order of its scores."""
        ...

    @property
    def thresholds(self) -> Mapping[str, float]:
        """Gives its own thresholds by category."""
        ...

    @property
    def vocabulary(self) -> str:
        """Says whose tags it knows."""
        ...


def voice_of(tagger: Known, rules: Iterable[ThresholdRule] = (), general: float = 0.0) -> Voice:
    """Gives a tagger's voice under a person's rules; they may name it, its folder's name, or its vocabulary."""
    names = tuple(filter(None, (tagger.name, tagger.vocabulary)))
    thresholds = thresholds_of(tagger.labels, tagger.thresholds, rules, names, general)
    asked = [label.category in PICTURE_CATEGORIES for label in tagger.labels]
    places = {label.name: place for place, label in enumerate(tagger.labels) if asked[place]}
    return Voice(tagger.name, tagger.labels, places, np.where(asked, thresholds, _NOT_ASKED))


def verdicts(voices: Sequence[Voice], stored: Sequence[np.ndarray]) -> Iterator[Verdict]:
    """Yields each picture's verdict; `stored` has the vectors of each voice, fp16 of [pictures, labels]."""
    found = [over(vectors, voice.thresholds) for voice, vectors in zip(voices, stored, strict=True)]
    for row, places in enumerate(zip(*found, strict=True)):
        vectors = tuple(table[row] for table in stored)
        by: dict[str, dict[str, float]] = {}
        for voice, vector, said in zip(voices, vectors, places, strict=True):
            for place in said[np.argsort(-vector[said], kind="stable")]:
                by.setdefault(voice.labels[place].name, {})[voice.name] = float(vector[place])
        yield Verdict(by, tuple(voices), vectors)


def disagreements(picture: str, booru: Collection[str], verdict: Verdict, veto: float) -> list[Disagreement]:
    """Lists where the booru's tags and the taggers are at odds on a picture, the surest first; `veto` 0 denies nothing."""
    found = []
    for tag in booru:
        scores = verdict.scores_of(tag)
        if scores and max(scores.values()) < veto:
            found.append(Disagreement(picture, tag, "denied", scores))
    for tag in verdict.by:
        scores = verdict.scores_of(tag)
        if max(scores.values()) < SURE:
            continue
        if min(scores.values()) < veto:
            found.append(Disagreement(picture, tag, "differ", scores))
        elif booru and tag not in booru:
            found.append(Disagreement(picture, tag, "unsaid", scores))
    return sorted(found, key=lambda one: (-max(one.scores.values()), one.tag))
