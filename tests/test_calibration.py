"""Calibrated scores are the share of detections that are true; thresholds keep to their limits."""

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

from loxo.annotations import read_annotations, write_events
from loxo.calibration import (
    CalibrationError,
    RecordingScores,
    best_off_threshold,
    calibrate,
    collect_scores,
    fit,
    operating_points,
)
from loxo.cli import app
from loxo.events import Event
from loxo.messages import Progress
from loxo.model import load_model
from loxo.model_folder import (
    Calibration,
    ModelError,
    PostProcessing,
    find_model,
    load_spec,
    network_hash,
    save_spec,
)
from loxo.scoring import calibrated
from loxo.simulate import SceneSettings
from loxo.simulate.writing import write_recording
from loxo.timeline import FrameGrid

GRID = FrameGrid(4000, 400)


class Reports(Progress):
    """Keeps the progress that it receives."""

    def __init__(self) -> None:
        self.updates: list[tuple[str, float, float | None]] = []

    def update(self, task: str, done: float, total: float | None = None) -> None:
        self.updates.append((task, done, total))


ONE_FRAME = PostProcessing(0.5)


def blips(rng: np.random.Generator, count: int, slope: float, offset: float) -> RecordingScores:
    """An hour or more of single frames whose log odds are spread evenly; a calibration of `slope`
    and `offset` sets how many are true."""
    odds = rng.uniform(-5, 5, count)
    scores = np.zeros((2 * count, 2), np.float32)
    scores[::2, 0] = expit(odds)
    true = rng.random(count) < expit(slope * odds + offset)
    events = tuple(
        Event("Rumble", GRID.start_s(2 * n), GRID.start_s(2 * n + 1))
        for n in np.flatnonzero(true).tolist()
    )
    return RecordingScores(scores, GRID, GRID.start_s(len(scores)), events)


@pytest.mark.parametrize(("slope", "offset"), [(1.0, 0.0), (0.5, -1.0), (2.0, 1.5)])
def test_the_calibration_that_made_the_truth_is_found_again(slope: float, offset: float) -> None:
    found = fit([blips(np.random.default_rng(1), 8000, slope, offset)], 0, "Rumble", ONE_FRAME)
    assert found.slope == pytest.approx(slope, rel=0.1)
    assert found.offset == pytest.approx(offset, abs=0.15)


@given(
    st.floats(0.1, 10),
    st.floats(-5, 5),
    st.lists(st.floats(0, 1, width=32), min_size=2, max_size=20),
)
def test_calibration_keeps_the_order_of_scores_and_their_range(
    slope: float, offset: float, scores: list[float]
) -> None:
    spec = replace(
        load_spec(find_model("tcn")),
        calibration={"Rumble": Calibration(slope, offset), "Gunshot": Calibration()},
    )
    raw = np.sort(np.array(scores, np.float32))
    values = calibrated(np.column_stack((raw, raw)), spec)
    assert values.dtype == np.float32
    assert (np.diff(values, axis=0) >= 0).all()
    assert ((values >= 0) & (values <= 1)).all()
    inner = np.clip(raw, 1e-6, 1 - 1e-6)
    np.testing.assert_allclose(values[:, 1], inner, atol=1e-6)
    np.testing.assert_allclose(
        values[:, 0], expit(slope * logit(inner.astype(float)) + offset), atol=2e-3
    )


def test_too_few_detections_are_an_error() -> None:
    with pytest.raises(
        CalibrationError,
        match=r"Rumble: \d true and \d+ false detections .*; a calibration needs 10",
    ):
        fit([blips(np.random.default_rng(0), 100, 1.0, -8.0)], 0, "Rumble", ONE_FRAME)


def test_operating_points_count_what_lies_above_each_threshold() -> None:
    recording = blips(np.random.default_rng(2), 2000, 1.0, 0.0)
    scores, true = recording.scores[::2, 0], np.zeros(2000, bool)
    true[[round(event.start_s / 0.2) for event in recording.events]] = True
    points = operating_points([recording], 0, "Rumble", ONE_FRAME)
    assert [point.threshold for point in points] == sorted(
        (point.threshold for point in points), reverse=True
    )
    for point in points:
        above = scores >= np.float32(point.threshold)
        assert point.false_positives_per_hour == pytest.approx(
            (above & ~true).sum() / (recording.seconds / 3600), abs=1e-3
        )
        assert point.recall == pytest.approx((above & true).sum() / true.sum(), abs=1e-4)


def test_the_off_threshold_is_the_level_at_which_calls_are_as_long_as_their_events() -> None:
    """Calls of 3 s whose scores rise over a second and fall over two."""
    rng = np.random.default_rng(3)
    scores, events = np.full((6000, 1), 0.001, np.float32), []
    course = np.concatenate((np.linspace(-6, 3, 20), np.full(20, 3.0), np.linspace(3, -6, 40)))
    for first in range(100, 5900, 200):
        scores[first : first + 80, 0] = expit(course + rng.normal(0, 0.01, 80))
        above = first + np.flatnonzero(course >= logit(0.1))
        events.append(Event("Rumble", above[0] / 10, (above[-1] + 1) / 10))
    recording = RecordingScores(scores, GRID, 600.0, tuple(events))
    found = best_off_threshold([recording], 0, "Rumble", PostProcessing(0.5))
    assert found == pytest.approx(0.1, abs=0.03)
    faint = replace(recording, scores=scores / np.float32(3))
    assert best_off_threshold([faint], 0, "Rumble", PostProcessing(0.5, 0.123)) == 0.123


