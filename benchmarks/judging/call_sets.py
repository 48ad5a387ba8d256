"""Sets of rumbles: short recordings, dense calling, pairs, and far calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from judging.composing import LEAD_S, Placed, Sound, mix
from judging.material import FOREST_BEDS, Material, rng_of
from judging.sets import Composed
from judging.sounds import far_line, simulated_call
from judging.sources import RATE
from loxo.timeline import samples_at, seconds_at

__all__ = [
    "ALONE",
    "AMONG",
    "FAR_DB",
    "PAIRS",
    "PAUSES_S",
    "far_calls",
    "lengths",
    "pairs",
    "rates",
]

ALONE, AMONG = "clips of 7-14 s", "the same between 30 s of like noise"
CLIP_S, AROUND_S = (7.0, 14.0), 30.0
PAUSES_S = {"a call every 20 s": 20.0, "every 5 s": 5.0, "every second": 1.0}
"""Mean pauses between calls, by row."""
CALL_DB, PAIR_DB = 3.0, 12.0
PAIRS = {
    "two with .3 s between them": 0.3,
    "two with 1 s between them": 1.0,
    "two that overlap": None,
    "simulated, .3 s between them": 0.3,
    "simulated, overlapping": None,
}
"""Silence between the two calls of a pair, by row; None where the second begins half-way."""
LONG_S = 0.9
"""Shortest call of a pair."""
FAR_DB = (-3.0, 0.0, 3.0)


def lengths(material: Material) -> Iterator[Composed]:
    """Rumbles in short recordings of their own, and in the same with noise before and after."""
    for k, bed in enumerate(FOREST_BEDS):
        for j, sound in enumerate(material.rumbles):
            rng = rng_of(201, k, j)
            clip_s, call_s = rng.uniform(*CLIP_S), seconds_at(len(sound.waveform), RATE)
            start_s = round(rng.uniform(0.5, clip_s - call_s - 0.5), 3)
            whole = material.bed(bed, 2 * AROUND_S + clip_s, rng)
            level_db = float(rng.uniform(6, 18))
            first = samples_at(AROUND_S, RATE)
            part = whole[first : first + samples_at(clip_s, RATE)]
            alone = mix(part, [Placed(sound, start_s, level_db)])
            among = mix(whole, [Placed(sound, start_s + AROUND_S, level_db)])
            yield Composed(f"alone-{bed}-{j}", ALONE, *alone)
            yield Composed(f"among-{bed}-{j}", AMONG, *among)


def rates(material: Material) -> Iterator[Composed]:
    """Calls in random order with pauses of about 20, 5 and 1 s."""
    for row, pause_s in PAUSES_S.items():
        for k, bed in enumerate(FOREST_BEDS):
            rng = rng_of(202, k)
            order = rng.permutation(3 * len(material.rumbles)) % len(material.rumbles)
            sounds = [(material.rumbles[j], CALL_DB, row) for j in order]
            varied = (0.8 * pause_s, 1.2 * pause_s)
            yield Composed(f"{row}-{bed}", row, *material.recording(bed, sounds, rng, varied))


def pairs(material: Material) -> Iterator[Composed]:
    """Two calls with a short silence between them, and two of which the second begins early."""
    real = [call for call in material.rumbles if len(call.waveform) >= LONG_S * RATE]
    simulated = [simulated_call(rng_of(205, number)) for number in range(20)]
    for number, (name, gap_s) in enumerate(PAIRS.items()):
        calls = simulated if name.startswith("simulated") else real
        for k, bed in enumerate(FOREST_BEDS):
            rng = rng_of(203, k)
            placed = list(_pairs(calls, gap_s, bed, rng))
            yield Composed(f"pairs{number}-{bed}", name, *material.placed(bed, placed, rng))


def _pairs(
    calls: Sequence[Sound], gap_s: float | None, bed: str, rng: np.random.Generator
) -> Iterator[Placed]:
    """Ten pairs one after the other; without a gap, the second begins half-way."""
    time_s = LEAD_S
    for number in range(10):
        first, second = (calls[j] for j in rng.choice(len(calls), 2, replace=False))
        length_s = seconds_at(len(first.waveform), RATE)
        later_s = length_s / 2 if gap_s is None else length_s + gap_s
        row = f"{bed} {number}"
        yield Placed(first, round(time_s, 3), PAIR_DB, row)
        last = Placed(second, round(time_s + later_s, 3), PAIR_DB, row)
        yield last
        time_s = max(time_s + length_s, last.end_s) + rng.uniform(8, 16)


def far_calls(material: Material) -> Iterator[Composed]:
    """Single lines of 24-36 Hz near the level of the bed."""
    for k, bed in enumerate(FOREST_BEDS):
        rng = rng_of(204, k)
        sounds: list[tuple[Sound, float, str]] = []
        for number in range(10):
            line = far_line(rng, f"line {bed} {number}")
            sounds += [(line, level_db, f"{level_db:+.0f} dB") for level_db in FAR_DB]
        order = [sounds[j] for j in np.asarray(rng.permutation(len(sounds)))]
        yield Composed(f"far-{bed}", "far", *material.recording(bed, order, rng))
