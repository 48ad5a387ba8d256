"""What leaves a gun: the muzzle blast, and the shock wave of a bullet faster than sound.

- Muzzle blast: a Friedlander wave, overpressure for 0.2-6 ms and then suction; with reflections off
  the ground it lasts 3-5 ms (Maher 2006, 2007). By the scaling of blasts, its length grows with
  the third root of the charge: shortest for pistols, longest for muzzle-loaders and home-made
  guns, whose load of black powder is large.
- Shock wave: an N-wave, with a length after Whitham 1952: 0.2-0.5 ms for a rifle at 10-100 m. By
  the Mach geometry it arrives ahead of the blast, and only at listeners in front of the gun: within
  90 degrees minus the Mach angle of the line of fire. The pellets of a shotgun fall below the speed
  of sound within tens of metres, so they have none.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from loxo.simulate.propagation import SOUND_SPEED_M_S
from loxo.simulate.signals import Array
from loxo.timeline import samples_at, seconds_at, times_s

__all__ = ["WEAPONS", "Weapon", "blast_wave", "n_wave", "shock_lead_s", "shock_length_s"]


class Weapon(NamedTuple):
    """A kind of weapon.

    Args:
        overpressure_s: range of the duration of the blast's overpressure.
        mach: range of the bullet's speed at the muzzle, relative to that of sound.
        calibre_m, bullet_m: diameter and length of the bullet.
        supersonic_m: how far it flies before it is slower than sound; 0 for pellets and balls.
    """

    overpressure_s: tuple[float, float]
    mach: tuple[float, float]
    calibre_m: float
    bullet_m: float
    supersonic_m: float


WEAPONS = {
    # 7.62 x 39 mm leaves the muzzle at 715 m/s, 5.45 x 39 mm at 900 m/s.
    "automatic rifle": Weapon((0.0003, 0.0015), (1.9, 2.7), 0.0076, 0.027, 500),
    "hunting rifle": Weapon((0.0004, 0.002), (1.7, 2.8), 0.0085, 0.03, 700),
    "shotgun": Weapon((0.0008, 0.004), (1.0, 1.2), 0.018, 0.018, 0),
    "pistol": Weapon((0.0002, 0.0008), (0.8, 1.2), 0.009, 0.015, 60),
    "muzzle-loader": Weapon((0.0015, 0.006), (0.8, 1.2), 0.015, 0.015, 0),
}
"""Kinds of weapons."""


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


def shock_lead_s(
    range_m: float, angle: float, mach: float, supersonic_m: float = 700.0
) -> float | None:
    """Compute by how much the shock wave arrives before the blast; None where there is none.

    Args:
        range_m: distance of the listener from the gun.
        angle: between the line of fire and the direction to the listener, in radians.
        mach: speed of the bullet relative to that of sound.
        supersonic_m: how far the bullet flies before it is slower than sound.
    """
    mach_angle = np.arcsin(1 / mach)
    # Where on its way the bullet emitted the wave that reaches the listener.
    flown_m = range_m * (np.cos(angle) - np.sin(angle) * np.tan(mach_angle))
    if not 0 < flown_m < supersonic_m:
        return None
    return float(range_m / SOUND_SPEED_M_S * (1 - np.sin(angle + mach_angle)))
