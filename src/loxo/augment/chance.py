"""How chance is said in settings, and drawn: a share of the windows, and a range that is drawn from evenly."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["Range", "check", "even", "even_in_octaves", "happens"]

Range = tuple[float, float]
"""Least and greatest value; a range of one value is drawn as that value."""


def check(share: float, **ranges: Range) -> None:
    """Refuse what cannot be drawn.

    Raises:
        ValueError: if a share does not lie in [0, 1], or a range is not two finite numbers in order.
    """
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"share {share} must lie in [0, 1]")
    for name, (low, high) in ranges.items():
        if not (math.isfinite(low) and math.isfinite(high) and low <= high):
            raise ValueError(f"{name} ({low}, {high}) must be two finite numbers, the lower one first")


def happens(rng: np.random.Generator, share: float) -> bool:
    """True in a share of the draws: in none for 0, in all for 1."""
    return bool(rng.random() < share)


def even(rng: np.random.Generator, limits: Range) -> float:
    """A value of the range, all equally likely."""
    return float(rng.uniform(*limits))


def even_in_octaves(rng: np.random.Generator, limits: Range) -> float:
    """A positive value of the range, each octave of it equally likely."""
    low, high = limits
    return float(np.clip(low * (high / low) ** rng.random(), low, high))
