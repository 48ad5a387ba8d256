"""The three rules: which events were found and which detections are true."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from loxo.events import Event, union
from loxo.timeline import FrameGrid, ceil_div, samples_at

__all__ = [
    "RULES",
    "Counts",
    "Outcome",
    "Overlaps",
    "Timed",
    "best_pairing",
    "one_to_one",
    "overlap10",
    "overlaps_of",
    "per_second",
    "second_span",
    "seconds_of",
]

_SHARE = 0.1
_GRACE_S = 1e-6
_SECONDS = FrameGrid(rate=1_000_000, hop=1_000_000)
"""Whole seconds, of times taken to the microsecond."""

Times = NDArray[np.float64]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Timed(Protocol):
    """Whatever has a start and an end in seconds: an `Event` or a `Detection`."""

    @property
    def start_s(self) -> float: ...
    @property
    def end_s(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Counts:
    """What a rule counted, summable over recordings: `sum(counts, Counts())`.

    Args:
        events: certain events (seconds under `per_second`).
        found: those of them that were found.
        detections: detections that are true or false (seconds under `per_second`).
        true: those of them that are true.
        left_out: detections that met a marginal event only; not among `detections`.
    """

    events: int = 0
    found: int = 0
    detections: int = 0
    true: int = 0
    left_out: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.events + other.events,
            self.found + other.found,
            self.detections + other.detections,
            self.true + other.true,
            self.left_out + other.left_out,
        )

    @property
    def false(self) -> int:
        """Detections that are false."""
        return self.detections - self.true


@dataclass(frozen=True, slots=True)
class Outcome:
    """The cases of one label in one recording, ascending, so that they can be listed and drawn.

    Events and detections are given by their places in the sequences that the rule got; under `per_second` all numbers are seconds `k`,
    standing for `[k, k + 1)`, `found` and `true` are the same, and there are no pairs.

    Args:
        pairs: `(event, detection)`: all that make a detection true (`overlap10`), or the pairing (`one_to_one`).
    """

    found: tuple[int, ...] = ()
    missed: tuple[int, ...] = ()
    true: tuple[int, ...] = ()
    false: tuple[int, ...] = ()
    left_out: tuple[int, ...] = ()
    pairs: tuple[tuple[int, int], ...] = ()

    @property
    def counts(self) -> Counts:
        found, true = len(self.found), len(self.true)
        return Counts(found + len(self.missed), found, true + len(self.false), true, len(self.left_out))


# ---- the three rules


def overlap10(events: Sequence[Event], detections: Sequence[Timed]) -> Outcome:
    """The field's rule: events found and detections true by an overlap of 10 % of the event; many to many."""
    overlaps = overlaps_of(events, detections)
    true = overlaps.certain & overlaps.meets
    found = overlaps.certain & overlaps.finds
    return _outcome(events, detections, overlaps, found=overlaps.event[found], pairs=true)


def one_to_one(events: Sequence[Event], detections: Sequence[Timed]) -> Outcome:
    """Each event takes one detection at most and the other way round: most pairs first, then most shared time."""
    overlaps = overlaps_of(events, detections)
    paired = overlaps.certain & overlaps.finds
    paired[paired] = best_pairing(overlaps.event[paired], overlaps.detection[paired], overlaps.shared_s[paired])
    return _outcome(events, detections, overlaps, found=overlaps.event[paired], pairs=paired)


def per_second(events: Sequence[Event], detections: Sequence[Timed]) -> Outcome:
    """Seconds that events and detections cover; see `Outcome` for what its numbers are then."""
    certain = seconds_of([event for event in events if not event.marginal])
    marginal = np.setdiff1d(seconds_of([event for event in events if event.marginal]), certain)
    detected = seconds_of(detections)
    agreed = np.intersect1d(certain, detected)
    return Outcome(
        found=_ints(agreed),
        missed=_ints(np.setdiff1d(certain, detected)),
        true=_ints(agreed),
        false=_ints(np.setdiff1d(np.setdiff1d(detected, certain), marginal)),
        left_out=_ints(np.intersect1d(detected, marginal)),
    )


RULES: Mapping[str, Callable[[Sequence[Event], Sequence[Timed]], Outcome]] = MappingProxyType(
    {"overlap10": overlap10, "one_to_one": one_to_one, "per_second": per_second}
)
"""The rules by the names that results carry, in their order."""


# ---- pairs that overlap


@dataclass(frozen=True, slots=True)
class Overlaps:
    """All pairs of an event and a detection that share time, arrays `(pair,)`.

    Args:
        finds: they share 10 % of the event's length.
        meets: or the detection lies wholly within the event.
        certain: the event is not marginal.
    """

    event: Indices
    detection: Indices
    shared_s: Times
    finds: Mask
    meets: Mask
    certain: Mask


