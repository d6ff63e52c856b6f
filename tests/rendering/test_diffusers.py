"""Tests of rendering in this process, among them equality with diffusers' own pipeline and LoRA loader."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from PIL import Image

from lorasmith.checkpoints.family import Family
from lorasmith.checkpoints.load import load_base
from lorasmith.checkpoints.lora_file import LoraWeights, read_lora, write_lora
from lorasmith.errors import CheckpointError, RefusedError, UsageError
from lorasmith.progress import Progress
from lorasmith.rendering.diffusers import DiffusersRenderer
from lorasmith.rendering.prompt import LoraUse, Prompt, RenderingError

PROMPT = Prompt("a red fox, standing", negative="blurred", width=64, height=64, steps=2, guidance=4.0, seed=7)


def pixels(picture: Image.Image) -> np.ndarray:
    """A picture as integers that can be subtracted."""
    return np.asarray(picture).astype(int)


def difference(one: Image.Image, two: Image.Image) -> int:
    """The largest difference of any channel of any pixel."""
    return int(np.abs(pixels(one) - pixels(two)).max())


def pipeline_for(tiny: Path) -> StableDiffusionPipeline:
    """Diffusers' own pipeline on the same base model."""
    model = load_base(tiny)
    scheduler = DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )
    pipeline = StableDiffusionPipeline(
        vae=model.vae,
        text_encoder=model.text_encoder,
        tokenizer=model.tokenizer,
        unet=model.unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def draw(pipeline: StableDiffusionPipeline, prompt: Prompt) -> Image.Image:
    """Renders one prompt with diffusers' pipeline."""
    picture: Image.Image = pipeline(
        prompt.text,
        negative_prompt=prompt.negative,
        width=prompt.width,
        height=prompt.height,
        num_inference_steps=prompt.steps,
        guidance_scale=prompt.guidance,
        generator=torch.Generator("cpu").manual_seed(prompt.seed),
    ).images[0]
    return picture


@pytest.fixture(scope="module")
def pipeline(tiny: Path, lora: Path) -> StableDiffusionPipeline:
    """Diffusers' pipeline with the LoRA loaded by its own loader."""
    pipeline = pipeline_for(tiny)
    pipeline.load_lora_weights(str(lora.parent), weight_name=lora.name, adapter_name="hero")
    return pipeline


@pytest.mark.parametrize("weight", [1.0, 0.6])
def test_a_lora_gives_the_picture_that_diffusers_own_loader_gives(
    renderer: DiffusersRenderer, pipeline: StableDiffusionPipeline, lora: Path, weight: float
) -> None:
    pipeline.set_adapters(["hero"], [weight])
    ours = renderer.render([replace(PROMPT, loras=(LoraUse(lora, weight),))])[0]
    assert difference(ours, draw(pipeline, PROMPT)) <= 2
    assert difference(ours, renderer.render([PROMPT])[0]) > 20  # it has an effect, or nothing was shown


def test_without_a_lora_the_picture_is_that_of_diffusers(
    renderer: DiffusersRenderer, pipeline: StableDiffusionPipeline
) -> None:
    pipeline.disable_lora()
    picture = draw(pipeline, PROMPT)
    pipeline.enable_lora()
    assert difference(renderer.render([PROMPT])[0], picture) <= 2


def test_diffusers_own_loader_uses_every_key_and_its_alpha(pipeline: StableDiffusionPipeline, lora: Path) -> None:
    pipeline.set_adapters(["hero"], [1.0])
    modules = [module for part in (pipeline.unet, pipeline.text_encoder) for module in part.modules()]
    adapted = [module for module in modules if "hero" in getattr(module, "lora_A", {})]
    assert len(adapted) == len(read_lora(lora).weights) == 264
    assert {module.scaling["hero"] for module in adapted} == {0.5}


def test_a_picture_does_not_depend_on_the_batch_it_is_in(renderer: DiffusersRenderer) -> None:
    prompts = [
        replace(PROMPT, seed=seed, text=text) for seed, text in [(1, "fox"), (2, "a red fox, long " * 30), (3, "cat")]
    ]
    together = renderer.render(prompts)
    for prompt, picture in zip(prompts, together, strict=True):
        assert difference(renderer.render([prompt])[0], picture) <= 1
    assert difference(together[0], together[2]) > 20


def test_pictures_come_in_the_order_asked_whatever_is_rendered_together(
    renderer: DiffusersRenderer, lora: Path
) -> None:
    wide = replace(PROMPT, width=128)
    with_lora = replace(PROMPT, loras=(LoraUse(lora),))
    seen: list[Progress] = []
    pictures = renderer.render([PROMPT, wide, with_lora, PROMPT], seen.append)
    assert [picture.size for picture in pictures] == [(64, 64), (128, 64), (64, 64), (64, 64)]
    assert difference(pictures[0], pictures[3]) == 0
    assert (seen[-1].done, seen[-1].total) == (4, 4)


def test_loras_leave_no_trace_in_the_model(renderer: DiffusersRenderer, lora: Path, other_lora: Path) -> None:
    renderer.render([PROMPT])
    before = {
        (part, name): tensor.clone()
        for part, module in renderer.model.modules.items()
        for name, tensor in module.state_dict().items()
    }
    both = replace(PROMPT, loras=(LoraUse(lora, 0.7), LoraUse(other_lora, -0.3, text_encoder_weight=0.0)))
    first = renderer.render([both])[0]
    renderer.render([replace(PROMPT, loras=(LoraUse(other_lora),))])
    assert difference(renderer.render([both])[0], first) == 0
    renderer.render([PROMPT])
    after = {
        (part, name): t for part, module in renderer.model.modules.items() for name, t in module.state_dict().items()
    }
    assert all(torch.equal(after[place], tensor) for place, tensor in before.items())


def test_a_borrowed_model_is_as_before_after_each_call(renderer: DiffusersRenderer, lora: Path) -> None:
    renderer.render([PROMPT])
    weight = renderer.model.unet.get_submodule("mid_block.attentions.0.proj_in").weight
    before = weight.clone()
    DiffusersRenderer(renderer.model).render([replace(PROMPT, loras=(LoraUse(lora),))])
    assert torch.equal(weight, before)
    renderer.render([replace(PROMPT, loras=(LoraUse(lora),))])
    assert not torch.equal(weight, before)


def test_two_loras_add_up_and_a_weight_of_zero_is_none(renderer: DiffusersRenderer, lora: Path) -> None:
    half = LoraUse(lora, 0.5)
    twice = renderer.render([replace(PROMPT, loras=(half, half))])[0]
    once = renderer.render([replace(PROMPT, loras=(LoraUse(lora, 1.0),))])[0]
    assert difference(twice, once) <= 1
    nothing = renderer.render([replace(PROMPT, loras=(LoraUse(lora, 0.0),))])[0]
    assert difference(nothing, renderer.render([PROMPT])[0]) == 0


def test_a_file_with_convolutions_of_resnets_is_applied(renderer: DiffusersRenderer, tmp_path: Path) -> None:
    name = "lora_unet_mid_block_resnets_0_conv1"
    path = tmp_path / "locon.safetensors"
    write_lora(path, {name: LoraWeights(torch.ones(2, 128, 3, 3), torch.randn(128, 2, 1, 1), 2.0)}, {})
    changed = renderer.render([replace(PROMPT, loras=(LoraUse(path),))])[0]
    assert difference(changed, renderer.render([PROMPT])[0]) > 0


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("lora_unet_input_blocks_99_1_proj_in", "a module that the base model does not have"),
        ("lora_unet_mid_block_attentions_0_proj_in", "was made for another base model"),
    ],
)
def test_a_lora_that_does_not_fit_is_refused(
    renderer: DiffusersRenderer, tmp_path: Path, module: str, words: str
) -> None:
    path = tmp_path / "other.safetensors"
    write_lora(path, {module: (torch.ones(2, 9), torch.ones(9, 2), 1.0)}, {})
    with pytest.raises(CheckpointError, match=words):
        renderer.render([replace(PROMPT, loras=(LoraUse(path),))])
    with pytest.raises(CheckpointError, match="no LoRA file"):
        renderer.render([replace(PROMPT, loras=(LoraUse(tmp_path / "none.safetensors"),))])


