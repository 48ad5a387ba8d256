"""Which recordings count, over how many hours, and what the result says of those that do not."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import typer
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from loxo.annotations import Annotation, Annotations, detections_frame, read_annotations, write_events, write_parquet, write_raven
from loxo.cli.evaluate import evaluate as command
from loxo.evaluation import (
    Evaluation,
    EvaluationError,
    by_hour,
    by_site,
    by_snr,
    compare,
    comparison_table,
    curve_table,
    evaluate,
    evaluate_paths,
    notices,
    recording_paths,
    snr_db,
    summary_table,
    to_json,
    whole,
    write_json,
)
from loxo.evaluation.groups import searched_by_hour
from loxo.events import Detection, Event
from loxo.simulate import SceneSettings
from loxo.simulate.writing import write_recording

SHARED = Path(__file__).parents[2] / "shared"
DOCUMENT = Path(__file__).parents[1] / "docs" / "evaluation.md"
HEADER = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tBegin File\tFile Offset (s)\tTag 1\tNotes"
CONTRACT = {"precision", "recall", "f1", "false_positives_per_hour", "true_events", "detections"}

Marks = Mapping[str, Sequence[tuple[str, float, float]]]


def marked(marks: Marks, *, marginal: bool = False) -> Annotations:
    """Events by recording, `(label, start_s, end_s)`; a recording with none was searched and is empty."""
    flags = frozenset({"marginal"} if marginal else ())
    rows = [
        Annotation(f"{name}.wav", Event(label, start_s, end_s, flags=flags), "table.txt", row)
        for name, events in marks.items()
        for row, (label, start_s, end_s) in enumerate(events, start=2)
    ]
    return Annotations(tuple(rows), frozenset(name for name, events in marks.items() if not events), ())


def write_truth(path: Path, marks: Marks) -> Path:
    """A Raven table of several files; a row `DUMMY_NoEles` for a recording that is empty."""
    lines = [HEADER]
    for name, events in marks.items():
        for label, start_s, end_s in events or [("DUMMY_NoEles", 0, 1)]:
            lines.append(f"{len(lines)}\tSpectrogram 1\t1\t{start_s}\t{end_s}\t10\t100\t{name}.wav\t{start_s}\t{label}\t")
    path.write_text("\n".join(lines) + "\n")
    return path


def write_run(folder: Path, marks: Marks, seconds: float = 3600.0) -> Path:
    """A folder as `loxo detect` leaves it, of recordings in a folder that is not there any more."""
    folder.mkdir()
    entries, rows = [], []
    for name, events in marks.items():
        recording = f"recordings/{name}.wav"
        found = [Detection(label, start_s, end_s, 10.0, 100.0, 0.5) for label, start_s, end_s in events]
        write_raven(folder / f"{name}.selections.txt", found, recording)
        rows.append((recording, found, None))
        entries.append({"recording": recording, "seconds": seconds, "table": f"{name}.selections.txt"})
    write_parquet(folder / "detections.parquet", detections_frame(rows))
    (folder / "run.json").write_text(json.dumps({"recordings": entries, "audio_seconds": seconds * len(entries)}))
    return folder


def counted(evaluation: Evaluation) -> set[str]:
    return set(evaluation.recordings)


RUMBLE = ("Rumble", 10.0, 14.0)
SHOT = ("Gunshot", 50.0, 51.0)


# ---- which recordings count


def test_a_recording_without_truth_is_refused_and_one_that_was_searched_and_is_empty_counts() -> None:
    truth = marked({"heard": [RUMBLE], "empty": []})
    detections = marked({"heard": [RUMBLE], "empty": [SHOT], "unheard": [RUMBLE, SHOT]})
    result = evaluate(truth, detections, {"heard": 1800, "empty": 1800, "unheard": 7200})
    assert counted(result) == {"heard", "empty"}
    assert result.refused == ("unheard",)
    assert result.audio_seconds == 3600
    assert result.score("Gunshot", "overlap10").false_positives_per_hour == 1
    assert result.score("Rumble", "overlap10").precision == 1


def test_truth_that_the_detector_did_not_see_is_no_miss_where_a_run_says_so() -> None:
    truth = marked({"seen": [RUMBLE], "unseen": [RUMBLE]})
    detections = marked({"seen": [RUMBLE]})
    result = evaluate(truth, detections, {"seen": 60}, searched=["seen"])
    assert result.not_detected_on == ("unseen",)
    assert result.score("Rumble", "overlap10").recall == 1


def test_truth_without_detections_is_missed_where_nobody_says_what_was_run() -> None:
    result = evaluate(marked({"a": [RUMBLE], "b": [RUMBLE]}), marked({"a": [RUMBLE]}))
    assert counted(result) == {"a", "b"}
    assert result.not_detected_on == ()
    assert result.score("Rumble", "one_to_one").recall == 0.5


def test_nothing_in_common_is_an_error_of_one_line_that_names_both_sides() -> None:
    with pytest.raises(EvaluationError, match=r"1 recording \(left\).* 1 recording \(right\)") as caught:
        evaluate(marked({"left": [RUMBLE]}), marked({"right": [RUMBLE]}), searched=["right"])
    assert "\n" not in str(caught.value)


# ---- what is counted in them


def test_marginal_events_and_other_labels_change_no_figure() -> None:
    truth = marked({"a": [RUMBLE, ("Roar", 30.0, 33.0), ("Roar", 40.0, 43.0)]})
    doubtful = marked({"a": [("Rumble", 100.0, 104.0)]}, marginal=True)
    both = Annotations(truth.rows + doubtful.rows, frozenset(), ())
    detections = marked({"a": [RUMBLE, ("Rumble", 101.0, 103.0), ("Aircraft", 0.0, 60.0)]})
    result = evaluate(both, detections, {"a": 3600})
    figures = result.score("Rumble", "overlap10")
    assert (figures.precision, figures.recall, figures.detections, figures.left_out_detections) == (1, 1, 1, 1)
    assert result.other_labels == {"truth": {"Roar": 2}, "detections": {"Aircraft": 1}}
    assert to_json(result)["marginal_events"]["Rumble"] == 1


def test_labels_are_judged_apart() -> None:
    result = evaluate(marked({"a": [RUMBLE]}), marked({"a": [("Gunshot", 10.0, 14.0)]}), {"a": 3600})
    assert result.score("Rumble", "overlap10").recall == 0
    assert result.score("Gunshot", "overlap10").precision == 0


def test_cases_point_at_the_rows_of_the_tables() -> None:
    truth = marked({"a": [("Gunshot", 50.0, 51.0), ("Rumble", 90.0, 94.0), ("Rumble", 10.0, 14.0)]})
    detections = marked({"a": [("Rumble", 200.0, 204.0), ("Rumble", 11.0, 14.0)]})
    judged = evaluate(truth, detections).recordings["a"]["Rumble"]
    outcome = judged.outcomes["one_to_one"]
    assert [judged.truth[i].event.start_s for i in outcome.missed] == [90]
    assert [judged.detections[i].event.start_s for i in outcome.false] == [200]
    assert [(judged.truth[i].row, judged.detections[k].row) for i, k in outcome.pairs] == [(4, 3)]


def test_figures_over_recordings_come_from_summed_counts() -> None:
    truth = marked({"busy": [("Rumble", 10.0 * k, 10.0 * k + 4) for k in range(9)], "calm": [RUMBLE]})
    detections = marked({"calm": [RUMBLE, ("Rumble", 80.0, 84.0)], "busy": []})
    result = evaluate(truth, detections, {"busy": 1800, "calm": 1800})
    assert result.score("Rumble", "overlap10").recall == 0.1
    apart = result.score_by_recording("Rumble", "overlap10")
    assert (apart["busy"].recall, apart["calm"].recall) == (0, 1)
    assert (apart["busy"].false_positives_per_hour, apart["calm"].false_positives_per_hour) == (0, 2)


# ---- hours


def test_a_total_length_stands_for_the_recordings_that_count() -> None:
    result = evaluate(marked({"a": []}), marked({"a": [RUMBLE], "b": [RUMBLE]}), 7200.0)
    assert result.score("Rumble", "overlap10").false_positives_per_hour == 0.5


@pytest.mark.parametrize("seconds", [None, {}, {"b": 60.0}])
def test_without_the_length_of_every_recording_there_is_no_rate_and_the_remedy_is_told(seconds: dict[str, float] | None) -> None:
    result = evaluate(marked({"a": [RUMBLE]}), marked({"a": [RUMBLE]}), seconds)
    assert result.audio_seconds is None
    assert result.score("Rumble", "overlap10").false_positives_per_hour is None
    assert [line for line in notices(result) if "--audio-seconds" in line]


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_a_length_that_is_none_is_refused(seconds: float) -> None:
    with pytest.raises(EvaluationError, match="more than 0 s"):
        evaluate(marked({"a": []}), marked({"a": []}), seconds)


# ---- folders and tables


def test_a_run_is_evaluated_from_its_folder(tmp_path: Path) -> None:
    truth = write_truth(tmp_path / "truth.txt", {"a": [RUMBLE, SHOT], "quiet": [], "unseen": [RUMBLE]})
    run = write_run(tmp_path / "run", {"a": [RUMBLE], "quiet": [], "strange": [SHOT]}, seconds=1800)
    result = evaluate_paths(truth, run)
    assert counted(result) == {"a", "quiet"}
    assert (result.refused, result.not_detected_on) == (("strange",), ("unseen",))
    assert result.audio_seconds == 3600
    assert (result.score("Rumble", "overlap10").recall, result.score("Gunshot", "overlap10").recall) == (1, 0)


@pytest.mark.parametrize("kept", ["detections.parquet", "*.selections.txt"])
def test_either_form_of_a_runs_detections_will_do(tmp_path: Path, kept: str) -> None:
    truth = write_truth(tmp_path / "truth.txt", {"a": [RUMBLE], "quiet": []})
    run = write_run(tmp_path / "run", {"a": [RUMBLE], "quiet": []})
    for path in {*run.iterdir()} - {*run.glob(kept), run / "run.json"}:
        path.unlink()
    result = evaluate_paths(truth, run)
    assert counted(result) == {"a", "quiet"}
    assert result.score("Rumble", "overlap10").f1 == 1


def test_a_skipped_recording_still_tells_another_of_its_name_apart(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", {"north_x": []})
    entry = {"recording": "north/x.wav", "seconds": 60.0, "table": "north_x.selections.txt"}
    skipped = {"recording": "south/x.wav", "reason": "empty"}
    (run / "run.json").write_text(json.dumps({"recordings": [entry], "skipped": [skipped]}))
    result = evaluate_paths(write_truth(tmp_path / "truth.txt", {"north_x": [], "south_x": []}), run)
    assert (counted(result), result.refused, result.not_detected_on) == ({"north_x"}, (), ("south_x",))


def test_tables_that_an_earlier_run_left_are_not_read(tmp_path: Path) -> None:
    truth = write_truth(tmp_path / "truth.txt", {"a": [RUMBLE], "old": [RUMBLE]})
    run = write_run(tmp_path / "run", {"a": [RUMBLE]})
    write_raven(run / "old.selections.txt", [], "recordings/old.wav")
    result = evaluate_paths(truth, run)
    assert result.not_detected_on == ("old",)


def test_recordings_of_one_name_in_two_folders_are_kept_apart(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    write_raven(run / "north_x.selections.txt", [Detection(*RUMBLE, 10.0, 100.0, 0.5)], "north/x.wav")
    write_raven(run / "south_x.selections.txt", [], "south/x.wav")
    entries = [{"recording": f"{side}/x.wav", "seconds": 60.0, "table": f"{side}_x.selections.txt"} for side in ("north", "south")]
    skipped = [{"recording": "west/x.wav", "reason": "empty"}]
    truth = write_truth(tmp_path / "truth.txt", {"north_x": [RUMBLE], "south_x": [], "west_x": [RUMBLE]})
    (run / "run.json").write_text(json.dumps({"recordings": entries, "skipped": skipped}))
    result = evaluate_paths(truth, run)
    assert counted(result) == {"north_x", "south_x"}
    assert (result.refused, result.not_detected_on) == ((), ("west_x",))
    assert result.score("Rumble", "overlap10").f1 == 1


def test_a_folder_of_tables_without_a_run_says_by_its_tables_what_was_searched(tmp_path: Path) -> None:
    truth = write_truth(tmp_path / "truth.txt", {"a": [RUMBLE], "quiet": [], "unseen": [RUMBLE]})
    run = write_run(tmp_path / "run", {"a": [RUMBLE], "quiet": []})
    (run / "run.json").unlink()
    result = evaluate_paths(truth, run, audio_seconds=3600)
    assert (counted(result), result.not_detected_on) == ({"a", "quiet"}, ("unseen",))


def test_one_table_of_detections_does_not_say_what_was_searched(tmp_path: Path) -> None:
    truth = write_truth(tmp_path / "truth.txt", {"a": [RUMBLE], "b": [RUMBLE]})
    found = write_truth(tmp_path / "found.txt", {"a": [RUMBLE]})
    result = evaluate_paths(truth, found, audio_seconds=3600)
    assert counted(result) == {"a", "b"}
    assert result.score("Rumble", "overlap10").recall == 0.5


def test_a_given_length_goes_before_that_of_the_run(tmp_path: Path) -> None:
    truth = write_truth(tmp_path / "truth.txt", {"a": []})
    run = write_run(tmp_path / "run", {"a": [RUMBLE]}, seconds=3600)
    assert evaluate_paths(truth, run, audio_seconds=1800).score("Rumble", "overlap10").false_positives_per_hour == 2


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"recordings": [{"recording": "a.wav"}]}', '{"recordings": ["a.wav"]}', '{"recordings": 3}']
)
def test_a_run_file_of_something_else_is_an_error_that_names_it(tmp_path: Path, content: str) -> None:
    truth = write_truth(tmp_path / "truth.txt", {"a": []})
    run = write_run(tmp_path / "run", {"a": []})
    (run / "run.json").write_text(content)
    with pytest.raises(EvaluationError, match=r"run\.json: .*expected what `loxo detect` writes") as caught:
        evaluate_paths(truth, run)
    assert "\n" not in str(caught.value)


# ---- what is written and told


def test_the_json_holds_what_scripts_rely_on_and_null_for_what_has_no_value(tmp_path: Path) -> None:
    result = evaluate(marked({"a": [RUMBLE]}), marked({"a": [RUMBLE], "b": []}), {"a": 3600, "b": 60})
    path = tmp_path / "new" / "result.json"
    write_json(result, path)
    written = json.loads(path.read_text())
    assert list(path.parent.iterdir()) == [path]
    assert list(written["classes"]) == ["Rumble", "Gunshot"]
    for label in written["classes"].values():
        assert set(label) == {"overlap10", "one_to_one", "per_second"}
        assert all(set(figures) >= CONTRACT for figures in label.values())
    for by_recording in written["by_recording"].values():
        assert all(set(figures) == CONTRACT for figures in by_recording["a"].values())
    low, high = written["classes"]["Rumble"]["overlap10"]["recall_interval"]
    assert 0 < low < high == 1
    assert written["classes"]["Gunshot"]["one_to_one"]["precision"] is None
    assert (written["audio_seconds"], written["recordings"], written["refused"]) == (3600, ["a"], ["b"])


def test_a_result_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text("old")
    impossible = replace(evaluate(marked({"a": [RUMBLE]}), marked({"a": []})), audio_seconds=float("nan"))
    with pytest.raises(ValueError, match="JSON"):
        write_json(impossible, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_refused_recordings_are_told_in_one_line_with_ten_names_and_the_remedy() -> None:
    strange = {f"r{k:02}": [RUMBLE] for k in range(12)}
    lines = notices(evaluate(marked({"a": [], "b": []}), marked(strange), 60.0))
    assert len(lines) == 1
    assert "12 recordings (r00, " in lines[0]
    assert "r09, ...)" in lines[0]
    assert "header only" in lines[0]


def test_truth_of_one_label_warns_that_false_detections_of_the_other_may_mean_nothing() -> None:
    detections = marked({"a": [RUMBLE, SHOT]})
    assert [line for line in notices(evaluate(marked({"a": [RUMBLE], "b": []}), detections, 60.0)) if "no Gunshot" in line]
    assert notices(evaluate(marked({"a": [], "b": []}), detections, 60.0)) == []
    assert notices(evaluate(marked({"a": [RUMBLE, SHOT], "b": []}), detections, 60.0)) == []


def test_one_recording_is_told_that_it_has_no_intervals_over_recordings() -> None:
    alone = evaluate(marked({"a": [RUMBLE]}), marked({"a": [RUMBLE]}), 60.0)
    assert [line for line in notices(alone) if "intervals over recordings" in line]
    assert set(whole(alone, "Rumble", "overlap10").bootstrap.values()) == {None}


def test_the_summary_fits_a_terminal() -> None:
    truth = marked({"a": [("Rumble", 10.0 * k, 10.0 * k + 4) for k in range(100)]})
    detections = marked({"a": [("Rumble", 7.0 * k, 7.0 * k + 3) for k in range(100)]})
    console = Console(width=80)
    with console.capture() as capture:
        console.print(summary_table(evaluate(truth, detections, 3600.0)))
    text = capture.get()
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert all(rule in text for rule in ("overlap10", "one_to_one", "per_second"))


@pytest.mark.skipif(not SHARED.is_dir(), reason="the tables of the field are not here")
def test_a_table_of_the_field_agrees_with_itself() -> None:
    table = SHARED / "annotations" / "nn_ele_00-24hr_GeneralTest_v4.txt"
    result = evaluate_paths(table, table, label="Rumble", audio_seconds=29 * 86_400)
    figures = result.score("Rumble", "overlap10")
    assert (len(result.recordings), figures.true_events, figures.f1) == (29, 537, 1)
    assert result.score("Rumble", "one_to_one").recall == 1
    assert figures.false_positives_per_hour == 0


# ---- every threshold


def scored(marks: Mapping[str, Sequence[tuple[str, float, float, float]]]) -> Annotations:
    """Detections by recording, `(label, start_s, end_s, score)`."""
    rows = [
        Annotation(f"{name}.wav", Event(label, start_s, end_s), "found.txt", row, score)
        for name, found in marks.items()
        for row, (label, start_s, end_s, score) in enumerate(found, start=2)
    ]
    return Annotations(tuple(rows), frozenset(name for name, found in marks.items() if not found), ())


def two_nights() -> Evaluation:
    """Two recordings of an hour: of three rumbles two are found, at .9 and .4, and one detection is false, at .6."""
    truth = marked({"nn01a_20180101_230000": [RUMBLE, ("Rumble", 100.0, 104.0)], "nn02b_20180102_010000": [("Rumble", 5.0, 9.0)]})
    found = {
        "nn01a_20180101_230000": [(*RUMBLE, 0.9), ("Rumble", 200.0, 203.0, 0.6)],
        "nn02b_20180102_010000": [("Rumble", 5.0, 8.0, 0.4)],
    }
    return evaluate(truth, scored(found), dict.fromkeys(found, 3600.0))


def test_a_curve_is_over_all_recordings() -> None:
    drawn = two_nights().curve("Rumble", "overlap10")
    assert drawn is not None
    assert drawn.threshold.tolist() == [0.9, 0.6, 0.4]
    assert (drawn.found.tolist(), drawn.true.tolist(), drawn.events, drawn.hours) == ([1, 1, 2], [1, 1, 2], 3, 2)
    assert drawn.average_precision == pytest.approx(1 / 3 * 1 + 1 / 3 * 2 / 3)
    assert [drawn.recall_at(rate) for rate in (0, 0.5)] == pytest.approx([1 / 3, 2 / 3])


def test_the_json_holds_what_other_thresholds_give() -> None:
    written = to_json(two_nights())
    figures = written["classes"]["Rumble"]["overlap10"]
    assert figures["average_precision"] == pytest.approx(5 / 9)
    assert figures["best"] == {
        "threshold": 0.4,
        "precision": pytest.approx(2 / 3),
        "recall": pytest.approx(2 / 3),
        "f1": pytest.approx(2 / 3),
        "false_positives_per_hour": 0.5,
    }
    assert figures["recall_at"]["1"] == {"recall": pytest.approx(2 / 3), "threshold": 0.4, "reached": False}
    assert written["curves"]["Rumble"]["overlap10"]["threshold"] == [0.9, 0.6, 0.4]
    assert sum(each["detections"] for each in written["reliability"]["Rumble"]["bins"]) == 3
    assert written["classes"]["Gunshot"]["overlap10"]["average_precision"] is None
    json.dumps(written, allow_nan=False)


def test_detections_without_scores_have_no_curve_and_all_else() -> None:
    result = evaluate(marked({"a": [RUMBLE]}), marked({"a": [RUMBLE]}), {"a": 3600})
    assert result.curve("Rumble", "overlap10") is None
    assert curve_table(result) is None
    written = to_json(result)
    assert (written["curves"]["Rumble"]["overlap10"], written["reliability"]["Rumble"]) == (None, None)
    assert written["classes"]["Rumble"]["overlap10"]["recall_at"] is None
    assert written["classes"]["Rumble"]["overlap10"]["recall"] == 1


def test_scores_of_other_scales_have_a_curve_and_no_reliability() -> None:
    written = to_json(evaluate(marked({"a": [RUMBLE]}), scored({"a": [(*RUMBLE, 87.0)]}), {"a": 3600}))
    assert written["classes"]["Rumble"]["overlap10"]["average_precision"] == 1
    assert written["reliability"]["Rumble"] is None


def test_a_score_that_is_no_number_counts_as_none() -> None:
    written = to_json(evaluate(marked({"a": [RUMBLE]}), scored({"a": [(*RUMBLE, float("inf"))]}), {"a": 3600}))
    assert written["curves"]["Rumble"]["overlap10"] is None
    json.dumps(written, allow_nan=False)


def test_detections_that_end_before_20_false_ones_an_hour_are_told() -> None:
    assert [line for line in notices(two_nights()) if "lowest score is 0.4" in line and "--threshold" in line]
    many = [("Rumble", 10.0 * k, 10.0 * k + 3, 0.5) for k in range(100, 200)]
    assert notices(evaluate(marked({"a": [RUMBLE], "b": []}), scored({"a": many}), {"a": 3600, "b": 3600})) == []


# ---- groups


def test_sites_and_hours_are_those_of_the_names() -> None:
    result = two_nights()
    sites = {group.name: group.score for group in by_site(result, "Rumble", "overlap10")}
    assert {name: figures.recall for name, figures in sites.items()} == {"nn01a": 0.5, "nn02b": 1}
    assert {name: figures.false_positives_per_hour for name, figures in sites.items()} == {"nn01a": 1, "nn02b": 0}
    hours = {group.name: group.score for group in by_hour(result, "Rumble", "overlap10")}
    assert {name: (figures.true_events, figures.false_positives_per_hour) for name, figures in hours.items()} == {
        "23": (2, 1),
        "01": (1, 0),
    }


def test_events_after_midnight_are_of_the_next_days_hours() -> None:
    name = "nn01a_20180101_233000"
    result = evaluate(marked({name: [("Rumble", 1900.0, 1904.0)]}), scored({name: [("Rumble", 100.0, 104.0, 0.5)]}), {name: 7200})
    hours = {group.name: group for group in by_hour(result, "Rumble", "overlap10")}
    assert {hour: float(group.seconds.sum()) for hour, group in hours.items() if group.seconds is not None} == {
        "23": 1800,
        "00": 3600,
        "01": 1800,
    }
    assert (hours["00"].score.recall, hours["23"].score.false_positives_per_hour) == (0, 2)


@given(clock_s=st.integers(0, 86_399), length_s=st.integers(0, 200_000))
def test_every_second_is_of_one_hour(clock_s: int, length_s: int) -> None:
    seconds = searched_by_hour(clock_s, length_s)
    assert seconds.sum() == pytest.approx(length_s)
    minutes = (clock_s + np.arange(30, length_s, 60)) // 3600 % 24
    np.testing.assert_allclose(seconds, 60 * np.bincount(minutes, minlength=24), atol=121)


def test_groups_add_up_to_the_whole() -> None:
    result = two_nights()
    for rule in ("overlap10", "one_to_one"):
        everything = whole(result, "Rumble", rule).counts.sum(axis=0)
        for grouped in (by_site, by_hour):
            np.testing.assert_array_equal(sum(group.counts.sum(axis=0) for group in grouped(result, "Rumble", rule)), everything)


def test_names_without_a_site_or_a_time_are_in_no_group() -> None:
    result = evaluate(marked({"a": [RUMBLE]}), scored({"a": [(*RUMBLE, 0.5)]}), {"a": 60})
    assert by_site(result, "Rumble", "overlap10") == by_hour(result, "Rumble", "overlap10") == by_snr(result, "Rumble", "overlap10") == []


def test_recall_is_told_by_the_snr_that_simulated_tables_say(tmp_path: Path) -> None:
    path = tmp_path / "sim_20260101_000000.selections.txt"
    levels = {10.0: -7.5, 20.0: 4.9, 30.0: 5.0, 40.0: 25.0}
    events = [Event("Rumble", at_s, at_s + 3, 10, 40, frozenset({f"snr_db={level}"})) for at_s, level in levels.items()]
    doubtful = Event("Rumble", 60, 63, 10, 40, frozenset({"snr_db=-9.0", "marginal"}))
    write_events(path, [*events, doubtful], "sim_20260101_000000.wav")
    truth = read_annotations([path])
    assert [snr_db(row.event) for row in truth.rows] == [*levels.values(), -9.0]
    result = evaluate(truth, scored({"sim_20260101_000000": [("Rumble", 30.0, 33.0, 0.5), ("Rumble", 40.0, 43.0, 0.5)]}))
    recall = {group.name: group.score.recall for group in by_snr(result, "Rumble", "overlap10")}
    assert recall == {"below -5 dB": 0, "0 to 5 dB": 0, "5 to 10 dB": 1, "20 dB or more": 1}
    assert set(to_json(result)["by_snr"]["Rumble"]["overlap10"]["5 to 10 dB"]).isdisjoint({"precision", "detections"})


def test_intervals_are_over_recordings_and_the_same_each_time() -> None:
    result = two_nights()
    first, second = (whole(result, "Rumble", "overlap10").bootstrap for _ in range(2))
    assert first == second
    assert first["recall"] == pytest.approx((0.5, 1))
    assert list(by_site(result, "Rumble", "overlap10")[0].bootstrap.values()) == [None] * 4


# ---- two sets of detections


def test_two_sets_are_compared_where_both_were_run() -> None:
    truth = marked({"a": [RUMBLE, ("Rumble", 90.0, 94.0)], "b": [("Rumble", 50.0, 54.0)], "c": [RUMBLE]})
    these = evaluate(truth, scored({"a": [(*RUMBLE, 0.9)], "b": []}), {"a": 3600, "b": 3600}, searched=["a", "b"])
    others = evaluate(
        truth,
        scored({"a": [("Rumble", 90.0, 94.0, 0.9)], "b": [("Rumble", 50.0, 54.0, 0.5), ("Rumble", 9.0, 12.0, 0.5)], "c": []}),
        {"a": 3600, "b": 3600, "c": 3600},
    )
    result = compare(these, others, "Rumble", "overlap10")
    assert (result.recordings, result.only_these, result.only_others, result.p_value) == (2, 1, 2, 1)
    assert result.differences["recall"].value == pytest.approx(1 / 3 - 2 / 3)
    assert result.differences["false_positives_per_hour"].value == -0.5
    assert compare(these, others, "Rumble", "per_second").p_value is None
    assert to_json(these, others)["against"]["Rumble"]["overlap10"]["only_others"] == 2


def test_a_set_is_no_better_than_itself() -> None:
    result = compare(two_nights(), two_nights(), "Rumble", "one_to_one")
    assert {difference.value for difference in result.differences.values()} == {0}
    assert (result.only_these, result.only_others, result.p_value) == (0, 0, 1)


def test_sets_with_nothing_in_common_or_other_truths_are_not_compared() -> None:
    a, b = (evaluate(marked({name: [RUMBLE]}), marked({name: [RUMBLE]})) for name in "ab")
    with pytest.raises(EvaluationError, match="no recording was searched by both"):
        compare(a, b, "Rumble", "overlap10")
    other = evaluate(marked({"a": [("Rumble", 1.0, 2.0)]}), marked({"a": [RUMBLE]}))
    with pytest.raises(EvaluationError, match="a: the two sets were judged by different truths"):
        compare(a, other, "Rumble", "overlap10")


def test_all_tables_fit_a_terminal() -> None:
    result = two_nights()
    console = Console(width=80)
    with console.capture() as capture:
        console.print(curve_table(result), comparison_table(result, result))
    text = capture.get()
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert ">.67" in text
    assert "these less the others, 2 recordings" in text


# ---- where recordings are


def test_recordings_are_where_the_run_says_or_in_the_folder_that_is_given(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", {"a": [], "b": []})
    assert recording_paths(run, None, ["a", "b"]) == {}
    sounds = tmp_path / "sounds" / "deep"
    sounds.mkdir(parents=True)
    (sounds / "a.wav").write_bytes(b"")
    assert recording_paths(run, tmp_path / "sounds", ["a", "b"]) == {"a": sounds / "a.wav"}
    entry = {"recording": str(sounds / "a.wav"), "seconds": 60.0, "table": "a.selections.txt"}
    (run / "run.json").write_text(json.dumps({"recordings": [entry]}))
    assert recording_paths(run, None, ["a", "b"]) == {"a": sounds / "a.wav"}
    assert recording_paths(run / "detections.parquet", None, ["a"]) == {}


# ---- the command


def test_the_command_writes_figures_and_compares(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "nn01a_20180101_000000"
    truth = write_truth(tmp_path / "truth.txt", {name: [RUMBLE, ("Rumble", 30.0, 34.0)]})
    run = write_run(tmp_path / "run", {name: [RUMBLE, ("Rumble", 50.0, 54.0)]}, seconds=60)
    before = write_run(tmp_path / "before", {name: [RUMBLE]}, seconds=60)
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    soundfile.write(sounds / f"{name}.wav", np.random.default_rng(0).normal(size=120_000) * 0.1, 2000)
    common: dict[str, Any] = {"truth": truth, "detections": run, "json": tmp_path / "figures.json", "label": None, "audio_seconds": None}
    command(**common, against=before, figures=tmp_path / "figures", recordings=sounds)
    printed = capsys.readouterr().out
    assert all(words in printed for words in ("at other thresholds", "these less the others", "errors_rumble.png"))
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {
        "pr.png",
        "false_positives.png",
        "reliability.png",
        "errors_rumble.png",
    }
    assert json.loads((tmp_path / "figures.json").read_text())["against"]["Rumble"]["overlap10"]["only_these"] == 0
    command(**common, against=None, figures=tmp_path / "figures", recordings=None)
    assert "--recordings says where they are" in capsys.readouterr().out
    with pytest.raises(typer.BadParameter, match="give --figures too"):
        command(**common, against=None, figures=None, recordings=sounds)


def test_the_commands_of_the_document_run_in_their_order(tmp_path: Path) -> None:
    settings = SceneSettings(rate=4000, seconds=60.0, rumbles_per_minute=4.0, gunshots_per_minute=4.0)
    for number in range(2):
        path = tmp_path / "recordings" / f"nn01a_2018010{number + 1}_000000.wav"
        path.parent.mkdir(exist_ok=True)
        write_recording(path, settings, 120.0, number)
        (tmp_path / "tables").mkdir(exist_ok=True)
        path.with_suffix(".selections.txt").rename(tmp_path / "tables" / f"{path.stem}.selections.txt")
    commands = re.findall(r"^\.venv/bin/loxo (.+)$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(commands) == 4
    for line in commands:
        done = subprocess.run(
            [sys.executable, "-m", "loxo.cli", *shlex.split(line)], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}: {done.stderr}"
    assert (tmp_path / "figures" / "pr.png").is_file()
    result = json.loads((tmp_path / "difference.json").read_text())
    assert result["against"]["Rumble"]["overlap10"]["recordings"] == 2
    assert result["by_snr"]["Rumble"]["overlap10"]


def test_files_that_the_document_promises_are_those_that_are_written() -> None:
    named = set(re.findall(r"`(\w+\.png)`", DOCUMENT.read_text(encoding="utf-8")))
    groups = {f"{name}.png" for name in to_json(two_nights()) if name.startswith("by_") and name != "by_recording"}
    assert named == {"pr.png", "false_positives.png", "reliability.png", "errors_rumble.png", "errors_gunshot.png"} | groups
