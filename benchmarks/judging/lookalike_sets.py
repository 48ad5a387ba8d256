"""Sets of look-alikes, without events: real ones by class, and simulated ones by kind.

The real ones may be in the training data of the model, since their terms allow that. They show what
a model has learned to leave alone, not what it will meet.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np

from judging.composing import LEAD_S, OTHER, Placed, Sound, Truth, faded, in_turn, mix, noise
from judging.material import Material, rng_of
from judging.sets import Composed
from judging.sources import CLASSES, RATE, Clip, Waveform, background_clips, read_waveform
from loxo.simulate import LOOKALIKES
from loxo.timeline import samples_at

__all__ = ["PAUSE_S", "real_classes", "simulated_kinds"]

LONGEST_S = 40.0
LEVELS_DB = (10.0, 20.0, 30.0)
PAUSE_S = 5.0
SOUNDS, SOUND_DB = 30, (0.0, 30.0)
FADE_S = 0.3


def real_classes(material: Material) -> Iterator[Composed]:
    """The backgrounds of each class over even noise, at three levels, with pauses of 5 s."""
    for name, prefixes in CLASSES.items():
        rng = rng_of(401, _number(name))
        clips = list(background_clips(material.clips, prefixes))
        sounds = [(_cut(clip, rng), level_db, name) for level_db in LEVELS_DB for clip in clips]
        yield Composed(name, name, *_over_noise(sounds, rng))


def simulated_kinds(_material: Material) -> Iterator[Composed]:
    """Thirty sounds of each kind of the simulator over noise."""
    for name, kind in LOOKALIKES.items():
        rng = rng_of(402, _number(name))
        sounds = []
        for number in range(SOUNDS):
            waveform = kind.make(rng, RATE)[: samples_at(LONGEST_S, RATE)]
            sound = Sound(OTHER, faded(waveform, 0.002, FADE_S), f"{name} {number}")
            sounds.append((sound, float(rng.uniform(*SOUND_DB)), name))
        yield Composed(name, name, *_over_noise(sounds, rng))


def _cut(clip: Clip, rng: np.random.Generator) -> Sound:
    """A clip, or a part of a long one."""
    waveform = read_waveform(clip.path)
    n = min(len(waveform), samples_at(LONGEST_S, RATE))
    start = int(rng.integers(len(waveform) - n + 1))
    # Slow fades for backgrounds; drums keep their onsets.
    fade_s = FADE_S if clip.seconds > 4 else 0.0
    return Sound(OTHER, faded(waveform[start : start + n], fade_s, FADE_S), clip.file)


def _over_noise(
    sounds: list[tuple[Sound, float, str]], rng: np.random.Generator
) -> tuple[Waveform, list[Truth]]:
    placed = in_turn(sounds, rng, (PAUSE_S, PAUSE_S))
    return mix(_bed(placed, rng), placed)


def _bed(placed: list[Placed], rng: np.random.Generator) -> Waveform:
    """Even noise whose spectrum falls, as that of a quiet forest."""
    return noise(placed[-1].end_s + LEAD_S, rng, float(rng.uniform(3, 6)), 20.0)


def _number(name: str) -> int:
    """A number that stays when classes are added."""
    return zlib.crc32(name.encode())
