"""What sounds are made of: noise of a colour, harmonics of a gliding pitch, curves that wander, envelopes.

A waveform is `(sample,)`, float64, of arbitrary level: the scene sets that. Frequencies are in Hz, gains in dB. What wavers does so by the
second and not by the sample, so that a sound is the same at every rate. All chance comes from the Generator that is passed in.
Transforms are of single precision, twice as fast: its 140 dB are more than a recorder has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.signal import resample_poly

from loxo.timeline import samples_at, seconds_at

__all__ = [
    "Array",
    "Rng",
    "coloured_noise",
    "formants_db",
    "harmonics",
    "high_pass_db",
    "log_uniform",
    "low_pass_db",
    "normed",
    "pulses",
    "shaped",
    "slow_curve",
    "swell",
    "tapered",
]

Array = NDArray[np.float64]
Rng = np.random.Generator

LAST_DB = -40.0
"""Level of the last harmonic of a source."""


def log_uniform(rng: Rng, low: float, high: float) -> float:
    """A number whose logarithm is drawn evenly."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def normed(waveform: Array) -> Array:
    """The waveform with a standard deviation of 1."""
    scaled: Array = waveform / (waveform.std() + 1e-12)
    return scaled


def slow_curve(rng: Rng, n: int, knots: int, low: float, high: float) -> Array:
    """A random curve of `n` values in [low, high] that bends `knots` times."""
    return np.interp(np.linspace(0, knots, n), np.arange(knots + 1), rng.uniform(low, high, knots + 1))


def shaped(waveform: Array, rate: int, gain_db: Callable[[Array], Array]) -> Array:
    """The waveform with each frequency changed by `gain_db`, without delay; the ends do not wrap."""
    n = len(waveform)
    padded = fft.next_fast_len(n + min(n, rate // 2), real=True)
    spectrum = fft.rfft(waveform.astype(np.float32), padded)
    spectrum *= _gain(gain_db, padded, rate)
    result: Array = fft.irfft(spectrum, padded)[:n].astype(float)
    return result


def coloured_noise(rng: Rng, n: int, rate: int, gain_db: Callable[[Array], Array]) -> Array:
    """Gaussian noise whose spectrum is white plus `gain_db`."""
    padded = fft.next_fast_len(n, real=True)
    spectrum = rng.standard_normal(2 * (padded // 2 + 1), dtype=np.float32).view(np.complex64)
    spectrum *= _gain(gain_db, padded, rate)
    result: Array = fft.irfft(spectrum, padded)[:n].astype(float)
    return result


def _gain(gain_db: Callable[[Array], Array], padded: int, rate: int) -> Array:
    """Factor of each bin of a transform of `padded` samples."""
    frequency = np.maximum(np.arange(padded // 2 + 1) * (rate / padded), 0.5)
    factor: Array = np.exp(gain_db(frequency) * (np.log(10) / 20))
    return factor


def low_pass_db(frequency: Array, corner_hz: float, slope_db: float) -> Array:
    """Zero below the corner, falling by `slope_db` an octave above it."""
    return -slope_db * np.maximum(np.log2(frequency / corner_hz), 0.0)


def high_pass_db(frequency: Array, corner_hz: float, slope_db: float) -> Array:
    """Zero above the corner, falling by `slope_db` an octave below it."""
    return -slope_db * np.maximum(np.log2(corner_hz / frequency), 0.0)


def formants_db(frequency: Array, formants: Sequence[tuple[float, float, float]]) -> Array:
    """Resonances of a vocal tract, each a centre in Hz, a width in Hz and a gain in dB."""
    out = np.zeros_like(frequency)
    for centre_hz, width_hz, gain_db in formants:
        out += gain_db / (1 + ((frequency - centre_hz) / width_hz) ** 2)
    return out


def harmonics(rng: Rng, f0: Array, rate: int, limit_hz: float, spread_db: float = 3.0) -> Array:
    """A source of equal harmonics, give or take `spread_db`, of a fundamental `(sample,)`; they fade from half of the limit on.

    The last one is `LAST_DB` down: harmonics that end together draw an edge, which no animal and no engine does.
    One cycle is drawn as a table and read along the phase, so the cost does not depend on how many harmonics there are. Where they reach
    half the rate it is read twice as densely and filtered as a recorder does, so that they do not all end with the last whole one.
    """
    count = max(1, min(int(limit_hz / f0.mean()), int(0.98 * rate / f0.max())))
    if count * f0.max() > 0.45 * rate:
        twice = np.interp(np.arange(2 * len(f0)) / 2, np.arange(len(f0)), f0)
        dense: Array = resample_poly(_read(rng, twice, 2 * rate, count, spread_db), 1, 2)
        return dense
    return _read(rng, f0, rate, count, spread_db)


def _read(rng: Rng, f0: Array, rate: int, count: int, spread_db: float) -> Array:
    """A cycle of `count` harmonics, read along the phase of the fundamental."""
    size = 1 << (64 * count - 1).bit_length()
    spectrum = np.zeros(size // 2 + 1, complex)
    fading_db = LAST_DB * np.clip(2 * np.arange(1, count + 1) / count - 1, 0, 1)
    spectrum[1 : count + 1] = 10 ** ((rng.normal(0, spread_db, count) + fading_db) / 20) * np.exp(2j * np.pi * rng.random(count))
    cycle = fft.irfft(spectrum, size) * (size / 2)
    position = np.cumsum(f0) * (size / rate)
    whole = np.floor(position)
    index, part = whole.astype(np.int64) & (size - 1), position - whole
    around: Array = cycle[index] * (1 - part) + cycle[(index + 1) & (size - 1)] * part
    return around


def swell(rng: Rng, n: int, rate: int, attack: float, release: float) -> Array:
    """Envelope that rises over `attack` and falls over `release` of its length, and wavers between by 5 dB, three times a second."""
    position = np.linspace(0, 1, n)
    edge = np.clip(position / attack, 0, 1) * np.clip((1 - position) / release, 0, 1)
    wavering_db = slow_curve(rng, n, max(3, samples_at(seconds_at(n, rate), 3)), -5, 0)
    return np.sin(0.5 * np.pi * edge) * 10 ** (wavering_db / 20)


def tapered(n: int, rate: int, seconds: float) -> Array:
    """Envelope of `n` samples that rises and falls in a line within `seconds`."""
    ramp = max(1, samples_at(seconds, rate))
    position = np.arange(n)
    return np.clip(np.minimum(position + 1, n - position) / ramp, 0, 1)


def pulses(rng: Rng, n: int, rate: int, starts: NDArray[np.int64], seconds: tuple[float, float]) -> Array:
    """Bursts of white noise that begin at samples `starts`, each fading by 35 dB over a length of its own; what passes the end is cut."""
    out = np.zeros(n)
    for at in starts:
        length = max(4, samples_at(rng.uniform(*seconds), rate))
        burst = rng.uniform(0.3, 1) * rng.standard_normal(length) * np.exp(-4 * np.linspace(0, 1, length))
        out[at : at + length] += burst[: max(0, n - at)]
    return out
