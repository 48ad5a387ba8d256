"""What every model shares: waveform in, scores out, the loss and its mask, the metrics, the optimiser.

    waveform (batch, sample) --front end--> (batch, band, frame) --network--> logits (batch, class, frame)

A model is its `network`; all else is here. Targets may have fewer bins than the network has frames: logits are then pooled by their
maximum, since a second holds an event if any of its frames does. Targets that are NaN are in doubt and count nowhere.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import cast

import numpy as np
import pytorch_lightning as lightning
import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.nn import functional
from torchmetrics import Metric
from torchmetrics.classification import BinaryAveragePrecision, BinaryF1Score

from loxo.augment import Crop, CropSettings
from loxo.events import EVENT_LABELS
from loxo.spectrogram import FrontEnd
from loxo.spectrogram.torch_face import TorchSpectrogram

__all__ = ["AbstractModel", "OptimiserSettings", "pooled"]


@dataclass(frozen=True, slots=True)
class OptimiserSettings:
    """AdamW; the learning rate rises over a share of the steps and falls over the rest, both along a cosine.

    Args:
        positive_weight: how much a positive target weighs in the loss, where a negative one weighs 1.

    Raises:
        ValueError: if a number is impossible.
    """

    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    warm_up_share: float = 0.05
    positive_weight: float = 1.0

    def __post_init__(self) -> None:
        if not (self.learning_rate > 0 and self.positive_weight > 0):
            raise ValueError(f"learning rate {self.learning_rate} and positive weight {self.positive_weight} must be positive")
        if not (self.weight_decay >= 0 and 0 <= self.warm_up_share <= 1):
            raise ValueError(f"weight decay {self.weight_decay} must not be negative, warm-up share {self.warm_up_share} lies in [0, 1]")


class AbstractModel(lightning.LightningModule):
    """Base of the models: a subclass builds `network` layers in `__init__` and defines `network`."""

    def __init__(self, front_end: FrontEnd, optimiser: OptimiserSettings) -> None:
        super().__init__()
        self.front_end = front_end
        self.optimiser = optimiser
        self.crop: CropSettings | None = None
        self.seed = 0
        self.spectrogram = TorchSpectrogram(front_end)
        self.metrics = nn.ModuleDict(
            {
                f"{name}_{label}": metric(ignore_index=-1)
                for label in EVENT_LABELS
                for name, metric in (("ap", BinaryAveragePrecision), ("f1", BinaryF1Score))
            }
        )

    @abstractmethod
    def network(self, features: Tensor) -> Tensor:
        """Logits `(batch, class, frame)` of features `(batch, band, frame)`."""

    def forward(self, waveform: Tensor) -> Tensor:
        """Scores `(batch, class, frame)` in [0, 1] of waveforms `(batch, sample)` at the front end's rate.

        Raises:
            ValueError: if the waveform has other axes.
        """
        if waveform.ndim != 2:
            raise ValueError(f"a waveform has the axes (batch, sample), not the shape {tuple(waveform.shape)}")
        return torch.sigmoid(self.network(self.spectrogram(waveform)))

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Binary cross-entropy over the targets that are not NaN."""
        known = ~targets.isnan()
        weight = torch.tensor(self.optimiser.positive_weight, device=logits.device)
        return functional.binary_cross_entropy_with_logits(logits[known], targets[known], pos_weight=weight)

    def on_after_batch_transfer(self, batch: tuple[Tensor, Tensor], _: int) -> tuple[Tensor, Tensor]:
        """Augment a training batch; what is drawn depends on the seed and the step alone."""
        if not self.trainer.training or self.crop is None:
            return batch
        rng = np.random.default_rng([self.seed, self.global_step])
        return Crop.draw(rng, batch[1].shape[-1], self.crop).apply(*batch)

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        waveform, targets = batch
        loss = self.loss(pooled(self.network(self.spectrogram(waveform)), targets.shape[-1]), targets)
        self.log("train_loss", loss, prog_bar=True, on_step=False, on_epoch=True, sync_dist=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        waveform, targets = batch
        logits = pooled(self.network(self.spectrogram(waveform)), targets.shape[-1])
        self.log("validation_loss", self.loss(logits, targets), prog_bar=True, sync_dist=True)
        answers = torch.where(targets.isnan(), -1, (targets >= 0.5).long()).long()
        for row, label in enumerate(EVENT_LABELS):
            for name in ("ap", "f1"):
                metric = cast("Metric", self.metrics[f"{name}_{label}"])
                metric.update(logits[:, row].sigmoid().flatten(), answers[:, row].flatten())
                self.log(f"validation_{name}_{label}", metric, on_epoch=True, on_step=False)

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
