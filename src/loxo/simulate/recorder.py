"""Recorders: how they change the sound at their location, and how they write it.

- High-pass of microphone and amplifier: 12 dB per octave below 1-25 Hz. One recorder in thirty
  passes nothing below 100-400 Hz (24-60 dB per octave): `high_pass_hz` tells.
- Low-pass ahead of sampling: from 0.78-1 of half the rate on, 40-300 dB per octave. It is applied
  to everything, so sounds that are added to a scene end at the same edge.
- Self-noise: rises by 3-6 dB per octave towards low frequencies (1/f noise of amplifiers).
- Automatic gain: in one recorder of ten, the gain drops within 1-50 ms of a loud sound and recovers
  by 2-60 dB a second. The tail of a gunshot can become louder then.
- Overload: in one of fourteen, the gain is so high that loud sounds are clipped many times over.
- Dropped samples: in one of thirty, a slow card leaves gaps of 1-40 ms in the sound.
- Zeros: in one of twenty, the file holds exact zeros for milliseconds to seconds, once, or again
  and again: lost blocks, pauses between two files, padding.
- Clicks: in one of twenty, impulses of a sample to 3 ms, single or regular: relays, transmitters,
  bad contacts.
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
from loxo.simulate.overload import GainControl, automatic_gain
from loxo.simulate.signals import (
    Array,
    Rng,
    coloured_noise,
    filtered,
    high_pass_db,
    low_pass_db,
    unit_variance,
)
from loxo.timeline import samples_at

__all__ = ["Clicks", "Recorder", "Zeros", "noise_level"]

NOISY_SHARE, GAIN_CONTROL_SHARE, CODING_SHARE, DROPPING_SHARE = 0.2, 0.1, 0.12, 0.03
"""Shares of recorders with strong self-noise, automatic gain, a coder, and dropped samples."""
OVERLOAD_SHARE, STEEP_SHARE, ZEROS_SHARE, CLICKS_SHARE = 0.07, 0.03, 0.05, 0.05
"""Shares of recorders that are overloaded, pass no low frequencies, write zeros, and click."""
REGULAR_SHARE = 0.6
"""Share of recorders with zeros or clicks that have them again and again."""


class SelfNoise(NamedTuple):
    """Noise of a recorder: level relative to the scene's, and slope per octave."""

    level_db: float
    slope_db: float


class Zeros(NamedTuple):
    """Stretches of a file that hold exact zeros.

    Args:
        seconds: length of a stretch.
        period_s: time from one to the next; None for single ones.
        phases: where they lie, from 0 to 1: of a period the first one's start, else of each one in
            the file.
    """

    seconds: float
    period_s: float | None
    phases: tuple[float, ...]

    def mask(self, n: int, rate: int) -> NDArray[np.bool_]:
        """Mark the zeros in a file of `n` samples."""
        size = min(n, samples_at(self.seconds, rate))
        if self.period_s is None:
            starts = [int(phase * (n - size)) for phase in self.phases]
        else:
            period = samples_at(self.period_s, rate)
            starts = list(range(int(self.phases[0] * period), n, period))
        marked = np.zeros(n, bool)
        for start in starts:
            marked[start : start + size] = True
        return marked


class Clicks(NamedTuple):
    """Impulses.

    Args:
        seconds: length of one; at least a sample.
        period_s: time from one to the next; None for single ones.
        level_db: amplitude relative to the level of the noise.
    """

    seconds: float
    period_s: float | None
    level_db: float


