"""The level of a sound every hundredth of a second, from which the gunshots of a burst are counted.

A frame of a tenth of a second may hold two rounds of automatic fire, so frames cannot tell how many
there were. A **cell** can: its level is that of the samples of 10 ms, limited to 100-1,500 Hz,
where most of a gunshot's energy lies and neither rumbles nor insects disturb.

The filter is short, so that an onset stays within its cell: a sample minus the mean of the 10 ms
around it leaves out low frequencies, and a low-pass of nine taps leaves out high ones.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from loxo.spectrogram.front_end import FrontEnd
from loxo.spectrogram.numpy_front_end import SILENCE, frames_within
from loxo.timeline import ceil_div, samples_at

__all__ = [
    "CELL_S",
    "LEVEL_STEP_DB",
    "cells_per_frame",
    "dequantize_levels",
    "onset_levels",
    "quantize_levels",
]

CELL_S = 0.01
"""Longest cell in seconds; a frame has a whole number of cells."""
MEAN_S = 0.01
"""Length of the mean that is subtracted: zero at 100 Hz and its multiples, so these stay as they
are; 17 dB less is left at 30 Hz."""
HIGH_HZ = 1500.0
"""Frequency from which on the low-pass attenuates."""
LOW_PASS_TAPS = 9
LEVEL_STEP_DB = 0.5
"""Resolution of quantised levels."""
LOWEST_DB = 10.0 * float(np.log10(SILENCE))
"""Level of digital silence in decibels relative to full scale, which has code 0."""


def cells_per_frame(front_end: FrontEnd) -> int:
    """Number of cells in a frame, none of them longer than `CELL_S`."""
    return ceil_div(front_end.hop, samples_at(CELL_S, front_end.rate))


@lru_cache(maxsize=16)
def low_pass(rate: int) -> NDArray[np.float32]:
    """Taps `(tap,)` of the low-pass filter; a single one if the rate needs no filter."""
    if rate <= 2 * HIGH_HZ:
        return np.ones(1, np.float32)
    # As `scipy.signal.firwin` gives them, whose import takes a third of a second.
    position = np.arange(LOW_PASS_TAPS) - (LOW_PASS_TAPS - 1) / 2
    windowed = np.sinc(2 * HIGH_HZ / rate * position) * np.hamming(LOW_PASS_TAPS)
    taps: NDArray[np.float32] = (windowed / windowed.sum()).astype(np.float32)
    return taps


def onset_levels(padded: NDArray[np.float32], front_end: FrontEnd) -> NDArray[np.float32]:
    """Level `(frame, cell)` in decibels relative to full scale of the cells of frames.

    Args:
        padded: samples `(sample,)` of whole frames, with `front_end.margin` further samples at
            either side, as for `log_bands`.

    Raises:
        ValueError: if the samples between the margins are not whole frames.
    """
    n_frames = frames_within(padded, front_end)
    n_cells = cells_per_frame(front_end)
    if n_frames == 0:
        return np.zeros((0, n_cells), np.float32)
    width = samples_at(MEAN_S, front_end.rate) | 1  # odd, so that the mean is centred
    high = padded - uniform_filter1d(padded, width, mode="constant")
    band = np.convolve(high, low_pass(front_end.rate), mode="same")
    inside = band[front_end.margin : front_end.margin + n_frames * front_end.hop]
    squares = np.square(inside).reshape(n_frames, front_end.hop)
    edges = np.arange(n_cells + 1) * front_end.hop // n_cells
    power = np.add.reduceat(squares, edges[:-1], axis=1) / np.diff(edges)
    levels: NDArray[np.float32] = 10 * np.log10(np.maximum(power, SILENCE))
    return levels.astype(np.float32)


def quantize_levels(levels_db: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Round levels in decibels to one byte each: multiples of `LEVEL_STEP_DB` above silence."""
    steps = np.rint((levels_db - LOWEST_DB) / LEVEL_STEP_DB)
    codes: NDArray[np.uint8] = np.clip(steps, 0, 255).astype(np.uint8)
    return codes


def dequantize_levels(codes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Levels in decibels of the codes that `quantize_levels` gave."""
    levels: NDArray[np.float32] = codes.astype(np.float32) * np.float32(LEVEL_STEP_DB)
    return levels + np.float32(LOWEST_DB)
