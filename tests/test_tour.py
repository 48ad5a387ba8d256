"""The tour in `loxo`'s docstring is the reading order, the import order and the README's order.

A **room** is a module or a package directly in `loxo`, written `timeline.py` or `models/` as in the
tour. A **module** is any importable part of a room, written `models.crnn`.
"""

from __future__ import annotations

import ast
import importlib
import pydoc
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
FILES = sorted(
    path
    for path in SOURCE.rglob("*.py")
    if path.parent == SOURCE or (path.parent / "__init__.py").exists()
)
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]

NEEDS_TORCH = re.compile(r"loxo\.(models|training|spectrogram\.torch_front_end)\b")
"""Modules that may import at once what the extra `train` installs."""


def dotted(path: Path) -> str:
    """`loxo.models.crnn` of a file; `loxo.models` of a package's `__init__.py`."""
    return ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")


def room_of(path: Path) -> str:
    """The room that a file is in; empty for the package's own `__init__.py`."""
    first, *rest = path.relative_to(SOURCE).parts
    return "" if first == "__init__.py" else f"{first}/" if rest else first


def rooms_up_to(room: str) -> set[str]:
    """Import names of a room and of those above it; of all for the package's own `__init__.py`."""
    shown = TOUR[: TOUR.index(room) + 1] if room else TOUR
    return {name.removesuffix("/").removesuffix(".py") for name in shown}


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that a file imports, also inside functions."""
    package = dotted(path) if path.name == "__init__.py" else dotted(path).rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = resolve_name("." * node.level + (node.module or ""), package)
            yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)


def canonical(requirement: str) -> str:
    """The distribution's name in a requirement, in the form that package indexes compare."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement, maxsplit=1)[0]).lower()


MODULES = [dotted(path) for path in FILES]


def test_the_tour_lists_each_room_once() -> None:
    assert sorted(TOUR) == sorted({room_of(path) for path in FILES} - {""})


@pytest.mark.parametrize("path", FILES, ids=dotted)
def test_a_room_imports_only_rooms_above_it(path: Path) -> None:
    allowed = {f"loxo.{name}" for name in rooms_up_to(room_of(path))}
    own = [(line, name) for line, name in imports(path) if name.split(".")[0] == "loxo"]
    assert [
        f"line {line}: {name}" for line, name in own if ".".join(name.split(".")[:2]) not in allowed
    ] == []


def test_the_readme_lists_the_rooms_in_the_order_of_the_tour() -> None:
    rows = re.findall(
        r"^\| *`(\w+(?:\.py|/))` *\|",
        (ROOT / "README.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    if not rows:
        pytest.skip("the README has no table of rooms")
    assert rows == TOUR


@pytest.mark.parametrize("name", MODULES)
def test_names_in_all_exist(name: str) -> None:
    module = importlib.import_module(name)
    declared: list[str] = module.__all__
    assert len(declared) == len(set(declared))
    assert [missing for missing in declared if not hasattr(module, missing)] == []


def run_python(code: str) -> str:
    """What code prints in a fresh interpreter."""
    result = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=120
    )
    return result.stdout


HEAVY = ("numpy", "scipy", "polars", "onnxruntime", "matplotlib", "pydantic", "obstore", "torch")


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = f"import sys, loxo; print(*sorted({set(HEAVY)} & sys.modules.keys()))"
    assert run_python(code) == "\n"


def test_public_names_are_imported_when_they_are_used() -> None:
    code = """
import sys, loxo
before = set(loxo.__all__) - vars(loxo).keys()
assert "load_model" in before and "loxo.model" not in sys.modules
assert before <= set(dir(loxo))
from loxo import load_model, simulate
assert "loxo.model" in sys.modules and load_model is loxo.load_model is vars(loxo)["load_model"]
print(simulate.__name__, loxo.report.__name__, loxo.__version__)
"""
    version = PROJECT["version"]
    assert run_python(code) == f"loxo.simulate loxo.report {version}\n"


def test_public_names_are_imported_from_where_type_checkers_look() -> None:
    tree = ast.parse((SOURCE / "__init__.py").read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    homes = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    modules = dict.fromkeys(loxo._MODULES, "loxo")
    assert homes == loxo._HOMES | modules
    assert [*sorted(homes), "__version__"] == sorted(loxo.__all__, key=lambda n: (n[0] == "_", n))


def test_help_shows_the_public_functions_and_classes() -> None:
    text = pydoc.plain(pydoc.render_doc(loxo))
    functions = ["evaluate", "load_model", "open_recording", "plot", "read_table", "write_raven"]
    for name in functions:
        assert f"    {name}(" in text
    for name in ("AudioDataset", "Detection", "Event", "FrameGrid", "Model", "Recording"):
        assert f"    class {name}(" in text


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'loxo' has no attribute 'load_modle'"):
        loxo.load_modle  # noqa: B018


def test_the_core_imports_no_training_dependency() -> None:
    training = {
        canonical(requirement).replace("-", "_")
        for requirement in PROJECT["optional-dependencies"]["train"]
    }
    assert "torch" in training
    core = [name for name in MODULES if not NEEDS_TORCH.match(name)]
    code = f"import sys, {', '.join(core)}\nprint(*sorted({training} & sys.modules.keys()))"
    assert run_python(code) == "\n"


def test_imported_packages_are_declared_dependencies() -> None:
    extras = [
        requirement
        for extra, names in PROJECT["optional-dependencies"].items()
        if extra != "dev"
        for requirement in names
    ]
    declared = {canonical(requirement) for requirement in [*PROJECT["dependencies"], *extras]}
    known = packages_distributions()
    tops = (
        {name.split(".")[0] for path in FILES for _, name in imports(path)}
        - {"loxo"}
        - sys.stdlib_module_names
    )
    undeclared = {top for top in tops if declared.isdisjoint(map(canonical, known.get(top, [top])))}
    assert undeclared == set()
