"""The arrows of docs/architecture.md: who may import whom, where heavy libraries live, how big a piece may be."""

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

REPOSITORY = Path(__file__).parent.parent
PACKAGE = REPOSITORY / "lorasmith"

FRONT_ENDS = {
    "cli", "commands", "flags", "terminal",  # the command line
    "ui", "__main__",
}  # fmt: skip
STAGES = {"research", "download", "prune", "prepare", "tag", "train", "evaluate", "refine"}
GROUND = {"project", "settings", "safety", "errors", "progress", "files", "folders", "results", "presets", "model_files",
          "model_imports"}
SHARED_ROOMS = {"imaging", "tags", "checkpoints"}  # every room may use them
OTHER_ROOMS_USED = {"judging": {"taggers"}}
# The heavy libraries that a room may import at the top of its modules. Ground, stages and the command line: none.
HEAVY = {
    "boorus": {"requests"},
    "imaging": {"PIL", "numpy", "cv2", "onnxruntime"},
    "tags": set(),
    "taggers": {"onnxruntime", "PIL", "numpy", "huggingface_hub"},
    "checkpoints": {"torch", "safetensors", "numpy", "diffusers", "transformers"},
    "training": {"torch", "diffusers", "transformers", "peft", "accelerate", "safetensors", "PIL", "numpy"},
    "rendering": {"torch", "diffusers", "transformers", "peft", "safetensors", "PIL", "numpy", "requests"},
    "judging": {"torch", "PIL", "numpy"},
    "jobs": {"psutil"},
    "ui": {"gradio"},
}  # fmt: skip
ROOMS = HEAVY.keys() - FRONT_ENDS
HEAVY_LIBRARIES = set().union(*HEAVY.values()) | {"huggingface_hub", "onnx", "pandas", "ray"}
FREE_OF_ARROWS = {"demo"}  # a world of its own: imports anything, is imported by the command line alone
EMPTY_NAMES = {"utils", "util", "common", "helpers", "helper", "misc", "manager"}
LONGEST_FILE, LONGEST_FUNCTION = 400, 60


class Import(NamedTuple):
    """One import statement's target, as `a.b.c`, and whether it runs when the module is loaded."""

    target: str
    at_the_top: bool
    line: int


class Module(NamedTuple):
    """One file of the package, parsed."""

    name: str  # dotted, below the package: "imaging.crop"
    path: Path
    text: str
    tree: ast.Module

    @property
    def part(self) -> str:
        """Returns the first name below the package: the room, the ground's noun, or the front-end."""
        return self.name.split(".")[0]


