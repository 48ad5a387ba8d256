"""What a recorder or its surroundings do to a recording, as functions of a waveform at `RATE`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.signal import butter, sosfilt

from judging.composing import band_power, noise
from judging.sources import RATE, Waveform
from loxo.timeline import samples_at, seconds_at, times_s

__all__ = [
    "ZEROS_EVERY_S",
    "ZEROS_FROM_S",
    "ZEROS_S",
    "Change",
    "clicks",
    "clipped",
    "dry",
    "gain_controlled",
    "high_passed",
    "hum",
    "wind",
    "zeros",
]

ZEROS_FROM_S, ZEROS_EVERY_S, ZEROS_S = 20.0, 30.0, 1.0
CLICKS_EVERY_S = 2.0
HUM_BAND_HZ = (25.0, 200.0)
WIND_BAND_HZ = (5.0, 100.0)


def hum(recording: Waveform, mains_hz: float, level_db: float, seed: int) -> Waveform:
    """Add mains hum with twenty harmonics, at a level relative to the recording in 25-200 Hz.

    The level of the recording is the median over seconds, so that its events do not count.
    """
    rng = np.random.default_rng(seed)
    time_s = times_s(len(recording), RATE)
    lines = np.zeros(len(recording))
    for order in range(1, 21):
        # Harmonics fall by 6 dB per octave, and each strays from that by some decibels.
        amplitude = 10 ** (rng.normal(0, 4) / 20) / order
        lines += amplitude * np.sin(
            2 * np.pi * order * mains_hz * time_s + rng.uniform(0, 2 * np.pi)
        )
    under = _usual_power(recording, HUM_BAND_HZ)
    over = band_power(lines[:RATE], HUM_BAND_HZ)
    return np.asarray(recording + lines * np.sqrt(under / over * 10 ** (level_db / 10)))


def wind(recording: Waveform, level_db: float, seed: int) -> Waveform:
    """Add wind noise, which falls by 9 dB per octave, at a level in 5-100 Hz."""
    rng = np.random.default_rng(seed)
    gusts = noise(seconds_at(len(recording), RATE), rng, 9.0, 10.0)[: len(recording)]
    gusts = np.pad(gusts, (0, len(recording) - len(gusts)))
    under = _usual_power(recording, WIND_BAND_HZ)
    # The mean of the gusts, not the median: low noise varies from second to second.
    over = float(np.mean(_powers(gusts, WIND_BAND_HZ)))
    return np.asarray(recording + gusts * np.sqrt(under / over * 10 ** (level_db / 10)))


def _usual_power(recording: Waveform, band_hz: tuple[float, float]) -> float:
    """Median over seconds of the power in a band."""
    return float(np.median(_powers(recording, band_hz)))


def _powers(recording: Waveform, band_hz: tuple[float, float]) -> list[float]:
    """Power in a band in each second."""
    window = np.hanning(RATE) * np.sqrt(8 / 3)
    starts = range(0, len(recording) - RATE + 1, RATE)
    return [band_power(recording[k : k + RATE] * window, band_hz) for k in starts]


def zeros(recording: Waveform) -> Waveform:
    """Set a second of every thirty to zero, as a card that is too slow does."""
    silenced = recording.copy()
    for start in range(
        samples_at(ZEROS_FROM_S, RATE), len(silenced), samples_at(ZEROS_EVERY_S, RATE)
    ):
        silenced[start : start + samples_at(ZEROS_S, RATE)] = 0.0
    return silenced


def clicks(recording: Waveform, level_db: float = 30.0) -> Waveform:
    """Add a click of a millisecond every two seconds, at a peak relative to the usual level."""
    clicking = recording.copy()
    peak = np.median(np.abs(recording)) / 0.6745 * 10 ** (level_db / 20)
    shape = peak * np.exp(-times_s(RATE // 500, RATE) / 0.0003) * (-1.0) ** np.arange(RATE // 500)
    for start in range(RATE, len(clicking) - len(shape), samples_at(CLICKS_EVERY_S, RATE)):
        clicking[start : start + len(shape)] += shape
    return np.clip(clicking, -1, 1)


def gain_controlled(recording: Waveform, limit_db: float = 6.0) -> Waveform:
    """Turn loud sounds down at once, and recover by 6 dB a second.

    Args:
        limit_db: highest level over 10 ms, relative to the usual one.
    """
    size = RATE // 100
    count = -(-len(recording) // size)
    cells = np.pad(recording, (0, count * size - len(recording))).reshape(count, size)
    level_db = 10 * np.log10((cells**2).mean(axis=1) + 1e-14)
    over_db = np.maximum(0.0, level_db - np.median(level_db) - limit_db)
    # Each loud cell holds the gain down along a line that rises by the recovery.
    recovered_db = 6.0 * 0.01 * np.arange(count)
    held_db = np.maximum.accumulate(over_db + recovered_db) - recovered_db
    return np.asarray((cells * 10 ** (-held_db[:, None] / 20)).ravel()[: len(recording)])


# ---- changes of single sounds


def clipped(sound: Waveform, factor: float) -> Waveform:
    """Clip a sound whose peak is `factor` times the full scale."""
    limit = np.abs(sound).max() / factor
    return np.clip(sound, -limit, limit)


def high_passed(sound: Waveform, corner_hz: float) -> Waveform:
    """Take away what lies below a frequency, by 36 dB per octave."""
    return np.asarray(sosfilt(butter(6, corner_hz, "highpass", fs=RATE, output="sos"), sound))


def dry(sound: Waveform, thump_hz: float, thump_db: float | None) -> Waveform:
    """Let a shot fade by 20 dB more within a tenth of a second, and add the thump of a close one.

    Args:
        thump_hz: frequency of the thump.
        thump_db: energy of the thump relative to that of the rest; None for no thump.
    """
    time_s = times_s(min(len(sound), samples_at(0.3, RATE)), RATE)
    onset = int(np.argmax(np.abs(sound[: len(time_s)])))
    short = sound[: len(time_s)] * np.minimum(1.0, 10 ** (-(time_s - time_s[onset]) / 0.1))
    if thump_db is None:
        return np.asarray(short)
    thump = np.zeros(len(time_s))
    after_s = time_s[: len(time_s) - onset]
    thump[onset:] = np.sin(2 * np.pi * thump_hz * after_s) * np.exp(-after_s / 0.02)
    gain = np.sqrt((short**2).sum() / (thump**2).sum() * 10 ** (thump_db / 10))
    return np.asarray(short + gain * thump)


Change = Callable[[Waveform], Waveform]
"""A change of a waveform `(sample,)`."""
