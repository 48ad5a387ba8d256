"""Whether scores are probabilities: of the detections that score 0.8, are four in five true?

Scores are sorted into bins of equal width. In each bin the mean score is compared with the share of
detections that are true. The expected calibration error is the mean distance of the two, weighted
by the detections in each bin.

Sources: M. P. Naeini, G. F. Cooper, M. Hauskrecht, "Obtaining well calibrated probabilities using
Bayesian binning", AAAI 2015.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loxo.events import Interval
from loxo.metrics.scores import wilson_interval

__all__ = ["Bin", "Reliability", "reliability"]

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bin:
    """Detections whose scores lie in `[low, high)`, or in `[low, 1]` in the last bin.

    Args:
        interval: Wilson's interval of the share that is true.
    """

    low: float
    high: float
    detections: int
    mean_score: float
    true_share: float
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Reliability:
    """How often detections of each score are true.

    Args:
        bins: those that hold detections, scores ascending.
        error: the expected calibration error; None without detections.
    """

    bins: tuple[Bin, ...]
    error: float | None


def reliability(scores: Values, true: NDArray[np.bool_], n_bins: int = 10) -> Reliability:
    """Compare scores in [0, 1] with whether the detections are true.

    Args:
        scores, true: of each detection `(detection,)`.

    Raises:
        ValueError: if a score is not within [0, 1].
    """
    outside = scores[~((scores >= 0) & (scores <= 1))]
    if outside.size:
        raise ValueError(f"a score of {outside[0]:g}: a reliability needs scores from 0 to 1")
    if not scores.size:
        return Reliability((), None)
    number = np.minimum((scores * n_bins).astype(np.int64), n_bins - 1)
    bins = tuple(
        _bin(k, n_bins, scores[number == k], true[number == k]) for k in np.unique(number).tolist()
    )
    distances = (b.detections * abs(b.true_share - b.mean_score) for b in bins)
    return Reliability(bins, sum(distances) / scores.size)


def _bin(number: int, n_bins: int, scores: Values, true: NDArray[np.bool_]) -> Bin:
    n_true = int(true.sum())
    return Bin(
        low=number / n_bins,
        high=(number + 1) / n_bins,
        detections=scores.size,
        mean_score=float(scores.mean()),
        true_share=n_true / scores.size,
        interval=wilson_interval(n_true, scores.size),
    )
