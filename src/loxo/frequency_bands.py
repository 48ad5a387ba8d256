"""The frequency band of a detection: where its power rises above that of its surroundings.

    frames   | surroundings |   detection   | surroundings |
                  1 s                             1 s         without frames of other detections

The **excess** of a band of the front end is its mean power in the frames of the detection, less
its mean power in the surroundings, and less what chance may give, which is two standard deviations:
a mean of n independent values of noise power has one of `1 / sqrt(n)` of itself (P. D. Welch, "The
use of fast Fourier transform for the estimation of power spectra", 1967), and a band of B hertz has
B independent values a second. The frequency band of the detection leaves out the lowest and the
highest 5 % of the energy of the excess. The simulator defines the bands of its events in the same
way, by the energy of the sound alone.

Features are relative to the noise floor of each band, and the floor itself is not kept. Outdoor
noise falls by about 3 dB an octave, so its power is about the same in every octave. Hence energy is
relative power times the width of the band in octaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from loxo.scoring import SURROUNDINGS_S, Scores, dequantize
from loxo.spectrogram import FrontEnd

__all__ = ["EnergyBands", "energy_bands", "frequency_extents", "quantile_bands"]

Values = NDArray[np.float64]
Runs = NDArray[np.int64]
"""Runs of frames `(run, 2)`: the first frame, and the one after the last."""

POWER_OF_CODE = (np.float32(10) ** dequantize(np.arange(256, dtype=np.uint8))).astype(np.float32)
"""Power relative to the floor of each code of `quantize`."""
OUTSIDE_SHARE = 0.05
"""Share of the energy below a detection's band, and above it."""
CHANCE_DEVIATIONS = 2.0
"""Standard deviations of noise that chance may give. With fewer, faint single lines get bands that
are too wide; with more, the harmonics of faint calls are lost (benchmarks/decision.py)."""
NOISE_POWER = 1.8
"""Mean power of noise relative to its floor, where a detection has no surroundings. The floor is a
mean of log power, which is `exp(0.577)` below the log of the mean power in noise."""


@dataclass(frozen=True, slots=True, eq=False)
class EnergyBands:
    """Bands that divide the frequencies of a front end, so that no energy is counted twice.

    Args:
        weights: share of each row of features in the power of each band `(row, band)`.
        edges_hz: limits of the bands in hertz, ascending `(band + 1,)`.
    """

    weights: Values
    edges_hz: Values

    @property
    def width_hz(self) -> Values:
        """Width of each band in hertz `(band,)`."""
        return np.diff(self.edges_hz)


@lru_cache(maxsize=8)
def energy_bands(front_end: FrontEnd) -> EnergyBands:
    """Take bands of long windows at low frequencies, and of short windows at high ones.

    Where a front end has both, those of long windows count up to the middle. A band extends half
    the way to its neighbours.
    """
    long_hz, short_hz = (np.array(part.centres_hz) for part in (front_end.long, front_end.short))
    middle_hz = (long_hz[-1] + short_hz[0]) / 2
    used = np.concatenate((long_hz <= middle_hz, short_hz > middle_hz))
    centres_hz = np.concatenate((long_hz, short_hz))[used]
    between_hz = (centres_hz[1:] + centres_hz[:-1]) / 2
    lowest_hz = max(centres_hz[0] / 2, 1.5 * centres_hz[0] - 0.5 * centres_hz[1])
    highest_hz = 1.5 * centres_hz[-1] - 0.5 * centres_hz[-2]
    # A frame may hold several windows, whose rows follow one another.
    parts = (front_end.long, front_end.short)
    rows = np.concatenate(
        [np.tile(np.arange(len(part.centres_hz)), part.per_frame) for part in parts]
    )
    rows[len(long_hz) * front_end.long.per_frame :] += len(long_hz)
    shares = np.repeat(
        [1 / part.per_frame for part in parts],
        [len(part.centres_hz) * part.per_frame for part in parts],
    )
    weights = np.zeros((len(rows), len(used)))
    weights[np.arange(len(rows)), rows] = shares
    edges_hz = np.concatenate(([lowest_hz], between_hz, [highest_hz]))
    return EnergyBands(weights[:, used], edges_hz)


