"""Samples -> pictures: level by time and frequency, in no more columns than are drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.signal.windows import hann

from loxo.events import EVENT_LABELS
from loxo.spectrogram import SILENCE
from loxo.timeline import FrameGrid, ceil_div, samples_at

__all__ = ["COLUMNS", "LOW", "Array", "Picture", "View", "cell_power", "darkest_db", "high_view", "picture", "reduced", "tiling"]

Array = NDArray[np.float32]

RUMBLE = EVENT_LABELS[0]
COLUMNS = 1040
"""Most columns of a panel, which is as many pixels wide."""


@dataclass(frozen=True, slots=True)
class View:
    """A way to look at samples of `rate`: power in windows of `window` samples, up to `top_hz`; `reduce` makes one column of several."""

    rate: int
    window: int
    top_hz: float
    reduce: Callable[..., Array]

    @property
    def bin_hz(self) -> float:
        """Distance of two frequencies."""
        return self.rate / self.window

    @property
    def n_bins(self) -> int:
        """Frequencies from 0 to `top_hz`, both included."""
        return int(self.top_hz / self.bin_hz) + 1

    def shows(self, label: str) -> bool:
        """Whether what has this label is drawn in this view."""
        return (label == RUMBLE) == (self == LOW)


LOW = View(rate=500, window=240, top_hz=200.0, reduce=np.mean)


def high_view(rate: int) -> View:
    """The high view of a recording of `rate`."""
    shown = min(rate, 8000)
    return View(shown, max(16, samples_at(0.032, shown)), shown / 2, np.max)


@dataclass(frozen=True, slots=True)
class Picture:
    """Level in dB `(column, bin)`, over the median of each bin; `nan` where there is digital silence.

    Args:
        end_s: of the sound; the last column may reach beyond it.
    """

    view: View
    level_db: Array
    start_s: float
    end_s: float
    column_s: float


def picture(blocks: Iterable[Array], view: View, n_samples: int, *, columns: int = COLUMNS, start_s: float = 0.0) -> Picture:
    """What consecutive blocks `(sample,)` of `view.rate` look like; no more is held than a block and the windows of one column.

    Args:
        n_samples: that are expected; there may be fewer, then the picture ends early.
        start_s: time of the first sample.
    """
    step, per_column = tiling(n_samples, view.window, columns)
    power = reduced(cell_power(blocks, view, step), per_column, view.reduce)
    grid = FrameGrid(view.rate, step * per_column)
    length_s = min(FrameGrid(view.rate, 1).start_s(n_samples), grid.start_s(len(power)))
    return Picture(view, over_median_db(power), start_s, start_s + length_s, grid.frame_s)


def tiling(n_samples: int, window: int, columns: int) -> tuple[int, int]:
    """Samples from one window to the next, and windows a column: `columns` or fewer hold all samples, and no sample is left out."""
    per_column = max(1, ceil_div(n_samples, columns * window))
    return max(1, window // 8, ceil_div(n_samples, columns * per_column)), per_column


def cell_power(blocks: Iterable[Array], view: View, step: int) -> Iterator[Array]:
    """Power `(cell, bin)` in the windows that are centred on cells of `step` samples; white noise has its variance in each bin."""
    taper = hann(view.window, sym=False)
    taper = (taper / np.sqrt((taper**2).sum())).astype(np.float32)
    waiting = np.empty(0, np.float32)
    for piece in _between_silence(blocks, view.window, step):
        waiting = np.concatenate((waiting, piece))
        if len(waiting) >= view.window:
            windows = sliding_window_view(waiting, view.window)[::step]
            spectrum = scipy.fft.rfft(windows * taper)[:, : view.n_bins]
            yield spectrum.real**2 + spectrum.imag**2
            waiting = waiting[len(windows) * step :]


def _between_silence(blocks: Iterable[Array], window: int, step: int) -> Iterator[Array]:
    """The blocks, with so much silence around them that the first window is centred on the first cell and the last on the last."""
    before = (window - step) // 2
    n_samples = 0
    yield np.zeros(before, np.float32)
    for block in blocks:
        n_samples += len(block)
        yield block
    yield np.zeros((ceil_div(n_samples, step) - 1) * step + window - before - n_samples, np.float32)


def reduced(cells: Iterable[Array], per_column: int, reduce: Callable[..., Array]) -> Array:
    """Columns `(column, bin)` of `per_column` cells each, the last one of those that are left."""
    columns: list[Array] = []
    waiting: Array | None = None
    for piece in cells:
        waiting = piece if waiting is None else np.concatenate((waiting, piece))
        whole, n_bins = len(waiting) // per_column, waiting.shape[1]
        columns.append(reduce(waiting[: whole * per_column].reshape(whole, per_column, n_bins), axis=1))
        waiting = waiting[whole * per_column :]
    if waiting is not None and len(waiting):
        columns.append(reduce(waiting, axis=0, keepdims=True))
    return np.concatenate(columns) if columns else np.empty((0, 0), np.float32)


def over_median_db(power: Array) -> Array:
    """Decibels over the median of each bin `(column, bin)`; columns of digital silence are `nan` and do not count."""
    heard = (power > SILENCE).any(axis=1)
    level = 10 * np.log10(np.maximum(power, np.float32(SILENCE)))
    level[~heard] = np.nan
    if heard.any():
        level -= np.median(level[heard], axis=0)
    return level


def darkest_db(level_db: Array) -> float:
    """The level that is black: of the loudest few cells, but not so low that noise alone is black."""
    heard = level_db[np.isfinite(level_db)]
    return float(np.clip(np.percentile(heard, 99.5), 12.0, 30.0)) if len(heard) else 12.0
