"""The front end: from samples to the picture that a model sees. One definition, two faces.

A rumble is narrow lines that last for seconds, 8-35 Hz and their harmonics; far away only one line is left. A gunshot is an edge that
rises within milliseconds over 50-1,500 Hz and fades in half a second to three. No single window shows both, so there are two:

    long  window, 400 ms   bands every 2.5 Hz up to 120 Hz, then 8.5 % wide up to 380 Hz: the lines of rumbles
    short window, 120 ms   bands 13 % wide, 100 Hz to 1.9 kHz: the edge and the tail of a shot

Both are log power (bel) in triangular bands, 100 ms a frame. The long windows are of every fourth sample behind a low-pass filter: half the
work. The short ones are tapered at their ends only, so that what lies between two frames is seen by both.

Then each band is seen relative to its own **floor** in the half minute around the frame: the 1/f slope of wind, the gain of the recorder
and the steady lines of aircraft and generators all vanish, while what comes and goes stays. The floor is a running mean taken twice, the
second time over values that are cut at the first mean, so that an event lifts its own floor little. A mean, not a median: it costs two
additions a value, and it moves with the recording, frame by frame, so that scores do not depend on where a block begins (the same reason
that PCEN, Wang et al. 2017, uses a smoother). Near the ends of a recording the mean is taken over what there is; in a recording of a few
seconds an event therefore lifts its own floor more, and models are trained on that. Digital silence (dropped samples, padding) is no
measurement: it does not enter the floor, and its picture is zero.

`spectrogram` is the NumPy face, for detection, in blocks (`log_bands`, `subtract_floor`); `torch_face.TorchSpectrogram` is the face for
training. They share the tables (`band_tables`) and agree to 1e-4 bel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from loxo.timeline import FrameGrid, ceil_div, samples_at

__all__ = [
    "SILENCE",
    "Bands",
    "FrontEnd",
    "band_tables",
    "decimation_table",
    "filter_bank",
    "log_bands",
    "spectrogram",
    "subtract_floor",
]

Array = NDArray[np.float32]

SILENCE = 1e-13
"""Power below which a band holds no sound: about a thousandth of the rounding noise of 16-bit samples (1/12 of a squared step, 8e-11)."""
CHUNK = 60_000
"""Values that are transformed at a time: so many floats and their spectra stay in a core's cache."""
PASSED = 0.78
"""Share of half the decimated rate up to which a low-pass filter changes nothing and what is folded back is 80 dB down."""
STRETCH = 32
"""Samples that a row of the filter's matrix product gives: more are more products by zero, fewer are smaller matrices. A filter is
no longer than that many decimated samples, so it reaches into one further row at most."""


