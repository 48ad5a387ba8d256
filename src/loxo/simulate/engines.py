"""Engines: harmonics that glide or stay for long, above broadband noise.

- Passing engines are shifted by the Doppler effect, by (c + v) / (c - v) from approach to
  departure: 40-90 m/s for aeroplanes and helicopters, 5-25 m/s for lorries and boats. The blades
  of propellers and rotors pass at 8-120 Hz, diesel engines fire at 15-100 Hz.
- Generators do not move: 1,500 or 3,000 rounds a minute, so 12.5, 25 or 50 Hz and multiples, almost
  without modulation.
- Boats: one or two engines, whose lines beat, and the blades of a propeller. Trains: low noise as
  long as the train, beats at the joints of the rails.
- Idling engines: lines within 20-130 Hz that glide with the load, from a start to a stop. A
  four-stroke engine of 600-1,000 rounds a minute turns at 10-17 Hz and fires at 20-70 Hz.
- Mains: 50 or 60 Hz and multiples, switched on and off.
- Chain saws: two-stroke engines of 2,700-13,000 rounds a minute, 45-220 Hz, revved up and down.
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import PchipInterpolator

from loxo.acoustics import amplitude_factor, log_uniform
from loxo.simulate.beds import mains_hum
from loxo.simulate.propagation import SOUND_SPEED_M_S, propagate
from loxo.simulate.signals import (
    Array,
    Rng,
    coloured_noise,
    filtered,
    formants_db,
    harmonics,
    high_pass_db,
    low_pass_db,
    ramped_envelope,
    random_curve,
    unit_variance,
    wavering_envelope,
)
from loxo.timeline import samples_at, seconds_at, times_s

__all__ = [
    "aircraft",
    "boat",
    "chainsaw",
    "doppler",
    "generator",
    "idling",
    "mains",
    "train",
    "vehicle",
]


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


def _passing(
    rng: Rng, rate: int, pitch_hz: float, speed_m_s: float, nearest_m: float, wander: float
) -> Array:
    """Make an engine that passes: its level follows the distance, its pitch the Doppler shift.

    Args:
        pitch_hz: frequency of its first line.
        speed_m_s: its speed on a straight line.
        nearest_m: its smallest distance from the listener.
        wander: by which part of it the pitch changes on the way.
    """
    seconds = rng.uniform(6, 30)
    n = samples_at(seconds, rate)
    time_s = times_s(n, rate) - seconds * rng.uniform(0.1, 0.9)
    # No engine keeps its speed exactly; a perfectly constant line would give a simulation away.
    wandering = 1 + random_curve(rng, n, max(2, int(seconds / 2)), -wander, wander)
    f0 = pitch_hz * doppler(time_s, speed_m_s, nearest_m) * wandering
    level = nearest_m / np.hypot(speed_m_s * time_s, nearest_m)
    engine = _engine(rng, f0, rate, rng.uniform(0, 0.7))
    return engine * level * wavering_envelope(rng, n, rate, 0.1, 0.1)


def aircraft(rng: Rng, rate: int) -> Array:
    """Make an aeroplane or a helicopter that flies past, 200 m to 3 km away."""
    pitch_hz, speed_m_s = log_uniform(rng, 8, 120), rng.uniform(40, 90)
    return _passing(rng, rate, pitch_hz, speed_m_s, log_uniform(rng, 200, 3000), wander=0.006)


def vehicle(rng: Rng, rate: int) -> Array:
    """Make a lorry, a motorcycle or a tractor that passes, 15 to 600 m away."""
    tractor = rng.random() < 0.3
    speed_m_s = rng.uniform(1.5, 8) if tractor else rng.uniform(5, 25)
    pitch_hz = log_uniform(rng, 12, 60) if tractor else log_uniform(rng, 15, 100)
    # Bad roads make drivers change their speed; governors keep that of a tractor.
    wander = log_uniform(rng, 0.003, 0.015) if tractor else log_uniform(rng, 0.004, 0.1)
    return _passing(rng, rate, pitch_hz, speed_m_s, log_uniform(rng, 15, 600), wander)


def boat(rng: Rng, rate: int) -> Array:
    """Make a boat that passes, 30 m to 1.5 km away: one or two engines, and a propeller.

    Two engines never turn alike, so their lines beat. The blades of the propeller modulate all.
    """
    nearest_m, speed_m_s = log_uniform(rng, 30, 1500), rng.uniform(2, 12)
    pitch_hz, wander = log_uniform(rng, 18, 120), log_uniform(rng, 0.003, 0.05)
    sound = _passing(rng, rate, pitch_hz, speed_m_s, nearest_m, wander)
    time_s = times_s(len(sound), rate)
    if rng.random() < 0.5:
        beat_hz = rng.uniform(0.3, 4)
        sound *= 1 + rng.uniform(0.2, 1) * np.sin(2 * np.pi * beat_hz * time_s)
    blades_hz = pitch_hz / float(rng.choice([2.0, 3.0, 4.0, 6.0]))
    blades = np.sin(2 * np.pi * blades_hz * time_s + rng.uniform(0, 2 * np.pi))
    return sound * (1 + rng.uniform(0, 0.8) * blades)


def train(rng: Rng, rate: int) -> Array:
    """Make a train that passes, 50 m to 3 km away: an engine, low noise, beats of the rails."""
    seconds = rng.uniform(8, 30)
    n = samples_at(seconds, rate)
    speed_m_s, nearest_m = rng.uniform(6, 25), log_uniform(rng, 50, 3000)
    # All along its length a train is loud: power is the integral of 1 / distance^2.
    time_s = times_s(n, rate) - seconds * rng.uniform(0.0, 0.6)
    front_m, length_m = speed_m_s * time_s, rng.uniform(60, 600)
    angle = np.arctan(front_m / nearest_m) - np.arctan((front_m - length_m) / nearest_m)
    corner_hz, slope_db = log_uniform(rng, 40, 250), rng.uniform(6, 15)
    noise = coloured_noise(
        rng, n, rate, lambda f: low_pass_db(f, corner_hz, slope_db) + high_pass_db(f, 15, 12)
    )
    # Each wheel beats at each joint of the rails, 12-25 m apart.
    joints = np.mod(front_m / rng.uniform(12, 25), 1)
    beats = 1 + rng.uniform(0, 3) * np.exp(-joints * rng.uniform(5, 15))
    engine = _engine(rng, log_uniform(rng, 8, 60) * doppler(time_s, speed_m_s, nearest_m), rate, 0)
    sound = unit_variance(noise) * beats + rng.uniform(0, 1.5) * engine
    received = propagate(rng, sound * np.sqrt(angle), rate, nearest_m / 1000, -15.0)[:n]
    return received * wavering_envelope(rng, n, rate, 0.1, 0.1)


def idling(rng: Rng, rate: int) -> Array:
    """Make an engine that idles, 10 m to 1 km away: lines that glide within 20-130 Hz.

    It may start or stop; its load changes; a rider may play with the throttle. It lasts longer than
    a call: nobody could tell a single line of some seconds from a far rumble.
    """
    n = samples_at(rng.uniform(8, 30), rate)
    strongest_hz = log_uniform(rng, 22, 110)
    # The strongest line is that of the firing: the first to fourth multiple of half a turn.
    f0 = strongest_hz / rng.integers(1, 5) * _load(rng, n, rate)
    corner_hz = log_uniform(rng, 60, 600)
    resonances = [
        (strongest_hz * rng.uniform(0.8, 1.2), rng.uniform(5, 30), rng.uniform(3, 18)),
        (log_uniform(rng, 40, 400), rng.uniform(10, 80), rng.uniform(0, 12)),
    ]
    source = harmonics(rng, f0, rate, log_uniform(rng, 150, 1500), rng.uniform(2, 8))
    noise = rng.uniform(0, 0.5) * rng.standard_normal(n)
    engine = filtered(
        unit_variance(source) + noise,
        rate,
        lambda f: formants_db(f, resonances) + low_pass_db(f, corner_hz, 9),
    )
    # No two firings are alike: the level wavers ten times a second.
    wavering_db = random_curve(rng, n, max(3, samples_at(seconds_at(n, rate), 10)), -4, 0)
    turning = np.clip(f0 / f0.max(), 0, 1) ** 1.5 * amplitude_factor(wavering_db)
    if rng.random() < 0.5:
        envelope = wavering_envelope(rng, n, rate, rng.uniform(0.02, 0.3), rng.uniform(0.02, 0.3))
    else:
        envelope = ramped_envelope(n, rate, log_uniform(rng, 0.05, 0.5))
    distance_km = log_uniform(rng, 0.01, 1.0)
    return propagate(rng, engine * turning * envelope, rate, distance_km, rng.uniform(-25, -6))


def _load(rng: Rng, n: int, rate: int) -> Array:
    """Draw the speed of an idling engine `(sample,)` relative to its mean: slow glides, a start."""
    seconds, time_s = seconds_at(n, rate), times_s(n, rate)
    # The load changes every 1.5-8 s, the speed follows without corners.
    depth = log_uniform(rng, 0.006, 0.45)
    knots = max(2, int(seconds / rng.uniform(1.5, 8)))
    speed = 1 + PchipInterpolator(
        np.linspace(0, seconds, knots + 1), rng.uniform(-depth, depth, knots + 1)
    )(time_s)
    speed *= 1 + random_curve(rng, n, max(3, int(5 * seconds)), -0.008, 0.008)
    if rng.random() < 0.2:
        # Throttle: up within a quarter of a second, down within one.
        for start_s in rng.uniform(0, seconds, rng.integers(1, 6)):
            since_s = np.clip(time_s - start_s, 0, None)
            speed += rng.uniform(0.2, 1) * (1 - np.exp(-since_s / 0.1)) * np.exp(-since_s / 0.5)
    if rng.random() < 0.35:
        speed *= 1 - rng.uniform(0.4, 0.8) * np.exp(-time_s / rng.uniform(0.1, 0.7))
    if rng.random() < 0.35:
        left_s = seconds - time_s
        speed *= 1 - rng.uniform(0.4, 0.8) * np.exp(-left_s / rng.uniform(0.1, 0.7))
    return speed


def mains(rng: Rng, rate: int) -> Array:
    """Make a hum of mains that is switched on and off at once: a pump, a lamp, a loudspeaker."""
    n = samples_at(rng.uniform(2, 25), rate)
    hum = mains_hum(rng, rate)(rng, n)
    return hum * ramped_envelope(n, rate, log_uniform(rng, 0.005, 0.3))


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
