"""Counts at every threshold, and what is read off them.

There are two ways to a curve:

- **From scored detections** (`curve`): those that score at least the threshold are kept with their
  extents. A `Matching` holds the thresholds at which cases change, so nothing is matched again.
- **From the counts of separate runs** (`Curve.of_counts`): one set of detections for each of
  several thresholds. This is exact for a detector with hysteresis, whose events grow and merge as
  the threshold falls.

**Average precision** is the sum over falling thresholds of the recall gained times the precision
there: the area under the steps, without interpolation (C. D. Manning, P. Raghavan, H. Schuetze,
"Introduction to Information Retrieval", 2008, section 8.4). Events that are never found add
nothing, so a detector that was run with a high threshold has a low average precision. Where recall
falls as the threshold falls, as it may for separate runs, only recall above the highest so far
counts as gained.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loxo.events import Detection, Event
from loxo.metrics.matching import RULES, Counts, Matching
from loxo.metrics.scores import Score, f1_scores, ratios, score

__all__ = ["Curve", "curve", "curve_of_scores", "step_area"]

Values = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Counts `(threshold,)` at falling thresholds; undefined ratios are nan.

    Args:
        threshold: falling.
        found, detections, true: counts of the detections that score at least each threshold.
        events: number of certain events, the same at each threshold.
        hours: searched; None if that is unknown, and then all rates per hour are unknown.

    Raises:
        ValueError: if the thresholds do not fall.
    """

    threshold: Values
    found: Indices
    detections: Indices
    true: Indices
    events: int
    hours: float | None = None

    def __post_init__(self) -> None:
        if (np.diff(self.threshold) >= 0).any():
            raise ValueError(
                f"the thresholds {self.threshold} of a curve must fall from each to the next"
            )

    @classmethod
    def of_counts(cls, counts: Mapping[float, Counts], hours: float | None = None) -> Curve:
        """Make a curve from the counts of separate runs, by their thresholds.

        Raises:
            ValueError: if the counts are not of the same number of events.
        """
        falling = sorted(counts, reverse=True)
        events = {counts[threshold].events for threshold in falling}
        if len(events) > 1:
            raise ValueError(
                f"counts of {min(events)} to {max(events)} events: a curve needs the same truth at "
                "every threshold"
            )
        several = [counts[threshold] for threshold in falling]
        table = np.array([(c.found, c.detections, c.true) for c in several], dtype=np.int64)
        found, detections, true = table.reshape(-1, 3).T
        thresholds = np.array(falling, dtype=np.float64)
        return cls(thresholds, found, detections, true, max(events, default=0), hours)

    @property
    def precision(self) -> Values:
        """Share of the detections that are true, `(threshold,)`."""
        return ratios(self.true, self.detections)

    @property
    def recall(self) -> Values:
        """Share of the events that are found, `(threshold,)`."""
        return ratios(self.found, np.full_like(self.found, self.events))

    @property
    def f1(self) -> Values:
        """Harmonic mean of precision and recall, `(threshold,)`."""
        return f1_scores(self.precision, self.recall)

    @property
    def false_positives_per_hour(self) -> Values:
        """False detections per hour `(threshold,)`; all nan if the hours are unknown."""
        per_hour: Values = (self.detections - self.true) / (self.hours or np.nan)
        return per_hour

    @property
    def average_precision(self) -> float | None:
        """Area under precision against recall; None without events, 0 where none is found."""
        return float(step_area(self.precision, self.recall)) if self.events else None

    @property
    def best(self) -> int | None:
        """Position of the greatest F1, at the highest such threshold; None if F1 is undefined."""
        f1 = self.f1
        return None if np.isnan(f1).all() else int(np.nanargmax(f1))

    def score_at(self, position: int) -> Score:
        """Score of one of the thresholds, by its position."""
        found, detections, true = (
            int(counts[position]) for counts in (self.found, self.detections, self.true)
        )
        audio_s = None if self.hours is None else self.hours * 3600
        return score(Counts(self.events, found, detections, true), audio_s)

    def position_at(self, false_positives_per_hour: float) -> int | None:
        """Position of the lowest threshold down to which the rate is never exceeded.

        None if the highest threshold exceeds it already, or the hours are unknown.
        """
        too_many = ~(self.false_positives_per_hour <= false_positives_per_hour)
        n_allowed = int(np.argmax(too_many)) if too_many.any() else too_many.size
        return n_allowed - 1 if n_allowed else None

    def threshold_at(self, false_positives_per_hour: float) -> float | None:
        """The threshold at that position; None if there is none."""
        position = self.position_at(false_positives_per_hour)
        return None if position is None else float(self.threshold[position])

    def recall_at(self, false_positives_per_hour: float) -> float | None:
        """Recall at a number of false positives per hour; None without events or hours.

        It is 0 where the highest score exceeds that rate already. Where the curve ends below the
        rate (see `reaches`), it is the recall at the end of the curve, which is a lower limit.
        """
        if not self.hours or self.events == 0:
            return None
        position = self.position_at(false_positives_per_hour)
        return 0.0 if position is None else float(self.recall[position])

    def reaches(self, false_positives_per_hour: float) -> bool:
        """Whether some threshold has that many false positives per hour."""
        return bool((self.false_positives_per_hour >= false_positives_per_hour).any())

    def thinned(self, most: int) -> Curve:
        """Keep at most `most` thresholds, more of the high ones, with both ends and the best F1."""
        n = self.threshold.size
        if n <= most:
            return self
        best = [1.0 + (self.best or 0)]
        numbers = (np.geomspace(1, n, (most - 1) // 2), np.linspace(1, n, most // 2), best)
        kept = np.unique(np.concatenate(numbers).astype(np.int64)) - 1
        return Curve(
            self.threshold[kept],
            self.found[kept],
            self.detections[kept],
            self.true[kept],
            self.events,
            self.hours,
        )


def step_area(precision: Values, recall: Values) -> Values:
    """Average precision of precision and recall `(..., threshold)` at falling thresholds.

    A precision that is nan counts as 0; where the recall is nan, so is the area.
    """
    gained = np.diff(np.maximum.accumulate(recall, axis=-1), prepend=0.0, axis=-1)
    return np.asarray((gained * np.nan_to_num(precision)).sum(axis=-1))


def curve(matchings: Iterable[Matching], hours: float | None = None) -> Curve:
    """Make the curve of the scored detections of some recordings, at all distinct scores."""
    whole = Matching.concatenate(matchings)
    thresholds = whole.thresholds
    _, found, detections, true = whole.counts_at(thresholds).T
    return Curve(thresholds, found, detections, true, whole.events.size, hours)


def curve_of_scores(
    recordings: Iterable[tuple[Sequence[Event], Sequence[Detection]]],
    hours: float | None = None,
    *,
    rule: str = "overlap10",
) -> Curve:
    """Make the curve of the events and detections of one label in each recording.

    Args:
        recordings: events and detections of each.
        hours: searched in all of them; None if that is unknown.
        rule: one of `RULES`.
    """
    match = RULES[rule]
    return curve(
        (match(events, detections, _scores(detections)) for events, detections in recordings),
        hours,
    )


def _scores(detections: Sequence[Detection]) -> Values:
    return np.array([detection.score for detection in detections], dtype=np.float64)
