"""What the tests ask of the bridge: prompts for the client, bodies for the bridge itself, pictures and masks."""

import base64
import io
from dataclasses import replace

import numpy as np
import requests
from PIL import Image

from lorasmith.rendering.prompt import LoraUse, Prompt
from tests.extension_bridge.served import TOKEN, Served

PROMPT = Prompt("a fox", negative="blurred", width=64, height=96, steps=4, guidance=6.5, seed=9, clip_skip=2)


def with_lora(served: Served, name: str, weight: float = 0.8) -> Prompt:
    return replace(PROMPT, loras=(LoraUse(served.host.loras / f"{name}.safetensors", weight),))


def ask(served: Served, path: str, body: dict[str, object]) -> requests.Response:
    headers = {"X-Lorasmith-Token": TOKEN}
    return requests.post(f"{served.url}/lorasmith-host/{path}", json=body, headers=headers, timeout=20)


def body_of(task: str, **changes: object) -> dict[str, object]:
    return {"task": task, "prompt": "a fox", "width": 64, "height": 64, "steps": 2, "sampler": "Euler", **changes}


def packed(picture: Image.Image) -> str:
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


def random_picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 200, (80, 100, 3), dtype=np.uint8))


def square_mask(size: tuple[int, int], value: int = 255) -> Image.Image:
    mask = Image.new("L", size)
    mask.paste(value, (30, 20, 70, 60))
    return mask
