"""Counts at every threshold, and what is read off them.

A curve comes about in two ways. **Of scored detections**: those that score at least the threshold are kept, as they are; `Ranked` says at
which score each event is found and each detection is true or false, so that no threshold is matched anew. **Of sets made anew** at each of
several thresholds (`Curve.of_counts`): exact for a detector with hysteresis, whose events grow and join as the threshold falls.

Under `one_to_one` the pairing differs from threshold to threshold, but one pairing tells all: the sets of detections that can be paired at
once are the independent sets of a (transversal) matroid, where the basis of the greatest weight, the highest scores first, holds as many
as possible of every prefix (J. Edmonds and D. R. Fulkerson 1965; J. Edmonds, "Matroids and the greedy algorithm", 1971).

**Average precision** is the sum over falling thresholds of the recall gained times the precision there: the area under the steps, without
interpolation (C. D. Manning, P. Raghavan, H. Schuetze, "Introduction to Information Retrieval", 2008, section 8.4). What is never found
adds nothing, so a detector that was run with a high threshold has a low one. Where recall falls with the threshold, as it may for sets
made anew, only what exceeds all before is gained.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from loxo.events import Detection, Event
from loxo.metrics.figures import Score, harmonic, score, shares
from loxo.metrics.rules import Counts, Overlaps, Timed, best_pairing, overlaps_of, second_span, seconds_of

__all__ = ["RANKINGS", "Curve", "Ranked", "curve", "curve_of_scores"]

Values = NDArray[np.float64]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]


# ---- at which score each case comes about


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """Scores at which the cases of one label come about; of seconds under `per_second`.

    Args:
        found_at: `(event,)`: the highest threshold at which a certain event is found, -inf if never. Under `one_to_one` they count
            how many are found, and not which.
        true, false: scores `(detection,)` of those that are true and false; what is left out is in neither.
    """

    found_at: Values
    true: Values
    false: Values

    @classmethod
    def joined(cls, parts: Iterable[Ranked]) -> Ranked:
        """Those of several recordings together."""
        several = [cls(np.zeros(0), np.zeros(0), np.zeros(0)), *parts]
        return cls(*(np.concatenate([getattr(part, field.name) for part in several]) for field in fields(cls)))

    @property
    def thresholds(self) -> Values:
        """All distinct scores, descending."""
        return np.unique(self.outcomes[0])[::-1]

    @property
    def outcomes(self) -> tuple[Values, Mask]:
        """Scores `(detection,)` of true and false detections, and which are true."""
        return np.concatenate((self.true, self.false)), np.repeat([True, False], [self.true.size, self.false.size])

    def counts(self, thresholds: Values) -> Indices:
        """Events, found, detections and true `(threshold, 4)`, of detections that score at least each threshold."""
        found, true, false = (_at_least(scores, thresholds) for scores in (self.found_at, self.true, self.false))
        return np.stack((np.full_like(found, self.found_at.size), found, true + false, true), axis=-1)


def _at_least(scores: Values, thresholds: Values) -> Indices:
    return (scores.size - np.searchsorted(np.sort(scores), thresholds, side="left")).astype(np.int64)


def rank_overlap10(events: Sequence[Event], detections: Sequence[Timed], scores: Values) -> Ranked:
    """An event is found at the highest score of a detection that finds it; whether a detection is true does not hang on the others."""
    overlaps = overlaps_of(events, detections)
    found = overlaps.certain & overlaps.finds
    found_at = np.full(len(events), -np.inf)
    np.maximum.at(found_at, overlaps.event[found], scores[overlaps.detection[found]])
    true = np.unique(overlaps.detection[overlaps.certain & overlaps.meets])
    return _ranked(found_at[_certain(events)], overlaps, true, scores)


def rank_one_to_one(events: Sequence[Event], detections: Sequence[Timed], scores: Values) -> Ranked:
    """As many events are found at a threshold as detections of the best pairing score that much."""
    overlaps = overlaps_of(events, detections)
    candidate = overlaps.certain & overlaps.finds
    event, detection = overlaps.event[candidate], overlaps.detection[candidate]
    ranks = np.unique(scores[detection], return_inverse=True)[1].astype(np.float64) + 1
    true = detection[best_pairing(event, detection, ranks)]
    found_at = np.full(int(_certain(events).sum()), -np.inf)
    found_at[: true.size] = scores[true]
    return _ranked(found_at, overlaps, true, scores)


def rank_per_second(events: Sequence[Event], detections: Sequence[Timed], scores: Values) -> Ranked:
    """A second is detected at the highest score of a detection that covers a part of it."""
    certain = seconds_of([event for event in events if not event.marginal])
    marginal = seconds_of([event for event in events if event.marginal])
    second, score_of = _detected_seconds(detections, scores)
    found_at = np.full(certain.size, -np.inf)
    true = np.isin(second, certain)
    found_at[np.searchsorted(certain, second[true])] = score_of[true]
    return Ranked(found_at, score_of[true], score_of[~true & ~np.isin(second, marginal)])


RANKINGS: Mapping[str, Callable[[Sequence[Event], Sequence[Timed], Values], Ranked]] = MappingProxyType(
    {"overlap10": rank_overlap10, "one_to_one": rank_one_to_one, "per_second": rank_per_second}
)
"""The rules at all thresholds at once, by their names."""


def _certain(events: Sequence[Event]) -> Mask:
    return np.array([not event.marginal for event in events], dtype=bool)


def _ranked(found_at: Values, overlaps: Overlaps, true: Indices, scores: Values) -> Ranked:
    """With detections that are neither true nor left out as the false ones."""
    meets_certain, meets_marginal = (overlaps.detection[overlaps.meets & kind] for kind in (overlaps.certain, ~overlaps.certain))
    false = np.ones(scores.size, dtype=bool)
    false[true] = False
    false[np.setdiff1d(meets_marginal, meets_certain)] = False
    return Ranked(found_at, scores[true], scores[false])


def _detected_seconds(detections: Sequence[Timed], scores: Values) -> tuple[Indices, Values]:
    """Seconds that are covered, ascending, each with the highest score that covers it."""
    first, last = np.array([second_span(item) for item in detections], dtype=np.int64).reshape(-1, 2).T
    owner = np.repeat(np.arange(first.size), last - first)
    ends = np.cumsum(last - first)
    covered = np.arange(owner.size) - np.repeat(ends - (last - first), last - first) + first[owner]
    second, place = np.unique(covered, return_inverse=True)
    highest = np.full(second.size, -np.inf)
    np.maximum.at(highest, place, scores[owner])
    return second, highest


# ---- the curve


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Counts `(threshold,)` at falling thresholds; figures are nan where nothing is divided by nothing.

    Args:
        events: certain events, the same at each threshold.
        hours: searched; None if that is unknown: then nothing is known per hour.

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
            raise ValueError(f"the thresholds {self.threshold} of a curve must fall from each to the next")

    @classmethod
    def of_counts(cls, counts: Mapping[float, Counts], hours: float | None = None) -> Curve:
        """The curve of detection sets that were made anew at each threshold and judged by the same truth.

        Raises:
            ValueError: if the counts are not of the same number of events.
        """
        falling = sorted(counts, reverse=True)
        events = {counts[threshold].events for threshold in falling}
        if len(events) > 1:
            raise ValueError(f"counts of {min(events)} to {max(events)} events: a curve needs the same truth at every threshold")
        table = np.array([(c.found, c.detections, c.true) for c in (counts[t] for t in falling)], dtype=np.int64).reshape(-1, 3)
        return cls(np.array(falling, dtype=np.float64), table[:, 0], table[:, 1], table[:, 2], max(events, default=0), hours)

    @property
    def precision(self) -> Values:
        return shares(self.true, self.detections)

    @property
    def recall(self) -> Values:
        return shares(self.found, np.full_like(self.found, self.events))

    @property
    def f1(self) -> Values:
        return harmonic(self.precision, self.recall)

    @property
    def false_positives_per_hour(self) -> Values:
        """All nan if the hours are unknown."""
        per_hour: Values = (self.detections - self.true) / (self.hours or np.nan)
        return per_hour

    @property
    def average_precision(self) -> float | None:
        """None without events; 0 where none is found."""
        if self.events == 0:
            return None
        gained = np.diff(np.maximum.accumulate(self.recall), prepend=0.0)
        return float((gained * np.nan_to_num(self.precision)).sum())

    @property
    def best(self) -> int | None:
        """Where F1 is greatest, at the highest such threshold; None if it has no value anywhere."""
        f1 = self.f1
        return None if np.isnan(f1).all() else int(np.nanargmax(f1))

    def score_at(self, place: int) -> Score:
        """The figures at one of the thresholds."""
        counts = Counts(self.events, int(self.found[place]), int(self.detections[place]), int(self.true[place]))
        return score(counts, None if self.hours is None else self.hours * 3600)

    def place_at(self, false_positives_per_hour: float) -> int | None:
        """The lowest threshold down to which no more are false per hour; None if there is none, or the hours are unknown."""
        too_many = ~(self.false_positives_per_hour <= false_positives_per_hour)
        places = int(np.argmax(too_many)) if too_many.any() else too_many.size
        return places - 1 if places else None

    def threshold_at(self, false_positives_per_hour: float) -> float | None:
        place = self.place_at(false_positives_per_hour)
        return None if place is None else float(self.threshold[place])

    def recall_at(self, false_positives_per_hour: float) -> float | None:
        """0 where already the highest score is false too often; None without events or hours.

        A curve that ends before so many are false (`reaches`) gives what is known: no less is found at that many.
        """
        if not self.hours or self.events == 0:
            return None
        place = self.place_at(false_positives_per_hour)
        return 0.0 if place is None else float(self.recall[place])

    def reaches(self, false_positives_per_hour: float) -> bool:
        """Whether the lowest thresholds have that many false positives per hour."""
        return bool((self.false_positives_per_hour >= false_positives_per_hour).any())

    def thinned(self, most: int) -> Curve:
        """The same curve at `most` thresholds or fewer, denser at the high ones, with both ends and the best F1."""
        n = self.threshold.size
        if n <= most:
            return self
        best = np.array([1.0 + (self.best or 0)])
        kept = np.unique(np.concatenate((np.geomspace(1, n, (most - 1) // 2), np.linspace(1, n, most // 2), best)).astype(np.int64)) - 1
        return Curve(self.threshold[kept], self.found[kept], self.detections[kept], self.true[kept], self.events, self.hours)


def curve(ranked: Iterable[Ranked], hours: float | None = None) -> Curve:
    """The curve of scored detections of some recordings, at all distinct scores."""
    whole = Ranked.joined(ranked)
    thresholds = whole.thresholds
    counts = whole.counts(thresholds)
    return Curve(thresholds, counts[:, 1], counts[:, 2], counts[:, 3], whole.found_at.size, hours)


def curve_of_scores(
    recordings: Iterable[tuple[Sequence[Event], Sequence[Detection]]], hours: float | None = None, *, rule: str = "overlap10"
) -> Curve:
    """The same of the events and the detections of one label in each recording, under one of `RANKINGS`."""
    rank = RANKINGS[rule]
    return curve((rank(events, found, np.array([each.score for each in found], dtype=np.float64)) for events, found in recordings), hours)
