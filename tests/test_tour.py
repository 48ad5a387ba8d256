"""The house keeps its order: the tour in `loxo`'s docstring is the reading order, the import order and the order of the README's table.

A **room** is a module or a package directly in `loxo`, written `timeline.py` or `models/` as in the tour; a **module** is any importable
part of a room, written `models.crnn`.
"""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from importlib.util import resolve_name
from pathlib import Path
from typing import Any

import pytest

import loxo

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "loxo"
TOUR = re.findall(r"^ {4}(\w+(?:\.py|/)) +\S", loxo.__doc__ or "", re.MULTILINE)
FILES = sorted(path for path in SOURCE.rglob("*.py") if path.parent == SOURCE or (path.parent / "__init__.py").exists())
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

NEEDS_TORCH = re.compile(r"loxo\.(models|training|spectrogram\.torch_face)\b")
"""The modules that may import what the extra `train` installs as soon as they are imported."""


def dotted(path: Path) -> str:
    """`loxo.models.crnn` of a file; `loxo.models` of a package's `__init__.py`."""
    return ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")


def room_of(path: Path) -> str:
    """The room that a file is in; empty for the package's own `__init__.py`, which is the door to all."""
    first, *rest = path.relative_to(SOURCE).parts
    return "" if first == "__init__.py" else f"{first}/" if rest else first


def rooms_up_to(room: str) -> set[str]:
    """A room and those above it, as they are imported; for the package's own `__init__.py`, all."""
    shown = TOUR[: TOUR.index(room) + 1] if room else TOUR
    return {name.removesuffix("/").removesuffix(".py") for name in shown}


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of all that a file imports, inside functions too."""
    package = dotted(path) if path.name == "__init__.py" else dotted(path).rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = resolve_name("." * node.level + (node.module or ""), package)
            yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)


def canonical(requirement: str) -> str:
    """The name in a requirement, as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement, maxsplit=1)[0]).lower()


MODULES = [dotted(path) for path in FILES]


def test_the_tour_shows_each_room_once() -> None:
    assert sorted(TOUR) == sorted({room_of(path) for path in FILES} - {""})


@pytest.mark.parametrize("path", FILES, ids=dotted)
def test_a_room_imports_only_rooms_above_it(path: Path) -> None:
    allowed = {f"loxo.{name}" for name in rooms_up_to(room_of(path))}
    own = [(line, name) for line, name in imports(path) if name.split(".")[0] == "loxo"]
    assert [f"line {line}: {name}" for line, name in own if ".".join(name.split(".")[:2]) not in allowed] == []


def test_the_readme_lists_the_rooms_in_the_order_of_the_tour() -> None:
    rows = re.findall(r"^\| *`(\w+(?:\.py|/))` *\|", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    if not rows:
        pytest.skip("the README has no table of rooms")
    assert rows == TOUR


@pytest.mark.parametrize("name", MODULES)
def test_all_declares_names_that_exist(name: str) -> None:
    module = importlib.import_module(name)
    declared: list[str] = module.__all__
    assert len(declared) == len(set(declared))
    assert [missing for missing in declared if not hasattr(module, missing)] == []


def test_the_core_imports_nothing_of_training() -> None:
    training = {canonical(requirement).replace("-", "_") for requirement in PROJECT["optional-dependencies"]["train"]}
    assert "torch" in training
    core = [name for name in MODULES if not NEEDS_TORCH.match(name)]
    code = f"import sys, {', '.join(core)}\nprint(*sorted({training} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "\n"


def test_all_that_is_imported_is_declared() -> None:
    extras = [requirement for extra, names in PROJECT["optional-dependencies"].items() if extra != "dev" for requirement in names]
    declared = {canonical(requirement) for requirement in [*PROJECT["dependencies"], *extras]}
    known = packages_distributions()
    tops = {name.split(".")[0] for path in FILES for _, name in imports(path)} - {"loxo"} - sys.stdlib_module_names
    undeclared = {top for top in tops if declared.isdisjoint(map(canonical, known.get(top, [top])))}
    assert undeclared == set()
