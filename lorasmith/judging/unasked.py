"""What renders show that nobody asked for: outfits, backgrounds of the set, signatures and other faults."""

from collections.abc import Collection, Sequence

import numpy as np

from lorasmith.judging.judge import Control, Judge, Judged, Spread, spread
from lorasmith.tags.groups import group_of

# Marks on a picture and faults of drawing, in the boards' own words: what a set with them teaches, and a sick LoRA draws.
_ARTEFACTS = """
    signature watermark artist_name dated text english_text japanese_text web_address url logo artist_logo patreon_logo
    twitter_logo username twitter_username patreon_username speech_bubble dialogue sample_watermark censored
    mosaic_censoring bar_censor jpeg_artifacts blurry lowres low_res bad_anatomy bad_hands extra_digits fewer_digits
    multiple_views multiple_images letterbox border white_border black_border greyscale monochrome sketch unfinished
    out_of_frame head_out_of_frame cropped glitch chromatic_aberration film_grain
""".split()
_DRESSED = ("clothing", "accessories")


def artefacts_known(known: Collection[str], asked: Collection[str] = ()) -> tuple[str, ...]:
    """Names the marks and faults that a tagger can see, less what the set is meant to have."""
    return tuple(tag for tag in _ARTEFACTS if tag in known and tag not in asked)


def places_known(known: Collection[str]) -> tuple[str, ...]:
    """Names the backgrounds that a tagger can see."""
    return tuple(sorted(tag for tag in known if group_of(tag) == "background"))


def outfit(renders: Sequence[Judged], judge: Judge) -> dict[str, Control]:
    """Gives for each toggle its score where it was asked for, and in renders whose prompt names no clothes at all."""
    found = {}
    for word, tags in judge.toggles.items():
        places = [judge.index[tag] for tag in tags if tag in judge.index]
        if not places:
            continue
        asked = [one for one in renders if set(tags) <= set(one.prompt.asked)]
        bare = [one for one in renders if not is_dressed(one, judge)]
        found[word] = Control(_mean(asked, places), _mean(bare, places))
    return found


def is_dressed(judged: Judged, judge: Judge) -> bool:
    """Says whether a render's prompt names clothes, an accessory or a toggle."""
    worn = {tag for tags in judge.toggles.values() for tag in tags}
    return any(tag in worn or group_of(tag) in _DRESSED for tag in judged.prompt.asked)


def _mean(renders: Sequence[Judged], places: Sequence[int]) -> Spread | None:
    return spread([float(np.mean(one.scores[list(places)])) for one in renders], [one.seed for one in renders])


def artefact(judged: Judged, judge: Judge) -> float | None:
    """Gives 1 where any mark or fault is seen that the prompt did not ask for, else 0; None where none can be seen."""
    places = [judge.index[tag] for tag in judge.artefacts if tag not in judged.prompt.asked]
    return float(bool((judged.scores[places] >= judge.threshold).any())) if places else None


def shown_unasked(renders: Sequence[Judged], judge: Judge) -> dict[str, float]:
    """Gives the share of renders that show a background where none was asked for, and each mark or fault; zeros left out."""
    anywhere = [one for one in renders if not any(group_of(tag) == "background" for tag in one.prompt.asked)]
    shares = {tag: _share(anywhere, tag, judge) for tag in judge.places}
    shares |= {tag: _share(renders, tag, judge) for tag in judge.artefacts}
    return {tag: share for tag, share in shares.items() if share > 0}


def _share(renders: Sequence[Judged], tag: str, judge: Judge) -> float:
    shown = [float(one.scores[judge.index[tag]] >= judge.threshold) for one in renders if tag not in one.prompt.asked]
    return float(np.mean(shown)) if shown else 0.0
