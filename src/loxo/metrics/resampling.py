"""What a figure might have been with other recordings of the same kind, and whether two detectors differ.

Events of one recording hang together: a day of rain spoils them all. So recordings are drawn, not events: as many as there are, with
replacement, many times over, and the middle 95 % of a figure is its interval (the percentile bootstrap: B. Efron and R. J. Tibshirani,
"An Introduction to the Bootstrap", 1993, chapter 13). With few recordings it is too narrow; with fewer than two there is none.

Two detectors are compared on the same recordings, each draw being the same for both, so that what makes a recording hard is no part of the
difference. McNemar's exact test asks of the events that one detector alone found whether they fall to both alike (Q. McNemar, Psychometrika
12, 153-157, 1947); it takes events for independent.

Counts are arrays `(..., 4)`: events, found, detections, true. Draws are weights `(draw, recording)`: how often each recording is in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr

from loxo.events import Interval
from loxo.metrics.curves import Ranked
from loxo.metrics.figures import CONFIDENCE, harmonic, shares

__all__ = ["FIGURES", "Difference", "bootstrap", "differences", "mcnemar", "mean_precision_interval", "resamples"]

Values = NDArray[np.float64]
Indices = NDArray[np.int64]

FIGURES = ("precision", "recall", "f1", "false_positives_per_hour")
"""What intervals and differences are made of."""
DRAWS = 1000


@dataclass(frozen=True, slots=True)
class Difference:
    """Of a figure: that of the one detector less that of the other; None where one has no value or there is no interval."""

    value: float | None
    interval: Interval | None


def resamples(recordings: int, rng: np.random.Generator, draws: int = DRAWS) -> Indices:
    """Weights `(draw, recording)` of as many recordings as there are, drawn with replacement."""
    return rng.multinomial(recordings, np.full(recordings, 1 / recordings), size=draws)


def bootstrap(counts: Indices, seconds: Values | None, weights: Indices) -> dict[str, Interval | None]:
    """The interval of each of `FIGURES` over recordings; None of fewer than two recordings, or without a value.

    Args:
        counts: `(recording, 4)`.
        seconds: searched in each recording; None if that is unknown.
        weights: of `resamples`.
    """
    return {name: interval_of(values, len(counts)) for name, values in _figures(weights @ counts, _hours(seconds, weights)).items()}


def mean_precision_interval(ranked: Sequence[Ranked], thresholds: Values, weights: Indices) -> Interval | None:
    """The interval of the average precision over recordings, at falling thresholds that are enough for it; None without events."""
    if not any(each.found_at.size for each in ranked):
        return None
    counts = np.stack([each.counts(thresholds) for each in ranked]).astype(np.float64)
    # In floats, which are exact here, the product is a hundred times faster than in integers.
    drawn = (weights.astype(np.float64) @ counts.reshape(len(counts), -1)).reshape(len(weights), *counts.shape[1:])
    figures = _figures(drawn, np.full(drawn.shape[:2], np.nan))
    gained = np.diff(np.maximum.accumulate(figures["recall"], axis=1), prepend=0.0, axis=1)
    return interval_of((gained * np.nan_to_num(figures["precision"])).sum(axis=1), len(ranked))


def differences(a: Indices, b: Indices, seconds: Values | None, weights: Indices) -> dict[str, Difference]:
    """Figures of `a` less those of `b`, counts `(recording, 4)` of the same recordings, by name."""
    hours = _hours(seconds, weights)
    whole = np.ones((1, len(a)), dtype=np.int64)
    of_all = [_figures(whole @ counts, _hours(seconds, whole)) for counts in (a, b)]
    drawn = [_figures(weights @ counts, hours) for counts in (a, b)]
    return {
        name: Difference(_value((of_all[0][name] - of_all[1][name])[0]), interval_of(drawn[0][name] - drawn[1][name], len(a)))
        for name in FIGURES
    }


def mcnemar(only_a: int, only_b: int) -> float:
    """Two-sided exact p of so many events found by one detector alone and by the other alone, if both are as good."""
    return min(1.0, 2 * float(bdtr(min(only_a, only_b), only_a + only_b, 0.5)))


def interval_of(values: Values, recordings: int) -> Interval | None:
    """The middle of values `(draw,)`; draws in which the figure has no value do not count."""
    known = values[~np.isnan(values)]
    if recordings < 2 or known.size == 0:
        return None
    low, high = np.quantile(known, ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return float(low), float(high)


def _figures(counts: Values | Indices, hours: Values) -> dict[str, Values]:
    """Each of `FIGURES` of counts `(..., 4)` and hours `(...)`."""
    events, found, detections, true = np.moveaxis(counts, -1, 0)
    precision, recall = shares(true, detections), shares(found, events)
    return dict(zip(FIGURES, (precision, recall, harmonic(precision, recall), shares(detections - true, hours)), strict=True))


def _hours(seconds: Values | None, weights: Indices) -> Values:
    hours: Values = np.full(len(weights), np.nan) if seconds is None else weights @ seconds / 3600
    return hours


def _value(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
