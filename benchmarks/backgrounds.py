"""How exact the edges of cut-outs are: `python benchmarks/backgrounds.py [pictures a ground] [--band 0.012 0.02]`.

Scenes of the demo's world, whose true outline is known (`crops.py`). Told for each ground: the mean error of alpha within four
pixels of the true edge, of the mask and of the cut-out made of it, and of how many pictures it is 0.1 or more. `--band` tries other
reaches of the edge (shares of the long side) in the place of the one that is used.
"""

import argparse
import os
import sys
from pathlib import Path
from unittest import mock

os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).parent))

import cv2
import numpy as np
from crops import demo_scenes

from lorasmith.imaging import backgrounds
from lorasmith.imaging.masks import character_mask


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", nargs="?", type=int, default=4)
    parser.add_argument("--band", type=float, nargs="*", default=[])
    parser.add_argument("--seed", default="edges")
    asked = parser.parse_args()
    bands = [backgrounds._BAND, *asked.band]
    rows: dict[str, list[list[float]]] = {}
    for drawing in demo_scenes(asked.count, asked.seed):
        edge = ((drawing.alpha > 0.5).astype(np.uint8) * 255)
        ring = cv2.morphologyEx(edge, cv2.MORPH_GRADIENT, np.ones((9, 9), np.uint8)) > 0
        mask = character_mask(drawing.picture)
        errors = [float(np.abs(mask[ring] / 255 - drawing.alpha[ring]).mean())]
        for band in bands:
            with mock.patch.object(backgrounds, "_BAND", band):
                alpha = backgrounds.alpha_matte(drawing.picture, mask)
            errors.append(float(np.abs(alpha[ring] - drawing.alpha[ring]).mean()))
        rows.setdefault(drawing.kind, []).append(errors)
    print("ground".ljust(14) + "".join(name.rjust(22) for name in ("mask", *(f"band {band}" for band in bands))))
    for kind, errors in (*rows.items(), ("all", [each for its in rows.values() for each in its])):
        found = np.array(errors)
        told = (f"{one:.3f} ({(found[:, at] >= 0.1).sum()} of {len(found)})" for at, one in enumerate(found.mean(axis=0)))
        print(kind.ljust(14) + "".join(each.rjust(22) for each in told))


if __name__ == "__main__":
    main()
