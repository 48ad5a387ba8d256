"""Targets by fine sampling: each bin is asked at many moments whether an event is on."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from loxo.events import EVENT_LABELS, Event


def share(events: Sequence[Event], start_s: float, width_s: float, steps: int) -> float:
    """Share of the moments in the middle of `steps` equal parts of a bin at which an event is on."""
    on = 0
    for step in range(steps):
        moment_s = start_s + (step + 0.5) * width_s / steps
        on += any(event.start_s <= moment_s < event.end_s for event in events)
    return on / steps


def targets(events: Sequence[Event], start_s: float, width_s: float, bins: int, steps: int) -> NDArray[np.float64]:
    """Fractional targets `(class, bin)`; exact where events begin and end on the edges of the parts."""
    found = np.zeros((len(EVENT_LABELS), bins))
    for row, label in enumerate(EVENT_LABELS):
        for column in range(bins):
            bin_s = start_s + column * width_s
            certain, doubtful = (
                share([event for event in events if event.label == label and event.marginal is doubt], bin_s, width_s, steps)
                for doubt in (False, True)
            )
            found[row, column] = math.nan if doubtful > 0 and certain == 0 else certain
    return found
