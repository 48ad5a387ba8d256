"""A model trained on a dozen simulated clips: a run of seconds, made once for all tests that need one.

A test module takes part with `pytest_plugins = ("training_fixtures",)`, which shares the fixtures between modules, and imports the names
that it needs; pytest would rewrite a plugin before it is imported, hence PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from loxo.simulate import SceneSettings
from loxo.simulate.writing import write_clip_set
from loxo.training import TrainingConfig, train

__all__ = ["TrainingRun", "clip_set", "tiny_config", "trained"]

TINY = {"channels": [4, 4], "joined": 8, "hidden": 4}
"""A network of some hundred weights, which has every part that the real one has."""


@dataclass(frozen=True)
class TrainingRun:
    """A run that is over, and the model folder that it left."""

    config: TrainingConfig
    folder: Path


def tiny_config(clips: Path, output: Path, **changes: object) -> TrainingConfig:
    """Two epochs of two steps over windows of 6 s."""
    return TrainingConfig.model_validate(
        {
            "model": {"name": "crnn", "settings": TINY},
            "data": {"clips": clips, "window_s": 6.0},
            "epochs": 2,
            "batch_size": 4,
            "average_decay": 0.5,
            "output": output,
            **changes,
        }
    )


@pytest.fixture(scope="session")
def clip_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Manifest of twelve clips of 8 s, one of them for validation, most with rumbles and gunshots."""
    folder = tmp_path_factory.mktemp("clips")
    busy = SceneSettings(seconds=8.0, rumbles_per_minute=15.0, gunshots_per_minute=15.0, lookalikes_per_minute=2.0, empty_share=0.0)
    assert len(list(write_clip_set(folder, 12, busy, {}, seed=3))) == 12
    return folder / "clips.parquet"


@pytest.fixture(scope="session")
def trained(clip_set: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainingRun:
    config = tiny_config(clip_set, tmp_path_factory.mktemp("runs") / "tiny")
    return TrainingRun(config, train(config))
