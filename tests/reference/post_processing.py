"""Post-processing frame by frame, with plain loops."""

from __future__ import annotations

from collections.abc import Sequence

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


def strong_bands(
    rise: Sequence[float], centres_hz: Sequence[float], low_hz: float, high_hz: float, share: float
) -> list[float]:
    """Sorted centres within the limits whose rise is at least a share of the largest there.

    There are none if nothing rises.
    """
    inside = [
        (height, centre)
        for height, centre in zip(rise, centres_hz, strict=True)
        if low_hz <= centre <= high_hz
    ]
    most = max((height for height, _ in inside), default=0.0)
    return sorted(centre for height, centre in inside if height >= share * most) if most > 0 else []
