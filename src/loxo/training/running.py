"""A training run: data and model brought together, checkpoints, resumption, and the model folder at its end.

The weights that are kept are a moving average over the last steps, which is steadier than any one of them.

What a run leaves in its folder: `config.yaml`, `run.json` (versions, state of the code, hash of the data), `metrics.jsonl` with a line an
epoch, `curves.png`, `confusion.json` and `.png`, `checkpoints/last.ckpt` and `best.ckpt`, the log, and `model`.
"""

from __future__ import annotations

import json
import logging
import math
import shutil
import subprocess
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytorch_lightning as lightning
import torch
import yaml
from numpy.typing import NDArray
from pytorch_lightning.callbacks import Callback, EarlyStopping, EMAWeightAveraging, ModelCheckpoint, RichProgressBar
from pytorch_lightning.loggers import Logger, TensorBoardLogger
from torch.utils.data import DataLoader

from loxo.checkpoints import ModelSpec, find_model, load_weights, save_model
from loxo.events import EVENT_LABELS
from loxo.models import MODELS, AbstractModel
from loxo.sampling import BalancedBatches
from loxo.storage import replacing
from loxo.training.config import ConfigError, TrainingConfig, model_settings
from loxo.training.data import Windows, balanced, described, windows
from loxo.training.figures import confusion, draw_confusion, draw_curves
from loxo.training.thresholds import best_threshold

__all__ = ["build_model", "export_run", "train"]

Pair = tuple[NDArray[np.float32], NDArray[np.float32]]


class Epochs(Callback):
    """Makes all chance a function of epoch and step: windows, batches, and what the layers draw."""

    def __init__(self, windows: Windows, batches: BalancedBatches, seed: int) -> None:
        self.windows = windows
        self.batches = batches
        self.seed = seed

    def begin(self, epoch: int) -> None:
        self.windows.begin(epoch)
        self.batches.set_epoch(epoch)

    def on_train_epoch_start(self, trainer: lightning.Trainer, _: lightning.LightningModule) -> None:
        self.begin(trainer.current_epoch)

    def on_train_batch_start(self, trainer: lightning.Trainer, *_: object) -> None:
        """For each step, since loaders draw too, and a resumed run makes them at another moment."""
        place = [self.seed, trainer.global_rank, trainer.global_step]
        torch.manual_seed(int(np.random.default_rng(place).integers(2**62)))


