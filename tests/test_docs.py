"""Documents are true: their commands and code run, and their links, options and targets exist."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

import loxo
from loxo.simulate import SceneSettings, write_recording
from loxo.training import read_config

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EVALUATION = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
ROUNDS = (ROOT / "docs" / "hard-negatives.md").read_text(encoding="utf-8")
DOCUMENTS = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
]
LOXO = Path(sys.executable).with_name("loxo")


def blocks_of(text: str, language: str) -> list[str]:
    """The code blocks of a document in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def commands_of(text: str) -> list[str]:
    """The commands of `loxo` in the shell blocks of a document."""
    lines = "".join(blocks_of(text, "sh")).splitlines()
    commands = [line.split("#")[0].strip() for line in lines]
    return [command for command in commands if command.startswith(".venv/bin/loxo ")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the README assumes it: recordings, and tables of their events."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "recordings").mkdir()
    (folder / "tables").mkdir()
    shutil.copytree(ROOT / "configs", folder / "configs")
    settings = SceneSettings(
        rate=8000, seconds=60.0, rumbles_per_minute=5.0, gunshots_per_minute=3.0, chorus_share=0.0
    )
    for number in range(4):
        path = folder / "recordings" / f"nn01a_2018012{number}_000000.wav"
        write_recording(path, settings, 120.0, number)
        path.with_suffix(".selections.txt").rename(
            folder / "tables" / f"{path.stem}.selections.txt"
        )
    return folder


def run_loxo(command: str, cwd: Path) -> str:
    """Run a command of loxo as in a terminal; return what it prints."""
    arguments = shlex.split(command)[1:]
    done = subprocess.run([LOXO, *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def test_every_loxo_command_of_the_documents_runs_in_its_order(folder: Path) -> None:
    """Commands of the README, then those of two documents, which continue from there."""
    assert list(map(len, map(commands_of, (README, EVALUATION, ROUNDS)))) == [5, 4, 5]
    for document in (README, EVALUATION, ROUNDS):
        for command in commands_of(document):
            run_loxo(command, folder)
    assert (folder / "detections" / "nn01a_20180121_000000.selections.txt").is_file()
    assert (folder / "own" / "detections.parquet").is_file()
    assert (folder / "runs" / "round2" / "model" / "model.onnx").is_file()
    assert (folder / "figures.json").is_file()
    assert (folder / "figures" / "pr.png").is_file()
    assert (folder / "difference.json").is_file()


def test_the_notebook_of_the_readme_runs_and_finds_what_the_command_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (block,) = blocks_of(README, "python")
    assert block.startswith("import loxo\n")
    settings = SceneSettings(rate=8000, seconds=60.0, rumbles_per_minute=3.0)
    write_recording(tmp_path / "nn01a_20180126_000000.wav", settings, 120.0, seed=2)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    show = "import matplotlib.pyplot as plt\nplt.savefig('plot.png')\n"
    subprocess.run(
        [sys.executable, "-W", "error", "-c", block + show],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    assert (tmp_path / "plot.png").stat().st_size > 0
    run_loxo("loxo detect nn01a_20180126_000000.wav --output out", tmp_path)
    of_block = loxo.read_table(tmp_path / "nn01a_20180126_000000.txt").rows
    of_command = loxo.read_table(tmp_path / "out" / "nn01a_20180126_000000.selections.txt").rows
    assert len(of_block) >= 3
    assert [(row.event, row.score) for row in of_block] == [
        (row.event, row.score) for row in of_command
    ]


def test_other_thresholds_need_no_recordings(tmp_path: Path) -> None:
    """As the README says: the options are repeated, the recordings are gone."""
    (options,) = re.findall(r"repeat the command with `([^`]+)`", README)
    settings = SceneSettings(rate=8000, seconds=60.0, rumbles_per_minute=3.0)
    (tmp_path / "recordings").mkdir()
    write_recording(tmp_path / "recordings" / "a.wav", settings, 120.0, seed=2)
    command = "loxo detect recordings --output detections"
    run_loxo(command, tmp_path)
    shutil.rmtree(tmp_path / "recordings")
    assert "rescored" in run_loxo(f"{command} {options}", tmp_path)
    scores = [row.score for row in loxo.read_table(tmp_path / "detections").rows]
    assert scores
    assert min(score for score in scores if score is not None) >= 0.3


def test_every_make_target_of_the_readme_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"make (\w+)", README)
    assert targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("document", DOCUMENTS)
def test_linked_files_exist(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!http)([^)#]+)(?:#[^)]*)?\)", text)
    assert [link for link in links if not (ROOT / document).parent.joinpath(link).is_file()] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_lines_of_documents_have_at_most_100_columns(document: str) -> None:
    """Rows of tables and pictures cannot be broken."""
    lines = (ROOT / document).read_text(encoding="utf-8").splitlines()
    long = [line for line in lines if len(line) > 100 and not line.startswith(("|", "!["))]
    assert long == []


# ---- options


COMMANDS = re.compile(r"(?:^\s*|/|`)loxo ((?:prepare )?[a-z]+)\b([^`\n]*)", re.MULTILINE)
"""A command of loxo at the start of a line or of a code span, and its arguments."""


def options_of(path: str) -> set[tuple[str, str]]:
    """All commands of `loxo` in a file with an option each."""
    text = (ROOT / path).read_text(encoding="utf-8").replace("\\\n", " ")
    return {
        (command, option)
        for command, arguments in COMMANDS.findall(text)
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", arguments)
    }


NAMED = set().union(*map(options_of, ["Makefile", *DOCUMENTS]))
NAMED |= {
    ("detect", "--draw"),
    ("detect", "--format"),
    ("detect", "--no-scores"),
    ("detect", "--site-from"),
    ("detect", "--false-positives-per-hour"),
    ("evaluate", "--map"),
    ("prepare all", "--gunshots"),
    ("prepare all", "--rumbles"),
    ("prepare all", "--anonymous"),
    ("prepare all", "--dev"),
    ("prepare background", "--margin"),
    ("prepare background", "--hard-share"),
    ("train", "--resume"),
    ("train", "--dev"),
}
"""Options that documents name with their command, and options that they name alone."""


@pytest.mark.parametrize("command", sorted({command for command, _ in NAMED}))
def test_options_that_documents_name_exist(command: str) -> None:
    text = subprocess.run(
        [LOXO, *command.split(), "--help"], capture_output=True, text=True, check=True
    ).stdout
    known = set(re.findall(r"--[a-z][a-z-]*", text))
    assert {option for name, option in NAMED if name == command} - known == set()


def test_options_of_the_makefile_are_seen() -> None:
    assert ("calibrate", "--false-positives-per-hour") in options_of("Makefile")
    assert ("calibrate", "--recordings") in options_of("Makefile")


@pytest.mark.parametrize("of_gpu", [[], ["GPU=1"]])
def test_the_training_of_the_makefile_has_possible_settings(of_gpu: list[str]) -> None:
    done = subprocess.run(
        ["make", "--dry-run", "model", "BACKGROUNDS=a b/c", *of_gpu],  # noqa: S607 wherever make is
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    (command,) = [line for line in done.stdout.splitlines() if "loxo train" in line]
    words = shlex.split(command)
    changes = [value for word, value in pairwise(words) if word == "--set"]
    config = read_config(ROOT / words[words.index("--config") + 1], changes)
    assert config.data.backgrounds == (Path("a"), Path("b/c"))
    assert config.init_from == "configs/tcn-first"
    assert config.devices == (1 if of_gpu else 2)


def test_options_may_stand_in_the_file_that_is_shipped(folder: Path) -> None:
    command = [
        str(LOXO),
        "prepare",
        "--config",
        "configs/prepare.yaml",
        "all",
        "--dev",
        "--rate",
        "4000",
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    receipts = {
        step: json.loads((folder / "data" / "dev" / f"{step}.json").read_text())["settings"]
        for step in ("table", "clips", "resample")
    }
    assert receipts["table"]["timezone"] == "Africa/Brazzaville"
    assert receipts["clips"]["clip_length"] == 20
    assert receipts["resample"]["rate"] == 4000
