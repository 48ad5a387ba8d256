"""Scenes and soundscapes: a place, sounds in it at known times and levels, and a recorder.

A **scene** is some seconds long. A **soundscape** is a long recording, made of scenes that are
faded into one another; it has one place and one recorder.

Settings name the **labels** whose events are truth for a model. Any kind of sound in `SOUNDS` can
be a label. Sounds of other kinds are there as well, as look-alikes: a detector should not report
them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from loxo.acoustics import log_uniform
from loxo.events import EVENT_LABELS, Event, cut_event
from loxo.simulate.excerpts import draw_recorded
from loxo.simulate.gunshots import fire, gunshot
from loxo.simulate.lookalikes import LOOKALIKES
from loxo.simulate.mixture import Kind, Mixture
from loxo.simulate.places import Place
from loxo.simulate.recorder import Recorder, noise_level
from loxo.simulate.rumbles import Caller, rumble
from loxo.simulate.signals import Array, Maker, Rng
from loxo.timeline import samples_at, seconds_at

__all__ = ["SOUNDS", "SceneSettings", "Seed", "scene", "soundscape"]

Seed = int | Sequence[int] | np.random.Generator
"""Seed of a scene. A random generator keeps its state, so two scenes drawn in a row differ."""
Piece = tuple[NDArray[np.float32], list[Event]]
"""Waveform `(sample,)` and its events."""

SOUNDS: dict[str, Maker] = {
    "Rumble": rumble,
    "Gunshot": gunshot,
    **{label: kind.make for label, kind in LOOKALIKES.items()},
}
"""All kinds of sounds: label, and the function that makes one."""
REPLY_SHARE = 0.35
"""Share of rumbles that begin during the one before, or during a roar, if the scene holds one."""
CHORUS_CALLS, CHORUS_CALLERS = (3, 10), (1, 4)
"""Numbers of calls and of elephants in a chorus; the second number of each is excluded."""
CHORUS_GAP_S = (0.3, 2.0)
"""Range of the silence between two calls of a chorus."""
CHORUS_OVERLAP_S = 1.5
"""How much two calls of a chorus overlap at most."""
CHORUS_SPREAD_DB = 4.0
"""How much louder or fainter than the chorus a call of it may be."""
RECORDED = "Recorded"
"""Label of pieces of real recordings among the look-alikes."""
SHORTEST_BED_S = 5.0
"""Shorter recordings are no background noise. They serve as look-alikes only."""
HIGHEST_PASS_HZ = 60.0
"""A recorder that passes only what is above this leaves nothing certain of a rumble."""
FADE_S = 2.0
"""Time in which scenes of a soundscape are faded into one another. No event lies in it."""


@dataclass(frozen=True, slots=True)
class SceneSettings:
    """Content of scenes: sounds at random times, with mean numbers per minute.

    Args:
        rate: samples a second, 2,000 or more.
        seconds: length of a scene, more than 4 s.
        rumbles_per_minute, gunshots_per_minute: number of these events.
        lookalikes_per_minute: number of sounds that are no label, of all kinds together.
        empty_share: share of scenes without events, but with look-alikes.
        rumble_db, gunshot_db, lookalike_db: range of the signal-to-noise ratio in dB; all values
            are equally likely.
        backgrounds: real recordings `(sample,)` at the rate, without events, as background noise,
            and in pieces as look-alikes.
        background_share: share of scenes over one of them, if there are any.
        recorded_share: share of look-alikes that are pieces of them.
        chorus_share: share of scenes with events in which rumbles come in a chorus, a call every
            few seconds by several elephants; less if there is less than a rumble in a scene.
        labels: kinds of sounds whose events are truth for a model, keys of `SOUNDS`. Rumbles and
            gunshots that are not named here are still made, but are no events of a label.
        others_per_minute: number of events of each further label, such as `Chainsaw`.
        other_db: range of their signal-to-noise ratio.

    Raises:
        ValueError: if a scene is too short, the rate too low, or a label is unknown.
    """

    rate: int = 4000
    seconds: float = 30.0
    rumbles_per_minute: float = 2.5
    gunshots_per_minute: float = 3.0
    lookalikes_per_minute: float = 6.0
    empty_share: float = 0.1
    rumble_db: tuple[float, float] = (-3.0, 28.0)
    gunshot_db: tuple[float, float] = (-2.0, 44.0)
    lookalike_db: tuple[float, float] = (0.0, 40.0)
    backgrounds: tuple[NDArray[np.float32], ...] = field(default=(), repr=False)
    background_share: float = 0.5
    recorded_share: float = 0.05
    chorus_share: float = 0.06
    labels: tuple[str, ...] = EVENT_LABELS
    others_per_minute: float = 2.5
    other_db: tuple[float, float] = (0.0, 40.0)

    def __post_init__(self) -> None:
        if self.seconds <= 2 * FADE_S or self.rate < 2000:
            raise ValueError(
                f"a scene of {self.seconds} s at {self.rate} Hz is too short or its rate too low; "
                f"give more than {2 * FADE_S} s and 2,000 Hz or more"
            )
        if not self.labels or len(set(self.labels)) != len(self.labels):
            raise ValueError(f"labels {', '.join(self.labels)}: name at least one, each once")
        for label in self.labels:
            if label not in SOUNDS:
                raise ValueError(
                    f"no sound with the label {label!r} can be simulated; there are "
                    f"{', '.join(SOUNDS)}"
                )

    @property
    def other_labels(self) -> tuple[str, ...]:
        """Labels besides rumbles and gunshots."""
        return tuple(label for label in self.labels if label not in EVENT_LABELS)

    def truth(self, events: Sequence[Event]) -> list[Event]:
        """Select the events of `labels`: those that a model should detect."""
        return [event for event in events if event.label in self.labels]


DEFAULTS = SceneSettings()


def scene(seed: Seed, settings: SceneSettings = DEFAULTS) -> Piece:
    """Simulate one scene.

        waveform, events = loxo.simulate.scene(1)

    Args:
        seed: decides everything that is random.
        settings: what the scene holds.

    Returns:
        The waveform `(sample,)`, float32 in [-1, 1], and its events in order of time. Look-alikes
        are listed under their own labels; `settings.truth(events)` leaves them out.
    """
    rng = np.random.default_rng(seed)
    # The place is drawn before it is known whether it will hold an event. Otherwise a network could
    # learn which places have events.
    place, recorder = _draw_place(rng, settings), Recorder.draw(rng, settings.rate)
    mixture = _mix(rng, settings, place, 0)
    events = _in_order(_as_recorded(mixture.events, settings, recorder, len(mixture.waveform)))
    signal = recorder.record(rng, mixture.waveform)
    return recorder.digitise(signal, noise_level(signal)), events


def soundscape(seed: Seed, settings: SceneSettings, seconds: float) -> Iterator[Piece]:
    """Simulate a long recording in pieces that follow one another; memory is that of one scene.

    An event that is cut by the end of the recording is marginal.

    Args:
        seed: decides everything that is random.
        settings: what its scenes hold.
        seconds: length of the recording.

    Yields:
        Waveform `(sample,)` and events of a piece; events are timed from the start of the
        recording.
    """
    rng = np.random.default_rng(seed)
    place, recorder = _draw_place(rng, settings), Recorder.draw(rng, settings.rate)
    total, fade_n = samples_at(seconds, settings.rate), samples_at(FADE_S, settings.rate)
    # Scenes are independent, so their powers add: square roots keep the power constant.
    ramp = np.sqrt(np.linspace(0, 1, fade_n))
    tail = np.zeros(0)
    level = None
    done = 0
    while done < total:
        mixture = _mix(rng, settings, place, fade_n)
        signal = recorder.record(rng, mixture.waveform).copy()
        # The gain is that of the first scene: a recorder does not change it during a recording.
        level = noise_level(signal) if level is None else level
        if len(tail):
            signal[:fade_n] = signal[:fade_n] * ramp + tail * ramp[::-1]
        stop = min(len(signal) - fade_n, total - done)
        tail = signal[-fade_n:]
        start_s, stop_s = seconds_at(done, settings.rate), seconds_at(stop, settings.rate)
        recorded = _in_order(_as_recorded(mixture.events, settings, recorder, stop))
        kept = [event for event in recorded if event.start_s < stop_s]
        events = [_shift(event, start_s, stop_s) for event in kept]
        yield recorder.digitise(signal[:stop], level), events
        done += stop


def _as_recorded(
    events: Sequence[Event], settings: SceneSettings, recorder: Recorder, n: int
) -> list[Event]:
    """Make events of the labels marginal of which a recorder left little.

    These are rumbles, if it does not pass their frequencies; events of which zeros hide the half;
    and gunshots whose onset they hide.

    Args:
        n: number of samples in the file.
    """
    lost = recorder.high_pass_hz > HIGHEST_PASS_HZ
    zeros = np.zeros(n, bool) if recorder.zeros is None else recorder.zeros.mask(n, recorder.rate)
    recorded = []
    for event in events:
        start, stop = (samples_at(at_s, recorder.rate) for at_s in (event.start_s, event.end_s))
        hidden = zeros[start:stop]
        marginal = (
            (lost and event.label == "Rumble")
            or 2 * np.count_nonzero(hidden) > len(hidden)
            or (event.label == "Gunshot" and bool(hidden[:1].any()))
        )
        marginal = marginal and event.label in settings.labels
        recorded.append(replace(event, marginal=event.marginal or marginal))
    return recorded


def _in_order(events: Sequence[Event]) -> list[Event]:
    """Sort events by their start."""
    return sorted(events, key=lambda event: event.start_s)


def _shift(event: Event, by_s: float, stop_s: float) -> Event:
    """Cut an event at `stop_s`, and move it later by `by_s`."""
    marginal = event.marginal or event.end_s > stop_s
    return replace(cut_event(event, 0.0, stop_s, by_s), marginal=marginal)


def _draw_place(rng: Rng, settings: SceneSettings) -> Place:
    """Draw the place of a scene or soundscape."""
    shortest = samples_at(SHORTEST_BED_S, settings.rate)
    beds = [background for background in settings.backgrounds if len(background) >= shortest]
    return Place.draw(rng, settings.rate, beds, settings.background_share)


def _mix(rng: Rng, settings: SceneSettings, place: Place, margin: int) -> Mixture:
    """Mix the noise of a place with look-alikes and events.

    Args:
        margin: number of samples at both ends that hold no sound; with 0, ends may cut sounds.
    """
    n = samples_at(settings.seconds, settings.rate)
    noise, hum = place.noise_and_mains(rng, n)
    mixture = Mixture(noise, settings.rate, margin, settings.backgrounds)
    for kind in _draw_lookalikes(rng, settings):
        mixture.add(rng, kind, noise)
    # Levels of events are relative to the noise and the look-alikes: a model is not asked for an
    # event that nobody could hear.
    surroundings = mixture.waveform.copy()
    # Scenes without events teach a model that look-alikes occur without events, too.
    if rng.random() >= settings.empty_share:
        _add_events(rng, settings, mixture, surroundings)
    # Last: levels are relative to the noise without the hum.
    mixture.waveform += hum
    return mixture


def _draw_lookalikes(rng: Rng, settings: SceneSettings) -> list[Kind]:
    """Draw the look-alikes of a scene; kinds that are labels are left to `_add_events`."""
    labels = [label for label in LOOKALIKES if label not in settings.labels]
    if not labels:
        return []
    count = rng.poisson(settings.lookalikes_per_minute * settings.seconds / 60)
    # Weights are relative, so they still add up to one without the kinds that are labels.
    weights = np.array([LOOKALIKES[label].weight for label in labels])
    drawn = [str(label) for label in rng.choice(labels, size=count, p=weights / weights.sum())]
    makers = [(label, SOUNDS[label]) for label in drawn]
    if settings.backgrounds:
        recorded = rng.random(count) < settings.recorded_share
        piece = partial(draw_recorded, recordings=settings.backgrounds)
        makers = [
            (RECORDED, piece) if is_recorded else maker
            for is_recorded, maker in zip(recorded, makers, strict=True)
        ]
    return [Kind(label, make, settings.lookalike_db, labelled=False) for label, make in makers]


def _add_events(rng: Rng, settings: SceneSettings, mixture: Mixture, surroundings: Array) -> None:
    """Add rumbles, gunshots and events of further labels to a mixture."""
    minutes = settings.seconds / 60
    # Where a scene seldom holds a rumble, it seldom holds a chorus.
    share = settings.chorus_share * min(1.0, settings.rumbles_per_minute * minutes)
    if rng.random() < share:
        _add_chorus(rng, settings, mixture, surroundings)
    else:
        _add_rumbles(rng, settings, mixture, surroundings)
    kind = Kind("Gunshot", fire, settings.gunshot_db, "Gunshot" in settings.labels)
    for _ in range(rng.poisson(settings.gunshots_per_minute * minutes)):
        mixture.add(rng, kind, surroundings)
    # Last, so that further labels do not change the rumbles and gunshots of a seed.
    for label in settings.other_labels:
        kind = Kind(label, SOUNDS[label], settings.other_db, labelled=True)
        for _ in range(rng.poisson(settings.others_per_minute * minutes)):
            mixture.add(rng, kind, surroundings)


def _add_rumbles(rng: Rng, settings: SceneSettings, mixture: Mixture, surroundings: Array) -> None:
    """Add single rumbles, each by an elephant of its own."""
    kind = Kind("Rumble", rumble, settings.rumble_db, "Rumble" in settings.labels)
    for _ in range(rng.poisson(settings.rumbles_per_minute * settings.seconds / 60)):
        # Elephants answer one another, and roars end in rumbles: one tenth of the calls in the
        # training table of the Elephant Listening Project overlap with the next.
        calls = [event for event in mixture.events if event.label in {"Rumble", "Roar"}]
        near = calls[-1] if calls and rng.random() < REPLY_SHARE else None
        mixture.add(rng, kind, surroundings, near=near)


def _add_chorus(rng: Rng, settings: SceneSettings, mixture: Mixture, surroundings: Array) -> None:
    """Add rumbles of some elephants that follow one another closely, or overlap."""
    callers = [Caller.draw(rng) for _ in range(rng.integers(*CHORUS_CALLERS))]
    low_db, high_db = settings.rumble_db
    chorus_db = rng.uniform(low_db, high_db)
    start_s = rng.uniform(0, 0.5) * settings.seconds
    for _ in range(rng.integers(*CHORUS_CALLS)):
        caller = callers[int(rng.integers(len(callers)))]
        call_db = chorus_db + rng.uniform(-CHORUS_SPREAD_DB, CHORUS_SPREAD_DB)
        call_db = float(np.clip(call_db, low_db, high_db))
        kind = Kind("Rumble", caller.call, (call_db, call_db), "Rumble" in settings.labels)
        call = mixture.add(rng, kind, surroundings, start_s=start_s)
        if call is None:
            return
        # One in five begins before the one before it has ended.
        overlaps = rng.random() < 0.2 and len(callers) > 1
        gap_s = -rng.uniform(0, CHORUS_OVERLAP_S) if overlaps else log_uniform(rng, *CHORUS_GAP_S)
        start_s = max(call.start_s + 0.2, call.end_s + gap_s)
