"""The front end as explicit sums in double precision: one frame, one band, one bin at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.signal import firwin

from loxo.spectrogram import SILENCE, Bands, FrontEnd

Samples = NDArray[np.floating]


def spectrogram(waveform: Samples, front_end: FrontEnd) -> NDArray[np.float64]:
    """Bel above the floor `(band, frame)`."""
    rows = [
        row
        for bands in (front_end.long, front_end.short)
        for row in zip(*frames(waveform, front_end, bands), strict=True)
    ]
    return np.array([above_floor(row, front_end) for row in rows])


def frames(waveform: Samples, front_end: FrontEnd, bands: Bands) -> Iterator[list[float]]:
    """Log power of all bands of each frame: those of its first window, then those of its second."""
    part = front_end.hop // bands.per_frame
    for frame in range(math.ceil(len(waveform) / front_end.hop)):
        powers: list[float] = []
        for window in range(bands.per_frame):
            centre = frame * front_end.hop + window * part + part / 2
            spectrum = power(
                decimated(waveform, round(centre - bands.window / 2), bands), bands.tukey_taper
            )
            powers += [
                band_mean(spectrum, band, bands, front_end.rate)
                for band in range(len(bands.centres_hz))
            ]
        yield [math.log10(max(value, SILENCE)) for value in powers]


def excerpt(waveform: Samples, start: int, size: int) -> NDArray[np.float64]:
    """`size` samples from `start` on; zeros outside the waveform."""
    return np.array(
        [waveform[k] if 0 <= k < len(waveform) else 0.0 for k in range(start, start + size)]
    )


def decimated(waveform: Samples, start: int, bands: Bands) -> NDArray[np.float64]:
    """The decimated samples of a window that begins at `start`, each the sum of a low-pass filter
    over the samples around it."""
    if bands.decimation == 1:
        return excerpt(waveform, start, bands.window)
    taps = firwin(bands.n_taps, 1 / bands.decimation, window=("kaiser", 8.0)) * math.sqrt(
        bands.decimation
    )
    positions = range(start, start + bands.window, bands.decimation)
    return np.array(
        [np.dot(taps, excerpt(waveform, at - bands.n_taps // 2, bands.n_taps)) for at in positions]
    )


def power(samples: NDArray[np.float64], taper: float) -> list[float]:
    """Power of the windowed samples at each bin, by the sum that defines it; the window tapers
    over a share of its length."""
    size = len(samples)
    index = np.arange(size)
    ramp = taper * size / 2
    window = np.sin(np.pi / 2 * np.clip(np.minimum(index, size - index) / ramp, 0, 1)) ** 2
    windowed = samples * window / math.sqrt(sum(window**2))
    roots = np.exp(-2j * np.pi * index / size)
    return [
        float(abs(np.sum(windowed * roots[k * index % size])) ** 2) for k in range(size // 2 + 1)
    ]


def band_mean(spectrum: list[float], band: int, bands: Bands, rate: int) -> float:
    """Mean power under a triangle that falls to zero at the centres of the neighbours, but is at
    least one bin wide at either side."""
    centres = bands.centres_hz
    bin_hz = rate / bands.window
    below = centres[band] - centres[band - 1] if band > 0 else centres[1] - centres[0]
    above = (
        centres[band + 1] - centres[band] if band + 1 < len(centres) else centres[-1] - centres[-2]
    )
    total = weight = 0.0
    for k, value in enumerate(spectrum):
        offset = k * bin_hz - centres[band]
        height = max(0.0, 1 - abs(offset) / max(bin_hz, below if offset < 0 else above))
        total += height * value
        weight += height
    return total / weight


def above_floor(row: tuple[float, ...], front_end: FrontEnd) -> list[float]:
    """Bel above the floor of one band; silence is zero."""
    audible = [value > math.log10(SILENCE) + 0.01 for value in row]
    if front_end.floor_quantile is None:
        floor = running_mean(row, audible, front_end.floor_frames)
        cut = [min(pair) for pair in zip(row, floor, strict=True)]
        floor = running_mean(cut, audible, front_end.floor_frames)
    else:
        floor = quantile_floor(row, audible, front_end, front_end.floor_quantile)
    return [min(5.0, max(-2.0, row[k] - floor[k])) if audible[k] else 0.0 for k in range(len(row))]


def quantile_floor(
    row: tuple[float, ...], audible: list[bool], front_end: FrontEnd, quantile: float
) -> list[float]:
    """Quantile of the mean levels of the cells around each point, linear between points."""
    cell = max(1, front_end.floor_frames // 15)
    levels: list[float | None] = []
    for start in range(0, len(row), cell):
        known = [row[k] for k in range(start, min(start + cell, len(row))) if audible[k]]
        levels.append(sum(known) / len(known) if known else None)

    def at(point: int) -> float:
        first = 3 * point - 15
        around = [levels[k] for k in range(max(0, first), min(len(levels), first + 30))]
        known = [level for level in around if level is not None]
        return float(np.quantile(known, quantile)) if known else 0.0

    floor = []
    for frame in range(len(row)):
        point, beyond = divmod(frame, 3 * cell)
        share = beyond / (3 * cell)
        floor.append((1 - share) * at(point) + share * at(point + 1))
    return floor


def running_mean(
    row: tuple[float, ...] | list[float], audible: list[bool], reach: int
) -> list[float]:
    """Mean of the audible values up to `reach` frames away from each frame."""
    means = []
    for frame in range(len(row)):
        around = [
            row[k]
            for k in range(max(0, frame - reach), min(len(row), frame + reach + 1))
            if audible[k]
        ]
        means.append(sum(around) / len(around) if around else 0.0)
    return means
