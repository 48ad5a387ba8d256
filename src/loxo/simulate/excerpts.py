"""The extent of a sound in time and frequency, and excerpts of it.

An **extent** is a pair of samples `[first, last)` within which the power of a sound is near its
peak.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from loxo.acoustics import amplitude_factor, log_uniform
from loxo.simulate.signals import Array, Rng, coloured_noise, ramped_envelope, unit_variance
from loxo.timeline import samples_at

__all__ = [
    "Fit",
    "draw_excerpt",
    "draw_recorded",
    "extent",
    "extents",
    "fade_to_length",
    "fit_to_noise",
]

ENVELOPE_S = 0.04
"""Length of the cells over which power is averaged."""
PART_SHARE, SHOT_PART_SHARE = 0.4, 0.15
"""Share of excerpts that hold only a part of the sound: a part with the loudest moment of a call,
and a part with the onset of a gunshot."""
SHORTEST_PART_S = 0.25
EDGE_S = 0.005
"""Time in which an excerpt rises from silence and falls to it."""
RECORDED_S = (0.15, 6.0)
"""Range of the lengths of excerpts of real recordings."""


def extent(sound: Array, rate: int, drop_db: float) -> tuple[int, int]:
    """Find the first and last sample at which the smoothed power is near its peak.

    Args:
        drop_db: how far the power may lie below the peak.
    """
    found = extents(sound, rate, drop_db, np.inf)
    return found[0][0], found[-1][1]


def extents(sound: Array, rate: int, drop_db: float, pause_s: float) -> list[tuple[int, int]]:
    """Find all extents of a sound that are apart by a pause, in order.

    Args:
        drop_db: how far the power may lie below the peak.
        pause_s: shortest pause between two extents.
    """
    size = samples_at(ENVELOPE_S, rate)
    cumulative = np.concatenate([np.zeros(1), np.cumsum(sound**2)])
    # Powers of cells are differences of the cumulative energy; the last cell may be shorter.
    edges = np.arange(0, len(sound) + size, size).clip(max=len(sound))
    powers = np.diff(cumulative[edges])
    # The first summand is above the rounding of the cumulative sum.
    threshold = cumulative[-1] * 1e-12 + powers.max() * 10 ** (-drop_db / 10)
    loud = np.flatnonzero(powers > threshold)
    groups = np.split(loud, 1 + np.flatnonzero(np.diff(loud) - 1 >= pause_s / ENVELOPE_S))
    return [(int(edges[group[0]]), int(edges[group[-1] + 1])) for group in groups]


def draw_excerpt(
    rng: Rng,
    sound: Array,
    rate: int,
    *,
    shot: bool,
    recordings: Sequence[NDArray[np.float32]] = (),
) -> Array:
    """Cut a sound at both ends, and add the noise of the place where it was recorded.

    Args:
        shot: keep the onset in any case, as gunshots are not recognised without.
        recordings: real recordings `(sample,)` whose noise half of the excerpts have. Otherwise
            only look-alikes would have the noise of real recordings, and give themselves away.
    """
    first, last = extent(sound, rate, float(rng.uniform(18, 40)))
    if rng.random() < (SHOT_PART_SHARE if shot else PART_SHARE):
        first, last = draw_part(rng, sound, (first, last), rate, onset=shot)
    # Some time before the sound is kept, as a person who cuts it does.
    lead_n = samples_at(rng.uniform(0, 0.1), rate)
    body = sound[max(0, first - lead_n) : last]
    slope_db = rng.uniform(-8, 2)
    if recordings and rng.random() < 0.5:
        piece = _piece(rng, len(body), recordings)
        noise = unit_variance(np.resize(piece, len(body)))
    else:
        noise = unit_variance(
            coloured_noise(
                rng, len(body), rate, lambda f: slope_db * np.log2(np.maximum(f, 20) / 100)
            )
        )
    noisy = body + noise * body.std() * amplitude_factor(rng.uniform(-40, -10))
    excerpt: Array = noisy * ramped_envelope(len(body), rate, EDGE_S)
    return excerpt


def draw_part(
    rng: Rng, sound: Array, whole: tuple[int, int], rate: int, *, onset: bool
) -> tuple[int, int]:
    """Draw a part of an extent that holds the loudest moment of the sound.

    Args:
        whole: extent of the sound; each octave of the part's length is equally likely.
        onset: let the part begin where the extent does.
    """
    first, last = whole
    loudest_first, loudest_last = (min(max(edge, first), last) for edge in extent(sound, rate, 0.1))
    shortest = min(last - first, samples_at(SHORTEST_PART_S, rate))
    n = max(loudest_last - loudest_first, round(log_uniform(rng, shortest, last - first)))
    if onset:
        return first, min(last, max(loudest_last, first + n))
    earliest, latest = max(first, loudest_last - n), min(loudest_first, last - n)
    # The part may start anywhere, as long as it holds the loudest moment.
    start = int(rng.integers(earliest, latest + 1))
    return start, start + n


def fade_to_length(sound: Array, n: int, rate: int) -> Array:
    """Fade a sound out if it is longer than `n` samples."""
    if len(sound) <= n:
        return sound
    # The last second fades linearly: a sound that is cut would end with a click.
    fade_n = min(n, samples_at(1, rate))
    return sound[:n] * np.minimum(1, np.arange(n, 0, -1) / fade_n)


def draw_recorded(rng: Rng, rate: int, recordings: Sequence[NDArray[np.float32]]) -> Array:
    """Cut a piece `(sample,)` of one of some real recordings, with abrupt or soft ends.

    Args:
        recordings: waveforms `(sample,)` at the rate; a short one is taken whole.
    """
    whole = _piece(rng, samples_at(log_uniform(rng, *RECORDED_S), rate), recordings)
    edge_s = log_uniform(rng, EDGE_S, 0.5)
    piece: Array = whole * ramped_envelope(len(whole), rate, edge_s)
    # Digital silence cannot be given a level.
    return piece if piece.any() else rng.standard_normal(len(piece))


def _piece(rng: Rng, n: int, recordings: Sequence[NDArray[np.float32]]) -> Array:
    """Cut `n` samples, or fewer, of one of some recordings; all of their seconds are as likely."""
    lengths = np.array([len(recording) for recording in recordings])
    recording = recordings[int(rng.choice(len(recordings), p=lengths / lengths.sum()))]
    n = min(len(recording), n)
    start = int(rng.integers(len(recording) - n + 1))
    return recording[start : start + n].astype(float)


class Fit(NamedTuple):
    """Band of a sound in Hz, and the factor of its amplitude that gives it a level."""

    low_hz: float
    high_hz: float
    gain: float


def fit_to_noise(sound: Array, noise: Array, rate: int, snr_db: float) -> Fit:
    """Find the band of a sound, and the gain that gives it a signal-to-noise ratio.

    Args:
        sound: `(sample,)`.
        noise: `(sample,)`, what surrounds it; it may be shorter.
        snr_db: ratio of the mean powers within the band that holds 90 % of the sound's energy.
    """
    # At least a second, so that bins are not wider than 1 Hz.
    n = fft.next_fast_len(max(len(sound), rate), real=True)
    energy = np.abs(fft.rfft(sound.astype(np.float32), n)).astype(float) ** 2
    share = np.cumsum(energy) / energy.sum()
    low, high = int(np.searchsorted(share, 0.05)), int(np.searchsorted(share, 0.95))
    # A pure tone has a band as well: at least 4 Hz wide.
    low, high = max(0, low - 1), max(high, low + samples_at(4.0 * n / rate, 1))
    # A Hann window keeps strong low frequencies of the noise from leaking into the band; the
    # factor restores the mean power.
    window = np.hanning(len(noise)) * np.sqrt(8 / 3)
    noise_energy = np.abs(fft.rfft((noise * window).astype(np.float32), n)) ** 2
    bin_hz = rate / n
    band = slice(low, high + 1)
    ratio = noise_energy[band].sum() / energy[band].sum() * len(sound) / len(noise)
    gain = float(np.sqrt(10 ** (snr_db / 10) * ratio))
    return Fit(low * bin_hz, (high + 1) * bin_hz, gain)
