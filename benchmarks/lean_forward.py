"""One training step of a thin U-Net with LoRA: peft's own forward beside ours, alternating in one process.

    python benchmarks/lean_forward.py [pairs] [batch]

Told is the median over pairs of the ratio of CPU seconds (peft's / ours), and the greatest difference of the outputs.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent.parent))

from lorasmith.checkpoints.load import BaseModel, load_base
from lorasmith.training.adapters import AdapterRecipe, Adapters, put_in
from tests.checkpoints.tiny import write_tiny

RANK = 16


def build(path: Path, lean: bool) -> tuple[BaseModel, Adapters]:
    """Makes the model with adapters; without `lean` peft's own forwards are put back."""
    model = load_base(path, parts=("unet",))
    adapters = put_in(model, AdapterRecipe(RANK, RANK), ("unet",), seed=1)
    for layer in adapters.layers.values():
        with torch.no_grad():
            layer.lora_B["default"].weight.normal_(0.0, 0.01, generator=torch.Generator().manual_seed(2))
        if not lean:
            del layer.forward  # the instance's own; the class's is peft's
    return model, adapters


def step(model: BaseModel, latents: torch.Tensor, states: torch.Tensor) -> tuple[float, torch.Tensor]:
    """Runs forward and backward; gives CPU seconds and the prediction."""
    began = time.process_time()
    guess = model.unet(latents, torch.full((len(latents),), 500), states).sample
    guess.square().mean().backward()
    return time.process_time() - began, guess.detach()


def main() -> None:
    """Prints one line."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    batch = int(sys.argv[2]) if len(sys.argv) > 2 else 4
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tiny.safetensors"
        write_tiny(path)
        peft, ours = build(path, lean=False)[0], build(path, lean=True)[0]
    torch.manual_seed(3)
    latents, states = torch.randn(batch, 4, 16, 16), torch.randn(batch, 77, 64)
    ratios, difference = [], 0.0
    for _ in range(pairs):
        (slow, one), (fast, other) = step(peft, latents, states), step(ours, latents, states)
        ratios.append(slow / fast)
        difference = max(difference, float((one - other).abs().max()))
    print(f"peft / ours: {statistics.median(ratios):.2f} (median of {pairs}), greatest difference {difference:.1e}")


if __name__ == "__main__":
    main()
