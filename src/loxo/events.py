"""The nouns: what a person marked (`Event`), what a model found (`Detection`), and how two of them overlap.

Times are seconds from the start of the recording, frequencies hertz; an unknown band is `None`, not zero. Labels are plain strings:
tables of the field hold many (Roar, Trumpet, aircraft); `LABELS` are those that this package is about.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["BACKGROUND", "EVENT_LABELS", "LABELS", "Detection", "Event", "Interval", "overlap_s", "union"]

LABELS = ("Rumble", "Gunshot", "Background")
"""The labels of the field's tables, in the order of every score array. Background is the absence of the others: it has no row there."""
EVENT_LABELS = LABELS[:2]
BACKGROUND = LABELS[2]

Interval = tuple[float, float]
"""Start and end in seconds."""


@dataclass(frozen=True, slots=True)
class Event:
    """A sound that a person marked in a recording.

    Args:
        flags: what the annotator said of it: `marginal` (faint or doubtful: neither a positive nor a negative), `shots=13`, ...

    Raises:
        ValueError: if the label is empty, a time is not a number, or the end is not after the start.
    """

    label: str
    start_s: float
    end_s: float
    low_hz: float | None = None
    high_hz: float | None = None
    flags: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not self.label:
            raise ValueError("an event needs a label")
        _check_times(self.start_s, self.end_s)

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s

    @property
    def marginal(self) -> bool:
        """Whether the annotator was in doubt; such events are left out of positives and kept out of negatives."""
        return "marginal" in self.flags


@dataclass(frozen=True, slots=True)
class Detection:
    """A sound that a model found, with its score in [0, 1].

    Raises:
        ValueError: if a time is not a number or the end is not after the start.
    """

    label: str
    start_s: float
    end_s: float
    low_hz: float
    high_hz: float
    score: float

    def __post_init__(self) -> None:
        _check_times(self.start_s, self.end_s)


def _check_times(start_s: float, end_s: float) -> None:
    if not (math.isfinite(start_s) and math.isfinite(end_s)):
        raise ValueError(f"start {start_s} s and end {end_s} s must be finite")
    if end_s <= start_s:
        raise ValueError(f"end {end_s} s is not after start {start_s} s")


def overlap_s(a: Interval, b: Interval) -> float:
    """Seconds that two intervals share; zero where they only touch."""
    return max(0.0, min(a[1], b[1]) - max(a[0], b[0]))


def union(intervals: list[Interval]) -> list[Interval]:
    """The same time covered by sorted intervals that do not touch."""
    merged: list[Interval] = []
    for start_s, end_s in sorted(intervals):
        if merged and start_s <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end_s))
        else:
            merged.append((start_s, end_s))
    return merged