def test_a_prompt_that_marks_minors_is_refused_before_anything_is_drawn(renderer: DiffusersRenderer) -> None:
    for unsafe in (replace(PROMPT, text="fox, (cub:1.2)"), replace(PROMPT, negative="(child:-1)")):
        with pytest.raises(RefusedError):
            renderer.render([PROMPT, unsafe])
        with pytest.raises(RefusedError):
            renderer.inpaint(Image.new("RGB", (64, 64)), Image.new("L", (64, 64), 255), unsafe)


@pytest.mark.parametrize(
    "changes", [{"width": 60}, {"height": 8}, {"steps": 0}, {"guidance": 0.5}, {"text": "<lora:x:1>"}]
)
def test_a_prompt_that_cannot_be_rendered_is_refused(renderer: DiffusersRenderer, changes: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        renderer.render([replace(PROMPT, **changes)])


def test_the_euler_sampler_and_a_guidance_of_one_work(tiny: Path, renderer: DiffusersRenderer) -> None:
    euler = DiffusersRenderer(renderer.model, sampler="euler")
    picture = euler.render([replace(PROMPT, guidance=1.0)])[0]
    assert pixels(picture).std() > 5
    assert "Sampler: Euler" in euler.infotext(PROMPT)


def test_a_model_with_v_prediction_and_zero_terminal_snr_renders(renderer: DiffusersRenderer) -> None:
    family = Family("sd1", "v_prediction", zero_terminal_snr=True, stated=True)
    for sampler in ("ddim", "euler"):
        chosen = DiffusersRenderer(replace(renderer.model, family=family), sampler=sampler)
        assert difference(chosen.render([PROMPT])[0], renderer.render([PROMPT])[0]) > 20


def test_a_broken_model_is_told_and_not_shown_as_a_black_picture(tiny: Path) -> None:
    broken = DiffusersRenderer(tiny, device="cpu")
    broken.model.vae.decoder.conv_out.bias.data.fill_(float("nan"))
    with pytest.raises(RenderingError, match="not finite"):
        broken.render([PROMPT])


@pytest.mark.parametrize("sampler", ["ddim", "euler"])
def test_inpainting_changes_what_is_masked_and_nothing_else(renderer: DiffusersRenderer, sampler: str) -> None:
    chosen = DiffusersRenderer(renderer.model, sampler=sampler)
    noise = np.random.default_rng(0).integers(0, 256, (90, 150, 4), dtype=np.uint8)
    picture = Image.fromarray(noise, "RGBA")
    mask = Image.new("L", picture.size)
    mask.paste(255, (30, 20, 70, 60))
    result = chosen.inpaint(picture, mask, PROMPT, strength=0.8)
    assert result.mode == "RGBA"
    changed = np.abs(pixels(result) - pixels(picture)).max(axis=2)
    assert changed[np.asarray(mask) == 0].max() == 0
    assert changed[30:50, 40:60].mean() > 10
    assert difference(chosen.inpaint(picture, mask, PROMPT, strength=0.8), result) == 0


def test_inpainting_nothing_gives_the_picture_back(renderer: DiffusersRenderer) -> None:
    picture = Image.new("RGB", (70, 70), "red")
    assert difference(renderer.inpaint(picture, Image.new("L", (70, 70)), PROMPT), picture) == 0
    with pytest.raises(UsageError, match="one size"):
        renderer.inpaint(picture, Image.new("L", (64, 64), 255), PROMPT)
    with pytest.raises(UsageError, match="strength"):
        renderer.inpaint(picture, Image.new("L", (70, 70), 255), PROMPT, strength=0)
