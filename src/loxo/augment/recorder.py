"""The recorder: its gain, its own noise, its full scale.

Levels are dBFS: decibels of the root mean square against a sample value of 1, so a full-scale sine has -3 dBFS.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from loxo.augment.chance import Range, check, even, even_in_octaves, happens

__all__ = ["Clipping", "ClippingSettings", "Gain", "GainSettings", "SelfNoise", "SelfNoiseSettings"]

Waveform = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class GainSettings:
    """Share of the windows at another gain, and by how many decibels."""

    share: float = 0.5
    db: Range = (-12.0, 12.0)

    def __post_init__(self) -> None:
        check(self.share, db=self.db)


@dataclass(frozen=True, slots=True)
class Gain:
    """Recorders differ in sensitivity and are set to different gains: the same sound has another level in the file.

    The front end sees each band against its own floor, so gain alone changes nothing there; it matters together with the recorder's own
    noise, whose level stays, and for networks that see absolute levels.
    """

    db: float = 0.0

    @classmethod
    def draw(cls, rng: np.random.Generator, settings: GainSettings) -> Gain:
        return cls(even(rng, settings.db)) if happens(rng, settings.share) else cls()

    def apply(self, waveform: Waveform) -> Waveform:
        """The waveforms `(..., sample)` louder by `db`."""
        return waveform * np.float32(10 ** (self.db / 20))


@dataclass(frozen=True, slots=True)
class SelfNoiseSettings:
    """Share of the windows with a noisier recorder, its level, and the frequency below which its noise rises."""

    share: float = 0.2
    level_dbfs: Range = (-90.0, -55.0)
    corner_hz: Range = (1.0, 300.0)

    def __post_init__(self) -> None:
        check(self.share, level_dbfs=self.level_dbfs, corner_hz=self.corner_hz)
        if self.corner_hz[0] <= 0:
            raise ValueError(f"corner {self.corner_hz[0]} Hz must be positive; a thousandth of a hertz is white noise")


@dataclass(frozen=True, slots=True)
class SelfNoise:
    """Noise of the microphone and its amplifier: white (heat), and 1/f (transistors) below a corner at which both are equal.

    The power at a frequency is proportional to `1 + corner / frequency`. In quiet forests the 1/f part lies over the lines of far rumbles.
    All chance is in the draw: `seed` stands for the noise itself.
    """

    level_dbfs: float = -math.inf
    corner_hz: float = 1.0
    seed: int = 0

    @classmethod
    def draw(cls, rng: np.random.Generator, settings: SelfNoiseSettings) -> SelfNoise:
        """A silent recorder, or one whose corner is drawn evenly in octaves."""
        if not happens(rng, settings.share):
            return cls()
        return cls(even(rng, settings.level_dbfs), even_in_octaves(rng, settings.corner_hz), int(rng.integers(2**63)))

    def apply(self, waveform: Waveform, rate: int) -> Waveform:
        """The waveforms `(..., sample)` with noise on them, each with its own."""
        if self.level_dbfs == -math.inf:
            return waveform
        size = waveform.shape[-1]
        frequency = np.arange(1, size // 2 + 1) * (rate / size)  # without the mean, which an amplifier does not pass
        shape = np.sqrt(1 + self.corner_hz / frequency)
        parts = np.random.default_rng(self.seed).standard_normal((2, *waveform.shape[:-1], len(frequency)), dtype=np.float32)
        spectrum = np.zeros((*waveform.shape[:-1], size // 2 + 1), np.complex64)
        spectrum[..., 1:] = (parts[0] + 1j * parts[1]) * shape
        noise = fft.irfft(spectrum, size)
        expected = np.sqrt(4 * (shape**2).sum()) / size
        noisy: Waveform = waveform + (noise * (10 ** (self.level_dbfs / 20) / expected)).astype(np.float32)
        return noisy


@dataclass(frozen=True, slots=True)
class ClippingSettings:
    """Share of the windows that are clipped, and how far their peaks lie above the recorder's full scale."""

    share: float = 0.1
    over_db: Range = (0.0, 15.0)

    def __post_init__(self) -> None:
        check(self.share, over_db=self.over_db)
        if self.over_db[0] < 0:
            raise ValueError(f"a peak {self.over_db[0]} dB above full scale is not clipped; give 0 dB or more")


@dataclass(frozen=True, slots=True)
class Clipping:
    """A recorder set too loud: what is above its full scale is cut flat, as with close shots, thunder and wind on the microphone.

    Full scale lies `over_db` below the window's peak, wherever that is: the level stays, since gain is `Gain`'s. Flat tops add odd
    harmonics, which makes a loud rumble look like an engine, and dulls the edge of a shot.
    """

    over_db: float = 0.0

    @classmethod
    def draw(cls, rng: np.random.Generator, settings: ClippingSettings) -> Clipping:
        return cls(even(rng, settings.over_db)) if happens(rng, settings.share) else cls()

    def apply(self, waveform: Waveform) -> Waveform:
        """The waveforms `(..., sample)` cut at full scale, each at its own."""
        full_scale = np.abs(waveform).max(axis=-1, keepdims=True) * np.float32(10 ** (-self.over_db / 20))
        return np.clip(waveform, -full_scale, full_scale)
