"""Notebooks run from top to bottom on recordings that they simulate, without a warning, and use the
public names of loxo only. One is stored with its outputs, the others without."""

from __future__ import annotations

import ast
import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

import loxo

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
SECONDS = {"1_tables_and_recordings": 90, "2_clips_and_dataset": 60, "3_evaluating_a_model": 630}
"""Length of each recording that a notebook simulates in the tests. The third notebook needs some
false positives and missed events."""
WITH_OUTPUTS = "3_evaluating_a_model"
MOST_BYTES = 600_000
ABSOLUTE = re.compile(r"(?<![^\s\"'`(=])(?:~\w*/|/\w|[A-Za-z]:[\\/]|file:)[^\s\"'`)]*")
NAMES = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))


def read(name: str) -> dict[str, Any]:
    """Read a notebook from its file."""
    notebook: dict[str, Any] = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8"))
    return notebook


def code_cells(name: str) -> list[dict[str, Any]]:
    """The code cells of a notebook, in order."""
    return [cell for cell in read(name)["cells"] if cell["cell_type"] == "code"]


def outputs_of(notebook: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Iterate over the outputs of all cells of a notebook, in order."""
    for cell in notebook["cells"]:
        yield from cell.get("outputs", ())


def figures_of(notebook: dict[str, Any]) -> list[bytes]:
    """The figures that a notebook shows, as PNG files."""
    encoded = (output.get("data", {}).get("image/png") for output in outputs_of(notebook))
    return [base64.b64decode(png) for png in encoded if png]


def test_each_notebook_is_run() -> None:
    assert sorted(SECONDS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_without_a_warning_and_leaves_nothing_beside_itself(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside, apart = tmp_path / "beside", tmp_path / "apart"
    beside.mkdir()
    apart.mkdir()
    # The kernel inherits these: all warnings are shown, and the user's own Jupyter settings are
    # neither read nor written.
    for variable in (
        "TMPDIR",
        "IPYTHONDIR",
        "JUPYTER_CONFIG_DIR",
        "JUPYTER_DATA_DIR",
        "JUPYTER_RUNTIME_DIR",
    ):
        monkeypatch.setenv(variable, str(apart))
    monkeypatch.setenv("PYTHONWARNINGS", "always")
    monkeypatch.setenv("LOXO_NOTEBOOK_SECONDS", str(SECONDS[name]))
    monkeypatch.delenv("MPLBACKEND", raising=False)
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(beside)}}).execute()
    outputs = list(outputs_of(notebook))
    assert [output["text"] for output in outputs if output.get("name") == "stderr"] == []
    assert len(figures_of(notebook)) >= 3
    assert list(beside.iterdir()) == []


# ---- the public names


def private_names(source: str) -> list[str]:
    """Names in code that are not public: inner modules of loxo, and names with an underscore."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.startswith("loxo.")]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "loxo":
            found += [f"from {node.module}"]
        elif isinstance(node, ast.Attribute):
            name = ast.unparse(node)
            if node.attr.startswith("_") or not _is_public(name):
                found.append(name)
    return found


def _is_public(name: str) -> bool:
    """Whether an attribute is none of loxo itself, or one that loxo or a module of it exports."""
    package, *parts = name.split(".")
    if package != "loxo" or not all(map(str.isidentifier, parts)):
        return True
    if parts[0] in {"report", "simulate"} and len(parts) > 1:
        return parts[1] in getattr(loxo, parts[0]).__all__
    return parts[0] in loxo.__all__


@pytest.mark.parametrize("name", NAMES)
def test_it_uses_public_names_only(name: str) -> None:
    source = "\n".join("".join(cell["source"]) for cell in code_cells(name))
    assert re.search(r"^import loxo$", source, re.MULTILINE)
    assert private_names(source) == []


def test_private_names_are_seen() -> None:
    assert private_names("import loxo\nloxo.load_model(loxo.simulate.RECORDING)") == []
    for code in (
        "import loxo.model",
        "from loxo.scoring import Scorer",
        "loxo.scoring.Scorer(x)",
        "loxo.simulate.scenes.scene(1)",
        "model._scorer",
    ):
        assert private_names(code) != [], code


# ---- how they are stored


@pytest.mark.parametrize("name", NAMES)
def test_it_has_no_more_metadata_than_its_kernel(name: str) -> None:
    notebook = read(name)
    nbformat.validate(notebook)
    assert notebook["metadata"] == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}
    }
    assert [cell["metadata"] for cell in notebook["cells"]] == [{}] * len(notebook["cells"])


def test_exactly_one_is_stored_with_figures() -> None:
    assert [name for name in NAMES if figures_of(read(name))] == [WITH_OUTPUTS]


@pytest.mark.parametrize("name", [name for name in NAMES if name != WITH_OUTPUTS])
def test_the_others_are_stored_without_outputs(name: str) -> None:
    cells = code_cells(name)
    assert cells
    assert [(cell["outputs"], cell["execution_count"]) for cell in cells] == [([], None)] * len(
        cells
    )


def test_stored_outputs_are_of_one_run_without_warnings_and_small() -> None:
    notebook = read(WITH_OUTPUTS)
    counts = [cell["execution_count"] for cell in code_cells(WITH_OUTPUTS)]
    assert counts == list(range(1, len(counts) + 1))
    assert len(figures_of(notebook)) >= 3
    assert all(png.startswith(b"\x89PNG") for png in figures_of(notebook))
    kinds = {output["output_type"] for output in outputs_of(notebook)}
    assert kinds <= {"display_data", "execute_result", "stream"}
    assert [o for o in outputs_of(notebook) if o.get("name") == "stderr"] == []
    assert (NOTEBOOKS / f"{WITH_OUTPUTS}.ipynb").stat().st_size < MOST_BYTES


@pytest.mark.parametrize("name", NAMES)
def test_it_is_short_and_opens_with_a_title_and_the_folder_that_a_user_changes(name: str) -> None:
    title, first, *rest = read(name)["cells"]
    assert 8 <= len(rest) + 2 <= 15
    assert title["cell_type"] == "markdown"
    assert re.match(r"# \w", "".join(title["source"]))
    assert re.search(r"^DATA = ", "".join(first["source"]), re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_it_names_no_absolute_path(name: str) -> None:
    notebook = read(name)
    shown = [output.get("text", []) for output in outputs_of(notebook)]
    shown += [output.get("data", {}).get("text/plain", []) for output in outputs_of(notebook)]
    sources = [cell["source"] for cell in notebook["cells"]]
    text = "\n".join("".join(lines) for lines in sources + shown)
    assert ABSOLUTE.findall(text) == []
