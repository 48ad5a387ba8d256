"""Slow reference of targets: count the moments of each bin at which an event is on."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from loxo.events import EVENT_LABELS, Event


def share(events: Sequence[Event], start_s: float, width_s: float, steps: int) -> float:
    """Share of `steps` moments at which an event is on; each is the middle of a part of the bin."""
    on = 0
    for step in range(steps):
        moment_s = start_s + (step + 0.5) * width_s / steps
        on += any(event.start_s <= moment_s < event.end_s for event in events)
    return on / steps


def targets(
    events: Sequence[Event],
    start_s: float,
    width_s: float,
    bins: int,
    steps: int,
    labels: Sequence[str] = EVENT_LABELS,
) -> NDArray[np.float64]:
    """Fractional targets `(label, bin)`; exact if events begin and end at edges of the parts."""
    found = np.zeros((len(labels), bins))
    for row, label in enumerate(labels):
        own = [event for event in events if event.label == label]
        certain = [event for event in own if not event.marginal]
        marginal = [event for event in own if event.marginal]
        for column in range(bins):
            bin_s = start_s + column * width_s
            found[row, column] = share(certain, bin_s, width_s, steps)
            if found[row, column] == 0 and share(marginal, bin_s, width_s, steps) > 0:
                found[row, column] = math.nan
    return found
