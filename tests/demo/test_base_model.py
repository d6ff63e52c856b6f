"""The demo's base model: a complete SD1.x file, small, loadable offline, and what its card says it is."""

import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionPipeline
from safetensors import safe_open

from lorasmith.checkpoints.clip.tokenizer import load_tokenizer
from lorasmith.checkpoints.load import load_base
from lorasmith.demo import tiny_sd
from lorasmith.demo.abstract import abstract_picture
from lorasmith.demo.captions import LENGTH, NAMED, tokens
from lorasmith.demo.latents import LatentCache
from lorasmith.demo.muon import MuonAdam, orthogonal
from lorasmith.demo.single_file import METADATA, schedule_buffers, write_base
from lorasmith.demo.train_base import MODEL_FILE
from lorasmith.demo.train_unet import UnetTraining
from lorasmith.demo.train_vae import fold_scale, picture_loss, to_tensor
from lorasmith.demo.vae_start import fresh_vae
from lorasmith.demo.world import training_scene

UNET, VAE, TEXT = "model.diffusion_model.", "first_stage_model.", "cond_stage_model.transformer.text_model."


def _pair(*names: str) -> Iterator[str]:
    for name in names:
        yield from (f"{name}.weight", f"{name}.bias")


def _residual(name: str, shortcut: bool) -> Iterator[str]:
    parts = ["in_layers.0", "in_layers.2", "emb_layers.1", "out_layers.0", "out_layers.3"]
    yield from _pair(*(f"{name}.{part}" for part in [*parts, *(["skip_connection"] if shortcut else [])]))


def _attention(name: str) -> Iterator[str]:
    block = f"{name}.transformer_blocks.0"
    yield from _pair(f"{name}.norm", f"{name}.proj_in", f"{name}.proj_out", *(f"{block}.norm{n}" for n in (1, 2, 3)))
    for attention in ("attn1", "attn2"):
        yield from (f"{block}.{attention}.to_{part}.weight" for part in "qkv")
        yield from _pair(f"{block}.{attention}.to_out.0")
    yield from _pair(f"{block}.ff.net.0.proj", f"{block}.ff.net.2")


def _unet_names() -> Iterator[str]:
    yield from _pair("time_embed.0", "time_embed.2", "input_blocks.0.0", "out.0", "out.2")
    for level in range(4):
        for layer in (1, 2):
            block = f"input_blocks.{3 * level + layer}"
            yield from _residual(f"{block}.0", shortcut=layer == 1 and level in (1, 2))
            if level < 3:
                yield from _attention(f"{block}.1")
        if level < 3:
            yield from _pair(f"input_blocks.{3 * level + 3}.0.op")
    for place in (0, 2):
        yield from _residual(f"middle_block.{place}", shortcut=False)
    yield from _attention("middle_block.1")
    for block in range(12):
        yield from _residual(f"output_blocks.{block}.0", shortcut=True)
        if block > 2:
            yield from _attention(f"output_blocks.{block}.1")
        if block in (2, 5, 8):
            yield from _pair(f"output_blocks.{block}.{1 if block == 2 else 2}.conv")


def _vae_names() -> Iterator[str]:
    yield from _pair("quant_conv", "post_quant_conv")
    for side, layers in (("encoder", 2), ("decoder", 3)):
        yield from _pair(*(f"{side}.{part}" for part in ("conv_in", "conv_out", "norm_out")))
        middle = f"{side}.mid"
        yield from _pair(*(f"{middle}.attn_1.{part}" for part in ("norm", "q", "k", "v", "proj_out")))
        blocks = [(f"{middle}.block_1", False), (f"{middle}.block_2", False)]
        for level in range(4):
            name = f"{side}.{'down' if side == 'encoder' else 'up'}.{level}"
            narrower = (1, 2) if side == "encoder" else (0, 1)
            blocks += [(f"{name}.block.{layer}", layer == 0 and level in narrower) for layer in range(layers)]
            if (side, level) not in (("encoder", 3), ("decoder", 0)):
                yield from _pair(f"{name}.{'downsample' if side == 'encoder' else 'upsample'}.conv")
        for name, shortcut in blocks:
            yield from _pair(*(f"{name}.{part}" for part in ("norm1", "conv1", "norm2", "conv2")))
            yield from _pair(f"{name}.nin_shortcut") if shortcut else ()


