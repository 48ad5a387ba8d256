"""The parts by name, and those of soundscapes and single recordings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from judging.call_sets import far_calls
from judging.composed_parts import (
    call_rows,
    condition_rows,
    level_rows,
    lookalike_rows,
    shot_rows,
    with_row,
)
from judging.condition_sets import NO_CONDITION, conditions
from judging.detecting import FoundSet, Workshop
from judging.extents import band_rows, calibration_rows, end_rows
from judging.figures import cases_of, curve_rows, false_rate, row_of, score_rows
from judging.rows import Row, Value
from judging.sets import Judged
from judging.soundscape_sets import SINGLE, bench, event_free, single, with_events
from loxo.events import EVENT_LABELS
from loxo.metrics import poisson_interval, wilson_interval

__all__ = ["PARTS", "rows_of"]

Part = Callable[[Workshop], Iterator[Row]]


def bench_rows(work: Workshop) -> Iterator[Row]:
    """Composed soundscapes of others: scores at the model's thresholds, and curves."""
    found = work.found(bench(work.shared / "bench"))
    for recording in found.judged.recordings:
        for label in EVENT_LABELS:
            yield from _soundscape(found, "soundscapes", recording.row, label, [recording])


def _soundscape(
    found: FoundSet, group: str, name: str, label: str, recordings: Sequence[Judged]
) -> Iterator[Row]:
    """Scores at the model's thresholds and figures of the curve, in some recordings."""
    yield from score_rows(group, name, label, cases_of(found, label, recordings))
    yield from curve_rows(group, name, label, cases_of(found, label, recordings, low=True))


def single_rows(work: Workshop) -> Iterator[Row]:
    """Single recordings by group: found events, and the number of false positives."""
    found = work.found(single(work.material.clips))
    for group, name in SINGLE.items():
        recordings = [each for each in found.judged.recordings if each.row == group]
        for label in EVENT_LABELS:
            cases = cases_of(found, label, recordings)
            counts = sum((case.matching.counts for case in cases[1:]), cases[0].matching.counts)
            place = ("single recordings", name, label)
            if counts.events:
                interval = wilson_interval(counts.found, counts.events) or (0.0, 1.0)
                share = Value(counts.found / counts.events, *interval)
                yield row_of(place, "recall", share, counts.events, 1)
            false = Value(counts.false, *poisson_interval(counts.false, 1.0))
            yield row_of(place, "false positives", false, counts.events, -1)


def event_free_rows(work: Workshop) -> Iterator[Row]:
    """False positives per hour in simulated hours without events."""
    found = work.found(event_free(work.sets / "event_free", work.material.clips))
    for label in EVENT_LABELS:
        place = ("simulated hours", "without events", label)
        yield row_of(place, "false/h", false_rate(cases_of(found, label)), 0, -1)


def simulated_rows(work: Workshop) -> Iterator[Row]:
    """Simulated hours with events."""
    found = work.found(with_events(work.sets / "simulated"))
    for label in EVENT_LABELS:
        recordings = found.judged.recordings
        yield from _soundscape(found, "simulated hours", "with events", label, recordings)


def extent_rows(work: Workshop) -> Iterator[Row]:
    """Bands, ends and calibration, in the sets of other parts."""
    composed = work.composed("conditions", conditions)
    plain = with_row(composed, NO_CONDITION)
    soundscapes = work.found(bench(work.shared / "bench"))
    simulated = work.found(with_events(work.sets / "simulated"))
    empty = work.found(event_free(work.sets / "event_free", work.material.clips))
    natural = work.found(single(work.material.clips))
    for name in ("nn01b", "dzanga"):
        yield from band_rows(name, "Rumble", cases_of(natural, "Rumble", with_row(natural, name)))
    yield from band_rows("composed", "Rumble", cases_of(composed, "Rumble", plain))
    lines = work.composed("far", far_calls)
    yield from band_rows("single lines of 24-36 Hz", "Rumble", cases_of(lines, "Rumble"))
    for label in EVENT_LABELS:
        yield from band_rows("simulated", label, cases_of(simulated, label))
    for label in EVENT_LABELS:
        yield from end_rows("soundscapes", label, cases_of(soundscapes, label))
        yield from end_rows("composed", label, cases_of(composed, label, plain))
        yield from end_rows("simulated", label, cases_of(simulated, label))
    for label in EVENT_LABELS:
        low = cases_of(soundscapes, label, low=True)
        yield from calibration_rows("soundscapes", label, low)
        low = cases_of(composed, label, plain, low=True)
        yield from calibration_rows("composed", label, low)
        low = cases_of(simulated, label, low=True)
        yield from calibration_rows("simulated", label, low)
        poor = low + cases_of(empty, label, low=True)
        yield from calibration_rows("simulated, 4 events an hour", label, poor)


PARTS: Mapping[str, Part] = {
    "bench": bench_rows,
    "single": single_rows,
    "event-free": event_free_rows,
    "simulated": simulated_rows,
    "levels": level_rows,
    "conditions": condition_rows,
    "calls": call_rows,
    "shots": shot_rows,
    "look-alikes": lookalike_rows,
    "extents": extent_rows,
}


def rows_of(work: Workshop, names: Collection[str]) -> Iterator[Row]:
    """The rows of some parts, in the order of `PARTS`."""
    for name, part in PARTS.items():
        if name in names:
            yield from part(work)
