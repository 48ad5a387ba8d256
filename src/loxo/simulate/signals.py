"""Building blocks of sounds: noise, harmonics of a gliding pitch, random curves, envelopes.

Conventions: a waveform is `(sample,)`, float64, of any level, since the scene sets levels.
Frequencies are in hertz, gains in decibels (dB). Random variation has a rate in seconds, not in
samples, so that a sound is the same at every sample rate. All randomness comes from the Generator
that is passed in.

Transforms use single precision, which is twice as fast. Its dynamic range of 140 dB is more than a
recorder has.
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
    "GainCurve",
    "Maker",
    "Rng",
    "coloured_noise",
    "filtered",
    "formants_db",
    "harmonics",
    "high_pass_db",
    "lines",
    "low_pass_db",
    "noise_bursts",
    "ramped_envelope",
    "random_curve",
    "unit_variance",
    "wavering_envelope",
]

Array = NDArray[np.float64]
Rng = np.random.Generator
Maker = Callable[[Rng, int], Array]
"""Makes one sound `(sample,)` from a Generator and a sample rate."""
GainCurve = Callable[[Array], Array]
"""Gain in dB of frequencies in Hz."""

LAST_DB = -40.0
"""Level of the highest harmonic of a source."""


def unit_variance(waveform: Array) -> Array:
    """Scale a waveform to a standard deviation of 1."""
    # The summand keeps silence silent instead of dividing by zero.
    scaled: Array = waveform / (waveform.std() + 1e-12)
    return scaled


def random_curve(rng: Rng, n: int, knots: int, low: float, high: float) -> Array:
    """Draw a curve of `n` values within `[low, high]`, of `knots` straight pieces."""
    return np.interp(
        np.linspace(0, knots, n), np.arange(knots + 1), rng.uniform(low, high, knots + 1)
    )


def filtered(waveform: Array, rate: int, gain_db: GainCurve) -> Array:
    """Change each frequency of a waveform by a gain, without a delay."""
    n = len(waveform)
    # Silence is appended: what the filter rings at the end does not wrap around to the start.
    padded = fft.next_fast_len(n + min(n, rate // 2), real=True)
    spectrum = fft.rfft(waveform.astype(np.float32), padded)
    spectrum *= _factors(gain_db, padded, rate)
    result: Array = fft.irfft(spectrum, padded)[:n].astype(float)
    return result


def coloured_noise(rng: Rng, n: int, rate: int, gain_db: GainCurve) -> Array:
    """Draw Gaussian noise `(sample,)` whose spectrum is that of white noise plus a gain."""
    padded = fft.next_fast_len(n, real=True)
    # Noise is drawn as a spectrum, which saves one of two transforms.
    spectrum = rng.standard_normal(2 * (padded // 2 + 1), dtype=np.float32).view(np.complex64)
    spectrum *= _factors(gain_db, padded, rate)
    result: Array = fft.irfft(spectrum, padded)[:n].astype(float)
    return result


def _factors(gain_db: GainCurve, padded: int, rate: int) -> Array:
    """Compute the amplitude factor of each bin of a transform of `padded` samples."""
    # Gain curves take logarithms of the frequency, so it must not be zero.
    frequency_hz = np.maximum(np.arange(padded // 2 + 1) * (rate / padded), 0.5)
    factors: Array = np.exp(gain_db(frequency_hz) * (np.log(10) / 20))
    return factors


def low_pass_db(frequency_hz: Array, corner_hz: float, slope_db: float) -> Array:
    """Compute the gain of a low-pass: 0 dB up to the corner, then falling by a slope per octave."""
    return -slope_db * np.maximum(np.log2(frequency_hz / corner_hz), 0.0)


def high_pass_db(frequency_hz: Array, corner_hz: float, slope_db: float) -> Array:
    """Compute the gain of a high-pass: 0 dB down to the corner, then falling per octave below."""
    return -slope_db * np.maximum(np.log2(corner_hz / frequency_hz), 0.0)


def formants_db(frequency_hz: Array, formants: Sequence[tuple[float, float, float]]) -> Array:
    """Compute the gain of the resonances of a vocal tract.

    Args:
        formants: centre in Hz, width in Hz and gain in dB of each resonance.
    """
    total_db = np.zeros_like(frequency_hz)
    for centre_hz, width_hz, gain_db in formants:
        total_db += gain_db / (1 + ((frequency_hz - centre_hz) / width_hz) ** 2)
    return total_db


def harmonics(rng: Rng, f0: Array, rate: int, limit_hz: float, spread_db: float = 3.0) -> Array:
    """Make a source whose harmonics have equal levels, up to a limit where they fade out.

    Harmonics fade from half of the limit on; the last one is at `LAST_DB`. Harmonics that ended all
    at once would draw an edge into the spectrogram, as no animal and no engine does.

    Args:
        f0: fundamental frequency in Hz `(sample,)`.
        limit_hz: frequency of the last harmonic.
        spread_db: standard deviation of the levels of single harmonics.
    """
    count = max(1, min(int(limit_hz / f0.mean()), int(0.98 * rate / f0.max())))
    if count * f0.max() > 0.45 * rate:
        # Harmonics reach half the rate. Make them at twice the rate and filter them as a recorder
        # does: otherwise all would end with the last whole harmonic.
        dense_f0 = np.interp(np.arange(2 * len(f0)) / 2, np.arange(len(f0)), f0)
        dense = _read_cycle(rng, dense_f0, 2 * rate, count, spread_db)
        decimated: Array = resample_poly(dense, 1, 2)
        return decimated
    return _read_cycle(rng, f0, rate, count, spread_db)


def _read_cycle(rng: Rng, f0: Array, rate: int, count: int, spread_db: float) -> Array:
    """Draw the levels and phases of `count` harmonics, and make them."""
    fading_db = LAST_DB * np.clip(2 * np.arange(1, count + 1) / count - 1, 0, 1)
    levels = 10 ** ((rng.normal(0, spread_db, count) + fading_db) / 20)
    return lines(f0, rate, levels * np.exp(2j * np.pi * rng.random(count)))


def lines(f0: Array, rate: int, amplitudes: NDArray[np.complex128]) -> Array:
    """Make harmonics of given amplitudes, read from a table of one cycle along the phase.

    The cost does not depend on the number of harmonics.

    Args:
        f0: fundamental frequency in Hz `(sample,)`.
        amplitudes: amplitude and phase of each harmonic `(harmonic,)`, from the first on.
    """
    count = len(amplitudes)
    # At least 64 points for the shortest period; a power of two makes the modulo a bit mask.
    size = 1 << (64 * count - 1).bit_length()
    spectrum = np.zeros(size // 2 + 1, complex)
    spectrum[1 : count + 1] = amplitudes
    cycle = fft.irfft(spectrum, size) * (size / 2)
    # Phase in points of the table; values between two points are interpolated.
    position = np.cumsum(f0) * (size / rate)
    whole = np.floor(position)
    index, part = whole.astype(np.int64) & (size - 1), position - whole
    source: Array = cycle[index] * (1 - part) + cycle[(index + 1) & (size - 1)] * part
    return source


def wavering_envelope(rng: Rng, n: int, rate: int, attack: float, release: float) -> Array:
    """Draw an envelope that rises, wavers and falls smoothly.

    In between, it wavers by 5 dB, three times a second.

    Args:
        attack, release: parts of the length over which it rises and falls.
    """
    position = np.linspace(0, 1, n)
    edge = np.clip(position / attack, 0, 1) * np.clip((1 - position) / release, 0, 1)
    wavering_db = random_curve(rng, n, max(3, samples_at(seconds_at(n, rate), 3)), -5, 0)
    return np.sin(0.5 * np.pi * edge) * 10 ** (wavering_db / 20)


def ramped_envelope(n: int, rate: int, seconds: float) -> Array:
    """Make an envelope of `n` samples that rises and falls linearly within `seconds`."""
    ramp = max(1, samples_at(seconds, rate))
    position = np.arange(n)
    return np.clip(np.minimum(position + 1, n - position) / ramp, 0, 1)


def noise_bursts(
    rng: Rng, n: int, rate: int, starts: NDArray[np.int64], seconds: tuple[float, float]
) -> Array:
    """Make bursts of white noise, each of which fades by 35 dB.

    Args:
        n: length of the result in samples; bursts are cut there.
        starts: first sample of each burst.
        seconds: range of the lengths of bursts.
    """
    out = np.zeros(n)
    for start in starts:
        length = max(4, samples_at(rng.uniform(*seconds), rate))
        level = rng.uniform(0.3, 1)
        burst = level * rng.standard_normal(length) * np.exp(-4 * np.linspace(0, 1, length))
        out[start : start + length] += burst[: max(0, n - start)]
    return out
