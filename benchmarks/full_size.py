"""Two steps of training on a full-size SD1.5 or SDXL checkpoint with random weights: time and peak memory.

    python benchmarks/full_size.py [fp32|bf16] [resolution] [--checkpointing] [--sdxl]

The checkpoint (2.1 GB, with --sdxl 7 GB, fp16) is built in a temporary folder and deleted again. The weights are random, so
the losses mean nothing: what is shown is that the true layout loads, trains and is written as a LoRA of 264 modules (SDXL
without its text encoders: 722).
"""

import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
import torch
from PIL import Image
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).parent.parent))

from lorasmith.checkpoints.layout_sd1 import to_single_file
from lorasmith.checkpoints.lora_file import read_lora
from lorasmith.progress import Progress
from lorasmith.settings.tables import TrainSettings
from lorasmith.training.dataset import TrainingPicture
from lorasmith.training.train import TrainRequest, train
from tests.checkpoints.tiny import (
    TRUE_TEXT_WIDTH,
    TRUE_UNET_WIDTHS,
    TRUE_VAE_WIDTHS,
    build_text_encoder,
    build_unet,
    build_vae,
)
from tests.checkpoints.tiny_xl import TRUE, build_parts, tensors_of

STEPS = 2


def write_full_size(path: Path) -> None:
    """Writes a random SD1.5 checkpoint in fp16."""
    torch.set_default_dtype(torch.float16)
    parts = (
        build_unet(TRUE_UNET_WIDTHS, TRUE_TEXT_WIDTH),
        build_vae(TRUE_VAE_WIDTHS),
        build_text_encoder(TRUE_TEXT_WIDTH),
    )
    torch.set_default_dtype(torch.float32)
    tensors = to_single_file(*(part.state_dict() for part in parts))
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)


def write_full_size_xl(path: Path) -> None:
    """Writes a random SDXL checkpoint in fp16: norms at 1, biases at 0, the rest small numbers out of one block."""
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in tensors_of(build_parts(TRUE), TRUE).items()}
    block = (0.02 * torch.randn(1 << 20, generator=torch.Generator().manual_seed(0))).half()
    tensors = {}
    for name, shape in shapes.items():
        if len(shape) > 1:
            tensors[name] = block.repeat(-(-shape.numel() // len(block)))[: shape.numel()].reshape(shape).clone()
        else:
            tensors[name] = torch.full(shape, 0.0 if name.endswith("bias") else 1.0, dtype=torch.float16)
    save_file(tensors, path)


def watch(peak: list[int], stop: threading.Event) -> None:
    """Notes the largest resident memory until told to stop."""
    process = psutil.Process(os.getpid())
    while not stop.wait(0.2):
        peak[0] = max(peak[0], process.memory_info().rss)


def main() -> None:
    """Builds, trains, tells."""
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    precision, resolution = (words + ["bf16", "256"][len(words) :])[:2]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        xl = "--sdxl" in sys.argv
        (write_full_size_xl if xl else write_full_size)(folder / "full.safetensors")
        Image.effect_noise((300, 300), 90).convert("RGB").save(folder / "a.png")
        settings = TrainSettings(
            resolution=int(resolution), max_steps=STEPS, batch_size=1, sample_every=0, unet_lr=1e-4, precision=precision,
            min_bucket=min(256, int(resolution)), gradient_checkpointing="--checkpointing" in sys.argv,
        )  # fmt: skip
        picture = TrainingPicture("a", folder / "a.png", "mia, red body, meadow", 5, "5_mia")
        request = TrainRequest(
            folder / "001",
            folder / "loras",
            folder / "cache",
            folder / "full.safetensors",
            [picture],
            settings,
            "mia",
            "mia",
        )
        peak, stop, marks = [0], threading.Event(), [(time.monotonic(), time.process_time())]
        watcher = threading.Thread(target=watch, args=(peak, stop))
        watcher.start()

        def note(progress: Progress) -> None:
            if progress.total == STEPS:
                marks.append((time.monotonic(), time.process_time()))

        trained = train(request, note)
        stop.set()
        watcher.join()
        steps = [
            {"wall_s": round(b[0] - a[0], 1), "cpu_s": round(b[1] - a[1], 1)}
            for a, b in zip(marks, marks[1:], strict=False)
        ]
        file = read_lora(trained.files[-1].path)
        facts = {
            "precision": precision,
            "resolution": int(resolution),
            "base": file.metadata["ss_base_model_version"],
            "modules": len(file.weights),
            "loss": trained.loss,
        }
        print(json.dumps({**facts, "peak_gb": round(peak[0] / 1e9, 1), "load_then_steps": steps}))


if __name__ == "__main__":
    main()