@dataclass(frozen=True, slots=True)
class Recorder:
    """A recorder: `record` is applied to one scene; `digitise` needs a level as well.

    Args:
        rate: samples a second.
        level_db: level of a scene's noise in the file, in dBFS.
        high_pass_hz, high_pass_slope_db: corner and slope of the high-pass. A corner of 100 Hz or
            more is steep: rumbles are lost.
        low_pass_hz, low_pass_slope_db: corner and slope of the low-pass.
        self_noise: None where it is negligible.
        coding_db: cells weaker than the usual level by this are removed; None without a coder.
        gain_control: None for a constant gain.
        drops_samples: whether there are gaps.
        clicks: None without.
        zeros: stretches of zeros in the file; None without.
        offset: constant that is added to the samples.
    """

    rate: int
    level_db: float
    high_pass_hz: float
    high_pass_slope_db: float
    low_pass_hz: float
    low_pass_slope_db: float
    self_noise: SelfNoise | None
    coding_db: float | None
    gain_control: GainControl | None
    drops_samples: bool
    clicks: Clicks | None
    zeros: Zeros | None
    offset: float

    @classmethod
    def draw(cls, rng: Rng, rate: int) -> Recorder:
        """Draw a recorder."""
        level_db = rng.uniform(-58, -28)
        if rng.random() < OVERLOAD_SHARE:
            # The noise alone comes near full scale. A sound 20-40 dB above it is clipped 2-64 times
            # over.
            level_db = rng.uniform(-22, -2)
        high_pass_hz, high_pass_slope_db = log_uniform(rng, 1, 25), 12.0
        if rng.random() < STEEP_SHARE:
            high_pass_hz, high_pass_slope_db = log_uniform(rng, 100, 400), rng.uniform(24, 60)
        low_pass_hz = rng.uniform(0.78, 1) * rate / 2
        low_pass_slope_db = log_uniform(rng, 40, 300)
        self_noise, coding_db, gain_control = None, None, None
        if rng.random() < NOISY_SHARE:
            self_noise = SelfNoise(rng.uniform(-30, -8), rng.uniform(3, 6))
        if rng.random() < CODING_SHARE:
            coding_db = rng.uniform(-3, 10)
        if rng.random() < GAIN_CONTROL_SHARE:
            gain_control = GainControl(
                limit=log_uniform(rng, 3, 24),
                recovery_db_s=log_uniform(rng, 2, 60),
                attack_s=log_uniform(rng, 0.001, 0.05),
            )
        return cls(
            rate=rate,
            level_db=level_db,
            high_pass_hz=high_pass_hz,
            high_pass_slope_db=high_pass_slope_db,
            low_pass_hz=low_pass_hz,
            low_pass_slope_db=low_pass_slope_db,
            self_noise=self_noise,
            coding_db=coding_db,
            gain_control=gain_control,
            drops_samples=rng.random() < DROPPING_SHARE,
            clicks=_draw_clicks(rng) if rng.random() < CLICKS_SHARE else None,
            zeros=_draw_zeros(rng) if rng.random() < ZEROS_SHARE else None,
            offset=rng.normal(0, 0.003),
        )

    def record(self, rng: Rng, mixture: Array) -> Array:
        """Record a scene `(sample,)`: filters, self-noise, automatic gain, coding, clicks, gaps."""
        signal = filtered(
            mixture,
            self.rate,
            lambda f: (
                high_pass_db(f, self.high_pass_hz, self.high_pass_slope_db)
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
            level = noise_level(signal)
            signal = signal * automatic_gain(signal, self.rate, self.gain_control, level)
        if self.coding_db is not None:
            signal = _code(rng, signal, self.rate, self.coding_db)
        if self.clicks is not None:
            signal = _add_clicks(rng, signal, self.rate, self.clicks)
        return _drop_samples(rng, signal, self.rate) if self.drops_samples else signal

    def digitise(self, signal: Array, level: float) -> NDArray[np.float32]:
        """Convert a signal `(sample,)` to samples of 16 bits in [-1, 1].

        Args:
            level: level of the signal that becomes `level_db`.
        """
        # A recorder adds its offset before it clips and rounds.
        scaled = signal / (level + 1e-12) * amplitude_factor(self.level_db) + self.offset
        rounded = np.round(np.clip(scaled, -1, 1) * 32767) / 32768
        # What was never written has no offset.
        if self.zeros is not None:
            rounded[self.zeros.mask(len(rounded), self.rate)] = 0
        samples: NDArray[np.float32] = rounded.astype(np.float32)
        return samples


def noise_level(signal: Array) -> float:
    """Estimate the standard deviation of the noise, robustly against single loud sounds."""
    # The median of the absolute value of Gaussian noise is 0.6745 of its standard deviation. Every
    # seventh sample is enough for it.
    return float(np.median(np.abs(signal[::7])) / 0.6745)


def _draw_zeros(rng: Rng) -> Zeros:
    """Draw one to three stretches of zeros, or one in each period."""
    if rng.random() >= REGULAR_SHARE:
        phases = tuple(float(phase) for phase in rng.random(rng.integers(1, 4)))
        return Zeros(log_uniform(rng, 0.05, 3), None, phases)
    period_s = log_uniform(rng, 1, 30)
    return Zeros(log_uniform(rng, 0.002, min(3.0, 0.2 * period_s)), period_s, (rng.random(),))


def _draw_clicks(rng: Rng) -> Clicks:
    """Draw single clicks, or one in each period."""
    period_s = log_uniform(rng, 0.5, 10) if rng.random() < REGULAR_SHARE else None
    # Half are a single sample, whatever the rate.
    seconds = 0.0 if rng.random() < 0.5 else rng.uniform(0.001, 0.003)
    return Clicks(seconds, period_s, rng.uniform(10, 50))


def _add_clicks(rng: Rng, signal: Array, rate: int, clicks: Clicks) -> Array:
    """Add impulses: one in each period from a random time on, or one to four at random times."""
    size = max(1, samples_at(clicks.seconds, rate))
    last = len(signal) - size
    if clicks.period_s is None:
        starts = rng.integers(0, last + 1, size=rng.integers(1, 5))
    else:
        period = samples_at(clicks.period_s, rate)
        starts = np.arange(rng.integers(0, period), last + 1, period)
    level = noise_level(signal) * amplitude_factor(clicks.level_db)
    # Each is the same rectangle, or the same that swings back, and little stronger or weaker.
    shape = np.where(np.arange(size) < size / 2, 1.0, rng.choice([1.0, -1.0]))
    out = signal.copy()
    for start in starts:
        out[start : start + size] += level * rng.uniform(0.8, 1.2) * shape
    return out


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
