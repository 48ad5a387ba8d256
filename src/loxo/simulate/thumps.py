"""Thumps: drumming of chimpanzees, chest beats, knocks on the recorder, drums, boats, hammers.

- Buttress drumming: 2-14 beats, 0.06-0.45 s apart, 45-500 Hz, after Arcadi et al. 1998.
- Chest beats: 4-15 beats, 8-12 a second, 0.5-2 s, hollow tones of 200-900 Hz, after Wright et al.
  2021.
- Knocks: something touches the housing: a thump of 15-200 Hz or a click, without reverberation.
- Drums: the pitch of a struck membrane falls within tens of milliseconds, since a membrane that is
  stretched by the stroke is higher. Its overtones are not harmonic: 1, 1.59, 2.14, 2.30, 2.65 times
  the lowest (zeros of Bessel functions, after Fletcher and Rossing 1998). Rhythms of 60-180 beats a
  minute.
- Boats: paddles and feet knock on a hollow hull, 80-600 Hz, between slaps of water.
- Hammers and axes: strokes every 0.4-2 s, with an echo; wood rings at 150-1,500 Hz, nails higher.
"""

from __future__ import annotations

import numpy as np

from loxo.acoustics import amplitude_factor, log_uniform
from loxo.simulate.propagation import propagate
from loxo.simulate.signals import (
    Array,
    Rng,
    coloured_noise,
    filtered,
    high_pass_db,
    low_pass_db,
    unit_variance,
)
from loxo.timeline import samples_at, times_s

__all__ = ["boat_knocks", "chest_beats", "drumming", "drums", "hammering", "knock"]

MEMBRANE_RATIOS = (1.0, 1.594, 2.136, 2.296, 2.653)
"""Frequencies of a membrane's modes, relative to the lowest."""


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


def boat_knocks(rng: Rng, rate: int) -> Array:
    """Make hollow knocks in a boat, irregular, with slaps of water."""
    seconds = rng.uniform(1.5, 10)
    out = np.zeros(samples_at(seconds + 0.6, rate))
    time_s = times_s(samples_at(0.5, rate), rate)
    # A hull has a few resonances; each knock excites them in its own way.
    hull_hz = np.sort([log_uniform(rng, 80, 600) for _ in range(4)])
    decays_s = [log_uniform(rng, 0.015, 0.1) for _ in hull_hz]
    modes = [
        np.sin(2 * np.pi * hz * time_s) * np.exp(-time_s / decay_s)
        for hz, decay_s in zip(hull_hz, decays_s, strict=True)
    ]
    knocks_per_s = log_uniform(rng, 0.5, 4)
    for start_s in _scattered_s(rng, seconds, knocks_per_s):
        hollow = sum(rng.uniform(0, 1) * mode for mode in modes)
        # Wood on wood: a short noise begins each knock.
        touch = rng.uniform(0, 1) * rng.standard_normal(len(time_s)) * np.exp(-time_s / 0.003)
        _add(out, log_uniform(rng, 0.1, 1) * (hollow + touch), samples_at(start_s, rate))
    for start_s in _scattered_s(rng, seconds, rng.uniform(0.2, 2)):
        decay_s = log_uniform(rng, 0.03, 0.15)
        slap = rng.standard_normal(len(time_s)) * np.exp(-time_s / decay_s)
        slap *= np.minimum(1, time_s / 0.01)
        _add(out, rng.uniform(0.02, 0.3) * slap, samples_at(start_s, rate))
    corner_hz = log_uniform(rng, 300, 1500)
    return filtered(out, rate, lambda f: low_pass_db(f, corner_hz, 6) + high_pass_db(f, 40, 12))


def drums(rng: Rng, rate: int) -> Array:
    """Make drums that play a rhythm: low and high membranes, at times with cymbals; close or far.

    The rhythm is a bar of eight or more steps, which is repeated.
    """
    step_s = 60 / rng.uniform(60, 180) / rng.choice([2, 3, 4])
    steps = int(rng.choice([6, 8, 12, 16]))
    bars = max(1, min(12, int(rng.uniform(2, 12) / (step_s * steps))))
    out = np.zeros(samples_at(step_s * steps * bars + 0.9, rate))
    hits, densities = [_membrane(rng, rate, low=True)], [rng.uniform(0.1, 0.35)]
    for _ in range(rng.integers(0, 3)):
        hits.append(_membrane(rng, rate, low=False))
        densities.append(rng.uniform(0.15, 0.5))
    if rng.random() < 0.5:
        hits.append(_cymbal(rng, rate))
        densities.append(rng.uniform(0.3, 1))
    for number, (hit, density) in enumerate(zip(hits, densities, strict=True)):
        pattern = rng.random(steps) < density
        # The low drum marks the first beat.
        pattern[0] |= number == 0
        levels = log_uniform(rng, 0.3, 1) * rng.uniform(0.4, 1, steps)
        for step in np.flatnonzero(np.tile(pattern, bars)):
            # Hands are early or late by some milliseconds.
            start_s = max(0.0, step * step_s + rng.normal(0, 0.006))
            level = levels[step % steps] * rng.uniform(0.8, 1.1)
            _add(out, level * hit, samples_at(start_s, rate))
    if rng.random() < 0.6:
        return _received(rng, out, rate)
    return out


