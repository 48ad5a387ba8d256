"""Beds: steady noises that may be part of a place, without a start and an end.

- Mains hum: 50 or 60 Hz and multiples up to 1 kHz. Odd ones are stronger, as rectifiers draw them;
  of transformers, whose cores are pulled twice a cycle, the even ones are.
- Machines: lines that stay for hours, above some noise.
- Surf: noise that swells every 3-12 s, as waves break. Streams: noise of 100-1,500 Hz that hardly
  changes. Rain: noise that comes and goes within some ten seconds, with single drops.
- Insects at night: chirps and trills of nearly pure tones. Frogs: a chorus, in which each caller
  has its own croak and its own time.

A function here draws what stays (`Bed`), and returns a function that makes pieces of it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from loxo.acoustics import amplitude_factor, log_uniform
from loxo.simulate.signals import (
    Array,
    Rng,
    coloured_noise,
    filtered,
    formants_db,
    high_pass_db,
    lines,
    low_pass_db,
    random_curve,
    unit_variance,
    wavering_envelope,
)
from loxo.timeline import samples_at, seconds_at, times_s

__all__ = [
    "BEDS",
    "Bed",
    "frogs",
    "machine",
    "mains_hum",
    "night_insects",
    "rain_noise",
    "stream_noise",
    "surf_noise",
]

Bed = Callable[[Rng, int], Array]
"""Makes a piece of a steady noise `(sample,)` of variance 1, from a Generator and its length in
samples."""

HUM_LIMIT_HZ = 1000.0
"""Frequency of the last harmonic of mains hum."""


def mains_hum(rng: Rng, rate: int) -> Bed:
    """Draw a hum of mains: lines of 50 or 60 Hz and multiples."""
    mains_hz = float(rng.choice([50.0, 60.0]))
    order = np.arange(1, int(min(HUM_LIMIT_HZ, 0.45 * rate) / mains_hz) + 1)
    # Most hums fade towards high harmonics; some have a bright buzz.
    levels_db = rng.normal(0, 5, len(order)) - rng.uniform(1, 9) * np.log2(order)
    weaker = order % 2 == (1 if rng.random() < 0.2 else 0)
    levels_db -= rng.uniform(3, 20) * weaker
    amplitudes = amplitude_factor(levels_db) * np.exp(2j * np.pi * rng.random(len(order)))

    def piece(rng: Rng, n: int) -> Array:
        # Networks keep their frequency within a quarter of a per cent, over a minute.
        knots = max(2, int(seconds_at(n, rate) / 10))
        f0 = mains_hz * (1 + random_curve(rng, n, knots, -0.0025, 0.0025))
        return unit_variance(lines(f0, rate, amplitudes))

    return piece


def machine(rng: Rng, rate: int) -> Bed:
    """Draw a machine that runs steadily: a pump, a mill, a generator far away."""
    turn_hz, limit_hz = log_uniform(rng, 6, 60), log_uniform(rng, 60, 900)
    count = max(1, int(min(limit_hz, 0.45 * rate) / turn_hz))
    levels_db = rng.normal(0, rng.uniform(2, 9), count)
    levels_db -= rng.uniform(0, 8) * np.log2(np.arange(1, count + 1))
    amplitudes = amplitude_factor(levels_db) * np.exp(2j * np.pi * rng.random(count))
    noise, wander = rng.uniform(0, 0.7), log_uniform(rng, 0.0003, 0.01)

    def piece(rng: Rng, n: int) -> Array:
        # The load changes slowly, and the level with the wind.
        seconds = seconds_at(n, rate)
        f0 = turn_hz * (1 + random_curve(rng, n, max(2, int(seconds / 2)), -wander, wander))
        wavering_db = random_curve(rng, n, max(2, int(seconds)), -3, 0)
        running = unit_variance(lines(f0, rate, amplitudes))
        running += noise * unit_variance(
            coloured_noise(rng, n, rate, lambda f: low_pass_db(f, limit_hz, 9))
        )
        return unit_variance(running * amplitude_factor(wavering_db))

    return piece


def surf_noise(rng: Rng, rate: int) -> Bed:
    """Draw the surf of a shore or of a river's rapids: noise that swells and ebbs."""
    corner_hz, slope_db = log_uniform(rng, 60, 900), rng.uniform(3, 10)
    period_s, depth_db = log_uniform(rng, 3, 12), rng.uniform(3, 18)

    def piece(rng: Rng, n: int) -> Array:
        noise = coloured_noise(rng, n, rate, lambda f: low_pass_db(f, corner_hz, slope_db))
        # Two knots a wave: it rises to one and ebbs to the next.
        knots = max(2, int(2 * seconds_at(n, rate) / period_s))
        return unit_variance(noise * amplitude_factor(random_curve(rng, n, knots, -depth_db, 0)))

    return piece


def stream_noise(rng: Rng, rate: int) -> Bed:
    """Draw a stream or a waterfall: noise with some broad resonances that hardly changes."""
    formants = [
        (log_uniform(rng, 100, 1500), rng.uniform(60, 500), rng.uniform(0, 15)) for _ in range(3)
    ]
    low_hz, high_hz = log_uniform(rng, 30, 300), log_uniform(rng, 300, 3000)

    def piece(rng: Rng, n: int) -> Array:
        noise = coloured_noise(
            rng,
            n,
            rate,
            lambda f: (
                formants_db(f, formants) + high_pass_db(f, low_hz, 9) + low_pass_db(f, high_hz, 6)
            ),
        )
        knots = max(2, int(3 * seconds_at(n, rate)))  # three a second
        return unit_variance(noise * amplitude_factor(random_curve(rng, n, knots, -2, 0)))

    return piece


