"""Rumbles: a source of many harmonics, a vocal tract that filters them, a path through forest.

- Fundamental: 8-35 Hz in adults, after Poole et al. 1988 and Keen et al. 2017; higher in young
  elephants and in short calls at clearings.
- Contours: most are arched; flat, rising, falling and doubly arched ones are fewer, after Soltis
  2010 and Hedwig et al. 2019.
- Durations: 0.9-12.8 s, median 3.8 s, 95th percentile 7.0 s (training table of the Elephant
  Listening Project); clearings add calls of 0.2-2 s. Some of these begin and end at once, or fall
  by more than an octave, like those that turn into roars (Pardo et al. 2019).
- Jitter: the fundamental wanders by about one per cent, four times a second. The lines of real
  calls are not straight.
- Formants: a tract of some 2 m through the trunk or 0.7 m through the mouth (Stoeger et al. 2012),
  closed at one end. It resonates at c / 4L and odd multiples: at 20-60, 80-380 and 400-650 Hz, with
  a dark band below the last.
- Harmonics: strong up to some hundreds of hertz in close calls at a clearing; they have faded out
  at 0.4-2.5 kHz. People who mark calls in forest recordings end most of their boxes at 30-60 Hz
  (the same table): of a far call, little is left above.
- A line: of the farthest calls, a single line of 14-36 Hz, the fundamental or the second harmonic.
- A formant: where wind or a recorder hides the low harmonics, only a group of lines at 60-200 Hz
  is left of a call, a fundamental of 10-20 Hz apart.
"""

from __future__ import annotations

from dataclasses import dataclass
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

__all__ = ["CALLERS", "CONTOURS", "Caller", "pitch_contour", "rumble"]

CONTOURS = {"arched": 0.5, "flat": 0.2, "rising": 0.08, "falling": 0.12, "double": 0.1}
"""Shapes of the fundamental, and the share of each."""
LINE_CONTOURS = {"arched": 0.5, "flat": 0.35, "rising": 0.05, "falling": 0.1}
"""The same of calls of which a single line is left."""
CALLERS = {"whole": 0.48, "short": 0.30, "far": 0.05, "line": 0.12, "formant": 0.05}
"""Kinds of callers, and the share of each. Most calls are whole, and many are short near a
clearing. Of others, the lowest lines, a single line or a formant is left. When those were more than
half, a network missed the calls of real recordings (docs/accuracy.md)."""
NEAR_KM = 0.3
"""From nearer than this, the breath in a call can be heard."""
ABRUPT_SHARE = {"whole": 0.1, "short": 0.3}
"""Share of calls that begin and end at once; all others rise and fade slowly."""


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
    """Make an elephant's rumble `(sample,)`, received from 20 m to 3 km away."""
    return Caller.draw(rng).call(rng, rate)


