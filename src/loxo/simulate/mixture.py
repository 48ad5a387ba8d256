"""A scene in the making: background noise to which sounds are added, each with its event.

The level of a sound is its **signal-to-noise ratio** (SNR): its mean power relative to that of its
surroundings, both within the band that holds 90 % of the sound's energy, over the time in which the
sound is within `BODY_DB` of its peak.

The extent of an event is what stands out of the noise. Fainter sounds get a shorter event, as
people mark them. An event below `MARGINAL_DB` is marginal, as annotators say of calls that they can
hardly see.

Sounds lie anywhere, also across the ends of the scene. An event that has lost more than half of its
extent there is marginal, and so is a gunshot that has lost its onset. A burst of gunshots is one
event with the number of its shots; the parts of that event are the times in which shots are heard.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from loxo.events import Event, Interval
from loxo.simulate.excerpts import (
    draw_excerpt,
    extent,
    extents,
    fade_to_length,
    fit_to_noise,
)
from loxo.simulate.gunshots import Fire
from loxo.simulate.signals import Array, Rng
from loxo.timeline import samples_at, seconds_at

__all__ = ["Kind", "Mixture"]

MARGINAL_DB = {"Rumble": 0.0, "Gunshot": 2.0}
"""SNR below which an event is marginal."""
OTHER_MARGINAL_DB = 3.0
DROP_DB = {"Rumble": (7.0, 14.0), "Gunshot": (8.0, 24.0)}
"""How far below its peak a sound is still within its event: for the faintest and the loudest."""
OTHER_DROP_DB = (10.0, 20.0)
BODY_DB = 20.0
"""How far below its peak a sound still counts for its signal-to-noise ratio."""
PEAK_DB = 6.0
"""Typical peak of a sound above its mean power."""
PAUSE_S = 0.2
"""Shortest pause between two parts of a burst."""
EXCERPT_SHARE = 0.2
"""Share of sounds that are cut at both ends, as by recorders that a level triggers, and in
recordings that were composed of others."""


class Kind(NamedTuple):
    """A kind of sound as a scene uses it.

    Args:
        label: label of its events.
        make: makes one sound, or shots with their number.
        snr_db: range of the signal-to-noise ratio.
        labelled: its events are truth for a model. Other sounds are listed, but never marginal.
    """

    label: str
    make: Callable[[Rng, int], Array | Fire]
    snr_db: tuple[float, float]
    labelled: bool


class Mixture:
    """Background noise to which sounds are added.

    Args:
        noise: background `(sample,)`.
        rate: samples a second.
        margin: number of samples at both ends in which no sound lies; with 0, sounds may lie across
            the ends.
        recordings: real recordings `(sample,)` whose noise excerpts may have.
    """

    def __init__(
        self,
        noise: Array,
        rate: int,
        margin: int = 0,
        recordings: Sequence[NDArray[np.float32]] = (),
    ) -> None:
        self.waveform = noise.copy()
        self.recordings = recordings
        self.rate = rate
        self.margin = margin
        self.events: list[Event] = []

    def add(
        self,
        rng: Rng,
        kind: Kind,
        surroundings: Array,
        *,
        near: Event | None = None,
        start_s: float | None = None,
    ) -> Event | None:
        """Add a sound, and its event if that lies within the scene.

        Args:
            surroundings: waveform `(sample,)` relative to which the level is set.
            near: event during which the sound begins, if there is room.
            start_s: time at which the event begins; anywhere if it is None.

        Returns:
            The event; None if the sound was left out.
        """
        snr_db = rng.uniform(*kind.snr_db)
        sound, shots = self._draw_sound(rng, kind)
        # The mean ratio is `snr_db`, so the peak stands higher above the noise. The event ends
        # where the sound is lost in the noise.
        peak_db = snr_db + PEAK_DB
        drop_db = float(np.clip(peak_db, *DROP_DB.get(kind.label, OTHER_DROP_DB)))
        first, last = extent(sound, self.rate, drop_db)
        if start_s is None:
            offset = self._draw_offset(rng, len(sound), near)
        else:
            offset = samples_at(start_s, self.rate) - first
            if self.margin and not self._fits(offset, len(sound)):
                return None
        start, stop = self._clip(offset + first), self._clip(offset + last)
        # Only a faint end of the sound would lie in the scene, audible but without an event. The
        # sound is left out.
        if start == stop:
            return None
        low_hz, high_hz, gain = self._fit(sound, offset, surroundings, snr_db)
        inside = slice(self._clip(offset), self._clip(offset + len(sound)))
        self.waveform[inside] += gain * sound[inside.start - offset : inside.stop - offset]
        # A gunshot is recognised by its onset, other sounds by their course.
        if kind.label == "Gunshot":
            cut = start > offset + first
        else:
            cut = 2 * (stop - start) < last - first
        faint = snr_db < MARGINAL_DB.get(kind.label, OTHER_MARGINAL_DB)
        whole = (start, stop) == (offset + first, offset + last)
        event = Event(
            kind.label,
            seconds_at(start, self.rate),
            seconds_at(stop, self.rate),
            low_hz,
            high_hz,
            marginal=kind.labelled and (cut or faint),
            shots=shots if whole else None,
            snr_db=round(snr_db, 1),
            parts=self._parts(sound, offset, drop_db) if (shots or 1) > 1 else (),
        )
        self.events.append(event)
        return event

    def _draw_sound(self, rng: Rng, kind: Kind) -> tuple[Array, int | None]:
        """Draw a sound `(sample,)`, or an excerpt of one, that fits between the margins.

        Returns:
            The sound, and the number of its shots if it consists of shots.
        """
        made = kind.make(rng, self.rate)
        sound, shots = made if isinstance(made, Fire) else (made, None)
        if rng.random() < EXCERPT_SHARE and (shots or 1) == 1:
            shot = kind.label == "Gunshot"
            sound = draw_excerpt(rng, sound, self.rate, shot=shot, recordings=self.recordings)
        longest = len(self.waveform) - 2 * self.margin
        # Without a margin, sounds are cut by the ends of the scene, however long they are.
        if self.margin and len(sound) > longest:
            sound, shots = fade_to_length(sound, longest, self.rate), None
        return sound, shots

    def _draw_offset(self, rng: Rng, sound_n: int, near: Event | None) -> int:
        """Draw the first sample of a sound; negative if it starts before the scene."""
        offset = draw_start(rng, len(self.waveform), sound_n, self.margin)
        if near is None:
            return offset
        reply = samples_at(rng.uniform(near.start_s, near.end_s), self.rate)
        return reply if self._fits(reply, sound_n) else offset

    def _fits(self, offset: int, sound_n: int) -> bool:
        """Whether a sound lies between the margins."""
        return self.margin <= offset and offset + sound_n <= len(self.waveform) - self.margin

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

    def _parts(self, sound: Array, offset: int, drop_db: float) -> tuple[Interval, ...]:
        """Times of the scene in which a sound is heard."""
        heard = extents(sound, self.rate, drop_db, PAUSE_S)
        inside = [(self._clip(offset + first), self._clip(offset + last)) for first, last in heard]
        return tuple(
            (seconds_at(start, self.rate), seconds_at(stop, self.rate))
            for start, stop in inside
            if start < stop
        )

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
