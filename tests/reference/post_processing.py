"""Post-processing frame by frame, with plain loops."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

Run = tuple[int, int]


def smooth(scores: Sequence[float], width: int) -> list[float]:
    reach = width // 2
    means = []
    for frame in range(len(scores)):
        around = [
            scores[k] for k in range(frame - reach, frame + reach + 1) if 0 <= k < len(scores)
        ]
        means.append(sum(around) / len(around))
    return means


def hysteresis(scores: Sequence[float], threshold: float, off_threshold: float) -> list[Run]:
    runs: list[Run] = []
    first, seen = None, False
    for frame, score in enumerate([*scores, float("-inf")]):
        if score >= off_threshold:
            first = frame if first is None else first
            seen = seen or score >= threshold
        elif first is not None:
            runs += [(first, frame)] if seen else []
            first, seen = None, False
    return runs


def merge_gaps(runs: Sequence[Run], gap: int) -> list[Run]:
    """Merge two neighbours at a time until no gap is short enough."""
    merged = list(runs)
    for k in range(len(merged) - 1):
        if sum(1 for _ in range(merged[k][1], merged[k + 1][0])) <= gap:
            return merge_gaps(
                [*merged[:k], (merged[k][0], merged[k + 1][1]), *merged[k + 2 :]], gap
            )
    return merged


def drop_short(runs: Sequence[Run], minimum: int) -> list[Run]:
    return [run for run in runs if len(range(*run)) >= minimum]


def split_at_valleys(odds: Sequence[float], depth: float) -> list[Run]:
    """Fill the shallowest valley again and again, until all are deep."""
    peaks = list(range(len(odds)))  # one in each part; at first every frame is a part
    while len(peaks) > 1:
        valleys = [min(odds[a : b + 1]) for a, b in pairwise(peaks)]
        depths = [
            min(odds[a], odds[b]) - valley
            for (a, b), valley in zip(pairwise(peaks), valleys, strict=True)
        ]
        k = depths.index(min(depths))
        if depths[k] >= depth:
            break
        peaks[k : k + 2] = [max(peaks[k], peaks[k + 1], key=lambda frame: odds[frame])]
    edges = [0]
    for a, b in pairwise(peaks):
        lowest = [frame for frame in range(a, b + 1) if odds[frame] == min(odds[a : b + 1])]
        edges += [lowest[0], lowest[-1] + 1]
    edges.append(len(odds))
    return list(zip(edges[::2], edges[1::2], strict=True))


def split_runs(
    scores: Sequence[float], runs: Sequence[Run], off_threshold: float, depth: float
) -> list[Run]:
    if depth == 0:
        return list(runs)
    parts = []
    for first, last in runs:
        clipped = [min(max(score, 1e-6), 1 - 1e-6) for score in scores[first:last]]
        odds = [math.log(score / (1 - score)) for score in clipped]
        for start, stop in split_at_valleys(odds, depth):
            loud = [k for k in range(first + start, first + stop) if scores[k] >= off_threshold]
            parts += [(loud[0], loud[-1] + 1)] if loud else []
    return parts
