"""Training targets `(label, bin)` of the events in a window.

A window of `window_s` seconds is divided into equal bins. A **fractional** target is the share of
the bin that events of the label cover; two events that overlap cover it once. A **binary** target
is 1 where that share is not zero. Both are exact: events are not rounded to whole bins. Bins that
only a marginal event touches are `NaN`: neither positive nor negative, ignored by the loss and by
every metric.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from loxo.events import EVENT_LABELS, Event, Interval, union

__all__ = ["coverage", "targets_from_events"]

Targets = NDArray[np.float32]

ROUNDING_S = 1e-9
"""Shorter overlaps are rounding errors: 4 bins of 1.4 s / 14 do not end exactly at 0.4 s."""


def coverage(intervals: Sequence[Interval], start_s: float, window_s: float, bins: int) -> Targets:
    """Share `(bin,)` of each bin of `[start_s, start_s + window_s)` covered by the intervals."""
    edges = start_s + window_s * np.arange(bins + 1) / bins
    covered = np.zeros(bins)
    for first_s, last_s in union(list(intervals)):
        covered += np.maximum(0.0, np.minimum(edges[1:], last_s) - np.maximum(edges[:-1], first_s))
    covered[covered < ROUNDING_S] = 0.0
    return np.clip(covered * bins / window_s, 0.0, 1.0).astype(np.float32)


def targets_from_events(
    events: Sequence[Event],
    start_s: float,
    window_s: float,
    bins: int,
    *,
    labels: Sequence[str] = EVENT_LABELS,
    fractional: bool = False,
) -> Targets:
    """Targets `(label, bin)` of a window; NaN where only a marginal event lies.

    Args:
        events: events of any label, timed like `start_s`; events of other labels are ignored.
        start_s: start of the window in seconds.
        window_s: length of the window in seconds.
        bins: number of bins.
        labels: labels of the rows, in their order.
        fractional: return covered shares of the bins, not zeros and ones.
    """
    targets = np.zeros((len(labels), bins), np.float32)
    for row, label in enumerate(labels):
        certain = coverage(_intervals(events, label, marginal=False), start_s, window_s, bins)
        marginal = coverage(_intervals(events, label, marginal=True), start_s, window_s, bins)
        targets[row] = certain if fractional else certain > 0
        targets[row, (marginal > 0) & (certain == 0)] = np.nan
    return targets


def _intervals(events: Sequence[Event], label: str, *, marginal: bool) -> list[Interval]:
    """Intervals of the events of a label that are marginal, or of those that are not.

    Those of an event with pauses are its parts.
    """
    return [
        part
        for event in events
        if event.label == label and event.marginal is marginal
        for part in event.parts or ((event.start_s, event.end_s),)
    ]