class MetricLines(Callback):
    """Appends the metrics of each epoch to `metrics.jsonl`; those of validation are there by the end of the epoch, too."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_start(self, trainer: lightning.Trainer, _: lightning.LightningModule) -> None:
        """Keep the lines of epochs that are not done again."""
        if trainer.is_global_zero:
            lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.is_file() else []
            with replacing(self.path) as passing:
                passing.write_text("".join(f"{line}\n" for line in lines[: trainer.current_epoch]), encoding="utf-8")

    def on_train_epoch_end(self, trainer: lightning.Trainer, _: lightning.LightningModule) -> None:
        if trainer.is_global_zero:
            values = {name: round(float(value), 6) for name, value in trainer.callback_metrics.items()}
            with self.path.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps({"epoch": trainer.current_epoch, **values}) + "\n")


class ProgressBar(RichProgressBar):
    """Without the name of the log, which is the same for every run."""

    def get_metrics(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        return {name: value for name, value in super().get_metrics(trainer, pl_module).items() if name != "v_num"}


def build_model(config: TrainingConfig) -> AbstractModel:
    """The untrained model of a configuration."""
    architecture: Callable[..., AbstractModel] = MODELS[config.model.name][0]
    model = architecture(model_settings(config.model), config.front_end, config.optimiser)
    model.augment, model.seed = config.augment, config.seed
    if config.start:
        load_weights(model, find_model(config.start))
    return model


def train(config: TrainingConfig, *, resume: bool = False, progress: bool = False) -> Path:
    """Train as configured; returns the model folder, `<output>/model`.

    Args:
        resume: go on where an earlier run in the same folder was; one that has not begun begins.

    Raises:
        ConfigError: if there are too few clips, or the run to resume was another.
        LeakError: if the same sound is in two splits.
        OSError: if the clips cannot be read, or the output not be written.
    """
    lightning.seed_everything(config.seed, verbose=False)
    training, validation = (windows(config, split) for split in ("train", "validation"))
    model = build_model(config)
    last = config.output / "checkpoints" / "last.ckpt"
    resumed = resume and last.is_file()
    if resumed:
        _check_same(config)
    with _quiet():
        trainer = _trainer(config, progress=progress)
        batches = balanced(config, training, trainer.world_size, trainer.global_rank)
        epochs = Epochs(training, batches, config.seed)
        averaging = EMAWeightAveraging(decay=_average_decay(config, len(batches)), use_buffers=True)
        trainer.callbacks[:0] = [epochs, averaging]  # type: ignore[attr-defined]  # of every trainer
        if trainer.is_global_zero:
            _begin(config, fresh=not resumed)
        if resumed:
            # The first batches are asked for before the trainer tells of its epoch.
            epochs.begin(int(torch.load(last, weights_only=True, map_location="cpu")["epoch"]) + 1)
        loaders = (
            DataLoader(training, batch_sampler=batches, num_workers=config.workers),
            DataLoader(validation, config.batch_size, num_workers=config.workers),
        )
        trainer.fit(model, *loaders, ckpt_path=last if resumed else None, weights_only=True)
    folder = config.output / "model"
    if trainer.is_global_zero:
        _finish(config, model, validation, folder)
    return folder


def export_run(run: Path, output: Path, *, checkpoint: Path | None = None) -> Path:
    """The model folder of a run's checkpoint, with thresholds chosen anew on its validation clips.

    Args:
        checkpoint: the last one of the run, if none is given.

    Raises:
        ConfigError: if the folder is none of a run.
        FileNotFoundError: if there is no such checkpoint.
    """
    from loxo.training.config import read_config

    config = read_config(run / "config.yaml")
    path = checkpoint or run / "checkpoints" / "last.ckpt"
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no checkpoint there; train first, or name one with --checkpoint")
    model = build_model(config)
    model.load_state_dict(torch.load(path, weights_only=True, map_location="cpu")["state_dict"])
    _finish(config, model, windows(config, "validation"), output, figures=False)
    return output


def _average_decay(config: TrainingConfig, steps: int) -> float:
    """Decay of the averaged weights: in a run of few steps, one that forgets all but its last tenth, and with it where it began."""
    return max(0.0, min(config.average_decay, 1 - 10 / (config.epochs * steps)))


def _trainer(config: TrainingConfig, *, progress: bool) -> lightning.Trainer:
    folder = config.output / "checkpoints"
    callbacks: list[Callback] = [
        MetricLines(config.output / "metrics.jsonl"),
        ModelCheckpoint(folder, filename="best", monitor="validation_loss", save_on_train_epoch_end=True, enable_version_counter=False),
        ModelCheckpoint(folder, filename="last", save_on_train_epoch_end=True, enable_version_counter=False),
    ]
    if config.patience:
        callbacks.append(EarlyStopping("validation_loss", patience=config.patience))
    if progress:
        callbacks.append(ProgressBar())
    mixed: Literal["16-mixed", "32-true"] = "16-mixed" if torch.cuda.is_available() else "32-true"
    several = config.devices * config.nodes > 1
    return lightning.Trainer(
        max_epochs=config.epochs,
        devices=config.devices,
        num_nodes=config.nodes,
        precision=mixed if config.precision == "auto" else config.precision,
        strategy="ddp" if several else "auto",
        callbacks=callbacks,
        logger=_logger(config),
        gradient_clip_val=config.gradient_clip,
        enable_progress_bar=progress,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=10,
        use_distributed_sampler=False,  # batches are dealt to the processes already; each validates on all clips
    )


def _logger(config: TrainingConfig) -> Logger | bool:
    match config.logger:
        case "tensorboard":
            return TensorBoardLogger(config.output, name="", version="tensorboard")
        case "wandb":
            from pytorch_lightning.loggers import WandbLogger

            try:
                return WandbLogger(name=config.output.name, save_dir=config.output, project="loxo")
            except ModuleNotFoundError as error:
                raise ConfigError("logger: wandb is not installed; install it with: pip install 'loxo[wandb]'") from error
        case _:
            return False


IRRELEVANT = {
    r".*does not have many workers": "on a processor, reading clips is not what takes the time",
    r"The number of training batches .* is smaller than the logging interval": "`metrics.jsonl` has a line for every epoch",
    r"Checkpoint directory .* exists and is not empty": "a run replaces the one before it",
    r"No positive samples found in target": "a label that no validation clip holds has an average precision of 0, and that is logged",
    r"`isinstance\(treespec, LeafSpec\)` is deprecated": "Lightning's own call of torch",
    r"The dirpath has changed": "a run that was moved goes on where it is now",
}
"""Warnings of Lightning and torch that are left out, and why."""


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Lightning's remarks on the hardware and its tips."""
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


def _plain(config: TrainingConfig) -> dict[str, Any]:
    """A configuration as its file has it."""
    return config.model_dump(mode="json")


def _named(value: Any) -> Any:
    """Settings with paths by their last names: a model is passed on, and where its data lay is nobody's business."""
    match value:
        case Path():
            return value.name
        case dict():
            return {key: _named(each) for key, each in value.items()}
        case list() | tuple():
            return [_named(each) for each in value]
        case _:
            return value


