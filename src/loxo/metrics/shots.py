"""How well the numbers of gunshots in detections agree with those that people counted.

A detection with a number n stands for n shots, and so does an event that was counted; all others
stand for one. Whether an event is found is decided by `overlap10`, so one detection of a burst
finds all events that it spans.

Numbers are compared by **groups**: events and detections that are linked by pairs of `overlap10`. A
burst may be marked as one event or shot by shot, and be found as one detection or as several. Its
shots are the sum over the group on either side.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from loxo.metrics.matching import Matching

__all__ = ["GroupAgreement", "ShotCounts", "shot_counts"]

Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class ShotCounts:
    """Numbers of gunshots of one label; those of several recordings can be pooled.

    Args:
        true_shots: shots of the certain events.
        found_shots: those of events that were found.
        counted_shots: shots that detections stand for, without detections that met marginal events
            only.
        true, counted: shots of the events and of the detections of each group `(group,)`.
        known: whether all detections of a group `(group,)` have a number.
        given: whether any event or detection has a number.
    """

    true_shots: int
    found_shots: int
    counted_shots: int
    true: Indices
    counted: Indices
    known: Mask
    given: bool

    @classmethod
    def pool(cls, counts: Iterable[Self]) -> Self:
        """Counts of several recordings as one."""
        parts = list(counts)
        none = np.zeros(0, np.int64)
        return cls(
            sum(each.true_shots for each in parts),
            sum(each.found_shots for each in parts),
            sum(each.counted_shots for each in parts),
            np.concatenate([none, *(each.true for each in parts)]),
            np.concatenate([none, *(each.counted for each in parts)]),
            np.concatenate([none.astype(bool), *(each.known for each in parts)]),
            any(each.given for each in parts),
        )

    def of_bursts(self) -> GroupAgreement:
        """Compare the groups of more than one true shot."""
        return self._compare(self.true > 1)

    def of_all(self) -> GroupAgreement:
        """Compare all groups, those of a single shot among them."""
        return self._compare(np.ones(len(self.true), bool))

    def _compare(self, chosen: Mask) -> GroupAgreement:
        known = chosen & self.known
        true, counted = self.true[known], self.counted[known]
        # Whole numbers meet the limits exactly: twenty per cent of ten shots are two.
        error = 100 * np.abs(counted - true)
        n_known = int(known.sum())
        return GroupAgreement(
            groups=int(chosen.sum()),
            counted=n_known,
            within_20=float((error <= 20 * true).mean()) if n_known else None,
            within_30=float((error <= 30 * true).mean()) if n_known else None,
            true_shots=int(true.sum()),
            counted_shots=int(counted.sum()),
        )


@dataclass(frozen=True, slots=True)
class GroupAgreement:
    """How well groups were counted.

    Args:
        groups: groups of events that were found.
        counted: those of them whose detections all have a number; the rest is about these.
        within_20, within_30: share of groups whose number is within 20 % and within 30 % of the
            true one; None without groups.
        true_shots, counted_shots: sums over the groups.
    """

    groups: int
    counted: int
    within_20: float | None
    within_30: float | None
    true_shots: int
    counted_shots: int


def shot_counts(
    events: Sequence[int | None], detections: Sequence[int | None], matching: Matching
) -> ShotCounts:
    """Count the gunshots of one label in one recording.

    Args:
        events, detections: number of shots of each, in the order of the matching; None or 0 where
            nobody counted.
        matching: of both, by `overlap10`.
    """
    event_shots, detection_shots = _shots(events), _shots(detections)
    uncounted = np.array([not number for number in detections], np.int64)
    group, linked = _groups(matching.pairs, (len(events), len(detections)))
    n_groups = len(linked)
    true = np.bincount(group[: len(events)], event_shots, n_groups)
    counted = np.bincount(group[len(events) :], detection_shots, n_groups)
    missing = np.bincount(group[len(events) :], uncounted, n_groups)
    return ShotCounts(
        true_shots=int(event_shots[matching.events].sum()),
        found_shots=int(event_shots[matching.events[matching.found]].sum()),
        counted_shots=int(detection_shots[~matching.ignored].sum()),
        true=true[linked].astype(np.int64),
        counted=counted[linked].astype(np.int64),
        known=missing[linked] == 0,
        given=any(events) or any(detections),
    )


def _shots(numbers: Sequence[int | None]) -> Indices:
    """Shots `(item,)` that each event or detection stands for."""
    return np.array([number or 1 for number in numbers], np.int64)


def _groups(pairs: Indices, sizes: tuple[int, int]) -> tuple[Indices, Mask]:
    """Number of the group of each item, events before detections, and whether it has any pair.

    Args:
        pairs: positions of events and detections `(pair, 2)`.
        sizes: number of events and of detections.
    """
    n_events, n_items = sizes[0], sum(sizes)
    if n_items == 0:
        return np.zeros(0, np.int64), np.zeros(0, bool)
    first, second = pairs[:, 0], n_events + pairs[:, 1]
    links = csr_array((np.ones(len(pairs)), (first, second)), shape=(n_items, n_items))
    n_groups, groups = connected_components(links, directed=False)
    linked = np.zeros(n_groups, bool)
    linked[groups[first]] = True
    return groups.astype(np.int64), linked
