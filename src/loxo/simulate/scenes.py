"""Soundscapes: a bed of noise, sounds set into it at known times and levels, and the recorder that hears them.

The level of a sound is its **signal-to-noise ratio**: its mean power against that of what surrounds it, both in the band that holds 90 %
of the sound's energy, over the time at which it is within `BODY_DB` of its peak. The event's extent is what stands out of the noise: a
fainter sound is marked shorter, as people mark it. Below `MARGINAL_DB` an event carries the flag `marginal`, as annotators write of calls
that they can hardly see.

Sounds lie anywhere, also across the ends of a scene: an event that has lost more than half of its extent there, or a shot that has lost its
onset, is marginal. In a long soundscape they keep clear of the seams.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from loxo.events import Event
from loxo.simulate.gunshots import gunshot
from loxo.simulate.lookalikes import LOOKALIKES
from loxo.simulate.recorder import draw_recorder, level_of
from loxo.simulate.rumbles import rumble
from loxo.simulate.signals import Array, Rng, coloured_noise, log_uniform, low_pass_db, normed, shaped, slow_curve, tapered
from loxo.timeline import samples_at, seconds_at, times_s

__all__ = ["SceneSettings", "scene", "soundscape"]

Bed = Callable[[Rng, int], Array]

MARGINAL_DB = {"Rumble": 3.0, "Gunshot": 4.0}
BODY_DB = 20.0
"""How far below its peak a sound still counts for its signal-to-noise ratio."""
DROP_DB = {"Rumble": (7.0, 14.0), "Gunshot": (8.0, 24.0)}
"""How far below its peak a sound is still marked: at the faintest and at the loudest."""
OVERLAPPING = 0.35
"""Share of rumbles that begin during the one before, or during a roar, where the scene holds one."""
EXCERPTS = 0.2
"""Share of sounds that are cut at both ends, as by recorders that a level sets off, and in recordings composed of others."""
CUT_SHORT, CUT_TAILS = 0.4, 0.15
"""Share of excerpts of which only a part is left: of calls one that holds their loudest moment, of shots one with their onset."""
PART_S = 0.25
"""The shortest part that is left."""
EXCERPT_EDGE_S = 0.005
ENVELOPE_S = 0.04
FADE_S = 2.0


@dataclass(frozen=True, slots=True)
class SceneSettings:
    """What a scene holds: sounds come at random, `*_per_minute` on average, their signal-to-noise ratios evenly from a range in dB."""

    rate: int = 4000
    seconds: float = 30.0
    rumbles_per_minute: float = 2.5
    gunshots_per_minute: float = 3.0
    lookalikes_per_minute: float = 5.0
    empty_share: float = 0.1
    rumble_db: tuple[float, float] = (0.0, 28.0)
    gunshot_db: tuple[float, float] = (0.0, 44.0)
    lookalike_db: tuple[float, float] = (0.0, 40.0)
    backgrounds: tuple[NDArray[np.float32], ...] = field(default=(), repr=False)
    background_share: float = 0.5

    def __post_init__(self) -> None:
        if self.seconds <= 2 * FADE_S or self.rate < 2000:
            raise ValueError(
                f"a scene of {self.seconds} s at {self.rate} Hz is too short or too low: more than {2 * FADE_S} s, 2,000 Hz or more"
            )


def scene(rng: Rng, settings: SceneSettings) -> tuple[NDArray[np.float32], list[Event]]:
    """One soundscape `(sample,)` in [-1, 1] and its events, in order of time; look-alikes are listed under their own labels."""
    bed, (hear, digitise) = _draw_bed(rng, settings), draw_recorder(rng, settings.rate)
    mixture, events = _compose(rng, settings, bed, 0)
    heard = hear(rng, mixture)
    return digitise(heard, level_of(heard)), events


def soundscape(rng: Rng, settings: SceneSettings, seconds: float) -> Iterator[tuple[NDArray[np.float32], list[Event]]]:
    """A long recording as pieces that follow each other, with events timed from its start; one place, one recorder, memory of one scene.

    Scenes are faded into one another over two seconds in which no event lies. An event that the end of the recording cuts is marginal.
    """
    bed, (hear, digitise) = _draw_bed(rng, settings), draw_recorder(rng, settings.rate)
    total, fade = samples_at(seconds, settings.rate), samples_at(FADE_S, settings.rate)
    ramp = np.sqrt(np.linspace(0, 1, fade))
    tail = np.zeros(0)
    level = None
    done = 0
    while done < total:
        mixture, events = _compose(rng, settings, bed, fade)
        heard = hear(rng, mixture).copy()
        level = level_of(heard) if level is None else level
        start_s = seconds_at(done, settings.rate)
        if len(tail):
            heard[:fade] = heard[:fade] * ramp + tail * ramp[::-1]
        stop = min(len(heard) - fade, total - done)
        tail = heard[-fade:]
        stop_s = seconds_at(stop, settings.rate)
        yield digitise(heard[:stop], level), [_moved(event, start_s, stop_s) for event in events if event.start_s < stop_s]
        done += stop


def _moved(event: Event, by_s: float, stop_s: float) -> Event:
    """The event `by_s` later; what lies after `stop_s` is cut off."""
    flags = event.flags | {"marginal"} if event.end_s > stop_s else event.flags
    return replace(event, start_s=event.start_s + by_s, end_s=min(event.end_s, stop_s) + by_s, flags=flags)


def _compose(rng: Rng, settings: SceneSettings, bed: Bed, margin: int) -> tuple[Array, list[Event]]:
    """The mixture `(sample,)` and its events; `margin` samples at either end hold none of them, or, if 0, sounds are cut by the ends."""
    n = samples_at(settings.seconds, settings.rate)
    noise = bed(rng, n)
    mixture = noise.copy()
    minutes = settings.seconds / 60
    events: list[Event] = []
    labels = list(LOOKALIKES)
    weights = np.array([LOOKALIKES[label][1] for label in labels])
    for label in rng.choice(labels, size=rng.poisson(settings.lookalikes_per_minute * minutes), p=weights / weights.sum()):
        events += _place(rng, settings, (str(label), LOOKALIKES[label][0], settings.lookalike_db), noise, mixture, margin)
    # Events are measured against the look-alikes too: what nobody could hear is not asked for.
    around = mixture.copy()
    if rng.random() >= settings.empty_share:
        for _ in range(rng.poisson(settings.rumbles_per_minute * minutes)):
            # One tenth of the calls in ELP's training table overlap with the next: animals answer each other; and roars end in rumbles.
            calls = [event for event in events if event.label in {"Rumble", "Roar"}]
            near = calls[-1] if calls and rng.random() < OVERLAPPING else None
            events += _place(rng, settings, ("Rumble", rumble, settings.rumble_db), around, mixture, margin, near)
        for _ in range(rng.poisson(settings.gunshots_per_minute * minutes)):
            events += _place(rng, settings, ("Gunshot", gunshot, settings.gunshot_db), around, mixture, margin)
    return mixture, sorted(events, key=lambda event: event.start_s)


def _place(
    rng: Rng,
    settings: SceneSettings,
    what: tuple[str, Callable[[Rng, int], Array], tuple[float, float]],
    noise: Array,
    mixture: Array,
    margin: int,
    near: Event | None = None,
) -> list[Event]:
    """Add one sound to the mixture, and tell its event, if its mark lies in the scene; with a `near` event, it begins during that."""
    label, maker, snr_range = what
    rate, n = settings.rate, len(mixture)
    snr_db = rng.uniform(*snr_range)
    sound = maker(rng, rate)
    if rng.random() < EXCERPTS:
        sound = _excerpt(rng, sound, rate, shot=label == "Gunshot")
    if margin:
        sound = _fitted(sound, n - 2 * margin, rate)
    at = _start(rng, n, len(sound), margin)
    if near is not None and (reply := samples_at(rng.uniform(near.start_s, near.end_s), rate)) + len(sound) <= n - margin:
        at = reply
    # A mean ratio of n dB is a peak of more; the mark ends where the sound is lost in the noise.
    faintest, loudest = DROP_DB.get(label, (10.0, 20.0))
    marked = at + np.array(_extent(sound, rate, float(np.clip(snr_db + 6, faintest, loudest))))
    start, stop = (int(edge) for edge in marked.clip(0, n))
    if start == stop:
        return []
    from_n, to_n = _extent(sound, rate, BODY_DB)
    around = max(0, min(at + from_n, n - (to_n - from_n)))
    low_hz, high_hz, gain = _gain(sound[from_n:to_n], noise[around : around + to_n - from_n], rate, snr_db)
    heard = slice(max(0, at), min(n, at + len(sound)))
    mixture[heard] += gain * sound[heard.start - at : heard.stop - at]
    flags = {f"snr_db={snr_db:.1f}"}
    lost = start > marked[0] if label == "Gunshot" else 2 * (stop - start) < marked[1] - marked[0]
    if label in MARGINAL_DB and (lost or snr_db < MARGINAL_DB[label]):
        flags.add("marginal")
    return [Event(label, seconds_at(start, rate), seconds_at(stop, rate), low_hz, high_hz, frozenset(flags))]


def _start(rng: Rng, n: int, sound_n: int, margin: int) -> int:
    """Where a sound begins: clear of the margins; or, without any, so that its last half or its first quarter lies in the scene."""
    first, last = (margin, n - margin - sound_n) if margin else (-(sound_n // 2), n - sound_n // 4)
    return int(rng.integers(first, last + 1))


def _excerpt(rng: Rng, sound: Array, rate: int, *, shot: bool) -> Array:
    """The body of a sound, or a part of it, and the noise of the place where it was recorded, cut off at either side."""
    first, last = _extent(sound, rate, float(rng.uniform(18, 40)))
    if rng.random() < (CUT_TAILS if shot else CUT_SHORT):
        first, last = _part(rng, sound, (first, last), rate, onset=shot)
    body = sound[max(0, first - samples_at(rng.uniform(0, 0.1), rate)) : last]
    slope_db = rng.uniform(-8, 2)
    own = normed(coloured_noise(rng, len(body), rate, lambda f: slope_db * np.log2(np.maximum(f, 20) / 100)))
    excerpt: Array = (body + own * body.std() * 10 ** (rng.uniform(-40, -10) / 20)) * tapered(len(body), rate, EXCERPT_EDGE_S)
    return excerpt


def _part(rng: Rng, sound: Array, extent: tuple[int, int], rate: int, *, onset: bool) -> tuple[int, int]:
    """A part of a sound's extent, of any length from `PART_S` on, that holds its loudest moment and, if asked for, its onset."""
    first, last = extent
    loudest_first, loudest_last = (min(max(edge, first), last) for edge in _extent(sound, rate, 0.1))
    shortest = min(last - first, samples_at(PART_S, rate))
    n = max(loudest_last - loudest_first, round(log_uniform(rng, shortest, last - first)))
    if onset:
        return first, min(last, max(loudest_last, first + n))
    start = int(rng.integers(max(first, loudest_last - n), min(loudest_first, last - n) + 1))
    return start, start + n


