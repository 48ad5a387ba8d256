"""Counts -> precision, recall, F1 and false positives per hour, with the intervals of independent events."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv, ndtri

from loxo.events import Interval
from loxo.metrics.rules import Counts

__all__ = ["CONFIDENCE", "Score", "harmonic", "poisson_interval", "score", "shares", "wilson_interval"]

Values = NDArray[np.float64]

CONFIDENCE = 0.95
"""Coverage of every interval."""


@dataclass(frozen=True, slots=True)
class Score:
    """The figures made of `Counts`; `None` where a figure has no meaning or the length of the audio is unknown.

    `detections` are those that count, true and false; intervals are of 95 % confidence.
    """

    precision: float | None
    recall: float | None
    f1: float | None
    false_positives_per_hour: float | None
    true_events: int
    detections: int
    found_events: int
    true_detections: int
    left_out_detections: int
    precision_interval: Interval | None
    recall_interval: Interval | None
    false_positives_per_hour_interval: Interval | None


def score(counts: Counts, audio_s: float | None, *, independent: bool = True) -> Score:
    """The figures of summed counts over `audio_s` seconds of searched audio.

    Args:
        audio_s: all searched audio, empty recordings included; `None` or 0 where it is unknown: no figure per hour then.
        independent: whether the counted things may be taken as independent. Neighbouring seconds are not, and intervals that
            believe it are far too narrow: for `per_second` say False, and there are none.
    """
    hours = audio_s / 3600 if audio_s else None
    precision = _ratio(counts.true, counts.detections)
    recall = _ratio(counts.found, counts.events)
    return Score(
        precision=precision,
        recall=recall,
        f1=_f1(precision, recall),
        false_positives_per_hour=counts.false / hours if hours else None,
        true_events=counts.events,
        detections=counts.detections,
        found_events=counts.found,
        true_detections=counts.true,
        left_out_detections=counts.left_out,
        precision_interval=wilson_interval(counts.true, counts.detections) if independent else None,
        recall_interval=wilson_interval(counts.found, counts.events) if independent else None,
        false_positives_per_hour_interval=poisson_interval(counts.false, hours) if hours and independent else None,
    )


def wilson_interval(successes: int, trials: int, confidence: float = CONFIDENCE) -> Interval | None:
    """Wilson's score interval of a proportion, within [0, 1]; `None` of no trials."""
    if trials == 0:
        return None
    z2 = float(ndtri((1 + confidence) / 2)) ** 2
    centre = (successes + z2 / 2) / (trials + z2)
    half = (z2 * (successes * (trials - successes) / trials + z2 / 4)) ** 0.5 / (trials + z2)
    # The limits of none and of all are 0 and 1, which rounding would miss.
    return centre - half if successes else 0.0, centre + half if successes < trials else 1.0


def poisson_interval(count: int, exposure: float, confidence: float = CONFIDENCE) -> Interval:
    """Garwood's exact interval of a Poisson rate per unit of `exposure`, of which `count` were seen."""
    tail = (1 - confidence) / 2
    # Half a quantile of chi-squared with 2n degrees of freedom is the quantile of a gamma distribution of shape n.
    low = float(gammaincinv(count, tail)) if count else 0.0
    return low / exposure, float(gammaincinv(count + 1, 1 - tail)) / exposure


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _f1(precision: float | None, recall: float | None) -> float | None:
    if precision is None and recall is None:
        return None
    if not precision or not recall:
        return 0.0
    return 2 * precision * recall / (precision + recall)


def shares(part: NDArray[np.generic], whole: NDArray[np.generic]) -> Values:
    """Each part of its whole; nan where nothing is divided by nothing."""
    parts, wholes = part.astype(np.float64), whole.astype(np.float64)
    result: Values = np.divide(parts, wholes, out=np.full(parts.shape, np.nan), where=wholes > 0)
    return result


def harmonic(precision: Values, recall: Values) -> Values:
    """F1 of each precision and recall, as `score` has it: 0 where one of them is nan, nan where both are."""
    p, r = np.nan_to_num(precision), np.nan_to_num(recall)
    f1: Values = 2 * p * r / np.where(p + r > 0, p + r, 1.0)
    f1[np.isnan(precision) & np.isnan(recall)] = np.nan
    return f1
