"""Calls of animals and people that are taken for rumbles or gunshots.

- Roars: 0.5-4 s, harmonics of 60-500 Hz that break into noise and subharmonics (deterministic chaos) from one part to the next, with an
  abrupt start and end, after Stoeger et al. 2011.
- Blows: an elephant's breath, 0.3-2.5 s of noise without a pitch that sets in at once and holds, under a tract of a few resonances.
- Trumpets: 0.2-2.5 s, fundamental 300-700 Hz, bright harmonics, often in a staccato.
- Barks: dogs 0.08-0.3 s, fundamental 300-900 Hz in an arch, in rows, after Yin and McCowan 2004; baboons and bushbuck alike.
- Frogs: trains of tonal pulses; insects: trills in a narrow band above 1 kHz; birds: hoots and whistles.
- Speech: fundamental 90-250 Hz in syllables, four a second; music of a far radio: steady notes over a beat.
"""

from __future__ import annotations

import numpy as np

from loxo.simulate.propagation import carried
from loxo.simulate.rumbles import contour
from loxo.simulate.signals import (
    Array,
    Rng,
    coloured_noise,
    formants_db,
    harmonics,
    high_pass_db,
    log_uniform,
    low_pass_db,
    normed,
    shaped,
    slow_curve,
    swell,
    tapered,
)
from loxo.timeline import samples_at, seconds_at, times_s

__all__ = ["bark", "bird", "blow", "frog", "insects", "people", "roar", "trumpet"]


def _call(rng: Rng, f0: Array, rate: int, *, noise: float, tract: tuple[float, float]) -> Array:
    """Harmonics and noise of a ratio `noise` under a tract of three formants that opens at `tract[0]` and closes at `tract[1]` Hz."""
    source = normed(harmonics(rng, f0, rate, limit_hz=log_uniform(rng, 1500, 10000))) + noise * rng.standard_normal(len(f0))
    formants = [(log_uniform(rng, 150, 2000), rng.uniform(60, 300), rng.uniform(3, 18)) for _ in range(3)]
    slopes = rng.uniform(6, 36), rng.uniform(3, 12)
    return shaped(
        source,
        rate,
        lambda f: formants_db(f, formants) + high_pass_db(f, tract[0], slopes[0]) + low_pass_db(f, tract[1], slopes[1]),
    )


def _heard(rng: Rng, call: Array, rate: int, far_km: float = 1.0) -> Array:
    """The call from somewhere between 10 m and `far_km`."""
    return carried(rng, call, rate, log_uniform(rng, 0.01, far_km), echo_db=rng.uniform(-25, -4))


def roar(rng: Rng, rate: int) -> Array:
    """An elephant's roar: parts that are harmonic, subharmonic or noise, within one loud and abrupt call."""
    n = samples_at(log_uniform(rng, 0.5, 4), rate)
    pitch_hz = log_uniform(rng, 60, 500)
    depth = rng.uniform(0.03, 0.25)
    wobble = slow_curve(rng, n, max(3, samples_at(seconds_at(n, rate), 12)), -depth, depth) * rng.uniform(0, 1)
    f0 = pitch_hz * (1 + rng.uniform(0, 0.5) * contour(rng, n, str(rng.choice(["arched", "flat", "falling"])))) * (1 + wobble)
    tract = log_uniform(rng, 60, 350), log_uniform(rng, 500, 2500)
    voiced = normed(_call(rng, f0, rate, noise=rng.uniform(0.05, 1.0), tract=tract))
    chaotic = normed(_call(rng, f0 / rng.integers(2, 4), rate, noise=rng.uniform(1, 6), tract=tract))
    # Parts of a tenth of a second or more, each nearer to one regime or the other.
    knots = max(2, samples_at(seconds_at(n, rate), 5))
    share = np.clip(slow_curve(rng, n, knots, -0.7, 1.7) + rng.uniform(-0.6, 0.6), 0, 1)
    rough = 1 + rng.uniform(0, 0.6) * np.sin(2 * np.pi * rng.uniform(15, 70) * times_s(n, rate))
    call = (share * chaotic + (1 - share) * voiced) * rough
    loud = swell(rng, n, rate, 0.1, 0.2) if rng.random() < 0.4 else tapered(n, rate, log_uniform(rng, 0.01, 0.15))
    return _heard(rng, call * loud, rate)


def blow(rng: Rng, rate: int) -> Array:
    """An elephant blows through its trunk: noise that sets in at once, like a shot, and holds, unlike one."""
    n = samples_at(log_uniform(rng, 0.3, 2.5), rate)
    tract = log_uniform(rng, 40, 400), log_uniform(rng, 300, 2500)
    formants = [(log_uniform(rng, 80, 1500), rng.uniform(60, 400), rng.uniform(0, 15)) for _ in range(3)]
    slopes = rng.uniform(6, 24), rng.uniform(3, 15)
    breath = coloured_noise(
        rng, n, rate, lambda f: formants_db(f, formants) + high_pass_db(f, tract[0], slopes[0]) + low_pass_db(f, tract[1], slopes[1])
    )
    wavering_db = slow_curve(rng, n, max(3, samples_at(seconds_at(n, rate), 4)), -6, 0)
    edges = tapered(n, rate, log_uniform(rng, 0.005, 0.08))
    return _heard(rng, breath * edges * 10 ** (wavering_db / 20), rate, far_km=0.5)


