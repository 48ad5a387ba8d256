"""Conversions between seconds, samples and frames; no other module converts them.

A recording is a row of samples. A model gives one score for each **frame**: `hop` samples, without
gaps or overlap between frames. Frame `f` is the samples `[f * hop, (f + 1) * hop)`. Analysis
windows are centred on their frame, so an event in the frames `[a, b)` lies between the samples
`a * hop` and `b * hop`, and no half window has to be added.

All counts are integers. Counting in float seconds can lose the last window of a recording (0.5 s of
10.5 s in one public library). Here a tail shorter than a frame is a frame, too, and a tail shorter
than a window is covered by a window.

    samples   0        hop      2*hop     3*hop   length
              |---------|---------|---------|-----|
    frame          0         1         2       3        n_frames = ceil(length / hop)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "FrameGrid",
    "Span",
    "ceil_div",
    "resampled_length",
    "samples_at",
    "seconds_at",
    "spans",
    "times_s",
]


def ceil_div(count: int, size: int) -> int:
    """Number of pieces of `size` that cover `count`; exact for integers of any size."""
    return -(-count // size)


def samples_at(seconds: float, rate: int) -> int:
    """Nearest sample to a time; halves are rounded away from zero."""
    return int(seconds * rate + 0.5) if seconds >= 0 else -int(-seconds * rate + 0.5)


def seconds_at(samples: int, rate: int) -> float:
    """Time of a sample in seconds."""
    return samples / rate


def resampled_length(samples: int, own_rate: int, rate: int) -> int:
    """Number of samples at another rate whose times lie within a recording."""
    return ceil_div(samples * rate, own_rate)


def times_s(samples: int, rate: int) -> NDArray[np.float64]:
    """Times `(sample,)` in seconds of the first `samples` samples."""
    import numpy as np

    return np.arange(samples) / rate


@dataclass(frozen=True, slots=True)
class FrameGrid:
    """Frames of equal length over a recording.

    Args:
        rate: sampling rate in hertz.
        hop: samples of a frame.
        offset: first sample of the first frame.

    Raises:
        ValueError: if `rate` or `hop` is not positive.
    """

    rate: int
    hop: int
    offset: int = 0

    def __post_init__(self) -> None:
        if self.rate <= 0 or self.hop <= 0:
            raise ValueError(f"rate {self.rate} Hz and hop {self.hop} samples must be positive")

    @property
    def frame_s(self) -> float:
        """Length of a frame in seconds."""
        return self.hop / self.rate

    def n_frames(self, n_samples: int) -> int:
        """Number of frames that cover `n_samples` samples; the last one may be incomplete."""
        return max(0, ceil_div(n_samples - self.offset, self.hop))

    def sample(self, frame: int) -> int:
        """First sample of a frame."""
        return self.offset + frame * self.hop

    def start_s(self, frame: int) -> float:
        """Time in seconds at which a frame starts, which is where the frame before it ends."""
        return self.sample(frame) / self.rate

    def starts_s(self, first: int, last: int) -> NDArray[np.float64]:
        """Times `(frame,)` at which the frames `[first, last)` start."""
        import numpy as np

        return (self.offset + np.arange(first, last) * self.hop) / self.rate

    def frame(self, seconds: float) -> int:
        """Frame that contains a time, after the time is rounded to a whole sample."""
        return (samples_at(seconds, self.rate) - self.offset) // self.hop

    def frames(self, seconds: float) -> int:
        """Number of whole frames nearest to a duration in seconds."""
        return (2 * samples_at(seconds, self.rate) + self.hop) // (2 * self.hop)


@dataclass(frozen=True, slots=True)
class Span:
    """A core `[start, stop)` of samples, and the samples `[outer_start, outer_stop)` it depends on.

    All outer samples must be read to compute a result for the core.
    """

    start: int
    stop: int
    outer_start: int
    outer_stop: int

    @property
    def before(self) -> int:
        """Number of samples of context before the core."""
        return self.start - self.outer_start

    @property
    def size(self) -> int:
        """Number of samples of the core."""
        return self.stop - self.start


def spans(length: int, size: int, context: int = 0) -> Iterator[Span]:
    """Cut `[0, length)` into cores of `size` with context on both sides.

    The cores cover the whole length without overlap; the last one may be shorter. Context ends
    where the recording does.

    Raises:
        ValueError: if `size` is not positive or `context` is negative.
    """
    if size <= 0 or context < 0:
        raise ValueError(f"size {size} must be positive and context {context} not negative")
    for start in range(0, length, size):
        stop = min(length, start + size)
        yield Span(start, stop, max(0, start - context), min(length, stop + context))
