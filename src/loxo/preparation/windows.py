"""Events -> windows of at most a clip's length that hold them, in whole samples of the recording.

    events      ==a==   =b=                     ======c======              ==========d==========
    windows   [-------------]                 [-----------------]      [-------------][------------]
                 a, b share one                  c, place drawn            d is longer: cut, covered

Events that fit into one window together share it. A window lies anywhere where it holds them whole, drawn for each group by itself, so
that another event elsewhere changes nothing here. At the edges of a recording windows are shifted, not dropped; a recording shorter than a
window is one window.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from loxo.events import Event
from loxo.timeline import ceil_div, samples_at, seconds_at

__all__ = ["Window", "event_windows", "events_within", "generator", "shared"]


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """Samples `[start, stop)` of a recording."""

    start: int
    stop: int

    @property
    def size(self) -> int:
        return self.stop - self.start


def generator(seed: int, *about: str | int) -> np.random.Generator:
    """Chance that depends on the seed and on what it is about, and on nothing else."""
    return np.random.default_rng([seed, *(part if isinstance(part, int) else zlib.crc32(part.encode()) for part in about)])


def event_windows(events: Sequence[Event], n_samples: int, rate: int, clip_s: float, *, seed: int, name: str) -> list[Window]:
    """Windows around events, each at most `clip_s` long and within the recording, in the order of their start.

    Events that begin behind the recording's end have none; those that go on behind it are held as far as it goes.

    Args:
        name: of the recording, which the draws depend on.
    """
    size = min(n_samples, samples_at(clip_s, rate))
    windows: set[Window] = set()
    for group in _groups(events, n_samples, rate, size):
        rng = generator(seed, name, group.start)
        windows.update(_around(group, size, n_samples, rng))
    return sorted(windows)


def _groups(events: Sequence[Event], n_samples: int, rate: int, size: int) -> Iterator[Window]:
    """Stretches that hold events which share their windows."""
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
    """Windows of one size, end to end, that cover a group; their place is drawn among those within the recording."""
    count = ceil_div(group.size, size)
    low, high = max(0, group.stop - count * size), min(group.start, n_samples - count * size)
    start = int(rng.integers(low, high + 1)) if low <= high else max(0, high)
    for first in range(start, start + count * size, size):
        shifted = min(first, n_samples - size)
        yield Window(shifted, shifted + size)


def shared(windows: Sequence[Window], gap: int, longest: int) -> Iterator[list[Window]]:
    """Sorted windows that are read together: those with less than `gap` between them, up to `longest` in all."""
    group: list[Window] = []
    for window in windows:
        if group and (window.start - max(w.stop for w in group) > gap or window.stop - group[0].start > longest):
            yield group
            group = []
        group.append(window)
    if group:
        yield group


def events_within(events: Sequence[Event], window: Window, rate: int) -> tuple[Event, ...]:
    """All events that reach into a window, timed from its start and cut at its edges, in the order of their start."""
    start_s, end_s = seconds_at(window.start, rate), seconds_at(window.stop, rate)
    inside = [event for event in events if samples_at(event.end_s, rate) > window.start and samples_at(event.start_s, rate) < window.stop]
    cut = (
        replace(event, start_s=max(0.0, event.start_s - start_s), end_s=min(end_s, event.end_s) - start_s)
        for event in sorted(inside, key=lambda event: (event.start_s, event.end_s, event.label))
        if min(end_s, event.end_s) > max(start_s, event.start_s)
    )
    return tuple(cut)
