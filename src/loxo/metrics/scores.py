"""Counts -> precision, recall, F1 and false positives per hour, with intervals.

The intervals take events for independent of each other. `resampling.py` has those that do not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv, ndtri

from loxo.events import Interval
from loxo.metrics.matching import Counts

__all__ = [
    "CONFIDENCE",
    "Score",
    "f1_score",
    "f1_scores",
    "poisson_interval",
    "ratios",
    "score",
    "wilson_interval",
]

Values = NDArray[np.float64]

CONFIDENCE = 0.95
"""Coverage of every interval."""

# The two intervals below are closed forms that use scipy.special. scipy.stats has them, too, but
# importing it takes 0.4 s of processor time (all else that `loxo evaluate` imports takes 0.6 s),
# and `binomtest(...).proportion_ci(method="wilson")` takes 0.6 ms, a thousand times as long as
# `wilson_interval`, which is called for each recording, label and rule. The tests compare both.


@dataclass(frozen=True, slots=True)
class Score:
    """Metrics of a rule's `Counts`; None where a ratio is undefined or the hours are unknown.

    Args:
        true_events: certain events.
        detections: detections that count, true and false.
        ignored_detections: detections that met marginal events only.
        precision_interval, recall_interval: Wilson's, of 95 %.
        false_positives_per_hour_interval: Garwood's, of 95 %.
    """

    precision: float | None
    recall: float | None
    f1: float | None
    false_positives_per_hour: float | None
    true_events: int
    detections: int
    found_events: int
    true_detections: int
    ignored_detections: int
    precision_interval: Interval | None
    recall_interval: Interval | None
    false_positives_per_hour_interval: Interval | None


def score(counts: Counts, audio_s: float | None, *, independent: bool = True) -> Score:
    """Score summed counts over `audio_s` seconds of searched audio.

    Args:
        audio_s: all searched audio, empty recordings included. None or 0 where it is unknown:
            then there is no rate per hour.
        independent: whether the counted items are independent of each other. Neighbouring seconds
            are not, and intervals that take them for independent are far too narrow. Say False for
            `per_second`; then there are no intervals.
    """
    hours = audio_s / 3600 if audio_s else None
    precision = counts.true / counts.detections if counts.detections else None
    recall = counts.found / counts.events if counts.events else None
    rated = hours if independent else None
    return Score(
        precision=precision,
        recall=recall,
        f1=f1_score(precision, recall),
        false_positives_per_hour=counts.false / hours if hours else None,
        true_events=counts.events,
        detections=counts.detections,
        found_events=counts.found,
        true_detections=counts.true,
        ignored_detections=counts.ignored,
        precision_interval=wilson_interval(counts.true, counts.detections) if independent else None,
        recall_interval=wilson_interval(counts.found, counts.events) if independent else None,
        false_positives_per_hour_interval=poisson_interval(counts.false, rated) if rated else None,
    )


def wilson_interval(successes: int, trials: int, confidence: float = CONFIDENCE) -> Interval | None:
    """Wilson's score interval of a proportion, within [0, 1]; None if there are no trials."""
    if trials == 0:
        return None
    z2 = float(ndtri((1 + confidence) / 2)) ** 2
    centre = (successes + z2 / 2) / (trials + z2)
    half = (z2 * (successes * (trials - successes) / trials + z2 / 4)) ** 0.5 / (trials + z2)
    # With no success the lower limit is 0, and with no failure the upper one is 1; rounding would
    # miss both.
    return centre - half if successes else 0.0, centre + half if successes < trials else 1.0


def poisson_interval(count: int, exposure: float, confidence: float = CONFIDENCE) -> Interval:
    """Garwood's exact interval of a Poisson rate per unit of `exposure`, given `count` cases."""
    tail = (1 - confidence) / 2
    # Half a quantile of chi-squared with 2n degrees of freedom is the quantile of a gamma
    # distribution of shape n.
    low = float(gammaincinv(count, tail)) if count else 0.0
    return low / exposure, float(gammaincinv(count + 1, 1 - tail)) / exposure


def ratios(parts: NDArray[np.generic], wholes: NDArray[np.generic]) -> Values:
    """Each part over its whole; nan where the whole is not positive."""
    above, below = parts.astype(np.float64), wholes.astype(np.float64)
    result: Values = np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)
    return result


def f1_scores(precision: Values, recall: Values) -> Values:
    """F1 of each precision and recall: 0 where one of them is nan, nan where both are."""
    p, r = np.nan_to_num(precision), np.nan_to_num(recall)
    f1: Values = 2 * p * r / np.where(p + r > 0, p + r, 1.0)
    return np.where(np.isnan(precision) & np.isnan(recall), np.nan, f1)


def f1_score(precision: float | None, recall: float | None) -> float | None:
    """F1 of one precision and recall, with None for nan."""
    if precision is None and recall is None:
        return None
    return float(f1_scores(*np.array([[precision], [recall]], dtype=np.float64))[0])
