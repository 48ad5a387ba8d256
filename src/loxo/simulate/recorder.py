"""Recorders: what they hear, and how they write it.

- High-pass of microphone and amplifier: 12 dB an octave below 1-25 Hz.
- Low-pass ahead of sampling: from .78-1 of half the rate on, 40-300 dB an octave; what is set into the scene has its edge there too.
- Self-noise: rising by 3-6 dB an octave towards the lows (1/f noise of amplifiers).
- Automatic gain: in one recorder of twelve, the gain drops at loud sound and comes back at 4-40 dB a second, so a shot's tail can swell.
- Dropped samples: in one of thirty, a slow card leaves gaps of 1-40 ms.
- Coding: in one of eight, MP3 or the like has dropped weak cells of time and frequency, and at times all above a corner.
- A constant offset, clipping at full scale, rounding to 16 bits.

A recorder is drawn once for a place: `draw_recorder` gives `hear`, which works on one scene, and `digitise`, which needs a level.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.signal import istft, stft

from loxo.simulate.signals import Array, Rng, coloured_noise, high_pass_db, log_uniform, low_pass_db, normed, shaped
from loxo.timeline import ceil_div, samples_at

__all__ = ["Digitise", "Hear", "draw_recorder", "level_of"]

Hear = Callable[[Rng, Array], Array]
Digitise = Callable[[Array, float], NDArray[np.float32]]

GAIN_S = 0.01
"""Length of a step of automatic gain."""


def draw_recorder(rng: Rng, rate: int) -> tuple[Hear, Digitise]:
    """A recorder, as what it hears and how it writes that, given a level (gain, clipping, rounding to 16 bits)."""
    level_db = rng.uniform(-58, -28)
    corner_hz = log_uniform(rng, 1, 25)
    top_hz, top_slope_db = rng.uniform(0.78, 1) * rate / 2, log_uniform(rng, 40, 300)
    noise_db, noise_slope_db = (rng.uniform(-30, -8), rng.uniform(3, 6)) if rng.random() < 0.2 else (None, 0.0)
    coder_db = rng.uniform(-3, 10) if rng.random() < 0.12 else None
    limit, back_db_s = (log_uniform(rng, 4, 16), log_uniform(rng, 4, 40)) if rng.random() < 0.08 else (0.0, 0.0)
    drops = rng.random() < 0.03
    offset = rng.normal(0, 0.003)

    def hear(rng: Rng, mixture: Array) -> Array:
        heard = shaped(mixture, rate, lambda f: high_pass_db(f, corner_hz, 12) + low_pass_db(f, top_hz, top_slope_db))
        if noise_db is not None:
            own = coloured_noise(rng, len(heard), rate, lambda f: -noise_slope_db * np.log2(f / 100))
            heard = heard + normed(own) * level_of(heard) * 10 ** (noise_db / 20)
        if limit:
            heard = heard * _automatic_gain(heard, rate, limit, back_db_s)
        if coder_db is not None:
            heard = _coded(rng, heard, rate, coder_db)
        return _dropped(rng, heard, rate) if drops else heard

    def digitise(heard: Array, level: float) -> NDArray[np.float32]:
        signal = heard / (level + 1e-12) * 10 ** (level_db / 20) + offset
        rounded: NDArray[np.float32] = (np.round(np.clip(signal, -1, 1) * 32767) / 32768).astype(np.float32)
        return rounded

    return hear, digitise


def level_of(heard: Array) -> float:
    """A robust level, to which a recorder's gain is set: it does not follow one loud sound."""
    return float(np.median(np.abs(heard[::7])) / 0.6745)


def _automatic_gain(heard: Array, rate: int, limit: float, back_db_s: float) -> Array:
    """Gain `(sample,)` of at most 1, in steps: down at once where peaks are above `limit` levels, up by `back_db_s` a second."""
    size = samples_at(GAIN_S, rate)
    count = ceil_div(len(heard), size)
    peaks = np.abs(np.pad(heard, (0, count * size - len(heard)))).reshape(count, size).max(axis=1)
    over_db = np.maximum(0, 20 * np.log10(peaks / (limit * level_of(heard) + 1e-12) + 1e-12))
    # The least gain that no loud step before still holds down: a line back from each.
    slope = back_db_s * GAIN_S * np.arange(count)
    held_db = np.maximum.accumulate(over_db + slope) - slope
    return np.repeat(10 ** (-held_db / 20), size)[: len(heard)]


def _dropped(rng: Rng, heard: Array, rate: int) -> Array:
    """Gaps in which nothing was written."""
    out = heard.copy()
    for _ in range(rng.integers(1, 4)):
        length = samples_at(log_uniform(rng, 0.001, 0.04), rate)
        at = rng.integers(0, len(out) - length)
        out[at : at + length] = 0
    return out


def _coded(rng: Rng, waveform: Array, rate: int, threshold_db: float) -> Array:
    """What a coder at a low bit rate leaves: cells of time and frequency that are weaker than is usual are dropped.

    What is usual is a median over time: by a mean, one loud sound would silence all around it, and tell of itself.
    """
    size = 512 if rng.random() < 0.5 else 256
    _, _, cells = stft(waveform, rate, nperseg=size)
    power = np.abs(cells) ** 2
    level = np.median(power[:, ::3], axis=1, keepdims=True)
    kept = cells * (power > level * 10 ** (-threshold_db / 10) * rng.uniform(0.3, 2, size=(len(cells), 1)))
    if rng.random() < 0.3:
        kept[int(rng.uniform(0.5, 1) * len(kept)) :] = 0
    _, coded = istft(kept, rate, nperseg=size)
    return np.asarray(coded[: len(waveform)], dtype=float)