def _fitted(sound: Array, n: int, rate: int) -> Array:
    """The sound, of `n` samples at most; one that is longer is faded out."""
    if len(sound) <= n:
        return sound
    fade = min(n, samples_at(1, rate))
    return sound[:n] * np.minimum(1, np.arange(n, 0, -1) / fade)


def _extent(sound: Array, rate: int, drop_db: float) -> tuple[int, int]:
    """First and last sample at which the smoothed power is within `drop_db` of its peak."""
    width = samples_at(ENVELOPE_S, rate)
    cumulative = np.concatenate([np.zeros(1), np.cumsum(sound**2)])
    edges = np.arange(0, len(sound) + width, width).clip(max=len(sound))
    loud = np.flatnonzero(np.diff(cumulative[edges]) > cumulative[-1] * 1e-12 + np.diff(cumulative[edges]).max() * 10 ** (-drop_db / 10))
    return int(edges[loud[0]]), int(edges[loud[-1] + 1])


def _gain(sound: Array, noise: Array, rate: int, snr_db: float) -> tuple[float, float, float]:
    """Band that holds 90 % of the energy, and the factor that brings the sound to the ratio in it; the noise may be the shorter."""
    n = fft.next_fast_len(max(len(sound), rate), real=True)
    energy = np.abs(fft.rfft(sound.astype(np.float32), n)).astype(float) ** 2
    share = np.cumsum(energy) / energy.sum()
    low, high = int(np.searchsorted(share, 0.05)), int(np.searchsorted(share, 0.95))
    low, high = max(0, low - 1), max(high, low + samples_at(4.0 * n / rate, 1))
    taper = np.hanning(len(noise)) * np.sqrt(8 / 3)
    floor = np.abs(fft.rfft((noise * taper).astype(np.float32), n)) ** 2
    ratio = floor[low : high + 1].sum() / energy[low : high + 1].sum() * len(sound) / len(noise)
    hz = rate / n
    return low * hz, (high + 1) * hz, float(np.sqrt(10 ** (snr_db / 10) * ratio))


