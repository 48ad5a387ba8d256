"""Gunshots: muzzle blast, shock wave, the forest's answer, and what distance leaves of them.

- Muzzle blast: a Friedlander wave, overpressure for 0.2-3 ms, then suction, after Maher 2007.
- Shock wave of a supersonic bullet: an N-wave, its length after Whitham 1952: 0.2-0.5 ms for a rifle at 10-100 m. It arrives ahead of the
  blast by the Mach geometry, and only where the listener stands in front of the gun, within 90 degrees less the Mach angle of the line of
  fire. A shotgun's pellets slow below the speed of sound within tens of metres: none is heard.
- Automatic fire: 500-1,000 rounds a minute; single shots .1-1.5 s apart, the shortest from two barrels.
- Tail: reverberation of 0.5-3 s in forest, which takes the highs first, after Padgham 2004; echoes of terrain; in the open next to nothing.
- Lows: soft ground takes what lies below some 200-600 Hz from sound that grazes it, after Embleton 1996, and small microphones and their
  filters take them too: forest recordings of shots often hold nothing below 400 Hz.
"""

from __future__ import annotations

import math

import numpy as np

from loxo.simulate.propagation import SOUND_SPEED_M_S, absorption_db_km, faded, reverberation
from loxo.simulate.signals import Array, Rng, high_pass_db, log_uniform, low_pass_db, shaped
from loxo.timeline import samples_at, seconds_at, times_s

__all__ = ["blast_wave", "gunshot", "n_wave", "shock_lead_s", "shock_length_s"]

SUPERSONIC_M = 700.0
"""How far a rifle bullet flies before it is slower than sound, roughly."""


def n_wave(length_s: float, rate: int) -> Array:
    """An N-wave of peak 1, from 1 to -1 in a line. Each sample is the mean over its time; the wave crosses zero between two of them.

    So even one that is shorter than a sample leaves something at a low rate.
    """
    half_n = math.ceil(length_s / 2 * rate)
    time_s = np.clip(times_s(2 * half_n + 1, rate) - seconds_at(half_n, rate) + length_s / 2, 0, length_s)
    return np.diff(time_s - time_s**2 / length_s) * rate


def blast_wave(positive_s: float, rate: int) -> Array:
    """A Friedlander wave of peak 1 whose overpressure lasts `positive_s`; each sample is the mean over its time."""
    time_s = times_s(samples_at(10 * positive_s, rate) + 3, rate)
    return np.diff(time_s * np.exp(-time_s / positive_s)) * rate


def shock_length_s(miss_m: float, mach: float, calibre_m: float = 0.0076, bullet_m: float = 0.03) -> float:
    """Length of the N-wave at `miss_m` from the line of fire (Whitham 1952, as given by Maher 2007)."""
    bow = 1.82 * mach * miss_m**0.25 / (mach**2 - 1) ** 0.375
    return float(bow * calibre_m / (SOUND_SPEED_M_S * bullet_m**0.25))


def shock_lead_s(range_m: float, angle: float, mach: float) -> float | None:
    """How much earlier than the blast the shock wave arrives, at `range_m` and `angle` (radians) from the line of fire; None: not heard."""
    mach_angle = np.arcsin(1 / mach)
    flown_m = range_m * (np.cos(angle) - np.sin(angle) * np.tan(mach_angle))
    if not 0 < flown_m < SUPERSONIC_M:
        return None
    return float(range_m / SOUND_SPEED_M_S * (1 - np.sin(angle + mach_angle)))


def gunshot(rng: Rng, rate: int) -> Array:
    """A shot or a burst, 10 m to 3 km away: distance takes the highs, the tail outlasts the blast; a quarter are close and dry."""
    dry = rng.random() < 0.25
    distance_km = log_uniform(rng, 0.01, 0.3) if dry else log_uniform(rng, 0.05, 3.0)
    shot = _burst(rng, shot_at(rng, rate, distance_km, dry=dry), rate)
    corner_hz = min(4000.0, 2500 / (0.3 + distance_km) * rng.uniform(0.4, 2.5))
    high_slope, low_slope = rng.uniform(2, 10) if dry else rng.uniform(6, 20), rng.uniform(6, 40)
    low_hz = log_uniform(rng, 15, 150) if dry else log_uniform(rng, 40, 700)
    peak_hz, peak_db, width = log_uniform(rng, 150, 1600), rng.uniform(0, 10), rng.uniform(0.4, 1.2)
    bright = rng.uniform(-5, 6)  # dB an octave, of gun, place and microphone
    heard = shaped(
        shot,
        rate,
        lambda f: (
            bright * np.log2(f / 300)
            + low_pass_db(f, corner_hz, high_slope)
            + high_pass_db(f, low_hz, low_slope)
            + peak_db * np.exp(-((np.log2(f / peak_hz) / width) ** 2))
            - absorption_db_km(f) * distance_km
        ),
    )
    return heard * faded(rng, len(heard), rate, 0.5 * distance_km)


