"""Steps of training beside a plain loop of diffusers and peft: CPU and wall seconds, alternating in one process.

    python benchmarks/train.py step [tiny|demo|full|FILE] [--pairs N] [--batch N] [--size PX] [--plain fp32|bf16]
                                    [--ours fp32|bf16] [--frozen-text] [--threads N]
    python benchmarks/train.py curve [--steps N] [--seeds N]      bf16 and fp32 on the demo's base, same draws
    python benchmarks/train.py start PROJECT [--rounds N]         process start to first step, through the command line
    python benchmarks/train.py imports                            CPU seconds of what a training imports
    python benchmarks/train.py gpu [sd15|sdxl]                    steps on a CUDA card beside the plain loop, and MFU

Both arms of `step` have the same weights, adapters, noise, timesteps and captions; their losses are compared. `full` is a
random SD1.5 of true size (2.1 GB, written into a temporary folder). The plain loop is `plain_loop.py`.
"""

import argparse
import gc
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]
DEMO = HERE.parent / "lorasmith" / "demo" / "models" / "base.safetensors"
CAPTION = "mia, red body, meadow, standing, smile, looking at viewer"
RANK = 16
# TFLOP of a training step a picture with a frozen base, and dense bf16 peaks of cards: computed by enumerating the layers
STEP_TFLOP = {("sd15", 512): 1.86, ("sdxl", 1024): 15.2}
PEAK_TFLOPS = {"H200": 989, "H100": 989, "A100": 312, "4090": 165, "3090": 71, "3060": 25}


@contextmanager
def checkpoint(kind: str) -> Iterator[Path]:
    """Gives a base model: the demo's, a thin random one, or a random one of true size."""
    if kind == "demo" or kind.endswith(".safetensors"):
        yield DEMO if kind == "demo" else Path(kind)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{kind}.safetensors"
        if kind == "tiny":
            from tests.checkpoints.tiny import write_tiny

            write_tiny(path)
        else:
            from full_size import write_full_size, write_full_size_xl

            (write_full_size_xl if kind == "sdxl" else write_full_size)(path)
        yield path


def timed(work: Callable[[], float]) -> tuple[float, float, float]:
    """Gives CPU seconds, wall seconds and the loss of a step."""
    wall, cpu = time.perf_counter(), time.process_time()
    loss = work()
    return time.process_time() - cpu, time.perf_counter() - wall, loss


def compare(arguments: argparse.Namespace, device: str = "cpu") -> dict[str, object]:
    """Runs pairs of steps and gives medians of the times and of the pairs' ratios."""
    import torch
    from plain_loop import PlainLoop, twin_learner

    torch.set_num_threads(arguments.threads)
    with checkpoint(arguments.model) as path:
        ours = twin_learner(path, arguments, device)
        plain = PlainLoop(path, arguments, ours, device)
    gc.collect()
    rows, apart = [], 0.0
    for number in range(arguments.pairs + 1):
        turns = [("plain", plain.step), ("ours", ours.step)]
        times = {name: timed(partial(step, number)) for name, step in (turns if number % 2 else turns[::-1])}
        apart = max(apart, abs(times["plain"][2] - times["ours"][2]) / times["plain"][2])
        if number:  # the first pair warms up
            rows.append(times)
    found: dict[str, object] = {"pairs": len(rows), "losses_apart_at_most": f"{apart:.1e}"}
    for place, name in enumerate(("cpu_s", "wall_s")):
        sides = {arm: [row[arm][place] for row in rows] for arm in ("plain", "ours")}
        found |= {f"{arm}_{name}": f"{statistics.median(each):.3f} (least {min(each):.3f})" for arm, each in sides.items()}
        ratios = [one / two for one, two in zip(sides["plain"], sides["ours"], strict=True)]
        found[f"plain/ours_{name}"] = round(statistics.median(ratios), 3)
        found[f"plain/ours_{name}_of_the_least"] = round(min(sides["plain"]) / min(sides["ours"]), 3)
    return found


def gpu(arguments: argparse.Namespace) -> dict[str, object]:
    """The same on a CUDA card, with the share of the card's peak that our step uses."""
    import torch

    if not torch.cuda.is_available():
        return {"gpu": "there is no CUDA card here"}
    kind, size, batch = ("sdxl", 1024, 1) if arguments.model == "sdxl" else ("sd15", 512, 4)
    arguments.model = "sdxl" if kind == "sdxl" else "full"
    arguments.size, arguments.batch, arguments.frozen_text = size, batch, True
    arguments.plain = arguments.ours = "bf16"
    found = compare(arguments, "cuda")
    name = torch.cuda.get_device_name()
    peak = next((flops for part, flops in PEAK_TFLOPS.items() if part in name), None)
    if peak:
        wall = float(str(found["ours_wall_s"]).split()[0])
        found["mfu"] = round(STEP_TFLOP[kind, size] * batch / wall / peak, 3)
        found["floor_s"] = round(STEP_TFLOP[kind, size] * batch / peak, 4)
    return {"card": name, **found, "peak_reserved_gb": round(torch.cuda.max_memory_reserved() / 1e9, 2)}


