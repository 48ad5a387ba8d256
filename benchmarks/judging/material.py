"""What compositions are made of: cut events, and beds by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from judging.composing import LEAD_S, Placed, Sound, Truth, bed_of, in_turn, mix
from judging.sounds import rumbles, single_shots
from judging.sources import BEDS, Clip, Waveform, background_clips, read_waveform

__all__ = ["FOREST_BEDS", "Material", "rng_of"]

FOREST_BEDS = ("Borneo", "Sulawesi", "spruce", "rain")
"""Beds that most sets use."""


@dataclass(frozen=True)
class Material:
    """Events and beds of the shared recordings."""

    clips: Sequence[Clip]

    @cached_property
    def rumbles(self) -> list[Sound]:
        """Rumbles that are cut by their tables."""
        return rumbles(self.clips)

    @cached_property
    def shots(self) -> list[Sound]:
        """Single gunshots that are cut by their tables."""
        return single_shots(self.clips)

    def bed(self, name: str, seconds: float, rng: np.random.Generator) -> Waveform:
        """A bed of `BEDS` of some length."""
        clips = background_clips(self.clips, BEDS[name])
        return bed_of([read_waveform(clip.path) for clip in clips], seconds, rng)

    def recording(
        self,
        bed: str,
        sounds: Sequence[tuple[Sound, float, str]],
        rng: np.random.Generator,
        pause_s: tuple[float, float] = (8.0, 16.0),
    ) -> tuple[Waveform, list[Truth]]:
        """Set sounds of given levels and rows into a bed, one after the other."""
        return self.placed(bed, in_turn(sounds, rng, pause_s), rng)

    def placed(
        self, bed: str, placed: Sequence[Placed], rng: np.random.Generator
    ) -> tuple[Waveform, list[Truth]]:
        """Set sounds at given times into a bed, which ends some seconds after the last."""
        seconds = max(each.end_s for each in placed) + LEAD_S
        return mix(self.bed(bed, seconds, rng), placed)


def rng_of(*seed: int) -> np.random.Generator:
    """A random generator for one recording of a set."""
    return np.random.default_rng(seed)