def _text_names() -> Iterator[str]:
    yield from ("embeddings.position_ids", "embeddings.token_embedding.weight", "embeddings.position_embedding.weight")
    for layer in range(12):
        name = f"encoder.layers.{layer}"
        attention = [f"{name}.self_attn.{part}_proj" for part in ("q", "k", "v", "out")]
        yield from _pair(*attention, f"{name}.layer_norm1", f"{name}.layer_norm2", f"{name}.mlp.fc1", f"{name}.mlp.fc2")
    yield from _pair("final_layer_norm")


def _expected() -> set[str]:
    sd1 = {UNET + name for name in _unet_names()} | {VAE + name for name in _vae_names()}
    return sd1 | {TEXT + name for name in _text_names()} | set(schedule_buffers())


def _names(path: Path) -> set[str]:
    with safe_open(path, "pt") as file:
        return set(file.keys())


def test_the_file_has_every_key_of_a_real_sd15_file_and_no_other() -> None:
    assert len(_expected()) == 1131 + 12
    assert _names(MODEL_FILE) == _expected()


def test_the_file_is_at_most_32_mb_of_fp16_weights() -> None:
    assert MODEL_FILE.stat().st_size <= 32_000_000
    with safe_open(MODEL_FILE, "pt") as file:
        kinds = {file.get_slice(name).get_dtype() for name in _expected() - set(schedule_buffers())}
        assert kinds == {"F16", "I64"}
        assert file.metadata() == METADATA


def test_the_model_card_gives_the_right_sum() -> None:
    assert hashlib.sha256(MODEL_FILE.read_bytes()).hexdigest() in (MODEL_FILE.parent / "README.md").read_text("utf-8")


def test_no_weight_is_broken() -> None:
    with safe_open(MODEL_FILE, "pt") as file:
        assert all(torch.isfinite(file.get_tensor(name).float()).all() for name in _expected())


def test_the_real_schedule_is_in_the_file() -> None:
    buffers = schedule_buffers()
    assert buffers["alphas_cumprod"][0].item() == pytest.approx(0.99915, abs=1e-5)
    assert buffers["alphas_cumprod"][-1].item() == pytest.approx(0.00466, abs=1e-5)


def test_diffusers_loads_the_file_with_our_configs_alone(tmp_path: Path) -> None:
    tiny_sd.write_config_folder(tmp_path)
    load_tokenizer().save_pretrained(tmp_path / "tokenizer")
    pipeline = StableDiffusionPipeline.from_single_file(MODEL_FILE, config=str(tmp_path), local_files_only=True)
    ours = load_base(MODEL_FILE)
    for theirs, part in (
        (pipeline.unet, ours.unet),
        (pipeline.vae, ours.vae),
        (pipeline.text_encoder, ours.text_encoder),
    ):
        wanted = part.state_dict()
        assert theirs.state_dict().keys() == wanted.keys()
        assert all(torch.equal(tensor.float(), wanted[name]) for name, tensor in theirs.state_dict().items())