def test_the_prior_is_stored_and_does_not_change_scores(model: Path) -> None:
    rng = np.random.default_rng(4)
    recordings = [blips(rng, 2000, 1.0, 0.0), blips(rng, 1000, 1.0, 0.0)]
    fitted = fit(recordings, 0, "Rumble", ONE_FRAME)
    hours = sum(recording.seconds for recording in recordings) / 3600
    n_events = sum(len(recording.events) for recording in recordings)
    assert fitted.hours == pytest.approx(hours, abs=1e-3)
    assert fitted.events_per_hour == pytest.approx(n_events / hours, rel=1e-3)
    spec = load_spec(model)
    same = replace(fitted, hours=1.0, events_per_hour=2.5, false_positives_per_hour=1.0)
    one, other = (replace(spec, calibration=dict.fromkeys(spec.labels, c)) for c in (fitted, same))
    assert network_hash(one, model) == network_hash(other, model)
    assert other.prior == (
        "calibrated on 1.0 h with 2.5 Rumble and 2.5 Gunshot an hour; thresholds for at most 1 "
        "false positives an hour of each label there"
    )


@pytest.fixture(scope="module")
def soundscapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen minutes with many events and look-alikes, and their tables."""
    folder = tmp_path_factory.mktemp("soundscapes")
    busy = SceneSettings(
        rate=4000,
        seconds=60.0,
        rumbles_per_minute=5.0,
        gunshots_per_minute=5.0,
        lookalikes_per_minute=10.0,
    )
    for number in range(4):
        write_recording(folder / f"sim{number}_20260101_000000.wav", busy, 240.0, number)
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copytree(find_model("tcn"), tmp_path / "model"))


def test_each_label_may_have_its_own_rate_of_false_positives(
    soundscapes: Path, model: Path
) -> None:
    command = ["calibrate", str(model), "--recordings", str(soundscapes), "--truth"]
    command += [str(soundscapes), "--false-positives-per-hour"]
    assert CliRunner().invoke(app, [*command, "30"]).exit_code == 0
    alike = load_spec(model).post_processing
    done = CliRunner().invoke(app, [*command, "Gunshot=100", command[-1], "30"])
    assert done.exit_code == 0, done.output
    spec = load_spec(model)
    assert spec.post_processing["Rumble"] == alike["Rumble"]
    assert spec.post_processing["Gunshot"].threshold < alike["Gunshot"].threshold
    assert all(each.off_threshold <= each.threshold for each in spec.post_processing.values())
    for words in ("at most 30 false positives an hour of Rumble", "at most 100 false positives"):
        assert words in spec.prior
    for wrong, told in (("-1", "below 0"), ("Roar=2", "Rumble, Gunshot"), ("many", "finite")):
        refused = CliRunner().invoke(app, [*command, wrong])
        assert (refused.exit_code, told in refused.output) == (2, True), refused.output


def test_a_model_is_calibrated_from_the_command_line_and_detects_by_what_was_asked(
    soundscapes: Path, model: Path, tmp_path: Path
) -> None:
    command = [
        "calibrate",
        str(model),
        "--recordings",
        str(soundscapes),
        "--truth",
        str(soundscapes),
        "--false-positives-per-hour",
        "30",
    ]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "Rumble: threshold" in done.output
    spec = load_spec(model)
    assert "calibrated on 0.3 h" in spec.prior
    assert "at most 30 false positives" in spec.prior
    assert spec.prior in done.output
    card = (model / "README.md").read_text(encoding="utf-8")
    for label, processing in spec.post_processing.items():
        point = next(
            point
            for point in spec.operating_points[label]
            if point.threshold == processing.threshold
        )
        assert point.false_positives_per_hour <= 30
        lower = [
            other
            for other in spec.operating_points[label]
            if other.threshold < processing.threshold
        ]
        assert not lower or lower[0].false_positives_per_hour > 30
    recording = next(soundscapes.glob("*.wav"))
    command = [
        "detect",
        str(recording),
        "--output",
        str(tmp_path / "out"),
        "--model",
        str(model),
        "--false-positives-per-hour",
        "100",
    ]
    assert CliRunner().invoke(app, command).exit_code == 0
    used = json.loads((tmp_path / "out" / "run.json").read_text())["settings"]["post_processing"]
    expected = load_model(model).post_processing(false_positives_per_hour=100)
    assert {label: processing["threshold"] for label, processing in used.items()} == {
        label: processing.threshold for label, processing in expected.items()
    }
    again = calibrate(
        model,
        [recording, *soundscapes.glob("*.wav")][1:],
        read_annotations([soundscapes]),
        false_positives_per_hour=30,
    )
    assert again == spec, "a calibrated model is calibrated from its raw scores"
    assert card.count(spec.prior[1:]) == 1
    assert (model / "README.md").read_text(encoding="utf-8") == card


def test_the_best_f1_is_taken_where_nothing_is_asked_for(soundscapes: Path, model: Path) -> None:
    spec = calibrate(model, sorted(soundscapes.glob("*.wav")), read_annotations([soundscapes]))
    for label, points in spec.operating_points.items():
        best = max(
            2 * p.recall * p.precision / (p.recall + p.precision)
            for p in points
            if p.recall and p.precision
        )
        chosen = next(p for p in points if p.threshold == spec.post_processing[label].threshold)
        assert chosen.recall is not None
        assert chosen.precision is not None
        assert 2 * chosen.recall * chosen.precision / (chosen.recall + chosen.precision) == best


def test_recordings_without_a_truth_are_ignored(
    soundscapes: Path, model: Path, tmp_path: Path
) -> None:
    recordings = sorted(soundscapes.glob("*.wav"))
    tables = tmp_path / "tables"
    tables.mkdir()
    shutil.copy(recordings[0].with_suffix(".selections.txt"), tables)
    truth = read_annotations([tables])
    reports = Reports()
    collected = collect_scores(load_model(model), recordings, truth, progress=reports)
    assert [each.seconds for each in collected] == [240.0]
    assert reports.updates == [("recordings", 1, 1)]
    with pytest.raises(
        CalibrationError, match="none of the 1 recording can be read and is in the truth"
    ):
        calibrate(model, recordings[1:2], truth)


def test_two_sites_of_equal_file_names_have_their_own_events(
    soundscapes: Path, model: Path, tmp_path: Path
) -> None:
    name = "20210722_005941"
    for site, source in zip("AB", sorted(soundscapes.glob("*.wav")), strict=False):
        folder, tables = tmp_path / "rec" / f"site{site}", tmp_path / "tables" / f"site{site}"
        folder.mkdir(parents=True)
        tables.mkdir(parents=True)
        shutil.copy(source, folder / f"{name}.WAV")
        # A table that has nothing but its own name for its recording.
        table = read_annotations([source.with_suffix(".selections.txt")])
        write_events(
            tables / f"{name}.selections.txt", [row.event for row in table.rows], f"{name}.WAV"
        )
    recordings = sorted((tmp_path / "rec").rglob("*.WAV"))
    truth = read_annotations([tmp_path / "tables"])
    collected = collect_scores(load_model(model), recordings, truth)
    for one, source in zip(collected, sorted(soundscapes.glob("*.wav")), strict=False):
        own = read_annotations([source.with_suffix(".selections.txt")])
        starts = sorted(row.event.start_s for row in own.rows)
        assert [event.start_s for event in one.events] == starts
    alone = shutil.copy(tmp_path / "tables" / "siteA" / f"{name}.selections.txt", tmp_path)
    with pytest.raises(CalibrationError, match=r"siteA.*siteB"):
        collect_scores(load_model(model), recordings, read_annotations([Path(alone)]))


def test_a_recording_that_cannot_be_read_is_reported_and_skipped(
    soundscapes: Path, model: Path, tmp_path: Path
) -> None:
    busy = tmp_path / "busy"
    shutil.copytree(soundscapes, busy)
    broken = min(busy.glob("*.wav"))
    broken.write_bytes(b"RIFF")
    done = CliRunner().invoke(
        app, ["calibrate", str(model), "--recordings", str(busy), "--truth", str(busy)]
    )
    assert done.exit_code == 0, done.output
    assert done.output.count("skipped") == 1
    assert f"skipped  {broken}: " in done.output


def test_labels_of_the_tables_can_be_renamed(
    soundscapes: Path, model: Path, tmp_path: Path
) -> None:
    tables = tmp_path / "tables"
    tables.mkdir()
    for table in soundscapes.glob("*.selections.txt"):
        text = table.read_text(encoding="utf-8")
        (tables / table.name).write_text(text.replace("Gunshot", "Tir"), encoding="utf-8")
    command = [
        *("calibrate", str(model), "--recordings", str(soundscapes)),
        *("--truth", str(tables)),
    ]
    without = CliRunner().invoke(app, command)
    assert "Gunshot: 0 true" in str(without.exception)
    renamed = CliRunner().invoke(app, [*command, "--map", "tir=Gunshot"])
    assert renamed.exit_code == 0, renamed.output
    assert load_spec(model) == calibrate(
        model, sorted(soundscapes.glob("*.wav")), read_annotations([soundscapes])
    )


def test_a_model_that_was_never_calibrated_says_so(model: Path) -> None:
    save_spec(replace(load_spec(model), operating_points={}), model)
    with pytest.raises(ModelError, match="not calibrated"):
        load_model(model).post_processing(false_positives_per_hour=5.0)
