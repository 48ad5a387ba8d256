"""The three rules: which events were found, and which detections are true.

One object, `Matching`, holds the answer for the events and detections of one label in one
recording. It also holds the thresholds at which cases change, so that counts at every threshold
need no second matching: detections that score less than a threshold are dropped, and their extents
do not change.

Under `one_to_one` the pairing differs from threshold to threshold, but one pairing gives all the
counts. The sets of detections that can be paired at once are the independent sets of a
(transversal) matroid. There the basis of the greatest weight, the highest scores first, holds as
many elements as possible of every prefix (J. Edmonds and D. R. Fulkerson 1965; J. Edmonds,
"Matroids and the greedy algorithm", 1971).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from loxo.events import Event
from loxo.metrics.overlaps import (
    Overlaps,
    Timed,
    certain_mask,
    find_overlaps,
    highest_of,
    seconds_of,
    seconds_with_scores,
)
from loxo.metrics.pairing import best_pairing

__all__ = [
    "RULES",
    "Counts",
    "Matching",
    "Rule",
    "one_to_one",
    "overlap10",
    "per_second",
]

Values = NDArray[np.float64]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of one rule; they can be summed over recordings: `sum(counts, Counts())`.

    Args:
        events: certain events (seconds under `per_second`).
        found: those of them that were found.
        detections: detections that are true or false (seconds under `per_second`).
        true: those of them that are true.
        ignored: detections that met marginal events only; they are not among `detections`.
    """

    events: int = 0
    found: int = 0
    detections: int = 0
    true: int = 0
    ignored: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def false(self) -> int:
        """Number of false detections."""
        return self.detections - self.true


@dataclass(frozen=True, slots=True, eq=False)
class Matching:
    """Events and detections of one label in one recording, matched under one rule.

    Events and detections are known by their positions in the sequences that the rule was given.
    Under `per_second` they are seconds instead: the number k means `[k, k + 1)`.

    Args:
        events: the certain events `(event,)`, ascending.
        found: whether each event `(event,)` was found.
        found_at: highest threshold at which each event `(event,)` is found; -inf if never.
        detections: all detections `(detection,)`, ascending.
        true: whether each detection `(detection,)` is true.
        true_at: highest threshold at which each detection `(detection,)` is true; -inf if never.
        ignored: whether each detection `(detection,)` met marginal events only; a detection that is
            neither true nor ignored is false.
        scores: score of each detection `(detection,)`; nan where it has none.
        pairs: events and detections `(pair, 2)`, sorted: all that make a detection true
            (`overlap10`), the pairing (`one_to_one`), none under `per_second`.

    Under `one_to_one`, `found` and `true` are those of the pairing with the most shared time.
    `found_at` and `true_at` are those of the pairing with the highest scores, since that one gives
    the number found at each threshold. Both pairings have equally many pairs.
    """

    events: Indices
    found: Mask
    found_at: Values
    detections: Indices
    true: Mask
    true_at: Values
    ignored: Mask
    scores: Values
    pairs: Indices

    @classmethod
    def concatenate(cls, matchings: Iterable[Matching]) -> Matching:
        """Cases of several recordings as one; positions are still those in each recording."""
        parts = [_EMPTY, *matchings]
        names = [field.name for field in fields(cls)]
        return cls(*(np.concatenate(list(map(attrgetter(name), parts))) for name in names))

    @property
    def false(self) -> Mask:
        """Whether each detection `(detection,)` is false."""
        return ~(self.true | self.ignored)

    @property
    def found_events(self) -> list[int]:
        """Positions of the events that were found."""
        return _ints(self.events[self.found])

    @property
    def missed_events(self) -> list[int]:
        """Positions of the certain events that were not found."""
        return _ints(self.events[~self.found])

    @property
    def true_detections(self) -> list[int]:
        """Positions of the true detections."""
        return _ints(self.detections[self.true])

    @property
    def false_detections(self) -> list[int]:
        """Positions of the false detections."""
        return _ints(self.detections[self.false])

    @property
    def ignored_detections(self) -> list[int]:
        """Positions of the detections that met marginal events only."""
        return _ints(self.detections[self.ignored])

    @property
    def counts(self) -> Counts:
        """Counts of all detections, whatever their scores."""
        ignored = int(self.ignored.sum())
        return Counts(
            events=self.events.size,
            found=int(self.found.sum()),
            detections=self.detections.size - ignored,
            true=int(self.true.sum()),
            ignored=ignored,
        )

    @property
    def scored(self) -> bool:
        """Whether every detection has a finite score, so that thresholds can be applied."""
        return bool(np.isfinite(self.scores).all())

    @property
    def thresholds(self) -> Values:
        """All distinct scores of detections that are true or false, descending."""
        return np.unique(self.scores[~self.ignored])[::-1]

    def counts_at(self, thresholds: Values) -> Indices:
        """Events, found, detections and true `(threshold, 4)` of the detections that score enough.

        A detection scores enough if its score is not below the threshold.
        """
        found = _number_from(self.found_at, thresholds)
        detections = _number_from(self.scores[~self.ignored], thresholds)
        true = _number_from(self.true_at, thresholds)
        events = np.full_like(found, self.events.size)
        return np.stack((events, found, detections, true), axis=-1)


_EMPTY = Matching(
    events=np.zeros(0, np.int64),
    found=np.zeros(0, bool),
    found_at=np.zeros(0),
    detections=np.zeros(0, np.int64),
    true=np.zeros(0, bool),
    true_at=np.zeros(0),
    ignored=np.zeros(0, bool),
    scores=np.zeros(0),
    pairs=np.zeros((0, 2), np.int64),
)


