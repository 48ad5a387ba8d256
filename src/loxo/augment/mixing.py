"""Sounds at the same time: pressures add, so waveforms do, and what is heard in either is heard in the sum.

There are two kinds, and each window is material for one of them. A window that surely holds no event is a `Background`: it makes events
harder to hear and changes no target. A window with events is a partner for `Mixup` (Zhang et al. 2018, adapted): there, targets are blended
as the images are; here both events are audible, so targets are **united**. Levels are compared in the bands of the labels, `BANDS_HZ`, and
not over all frequencies, where wind below 8 Hz and insects above 1.5 kHz outweigh all that is listened for.

There is no shift in time: a window is drawn anew from its clip each epoch (`AudioDataset(random=True)`), and a circular shift would tear
events apart at the seam.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from loxo.augment.chance import Range, check, even, happens
from loxo.timeline import ceil_div

__all__ = ["BANDS_HZ", "Background", "BackgroundSettings", "Mixup", "MixupSettings", "band_powers", "united"]

Waveform = NDArray[np.float32]
Targets = NDArray[np.float32]

BANDS_HZ = ((8, 250), (100, 1500))
"""Where rumbles are, and where gunshots are."""
SILENT = 1e-13
"""A weaker band holds no sound, but the rounding of the transform; that of 16-bit samples is a hundred times as strong."""
ALIKE_DB = 20.0
"""Windows whose spectra differ by more are not mixed up: at half of it a rumble and a shot stand against each other's window."""


def band_powers(waveform: Waveform, rate: int) -> NDArray[np.float64]:
    """Mean power `(..., band)` of waveforms `(..., sample)` in each of `BANDS_HZ`; of a silent band it is exactly zero."""
    size = waveform.shape[-1]
    spectrum = fft.rfft(waveform)
    means = []
    for low_hz, high_hz in BANDS_HZ:
        band = spectrum[..., ceil_div(low_hz * size, rate) : ceil_div(high_hz * size, rate)]
        means.append((band.real**2 + band.imag**2).sum(axis=-1, dtype=np.float64) * (2 / size**2))
    powers = np.stack(means, axis=-1)
    return np.where(powers < SILENT, 0.0, powers)


def united(targets: Targets, others: Targets) -> Targets:
    """Targets of two sounds that are heard together, of any but the same shape.

    The larger cover counts: events of one class that overlap cover a bin once. Of fractional targets that is the least that the sum can
    have. Doubt (NaN) stays where the other holds no event, and gives way to a sure one, as in `targets_from_events`.
    """
    larger = np.fmax(targets, others)
    doubt = np.isnan(targets) | np.isnan(others)
    return np.where(doubt & ~(larger > 0), np.float32(np.nan), larger)


@dataclass(frozen=True, slots=True)
class BackgroundSettings:
    """Share of the windows that get another background, and the signal-to-noise ratio at which they get it."""

    share: float = 0.3
    snr_db: Range = (0.0, 30.0)

    def __post_init__(self) -> None:
        check(self.share, snr_db=self.snr_db)


@dataclass(frozen=True, slots=True)
class Background:
    """The same event on another day: under rain, wind, insects or an engine.

    The ratio is that of the whole window's mean power to the background's, in that of the two bands where it is lower. The window has
    noise of its own and an event fills a part `p` of it only, so an event that stood `r` times above its noise stands at least
    `1 / (2 / r + p)` times above the new noise at 0 dB: it loses 3 dB if it was faint, and is still there if it was loud. That is why
    targets stay.

    Args:
        source: number of the background among those that there are.
    """

    source: int = 0
    snr_db: float = math.inf

    @classmethod
    def draw(cls, rng: np.random.Generator, sources: list[int], settings: BackgroundSettings) -> Background:
        """One of the `sources`, or none."""
        if not happens(rng, settings.share) or not sources:
            return cls()
        return cls(sources[rng.integers(len(sources))], even(rng, settings.snr_db))

    def apply(self, waveform: Waveform, background: Waveform, rate: int) -> Waveform:
        """The waveforms `(..., sample)` and a background `(sample,)` or `(..., sample)`; to silence, or of silence, nothing is added."""
        if self.snr_db == math.inf:
            return waveform
        own, added = band_powers(waveform, rate), band_powers(background, rate)
        ratio = np.divide(own, added, out=np.full(np.broadcast_shapes(own.shape, added.shape), np.inf), where=added > 0).min(axis=-1)
        gain = np.where(np.isfinite(ratio), np.sqrt(ratio), 0.0) * 10 ** (-self.snr_db / 20)
        return waveform + background * gain[..., None].astype(np.float32)


@dataclass(frozen=True, slots=True)
class MixupSettings:
    """Share of the windows into which another one with events is mixed, and the level of that one against them."""

    share: float = 0.2
    level_db: Range = (-6.0, 6.0)

    def __post_init__(self) -> None:
        check(self.share, level_db=self.level_db)


@dataclass(frozen=True, slots=True)
class Mixup:
    """Two scenes at once: elephants answer one another, and a shot falls among rumbles.

    Recordings differ in level by tens of decibels, so the partner is first brought to the window's level, the mean of both bands' in
    decibels, and then changed by `level_db`. Of all gains this one keeps the two equally audible, if one holds a rumble and the other one a
    shot. With a level difference of some decibels at most, and spectra that are not too different, neither event drowns, and both are
    asked for.

    Args:
        partner: number of the other window in the batch.
    """

    partner: int = 0
    level_db: float = -math.inf

    @classmethod
    def draw(cls, rng: np.random.Generator, partners: list[int], settings: MixupSettings) -> Mixup:
        """One of the `partners`, or none."""
        if not happens(rng, settings.share) or not partners:
            return cls()
        return cls(partners[rng.integers(len(partners))], even(rng, settings.level_db))

    def apply(self, waveform: Waveform, targets: Targets, other: Waveform, others: Targets, rate: int) -> tuple[Waveform, Targets]:
        """Window `(sample,)` and targets `(class, bin)` together with those of another window.

        The window stays as it is where the bands disagree on the gain by more than `ALIKE_DB`, or one of them is silent: whatever the gain,
        an event of one would drown in the other.

        Raises:
            ValueError: if the windows are batches: whether targets are united depends on each window's level.
        """
        if waveform.ndim != 1 or other.ndim != 1:
            raise ValueError(f"windows have the axis (sample,), not the shapes {waveform.shape} and {other.shape}; mix them one by one")
        own, added = band_powers(waveform, rate), band_powers(other, rate)
        if self.level_db == -math.inf or not (own.all() and added.all()):
            return waveform, targets
        gains_db = 10 * np.log10(own / added)
        if np.ptp(gains_db) > ALIKE_DB:
            return waveform, targets
        return waveform + other * np.float32(10 ** ((gains_db.mean() + self.level_db) / 20)), united(targets, others)
