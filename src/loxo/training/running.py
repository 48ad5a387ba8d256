"""Train a model as configured, and export a checkpoint of a run.

The weights that are kept are a moving average over the last steps, which is steadier than any one
of them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytorch_lightning as lightning
import torch
from torch.utils.data import DataLoader

from loxo.messages import SILENT, Progress
from loxo.model_folder import find_model, load_spec, load_weights
from loxo.models import MODELS, AbstractModel
from loxo.training.config import TrainingConfig, model_settings, read_config
from loxo.training.data import TrainingData
from loxo.training.finishing import finish
from loxo.training.run_folder import RunFolder
from loxo.training.trainer import Distillation, EpochStart, make_trainer, quiet, weight_average

__all__ = ["build_model", "export_run", "train"]


def build_model(config: TrainingConfig) -> AbstractModel:
    """Build the model of a configuration, with the weights of `init_from` if that is given.

    Raises:
        ModelError: if the weights are missing or do not fit the architecture.
    """
    architecture: Callable[..., AbstractModel] = MODELS[config.model.name][0]
    model = architecture(
        model_settings(config.model),
        config.front_end,
        config.optimiser,
        labels=config.labels,
        augment=config.augment,
        seed=config.seed,
    )
    if config.init_from:
        load_weights(model, find_model(config.init_from))
    # Convolutions are a quarter faster when the channels of a value lie side by side.
    return model.to(memory_format=torch.channels_last)


def train(config: TrainingConfig, *, resume: bool = False, progress: Progress = SILENT) -> Path:
    """Train as configured; return the model folder, `<output>/model`.

    Args:
        resume: continue an interrupted run in the same folder; if there is none, start one.

    Raises:
        SettingsError: if there are too few clips, or the run to resume had other settings.
        LeakError: if the same sound is in two splits.
        OSError: if the clips cannot be read, or the output cannot be written.
    """
    lightning.seed_everything(config.seed, verbose=False)
    run = RunFolder(config.output)
    data = TrainingData(config, cache=run.resampled)
    model = build_model(config)
    resumed = resume and run.last_checkpoint.is_file()
    if resumed:
        run.check_resumable(config)
    with quiet():
        trainer = make_trainer(config, run, progress)
        batches = data.batches(trainer.world_size, trainer.global_rank)
        epochs = EpochStart(data.training, batches, config.seed)
        trainer.callbacks[:0] = [  # type: ignore[attr-defined]
            epochs,
            weight_average(config, len(batches)),
            *distillation(config),
        ]
        if trainer.is_global_zero:
            run.begin(config, data.fingerprint, fresh=not resumed)
        if resumed:
            # The loader asks for the first batches before the trainer announces its epoch.
            checkpoint = torch.load(run.last_checkpoint, weights_only=True, map_location="cpu")
            epochs.set_epoch(int(checkpoint["epoch"]) + 1)
        trainer.fit(
            model,
            DataLoader(data.training, batch_sampler=batches, num_workers=config.workers),
            DataLoader(data.validation, config.batch_size, num_workers=config.workers),
            ckpt_path=run.last_checkpoint if resumed else None,
            weights_only=True,
        )
    if trainer.is_global_zero:
        keep_initial(config, model)
        finish(config, model, data, run.model, run)
        shutil.rmtree(run.resampled, ignore_errors=True)
    return run.model


def distillation(config: TrainingConfig) -> list[Distillation]:
    """The callback that teaches scores of the initial model, if the configuration says so."""
    if not any(config.keep_scores.values()):
        return []
    spec = load_spec(find_model(config.init_from))
    # Its own front end: it scores as it did where it was trained.
    before = build_model(config.model_copy(update={"front_end": spec.front_end}))
    return [Distillation(before, [config.keep_scores.get(label, 0.0) for label in config.labels])]


def keep_initial(config: TrainingConfig, model: AbstractModel) -> None:
    """Replace trained weights by their mean with the initial ones, if the configuration says so."""
    if not config.keep_initial:
        return
    before = build_model(config).state_dict()
    mean = {
        name: value.lerp(before[name].to(value), config.keep_initial)
        if value.is_floating_point()
        else value
        for name, value in model.state_dict().items()
    }
    model.load_state_dict(mean)


def export_run(run: Path, output: Path, *, checkpoint: Path | None = None) -> Path:
    """Write the model folder of a run's checkpoint; return its path.

    Thresholds are chosen again, on the validation windows of the run.

    Args:
        checkpoint: of the run; by default its last one.

    Raises:
        SettingsError: if the folder is not one of a run.
        FileNotFoundError: if there is no such checkpoint.
    """
    folder = RunFolder(run)
    config = read_config(folder.config)
    path = checkpoint or folder.last_checkpoint
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no checkpoint there; train first, or name one with --checkpoint"
        )
    model = build_model(config)
    model.load_state_dict(torch.load(path, weights_only=True, map_location="cpu")["state_dict"])
    keep_initial(config, model)
    finish(config, model, TrainingData(config), output)
    return output
