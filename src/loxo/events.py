"""What a person marked (`Event`), what a model found (`Detection`), and the overlap of intervals.

Times are seconds from the start of the recording, frequencies are in hertz. An unknown frequency is
`None`, not zero. Labels are strings, not an enumeration, because tables of the field use many
(Roar, Trumpet, aircraft); `LABELS` are those of the packaged model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

__all__ = [
    "BACKGROUND",
    "EVENT_LABELS",
    "LABELS",
    "Detection",
    "Event",
    "Interval",
    "cut_event",
    "overlap_s",
    "union",
]

LABELS = ("Rumble", "Gunshot", "Background")
"""The default labels, in the order of score arrays. Background means that there is no event; it has
no scores."""
EVENT_LABELS = LABELS[:2]
"""The default labels of events; a model's own are `ModelSpec.labels`."""
BACKGROUND = LABELS[2]

Interval = tuple[float, float]
"""Start and end in seconds."""


@dataclass(frozen=True, slots=True)
class Event:
    """A sound that a person marked in a recording.

    Args:
        label: kind of sound, such as `Rumble`.
        start_s, end_s: times in seconds from the start of the recording.
        low_hz, high_hz: frequency band in hertz; None if it is unknown.
        marginal: whether the annotator was in doubt (faint, partly masked). A marginal event is
            neither a positive nor a negative in training and evaluation.
        shots: number of gunshots, if it is a burst that was counted.
        parts: the times in which it is heard, if there are pauses in it, as between the shots of a
            burst. A model learns these; to everything else the event is one.
        snr_db: level above the noise in decibels, if it is known.
        note: anything else that the annotator wrote.

    Raises:
        ValueError: if the label is empty, a time is not a number, or the end is not after the
            start.
    """

    label: str
    start_s: float
    end_s: float
    low_hz: float | None = None
    high_hz: float | None = None
    marginal: bool = False
    shots: int | None = None
    snr_db: float | None = None
    note: str = ""
    parts: tuple[Interval, ...] = ()

    def __post_init__(self) -> None:
        if not self.label:
            raise ValueError("an event needs a label")
        _check_times(self.start_s, self.end_s)
        # Stored events have lists, which would make equal events unequal.
        object.__setattr__(self, "parts", tuple((start, stop) for start, stop in self.parts))

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class Detection:
    """A sound that a model found.

    Args:
        label: one of the model's labels.
        start_s, end_s: times in seconds from the start of the recording.
        low_hz, high_hz: frequency band in hertz; None if it was not measured.
        score: how sure the model is, in [0, 1].
        count: number of gunshots in the detection; None if they were not counted.

    Raises:
        ValueError: if a time is not a number, the end is not after the start, or the count is
            less than 1.
    """

    label: str
    start_s: float
    end_s: float
    low_hz: float | None
    high_hz: float | None
    score: float
    count: int | None = None

    def __post_init__(self) -> None:
        _check_times(self.start_s, self.end_s)
        if self.count is not None and self.count < 1:
            raise ValueError(f"a detection of {self.count} gunshots is none")


def _check_times(start_s: float, end_s: float) -> None:
    if not (math.isfinite(start_s) and math.isfinite(end_s)):
        raise ValueError(f"start {start_s} s and end {end_s} s must be finite")
    if end_s <= start_s:
        raise ValueError(f"end {end_s} s is not after start {start_s} s")


def cut_event(event: Event, start_s: float, end_s: float, later_s: float = 0.0) -> Event:
    """Cut an event and its parts at two times, and move what is left.

    Args:
        start_s, end_s: it is cut at these; it must reach into the time between them.
        later_s: by how much it is moved later.

    >>> cut_event(Event("Rumble", 1.0, 5.0), 2.0, 4.0, -2.0)  # doctest: +ELLIPSIS
    Event(label='Rumble', start_s=0.0, end_s=2.0, ...)
    """

    def cut(interval: Interval) -> Interval:
        return max(start_s, interval[0]) + later_s, min(end_s, interval[1]) + later_s

    first_s, last_s = cut((event.start_s, event.end_s))
    inside = (part for part in event.parts if part[0] < end_s and part[1] > start_s)
    return replace(event, start_s=first_s, end_s=last_s, parts=tuple(map(cut, inside)))


def overlap_s(a: Interval, b: Interval) -> float:
    """Seconds that two intervals share; zero if they only touch."""
    return max(0.0, min(a[1], b[1]) - max(a[0], b[0]))


def union(intervals: list[Interval]) -> list[Interval]:
    """Merge intervals that overlap or touch; the result is sorted and covers the same time."""
    merged: list[Interval] = []
    for start_s, end_s in sorted(intervals):
        if merged and start_s <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end_s))
        else:
            merged.append((start_s, end_s))
    return merged
