"""A model trained on a dozen simulated clips: a run of seconds, shared by all tests that need one.

A test module takes part with `pytest_plugins = ("training_fixtures",)`, which shares the fixtures
between modules. It imports other names from here directly, so pytest finds this plugin imported
before it could rewrite it: PYTEST_DONT_REWRITE tells it not to.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from loxo.simulate import SceneSettings
from loxo.simulate.writing import write_clip_set
from loxo.training import TrainingConfig

__all__ = ["TrainingRun", "clip_set", "tiny_config", "train_command", "trained"]

TINY = {"stem_channels": [4, 4], "channels": 8, "hidden": 4}
"""A network of some hundred weights with every part of the real one."""
EPOCHS = 4


@dataclass(frozen=True)
class TrainingRun:
    """A finished run, the model folder that it left, and what the command printed."""

    config: TrainingConfig
    folder: Path
    stdout: str


def tiny_config(clips: Path, output: Path, **changes: object) -> TrainingConfig:
    """Two epochs of two steps over windows of 6 s."""
    return TrainingConfig.model_validate(
        {
            "model": {"name": "crnn", "settings": TINY},
            "data": {"clips": clips, "window_s": 6.0},
            "epochs": 2,
            "batch_size": 4,
            "ema_decay": 0.5,
            "output": output,
            **changes,
        }
    )


def train_command(config: TrainingConfig, folder: Path, *options: str) -> list[str]:
    """A `loxo train` process in which every warning is an error."""
    path = folder / f"{config.output.name}.yaml"
    path.write_text(yaml.safe_dump(config.model_dump(mode="json")), encoding="utf-8")
    command = [sys.executable, "-W", "error", "-m", "loxo.cli", "train", "--config", str(path)]
    return [*command, *options]


def complaints(stderr: str) -> list[str]:
    """Lines that a process wrote to standard error, without progress.

    Whether there is progress depends on how long it took.
    """
    return [line for line in stderr.splitlines() if not line.startswith("training steps: ")]


@pytest.fixture(scope="session")
def clip_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Manifest of twelve clips of 8 s, one for validation, most with rumbles and gunshots."""
    folder = tmp_path_factory.mktemp("clips")
    busy = SceneSettings(
        seconds=8.0,
        rumbles_per_minute=15.0,
        gunshots_per_minute=15.0,
        lookalikes_per_minute=2.0,
        empty_share=0.0,
    )
    assert len(list(write_clip_set(folder, 12, busy, {}, seed=3))) == 12
    return folder / "clips.parquet"


@pytest.fixture(scope="session")
def trained(clip_set: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainingRun:
    """A run in a process of its own, as a user starts it.

    Tests compare its weights bit by bit. In a process that has trained and exported before, torch
    adds some numbers in another order.
    """
    folder = tmp_path_factory.mktemp("runs")
    config = tiny_config(clip_set, folder / "tiny", epochs=EPOCHS)
    command = train_command(config, folder)
    environment = os.environ | {"COLUMNS": "500"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, complaints(done.stderr)) == (0, [])
    return TrainingRun(config, config.output / "model", done.stdout)
