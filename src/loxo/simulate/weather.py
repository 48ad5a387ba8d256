"""Weather and wood: thunder, wind on the microphone, rain on the housing, branches and trees.

- Thunder: most energy at 10-250 Hz, claps and rolls of 3-15 s, after Few 1982.
- Wind: turbulence on the microphone, falling by 6-12 dB per octave above some 10 Hz, after Raspet
  et al. 2006, in gusts of 0.4-8 s.
- Rain: drops make the housing ring at 80-1,500 Hz for milliseconds, 1-60 a second.
- Branches: cracks of 4-50 ms without reverberation. Trees: cracks that become more frequent, a
  crash, a thump at 20-80 Hz.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import fftconvolve

from loxo.acoustics import amplitude_factor, log_uniform
from loxo.simulate.propagation import propagate
from loxo.simulate.signals import (
    Array,
    Rng,
    coloured_noise,
    filtered,
    high_pass_db,
    low_pass_db,
    noise_bursts,
    random_curve,
    unit_variance,
    wavering_envelope,
)
from loxo.timeline import samples_at, seconds_at, times_s

__all__ = ["branch_snap", "rain", "thunder", "tree_fall", "wind_gust"]


def branch_snap(rng: Rng, rate: int) -> Array:
    """Make dry cracks of some milliseconds, without the tail of a gunshot."""
    n = samples_at(rng.uniform(0.3, 2.0), rate)
    # Cracks start early enough to fade within the sound.
    starts = rng.integers(0, n - samples_at(0.1, rate), size=rng.integers(1, 5))
    corner_hz, slope_db = rng.uniform(150, 900), rng.uniform(6, 18)
    return filtered(
        noise_bursts(rng, n, rate, starts, (0.004, 0.05)),
        rate,
        lambda f: high_pass_db(f, corner_hz, slope_db),
    )


def tree_fall(rng: Rng, rate: int) -> Array:
    """Make cracks that become more frequent, the crash of a crown, and a thump."""
    n = samples_at(rng.uniform(2, 7), rate)
    # Leaves: noise around 400 Hz that grows until the tree lies.
    leaves = unit_variance(
        coloured_noise(rng, n, rate, lambda f: -3 * np.log2(f / 300) - 3 * np.abs(np.log2(f / 400)))
    )
    growth = np.linspace(0, 1, n) ** rng.uniform(1, 4)
    crash = leaves * growth * wavering_envelope(rng, n, rate, 0.2, rng.uniform(0.05, 0.3))
    # A beta distribution with most of its weight near the end.
    starts = (n * rng.beta(3, 1.2, size=rng.integers(3, 25))).astype(np.int64)
    crash += rng.uniform(1, 4) * noise_bursts(rng, n, rate, starts, (0.01, 0.08))
    time_s = times_s(samples_at(0.4, rate), rate)
    thump = np.sin(2 * np.pi * rng.uniform(20, 80) * time_s) * np.exp(-time_s / 0.08)
    start = samples_at(seconds_at(n, rate) * rng.uniform(0.7, 0.94), rate)
    crash[start : start + len(thump)] += rng.uniform(0, 5) * thump[: n - start]
    return propagate(rng, crash, rate, log_uniform(rng, 0.03, 1.0))


def thunder(rng: Rng, rate: int) -> Array:
    """Make thunder: low noise that claps, rolls and fades over many seconds, with a soft onset."""
    n = samples_at(rng.uniform(3, 14), rate)
    corner_hz, slope_db = log_uniform(rng, 30, 250), rng.uniform(6, 14)
    noise = coloured_noise(
        rng, n, rate, lambda f: low_pass_db(f, corner_hz, slope_db) + high_pass_db(f, 12, 12)
    )
    rolling_db = random_curve(rng, n, max(4, samples_at(seconds_at(n, rate), 2)), -14, 0)
    attack, release = rng.uniform(0.05, 0.3), rng.uniform(0.3, 0.6)
    envelope = wavering_envelope(rng, n, rate, attack, release)
    return noise * amplitude_factor(rolling_db) * envelope


def wind_gust(rng: Rng, rate: int) -> Array:
    """Make a gust: pressure noise of wind on the microphone, steeply falling above some 10 Hz."""
    n = samples_at(rng.uniform(0.4, 8), rate)
    slope_db, corner_hz = rng.uniform(6, 12), rng.uniform(5, 60)
    noise = coloured_noise(rng, n, rate, lambda f: low_pass_db(f, corner_hz, slope_db))
    return noise * wavering_envelope(rng, n, rate, 0.3, 0.4)


def rain(rng: Rng, rate: int) -> Array:
    """Make drops on the housing: many short knocks."""
    n = samples_at(rng.uniform(2, 12), rate)
    drops = np.zeros(n)
    n_drops = max(1, int(seconds_at(n, rate) * log_uniform(rng, 1, 60)))
    at = rng.integers(0, n, size=n_drops)
    # `np.add.at` counts two drops on one sample twice; an index assignment would keep one of them.
    np.add.at(drops, at, rng.normal(size=len(at)) * rng.exponential(size=len(at)))
    # The housing is the same for all drops, so one decaying tone is convolved with their impulses.
    ring_hz, decay_s = log_uniform(rng, 80, 1500), rng.uniform(0.002, 0.015)
    time_s = times_s(samples_at(0.125, rate), rate)
    ring = np.sin(2 * np.pi * min(ring_hz, 0.45 * rate) * time_s + 1) * np.exp(-time_s / decay_s)
    return np.asarray(fftconvolve(drops, ring)[:n], float)
