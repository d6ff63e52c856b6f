"""What can be told of the extension's files without running them."""

import ast
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
FILES = sorted([*(REPOSITORY / "extension").rglob("*.py"), *(REPOSITORY / "scripts").rglob("*.py")])
HOSTS_LIBRARIES = {"modules", "gradio", "fastapi", "starlette", "httpx", "PIL", "lorasmith_webui"}
# Every host has them loaded, but only inside functions: the tab must come up without them.
ONLY_INSIDE_FUNCTIONS = {"torch", "numpy"}
LONGEST_FILE, LONGEST_FUNCTION = 400, 60


def trees() -> list[tuple[str, ast.Module]]:
    return [(str(path.relative_to(REPOSITORY)), ast.parse(path.read_text(encoding="utf-8"))) for path in FILES]


def imports(tree: ast.AST, inside: bool = False) -> list[tuple[str, bool]]:
    """Returns the libraries that are imported, and whether only inside a function."""
    found: list[tuple[str, bool]] = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name.split(".")[0], inside) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append(((node.module or ".").split(".")[0] if not node.level else ".", inside))
        found += imports(node, inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda))
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_is_python_3_10(path: Path) -> None:
    ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 10))


def test_only_what_every_host_has_is_imported() -> None:
    for name, tree in trees():
        for library, inside in imports(tree):
            known = library in sys.stdlib_module_names or library in HOSTS_LIBRARIES
            assert known or (inside and library in ONLY_INSIDE_FUNCTIONS), f"{name} imports {library}"
            assert library != "tomllib", f"{name}: Python 3.10 has no tomllib"


def test_nothing_of_gradio_or_the_callbacks_is_used_that_some_host_lacks() -> None:
    for name, tree in trees():
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            words = {keyword.arg for keyword in call.keywords}
            called = ast.unparse(call.func)
            assert "every" not in words, f"{name}:{call.lineno} polls with every="
            assert not (called.startswith("script_callbacks.") and "name" in words), f"{name}:{call.lineno} names a callback"
            assert not called.endswith(".update") or not called.startswith("gr."), f"{name}:{call.lineno} uses {called}"


def test_the_script_that_the_host_loads_defines_nothing() -> None:
    folder = REPOSITORY / "scripts"
    # Nothing else, and so no __init__.py: it would hide what other extensions keep in their scripts/.
    assert {path.name for path in folder.iterdir()} - {"__pycache__"} == {"lorasmith_tab.py"}
    body = ast.parse((folder / "lorasmith_tab.py").read_text(encoding="utf-8")).body
    assert not [node for node in body if not isinstance(node, ast.Expr | ast.Import | ast.ImportFrom)]


def test_no_module_asks_for_the_loaded_model_while_it_is_imported() -> None:
    for name, tree in trees():
        for node in tree.body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                assert "sd_model" not in ast.unparse(node), f"{name}:{node.lineno}"


def test_files_and_functions_are_short() -> None:
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= LONGEST_FILE, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert (node.end_lineno or 0) - node.lineno < LONGEST_FUNCTION, f"{path}:{node.lineno} {node.name}"


def test_the_page_asks_nobody_outside_and_hands_out_no_html_made_of_words() -> None:
    script = (REPOSITORY / "javascript" / "lorasmith.js").read_text(encoding="utf-8")
    assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|\beval\(", script)
    for name in ("javascript/lorasmith.js", "style.css"):
        text = (REPOSITORY / name).read_text(encoding="utf-8")
        assert not re.search(r"https?://\w|@import", text), name


def test_the_wheel_holds_the_package_alone(tmp_path: Path) -> None:
    build = "import hatchling.build as b, sys; b.build_wheel(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", build, str(tmp_path)], cwd=REPOSITORY, capture_output=True, text=True)
    if "No module named 'hatchling'" in done.stderr:
        pytest.skip("hatchling is not here: `pip install hatchling` to build the wheel")
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert all(top.startswith("lorasmith") for top in tops), tops
