"""What small and overloaded recorders do to loud sounds: clipping, automatic gain, lost lows.

They act on a sound that is set into a scene, as recorded by somebody else before, and on a scene as
a whole.

- Clipping: samples beyond the greatest value that a converter knows become that value.
- Automatic gain: the gain goes down at a loud sound, not at once but with an **attack** of some
  milliseconds, and recovers slowly. The onset of a gunshot passes, the tail can become the louder.
- Lost lows: small microphones and their filters pass next to nothing below 100-400 Hz.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.signal import butter, lfilter, sosfilt

from loxo.acoustics import amplitude_factor
from loxo.simulate.signals import Array
from loxo.timeline import ceil_div, samples_at

__all__ = ["GainControl", "automatic_gain", "clipped", "steep_high_pass"]

GAIN_STEP_S = 0.002
"""Length of a step of automatic gain."""
DB_PER_ORDER = 6.0
"""Slope of a filter per octave and order."""


class GainControl(NamedTuple):
    """Automatic gain.

    Args:
        limit: peak above which the gain goes down, in multiples of a level.
        recovery_db_s: rate at which it recovers, in dB a second.
        attack_s: time constant with which it goes down.
    """

    limit: float
    recovery_db_s: float
    attack_s: float = 0.001


def automatic_gain(signal: Array, rate: int, control: GainControl, level: float) -> Array:
    """Compute the gain `(sample,)`, at most 1, in steps of `GAIN_STEP_S`.

    It goes down within the attack where a peak is above the limit, and then recovers at a constant
    rate.

    Args:
        signal: `(sample,)`.
        rate: samples a second.
        level: amplitude that the limit is a multiple of.
    """
    size = max(1, samples_at(GAIN_STEP_S, rate))
    count = ceil_div(len(signal), size)
    padded = np.pad(signal, (0, count * size - len(signal)))
    peaks = np.abs(padded).reshape(count, size).max(axis=1)
    excess = peaks / (control.limit * level + 1e-12)
    over_db = 20 * np.log10(np.maximum(1.0, excess))
    # Each loud step holds the gain down along a line that rises by the recovery. The gain is the
    # lowest of these lines: with the slope removed, a running maximum of the reductions.
    recovered_db = control.recovery_db_s * GAIN_STEP_S * np.arange(count)
    wanted_db = np.maximum.accumulate(over_db + recovered_db) - recovered_db
    # A low-pass of first order delays the reduction by the attack.
    kept = float(np.exp(-GAIN_STEP_S / control.attack_s))
    reduction_db: Array = lfilter([1 - kept], [1, -kept], wanted_db)
    return np.repeat(amplitude_factor(-reduction_db), size)[: len(signal)]


def clipped(signal: Array, drive: float) -> Array:
    """Clip a signal `(sample,)` whose peak is `drive` times the greatest value of a converter."""
    limit = np.abs(signal).max() / drive
    return np.clip(signal, -limit, limit)


def steep_high_pass(signal: Array, rate: int, corner_hz: float, slope_db: float) -> Array:
    """Remove what lies below a corner, as a filter in a microphone does.

    Unlike `filtered`, it delays what it passes and does not ring ahead of an onset.

    Args:
        signal: `(sample,)`.
        rate: samples a second.
        corner_hz: frequency that is lowered by 3 dB.
        slope_db: slope below the corner in dB per octave; a multiple of 6 is next to it.
    """
    order = max(1, round(slope_db / DB_PER_ORDER))
    sections = butter(order, corner_hz, "highpass", fs=rate, output="sos")
    passed: Array = sosfilt(sections, signal)
    return passed
