"""The recorder: its gain, its self-noise, its full scale.

Levels are in dBFS: decibels of the root mean square relative to a sample value of 1. A full-scale
sine has -3 dBFS.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from loxo.acoustics import amplitude_factor, log_uniform
from loxo.augment.draws import Range, bernoulli, check_settings, uniform

__all__ = ["Clipping", "ClippingSettings", "Gain", "GainSettings", "SelfNoise", "SelfNoiseSettings"]

Waveform = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class GainSettings:
    """How often the gain is changed, and by how many decibels.

    Args:
        share: probability that a window is changed.
        db: range of the gain in dB.
    """

    share: float = 0.5
    db: Range = (-12.0, 12.0)

    def __post_init__(self) -> None:
        check_settings(self.share, db=self.db)


@dataclass(frozen=True, slots=True)
class Gain:
    """Another gain: recorders differ in sensitivity and settings, so levels in files differ.

    The front end subtracts the noise floor of each band, so gain alone changes nothing there. It
    matters together with self-noise, whose level stays, and for networks that see absolute levels.
    """

    db: float = 0.0

    @classmethod
    def draw(cls, rng: np.random.Generator, settings: GainSettings) -> Gain:
        """Draw 0 dB, or a gain of the range."""
        return cls(uniform(rng, settings.db)) if bernoulli(rng, settings.share) else cls()

    def apply(self, waveform: Waveform) -> Waveform:
        """Amplify waveforms `(..., sample)` by `db`."""
        return waveform * np.float32(amplitude_factor(self.db))


@dataclass(frozen=True, slots=True)
class SelfNoiseSettings:
    """How often a noisier recorder is simulated, its level and its spectrum.

    Args:
        share: probability that a window is changed.
        level_dbfs: range of the level of the noise.
        corner_hz: range of the frequency below which the noise rises; each octave of it is equally
            likely.
    """

    share: float = 0.2
    level_dbfs: Range = (-90.0, -55.0)
    corner_hz: Range = (1.0, 300.0)

    def __post_init__(self) -> None:
        check_settings(self.share, level_dbfs=self.level_dbfs, corner_hz=self.corner_hz)
        if self.corner_hz[0] <= 0:
            raise ValueError(
                f"corner_hz {self.corner_hz[0]} must be positive; 0.001 Hz gives white noise"
            )


@dataclass(frozen=True, slots=True)
class SelfNoise:
    """Noise of the microphone and its amplifier: white noise, and 1/f noise below a corner.

    The power at a frequency is proportional to `1 + corner_hz / frequency`: white noise comes from
    heat, 1/f noise from transistors, and both are equal at the corner. In quiet forests the 1/f
    noise covers the lines of far rumbles.

    Args:
        level_dbfs: level of the noise; minus infinity adds nothing.
        corner_hz: frequency at which both kinds are equal.
        seed: decides the noise itself, so that `apply` is a pure function.
    """

    level_dbfs: float = -math.inf
    corner_hz: float = 1.0
    seed: int = 0

    @classmethod
    def draw(cls, rng: np.random.Generator, settings: SelfNoiseSettings) -> SelfNoise:
        """Draw a silent recorder, or one with noise."""
        if not bernoulli(rng, settings.share):
            return cls()
        return cls(
            uniform(rng, settings.level_dbfs),
            log_uniform(rng, *settings.corner_hz),
            int(rng.integers(2**63)),
        )

    def apply(self, waveform: Waveform, rate: int) -> Waveform:
        """Add noise to waveforms `(..., sample)`; each gets its own."""
        if self.level_dbfs == -math.inf:
            return waveform
        size = waveform.shape[-1]
        # Without frequency 0: amplifiers do not transmit a constant offset.
        frequency_hz = np.arange(1, size // 2 + 1) * (rate / size)
        # Amplitudes are square roots of powers.
        magnitude = np.sqrt(1 + self.corner_hz / frequency_hz)
        parts = np.random.default_rng(self.seed).standard_normal(
            (2, *waveform.shape[:-1], len(frequency_hz)), dtype=np.float32
        )
        spectrum = np.zeros((*waveform.shape[:-1], size // 2 + 1), np.complex64)
        spectrum[..., 1:] = (parts[0] + 1j * parts[1]) * magnitude
        noise = fft.irfft(spectrum, size)
        # The expected root mean square, by Parseval's theorem: real and imaginary parts have a
        # variance of 1 each, and negative frequencies count as well. The measured one is not used,
        # since short windows of real noise differ in level, too.
        expected = np.sqrt(4 * (magnitude**2).sum()) / size
        gain = amplitude_factor(self.level_dbfs) / expected
        noisy: Waveform = waveform + (noise * gain).astype(np.float32)
        return noisy


@dataclass(frozen=True, slots=True)
class ClippingSettings:
    """How often windows are clipped, and how strongly.

    Args:
        share: probability that a window is clipped.
        over_db: range of the level of the peak above the recorder's full scale, in dB.
    """

    share: float = 0.1
    over_db: Range = (0.0, 15.0)

    def __post_init__(self) -> None:
        check_settings(self.share, over_db=self.over_db)
        if self.over_db[0] < 0:
            raise ValueError(
                f"a peak {self.over_db[0]} dB above full scale is not clipped; give 0 dB or more"
            )


@dataclass(frozen=True, slots=True)
class Clipping:
    """A gain that is set too high: samples above full scale are clipped.

    Close gunshots, thunder and wind on the microphone do that. Full scale lies `over_db` below the
    peak of the window; the level stays, since `Gain` changes it. Clipping adds odd harmonics, which
    makes a loud rumble resemble an engine, and dulls the edge of a gunshot.
    """

    over_db: float = 0.0

    @classmethod
    def draw(cls, rng: np.random.Generator, settings: ClippingSettings) -> Clipping:
        """Draw 0 dB, or an overload of the range."""
        return cls(uniform(rng, settings.over_db)) if bernoulli(rng, settings.share) else cls()

    def apply(self, waveform: Waveform) -> Waveform:
        """Clip waveforms `(..., sample)`, each at a full scale of its own."""
        # Relative to the peak: a fixed full scale would clip loud recordings only.
        peak = np.abs(waveform).max(axis=-1, keepdims=True)
        full_scale = peak * np.float32(amplitude_factor(-self.over_db))
        return np.clip(waveform, -full_scale, full_scale)
