"""How far a metric may differ in other recordings, and whether two detectors differ.

Events of one recording are not independent: a day of rain hides them all. So recordings are drawn
instead of events: as many as there are, with replacement, a thousand times. The middle 95 % of a
metric over the draws is its interval (the percentile bootstrap: B. Efron and R. J. Tibshirani, "An
Introduction to the Bootstrap", 1993, chapter 13). It is too narrow for few recordings, and there is
none for fewer than two.

Two detectors are compared on the same recordings. Each draw is the same for both, so what makes a
recording hard has no part in the difference. McNemar's exact test takes the events that one
detector alone found, and asks whether they fall to both detectors alike (Q. McNemar, Psychometrika
12, 153-157, 1947). It takes events for independent.

Counts are arrays `(..., 4)`: events, found, detections, true. Draws are weights
`(draw, recording)`: how often each recording is in the draw. `scipy.stats.bootstrap` is not used,
since it would compute one metric at a time, while the product of weights and counts gives all
metrics of all draws at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loxo.events import Interval
from loxo.metrics.curves import step_area
from loxo.metrics.matching import Matching
from loxo.metrics.scores import CONFIDENCE, f1_scores, ratios

__all__ = [
    "METRICS",
    "Difference",
    "average_precision_interval",
    "bootstrap",
    "differences",
    "mcnemar",
    "resamples",
]

Values = NDArray[np.float64]
Indices = NDArray[np.int64]

METRICS = ("precision", "recall", "f1", "false_positives_per_hour")
"""The metrics that have intervals over recordings and differences."""
DRAWS = 1000


@dataclass(frozen=True, slots=True)
class Difference:
    """A metric of one detector minus that of another.

    Args:
        value: None where one of them has no value.
        interval: None where there is none over recordings.
    """

    value: float | None
    interval: Interval | None


def resamples(recordings: int, rng: np.random.Generator, draws: int = DRAWS) -> Indices:
    """Draw as many recordings as there are, with replacement; weights `(draw, recording)`."""
    return rng.multinomial(recordings, np.full(recordings, 1 / recordings), size=draws)


def bootstrap(
    counts: Indices, seconds: Values | None, weights: Indices
) -> dict[str, Interval | None]:
    """Interval of each of `METRICS` over recordings.

    Args:
        counts: `(recording, 4)`.
        seconds: searched in each recording `(recording,)`; None if that is unknown.
        weights: `(draw, recording)` of `resamples`.

    Returns:
        None in the place of an interval where there are fewer than two recordings, or the metric
        has no value.
    """
    drawn = _metrics(weights @ counts, _hours(seconds, weights))
    return {name: _interval(values, len(counts)) for name, values in drawn.items()}


def average_precision_interval(
    matchings: Sequence[Matching], thresholds: Values, weights: Indices
) -> Interval | None:
    """Interval of the average precision over recordings; None without events.

    Args:
        matchings: one a recording.
        thresholds: falling; enough of them to draw the curve.
        weights: `(draw, recording)` of `resamples`.
    """
    if not any(matching.events.size for matching in matchings):
        return None
    # Floats hold these counts exactly, and their product is a hundred times faster than that of
    # integers.
    counts = np.stack([matching.counts_at(thresholds) for matching in matchings]).astype(float)
    drawn = weights.astype(float) @ counts.reshape(len(counts), -1)
    drawn = drawn.reshape(len(weights), *counts.shape[1:])
    metrics = _metrics(drawn, np.full(drawn.shape[:2], np.nan))
    areas = step_area(metrics["precision"], metrics["recall"])
    return _interval(areas, len(matchings))


def differences(
    a: Indices, b: Indices, seconds: Values | None, weights: Indices
) -> dict[str, Difference]:
    """Each of `METRICS` of `a` minus that of `b`.

    Args:
        a, b: counts `(recording, 4)` of the same recordings.
        seconds: searched in each recording `(recording,)`; None if that is unknown.
        weights: `(draw, recording)` of `resamples`.
    """
    everything = np.ones((1, len(a)), dtype=np.int64)
    values = _difference(a, b, everything, _hours(seconds, everything))
    drawn = _difference(a, b, weights, _hours(seconds, weights))
    return {
        name: Difference(_known(values[name][0]), _interval(drawn[name], len(a)))
        for name in METRICS
    }


def _difference(a: Indices, b: Indices, chosen: Indices, hours: Values) -> dict[str, Values]:
    """Each of `METRICS` `(draw,)` of `a` minus that of `b`, for recordings chosen by weights."""
    of_a, of_b = _metrics(chosen @ a, hours), _metrics(chosen @ b, hours)
    return {name: of_a[name] - of_b[name] for name in METRICS}


def mcnemar(only_a: int, only_b: int) -> float:
    """Two-sided exact p-value of McNemar's test.

    Args:
        only_a, only_b: events that one detector alone found, and the other alone.
    """
    from scipy.stats import binomtest  # its import takes 0.4 s, which only comparisons pay

    if only_a + only_b == 0:
        return 1.0  # nothing to compare; binomtest refuses no trials
    return float(binomtest(only_a, only_a + only_b).pvalue)


def _interval(values: Values, recordings: int) -> Interval | None:
    """Middle part of values `(draw,)`; draws in which the metric has no value are ignored."""
    known = values[~np.isnan(values)]
    if recordings < 2 or known.size == 0:
        return None
    low, high = np.quantile(known, ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return float(low), float(high)


def _metrics(counts: Values | Indices, hours: Values) -> dict[str, Values]:
    """Each of `METRICS` of counts `(..., 4)` and hours `(...)`."""
    events, found, detections, true = np.moveaxis(counts, -1, 0)
    precision, recall = ratios(true, detections), ratios(found, events)
    return {
        "precision": precision,
        "recall": recall,
        "f1": f1_scores(precision, recall),
        "false_positives_per_hour": ratios(detections - true, hours),
    }


def _hours(seconds: Values | None, weights: Indices) -> Values:
    hours: Values = np.full(len(weights), np.nan) if seconds is None else weights @ seconds / 3600
    return hours


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
