"""Two steps of training on a full-size SD1.5 or SDXL checkpoint with random weights: time and peak memory.

    python benchmarks/full_size.py [fp32|bf16] [resolution] [--checkpointing] [--selective] [--int8] [--sdxl] [FILE]

The checkpoint (2.1 GB, with --sdxl 7 GB, fp16) is built in a temporary folder and deleted again, unless a FILE is given.
Memory is told twice: all that is resident, and what of it is anonymous, which leaves out the pages of mapped files (Linux:
RssAnon of /proc/self/status). Pages of the mapped checkpoint are resident while it is read and can be dropped at any time. The
weights are random, so
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


class Memory(threading.Thread):
    """Notes the most memory, resident and anonymous, of each phase until told to stop."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.phase, self.done = "before", threading.Event()
        self.peaks: dict[str, dict[str, float]] = {}

    def run(self) -> None:
        """Looks ten times a second."""
        process = psutil.Process(os.getpid())
        while not self.done.wait(0.1):
            now = {"resident_gb": process.memory_info().rss, "anonymous_gb": anonymous()}
            most = self.peaks.setdefault(self.phase, dict.fromkeys(now, 0.0))
            for name, size in now.items():
                most[name] = max(most[name], round(size / 1e9, 2))


def anonymous() -> int:
    """Gives the resident bytes that are no file's; 0 where the system does not tell them apart."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon")), 0)


def _level() -> str:
    return "full" if "--checkpointing" in sys.argv else "selective" if "--selective" in sys.argv else "none"


def main() -> None:
    """Builds, trains, tells."""
    words = [word for word in sys.argv[1:] if not word.startswith("-") and not word.endswith(".safetensors")]
    given = [Path(word).resolve() for word in sys.argv[1:] if word.endswith(".safetensors")]
    precision, resolution = (words + ["bf16", "256"][len(words) :])[:2]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        xl = "--sdxl" in sys.argv
        if not given:
            (write_full_size_xl if xl else write_full_size)(folder / "full.safetensors")
        Image.effect_noise((300, 300), 90).convert("RGB").save(folder / "a.png")
        settings = TrainSettings(
            resolution=int(resolution), max_steps=STEPS, batch_size=1, sample_every=0, unet_lr=1e-4, precision=precision,
            min_bucket=min(256, int(resolution)), fit="off",
            gradient_checkpointing=_level(), base_precision="int8" if "--int8" in sys.argv else "auto",
        )  # fmt: skip
        picture = TrainingPicture("a", folder / "a.png", "mia, red body, meadow", 5, "5_mia")
        request = TrainRequest(
            folder / "001",
            folder / "loras",
            folder / "cache",
            given[0] if given else folder / "full.safetensors",
            [picture],
            settings,
            "mia",
            "mia",
        )
        memory, marks = Memory(), [(time.monotonic(), time.process_time())]
        memory.start()
        memory.phase = "loading"

        def note(progress: Progress) -> None:
            if progress.total == STEPS:
                memory.phase = "training" if progress.done == 1 else "saving"
                marks.append((time.monotonic(), time.process_time()))

        trained = train(request, note)
        memory.done.set()
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
        print(json.dumps({**facts, "memory": memory.peaks, "load_then_steps": steps}))


if __name__ == "__main__":
    main()
