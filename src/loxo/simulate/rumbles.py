"""Rumbles: a source of many harmonics, a vocal tract that filters them, a path through forest.

- Fundamental: 8-35 Hz in adults, after Poole et al. 1988 and Keen et al. 2017; higher in young
  elephants and in short calls at clearings.
- Contours: most are arched; flat, rising, falling and doubly arched ones are fewer, after Soltis
  2010 and Hedwig et al. 2019.
- Durations: median 3.8 s, 95th percentile 7.0 s (training table of the Elephant Listening Project);
  clearings add calls of 0.2-1.5 s. Some of these begin and end at once, or fall by more than an
  octave, like those that turn into roars (Pardo et al. 2019).
- Jitter: the fundamental wanders by about one per cent, four times a second. The lines of real
  calls are not straight.
- Formants: a tract of some 2 m through the trunk or 0.7 m through the mouth (Stoeger et al. 2012),
  closed at one end. It resonates at c / 4L and odd multiples: at 20-60, 80-380 and 400-650 Hz, with
  a dark band below the last.
- Harmonics: strong up to some hundreds of hertz in close calls at a clearing; they have faded out
  at 0.4-2.5 kHz.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from loxo.acoustics import amplitude_factor, log_uniform
from loxo.simulate.propagation import propagate
from loxo.simulate.signals import (
    Array,
    Rng,
    coloured_noise,
    filtered,
    formants_db,
    harmonics,
    high_pass_db,
    low_pass_db,
    ramped_envelope,
    random_curve,
    unit_variance,
    wavering_envelope,
)
from loxo.timeline import samples_at

__all__ = ["CONTOURS", "pitch_contour", "rumble", "rumble_source"]

CONTOURS = {"arched": 0.5, "flat": 0.2, "rising": 0.08, "falling": 0.12, "double": 0.1}
"""Shapes of the fundamental, and the share of each."""


def pitch_contour(rng: Rng, n: int, kind: str) -> Array:
    """Draw the course of a pitch `(sample,)` over a call, from 0 (lowest) to 1 (highest).

    Args:
        kind: a key of `CONTOURS`.
    """
    peak = float(rng.beta(2.5, 3))
    # Positions in the call, and heights there. All are computed, since the double arch draws random
    # numbers: what follows must not depend on the kind.
    knots: dict[str, tuple[list[float], list[float]]] = {
        "arched": ([0, min(max(peak, 0.1), 0.9), 1], [0, 1, 0]),
        "flat": ([0, 0.1, 0.9, 1], [0.7, 1, 1, 0.7]),
        "rising": ([0, 1], [0, 1]),
        "falling": ([0, 1], [1, 0]),
        "double": (
            [0, 0.25, 0.5, 0.75, 1],
            [0, 1, float(rng.uniform(0.2, 0.6)), float(rng.uniform(0.75, 1)), 0],
        ),
    }
    positions, heights = knots[kind]
    position = np.linspace(0, 1, n)
    course = np.zeros(n)
    # Half a cosine between two knots: the course has no corners.
    for (start, stop), (low, high) in zip(pairwise(positions), pairwise(heights), strict=True):
        within = (position >= start) & (position <= stop)
        phase = np.pi * (position[within] - start) / (stop - start)
        course[within] = low + (high - low) * (0.5 - 0.5 * np.cos(phase))
    return course


def rumble(rng: Rng, rate: int) -> Array:
    """Make an elephant's rumble `(sample,)`, received from 20 m to 3 km away.

    Half are close calls as at a clearing. Of the farthest, only the lowest line is left.
    """
    close = rng.random() < 0.5
    distance_km = log_uniform(rng, 0.02, 0.3) if close else log_uniform(rng, 0.2, 3.0)
    source = rumble_source(rng, rate, close=close)
    return propagate(rng, source, rate, distance_km, echo_db=rng.uniform(-30, -12))


def rumble_source(rng: Rng, rate: int, *, close: bool) -> Array:
    """Make a rumble `(sample,)` as it leaves the elephant.

    Args:
        close: whether the caller is near. Such calls may be short, and may contain breath.
    """
    short = close and rng.random() < 0.6
    # Log-normal, with the median and the 95th percentile of the table named above.
    if short:
        duration_s = log_uniform(rng, 0.2, 1.5)
    else:
        duration_s = float(np.clip(rng.lognormal(np.log(3.8), 0.37), 0.9, 12.0))
    n = samples_at(duration_s, rate)
    pitch_hz = log_uniform(rng, 10, 70) if short else log_uniform(rng, 8, 35)
    f0 = _fundamental(rng, n, duration_s, pitch_hz, steep=short)
    source = harmonics(rng, f0, rate, limit_hz=log_uniform(rng, 400, 2500))
    voice = _vocal_tract(rng, source, rate)
    if close and rng.random() < 0.5:
        voice += _breath(rng, n, rate) * voice.std() * amplitude_factor(rng.uniform(-20, 0))
    if close and rng.random() < 0.3:
        return voice * ramped_envelope(n, rate, log_uniform(rng, 0.01, 0.1))
    attack, release = rng.uniform(0.08, 0.4), rng.uniform(0.1, 0.5)
    return voice * wavering_envelope(rng, n, rate, attack, release)


def _breath(rng: Rng, n: int, rate: int) -> Array:
    """Draw the noise of breath `(sample,)`, above 120 Hz, of variance 1."""
    top_hz = log_uniform(rng, 250, 1500)
    return unit_variance(
        coloured_noise(
            rng, n, rate, lambda f: high_pass_db(f, 120, 12) + low_pass_db(f, top_hz, 12)
        )
    )


def _fundamental(rng: Rng, n: int, duration_s: float, pitch_hz: float, *, steep: bool) -> Array:
    """Draw the fundamental `(sample,)` in Hz: a contour above a pitch, with a trend and jitter.

    Args:
        pitch_hz: lowest frequency of the contour.
        steep: in some calls, let the contour rise by twice the pitch instead of by half of it.
    """
    # A flat contour bends little, and a steep one only where a call is short.
    kind = str(rng.choice(list(CONTOURS), p=list(CONTOURS.values())))
    widest = 2.0 if steep and rng.random() < 0.3 else 0.5
    bend = rng.uniform(0.0, 0.06) if kind == "flat" else rng.uniform(0.08, widest)
    jitter = random_curve(rng, n, max(2, int(4 * duration_s)), -0.012, 0.012)
    course = bend * pitch_contour(rng, n, kind)
    trend = rng.uniform(-0.05, 0.05) * np.linspace(0, 1, n)
    f0: Array = pitch_hz * (1 + course + trend) * (1 + jitter)
    return f0


def _vocal_tract(rng: Rng, source: Array, rate: int) -> Array:
    """Filter a source by the tilt of the larynx, formants of trunk and mouth, and a low-pass."""
    tilt = rng.uniform(-1, 10)  # dB per octave
    # Centre, width (Hz) and gain (dB): the trunk, the mouth, and a higher resonance.
    formants = [
        (rng.uniform(20, 60), rng.uniform(10, 40), rng.uniform(0, 14)),
        (log_uniform(rng, 80, 380), rng.uniform(20, 80), rng.uniform(0, 20)),
        (rng.uniform(400, 650), rng.uniform(50, 120), rng.uniform(0, 22)),
    ]
    corner_hz, slope_db = log_uniform(rng, 40, 600), rng.uniform(6, 24)
    return filtered(
        source,
        rate,
        lambda f: (
            -tilt * np.log2(np.maximum(f, 5) / 20)
            + formants_db(f, formants)
            + low_pass_db(f, corner_hz, slope_db)
        ),
    )
