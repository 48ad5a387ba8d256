"""Parts of composed sets: levels, conditions, calls, shots and look-alikes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from judging.call_sets import (
    ALONE,
    AMONG,
    FAR_DB,
    PAIRS,
    PAUSES_S,
    far_calls,
    lengths,
    pairs,
    rates,
)
from judging.changes import ZEROS_EVERY_S, ZEROS_FROM_S, ZEROS_S
from judging.condition_sets import (
    CLIPPING,
    CONDITIONS,
    KINDS,
    LEVELS_DB,
    SILENCED,
    conditions,
    levels,
    quiet,
)
from judging.counting import (
    by_row,
    counted,
    half_level_db,
    outcomes_by_row,
    rate_by_source,
    touching,
    within_tolerance,
)
from judging.detecting import FoundSet, Workshop
from judging.figures import cases_of, false_rate, rate_value, row_of, share_value
from judging.lookalike_sets import real_classes, simulated_kinds
from judging.rows import Row
from judging.sets import Judged
from judging.shot_sets import FIRE, THREE, bursts, kinds, threes
from loxo.events import EVENT_LABELS

__all__ = ["call_rows", "condition_rows", "level_rows", "lookalike_rows", "shot_rows"]


def level_rows(work: Workshop) -> Iterator[Row]:
    """Recall by level, and the level at which half of the events are found."""
    found = work.composed("levels", levels)
    for kind, label in KINDS:
        outcomes = outcomes_by_row(found, label)
        by_level = [outcomes[f"{kind}, {level_db} dB"] for level_db in LEVELS_DB]
        place, n = ("levels", kind, label), len(by_level[0])
        half = half_level_db(LEVELS_DB, by_level)
        yield row_of(place, "half found at, dB", half, n, -1)
        for level_db, several in zip(LEVELS_DB, by_level, strict=True):
            yield row_of(place, f"{level_db} dB", share_value(several), n, 1)


def condition_rows(work: Workshop) -> Iterator[Row]:
    """Recall and false positives per hour under each condition."""
    found = work.composed("conditions", conditions)
    for name in (*CONDITIONS, *CLIPPING):
        recordings = with_row(found, name)
        for label in EVENT_LABELS:
            cases = cases_of(found, label, recordings)
            ((_, share, n),) = by_row(outcomes_by_row(found, label, recordings))
            place = ("conditions", name, label)
            yield row_of(place, "recall", share, n, 1)
            yield row_of(place, "false/h", false_rate(cases), n, -1)
    found = work.composed("quiet", quiet)
    for name in CONDITIONS:
        recordings = with_row(found, name)
        for label in EVENT_LABELS:
            place = ("conditions", name, label)
            cases = cases_of(found, label, recordings)
            yield row_of(place, "false/h without events", false_rate(cases), 0, -1)
    for label in EVENT_LABELS:
        cases = cases_of(found, label, with_row(found, SILENCED))
        inside = [in_zeros(each.start_s) for case in cases for each in case.found]
        hours = sum(case.recording.seconds for case in cases) / 3600
        rate = rate_value(["all"] * sum(inside), {"all": hours})
        place = ("conditions", "begin in zeros or within .3 s of them", label)
        yield row_of(place, "false/h without events", rate, 0, -1)


def in_zeros(start_s: float) -> bool:
    """Whether a time lies in a second of zeros, or within 0.3 s of one."""
    phase_s = (start_s - ZEROS_FROM_S + 0.3) % ZEROS_EVERY_S
    return start_s > ZEROS_FROM_S - 0.3 and phase_s < ZEROS_S + 0.6


def call_rows(work: Workshop) -> Iterator[Row]:
    """Rumbles in short recordings, in dense calling, in pairs, and far ones."""
    found = work.composed("lengths", lengths)
    for name in (ALONE, AMONG):
        yield from recall_rows(found, "calls", "Rumble", {name: with_row(found, name)})
    found = work.composed("rates", rates)
    yield from recall_rows(
        found, "calls", "Rumble", {name: with_row(found, name) for name in PAUSES_S}
    )
    yield from pair_rows(work.composed("pairs", pairs))
    found = work.composed("far", far_calls)
    outcomes = outcomes_by_row(found, "Rumble")
    for level_db in FAR_DB:
        several = outcomes[f"{level_db:+.0f} dB"]
        place = ("calls", f"single lines of 24-36 Hz at {level_db:+.0f} dB", "Rumble")
        yield row_of(place, "recall", share_value(several), len(several), 1)
    place = ("calls", "single lines of 24-36 Hz", "Rumble")
    yield row_of(place, "false/h", false_rate(cases_of(found, "Rumble")), 0, -1)


def pair_rows(found: FoundSet) -> Iterator[Row]:
    """Pairs of rumbles: how many are found as exactly two detections."""
    for row in PAIRS:
        right = []
        for recording in with_row(found, row):
            rumbles = found.of(recording, "Rumble")
            for _, members in groupby(recording.truths, key=lambda truth: truth.row):
                first, second = members
                over = touching(rumbles, first.event.start_s, second.event.end_s)
                right.append((len(over) == 2, first.source))
        place = ("calls", row, "Rumble")
        yield row_of(place, "counted right", share_value(right), len(right), 1)


def shot_rows(work: Workshop) -> Iterator[Row]:
    """Bursts, shots in a row, dry shots, and shots of a recorder without low frequencies."""
    yield from burst_rows(work.composed("bursts", bursts))
    yield from three_rows(work.composed("threes", threes))
    found = work.composed("kinds", kinds)
    for name, share, n in by_row(outcomes_by_row(found, "Gunshot")):
        yield row_of(("shots", name, "Gunshot"), "recall", share, n, 1)


def burst_rows(found: FoundSet) -> Iterator[Row]:
    """Bursts: found, found as one detection, counted; and the number of detections in each."""
    tolerances = {fire.name: fire.tolerance for fire in FIRE}
    outcomes: dict[str, list[tuple[bool, int, bool, str]]] = {}
    for case in cases_of(found, "Gunshot"):
        for truth, hit in zip(case.certain, case.matching.found.tolist(), strict=True):
            over = touching(case.found, truth.event.start_s, truth.event.end_s)
            tolerance = tolerances.get(truth.row.split(": ")[1], 0.0)
            right = within_tolerance(counted(over), truth.event.shots or 1, tolerance)
            name = f"{truth.row}, {truth.event.snr_db or 0:.0f} dB"
            outcomes.setdefault(name, []).append((hit, len(over), right, truth.source))
    for name in sorted(outcomes):
        several = outcomes[name]
        place, n = ("shots", name, "Gunshot"), len(several)
        hits = [(hit, source) for hit, _, _, source in several]
        yield row_of(place, "recall", share_value(hits), n, 1)
        one = [(hit and number == 1, source) for hit, number, _, source in several]
        yield row_of(place, "one detection", share_value(one), n, 1)
        counts = [(right, source) for _, _, right, source in several]
        yield row_of(place, "counted right", share_value(counts), n, 1)


def three_rows(found: FoundSet) -> Iterator[Row]:
    """Three shots a second apart: found, and counted as three."""
    right = []
    for recording in found.judged.recordings:
        shots = found.of(recording, "Gunshot")
        for _, members in groupby(recording.truths, key=lambda truth: truth.row):
            several = list(members)
            over = touching(shots, several[0].event.start_s, several[-1].event.end_s)
            right.append((counted(over) == THREE, several[0].source))
    place = ("shots", "three a second apart", "Gunshot")
    found_events = [each for rows in outcomes_by_row(found, "Gunshot").values() for each in rows]
    yield row_of(place, "recall", share_value(found_events), len(found_events), 1)
    yield row_of(place, "counted right", share_value(right), len(right), 1)


def lookalike_rows(work: Workshop) -> Iterator[Row]:
    """False positives per hour by class of look-alike."""
    for group, name, make in (
        ("look-alikes: real, by class", "classes", real_classes),
        ("look-alikes: simulated, by kind", "simulated_kinds", simulated_kinds),
    ):
        found = work.composed(name, make)
        for recording in found.judged.recordings:
            for label in EVENT_LABELS:
                sources, hours = rate_by_source(recording, found.of(recording, label))
                rate = rate_value(sources, hours)
                yield row_of((group, recording.row, label), "false/h", rate, len(hours), -1)


# ---- what these share


def with_row(found: FoundSet, row: str) -> list[Judged]:
    """The recordings of a set that count for a row."""
    return [recording for recording in found.judged.recordings if recording.row == row]


def recall_rows(
    found: FoundSet, group: str, label: str, recordings: Mapping[str, Sequence[Judged]]
) -> Iterator[Row]:
    """Recall in the recordings of each row."""
    for name, several in recordings.items():
        outcomes = outcomes_by_row(found, label, several)
        everything = [each for rows in outcomes.values() for each in rows]
        place = (group, name, label)
        yield row_of(place, "recall", share_value(everything), len(everything), 1)
