"""The whole judgement on real parts: the demo's tagger looks at drawings of its new character and of others."""

import random
from pathlib import Path

import pytest

import lorasmith.demo
from lorasmith.demo import world
from lorasmith.judging.judge import Judge, Judged
from lorasmith.judging.plan import PlannedPrompt, Wishes, evaluation_prompts
from lorasmith.judging.rank import rank
from lorasmith.judging.scores import CellScores, score_cell
from lorasmith.taggers.labels import scores_by_tag
from lorasmith.taggers.onnx import Tagger
from lorasmith.tags.merge import merge

SIDE = 192


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return Tagger(Path(lorasmith.demo.__path__[0]) / "models" / "tagger", threads=1)


def drawing(prompt: PlannedPrompt, looks: world.Creature, rng: random.Random) -> world.Scene:
    """Draws what a prompt asks for, as a render of a perfect LoRA would."""

    def asked(choices: tuple[str, ...], otherwise: str) -> str:
        return next((tag for tag in prompt.asked if tag in choices), otherwise)

    pose = asked(tuple(world.POSES), "standing")
    framing = asked(world.FRAMINGS, "full-length_portrait")
    worn, mouth = asked(world.ACCESSORIES, ""), asked(world.MOUTHS, looks.mouth)
    creature = type(looks)(**{**vars(looks), "pose": pose, "accessory": worn, "mouth": mouth})
    return world.Scene((creature,), asked(world.BACKGROUNDS, "inside"), framing, "boldline", rng.getrandbits(30))


def judged(tagger: Tagger, judge: Judge, epoch: int | None, looks: list[world.Creature]) -> CellScores:
    rng = random.Random(5)
    prompts = evaluation_prompts("zorvex", Wishes(world.OWN_TAGS, {}, judge.index.keys()))
    asked = [prompt for prompt in prompts if prompt.has_trigger]
    scenes = [drawing(prompt, rng.choice(looks), rng) for prompt in asked]
    vectors = tagger.score([scene.draw(SIDE, SIDE) for scene in scenes])
    renders = [Judged(prompt, 1, vector) for prompt, vector in zip(asked, vectors, strict=True)]
    return score_cell(epoch, 1.0, renders, judge)


def test_drawings_of_the_character_are_alike_and_those_of_strangers_are_not(tagger: Tagger) -> None:
    judge = Judge(tagger.index, tuple(world.OWN_TAGS))
    assert judge.unknown() == ()
    rng = random.Random(7)
    perfect = judged(tagger, judge, 4, [world.NEW_LOOKS])
    base = judged(tagger, judge, None, [world.random_creature(rng) for _ in range(9)])
    assert perfect.likeness is not None and perfect.likeness.mean > 0.8
    assert base.likeness is not None and base.likeness.mean < 0.2
    assert {"pose", "framing", "background", "clothing"} <= set(perfect.followed) and (perfect.followed_mean or 0) > 0.8
    best = rank([perfect], base).best
    assert best is not None and best.bake == "good"


def test_a_wrong_booru_tag_is_doubted_and_a_missing_one_found(tagger: Tagger) -> None:
    scene = world.Scene((world.NEW_LOOKS,), "forest", "full-length_portrait", "flatfield", 3)
    scores = scores_by_tag(tagger.labels, tagger.score([scene.draw(SIDE, SIDE)])[0].tolist())
    said = dict.fromkeys(["solo", "red_fur", "sitting", "striped_fur", "inkwood_tower"], "general")
    merged = {tag.tag for tag in merge(said, scores, threshold=0.5, veto=0.05, known=set(scores))}
    assert {"solo", "purple_fur", "striped_fur", "curled_horns", "standing", "forest", "inkwood_tower"} <= merged
    assert not {"red_fur", "sitting"} & merged
