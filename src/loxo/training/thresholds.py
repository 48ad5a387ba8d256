"""The threshold of each label, chosen on validation clips."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["LOWEST_THRESHOLD", "best_threshold"]

LOWEST_THRESHOLD = 1e-3
"""Thresholds are kept to three decimals and must not be zero."""


def best_threshold(scores: NDArray[np.float32], targets: NDArray[np.float32], recall_weight: float = 1.0) -> tuple[float, float]:
    """The score `(frame,)` from which on F is highest against targets of at least a half, and that F; targets that are NaN are left out.

    F is van Rijsbergen's F-beta (1979): recall counts `recall_weight` times as much as precision; 1 gives F1. Without a positive target,
    or a score of at least `LOWEST_THRESHOLD`, there is nothing to choose by: 0.5 and an F of 0.
    """
    known = ~np.isnan(targets)
    order = np.argsort(-scores[known], kind="stable")
    ranked, positive = scores[known][order], targets[known][order] >= 0.5
    # A threshold takes all frames of one score or none of them: it stands at the last of equals.
    last = np.flatnonzero((np.diff(ranked, append=-1.0) != 0) & (ranked >= LOWEST_THRESHOLD))
    if not (positive.any() and len(last)):
        return 0.5, 0.0
    found = np.cumsum(positive)
    beta2 = recall_weight**2
    f = (1 + beta2) * found[last] / (last + 1 + beta2 * found[-1])
    best = int(np.argmax(f))
    return float(ranked[last[best]]), float(f[best])