def curve(arguments: argparse.Namespace) -> dict[str, object]:
    """Trains the demo's base in bf16 and fp32 with the same draws, and fp32 with other seeds: how far the losses lie apart."""
    import torch
    from plain_loop import curve_of

    torch.set_num_threads(arguments.threads)
    fp32 = [curve_of(DEMO, "fp32", seed, arguments.steps) for seed in range(1, arguments.seeds + 1)]
    bf16 = [curve_of(DEMO, "bf16", seed, arguments.steps) for seed in range(1, arguments.seeds + 1)]
    held = {name: [run[1] for run in runs] for name, runs in (("fp32", fp32), ("bf16", bf16))}
    int8 = [curve_of(DEMO, "bf16", seed, arguments.steps, "int8")[1] for seed in range(1, arguments.seeds + 1)]
    per_step = [abs(a - b) for one, two in zip(fp32, bf16, strict=True) for a, b in zip(one[0], two[0], strict=True)]
    mean = statistics.mean(loss for losses, *_ in fp32 for loss in losses)
    return {
        "steps": arguments.steps, "seeds": arguments.seeds,
        "mean_loss_fp32": mean, "mean_loss_bf16": statistics.mean(loss for losses, *_ in bf16 for loss in losses),
        "same_step_apart_mean": statistics.mean(per_step) / mean, "same_step_apart_most": max(per_step) / mean,
        "held_loss_before": fp32[0][2], "held_loss_after_fp32": held["fp32"], "held_loss_after_bf16": held["bf16"],
        "held_loss_after_int8": int8,
        "precision_moves_it_by": statistics.mean(abs(a - b) for a, b in zip(held["fp32"], held["bf16"], strict=True)),
        "seeds_move_it_by": statistics.stdev(held["fp32"]) if arguments.seeds > 1 else None,
    }  # fmt: skip


def start(arguments: argparse.Namespace) -> dict[str, object]:
    """Starts `lorasmith train` on a copy of a project, told on the demo's base; waits for its first step and stops it."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        shutil.copytree(arguments.project, project)
        for _ in range(arguments.rounds):
            shutil.rmtree(project / "runs", ignore_errors=True)
            rows.append(_first_step(project))
    warm = rows[1:] or rows  # the first one encodes the pictures
    return {
        "rounds": len(rows), "with_latents_to_encode": rows[0],
        "wall_s": [round(row[0], 2) for row in warm], "cpu_s": [round(row[1], 2) for row in warm],
        "least_wall_s": round(min(row[0] for row in warm), 2), "least_cpu_s": round(min(row[1] for row in warm), 2),
    }  # fmt: skip


def _first_step(project: Path) -> tuple[float, float]:
    """Gives wall and CPU seconds from the start of the process to the end of its first step."""
    import psutil

    command = [
        sys.executable, "-m", "lorasmith", "train", ".", "--checkpoint", str(DEMO), "--resolution", "128", "--device", "cpu",
        "--sample-every", "0", "--max-steps", "3", "--text-encoder-lr", "1e-4", "--json", "--events",
    ]  # fmt: skip
    began = time.perf_counter()
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    child = subprocess.Popen(command, cwd=project, text=True, **pipes)
    assert child.stdout is not None
    told = []
    try:
        for line in child.stdout:
            told.append(line)
            progress = json.loads(line).get("progress", {}) if line.startswith('{"progress"') else {}
            if progress.get("total") == 3 and progress.get("done", 0) >= 1 and "epoch" in progress.get("note", ""):
                used = psutil.Process(child.pid).cpu_times()
                return time.perf_counter() - began, used.user + used.system
        raise SystemExit(f"no step was made: {''.join(told)[-2000:]}")
    finally:
        child.kill()
        child.wait()


def imports(arguments: argparse.Namespace) -> dict[str, object]:
    """Counts modules and CPU seconds of importing what trains, each in a process of its own, best of rounds."""
    found = {}
    for name in ("torch", "transformers", "peft", "diffusers", "lorasmith.checkpoints.load", "lorasmith.training.train"):
        code = (
            f"import time, {name}, sys; print(time.process_time(), len(sys.modules), 'torch._dynamo.symbolic_convert' in sys.modules)"
        )
        runs = [subprocess.check_output([sys.executable, "-c", code], text=True).split() for _ in range(arguments.rounds)]
        found[name] = {"cpu_s": min(round(float(run[0]), 2) for run in runs), "modules": int(runs[0][1]), "dynamo": runs[0][2]}
    return found


def main() -> None:
    """Reads the command and prints one JSON object."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["step", "curve", "start", "imports", "gpu"])
    parser.add_argument("model", nargs="?", default="demo", help="tiny, demo, full or a .safetensors file; of start the project")
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--plain", default="fp32")
    parser.add_argument("--ours", default="fp32")
    parser.add_argument("--base-precision", default="auto")
    parser.add_argument("--checkpointing", default="none")
    parser.add_argument("--frozen-text", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    arguments.project = arguments.model
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    work = {"step": compare, "curve": curve, "start": start, "imports": imports, "gpu": gpu}[arguments.what]
    told = {key: value for key, value in vars(arguments).items() if key in ("model", "size", "batch", "plain", "ours", "frozen_text")}
    print(json.dumps({**(told if arguments.what in ("step", "gpu") else {}), **work(arguments)}, indent=1))


if __name__ == "__main__":
    main()
