"""Bands, ends and calibration of what was found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from judging.composing import Truth
from judging.figures import Case, detection_units, mean_value, row_of, share_value
from judging.rows import Row
from loxo.events import Detection, overlap_s

__all__ = ["band_rows", "calibration_rows", "end_rows", "iou", "pairs_of"]

EARLY_S = 1.0
AT_LIMIT_HZ = 249.0
BINS = (0.1, 0.3, 0.5, 0.7, 0.9, 1.0)

Pair = tuple[Truth, Detection, float]
"""A found event, the detection that covers most of it, and where the last one in it ends."""


def pairs_of(cases: Sequence[Case]) -> list[Pair]:
    """Each found event with the detection that shares most time with it."""
    return [pair for case in cases for pair in _pairs(case)]


def _pairs(case: Case) -> Iterator[Pair]:
    together: dict[int, list[Detection]] = {}
    for event, detection in case.matching.pairs.tolist():
        together.setdefault(event, []).append(case.found[detection])
    found = set(case.matching.found_events)
    for event, detections in together.items():
        truth = case.truths[event]
        if event in found:
            best = max(detections, key=lambda each: _shared_s(truth, each))
            yield truth, best, max(each.end_s for each in detections)


def _shared_s(truth: Truth, found: Detection) -> float:
    return overlap_s((truth.event.start_s, truth.event.end_s), (found.start_s, found.end_s))


def iou(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Intersection of two intervals over their union."""
    shared = max(0.0, min(a[1], b[1]) - max(a[0], b[0]))
    total = (a[1] - a[0]) + (b[1] - b[0]) - shared
    return shared / total if total > 0 else 0.0


def band_rows(name: str, label: str, cases: Sequence[Case]) -> Iterator[Row]:
    """How well frequency bands agree with tables, and how many rumbles reach the upper limit."""
    pairs = [pair for pair in pairs_of(cases) if pair[1].high_hz is not None]
    values, at_limit = [], []
    for truth, found, _ in pairs:
        event = truth.event
        if event.low_hz is None or event.high_hz is None:
            continue
        band = (found.low_hz or 0.0, found.high_hz or 0.0)
        values.append((iou((event.low_hz, event.high_hz), band), truth.source))
        at_limit.append((band[1] >= AT_LIMIT_HZ, truth.source))
    place = ("frequency bands", name, label)
    yield row_of(place, "IoU", mean_value(values), len(values), 1)
    if label == "Rumble":
        yield row_of(place, "reach 250 Hz", share_value(at_limit), len(values), 0)


def end_rows(name: str, label: str, cases: Sequence[Case]) -> Iterator[Row]:
    """How well extents in time agree with tables."""
    pairs = pairs_of(cases)
    place = ("ends", name, label)
    times = [
        (iou((t.event.start_s, t.event.end_s), (f.start_s, f.end_s)), t.source) for t, f, _ in pairs
    ]
    early = [(last_s < truth.event.end_s - EARLY_S, truth.source) for truth, _, last_s in pairs]
    yield row_of(place, "IoU in time", mean_value(times), len(pairs), 1)
    yield row_of(place, "ends over 1 s early", share_value(early), len(pairs), -1)


def calibration_rows(name: str, label: str, cases: Sequence[Case]) -> Iterator[Row]:
    """The share of detections that is true in each bin of scores, and the mean distance.

    Args:
        cases: at low thresholds.
    """
    scored = [
        (found.score, bool(true), unit)
        for case in cases
        for found, true, ignored, unit in zip(
            case.found,
            case.matching.true,
            case.matching.ignored,
            detection_units(case),
            strict=True,
        )
        if not ignored
    ]
    distances, numbers = [], []
    for low, high in pairwise(BINS):
        inside = [each for each in scored if low <= each[0] < high or each[0] == high == BINS[-1]]
        if not inside:
            continue
        mean = float(np.mean([score for score, _, _ in inside]))
        share = share_value([(true, unit) for _, true, unit in inside])
        place = ("calibration", f"{name}, scores {low:g}-{high:g}", label)
        yield Row(*place, "mean score", mean, None, None, len(inside), 0)
        yield row_of(place, "share true", share, len(inside), 0)
        distances.append(abs((share.value or 0.0) - mean))
        numbers.append(len(inside))
    if numbers:
        error = float(np.average(distances, weights=numbers))
        place = ("calibration", f"{name}, mean distance", label)
        yield Row(*place, "distance", error, None, None, sum(numbers), -1)
