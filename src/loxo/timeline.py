"""Where seconds, samples and frames meet: the only place that converts between them.

A recording is a row of samples. A model answers in **frames**: cells of `hop` samples that tile the recording without gap or
overlap, frame `f` being the samples `[f * hop, (f + 1) * hop)`. Analysis windows are centred on their cell, so an event that covers
frames `[a, b)` lies between `a * hop` and `b * hop` samples, with no half-window to remember.

All counts are integers. Counting in float seconds loses the last window of a recording (0.5 s of 10.5 s in one public library);
here a tail shorter than a frame is a frame too, and a tail shorter than a window lies in a window.

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

__all__ = ["FrameGrid", "Span", "ceil_div", "samples_at", "seconds_at", "spans", "times_s"]


def ceil_div(count: int, size: int) -> int:
    """Number of pieces of `size` that cover `count`; exact for integers of any length."""
    return -(-count // size)


def samples_at(seconds: float, rate: int) -> int:
    """Nearest sample to a time; halves go away from zero."""
    return int(seconds * rate + 0.5) if seconds >= 0 else -int(-seconds * rate + 0.5)


def seconds_at(samples: int, rate: int) -> float:
    """Time of a sample in seconds."""
    return samples / rate


def times_s(samples: int, rate: int) -> NDArray[np.float64]:
    """Times `(sample,)` of the first `samples` samples in seconds."""
    import numpy as np

    return np.arange(samples) / rate


@dataclass(frozen=True, slots=True)
class FrameGrid:
    """Frames of `hop` samples over a recording of `rate` samples a second, the first one at sample `offset`."""

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
        """Frames that cover `n_samples` samples, the tail included."""
        return max(0, ceil_div(n_samples - self.offset, self.hop))

    def sample(self, frame: int) -> int:
        """First sample of a frame."""
        return self.offset + frame * self.hop

    def start_s(self, frame: int) -> float:
        """Time at which a frame starts; the end of frame `f` is the start of frame `f + 1`."""
        return self.sample(frame) / self.rate

    def frame(self, seconds: float) -> int:
        """Frame that contains a time; a time within half a sample of a frame's start belongs to that frame."""
        return (samples_at(seconds, self.rate) - self.offset) // self.hop

    def frames(self, seconds: float) -> int:
        """Nearest whole number of frames to a duration."""
        return (2 * samples_at(seconds, self.rate) + self.hop) // (2 * self.hop)


@dataclass(frozen=True, slots=True)
class Span:
    """A core `[start, stop)` and the wider `[outer_start, outer_stop)` that must be read to work on it."""

    start: int
    stop: int
    outer_start: int
    outer_stop: int

    @property
    def before(self) -> int:
        """Context in front of the core."""
        return self.start - self.outer_start

    @property
    def size(self) -> int:
        """Length of the core."""
        return self.stop - self.start


def spans(length: int, size: int, context: int = 0) -> Iterator[Span]:
    """Cut `[0, length)` into cores of `size`, each with `context` at both sides as far as the recording goes.

    The cores tile the whole length; the last one may be shorter.

    Raises:
        ValueError: if `size` is not positive or `context` is negative.
    """
    if size <= 0 or context < 0:
        raise ValueError(f"size {size} must be positive and context {context} not negative")
    for start in range(0, length, size):
        stop = min(length, start + size)
        yield Span(start, stop, max(0, start - context), min(length, stop + context))
