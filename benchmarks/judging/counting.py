"""How many events detections stand for, and outcomes of events by row.

A detection may say how many rounds it holds (`count`); one that does not stands for one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from judging.detecting import FoundSet
from judging.figures import cases_of, share_value
from judging.rows import Value
from judging.sets import Judged
from loxo.events import Detection, overlap_s

__all__ = [
    "by_row",
    "counted",
    "crossing",
    "half_level_db",
    "outcomes_by_row",
    "rate_by_source",
    "touching",
    "within_tolerance",
]

Outcome = tuple[bool, str]
"""Whether something was right, and the source of the sound."""


def touching(found: Sequence[Detection], start_s: float, end_s: float) -> list[Detection]:
    """Detections that share time with an interval."""
    return [each for each in found if overlap_s((each.start_s, each.end_s), (start_s, end_s)) > 0]


def counted(found: Sequence[Detection]) -> int:
    """Number of events that detections stand for."""
    return sum(1 if each.count is None else each.count for each in found)


def within_tolerance(count: int, rounds: int, tolerance: float) -> bool:
    """Whether a count errs by no more than a share of the rounds."""
    return abs(count - rounds) <= tolerance * rounds + 1e-9


def outcomes_by_row(
    found: FoundSet, label: str, recordings: Sequence[Judged] | None = None
) -> dict[str, list[Outcome]]:
    """Whether each event was found, by the row of the event, in the order of first appearance."""
    outcomes: dict[str, list[Outcome]] = defaultdict(list)
    for case in cases_of(found, label, recordings):
        for truth, hit in zip(case.certain, case.matching.found.tolist(), strict=True):
            outcomes[truth.row].append((hit, truth.source))
    return outcomes


def by_row(outcomes: dict[str, list[Outcome]]) -> Iterator[tuple[str, Value, int]]:
    """Share and number of the outcomes of each row."""
    for row, several in outcomes.items():
        yield row, share_value(several), len(several)


def rate_by_source(
    recording: Judged, found: Sequence[Detection]
) -> tuple[list[str], dict[str, float]]:
    """The sound during or after which each detection begins, and the hours of each sound.

    The time of a sound goes from its start to that of the next.
    """
    starts = np.array([truth.event.start_s for truth in recording.truths])
    ends = np.append(starts[1:], recording.seconds)
    hours: dict[str, float] = defaultdict(float)
    for truth, seconds in zip(recording.truths, (ends - starts).tolist(), strict=True):
        hours[truth.source] += seconds / 3600
    number = [max(0, int(np.searchsorted(starts, each.start_s + 0.3)) - 1) for each in found]
    return [recording.truths[k].source for k in number], dict(hours)


def half_level_db(levels_db: Sequence[float], outcomes: Sequence[Sequence[Outcome]]) -> Value:
    """The level at which half of the events are found, between the levels that were tried.

    Recall is made to rise with the level first: each level takes the mean of neighbours that fall
    (isotonic regression). The interval is drawn over sources.

    Args:
        outcomes: of each level.
    """
    from scipy.optimize import isotonic_regression

    sources = sorted({source for each in outcomes for _, source in each})
    hits, sizes = np.zeros((len(sources), len(levels_db))), np.zeros((len(sources), len(levels_db)))
    for k, several in enumerate(outcomes):
        for hit, source in several:
            hits[sources.index(source), k] += hit
            sizes[sources.index(source), k] += 1

    def half(weights: np.ndarray) -> float:
        recall = (weights @ hits) / np.maximum(weights @ sizes, 1e-9)
        rising = isotonic_regression(recall, weights=weights @ sizes + 1e-9).x
        return crossing(levels_db, rising.tolist())

    rng = np.random.default_rng(17)
    weights = rng.multinomial(len(sources), np.full(len(sources), 1 / len(sources)), size=500)
    drawn = [half(each.astype(float)) for each in weights]
    low, high = np.nanquantile(drawn, (0.025, 0.975))
    return Value(half(np.ones(len(sources))), float(low), float(high))


def crossing(levels_db: Sequence[float], rising: Sequence[float]) -> float:
    """Where a rising curve reaches one half, interpolated; the first or last level at least."""
    if rising[0] >= 0.5:
        return levels_db[0]
    for k in range(1, len(rising)):
        if rising[k] >= 0.5:
            share = (0.5 - rising[k - 1]) / (rising[k] - rising[k - 1])
            return levels_db[k - 1] + share * (levels_db[k] - levels_db[k - 1])
    return levels_db[-1]
