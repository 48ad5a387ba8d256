"""Recorders: how they change the sound at their location, and how they write it.

- High-pass of microphone and amplifier: 12 dB per octave below 1-25 Hz.
- Low-pass ahead of sampling: from 0.78-1 of half the rate on, 40-300 dB per octave. It is applied
  to everything, so sounds that are added to a scene end at the same edge.
- Self-noise: rises by 3-6 dB per octave towards low frequencies (1/f noise of amplifiers).
- Automatic gain: in one recorder of twelve, the gain drops at a loud sound and recovers by 4-40 dB
  a second. The tail of a gunshot can become louder then.
- Dropped samples: in one of thirty, a slow card leaves gaps of 1-40 ms.
- Coding: in one of eight, MP3 or the like has removed weak cells of time and frequency, and at
  times everything above a corner.
- A constant offset, clipping at full scale, rounding to 16 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import istft, stft

from loxo.acoustics import amplitude_factor, log_uniform
from loxo.simulate.signals import (
    Array,
    Rng,
    coloured_noise,
    filtered,
    high_pass_db,
    low_pass_db,
    unit_variance,
)
from loxo.timeline import ceil_div, samples_at

__all__ = ["Recorder", "noise_level"]

NOISY_SHARE, GAIN_CONTROL_SHARE, CODING_SHARE, DROPPING_SHARE = 0.2, 0.08, 0.12, 0.03
"""Shares of recorders with strong self-noise, automatic gain, a coder, and dropped samples."""
GAIN_STEP_S = 0.01
"""Length of a step of automatic gain."""


class SelfNoise(NamedTuple):
    """Noise of a recorder: level relative to the scene's, and slope per octave."""

    level_db: float
    slope_db: float


class GainControl(NamedTuple):
    """Automatic gain: the greatest peak, in multiples of the noise level, and the recovery."""

    limit: float
    recovery_db_s: float


@dataclass(frozen=True, slots=True)
class Recorder:
    """A recorder: `record` is applied to one scene; `digitise` needs a level as well.

    Args:
        rate: samples a second.
        level_db: level of a scene's noise in the file, in dBFS.
        high_pass_hz: corner of the high-pass.
        low_pass_hz, low_pass_slope_db: corner and slope of the low-pass.
        self_noise: None where it is negligible.
        coding_db: cells weaker than the usual level by this are removed; None without a coder.
        gain_control: None for a constant gain.
        drops_samples: whether there are gaps.
        offset: constant that is added to the samples.
    """

    rate: int
    level_db: float
    high_pass_hz: float
    low_pass_hz: float
    low_pass_slope_db: float
    self_noise: SelfNoise | None
    coding_db: float | None
    gain_control: GainControl | None
    drops_samples: bool
    offset: float

    @classmethod
    def draw(cls, rng: Rng, rate: int) -> Recorder:
        """Draw a recorder."""
        level_db = rng.uniform(-58, -28)
        high_pass_hz = log_uniform(rng, 1, 25)
        low_pass_hz = rng.uniform(0.78, 1) * rate / 2
        low_pass_slope_db = log_uniform(rng, 40, 300)
        self_noise, coding_db, gain_control = None, None, None
        if rng.random() < NOISY_SHARE:
            self_noise = SelfNoise(rng.uniform(-30, -8), rng.uniform(3, 6))
        if rng.random() < CODING_SHARE:
            coding_db = rng.uniform(-3, 10)
        if rng.random() < GAIN_CONTROL_SHARE:
            gain_control = GainControl(log_uniform(rng, 4, 16), log_uniform(rng, 4, 40))
        return cls(
            rate=rate,
            level_db=level_db,
            high_pass_hz=high_pass_hz,
            low_pass_hz=low_pass_hz,
            low_pass_slope_db=low_pass_slope_db,
            self_noise=self_noise,
            coding_db=coding_db,
            gain_control=gain_control,
            drops_samples=rng.random() < DROPPING_SHARE,
            offset=rng.normal(0, 0.003),
        )

    def record(self, rng: Rng, mixture: Array) -> Array:
        """Record a scene `(sample,)`: filters, self-noise, automatic gain, coding and gaps."""
        signal = filtered(
            mixture,
            self.rate,
            lambda f: (
                high_pass_db(f, self.high_pass_hz, 12)
                + low_pass_db(f, self.low_pass_hz, self.low_pass_slope_db)
            ),
        )
        if self.self_noise is not None:
            level_db, slope_db = self.self_noise
            noise = unit_variance(
                coloured_noise(rng, len(signal), self.rate, lambda f: -slope_db * np.log2(f / 100))
            )
            signal = signal + noise * noise_level(signal) * amplitude_factor(level_db)
        if self.gain_control is not None:
            signal = signal * _automatic_gain(signal, self.rate, self.gain_control)
        if self.coding_db is not None:
            signal = _code(rng, signal, self.rate, self.coding_db)
        return _drop_samples(rng, signal, self.rate) if self.drops_samples else signal

    def digitise(self, signal: Array, level: float) -> NDArray[np.float32]:
        """Convert a signal `(sample,)` to samples of 16 bits in [-1, 1].

        Args:
            level: level of the signal that becomes `level_db`.
        """
        # A recorder adds its offset before it clips and rounds.
        scaled = signal / (level + 1e-12) * amplitude_factor(self.level_db) + self.offset
        rounded = np.round(np.clip(scaled, -1, 1) * 32767) / 32768
        samples: NDArray[np.float32] = rounded.astype(np.float32)
        return samples


