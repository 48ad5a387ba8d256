"""Changes to training batches that stand for a physical difference: `draw` decides, `apply` does, and a Generator is passed in.

A change is a frozen value, such as `Gain(6.0)`: `draw` takes all chance out of a Generator, `apply` is a pure function of that value and
never changes its input. A change that does nothing has the value that physics gives it: 0 metres, 0 dB, a signal-to-noise ratio of
infinity. Settings say what share of the windows is changed and by how much; a share of 0 switches a change off.

What happens to a sound gives the order, from the elephant to the file:

    crop.py       Crop         the recording is short
    distance.py   Distance     air and leaves take the highs
    mixing.py     Mixup        another event is heard at the same time: targets are united
                  Background   another day's noise
    recorder.py   Gain, SelfNoise, Clipping
    masks.py      Masks        stripes of the picture are hidden, after the front end

The first six work on NumPy waveforms, `Masks` on torch tensors. All are for training only: validation hears what was recorded.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from loxo.augment.crop import Crop, CropSettings
from loxo.augment.distance import Distance, DistanceSettings
from loxo.augment.masks import Masks, MaskSettings, mask_each
from loxo.augment.mixing import Background, BackgroundSettings, Mixup, MixupSettings, united
from loxo.augment.recorder import Clipping, ClippingSettings, Gain, GainSettings, SelfNoise, SelfNoiseSettings

__all__ = [
    "AugmentSettings", "Augmentation", "Background", "BackgroundSettings", "Clipping", "ClippingSettings", "Crop", "CropSettings",
    "Distance", "DistanceSettings", "Gain", "GainSettings", "MaskSettings", "Masks", "Mixup", "MixupSettings", "SelfNoise",
    "SelfNoiseSettings", "WindowChanges", "mask_each", "united",
]  # fmt: skip

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class AugmentSettings:
    """How often and how much training batches are changed."""

    crop: CropSettings = field(default_factory=CropSettings)
    distance: DistanceSettings = field(default_factory=DistanceSettings)
    mixup: MixupSettings = field(default_factory=MixupSettings)
    background: BackgroundSettings = field(default_factory=BackgroundSettings)
    gain: GainSettings = field(default_factory=GainSettings)
    self_noise: SelfNoiseSettings = field(default_factory=SelfNoiseSettings)
    clipping: ClippingSettings = field(default_factory=ClippingSettings)
    masks: MaskSettings = field(default_factory=MaskSettings)


@dataclass(frozen=True, slots=True)
class WindowChanges:
    """What happens to one window of a batch, in this order."""

    distance: Distance = field(default_factory=Distance)
    mixup: Mixup = field(default_factory=Mixup)
    background: Background = field(default_factory=Background)
    gain: Gain = field(default_factory=Gain)
    self_noise: SelfNoise = field(default_factory=SelfNoise)
    clipping: Clipping = field(default_factory=Clipping)


@dataclass(frozen=True, slots=True)
class Augmentation:
    """What happens to a batch of waveforms: one cut for all, and each window's own changes."""

    crop: Crop
    windows: tuple[WindowChanges, ...]

    @classmethod
    def draw(cls, rng: np.random.Generator, targets: Array, settings: AugmentSettings, backgrounds: int | None = None) -> Augmentation:
        """Changes for a batch with targets `(batch, class, bin)`.

        Args:
            backgrounds: how many backgrounds `apply` will be given; None takes the batch's own windows that surely hold no event.
        """
        crop = Crop.draw(rng, targets.shape[-1], settings.crop)
        kept = targets[..., crop.first : crop.last]
        eventful = np.flatnonzero((kept > 0).any(axis=(1, 2))).tolist()
        quiet = np.flatnonzero((kept == 0).all(axis=(1, 2))).tolist()
        windows = []
        for own in range(len(kept)):
            partners = [row for row in eventful if row != own]
            sources = [row for row in quiet if row != own] if backgrounds is None else list(range(backgrounds))
            windows.append(
                WindowChanges(
                    Distance.draw(rng, settings.distance),
                    Mixup.draw(rng, partners, settings.mixup),
                    Background.draw(rng, sources, settings.background),
                    Gain.draw(rng, settings.gain),
                    SelfNoise.draw(rng, settings.self_noise),
                    Clipping.draw(rng, settings.clipping),
                )
            )
        return cls(crop, tuple(windows))

    def apply(self, waveform: Array, targets: Array, rate: int, backgrounds: Array | None = None) -> tuple[Array, Array]:
        """Waveforms `(batch, sample)` and targets `(batch, class, bin)` as changed.

        Args:
            backgrounds: waveforms `(background, sample)` without events, as long as the windows; None takes the batch's own.

        Raises:
            ValueError: if the batch or a background is not of the size that was drawn for.
        """
        if backgrounds is not None and backgrounds.shape[-1] != waveform.shape[-1]:
            raise ValueError(f"backgrounds of {backgrounds.shape[-1]} samples for windows of {waveform.shape[-1]}; give windows as long")
        near, answers = self.crop.apply(waveform, targets)
        others = near if backgrounds is None else self.crop.apply(backgrounds, targets)[0]
        far = [changes.distance.apply(window, rate) for changes, window in zip(self.windows, near, strict=True)]
        changed = []
        for changes, window, answer in zip(self.windows, far, answers, strict=True):
            mixup, background = changes.mixup, changes.background
            mixed, asked = mixup.apply(window, answer, far[mixup.partner], answers[mixup.partner], rate)
            heard = changes.gain.apply(background.apply(mixed, others[background.source], rate))
            changed.append((changes.clipping.apply(changes.self_noise.apply(heard, rate)), asked))
        waveforms, united_targets = zip(*changed, strict=True)
        return np.stack(waveforms), np.stack(united_targets)
