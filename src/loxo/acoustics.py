"""Acoustics for augmentation and simulation: levels, band powers, absorption, random draws.

Conventions: frequencies are in hertz, distances in metres or kilometres as the name says, losses
are positive decibels (dB). A level difference of 20 dB is a factor of 10 in amplitude and of 100 in
power. All functions are pure; random draws take a NumPy random generator.

Sources: ISO 9613-1:1993 (absorption by air) and ISO 9613-2:1996, table A.1 (foliage).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from loxo.timeline import ceil_div

__all__ = [
    "air_absorption_db_per_km",
    "amplitude_factor",
    "band_powers",
    "decibels",
    "foliage_db_per_m",
    "log_uniform",
    "scattering_db_per_m",
]

Array = NDArray[np.float64]

KELVIN = 273.15
"""0 degrees Celsius in kelvin."""
FOLIAGE_HZ = (0.0, 63.0, 125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0)
FOLIAGE_DB_PER_M = (0.0, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.09, 0.12)
ROUNDING_POWER = 1e-13
"""A band of less power holds no sound, only the rounding of the transform. The rounding of 16-bit
samples is a hundred times as strong."""


@overload
def amplitude_factor(db: float) -> float: ...
@overload
def amplitude_factor(db: Array) -> Array: ...
def amplitude_factor(db: float | Array) -> float | Array:
    """Convert decibels to a factor of the amplitude.

    >>> amplitude_factor(20.0)
    10.0
    """
    return 10 ** (db / 20)


@overload
def decibels(power_ratio: float) -> float: ...
@overload
def decibels(power_ratio: Array) -> Array: ...
def decibels(power_ratio: float | Array) -> float | Array:
    """Convert a ratio of powers to decibels.

    >>> decibels(100.0)
    20.0
    """
    if isinstance(power_ratio, float):
        return 10 * math.log10(power_ratio)
    level_db: Array = 10 * np.log10(power_ratio)
    return level_db


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number between two positive limits; each octave between them is equally likely."""
    drawn = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    # The exponential rounds: without this, a draw could lie one digit outside of the limits.
    return min(max(drawn, low), high)


def band_powers(
    waveform: NDArray[np.float32], rate: int, bands_hz: Sequence[tuple[int, int]]
) -> Array:
    """Measure the mean power in frequency bands.

    Args:
        waveform: `(..., sample)`.
        rate: samples a second.
        bands_hz: lower limit (included) and upper limit (excluded) of each band.

    Returns:
        Powers `(..., band)`. A silent band has a power of exactly zero.
    """
    size = waveform.shape[-1]
    spectrum = fft.rfft(waveform)
    means = []
    for low_hz, high_hz in bands_hz:
        band = spectrum[..., ceil_div(low_hz * size, rate) : ceil_div(high_hz * size, rate)]
        # Parseval's theorem: the factor 2 stands for the negative frequencies, which `rfft` omits.
        means.append((band.real**2 + band.imag**2).sum(axis=-1, dtype=np.float64) * (2 / size**2))
    powers = np.stack(means, axis=-1)
    return np.where(powers < ROUNDING_POWER, 0.0, powers)


def air_absorption_db_per_km(
    frequency_hz: Array, celsius: float = 25.0, humidity: float = 85.0
) -> Array:
    """Compute how much still air at sea level absorbs, in dB/km (ISO 9613-1:1993).

    At low frequencies absorption grows with the square of the frequency; above some hundred hertz
    the relaxation of oxygen and nitrogen makes it grow less. The defaults are those of a tropical
    forest.

    Args:
        frequency_hz: frequencies of any shape; the result has the same shape.
        celsius: temperature of the air.
        humidity: relative humidity in per cent.

    >>> np.round(air_absorption_db_per_km(np.array([1000.0]), celsius=20, humidity=70), 2)
    array([4.98])
    """
    kelvin = celsius + KELVIN
    warmth = kelvin / 293.15  # relative to the standard's reference of 20 degrees
    # Molar concentration of water vapour in per cent (equations B.1 to B.3).
    vapour = humidity * 10 ** (-6.8346 * (273.16 / kelvin) ** 1.261 + 4.6151)
    # Relaxation frequencies of oxygen and nitrogen (equations 3 and 4).
    oxygen_hz = 24 + 4.04e4 * vapour * (0.02 + vapour) / (0.391 + vapour)
    nitrogen_hz = warmth**-0.5 * (9 + 280 * vapour * np.exp(-4.170 * (warmth ** (-1 / 3) - 1)))
    # Absorption (equation 5): the classical part, then what each gas adds.
    squared = frequency_hz**2
    oxygen = 0.01275 * np.exp(-2239.1 / kelvin) / (oxygen_hz + squared / oxygen_hz)
    nitrogen = 0.1068 * np.exp(-3352.0 / kelvin) / (nitrogen_hz + squared / nitrogen_hz)
    loss: Array = 8686 * squared * (1.84e-11 * warmth**0.5 + warmth**-2.5 * (oxygen + nitrogen))
    return loss


def foliage_db_per_m(frequency_hz: Array) -> Array:
    """Look up the attenuation by dense foliage in dB/m (ISO 9613-2:1996, table A.1).

    Values between those of the table are interpolated. The table starts at 63 Hz; below, the
    attenuation falls linearly to zero at 0 Hz. The standard applies it to 200 m at most.
    """
    return np.interp(frequency_hz, FOLIAGE_HZ, FOLIAGE_DB_PER_M)


def scattering_db_per_m(frequency_hz: Array) -> Array:
    """Approximate the attenuation by dense forest in dB/m with a power law.

    From 63 Hz to 4 kHz it is within 0.016 dB/m of table A.1 of ISO 9613-2:1996. It differs from
    `foliage_db_per_m` in that it does not fall to zero at low frequencies.
    """
    # Scenes keep the power law instead of the table: the packaged model was trained on such
    # scenes, and the same seed must go on to give the same sound.
    return 0.02 * np.maximum(frequency_hz / 63, 1e-3) ** 0.4