def _number_from(values: Values, thresholds: Values) -> Indices:
    """How many values are not below each threshold."""
    below = np.searchsorted(np.sort(values), thresholds, side="left")
    return (values.size - below).astype(np.int64)


def _ints(positions: Indices) -> list[int]:
    return [int(position) for position in positions.tolist()]


# ---- the three rules


def overlap10(
    events: Sequence[Event], detections: Sequence[Timed], scores: Values | None = None
) -> Matching:
    """Match by the rule of the field: an overlap of 10 % of the event, many to many.

    Args:
        scores: of the detections `(detection,)`; None leaves the thresholds unknown.
    """
    overlaps, known = find_overlaps(events, detections), _known(scores, detections)
    finds = overlaps.certain & overlaps.finds
    makes_true = overlaps.certain & overlaps.meets
    # Whether a detection is true does not depend on the others, so it is at every threshold.
    true = _mask(overlaps.detection[makes_true], len(detections))
    return _matching(
        (events, detections),
        overlaps,
        found=_mask(overlaps.event[finds], len(events)),
        found_at=highest_of(known[overlaps.detection[finds]], overlaps.event[finds], len(events)),
        pairs=makes_true,
        true_at=np.where(true, known, -np.inf),
        scores=known,
    )


def one_to_one(
    events: Sequence[Event], detections: Sequence[Timed], scores: Values | None = None
) -> Matching:
    """Pair each event with one detection at most: most pairs first, then most shared time.

    Args:
        scores: of the detections `(detection,)`; None leaves the thresholds unknown.
    """
    overlaps, known = find_overlaps(events, detections), _known(scores, detections)
    candidates = np.flatnonzero(overlaps.certain & overlaps.finds)
    event, detection = overlaps.event[candidates], overlaps.detection[candidates]
    pairs = np.zeros(overlaps.event.size, dtype=bool)
    pairs[candidates[best_pairing(event, detection, overlaps.shared_s[candidates])]] = True
    # Ranks keep the order of the scores and are positive, whatever scale the scores have.
    ranks = np.unique(known[detection], return_inverse=True)[1].astype(np.float64) + 1
    ranked = best_pairing(event, detection, ranks)
    found_at, true_at = np.full(len(events), -np.inf), np.full(len(detections), -np.inf)
    found_at[event[ranked]] = known[detection[ranked]]
    true_at[detection[ranked]] = known[detection[ranked]]
    return _matching(
        (events, detections),
        overlaps,
        found=_mask(overlaps.event[pairs], len(events)),
        found_at=found_at,
        pairs=pairs,
        true_at=true_at,
        scores=known,
    )


def per_second(
    events: Sequence[Event], detections: Sequence[Timed], scores: Values | None = None
) -> Matching:
    """Compare the seconds that events and detections cover.

    Args:
        scores: of the detections `(detection,)`; None leaves the thresholds unknown. A second is
            detected up to the highest score that covers it.
    """
    certain = seconds_of([event for event in events if not event.marginal])
    marginal = seconds_of([event for event in events if event.marginal])
    detected, highest = seconds_with_scores(detections, _known(scores, detections))
    true = np.isin(detected, certain)
    found_at = np.full(certain.size, -np.inf)
    found_at[np.searchsorted(certain, detected[true])] = highest[true]
    return Matching(
        events=certain,
        found=np.isin(certain, detected),
        found_at=found_at,
        detections=detected,
        true=true,
        true_at=np.where(true, highest, -np.inf),
        ignored=np.isin(detected, marginal) & ~true,
        scores=highest,
        pairs=np.zeros((0, 2), np.int64),
    )


Rule = Callable[[Sequence[Event], Sequence[Timed], Values | None], Matching]

RULES: Mapping[str, Rule] = MappingProxyType(
    {"overlap10": overlap10, "one_to_one": one_to_one, "per_second": per_second}
)
"""The rules by their names in results, in the order of results."""


def _known(scores: Values | None, detections: Sequence[Timed]) -> Values:
    return np.full(len(detections), np.nan) if scores is None else scores


def _mask(positions: Indices, size: int) -> Mask:
    mask = np.zeros(size, dtype=bool)
    mask[positions] = True
    return mask


def _matching(
    matched: tuple[Sequence[Event], Sequence[Timed]],
    overlaps: Overlaps,
    *,
    found: Mask,
    found_at: Values,
    pairs: Mask,
    true_at: Values,
    scores: Values,
) -> Matching:
    """Put a `Matching` together from the overlaps of events and detections.

    Args:
        found, found_at: of all events, the marginal ones too.
        pairs: the overlaps `(pair,)` that make detections true.
    """
    certain, n_detections = certain_mask(matched[0]), len(matched[1])
    met_certain, met_marginal = (
        _mask(overlaps.detection[overlaps.meets & kind], n_detections)
        for kind in (overlaps.certain, ~overlaps.certain)
    )
    together = np.stack((overlaps.event[pairs], overlaps.detection[pairs]), axis=-1)
    return Matching(
        events=np.flatnonzero(certain),
        found=found[certain],
        found_at=found_at[certain],
        detections=np.arange(n_detections),
        true=_mask(overlaps.detection[pairs], n_detections),
        true_at=true_at,
        ignored=met_marginal & ~met_certain,
        scores=scores,
        pairs=together[np.lexsort(together.T[::-1])],
    )
