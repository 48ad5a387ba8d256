"""From a configuration file to a model folder.

    config.py      the configuration of a run
    data.py        clips and simulated scenes, and their batches
    thresholds.py  the threshold of each label, and figures at it
    figures.py     curves of a run, confusion matrices, the table at its end
    run_folder.py  files of a run
    trainer.py     the training loop and its log
    finishing.py   thresholds, figures and the model folder at the end
    running.py     train, resume, export

A run is decided by its configuration, its data and its seed. All random numbers are a function of
the seed and the position in the run (epoch, step, clip). So a run that was killed and is resumed at
the start of its epoch ends with the same weights, bit by bit, as one that was not interrupted.
"""

from __future__ import annotations

from loxo.training.config import ModelConfig, SettingsError, TrainingConfig, read_config
from loxo.training.data import TrainingData
from loxo.training.figures import validation_table
from loxo.training.running import build_model, export_run, train
from loxo.training.thresholds import LOWEST_THRESHOLD, best_threshold, frame_figures

__all__ = [
    "LOWEST_THRESHOLD",
    "ModelConfig",
    "SettingsError",
    "TrainingConfig",
    "TrainingData",
    "best_threshold",
    "build_model",
    "export_run",
    "frame_figures",
    "read_config",
    "train",
    "validation_table",
]
