"""Trains the demo's base model from nothing: `python -m lorasmith.demo.train_base all --work FOLDER`.

Every step can be stopped and called again: it goes on from the state in the work folder. `export` writes what there is.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import torch
from diffusers import AutoencoderKL

from lorasmith.demo.single_file import write_base
from lorasmith.demo.tiny_sd import TinyModel, build, build_vae
from lorasmith.demo.train_unet import Networks, UnetTraining
from lorasmith.demo.train_vae import fold_scale, to_tensor, train_decoder, train_vae
from lorasmith.demo.world import training_scene

MODEL_FILE = Path(__file__).parent / "models" / "base.safetensors"


def finish_vae(work: Path, minutes: float) -> AutoencoderKL:
    """Trains the VAE to its end and scales its latents; the second call reads the result."""
    done = work / "vae_done.pt"
    if not done.exists():
        vae = train_vae(work, minutes)
        rng = random.Random("latent scale")
        fold_scale(vae, to_tensor([training_scene(rng, held_out=False).draw_array(128, 128) for _ in range(96)]))
        torch.save(vae.state_dict(), done)
    vae = build_vae().requires_grad_(False).eval()
    vae.load_state_dict(torch.load(done, weights_only=True))
    return vae


def export(work: Path, path: Path) -> None:
    """Writes the averaged networks of the work folder as a single file, with the finer decoder where there is one."""
    state = torch.load(work / "unet.pt", weights_only=True)["average"]
    networks = Networks()
    networks.load_state_dict(state)
    model = build()
    finer = work / "decoder_done.pt"
    model.vae.load_state_dict(torch.load(finer if finer.exists() else work / "vae_done.pt", weights_only=True))
    write_base(path, TinyModel(networks.unet, model.vae, networks.text_encoder))


def main() -> None:
    """Runs one step, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=("vae", "unet", "decoder", "export", "all"))
    parser.add_argument("--work", type=Path, required=True, help="folder for states and losses, outside the project")
    parser.add_argument("--vae-minutes", type=float, default=8.0)
    parser.add_argument("--decoder-minutes", type=float, default=15.0)
    parser.add_argument("--unet-minutes", type=float, default=46.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=MODEL_FILE)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.work.mkdir(parents=True, exist_ok=True)
    vae = finish_vae(options.work, options.vae_minutes)
    if options.step in ("unet", "all"):
        training = UnetTraining(options.work, vae, options.unet_minutes)
        training.load()
        training.run()
    if options.step in ("decoder", "all"):
        train_decoder(options.work, vae, options.decoder_minutes)
    if options.step in ("export", "all"):
        export(options.work, options.out)


if __name__ == "__main__":
    main()
