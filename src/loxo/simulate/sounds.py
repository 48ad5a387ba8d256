"""Single sounds: rumbles, gunshots, and what is taken for them.

Each function draws one sound from a Generator and returns its waveform `(sample,)`, float64, of arbitrary level: the scene sets that.
Sources: rumbles after Poole et al. 1988 and Keen et al. 2017 (fundamental 8-35 Hz, arched, harmonics under a formant-like envelope) with
the durations of the public ELP table (median 3.8 s, 95th percentile 7.0 s); clearings add calls of a fraction of a second and of higher
pitch. Gunshots after Maher 2007 (muzzle blast of a few milliseconds, shock wave ahead of it) and forest reverberation that takes the
highs first (Padgham 2004).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.signal import fftconvolve

from loxo.timeline import samples_at

__all__ = ["LOOKALIKES", "aircraft", "coloured_noise", "gunshot", "rumble", "shaped", "slow_curve"]

Array = NDArray[np.float64]
Rng = np.random.Generator


def slow_curve(rng: Rng, n: int, knots: int, low: float, high: float) -> Array:
    """A random curve of `n` values in [low, high] that bends `knots` times."""
    return np.interp(np.linspace(0, knots, n), np.arange(knots + 1), rng.uniform(low, high, knots + 1))


def shaped(waveform: Array, rate: int, gain_db: Callable[[Array], Array]) -> Array:
    """The waveform with each frequency (Hz) changed by `gain_db`, without delay; the ends do not wrap."""
    n = len(waveform)
    padded = fft.next_fast_len(n + min(n, rate), real=True)
    spectrum = fft.rfft(waveform, padded)
    result: Array = fft.irfft(spectrum * _gain(gain_db, padded, rate), padded)[:n]
    return result


def coloured_noise(rng: Rng, n: int, rate: int, gain_db: Callable[[Array], Array]) -> Array:
    """Gaussian noise whose spectrum is white plus `gain_db`."""
    padded = fft.next_fast_len(n, real=True)
    spectrum = rng.normal(size=(2, padded // 2 + 1))
    result: Array = fft.irfft((spectrum[0] + 1j * spectrum[1]) * _gain(gain_db, padded, rate), padded)[:n]
    return result


def _gain(gain_db: Callable[[Array], Array], padded: int, rate: int) -> Array:
    """Factor of each bin of a transform of `padded` samples."""
    frequency = np.maximum(np.arange(padded // 2 + 1) * (rate / padded), 0.5)
    return 10 ** (gain_db(frequency) / 20)


def low_pass_db(frequency: Array, corner_hz: float, slope_db: float) -> Array:
    """Zero below the corner, falling by `slope_db` an octave above it."""
    return -slope_db * np.maximum(np.log2(frequency / corner_hz), 0.0)


def high_pass_db(frequency: Array, corner_hz: float, slope_db: float) -> Array:
    """Zero above the corner, falling by `slope_db` an octave below it."""
    return -slope_db * np.maximum(np.log2(corner_hz / frequency), 0.0)


def _log_uniform(rng: Rng, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _swell(rng: Rng, n: int, attack: float, release: float) -> Array:
    """Envelope that rises over `attack` and falls over `release` of its length, and wavers between."""
    position = np.linspace(0, 1, n)
    edge = np.clip(position / attack, 0, 1) * np.clip((1 - position) / release, 0, 1)
    return np.sin(0.5 * np.pi * edge) * 10 ** (slow_curve(rng, n, max(3, n // 1500), -5, 0) / 20)


def _harmonics(rng: Rng, f0: Array, rate: int, level_db: Callable[[Array], Array], limit_hz: float) -> Array:
    """Sum of the harmonics of a fundamental `(sample,)` up to a limit, each at the level of its frequency give or take 3 dB."""
    phase = 2 * np.pi * np.cumsum(f0) / rate
    limit_hz = min(limit_hz, 0.45 * rate)
    out = np.zeros(len(f0))
    for k in range(1, max(1, int(limit_hz / f0.mean())) + 1):
        level = level_db(k * f0) + rng.normal(0, 3)
        out += 10 ** (level / 20) * np.sin(k * phase + rng.uniform(0, 2 * np.pi)) * (k * f0 < 0.48 * rate)
    return out


def rumble(rng: Rng, rate: int) -> Array:
    """An elephant's rumble, from a call at the clearing to the one line that is left of it kilometres away."""
    close = rng.random() < 0.45
    short = close and rng.random() < 0.5
    duration_s = _log_uniform(rng, 0.25, 2.5) if short else np.clip(rng.lognormal(np.log(3.8), 0.37), 0.9, 12.8)
    n = samples_at(duration_s, rate)
    position = np.linspace(0, 1, n)
    peak = rng.beta(2.5, 3)
    arch = np.where(position < peak, position / peak, (1 - position) / (1 - peak))
    bend = rng.choice([rng.uniform(0.1, 0.5), rng.uniform(0.0, 0.12), rng.uniform(-0.2, 0.0)], p=[0.55, 0.35, 0.1])
    drift = (rng.uniform(-0.6, 0.1) if short and rng.random() < 0.4 else rng.uniform(-0.12, 0.12)) * position
    pitch_hz = _log_uniform(rng, 10, 55) if close else _log_uniform(rng, 9, 36)
    f0 = pitch_hz * (1 + bend * np.sin(0.5 * np.pi * arch) + drift) * (1 + slow_curve(rng, n, max(2, int(4 * duration_s)), -0.012, 0.012))
    formants = [(rng.uniform(25, 70), rng.uniform(20, 60)), (rng.uniform(80, 220), rng.uniform(40, 120))]
    gains = rng.uniform(0, 14), rng.uniform(0, 14)
    tilt = rng.uniform(2, 10)
    corner_hz = _log_uniform(rng, 150, 600) if close else _log_uniform(rng, 25, 250)
    slope_db = rng.uniform(6, 14) if close else rng.uniform(10, 30)

    def level_db(frequency: Array) -> Array:
        source = -tilt * np.log2(np.maximum(frequency, 5) / 20)
        tract = sum(gain * np.exp(-(((frequency - centre) / width) ** 2)) for gain, (centre, width) in zip(gains, formants, strict=True))
        return source + tract + low_pass_db(frequency, corner_hz, slope_db)

    voice = _harmonics(rng, f0, rate, level_db, limit_hz=min(700.0, 4 * corner_hz))
    if rng.random() < 0.2:
        line = rng.integers(1, 4)
        voice = np.sin(2 * np.pi * np.cumsum(line * f0 if line * pitch_hz < 60 else f0) / rate)
    if close and rng.random() < 0.5:
        breath = coloured_noise(rng, n, rate, lambda f: high_pass_db(f, 120, 12) + low_pass_db(f, rng.uniform(250, 700), 12))
        voice += breath / breath.std() * voice.std() * 10 ** (rng.uniform(-20, 0) / 20)
    return voice * _swell(rng, n, attack=rng.uniform(0.08, 0.4), release=rng.uniform(0.1, 0.5))