def noise_level(signal: Array) -> float:
    """Estimate the standard deviation of the noise, robustly against single loud sounds."""
    # The median of the absolute value of Gaussian noise is 0.6745 of its standard deviation. Every
    # seventh sample is enough for it.
    return float(np.median(np.abs(signal[::7])) / 0.6745)


def _automatic_gain(signal: Array, rate: int, control: GainControl) -> Array:
    """Compute the gain `(sample,)`, at most 1, in steps of `GAIN_STEP_S`.

    It drops at once where a peak is above the limit, and then recovers at a constant rate.
    """
    # Steps of 10 ms follow an onset closely, and are few enough to be cheap.
    size = samples_at(GAIN_STEP_S, rate)
    count = ceil_div(len(signal), size)
    padded = np.pad(signal, (0, count * size - len(signal)))
    peaks = np.abs(padded).reshape(count, size).max(axis=1)
    excess = peaks / (control.limit * noise_level(signal) + 1e-12)
    over_db = np.maximum(0, 20 * np.log10(excess + 1e-12))
    # Each loud step holds the gain down along a line that rises by the recovery. The gain is the
    # lowest of these lines: with the slope removed, a running maximum of the reductions.
    recovered_db = control.recovery_db_s * GAIN_STEP_S * np.arange(count)
    reduction_db = np.maximum.accumulate(over_db + recovered_db) - recovered_db
    return np.repeat(amplitude_factor(-reduction_db), size)[: len(signal)]


def _drop_samples(rng: Rng, signal: Array, rate: int) -> Array:
    """Set one to three gaps to zero."""
    out = signal.copy()
    for _ in range(rng.integers(1, 4)):
        length = samples_at(log_uniform(rng, 0.001, 0.04), rate)
        start = rng.integers(0, len(out) - length)
        out[start : start + length] = 0
    return out


def _code(rng: Rng, waveform: Array, rate: int, threshold_db: float) -> Array:
    """Remove what a coder at a low bit rate removes: cells that are weaker than usual.

    Args:
        threshold_db: how far below the usual level of its frequency a cell is removed.
    """
    size = 512 if rng.random() < 0.5 else 256
    _, _, cells = stft(waveform, rate, nperseg=size)
    power = np.abs(cells) ** 2
    # "Usual" is a median over time. With a mean, one loud sound would silence everything around
    # it, and a network could learn to find sounds by that silence.
    usual = np.median(power[:, ::3], axis=1, keepdims=True)
    threshold = usual * 10 ** (-threshold_db / 10) * rng.uniform(0.3, 2, size=(len(cells), 1))
    kept = cells * (power > threshold)
    # Coders at low bit rates drop all frequencies above a corner.
    if rng.random() < 0.3:
        kept[int(rng.uniform(0.5, 1) * len(kept)) :] = 0
    _, coded = istft(kept, rate, nperseg=size)
    return np.asarray(coded[: len(waveform)], dtype=float)
