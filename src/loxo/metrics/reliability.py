"""Whether scores mean what they say: of the detections that score .8, are four in five true?

Scores are sorted into bins of equal width, and each bin's mean score is set beside the share of its detections that are true. The expected
calibration error is the mean distance of the two, weighted by the detections in each bin.

Sources: M. P. Naeini, G. F. Cooper, M. Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loxo.events import Interval
from loxo.metrics.figures import wilson_interval

__all__ = ["Reliability", "reliability"]

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bin:
    """Detections whose scores lie in `[low, high)`, or in `[low, 1]` in the last one.

    Args:
        interval: of the share that is true, Wilson's.
    """

    low: float
    high: float
    detections: int
    mean_score: float
    true_share: float
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Reliability:
    """The bins that hold detections, scores ascending, and the expected calibration error; None without any detection."""

    bins: tuple[Bin, ...]
    error: float | None


def reliability(scores: Values, true: NDArray[np.bool_], n_bins: int = 10) -> Reliability:
    """Reliability of scores in [0, 1] of detections that are true or not, both `(detection,)`.

    Raises:
        ValueError: if a score is not within [0, 1].
    """
    outside = scores[~((scores >= 0) & (scores <= 1))]
    if outside.size:
        raise ValueError(f"a score of {outside[0]:g}: a reliability is that of scores from 0 to 1")
    number = np.minimum((scores * n_bins).astype(np.int64), n_bins - 1)
    bins = tuple(_bin(k, n_bins, scores[number == k], true[number == k]) for k in np.unique(number).tolist())
    error = sum(b.detections * abs(b.true_share - b.mean_score) for b in bins) / scores.size if scores.size else None
    return Reliability(bins, error)


def _bin(number: int, n_bins: int, scores: Values, true: NDArray[np.bool_]) -> Bin:
    successes = int(true.sum())
    interval = wilson_interval(successes, scores.size)
    return Bin(number / n_bins, (number + 1) / n_bins, scores.size, float(scores.mean()), successes / scores.size, interval)