def _reverberation(rng: Rng, rate: int, seconds: float, low_t60_s: float, high_t60_s: float, onset_s: float) -> Array:
    """Scattered sound after an impulse: noise in octave-like bands that fade in their own time, highs first."""
    n = samples_at(seconds, rate)
    time_s = np.arange(n) / rate
    out = np.zeros(n)
    for share, edge_hz in zip(np.linspace(0, 1, 6), np.geomspace(60, 1700, 6), strict=True):
        t60_s = low_t60_s ** (1 - share) * high_t60_s**share
        band = coloured_noise(rng, n, rate, lambda f, c=edge_hz: -12 * np.log2(f / c) ** 2)  # type: ignore[misc]  # bound in a loop
        out += band / band.std() * 10 ** (-3 * time_s / t60_s)
    rise = 1 - np.exp(-time_s / max(onset_s, 1e-4))
    tail: Array = out * rise * 10 ** (slow_curve(rng, n, max(4, int(seconds * 12)), -2.5, 2.5) / 20)
    return tail


def _blast(rng: Rng, rate: int, distance_km: float, *, dry: bool) -> Array:
    """One shot at a distance: muzzle blast, scattered tail, echoes from the terrain, and for rifles a shock wave ahead.

    In the open there is next to nothing that scatters: a `dry` shot fades within tenths of a second.
    """
    tail_s = rng.uniform(0.15, 0.6) if dry else rng.uniform(0.6, 3.5)
    low_t60 = rng.uniform(0.1, 0.6) if dry else rng.uniform(0.7, 4.0)
    tail = _reverberation(rng, rate, tail_s, low_t60, low_t60 * rng.uniform(0.25, 0.9), onset_s=0.02 * distance_km * rng.random())
    out = np.zeros(len(tail) + rate)
    lead = samples_at(rng.uniform(0, 0.4) * min(distance_km, 1.0), rate) if rng.random() < 0.3 else 0
    direct = rng.normal(size=max(4, samples_at(rng.uniform(0.002, 0.012), rate)))
    direct *= np.exp(-3 * np.linspace(0, 1, len(direct)))
    strength = tail[: rate // 10].std() * rng.uniform(0.5, 5) / (0.3 + 3 * distance_km)
    out[lead : lead + len(tail)] += tail
    out[lead : lead + len(direct)] += strength * np.sqrt(50 / len(direct)) * direct
    if lead:
        out[: len(direct)] += strength * rng.uniform(0.2, 1.0) * direct
    for _ in range(rng.poisson(0.8)):
        delay = min(samples_at(rng.uniform(0.08, 0.9), rate), len(tail) - 1)
        out[lead + delay : lead + len(tail)] += rng.uniform(0.1, 0.6) * tail[: len(tail) - delay]
    return out


def gunshot(rng: Rng, rate: int) -> Array:
    """A shot or a burst, 30 m to 3 km away: distance takes the highs, the tail outlasts the blast.

    Of the lows, soft ground takes what lies below some 200-600 Hz from sound that grazes it (Embleton 1996), and small microphones and
    their filters take them too: forest recordings of shots often hold nothing below 400 Hz.
    """
    dry = rng.random() < 0.2
    distance_km = _log_uniform(rng, 0.03, 0.3 if dry else 3.0)
    shot = _blast(rng, rate, distance_km, dry=dry)
    if rng.random() < 0.12:
        gap = samples_at(rng.uniform(0.07, 0.16) if rng.random() < 0.6 else rng.uniform(0.25, 0.6), rate)
        times = np.cumsum(rng.integers(int(0.95 * gap), int(1.05 * gap) + 2, size=rng.integers(1, 7)))
        burst = np.zeros(len(shot) + times[-1])
        for at in [0, *times]:
            burst[at : at + len(shot)] += rng.uniform(0.7, 1.0) * shot
        shot = burst
    corner_hz = min(1900.0, 2500 / (0.3 + distance_km) * rng.uniform(0.4, 2.5))
    high_slope, low_slope = rng.uniform(6, 24), rng.uniform(6, 40)
    low_hz = _log_uniform(rng, 20, 120) if dry else _log_uniform(rng, 40, 700)
    peak_hz, peak_db, width = _log_uniform(rng, 150, 1200), rng.uniform(0, 10), rng.uniform(0.4, 1.2)
    return shaped(
        shot,
        rate,
        lambda f: (
            low_pass_db(f, corner_hz, high_slope)
            + high_pass_db(f, low_hz, low_slope)
            + peak_db * np.exp(-((np.log2(f / peak_hz) / width) ** 2))
        ),
    )


# What is taken for a rumble or a gunshot.


def branch_snap(rng: Rng, rate: int) -> Array:
    """Dry cracks of some milliseconds, without the tail of a shot."""
    n = samples_at(rng.uniform(0.3, 2.0), rate)
    out = np.zeros(n)
    for at in rng.integers(0, n - rate // 10, size=rng.integers(1, 5)):
        length = samples_at(rng.uniform(0.004, 0.05), rate)
        crack = rng.normal(size=length) * np.exp(-4 * np.linspace(0, 1, length))
        out[at : at + length] += rng.uniform(0.3, 1) * crack
    return shaped(out, rate, lambda f: high_pass_db(f, rng.uniform(150, 900), rng.uniform(6, 18)))


def tree_fall(rng: Rng, rate: int) -> Array:
    """Cracks that grow dense, a crash of leaves, and a thump."""
    n = samples_at(rng.uniform(2, 7), rate)
    rush = coloured_noise(rng, n, rate, lambda f: -3 * np.log2(f / 300) - 3 * np.abs(np.log2(f / 400)))
    out: Array = rush / rush.std() * np.linspace(0, 1, n) ** rng.uniform(1, 4) * _swell(rng, n, 0.2, rng.uniform(0.05, 0.3))
    for at in (n * rng.beta(3, 1.2, size=rng.integers(3, 25))).astype(int):
        length = min(n - at, samples_at(rng.uniform(0.01, 0.08), rate))
        out[at : at + length] += rng.uniform(0.5, 4) * rng.normal(size=length) * np.exp(-4 * np.linspace(0, 1, length))
    return out


def thunder(rng: Rng, rate: int) -> Array:
    """Low noise that swells, rolls and fades over many seconds, with a soft start."""
    n = samples_at(rng.uniform(3, 14), rate)
    corner_hz = _log_uniform(rng, 30, 250)
    noise = coloured_noise(rng, n, rate, lambda f: low_pass_db(f, corner_hz, rng.uniform(6, 14)) + high_pass_db(f, 12, 12))
    roll = 10 ** (slow_curve(rng, n, max(4, int(n / rate * 2)), -14, 0) / 20)
    return noise * roll * _swell(rng, n, rng.uniform(0.03, 0.3), rng.uniform(0.3, 0.6))


def wind_gust(rng: Rng, rate: int) -> Array:
    """Pressure noise of wind on the microphone: steep, below some 100 Hz."""
    n = samples_at(rng.uniform(0.4, 8), rate)
    slope, corner_hz = rng.uniform(6, 12), rng.uniform(5, 60)
    return coloured_noise(rng, n, rate, lambda f: low_pass_db(f, corner_hz, slope)) * _swell(rng, n, 0.3, 0.4)


def drumming(rng: Rng, rate: int) -> Array:
    """Buttress drumming of chimpanzees and chest beats: a series of low thumps."""
    beats = rng.integers(2, 14)
    gaps = samples_at(_log_uniform(rng, 0.06, 0.45), rate) * rng.uniform(0.8, 1.25, beats)
    n = int(gaps.sum()) + rate // 2
    out = np.zeros(n)
    pitch_hz, decay_s = _log_uniform(rng, 45, 500), rng.uniform(0.02, 0.09)
    time_s = np.arange(rate // 2) / rate
    for at in np.cumsum(gaps).astype(int):
        beat = np.sin(2 * np.pi * pitch_hz * time_s * rng.uniform(0.95, 1.05)) + 0.5 * rng.normal(size=len(time_s))
        out[at : at + len(beat)] += (rng.uniform(0.5, 1) * beat * np.exp(-time_s / decay_s))[: n - at]
    return shaped(out, rate, lambda f: low_pass_db(f, 3 * pitch_hz, 9))


def _voice(rng: Rng, rate: int, pitch_hz: tuple[float, float], seconds: tuple[float, float], noise: float) -> Array:
    """A voiced call: gliding harmonics under one resonance, with noise."""
    n = samples_at(rng.uniform(*seconds), rate)
    f0 = _log_uniform(rng, *pitch_hz) * (1 + slow_curve(rng, n, 5, -0.15, 0.15))
    centre_hz, width = _log_uniform(rng, 250, 1500), rng.uniform(0.5, 2)
    call = _harmonics(rng, f0, rate, lambda f: -6 * (np.log2(f / centre_hz) / width) ** 2, limit_hz=1900)
    hiss = coloured_noise(rng, n, rate, lambda f: -6 * (np.log2(f / centre_hz) / width) ** 2)
    call = call / (call.std() + 1e-12) + noise * hiss / hiss.std()
    swelling: Array = call * _swell(rng, n, rng.uniform(0.08, 0.3), rng.uniform(0.1, 0.5))
    return swelling


def roar(rng: Rng, rate: int) -> Array:
    """An elephant's roar: noisy, 100 Hz to 2 kHz, half a second to four."""
    return _voice(rng, rate, (60, 350), (0.5, 4), noise=rng.uniform(0.5, 4))


def trumpet(rng: Rng, rate: int) -> Array:
    """An elephant's trumpet: bright harmonics."""
    return _voice(rng, rate, (250, 700), (0.3, 2.2), noise=rng.uniform(0.05, 1.5))


def bark(rng: Rng, rate: int) -> Array:
    """Short barks in a row: dogs, baboons, bushbuck."""
    calls = [_voice(rng, rate, (200, 900), (0.1, 0.35), noise=rng.uniform(0.2, 1.5)) for _ in range(rng.integers(1, 5))]
    return np.concatenate([np.pad(call, (0, samples_at(rng.uniform(0.1, 0.9), rate))) for call in calls])


def bird(rng: Rng, rate: int) -> Array:
    """Hoots and whistles, single or repeated."""
    n = samples_at(rng.uniform(0.1, 0.9), rate)
    f0 = _log_uniform(rng, 180, 1700) * (1 + rng.uniform(-0.3, 0.3) * np.linspace(0, 1, n))
    note = np.sin(2 * np.pi * np.cumsum(f0) / rate) * _swell(rng, n, 0.2, 0.3)
    return np.tile(np.pad(note, (0, samples_at(rng.uniform(0.1, 0.8), rate))), rng.integers(1, 6))


def frog(rng: Rng, rate: int) -> Array:
    """Croaks: trains of short tonal pulses."""
    pulse = np.exp(-np.linspace(0, 5, samples_at(rng.uniform(0.01, 0.06), rate)))
    pulse *= np.sin(2 * np.pi * _log_uniform(rng, 150, 1600) * np.arange(len(pulse)) / rate)
    return np.tile(np.pad(pulse, (0, samples_at(rng.uniform(0.02, 0.3), rate))), rng.integers(4, 25))


def rain(rng: Rng, rate: int) -> Array:
    """Drops on the housing: many short knocks."""
    n = samples_at(rng.uniform(2, 12), rate)
    drops = np.zeros(n)
    at = rng.integers(0, n, size=max(1, int(n / rate * _log_uniform(rng, 1, 60))))
    np.add.at(drops, at, rng.normal(size=len(at)) * rng.exponential(size=len(at)))
    ring_hz, decay_s = _log_uniform(rng, 80, 1500), rng.uniform(0.002, 0.015)
    time_s = np.arange(rate // 8) / rate
    ring = np.sin(2 * np.pi * ring_hz * time_s) * np.exp(-time_s / decay_s)
    return fftconvolve(drops, ring)[:n]


def aircraft(rng: Rng, rate: int) -> Array:
    """Engine lines that glide slowly, over a rush: aeroplane, helicopter, lorry, boat or generator."""
    seconds = rng.uniform(8, 40)
    n = samples_at(seconds, rate)
    start_hz = _log_uniform(rng, 8, 120)
    position = np.linspace(-1, 1, n) * rng.uniform(1, 4) + rng.uniform(-1, 1)
    f0 = start_hz * (1 - rng.uniform(0, 0.12) * np.tanh(position)) * (1 + slow_curve(rng, n, max(2, int(seconds / 2)), -0.004, 0.004))
    tilt, corner_hz = rng.uniform(0, 8), _log_uniform(rng, 60, 900)
    lines = _harmonics(rng, f0, rate, lambda f: -tilt * np.log2(f / 20) + low_pass_db(f, corner_hz, 9), limit_hz=min(900, 3 * corner_hz))
    rush = coloured_noise(rng, n, rate, lambda f: low_pass_db(f, corner_hz, 9))
    sound = lines / (lines.std() + 1e-12) + rng.uniform(0, 0.7) * rush / rush.std()
    swelling: Array = sound * _swell(rng, n, rng.uniform(0.2, 0.5), rng.uniform(0.2, 0.5))
    return swelling


def saw(rng: Rng, rate: int) -> Array:
    """Chain saw or motorcycle: harmonics that rev up and down."""
    n = samples_at(rng.uniform(2, 12), rate)
    f0 = _log_uniform(rng, 45, 170) * (1 + slow_curve(rng, n, max(3, n // rate), -0.25, 0.25))
    return _harmonics(rng, f0, rate, lambda f: -2 * np.log2(f / 100), limit_hz=1800) * _swell(rng, n, 0.1, 0.1)


def knock(rng: Rng, rate: int) -> Array:
    """Something touches the recorder: a thump with the box's ring."""
    n = samples_at(rng.uniform(0.1, 0.5), rate)
    time_s = np.arange(n) / rate
    thump = np.sin(2 * np.pi * _log_uniform(rng, 15, 200) * time_s) + rng.uniform(0, 1) * rng.normal(size=n)
    return thump * np.exp(-time_s / rng.uniform(0.01, 0.08))


LOOKALIKES: dict[str, tuple[Callable[[Rng, int], Array], float]] = {
    "Branch": (branch_snap, 1.5),
    "Tree fall": (tree_fall, 0.7),
    "Thunder": (thunder, 1.3),
    "Wind": (wind_gust, 1.5),
    "Drumming": (drumming, 1.0),
    "Roar": (roar, 1.3),
    "Trumpet": (trumpet, 1.3),
    "Bark": (bark, 1.0),
    "Bird": (bird, 0.8),
    "Frog": (frog, 0.6),
    "Rain": (rain, 1.0),
    "Aircraft": (aircraft, 1.5),
    "Saw": (saw, 0.8),
    "Knock": (knock, 1.0),
}
"""What is taken for a rumble or a gunshot: by label, its maker and how often it is drawn."""
