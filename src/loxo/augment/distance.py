"""Distance: air and leaves take the high frequencies of a sound on its way.

Air absorbs as ISO 9613-1:1993 says, with the relaxation of oxygen and nitrogen: at 30 degrees and 70 % humidity 0.3 dB a kilometre at
125 Hz, 3.1 dB at 500 Hz, 12.7 dB at 2 kHz. Up to a few hundred hertz it is nearly `alpha * f ** 2 * distance`; above, relaxation makes
it less. Dense foliage takes 0.02 dB a metre at 63 Hz to 0.08 dB at 2 kHz over the first 200 m (ISO 9613-2:1996, table A.1), after which
sound comes over the crowns. So a rumble at 20 Hz arrives as it was sent, its harmonics and a shot's edge do not.

That sound spreads and gets weaker all over is not simulated: the level against the noise is what `Background` changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from loxo.augment.chance import Range, check, even_in_octaves, happens
from loxo.timeline import samples_at

__all__ = ["Distance", "DistanceSettings", "air_db_per_m", "foliage_db_per_m"]

Spectrum = NDArray[np.float64]

KELVIN = 273.15
FOLIAGE_M = 200.0
FOLIAGE_HZ = (0.0, 63.0, 125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0)
FOLIAGE_DB_PER_M = (0.0, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.09, 0.12)
RING_S = 0.5
"""Time by which a waveform is filled up before its transform, so that its end does not ring into its start."""


def air_db_per_m(frequency: Spectrum, celsius: float = 25.0, humidity: float = 90.0) -> Spectrum:
    """Absorption by still air of each frequency (Hz), by ISO 9613-1; humidity in per cent, pressure at sea level.

    >>> np.round(1000 * air_db_per_m(np.array([1000.0]), celsius=20, humidity=70), 2)
    array([4.98])
    """
    kelvin = celsius + KELVIN
    warmth = kelvin / 293.15
    vapour = humidity * 10 ** (4.6151 - 6.8346 * (273.16 / kelvin) ** 1.261)
    oxygen_hz = 24 + 4.04e4 * vapour * (0.02 + vapour) / (0.391 + vapour)
    nitrogen_hz = warmth**-0.5 * (9 + 280 * vapour * np.exp(-4.170 * (warmth ** (-1 / 3) - 1)))
    squared = frequency**2
    oxygen = 0.01275 * np.exp(-2239.1 / kelvin) / (oxygen_hz + squared / oxygen_hz)
    nitrogen = 0.1068 * np.exp(-3352.0 / kelvin) / (nitrogen_hz + squared / nitrogen_hz)
    absorbed: Spectrum = 8.686 * squared * (1.84e-11 * warmth**0.5 + warmth**-2.5 * (oxygen + nitrogen))
    return absorbed


def foliage_db_per_m(frequency: Spectrum) -> Spectrum:
    """Attenuation by dense foliage of each frequency (Hz), by ISO 9613-2; its table starts at 63 Hz, below it falls to nothing at 0 Hz."""
    return np.interp(frequency, FOLIAGE_HZ, FOLIAGE_DB_PER_M)


@dataclass(frozen=True, slots=True)
class DistanceSettings:
    """Share of the windows that are moved away, and by how far; each doubling is drawn as often."""

    share: float = 0.3
    metres: Range = (50.0, 2000.0)

    def __post_init__(self) -> None:
        check(self.share, metres=self.metres)
        if self.metres[0] <= 0:
            raise ValueError(f"metres {self.metres[0]} must be positive; share 0 leaves sounds where they are")


@dataclass(frozen=True, slots=True)
class Distance:
    """How much farther away the sounds of a window are, through dense forest.

    The window's own background is moved as well: near insects and rain lose their highs. `Background` comes after and brings new ones.
    """

    metres: float = 0.0

    @classmethod
    def draw(cls, rng: np.random.Generator, settings: DistanceSettings) -> Distance:
        """No farther, or by a distance drawn evenly in octaves."""
        return cls(even_in_octaves(rng, settings.metres)) if happens(rng, settings.share) else cls()

    def gain_db(self, frequency: Spectrum) -> Spectrum:
        """What is left of each frequency (Hz): never more than 0 dB."""
        return -self.metres * air_db_per_m(frequency) - min(self.metres, FOLIAGE_M) * foliage_db_per_m(frequency)

    def apply(self, waveform: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
        """The waveforms `(..., sample)` without what is lost on the way; no delay, and the ends do not wrap."""
        if self.metres == 0:
            return waveform
        size = waveform.shape[-1]
        padded = fft.next_fast_len(size + samples_at(RING_S, rate), real=True)
        frequency: Spectrum = np.arange(padded // 2 + 1) * np.float64(rate / padded)
        gain = (10 ** (self.gain_db(frequency) / 20)).astype(np.float32)
        heard: NDArray[np.float32] = fft.irfft(fft.rfft(waveform, padded) * gain, padded)[..., :size]
        return heard
