"""A slow reference for the rules of `loxo.metrics`, easy to check by eye.

Every event is compared with every detection, and every pairing is tried. A rule returns `Cases`:
`(found, missed, true, false, ignored)`, sets of positions (of seconds under `per_second`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

from loxo.events import Event, overlap_s

__all__ = [
    "Cases",
    "Pairing",
    "Rule",
    "average_precision",
    "best_pairing",
    "cases",
    "counts_by_threshold",
    "finds",
    "meets",
    "one_to_one",
    "overlap10",
    "per_second",
    "shared_s",
]

Cases = tuple[set[int], set[int], set[int], set[int], set[int]]
Pairing = tuple[tuple[int, int], ...]
Rule = Callable[[Sequence[Event], Sequence[Event]], Cases]
TOLERANCE_S = 1e-6


def shared(event: Event, detection: Event) -> float:
    return overlap_s((event.start_s, event.end_s), (detection.start_s, detection.end_s))


def finds(event: Event, detection: Event) -> bool:
    return (
        shared(event, detection) > 0
        and shared(event, detection) >= event.duration_s / 10 - TOLERANCE_S
    )


def meets(event: Event, detection: Event) -> bool:
    inside = (
        event.start_s - TOLERANCE_S <= detection.start_s
        and detection.end_s <= event.end_s + TOLERANCE_S
    )
    return finds(event, detection) or (inside and shared(event, detection) > 0)


def overlap10(events: Sequence[Event], detections: Sequence[Event]) -> Cases:
    found = {
        e
        for e, event in enumerate(events)
        if not event.marginal and any(finds(event, d) for d in detections)
    }
    true = {
        d
        for d, detection in enumerate(detections)
        if any(meets(e, detection) for e in events if not e.marginal)
    }
    return cases(events, detections, found, true)


def best_pairing(events: Sequence[Event], detections: Sequence[Event]) -> Pairing:
    """The pairing with the most pairs and, among those, the most shared time (to 1 us)."""
    return max(
        pairings(events, detections),
        key=lambda pairing: (len(pairing), round(shared_s(events, detections, pairing), 6)),
    )


def shared_s(events: Sequence[Event], detections: Sequence[Event], pairing: Pairing) -> float:
    return math.fsum(shared(events[e], detections[d]) for e, d in pairing)


def pairings(
    events: Sequence[Event], detections: Sequence[Event], e: int = 0, taken: Pairing = ()
) -> Iterator[Pairing]:
    if e == len(events):
        yield taken
        return
    yield from pairings(events, detections, e + 1, taken)
    for d, detection in enumerate(detections):
        if (
            not events[e].marginal
            and finds(events[e], detection)
            and d not in {other for _, other in taken}
        ):
            yield from pairings(events, detections, e + 1, (*taken, (e, d)))


def cases(
    events: Sequence[Event], detections: Sequence[Event], found: set[int], true: set[int]
) -> Cases:
    missed = {e for e, event in enumerate(events) if not event.marginal} - found
    ignored = {
        d
        for d, detection in enumerate(detections)
        if {e.marginal for e in events if meets(e, detection)} == {True}
    }
    return found, missed, true, set(range(len(detections))) - true - ignored, ignored


def per_second(events: Sequence[Event], detections: Sequence[Event]) -> Cases:
    last = math.ceil(max((item.end_s for item in (*events, *detections)), default=0))
    found, missed, false, ignored = set[int](), set[int](), set[int](), set[int]()
    for second in range(last):
        certain, marginal, detected = (
            any(
                overlap_s((second, second + 1), (item.start_s, item.end_s)) > TOLERANCE_S
                for item in items
            )
            for items in (
                [e for e in events if not e.marginal],
                [e for e in events if e.marginal],
                detections,
            )
        )
        if certain:
            (found if detected else missed).add(second)
        elif detected:
            (ignored if marginal else false).add(second)
    return found, missed, found, false, ignored


def one_to_one(events: Sequence[Event], detections: Sequence[Event]) -> Cases:
    pairing = best_pairing(events, detections)
    return cases(events, detections, {e for e, _ in pairing}, {d for _, d in pairing})


def counts_by_threshold(
    rule: Rule,
    events: Sequence[Event],
    detections: Sequence[Event],
    scores: Sequence[float],
) -> dict[float, tuple[int, int, int, int]]:
    """Apply the rule to the detections that score at least each of the scores.

    Returns:
        Events, found, detections and true, by threshold.
    """
    counts = {}
    for threshold in sorted(set(scores), reverse=True):
        left = [
            detection
            for detection, score in zip(detections, scores, strict=True)
            if score >= threshold
        ]
        found, missed, true, false, _ = rule(events, left)
        counts[threshold] = len(found) + len(missed), len(found), len(true) + len(false), len(true)
    return counts


def average_precision(counts: Mapping[float, tuple[int, int, int, int]]) -> float:
    """Sum the recall gained at each threshold times the precision there."""
    area = reached = 0.0
    for threshold in sorted(counts, reverse=True):
        events, found, detections, true = counts[threshold]
        if detections and found / events > reached:
            area += (found / events - reached) * true / detections
            reached = found / events
    return area
