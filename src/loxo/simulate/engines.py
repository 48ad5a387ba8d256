"""Engines: lines that glide or stand for long, over a rush of air.

- Passing ones shift by Doppler: (c + v) / (c - v) from approach to departure; 40-90 m/s for aeroplanes and helicopters, 5-25 for lorries
  and boats. Propellers and rotors turn blades past at 8-120 Hz, diesels fire at 15-100 Hz.
- Generators stand still: 1,500 or 3,000 rounds a minute, so 12.5, 25 or 50 Hz and its multiples, all but without modulation.
- Chain saws: two-stroke engines of 2,700-13,000 rounds a minute, 45-220 Hz, revved up and down.
"""

from __future__ import annotations

import numpy as np

from loxo.simulate.propagation import SOUND_SPEED_M_S
from loxo.simulate.signals import Array, Rng, coloured_noise, harmonics, log_uniform, low_pass_db, normed, shaped, slow_curve, swell
from loxo.timeline import samples_at, seconds_at, times_s

__all__ = ["aircraft", "doppler", "generator", "saw", "vehicle"]


def doppler(time_s: Array, speed_m_s: float, nearest_m: float) -> Array:
    """Factor of the frequencies of a source that passes on a line, nearest (at `nearest_m`) at time 0."""
    along_m = speed_m_s * time_s
    radial_m_s = speed_m_s * along_m / np.hypot(along_m, nearest_m)
    factor: Array = SOUND_SPEED_M_S / (SOUND_SPEED_M_S + radial_m_s)
    return factor


def _engine(rng: Rng, f0: Array, rate: int, rush: float) -> Array:
    """Harmonics under a tilt and a corner, over a rush of noise under the same corner."""
    n = len(f0)
    tilt, corner_hz = rng.uniform(0, 8), log_uniform(rng, 60, 900)
    lines = shaped(
        harmonics(rng, f0, rate, limit_hz=corner_hz * log_uniform(rng, 2, 10)),
        rate,
        lambda f: -tilt * np.log2(np.maximum(f, 5) / 20) + low_pass_db(f, corner_hz, 9),
    )
    return normed(lines) + rush * normed(coloured_noise(rng, n, rate, lambda f: low_pass_db(f, corner_hz, 9)))


def _passing(rng: Rng, rate: int, pitch_hz: float, speed_m_s: float, nearest_m: float) -> Array:
    """An engine that passes: its level follows the spherical loss, its pitch the Doppler shift."""
    seconds = rng.uniform(6, 30)
    n = samples_at(seconds, rate)
    time_s = times_s(n, rate) - seconds * rng.uniform(0.1, 0.9)
    wander = slow_curve(rng, n, max(2, int(seconds / 2)), -0.006, 0.006)
    f0 = pitch_hz * doppler(time_s, speed_m_s, nearest_m) * (1 + wander)
    loss = nearest_m / np.hypot(speed_m_s * time_s, nearest_m)
    return _engine(rng, f0, rate, rng.uniform(0, 0.7)) * loss * swell(rng, n, rate, 0.1, 0.1)


def aircraft(rng: Rng, rate: int) -> Array:
    """An aeroplane or a helicopter that flies over."""
    return _passing(rng, rate, log_uniform(rng, 8, 120), rng.uniform(40, 90), log_uniform(rng, 200, 3000))


def vehicle(rng: Rng, rate: int) -> Array:
    """A lorry, a motorcycle or a boat that passes."""
    return _passing(rng, rate, log_uniform(rng, 15, 100), rng.uniform(5, 25), log_uniform(rng, 15, 600))


def generator(rng: Rng, rate: int) -> Array:
    """A generator or a pump: lines that stand, from when it starts until it stops."""
    n = samples_at(rng.uniform(5, 30), rate)
    wander = slow_curve(rng, n, max(2, samples_at(seconds_at(n, rate), 1)), -0.003, 0.003)
    f0 = float(rng.choice([12.5, 25.0, 50.0])) * rng.uniform(0.95, 1.05) * (1 + wander)
    return _engine(rng, f0, rate, rng.uniform(0, 0.3)) * swell(rng, n, rate, 0.05, 0.05)


def saw(rng: Rng, rate: int) -> Array:
    """A chain saw that revs up and down."""
    n = samples_at(rng.uniform(2, 12), rate)
    seconds = seconds_at(n, rate)
    f0 = log_uniform(rng, 50, 180) * (1 + slow_curve(rng, n, max(3, int(seconds)), -0.25, 0.25))
    tilt = rng.uniform(-1, 4)
    lines = shaped(harmonics(rng, f0, rate, limit_hz=log_uniform(rng, 1500, 10000)), rate, lambda f: -tilt * np.log2(f / 100))
    return (normed(lines) + rng.uniform(0, 0.6) * rng.standard_normal(n)) * swell(rng, n, rate, 0.1, 0.1)
