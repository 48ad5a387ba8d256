"""A scene in the making: background noise to which sounds are added, each with its event.

The level of a sound is its **signal-to-noise ratio** (SNR): its mean power relative to that of its
surroundings, both within the band that holds 90 % of the sound's energy, over the time in which the
sound is within `BODY_DB` of its peak.

The extent of an event is what stands out of the noise. Fainter sounds get a shorter event, as
people mark them. An event below `MARGINAL_DB` is marginal, as annotators say of calls that they can
hardly see.

Sounds lie anywhere, also across the ends of the scene. An event that has lost more than half of its
extent there is marginal, and so is a gunshot that has lost its onset.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from loxo.events import Event
from loxo.simulate.excerpts import draw_excerpt, extent, fade_to_length, fit_to_noise
from loxo.simulate.signals import Array, Maker, Rng
from loxo.timeline import samples_at, seconds_at

__all__ = ["Kind", "Mixture"]

MARGINAL_DB = {"Rumble": 3.0, "Gunshot": 4.0}
"""SNR below which an event is marginal."""
OTHER_MARGINAL_DB = 3.0
DROP_DB = {"Rumble": (7.0, 14.0), "Gunshot": (8.0, 24.0)}
"""How far below its peak a sound is still within its event: for the faintest and the loudest."""
OTHER_DROP_DB = (10.0, 20.0)
BODY_DB = 20.0
"""How far below its peak a sound still counts for its signal-to-noise ratio."""
PEAK_DB = 6.0
"""Typical peak of a sound above its mean power."""
EXCERPT_SHARE = 0.2
"""Share of sounds that are cut at both ends, as by recorders that a level triggers, and in
recordings that were composed of others."""


class Kind(NamedTuple):
    """A kind of sound as a scene uses it.

    Args:
        label: label of its events.
        make: makes one sound.
        snr_db: range of the signal-to-noise ratio.
        labelled: its events are truth for a model. Other sounds are listed, but never marginal.
    """

    label: str
    make: Maker
    snr_db: tuple[float, float]
    labelled: bool


class Mixture:
    """Background noise to which sounds are added.

    Args:
        noise: background `(sample,)`.
        rate: samples a second.
        margin: number of samples at both ends in which no sound lies; with 0, sounds may lie across
            the ends.
    """

    def __init__(self, noise: Array, rate: int, margin: int = 0) -> None:
        self.waveform = noise.copy()
        self.rate = rate
        self.margin = margin
        self.events: list[Event] = []

    def add(self, rng: Rng, kind: Kind, surroundings: Array, near: Event | None = None) -> None:
        """Add a sound, and its event if that lies within the scene.

        Args:
            surroundings: waveform `(sample,)` relative to which the level is set.
            near: event during which the sound begins, if there is room.
        """
        snr_db = rng.uniform(*kind.snr_db)
        sound = self._draw_sound(rng, kind)
        offset = self._draw_offset(rng, len(sound), near)
        # The mean ratio is `snr_db`, so the peak stands higher above the noise. The event ends
        # where the sound is lost in the noise.
        drop_db = float(np.clip(snr_db + PEAK_DB, *DROP_DB.get(kind.label, OTHER_DROP_DB)))
        first, last = extent(sound, self.rate, drop_db)
        start, stop = self._clip(offset + first), self._clip(offset + last)
        # Only a faint end of the sound would lie in the scene, audible but without an event. The
        # sound is left out.
        if start == stop:
            return
        low_hz, high_hz, gain = self._fit(sound, offset, surroundings, snr_db)
        inside = slice(self._clip(offset), self._clip(offset + len(sound)))
        self.waveform[inside] += gain * sound[inside.start - offset : inside.stop - offset]
        # A gunshot is recognised by its onset, other sounds by their course.
        if kind.label == "Gunshot":
            cut = start > offset + first
        else:
            cut = 2 * (stop - start) < last - first
        faint = snr_db < MARGINAL_DB.get(kind.label, OTHER_MARGINAL_DB)
        self.events.append(
            Event(
                kind.label,
                seconds_at(start, self.rate),
                seconds_at(stop, self.rate),
                low_hz,
                high_hz,
                marginal=kind.labelled and (cut or faint),
                snr_db=round(snr_db, 1),
            )
        )

    def _draw_sound(self, rng: Rng, kind: Kind) -> Array:
        """Draw a sound `(sample,)`, or an excerpt of one, that fits between the margins."""
        sound = kind.make(rng, self.rate)
        if rng.random() < EXCERPT_SHARE:
            sound = draw_excerpt(rng, sound, self.rate, shot=kind.label == "Gunshot")
        # Without a margin, sounds are cut by the ends of the scene, however long they are.
        if self.margin:
            sound = fade_to_length(sound, len(self.waveform) - 2 * self.margin, self.rate)
        return sound

    def _draw_offset(self, rng: Rng, sound_n: int, near: Event | None) -> int:
        """Draw the first sample of a sound; negative if it starts before the scene."""
        offset = draw_start(rng, len(self.waveform), sound_n, self.margin)
        if near is None:
            return offset
        reply = samples_at(rng.uniform(near.start_s, near.end_s), self.rate)
        fits = reply + sound_n <= len(self.waveform) - self.margin
        return reply if fits else offset

    def _fit(
        self, sound: Array, offset: int, surroundings: Array, snr_db: float
    ) -> tuple[float, float, float]:
        """Find the band of a sound in Hz, and the gain for a ratio to its surroundings."""
        first, last = extent(sound, self.rate, BODY_DB)
        n = last - first
        # Of a sound across an end, the noise next to that end is taken.
        start = max(0, min(offset + first, len(surroundings) - n))
        noise = surroundings[start : start + n]
        return fit_to_noise(sound[first:last], noise, self.rate, snr_db)

    def _clip(self, sample: int) -> int:
        """Move a sample that lies outside of the scene to its nearest end."""
        return min(max(sample, 0), len(self.waveform))


def draw_start(rng: Rng, n: int, sound_n: int, margin: int) -> int:
    """Draw the first sample of a sound in a scene of `n` samples.

    With a margin, the sound lies between the margins. Without, at least its last half or its first
    quarter lies in the scene.
    """
    if margin:
        earliest, latest = margin, n - margin - sound_n
    else:
        earliest, latest = -(sound_n // 2), n - sound_n // 4
    return int(rng.integers(earliest, latest + 1))
