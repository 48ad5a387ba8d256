"""Gunshots: fire of one or many rounds, the way through the forest, and the first recorder.

- Automatic fire: 8-15 rounds a second (an AKM fires 600 a minute, small machine guns 900), nearly
  regular, at times in groups of a few rounds. Single shots in a row: 1-5 a second, irregular. The
  two barrels of a shotgun: 0.1-0.4 s apart.
- Reverberation: 0.5-3 s in forest, shorter at high frequencies, after Padgham 2004; echoes from
  terrain; next to nothing in the open and close by. The surroundings of one gun answer each round
  alike, so the tails of a burst are copies of one tail.
- Low frequencies: soft ground attenuates grazing sound below some 200-600 Hz, after Embleton 1996;
  small microphones and their filters attenuate them as well. Forest recordings of gunshots often
  hold nothing below 400 Hz. Close to a large gun, the blast is a thump with energy below 80 Hz.
- The first recorder: gunshots that are set into a scene may have been recorded before, by a small
  microphone, overloaded, with automatic gain, or with a gate that closes after each sound.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
from scipy import fft

from loxo.acoustics import air_absorption_db_per_km, amplitude_factor, log_uniform
from loxo.simulate.overload import GainControl, automatic_gain, clipped, steep_high_pass
from loxo.simulate.propagation import reverberation, wind_fading
from loxo.simulate.signals import (
    Array,
    Rng,
    filtered,
    high_pass_db,
    low_pass_db,
)
from loxo.simulate.weapons import (
    WEAPONS,
    Weapon,
    blast_wave,
    n_wave,
    shock_lead_s,
    shock_length_s,
)
from loxo.timeline import samples_at, times_s

__all__ = ["Fire", "Path", "draw_path", "fire", "gunshot", "shots_at"]

Surroundings = Literal["dry", "open", "forest"]

AUTOMATIC_SHARE, RAPID_SHARE, DOUBLE_SHARE = 0.13, 0.10, 0.03
"""Shares of automatic fire, of single shots in a row, and of two barrels; the rest is one shot."""
DRY_SHARE, OPEN_SHARE = 0.12, 0.15
"""Shares of dry close shots and of shots in the open; the rest is in forest."""
STEEP_SHARE, CLIPPED_SHARE, GAIN_CONTROL_SHARE, GATE_SHARE = 0.05, 0.05, 0.05, 0.02
"""Shares of first recorders that pass no low frequencies, clip, control their gain, have a gate."""
LAST_START_S = 10.0
"""No round of a burst begins later, so that a burst with its tail lasts some 12 s at most."""
LEAD_S = 0.05
"""Silence ahead of a shot while filters, which ring ahead of an onset, change it."""
SINGLE_WEAPONS = (
    "shotgun",
    "shotgun",
    "hunting rifle",
    "hunting rifle",
    "muzzle-loader",
    "automatic rifle",
    "pistol",
)
"""Weapons of single shots, as often as they are used; the shotgun is the hunter's usual weapon."""
RAPID_WEAPONS = ("automatic rifle", "hunting rifle", "shotgun", "pistol")


class Path(NamedTuple):
    """The way from a gun to a recorder.

    Args:
        surroundings: "dry" is close by without a tail; "open" has a short tail.
        distance_km: its length.
        tail_s: length of the tail.
        t60_s: time of a decay by 60 dB at 60 Hz and at 1.7 kHz.
        tail_db: energy of the tail relative to the direct sound; None: by the distance.
    """

    surroundings: Surroundings
    distance_km: float
    tail_s: float
    t60_s: tuple[float, float]
    tail_db: float | None


class Fire(NamedTuple):
    """One or several shots of one weapon in one place: the waveform `(sample,)` and their count."""

    waveform: Array
    shots: int


def gunshot(rng: Rng, rate: int) -> Array:
    """Make a gunshot or a burst `(sample,)`, received from 10 m to 3 km away."""
    return fire(rng, rate).waveform


def fire(rng: Rng, rate: int) -> Fire:
    """Make the fire of one weapon, received from 10 m to 3 km away; a quarter are bursts.

    Args:
        rate: samples a second.
    """
    weapon, starts_s = _draw_rounds(rng)
    chance = rng.random()
    surroundings: Surroundings = "forest"
    if chance < DRY_SHARE:
        surroundings = "dry"
    elif chance < DRY_SHARE + OPEN_SHARE:
        surroundings = "open"
    path = draw_path(rng, surroundings)
    shots = shots_at(rng, rate, weapon, path, starts_s)
    return Fire(_record(rng, shots, rate), len(starts_s))


