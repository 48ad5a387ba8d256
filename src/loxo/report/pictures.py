"""Spectrograms for pictures: level by time and frequency, with no more columns than are drawn.

A low and a high view differ in their windows (see `loxo.report`). Rumbles are drawn in the low
view, gunshots in the high one, and other labels in the low view if their sounds lie there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.signal.windows import hann

from loxo.events import EVENT_LABELS, Detection, Event
from loxo.spectrogram import SILENCE
from loxo.timeline import FrameGrid, ceil_div, samples_at

__all__ = [
    "COLUMNS",
    "LOW",
    "Array",
    "Picture",
    "View",
    "cell_power",
    "darkest_db",
    "high_view",
    "low_labels",
    "picture",
    "reduced",
    "tiling",
]

Array = NDArray[np.float32]

RUMBLE, GUNSHOT = EVENT_LABELS
COLUMNS = 1040
"""Most columns of a panel: its width in pixels."""


@dataclass(frozen=True, slots=True)
class View:
    """How a spectrogram is computed.

    Args:
        rate: sampling rate in hertz.
        window: samples of a window.
        top_hz: highest frequency that is shown.
        reduce: summarises the windows of a column, such as `numpy.mean`.
    """

    rate: int
    window: int
    top_hz: float
    reduce: Callable[..., Array]

    @property
    def bin_hz(self) -> float:
        """Distance between frequencies in hertz."""
        return self.rate / self.window

    @property
    def n_bins(self) -> int:
        """Number of frequencies from 0 to `top_hz`, both included."""
        return int(self.top_hz / self.bin_hz) + 1

    def shows(self, label: str, low_labels: Collection[str] = (RUMBLE,)) -> bool:
        """Whether sounds with this label are drawn in this view.

        Args:
            low_labels: labels of the low view; all others belong to the high one.
        """
        return (label in low_labels) == (self == LOW)


LOW = View(rate=500, window=240, top_hz=200.0, reduce=np.mean)


def low_labels(sounds: Iterable[Detection | Event]) -> frozenset[str]:
    """Labels of the low view: rumbles, and other labels whose sounds mostly lie below its top."""
    highest_hz: dict[str, list[float]] = defaultdict(list)
    for sound in sounds:
        # A faint gunshot may end below the top of the low view, but needs short windows.
        if sound.high_hz is not None and sound.label != GUNSHOT:
            highest_hz[sound.label].append(sound.high_hz)
    below = {label for label, tops in highest_hz.items() if np.median(tops) <= LOW.top_hz}
    return frozenset({RUMBLE, *below})


def high_view(rate: int) -> View:
    """The high view of a recording with a sampling rate in hertz."""
    shown = min(rate, 8000)
    return View(shown, max(16, samples_at(0.032, shown)), shown / 2, np.max)


@dataclass(frozen=True, slots=True)
class Picture:
    """A spectrogram, reduced to the columns of a panel.

    Args:
        level_db: `(column, bin)` in decibels over the median of each bin; NaN in digital silence.
        start_s, end_s: of the sound; the last column may reach beyond its end.
        column_s: length of a column.
    """

    view: View
    level_db: Array
    start_s: float
    end_s: float
    column_s: float


def picture(
    blocks: Iterable[Array],
    view: View,
    n_samples: int,
    *,
    columns: int = COLUMNS,
    start_s: float = 0.0,
) -> Picture:
    """Compute the picture of consecutive blocks of samples, in constant memory.

    Args:
        blocks: `(sample,)` at `view.rate`.
        n_samples: expected number of samples; with fewer the picture ends early.
        columns: most columns of the picture.
        start_s: time of the first sample.
    """
    step, per_column = tiling(n_samples, view.window, columns)
    power = reduced(cell_power(blocks, view, step), per_column, view.reduce)
    grid = FrameGrid(view.rate, step * per_column)
    length_s = min(FrameGrid(view.rate, 1).start_s(n_samples), grid.start_s(len(power)))
    return Picture(view, over_median_db(power), start_s, start_s + length_s, grid.frame_s)


def tiling(n_samples: int, window: int, columns: int) -> tuple[int, int]:
    """Choose the samples from window to window, and the windows in a column.

    All samples lie in `columns` columns or fewer, and every sample lies in a window.
    """
    per_column = max(1, ceil_div(n_samples, columns * window))
    return max(1, window // 8, ceil_div(n_samples, columns * per_column)), per_column


def cell_power(blocks: Iterable[Array], view: View, step: int) -> Iterator[Array]:
    """Compute the power `(cell, bin)` in windows that are centred on cells of `step` samples.

    White noise has its variance in each bin.
    """
    taper = hann(view.window, sym=False)
    taper = (taper / np.sqrt((taper**2).sum())).astype(np.float32)
    waiting = np.empty(0, np.float32)
    for piece in _pad_with_silence(blocks, view.window, step):
        waiting = np.concatenate((waiting, piece))
        if len(waiting) >= view.window:
            windows = sliding_window_view(waiting, view.window)[::step]
            spectrum = scipy.fft.rfft(windows * taper)[:, : view.n_bins]
            yield spectrum.real**2 + spectrum.imag**2
            waiting = waiting[len(windows) * step :]


def _pad_with_silence(blocks: Iterable[Array], window: int, step: int) -> Iterator[Array]:
    """Add silence, so that the outermost windows are centred on the outermost cells."""
    before = (window - step) // 2
    n_samples = 0
    yield np.zeros(before, np.float32)
    for block in blocks:
        n_samples += len(block)
        yield block
    yield np.zeros((ceil_div(n_samples, step) - 1) * step + window - before - n_samples, np.float32)


def reduced(cells: Iterable[Array], per_column: int, reduce: Callable[..., Array]) -> Array:
    """Summarise cells in columns `(column, bin)` of `per_column` cells; the last may have fewer."""
    columns: list[Array] = []
    waiting: Array | None = None
    for piece in cells:
        waiting = piece if waiting is None else np.concatenate((waiting, piece))
        whole, n_bins = len(waiting) // per_column, waiting.shape[1]
        columns.append(
            reduce(waiting[: whole * per_column].reshape(whole, per_column, n_bins), axis=1)
        )
        waiting = waiting[whole * per_column :]
    if waiting is not None and len(waiting):
        columns.append(reduce(waiting, axis=0, keepdims=True))
    return np.concatenate(columns) if columns else np.empty((0, 0), np.float32)


def over_median_db(power: Array) -> Array:
    """Convert power `(column, bin)` to decibels over the median of each bin.

    Columns of digital silence become NaN and do not count in the median.
    """
    audible = (power > SILENCE).any(axis=1)
    level = 10 * np.log10(np.maximum(power, np.float32(SILENCE)))
    level[~audible] = np.nan
    if audible.any():
        level -= np.median(level[audible], axis=0)
    return level


def darkest_db(level_db: Array) -> float:
    """Choose the level that is drawn black: that of the loudest 0.5 %, but at least 12 dB.

    A lower one would draw noise black.
    """
    audible = level_db[np.isfinite(level_db)]
    return float(np.clip(np.percentile(audible, 99.5), 12.0, 30.0)) if len(audible) else 12.0
