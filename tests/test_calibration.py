"""A calibrated score is the share of detections that are true; thresholds are those of the false positives that were asked for."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from typer.testing import CliRunner

from loxo.annotations import read_annotations
from loxo.calibration import CalibrationError, Heard, calibrate, fit, hear, operating_points, threshold_for
from loxo.checkpoints import Calibration, Decision, ModelError, find_model, load_spec
from loxo.cli import app
from loxo.events import Event
from loxo.scoring import calibrated
from loxo.simulate import SceneSettings
from loxo.simulate.writing import write_recording
from loxo.timeline import FrameGrid

GRID = FrameGrid(4000, 400)
ONE_FRAME = Decision(0.5)


def blips(rng: np.random.Generator, count: int, slope: float, offset: float) -> Heard:
    """An hour or more of single frames whose log odds are spread evenly; a calibration of `slope` and `offset` tells how many are true."""
    odds = rng.uniform(-5, 5, count)
    scores = np.zeros((2 * count, 2), np.float32)
    scores[::2, 0] = expit(odds)
    true = rng.random(count) < expit(slope * odds + offset)
    events = tuple(Event("Rumble", GRID.start_s(2 * n), GRID.start_s(2 * n + 1)) for n in np.flatnonzero(true).tolist())
    return Heard(scores, GRID, GRID.start_s(len(scores)), events)


@pytest.mark.parametrize(("slope", "offset"), [(1.0, 0.0), (0.5, -1.0), (2.0, 1.5)])
def test_the_calibration_that_made_the_truth_is_found_again(slope: float, offset: float) -> None:
    found = fit([blips(np.random.default_rng(1), 20_000, slope, offset)], 0, "Rumble", ONE_FRAME)
    assert found.slope == pytest.approx(slope, rel=0.1)
    assert found.offset == pytest.approx(offset, abs=0.15)


@given(st.floats(0.1, 10), st.floats(-5, 5), st.lists(st.floats(0, 1, width=32), min_size=2, max_size=20))
def test_calibration_keeps_the_order_of_scores_and_their_range(slope: float, offset: float, scores: list[float]) -> None:
    spec = replace(load_spec(find_model("tcn")), calibration={"Rumble": Calibration(slope, offset), "Gunshot": Calibration()})
    raw = np.sort(np.array(scores, np.float32))
    bent = calibrated(np.column_stack((raw, raw)), spec)
    assert bent.dtype == np.float32
    assert (np.diff(bent, axis=0) >= 0).all()
    assert ((bent >= 0) & (bent <= 1)).all()
    inner = np.clip(raw, 1e-6, 1 - 1e-6)
    np.testing.assert_allclose(bent[:, 1], inner, atol=1e-6)
    np.testing.assert_allclose(bent[:, 0], expit(slope * logit(inner.astype(float)) + offset), atol=2e-3)


def test_too_few_detections_are_refused() -> None:
    with pytest.raises(CalibrationError, match=r"Rumble: \d true and \d+ false detections in these recordings; a calibration needs 10"):
        fit([blips(np.random.default_rng(0), 100, 1.0, -8.0)], 0, "Rumble", ONE_FRAME)


def test_operating_points_count_what_lies_above_each_threshold() -> None:
    heard = blips(np.random.default_rng(2), 2000, 1.0, 0.0)
    scores, true = heard.scores[::2, 0], np.zeros(2000, bool)
    true[[round(event.start_s / 0.2) for event in heard.events]] = True
    points = operating_points([heard], 0, "Rumble", ONE_FRAME)
    assert [point.threshold for point in points] == sorted((point.threshold for point in points), reverse=True)
    for point in points:
        above = scores >= np.float32(point.threshold)
        assert point.false_positives_per_hour == pytest.approx((above & ~true).sum() / (heard.seconds / 3600), abs=1e-3)
        assert point.recall == pytest.approx((above & true).sum() / true.sum(), abs=1e-4)


@pytest.fixture(scope="module")
def soundscapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen minutes with many events and look-alikes, and their tables."""
    folder = tmp_path_factory.mktemp("soundscapes")
    busy = SceneSettings(rate=4000, seconds=60.0, rumbles_per_minute=5.0, gunshots_per_minute=5.0, lookalikes_per_minute=10.0)
    for number in range(4):
        write_recording(folder / f"sim{number}_20260101_000000.wav", busy, 240.0, number)
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copytree(find_model("tcn"), tmp_path / "model"))