def _draw_rounds(rng: Rng) -> tuple[Weapon, Array]:
    """Draw a weapon, and the times in seconds at which its rounds are fired; the first is 0."""
    chance = rng.random()
    if chance < AUTOMATIC_SHARE:
        return WEAPONS["automatic rifle"], _automatic_starts_s(rng)
    if chance < AUTOMATIC_SHARE + RAPID_SHARE:
        return WEAPONS[RAPID_WEAPONS[rng.integers(len(RAPID_WEAPONS))]], _rapid_starts_s(rng)
    if chance < AUTOMATIC_SHARE + RAPID_SHARE + DOUBLE_SHARE:
        return WEAPONS["shotgun"], np.array([0.0, rng.uniform(0.1, 0.4)])
    return WEAPONS[SINGLE_WEAPONS[rng.integers(len(SINGLE_WEAPONS))]], np.zeros(1)


def _automatic_starts_s(rng: Rng) -> Array:
    """Draw the times of 3-40 rounds, 8-15 a second; some come in groups with pauses."""
    count = int(log_uniform(rng, 3, 40.99))
    # A machine repeats evenly.
    gaps_s = rng.normal(1, 0.03, count).clip(0.85, 1.15) / rng.uniform(8, 15)
    if rng.random() < 0.3:
        group = int(rng.integers(3, 9))
        gaps_s[group::group] += rng.uniform(0.2, 1.0)
    return _starts_s(gaps_s)


def _rapid_starts_s(rng: Rng) -> Array:
    """Draw the times of 2-20 rounds, 1-5 a second, as fast as a person pulls a trigger."""
    count = int(log_uniform(rng, 2, 20.99))
    # Many rounds are fired fast enough to end in time.
    per_s = log_uniform(rng, max(1.0, count / LAST_START_S), 5)
    return _starts_s(rng.lognormal(0, rng.uniform(0.05, 0.4), count).clip(0.5, 2.0) / per_s)


def _starts_s(gaps_s: Array) -> Array:
    """Compute times from the gaps before rounds; that before the first round does not count."""
    starts_s = np.cumsum(gaps_s) - gaps_s[0]
    in_time: Array = starts_s[starts_s <= LAST_START_S]
    return in_time


def draw_path(rng: Rng, surroundings: Surroundings, distance_km: float | None = None) -> Path:
    """Draw the way of a shot.

    Args:
        distance_km: its length; None: at random.
    """
    if surroundings == "dry":
        # A dry shot is close: on a long way, something scatters.
        low_s = log_uniform(rng, 0.02, 0.25)
        tail_s, tail_db, reach_km = log_uniform(rng, 0.01, 0.1), rng.uniform(-40, -4), (0.01, 0.2)
    elif surroundings == "open":
        low_s = log_uniform(rng, 0.05, 0.8)
        tail_s, tail_db, reach_km = rng.uniform(0.08, 0.6), None, (0.01, 0.3)
    else:
        low_s = rng.uniform(0.7, 3.5)
        tail_s, tail_db, reach_km = rng.uniform(0.5, 3.0), None, (0.05, 3.0)
    km = log_uniform(rng, *reach_km) if distance_km is None else distance_km
    return Path(surroundings, km, tail_s, (low_s, low_s * rng.uniform(0.25, 0.9)), tail_db)


def shots_at(rng: Rng, rate: int, weapon: Weapon, path: Path, starts_s: Array) -> Array:
    """Make the sound `(sample,)` of rounds as it arrives, ahead of any recorder.

    Args:
        rate: samples a second.
        starts_s: times of the rounds, from 0 on.
    """
    lead_n = samples_at(_lead_s(rng, weapon, path.distance_km), rate)
    gain_db = _received_db(rng, path)
    direct = _direct(rng, rate, weapon, path, lead_n)
    tail = filtered(_tail(rng, rate, path, direct), rate, partial(gain_db, more_tilt=0.0))
    # Rounds differ a little in spectrum: a few variants are enough.
    tilts = rng.uniform(-1, 1, min(3, len(starts_s)))  # dB per octave
    heard = [_filtered_causally(direct, rate, partial(gain_db, more_tilt=tilt)) for tilt in tilts]
    energies = [np.sum(wave**2) for wave in heard]
    longest_n = max(len(tail) + lead_n, len(heard[0]))
    out = np.zeros(samples_at(starts_s[-1], rate) + longest_n)
    spread_db = rng.uniform(1, 3)
    for number, start_s in enumerate(starts_s):
        start = samples_at(start_s, rate)
        level = amplitude_factor(rng.normal(0, spread_db / 2))
        variant = int(rng.integers(len(heard))) if number else 0
        # Variants are equally loud; levels are drawn apart.
        strength = np.sqrt(energies[0] / energies[variant]) * level
        strength *= amplitude_factor(rng.uniform(-0.7, 0.7))
        out[start : start + len(heard[0])] += strength * heard[variant]
        out[start + lead_n : start + lead_n + len(tail)] += level * tail
    # Nothing is heard ahead of the first wave but what the filters ring.
    first = int(np.argmax(np.abs(out) > 0.003 * np.abs(out).max()))
    received: Array = out[first:]
    return received * wind_fading(rng, len(received), rate, 0.5 * path.distance_km)


