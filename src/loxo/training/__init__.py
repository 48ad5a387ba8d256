"""From a configuration file to a model folder.

    config.py      what decides a run
    data.py        clips and simulated scenes, and their batches
    thresholds.py  the threshold of each label
    figures.py     curves of a run, and what is taken for what
    running.py     the run: checkpoints, resumption, the model folder

A run is decided by its configuration, its data and its seed. All chance is a function of the seed and of where the run is (epoch, step,
clip), so a run that was killed and is resumed at the epoch that it was in ends with the same weights, bit by bit, as one that was not.
"""

from __future__ import annotations

from loxo.training.config import ConfigError, ModelConfig, TrainingConfig, read_config
from loxo.training.running import build_model, export_run, train
from loxo.training.thresholds import LOWEST_THRESHOLD, best_threshold

__all__ = [
    "LOWEST_THRESHOLD",
    "ConfigError",
    "ModelConfig",
    "TrainingConfig",
    "best_threshold",
    "build_model",
    "export_run",
    "read_config",
    "train",
]
