"""Gunshots: muzzle blast, shock wave, reverberation of the forest, and attenuation by distance.

- Muzzle blast: a Friedlander wave, overpressure for 0.2-3 ms and then suction, after Maher 2007.
- Shock wave of a supersonic bullet: an N-wave, with a length after Whitham 1952: 0.2-0.5 ms for a
  rifle at 10-100 m. By the Mach geometry it arrives ahead of the blast, and only at listeners in
  front of the gun: within 90 degrees minus the Mach angle of the line of fire. The pellets of a
  shotgun fall below the speed of sound within tens of metres, so they have none.
- Automatic fire: 500-1,000 rounds a minute. Single shots in a row: 0.1-1.5 s apart; the shortest
  gaps come from the two barrels of a shotgun.
- Reverberation: 0.5-3 s in forest, shorter at high frequencies, after Padgham 2004; echoes from
  terrain; next to nothing in the open.
- Low frequencies: soft ground attenuates grazing sound below some 200-600 Hz, after Embleton 1996;
  small microphones and their filters attenuate them as well. Forest recordings of gunshots often
  hold nothing below 400 Hz.
"""

from __future__ import annotations

import math

import numpy as np

from loxo.acoustics import air_absorption_db_per_km, log_uniform
from loxo.simulate.propagation import SOUND_SPEED_M_S, reverberation, wind_fading
from loxo.simulate.signals import Array, Rng, filtered, high_pass_db, low_pass_db
from loxo.timeline import samples_at, seconds_at, times_s

__all__ = ["blast_wave", "gunshot", "n_wave", "shock_lead_s", "shock_length_s", "single_shot"]

SUPERSONIC_M = 700.0
"""How far a rifle bullet flies, roughly, before it is slower than sound."""


def n_wave(length_s: float, rate: int) -> Array:
    """Make an N-wave `(sample,)`, which falls linearly from 1 to -1 over its length.

    Each sample is the mean over its time, and the wave crosses zero between two samples. So a wave
    that is shorter than a sample is still there at a low rate.
    """
    half_n = math.ceil(length_s / 2 * rate)
    centred_s = times_s(2 * half_n + 1, rate) - seconds_at(half_n, rate)
    time_s = np.clip(centred_s + length_s / 2, 0, length_s)
    # The integral of the wave; its differences are means over samples.
    return np.diff(time_s - time_s**2 / length_s) * rate


def blast_wave(positive_s: float, rate: int) -> Array:
    """Make a Friedlander wave `(sample,)` of peak 1; each sample is the mean over its time.

    Args:
        positive_s: duration of the overpressure.
    """
    time_s = times_s(samples_at(10 * positive_s, rate) + 3, rate)
    # The integral of (1 - t / positive) exp(-t / positive).
    return np.diff(time_s * np.exp(-time_s / positive_s)) * rate


def shock_length_s(
    miss_m: float, mach: float, calibre_m: float = 0.0076, bullet_m: float = 0.03
) -> float:
    """Compute the length of a bullet's N-wave (Whitham 1952, as given by Maher 2007).

    Args:
        miss_m: distance of the listener from the line of fire.
        mach: speed of the bullet relative to that of sound.
        calibre_m, bullet_m: diameter and length of the bullet.
    """
    growth = 1.82 * mach * miss_m**0.25 / (mach**2 - 1) ** 0.375
    return float(growth * calibre_m / (SOUND_SPEED_M_S * bullet_m**0.25))


def shock_lead_s(range_m: float, angle: float, mach: float) -> float | None:
    """Compute by how much the shock wave arrives before the blast; None where there is none.

    Args:
        range_m: distance of the listener from the gun.
        angle: between the line of fire and the direction to the listener, in radians.
        mach: speed of the bullet relative to that of sound.
    """
    mach_angle = np.arcsin(1 / mach)
    # Where on its way the bullet emitted the wave that reaches the listener.
    flown_m = range_m * (np.cos(angle) - np.sin(angle) * np.tan(mach_angle))
    if not 0 < flown_m < SUPERSONIC_M:
        return None
    return float(range_m / SOUND_SPEED_M_S * (1 - np.sin(angle + mach_angle)))


def gunshot(rng: Rng, rate: int) -> Array:
    """Make a gunshot or a burst `(sample,)`, received from 10 m to 3 km away.

    A quarter are close and dry, without much reverberation. In the others, the tail outlasts the
    blast.
    """
    # A dry shot is fired in the open, and not far away: on a long way, something scatters.
    dry = rng.random() < 0.25
    distance_km = log_uniform(rng, 0.01, 0.3) if dry else log_uniform(rng, 0.05, 3.0)
    shots = _burst(rng, single_shot(rng, rate, distance_km, dry=dry), rate)
    # Scattering makes a low-pass whose corner falls with the distance.
    corner_hz = min(4000.0, 2500 / (0.3 + distance_km) * rng.uniform(0.4, 2.5))
    # Slopes are in dB per octave.
    high_slope, low_slope = rng.uniform(2, 10) if dry else rng.uniform(6, 20), rng.uniform(6, 40)
    low_hz = log_uniform(rng, 15, 150) if dry else log_uniform(rng, 40, 700)
    peak_hz, peak_db, width = log_uniform(rng, 150, 1600), rng.uniform(0, 10), rng.uniform(0.4, 1.2)
    tilt = rng.uniform(-5, 6)  # dB per octave, of gun, place and microphone
    received = filtered(
        shots,
        rate,
        lambda f: (
            tilt * np.log2(f / 300)
            + low_pass_db(f, corner_hz, high_slope)
            + high_pass_db(f, low_hz, low_slope)
            + peak_db * np.exp(-((np.log2(f / peak_hz) / width) ** 2))
            - air_absorption_db_per_km(f) * distance_km
        ),
    )
    return received * wind_fading(rng, len(received), rate, 0.5 * distance_km)


