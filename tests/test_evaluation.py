"""Which recordings count, over how many hours, and what the result says of those that do not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from loxo.annotations import Annotation, Annotations, detections_frame, write_parquet, write_raven
from loxo.evaluation import Evaluation, EvaluationError, evaluate, evaluate_paths, notices, summary_table, to_json, write_json
from loxo.events import Detection, Event

SHARED = Path(__file__).parents[2] / "shared"
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
    lines = notices(evaluate(marked({"a": []}), marked(strange), 60.0))
    assert len(lines) == 1
    assert "12 recordings (r00, " in lines[0]
    assert "r09, ...)" in lines[0]
    assert "header only" in lines[0]


def test_truth_of_one_label_warns_that_false_detections_of_the_other_may_mean_nothing() -> None:
    detections = marked({"a": [RUMBLE, SHOT]})
    assert [line for line in notices(evaluate(marked({"a": [RUMBLE]}), detections, 60.0)) if "no Gunshot" in line]
    assert notices(evaluate(marked({"a": []}), detections, 60.0)) == []
    assert notices(evaluate(marked({"a": [RUMBLE, SHOT]}), detections, 60.0)) == []


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