def overlaps_of(events: Sequence[Event], detections: Sequence[Timed]) -> Overlaps:
    event_s, detection_s = _times(events), _times(detections)
    event, detection = _sharing(event_s, detection_s)
    (event_start, event_end), (start, end) = event_s[:, event], detection_s[:, detection]
    shared_s = np.minimum(event_end, end) - np.maximum(event_start, start)
    finds = shared_s >= _SHARE * (event_end - event_start) - _GRACE_S
    within = (start >= event_start - _GRACE_S) & (end <= event_end + _GRACE_S)
    certain = np.array([not item.marginal for item in events], dtype=bool)[event]
    return Overlaps(event, detection, shared_s, finds, finds | within, certain)


def _times(items: Sequence[Timed]) -> Times:
    """Starts and ends, `(2, item)`."""
    return np.array([[item.start_s for item in items], [item.end_s for item in items]], dtype=np.float64)


def _sharing(a: Times, b: Times) -> tuple[Indices, Indices]:
    """Indices into `a` and into `b` of all pairs that share time.

    Of two intervals that overlap one starts inside the other, so two sorted searches find each pair once, however long or nested
    the intervals are.
    """
    a_first, b_inside = _starts_inside(a, b[0], side="left")
    b_first, a_inside = _starts_inside(b, a[0], side="right")
    return np.concatenate((a_first, a_inside)), np.concatenate((b_inside, b_first))


def _starts_inside(intervals: Times, starts: Times, side: Literal["left", "right"]) -> tuple[Indices, Indices]:
    """Pairs (interval, start) with the start inside the interval: its own start counts if `side` is left, its end never."""
    order = np.argsort(starts, kind="stable")
    first = np.searchsorted(starts[order], intervals[0], side=side)
    number = np.searchsorted(starts[order], intervals[1], side="left") - first
    owner = np.repeat(np.arange(number.size), number)
    rank = np.arange(owner.size) - np.repeat(np.cumsum(number) - number, number)
    return owner, order[first[owner] + rank]


def best_pairing(event: Indices, detection: Indices, worth: Times) -> Mask:
    """Which of the candidate pairs `(pair,)` form the pairing with the most pairs and then the most worth, which is positive."""
    if event.size == 0:
        return np.zeros(0, dtype=bool)
    rows, row = np.unique(event, return_inverse=True)
    columns, column = np.unique(detection, return_inverse=True)
    # A column of its own lets each event stay alone, at a weight of 1. A pair weighs 3 and a share that adds up to at most 1 over
    # all pairs: one pair more always counts for more than any worth.
    alone = np.arange(rows.size)
    weight = np.concatenate((3 + worth / worth.sum(), np.ones(rows.size)))
    places = np.concatenate((row, alone)), np.concatenate((column, columns.size + alone))
    graph = csr_array((weight, places), shape=(rows.size, columns.size + rows.size))
    _, chosen = min_weight_full_bipartite_matching(graph, maximize=True)
    return np.asarray(chosen[row] == column)


def _outcome(events: Sequence[Event], detections: Sequence[Timed], overlaps: Overlaps, *, found: Indices, pairs: Mask) -> Outcome:
    """Sort events and detections into their cases, given the events found and the pairs that make detections true."""
    certain = [place for place, event in enumerate(events) if not event.marginal]
    true = np.unique(overlaps.detection[pairs])
    meets_certain, meets_marginal = (overlaps.detection[overlaps.meets & kind] for kind in (overlaps.certain, ~overlaps.certain))
    left_out = np.setdiff1d(meets_marginal, meets_certain)
    false = np.setdiff1d(np.setdiff1d(np.arange(len(detections)), true), left_out)
    return Outcome(
        found=_ints(np.unique(found)),
        missed=_ints(np.setdiff1d(certain, found)),
        true=_ints(true),
        false=_ints(false),
        left_out=_ints(left_out),
        pairs=tuple(sorted(zip(_ints(overlaps.event[pairs]), _ints(overlaps.detection[pairs]), strict=True))),
    )


def seconds_of(items: Iterable[Timed]) -> Indices:
    """Seconds of which some part is covered, ascending, each once."""
    covered = union([second_span(item) for item in items])
    return np.concatenate([np.zeros(0, dtype=np.int64), *(np.arange(first, last, dtype=np.int64) for first, last in covered)])


def second_span(item: Timed) -> tuple[int, int]:
    """First second of which some part is covered, and the one after the last."""
    return _SECONDS.frame(item.start_s), ceil_div(samples_at(item.end_s, _SECONDS.rate), _SECONDS.hop)


def _ints(values: NDArray[np.generic]) -> tuple[int, ...]:
    return tuple(int(value) for value in values.tolist())