@dataclass(frozen=True, slots=True)
class Bands:
    """Triangular bands on windows of `window` samples, `per_frame` windows a frame.

    Args:
        low_hz, high_hz: centres of the first band, and the limit for that of the last.
        step_hz: distance of centres below `knee_hz`; above it each centre is `ratio` times the one before.
        every: how many samples of a window, low-passed, become one: what has only low bands needs few.
        flat: share of a window that is not tapered.
    """

    window: int
    per_frame: int
    low_hz: float
    high_hz: float
    step_hz: float
    knee_hz: float
    ratio: float
    every: int = 1
    flat: float = 0.0

    @property
    def n_taps(self) -> int:
        """Length of the low-pass filter, which is symmetrical; 1 where there is none."""
        return 1 if self.every == 1 else 24 * self.every + 1

    @property
    def centres_hz(self) -> tuple[float, ...]:
        """Centre frequency of each band."""
        centres = [self.low_hz]
        while True:
            last = centres[-1]
            following = last + self.step_hz if last < self.knee_hz else last * self.ratio
            if following > self.high_hz:
                return tuple(centres)
            centres.append(following)


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """What turns a waveform at `rate` into `(band, frame)`; part of every model's specification.

    Raises:
        ValueError: if windows do not fit symmetrically on frames, are not whole decimated samples or flat all along, or a band lies beyond
            half the rate.
    """

    rate: int = 4000
    hop: int = 400
    long: Bands = Bands(window=1600, per_frame=1, low_hz=5.0, high_hz=380.0, step_hz=2.5, knee_hz=120.0, ratio=1.085, every=4)
    short: Bands = Bands(window=480, per_frame=1, low_hz=100.0, high_hz=1900.0, step_hz=13.0, knee_hz=0.0, ratio=1.13, flat=0.6)
    floor_s: float = 30.0

    def __post_init__(self) -> None:
        for bands in (self.long, self.short):
            hop, rest = divmod(self.hop, bands.per_frame)
            if rest or (bands.window - hop) % 2 or bands.window < hop:
                raise ValueError(f"a window of {bands.window} samples does not centre on {bands.per_frame} parts of a hop of {self.hop}")
            if bands.every < 1 or not 0 <= bands.flat < 1:
                raise ValueError(f"every {bands.every} must be 1 or more, and flat {bands.flat} lies in [0, 1)")
            if hop % bands.every or bands.window % bands.every:
                raise ValueError(f"windows of {bands.window} samples every {hop} are not whole ones of every {bands.every}")
            if bands.centres_hz[-1] >= (PASSED if bands.every > 1 else 1) * self.rate / (2 * bands.every):
                raise ValueError(f"a band at {bands.centres_hz[-1]:.0f} Hz needs more than {self.rate / bands.every:g} samples a second")

    @property
    def grid(self) -> FrameGrid:
        """The frames of a recording at this front end's rate."""
        return FrameGrid(self.rate, self.hop)

    @property
    def n_bands(self) -> int:
        """Rows of the picture: the long bands, then the short bands once for each window of a frame."""
        return sum(len(bands.centres_hz) * bands.per_frame for bands in (self.long, self.short))

    @property
    def band_centres_hz(self) -> NDArray[np.float64]:
        """Centre of each row of the picture `(band,)`."""
        return np.concatenate([np.tile(bands.centres_hz, bands.per_frame) for bands in (self.long, self.short)])

    @property
    def margin(self) -> int:
        """Samples that windows and their filters reach beyond a frame at most, at either side."""
        return max(map(self.reach, (self.long, self.short)))

    def reach(self, bands: Bands) -> int:
        """Samples that a window of these bands and its filter reach beyond their part of a frame, at either side."""
        return (bands.window - self.hop // bands.per_frame) // 2 + bands.n_taps // 2

    @property
    def floor_frames(self) -> int:
        """Frames at either side over which a mean of the floor is taken; the floor, taken twice, reaches twice as far."""
        return samples_at(self.floor_s / 2, self.rate) // self.hop


def filter_bank(bands: Bands, rate: int) -> Array:
    """Triangular weights `(bin, band)` on the power spectrum; each band's sum to one and none is empty.

    A triangle reaches to its neighbours' centres, and never less than one bin far: a band narrower than a bin would see nothing.
    """
    centres = np.array(bands.centres_hz)
    bin_hz = rate / bands.window
    gaps = np.maximum(np.diff(centres, prepend=2 * centres[0] - centres[1], append=2 * centres[-1] - centres[-2]), bin_hz)
    offset = np.arange(bands.window // bands.every // 2 + 1)[:, None] * bin_hz - centres
    weights = np.maximum(0.0, 1.0 - np.where(offset < 0, -offset / gaps[:-1], offset / gaps[1:]))
    bank: Array = (weights / weights.sum(axis=0)).astype(np.float32)
    return bank


def window(length: int, flat: float = 0.0) -> Array:
    """Periodic Hann window, opened for its `flat` middle (Tukey); white noise of variance v has power v in every bin."""
    position = np.arange(length)
    from_end = np.minimum(position, length - position) / ((1 - flat) * length / 2)
    tapered = 0.5 - 0.5 * np.cos(np.pi * np.minimum(from_end, 1))
    taper: Array = (tapered / np.sqrt((tapered**2).sum())).astype(np.float32)
    return taper


@lru_cache(maxsize=16)
def band_tables(bands: Bands, rate: int) -> tuple[Array, Array]:
    """Window and the filter bank without the bins above the last band."""
    bank = filter_bank(bands, rate)
    used = int(np.flatnonzero(bank.any(axis=1))[-1]) + 1
    return window(bands.window // bands.every, bands.flat), bank[:used]


@lru_cache(maxsize=16)
def decimation_table(bands: Bands) -> Array:
    """Low-pass filter as a matrix `(sample, decimated sample)`: a stretch of samples times it is `STRETCH` decimated ones.

    White noise keeps its variance, so that the power of bands is that of windows of all samples. The filter is a sinc in a Kaiser window.
    """
    taps = np.sinc((np.arange(bands.n_taps) - bands.n_taps // 2) / bands.every) * np.kaiser(bands.n_taps, 8.0)
    taps *= np.sqrt(bands.every) / taps.sum()
    table = np.zeros((STRETCH * bands.every + bands.n_taps - bands.every, STRETCH), np.float32)
    for column in range(STRETCH):
        table[column * bands.every : column * bands.every + bands.n_taps, column] = taps
    return table


def log_bands(padded: Array, front_end: FrontEnd) -> Array:
    """Log power `(frame, band)` in bel of the frames in a waveform that is `front_end.margin` samples longer at either side.

    Raises:
        ValueError: if the samples inside the margins are not whole frames.
    """
    n_frames, rest = divmod(len(padded) - 2 * front_end.margin, front_end.hop)
    if rest or n_frames < 0:
        raise ValueError(f"{len(padded)} samples are not whole frames of {front_end.hop} and two margins of {front_end.margin}")
    out = np.empty((n_frames, front_end.n_bands), np.float32)
    if n_frames == 0:
        return out
    column = 0
    for bands in (front_end.long, front_end.short):
        width = len(bands.centres_hz) * bands.per_frame
        _band_power(padded, front_end, bands, out[:, column : column + width])
        column += width
    np.maximum(out, np.float32(SILENCE), out=out)
    return np.log10(out, out=out)


def _band_power(padded: Array, front_end: FrontEnd, bands: Bands, out: Array) -> None:
    taper, bank = band_tables(bands, front_end.rate)
    samples = padded[front_end.margin - front_end.reach(bands) :]
    if bands.every > 1:
        samples = _decimated(samples, bands)
    windows = sliding_window_view(samples, len(taper))[:: front_end.hop // bands.per_frame // bands.every]
    size = max(1, CHUNK // len(taper) // bands.per_frame)
    tapered = np.empty((size * bands.per_frame, len(taper)), np.float32)
    squares = np.empty((size * bands.per_frame, 2 * len(bank)), np.float32)
    power = np.empty((size * bands.per_frame, len(bank)), np.float32)
    for start in range(0, len(out), size):
        stop = min(len(out), start + size)
        rows = (stop - start) * bands.per_frame
        np.multiply(windows[start * bands.per_frame : stop * bands.per_frame], taper, out=tapered[:rows])
        spectrum = scipy.fft.rfft(tapered[:rows], overwrite_x=True)
        # Real and imaginary parts lie side by side; they are joined before the bank, whose product costs as much as half the transform.
        np.square(spectrum.view(np.float32)[:, : 2 * len(bank)], out=squares[:rows])
        np.add(squares[:rows, ::2], squares[:rows, 1::2], out=power[:rows])
        out[start:stop] = (power[:rows] @ bank).reshape(stop - start, -1)


def _decimated(samples: Array, bands: Bands) -> Array:
    """Every `bands.every`-th sample behind the low-pass filter, the first and the last where the filter lies wholly in `samples`."""
    table = decimation_table(bands)
    n_out = max(0, (len(samples) - bands.n_taps) // bands.every + 1)
    n_rows, step = ceil_div(n_out, STRETCH), STRETCH * bands.every
    missing = (n_rows + 1) * step - len(samples)
    rows = np.pad(samples, (0, max(0, missing)))[: (n_rows + 1) * step].reshape(-1, step)
    # A filter reaches into the row that follows. Two products of what lies side by side cost less than one of rows that overlap.
    out = rows[:-1] @ table[:step]
    out += rows[1:, : len(table) - step] @ table[step:]
    decimated: Array = out.reshape(-1)[:n_out]
    return decimated


def subtract_floor(log_power: Array, front_end: FrontEnd) -> Array:
    """Bel above the floor, `(frame, band)` of one stretch; values are right where the whole floor's reach lies inside it."""
    if len(log_power) == 0:
        return log_power
    rows = np.ascontiguousarray(log_power.T)  # running sums go along memory
    size = 2 * front_end.floor_frames + 1
    heard = rows > np.float32(np.log10(SILENCE) + 0.01)
    silent = not heard.all()
    # Of the frames that a mean would take, the share that there are: less than one at the ends and around silence.
    there: Array = uniform_filter1d((heard if silent else heard[:1]).astype(np.float32), size, mode="constant")
    share: Array = np.maximum(there, np.float32(1 / size))

    def running_mean(values: Array) -> Array:
        total: Array = uniform_filter1d(np.where(heard, values, np.float32(0.0)) if silent else values, size, mode="constant")
        return np.divide(total, share, out=total)

    mean = running_mean(rows)
    floor = running_mean(np.minimum(rows, mean, out=mean))
    rise: Array = np.clip(np.subtract(rows, floor, out=floor), -2.0, 5.0, out=floor)
    if silent:
        rise[~heard] = 0.0
    return rise.T


def spectrogram(waveform: Array, front_end: FrontEnd) -> Array:
    """Bel above the floor `(band, frame)` of a whole waveform `(sample,)` at the front end's rate; the tail is a frame too."""
    missing = front_end.grid.n_frames(len(waveform)) * front_end.hop - len(waveform)
    padded = np.pad(waveform, (front_end.margin, front_end.margin + missing))
    return np.ascontiguousarray(subtract_floor(log_bands(padded, front_end), front_end).T)
