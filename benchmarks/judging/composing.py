"""Sounds set into beds at stated levels.

The level of a sound is a **signal-to-noise ratio**: its mean power over the event, relative to that
of the bed at the same time, both within a band: 25-200 Hz for rumbles, 100-1,500 Hz for gunshots.
Nothing here uses the simulator: the levels stay what they are when the simulator changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import fft

from judging.sources import RATE, Waveform
from loxo.events import Event
from loxo.timeline import samples_at, seconds_at

__all__ = [
    "BANDS_HZ",
    "LEAD_S",
    "OTHER",
    "Placed",
    "Sound",
    "Truth",
    "band_power",
    "bed_of",
    "faded",
    "gain_for",
    "in_turn",
    "mix",
    "noise",
    "scaled",
]

OTHER = "Other"
"""Label of look-alikes."""
BANDS_HZ = {"Rumble": (25.0, 200.0), "Gunshot": (100.0, 1500.0), OTHER: (20.0, 2000.0)}
"""Band in which the level of each label is measured."""
LEAD_S = 15.0
"""Bed before the first sound and after the last."""
LONGEST_FADE_S = 4.0
BED_DB = -42.0
"""Level of a bed, in dB relative to full scale."""
PEAK = 0.9
"""Highest sample of a recording; louder ones are turned down as a whole."""


@dataclass(frozen=True, eq=False)
class Sound:
    """A sound that can be set into a bed.

    Args:
        waveform: `(sample,)` at `RATE`; the whole of it is the event.
        source: the recording that it is from.
        low_hz, high_hz: its band in a table; None where nobody marked it.
        shots: number of rounds.
    """

    label: str
    waveform: Waveform
    source: str
    low_hz: float | None = None
    high_hz: float | None = None
    shots: int | None = None


@dataclass(frozen=True, eq=False)
class Placed:
    """A sound at a time and level, and the row that it counts for."""

    sound: Sound
    start_s: float
    snr_db: float
    row: str = ""

    @property
    def end_s(self) -> float:
        """Where the sound ends."""
        return self.start_s + seconds_at(len(self.sound.waveform), RATE)


@dataclass(frozen=True)
class Truth:
    """An event of a set, the recording that its sound is from, and the row it counts for."""

    event: Event
    source: str
    row: str = ""


# ---- levels


def band_power(waveform: Waveform, band_hz: tuple[float, float]) -> float:
    """Mean power within a band, of a waveform that fades in and out."""
    n = fft.next_fast_len(max(len(waveform), RATE), real=True)
    spectrum = np.abs(fft.rfft(waveform, n)) ** 2
    frequency_hz = fft.rfftfreq(n, 1 / RATE)
    inside = (frequency_hz >= band_hz[0]) & (frequency_hz < band_hz[1])
    return float(2 * spectrum[inside].sum() / n / len(waveform))


def noise_power(bed: Waveform, start: int, stop: int, band_hz: tuple[float, float]) -> float:
    """Mean power of a bed within a band, over an event, or a second around a shorter one."""
    short_by = max(0, RATE - (stop - start))
    first = max(0, min(start - short_by // 2, len(bed) - (stop - start + short_by)))
    part = bed[first : first + max(stop - start, RATE)]
    # A Hann window keeps strong low frequencies from leaking into the band; the factor restores the
    # mean power.
    return band_power(part * np.hanning(len(part)) * np.sqrt(8 / 3), band_hz)


def gain_for(placed: Placed, bed: Waveform) -> float:
    """The factor that gives a sound its level in a bed."""
    band_hz = BANDS_HZ[placed.sound.label]
    start = samples_at(placed.start_s, RATE)
    under = noise_power(bed, start, start + len(placed.sound.waveform), band_hz)
    over = band_power(placed.sound.waveform, band_hz)
    return float(np.sqrt(under / over * 10 ** (placed.snr_db / 10)))


# ---- beds


def faded(waveform: Waveform, in_s: float, out_s: float) -> Waveform:
    """Fade a waveform in and out with quarters of a sine."""
    ramped = waveform.copy()
    for seconds, part in ((in_s, ramped), (out_s, ramped[::-1])):
        n = min(samples_at(seconds, RATE), len(part))
        part[:n] *= np.sin(0.5 * np.pi * (np.arange(n) + 0.5) / max(n, 1))
    return ramped


def scaled(waveform: Waveform, level_db: float = BED_DB) -> Waveform:
    """Scale a waveform to a level in dB relative to full scale."""
    return np.asarray(waveform / (waveform.std() + 1e-12) * 10 ** (level_db / 20))


def bed_of(recordings: Sequence[Waveform], seconds: float, rng: np.random.Generator) -> Waveform:
    """Join recordings to a bed of a length, with cross-fades of up to 4 s.

    All have the same level. They come in random order, as often as needed.
    """
    n = samples_at(seconds, RATE)
    bed = np.zeros(n + samples_at(LONGEST_FADE_S, RATE))
    end = 0
    while end < n:
        for k in rng.permutation(len(recordings)):
            fade_s = min(LONGEST_FADE_S, seconds_at(len(recordings[k]), RATE) / 3)
            start = max(0, end - samples_at(fade_s, RATE))
            piece = faded(scaled(recordings[k]), fade_s if end else 0.0, fade_s)
            piece = piece[: len(bed) - start]
            bed[start : start + len(piece)] += piece
            end = start + len(piece)
            if end >= n:
                break
    return bed[:n]


def noise(seconds: float, rng: np.random.Generator, slope_db: float, low_hz: float) -> Waveform:
    """Draw noise that falls by a slope in dB per octave above a frequency, and is even below."""
    n = samples_at(seconds, RATE)
    padded = fft.next_fast_len(n, real=True)
    octave = np.log2(np.maximum(fft.rfftfreq(padded, 1 / RATE), low_hz) / low_hz)
    spectrum = rng.standard_normal((len(octave), 2)) @ np.array([1, 1j])
    return scaled(fft.irfft(spectrum * 10 ** (-slope_db * octave / 20), padded)[:n])


# ---- compositions


def in_turn(
    sounds: Sequence[tuple[Sound, float, str]],
    rng: np.random.Generator,
    pause_s: tuple[float, float] = (8.0, 16.0),
    lead_s: float = LEAD_S,
) -> list[Placed]:
    """Place sounds of given levels and rows one after the other, with random pauses."""
    placed, time_s = [], lead_s
    for sound, snr_db, row in sounds:
        placed.append(Placed(sound, round(time_s, 3), snr_db, row))
        time_s = placed[-1].end_s + rng.uniform(*pause_s)
    return placed


def mix(bed: Waveform, placed: Sequence[Placed]) -> tuple[Waveform, list[Truth]]:
    """Set sounds into a bed.

    Returns:
        The sum `(sample,)`, turned down as a whole if it is too loud, and the events.
    """
    total = bed.copy()
    for each in placed:
        start = samples_at(each.start_s, RATE)
        room = total[start : start + len(each.sound.waveform)]
        room += gain_for(each, bed) * each.sound.waveform[: len(room)]
    total *= min(1.0, PEAK / np.abs(total).max())
    return total, list(_truths(placed, seconds_at(len(bed), RATE)))


def _truths(placed: Sequence[Placed], seconds: float) -> Iterator[Truth]:
    for each in placed:
        sound = each.sound
        event = Event(sound.label, each.start_s, each.end_s, sound.low_hz, sound.high_hz)
        event = replace(event, end_s=min(each.end_s, seconds), snr_db=each.snr_db)
        yield Truth(replace(event, shots=sound.shots), sound.source, each.row)