def shot_at(rng: Rng, rate: int, distance_km: float, *, dry: bool) -> Array:
    """One shot at a distance, before the way has coloured it: shock wave, blast, scattered tail, echoes of terrain.

    In the open there is next to nothing that scatters: a `dry` shot fades within tenths of a second.
    """
    tail_s = rng.uniform(0.08, 0.6) if dry else rng.uniform(0.5, 3.0)
    low_t60_s = log_uniform(rng, 0.05, 0.8) if dry else rng.uniform(0.7, 3.5)
    tail = reverberation(rng, rate, tail_s, (low_t60_s, low_t60_s * rng.uniform(0.25, 0.9)), onset_s=0.02 * distance_km * rng.random())
    n = len(tail)
    # Of the blast, scattering on a long way leaves little that is direct.
    strength = tail[: samples_at(0.1, rate)].std() * rng.uniform(0.5, 5) * (4 if dry else 1) / (0.3 + 3 * distance_km)
    lead_s = _lead_s(rng, distance_km)
    lead_n = samples_at(lead_s, rate)
    # An echo is as long as the tail: cut with it, its end would be heard.
    echoes = [samples_at(rng.uniform(0.08, 0.9), rate) for _ in range(rng.poisson(0.3 if dry else 0.8))]
    out = np.zeros(lead_n + n + max(echoes, default=0) + samples_at(0.1, rate))
    for at in [0, *echoes]:
        out[lead_n + at : lead_n + at + n] += (rng.uniform(0.1, 0.6) if at else 1.0) * tail
    waves = {lead_n: _rays(rng, rate, distance_km, blast_wave(log_uniform(rng, 0.0002, 0.003), rate))}
    if lead_n:
        miss_m = rng.uniform(0.02, 1) * 1000 * distance_km
        waves[0] = rng.uniform(0.2, 1.2) * _rays(rng, rate, distance_km, n_wave(shock_length_s(miss_m, 2.2), rate))
    for at, wave in waves.items():
        out[at : at + len(wave)] += strength * np.sqrt(samples_at(0.0125, rate)) * wave
    return out


def _lead_s(rng: Rng, distance_km: float) -> float:
    """By how much a shock wave leads the blast: 0 for shotguns, for slow bullets and behind the gun."""
    rifle = rng.random() < 0.6
    lead_s = shock_lead_s(1000 * distance_km, rng.uniform(0, np.pi), rng.uniform(1.5, 2.8))
    return lead_s if rifle and lead_s is not None else 0.0


def _rays(rng: Rng, rate: int, distance_km: float, wave: Array) -> Array:
    """The wave and its reflections off ground and trunks in the first milliseconds, of energy 1; smeared more the farther it is."""
    smear_n = max(1, samples_at(rng.uniform(0.001, 0.006) * (1 + distance_km), rate))
    rays = rng.standard_normal(smear_n) * np.exp(-3 * np.linspace(0, 1, smear_n))
    rays[0] = 1.5
    smeared: Array = np.convolve(rays, wave)[: samples_at(0.1, rate)]
    smeared /= np.sqrt(np.sum(smeared**2))
    return smeared


def _burst(rng: Rng, shot: Array, rate: int) -> Array:
    """The shot, or in a fifth of cases several like it: automatic fire, single shots in a row, or the two barrels of a shotgun."""
    if rng.random() > 0.2:
        return shot
    automatic = rng.random() < 0.4
    gap_s, most = (60 / rng.uniform(500, 1000), 9) if automatic else (log_uniform(rng, 0.1, 1.5), 4)
    wobble = 0.05 if automatic else 0.3
    starts = np.cumsum(gap_s * rng.uniform(1 - wobble, 1 + wobble, size=rng.integers(1, most + 1)))
    burst = np.zeros(len(shot) + samples_at(starts[-1], rate))
    for at_s in [0.0, *starts]:
        at = samples_at(at_s, rate)
        burst[at : at + len(shot)] += rng.uniform(0.7, 1.0) * shot
    return burst
