"""Mammals besides elephants whose low or rough calls are confused with rumbles and gunshots.

- Lions: moans, then roars of 0.5-1.5 s and grunts that become shorter, 3-12 in a bout; fundamental
  40-250 Hz, most energy below 500 Hz; after Pfefferle et al. 2007. Leopards: strokes like those of
  a saw, in and out, two a second for 5-8 s.
- Cattle: moos of 0.8-3 s; fundamental about 80 Hz with the mouth closed and 150 Hz with it open,
  after Padilla de la Torre et al. 2015. Buffaloes are similar.
- Donkeys: brays, in and out in turn, half a second each, 300-600 Hz above noise.
- Colobus monkeys: roars, trains of guttural pulses, 15-25 a second for 0.3-2 s, in a series of
  phrases, after Schel and Zuberbuehler 2012.
- Hippopotamuses: wheeze honks of 60-400 Hz, tonal, after Barklow 2004.
"""

from __future__ import annotations

import numpy as np

from loxo.acoustics import amplitude_factor, log_uniform
from loxo.simulate.propagation import propagate
from loxo.simulate.rumbles import pitch_contour
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

__all__ = ["big_cat", "cattle", "colobus", "donkey", "hippo"]


class _Tract:
    """The tract of one animal, the same in all of its calls.

    Args:
        lowest_hz, highest_hz: range of its resonances; little is left outside of it.
    """

    def __init__(self, rng: Rng, lowest_hz: float, highest_hz: float) -> None:
        self.formants = [
            (log_uniform(rng, lowest_hz, highest_hz), rng.uniform(30, 200), rng.uniform(3, 18))
            for _ in range(3)
        ]
        self.band_hz = lowest_hz * rng.uniform(0.6, 1), highest_hz * rng.uniform(0.5, 1)
        self.slopes_db = rng.uniform(6, 24), rng.uniform(6, 15)

    def gain_db(self, frequency_hz: Array) -> Array:
        """Compute the gain of the tract."""
        return (
            formants_db(frequency_hz, self.formants)
            + high_pass_db(frequency_hz, self.band_hz[0], self.slopes_db[0])
            + low_pass_db(frequency_hz, self.band_hz[1], self.slopes_db[1])
        )

    def voiced(self, rng: Rng, f0: Array, rate: int, noise: float) -> Array:
        """Make a call of variance 1: harmonics of `f0`, and noise relative to them."""
        source = unit_variance(harmonics(rng, f0, rate, limit_hz=log_uniform(rng, 800, 4000)))
        source += noise * rng.standard_normal(len(f0))
        return unit_variance(filtered(source, rate, self.gain_db))


def _series(rng: Rng, rate: int, calls: list[Array], gaps_s: list[float]) -> Array:
    """Put calls in a row, each followed by its gap, and propagate them over 20 m to 2 km."""
    spaced = [
        np.pad(call, (0, samples_at(gap_s, rate)))
        for call, gap_s in zip(calls, gaps_s, strict=True)
    ]
    # Big animals are heard far away.
    distance_km = log_uniform(rng, 0.02, 2.0)
    return propagate(rng, np.concatenate(spaced), rate, distance_km, rng.uniform(-25, -6))


def big_cat(rng: Rng, rate: int) -> Array:
    """Make a bout of a lion's roars and grunts, or the sawing of a leopard."""
    return _sawing(rng, rate) if rng.random() < 0.3 else _roars(rng, rate)


