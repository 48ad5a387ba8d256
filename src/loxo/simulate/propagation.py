"""What the way through a forest does to a sound: it is absorbed, scattered, smeared and faded, the highs first.

Levels are set by the scene, so spherical spreading (6 dB each doubling) matters only between paths of one sound, in echoes and passing
engines; what changes a sound's *shape* is here.

- Absorption of air: ISO 9613-1:1993, in tropical air (25 C, 85 % relative humidity unless told).
- Scattering by trunks and leaves: ISO 9613-2:1996, table A.1 (.02 dB/m at 63 Hz, .06 at 1 kHz, .08 at 2 kHz), here .02 (f / 63 Hz)^.4.
  The standard ends it at 200 m, where sound begins to pass above; animals and recorders are both under the canopy: up to 1 km here.
- Reverberation: 0.3-2 s in forest, shorter in the highs, after Padgham 2004.
- Fading by wind and turbulence: amplitude wavers by up to some 6 dB on long ways, a few times a second, after Wiley and Richards 1978.
"""

from __future__ import annotations

import numpy as np
from scipy import fft

from loxo.simulate.signals import Array, Rng, coloured_noise, low_pass_db, slow_curve
from loxo.timeline import samples_at, seconds_at, times_s

__all__ = ["SOUND_SPEED_M_S", "absorption_db_km", "carried", "reverberation", "scattering_db_m"]

SOUND_SPEED_M_S = 346.0
"""At 25 C."""


def absorption_db_km(frequency: Array, celsius: float = 25.0, humidity: float = 85.0) -> Array:
    """Absorption of air at sea level in dB/km by ISO 9613-1, equations 3 to 5 and B.3; relative humidity in per cent."""
    kelvin = celsius + 273.15
    warm = kelvin / 293.15
    vapour = humidity * 10 ** (-6.8346 * (273.16 / kelvin) ** 1.261 + 4.6151)
    oxygen_hz = 24 + 4.04e4 * vapour * (0.02 + vapour) / (0.391 + vapour)
    nitrogen_hz = warm**-0.5 * (9 + 280 * vapour * np.exp(-4.170 * (warm ** (-1 / 3) - 1)))
    square = frequency**2
    relaxation = 0.01275 * np.exp(-2239.1 / kelvin) / (oxygen_hz + square / oxygen_hz)
    relaxation = relaxation + 0.1068 * np.exp(-3352.0 / kelvin) / (nitrogen_hz + square / nitrogen_hz)
    loss: Array = 8686 * square * (1.84e-11 * warm**0.5 + warm**-2.5 * relaxation)
    return loss


def scattering_db_m(frequency: Array) -> Array:
    """Loss in dense forest in dB/m, after ISO 9613-2, table A.1."""
    return 0.02 * np.maximum(frequency / 63, 1e-3) ** 0.4


def way_db(frequency: Array, distance_km: float, wooded_km: float) -> Array:
    """Gain of the way in dB (0 or less), without spreading: air all along, forest for `wooded_km` of it."""
    return -absorption_db_km(frequency) * distance_km - 1000 * scattering_db_m(frequency) * min(distance_km, wooded_km)


def carried(rng: Rng, sound: Array, rate: int, distance_km: float, echo_db: float = -10.0) -> Array:
    """A sound as it is heard `distance_km` away in a forest, with a tail of reverberation `echo_db` below it and fading by wind.

    Shape: `(sample,)` in, longer by the tail out.
    """
    wooded_km = rng.uniform(0.2, 1.0)
    t60_s = rng.uniform(0.3, 0.6 + 1.2 * min(1.0, distance_km))
    tail_n = samples_at(0.6 * t60_s, rate)
    tail = coloured_noise(rng, tail_n, rate, lambda f: low_pass_db(f, 300, 4)) * 10 ** (-3 * times_s(tail_n, rate) / t60_s)
    tail *= 10 ** (echo_db / 20) / (np.sqrt(np.sum(tail**2)) + 1e-12)
    tail[0] += 1
    n = len(sound) + tail_n
    # What the filter rings ahead of the sound must not come round to its end.
    padded = fft.next_fast_len(n + samples_at(0.1, rate), real=True)
    frequency = np.maximum(np.arange(padded // 2 + 1) * (rate / padded), 0.5)
    # The nearest frequencies lose something too, which the scene's level gives back.
    gain = 10 ** (way_db(frequency, distance_km, wooded_km) / 20)
    spectrum = fft.rfft(sound.astype(np.float32), padded) * fft.rfft(tail.astype(np.float32), padded)
    spectrum *= gain
    heard: Array = fft.irfft(spectrum, padded)[:n].astype(float)
    return heard * faded(rng, n, rate, distance_km)


def faded(rng: Rng, n: int, rate: int, distance_km: float) -> Array:
    """Factor `(sample,)` by which wind makes a sound waver, the more the longer its way."""
    depth_db = 6 * min(1.0, distance_km) * rng.random()
    knots = max(2, samples_at(seconds_at(n, rate), 4))
    return 10 ** (slow_curve(rng, n, knots, -depth_db, depth_db) / 20)


def reverberation(rng: Rng, rate: int, seconds: float, t60_s: tuple[float, float], onset_s: float) -> Array:
    """Scattered sound after an impulse: noise in octaves that fade each in its own time, from that of 60 Hz to that of 1.7 kHz.

    Shape: `(sample,)`, each octave of like level at the start; it grows in over `onset_s`.
    """
    n = samples_at(seconds, rate)
    padded = fft.next_fast_len(n, real=True)
    octave = np.log2(np.maximum(np.arange(padded // 2 + 1) * (rate / padded), 0.5))
    spectrum = rng.standard_normal(2 * len(octave)).view(np.complex128)
    time_s = times_s(n, rate)
    out = np.zeros(n)
    for share, edge_hz in zip(np.linspace(0, 1, 6), np.geomspace(60, 1700, 6), strict=True):
        band_t60_s = t60_s[0] ** (1 - share) * t60_s[1] ** share
        band = fft.irfft(spectrum * np.exp(-1.4 * (octave - np.log2(edge_hz)) ** 2), padded)[:n]
        out += band / (band.std() + 1e-12) * np.exp(-3 * np.log(10) * time_s / band_t60_s)
    # It grows in, and is led to silence in its last third rather than cut.
    rise = (1 - np.exp(-time_s / max(onset_s, 1e-4))) * np.minimum(1, 3 * np.linspace(1, 0, n))
    tail: Array = out * rise * 10 ** (slow_curve(rng, n, max(4, int(seconds * 12)), -2.5, 2.5) / 20)
    return tail
