"""Weather, water, fire and wood: thunder, wind, rain, surf, crackling, branches and trees.

- Thunder: most energy at 10-250 Hz, claps and rolls of 3-15 s, after Few 1982. From afar it begins
  softly. Close by, the nearest part of the channel cracks within some hundredths of a second, and
  the farther parts roll on.
- Wind: turbulence on the microphone, falling by 6-12 dB per octave above some 10 Hz, after Raspet
  et al. 2006, in gusts of 0.4-8 s.
- Rain: drops make the housing ring at 80-1,500 Hz for milliseconds, 1-60 a second; a downpour is
  hundreds, and water that runs off leaves or a gutter gurgles: bubbles ring at 300-3,000 Hz for
  5-50 ms, after Leighton 1994.
- Surf: noise that swells and breaks every 3-10 s; bubbles make it, most below 1 kHz.
- Fire: pops of 1-20 ms over a low roar, 2-40 a second, in clusters: gas bursts out of wood.
- Branches: cracks of 4-50 ms without reverberation. Trees: cracks that become more frequent, a
  crash, a thump at 20-80 Hz.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import oaconvolve

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

__all__ = [
    "branch_snap",
    "fire_crackle",
    "rain",
    "stream",
    "surf",
    "thunder",
    "tree_fall",
    "wind_gust",
]

CRACK_SHARE = 0.4
"""Share of thunder that begins with a crack."""


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
    """Make thunder: low noise that rolls and fades over many seconds, from afar or close by."""
    return cracking_thunder(rng, rate) if rng.random() < CRACK_SHARE else rolling_thunder(rng, rate)


def rolling_thunder(rng: Rng, rate: int) -> Array:
    """Make thunder from afar: it claps, rolls and fades, with a soft onset."""
    n = samples_at(rng.uniform(3, 14), rate)
    corner_hz, slope_db = log_uniform(rng, 30, 250), rng.uniform(6, 14)
    noise = coloured_noise(
        rng, n, rate, lambda f: low_pass_db(f, corner_hz, slope_db) + high_pass_db(f, 12, 12)
    )
    rolling_db = random_curve(rng, n, max(4, samples_at(seconds_at(n, rate), 2)), -14, 0)
    attack, release = rng.uniform(0.05, 0.3), rng.uniform(0.3, 0.6)
    envelope = wavering_envelope(rng, n, rate, attack, release)
    return noise * amplitude_factor(rolling_db) * envelope


def cracking_thunder(rng: Rng, rate: int) -> Array:
    """Make thunder close by: cracks with a hard onset, each followed by a roll that fades."""
    n = samples_at(rng.uniform(4, 14), rate)
    time_s = times_s(n, rate)
    # The roll comes from farther parts of the channel; it is lower and wavers.
    corner_hz, slope_db = log_uniform(rng, 40, 250), rng.uniform(6, 12)
    roll = unit_variance(
        coloured_noise(
            rng, n, rate, lambda f: low_pass_db(f, corner_hz, slope_db) + high_pass_db(f, 12, 12)
        )
    )
    crack_hz = log_uniform(rng, 150, 1200)
    crack = unit_variance(
        coloured_noise(rng, n, rate, lambda f: low_pass_db(f, crack_hz, 6) + high_pass_db(f, 30, 6))
    )
    rolling_db = random_curve(rng, n, max(4, samples_at(seconds_at(n, rate), 3)), -10, 0)
    fade_s = seconds_at(n, rate) / rng.uniform(2.5, 4.5)
    out = roll * amplitude_factor(rolling_db) * _swell(time_s, 0.0, rng.uniform(0.01, 0.05), fade_s)
    # The first crack begins at once, further ones within the first seconds, each weaker or not.
    starts_s = [0.0, *rng.uniform(0.1, min(4.0, 0.5 * seconds_at(n, rate)), rng.poisson(2.5))]
    for start_s in starts_s:
        level, onset_s = rng.uniform(0.5, 3), log_uniform(rng, 0.01, 0.05)
        out += level * crack * _swell(time_s, start_s, onset_s, log_uniform(rng, 0.08, 0.8))
    # The end fades to silence.
    return out * np.minimum(1, 4 * np.linspace(1, 0, n))


def _swell(time_s: Array, start_s: float, onset_s: float, fade_s: float) -> Array:
    """Make an envelope that rises linearly within the onset and then fades exponentially."""
    after_s = time_s - start_s
    return np.clip(after_s / onset_s, 0, 1) * np.exp(-np.maximum(after_s, 0) / fade_s)


def wind_gust(rng: Rng, rate: int) -> Array:
    """Make a gust: pressure noise of wind on the microphone, steeply falling above some 10 Hz."""
    n = samples_at(rng.uniform(0.4, 8), rate)
    slope_db, corner_hz = rng.uniform(6, 12), rng.uniform(5, 60)
    noise = coloured_noise(rng, n, rate, lambda f: low_pass_db(f, corner_hz, slope_db))
    return noise * wavering_envelope(rng, n, rate, 0.3, 0.4)


def rain(rng: Rng, rate: int) -> Array:
    """Make drops on the housing: many short knocks, a few or a downpour."""
    n = samples_at(rng.uniform(2, 12), rate)
    per_s = log_uniform(rng, 60, 600) if rng.random() < 0.25 else log_uniform(rng, 1, 60)
    # The housing is the same for all drops, so one decaying tone is convolved with their impulses.
    ring_hz, decay_s = log_uniform(rng, 80, 1500), rng.uniform(0.002, 0.015)
    time_s = times_s(samples_at(0.125, rate), rate)
    ring = np.sin(2 * np.pi * min(ring_hz, 0.45 * rate) * time_s + 1) * np.exp(-time_s / decay_s)
    drops = _impulses(rng, n, max(1, int(seconds_at(n, rate) * per_s)))
    return np.asarray(oaconvolve(drops, ring)[:n], float)


def _impulses(rng: Rng, n: int, count: int) -> Array:
    """Draw impulses `(sample,)` at random times, of random levels: few strong, many weak."""
    out = np.zeros(n)
    at = rng.integers(0, n, size=count)
    # `np.add.at` counts two impulses on one sample twice; an index assignment would keep one.
    np.add.at(out, at, rng.normal(size=count) * rng.exponential(size=count))
    return out


def stream(rng: Rng, rate: int) -> Array:
    """Make water that runs: noise, and bubbles that ring at many pitches."""
    n = samples_at(rng.uniform(3, 15), rate)
    out = np.zeros(n)
    count = max(2, int(seconds_at(n, rate) * log_uniform(rng, 5, 60)))
    # One row a bubble. Small ones are high, and fade sooner.
    low_hz = log_uniform(rng, 200, 800)
    pitch_hz = np.exp(rng.uniform(np.log(low_hz), np.log(min(3000, 0.45 * rate)), (count, 1)))
    decay_s = rng.uniform(4, 12) / pitch_hz
    time_s = times_s(samples_at(0.06, rate), rate)
    # The pitch of a bubble rises as it comes up.
    phase = 2 * np.pi * pitch_hz * (time_s + rng.uniform(0, 3, (count, 1)) * time_s**2)
    levels = rng.normal(size=(count, 1)) * rng.exponential(size=(count, 1))
    bubbles = levels * np.sin(phase) * np.exp(-time_s / decay_s) * np.linspace(1, 0, len(time_s))
    starts = rng.integers(0, n - len(time_s), count)
    for start, bubble in zip(starts, bubbles, strict=True):
        out[start : start + len(bubble)] += bubble
    slope_db = rng.uniform(0, 6)
    hiss = coloured_noise(rng, n, rate, lambda f: -slope_db * np.abs(np.log2(f / 500)))
    out = unit_variance(out) + rng.uniform(0, 1) * unit_variance(hiss)
    running: Array = out * wavering_envelope(rng, n, rate, 0.2, 0.2)
    return running


def surf(rng: Rng, rate: int) -> Array:
    """Make waves on a shore: noise that swells, breaks and runs out, every 3-10 s."""
    period_s = rng.uniform(3, 10)
    n = samples_at(period_s * rng.uniform(1, 2.5), rate)
    time_s = times_s(n, rate)
    corner_hz, slope_db = log_uniform(rng, 100, 800), rng.uniform(3, 9)
    low_hz = log_uniform(rng, 20, 120)
    noise = coloured_noise(
        rng, n, rate, lambda f: low_pass_db(f, corner_hz, slope_db) + high_pass_db(f, low_hz, 9)
    )
    envelope = np.full(n, rng.uniform(0.02, 0.2))
    start_s = -rng.uniform(0, 0.5) * period_s
    while start_s < time_s[-1]:
        # A wave that breaks on a steep shore rises within tenths of a second.
        rise_s, run_s = log_uniform(rng, 0.2, 2.5), rng.uniform(0.15, 0.4) * period_s
        after_s = time_s - start_s - rise_s
        swell = np.where(after_s < 0, np.exp(2.5 * after_s / rise_s), np.exp(-after_s / run_s))
        envelope += rng.uniform(0.4, 1) * swell
        start_s += period_s * rng.uniform(0.75, 1.25)
    ends = np.clip(np.minimum(time_s, time_s[::-1]) / 0.5, 0, 1)
    breakers: Array = noise * envelope * ends
    return breakers


def fire_crackle(rng: Rng, rate: int) -> Array:
    """Make a fire: pops of milliseconds in clusters, over a low roar."""
    n = samples_at(rng.uniform(2, 15), rate)
    seconds = seconds_at(n, rate)
    # Pops come in clusters: their rate changes from half a second to the next.
    density = rng.exponential(size=max(1, int(2 * seconds))) + 0.1
    chances = np.interp(np.linspace(0, len(density) - 1, n), np.arange(len(density)), density)
    count = max(2, int(seconds * log_uniform(rng, 2, 40)))
    at = np.searchsorted(np.cumsum(chances) / chances.sum(), rng.random(count)).clip(max=n - 1)
    pops = np.zeros(n)
    # A few kinds of pops, with levels that differ by some 20 dB.
    kinds = rng.integers(0, 4, size=count)
    levels = rng.lognormal(0, 0.8, size=count)
    for kind in range(4):
        decay_s = log_uniform(rng, 0.0007, 0.006)
        size = samples_at(7 * decay_s, rate) + 2
        pop = rng.standard_normal(size) * np.exp(-times_s(size, rate) / decay_s)
        impulses = np.zeros(n)
        np.add.at(impulses, at[kinds == kind], levels[kinds == kind])
        pops += oaconvolve(impulses, pop)[:n]
    low_hz, peak_hz = log_uniform(rng, 60, 500), log_uniform(rng, 200, 2000)
    pops = filtered(
        pops,
        rate,
        lambda f: high_pass_db(f, low_hz, 12) + 8 * np.exp(-(np.log2(f / peak_hz) ** 2)),
    )
    roar_slope_db = rng.uniform(3, 9)
    roar = coloured_noise(
        rng, n, rate, lambda f: low_pass_db(f, 80, roar_slope_db) + high_pass_db(f, 20, 6)
    )
    flicker = random_curve(rng, n, max(2, int(6 * seconds)), 0.4, 1)
    roar_level = pops.std() * log_uniform(rng, 0.1, 2)
    roaring = unit_variance(roar * flicker) * wavering_envelope(rng, n, rate, 0.1, 0.1)
    burning: Array = pops + roar_level * roaring
    return burning