def rain_noise(rng: Rng, rate: int) -> Bed:
    """Draw steady rain: noise of the leaves, and drops on the housing."""
    low_hz, drops_per_s = log_uniform(rng, 100, 900), log_uniform(rng, 2, 80)
    ring_hz, ring_width_hz = log_uniform(rng, 80, 1500), log_uniform(rng, 40, 400)
    drops_db, changes_db = rng.uniform(-10, 10), rng.uniform(0, 8)

    def piece(rng: Rng, n: int) -> Array:
        leaves = unit_variance(coloured_noise(rng, n, rate, lambda f: high_pass_db(f, low_hz, 6)))
        impulses = np.zeros(n)
        at = rng.integers(0, n, rng.poisson(drops_per_s * seconds_at(n, rate)))
        # `np.add.at` counts two drops on one sample twice.
        np.add.at(impulses, at, rng.standard_normal(len(at)) * rng.exponential(1.0, len(at)))
        housing = [(ring_hz, ring_width_hz, 40.0)]
        drops = unit_variance(filtered(impulses, rate, lambda f: formants_db(f, housing)))
        knots = max(2, int(seconds_at(n, rate) / 5))
        change_db = random_curve(rng, n, knots, -changes_db, 0)
        rain = (leaves + amplitude_factor(drops_db) * drops) * amplitude_factor(change_db)
        return unit_variance(rain)

    return piece


def night_insects(rng: Rng, rate: int) -> Bed:
    """Draw crickets and others that call all night: each a tone in pulses, in groups or without."""
    callers = []
    for _ in range(rng.integers(1, 4)):
        tone_hz = rng.uniform(600, 0.47 * rate)
        pulses_hz, groups_hz = log_uniform(rng, 8, 60), log_uniform(rng, 0.5, 4)
        callers.append((tone_hz, pulses_hz, groups_hz, rng.random() < 0.6, rng.uniform(-12, 0)))

    def piece(rng: Rng, n: int) -> Array:
        time_s = times_s(n, rate)
        chorus = np.zeros(n)
        for tone_hz, pulses_hz, groups_hz, grouped, level_db in callers:
            wander = 1 + random_curve(rng, n, max(2, n // rate), -0.004, 0.004)
            pulses = 0.5 + 0.5 * np.sin(2 * np.pi * pulses_hz * time_s)
            if grouped:
                groups = np.sin(2 * np.pi * groups_hz * time_s + rng.uniform(0, 2 * np.pi))
                pulses = pulses * np.clip(4 * groups, 0, 1)
            tone = np.sin(np.cumsum(wander) * (2 * np.pi * tone_hz / rate))
            chorus += amplitude_factor(level_db) * tone * pulses
        return unit_variance(chorus)

    return piece


def frogs(rng: Rng, rate: int) -> Bed:
    """Draw a chorus of frogs: 2-12 callers, of one to three species."""
    species_hz = [log_uniform(rng, 120, 1800) for _ in range(rng.integers(1, 4))]
    callers = []
    for _ in range(rng.integers(2, 13)):
        pitch_hz = float(rng.choice(species_hz)) * rng.uniform(0.92, 1.08)
        croak = amplitude_factor(rng.uniform(-15, 0)) * _croak(rng, rate, pitch_hz)
        callers.append((croak, log_uniform(rng, 0.25, 2.0), rng.uniform(0.02, 0.3)))

    def piece(rng: Rng, n: int) -> Array:
        chorus = np.zeros(n)
        for croak, period_s, jitter in callers:
            count = int(seconds_at(n, rate) / period_s) + 1
            at_s = period_s * (np.arange(count) + rng.random() + rng.normal(0, jitter, count))
            for start in (at_s.clip(min=0) * rate).astype(int):
                chorus[start : start + len(croak)] += croak[: max(0, n - start)]
        return unit_variance(chorus)

    return piece


def _croak(rng: Rng, rate: int, pitch_hz: float) -> Array:
    """Draw the croak of one frog `(sample,)`: a tone, smooth or in pulses of 15-90 a second."""
    n = samples_at(log_uniform(rng, 0.04, 0.6), rate)
    time_s = times_s(n, rate)
    glide = 1 + rng.uniform(-0.2, 0.2) * np.linspace(0, 1, n)
    phase = np.cumsum(glide) * (2 * np.pi * pitch_hz / rate)
    tone = np.sin(phase) + rng.uniform(0, 0.5) * np.sin(2 * phase)
    if rng.random() < 0.6:
        tone *= np.clip(0.3 + np.sin(2 * np.pi * log_uniform(rng, 15, 90) * time_s), 0, None)
    return tone * wavering_envelope(rng, n, rate, 0.15, 0.4)


BEDS: dict[str, tuple[Callable[[Rng, int], Bed], float]] = {
    "machine": (machine, 2.0),
    "surf": (surf_noise, 1.5),
    "stream": (stream_noise, 1.0),
    "rain": (rain_noise, 1.5),
    "insects": (night_insects, 1.0),
    "frogs": (frogs, 1.5),
}
"""What draws a bed of each kind, and how often it is drawn relative to the others. Mains hum is not
among them: a place may have it in any case."""
