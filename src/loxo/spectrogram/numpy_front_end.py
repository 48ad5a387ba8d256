"""The NumPy implementation of the front end, and the tables that both implementations use.

Detection calls `log_bands` on blocks of samples and `subtract_floor` on blocks of frames.
`spectrogram` applies both to a whole waveform.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from loxo.spectrogram.front_end import FLOOR_CELLS, FLOOR_STEP, Bands, FrontEnd
from loxo.timeline import ceil_div

__all__ = [
    "HIGHEST_BEL",
    "LOWEST_BEL",
    "SILENCE",
    "SILENCE_BEL",
    "band_tables",
    "decimation_table",
    "filter_bank",
    "frames_within",
    "log_bands",
    "spectrogram",
    "subtract_floor",
]

Array = NDArray[np.float32]

SILENCE = 1e-13
"""Power below which a band holds no sound: about a thousandth of the rounding noise of 16-bit
samples (1/12 of a squared step, 8e-11)."""
SILENCE_BEL = float(np.log10(SILENCE)) + 0.01
"""Log power up to which a band is silent: log10(SILENCE), with a tolerance for rounding."""
LOWEST_BEL, HIGHEST_BEL = -2.0, 5.0
"""Limits of the features: 20 dB below the floor and 50 dB above it."""
VALUES_AT_A_TIME = 60_000
"""Samples of windows that are transformed at a time, so that they and their spectra stay in the
cache of a core."""
FILTER_OUTPUTS = 32
"""Decimated samples per row of the filter's matrix product. More would multiply more zeros; fewer
would make the matrices too small to be fast. The filter is shorter than this many decimated
samples, so that a row depends on itself and the next row only."""


def filter_bank(bands: Bands, rate: int) -> Array:
    """Triangular weights `(bin, band)` on a power spectrum; each column sums to 1.

    A triangle falls to zero at the centres of its neighbours, but is at least one bin wide at
    either side: a narrower band would contain no bin.
    """
    centres = np.array(bands.centres_hz)
    bin_hz = rate / bands.window
    gaps = np.diff(
        centres,
        prepend=2 * centres[0] - centres[1],
        append=2 * centres[-1] - centres[-2],
    )
    gaps = np.maximum(gaps, bin_hz)
    offset = np.arange(bands.window // bands.decimation // 2 + 1)[:, None] * bin_hz - centres
    distance = np.where(offset < 0, -offset / gaps[:-1], offset / gaps[1:])
    weights = np.maximum(0.0, 1.0 - distance)
    bank: Array = (weights / weights.sum(axis=0)).astype(np.float32)
    return bank


def tukey_window(length: int, taper: float = 1.0) -> Array:
    """Periodic Tukey window `(sample,)`, scaled to keep the power of white noise.

    White noise of variance v has power v in every bin of its spectrum.

    Args:
        length: samples of the window.
        taper: share of the window that is tapered; 1 is a Hann window.
    """
    position = np.arange(length)
    from_end = np.minimum(position, length - position) / (taper * length / 2)
    window = 0.5 - 0.5 * np.cos(np.pi * np.minimum(from_end, 1))
    scaled: Array = (window / np.sqrt((window**2).sum())).astype(np.float32)
    return scaled


@lru_cache(maxsize=16)
def band_tables(bands: Bands, rate: int) -> tuple[Array, Array]:
    """Window `(sample,)` and filter bank `(bin, band)`, without the bins above the last band."""
    bank = filter_bank(bands, rate)
    used = int(np.flatnonzero(bank.any(axis=1))[-1]) + 1
    return tukey_window(bands.window // bands.decimation, bands.tukey_taper), bank[:used]


@lru_cache(maxsize=16)
def decimation_table(bands: Bands) -> Array:
    """The low-pass filter as a matrix `(sample, decimated sample)`.

    A row of samples times this matrix is `FILTER_OUTPUTS` decimated samples. The filter is a sinc
    in a Kaiser window. White noise keeps its variance, so that the power of bands equals that of
    windows of all samples.
    """
    position = np.arange(bands.n_taps) - bands.n_taps // 2
    taps = np.sinc(position / bands.decimation) * np.kaiser(bands.n_taps, 8.0)
    taps *= np.sqrt(bands.decimation) / taps.sum()
    n_rows = (FILTER_OUTPUTS - 1) * bands.decimation + bands.n_taps
    table = np.zeros((n_rows, FILTER_OUTPUTS), np.float32)
    for column in range(FILTER_OUTPUTS):
        first = column * bands.decimation
        table[first : first + bands.n_taps, column] = taps
    return table


def frames_within(padded: Array, front_end: FrontEnd) -> int:
    """Number of frames between the margins of samples `(sample,)`.

    Raises:
        ValueError: if the samples between the margins are not whole frames.
    """
    n_frames, rest = divmod(len(padded) - 2 * front_end.margin, front_end.hop)
    if rest or n_frames < 0:
        raise ValueError(
            f"{len(padded)} samples are not whole frames of {front_end.hop}"
            f" and two margins of {front_end.margin}"
        )
    return n_frames


def log_bands(padded: Array, front_end: FrontEnd) -> Array:
    """Log power `(frame, band)` in bel of the frames of a waveform.

    Args:
        padded: samples `(sample,)` of whole frames, with `front_end.margin` further samples at
            either side.

    Raises:
        ValueError: if the samples between the margins are not whole frames.
    """
    n_frames = frames_within(padded, front_end)
    out = np.empty((n_frames, front_end.n_bands), np.float32)
    if n_frames == 0:
        return out
    column = 0
    for bands in (front_end.long, front_end.short):
        width = len(bands.centres_hz) * bands.per_frame
        band_power(padded, front_end, bands, out[:, column : column + width])
        column += width
    np.maximum(out, np.float32(SILENCE), out=out)
    return np.log10(out, out=out)


def band_power(padded: Array, front_end: FrontEnd, bands: Bands, out: Array) -> None:
    """Write the power of bands on one length of windows into `out` `(frame, band)`."""
    taper, bank = band_tables(bands, front_end.rate)
    samples = padded[front_end.margin - front_end.reach(bands) :]
    if bands.decimation > 1:
        samples = decimated(samples, bands)
    hop = front_end.hop // bands.per_frame // bands.decimation
    windows = sliding_window_view(samples, len(taper))[::hop]

    # All arrays are allocated once and reused, so that they stay in the cache.
    n_frames = max(1, VALUES_AT_A_TIME // len(taper) // bands.per_frame)
    n_windows = n_frames * bands.per_frame
    tapered = np.empty((n_windows, len(taper)), np.float32)
    squares = np.empty((n_windows, 2 * len(bank)), np.float32)
    power = np.empty((n_windows, len(bank)), np.float32)
    for start in range(0, len(out), n_frames):
        stop = min(len(out), start + n_frames)
        rows = (stop - start) * bands.per_frame
        first = start * bands.per_frame
        np.multiply(windows[first : first + rows], taper, out=tapered[:rows])
        spectrum = scipy.fft.rfft(tapered[:rows], overwrite_x=True)
        # A complex number is its real and its imaginary part side by side. They are added before
        # the product with the bank, which would otherwise be twice as large.
        np.square(spectrum.view(np.float32)[:, : 2 * len(bank)], out=squares[:rows])
        np.add(squares[:rows, ::2], squares[:rows, 1::2], out=power[:rows])
        out[start:stop] = (power[:rows] @ bank).reshape(stop - start, -1)


def decimated(samples: Array, bands: Bands) -> Array:
    """Low-pass filter `(sample,)` and keep every `bands.decimation`-th sample.

    The first and the last result are those whose filter lies wholly inside `samples`.
    """
    table = decimation_table(bands)
    n_out = max(0, (len(samples) - bands.n_taps) // bands.decimation + 1)
    n_rows, step = ceil_div(n_out, FILTER_OUTPUTS), FILTER_OUTPUTS * bands.decimation
    n_used = (n_rows + 1) * step
    rows = np.pad(samples, (0, max(0, n_used - len(samples))))[:n_used].reshape(-1, step)
    # Rows and what the filter needs of the next rows are multiplied separately: two products of
    # contiguous rows cost less than one product of overlapping rows, which would be copied.
    out = rows[:-1] @ table[:step]
    out += rows[1:, : len(table) - step] @ table[step:]
    result: Array = out.reshape(-1)[:n_out]
    return result


def subtract_floor(log_power: Array, front_end: FrontEnd) -> Array:
    """Subtract the floor of each band from log power `(frame, band)`, both in bel.

    Values are those of the whole recording for frames that are at least `front_end.floor_reach`
    away from both ends of the block, or lie near an end of the recording. The block must begin at a
    multiple of `front_end.floor_step` frames of the recording.
    """
    if len(log_power) == 0:
        return log_power
    audible = log_power > SILENCE_BEL
    if front_end.floor_quantile is None:
        floor = mean_floor(log_power, audible, front_end)
    else:
        floor = quantile_floor(log_power, audible, front_end, front_end.floor_quantile)
    rise: Array = np.subtract(log_power, floor, out=floor)
    np.clip(rise, LOWEST_BEL, HIGHEST_BEL, out=rise)
    rise[~audible] = 0.0
    return rise


def quantile_floor(
    log_power: Array, audible: NDArray[np.bool_], front_end: FrontEnd, quantile: float
) -> Array:
    """Floor `(frame, band)`: a quantile of the mean levels of cells around each point.

    A mean over the time around a frame rises with the events in it; a low quantile does not, as
    long as they leave enough of that time free (order statistics, as radar uses them: H. Rohling,
    "Radar CFAR thresholding in clutter and multiple target situations", 1983). Cells of a second
    are long enough for their levels to vary little. In short recordings, the cells that exist
    count. Silent frames count nowhere.
    """
    n_frames, n_bands = log_power.shape
    step = front_end.floor_step
    levels = cell_levels(log_power, audible, front_end.floor_cell)
    # Points lie at the edges of steps: one before the first frame, one after the last.
    n_points = ceil_div(n_frames, step) + 1
    after = (n_points - 1) * FLOOR_STEP + FLOOR_CELLS - len(levels)
    padded = np.pad(levels, ((FLOOR_CELLS, after), (0, 0)), constant_values=np.inf)
    around = sliding_window_view(padded, 2 * FLOOR_CELLS, axis=0)[::FLOOR_STEP]
    ranked = np.sort(around, axis=-1)  # (point, band, cell); cells that are silent come last
    n_known = np.isfinite(ranked).sum(axis=-1, keepdims=True)
    position = np.maximum(quantile * (n_known - 1), 0).astype(np.float32)
    below = position.astype(np.int64)
    above = np.minimum(below + 1, np.maximum(n_known - 1, 0))
    low, high = (np.take_along_axis(ranked, at, axis=-1)[..., 0] for at in (below, above))
    # Where nothing is audible around a point, no frame needs its floor.
    known = n_known[..., 0] > 0
    low, high = np.where(known, low, np.float32(0)), np.where(known, high, np.float32(0))
    points = low + (high - low) * (position - below)[..., 0].astype(np.float32)
    weight = (np.arange(step, dtype=np.float32) / step)[:, None]
    between = points[:-1, None] + (points[1:] - points[:-1])[:, None] * weight
    floor: Array = between.reshape(-1, n_bands)[:n_frames]
    return floor


def cell_levels(log_power: Array, audible: NDArray[np.bool_], cell: int) -> Array:
    """Mean log power `(cell, band)` of the audible frames in each cell; infinite if none is."""
    starts = np.arange(0, len(log_power), cell)
    sums = np.add.reduceat(np.where(audible, log_power, np.float32(0)), starts, axis=0)
    counts = np.add.reduceat(audible, starts, axis=0, dtype=np.float32)
    levels: Array = np.full_like(sums, np.inf)
    np.divide(sums, counts, out=levels, where=counts > 0)
    return levels


def mean_floor(log_power: Array, audible: NDArray[np.bool_], front_end: FrontEnd) -> Array:
    """Floor `(frame, band)` of older models: a running mean, without what rises above it."""
    rows = np.ascontiguousarray(log_power.T)  # running sums are faster along contiguous memory
    heard = np.ascontiguousarray(audible.T)
    size = 2 * front_end.floor_frames + 1
    # Means are sums over the frames of a window that exist and are audible.
    share: Array = uniform_filter1d(heard.astype(np.float32), size, mode="constant")
    share = np.maximum(share, np.float32(1 / size))

    def running_mean(values: Array) -> Array:
        known = np.where(heard, values, np.float32(0.0))
        total: Array = uniform_filter1d(known, size, mode="constant")
        return np.divide(total, share, out=total)

    mean = running_mean(rows)
    return running_mean(np.minimum(rows, mean, out=mean)).T


def spectrogram(waveform: Array, front_end: FrontEnd) -> Array:
    """Features of a whole waveform: bel above the floor `(band, frame)`.

    Args:
        waveform: `(sample,)` at the front end's rate. An incomplete last frame is padded with
            silence.
    """
    missing = front_end.grid.n_frames(len(waveform)) * front_end.hop - len(waveform)
    padded = np.pad(waveform, (front_end.margin, front_end.margin + missing))
    return np.ascontiguousarray(subtract_floor(log_bands(padded, front_end), front_end).T)