def test_a_written_model_is_read_back(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = tiny_sd.build()
    write_base(tmp_path / "new.safetensors", model)
    read = load_base(tmp_path / "new.safetensors")
    states = torch.randn(1, 77, 64)
    noise, time = torch.randn(1, 4, 16, 16), torch.tensor([500])
    with torch.no_grad():
        difference = model.unet.eval()(noise, time, states).sample - read.unet(noise, time, states).sample
    assert difference.abs().max() < 0.02
    assert [path.name for path in tmp_path.iterdir()] == ["new.safetensors"]


def test_folding_the_scale_changes_the_latents_and_not_the_pictures() -> None:
    torch.manual_seed(0)
    vae = tiny_sd.build_vae().eval()
    pictures = torch.rand(4, 3, 32, 32) * 2 - 1
    with torch.no_grad():
        before = vae.decode(vae.encode(pictures).latent_dist.mean).sample
        fold_scale(vae, pictures)
        latents = vae.encode(pictures).latent_dist.mean
        after = vae.decode(latents).sample
    assert torch.allclose(before, after, atol=1e-4)
    assert torch.allclose((latents * 0.18215).std(dim=(0, 2, 3)), torch.ones(4), atol=1e-3)


def test_a_fresh_vae_already_gives_back_block_colours() -> None:
    rng = random.Random("fresh")
    pictures = to_tensor([training_scene(rng, held_out=False).draw_array(64, 64) for _ in range(6)])
    with torch.no_grad():
        vae = fresh_vae(pictures)
        drawn = vae.decode(vae.encode(pictures).latent_dist.mean).sample
    blocks, wanted = (torch.nn.functional.avg_pool2d(x, 8) for x in (drawn, pictures))
    assert (blocks - wanted).abs().mean() < 0.15


def test_the_shipped_vae_passes_pictures_on() -> None:
    rng = random.Random("shipped")
    pictures = to_tensor([training_scene(rng, held_out=True).draw_array(128, 128) for _ in range(6)])
    vae = load_base(MODEL_FILE, parts=("vae",)).vae
    with torch.no_grad():
        latents = vae.encode(pictures).latent_dist.mean
        drawn = vae.decode(latents).sample
    assert (drawn - pictures).abs().mean() < 0.16
    assert (latents * 0.18215).std() == pytest.approx(1.0, abs=0.25)


def test_abstract_pictures_are_the_same_for_the_same_seed() -> None:
    first, second = (abstract_picture(random.Random("shapes"), 96, 64) for _ in range(2))
    assert first.shape == (64, 96, 3) and (first == second).all()
    assert picture_loss(to_tensor([first]), to_tensor([second])) == 0


def test_a_stopped_training_goes_on_where_it_was(tmp_path: Path) -> None:
    vae = load_base(MODEL_FILE, parts=("vae",)).vae
    cache = LatentCache(vae, {(64, 64): 4}, random.Random(0))
    cache.fill()
    training = UnetTraining(tmp_path, vae, minutes=1.0)
    loss, naming = training._take_step(cache.batch(2).cut(52))
    training.save()
    assert 0.3 < loss < 3.0 and naming > 1.0
    again = UnetTraining(tmp_path, vae, minutes=1.0)
    again.load()
    assert again.step == 1
    weights = again.networks.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in training.networks.state_dict().items())


def test_captions_are_cut_at_the_length_of_clip_and_know_where_each_tag_ends() -> None:
    item = tokens(["red_fur", "solo"])
    assert item.ids[:6].tolist() == [
        49406,
        *load_tokenizer()("red fur, solo", add_special_tokens=False).input_ids,
        49407,
    ]
    assert [NAMED[number] for number in item.ends.tolist() if number >= 0] == ["red_fur", "solo"]
    assert len(tokens(["half-length_portrait"] * 60).ids) == LENGTH


def test_the_optimiser_finds_a_matrix_and_its_bias() -> None:
    torch.manual_seed(0)
    layer, wanted = torch.nn.Linear(6, 4), torch.nn.Linear(6, 4)
    optimiser = MuonAdam(layer.named_parameters(), lr=0.05, adam_share=0.5)
    losses = []
    for step in range(200):
        optimiser.param_groups[0]["lr"] = 0.05 * (1 - step / 200)
        inputs = torch.randn(64, 6)
        loss = (layer(inputs) - wanted(inputs)).square().mean()
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < 0.02 * losses[0]


@pytest.mark.parametrize("shape", [(4, 9), (9, 4), (8, 8)])
def test_an_orthogonal_matrix_has_singular_values_near_one(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonal(torch.randn(shape)).float())
    assert values.min() > 0.5 and values.max() < 1.4


def test_the_config_folder_is_plain_json(tmp_path: Path) -> None:
    tiny_sd.write_config_folder(tmp_path)
    assert json.loads((tmp_path / "unet/config.json").read_text("utf-8"))["norm_num_groups"] == 8
