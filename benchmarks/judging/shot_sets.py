"""Sets of gunshots: bursts, shots in a row, and recorders and guns of other kinds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from judging.changes import Change, dry, high_passed, wind
from judging.composing import Placed, Sound
from judging.material import Material, rng_of
from judging.sets import Composed
from judging.sounds import burst, simulated_shot

__all__ = ["FIRE", "THREE", "Fire", "bursts", "kinds", "threes"]

THREE = 3


@dataclass(frozen=True)
class Fire:
    """A kind of fire: number of rounds, rounds a second, how uneven, and the error of a count.

    Args:
        irregularity: standard deviation of the times between rounds, as a share of their mean.
        tolerance: greatest error of a right count, as a share of the rounds.
    """

    rounds: int
    per_second: float
    irregularity: float
    tolerance: float

    @property
    def name(self) -> str:
        """The row of this kind."""
        return f"{self.rounds} rounds at {self.per_second:g}/s"


FIRE = (Fire(30, 10, 0.05, 0.3), Fire(20, 5, 0.15, 0.2), Fire(10, 3, 0.25, 0.2))
SINGLE = "single shots of the same"
BURST_DB = (12.0, 24.0)
BURST_BEDS = ("Borneo", "rain")
THREE_DB, DRY_DB = 18.0, 18.0
KIND_DB = (12.0, 24.0)
KIND_BEDS = ("Borneo", "Sulawesi", "rain")
RECORDER_HZ = 300.0
NO_LOWS = "nothing below 300 Hz"
DRY = {"tail under .1 s": None, "tail under .1 s, thump of 40-80 Hz": 0.0}
"""Energy of the thump of a dry shot relative to the rest, in dB, by row; None without a thump."""
WIND_DB = 10.0


def bursts(material: Material) -> Iterator[Composed]:
    """Bursts of real shots and of simulated ones, and each shot alone."""
    numbers = range(len(material.shots))
    simulated = [simulated_shot(rng_of(302, k), f"simulated shot {k}") for k in numbers]
    for name, shots in (("real", material.shots), ("simulated", simulated)):
        for k, bed in enumerate(BURST_BEDS):
            rng = rng_of(301, len(name), k)
            sounds = [
                (sound, level_db, f"{name}: {row}")
                for shot in shots
                for row, sound in _fired(shot, rng)
                for level_db in BURST_DB
            ]
            order = [sounds[j] for j in rng.permutation(len(sounds))]
            yield Composed(f"{name}-{bed}", name, *material.recording(bed, order, rng))


def _fired(shot: Sound, rng: np.random.Generator) -> Iterator[tuple[str, Sound]]:
    yield SINGLE, shot
    for fire in FIRE:
        yield fire.name, burst(shot, fire.rounds, fire.per_second, fire.irregularity, rng)


def threes(material: Material) -> Iterator[Composed]:
    """Three shots of one gun, a second apart."""
    for k, bed in enumerate(KIND_BEDS):
        rng = rng_of(303, k)
        placed: list[Placed] = []
        time_s = 15.0
        for number, j in enumerate(rng.permutation(len(material.shots))):
            for turn in range(THREE):
                start_s = round(time_s + turn, 3)
                placed.append(Placed(material.shots[j], start_s, THREE_DB, f"{bed} {number}"))
            time_s = placed[-1].end_s + rng.uniform(8, 16)
        yield Composed(f"threes-{bed}", "threes", *material.placed(bed, placed, rng))


def kinds(material: Material) -> Iterator[Composed]:
    """Dry shots, and shots without low frequencies; of those, the same with wind noise."""
    for k, bed in enumerate(KIND_BEDS):
        rng = rng_of(304, k)
        plain = [
            _changed(shot, partial(high_passed, corner_hz=RECORDER_HZ)) for shot in material.shots
        ]
        sounds = [(shot, db, f"{NO_LOWS}, {db:.0f} dB") for shot in plain for db in KIND_DB]
        order = [sounds[j] for j in rng.permutation(len(sounds))]
        waveform, truths = material.recording(bed, order, rng)
        yield Composed(f"plain-{bed}", NO_LOWS, waveform, truths)
        windy = [replace(truth, row=f"{truth.row}, wind noise added") for truth in truths]
        yield Composed(f"windy-{bed}", NO_LOWS, wind(waveform, WIND_DB, k), windy)
        yield Composed(f"dry-{bed}", "dry", *material.recording(bed, _dried(material, rng), rng))


def _dried(material: Material, rng: np.random.Generator) -> list[tuple[Sound, float, str]]:
    """Each shot without its tail, the same with a thump, and simulated ones."""
    sounds = []
    for j in rng.permutation(len(material.shots)).tolist():
        thump_hz = float(rng.uniform(40, 80))
        for row, level_db in DRY.items():
            change = partial(dry, thump_hz=thump_hz, thump_db=level_db)
            sounds.append((_changed(material.shots[j], change), DRY_DB, row))
        shot = simulated_shot(rng_of(305, j), f"simulated dry shot {j}", dry=True)
        sounds.append((shot, DRY_DB, "simulated, dry"))
    return sounds


def _changed(shot: Sound, change: Change) -> Sound:
    return replace(shot, waveform=change(shot.waveform))
