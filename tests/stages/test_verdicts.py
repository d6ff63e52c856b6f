"""evaluate's word for too much and too little training, with a LoRA whose truth is known: the world draws for it."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Literal

import pytest

from lorasmith.demo import world
from lorasmith.project.project import Project
from lorasmith.settings.tables import EvaluateSettings
from lorasmith.stages.evaluate.stage import evaluate
from lorasmith.tags.spelling import from_prompt
from tests.stages.test_evaluate import scores_in

if TYPE_CHECKING:
    from PIL import Image

    from lorasmith.rendering.prompt import Prompt

pytestmark = pytest.mark.slow
Kind = Literal["weak", "good", "greedy"]
SLOTS = {"fur": tuple(world.FUR), "ears": world.EARS, "eyes": tuple(world.EYES), "mouth": world.MOUTHS, "pose": world.POSES,
         "accessory": world.ACCESSORIES}  # fmt: skip


class WorldRenderer:
    """Draws what a prompt says as the world draws it; with a LoRA the trigger is the character, or everybody is."""

    def __init__(self, lora: Kind) -> None:
        self.lora = lora

    def render(self, prompts: "Sequence[Prompt]", report: object = None) -> "list[Image.Image]":
        return [self._scene(prompt).draw(prompt.width, prompt.height) for prompt in prompts]

    def _scene(self, prompt: "Prompt") -> world.Scene:
        words = {from_prompt(piece.strip()) for piece in prompt.text.split(",")}
        rng = Random(f"{sorted(words)} {prompt.seed}")
        creature = world.random_creature(rng)
        if prompt.loras and (self.lora == "greedy" or (self.lora == "good" and world.NEW_CHARACTER in words)):
            creature = world.vary(world.NEW_LOOKS, rng)
        said = {slot: tag for slot, tags in SLOTS.items() for tag in tags if tag in words}
        if self.lora == "greedy" and prompt.loras:
            said = {slot: tag for slot, tag in said.items() if slot not in ("fur", "ears", "eyes")}
        place = next((tag for tag in world.BACKGROUNDS if tag in words), "white_background")
        framing = next((tag for tag in world.FRAMINGS if tag in words), "full-length_portrait")
        return world.Scene((replace(creature, **said),), place, framing, "boldline", prompt.seed)  # type: ignore[arg-type]


@pytest.mark.parametrize(("lora", "bake"), [("weak", "underbaked"), ("good", "good"), ("greedy", "overbaked")])
def test_too_little_good_and_too_much_are_told_apart(walked: Project, lora: Kind, bake: str) -> None:
    settings = walked.settings(EvaluateSettings, {"width": 128, "height": 128, "asked": 1, "seeds": [31], "report_seeds": [32]})
    done = evaluate(walked, settings, renderer=WorldRenderer(lora))
    best = scores_in(walked, done.folder.rpartition("/")[2])["ranking"]["best"]
    assert best["bake"] == bake, best["reason"]
    assert ("others, described without the trigger, keep" in best["reason"]) is (lora == "greedy")
