"""Sets by level, and by what a recorder and its surroundings do to the same sounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from judging.changes import Change, clicks, clipped, gain_controlled, hum, wind, zeros
from judging.composing import Sound
from judging.material import FOREST_BEDS, Material, rng_of
from judging.sets import Composed
from judging.sources import RATE

__all__ = [
    "CLIPPING",
    "CONDITIONS",
    "KINDS",
    "LEVELS_DB",
    "NO_CONDITION",
    "SILENCED",
    "conditions",
    "levels",
    "quiet",
]

LEVELS_DB = tuple(range(-9, 27, 3))
NO_CONDITION, SILENCED = "none", "1 s of zeros every 30 s"
RUMBLE_DB, SHOT_DB = (3.0, 15.0), (6.0, 24.0)
KINDS = (
    ("calls of 1 s and more", "Rumble"),
    ("calls under 1 s", "Rumble"),
    ("shots in forest", "Gunshot"),
    ("shots at close range", "Gunshot"),
)
"""Kinds of events, and their labels."""
QUIET_S = 900.0
TAKES = 2
"""How often each sound comes in each bed."""

CONDITIONS: Mapping[str, Change] = {
    NO_CONDITION: np.copy,
    "wind noise, +10 dB": partial(wind, level_db=10.0, seed=1),
    "hum of 50 Hz, +10 dB": partial(hum, mains_hz=50.0, level_db=10.0, seed=2),
    "hum of 60 Hz, +10 dB": partial(hum, mains_hz=60.0, level_db=10.0, seed=3),
    "gain control": gain_controlled,
    SILENCED: zeros,
    "a click every 2 s": clicks,
}
"""Changes of the recording."""
CLIPPING: Mapping[str, float] = {"clipped x4": 4.0, "clipped x16": 16.0, "clipped x64": 64.0}
"""Changes of the sounds before they are set in: their peaks in multiples of full scale."""


def levels(material: Material) -> Iterator[Composed]:
    """Each rumble and each shot at each level, in each bed."""
    for label, sounds in (("Rumble", material.rumbles), ("Gunshot", material.shots)):
        for k, bed in enumerate(FOREST_BEDS):
            rng = rng_of(101, len(label), k)
            all_of_them = [
                (sound, float(level_db), f"{kind_of(sound)}, {level_db} dB")
                for level_db in LEVELS_DB
                for sound in sounds
            ]
            order = [all_of_them[j] for j in rng.permutation(len(all_of_them))]
            waveform, truths = material.recording(bed, order, rng)
            yield Composed(f"{label}-{bed}", label, waveform, truths)


def kind_of(sound: Sound) -> str:
    """Kind of a cut event: how long a rumble is, and where a gunshot is from."""
    if sound.label == "Rumble":
        return "calls of 1 s and more" if len(sound.waveform) >= RATE else "calls under 1 s"
    return "shots in forest" if sound.source.startswith("belize") else "shots at close range"


def quiet(material: Material) -> Iterator[Composed]:
    """Beds without events under each condition, for false positives."""
    for k, bed in enumerate(FOREST_BEDS):
        waveform = material.bed(bed, QUIET_S, rng_of(104, k))
        for name, change in CONDITIONS.items():
            yield Composed(f"{name}-{bed}", name, change(waveform), [])


def conditions(material: Material) -> Iterator[Composed]:
    """The same sounds at the same times and levels under each condition."""
    for k, bed in enumerate(FOREST_BEDS):
        for name, change in CONDITIONS.items():
            waveform, truths = material.recording(bed, _drawn(material, k), rng_of(103, k))
            yield Composed(f"{name}-{bed}", name, change(waveform), truths)
        for name, factor in CLIPPING.items():
            sounds = [(_clipped(s, factor), db, row) for s, db, row in _drawn(material, k)]
            yield Composed(f"{name}-{bed}", name, *material.recording(bed, sounds, rng_of(103, k)))


def _drawn(material: Material, bed: int) -> Sequence[tuple[Sound, float, str]]:
    """Rumbles and shots in random order, at random levels."""
    rng = rng_of(102, bed)
    sounds = TAKES * [
        *((sound, RUMBLE_DB) for sound in material.rumbles),
        *((sound, SHOT_DB) for sound in material.shots),
    ]
    order = [sounds[j] for j in rng.permutation(len(sounds))]
    return [(sound, float(rng.uniform(*range_db)), "") for sound, range_db in order]


def _clipped(sound: Sound, factor: float) -> Sound:
    return replace(sound, waveform=clipped(sound.waveform, factor))
