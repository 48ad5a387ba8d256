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

import numpy as np
from numpy.typing import NDArray

from loxo.events import EVENT_LABELS, Event
from loxo.simulate.gunshots import gunshot
from loxo.simulate.lookalikes import LOOKALIKES
from loxo.simulate.mixture import Kind, Mixture
from loxo.simulate.places import Place
from loxo.simulate.recorder import Recorder, noise_level
from loxo.simulate.rumbles import rumble
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
        backgrounds: real recordings `(sample,)` at the rate, without events, as background noise.
        background_share: share of scenes over one of them, if there are any.
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
    lookalikes_per_minute: float = 5.0
    empty_share: float = 0.1
    rumble_db: tuple[float, float] = (0.0, 28.0)
    gunshot_db: tuple[float, float] = (0.0, 44.0)
    lookalike_db: tuple[float, float] = (0.0, 40.0)
    backgrounds: tuple[NDArray[np.float32], ...] = field(default=(), repr=False)
    background_share: float = 0.5
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
    signal = recorder.record(rng, mixture.waveform)
    return recorder.digitise(signal, noise_level(signal)), _in_order(mixture.events)


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
        kept = [event for event in _in_order(mixture.events) if event.start_s < stop_s]
        events = [_shift(event, start_s, stop_s) for event in kept]
        yield recorder.digitise(signal[:stop], level), events
        done += stop


def _in_order(events: Sequence[Event]) -> list[Event]:
    """Sort events by their start."""
    return sorted(events, key=lambda event: event.start_s)


def _shift(event: Event, by_s: float, stop_s: float) -> Event:
    """Cut an event at `stop_s`, and move it later by `by_s`."""
    return replace(
        event,
        start_s=event.start_s + by_s,
        end_s=min(event.end_s, stop_s) + by_s,
        marginal=event.marginal or event.end_s > stop_s,
    )


def _draw_place(rng: Rng, settings: SceneSettings) -> Place:
    """Draw the place of a scene or soundscape."""
    return Place.draw(rng, settings.rate, settings.backgrounds, settings.background_share)


def _mix(rng: Rng, settings: SceneSettings, place: Place, margin: int) -> Mixture:
    """Mix the noise of a place with look-alikes and events.

    Args:
        margin: number of samples at both ends that hold no sound; with 0, ends may cut sounds.
    """
    noise = place.noise(rng, samples_at(settings.seconds, settings.rate))
    mixture = Mixture(noise, settings.rate, margin)
    for label in _draw_lookalikes(rng, settings):
        kind = Kind(label, SOUNDS[label], settings.lookalike_db, labelled=False)
        mixture.add(rng, kind, noise)
    # Levels of events are relative to the noise and the look-alikes: a model is not asked for an
    # event that nobody could hear.
    surroundings = mixture.waveform.copy()
    # Scenes without events teach a model that look-alikes occur without events, too.
    if rng.random() >= settings.empty_share:
        _add_events(rng, settings, mixture, surroundings)
    return mixture


def _draw_lookalikes(rng: Rng, settings: SceneSettings) -> list[str]:
    """Draw the look-alikes of a scene; kinds that are labels are left to `_add_events`."""
    labels = [label for label in LOOKALIKES if label not in settings.labels]
    if not labels:
        return []
    count = rng.poisson(settings.lookalikes_per_minute * settings.seconds / 60)
    # Weights are relative, so they still add up to one without the kinds that are labels.
    weights = np.array([LOOKALIKES[label].weight for label in labels])
    drawn = rng.choice(labels, size=count, p=weights / weights.sum())
    return [str(label) for label in drawn]


def _add_events(rng: Rng, settings: SceneSettings, mixture: Mixture, surroundings: Array) -> None:
    """Add rumbles, gunshots and events of further labels to a mixture."""
    minutes = settings.seconds / 60
    kind = Kind("Rumble", rumble, settings.rumble_db, "Rumble" in settings.labels)
    for _ in range(rng.poisson(settings.rumbles_per_minute * minutes)):
        # Elephants answer one another, and roars end in rumbles: one tenth of the calls in the
        # training table of the Elephant Listening Project overlap with the next.
        calls = [event for event in mixture.events if event.label in {"Rumble", "Roar"}]
        near = calls[-1] if calls and rng.random() < REPLY_SHARE else None
        mixture.add(rng, kind, surroundings, near)
    kind = Kind("Gunshot", gunshot, settings.gunshot_db, "Gunshot" in settings.labels)
    for _ in range(rng.poisson(settings.gunshots_per_minute * minutes)):
        mixture.add(rng, kind, surroundings)
    # Last, so that further labels do not change the rumbles and gunshots of a seed.
    for label in settings.other_labels:
        kind = Kind(label, SOUNDS[label], settings.other_db, labelled=True)
        for _ in range(rng.poisson(settings.others_per_minute * minutes)):
            mixture.add(rng, kind, surroundings)
