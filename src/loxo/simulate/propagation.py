"""What a forest does to a sound on its way: absorption, scattering, reverberation, fading.

High frequencies are affected most. The scene sets levels, so spherical spreading (6 dB per doubling
of the distance) matters only between paths of one sound, as in echoes and passing engines. This
module changes the *spectrum* and the *course in time* of a sound.

- Absorption by air: ISO 9613-1:1993, in tropical air (25 C, 85 % relative humidity).
- Scattering by trunks and leaves: a power law after ISO 9613-2:1996, table A.1. The standard limits
  it to 200 m, since sound then travels above the crowns. Here the limit is up to 1 km, because
  animals and recorders are both below the canopy.
- Reverberation: 0.3-2 s in forest, shorter at high frequencies, after Padgham 2004.
- Fading by wind and turbulence: on long ways the amplitude wavers by up to some 6 dB, a few times a
  second, after Wiley and Richards 1978.
"""

from __future__ import annotations

import numpy as np
from scipy import fft

from loxo.acoustics import air_absorption_db_per_km, amplitude_factor, scattering_db_per_m
from loxo.simulate.signals import Array, Rng, coloured_noise, low_pass_db, random_curve
from loxo.timeline import samples_at, seconds_at, times_s

__all__ = ["SOUND_SPEED_M_S", "path_gain_db", "propagate", "reverberation", "wind_fading"]

SOUND_SPEED_M_S = 346.0
"""In air of 25 C."""


def path_gain_db(frequency_hz: Array, distance_km: float, wooded_km: float) -> Array:
    """Compute the gain of a path in dB, which is 0 or less; spreading is not included.

    Args:
        distance_km: length of the path; air absorbs along all of it.
        wooded_km: greatest length along which the forest scatters.
    """
    air_db = air_absorption_db_per_km(frequency_hz) * distance_km
    forest_db = 1000 * scattering_db_per_m(frequency_hz) * min(distance_km, wooded_km)
    return -air_db - forest_db


def propagate(
    rng: Rng, sound: Array, rate: int, distance_km: float, echo_db: float = -10.0
) -> Array:
    """Make a sound as it is received at a distance in a forest.

    Args:
        sound: `(sample,)`, as it leaves the source.
        distance_km: length of the path.
        echo_db: energy of the reverberation relative to the direct sound.

    Returns:
        The sound `(sample,)`, longer by its reverberation. It starts without a delay.
    """
    # Long paths meet more trees, so they reverberate longer.
    wooded_km = rng.uniform(0.2, 1.0)
    t60_s = rng.uniform(0.3, 0.6 + 1.2 * min(1.0, distance_km))
    response = _impulse_response(rng, rate, t60_s, echo_db)
    n = len(sound) + len(response)
    # A filter without delay rings ahead of the sound. The padding keeps that ringing, which wraps
    # around, away from the end.
    padded = fft.next_fast_len(n + samples_at(0.1, rate), real=True)
    frequency_hz = np.maximum(np.arange(padded // 2 + 1) * (rate / padded), 0.5)
    gain = amplitude_factor(path_gain_db(frequency_hz, distance_km, wooded_km))
    spectrum = fft.rfft(sound.astype(np.float32), padded)
    spectrum *= fft.rfft(response.astype(np.float32), padded)
    spectrum *= gain
    received: Array = fft.irfft(spectrum, padded)[:n].astype(float)
    return received * wind_fading(rng, n, rate, distance_km)


def _impulse_response(rng: Rng, rate: int, t60_s: float, echo_db: float) -> Array:
    """Draw a direct sound of amplitude 1, followed by reverberation that fades exponentially.

    Args:
        t60_s: time in which the reverberation falls by 60 dB.
        echo_db: energy of the reverberation.
    """
    n = samples_at(0.6 * t60_s, rate)  # it is cut at 36 dB below its start
    decay = 10 ** (-3 * times_s(n, rate) / t60_s)
    response = coloured_noise(rng, n, rate, lambda f: low_pass_db(f, 300, 4)) * decay
    response *= amplitude_factor(echo_db) / (np.sqrt(np.sum(response**2)) + 1e-12)
    response[0] += 1
    return response


def wind_fading(rng: Rng, n: int, rate: int, distance_km: float) -> Array:
    """Draw the factor `(sample,)` by which wind makes a sound waver; more on a longer way."""
    depth_db = 6 * min(1.0, distance_km) * rng.random()
    knots = max(2, samples_at(seconds_at(n, rate), 4))  # four a second
    return amplitude_factor(random_curve(rng, n, knots, -depth_db, depth_db))


def reverberation(
    rng: Rng, rate: int, seconds: float, t60_s: tuple[float, float], onset_s: float
) -> Array:
    """Draw the sound `(sample,)` that a forest scatters after an impulse.

    It is noise in bands of about an octave. All bands have the same level at the start, and each
    fades in its own time.

    Args:
        t60_s: time of a decay by 60 dB at 60 Hz and at 1.7 kHz; geometric means in between.
        onset_s: time constant with which the sound builds up.
    """
    n = samples_at(seconds, rate)
    padded = fft.next_fast_len(n, real=True)
    octave = np.log2(np.maximum(np.arange(padded // 2 + 1) * (rate / padded), 0.5))
    spectrum = rng.standard_normal(2 * len(octave)).view(np.complex128)
    time_s = times_s(n, rate)
    out = np.zeros(n)
    for share, centre_hz in zip(np.linspace(0, 1, 6), np.geomspace(60, 1700, 6), strict=True):
        band_t60_s = t60_s[0] ** (1 - share) * t60_s[1] ** share
        window = np.exp(-1.4 * (octave - np.log2(centre_hz)) ** 2)
        band = fft.irfft(spectrum * window, padded)[:n]
        out += band / (band.std() + 1e-12) * np.exp(-3 * np.log(10) * time_s / band_t60_s)
    # The last third fades to silence: a tail that is cut would be audible as a click.
    rise = (1 - np.exp(-time_s / max(onset_s, 1e-4))) * np.minimum(1, 3 * np.linspace(1, 0, n))
    wavering_db = random_curve(rng, n, max(4, int(seconds * 12)), -2.5, 2.5)
    tail: Array = out * rise * amplitude_factor(wavering_db)
    return tail
