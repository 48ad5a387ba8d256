"""Events as what a model is trained on: `(class, bin)` over a window, and back.

A window of `window_s` seconds is cut into equal bins. A **fractional** target is the share of the bin that events of the class cover (two
events that overlap cover it once); a **binary** target is 1 where that share is not zero. Both are exact: no rounding to whole bins
inflates an event. Bins that only a marginal event touches are `NaN`: neither right nor wrong, left out of the loss and of every metric.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from loxo.events import EVENT_LABELS, Event, Interval, union

__all__ = ["coverage", "events_from_targets", "targets_from_events"]

Targets = NDArray[np.float32]

ROUNDING_S = 1e-9
"""Shorter covers are the rounding of decimal seconds (0.4 s against 4 bins of 1.4 s / 14), not sound."""


def coverage(intervals: Sequence[Interval], start_s: float, window_s: float, bins: int) -> Targets:
    """Share `(bin,)` of each bin of `[start_s, start_s + window_s)` that the union of the intervals covers."""
    edges = start_s + window_s * np.arange(bins + 1) / bins
    covered = np.zeros(bins)
    for first_s, last_s in union(list(intervals)):
        covered += np.maximum(0.0, np.minimum(edges[1:], last_s) - np.maximum(edges[:-1], first_s))
    covered[covered < ROUNDING_S] = 0.0
    return np.clip(covered * bins / window_s, 0.0, 1.0).astype(np.float32)


def targets_from_events(events: Sequence[Event], start_s: float, window_s: float, bins: int, *, fractional: bool = False) -> Targets:
    """Targets `(class, bin)` of a window, classes in the order of `EVENT_LABELS`; NaN where only a marginal event lies."""
    targets = np.zeros((len(EVENT_LABELS), bins), np.float32)
    for row, label in enumerate(EVENT_LABELS):
        certain, marginal = (
            coverage([(e.start_s, e.end_s) for e in events if e.label == label and e.marginal is doubt], start_s, window_s, bins)
            for doubt in (False, True)
        )
        targets[row] = certain if fractional else certain > 0
        targets[row, (marginal > 0) & (certain == 0)] = np.nan
    return targets


def events_from_targets(targets: Targets, start_s: float, window_s: float) -> list[Event]:
    """Runs of bins of at least a half `(class, bin)`, as events; the inverse of binary targets up to the width of a bin."""
    bins = targets.shape[1]
    events = []
    for label, row in zip(EVENT_LABELS, targets, strict=True):
        edges = np.flatnonzero(np.diff(np.concatenate(([0], row >= 0.5, [0]))))
        for first, last in edges.reshape(-1, 2):
            events.append(Event(label, start_s + float(first) * window_s / bins, start_s + float(last) * window_s / bins))
    return events
