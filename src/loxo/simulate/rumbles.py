"""Rumbles: a source of many harmonics, a vocal tract that shapes them, and the way to the recorder.

- Fundamental 8-35 Hz in adults, after Poole et al. 1988 and Keen et al. 2017; higher in the young and in short calls at clearings.
- Contours: most are arched; flat, rising, falling and doubly arched ones are fewer, after Soltis 2010 and Hedwig et al. 2019.
- Durations: median 3.8 s, 95th percentile 7.0 s (training table of the Elephant Listening Project); clearings add calls of 0.2-1.5 s. Some
  of these begin and end at once or fall by more than an octave, as those do into which roars go over (Pardo et al. 2019).
- Jitter: the fundamental wanders by about one per cent, four times a second: lines of real calls are not straight.
- Formants: a tract of some 2 m through the trunk or .7 m through the mouth (Stoeger et al. 2012), closed at one end: c / 4L and its odd
  multiples, so resonances at 20-60, 80-380 and 400-650 Hz, with a dark band below the last.
- Harmonics: strong up to some hundreds of Hz in close calls at a clearing; their end lies at 0.4-2.5 kHz, where they have faded.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from loxo.simulate.propagation import carried
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
from loxo.timeline import samples_at

__all__ = ["CONTOURS", "contour", "rumble", "uttered"]

CONTOURS = {"arched": 0.5, "flat": 0.2, "rising": 0.08, "falling": 0.12, "double": 0.1}
"""Shapes of the fundamental, and their shares."""


def contour(rng: Rng, n: int, kind: str) -> Array:
    """Course of the pitch `(sample,)` over a call, from 0 to 1."""
    peak = float(rng.beta(2.5, 3))
    knots: dict[str, tuple[list[float], list[float]]] = {
        "arched": ([0, min(max(peak, 0.1), 0.9), 1], [0, 1, 0]),
        "flat": ([0, 0.1, 0.9, 1], [0.7, 1, 1, 0.7]),
        "rising": ([0, 1], [0, 1]),
        "falling": ([0, 1], [1, 0]),
        "double": ([0, 0.25, 0.5, 0.75, 1], [0, 1, float(rng.uniform(0.2, 0.6)), float(rng.uniform(0.75, 1)), 0]),
    }
    at, height = knots[kind]
    position = np.linspace(0, 1, n)
    out = np.zeros(n)
    # Between its knots the course is a half wave: it has no corners.
    for (start, stop), (low, high) in zip(pairwise(at), pairwise(height), strict=True):
        within = (position >= start) & (position <= stop)
        out[within] = low + (high - low) * (0.5 - 0.5 * np.cos(np.pi * (position[within] - start) / (stop - start)))
    return out


def rumble(rng: Rng, rate: int) -> Array:
    """An elephant's rumble, from a call at the clearing to the one line that is left of it kilometres away."""
    close = rng.random() < 0.5
    distance_km = log_uniform(rng, 0.02, 0.3) if close else log_uniform(rng, 0.2, 3.0)
    return carried(rng, uttered(rng, rate, close=close), rate, distance_km, echo_db=rng.uniform(-30, -12))


def uttered(rng: Rng, rate: int, *, close: bool) -> Array:
    """A rumble as it leaves the elephant; `close` ones may be short, and breath is heard in them."""
    short = close and rng.random() < 0.6
    duration_s = log_uniform(rng, 0.2, 1.5) if short else float(np.clip(rng.lognormal(np.log(3.8), 0.37), 0.9, 12.0))
    n = samples_at(duration_s, rate)
    f0 = _fundamental(rng, n, duration_s, log_uniform(rng, 10, 70) if short else log_uniform(rng, 8, 35), steep=short)
    voice = _tract(rng, harmonics(rng, f0, rate, limit_hz=log_uniform(rng, 400, 2500)), rate)
    if close and rng.random() < 0.5:
        top_hz = log_uniform(rng, 250, 1500)
        breath = normed(coloured_noise(rng, n, rate, lambda f: high_pass_db(f, 120, 12) + low_pass_db(f, top_hz, 12)))
        voice += breath * voice.std() * 10 ** (rng.uniform(-20, 0) / 20)
    if close and rng.random() < 0.3:
        return voice * tapered(n, rate, log_uniform(rng, 0.01, 0.1))
    return voice * swell(rng, n, rate, attack=rng.uniform(0.08, 0.4), release=rng.uniform(0.1, 0.5))


def _fundamental(rng: Rng, n: int, duration_s: float, pitch_hz: float, *, steep: bool) -> Array:
    """Fundamental `(sample,)` in Hz: a contour on a pitch, with jitter; up to half of the pitch wide; some `steep` ones, twice."""
    kind = str(rng.choice(list(CONTOURS), p=list(CONTOURS.values())))
    widest = 2.0 if steep and rng.random() < 0.3 else 0.5
    bend = rng.uniform(0.0, 0.06) if kind == "flat" else rng.uniform(0.08, widest)
    jitter = slow_curve(rng, n, max(2, int(4 * duration_s)), -0.012, 0.012)
    f0: Array = pitch_hz * (1 + bend * contour(rng, n, kind) + rng.uniform(-0.05, 0.05) * np.linspace(0, 1, n)) * (1 + jitter)
    return f0


def _tract(rng: Rng, source: Array, rate: int) -> Array:
    """The source with the tilt of the larynx, the formants of trunk and mouth, and the limit above which nothing is left."""
    tilt = rng.uniform(-1, 10)
    formants = [
        (rng.uniform(20, 60), rng.uniform(10, 40), rng.uniform(0, 14)),
        (log_uniform(rng, 80, 380), rng.uniform(20, 80), rng.uniform(0, 20)),
        (rng.uniform(400, 650), rng.uniform(50, 120), rng.uniform(0, 22)),
    ]
    corner_hz, slope_db = log_uniform(rng, 40, 600), rng.uniform(6, 24)
    return shaped(
        source,
        rate,
        lambda f: -tilt * np.log2(np.maximum(f, 5) / 20) + formants_db(f, formants) + low_pass_db(f, corner_hz, slope_db),
    )