def _draw_bed(rng: Rng, settings: SceneSettings) -> Bed:
    """A place: the slope of its noise, its wind, its insects, its hum, and a real background where there are any."""
    anchors_hz = np.log2([1, 4, 12, 30, 70, 150, 400, 900, 1500, 2000, 4000, 24000])
    levels_db = np.cumsum(rng.normal(-5, 5, len(anchors_hz)))
    gusting = rng.uniform(0, 10) * (rng.random() < 0.6)
    gust_hz = rng.uniform(20, 120)
    insects = [(rng.uniform(900, 0.48 * settings.rate), rng.uniform(20, 200), rng.uniform(0, 25)) for _ in range(rng.poisson(1.0))]
    hum_hz = log_uniform(rng, 12, 200) if rng.random() < 0.25 else 0.0
    real = rng.random() < settings.background_share and len(settings.backgrounds) > 0
    background = settings.backgrounds[rng.integers(len(settings.backgrounds))] if real else None
    mixed_db = rng.uniform(-30, 6)

    def bed(rng: Rng, n: int) -> Array:
        rate = settings.rate
        noise = coloured_noise(rng, n, rate, lambda f: np.interp(np.log2(f), anchors_hz, levels_db))
        noise = normed(noise)
        if gusting:
            wind = shaped(noise, rate, lambda f: low_pass_db(f, gust_hz, 12))
            noise += wind * (10 ** (slow_curve(rng, n, max(2, 2 * n // rate), -gusting, gusting) / 20) - 1)
        for centre_hz, width_hz, level_db in insects:
            trill = coloured_noise(rng, n, rate, lambda f, c=centre_hz, w=width_hz: -3 * ((f - c) / w) ** 2)  # type: ignore[misc]  # bound in a loop
            noise += normed(trill) * noise.std() * 10 ** ((level_db - 25) / 20) * slow_curve(rng, n, max(2, n // rate), 0.3, 1)
        if hum_hz:
            time_s = times_s(n, rate)
            for k in range(1, int(rng.integers(2, 8))):
                noise += 0.05 * rng.uniform(0, 1) * np.sin(2 * np.pi * k * hum_hz * time_s + rng.uniform(0, 2 * np.pi))
        if background is not None:
            excerpt = _looped(rng, background, n)
            noise = excerpt / (excerpt.std() + 1e-9) + 10 ** (mixed_db / 20) * noise
        return noise

    return bed


def _looped(rng: Rng, background: NDArray[np.float32], n: int) -> Array:
    """An excerpt of `n` samples from a random place, forwards and backwards in turn so that no seam clicks."""
    there_and_back = np.concatenate([background, background[::-1]]).astype(float)
    return np.take(there_and_back, np.arange(n) + rng.integers(len(there_and_back)), mode="wrap")