@dataclass(frozen=True, slots=True)
class Caller:
    """An elephant that calls from one place: all of its calls have a like pitch, tract and path.

        caller = Caller.draw(rng)
        first, second = caller.call(rng, rate), caller.call(rng, rate)

    Args:
        kind: a key of `CALLERS`.
        distance_km: how far away it is.
        echo_db: energy of the reverberation relative to the direct sound.
        pitch_hz: lowest frequency of its contours; for a line, that of the line.
        limit_hz: frequency of the last harmonic.
        tilt_db: fall of the harmonics per octave.
        formants: centre in Hz, width in Hz and gain in dB of each resonance.
        band_hz: corners of what is left of its calls.
        slopes_db: slope below and above that band, per octave.
        breath_db: level of the breath in its calls relative to the voice, or None.
    """

    kind: str
    distance_km: float
    echo_db: float
    pitch_hz: float
    limit_hz: float
    tilt_db: float
    formants: tuple[tuple[float, float, float], ...]
    band_hz: tuple[float, float]
    slopes_db: tuple[float, float]
    breath_db: float | None

    @classmethod
    def draw(cls, rng: Rng, kind: str | None = None) -> Caller:
        """Draw an elephant.

        Args:
            kind: a key of `CALLERS`; drawn by their shares if it is None.
        """
        if kind is None:
            kind = str(rng.choice(list(CALLERS), p=list(CALLERS.values())))
        distance_km = _draw_distance_km(rng, kind)
        near = kind in {"whole", "short"} and distance_km < NEAR_KM
        return cls(
            kind,
            distance_km=distance_km,
            echo_db=rng.uniform(-30, -12),
            pitch_hz=_draw_pitch_hz(rng, kind),
            limit_hz=log_uniform(rng, 400, 2500),
            tilt_db=rng.uniform(2, 9) if kind == "far" else rng.uniform(-1, 10),
            # The trunk, the mouth, and a higher resonance.
            formants=(
                (rng.uniform(20, 60), rng.uniform(10, 40), rng.uniform(0, 14)),
                (log_uniform(rng, 80, 380), rng.uniform(20, 80), rng.uniform(0, 20)),
                (rng.uniform(400, 650), rng.uniform(50, 120), rng.uniform(0, 22)),
            ),
            band_hz=_draw_band_hz(rng, kind),
            slopes_db=(rng.uniform(30, 60), rng.uniform(6, 24)),
            breath_db=rng.uniform(-20, 0) if near and rng.random() < 0.5 else None,
        )

    def call(self, rng: Rng, rate: int) -> Array:
        """Make one of its calls `(sample,)`, as it is received."""
        # It walks some steps from one call to the next.
        distance_km = self.distance_km * rng.uniform(0.97, 1.03)
        return propagate(rng, self.source(rng, rate), rate, distance_km, self.echo_db)

    def source(self, rng: Rng, rate: int) -> Array:
        """Make one of its calls `(sample,)`, as it leaves the elephant."""
        duration_s = _draw_duration_s(rng, self.kind)
        n = samples_at(duration_s, rate)
        pitch_hz = self.pitch_hz * rng.uniform(0.96, 1.04)
        if self.kind == "line":
            bend = rng.uniform(0.02, 0.18)
            f0 = fundamental(rng, n, duration_s, pitch_hz, LINE_CONTOURS, bend, jitter=0.003)
            voice = _line(rng, f0, rate)
        else:
            # A flat contour bends little, and a steep one only where a call is short.
            steep = self.kind == "short" and rng.random() < 0.3
            bend = rng.uniform(0.08, 2.0 if steep else 0.5)
            f0 = fundamental(rng, n, duration_s, pitch_hz, CONTOURS, bend)
            voice = self._voice(rng, f0, rate)
        if rng.random() < ABRUPT_SHARE.get(self.kind, 0.0):
            return voice * ramped_envelope(n, rate, log_uniform(rng, 0.01, 0.1))
        return voice * _fading(rng, n, rate)

    def _voice(self, rng: Rng, f0: Array, rate: int) -> Array:
        """Filter a source of harmonics by the tract, and add breath."""
        source = harmonics(rng, f0, rate, self.limit_hz)
        # The tract moves a little: no two calls have the same formants.
        moved = rng.uniform(0.95, 1.05)
        formants = [(moved * centre, width, gain) for centre, width, gain in self.formants]
        low_hz, high_hz = self.band_hz
        voice = filtered(
            source,
            rate,
            lambda f: (
                -self.tilt_db * np.log2(np.maximum(f, 5) / 20)
                + formants_db(f, formants)
                + high_pass_db(f, low_hz, self.slopes_db[0])
                + low_pass_db(f, high_hz, self.slopes_db[1])
            ),
        )
        if self.breath_db is not None:
            breath = _breath(rng, len(f0), rate)
            voice += breath * voice.std() * amplitude_factor(self.breath_db)
        return voice


