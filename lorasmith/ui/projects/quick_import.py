"""Gradio without its editor stubs: at each import it parses the source of every component to write `.pyi` files beside it.

Those serve people who write Gradio code in an editor; here they were more than half of the time until the page is up
(benchmarks/NOTES.md), and a wish to write into the installed library.
"""

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

_MODULE, _FUNCTION = "gradio.component_meta", "create_or_modify_pyi"


class _WithoutStubs(MetaPathFinder, Loader):
    """Finds that one module as Python itself does, and puts an empty function in the place of the one that writes stubs."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Gives the module's own spec with this object round its loader."""
        spec = PathFinder.find_spec(name, path) if name == _MODULE else None
        if spec is None or spec.loader is None:
            return None
        self._loader = spec.loader
        spec.loader = self
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Leaves the making to Python."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Runs the module, then takes the function away; a Gradio that has none is left as it is."""
        self._loader.exec_module(module)
        if hasattr(module, _FUNCTION):
            setattr(module, _FUNCTION, _nothing)


def _nothing(*_: Any) -> None:
    """Writes no stubs."""


def import_gradio() -> None:
    """Imports Gradio; the finder is there for that moment alone."""
    finder = _WithoutStubs()
    sys.meta_path.insert(0, finder)
    try:
        import gradio  # noqa: F401 - for the modules that import it next
    finally:
        sys.meta_path.remove(finder)
