"""What the README shows is true: its commands run, its pictures and files exist."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from loxo.annotations import write_events
from loxo.events import Event

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [line.split("#")[0].strip() for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]
LOXO = Path(sys.executable).with_name("loxo")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the README takes for granted: a folder of recordings, and tables of their events."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "recordings").mkdir()
    (folder / "tables").mkdir()
    name = "nn01a_20180126_000000"
    soundfile.write(folder / "recordings" / f"{name}.wav", 0.01 * np.random.default_rng(0).normal(size=160_000), 8000)
    write_events(folder / "tables" / f"{name}.selections.txt", [Event("Rumble", 3.0, 7.0, 12.0, 80.0)], f"{name}.wav")
    return folder


def test_every_loxo_command_of_the_readme_runs_in_its_order(folder: Path) -> None:
    commands = [command for command in COMMANDS if command.startswith(".venv/bin/loxo ")]
    assert len(commands) >= 2
    for command in commands:
        arguments = shlex.split(command)[1:]
        done = subprocess.run([LOXO, *arguments], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
    assert (folder / "detections" / "nn01a_20180126_000000.selections.txt").is_file()
    assert (folder / "figures.json").is_file()


def test_every_make_target_of_the_readme_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"make (\w+)", README)
    assert targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_linked_files_exist(document: str) -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", (ROOT / document).read_text(encoding="utf-8"))
    assert [link for link in links if not (ROOT / link).is_file()] == []


def test_options_that_the_readme_names_exist() -> None:
    text = subprocess.run([LOXO, "detect", "--help"], capture_output=True, text=True, check=True).stdout
    for option in ("--threshold", "--draw", "--format", "--timezone", "--force", "--model"):
        assert option in text
