"""The settings of the front end, and the sizes that follow from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loxo.timeline import FrameGrid, samples_at

__all__ = ["FLOOR_CELLS", "FLOOR_STEP", "Bands", "FrontEnd"]

PASSBAND = 0.78
"""Share of the decimated Nyquist frequency up to which the low-pass filter changes nothing, and
aliases are 80 dB down."""
FLOOR_CELLS = 15
"""Cells at either side of a point whose levels decide the floor there."""
FLOOR_STEP = 3
"""Cells between two points at which the floor is estimated."""


@dataclass(frozen=True, slots=True)
class Bands:
    """Triangular frequency bands on windows of one length.

    Args:
        window: samples of a window, before decimation.
        per_frame: windows in each frame, evenly spaced.
        low_hz: centre of the first band.
        high_hz: no band has its centre above this.
        step_hz: distance between centres below `knee_hz`.
        knee_hz: from this frequency on, each centre is `ratio` times the previous one.
        decimation: factor by which the low-passed waveform is decimated; bands at low frequencies
            need fewer samples.
        tukey_taper: share of the window that is tapered (`alpha` of SciPy's Tukey window): 1 is a
            Hann window; with less, the middle is flat.
    """

    window: int
    per_frame: int
    low_hz: float
    high_hz: float
    step_hz: float
    knee_hz: float
    ratio: float
    decimation: int = 1
    tukey_taper: float = 1.0

    @property
    def n_taps(self) -> int:
        """Length of the symmetric low-pass filter in samples; 1 without decimation."""
        return 1 if self.decimation == 1 else 24 * self.decimation + 1

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
    """Settings that turn a waveform into features `(band, frame)`; part of every model.

    Args:
        rate: samples per second of the waveform.
        hop: samples per frame.
        long, short: bands on long and on short windows, in this order along the band axis.
        floor_s: length of the time from which the noise floor of each band is estimated.
        floor_quantile: share of that time in which a band is below its floor, so that events may
            fill the rest of it; None takes a running mean, as the packaged model does.

    Raises:
        ValueError: if windows are not centred on frames, decimation does not divide hop and window,
            or a band lies above the frequencies that the waveform holds.
    """

    rate: int = 4000
    hop: int = 400
    long: Bands = Bands(
        window=1600,
        per_frame=1,
        low_hz=5.0,
        high_hz=380.0,
        step_hz=2.5,
        knee_hz=120.0,
        ratio=1.085,
        decimation=4,
    )
    short: Bands = Bands(
        window=480,
        per_frame=1,
        low_hz=100.0,
        high_hz=1900.0,
        step_hz=13.0,
        knee_hz=0.0,
        ratio=1.13,
        tukey_taper=0.4,
    )
    floor_s: float = 30.0
    floor_quantile: float | None = 0.25

    def __post_init__(self) -> None:
        for bands in (self.long, self.short):
            self._check_windows(bands)
            self._check_frequencies(bands)
        if self.floor_quantile is not None and not 0 <= self.floor_quantile <= 1:
            raise ValueError(f"floor_quantile {self.floor_quantile} must lie in [0, 1]")

    def _check_windows(self, bands: Bands) -> None:
        hop, rest = divmod(self.hop, bands.per_frame)
        if rest or (bands.window - hop) % 2 or bands.window < hop:
            raise ValueError(
                f"a window of {bands.window} samples does not centre on {bands.per_frame} parts"
                f" of a hop of {self.hop}"
            )
        if bands.decimation < 1 or not 0 < bands.tukey_taper <= 1:
            raise ValueError(
                f"decimation {bands.decimation} must be 1 or more, and tukey_taper"
                f" {bands.tukey_taper} must lie in (0, 1]"
            )
        if hop % bands.decimation or bands.window % bands.decimation:
            raise ValueError(
                f"decimation {bands.decimation} must divide the window of {bands.window} samples"
                f" and the hop of {hop}"
            )

    def _check_frequencies(self, bands: Bands) -> None:
        decimated_rate = self.rate / bands.decimation
        usable = PASSBAND if bands.decimation > 1 else 1.0
        if bands.centres_hz[-1] >= usable * decimated_rate / 2:
            raise ValueError(
                f"a band at {bands.centres_hz[-1]:.0f} Hz needs more than {decimated_rate:g}"
                " samples per second"
            )

    @property
    def grid(self) -> FrameGrid:
        """The frames of a recording at this front end's rate."""
        return FrameGrid(self.rate, self.hop)

    @property
    def n_bands(self) -> int:
        """Length of the band axis.

        Each window of a frame has its own rows: those of the long windows come first.
        """
        return sum(len(bands.centres_hz) * bands.per_frame for bands in (self.long, self.short))

    @property
    def band_centres_hz(self) -> NDArray[np.float64]:
        """Centre frequency along the band axis `(band,)`."""
        return np.concatenate(
            [np.tile(bands.centres_hz, bands.per_frame) for bands in (self.long, self.short)]
        )

    @property
    def margin(self) -> int:
        """Number of samples before and after a frame that its features depend on."""
        return max(self.reach(self.long), self.reach(self.short))

    def reach(self, bands: Bands) -> int:
        """Samples that a window and its filter extend beyond their part of a frame, each side."""
        return (bands.window - self.hop // bands.per_frame) // 2 + bands.n_taps // 2

    @property
    def floor_frames(self) -> int:
        """Frames before and after each frame from which its floor is estimated."""
        return samples_at(self.floor_s / 2, self.rate) // self.hop

    @property
    def floor_cell(self) -> int:
        """Frames of a cell: the floor is a quantile of the mean levels of cells."""
        return max(1, self.floor_frames // FLOOR_CELLS)

    @property
    def floor_step(self) -> int:
        """Frames between the points at which the floor is estimated.

        The floor is linear between them. So frames must be counted from such a point.
        """
        return 1 if self.floor_quantile is None else FLOOR_STEP * self.floor_cell

    @property
    def floor_reach(self) -> int:
        """Frames before and after each frame that its floor depends on."""
        if self.floor_quantile is None:
            return 2 * self.floor_frames  # the mean is taken twice
        return FLOOR_CELLS * self.floor_cell + self.floor_step