def _check_same(config: TrainingConfig) -> None:
    """Refuse to go on with a run of another configuration: more epochs, too, would be another schedule. Its folder may have been moved."""
    path = config.output / "config.yaml"
    before = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    changed = [key for key, value in _plain(config).items() if before.get(key) != value and key != "output"]
    if changed:
        raise ConfigError(f"{path}: the run to resume had another {', '.join(changed)}; train without --resume, or into another output")


def _begin(config: TrainingConfig, *, fresh: bool) -> None:
    """Write down what decides the run; a fresh one takes an earlier one's results away."""
    config.output.mkdir(parents=True, exist_ok=True)
    if fresh:
        shutil.rmtree(config.output / "checkpoints", ignore_errors=True)
        (config.output / "metrics.jsonl").unlink(missing_ok=True)
    with replacing(config.output / "config.yaml") as passing:
        passing.write_text(yaml.safe_dump(_plain(config), sort_keys=False), encoding="utf-8")
    with replacing(config.output / "run.json") as passing:
        passing.write_text(json.dumps(_circumstances(config), indent=2) + "\n", encoding="utf-8")


def _circumstances(config: TrainingConfig) -> dict[str, Any]:
    return {
        **described(config),
        "versions": {name: metadata.version(name) for name in ("loxo", "torch", "pytorch-lightning", "numpy")},
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU",
        "git": _git_state(),
    }


def _git_state() -> str | None:
    """The commit of the code, with a + if it was changed since; None outside a repository."""
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--abbrev=12"],  # noqa: S607 whichever git the user has
        cwd=Path(__file__).parent, capture_output=True, text=True, check=False,
    ) if shutil.which("git") else None  # fmt: skip
    return found.stdout.strip() or None if found is not None else None


def _finish(config: TrainingConfig, model: AbstractModel, validation: Windows, folder: Path, *, figures: bool = True) -> None:
    """Choose thresholds on the validation clips, write the model folder, and draw the run."""
    scores, targets = _predict(config, model.eval(), validation)
    decisions = {}
    found: dict[str, dict[str, float]] = {}
    for row, label in enumerate(EVENT_LABELS):
        best, f = best_threshold(scores[row], targets[row], config.recall_weight)
        # Down, since a saturated score of 0.9996 would never reach 1.
        threshold = math.floor(best * 1000) / 1000
        decisions[label] = replace(config.decisions[label], threshold=threshold)
        found[label] = {"threshold": threshold, "frame_f": round(f, 4)}
    spec = ModelSpec(
        name=config.model.name,
        version=metadata.version("loxo"),
        front_end=config.front_end,
        context_frames=model.context_frames,
        window_frames=model.window_frames,
        decisions=decisions,
        training={
            "config": _named(config.model_dump() | {"start": Path(config.start).name}),
            **described(config),
            "validation": found,
            "versions": {name: metadata.version(name) for name in ("loxo", "torch", "pytorch-lightning", "numpy")},
        },
    )
    save_model(model, spec, folder, model_card(spec, sum(p.numel() for p in model.parameters()), config.card))
    if figures:
        tables = confusion(scores, targets, {label: decision.threshold for label, decision in decisions.items()})
        with replacing(config.output / "confusion.json") as passing:
            passing.write_text(json.dumps(tables) + "\n", encoding="utf-8")
        draw_confusion(tables, config.output / "confusion.png")
        draw_curves(config.output / "metrics.jsonl", config.output / "curves.png")


def _predict(config: TrainingConfig, model: AbstractModel, validation: Windows) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Scores and targets `(class, frame)` of all windows of a dataset."""
    scores, targets = [], []
    for waveform, target in DataLoader(validation, config.batch_size, num_workers=config.workers):
        scores.append(model.infer(waveform.to(model.device), target.shape[-1]).cpu().numpy())
        targets.append(target.numpy())
    joined = [np.concatenate(parts).swapaxes(0, 1).reshape(len(EVENT_LABELS), -1) for parts in (scores, targets)]
    return joined[0], joined[1]


def trained_on(data: dict[str, Any]) -> str:
    """What `described` found, as a clause."""
    n_clips = sum(count for kind, count in data.get("clips", {}).items() if kind.startswith("train "))
    told = [f"{n_clips} clips"] if n_clips else []
    if "scenes" in data:
        told.append(f"{data['scenes']['an epoch']} simulated scenes an epoch, over {len(data['backgrounds'])} recorded backgrounds")
    return " and ".join(told)


def model_card(spec: ModelSpec, parameters: int, card: str) -> str:
    """What a user of the model must know, as Markdown."""
    return f"""# {spec.name} {spec.version}

Scores {" and ".join(spec.labels)} in frames of {spec.front_end.grid.frame_s:g} s of audio at {spec.front_end.rate} Hz; {parameters:,}
parameters.

Trained on {trained_on(spec.training)}; the whole configuration, hashes of the data, and the thresholds of detection are in `spec.json`.

{card}"""