def _received_db(rng: Rng, path: Path) -> Callable[..., Array]:
    """Draw the gain of gun, way and microphone in dB, of frequencies in Hz and a further tilt."""
    distance_km, forest = path.distance_km, path.surroundings == "forest"
    # Scattering makes a low-pass whose corner falls with the distance.
    corner_hz = min(4000.0, 2500 / (0.3 + distance_km) * rng.uniform(0.4, 2.5))
    # Slopes are in dB per octave.
    high_slope, low_slope = rng.uniform(6, 20) if forest else rng.uniform(2, 10), rng.uniform(6, 40)
    low_hz = log_uniform(rng, 40, 700) if forest else log_uniform(rng, 10, 150)
    peak_hz, peak_db, width = log_uniform(rng, 150, 1600), rng.uniform(0, 10), rng.uniform(0.4, 1.2)
    tilt = rng.uniform(-5, 6) if forest else rng.uniform(-7, 6)

    def gain_db(frequency_hz: Array, more_tilt: float) -> Array:
        gain: Array = (
            (tilt + more_tilt) * np.log2(frequency_hz / 300)
            + low_pass_db(frequency_hz, corner_hz, high_slope)
            + high_pass_db(frequency_hz, low_hz, low_slope)
            + peak_db * np.exp(-((np.log2(frequency_hz / peak_hz) / width) ** 2))
            - air_absorption_db_per_km(frequency_hz) * distance_km
        )
        return gain

    return gain_db


