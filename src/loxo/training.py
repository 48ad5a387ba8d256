"""From a configuration file to a model folder.

A run is decided by its configuration, its data and its seed; all three are written beside the result: `config.yaml`, and in the model's
`spec.json` the hash of the clip set's manifest and the versions of the libraries. The weights that are kept are a moving average over the
last steps, which is steadier than any one of them.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytorch_lightning as lightning
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator, model_validator
from pytorch_lightning.callbacks import Callback, EMAWeightAveraging, ModelCheckpoint, RichProgressBar
from pytorch_lightning.loggers import TensorBoardLogger
from torch.utils.data import DataLoader, Dataset

from loxo.augment import CropSettings
from loxo.checkpoints import DECISIONS, Decision, ModelSpec, explained, save_model
from loxo.clips import read_clips
from loxo.dataset import AudioDataset, WindowSettings
from loxo.events import EVENT_LABELS
from loxo.models import MODELS, AbstractModel, OptimiserSettings
from loxo.spectrogram import FrontEnd
from loxo.splits import check, placed
from loxo.storage import replacing
from loxo.timeline import ceil_div, samples_at

__all__ = ["ConfigError", "TrainingConfig", "best_threshold", "read_config", "train"]

Pair = tuple[NDArray[np.float32], NDArray[np.float32]]


class ConfigError(ValueError):
    """A configuration that cannot be used: one line with the file, the key and what was expected."""


class Strict(BaseModel):
    """Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelConfig(Strict):
    """Which architecture, and its settings where they are not the defaults."""

    name: str = "crnn"
    settings: dict[str, Any] = Field(default_factory=dict)

    @field_validator("name")
    @classmethod
    def known(cls, name: str) -> str:
        if name not in MODELS:
            raise ValueError(f"no such architecture; there are {', '.join(MODELS)}")
        return name


class DataConfig(Strict):
    """The clip set, and the window of each clip that is seen."""

    clips: Path
    window_s: float = Field(30.0, gt=0)
    keep_events: bool = False


class TrainingConfig(Strict):
    """All that decides a training run, together with its data."""

    model: ModelConfig = ModelConfig()
    data: DataConfig
    front_end: FrontEnd = Field(default_factory=lambda before: MODELS[before["model"].name][0].FRONT_END)
    optimiser: OptimiserSettings = OptimiserSettings()
    crop: CropSettings = CropSettings()
    decisions: dict[str, Decision] = Field(default_factory=lambda: dict(DECISIONS))
    epochs: int = Field(10, ge=1)
    batch_size: int = Field(32, ge=1)
    workers: int = Field(0, ge=0)
    devices: int = Field(1, ge=1)
    recall_weight: float = Field(1.5, gt=0)
    card: str = ""
    average_decay: float = Field(0.995, ge=0, lt=1)
    gradient_clip: float = Field(1.0, gt=0)
    seed: int = 0
    output: Path = Path("runs/crnn")

    @field_validator("decisions")
    @classmethod
    def one_for_each_label(cls, decisions: dict[str, Decision]) -> dict[str, Decision]:
        if set(decisions) != set(EVENT_LABELS):
            raise ValueError(f"there must be one for each of {', '.join(EVENT_LABELS)}, not for {', '.join(decisions)}")
        return decisions

    @model_validator(mode="after")
    def whole_frames(self) -> Self:
        grid = self.front_end.grid
        if samples_at(self.data.window_s, grid.rate) % grid.hop:
            raise ValueError(f"data.window_s: {self.data.window_s:g} s are not whole frames of {grid.frame_s:g} s")
        return self


def read_config(path: Path) -> TrainingConfig:
    """Read and check a configuration file.

    Raises:
        ConfigError: if it is missing, not YAML, or a key is unknown or impossible.
    """
    try:
        config = TrainingConfig.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; give the path of a configuration, as configs/crnn.yaml is one") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        raise ConfigError(f"{path}: {explained(error)}") from error
    try:
        model_settings(config.model)
    except ValidationError as error:
        raise ConfigError(f"{path}: {explained(error, 'model', 'settings')}") from error
    return config


