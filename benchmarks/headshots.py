"""How good the head crops are that prepare makes: `python benchmarks/headshots.py [pictures] [--seed N] [--share S]`.

Scenes of the demo's world, one creature each, become a project, and `prepare` runs on it. The true head is what differs between
the scene and the same scene drawn without its head (and without scarf and hat in both). Told: the share of made head crops
whose box holds at least 98 % of the true head's pixels and is at most N times as large as its box; the same for the heads
that were found on all pictures, and for the rule that came before (the largest pictures first).
"""

import argparse
import os
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
from numpy.typing import NDArray

from lorasmith.demo import creature
from lorasmith.demo.world import Scene, random_creature, random_scene
from lorasmith.imaging.crop import Box
from lorasmith.imaging.read import save_png
from lorasmith.project.pictures import Picture, Tag, facts_of
from lorasmith.project.project import Project
from lorasmith.settings.tables import PrepareSettings
from lorasmith.stages.prepare.stage import prepare
from lorasmith.stages.prepare.suggestions import finders_for, look_at

SIZES = ((800, 1067), (800, 800), (640, 853), (1067, 800))
LARGEST = (1.8, 2.5)


@dataclass(frozen=True)
class Truth:
    size: tuple[int, int]
    head: NDArray[np.bool_]

    @property
    def area(self) -> int:
        rows, columns = np.nonzero(self.head)
        return int((np.ptp(rows) + 1) * (np.ptp(columns) + 1))


def truth_of(scene: Scene, size: tuple[int, int]) -> Truth:
    bare = replace(scene, creatures=(replace(scene.creatures[0], accessory=""),))
    drawn = np.asarray(bare.draw(*size)).astype(int)
    with mock.patch.object(creature, "_draw_head", lambda pen, coat: None):
        headless = np.asarray(bare.draw(*size)).astype(int)
    return Truth(size, np.abs(drawn - headless).max(axis=2) > 6)


def told(name: str, found: Sequence[tuple[Box, Truth]]) -> str:
    if not found:
        return f"{name:24} none"
    held = [truth.head[box.top : box.bottom, box.left : box.right].sum() / max(1, truth.head.sum()) >= 0.98 for box, truth in found]
    larger = [box.area / truth.area for box, truth in found]
    parts = [sum(one and times <= most for one, times in zip(held, larger, strict=True)) for most in LARGEST]
    words = ", ".join(f"and <= {most} x: {part / len(found):.3f}" for most, part in zip(LARGEST, parts, strict=True))
    return f"{name:24} {len(found):4}  holds the head: {sum(held) / len(found):.3f}, {words}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", nargs="?", type=int, default=120)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--share", type=float, default=0.25)
    words = parser.parse_args()
    dice = random.Random(words.seed)
    settings = PrepareSettings(head_share=words.share)
    truths = {}
    with tempfile.TemporaryDirectory() as folder, Project.create(Path(folder) / "p", "nick") as project:
        with project.change("add", "add"):
            for at in range(words.pictures):
                scene, size = random_scene(dice, (random_creature(dice),)), dice.choice(SIZES)
                name = f"own_{at}"
                truths[name] = truth_of(scene, size)
                path = project.images / f"{name}.png"
                save_png(scene.draw(*size), path)
                project.pictures.add(Picture(name, origin="folder", **facts_of(project.folder, path, size)))
                project.pictures.set_tags(name, "sidecar", [Tag(tag, "general", "sidecar") for tag in ("solo", scene.framing)])
        result = prepare(project, settings)
        print(result.headshots.reasons, f"there {result.headshots.there}, wanted {result.headshots.wanted}")
        edits = [edit for edit in project.pictures.all(origins=("edit",)) if edit.kind == "head"]
        made = [(Box(*(edit.operation or {})["box"]), truths[str(edit.parent)]) for edit in edits]
        seen = {name: look_at(project, project.pictures.get(name), finders_for(settings)).head for name in truths}
        every = [(head.box, truths[name]) for name, head in seen.items() if head is not None]
        large = sorted(truths, key=lambda name: (-truths[name].size[0] * truths[name].size[1], name))[: len(made)]
        before = [(head.box, truths[name]) for name in large if (head := seen[name]) is not None]
    print(told("made (best first)", made), told("largest pictures first", before), told("all that are found", every), sep="\n")


if __name__ == "__main__":
    main()
