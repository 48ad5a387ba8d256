"""Counts, curves and shares with intervals over source recordings.

Sounds of one source are alike, and so are the minutes of one bed. Both are drawn with replacement,
each for itself: **units** are the sources of the events, and minutes of the recordings for the
false positives. A share that is 0 or 1 has no spread among the units, so the interval of a share is
never narrower than Wilson's, and that of a rate never narrower than the exact Poisson interval.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from judging.composing import Truth
from judging.detecting import FoundSet
from judging.rows import Row, Value
from judging.sets import Judged
from loxo.events import Detection
from loxo.metrics import (
    CONFIDENCE,
    Matching,
    curve,
    f1_score,
    overlap10,
    poisson_interval,
    resamples,
    wilson_interval,
)
from loxo.metrics.curves import step_area
from loxo.metrics.scores import f1_scores, ratios

__all__ = [
    "DRAWS",
    "Case",
    "cases_of",
    "curve_rows",
    "detection_units",
    "false_rate",
    "mean_value",
    "rate_value",
    "row_of",
    "score_rows",
    "share_value",
]

Values = NDArray[np.float64]

DRAWS = 500
SEED = 17
BLOCK_S = 60.0
RECALL_AT = (1, 2, 5)
"""False positives per hour at which the recall is given."""


@dataclass(frozen=True, eq=False)
class Case:
    """One label in one recording: events, detections, and how they match by Keen's rule.

    Args:
        truths: events of the label; the matching knows them by their positions here.
        found: detections of the label.
    """

    recording: Judged
    label: str
    truths: list[Truth]
    found: list[Detection]
    matching: Matching

    @property
    def certain(self) -> list[Truth]:
        """Events that are not marginal, in the order of the matching's."""
        return [self.truths[k] for k in self.matching.events.tolist()]

    def blocks(self) -> list[str]:
        """The block of time of each detection."""
        return [f"{self.recording.path}@{int(each.start_s // BLOCK_S)}" for each in self.found]

    def all_blocks(self) -> dict[str, float]:
        """Hours of each block of the recording."""
        edges = np.arange(0, self.recording.seconds, BLOCK_S)
        lengths = np.minimum(BLOCK_S, self.recording.seconds - edges) / 3600
        names = (f"{self.recording.path}@{k}" for k in range(len(edges)))
        return dict(zip(names, lengths.tolist(), strict=True))


def cases_of(
    found: FoundSet, label: str, recordings: Iterable[Judged] | None = None, *, low: bool = False
) -> list[Case]:
    """Match a label in some recordings of a set, or in all.

    Args:
        low: at low thresholds instead of the model's.
    """
    chosen = found.judged.recordings if recordings is None else recordings
    return [_case(each, label, found.of(each, label, low=low)) for each in chosen]


def _case(recording: Judged, label: str, found: list[Detection]) -> Case:
    truths = [truth for truth in recording.truths if truth.event.label == label]
    scores = np.array([each.score for each in found], dtype=np.float64)
    matching = overlap10([truth.event for truth in truths], found, scores)
    return Case(recording, label, truths, found, matching)


# ---- shares and rates


def share_value(outcomes: Sequence[tuple[bool, str]]) -> Value:
    """The share of outcomes that are true, each with its unit."""
    if not outcomes:
        return Value(None)
    drawn = _drawn_means([float(outcome) for outcome, _ in outcomes], [u for _, u in outcomes])
    return _share(sum(outcome for outcome, _ in outcomes), len(outcomes), drawn)


def mean_value(values: Sequence[tuple[float, str]]) -> Value:
    """The mean of values, each with its unit."""
    if not values:
        return Value(None)
    drawn = _drawn_means([value for value, _ in values], [unit for _, unit in values])
    return _wider(float(np.mean([value for value, _ in values])), drawn, None)


def rate_value(blocks: Sequence[str], hours: dict[str, float]) -> Value:
    """Cases per hour, from the block of each case and the hours of all blocks."""
    total = sum(hours.values())
    names = {name: k for k, name in enumerate(hours)}
    counts = np.bincount([names[each] for each in blocks], minlength=len(names))
    weights = resamples(len(names), np.random.default_rng(SEED), DRAWS)
    drawn = ratios(weights @ counts, weights @ np.array(list(hours.values())))
    return _wider(len(blocks) / total, drawn, poisson_interval(len(blocks), total))


def _drawn_means(values: Sequence[float], units: Sequence[str]) -> Values:
    names, number = np.unique(np.array(units), return_inverse=True)
    sums = np.bincount(number, weights=values)
    sizes = np.bincount(number)
    weights = resamples(len(names), np.random.default_rng(SEED), DRAWS)
    return ratios(weights @ sums, weights @ sizes)


def _wider(value: float, drawn: Values, other: tuple[float, float] | None) -> Value:
    low, high = _middle(drawn)
    if other is not None:
        low, high = min(low, other[0]), max(high, other[1])
    return Value(value, low, high)


