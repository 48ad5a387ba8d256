"""The notebooks run from top to bottom on the little data that they make themselves, without a warning, and are kept without outputs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
SECONDS = {"1_tables_and_recordings": 90, "2_clips_and_dataset": 60, "3_evaluating_a_model": 630}
"""Of each recording that a notebook simulates; that of the third is long enough for close-ups in its pictures."""
ABSOLUTE = re.compile(r"(?<![^\s\"'`(=])(?:~\w*/|/\w|[A-Za-z]:[\\/]|file:)[^\s\"'`)]*")
NAMES = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))


def read(name: str) -> dict[str, Any]:
    """A notebook as it lies in its file."""
    notebook: dict[str, Any] = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8"))
    return notebook


def outputs_of(notebook: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What the cells of a notebook show, in their order."""
    for cell in notebook["cells"]:
        yield from cell.get("outputs", ())


def test_each_notebook_is_run() -> None:
    assert sorted(SECONDS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_without_a_warning_and_leaves_nothing_beside_itself(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beside, apart = tmp_path / "beside", tmp_path / "apart"
    beside.mkdir()
    apart.mkdir()
    # The kernel inherits these: all warnings are shown, and nothing of the user's own Jupyter is read or written.
    for variable in ("TMPDIR", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(apart))
    monkeypatch.setenv("PYTHONWARNINGS", "always")
    monkeypatch.setenv("LOXO_NOTEBOOK_SECONDS", str(SECONDS[name]))
    monkeypatch.delenv("MPLBACKEND", raising=False)
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(beside)}}).execute()
    outputs = list(outputs_of(notebook))
    assert [output["text"] for output in outputs if output.get("name") == "stderr"] == []
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 3
    assert list(beside.iterdir()) == []


@pytest.mark.parametrize("name", NAMES)
def test_it_is_kept_without_outputs_and_with_no_more_metadata_than_its_kernel(name: str) -> None:
    notebook = read(name)
    nbformat.validate(notebook)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert code
    assert [(cell["outputs"], cell["execution_count"]) for cell in code] == [([], None)] * len(code)
    assert notebook["metadata"] == {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    assert [cell["metadata"] for cell in notebook["cells"]] == [{}] * len(notebook["cells"])


@pytest.mark.parametrize("name", NAMES)
def test_it_is_short_and_opens_with_a_title_and_the_folder_that_a_user_changes(name: str) -> None:
    title, first, *rest = read(name)["cells"]
    assert 8 <= len(rest) + 2 <= 15
    assert title["cell_type"] == "markdown"
    assert re.match(r"# \w", "".join(title["source"]))
    assert re.search(r"^DATA = ", "".join(first["source"]), re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_it_names_no_absolute_path(name: str) -> None:
    text = "\n".join("".join(cell["source"]) for cell in read(name)["cells"])
    assert ABSOLUTE.findall(text) == []
