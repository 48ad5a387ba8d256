"""Distance: air and foliage attenuate the high frequencies of a sound on its way.

Air absorbs as ISO 9613-1:1993 says: at 30 degrees and 70 % humidity 0.3 dB a kilometre at 125 Hz,
3.1 dB at 500 Hz, 12.7 dB at 2 kHz. Dense foliage takes 0.02 dB a metre at 63 Hz to 0.08 dB at 2 kHz
over the first 200 m (ISO 9613-2:1996, table A.1); beyond that, sound travels above the crowns. So a
rumble at 20 Hz arrives almost unchanged, but its harmonics and the edge of a gunshot do not.

Sound also spreads out and becomes weaker at all frequencies. That is not simulated here: the level
against the noise is what `Background` changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from loxo.acoustics import (
    air_absorption_db_per_km,
    amplitude_factor,
    foliage_db_per_m,
    log_uniform,
)
from loxo.augment.draws import Range, bernoulli, check_settings
from loxo.timeline import samples_at

__all__ = ["Distance", "DistanceSettings"]

Spectrum = NDArray[np.float64]

FOLIAGE_M = 200.0
"""Length of the way through foliage to which the standard limits its attenuation."""
PADDING_S = 0.5
"""Silence that is appended before the transform, so that the end of the waveform does not ring into
its start."""


@dataclass(frozen=True, slots=True)
class DistanceSettings:
    """How often sounds are moved away, and by how much.

    Args:
        share: probability that a window is changed.
        metres: range of the additional distance; each octave of it is equally likely.
    """

    share: float = 0.3
    metres: Range = (50.0, 2000.0)

    def __post_init__(self) -> None:
        check_settings(self.share, metres=self.metres)
        if self.metres[0] <= 0:
            raise ValueError(
                f"metres {self.metres[0]} must be positive; share 0 leaves sounds where they are"
            )


@dataclass(frozen=True, slots=True)
class Distance:
    """Additional distance in metres of the sounds of a window, through dense forest.

    The window's own background is moved away as well: near insects and rain lose their high
    frequencies. `Background` is applied later and adds new ones.
    """

    metres: float = 0.0

    @classmethod
    def draw(cls, rng: np.random.Generator, settings: DistanceSettings) -> Distance:
        """Draw no additional distance, or one whose octaves are equally likely."""
        if not bernoulli(rng, settings.share):
            return cls()
        return cls(log_uniform(rng, *settings.metres))

    def gain_db(self, frequency_hz: Spectrum) -> Spectrum:
        """Compute the gain of each frequency in dB; it is never above 0 dB."""
        air_db = self.metres / 1000 * air_absorption_db_per_km(frequency_hz)
        foliage_db = min(self.metres, FOLIAGE_M) * foliage_db_per_m(frequency_hz)
        return -(air_db + foliage_db)

    def apply(self, waveform: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
        """Attenuate waveforms `(..., sample)` as air and foliage do, without a delay."""
        # Without a transform, an unchanged window stays equal bit by bit.
        if self.metres == 0:
            return waveform
        size = waveform.shape[-1]
        padded = fft.next_fast_len(size + samples_at(PADDING_S, rate), real=True)
        frequency_hz: Spectrum = np.arange(padded // 2 + 1) * np.float64(rate / padded)
        # A real gain has no phase, so nothing is delayed and targets stay where they are.
        gain = amplitude_factor(self.gain_db(frequency_hz)).astype(np.float32)
        spectrum = fft.rfft(waveform, padded) * gain
        attenuated: NDArray[np.float32] = fft.irfft(spectrum, padded)[..., :size]
        return attenuated