def _middle(drawn: Values) -> tuple[float, float]:
    known = drawn[~np.isnan(drawn)]
    low, high = np.quantile(known, ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return float(low), float(high)


# ---- scores at the model's thresholds, and curves


def score_rows(group: str, name: str, label: str, cases: Sequence[Case]) -> Iterator[Row]:
    """Precision, recall, F1 and false positives per hour, of the detections of the cases."""
    hours = _hours_of(cases)
    sources, blocks = (each[:, 0] for each in _unit_counts(cases, np.array([-1.0]), hours))
    of_sources, of_blocks = _two_resamples(len(sources), len(blocks))
    events, found, detections, true = (of_sources @ sources + of_blocks @ blocks).T
    precision, recall = ratios(true, detections), ratios(found, events)
    counts = sum((case.matching.counts for case in cases[1:]), cases[0].matching.counts)
    values = {
        "precision": _share(counts.true, counts.detections, precision),
        "recall": _share(counts.found, counts.events, recall),
    }
    f1 = f1_score(values["precision"].value, values["recall"].value)
    drawn_f1 = f1_scores(precision, recall)
    values["F1"] = Value(None) if f1 is None else _wider(f1, drawn_f1, None)
    for measure, value in values.items():
        n = counts.detections if measure == "precision" else counts.events
        yield row_of((group, name, label), measure, value, n, 1)
    yield row_of((group, name, label), "false/h", false_rate(cases), counts.events, -1)


def row_of(place: tuple[str, str, str], measure: str, value: Value, n: int, better: int) -> Row:
    """A row from its place (group, name, label) and a figure."""
    return Row(*place, measure, value.value, value.low, value.high, n, better)


def _share(hits: int, of: int, drawn: Values) -> Value:
    return _wider(hits / of, drawn, wilson_interval(hits, of)) if of else Value(None)


def _hours_of(cases: Sequence[Case]) -> dict[str, float]:
    return {block: length for case in cases for block, length in case.all_blocks().items()}


def _two_resamples(sources: int, blocks: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rng = np.random.default_rng(SEED)
    return resamples(sources, rng, DRAWS), resamples(blocks, rng, DRAWS)


def false_rate(cases: Sequence[Case]) -> Value:
    """False positives per hour."""
    blocks = [
        block
        for case in cases
        for block, false in zip(case.blocks(), case.matching.false, strict=True)
        if false
    ]
    return rate_value(blocks, _hours_of(cases))


def detection_units(case: Case) -> list[str]:
    """The source of the event that each detection meets; else its block of time."""
    units = case.blocks()
    for event, detection in case.matching.pairs.tolist():
        units[detection] = case.truths[event].source
    return units


def curve_rows(group: str, name: str, label: str, cases: Sequence[Case]) -> Iterator[Row]:
    """Average precision, best F1, and recall at some numbers of false positives per hour.

    Args:
        cases: at low thresholds.
    """
    hours = _hours_of(cases)
    thresholds = curve([case.matching for case in cases]).threshold
    if not thresholds.size:
        return
    sources, blocks = _unit_counts(cases, thresholds, hours)
    of_sources, of_blocks = _two_resamples(len(sources), len(blocks))
    drawn = _weighted(of_sources, sources) + _weighted(of_blocks, blocks)
    drawn_hours = of_blocks @ np.array(list(hours.values()))
    all_counts = (sources.sum(axis=0) + blocks.sum(axis=0))[None]
    values = _curve_figures(all_counts, np.array([sum(hours.values())]))
    spread = _curve_figures(drawn, drawn_hours)
    n = sum(len(case.certain) for case in cases)
    for measure, value in values.items():
        shown = _wider(float(value[0]), spread[measure], None)
        yield row_of((group, name, label), measure, shown, n, 1)


def _weighted(weights: NDArray[np.int64], counts: Values) -> Values:
    flat = weights.astype(float) @ counts.reshape(len(counts), -1)
    return np.asarray(flat.reshape(len(weights), *counts.shape[1:]))


def _unit_counts(
    cases: Sequence[Case], thresholds: Values, hours: dict[str, float]
) -> tuple[Values, Values]:
    """Events, found, detections and true `(unit, threshold, 4)` of the sources and the blocks."""
    sources = sorted({truth.source for case in cases for truth in case.truths})
    rows = {name: k for k, name in enumerate(sources)}
    of_sources = np.zeros((max(1, len(sources)), len(thresholds), 4))
    block_rows = {name: k for k, name in enumerate(hours)}
    of_blocks = np.zeros((len(hours), len(thresholds), 4))
    for case in cases:
        matching = case.matching
        for truth, found_at in zip(case.certain, matching.found_at, strict=True):
            of_sources[rows[truth.source], :, 0] += 1
            of_sources[rows[truth.source], :, 1] += found_at >= thresholds
        blocks = case.blocks()
        for k, unit in enumerate(detection_units(case)):
            if matching.ignored[k]:
                continue
            true = bool(matching.true[k])
            cell = of_sources[rows[unit]] if true else of_blocks[block_rows[blocks[k]]]
            cell[:, 2] += matching.scores[k] >= thresholds
            cell[:, 3] += true * (matching.scores[k] >= thresholds)
    return of_sources, of_blocks


def _curve_figures(counts: Values, hours: Values) -> dict[str, Values]:
    """Figures `(draw,)` of counts `(draw, threshold, 4)` and hours `(draw,)`."""
    events, found, detections, true = np.moveaxis(counts, -1, 0)
    precision, recall = ratios(true, detections), ratios(found, events)
    best = np.nanmax(np.nan_to_num(f1_scores(precision, recall)), axis=-1)
    figures = {"AP": step_area(precision, recall), "best F1": best}
    per_hour = (detections - true) / hours[:, None]
    for limit in RECALL_AT:
        allowed = np.cumprod(per_hour <= limit, axis=-1).sum(axis=-1)
        at = np.take_along_axis(recall, np.maximum(allowed - 1, 0)[:, None], axis=-1)[:, 0]
        figures[f"recall at {limit}/h"] = np.where(allowed > 0, at, 0.0)
    return figures