def modules_of(package: Path) -> Iterator[Module]:
    for path in sorted(package.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        name = ".".join(path.relative_to(package).with_suffix("").parts)
        yield Module(name, path, text, ast.parse(text))


@cache
def package() -> list[Module]:
    return list(modules_of(PACKAGE))


def is_for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def imports_of(tree: ast.AST, at_the_top: bool = True) -> Iterator[Import]:
    """Yields every import, inline ones and `import_module("…")` too."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, at_the_top, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            yield from (Import(f"{start}.{alias.name}", at_the_top, node.lineno) for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            names = [argument.value for argument in node.args[:1] if isinstance(argument, ast.Constant)]
            yield from (Import(str(name), at_the_top, node.lineno) for name in names)
        loads_later = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or is_for_types_only(node)
        yield from imports_of(node, at_the_top and not loads_later)


def may_use(user: Module, used: str, *within: str) -> bool:
    """Tells whether a module of the package may import `lorasmith.<used>` (`within` are the names after that)."""
    part = user.part
    if part == used or part in FREE_OF_ARROWS or used in GROUND:
        return part != "stages" or used != "stages" or stage_may_use(user.name, within)
    if used in FREE_OF_ARROWS:
        return part in {"cli", "__main__"}
    if part in FRONT_ENDS:
        return True
    if part == "stages":
        return used in ROOMS
    if part in ROOMS:
        return used in SHARED_ROOMS or used in OTHER_ROOMS_USED.get(part, set())
    return False


def stage_may_use(stage: str, within: tuple[str, ...]) -> bool:
    """No stage calls another; the table and the run of them all do. `stages/<name>/stage.py` is the stage itself."""
    return not is_a_stage(*stage.split(".")[1:]) or not is_a_stage(*within)


def is_a_stage(name: str = "", file: str = "", *_: str) -> bool:
    return name in STAGES and file == "stage"


def wrong_arrows(module: Module) -> Iterator[str]:
    for target, _, line in imports_of(module.tree):
        where = f"{module.name}:{line}"
        first, *rest = target.split(".")
        if target.startswith("."):
            yield f"{where} imports relatively ({target})"
        elif first in ("extension", "modules", "lorasmith_webui"):
            yield f"{where} imports {first}: the package never knows its host"
        elif first == "lorasmith" and rest and rest[0] != "__version__" and not may_use(module, *rest):
            yield f"{where} imports {target}: no arrow leads there"


def unknown_parts(module: Module) -> Iterator[str]:
    if module.part not in ROOMS | GROUND | FRONT_ENDS | FREE_OF_ARROWS | {"stages", "__init__"}:
        yield f"{module.name} is neither front-end, stage, room nor ground: give it a place in this test's tables"


def heavy_at_the_top(module: Module) -> Iterator[str]:
    if module.part in FREE_OF_ARROWS:
        return
    for target, at_the_top, line in imports_of(module.tree):
        library = target.split(".")[0]
        if at_the_top and library in HEAVY_LIBRARIES and library not in HEAVY.get(module.part, set()):
            yield f"{module.name}:{line} imports {library} at the top: not a library of {module.part}"


def filled_inits(module: Module) -> Iterator[str]:
    if module.path.name != "__init__.py":
        return
    body = module.tree.body
    rest = body[1:] if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant) else body
    if any(not (module.name == "__init__" and ast.unparse(node).startswith("__version__ = ")) for node in rest):
        yield f"{module.name} holds more than a docstring"


def empty_names(module: Module) -> Iterator[str]:
    for name in module.name.split("."):
        if name in EMPTY_NAMES or name.startswith("base_"):
            yield f"{module.name}: {name} says nothing about what is in it"


def too_long(module: Module) -> Iterator[str]:
    lines = len(module.text.splitlines())
    if lines > LONGEST_FILE:
        yield f"{module.name} has {lines} lines, at most {LONGEST_FILE}"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > LONGEST_FUNCTION:
                yield f"{module.name}:{node.lineno} {node.name} has {length} lines, at most {LONGEST_FUNCTION}"


def bare_excepts(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            yield f"{module.name}:{node.lineno} catches everything"


def prints(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "print" and module.part != "cli":
            yield f"{module.name}:{node.lineno} prints: only the command line speaks to a terminal"


Check = Callable[[Module], Iterator[str]]
CHECKS: list[Check] = [
    wrong_arrows, unknown_parts, heavy_at_the_top, filled_inits, empty_names, too_long, bare_excepts, prints,
]  # fmt: skip


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_package_keeps_to(check: Check) -> None:
    found = [fault for module in package() for fault in check(module)]
    assert not found, "\n".join(found)


def test_the_checks_of_size_hold_for_the_installer_too() -> None:
    text = (REPOSITORY / "install.py").read_text(encoding="utf-8")
    module = Module("install", REPOSITORY / "install.py", text, ast.parse(text))
    assert not [*too_long(module), *bare_excepts(module)]


PLANTED: list[tuple[Check, str, str]] = [
    (wrong_arrows, "imaging/crop.py", "from lorasmith.boorus.client import Client"),
    (wrong_arrows, "tags/groups.py", "def f():\n    import lorasmith.taggers.wd"),
    (wrong_arrows, "taggers/wd.py", "from lorasmith.judging import scores"),
    (wrong_arrows, "taggers/wd.py", "from lorasmith import judging"),
    (wrong_arrows, "training/loop.py", "from lorasmith.stages.train.stage import train"),
    (wrong_arrows, "stages/train/stage.py", "def f():\n    from lorasmith.stages.tag.stage import tag"),
    (wrong_arrows, "stages/train/stage.py", "from lorasmith.stages.tag import stage"),
    (wrong_arrows, "stages/train/stage.py", "from lorasmith.cli import main"),
    (wrong_arrows, "project/folder.py", "from lorasmith.imaging.measure import size"),
    (wrong_arrows, "errors.py", "import lorasmith.imaging.measure"),
    (wrong_arrows, "settings/tables.py", "import importlib\nimportlib.import_module('lorasmith.boorus.sites')"),
    (wrong_arrows, "stages/research/stage.py", "from lorasmith.demo.world import World"),
    (wrong_arrows, "ui/app.py", "from lorasmith.demo.world import World"),
    (wrong_arrows, "rendering/webui.py", "from modules import shared"),
    (wrong_arrows, "rendering/webui.py", "import extension.lorasmith_webui.bridge"),
    (wrong_arrows, "imaging/crop.py", "from .masks import mask"),
    (wrong_arrows, "jobs/queue.py", "if TYPE_CHECKING:\n    import lorasmith.training.loop"),
    (unknown_parts, "sorcery.py", "x = 1"),
    (unknown_parts, "sorcery/spell.py", "x = 1"),
    (heavy_at_the_top, "project/folder.py", "import numpy as np"),
    (heavy_at_the_top, "cli.py", "from PIL import Image"),
    (heavy_at_the_top, "stages/train/stage.py", "try:\n    import torch.nn\nexcept ImportError:\n    torch = None"),
    (heavy_at_the_top, "tags/groups.py", "class A:\n    import numpy"),
    (heavy_at_the_top, "imaging/crop.py", "import torch"),
    (filled_inits, "imaging/__init__.py", "from lorasmith.imaging.crop import crop"),
    (filled_inits, "__init__.py", '"""Doc."""\nimport os'),
    (empty_names, "imaging/utils.py", "x = 1"),
    (empty_names, "misc/crop.py", "x = 1"),
    (empty_names, "taggers/base_tagger.py", "x = 1"),
    (too_long, "imaging/crop.py", "x = 1\n" * 401),
    (too_long, "imaging/crop.py", "class A:\n    def f(self):\n" + "        x = 1\n" * 60),
    (bare_excepts, "imaging/crop.py", "def f():\n    try:\n        pass\n    except:\n        pass"),
    (prints, "stages/train/stage.py", "def f():\n    print('done')"),
]
ALLOWED: list[tuple[str, list[str]]] = [
    ("imaging/crop.py", ["import cv2", "from lorasmith.settings.tables import PrepareSettings"]),
    ("imaging/crop.py", ["from lorasmith.imaging import masks", "import lorasmith.tags.groups"]),
    ("judging/likeness.py", ["import numpy as np", "from lorasmith.taggers.wd import Tagger"]),
    ("stages/train/stage.py", ["def f():", "    import torch", "    from lorasmith.training.loop import train"]),
    ("stages/train/stage.py", ["from lorasmith.stages import table"]),
    ("stages/table.py", ["from lorasmith.stages.train.stage import train", "from lorasmith.stages.tag import stage"]),
    ("cli.py", ["def f():", "    from lorasmith.demo.show import show", "    print(show)"]),
    ("cli.py", ["from lorasmith import __version__"]),
    ("demo/show.py", ["import torch", "from lorasmith.stages.train.stage import train", "import lorasmith.boorus.sites"]),
    ("__init__.py", ['"""Doc."""', '__version__ = "1.2.3"']),
    ("imaging/__init__.py", []),
]


def faults_of(tmp_path: Path, file: str, text: str, checks: list[Check]) -> list[str]:
    path = tmp_path / "lorasmith" / file
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    return [fault for module in modules_of(tmp_path / "lorasmith") for check in checks for fault in check(module)]


@pytest.mark.parametrize(("check", "file", "text"), PLANTED)
def test_a_planted_fault_is_found(tmp_path: Path, check: Check, file: str, text: str) -> None:
    assert faults_of(tmp_path, file, text, [check])


@pytest.mark.parametrize(("file", "lines"), ALLOWED)
def test_what_the_design_allows_passes(tmp_path: Path, file: str, lines: list[str]) -> None:
    assert not faults_of(tmp_path, file, "\n".join(lines), CHECKS)


@pytest.mark.parametrize("module", ["lorasmith.cli", "lorasmith.training.events"])  # the page reads a run's events
def test_importing_what_must_be_light_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert not set(loaded.stdout.split()) & HEAVY_LIBRARIES