def _roars(rng: Rng, rate: int) -> Array:
    """Make a lion's bout: the roars grow, then become shorter, until they are grunts."""
    tract = _Tract(rng, 60, 800)
    count = int(rng.integers(3, 13))
    pitch_hz, roughness = log_uniform(rng, 40, 220), rng.uniform(0.2, 2)
    longest_s, gap_s = rng.uniform(0.8, 1.5), rng.uniform(0.3, 1.2)
    peak = rng.uniform(0.1, 0.6)
    calls, gaps_s = [], []
    for position in np.linspace(0, 1, count):
        past = max(0.0, (position - peak) / (1 - peak))
        n = samples_at(longest_s * (1 - 0.65 * past) * rng.uniform(0.85, 1.15), rate)
        height = 0.7 + 0.5 * (1 - abs(position - peak))
        f0 = pitch_hz * height * (0.8 + 0.4 * pitch_contour(rng, n, "arched"))
        f0 *= 1 + random_curve(rng, n, max(3, n * 15 // rate), -0.04, 0.04)
        level_db = -14 * max(0.0, (peak - position) / peak) - 8 * past
        call = tract.voiced(rng, f0, rate, roughness) * amplitude_factor(level_db)
        calls.append(call * wavering_envelope(rng, n, rate, 0.25, rng.uniform(0.2, 0.5)))
        gaps_s.append(gap_s * (1 - 0.4 * past) * rng.uniform(0.8, 1.2))
    return _series(rng, rate, calls, gaps_s)


def _sawing(rng: Rng, rate: int) -> Array:
    """Make a leopard's strokes: rough noise, in and out in turn, with pulses of 20-40 a second."""
    tracts = _Tract(rng, 80, 900), _Tract(rng, 60, 500)
    stroke_s, count = rng.uniform(0.2, 0.4), int(rng.integers(8, 18))
    pulses_hz = rng.uniform(20, 40)
    calls, gaps_s = [], []
    for index in range(count):
        n = samples_at(stroke_s * rng.uniform(0.85, 1.15), rate)
        rasp = coloured_noise(rng, n, rate, tracts[index % 2].gain_db)
        pulses = 1 + 0.9 * np.sin(2 * np.pi * pulses_hz * times_s(n, rate))
        stroke = unit_variance(rasp) * pulses * wavering_envelope(rng, n, rate, 0.3, 0.3)
        calls.append(stroke * (0.5 if index % 2 else 1.0))
        gaps_s.append(rng.uniform(0.05, 0.25))
    return _series(rng, rate, calls, gaps_s)


def cattle(rng: Rng, rate: int) -> Array:
    """Make one to four moos of a cow, a bull or a buffalo."""
    tract = _Tract(rng, 100, 1500)
    closed_hz = log_uniform(rng, 60, 120)
    calls, gaps_s = [], []
    for _ in range(rng.integers(1, 5)):
        n = samples_at(log_uniform(rng, 0.8, 3), rate)
        # The mouth opens on the way: the pitch rises, and the call becomes louder.
        opening = pitch_contour(rng, n, str(rng.choice(["arched", "rising", "flat"])))
        f0 = closed_hz * (1 + rng.uniform(0.1, 0.9) * opening)
        f0 *= 1 + random_curve(rng, n, max(3, n * 8 // rate), -0.02, 0.02)
        call = tract.voiced(rng, f0, rate, rng.uniform(0, 0.4))
        louder = amplitude_factor(12 * (opening - 1))
        calls.append(call * louder * wavering_envelope(rng, n, rate, 0.1, rng.uniform(0.1, 0.3)))
        gaps_s.append(rng.uniform(0.5, 3))
    return _series(rng, rate, calls, gaps_s)


def donkey(rng: Rng, rate: int) -> Array:
    """Make a donkey's bray: in and out in turn, the one hoarse and high, the other full and low."""
    tracts = _Tract(rng, 300, 2000), _Tract(rng, 150, 1200)
    pitch_hz = log_uniform(rng, 300, 600)
    calls, gaps_s = [], []
    for index in range(rng.integers(4, 17)):
        n = samples_at(rng.uniform(0.35, 0.65), rate)
        outwards = index % 2
        # Breathing out has a subharmonic, hence half the pitch.
        f0 = pitch_hz / (1 + outwards) * (0.9 + 0.15 * pitch_contour(rng, n, "arched"))
        noise = rng.uniform(0.1, 0.6) if outwards else rng.uniform(0.5, 2)
        call = tracts[outwards].voiced(rng, f0, rate, noise)
        calls.append((0.4 + 0.6 * outwards) * call * ramped_envelope(n, rate, 0.06))
        gaps_s.append(rng.uniform(0.02, 0.15))
    return _series(rng, rate, calls, gaps_s)


def colobus(rng: Rng, rate: int) -> Array:
    """Make the roars of colobus monkeys: trains of guttural pulses, of one or several males."""
    tract = _Tract(rng, 150, 1200)
    pulse_n = samples_at(rng.uniform(0.02, 0.05), rate)
    decay = np.exp(-np.linspace(0, 4, pulse_n))
    per_s = rng.uniform(15, 25)
    calls, gaps_s = [], []
    for _ in range(rng.integers(1, 9)):
        n = samples_at(rng.uniform(0.3, 2), rate)
        # Pulses are impulses with a decay, all filtered by the tract.
        train = np.zeros(n + pulse_n)
        starts_s = np.arange(0, seconds_at(n, rate), 1 / per_s)
        starts_s += rng.normal(0, 0.1 / per_s, len(starts_s))
        for start in np.clip(starts_s * rate, 0, n - 1).astype(int):
            pulse = rng.uniform(0.6, 1) * rng.standard_normal(pulse_n) * decay
            train[start : start + pulse_n] += pulse
        roar = filtered(train, rate, tract.gain_db)
        calls.append(unit_variance(roar) * wavering_envelope(rng, len(roar), rate, 0.15, 0.2))
        gaps_s.append(log_uniform(rng, 0.15, 1.5))
    return _series(rng, rate, calls, gaps_s)


def hippo(rng: Rng, rate: int) -> Array:
    """Make a hippopotamus' call: a wheeze, and two to ten honks."""
    tract = _Tract(rng, 60, 600)
    pitch_hz, noise = log_uniform(rng, 60, 200), rng.uniform(0, 0.6)
    n = samples_at(rng.uniform(0.5, 1.5), rate)
    wheeze_f0 = pitch_hz * rng.uniform(1.5, 3) * (0.8 + 0.3 * pitch_contour(rng, n, "arched"))
    wheeze = tract.voiced(rng, wheeze_f0, rate, noise) * wavering_envelope(rng, n, rate, 0.2, 0.2)
    calls, gaps_s = [wheeze * rng.uniform(0, 1)], [rng.uniform(0.1, 0.4)]
    for _ in range(rng.integers(2, 11)):
        n = samples_at(rng.uniform(0.15, 0.5), rate)
        f0 = pitch_hz * rng.uniform(0.95, 1.05) * (0.9 + 0.15 * pitch_contour(rng, n, "arched"))
        honk = tract.voiced(rng, f0, rate, noise)
        calls.append(honk * wavering_envelope(rng, n, rate, 0.1, 0.4))
        gaps_s.append(rng.uniform(0.1, 0.5))
    return _series(rng, rate, calls, gaps_s)
