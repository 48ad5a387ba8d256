"""Places: the background noise into which sounds are set.

A place has a noise spectrum of its own, and may have gusts of wind, insects, the hum of a distant
engine, a bed such as a stream, the hum of mains, and a real recording as its background. It is
drawn once and then makes any number of pieces of noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from loxo.acoustics import amplitude_factor, log_uniform
from loxo.simulate.beds import BEDS, Bed, mains_hum
from loxo.simulate.signals import (
    Array,
    Rng,
    coloured_noise,
    filtered,
    low_pass_db,
    random_curve,
    unit_variance,
)
from loxo.timeline import times_s

__all__ = ["Place"]

ANCHORS_HZ = (1, 4, 12, 30, 70, 150, 400, 900, 1500, 2000, 4000, 24000)
"""Frequencies at which the level of the noise is drawn; it is interpolated in between."""
GUSTY_SHARE, INSECTS, HUM_SHARE = 0.6, 1.0, 0.25
"""Share of places with gusts, mean number of insects, and share of places with a hum."""
BED_SHARE, BED_DB = 0.25, (-18.0, 8.0)
"""Share of places with a bed, and its level relative to the noise in dB."""
MAINS_SHARE, MAINS_DB = 0.12, (-15.0, 20.0)
"""Share of places with a hum of mains, and its level relative to all noise in dB."""


class Insect(NamedTuple):
    """An insect that calls all the time: a narrow band of noise."""

    centre_hz: float
    width_hz: float
    level_db: float

    def gain_db(self, frequency_hz: Array) -> Array:
        """Compute the spectrum of its call, relative to the centre of the band."""
        return -3 * ((frequency_hz - self.centre_hz) / self.width_hz) ** 2


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A place with its background noise.

    Args:
        rate: samples a second.
        levels_db: level of the noise at each of `ANCHORS_HZ`.
        gusts_db: by how much gusts change the level of wind; 0 for none.
        gust_hz: corner of the low-pass of wind.
        insects: insects that call.
        hum_hz: fundamental of a hum; 0 for none.
        bed: a steady noise, or None.
        bed_db: its level relative to the simulated noise.
        mains: the hum of mains, or None.
        mains_db: its level relative to all noise.
        background: real recording `(sample,)`, or None.
        noise_db: level of the simulated noise relative to the real recording.
    """

    rate: int
    levels_db: Array
    gusts_db: float
    gust_hz: float
    insects: tuple[Insect, ...]
    hum_hz: float
    bed: Bed | None
    bed_db: float
    mains: Bed | None
    mains_db: float
    background: NDArray[np.float32] | None
    noise_db: float

    @classmethod
    def draw(
        cls, rng: Rng, rate: int, backgrounds: Sequence[NDArray[np.float32]], share: float
    ) -> Place:
        """Draw a place.

        Args:
            backgrounds: real recordings `(sample,)` at the rate, of which one may be chosen.
            share: probability that one is chosen, if there are any.
        """
        # A random walk from low to high frequencies: it falls by 5 dB per step on average.
        levels_db = np.cumsum(rng.normal(-5, 5, len(ANCHORS_HZ)))
        gusts_db = rng.uniform(0, 10) * (rng.random() < GUSTY_SHARE)
        gust_hz = rng.uniform(20, 120)
        insects = tuple(
            Insect(rng.uniform(900, 0.48 * rate), rng.uniform(20, 200), rng.uniform(0, 25))
            for _ in range(rng.poisson(INSECTS))
        )
        hum_hz = log_uniform(rng, 12, 200) if rng.random() < HUM_SHARE else 0.0
        kinds, weights = zip(*BEDS.values(), strict=True)
        kind = kinds[int(rng.choice(len(kinds), p=np.array(weights) / sum(weights)))]
        bed = kind(rng, rate) if rng.random() < BED_SHARE else None
        mains = mains_hum(rng, rate) if rng.random() < MAINS_SHARE else None
        background = None
        if rng.random() < share and len(backgrounds) > 0:
            background = backgrounds[int(rng.integers(len(backgrounds)))]
        return cls(
            rate,
            levels_db,
            gusts_db,
            gust_hz,
            insects,
            hum_hz,
            bed,
            rng.uniform(*BED_DB),
            mains,
            rng.uniform(*MAINS_DB),
            background,
            noise_db=rng.uniform(-30, 6),
        )

    def noise(self, rng: Rng, n: int) -> Array:
        """Make `n` samples of background noise with all that hums in it."""
        noise, hum = self.noise_and_mains(rng, n)
        return noise + hum

    def noise_and_mains(self, rng: Rng, n: int) -> tuple[Array, Array]:
        """Make `n` samples of background noise, of about unit variance, and of the hum of mains.

        The two are apart since a hum hides little of a call, however loud it is: the level of a
        call is better compared with the noise alone.
        """
        noise = self._simulated(rng, n)
        # Simulated noise is added to a real background as well: there are more places than files.
        if self.background is not None:
            excerpt = _loop(rng, self.background, n)
            noise = excerpt / (excerpt.std() + 1e-9) + amplitude_factor(self.noise_db) * noise
        if self.mains is None:
            return noise, np.zeros(n)
        return noise, self.mains(rng, n) * noise.std() * amplitude_factor(self.mains_db)

    def _simulated(self, rng: Rng, n: int) -> Array:
        """Make the noise of the place without a real recording."""
        anchors = np.log2(ANCHORS_HZ)
        noise = unit_variance(
            coloured_noise(
                rng, n, self.rate, lambda f: np.interp(np.log2(f), anchors, self.levels_db)
            )
        )
        if self.gusts_db:
            noise += self._gusts(rng, noise)
        for insect in self.insects:
            noise += self._insect(rng, insect, n, float(noise.std()))
        if self.hum_hz:
            # One to six harmonics, each with a level and phase of its own.
            for order in range(1, int(rng.integers(2, 8))):
                noise += self._hum(rng, n, order)
        if self.bed is not None:
            noise += self.bed(rng, n) * noise.std() * amplitude_factor(self.bed_db)
        return noise

    def _gusts(self, rng: Rng, noise: Array) -> Array:
        """What gusts add to noise: its low part, with a level that goes up and down."""
        n = len(noise)
        wind = filtered(noise, self.rate, lambda f: low_pass_db(f, self.gust_hz, 12))
        knots = max(2, 2 * n // self.rate)  # two a second
        # The wind is already in the noise once, hence the subtraction.
        change_db = random_curve(rng, n, knots, -self.gusts_db, self.gusts_db)
        return wind * (amplitude_factor(change_db) - 1)

    def _insect(self, rng: Rng, insect: Insect, n: int, noise_std: float) -> Array:
        """The call of an insect; one of 25 dB is as loud as the noise."""
        trill = coloured_noise(rng, n, self.rate, insect.gain_db)
        wavering = random_curve(rng, n, max(2, n // self.rate), 0.3, 1)  # once a second
        return unit_variance(trill) * noise_std * amplitude_factor(insect.level_db - 25) * wavering

    def _hum(self, rng: Rng, n: int, order: int) -> Array:
        """One harmonic of the hum."""
        level = 0.05 * rng.uniform(0, 1)
        phase = 2 * np.pi * order * self.hum_hz * times_s(n, self.rate)
        return level * np.sin(phase + rng.uniform(0, 2 * np.pi))


def _loop(rng: Rng, background: NDArray[np.float32], n: int) -> Array:
    """Cut `n` samples from a random place of a recording, which is repeated as often as needed."""
    # Forwards and backwards in turn: the waveform has no jump, which would be a click.
    there_and_back = np.concatenate([background, background[::-1]]).astype(float)
    return np.take(there_and_back, np.arange(n) + rng.integers(len(there_and_back)), mode="wrap")