def _filtered_causally(wave: Array, rate: int, gain_db: Callable[[Array], Array]) -> Array:
    """Change each frequency of a waveform by a gain, without ringing ahead of an onset.

    It is the filter of minimum phase, as ground, trunks and microphones are. `filtered` has no
    delay, but blurs an onset to both sides.
    """
    n = len(wave)
    padded = fft.next_fast_len(2 * n, real=True)
    frequency_hz = np.maximum(np.arange(padded // 2 + 1) * (rate / padded), 0.5)
    level_db = gain_db(frequency_hz)
    # A gain of nothing has no finite phase.
    level_db = np.maximum(level_db, level_db.max() - 100)
    # The phase is the Hilbert transform of the logarithm of the gain: fold its cepstrum.
    cepstrum = fft.irfft(level_db * (np.log(10) / 20), padded)
    cepstrum[1 : (padded + 1) // 2] *= 2
    cepstrum[padded // 2 + 1 :] = 0
    spectrum = fft.rfft(wave, padded) * np.exp(fft.rfft(cepstrum))
    changed: Array = fft.irfft(spectrum, padded)[:n]
    # The end fades within 50 ms: ringing that is cut would be audible as a click.
    changed *= np.minimum(1, np.arange(n, 0, -1) / samples_at(0.05, rate))
    return changed


def _direct(rng: Rng, rate: int, weapon: Weapon, path: Path, lead_n: int) -> Array:
    """Make the direct sound of a round `(sample,)`: shock wave, blast and what is close by.

    The energy of the blast is 1. It begins `lead_n` samples after the shock wave, which begins
    `LEAD_S` after the start.
    """
    silent_n = samples_at(LEAD_S, rate)
    direct = np.zeros(silent_n + lead_n + samples_at(0.35, rate))
    blast = blast_wave(log_uniform(rng, *weapon.overpressure_s), rate)
    waves = {silent_n + lead_n: _add_reflections(rng, rate, path.distance_km, blast)}
    if path.surroundings == "dry" and rng.random() < 0.4:
        waves[silent_n + lead_n] = _add_thump(rng, rate, waves[silent_n + lead_n])
    if lead_n:
        miss_m = rng.uniform(0.02, 1) * 1000 * path.distance_km
        length_s = shock_length_s(miss_m, weapon.mach[1], weapon.calibre_m, weapon.bullet_m)
        shock = _add_reflections(rng, rate, path.distance_km, n_wave(length_s, rate))
        waves[silent_n] = rng.uniform(0.2, 1.2) * shock
    for start, wave in waves.items():
        direct[start : start + len(wave)] += wave
    return direct


def _tail(rng: Rng, rate: int, path: Path, direct: Array) -> Array:
    """Draw the sound `(sample,)` that the surroundings scatter after a round.

    It begins `LEAD_S` after the start.

    Args:
        direct: direct sound, relative to which its level is set.
    """
    onset_s = 0.02 * path.distance_km * rng.random()
    scattered = reverberation(rng, rate, path.tail_s, path.t60_s, onset_s=onset_s)
    if path.tail_db is not None:
        ratio = np.sum(direct**2) / (np.sum(scattered**2) + 1e-12)
        level = amplitude_factor(path.tail_db) * np.sqrt(ratio)
    else:
        # On a long way, scattering leaves little of the direct waves. Their energy is that of
        # 12.5 ms of noise at the strength drawn here.
        strength = rng.uniform(0.5, 5) / (0.3 + 3 * path.distance_km)
        strength *= 1 if path.surroundings == "forest" else 4
        early = scattered[: samples_at(0.1, rate)].std()
        level = 1 / (strength * early * np.sqrt(samples_at(0.0125, rate)) + 1e-12)
    means = {"dry": 0.0, "open": 0.3, "forest": 0.8}
    echoes_s = rng.uniform(0.08, 0.9, rng.poisson(means[path.surroundings]))
    # There is room for the whole of the last echo: a tail that is cut would be audible as a click.
    silent_n = samples_at(LEAD_S, rate)
    tail = np.zeros(samples_at(max(echoes_s, default=0.0), rate) + len(scattered) + 2 * silent_n)
    tail[silent_n : silent_n + len(scattered)] = scattered
    time_s = times_s(len(scattered), rate)
    for echo_s in echoes_s:
        # A wooded slope is near and far at once, so its echo begins less sharply than a shot.
        echo = scattered * (1 - np.exp(-time_s / log_uniform(rng, 0.005, 0.08)))
        start = silent_n + samples_at(echo_s, rate)
        tail[start : start + len(echo)] += rng.uniform(0.1, 0.6) * echo
    tail *= level
    return tail


def _lead_s(rng: Rng, weapon: Weapon, distance_km: float) -> float:
    """Draw by how much a shock wave leads the blast; 0 where there is none."""
    # Both numbers are drawn in any case, so that the stream of random numbers stays aligned.
    angle, mach = rng.uniform(0, np.pi), rng.uniform(*weapon.mach)
    if mach <= 1:
        return 0.0
    return shock_lead_s(1000 * distance_km, angle, mach, weapon.supersonic_m) or 0.0


def _add_reflections(rng: Rng, rate: int, distance_km: float, wave: Array) -> Array:
    """Add reflections off ground and trunks to a wave, and scale it to an energy of 1.

    They arrive within milliseconds, spread over more time at a greater distance.
    """
    spread_n = max(1, samples_at(rng.uniform(0.001, 0.006) * (1 + distance_km), rate))
    reflections = rng.standard_normal(spread_n) * np.exp(-3 * np.linspace(0, 1, spread_n))
    reflections[0] = 1.5  # the direct path
    smeared: Array = np.convolve(reflections, wave)[: samples_at(0.1, rate)]
    smeared /= np.sqrt(np.sum(smeared**2))
    return smeared


def _add_thump(rng: Rng, rate: int, wave: Array) -> Array:
    """Add the low thump of a close blast, 20-80 Hz, which fades within tenths of a second."""
    decay_s = log_uniform(rng, 0.006, 0.03)
    time_s = times_s(samples_at(7 * decay_s, rate), rate)
    thump = np.sin(2 * np.pi * log_uniform(rng, 20, 80) * time_s) * np.exp(-time_s / decay_s)
    thump *= rng.uniform(0.5, 3) / np.sqrt(np.sum(thump**2))
    out = np.zeros(max(len(wave), len(thump)))
    out[: len(wave)] += wave
    out[: len(thump)] += thump
    return out


def _record(rng: Rng, shots: Array, rate: int) -> Array:
    """Record shots with the recorder from which they were taken; most change nothing."""
    if rng.random() < STEEP_SHARE:
        shots = steep_high_pass(shots, rate, log_uniform(rng, 100, 400), rng.uniform(24, 60))
    chance = rng.random()
    if chance < GAIN_CONTROL_SHARE:
        control = GainControl(
            limit=1 / log_uniform(rng, 2, 16),
            recovery_db_s=log_uniform(rng, 10, 100),
            attack_s=log_uniform(rng, 0.001, 0.05),
        )
        shots = shots * automatic_gain(shots, rate, control, float(np.abs(shots).max()))
    elif chance < GAIN_CONTROL_SHARE + CLIPPED_SHARE:
        shots = clipped(shots, log_uniform(rng, 2, 64))
    return _gated(rng, shots, rate) if rng.random() < GATE_SHARE else shots


def _gated(rng: Rng, shots: Array, rate: int) -> Array:
    """Cut shots as a gate does, which closes within 10 ms soon after the last loud sample."""
    loud = np.flatnonzero(np.abs(shots) > 0.25 * np.abs(shots).max())
    shots = shots[: loud[-1] + samples_at(rng.uniform(0.02, 0.15), rate)]
    closing: Array = shots * np.minimum(1, np.arange(len(shots), 0, -1) / samples_at(0.01, rate))
    return closing
