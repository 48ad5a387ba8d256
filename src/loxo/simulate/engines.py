"""Engines: harmonics that glide or stay for long, above broadband noise.

- Passing engines are shifted by the Doppler effect, by (c + v) / (c - v) from approach to
  departure: 40-90 m/s for aeroplanes and helicopters, 5-25 m/s for lorries and boats. The blades
  of propellers and rotors pass at 8-120 Hz, diesel engines fire at 15-100 Hz.
- Generators do not move: 1,500 or 3,000 rounds a minute, so 12.5, 25 or 50 Hz and multiples, almost
  without modulation.
- Chain saws: two-stroke engines of 2,700-13,000 rounds a minute, 45-220 Hz, revved up and down.
"""

from __future__ import annotations

import numpy as np

from loxo.acoustics import log_uniform
from loxo.simulate.propagation import SOUND_SPEED_M_S
from loxo.simulate.signals import (
    Array,
    Rng,
    coloured_noise,
    filtered,
    harmonics,
    low_pass_db,
    random_curve,
    unit_variance,
    wavering_envelope,
)
from loxo.timeline import samples_at, seconds_at, times_s

__all__ = ["aircraft", "chainsaw", "doppler", "generator", "vehicle"]


def doppler(time_s: Array, speed_m_s: float, nearest_m: float) -> Array:
    """Compute by which factor the frequencies of a source that passes are shifted.

    Args:
        time_s: times; the source is nearest at time 0.
        speed_m_s: speed on a straight line.
        nearest_m: smallest distance from the listener.
    """
    along_m = speed_m_s * time_s
    radial_m_s = speed_m_s * along_m / np.hypot(along_m, nearest_m)
    factor: Array = SOUND_SPEED_M_S / (SOUND_SPEED_M_S + radial_m_s)
    return factor


def _engine(rng: Rng, f0: Array, rate: int, noise: float) -> Array:
    """Make harmonics with a tilt and a low-pass, and noise with the same low-pass.

    Args:
        f0: fundamental frequency in Hz `(sample,)`.
        noise: amplitude of the noise relative to the harmonics.
    """
    n = len(f0)
    # One low-pass for both: what muffles the harmonics muffles the noise as well.
    tilt, corner_hz = rng.uniform(0, 8), log_uniform(rng, 60, 900)
    source = harmonics(rng, f0, rate, limit_hz=corner_hz * log_uniform(rng, 2, 10))
    lines = filtered(
        source,
        rate,
        lambda f: -tilt * np.log2(np.maximum(f, 5) / 20) + low_pass_db(f, corner_hz, 9),
    )
    broadband = coloured_noise(rng, n, rate, lambda f: low_pass_db(f, corner_hz, 9))
    return unit_variance(lines) + noise * unit_variance(broadband)


def _passing(rng: Rng, rate: int, pitch_hz: float, speed_m_s: float, nearest_m: float) -> Array:
    """Make an engine that passes: its level follows the distance, its pitch the Doppler shift."""
    seconds = rng.uniform(6, 30)
    n = samples_at(seconds, rate)
    time_s = times_s(n, rate) - seconds * rng.uniform(0.1, 0.9)
    # No engine keeps its speed exactly; a perfectly constant line would give a simulation away.
    wander = random_curve(rng, n, max(2, int(seconds / 2)), -0.006, 0.006)
    f0 = pitch_hz * doppler(time_s, speed_m_s, nearest_m) * (1 + wander)
    level = nearest_m / np.hypot(speed_m_s * time_s, nearest_m)
    engine = _engine(rng, f0, rate, rng.uniform(0, 0.7))
    return engine * level * wavering_envelope(rng, n, rate, 0.1, 0.1)


def aircraft(rng: Rng, rate: int) -> Array:
    """Make an aeroplane or a helicopter that flies past, 200 m to 3 km away."""
    return _passing(
        rng, rate, log_uniform(rng, 8, 120), rng.uniform(40, 90), log_uniform(rng, 200, 3000)
    )


def vehicle(rng: Rng, rate: int) -> Array:
    """Make a lorry, a motorcycle or a boat that passes, 15 to 600 m away."""
    return _passing(
        rng, rate, log_uniform(rng, 15, 100), rng.uniform(5, 25), log_uniform(rng, 15, 600)
    )


def generator(rng: Rng, rate: int) -> Array:
    """Make a generator or a pump: constant lines, from its start to its stop."""
    n = samples_at(rng.uniform(5, 30), rate)
    wander = random_curve(rng, n, max(2, samples_at(seconds_at(n, rate), 1)), -0.003, 0.003)
    f0 = float(rng.choice([12.5, 25.0, 50.0])) * rng.uniform(0.95, 1.05) * (1 + wander)
    engine = _engine(rng, f0, rate, rng.uniform(0, 0.3))
    return engine * wavering_envelope(rng, n, rate, 0.05, 0.05)


def chainsaw(rng: Rng, rate: int) -> Array:
    """Make a chain saw that revs up and down."""
    n = samples_at(rng.uniform(2, 12), rate)
    seconds = seconds_at(n, rate)
    pitch_hz = log_uniform(rng, 50, 180)
    # The engine revs up or down about once a second.
    f0 = pitch_hz * (1 + random_curve(rng, n, max(3, int(seconds)), -0.25, 0.25))
    tilt = rng.uniform(-1, 4)  # dB per octave
    lines = filtered(
        harmonics(rng, f0, rate, limit_hz=log_uniform(rng, 1500, 10000)),
        rate,
        lambda f: -tilt * np.log2(f / 100),
    )
    saw = unit_variance(lines) + rng.uniform(0, 0.6) * rng.standard_normal(n)
    return saw * wavering_envelope(rng, n, rate, 0.1, 0.1)