def single_shot(rng: Rng, rate: int, distance_km: float, *, dry: bool) -> Array:
    """Make one shot `(sample,)` at a distance, before filters change its spectrum.

    It consists of a shock wave, a blast, a scattered tail and echoes from terrain. In the open
    hardly anything scatters sound, so a `dry` shot fades within tenths of a second.
    """
    tail = _tail(rng, rate, distance_km, dry=dry)
    n = len(tail)
    strength = _direct_strength(rng, tail, rate, distance_km, dry=dry)
    lead_n = samples_at(_lead_s(rng, distance_km), rate)
    n_echoes = rng.poisson(0.3 if dry else 0.8)
    echoes = [samples_at(rng.uniform(0.08, 0.9), rate) for _ in range(n_echoes)]
    # There is room for the whole of the last echo: a tail that is cut would be audible as a click.
    shot = np.zeros(lead_n + n + max(echoes, default=0) + samples_at(0.1, rate))
    for delay in [0, *echoes]:
        level = rng.uniform(0.1, 0.6) if delay else 1.0
        shot[lead_n + delay : lead_n + delay + n] += level * tail
    blast = blast_wave(log_uniform(rng, 0.0002, 0.003), rate)
    waves = {lead_n: _add_reflections(rng, rate, distance_km, blast)}
    if lead_n:
        miss_m = rng.uniform(0.02, 1) * 1000 * distance_km
        level = rng.uniform(0.2, 1.2)
        shock = n_wave(shock_length_s(miss_m, 2.2), rate)
        waves[0] = level * _add_reflections(rng, rate, distance_km, shock)
    for start, wave in waves.items():
        # The factor makes the energy of the wave that of 12.5 ms of noise at its level.
        shot[start : start + len(wave)] += strength * np.sqrt(samples_at(0.0125, rate)) * wave
    return shot


def _tail(rng: Rng, rate: int, distance_km: float, *, dry: bool) -> Array:
    """Draw the sound `(sample,)` that the surroundings scatter after a shot."""
    tail_s = rng.uniform(0.08, 0.6) if dry else rng.uniform(0.5, 3.0)
    low_t60_s = log_uniform(rng, 0.05, 0.8) if dry else rng.uniform(0.7, 3.5)
    high_t60_s = low_t60_s * rng.uniform(0.25, 0.9)
    onset_s = 0.02 * distance_km * rng.random()
    return reverberation(rng, rate, tail_s, (low_t60_s, high_t60_s), onset_s=onset_s)


def _direct_strength(rng: Rng, tail: Array, rate: int, distance_km: float, *, dry: bool) -> float:
    """Draw the level of the direct waves; on a long way, scattering leaves little of them."""
    tail_level = tail[: samples_at(0.1, rate)].std()
    return float(tail_level * rng.uniform(0.5, 5) * (4 if dry else 1) / (0.3 + 3 * distance_km))


def _lead_s(rng: Rng, distance_km: float) -> float:
    """Draw by how much a shock wave leads the blast.

    It is 0 for shotguns, for slow bullets and behind the gun.
    """
    # All three numbers are drawn in any case, so that the stream of random numbers stays aligned.
    rifle = rng.random() < 0.6
    lead_s = shock_lead_s(1000 * distance_km, rng.uniform(0, np.pi), rng.uniform(1.5, 2.8))
    return lead_s if rifle and lead_s is not None else 0.0


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


def _burst(rng: Rng, shot: Array, rate: int) -> Array:
    """Repeat a shot in a fifth of cases, else return it alone.

    A burst is automatic fire, single shots in a row, or the two barrels of a shotgun.
    """
    if rng.random() > 0.2:
        return shot
    automatic = rng.random() < 0.4
    gap_s, most = (60 / rng.uniform(500, 1000), 9) if automatic else (log_uniform(rng, 0.1, 1.5), 4)
    # A machine repeats evenly, a person does not.
    irregularity = 0.05 if automatic else 0.3
    gaps = rng.uniform(1 - irregularity, 1 + irregularity, size=rng.integers(1, most + 1))
    starts_s = np.cumsum(gap_s * gaps)
    burst = np.zeros(len(shot) + samples_at(starts_s[-1], rate))
    for start_s in [0.0, *starts_s]:
        start = samples_at(start_s, rate)
        burst[start : start + len(shot)] += rng.uniform(0.7, 1.0) * shot
    return burst
