"""What `benchmarks/accuracy.py` reads off detections: figures, intervals, and what is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from judging.changes import ZEROS_EVERY_S, ZEROS_FROM_S
from judging.composed_parts import in_zeros, pair_rows, three_rows
from judging.composing import Truth
from judging.counting import (
    counted,
    crossing,
    half_level_db,
    rate_by_source,
    touching,
    within_tolerance,
)
from judging.detecting import Detector, FoundSet
from judging.extents import band_rows, calibration_rows, end_rows, iou
from judging.figures import cases_of, curve_rows, rate_value, score_rows, share_value
from judging.rows import Row, compare, is_worse, read, tables, write
from judging.sets import Composed, Judged, JudgedSet, composed_set

from loxo.events import Detection, Event
from loxo.metrics import curve, wilson_interval
from loxo.scoring import calibrated

ROW = Row("group", "name", "Rumble", "recall", 0.8, 0.7, 0.9, 40, 1)


def found_set(
    truths: Sequence[Truth],
    detections: Sequence[Detection],
    *,
    row: str = "",
    low: Sequence[Detection] | None = None,
) -> FoundSet:
    """A set of one recording of an hour."""
    recording = Judged(Path("folder/one.flac"), row, 3600.0, tuple(truths))
    judged = JudgedSet("set", (recording,))
    default = {recording.name: list(detections)}
    return FoundSet(judged, default, {recording.name: list(detections if low is None else low)})


def found(start_s: float, end_s: float, score: float = 0.9, count: int | None = None) -> Detection:
    return Detection("Rumble", start_s, end_s, 10.0, 40.0, score, count)


def truth(start_s: float, end_s: float, source: str = "a", row: str = "") -> Truth:
    return Truth(Event("Rumble", start_s, end_s, 10.0, 40.0), source, row)


def measured(rows: Sequence[Row]) -> dict[str, float | None]:
    return {row.measure: row.value for row in rows}


# ---- shares and rates


def test_a_share_of_all_is_not_certain() -> None:
    value = share_value([(True, "a")] * 10)
    interval = wilson_interval(10, 10)
    assert interval is not None
    assert (value.value, value.low, value.high) == (1.0, *interval)


def test_copies_of_one_source_tell_less_than_sources_of_their_own() -> None:
    outcomes = [k % 40 < 20 for k in range(80)]
    apart = share_value([(hit, str(k)) for k, hit in enumerate(outcomes)])
    copies = share_value([(hit, str(k % 40 // 10)) for k, hit in enumerate(outcomes)])
    assert apart.value == copies.value == 0.5
    assert apart.low is not None
    assert copies.low is not None
    assert copies.low < apart.low - 0.1


def test_a_rate_counts_hours_without_cases() -> None:
    hours = {str(k): 0.5 for k in range(8)}
    value = rate_value(["1", "1", "5", "7"], hours)
    assert value.value == 1.0
    assert rate_value([], hours).high == pytest.approx(3.689 / 4, rel=1e-3)  # Poisson's for none


# ---- scores and curves


@given(st.integers(0, 10**6))
def test_figures_agree_with_the_metrics_of_the_package(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truths = [truth(100.0 * k, 100.0 * k + 5, str(k % 3)) for k in range(rng.integers(1, 12))]
    detections = [
        found(float(start), float(start) + 4, round(float(rng.uniform(0.1, 1)), 2))
        for start in np.sort(rng.choice(24, rng.integers(1, 14), replace=False)) * 50.0
    ]
    cases = cases_of(found_set(truths, detections), "Rumble")
    values = measured(list(score_rows("g", "n", "Rumble", cases)))
    values |= measured(list(curve_rows("g", "n", "Rumble", cases)))
    expected = curve([case.matching for case in cases], 1.0)
    last = expected.score_at(-1)
    assert values["precision"] == last.precision
    assert values["recall"] == last.recall
    assert values["F1"] == pytest.approx(last.f1)
    assert values["false/h"] == pytest.approx(last.false_positives_per_hour)
    assert values["AP"] == pytest.approx(expected.average_precision)
    assert expected.best is not None
    assert values["best F1"] == pytest.approx(np.nan_to_num(expected.f1)[expected.best])
    for limit in (1, 2, 5):
        assert values[f"recall at {limit}/h"] == pytest.approx(expected.recall_at(limit))


def test_intervals_hold_their_figures() -> None:
    truths = [truth(100.0 * k, 100.0 * k + 5, str(k % 4)) for k in range(20)]
    detections = [found(100.0 * k + 50 * (k % 4 == 0), 100.0 * k + 55) for k in range(20)]
    cases = cases_of(found_set(truths, detections), "Rumble")
    rows = [*score_rows("g", "n", "Rumble", cases), *curve_rows("g", "n", "Rumble", cases)]
    for row in rows:
        assert row.value is not None
        assert row.low is not None
        assert row.high is not None
        assert row.low - 1e-9 <= row.value <= row.high + 1e-9


def test_marginal_events_are_neither_missed_nor_false() -> None:
    marginal = truth(10, 15)
    marginal = replace(marginal, event=replace(marginal.event, marginal=True))
    cases = cases_of(
        found_set([marginal, truth(100, 105)], [found(10, 15), found(100, 105)]), "Rumble"
    )
    values = measured(list(score_rows("g", "n", "Rumble", cases)))
    assert (values["precision"], values["recall"], values["false/h"]) == (1.0, 1.0, 0.0)
    assert [each.event.start_s for each in cases[0].certain] == [100]


# ---- levels


def test_half_is_where_the_curve_crosses_it() -> None:
    assert crossing([0, 3, 6], [0.2, 0.4, 0.8]) == pytest.approx(3.75)
    assert crossing([0, 3, 6], [0.6, 0.7, 0.8]) == 0
    assert crossing([0, 3, 6], [0.1, 0.2, 0.3]) == 6


def test_a_dip_of_the_recall_does_not_move_the_level() -> None:
    def outcomes(hits: int) -> list[tuple[bool, str]]:
        return [(k < hits, str(k)) for k in range(10)]

    value = half_level_db([0, 3, 6, 9], [outcomes(hits) for hits in (0, 6, 4, 10)])
    assert value.value == pytest.approx(3.0)


# ---- counts


def test_a_detection_without_a_count_stands_for_one() -> None:
    assert counted([found(0, 1), found(2, 3, count=5)]) == 6
    assert counted([]) == 0
    assert touching([found(0, 1), found(2, 3)], 1.0, 2.5) == [found(2, 3)]


def test_counts_may_err_by_a_share() -> None:
    assert within_tolerance(24, 20, 0.2)
    assert not within_tolerance(25, 20, 0.2)
    assert not within_tolerance(2, 1, 0.2)


def test_pairs_are_right_as_two_detections() -> None:
    name = "two with .3 s between them"
    truths = [
        truth(10, 12, row="0"),
        truth(12.3, 14, row="0"),
        truth(30, 32, row="1"),
        truth(33, 34, row="1"),
    ]
    detections = [found(10, 12), found(12.3, 14), found(30, 34)]
    (row,) = (each for each in pair_rows(found_set(truths, detections, row=name)) if each.n)
    assert (row.name, row.value, row.n) == (name, 0.5, 2)


def test_three_shots_are_counted_over_detections() -> None:
    shots = [
        Truth(Event("Gunshot", 100.0 * turn + k, 100.0 * turn + k + 0.8), "gun", str(turn))
        for turn in range(3)
        for k in range(3)
    ]
    one = Detection("Gunshot", 0.0, 2.8, None, None, 0.9, 3)
    three = [Detection("Gunshot", 100.0 + k, 100.5 + k, None, None, 0.9) for k in range(3)]
    wrong = Detection("Gunshot", 200.0, 202.8, None, None, 0.9)
    rows = list(three_rows(found_set(shots, [one, *three, wrong])))
    values = measured(rows)
    assert values["recall"] == 1.0  # one detection finds all that it spans
    assert values["counted right"] == pytest.approx(2 / 3)


def test_false_positives_belong_to_the_sound_that_they_follow() -> None:
    recording = Judged(Path("f/x.flac"), "", 70.0, (truth(10, 12, "a"), truth(30, 31, "b")))
    sources, hours = rate_by_source(recording, [found(10.1, 12), found(29.9, 31), found(60, 61)])
    assert sources == ["a", "b", "b"]
    assert hours == {"a": pytest.approx(20 / 3600), "b": pytest.approx(40 / 3600)}


def test_detections_at_both_ends_of_zeros_belong_to_them() -> None:
    for first_s in (ZEROS_FROM_S, ZEROS_FROM_S + 3 * ZEROS_EVERY_S):
        assert in_zeros(first_s - 0.2)
        assert in_zeros(first_s + 1.2)
        assert not in_zeros(first_s - 0.4)
        assert not in_zeros(first_s + 1.4)


# ---- bands, ends, calibration


def test_the_overlap_of_bands() -> None:
    assert iou((10, 20), (10, 20)) == 1
    assert iou((10, 20), (20, 30)) == 0
    assert iou((10, 30), (20, 40)) == pytest.approx(1 / 3)


def test_an_end_is_early_by_the_last_detection_in_an_event() -> None:
    truths = [truth(10, 16), truth(30, 36)]
    detections = [found(10, 12), found(13, 15.5), found(30, 34)]
    cases = cases_of(found_set(truths, detections), "Rumble")
    values = measured(list(end_rows("n", "Rumble", cases)))
    assert values["ends over 1 s early"] == 0.5
    assert values["IoU in time"] == pytest.approx((2.5 / 6 + 4 / 6) / 2)


def test_bands_are_compared_with_tables() -> None:
    wide = replace(found(10, 15), high_hz=250.0)
    cases = cases_of(found_set([truth(10, 15)], [wide]), "Rumble")
    values = measured(list(band_rows("n", "Rumble", cases)))
    assert values == {"IoU": pytest.approx(30 / 240), "reach 250 Hz": 1.0}


def test_calibration_compares_scores_with_truth() -> None:
    truths = [truth(100.0 * k, 100.0 * k + 5) for k in range(6)]
    detections = [found(100.0 * k, 100.0 * k + 5, 0.6 if k < 8 else 1.0) for k in range(10)]
    rows = list(calibration_rows("n", "Rumble", cases_of(found_set(truths, detections), "Rumble")))
    values = {(row.name, row.measure): row.value for row in rows}
    assert values["n, scores 0.5-0.7", "share true"] == 0.75
    assert values["n, scores 0.9-1", "share true"] == 0.0
    assert values["n, mean distance", "distance"] == pytest.approx(0.8 * 0.15 + 0.2 * 1.0)


# ---- rows


@pytest.mark.parametrize(
    ("better", "new", "worse"),
    [(1, 0.69, True), (1, 0.71, False), (1, 1.0, False), (-1, 0.91, True), (-1, 0.1, False)],
)
def test_worse_is_beyond_the_interval(better: int, new: float, worse: bool) -> None:
    old = replace(ROW, better=better)
    assert is_worse(old, replace(old, value=new)) is worse


def test_a_figure_without_a_direction_is_never_worse() -> None:
    old = replace(ROW, better=0)
    assert not is_worse(old, replace(old, value=0.0))


def test_rows_are_kept_and_compared(tmp_path: Path) -> None:
    path = tmp_path / "out" / "accuracy.json"
    write(path, {"name": "tcn"}, [ROW])
    old = read(path)
    assert old == [ROW]
    new = [replace(ROW, value=0.5), replace(ROW, name="another")]
    shown = list(tables(new, old))
    assert shown[1] == "### group"
    assert "| name | Rumble | 40 | 0.80 (0.70-0.90) → 0.50 (0.70-0.90) **worse** |" in shown
    first, second = compare(old, new)
    assert first.startswith("1 figures")
    assert "group, name, Rumble, recall" in second


# ---- what is kept


def test_detections_are_kept_by_model_and_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silence = np.zeros(8000)
    judged = composed_set(tmp_path / "set", lambda: [Composed("one", "", silence, [])])
    detector = Detector("tcn", tmp_path / "kept")
    calls: list[object] = []

    def detect(path: Path, *, thresholds: object = None) -> list[Detection]:
        calls.append(thresholds)
        return [Detection("Gunshot", 0.1, 0.6, 100.0, 900.0, 0.5)]

    monkeypatch.setattr(detector.model, "detect", detect)
    first, second = detector.detect(judged), detector.detect(judged)
    # Low thresholds are those of the scores before calibration.
    raw = np.full((1, 2), 0.02)
    lowest = dict(zip(detector.model.labels, calibrated(raw, detector.model.spec)[0], strict=True))
    assert calls == [None, pytest.approx(lowest)]
    assert first == second
    (recording,) = judged.recordings
    assert first.of(recording, "Gunshot") == [Detection("Gunshot", 0.1, 0.6, 100.0, 900.0, 0.5)]
    assert first.of(recording, "Rumble", low=True) == []
    other = composed_set(tmp_path / "other", lambda: [Composed("one", "", silence, [])])
    detector.detect(other)
    assert len(calls) == 4