def frequency_extents(
    scores: Scores,
    front_end: FrontEnd,
    runs: Runs,
    active: NDArray[np.bool_],
    limits_hz: tuple[float, float],
) -> Values:
    """Measure the frequency bands of runs of frames.

    Args:
        scores: of a recording or a segment; what is kept of the runs and of the frames within
            `SURROUNDINGS_S` of them is used.
        runs: frames of the recording `(run, 2)`, in any order.
        active: whether each frame of `scores` belongs to a run of the label `(frame,)`. Other
            frames are surroundings.
        limits_hz: frequencies in which the band is looked for.

    Returns:
        Lowest and highest frequency in hertz `(run, 2)`; the limits where nothing rises.
    """
    bands = energy_bands(front_end)
    grid, reach = scores.grid, scores.grid.frames(SURROUNDINGS_S)
    excess = np.zeros((len(runs), bands.weights.shape[1]))
    for row, (first, last) in enumerate(runs.tolist()):
        around = scores.kept_within(first - reach, last + reach)
        frames = scores.feature_frames[around]
        power = POWER_OF_CODE[scores.features[around]]
        inside = (frames >= first) & (frames < last)
        # A run may bridge a gap of frames that are not active. They are a part of it.
        outside = ~inside & ~active[frames - scores.start]
        if inside.any():
            excess[row] = _excess(power[inside], power[outside], bands, grid.frame_s)
    return quantile_bands(excess, bands.edges_hz, limits_hz)


def _excess(
    inside: NDArray[np.float32], outside: NDArray[np.float32], bands: EnergyBands, frame_s: float
) -> Values:
    """Power `(band,)` beyond what the surroundings and chance explain; zero if there is none.

    Args:
        inside, outside: power `(frame, row)` of a run, and of its surroundings.
        frame_s: length of a frame in seconds.
    """
    # A mean is that of one independent value at least, however short a frame is.
    independent = bands.width_hz * frame_s
    variance = 1 / np.maximum(1.0, len(inside) * independent)
    noise: Values | float = NOISE_POWER
    if len(outside):
        noise = outside.mean(axis=0, dtype=np.float64) @ bands.weights
        variance += 1 / np.maximum(1.0, len(outside) * independent)
    chance = CHANCE_DEVIATIONS * np.sqrt(variance)
    own = inside.mean(axis=0, dtype=np.float64) @ bands.weights
    excess: Values = np.maximum(own - noise * (1 + chance), 0.0)
    return excess


def quantile_bands(excess: Values, edges_hz: Values, limits_hz: tuple[float, float]) -> Values:
    """Find the frequencies between which most of the energy lies.

    Args:
        excess: power of each band, relative to a floor that is equal in all octaves `(run, band)`.
        edges_hz: limits of the bands in hertz, ascending `(band + 1,)`.
        limits_hz: frequencies outside of which energy does not count.

    Returns:
        Lowest and highest frequency in hertz `(run, 2)`; the limits where there is no energy.
    """
    found = np.tile(np.array(limits_hz), (len(excess), 1))
    lowest_hz = max(limits_hz[0], edges_hz[0])  # not zero, which has no logarithm
    edges = np.log2(np.clip(edges_hz, lowest_hz, max(lowest_hz, limits_hz[1])))
    energy = excess * np.diff(edges)
    total = energy.sum(axis=1)
    for run in np.flatnonzero(total > 0):
        cumulative = np.concatenate(([0.0], np.cumsum(energy[run])))
        shares = np.array([OUTSIDE_SHARE, 1 - OUTSIDE_SHARE]) * cumulative[-1]
        found[run] = 2 ** np.interp(shares, cumulative, edges)
    return found
