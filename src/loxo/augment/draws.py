"""Random draws of the augmentations, and checks of the settings that describe them.

Settings say with which probability a window is changed (`share`), and from which range the strength
of the change is drawn.
"""

from __future__ import annotations

import math

import numpy as np

__all__ = ["Range", "bernoulli", "check_settings", "uniform"]

Range = tuple[float, float]
"""Lowest and highest value. If both are equal, that value is always drawn."""


def check_settings(share: float, **ranges: Range) -> None:
    """Check that values can be drawn from settings.

    Args:
        share: probability that a window is changed.
        ranges: ranges by their names, which the message repeats.

    Raises:
        ValueError: if a share does not lie in [0, 1], or a range is not two finite numbers in
            order.
    """
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"share {share} must lie in [0, 1]")
    for name, (low, high) in ranges.items():
        if not (math.isfinite(low) and math.isfinite(high) and low <= high):
            raise ValueError(
                f"{name} ({low}, {high}) must be two finite numbers, the lower one first"
            )


def bernoulli(rng: np.random.Generator, share: float) -> bool:
    """Return True with the probability `share`: never for 0, always for 1."""
    # `random()` lies in [0, 1), so 1 is always above it and 0 never is.
    return bool(rng.random() < share)


def uniform(rng: np.random.Generator, limits: Range) -> float:
    """Draw a value of the range; all values are equally likely."""
    return float(rng.uniform(*limits))