def trumpet(rng: Rng, rate: int) -> Array:
    """An elephant's trumpet: a blare of bright harmonics, in one piece or in a staccato."""
    count = int(rng.integers(2, 5)) if rng.random() < 0.35 else 1
    seconds = (0.12, 0.5) if count > 1 else (0.2, 2.5)
    pitch_hz, noise = log_uniform(rng, 300, 700), log_uniform(rng, 0.03, 1.5)
    blares = []
    for _ in range(count):
        n = samples_at(log_uniform(rng, *seconds), rate)
        f0 = pitch_hz * (0.75 + 0.35 * contour(rng, n, "arched")) * (1 + slow_curve(rng, n, 6, -0.03, 0.03))
        blare = _call(rng, f0, rate, noise=noise, tract=(0.8 * pitch_hz, 3000)) * tapered(n, rate, rng.uniform(0.01, 0.1))
        blares.append(np.pad(blare, (0, samples_at(rng.uniform(0.03, 0.3), rate) if count > 1 else 0)))
    return _heard(rng, np.concatenate(blares), rate)


def bark(rng: Rng, rate: int) -> Array:
    """Barks in a row of like pitch: dogs, baboons, bushbuck."""
    pitch_hz, seconds, gap_s = log_uniform(rng, 200, 800), log_uniform(rng, 0.08, 0.3), log_uniform(rng, 0.1, 0.9)
    noise = rng.uniform(0.1, 1.5)
    calls = []
    for _ in range(rng.integers(1, 7)):
        n = samples_at(seconds * rng.uniform(0.8, 1.2), rate)
        f0 = pitch_hz * rng.uniform(0.9, 1.1) * (0.7 + 0.4 * contour(rng, n, "arched"))
        call = _call(rng, f0, rate, noise=noise, tract=(0.8 * pitch_hz, 2500)) * tapered(n, rate, rng.uniform(0.01, 0.05))
        calls.append(np.pad(rng.uniform(0.5, 1) * call, (0, samples_at(gap_s * rng.uniform(0.7, 1.3), rate))))
    return _heard(rng, np.concatenate(calls), rate, far_km=0.5)


def bird(rng: Rng, rate: int) -> Array:
    """Hoots and whistles, single or repeated."""
    n = samples_at(rng.uniform(0.1, 0.9), rate)
    f0 = log_uniform(rng, 180, 1700) * (1 + rng.uniform(-0.3, 0.3) * np.linspace(0, 1, n))
    note = np.sin(2 * np.pi * np.cumsum(f0) / rate) * swell(rng, n, rate, 0.2, 0.3)
    return np.tile(np.pad(note, (0, samples_at(rng.uniform(0.1, 0.8), rate))), rng.integers(1, 6))


def frog(rng: Rng, rate: int) -> Array:
    """Croaks: trains of short tonal pulses."""
    n = samples_at(rng.uniform(0.01, 0.06), rate)
    pulse = np.exp(-np.linspace(0, 5, n)) * np.sin(2 * np.pi * log_uniform(rng, 150, 1600) * times_s(n, rate))
    return np.tile(np.pad(pulse, (0, samples_at(rng.uniform(0.02, 0.3), rate))), rng.integers(4, 25))


def insects(rng: Rng, rate: int) -> Array:
    """A cicada or a cricket: a narrow band, trilled at 5-60 Hz."""
    n = samples_at(rng.uniform(0.5, 8), rate)
    centre_hz, width_hz = rng.uniform(0.25, 0.46) * rate, rng.uniform(15, 150)
    band = coloured_noise(rng, n, rate, lambda f: -3 * np.minimum(((f - centre_hz) / width_hz) ** 2, 40))
    beat = 0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(5, 60) * times_s(n, rate))
    return band * beat ** rng.uniform(0.3, 4) * swell(rng, n, rate, 0.1, 0.1)


def people(rng: Rng, rate: int) -> Array:
    """Far voices, or the music of a radio: syllables or notes, one after another."""
    music = rng.random() < 0.4
    pitch_hz = log_uniform(rng, 60, 400) if music else log_uniform(rng, 90, 250)
    parts = []
    for _ in range(rng.integers(3, 14)):
        n = samples_at(rng.uniform(0.2, 0.5) if music else rng.uniform(0.08, 0.3), rate)
        glide = np.ones(n) if music else 1 + rng.uniform(-0.2, 0.2) * np.linspace(0, 1, n)
        f0 = pitch_hz * 2 ** (rng.integers(-5, 6) / 12) * glide
        note = _call(rng, f0, rate, noise=rng.uniform(0, 0.3), tract=(0.8 * pitch_hz, 1500)) * tapered(n, rate, 0.03)
        parts.append(np.pad(note, (0, 0 if music else samples_at(rng.uniform(0.02, 0.2), rate))))
    return _heard(rng, np.concatenate(parts), rate)
