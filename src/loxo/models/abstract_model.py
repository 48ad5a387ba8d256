"""What every model shares: waveform in, scores out, the loss and its mask, the metrics, the optimiser and its schedule.

    waveform (batch, sample) --front end--> (batch, band, frame) --network--> logits (batch, class, step)

A model is its `network`; all else is here. Most networks answer once a frame and take any number of frames. One that takes a fixed number
says so (`window_frames`): longer sounds are cut into windows, and the last one is filled up with zeros, which is how silence looks. One
with steps of its own is brought back onto the frames, each frame taking the step that it begins in. What is trained, exported and
detected with is always `frame_logits`: one answer a frame.

Targets may have fewer bins than there are frames: logits are then pooled by their maximum, since a second holds an event if any of its
frames does. Targets that are NaN are in doubt and count nowhere.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np
import pytorch_lightning as lightning
import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.nn import functional
from torchmetrics import Metric
from torchmetrics.classification import (
    BinaryAveragePrecision,
    BinaryF1Score,
    MultilabelAccuracy,
    MultilabelF1Score,
    MultilabelPrecision,
    MultilabelRecall,
)

from loxo.augment import Augmentation, AugmentSettings, Masks, mask_each
from loxo.events import EVENT_LABELS
from loxo.spectrogram import FrontEnd
from loxo.spectrogram.torch_face import TorchSpectrogram
from loxo.timeline import ceil_div

__all__ = ["AbstractModel", "OptimiserSettings", "hard", "pooled"]

OF_FRAMES = {"ap": BinaryAveragePrecision, "f1": BinaryF1Score}
"""Metrics of each label, frame by frame: `validation_ap_Rumble`, ..."""
OF_SECONDS = {"accuracy": MultilabelAccuracy, "precision": MultilabelPrecision, "recall": MultilabelRecall, "f1": MultilabelF1Score}
"""Metrics of both labels pooled, second by second: `validation_accuracy`, ..."""


@dataclass(frozen=True, slots=True)
class OptimiserSettings:
    """What is minimised, and how: AdamW; the learning rate rises over a share of the steps and falls over the rest, along a cosine.

    Args:
        positive_weight: how much a positive target weighs in the loss, where a negative one weighs 1: a number, or one for each label.
        focal_gamma: the loss of a target that is missed by `d` is multiplied by `d ** gamma` (focal loss, Lin et al. 2017, there with
            `d = 1 - p_t`), so that what is already right stops counting; 0 is plain cross-entropy, 2 the paper's choice.

    Raises:
        ValueError: if a number is impossible, or a label is missing or unknown.
    """

    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    warm_up_share: float = 0.05
    positive_weight: float | dict[str, float] = 1.0
    focal_gamma: float = 0.0

    def __post_init__(self) -> None:
        if isinstance(self.positive_weight, dict) and set(self.positive_weight) != set(EVENT_LABELS):
            raise ValueError(f"positive weights for {', '.join(self.positive_weight)}; give one for each of {', '.join(EVENT_LABELS)}")
        if not (self.learning_rate > 0 and min(self.positive_weights) > 0):
            raise ValueError(f"learning rate {self.learning_rate} and positive weight {self.positive_weight} must be positive")
        if not (self.weight_decay >= 0 and 0 <= self.warm_up_share <= 1):
            raise ValueError(f"weight decay {self.weight_decay} must not be negative, warm-up share {self.warm_up_share} lies in [0, 1]")
        if not self.focal_gamma >= 0:
            raise ValueError(f"focal gamma {self.focal_gamma} must not be negative; 0 is plain cross-entropy")

    @property
    def positive_weights(self) -> tuple[float, ...]:
        """The weight of a positive target of each label, in the order of the classes."""
        weight = self.positive_weight
        return tuple(weight[label] if isinstance(weight, dict) else weight for label in EVENT_LABELS)


class AbstractModel(lightning.LightningModule):
    """Base of the models: a subclass builds its layers in `__init__` and defines `network`.

    An architecture is made as `Architecture(settings, front_end, optimiser)`.
    """

    FRONT_END: ClassVar[FrontEnd] = FrontEnd()
    """The front end where a configuration gives none."""

    window_frames: int | None = None
    """Frames that the network takes at a time; None means any number."""
    context_frames: int = 200
    """Frames at either side of those that are scored which detection shows the network as well."""

    def __init__(self, front_end: FrontEnd | None, optimiser: OptimiserSettings | None) -> None:
        super().__init__()
        self.front_end = self.FRONT_END if front_end is None else front_end
        self.optimiser = OptimiserSettings() if optimiser is None else optimiser
        self.augment: AugmentSettings | None = None
        self.seed = 0
        self.spectrogram = TorchSpectrogram(self.front_end)
        self.centres_hz = self.front_end.band_centres_hz
        of_frames = {f"{name}_{label}": metric(ignore_index=-1) for label in EVENT_LABELS for name, metric in OF_FRAMES.items()}
        of_seconds = {name: metric(len(EVENT_LABELS), average="micro", ignore_index=-1) for name, metric in OF_SECONDS.items()}
        self.metrics = nn.ModuleDict(of_frames | of_seconds)

    @abstractmethod
    def network(self, features: Tensor) -> Tensor:
        """Logits `(batch, class, step)` of features `(batch, band, frame)`; if there are `window_frames`, of that many."""

    def frame_logits(self, features: Tensor) -> Tensor:
        """Logits `(batch, class, frame)` of features `(batch, band, frame)`: those of the step that each frame begins in."""
        logits = self.network(features)
        n_steps, n_frames = logits.shape[-1], features.shape[-1]
        return logits if n_steps == n_frames else logits[..., torch.arange(n_frames, device=logits.device) * n_steps // n_frames]

    def forward(self, waveform: Tensor) -> Tensor:
        """Scores `(batch, class, step)` in [0, 1] of waveforms `(batch, sample)` at the front end's rate.

        Raises:
            ValueError: if the waveform has other axes.
        """
        return torch.sigmoid(self._heard(self.network, waveform))

    @torch.no_grad()
    def infer(self, waveform: Tensor, event_bins: int = 10) -> Tensor:
        """Scores `(batch, class, bin)` of waveforms `(batch, sample)`: the highest of each bin's frames.

        Raises:
            ValueError: if the waveform has other axes.
        """
        return torch.sigmoid(self._binned(waveform, event_bins))

    def _binned(self, waveform: Tensor, bins: int) -> Tensor:
        return pooled(self._heard(self.frame_logits, waveform), bins)

    def _heard(self, answer: Callable[[Tensor], Tensor], waveform: Tensor) -> Tensor:
        """What a network answers to a waveform of any length, window by window where it takes a fixed number of frames."""
        if waveform.ndim != 2:
            raise ValueError(f"a waveform has the axes (batch, sample), not the shape {tuple(waveform.shape)}")
        return self._answered(answer, self.spectrogram(waveform))

    def _answered(self, answer: Callable[[Tensor], Tensor], features: Tensor) -> Tensor:
        if self.window_frames is None:
            return answer(features)
        n_frames = features.shape[-1]
        n_windows = ceil_div(n_frames, self.window_frames)
        filled = functional.pad(features, (0, n_windows * self.window_frames - n_frames))
        windows = torch.unflatten(filled, 2, (n_windows, self.window_frames)).transpose(1, 2).flatten(0, 1)
        steps = torch.unflatten(answer(windows), 0, (-1, n_windows)).transpose(1, 2).flatten(2)
        return steps[..., : ceil_div(n_frames * steps.shape[-1], filled.shape[-1])]

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Mean binary cross-entropy over the targets `(batch, class, bin)` that are not NaN, weighted and focused as the optimiser says."""
        known = ~targets.isnan()
        answers = torch.where(known, targets, 0.0)
        weights = torch.tensor(self.optimiser.positive_weights, device=logits.device)[:, None]
        each = functional.binary_cross_entropy_with_logits(logits, answers, pos_weight=weights, reduction="none")
        if self.optimiser.focal_gamma:
            # Away from zero, where the slope of a root is infinite.
            each = each * (answers - logits.sigmoid()).abs().clamp(min=1e-6) ** self.optimiser.focal_gamma
        return torch.where(known, each, 0.0).sum() / known.sum().clamp(min=1)

    def on_before_batch_transfer(self, batch: tuple[Tensor, Tensor], _: int) -> tuple[Tensor, Tensor]:
        """Augment the waveforms of a training batch, where it is still in the processor's memory."""
        if not self.trainer.training or self.augment is None:
            return batch
        waveform, targets = (part.numpy() for part in batch)
        changes = Augmentation.draw(self._chance(0), targets, self.augment)
        return tuple(map(torch.from_numpy, changes.apply(waveform, targets, self.front_end.rate)))  # type: ignore[return-value]  # two

    def _chance(self, purpose: int) -> np.random.Generator:
        """What is drawn for a batch depends on the seed, the process and the step alone."""
        return np.random.default_rng([self.seed, self.global_rank, self.global_step, purpose])

    def _masked(self, features: Tensor) -> Tensor:
        """Features `(batch, band, frame)` with stripes hidden, in training."""
        if self.augment is None:
            return features
        rng, grid = self._chance(1), self.front_end.grid
        highest_hz = float(self.centres_hz.max())
        masks = [Masks.draw(rng, features.shape[-1], grid, highest_hz, self.augment.masks) for _ in features]
        return mask_each(masks, features, self.centres_hz)

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        waveform, targets = batch
        logits = pooled(self._answered(self.frame_logits, self._masked(self.spectrogram(waveform))), targets.shape[-1])
        loss = self.loss(logits, targets)
        self.log("train_loss", loss, prog_bar=True, on_step=False, on_epoch=True, sync_dist=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        waveform, targets = batch
        logits = self._binned(waveform, targets.shape[-1])
        self.log("validation_loss", self.loss(logits, targets), prog_bar=True, sync_dist=True)
        scores = logits.sigmoid()
        answers = hard(targets, targets.shape[-1])
        for row, label in enumerate(EVENT_LABELS):
            for name in OF_FRAMES:
                self._measure(f"{name}_{label}", scores[:, row].flatten(), answers[:, row].flatten())
        seconds = ceil_div(waveform.shape[-1], self.front_end.rate)
        for name in OF_SECONDS:
            self._measure(name, pooled(scores, seconds), hard(targets, seconds))

    def _measure(self, name: str, scores: Tensor, answers: Tensor) -> None:
        metric = cast("Metric", self.metrics[name])
        metric.update(scores, answers)
        self.log(f"validation_{name}", metric, on_epoch=True, on_step=False)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        settings, steps = self.optimiser, max(3, int(self.trainer.estimated_stepping_batches))
        # The schedule divides by the steps of the rise, and of the fall, less one.
        rise = min(max(settings.warm_up_share, 2 / steps), 1 - 1 / steps)
        decayed = [p for p in self.parameters() if p.ndim > 1]
        others = [p for p in self.parameters() if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": others, "weight_decay": 0.0}]
        optimiser = torch.optim.AdamW(groups, lr=settings.learning_rate)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, max_lr=settings.learning_rate, total_steps=steps, pct_start=rise, cycle_momentum=False
        )
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def pooled(logits: Tensor, bins: int) -> Tensor:
    """Logits `(batch, class, frame)` as `(batch, class, bin)`: the highest of each bin's frames."""
    return logits if logits.shape[-1] == bins else functional.adaptive_max_pool1d(logits, bins)


def hard(targets: Tensor, bins: int) -> Tensor:
    """Targets `(batch, class, frame)` as `(batch, class, bin)`: 1 where one is at least a half, else -1 where one is in doubt, else 0."""
    ranks = torch.where(targets.isnan(), 1.0, torch.where(targets >= 0.5, 2.0, 0.0))
    return torch.tensor([0, -1, 1], device=targets.device)[pooled(ranks, bins).long()]
