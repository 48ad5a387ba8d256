"""Augmentations of training batches; each stands for a physical difference between recordings.

An augmentation is a frozen dataclass, such as `Gain(6.0)`. `draw` draws its values from a NumPy
random generator. `apply` is a pure function of the value and its input, and never
changes the input. An augmentation without effect has the physical value of no change: 0 metres,
0 dB, an infinite signal-to-noise ratio. Settings give the probability of a change (`share`) and the
range of its strength; a share of 0 switches a change off.

They are applied in the order in which a sound meets them, from the elephant to the file:

    crop.py       Crop         the recording is short
    distance.py   Distance     air and foliage attenuate high frequencies
    mixing.py     Mixup        another event is added; targets are combined
                  Background   the noise of another day is added
    recorder.py   Gain, SelfNoise, Clipping
    masks.py      Masks        stripes of the features are hidden, after the front end

All but `Masks` work on NumPy waveforms, `Masks` on PyTorch tensors. Augmentations are for training
only: validation uses recordings unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from loxo.augment.crop import Crop, CropSettings
from loxo.augment.distance import Distance, DistanceSettings
from loxo.augment.masks import Masks, MaskSettings, mask_each
from loxo.augment.mixing import (
    Background,
    BackgroundSettings,
    Mixup,
    MixupSettings,
    combine_targets,
)
from loxo.augment.recorder import (
    Clipping,
    ClippingSettings,
    Gain,
    GainSettings,
    SelfNoise,
    SelfNoiseSettings,
)

__all__ = [
    "AugmentSettings",
    "Augmentation",
    "Background",
    "BackgroundSettings",
    "Clipping",
    "ClippingSettings",
    "Crop",
    "CropSettings",
    "Distance",
    "DistanceSettings",
    "Gain",
    "GainSettings",
    "MaskSettings",
    "Masks",
    "Mixup",
    "MixupSettings",
    "SelfNoise",
    "SelfNoiseSettings",
    "WindowChanges",
    "combine_targets",
    "mask_each",
]

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
    """Changes of one window of a batch, in the order in which they are applied."""

    distance: Distance = field(default_factory=Distance)
    mixup: Mixup = field(default_factory=Mixup)
    background: Background = field(default_factory=Background)
    gain: Gain = field(default_factory=Gain)
    self_noise: SelfNoise = field(default_factory=SelfNoise)
    clipping: Clipping = field(default_factory=Clipping)

    @classmethod
    def draw(
        cls,
        rng: np.random.Generator,
        partners: list[int],
        sources: list[int],
        settings: AugmentSettings,
    ) -> WindowChanges:
        """Draw the changes of one window.

        Args:
            partners: numbers of the windows that may be mixed in.
            sources: numbers of the backgrounds that may be added.
        """
        return cls(
            Distance.draw(rng, settings.distance),
            Mixup.draw(rng, partners, settings.mixup),
            Background.draw(rng, sources, settings.background),
            Gain.draw(rng, settings.gain),
            SelfNoise.draw(rng, settings.self_noise),
            Clipping.draw(rng, settings.clipping),
        )


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Changes of a batch of waveforms: one crop for all, and changes of each window."""

    crop: Crop
    windows: tuple[WindowChanges, ...]

    @classmethod
    def draw(
        cls,
        rng: np.random.Generator,
        targets: Array,
        settings: AugmentSettings,
        backgrounds: int | None = None,
    ) -> Augmentation:
        """Draw the changes of a batch.

        Args:
            targets: `(batch, label, bin)`; they tell which windows hold events.
            backgrounds: number of the backgrounds that `apply` will be given; None takes those
                windows of the batch that certainly hold no event.
        """
        # One crop for all, because the windows of a batch have the same length.
        crop = Crop.draw(rng, targets.shape[-1], settings.crop)
        # Only the part that is kept decides whether a window holds an event.
        kept = targets[..., crop.first : crop.last]
        # A window whose event is in doubt (NaN) is in neither list: NaN is not > 0 and not == 0.
        with_events = np.flatnonzero((kept > 0).any(axis=(1, 2))).tolist()
        without_events = np.flatnonzero((kept == 0).all(axis=(1, 2))).tolist()
        windows = []
        for number in range(len(kept)):
            # No window is mixed with itself.
            partners = [other for other in with_events if other != number]
            if backgrounds is None:
                sources = [other for other in without_events if other != number]
            else:
                sources = list(range(backgrounds))
            windows.append(WindowChanges.draw(rng, partners, sources, settings))
        return cls(crop, tuple(windows))

    def apply(
        self, waveform: Array, targets: Array, rate: int, backgrounds: Array | None = None
    ) -> tuple[Array, Array]:
        """Change a batch of waveforms, and its targets accordingly.

        Args:
            waveform: `(batch, sample)`.
            targets: `(batch, label, bin)`.
            rate: samples a second.
            backgrounds: waveforms `(background, sample)` without events, as long as the windows;
                None takes the batch's own.

        Raises:
            ValueError: if the batch or a background has another size than the changes were drawn
            for.
        """
        if backgrounds is not None and backgrounds.shape[-1] != waveform.shape[-1]:
            raise ValueError(
                f"backgrounds of {backgrounds.shape[-1]} samples for windows of "
                f"{waveform.shape[-1]}; give windows as long"
            )
        cropped, kept = self.crop.apply(waveform, targets)
        noises = cropped if backgrounds is None else self.crop.apply(backgrounds, targets)[0]
        # A partner for mixup has its own distance, so `distance` is applied to all windows first.
        distant = [
            changes.distance.apply(window, rate)
            for changes, window in zip(self.windows, cropped, strict=True)
        ]
        waveforms, combined = [], []
        for number, changes in enumerate(self.windows):
            mixup, background = changes.mixup, changes.background
            partner = distant[mixup.partner], kept[mixup.partner]
            mixed, mixed_targets = mixup.apply(distant[number], kept[number], *partner, rate)
            noisy = background.apply(mixed, noises[background.source], rate)
            recorded = changes.self_noise.apply(changes.gain.apply(noisy), rate)
            waveforms.append(changes.clipping.apply(recorded))
            combined.append(mixed_targets)
        return np.stack(waveforms), np.stack(combined)
