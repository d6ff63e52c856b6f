"""How long the Evaluate and Refine pages wait for their answers: `python benchmarks/answers.py PROJECT`, best of five, in ms."""

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lorasmith.errors import LorasmithError
from lorasmith.project.project import Project
from lorasmith.ui.evaluate import asking as evaluate
from lorasmith.ui.refine import asking as refine

Answer = Callable[[Project, Mapping[str, str]], dict[str, Any]]


def best_of(answer: Answer, project: Project, words: Mapping[str, str], times: int = 5) -> str:
    """Gives the shortest time, or the sentence that stands for an answer."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        try:
            answer(project, words)
        except LorasmithError as error:
            return str(error)
        taken.append(time.perf_counter() - begun)
    return f"{1000 * min(taken):.1f} ms"


def main(folder: Path) -> None:
    with Project.open(folder, writing=False) as project:
        for page, answers in (("evaluate", evaluate.ANSWERS), ("refine", refine.ANSWERS)):
            for what, words in (("all", {}), ("one", {}), ("grid", {"kind": "pose"}), ("page", {}), ("set", {}), ("plan", {})):
                if what in answers:
                    sys.stdout.write(f"{page} {what}: {best_of(answers[what], project, {'project': 'x', **words})}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
