"""Choose the threshold of a label on validation frames, and measure the label at it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["LOWEST_THRESHOLD", "FrameFigures", "best_threshold", "frame_figures"]

LOWEST_THRESHOLD = 1e-3
"""Smallest threshold: thresholds are stored with three decimals and must not be zero."""


@dataclass(frozen=True, slots=True)
class FrameFigures:
    """Figures of a label over all validation frames, at its threshold.

    Args:
        f: F-beta with the recall weight that the threshold was chosen by.
        average_precision: area under the curve of precision over recall; of no threshold.
    """

    threshold: float
    precision: float
    recall: float
    f: float
    average_precision: float


def best_threshold(
    scores: NDArray[np.float32], targets: NDArray[np.float32], recall_weight: float = 1.0
) -> tuple[float, float]:
    """Choose the threshold with the highest F; return the threshold and that F.

    F is van Rijsbergen's F-beta (1979): recall counts `recall_weight` times as much as precision,
    and 1 gives F1. If no target is positive, or no score reaches `LOWEST_THRESHOLD`, there is
    nothing to choose by: the result is 0.5 and an F of 0.

    Args:
        scores: scores `(frame,)`.
        targets: targets `(frame,)`; positive from 0.5 on, NaN is ignored.
    """
    known = ~np.isnan(targets)
    order = np.argsort(-scores[known], kind="stable")
    ranked, positive = scores[known][order], targets[known][order] >= 0.5
    # A threshold accepts all frames of equal score or none, so it lies at the last one of them.
    last = np.flatnonzero((np.diff(ranked, append=-1.0) != 0) & (ranked >= LOWEST_THRESHOLD))
    if not (positive.any() and len(last)):
        return 0.5, 0.0
    found = np.cumsum(positive)
    beta2 = recall_weight**2
    f = (1 + beta2) * found[last] / (last + 1 + beta2 * found[-1])
    best = int(np.argmax(f))
    return float(ranked[last[best]]), float(f[best])


def frame_figures(
    scores: NDArray[np.float32], targets: NDArray[np.float32], recall_weight: float
) -> FrameFigures:
    """Choose the threshold of a label and measure the label at it.

    Args:
        scores: scores `(frame,)`.
        targets: targets `(frame,)`; positive from 0.5 on, NaN is ignored.
    """
    best, _ = best_threshold(scores, targets, recall_weight)
    # Rounded down, because a saturated score of 0.9996 would never reach a threshold of 1.
    threshold = math.floor(best * 1000) / 1000
    known = ~np.isnan(targets)
    found, positive = scores[known] >= threshold, targets[known] >= 0.5
    hits = int((found & positive).sum())
    precision, recall = hits / max(1, int(found.sum())), hits / max(1, int(positive.sum()))
    beta2 = recall_weight**2
    f = (1 + beta2) * precision * recall / (beta2 * precision + recall) if hits else 0.0
    return FrameFigures(
        threshold=threshold,
        precision=round(precision, 4),
        recall=round(recall, 4),
        f=round(f, 4),
        average_precision=round(_average_precision(scores[known], positive), 4),
    )


def _average_precision(scores: NDArray[np.float32], positive: NDArray[np.bool_]) -> float:
    """Mean of the precision at each positive, equal scores taken together; 0 without positives."""
    if not positive.any():
        return 0.0
    order = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.diff(scores[order], append=-1.0) != 0)
    found = np.cumsum(positive[order])[last]
    gained = np.diff(found, prepend=0)
    return float((gained * found / (last + 1)).sum() / found[-1])
