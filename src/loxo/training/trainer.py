"""The training loop: Lightning's trainer, its callbacks, and its log.

Everything random is a function of the seed and the position in the run, so a resumed run continues
exactly where it was.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import (
    Callback,
    EarlyStopping,
    EMAWeightAveraging,
    ModelCheckpoint,
)
from pytorch_lightning.loggers import Logger, TensorBoardLogger
from torch import Tensor

from loxo.messages import Progress
from loxo.models import AbstractModel
from loxo.sampling import BalancedBatches
from loxo.settings import SettingsError
from loxo.storage import write_text
from loxo.training.config import TrainingConfig
from loxo.training.data import Windows
from loxo.training.run_folder import RunFolder

__all__ = ["Distillation", "EpochStart", "make_trainer", "quiet", "weight_average"]


class EpochStart(Callback):
    """Makes windows, batches and random layers a function of seed, epoch and step."""

    def __init__(self, windows: Windows, batches: BalancedBatches, seed: int) -> None:
        self.windows = windows
        self.batches = batches
        self.seed = seed

    def set_epoch(self, epoch: int) -> None:
        """Draw windows and batches of this epoch from now on."""
        self.windows.set_epoch(epoch)
        self.batches.set_epoch(epoch)

    def on_train_epoch_start(
        self, trainer: lightning.Trainer, _: lightning.LightningModule
    ) -> None:
        self.set_epoch(trainer.current_epoch)

    def on_train_batch_start(self, trainer: lightning.Trainer, *_: object) -> None:
        """Seed torch for this step.

        Once at the start would not do: data loaders draw random numbers as well, and a resumed run
        creates them at another moment.
        """
        place = [self.seed, trainer.global_rank, trainer.global_step]
        torch.manual_seed(int(np.random.default_rng(place).integers(2**62)))


class Distillation(Callback):
    """Mixes the scores of another model into the targets of training batches.

    What the other model knows is kept in that way, while the model learns further (Z. Li, D. Hoiem,
    "Learning without forgetting", 2016). Targets in doubt (NaN) stay so.

    Args:
        teacher: it scores the same labels, and a number of frames as the targets have bins.
        shares: of its scores in the targets, for each label; the rest is the truth.
    """

    def __init__(self, teacher: AbstractModel, shares: Sequence[float]) -> None:
        self.teacher = teacher.eval().requires_grad_(False)
        self.shares = torch.tensor(shares)

    def on_train_batch_start(
        self,
        trainer: lightning.Trainer,
        module: lightning.LightningModule,
        batch: tuple[Tensor, Tensor],
        _: int,
    ) -> None:
        waveform, targets = batch
        self.teacher.to(module.device)
        with trainer.precision_plugin.forward_context():
            scores = self.teacher.infer(waveform, targets.shape[-1])
        shares = self.shares.to(targets)[:, None]
        targets.lerp_(scores.to(targets), shares.expand_as(targets))


class MetricLines(Callback):
    """Appends the metrics of each epoch to `metrics.jsonl`."""

    def __init__(self, path: Path, progress: Progress) -> None:
        self.path = path
        self.progress = progress

    def on_train_start(self, trainer: lightning.Trainer, _: lightning.LightningModule) -> None:
        """Drop the lines of epochs that a resumed run does again."""
        if trainer.is_global_zero:
            text = self.path.read_text(encoding="utf-8") if self.path.is_file() else ""
            lines = text.splitlines(keepends=True)[: trainer.current_epoch]
            write_text(self.path, "".join(lines))

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: object) -> None:
        if trainer.is_global_zero:
            total = trainer.estimated_stepping_batches
            self.progress.update("training steps", trainer.global_step, total)

    def on_train_epoch_end(self, trainer: lightning.Trainer, _: lightning.LightningModule) -> None:
        """Write a line; validation runs within the epoch, so its metrics are known by now."""
        if trainer.is_global_zero:
            metrics = {
                name: round(float(value), 6) for name, value in trainer.callback_metrics.items()
            }
            line = {"epoch": trainer.current_epoch, **metrics}
            with self.path.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(line) + "\n")
            self.progress.message(
                f"epoch {trainer.current_epoch + 1} of {trainer.max_epochs}: "
                f"training loss {metrics['train_loss']:.4f}, "
                f"validation loss {metrics['validation_loss']:.4f}"
            )


def weight_average(config: TrainingConfig, steps_per_epoch: int) -> EMAWeightAveraging:
    """Exponential moving average of the weights; a short run forgets all but its last tenth."""
    return EMAWeightAveraging(decay=ema_decay(config, steps_per_epoch), use_buffers=True)


def ema_decay(config: TrainingConfig, steps_per_epoch: int) -> float:
    """Decay of the averaged weights per step.

    At the end of a run, the initial weights must not count any more. A run of few steps needs a
    smaller decay for that than the configuration's.
    """
    return max(0.0, min(config.ema_decay, 1 - 10 / (config.epochs * steps_per_epoch)))


def make_trainer(
    config: TrainingConfig, folder: RunFolder, progress: Progress
) -> lightning.Trainer:
    """Lightning's trainer as configured; it writes checkpoints and metrics to the run's folder."""
    callbacks: list[Callback] = [
        MetricLines(folder.metrics, progress),
        ModelCheckpoint(
            folder.checkpoints,
            filename="best",
            monitor="validation_loss",
            save_on_train_epoch_end=True,
            enable_version_counter=False,
        ),
        ModelCheckpoint(
            folder.checkpoints,
            filename="last",
            save_on_train_epoch_end=True,
            enable_version_counter=False,
        ),
    ]
    if config.patience:
        callbacks.append(EarlyStopping("validation_loss", patience=config.patience))
    several = config.devices * config.nodes > 1
    return lightning.Trainer(
        max_epochs=config.epochs,
        devices=config.devices,
        num_nodes=config.nodes,
        precision=_precision() if config.precision == "auto" else config.precision,
        strategy="ddp" if several else "auto",
        callbacks=callbacks,
        logger=_logger(config),
        gradient_clip_val=config.gradient_clip,
        enable_progress_bar=False,  # `MetricLines` reports progress
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=10,
        # Batches are already shared out to the processes; each validates on all windows.
        use_distributed_sampler=False,
    )


def _precision() -> Literal["32-true", "16-mixed", "bf16-mixed"]:
    """Mixed precision on a graphics card, in the wider of the formats that it has."""
    if not torch.cuda.is_available():
        return "32-true"
    # bfloat16 has the range of single precision, so that gradients need no scaling.
    return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"


def _logger(config: TrainingConfig) -> Logger | bool:
    match config.logger:
        case "tensorboard":
            return TensorBoardLogger(config.output, name="", version="tensorboard")
        case "wandb":
            from pytorch_lightning.loggers import WandbLogger

            try:
                return WandbLogger(
                    name=config.output.name,
                    save_dir=config.output,
                    project=config.project,
                    config=config.model_dump(mode="json"),
                )
            except ModuleNotFoundError as error:
                raise SettingsError(
                    "logger: wandb is not installed; install it with: pip install 'loxo[wandb]'"
                ) from error
        case _:
            return False


IRRELEVANT = {
    r".*does not have many workers": "without a graphics card, reading clips is not the bottleneck",
    r"The number of training batches .* is smaller than the logging interval": (
        "`metrics.jsonl` has a line for every epoch"
    ),
    r"Checkpoint directory .* exists and is not empty": "a run replaces the one before it",
    r"No positive samples found in target": (
        "a label without a validation event has an average precision of 0, which is logged"
    ),
    r"`isinstance\(treespec, LeafSpec\)` is deprecated": "Lightning's own call of torch",
    r"The dirpath has changed": "a run that was moved continues in its new place",
}
"""Warnings of Lightning and torch that are suppressed, and why."""


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress Lightning's remarks on the hardware, its tips, and irrelevant warnings."""
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning_fabric")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            for message in IRRELEVANT:
                warnings.filterwarnings("ignore", message=message)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