def _membrane(rng: Rng, rate: int, *, low: bool) -> Array:
    """Make a stroke on a drum `(sample,)`: a falling pitch, overtones, and the slap of a hand."""
    decay_s = log_uniform(rng, 0.05, 0.4) if low else log_uniform(rng, 0.02, 0.2)
    time_s = times_s(samples_at(min(0.8, 6 * decay_s), rate), rate)
    end_hz = log_uniform(rng, 40, 110) if low else log_uniform(rng, 110, 450)
    # A kick drum falls from up to 200 Hz above its pitch, a tabla hardly at all.
    glide_hz, glide_s = end_hz * rng.uniform(0, 3 if low else 0.6), rng.uniform(0.008, 0.05)
    cycles = end_hz * time_s + glide_hz * glide_s * (1 - np.exp(-time_s / glide_s))
    tone = np.sin(2 * np.pi * cycles) * np.exp(-time_s / decay_s)
    overtones_db = rng.uniform(-30, -3)
    for ratio in MEMBRANE_RATIOS[1:]:
        # Overtones fade sooner.
        level = amplitude_factor(overtones_db) * rng.uniform(0.3, 1)
        tone += level * np.sin(2 * np.pi * ratio * cycles) * np.exp(-time_s * ratio / decay_s)
    slap = rng.uniform(0, 0.5) * rng.standard_normal(len(time_s)) * np.exp(-time_s / 0.004)
    ending = np.minimum(1, np.linspace(6, 0, len(time_s)))
    stroke: Array = (tone + slap) * ending
    return stroke


def _cymbal(rng: Rng, rate: int) -> Array:
    """Make a stroke on a cymbal `(sample,)`: noise of high frequencies, which fades soon."""
    decay_s = log_uniform(rng, 0.015, 0.12)
    n = samples_at(min(0.8, 6 * decay_s), rate)
    noise = unit_variance(coloured_noise(rng, n, rate, lambda f: high_pass_db(f, 1500, 9)))
    stroke: Array = noise * np.exp(-times_s(n, rate) / decay_s) * np.linspace(1, 0, n)
    return stroke


def hammering(rng: Rng, rate: int) -> Array:
    """Make strokes of a hammer, an axe or a machete on wood, nearly regular, in a forest."""
    gap_s = log_uniform(rng, 0.35, 2)
    starts_s = np.cumsum(gap_s * rng.uniform(0.85, 1.15, rng.integers(1, 9)))
    starts_s -= starts_s[0]
    out = np.zeros(samples_at(starts_s[-1] + 0.4, rate))
    time_s = times_s(samples_at(0.3, rate), rate)
    modes = [
        np.sin(2 * np.pi * min(log_uniform(rng, 150, 1500), 0.45 * rate) * time_s)
        * np.exp(-time_s / log_uniform(rng, 0.003, 0.03))
        for _ in range(3)
    ]
    noise_s = log_uniform(rng, 0.002, 0.012)
    for start_s in starts_s:
        ring = sum(rng.uniform(0, 1) * mode for mode in modes)
        hit = rng.uniform(0.5, 1.5) * rng.standard_normal(len(time_s)) * np.exp(-time_s / noise_s)
        _add(out, rng.uniform(0.5, 1) * (ring + hit), samples_at(start_s, rate))
    distance_km = log_uniform(rng, 0.03, 1.0)
    return propagate(rng, out, rate, distance_km, echo_db=rng.uniform(-25, -5))


def _scattered_s(rng: Rng, seconds: float, per_s: float) -> Array:
    """Draw times from 0 to a length, at random, of at least two."""
    return np.sort(rng.uniform(0, seconds, 2 + rng.poisson(per_s * seconds)))


def _add(out: Array, sound: Array, start: int) -> None:
    """Add a sound to another from a sample on; what lies behind its end is cut."""
    room = max(0, len(out) - start)
    out[start : start + len(sound)] += sound[:room]
