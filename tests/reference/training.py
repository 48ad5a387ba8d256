"""Slow reference of the choice of a threshold: try every score, count by the definition of F.

F is van Rijsbergen's F-beta (1979).
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def f_score(
    scores: Sequence[float], targets: Sequence[float], threshold: float, recall_weight: float
) -> float:
    """F of `score >= threshold` against `target >= 1 / 2`, without NaN targets; 0 without a hit."""
    pairs = [
        (score >= threshold, target >= 0.5)
        for score, target in zip(scores, targets, strict=True)
        if not math.isnan(target)
    ]
    hits = sum(found and true for found, true in pairs)
    if not hits:
        return 0.0
    precision = hits / sum(found for found, _ in pairs)
    recall = hits / sum(true for _, true in pairs)
    return (1 + recall_weight**2) * precision * recall / (recall_weight**2 * precision + recall)


def best_f(
    scores: Sequence[float], targets: Sequence[float], recall_weight: float, lowest: float
) -> float:
    """Highest F over all thresholds that are a score of at least `lowest`."""
    return max(
        (f_score(scores, targets, score, recall_weight) for score in scores if score >= lowest),
        default=0.0,
    )
