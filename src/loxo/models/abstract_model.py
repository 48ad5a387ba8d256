"""What every model shares: features, loss, metrics, augmentation, optimiser and its schedule.

    waveform (batch, sample)
        -- front end -->  features (batch, band, frame)
        -- network -->    logits (batch, label, step)
        -- sigmoid -->    scores (batch, label, step)

An architecture defines its `network`; everything else is here.

**Windows.** Most networks take any number of frames. One that takes a fixed number sets
`window_frames`: longer sounds are then cut into windows, and the last one is filled up with zeros,
which is what the front end gives for silence.

**Steps.** Most networks answer once per frame. One that answers in fewer or more steps is brought
back onto the frames by `frame_logits`: each frame takes the step that it begins in. Training,
export and detection all use `frame_logits`.

**Bins.** Targets may have fewer bins than there are frames, for example one per second. Logits are
then reduced by their maximum: a second holds an event if any of its frames does.

**Doubt.** A target is NaN if it is unknown whether there is an event. It counts neither in the loss
nor in the metrics.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar, cast

import numpy as np
import pytorch_lightning as lightning
import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.nn import functional
from torchmetrics import Metric
from torchmetrics.classification import (
    BinaryAccuracy,
    BinaryAveragePrecision,
    BinaryF1Score,
    BinaryPrecision,
    BinaryRecall,
)

from loxo.augment import Augmentation, AugmentSettings, Masks, mask_each
from loxo.events import EVENT_LABELS
from loxo.models.optimiser import OptimiserSettings
from loxo.spectrogram import FrontEnd
from loxo.spectrogram.torch_front_end import TorchSpectrogram
from loxo.timeline import ceil_div

__all__ = ["AbstractModel", "binarize", "max_over_bins", "split_steps"]

FRAME_METRICS: dict[str, type[Metric]] = {"ap": BinaryAveragePrecision, "f1": BinaryF1Score}
"""Metrics of each label over frames, logged as `validation_ap_Rumble`, ..."""
SECOND_METRICS: dict[str, type[Metric]] = {
    "accuracy": BinaryAccuracy,
    "precision": BinaryPrecision,
    "recall": BinaryRecall,
    "f1": BinaryF1Score,
}
"""Metrics over seconds, all labels together, logged as `validation_accuracy`, ..."""
IN_DOUBT = -1
"""Binary target of a frame in doubt, which metrics ignore."""


class AbstractModel(lightning.LightningModule):
    """Base of the architectures: a subclass builds layers in `__init__` and defines `network`.

    Args:
        front_end: that of the class if None.
        optimiser: settings of loss and optimiser; the defaults if None.
        labels: what the model scores, in the order of its outputs.
        augment: random changes to training batches; None for no change.
        seed: decides what augmentation draws.

    Shape:
        - input: waveforms `(batch, sample)` at the front end's rate
        - output: scores `(batch, label, step)` in [0, 1]
    """

    FRONT_END: ClassVar[FrontEnd] = FrontEnd()
    """The front end where none is given."""

    window_frames: int | None = None
    """Frames that the network takes at a time; None means any number."""
    context_frames: int = 100
    """Frames at either side of those that are scored which detection shows the network too."""

    def __init__(
        self,
        front_end: FrontEnd | None = None,
        optimiser: OptimiserSettings | None = None,
        labels: tuple[str, ...] = EVENT_LABELS,
        augment: AugmentSettings | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.front_end = self.FRONT_END if front_end is None else front_end
        self.optimiser = OptimiserSettings() if optimiser is None else optimiser
        self.labels = labels
        self.positive_weights = self.optimiser.positive_weights(labels)
        self.augment = augment
        self.seed = seed
        self.spectrogram = TorchSpectrogram(self.front_end)
        self.centres_hz = self.front_end.band_centres_hz
        # Lists by position, since names of modules must not hold dots, but labels may.
        of_frames: dict[str, nn.Module] = {}
        for name, metric in FRAME_METRICS.items():
            of_frames[name] = nn.ModuleList(metric(ignore_index=IN_DOUBT) for _ in labels)
        of_seconds = {
            name: metric(ignore_index=IN_DOUBT) for name, metric in SECOND_METRICS.items()
        }
        self.metrics = nn.ModuleDict(
            {"frames": nn.ModuleDict(of_frames), "seconds": nn.ModuleDict(of_seconds)}
        )

    @abstractmethod
    def network(self, features: Tensor) -> Tensor:
        """Compute logits `(batch, label, step)` of features `(batch, band, frame)`.

        If there are `window_frames`, the features have that many.
        """

    def frame_logits(self, features: Tensor) -> Tensor:
        """Compute logits `(batch, label, frame)` of features `(batch, band, frame)`."""
        logits = self.network(features)
        n_steps, n_frames = logits.shape[-1], features.shape[-1]
        if n_steps == n_frames:
            return logits
        step_of_frame = torch.arange(n_frames, device=logits.device) * n_steps // n_frames
        return logits[..., step_of_frame]

    def forward(self, waveform: Tensor) -> Tensor:
        """Compute scores `(batch, label, step)` of waveforms `(batch, sample)`.

        Raises:
            ValueError: if the waveform has other axes.
        """
        return torch.sigmoid(self._by_windows(self.network, self._features(waveform)))

    @torch.no_grad()
    def infer(self, waveform: Tensor, event_bins: int = 10) -> Tensor:
        """Compute scores `(batch, label, bin)`: the highest of the frames in each bin.

        Args:
            waveform: `(batch, sample)`; the bins divide its length evenly.

        Raises:
            ValueError: if the waveform has other axes.
        """
        return torch.sigmoid(self._bin_logits(self._features(waveform), event_bins))

    def _features(self, waveform: Tensor) -> Tensor:
        if waveform.ndim != 2:
            raise ValueError(
                f"a waveform has the axes (batch, sample), not the shape {tuple(waveform.shape)}"
            )
        features: Tensor = self.spectrogram(waveform)
        return features

    def _bin_logits(self, features: Tensor, bins: int) -> Tensor:
        return max_over_bins(self._by_windows(self.frame_logits, features), bins)

    def _by_windows(self, network: Callable[[Tensor], Tensor], features: Tensor) -> Tensor:
        """Apply a network to features of any length, in windows if it takes a fixed length."""
        if self.window_frames is None:
            return network(features)
        n_frames = features.shape[-1]
        n_windows = ceil_div(n_frames, self.window_frames)
        filled = functional.pad(features, (0, n_windows * self.window_frames - n_frames))
        # Windows become items of the batch: (batch, band, window * frame) -> (batch * window, ...).
        windows = torch.unflatten(filled, 2, (n_windows, self.window_frames))
        logits = network(windows.transpose(1, 2).flatten(0, 1))
        steps = torch.unflatten(logits, 0, (-1, n_windows)).transpose(1, 2).flatten(2)
        # The answers to what was filled up are cut off.
        return steps[..., : ceil_div(n_frames * steps.shape[-1], filled.shape[-1])]

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Mean binary cross-entropy over the targets `(batch, label, bin)` that are not NaN.

        It is weighted and focused as `OptimiserSettings` says.
        """
        known = ~targets.isnan()
        # NaN would spread to the gradient even where its loss is masked afterwards.
        answers = torch.where(known, targets, 0.0)
        # From logits rather than scores: the logarithm of a saturated sigmoid would be infinite.
        weights = torch.tensor(self.positive_weights, device=logits.device)[:, None]
        losses = functional.binary_cross_entropy_with_logits(
            logits, answers, pos_weight=weights, reduction="none"
        )
        if self.optimiser.focal_gamma:
            # Not down to zero, where the slope of a root (gamma below 1) is infinite.
            missed_by = (answers - logits.sigmoid()).abs().clamp(min=1e-6)
            losses = losses * missed_by**self.optimiser.focal_gamma
        # At least 1, so that a batch of which nothing is known has a loss of zero.
        return torch.where(known, losses, 0.0).sum() / known.sum().clamp(min=1)

    def on_before_batch_transfer(
        self, batch: tuple[Tensor, Tensor], _: int
    ) -> tuple[Tensor, Tensor]:
        """Augment the waveforms of a training batch while it is in the processor's memory."""
        if not self.trainer.training or self.augment is None:
            return batch
        waveform, targets = (part.numpy() for part in batch)
        changes = Augmentation.draw(self._rng(0), targets, self.augment)
        changed = changes.apply(waveform, targets, self.front_end.rate)
        return torch.from_numpy(changed[0]), torch.from_numpy(changed[1])

    def _rng(self, purpose: int) -> np.random.Generator:
        """Random numbers for a batch; they depend on seed, process, step and purpose alone.

        A resumed run therefore draws what the uninterrupted one would have drawn.
        """
        return np.random.default_rng([self.seed, self.global_rank, self.global_step, purpose])

    def _masked(self, features: Tensor) -> Tensor:
        """Hide random stripes of time and frequency in training features (Park et al. 2019)."""
        if self.augment is None:
            return features
        rng, grid = self._rng(1), self.front_end.grid
        highest_hz = float(self.centres_hz.max())
        masks = [
            Masks.draw(rng, features.shape[-1], grid, highest_hz, self.augment.masks)
            for _ in features
        ]
        return mask_each(masks, features, self.centres_hz)

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """Compute and log the loss of a batch of waveforms and targets."""
        waveform, targets = batch
        logits = self._bin_logits(self._masked(self._features(waveform)), targets.shape[-1])
        loss = self.loss(logits, targets)
        # The mean over an epoch and over all processes; single batches are too noisy to be read.
        self.log("train_loss", loss, prog_bar=True, on_step=False, on_epoch=True, sync_dist=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        """Log loss and metrics of a batch of waveforms and targets."""
        waveform, targets = batch
        logits = self._bin_logits(self._features(waveform), targets.shape[-1])
        self.log("validation_loss", self.loss(logits, targets), prog_bar=True, sync_dist=True)
        # Frames compare models of one front end; seconds compare models of any front end.
        scores = logits.sigmoid()
        self._measure_frames(scores, binarize(targets, targets.shape[-1]))
        seconds = ceil_div(waveform.shape[-1], self.front_end.rate)
        self._measure_seconds(max_over_bins(scores, seconds), binarize(targets, seconds))

    def _measure_frames(self, scores: Tensor, answers: Tensor) -> None:
        metrics = cast("nn.ModuleDict", self.metrics["frames"])
        for name in FRAME_METRICS:
            of_labels = cast("nn.ModuleList", metrics[name])
            for row, label in enumerate(self.labels):
                self._measure(f"{name}_{label}", of_labels[row], scores[:, row], answers[:, row])

    def _measure_seconds(self, scores: Tensor, answers: Tensor) -> None:
        metrics = cast("nn.ModuleDict", self.metrics["seconds"])
        for name in SECOND_METRICS:
            self._measure(name, metrics[name], scores, answers)

    def _measure(self, name: str, module: nn.Module, scores: Tensor, answers: Tensor) -> None:
        metric = cast("Metric", module)
        metric.update(scores.flatten(), answers.flatten())
        # Lightning computes a metric that is logged as an object once, at the end of the epoch.
        self.log(f"validation_{name}", metric, on_epoch=True, on_step=False)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Set up AdamW and its one-cycle schedule for the number of steps of the trainer."""
        settings, steps = self.optimiser, max(3, int(self.trainer.estimated_stepping_batches))
        # The schedule divides by the steps of the rise, and by those of the fall, each less one.
        rise = min(max(settings.warm_up_share, 2 / steps), 1 - 1 / steps)
        # Offsets and the scales of norms are vectors. Decay would pull them to zero for no gain.
        matrices = [p for p in self.parameters() if p.ndim > 1]
        vectors = [p for p in self.parameters() if p.ndim <= 1]
        groups = [
            {"params": matrices, "weight_decay": settings.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ]
        optimiser = torch.optim.AdamW(groups, lr=settings.learning_rate)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser,
            max_lr=settings.learning_rate,
            total_steps=steps,
            pct_start=rise,
            cycle_momentum=False,
        )
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def split_steps(answers: Tensor, n_labels: int) -> Tensor:
    """Put the frames of each step of a head behind each other.

    A head that answers for several frames at once has one channel for each label and each frame of
    a step: `(batch, label * frame of the step, step)` becomes `(batch, label, frame)`.
    """
    return torch.unflatten(answers, 1, (n_labels, -1)).transpose(2, 3).flatten(2)


def max_over_bins(logits: Tensor, bins: int) -> Tensor:
    """Reduce logits `(batch, label, frame)` to `(batch, label, bin)`: the highest in each bin."""
    return logits if logits.shape[-1] == bins else functional.adaptive_max_pool1d(logits, bins)


def binarize(targets: Tensor, bins: int) -> Tensor:
    """Reduce targets `(batch, label, frame)` to whole numbers `(batch, label, bin)`.

    A bin is 1 if one of its frames is at least a half, otherwise -1 (`IN_DOUBT`) if one of them is
    NaN, otherwise 0.
    """
    # Ranks in the order in which a frame decides its bin: event (2), doubt (1), none (0).
    ranks = torch.where(targets.isnan(), 1.0, torch.where(targets >= 0.5, 2.0, 0.0))
    values = torch.tensor([0, IN_DOUBT, 1], device=targets.device)
    return values[max_over_bins(ranks, bins).long()]
