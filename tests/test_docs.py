"""What the README shows is true: its commands run, its pictures and files exist."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from loxo.simulate import SceneSettings
from loxo.simulate.writing import write_recording

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ROUNDS = (ROOT / "docs" / "hard-negatives.md").read_text(encoding="utf-8")


def commands_of(text: str) -> list[str]:
    """The commands of `loxo` in the blocks of a document."""
    lines = [line.split("#")[0].strip() for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    return [line for line in lines if line.startswith(".venv/bin/loxo ")]


LOXO = Path(sys.executable).with_name("loxo")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the README takes for granted: a folder of recordings, and tables of their events."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "recordings").mkdir()
    (folder / "tables").mkdir()
    shutil.copytree(ROOT / "configs", folder / "configs")
    settings = SceneSettings(rate=8000, seconds=60.0, rumbles_per_minute=3.0, gunshots_per_minute=2.0)
    for number in range(4):
        path = folder / "recordings" / f"nn01a_2018012{number}_000000.wav"
        write_recording(path, settings, 120.0, number)
        path.with_suffix(".selections.txt").rename(folder / "tables" / f"{path.stem}.selections.txt")
    return folder


def test_every_loxo_command_of_the_documents_runs_in_its_order(folder: Path) -> None:
    """Those of the README, then a round of learning from false alarms, which goes on from there."""
    assert min(len(commands_of(text)) for text in (README, ROUNDS)) >= 5
    for command in commands_of(README) + commands_of(ROUNDS):
        arguments = shlex.split(command)[1:]
        done = subprocess.run([LOXO, *arguments], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
    assert (folder / "detections" / "nn01a_20180121_000000.selections.txt").is_file()
    assert (folder / "own" / "detections.parquet").is_file()
    assert (folder / "runs" / "round2" / "model" / "model.onnx").is_file()
    assert (folder / "figures.json").is_file()


def test_every_make_target_of_the_readme_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"make (\w+)", README)
    assert targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "docs/hard-negatives.md", "docs/new-model.md"])
def test_linked_files_exist(document: str) -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", (ROOT / document).read_text(encoding="utf-8"))
    assert [link for link in links if not (ROOT / document).parent.joinpath(link).is_file()] == []


OPTIONS = {
    "detect": ("--threshold", "--draw", "--format", "--timezone", "--force", "--model"),
    "prepare all": ("--rumbles", "--gunshots", "--anonymous", "--dev", "--refresh", "--split-by", "--test-recordings"),
    "prepare background": ("--from", "--ratio", "--margin"),
}


@pytest.mark.parametrize("command", OPTIONS)
def test_options_that_the_readme_names_exist(command: str) -> None:
    text = subprocess.run([LOXO, *command.split(), "--help"], capture_output=True, text=True, check=True).stdout
    assert [option for option in OPTIONS[command] if option not in text] == []


def test_options_may_stand_in_the_file_that_is_shipped(folder: Path) -> None:
    command = [str(LOXO), "prepare", "--config", "configs/prepare.yaml", "all", "--dev", "--rate", "4000"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    receipts = {
        step: json.loads((folder / "data" / "dev" / f"{step}.json").read_text())["settings"] for step in ("table", "clips", "resample")
    }
    assert receipts["table"]["timezone"] == "Africa/Brazzaville"
    assert receipts["clips"]["clip_s"] == 20
    assert receipts["resample"]["rate"] == 4000
