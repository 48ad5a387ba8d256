"""Plan windows of at most a clip's length around events, in whole samples of the recording.

    events      ==a==   =b=                     ======c======              ==========d==========
    windows   [-------------]                 [-----------------]      [-------------][------------]
                 a and b share one             its start is drawn       d is longer: two windows

Events that fit into one window together share it. The start of a window is drawn from all that hold
its events entirely. It is drawn for each group separately, so that an event elsewhere changes no
other window. At the edges of a recording windows are shifted, not dropped. A recording shorter than
a window is one window.

Both steps use `recording_windows`: step 1.5 counts its windows, and step 2 cuts them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from loxo.events import Event, cut_event
from loxo.preparation.settings import PrepareSettings
from loxo.preparation.training_table import TrainingRecording
from loxo.timeline import ceil_div, samples_at, seconds_at

__all__ = [
    "Window",
    "derived_rng",
    "event_windows",
    "events_within",
    "group_reads",
    "recording_windows",
]


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """Samples `[start, stop)` of a recording."""

    start: int
    stop: int

    @property
    def size(self) -> int:
        return self.stop - self.start


def derived_rng(seed: int, *about: str | int) -> np.random.Generator:
    """Make a random generator that depends only on the seed and on what is drawn."""
    keys = (part if isinstance(part, int) else zlib.crc32(part.encode()) for part in about)
    return np.random.default_rng([seed, *keys])


def recording_windows(recording: TrainingRecording, settings: PrepareSettings) -> list[Window]:
    """Plan the clips around the events of a recording; none if its header could not be read."""
    if not recording.rate:
        return []
    events = [event for event in recording.targets if settings.marginal or not event.marginal]
    return event_windows(
        events,
        recording.samples,
        recording.rate,
        settings.clip_length,
        seed=settings.seed,
        name=recording.stem,
    )


def event_windows(
    events: Sequence[Event], n_samples: int, rate: int, clip_s: float, *, seed: int, name: str
) -> list[Window]:
    """Windows around events, at most `clip_s` long and within the recording, sorted.

    An event that begins after the end of the recording has no window. One that ends after it is
    covered up to the end.

    Args:
        seed, name: seed, and name of the recording; the draws depend on both.
    """
    size = min(n_samples, samples_at(clip_s, rate))
    windows: set[Window] = set()
    for group in _groups(events, n_samples, rate, size):
        rng = derived_rng(seed, name, group.start)
        windows.update(_around(group, size, n_samples, rng))
    return sorted(windows)


def _groups(events: Sequence[Event], n_samples: int, rate: int, size: int) -> Iterator[Window]:
    """Group events that share their windows: from the start of the first to the end of the last."""
    together: Window | None = None
    for event in sorted(events, key=lambda event: (event.start_s, event.end_s)):
        first, end = samples_at(event.start_s, rate), min(n_samples, samples_at(event.end_s, rate))
        if end <= first:
            continue
        if together is not None and max(end, together.stop) - together.start <= size:
            together = Window(together.start, max(end, together.stop))
            continue
        if together is not None:
            yield together
        together = Window(first, end)
    if together is not None:
        yield together


def _around(group: Window, size: int, n_samples: int, rng: np.random.Generator) -> Iterator[Window]:
    """Windows of one size, end to end, that cover a group; the first start is drawn."""
    count = ceil_div(group.size, size)
    low, high = max(0, group.stop - count * size), min(group.start, n_samples - count * size)
    start = int(rng.integers(low, high + 1)) if low <= high else max(0, high)
    for first in range(start, start + count * size, size):
        shifted = min(first, n_samples - size)
        yield Window(shifted, shifted + size)


def group_reads(windows: Sequence[Window], gap: int, longest: int) -> Iterator[list[Window]]:
    """Group sorted windows with less than `gap` between them, up to `longest` from end to end."""
    group: list[Window] = []
    for window in windows:
        if group and (
            window.start - max(w.stop for w in group) > gap
            or window.stop - group[0].start > longest
        ):
            yield group
            group = []
        group.append(window)
    if group:
        yield group


def events_within(events: Sequence[Event], window: Window, rate: int) -> tuple[Event, ...]:
    """All events that reach into a window, timed from its start and cut at its edges, sorted."""
    start_s, end_s = seconds_at(window.start, rate), seconds_at(window.stop, rate)
    inside: list[Event] = []
    for event in sorted(events, key=lambda event: (event.start_s, event.end_s, event.label)):
        first_s, last_s = max(start_s, event.start_s), min(end_s, event.end_s)
        in_samples = (
            samples_at(event.end_s, rate) > window.start
            and samples_at(event.start_s, rate) < window.stop
        )
        if in_samples and last_s > first_s:
            inside.append(cut_event(event, start_s, end_s, -start_s))
    return tuple(inside)