def _draw_distance_km(rng: Rng, kind: str) -> float:
    """Draw how far away a kind of caller is."""
    ranges_km = {
        "whole": (0.02, 3.0),
        "short": (0.02, NEAR_KM),
        "far": (0.2, 3.0),
        "line": (0.5, 3.0),
        "formant": (0.05, 0.6),
    }
    return log_uniform(rng, *ranges_km[kind])


def _draw_pitch_hz(rng: Rng, kind: str) -> float:
    """Draw the lowest frequency of a kind of caller; of a line, that of the line."""
    if kind == "line":
        return log_uniform(rng, 20, 36) if rng.random() < 0.7 else log_uniform(rng, 14, 24)
    ranges_hz = {"whole": (8, 35), "short": (10, 70), "far": (8, 26), "formant": (10, 20)}
    return log_uniform(rng, *ranges_hz[kind])


def _draw_band_hz(rng: Rng, kind: str) -> tuple[float, float]:
    """Draw the corners of the band that is left of the calls of a kind of caller."""
    if kind == "formant":
        low_hz = rng.uniform(60, 100)
        return low_hz, low_hz * rng.uniform(1.2, 1.9)
    # No calls have anything below 5 Hz.
    return 5.0, log_uniform(rng, 25, 100) if kind == "far" else log_uniform(rng, 40, 600)


def _draw_duration_s(rng: Rng, kind: str) -> float:
    """Draw the duration of a call."""
    if kind == "short":
        return log_uniform(rng, 0.2, 2.0)
    if kind == "line":
        return float(np.clip(rng.lognormal(np.log(4.4), 0.3), 3.0, 8.0))
    # Log-normal. People mark a call until 15 dB below its peak or so: what they mark has the median
    # and the 95th percentile of the table named above.
    return float(np.clip(rng.lognormal(np.log(3.95), 0.43), 0.9, 13.0))


def _fading(rng: Rng, n: int, rate: int) -> Array:
    """Draw the envelope of a call that rises and fades slowly."""
    attack, release = rng.uniform(0.08, 0.4), rng.uniform(0.1, 0.5)
    return wavering_envelope(rng, n, rate, attack, release)


def _line(rng: Rng, f0: Array, rate: int) -> Array:
    """Make one line, with the lines of half and of twice its frequency hardly there."""
    phase = 2 * np.pi * np.cumsum(f0) / rate + rng.uniform(0, 2 * np.pi)
    below, above = amplitude_factor(rng.uniform(-60, -18, 2))
    voice: Array = np.sin(phase) + below * np.sin(phase / 2) + above * np.sin(2 * phase)
    return voice


def _breath(rng: Rng, n: int, rate: int) -> Array:
    """Draw the noise of breath `(sample,)`, above 120 Hz, of variance 1."""
    top_hz = log_uniform(rng, 250, 1500)
    return unit_variance(
        coloured_noise(
            rng, n, rate, lambda f: high_pass_db(f, 120, 12) + low_pass_db(f, top_hz, 12)
        )
    )


def fundamental(
    rng: Rng,
    n: int,
    duration_s: float,
    pitch_hz: float,
    contours: dict[str, float],
    bend: float,
    jitter: float = 0.012,
) -> Array:
    """Draw the fundamental `(sample,)` in Hz: a contour above a pitch, with a trend and jitter.

    Args:
        pitch_hz: lowest frequency of the contour.
        contours: shapes, and the share of each.
        bend: height of the contour, as a part of the pitch; a flat one is lower.
        jitter: by which part of it the frequency wanders, four times a second.
    """
    kind = str(rng.choice(list(contours), p=list(contours.values())))
    course = (rng.uniform(0.0, 0.06) if kind == "flat" else bend) * pitch_contour(rng, n, kind)
    trend = rng.uniform(-0.05, 0.05) * np.linspace(0, 1, n)
    wander = random_curve(rng, n, max(2, int(4 * duration_s)), -jitter, jitter)
    f0: Array = pitch_hz * (1 + course + trend) * (1 + wander)
    return f0