class Windows(Dataset[Pair]):
    """`AudioDataset` as torch's loader wants it."""

    def __init__(self, dataset: AudioDataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Pair:
        return self.dataset[index]


class Epochs(Callback):
    """Tells the dataset which epoch it is, so that its windows are drawn anew."""

    def __init__(self, dataset: AudioDataset) -> None:
        self.dataset = dataset

    def on_train_epoch_start(self, trainer: lightning.Trainer, _: lightning.LightningModule) -> None:
        self.dataset.epoch = trainer.current_epoch


class MetricLines(Callback):
    """Appends the metrics of each epoch to `metrics.jsonl`; those of validation are there by the end of the epoch, too."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_fit_start(self, trainer: lightning.Trainer, _: lightning.LightningModule) -> None:
        if trainer.is_global_zero:
            self.path.unlink(missing_ok=True)

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


def model_settings(config: ModelConfig) -> Any:
    """The settings of an architecture, its defaults where the configuration says nothing."""
    _, settings_class = MODELS[config.name]
    return TypeAdapter(settings_class).validate_python(config.settings, extra="forbid")


def build_model(config: TrainingConfig) -> AbstractModel:
    """The untrained model of a configuration."""
    architecture: Callable[..., AbstractModel] = MODELS[config.model.name][0]
    model = architecture(model_settings(config.model), config.front_end, config.optimiser)
    model.crop, model.seed = config.crop, config.seed
    return model


def train(config: TrainingConfig, *, progress: bool = False) -> Path:
    """Train as configured; returns the model folder, `<output>/model`.

    Raises:
        ConfigError: if there are too few clips.
        LeakError: if the same sound is in two splits.
        OSError: if the clips cannot be read, or the output not be written.
    """
    lightning.seed_everything(config.seed, verbose=False)
    check(map(placed, read_clips(config.data.clips)))
    model = build_model(config)
    sets = {split: _dataset(config, split) for split in ("train", "validation")}
    with _quiet():
        trainer = _trainer(config, sets["train"], progress=progress)
        if trainer.is_global_zero:
            _write_config(config)
        trainer.fit(model, _loader(config, sets["train"], shuffle=True), _loader(config, sets["validation"], shuffle=False))
    folder = config.output / "model"
    if trainer.is_global_zero:
        _finish(config, model, sets["validation"], folder)
    return folder


def _trainer(config: TrainingConfig, training: AudioDataset, *, progress: bool) -> lightning.Trainer:
    callbacks: list[Callback] = [
        Epochs(training),
        MetricLines(config.output / "metrics.jsonl"),
        EMAWeightAveraging(decay=config.average_decay, use_buffers=True),
        ModelCheckpoint(config.output / "checkpoints", filename="last", enable_version_counter=False),
    ]
    return lightning.Trainer(
        max_epochs=config.epochs,
        devices=config.devices,
        strategy="ddp" if config.devices > 1 else "auto",
        callbacks=[*callbacks, ProgressBar()] if progress else callbacks,
        logger=TensorBoardLogger(config.output, name="", version="tensorboard"),
        gradient_clip_val=config.gradient_clip,
        enable_progress_bar=progress,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=10,
    )


IRRELEVANT = {
    r".*does not have many workers": "on a processor, reading clips is not what takes the time",
    r"The number of training batches .* is smaller than the logging interval": "`metrics.jsonl` has a line for every epoch",
    r"Checkpoint directory .* exists and is not empty": "a run replaces the one before it",
    r"No positive samples found in target": "a label that no validation clip holds has an average precision of 0, and that is logged",
    r"`isinstance\(treespec, LeafSpec\)` is deprecated": "Lightning's own call of torch",
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


def _write_config(config: TrainingConfig) -> None:
    config.output.mkdir(parents=True, exist_ok=True)
    with replacing(config.output / "config.yaml") as passing:
        passing.write_text(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False), encoding="utf-8")


def _dataset(config: TrainingConfig, split: str) -> AudioDataset:
    grid = config.front_end.grid
    window = WindowSettings(
        rate=config.front_end.rate,
        window_s=config.data.window_s,
        event_bins=grid.frames(config.data.window_s),
        fractional=True,
        keep_events=config.data.keep_events,
    )
    clips = read_clips(config.data.clips, split)
    if not clips:
        raise ConfigError(f"{config.data.clips}: no clips of the split {split!r}; training needs some for train and for validation")
    if split == "train" and ceil_div(len(clips), config.devices) < config.batch_size:
        raise ConfigError(f"batch_size: {config.batch_size} is more than a process has of the {len(clips)} clips for training; lower it")
    return AudioDataset(clips, window, random=split == "train", seed=config.seed)


def _loader(config: TrainingConfig, dataset: AudioDataset, *, shuffle: bool) -> DataLoader[Pair]:
    return DataLoader(Windows(dataset), config.batch_size, shuffle=shuffle, num_workers=config.workers, drop_last=shuffle)


def _finish(config: TrainingConfig, model: AbstractModel, validation: AudioDataset, folder: Path) -> None:
    """Choose thresholds on the validation clips and write the model folder."""
    scores, targets = _predict(config, model.eval(), validation)
    decisions = {}
    figures: dict[str, dict[str, float]] = {}
    for row, label in enumerate(EVENT_LABELS):
        best, f = best_threshold(scores[row], targets[row], config.recall_weight)
        # Down, since a saturated score of 0.9996 would never reach 1.
        threshold = math.floor(best * 1000) / 1000
        decisions[label] = replace(config.decisions[label], threshold=threshold)
        figures[label] = {"threshold": threshold, "frame_f": round(f, 4)}
    spec = ModelSpec(
        name=config.model.name,
        version=metadata.version("loxo"),
        front_end=config.front_end,
        context_frames=model.context_frames,
        window_frames=model.window_frames,
        decisions=decisions,
        training={
            "config": config.model_dump(mode="json"),
            "clips_sha256": hashlib.sha256(config.data.clips.read_bytes()).hexdigest(),
            "train_clips": len(read_clips(config.data.clips, "train")),
            "validation": figures,
            "versions": {name: metadata.version(name) for name in ("loxo", "torch", "pytorch-lightning", "numpy")},
        },
    )
    save_model(model, spec, folder, model_card(spec, sum(p.numel() for p in model.parameters()), config.card))


def _predict(config: TrainingConfig, model: AbstractModel, dataset: AudioDataset) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Scores and targets `(class, frame)` of all windows of a dataset."""
    scores, targets = [], []
    for waveform, target in _loader(config, dataset, shuffle=False):
        scores.append(model.infer(waveform, target.shape[-1]).numpy())
        targets.append(target.numpy())
    joined = [np.concatenate(parts).swapaxes(0, 1).reshape(len(EVENT_LABELS), -1) for parts in (scores, targets)]
    return joined[0], joined[1]


LOWEST_THRESHOLD = 1e-3
"""Thresholds are kept to three decimals and must not be zero."""


def best_threshold(scores: NDArray[np.float32], targets: NDArray[np.float32], recall_weight: float = 1.0) -> tuple[float, float]:
    """The score `(frame,)` from which on F is highest against targets of at least a half, and that F; targets that are NaN are left out.

    F is van Rijsbergen's F-beta (1979): recall counts `recall_weight` times as much as precision; 1 gives F1. Without a positive target,
    or a score of at least `LOWEST_THRESHOLD`, there is nothing to choose by: 0.5 and an F of 0.
    """
    known = ~np.isnan(targets)
    order = np.argsort(-scores[known], kind="stable")
    ranked, positive = scores[known][order], targets[known][order] >= 0.5
    # A threshold takes all frames of one score or none of them: it stands at the last of equals.
    last = np.flatnonzero((np.diff(ranked, append=-1.0) != 0) & (ranked >= LOWEST_THRESHOLD))
    if not (positive.any() and len(last)):
        return 0.5, 0.0
    found = np.cumsum(positive)
    beta2 = recall_weight**2
    f = (1 + beta2) * found[last] / (last + 1 + beta2 * found[-1])
    best = int(np.argmax(f))
    return float(ranked[last[best]]), float(f[best])


def model_card(spec: ModelSpec, parameters: int, card: str) -> str:
    """What a user of the model must know, as Markdown."""
    thresholds = "\n".join(f"- {label}: threshold {decision.threshold}" for label, decision in spec.decisions.items())
    return f"""# {spec.name} {spec.version}

Scores {" and ".join(spec.labels)} in frames of {spec.front_end.grid.frame_s:g} s of audio at {spec.front_end.rate} Hz; {parameters:,}
parameters.

Trained on {spec.training["train_clips"]} clips (manifest SHA-256 {str(spec.training["clips_sha256"])[:16]}); the whole configuration
is in `spec.json`.

{thresholds}

{card}"""
