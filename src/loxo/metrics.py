"""How well detections agree with events that people marked: three rules, counts, and the figures made of them.

Everything here is about **one label in one recording**, and about sums of such counts; a figure over many recordings comes from summed
counts, never from a mean of ratios. The rules differ in what they count:

`overlap10`
    The rule of the field. An event is **found** if one detection shares at least 10 % of *the event's* length with it. A detection is
    **true** if it shares at least 10 % of *an event's* length with that event, or lies wholly within the event. Detections that split an
    event are all true and one that spans several events finds them all: right for somebody who listens to every detection. So recall
    counts events and precision counts detections. The wording is that of ElephantCallAI's evaluation on whole days
    (github.com/paepcke/ElephantCallAI, functions `test_overlap` and `call_prec_recall`), which takes it from Keen et al. 2017 and whose
    published figures follow it.
`one_to_one`
    For counting calls. An event and a detection may be paired if they share at least 10 % of the event's length; each takes part in
    one pair at most. Of all such pairings that with the most pairs is taken and, among those, that with the most shared seconds.
    A second detection of the same event is false.
`per_second`
    For comparison with classifiers of short clips. Seconds `[k, k + 1)` of the recording are counted: one is an event's second, or a
    detection's, if any part of it is covered, as in the binary targets of `targets.py`; so no event is too short to count. "True
    events" and "detections" are numbers of seconds then, and false positives per hour are false seconds per hour.

**Marginal events** (`Event.marginal`) are neither positive nor negative: not finding one is no miss, and a detection that meets one
(as a detection must meet an event to be true by `overlap10`) and meets no certain event is left out: it is neither true nor false and
no part of precision. So is a detected second that a marginal event covers and no certain one.

Shared times within a microsecond of the limit pass, so that times which are rounded in tables decide as they are written.

Figures: precision = true / (true + false) and recall = found / (found + missed) are `None` where nothing is divided by nothing, not
0 or 1. F1 is their harmonic mean. It is 0 where one of them is `None` (the other is 0 then: something was marked or detected and nothing
agreed) and `None` where both are.

Sources: S. C. Keen, Y. Shiu, P. H. Wrege, E. D. Rowland, "Automated detection of low-frequency rumbles of forest elephants: a critical
tool for their conservation", J. Acoust. Soc. Am. 141(4), 2715-2726 (2017), doi 10.1121/1.4977476. F. Garwood, "Fiducial limits for the
Poisson distribution", Biometrika 28, 437-442 (1936). E. B. Wilson, "Probable inference, the law of succession, and statistical
inference", J. Am. Stat. Assoc. 22, 209-212 (1927). The pairing is a linear assignment (scipy, after Jonker and Volgenant 1987).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching
from scipy.special import gammaincinv, ndtri

from loxo.events import Event, Interval, union
from loxo.timeline import FrameGrid, ceil_div, samples_at

__all__ = [
    "CONFIDENCE",
    "RULES",
    "Counts",
    "Outcome",
    "Score",
    "Timed",
    "one_to_one",
    "overlap10",
    "per_second",
    "poisson_interval",
    "score",
    "wilson_interval",
]

CONFIDENCE = 0.95
"""Coverage of every interval."""
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


# ---- the three rules


def overlap10(events: Sequence[Event], detections: Sequence[Timed]) -> Outcome:
    """The field's rule: events found and detections true by an overlap of 10 % of the event; many to many."""
    overlaps = _overlaps(events, detections)
    true = overlaps.certain & overlaps.meets
    found = overlaps.certain & overlaps.finds
    return _outcome(events, detections, overlaps, found=overlaps.event[found], pairs=true)


def one_to_one(events: Sequence[Event], detections: Sequence[Timed]) -> Outcome:
    """Each event takes one detection at most and the other way round: most pairs first, then most shared time."""
    overlaps = _overlaps(events, detections)
    paired = overlaps.certain & overlaps.finds
    paired[paired] = _best_pairing(overlaps.event[paired], overlaps.detection[paired], overlaps.shared_s[paired])
    return _outcome(events, detections, overlaps, found=overlaps.event[paired], pairs=paired)


def per_second(events: Sequence[Event], detections: Sequence[Timed]) -> Outcome:
    """Seconds that events and detections cover; see `Outcome` for what its numbers are then."""
    certain = _seconds([event for event in events if not event.marginal])
    marginal = np.setdiff1d(_seconds([event for event in events if event.marginal]), certain)
    detected = _seconds(detections)
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


# ---- figures


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


# ---- pairs that overlap


@dataclass(frozen=True, slots=True)
class _Overlaps:
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


def _overlaps(events: Sequence[Event], detections: Sequence[Timed]) -> _Overlaps:
    event_s, detection_s = _times(events), _times(detections)
    event, detection = _sharing(event_s, detection_s)
    (event_start, event_end), (start, end) = event_s[:, event], detection_s[:, detection]
    shared_s = np.minimum(event_end, end) - np.maximum(event_start, start)
    finds = shared_s >= _SHARE * (event_end - event_start) - _GRACE_S
    within = (start >= event_start - _GRACE_S) & (end <= event_end + _GRACE_S)
    certain = np.array([not item.marginal for item in events], dtype=bool)[event]
    return _Overlaps(event, detection, shared_s, finds, finds | within, certain)


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


def _best_pairing(event: Indices, detection: Indices, shared_s: Times) -> Mask:
    """Which of the candidate pairs form the pairing with the most pairs and then the most shared time."""
    if event.size == 0:
        return np.zeros(0, dtype=bool)
    rows, row = np.unique(event, return_inverse=True)
    columns, column = np.unique(detection, return_inverse=True)
    # A column of its own lets each event stay alone, at a weight of 1. A pair weighs 3 and a share that adds up to at most 1 over
    # all pairs: one pair more is always worth more than any shared time.
    alone = np.arange(rows.size)
    weight = np.concatenate((3 + shared_s / shared_s.sum(), np.ones(rows.size)))
    places = np.concatenate((row, alone)), np.concatenate((column, columns.size + alone))
    graph = csr_array((weight, places), shape=(rows.size, columns.size + rows.size))
    _, chosen = min_weight_full_bipartite_matching(graph, maximize=True)
    return np.asarray(chosen[row] == column)


def _outcome(events: Sequence[Event], detections: Sequence[Timed], overlaps: _Overlaps, *, found: Indices, pairs: Mask) -> Outcome:
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


def _seconds(items: Iterable[Timed]) -> Indices:
    """Seconds of which some part is covered, ascending, each once."""
    covered = union([(_SECONDS.frame(item.start_s), ceil_div(samples_at(item.end_s, _SECONDS.rate), _SECONDS.hop)) for item in items])
    return np.concatenate([np.zeros(0, dtype=np.int64), *(np.arange(first, last, dtype=np.int64) for first, last in covered)])


def _ints(values: NDArray[np.generic]) -> tuple[int, ...]:
    return tuple(int(value) for value in values.tolist())
