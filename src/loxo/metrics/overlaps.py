"""Pairs of an event and a detection that share time, and the seconds that intervals cover."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from loxo.events import Event, union
from loxo.timeline import FrameGrid, ceil_div, samples_at

__all__ = [
    "Overlaps",
    "Timed",
    "certain_mask",
    "find_overlaps",
    "highest_of",
    "second_span",
    "seconds_of",
    "seconds_with_scores",
]

Values = NDArray[np.float64]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]

_SHARE = 0.1
"""Share of the event's length that a detection must cover."""
_TOLERANCE_S = 1e-6
"""Times in tables are rounded to microseconds, so limits are met within one."""
_SECONDS = FrameGrid(rate=1_000_000, hop=1_000_000)
"""Whole seconds, of times that are rounded to the microsecond."""


class Timed(Protocol):
    """An object with a start and an end in seconds: an `Event` or a `Detection`."""

    @property
    def start_s(self) -> float: ...
    @property
    def end_s(self) -> float: ...


@dataclass(frozen=True, slots=True, eq=False)
class Overlaps:
    """All pairs of an event and a detection that share time, as arrays `(pair,)`.

    Args:
        event, detection: positions in the two sequences.
        shared_s: seconds that the two share.
        finds: whether they share 10 % of the event's length.
        meets: whether that holds, or the detection lies wholly within the event.
        certain: whether the event is not marginal.
    """

    event: Indices
    detection: Indices
    shared_s: Values
    finds: Mask
    meets: Mask
    certain: Mask


def find_overlaps(events: Sequence[Event], detections: Sequence[Timed]) -> Overlaps:
    """Find all pairs of an event and a detection that share time."""
    event_s, detection_s = _times(events), _times(detections)
    event, detection = _pairs_sharing_time(event_s, detection_s)
    (event_start, event_end), (start, end) = event_s[:, event], detection_s[:, detection]
    shared_s = np.minimum(event_end, end) - np.maximum(event_start, start)
    finds = shared_s >= _SHARE * (event_end - event_start) - _TOLERANCE_S
    within = (start >= event_start - _TOLERANCE_S) & (end <= event_end + _TOLERANCE_S)
    certain = certain_mask(events)[event]
    return Overlaps(event, detection, shared_s, finds, finds | within, certain)


def certain_mask(events: Sequence[Event]) -> Mask:
    """Whether each event `(event,)` is certain, not marginal."""
    return np.array([not event.marginal for event in events], dtype=bool)


def _times(items: Sequence[Timed]) -> Values:
    """Starts and ends, `(2, item)`."""
    starts_s, ends_s = [item.start_s for item in items], [item.end_s for item in items]
    return np.array([starts_s, ends_s], dtype=np.float64)


def _pairs_sharing_time(a: Values, b: Values) -> tuple[Indices, Indices]:
    """Positions in `a` and in `b` of all pairs of intervals `(2, interval)` that share time.

    Of two intervals that overlap one starts inside the other. So two sorted searches find each
    pair once, however long or nested the intervals are.
    """
    a_around, b_inside = _starts_inside(a, b[0], side="left")
    b_around, a_inside = _starts_inside(b, a[0], side="right")
    return np.concatenate((a_around, a_inside)), np.concatenate((b_inside, b_around))


def _starts_inside(
    intervals: Values, starts: Values, side: Literal["left", "right"]
) -> tuple[Indices, Indices]:
    """All pairs (interval, start) with the start inside the interval.

    An interval's end is outside it. Its own start is inside if `side` is left, so that a pair of
    equal starts is found by one of the two searches only.
    """
    order = np.argsort(starts, kind="stable")
    first = np.searchsorted(starts[order], intervals[0], side=side)
    number = np.searchsorted(starts[order], intervals[1], side="left") - first
    owner, rank = _runs(number)
    return owner, order[first[owner] + rank]


def _runs(lengths: Indices) -> tuple[Indices, Indices]:
    """Number of the run, and position in the run, of each element of consecutive runs.

    Runs of the lengths 2 and 3 give 0 0 1 1 1 and 0 1 0 1 2.
    """
    owner = np.repeat(np.arange(lengths.size), lengths)
    starts = np.cumsum(lengths) - lengths
    return owner, np.arange(owner.size) - starts[owner]


# ---- seconds


def seconds_of(items: Iterable[Timed]) -> Indices:
    """Seconds of which some part is covered, ascending, each once."""
    covered = union([second_span(item) for item in items])
    ranges = [np.arange(first, last, dtype=np.int64) for first, last in covered]
    return np.concatenate([np.zeros(0, dtype=np.int64), *ranges])


def second_span(item: Timed) -> tuple[int, int]:
    """First second of which some part is covered, and the one after the last."""
    end = samples_at(item.end_s, _SECONDS.rate)
    return _SECONDS.frame(item.start_s), ceil_div(end, _SECONDS.hop)


def seconds_with_scores(detections: Sequence[Timed], scores: Values) -> tuple[Indices, Values]:
    """Seconds that detections cover, ascending, each with the highest score that covers it."""
    spans = np.array([second_span(item) for item in detections], dtype=np.int64)
    first, last = spans.reshape(-1, 2).T
    owner, rank = _runs(last - first)
    second, position = np.unique(first[owner] + rank, return_inverse=True)
    return second, highest_of(scores[owner], position, second.size)


def highest_of(values: Values, position: Indices, size: int) -> Values:
    """Highest value at each position `(size,)`; -inf where there is none, nan where one is nan."""
    highest = np.full(size, -np.inf)
    with np.errstate(invalid="ignore"):  # NaN marks a missing score, and must stay NaN
        np.maximum.at(highest, position, values)
    return highest
