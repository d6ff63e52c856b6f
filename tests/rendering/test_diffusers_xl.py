"""Tests of rendering with SDXL, among them equality with diffusers' own pipeline and LoRA loader."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, StableDiffusionXLPipeline
from PIL import Image
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from lorasmith.checkpoints.clip.tokenizer import load_tokenizer
from lorasmith.checkpoints.conditioning import size_numbers
from lorasmith.checkpoints.family import Family
from lorasmith.checkpoints.load import load_base
from lorasmith.checkpoints.lora_file import LoraWeights, read_lora, write_lora
from lorasmith.checkpoints.prompts import encode, padded_with_zeros
from lorasmith.errors import CheckpointError
from lorasmith.rendering.diffusers import DiffusersRenderer, renderer_as_trained
from lorasmith.rendering.prompt import LoraUse, Prompt
from tests.checkpoints.tiny_xl import write_random_lora, write_tiny_xl

PROMPT = Prompt("a red fox, standing", negative="blurred", width=64, height=96, steps=2, guidance=4.0, seed=7)


@pytest.fixture(scope="module")
def tiny_xl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_xl(tmp_path_factory.mktemp("xl") / "tiny.safetensors", dtype=torch.float32)


@pytest.fixture(scope="module")
def renderer(tiny_xl: Path) -> DiffusersRenderer:
    return DiffusersRenderer(tiny_xl, device="cpu")


@pytest.fixture(scope="module")
def lora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_lora(tmp_path_factory.mktemp("loras") / "hero.safetensors", convolutions=True)


@pytest.fixture(scope="module")
def pipeline(tiny_xl: Path, lora: Path) -> StableDiffusionXLPipeline:
    """Diffusers' own pipeline on the same base model, with the LoRA loaded by its own loader."""
    model = load_base(tiny_xl)
    scheduler = DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )
    second = copy.deepcopy(load_tokenizer())  # the loaded one is shared
    second.pad_token = "!"
    pipeline = StableDiffusionXLPipeline(
        vae=model.vae,
        text_encoder=model.text_encoder,
        text_encoder_2=projected(model.text_encoder_2),
        tokenizer=model.tokenizer,
        tokenizer_2=second,
        unet=model.unet,
        scheduler=scheduler,
        add_watermarker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    pipeline.load_lora_into_unet(*_lora_state(pipeline, lora), pipeline.unet, adapter_name="hero")
    return pipeline


def projected(encoder: CLIPTextModel) -> CLIPTextModelWithProjection:
    """The second text encoder as the class that the pipeline expects."""
    made = CLIPTextModelWithProjection(encoder.config).eval()
    state = encoder.state_dict()
    made.load_state_dict({name if name.startswith("text_proj") else f"text_model.{name}": t for name, t in state.items()})
    return made


def _lora_state(pipeline: StableDiffusionXLPipeline, lora: Path) -> tuple[dict[str, torch.Tensor], dict[str, float]]:
    """The file as diffusers' loader reads it, the U-Net's part."""
    state, alphas = pipeline.lora_state_dict(
        str(lora.parent), weight_name=lora.name, unet_config=pipeline.unet.config, return_lora_metadata=False
    )
    unet = {name: tensor for name, tensor in state.items() if name.startswith("unet.")}
    return unet, {name: alpha for name, alpha in alphas.items() if name.startswith("unet.")}


def draw(pipeline: StableDiffusionXLPipeline, prompt: Prompt) -> Image.Image:
    picture: Image.Image = pipeline(
        prompt.text,
        negative_prompt=prompt.negative or None,
        width=prompt.width,
        height=prompt.height,
        num_inference_steps=prompt.steps,
        guidance_scale=prompt.guidance,
        generator=torch.Generator("cpu").manual_seed(prompt.seed),
    ).images[0]
    return picture


def difference(one: Image.Image, two: Image.Image) -> int:
    return int(np.abs(np.asarray(one).astype(int) - np.asarray(two).astype(int)).max())


@pytest.mark.parametrize("negative", ["blurred", ""])
def test_without_a_lora_the_picture_is_that_of_diffusers(
    renderer: DiffusersRenderer, pipeline: StableDiffusionXLPipeline, negative: str
) -> None:
    prompt = replace(PROMPT, negative=negative)
    pipeline.disable_lora()
    picture = draw(pipeline, prompt)
    pipeline.enable_lora()
    assert difference(renderer.render([prompt])[0], picture) <= 2


def test_a_locon_gives_the_picture_that_diffusers_own_loader_gives(
    renderer: DiffusersRenderer, pipeline: StableDiffusionXLPipeline, lora: Path
) -> None:
    only_unet = replace(PROMPT, loras=(LoraUse(lora, 0.8, text_encoder_weight=0.0),))
    pipeline.set_adapters(["hero"], [0.8])
    ours = renderer.render([only_unet])[0]
    assert difference(ours, draw(pipeline, PROMPT)) <= 2
    assert difference(ours, renderer.render([PROMPT])[0]) > 20
    adapted = [module for module in pipeline.unet.modules() if "hero" in getattr(module, "lora_A", {})]
    in_file = [name for name in read_lora(lora).weights if name.startswith("lora_unet_")]
    assert len(adapted) == len(in_file) and {module.scaling["hero"] for module in adapted} == {0.5 * 0.8}


def test_conditioning_is_that_of_diffusers(renderer: DiffusersRenderer, pipeline: StableDiffusionXLPipeline) -> None:
    ours = encode(renderer.model, ["a red fox, standing"])
    context, _, pooled, _ = pipeline.encode_prompt("a red fox, standing", do_classifier_free_guidance=False)
    torch.testing.assert_close(ours.context, context, atol=1e-5, rtol=1e-4)
    assert ours.pooled is not None
    torch.testing.assert_close(ours.pooled, pooled, atol=1e-5, rtol=1e-4)


def test_the_pooled_state_is_that_of_the_first_chunk(renderer: DiffusersRenderer) -> None:
    long = encode(renderer.model, ["red cat, " * 25 + "BREAK of it all", "red cat"])
    first = encode(renderer.model, ["red cat"])
    assert long.context.shape == (2, 154, 192) and long.pooled is not None and first.pooled is not None
    torch.testing.assert_close(long.pooled[1:], first.pooled, atol=1e-5, rtol=1e-4)


def test_what_follows_the_end_mark_is_zero_for_the_second_text_encoder() -> None:
    ids = torch.tensor([[49406, 320, 49407, 49407, 49407], [49406, 49407, 49407, 5, 49407]])
    assert padded_with_zeros(ids).tolist() == [[49406, 320, 49407, 0, 0], [49406, 49407, 0, 0, 0]]


def test_sizes_are_passed_as_the_webuis_pass_them() -> None:
    assert size_numbers(torch.zeros(2, 4, 152, 104)).tolist() == [[1216, 832, 0, 0, 1216, 832]] * 2


def test_text_encoders_take_their_part_of_a_lora(renderer: DiffusersRenderer, lora: Path) -> None:
    without = renderer.render([PROMPT])[0]
    only_text = replace(PROMPT, loras=(LoraUse(lora, 0.0, text_encoder_weight=1.0),))
    assert difference(renderer.render([only_text])[0], without) > 0
    names = [name[:8] for name in read_lora(lora).weights]
    assert {"lora_te1", "lora_te2", "lora_une"} == set(names)
    assert difference(renderer.render([PROMPT])[0], without) == 0


def test_a_picture_does_not_depend_on_the_batch_it_is_in(renderer: DiffusersRenderer) -> None:
    prompts = [replace(PROMPT, seed=seed, negative=negative) for seed, negative in [(1, ""), (2, "blurred"), (3, "")]]
    for prompt, picture in zip(prompts, renderer.render(prompts), strict=True):
        assert difference(renderer.render([prompt])[0], picture) <= 1


@pytest.mark.parametrize("sampler", ["ddim", "euler"])
def test_v_prediction_with_zero_terminal_snr_starts_at_the_last_step(renderer: DiffusersRenderer, sampler: str) -> None:
    family = Family("sdxl", "v_prediction", zero_terminal_snr=True, stated=True)
    chosen = DiffusersRenderer(replace(renderer.model, family=family), sampler=sampler)
    scheduler = chosen._scheduler(10)
    assert int(scheduler.timesteps[0]) == 999 and scheduler.config.prediction_type == "v_prediction"
    assert np.asarray(chosen.render([PROMPT])[0]).std() > 5


def test_a_lora_of_sd1_is_refused(renderer: DiffusersRenderer, tmp_path: Path) -> None:
    path = tmp_path / "sd1.safetensors"
    module = "lora_te_text_model_encoder_layers_0_mlp_fc1"
    write_lora(path, {module: LoraWeights(torch.ones(2, 64), torch.ones(256, 2), 1.0)}, {})
    with pytest.raises(CheckpointError, match="a module that the base model does not have"):
        renderer.render([replace(PROMPT, loras=(LoraUse(path),))])


def test_the_vae_is_never_in_fp16(tiny_xl: Path) -> None:
    assert load_base(tiny_xl, dtype=torch.float16, parts=("vae",)).vae.dtype == torch.float32


def test_what_was_set_by_hand_in_training_holds_when_rendering(tiny_xl: Path) -> None:
    trained = {"prediction_type": "v_prediction", "zero_terminal_snr": "on", "rank": 4}
    family = renderer_as_trained(tiny_xl, trained, "cpu").model.family
    assert (family.prediction_type, family.zero_terminal_snr) == ("v_prediction", True)
    assert renderer_as_trained(tiny_xl, {}, "cpu").model.family.prediction_type == "epsilon"