def test_a_model_is_calibrated_from_the_command_line_and_detects_by_what_was_asked(soundscapes: Path, model: Path, tmp_path: Path) -> None:
    told = ["calibrate", str(model), "--recordings", str(soundscapes), "--truth", str(soundscapes), "--false-positives-per-hour", "30"]
    done = CliRunner().invoke(app, told)
    assert done.exit_code == 0, done.output
    assert "Rumble: threshold" in done.output
    spec = load_spec(model)
    for label, decision in spec.decisions.items():
        point = next(point for point in spec.operating_points[label] if point.threshold == decision.threshold)
        assert point.false_positives_per_hour <= 30
        lower = [other for other in spec.operating_points[label] if other.threshold < decision.threshold]
        assert not lower or lower[0].false_positives_per_hour > 30
    recording = next(soundscapes.glob("*.wav"))
    command = ["detect", str(recording), "--output", str(tmp_path / "out"), "--model", str(model), "--false-positives-per-hour", "100"]
    assert CliRunner().invoke(app, command).exit_code == 0
    used = json.loads((tmp_path / "out" / "run.json").read_text())["settings"]["decisions"]
    assert {label: decision["threshold"] for label, decision in used.items()} == dict(threshold_for(spec, 100))
    again = calibrate(model, [recording, *soundscapes.glob("*.wav")][1:], read_annotations([soundscapes]), false_positives_per_hour=30)
    assert again == spec, "a calibrated model is calibrated from its raw scores, as before"


def test_the_best_f1_is_taken_where_nothing_is_asked_for(soundscapes: Path, model: Path) -> None:
    spec = calibrate(model, sorted(soundscapes.glob("*.wav")), read_annotations([soundscapes]))
    for label, points in spec.operating_points.items():
        best = max(2 * p.recall * p.precision / (p.recall + p.precision) for p in points if p.recall and p.precision)
        chosen = next(p for p in points if p.threshold == spec.decisions[label].threshold)
        assert chosen.recall is not None
        assert chosen.precision is not None
        assert 2 * chosen.recall * chosen.precision / (chosen.recall + chosen.precision) == best


def test_recordings_without_a_truth_are_passed_over(soundscapes: Path, model: Path, tmp_path: Path) -> None:
    recordings = sorted(soundscapes.glob("*.wav"))
    alone = tmp_path / "tables"
    alone.mkdir()
    shutil.copy(recordings[0].with_suffix(".selections.txt"), alone)
    truth = read_annotations([alone])
    assert [each.seconds for each in hear(model, recordings, truth)] == [240.0]
    with pytest.raises(CalibrationError, match="none of the 1 recordings can be read and is in the truth"):
        calibrate(model, recordings[1:2], truth)


def test_a_recording_that_cannot_be_read_is_told_of_and_passed_over(soundscapes: Path, model: Path, tmp_path: Path) -> None:
    busy = tmp_path / "busy"
    shutil.copytree(soundscapes, busy)
    broken = min(busy.glob("*.wav"))
    broken.write_bytes(b"RIFF")
    done = CliRunner().invoke(app, ["calibrate", str(model), "--recordings", str(busy), "--truth", str(busy)])
    assert done.exit_code == 0, done.output
    assert done.output.count("skipped") == 1
    assert f"skipped  {broken}: " in done.output


def test_a_model_that_was_never_calibrated_says_so() -> None:
    with pytest.raises(ModelError, match="not calibrated"):
        threshold_for(replace(load_spec(find_model("tcn")), operating_points={}), 5.0)
