"""Sounds at the same time: sound pressures add up, so waveforms do.

There are two ways to mix, and each window can be used for one of them:

- A window that certainly holds no event is a `Background`. It makes events harder to detect and
  changes no target.
- A window with events is a partner for `Mixup` (Zhang et al. 2018, adapted). For images, the
  targets of both are blended. Here both events are audible, so the targets are those of both events
  (`combine_targets`).

Levels are compared within `BANDS_HZ` and not over all frequencies: wind below 8 Hz and insects
above 1.5 kHz would outweigh every sound of interest.

Sounds are not shifted in time. A window is drawn from its clip again in each epoch
(`AudioDataset(random=True)`), and a circular shift would cut events apart at the ends.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loxo.acoustics import amplitude_factor, band_powers, decibels
from loxo.augment.draws import Range, bernoulli, check_settings, uniform

__all__ = [
    "BANDS_HZ",
    "Background",
    "BackgroundSettings",
    "Mixup",
    "MixupSettings",
    "combine_targets",
]

Waveform = NDArray[np.float32]
Targets = NDArray[np.float32]

BANDS_HZ = ((8, 250), (100, 1500))
"""The band of rumbles, and the band of gunshots and most other sounds of interest."""
GREATEST_DIFFERENCE_DB = 20.0
"""Windows are not mixed if one band asks for a gain that is higher than the other's by more than
this. The mean gain is applied, so in one band the partner is up to half of this too loud, and in
the other too faint."""


def combine_targets(targets: Targets, others: Targets) -> Targets:
    """Combine the targets of two windows whose sounds are added; both have the same shape.

    The larger coverage of a bin counts: overlapping events of one label cover a bin once. For
    fractional targets that is the least coverage that both events can have together. A bin in doubt
    stays NaN where the other window holds no event; a certain event overrides doubt, as in
    `targets_from_events`.
    """
    larger = np.fmax(targets, others)  # ignores NaN where the other value is a number
    in_doubt = np.isnan(targets) | np.isnan(others)
    return np.where(in_doubt & ~(larger > 0), np.float32(np.nan), larger)


@dataclass(frozen=True, slots=True)
class BackgroundSettings:
    """How often another background is added, and at which level.

    Args:
        share: probability that a window gets another background.
        snr_db: range of the ratio of the window's power to the background's, in dB.
    """

    share: float = 0.3
    snr_db: Range = (0.0, 30.0)

    def __post_init__(self) -> None:
        check_settings(self.share, snr_db=self.snr_db)


@dataclass(frozen=True, slots=True)
class Background:
    """The same event on another day: under rain, wind, insects or an engine.

    The ratio compares the mean power of the whole window with that of the background, in the band
    where it is lower. Targets stay, because the event remains audible: the window has noise of its
    own, and an event fills only a part `p` of the window. An event that stood `r` times above its
    noise stands at least `1 / (2 / r + p)` times above the new noise at 0 dB. A faint event loses
    3 dB, and a loud one is still there.

    Args:
        source: number of the background among those available.
        snr_db: ratio of the powers in dB; infinity adds nothing.
    """

    source: int = 0
    snr_db: float = math.inf

    @classmethod
    def draw(
        cls, rng: np.random.Generator, sources: list[int], settings: BackgroundSettings
    ) -> Background:
        """Draw one of the `sources`, or none."""
        # Drawn first, so that `share` does not depend on the content of the batch.
        if not bernoulli(rng, settings.share) or not sources:
            return cls()
        return cls(sources[rng.integers(len(sources))], uniform(rng, settings.snr_db))

    def apply(self, waveform: Waveform, background: Waveform, rate: int) -> Waveform:
        """Add the background at the drawn ratio.

        Nothing is added if the window or the background is silent, since there is no ratio then.

        Args:
            waveform: `(..., sample)`.
            background: `(sample,)`, or one for each waveform, `(..., sample)`.
        """
        if self.snr_db == math.inf:
            return waveform
        window_powers = band_powers(waveform, rate, BANDS_HZ)
        background_powers = band_powers(background, rate, BANDS_HZ)
        shape = np.broadcast_shapes(window_powers.shape, background_powers.shape)
        ratios = np.divide(
            window_powers,
            background_powers,
            out=np.full(shape, np.inf),
            where=background_powers > 0,
        )
        # The band that the background disturbs most has the drawn ratio.
        lowest = ratios.min(axis=-1)
        gain = np.where(np.isfinite(lowest), np.sqrt(lowest), 0.0) * amplitude_factor(-self.snr_db)
        return waveform + background * gain[..., None].astype(np.float32)


@dataclass(frozen=True, slots=True)
class MixupSettings:
    """How often another window with events is added, and at which level.

    Args:
        share: probability that a partner is added to a window.
        level_db: range of the partner's level relative to the window's, in dB.
    """

    share: float = 0.2
    level_db: Range = (-6.0, 6.0)

    def __post_init__(self) -> None:
        check_settings(self.share, level_db=self.level_db)


@dataclass(frozen=True, slots=True)
class Mixup:
    """Two scenes at once: elephants answer one another, and a gunshot falls among rumbles.

    Recordings differ in level by tens of decibels. The partner is therefore first brought to the
    window's level, and then changed by `level_db`. "Level" is the mean of the levels of `BANDS_HZ`
    in decibels: among all gains, this one keeps a rumble in one window and a gunshot in the other
    equally audible. As the level difference is small and the spectra are similar, neither event
    masks the other, and the targets contain both.

    Args:
        partner: number of the other window in the batch.
        level_db: its level relative to the window's; minus infinity adds nothing.
    """

    partner: int = 0
    level_db: float = -math.inf

    @classmethod
    def draw(cls, rng: np.random.Generator, partners: list[int], settings: MixupSettings) -> Mixup:
        """Draw one of the `partners`, or none."""
        if not bernoulli(rng, settings.share) or not partners:
            return cls()
        return cls(partners[rng.integers(len(partners))], uniform(rng, settings.level_db))

    def apply(
        self,
        waveform: Waveform,
        targets: Targets,
        other: Waveform,
        other_targets: Targets,
        rate: int,
    ) -> tuple[Waveform, Targets]:
        """Add another window, and combine the targets.

        The window is left unchanged if a band is silent, or if the bands disagree on the gain by
        more than `GREATEST_DIFFERENCE_DB`: at any gain, one event would mask the other.

        Args:
            waveform, other: `(sample,)`.
            targets, other_targets: `(label, bin)`.

        Raises:
            ValueError: if the windows are batches: whether targets are combined depends on the
                level of each window.
        """
        # One window at a time: each has its own gain, and may be left unchanged.
        if waveform.ndim != 1 or other.ndim != 1:
            raise ValueError(
                f"windows of shapes {waveform.shape} and {other.shape} are not of the one axis "
                "(sample,); mix them one by one"
            )
        window_powers = band_powers(waveform, rate, BANDS_HZ)
        other_powers = band_powers(other, rate, BANDS_HZ)
        if self.level_db == -math.inf or not (window_powers.all() and other_powers.all()):
            return waveform, targets
        gains_db = decibels(window_powers / other_powers)
        if np.ptp(gains_db) > GREATEST_DIFFERENCE_DB:
            return waveform, targets
        gain = np.float32(amplitude_factor(float(gains_db.mean()) + self.level_db))
        return waveform + other * gain, combine_targets(targets, other_targets)
