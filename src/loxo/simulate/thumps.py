"""Thumps: drumming of chimpanzees, chest beats of gorillas, knocks on the recorder.

- Buttress drumming: 2-14 beats, 0.06-0.45 s apart, 45-500 Hz, after Arcadi et al. 1998.
- Chest beats: 4-15 beats, 8-12 a second, 0.5-2 s, hollow tones of 200-900 Hz, after Wright et al.
  2021.
- Knocks: something touches the housing: a thump of 15-200 Hz or a click, without reverberation.
"""

from __future__ import annotations

import numpy as np

from loxo.acoustics import log_uniform
from loxo.simulate.propagation import propagate
from loxo.simulate.signals import Array, Rng, filtered, low_pass_db
from loxo.timeline import samples_at, times_s

__all__ = ["chest_beats", "drumming", "knock"]


def _beats(
    rng: Rng, rate: int, starts_s: Array, pitch_hz: float, decay_s: float, noise: float
) -> Array:
    """Make decaying tones `(sample,)` at the times given.

    Args:
        starts_s: start of each beat.
        decay_s: time constant of the decay.
        noise: amplitude of the noise in a beat, relative to its tone.
    """
    # The last beat has half a second to fade.
    out = np.zeros(samples_at(starts_s[-1] + 0.5, rate))
    time_s = times_s(samples_at(min(0.5, 8 * decay_s), rate), rate)
    decay = np.exp(-time_s / decay_s)
    for start_s in starts_s:
        # Hands and roots never hit twice alike: pitch and level vary from beat to beat.
        tone = np.sin(2 * np.pi * pitch_hz * rng.uniform(0.95, 1.05) * time_s)
        beat = tone + noise * rng.standard_normal(len(time_s))
        start = samples_at(start_s, rate)
        out[start : start + len(beat)] += (rng.uniform(0.5, 1) * beat * decay)[: len(out) - start]
    return filtered(out, rate, lambda f: low_pass_db(f, 3 * pitch_hz, 9))


def drumming(rng: Rng, rate: int) -> Array:
    """Make the drumming of a chimpanzee on buttress roots: a series of low thumps."""
    starts_s = np.cumsum(log_uniform(rng, 0.06, 0.45) * rng.uniform(0.8, 1.25, rng.integers(2, 14)))
    pitch_hz, decay_s = log_uniform(rng, 45, 500), rng.uniform(0.02, 0.09)
    beats = _beats(rng, rate, starts_s - starts_s[0], pitch_hz, decay_s, 0.5)
    return _received(rng, beats, rate)


def chest_beats(rng: Rng, rate: int) -> Array:
    """Make a gorilla's chest beats: fast, hollow and regular."""
    starts_s = np.cumsum(rng.uniform(0.08, 0.125) * rng.uniform(0.9, 1.1, rng.integers(4, 16)))
    pitch_hz, decay_s = log_uniform(rng, 200, 900), rng.uniform(0.01, 0.03)
    beats = _beats(rng, rate, starts_s - starts_s[0], pitch_hz, decay_s, rng.uniform(0.1, 0.5))
    return _received(rng, beats, rate)


def _received(rng: Rng, beats: Array, rate: int) -> Array:
    """Propagate beats over 50 m to 1.5 km."""
    distance_km = log_uniform(rng, 0.05, 1.5)
    return propagate(rng, beats, rate, distance_km, echo_db=rng.uniform(-20, -2))


def knock(rng: Rng, rate: int) -> Array:
    """Make one or a few touches of the recorder: a thump, and the ringing of the housing."""
    # No propagation: the sound reaches the microphone through the housing.
    parts = []
    for _ in range(1 if rng.random() < 0.6 else rng.integers(2, 5)):
        decay_s = log_uniform(rng, 0.003, 0.08)
        n = samples_at(7 * decay_s + rng.uniform(0.05, 0.3), rate)
        time_s = times_s(n, rate)
        tone = np.sin(2 * np.pi * log_uniform(rng, 15, 400) * time_s)
        thump = tone + rng.uniform(0, 2) * rng.standard_normal(n)
        parts.append(thump * np.exp(-time_s / decay_s))
    return np.concatenate(parts)
