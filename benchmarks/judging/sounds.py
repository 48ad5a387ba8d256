"""Sounds for compositions: cut from recordings by their tables, or simulated.

Gunshots of `urbansound8k` come from recordings that hold many shots. A **single shot** ends where
the next one begins. Two of these recordings hold bursts only, and are left out.

What is simulated here is simple, and none of the package's simulator: a model that was trained on
that one would know its own sounds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.signal import butter, sosfilt, sosfiltfilt

from judging.composing import Sound, faded
from judging.sources import RATE, Clip, Waveform, read_waveform, source_of
from loxo.timeline import samples_at, times_s

__all__ = [
    "burst",
    "far_line",
    "rumbles",
    "simulated_call",
    "simulated_shot",
    "single_shots",
    "until_next_onset",
]

BURSTS = ("urbansound8k/46656", "urbansound8k/7061")
"""Recordings of automatic or rapid fire, in which no single shot ends."""
SHORTEST_SHOT_S = 0.35
CELL_S = 0.05
NEXT_RISE_DB = 6.0


def rumbles(clips: Sequence[Clip]) -> list[Sound]:
    """Cut the rumbles at Dzanga by their tables.

    Those of Nouabalé-Ndoki are too faint: the cut would bring its own noise along. What lies above
    600 Hz is insects, and is taken away.
    """
    keep = butter(4, 600.0, "lowpass", fs=RATE, output="sos")
    found = []
    for clip in clips:
        for event in clip.events:
            if clip.group != "dzanga" or event.label != "Rumble":
                continue
            low_passed = np.asarray(sosfiltfilt(keep, read_waveform(clip.path)))
            part = low_passed[samples_at(event.start_s, RATE) : samples_at(event.end_s, RATE)]
            found.append(
                Sound(
                    "Rumble",
                    faded(part, 0.05, 0.05),
                    source_of(clip.file),
                    event.low_hz,
                    event.high_hz,
                )
            )
    return found


def single_shots(clips: Sequence[Clip]) -> list[Sound]:
    """Cut the gunshots by their tables, each up to the next shot in its clip."""
    found = []
    for clip in clips:
        for event in clip.events:
            if clip.role != "gunshot" or source_of(clip.file) in BURSTS:
                continue
            waveform = read_waveform(clip.path)
            start, end = (samples_at(each, RATE) for each in (event.start_s, event.end_s))
            shot = until_next_onset(waveform[start:end])
            if len(shot) >= SHORTEST_SHOT_S * RATE:
                shot = faded(shot, 0.003, 0.15)
                found.append(Sound("Gunshot", shot, source_of(clip.file), shots=1))
    return found


def until_next_onset(shot: Waveform) -> Waveform:
    """Cut a shot where the level rises again by `NEXT_RISE_DB` above the lowest since its peak."""
    size = samples_at(CELL_S, RATE)
    cells = shot[: len(shot) // size * size].reshape(-1, size)
    level_db = 10 * np.log10((cells**2).mean(axis=1) + 1e-12)
    # A tail wavers: a rise counts only if it comes near the level of the shot itself.
    peak = int(np.argmax(level_db[:4]))
    lowest_db = np.minimum.accumulate(level_db[peak:])
    again = (level_db[peak:] > lowest_db + NEXT_RISE_DB) & (level_db[peak:] > level_db[peak] - 15)
    return shot[: (peak + int(np.argmax(again))) * size] if again.any() else shot


def burst(
    shot: Sound, rounds: int, per_second: float, irregularity: float, rng: np.random.Generator
) -> Sound:
    """Repeat a shot, with levels that vary by 2 dB.

    Args:
        irregularity: standard deviation of the times between rounds, as a share of their mean.
    """
    gaps_s = np.maximum(0.02, rng.normal(1, irregularity, rounds - 1)) / per_second
    starts = [0, *(samples_at(float(each), RATE) for each in np.cumsum(gaps_s))]
    total = np.zeros(starts[-1] + len(shot.waveform))
    for start in starts:
        gain = 10 ** (rng.normal(0, 2) / 20)
        total[start : start + len(shot.waveform)] += gain * shot.waveform
    return Sound("Gunshot", total, shot.source, shots=rounds)


def far_line(rng: np.random.Generator, name: str) -> Sound:
    """Make a rumble of which only one line of 24-36 Hz is left: 4-6 s long, slightly arched."""
    n = samples_at(rng.uniform(4, 6), RATE)
    position = np.linspace(0, 1, n)
    pitch_hz = rng.uniform(25, 35) + rng.uniform(0.3, 1.0) * (np.sin(np.pi * position) - 1)
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE + rng.uniform(0, 2 * np.pi)
    wavering = 1 + 0.3 * np.sin(2 * np.pi * rng.uniform(0.3, 1) * times_s(n, RATE))
    line = faded(np.sin(phase) * wavering, 0.6, 0.8)
    low_hz, high_hz = float(pitch_hz.min()) - 1.5, float(pitch_hz.max()) + 1.5
    return Sound("Rumble", line, name, low_hz, high_hz)


def simulated_call(rng: np.random.Generator) -> Sound:
    """Make an arched rumble of twelve harmonics of 12-22 Hz, with ends 20 dB below its peak."""
    n = samples_at(rng.uniform(2.5, 5), RATE)
    position = np.linspace(0, 1, n)
    pitch_hz = rng.uniform(12, 22) * (1 + rng.uniform(0.05, 0.2) * np.sin(np.pi * position))
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE
    call = np.zeros(n)
    for order in range(1, 13):
        level_db = rng.normal(0, 4) - 1.5 * order
        call += 10 ** (level_db / 20) * np.sin(order * phase + rng.uniform(0, 2 * np.pi))
    # It rises by 20 dB in the first third, and falls by as much in the last.
    edge = np.clip(3 * np.minimum(position, 1 - position), 0, 1)
    call = faded(call * 10 ** (edge - 1), 0.05, 0.05)
    return Sound("Rumble", call, f"simulated {rng.integers(10**9)}")


def simulated_shot(rng: np.random.Generator, name: str, *, dry: bool = False) -> Sound:
    """Make a single shot: a blast of .3-3 ms, and noise that fades.

    The blast is a Friedlander wave. The noise falls by 60 dB in 0.8-2 s, as in a forest, where
    what lies above 0.5-2 kHz is lost on the way.

    Args:
        dry: fired in the open near by: the noise falls by 60 dB in 0.05-0.2 s.
    """
    time_s = times_s(samples_at(0.4 if dry else 1.5, RATE), RATE)
    t60_s = rng.uniform(0.05, 0.2) if dry else rng.uniform(0.8, 2.0)
    tail = rng.standard_normal(len(time_s)) * 10 ** (-3 * time_s / t60_s)
    positive_s = np.exp(rng.uniform(np.log(0.0003), np.log(0.003)))
    blast = (1 - time_s / positive_s) * np.exp(-time_s / positive_s)
    # The blast has up to ten times the energy of the tail near by, and up to the same far away.
    share = rng.uniform(1, 10) if dry else rng.uniform(0.1, 1)
    shot = tail + blast * np.sqrt(share * (tail**2).sum() / (blast**2).sum())
    top_hz = rng.uniform(2000, 3500) if dry else rng.uniform(500, 2000)
    passed = sosfilt(butter(2, (60.0, top_hz), "bandpass", fs=RATE, output="sos"), shot)
    return Sound("Gunshot", faded(np.asarray(passed), 0.0, 0.1), name, shots=1)
