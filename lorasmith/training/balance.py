"""Several characters in one training: who is in a caption, how often each is seen, and repeats that see them equally often."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from lorasmith.safety import fold
from lorasmith.training.captions import SEPARATOR, split_tags
from lorasmith.training.dataset import TrainingPicture
from lorasmith.training.subsets import Subset, with_repeats

UNEVEN = 1.5  # so many times as often as another: what is seen less takes on the other's looks
_OFTEN = 4  # times as many repeats as another's pictures have, from which a character's few pictures are told


@dataclass(frozen=True)
class Seen:
    """How often a character is seen in an epoch: its pictures, those that show no other, and their draws together."""

    trigger: str
    pictures: int
    alone: int
    draws: int


def triggers_in(caption: str, triggers: Sequence[str]) -> tuple[str, ...]:
    """Names those of the triggers that stand in a caption, in the order of `triggers`."""
    said = {fold(tag) for tag in split_tags(caption.replace(SEPARATOR, ","))}
    return tuple(trigger for trigger in triggers if fold(trigger) in said)


def with_triggers_held(caption: str, triggers: Sequence[str], keep_tokens: int) -> str:
    """Keeps all triggers of a caption in front where it has several, whatever is shuffled and left out behind them.

    `keep_tokens` counts on a caption with one trigger; the others come on top.
    """
    more = len(triggers_in(caption, triggers)) - 1
    if more < 1 or keep_tokens < 1 or SEPARATOR in caption:
        return caption
    tags = split_tags(caption)
    kept = keep_tokens + more
    return f"{', '.join(tags[:kept])} {SEPARATOR} {', '.join(tags[kept:])}" if tags[kept:] else caption


def balanced(pictures: Sequence[TrainingPicture], triggers: Sequence[str], usual: int) -> list[TrainingPicture]:
    """Gives the pictures with repeats by which each character that is alone on some is seen equally often alone.

    Pictures of several, or of nobody, keep their repeats; `usual` is what a picture has on the mean.
    """
    members: dict[str, list[TrainingPicture]] = {trigger: [] for trigger in triggers}
    others: list[TrainingPicture] = []
    for picture in pictures:
        shown = triggers_in(picture.caption, triggers)
        (members[shown[0]] if len(shown) == 1 else others).append(picture)
    found = with_repeats(members, [Subset(trigger, weight=1.0) for trigger in triggers], usual)
    repeats = {picture.name: picture.repeats for picture in [*found, *others]}
    return [_with_repeats(picture, repeats[picture.name]) for picture in pictures]


def _with_repeats(picture: TrainingPicture, repeats: int) -> TrainingPicture:
    rest = picture.folder.partition("_")[2] or picture.folder
    return replace(picture, repeats=repeats, folder=f"{repeats}_{rest}")


def seen(pictures: Sequence[TrainingPicture], triggers: Sequence[str]) -> list[Seen]:
    """Counts for each character its pictures and draws; regularisation pictures show nobody."""
    shown = [(picture, triggers_in(picture.caption, triggers)) for picture in pictures if not picture.regularisation]
    rows = []
    for trigger in triggers:
        own = [(picture, who) for picture, who in shown if trigger in who]
        alone = sum(who == (trigger,) for _, who in own)
        rows.append(Seen(trigger, len(own), alone, sum(picture.repeats for picture, _ in own)))
    return rows


def balance_notes(pictures: Sequence[TrainingPicture], cast: Mapping[str, str], *, subsets: bool) -> Iterator[str]:
    """Says how often each character (trigger -> filter) is seen, and what to do where one is seen less than another.

    `subsets` says that a person parted the set: then it is those weights that are to be changed.
    """
    rows = seen(pictures, list(cast))
    everything = sum(row.draws for row in rows) or 1
    shares = [f"{row.trigger} {row.pictures} pictures, {row.draws / everything:.0%} of the draws" for row in rows]
    yield f"Characters: {'; '.join(shares)}."
    if missing := [row.trigger for row in rows if not row.pictures]:
        yield f"No picture shows {' or '.join(missing)}: see tag.characters, then run tag again."
    there = [row for row in rows if row.draws]
    if len(there) < 2:
        return
    most, least = max(there, key=lambda row: row.draws), min(there, key=lambda row: row.draws)
    if most.draws > UNEVEN * least.draws:
        yield (
            f"{most.trigger} is seen {most.draws / least.draws:.1f} times as often as {least.trigger}, which will take on its "
            f"looks: {_remedy(cast, subsets)}."
        )
    yield from _few(there)
    yield from (f"{row.trigger} is nowhere alone: what is its own cannot be told from the others." for row in there if not row.alone)


def _remedy(cast: Mapping[str, str], subsets: bool) -> str:
    """Says how the characters are balanced; the lines are those that a person can paste."""
    if not subsets:
        return "set train.balance, or more train.repeats where it is set"
    lines = [f"'{trigger.replace(' ', '_')} weight=1 where {where}'" for trigger, where in cast.items()]
    return f"empty train.subsets and set train.balance, or weigh them alike: subsets = [{', '.join(lines)}]"


def _few(rows: Sequence[Seen]) -> Iterator[str]:
    """Names a character of whose few pictures each is seen many times."""
    each = {row.trigger: row.draws / row.pictures for row in rows}
    usual = min(each.values())
    for row in rows:
        if each[row.trigger] >= _OFTEN * usual:
            yield (
                f"{row.trigger} has {row.pictures} pictures, each seen {each[row.trigger]:.0f} times an epoch: more pictures of it "
                "would be better than more repeats."
            )
