"""Wrap an array of samples as a recording, so that it can be used like a file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loxo.recordings.recording import RATES, Recording

__all__ = ["array_recording"]

LARGEST = 1.001
"""Largest accepted float sample: full scale is 1, with some tolerance for rounding."""


def array_recording(samples: Any, rate: object) -> Recording:
    """Wrap samples `(sample,)` or `(sample, channel)` as a recording.

    Args:
        samples: int16, or floats in [-1, 1]; an array, or anything that NumPy can convert to one.
        rate: sampling rate in hertz, a whole number.

    Raises:
        ValueError: if the rate is missing or absurd, the array has another shape or type, or it
            holds no samples, values that are not numbers, or floats beyond [-1, 1].
    """
    checked_rate = _check_rate(rate)
    array = _check_shape(np.asarray(samples))
    _check_values(array)
    n_samples, channels = array.shape
    return Recording(
        Path("array"), checked_rate, channels, n_samples, format="array", samples=array
    )


def _check_rate(rate: object) -> int:
    """Check the sampling rate and return it as an integer.

    Raises:
        ValueError: if it is missing, not a whole number, or outside `RATES`.
    """
    limits = f"from {RATES[0]:,} to {RATES[-1]:,}"
    if rate is None:
        raise ValueError(f"an array needs its sampling rate: give rate=, in hertz, {limits}")
    try:
        value = float(rate)  # type: ignore[arg-type]  # any type: a wrong one raises the error below
    except (TypeError, ValueError):
        value = math.nan
    if isinstance(rate, bool | str) or not value.is_integer() or int(value) not in RATES:
        raise ValueError(f"rate {rate!r} must be a whole number of hertz {limits}")
    return int(value)


def _check_shape(array: NDArray[Any]) -> NDArray[Any]:
    """Check the shape of the array and return it as `(sample, channel)`.

    Raises:
        ValueError: if it is neither `(sample,)` nor `(sample, channel)`, or is empty.
    """
    if array.ndim not in {1, 2}:
        raise ValueError(
            f"an array of shape {array.shape} must be (sample,) or (sample, channel); "
            "give one recording at a time"
        )
    if array.size == 0:
        raise ValueError(f"an array of shape {array.shape} holds no samples; at least 1 is needed")
    if array.ndim == 2 and array.shape[1] > array.shape[0]:
        raise ValueError(
            f"an array of shape {array.shape} would have {array.shape[1]:,} channels; "
            "it must be (sample, channel): transpose it"
        )
    return array if array.ndim == 2 else array[:, np.newaxis]


def _check_values(array: NDArray[Any]) -> None:
    """Check that values are int16, or finite floats up to full scale.

    Raises:
        ValueError: if they are not.
    """
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind == "i" and size == 2:
        return
    if kind in "iu":
        half = 2.0 ** (8 * size - 1)
        remedy = f"(x - {half:.0f}) / {half:.0f}" if kind == "u" else f"x / {half:.0f}"
        raise ValueError(
            f"samples of type {array.dtype} must be int16 or floats in [-1, 1]; "
            f"give {remedy} if the whole range of the type is used"
        )
    if kind != "f":
        raise ValueError(f"samples of type {array.dtype} must be int16 or floats in [-1, 1]")
    low, high = float(array.min()), float(array.max())  # a NaN anywhere makes both NaN
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(
            "samples must be finite, but some are NaN or infinite; replace them, as by "
            "np.nan_to_num(x, posinf=0, neginf=0)"
        )
    if max(-low, high) > LARGEST:
        raise ValueError(
            f"float samples reach from {low:.4g} to {high:.4g}, but must lie in [-1, 1]; "
            "divide them by their full scale, which is 32768 for 16-bit values"
        )
