"""Which recordings count, over how many hours, and what is reported about the others."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import unicodedata
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

from loxo.annotations import (
    Annotation,
    Annotations,
    detections_frame,
    read_annotations,
    write_events,
    write_parquet,
    write_raven,
)
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
    notices,
    recording_paths,
    shots_table,
    summary_table,
    to_json,
    whole,
    write_json,
)
from loxo.evaluation.groups import searched_by_hour
from loxo.events import Detection, Event
from loxo.metrics import RULES
from loxo.recordings import RecordingName, recording_stem
from loxo.report import draw_figures
from loxo.simulate import SceneSettings
from loxo.simulate.writing import write_recording

SHARED = Path(__file__).parents[2] / "shared"
DOCUMENT = Path(__file__).parents[1] / "docs" / "evaluation.md"
HEADER = (
    "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\t"
    "Begin File\tBegin Path\tFile Offset (s)\tTag 1\tNotes"
)
CONTRACT = {"precision", "recall", "f1", "false_positives_per_hour", "true_events", "detections"}

Marks = Mapping[str, Sequence[tuple[str, float, float]]]


def marked(marks: Marks, *, marginal: bool = False) -> Annotations:
    """Events by recording, `(label, start_s, end_s)`; a recording with none was searched and is
    empty."""
    rows = [
        Annotation(
            RecordingName(f"{name}.wav"),
            Event(label, start_s, end_s, marginal=marginal),
            "table.txt",
            row,
        )
        for name, events in marks.items()
        for row, (label, start_s, end_s) in enumerate(events, start=2)
    ]
    return Annotations(tuple(rows), searched_empty(marks), ())


def searched_empty(marks: Mapping[str, Sequence[object]]) -> frozenset[RecordingName]:
    return frozenset(RecordingName(f"{name}.wav") for name, events in marks.items() if not events)


def by_recording(rows: Annotations) -> dict[str, list[Detection]]:
    """Detections of each recording, as Python code has them: the keys were all searched."""
    found: dict[str, list[Detection]] = {name.file: [] for name in rows.searched_empty}
    for row in rows.rows:
        event, score = row.event, 0.5 if row.score is None else row.score
        detection = Detection(event.label, event.start_s, event.end_s, 10.0, 100.0, score)
        found.setdefault(row.recording.file, []).append(detection)
    return found


def write_truth(path: Path, marks: Marks) -> Path:
    """A Raven table of several files; a row `DUMMY_NoEles` for a recording that is empty.

    A name with folders, as in `siteA/x`, gives the column Begin Path of the annotator's machine.
    """
    lines = [HEADER]
    for name, events in marks.items():
        *folders, file = f"{name}.wav".split("/")
        begin_path = "\\".join(["E:", "survey", *folders, file]) if folders else ""
        for label, start_s, end_s in events or [("DUMMY_NoEles", 0, 1)]:
            band = "10\t100"
            lines.append(
                f"{len(lines)}\tSpectrogram 1\t1\t{start_s}\t{end_s}\t{band}\t{file}\t"
                f"{begin_path}\t{start_s}\t{label}\t"
            )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_run(folder: Path, marks: Marks, seconds: float = 3600.0) -> Path:
    """A folder as `loxo detect` leaves it, of recordings in a folder that is not there any more.

    Names may hold folders: the tables mirror them.
    """
    folder.mkdir()
    entries, rows = [], []
    for name, events in marks.items():
        recording, table = f"recordings/{name}.wav", f"{name}.selections.txt"
        found = [
            Detection(label, start_s, end_s, 10.0, 100.0, 0.5) for label, start_s, end_s in events
        ]
        (folder / table).parent.mkdir(parents=True, exist_ok=True)
        write_raven(folder / table, found, recording)
        ids = [f"{name}-{number}" for number in range(len(found))]
        rows.append((recording, None, None, found, ids))
        entries.append(
            {"recording": recording, "path": f"{name}.wav", "seconds": seconds, "table": table}
        )
    write_parquet(folder / "detections.parquet", detections_frame(rows))
    change_run(folder, root="/elsewhere/recordings", recordings=entries)
    return folder


def change_run(folder: Path, **changes: object) -> None:
    """Set entries of `run.json`."""
    path = folder / "run.json"
    run = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    path.write_text(json.dumps(run | changes), encoding="utf-8")


def counted(evaluation: Evaluation) -> set[str]:
    """Stems of the recordings that count."""
    return {recording_stem(name) for name in evaluation.recordings}


RUMBLE = ("Rumble", 10.0, 14.0)
SHOT = ("Gunshot", 50.0, 51.0)


# ---- which recordings count


def test_a_recording_without_truth_does_not_count_and_one_that_was_searched_empty_does() -> None:
    truth = marked({"annotated": [RUMBLE], "empty": []})
    detections = marked({"annotated": [RUMBLE], "empty": [SHOT], "unannotated": [RUMBLE, SHOT]})
    result = evaluate(truth, detections, {"annotated": 1800, "empty": 1800, "unannotated": 7200})
    assert counted(result) == {"annotated", "empty"}
    assert result.unannotated == ("unannotated.wav",)
    assert result.audio_seconds == 3600
    assert result.score("Gunshot", "overlap10").false_positives_per_hour == 1
    assert result.score("Rumble", "overlap10").precision == 1


def test_events_that_the_detector_was_not_run_on_are_not_missed() -> None:
    truth = marked({"seen": [RUMBLE], "unseen": [RUMBLE]})
    detections = marked({"seen": [RUMBLE]})
    result = evaluate(truth, by_recording(detections), {"seen": 60})
    assert result.not_detected_on == ("unseen.wav",)
    assert result.score("Rumble", "overlap10").recall == 1


def test_all_events_count_if_nothing_says_what_was_searched() -> None:
    result = evaluate(marked({"a": [RUMBLE], "b": [RUMBLE]}), marked({"a": [RUMBLE]}))
    assert counted(result) == {"a", "b"}
    assert result.not_detected_on == ()
    assert result.score("Rumble", "one_to_one").recall == 0.5


def test_nothing_in_common_is_an_error_of_one_line_that_names_both_sides() -> None:
    with pytest.raises(
        EvaluationError, match=r"1 recording \(left\.wav\).* 1 recording \(right\.wav\)"
    ) as caught:
        evaluate(marked({"left": [RUMBLE]}), by_recording(marked({"right": [RUMBLE]})))
    assert "\n" not in str(caught.value)


# ---- what is counted in them


def test_marginal_events_and_other_labels_change_no_metric() -> None:
    truth = marked({"a": [RUMBLE, ("Roar", 30.0, 33.0), ("Roar", 40.0, 43.0)]})
    doubtful = marked({"a": [("Rumble", 100.0, 104.0)]}, marginal=True)
    both = Annotations(truth.rows + doubtful.rows, frozenset(), ())
    detections = marked({"a": [RUMBLE, ("Rumble", 101.0, 103.0), ("Aircraft", 0.0, 60.0)]})
    result = evaluate(both, detections, {"a": 3600})
    figures = result.score("Rumble", "overlap10")
    assert (figures.precision, figures.recall, figures.detections, figures.ignored_detections) == (
        1,
        1,
        1,
        1,
    )
    assert result.other_labels == {"truth": {"Roar": 2}, "detections": {"Aircraft": 1}}
    assert to_json(result)["marginal_events"]["Rumble"] == 1


def test_labels_are_evaluated_separately() -> None:
    result = evaluate(
        marked({"a": [RUMBLE]}), marked({"a": [("Gunshot", 10.0, 14.0)]}), {"a": 3600}
    )
    assert result.score("Rumble", "overlap10").recall == 0
    assert result.score("Gunshot", "overlap10").precision == 0


def test_matchings_refer_to_the_rows_of_the_tables() -> None:
    truth = marked({"a": [("Gunshot", 50.0, 51.0), ("Rumble", 90.0, 94.0), ("Rumble", 10.0, 14.0)]})
    detections = marked({"a": [("Rumble", 200.0, 204.0), ("Rumble", 11.0, 14.0)]})
    result = evaluate(truth, detections).recordings["a.wav"]["Rumble"]
    matching = result.matchings["one_to_one"]
    assert [result.truth[i].event.start_s for i in matching.missed_events] == [90]
    assert [result.detections[i].event.start_s for i in matching.false_detections] == [200]
    ((event, detection),) = matching.pairs.tolist()
    assert (result.truth[event].row, result.detections[detection].row) == (4, 3)


def test_figures_over_recordings_come_from_summed_counts() -> None:
    truth = marked(
        {"busy": [("Rumble", 10.0 * k, 10.0 * k + 4) for k in range(9)], "calm": [RUMBLE]}
    )
    detections = marked({"calm": [RUMBLE, ("Rumble", 80.0, 84.0)], "busy": []})
    result = evaluate(truth, detections, {"busy": 1800, "calm": 1800})
    assert result.score("Rumble", "overlap10").recall == 0.1
    apart = result.score_by_recording("Rumble", "overlap10")
    busy, calm = apart["busy.wav"], apart["calm.wav"]
    assert (busy.recall, calm.recall) == (0, 1)
    assert (busy.false_positives_per_hour, calm.false_positives_per_hour) == (0, 2)


# ---- hours


def test_a_total_length_stands_for_the_recordings_that_count() -> None:
    result = evaluate(marked({"a": []}), marked({"a": [RUMBLE], "b": [RUMBLE]}), 7200.0)
    assert result.score("Rumble", "overlap10").false_positives_per_hour == 0.5


@pytest.mark.parametrize("seconds", [None, {}, {"b": 60.0}])
def test_without_the_length_of_every_recording_there_is_no_rate_but_a_remedy(
    seconds: dict[str, float] | None,
) -> None:
    result = evaluate(marked({"a": [RUMBLE]}), marked({"a": [RUMBLE]}), seconds)
    assert result.audio_seconds is None
    assert result.score("Rumble", "overlap10").false_positives_per_hour is None
    assert [line for line in notices(result) if "--audio-seconds" in line]


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_length_is_an_error(seconds: float) -> None:
    with pytest.raises(EvaluationError, match="more than 0 s"):
        evaluate(marked({"a": []}), marked({"a": []}), seconds)


# ---- folders and tables


def test_a_run_is_evaluated_from_its_folder(tmp_path: Path) -> None:
    truth = write_truth(
        tmp_path / "truth.txt", {"a": [RUMBLE, SHOT], "quiet": [], "unseen": [RUMBLE]}
    )
    run = write_run(tmp_path / "run", {"a": [RUMBLE], "quiet": [], "strange": [SHOT]}, seconds=1800)
    result = evaluate(truth, run)
    assert counted(result) == {"a", "quiet"}
    assert (result.unannotated, result.not_detected_on) == (("strange.wav",), ("unseen.wav",))
    assert result.audio_seconds == 3600
    assert (
        result.score("Rumble", "overlap10").recall,
        result.score("Gunshot", "overlap10").recall,
    ) == (1, 0)


@pytest.mark.parametrize("kept", ["detections.parquet", "*.selections.txt"])
def test_either_form_of_a_runs_detections_will_do(tmp_path: Path, kept: str) -> None:
    truth = write_truth(tmp_path / "truth.txt", {"a": [RUMBLE], "quiet": []})
    run = write_run(tmp_path / "run", {"a": [RUMBLE], "quiet": []})
    for path in {*run.iterdir()} - {*run.glob(kept), run / "run.json"}:
        path.unlink()
    result = evaluate(truth, run)
    assert counted(result) == {"a", "quiet"}
    assert result.score("Rumble", "overlap10").f1 == 1


def test_a_skipped_recording_is_not_taken_for_another_of_its_name(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", {"north/x": []})
    skipped = {"recording": "recordings/south/x.wav", "path": "south/x.wav", "reason": "empty"}
    change_run(run, skipped=[skipped])
    truth = write_truth(tmp_path / "truth.txt", {"north/x": [], "south/x": [RUMBLE]})
    result = evaluate(truth, run)
    assert list(result.recordings) == ["north/x.wav"]
    assert (result.unannotated, result.not_detected_on) == ((), ("south/x.wav",))


def test_tables_that_an_earlier_run_left_are_not_read(tmp_path: Path) -> None:
    truth = write_truth(tmp_path / "truth.txt", {"a": [RUMBLE], "old": [RUMBLE]})
    run = write_run(tmp_path / "run", {"a": [RUMBLE]})
    write_raven(run / "old.selections.txt", [], "recordings/old.wav")
    result = evaluate(truth, run)
    assert result.not_detected_on == ("old.wav",)


def test_an_older_run_without_a_root_is_read(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", {"north_x": [RUMBLE], "south_x": []})
    entries = [
        {"recording": f"old/{side}/x.wav", "seconds": 60.0, "table": f"{side}_x.selections.txt"}
        for side in ("north", "south")
    ]
    skipped = [{"recording": "old/west/x.wav", "reason": "empty"}]
    settings = {"post_processing": dict.fromkeys(("Rumble", "Gunshot", "Roar"))}
    (run / "run.json").unlink()
    change_run(run, recordings=entries, skipped=skipped, settings=settings)
    truth = write_truth(
        tmp_path / "truth.txt", {"north/x": [RUMBLE], "south/x": [], "west/x": [RUMBLE]}
    )
    result = evaluate(truth, run)
    assert list(result.recordings) == ["north/x.wav", "south/x.wav"]
    assert (result.unannotated, result.not_detected_on) == ((), ("west/x.wav",))
    assert result.score("Rumble", "overlap10").f1 == 1
    assert result.labels == ("Rumble", "Gunshot", "Roar")


# ---- recordings that share a name

AUDIOMOTH = "20210722_005941"
LATER_SHOT = ("Gunshot", 80.0, 81.0)


@pytest.mark.parametrize("kept", ["detections.parquet", "*.selections.txt"])
def test_two_sites_of_equal_file_names_are_evaluated_apart(tmp_path: Path, kept: str) -> None:
    sites = {f"siteA/{AUDIOMOTH}": [SHOT], f"siteB/{AUDIOMOTH}": [LATER_SHOT]}
    run = write_run(tmp_path / "run", sites)
    for path in {*run.rglob("*.*")} - {*run.rglob(kept), run / "run.json"}:
        path.unlink()
    result = evaluate(write_truth(tmp_path / "truth.txt", sites), run)
    assert list(result.recordings) == [f"siteA/{AUDIOMOTH}.wav", f"siteB/{AUDIOMOTH}.wav"]
    assert result.score("Gunshot", "one_to_one").f1 == 1
    assert [group.name for group in by_site(result, "Gunshot", "overlap10")] == ["siteA", "siteB"]
    assert [group.name for group in by_hour(result, "Gunshot", "overlap10")] == ["00", "01"]


def test_events_of_a_site_that_was_not_searched_are_not_given_to_another(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", {AUDIOMOTH: [SHOT]})
    change_run(
        run,
        root="rec/siteA",
        recordings=[
            {
                "recording": f"rec/siteA/{AUDIOMOTH}.wav",
                "path": f"{AUDIOMOTH}.wav",
                "site": "siteA",
                "seconds": 90.0,
                "table": f"{AUDIOMOTH}.selections.txt",
            }
        ],
    )
    truth = {f"siteA/{AUDIOMOTH}": [SHOT], f"siteB/{AUDIOMOTH}": [LATER_SHOT]}
    result = evaluate(write_truth(tmp_path / "truth.txt", truth), run)
    assert result.score("Gunshot", "one_to_one").true_events == 1
    assert result.score("Gunshot", "one_to_one").recall == 1
    assert result.sites == {f"{AUDIOMOTH}.wav": "siteA"}


def test_a_bare_name_that_fits_two_recordings_is_an_error_that_names_both(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", {f"siteA/{AUDIOMOTH}": [], f"siteB/{AUDIOMOTH}": []})
    truth = write_truth(tmp_path / "truth.txt", {AUDIOMOTH: [SHOT]})
    with pytest.raises(EvaluationError, match=r"siteA.*siteB") as caught:
        evaluate(truth, run)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "on_disk"),
    [
        ("Forêt_20180101_000000", unicodedata.normalize("NFD", "Forêt_20180101_000000")),
        (unicodedata.normalize("NFD", "Forêt_20180101_000000"), "Forêt_20180101_000000"),
        ("NN01A_20180101_000000", "nn01a_20180101_000000"),
    ],
)
def test_unicode_form_and_letter_case_do_not_separate_names(
    tmp_path: Path, written: str, on_disk: str
) -> None:
    run = write_run(tmp_path / "run", {f"Nord/{on_disk}": [RUMBLE]})
    result = evaluate(write_truth(tmp_path / "truth.txt", {f"NORD/{written}": [RUMBLE]}), run)
    assert result.score("Rumble", "overlap10").recall == 1
    assert (result.unannotated, result.not_detected_on) == ((), ())


def test_runs_on_a_tree_and_on_one_of_its_folders_are_compared(tmp_path: Path) -> None:
    whole_tree = write_run(
        tmp_path / "a", {f"siteA/{AUDIOMOTH}": [SHOT], f"siteB/{AUDIOMOTH}": [SHOT]}
    )
    one_site = write_run(tmp_path / "b", {f"siteB/{AUDIOMOTH}": []})
    truth = write_truth(
        tmp_path / "truth.txt", {f"siteA/{AUDIOMOTH}": [SHOT], f"siteB/{AUDIOMOTH}": [SHOT]}
    )
    result = compare(evaluate(truth, whole_tree), evaluate(truth, one_site), "Gunshot", "overlap10")
    assert (result.recordings, result.only_these, result.only_others) == (1, 1, 0)


# ---- labels

SAW = ("Chainsaw", 30.0, 60.0)


def test_the_labels_are_those_of_the_model(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", {"a": [RUMBLE, SAW], "b": []})
    change_run(run, labels=["Rumble", "Gunshot", "Chainsaw"])
    truth = write_truth(tmp_path / "truth.txt", {"a": [RUMBLE, SAW], "b": []})
    result = evaluate(truth, run)
    written = to_json(result)
    assert list(written["classes"]) == ["Rumble", "Gunshot", "Chainsaw"]
    assert written["classes"]["Chainsaw"]["one_to_one"]["recall"] == 1
    assert written["other_labels"] == {"truth": {}, "detections": {}}
    assert "Chainsaw" in str(result)
    drawn = {path.name for path in draw_figures(result, tmp_path / "figures")}
    assert "pr.png" in drawn
    chosen = evaluate(truth, run, labels=["Rumble"])
    assert list(to_json(chosen)["classes"]) == ["Rumble"]
    assert chosen.other_labels["truth"] == {"Chainsaw": 1}


def test_labels_of_the_tables_can_be_renamed(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", {"a": [SHOT]})
    truth = write_truth(tmp_path / "truth.txt", {"a": [("Coup", 50.0, 51.0)]})
    assert evaluate(truth, run).score("Gunshot", "overlap10").true_events == 0
    renamed = evaluate(truth, run, label_map={"Coup": "Gunshot"})
    assert renamed.score("Gunshot", "overlap10").recall == 1


# ---- values in Python


def test_events_and_detections_are_evaluated_by_the_paths_of_their_recordings() -> None:
    truth = {
        "E:/survey/siteA/x.wav": [Event("Rumble", 10.0, 14.0)],
        "E:/survey/siteB/x.wav": [],
        "E:/survey/siteC/x.wav": [Event("Rumble", 1.0, 2.0)],
    }
    found = {
        Path("rec/siteA/x.flac"): [Detection("Rumble", 10.0, 13.0, 10, 60, 0.9)],
        Path("rec/siteB/x.flac"): [Detection("Rumble", 5.0, 6.0, 10, 60, 0.2)],
    }
    lengths = dict.fromkeys(found, 1800.0)
    result = evaluate(truth, found, lengths)
    assert list(result.recordings) == ["siteA/x.flac", "siteB/x.flac"]
    assert result.not_detected_on == ("E:/survey/siteC/x.wav",)
    score = result.score("Rumble", "overlap10")
    assert (score.recall, score.precision, score.false_positives_per_hour) == (1, 0.5, 1)
    curve = result.curve("Rumble", "overlap10")
    assert curve is not None
    assert curve.threshold.tolist() == [0.9, 0.2]


def test_a_table_is_evaluated_with_detections_in_python(tmp_path: Path) -> None:
    truth = write_truth(tmp_path / "truth.txt", {"a": [RUMBLE], "b": [RUMBLE]})
    result = evaluate(str(truth), {"sounds/a.wav": [Detection(*RUMBLE, 10, 60, 0.5)]}, 3600)
    assert counted(result) == {"a"}
    assert result.score("Rumble", "overlap10").f1 == 1


def test_an_evaluation_prints_its_summary() -> None:
    text = str(two_nights())
    assert text.splitlines()[0].strip() == "2 recordings, 2.00 h"
    assert all(rule in text for rule in RULES)
    assert max(map(len, text.splitlines())) <= 80


def test_curves_are_computed_once() -> None:
    result = two_nights()
    assert result.curve("Rumble", "one_to_one") is result.curve("Rumble", "one_to_one")


# ---- what tables say was searched


def test_a_folder_of_tables_without_a_run_says_by_its_tables_what_was_searched(
    tmp_path: Path,
) -> None:
    truth = write_truth(tmp_path / "truth.txt", {"a": [RUMBLE], "quiet": [], "unseen": [RUMBLE]})
    run = write_run(tmp_path / "run", {"a": [RUMBLE], "quiet": []})
    (run / "run.json").unlink()
    result = evaluate(truth, run, seconds=3600)
    assert (counted(result), result.not_detected_on) == ({"a", "quiet"}, ("unseen.wav",))


def test_one_table_of_detections_does_not_say_what_was_searched(tmp_path: Path) -> None:
    truth = write_truth(tmp_path / "truth.txt", {"a": [RUMBLE], "b": [RUMBLE]})
    found = write_truth(tmp_path / "found.txt", {"a": [RUMBLE]})
    result = evaluate(truth, found, seconds=3600)
    assert counted(result) == {"a", "b"}
    assert result.score("Rumble", "overlap10").recall == 0.5


def test_a_given_length_goes_before_that_of_the_run(tmp_path: Path) -> None:
    truth = write_truth(tmp_path / "truth.txt", {"a": []})
    run = write_run(tmp_path / "run", {"a": [RUMBLE]}, seconds=3600)
    assert (
        evaluate(truth, run, seconds=1800).score("Rumble", "overlap10").false_positives_per_hour
        == 2
    )


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"recordings": [{"recording": "a.wav"}]}',
        '{"recordings": ["a.wav"]}',
        '{"recordings": 3}',
    ],
)
def test_a_run_file_of_something_else_is_an_error_that_names_it(
    tmp_path: Path, content: str
) -> None:
    truth = write_truth(tmp_path / "truth.txt", {"a": []})
    run = write_run(tmp_path / "run", {"a": []})
    (run / "run.json").write_text(content)
    with pytest.raises(
        EvaluationError, match=r"run\.json: .*expected what `loxo detect` writes"
    ) as caught:
        evaluate(truth, run)
    assert "\n" not in str(caught.value)


# ---- what is written and reported


def test_the_json_holds_what_scripts_rely_on_and_null_for_what_has_no_value(tmp_path: Path) -> None:
    result = evaluate(
        marked({"a": [RUMBLE]}), marked({"a": [RUMBLE], "b": []}), {"a": 3600, "b": 60}
    )
    path = tmp_path / "new" / "result.json"
    write_json(result, path)
    written = json.loads(path.read_text())
    assert list(path.parent.iterdir()) == [path]
    assert list(written["classes"]) == ["Rumble", "Gunshot"]
    for label in written["classes"].values():
        assert set(label) == {"overlap10", "one_to_one", "per_second"}
        assert all(set(figures) >= CONTRACT for figures in label.values())
    for by_recording in written["by_recording"].values():
        assert all(set(figures) == CONTRACT for figures in by_recording["a.wav"].values())
    low, high = written["classes"]["Rumble"]["overlap10"]["recall_interval"]
    assert 0 < low < high == 1
    assert written["classes"]["Gunshot"]["one_to_one"]["precision"] is None
    assert (written["audio_seconds"], written["recordings"], written["unannotated"]) == (
        3600,
        ["a.wav"],
        ["b.wav"],
    )


def test_numbers_of_gunshots_are_compared_where_there_are_any() -> None:
    burst, single = Event("Gunshot", 10.0, 14.0, shots=20), Event("Gunshot", 30.0, 31.0)
    truth = {"a.wav": [burst, single, Event("Rumble", 50.0, 54.0)]}
    found = [
        Detection("Gunshot", 10.5, 14.0, None, None, 0.9, 25),
        Detection("Gunshot", 30.0, 31.0, None, None, 0.8, 1),
        Detection("Gunshot", 70.0, 71.0, None, None, 0.7),
    ]
    result = evaluate(truth, {"a.wav": found}, 3600.0)
    counts = to_json(result)["counts"]
    assert list(counts) == ["Gunshot"]
    shots = counts["Gunshot"]
    assert (shots["true_shots"], shots["found_shots"], shots["counted_shots"]) == (21, 21, 27)
    assert shots["matched"] == {
        "groups": 2,
        "counted": 2,
        "within_20": 0.5,
        "within_30": 1.0,
        "true_shots": 21,
        "counted_shots": 26,
    }
    assert (shots["bursts"]["groups"], shots["bursts"]["within_20"]) == (1, 0.0)
    table = shots_table(result)
    assert table is not None
    assert table.columns[0]._cells == ["Gunshot"]
    assert to_json(evaluate(marked({"a": [SHOT]}), marked({"a": [SHOT]})))["counts"] == {}


def test_detections_of_tables_keep_their_numbers_of_gunshots(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", {"a": []})
    found = [Detection("Gunshot", 10.0, 14.0, None, None, 0.9, 12)]
    write_raven(run / "a.selections.txt", found, "recordings/a.wav")
    result = evaluate({"a.wav": [Event("Gunshot", 10.0, 14.0, shots=10)]}, run)
    shots = result.shot_counts("Gunshot")
    assert shots is not None
    assert (shots.true_shots, shots.counted_shots) == (10, 12)
    assert shots.of_bursts().within_20 == 1.0


def test_a_result_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text("old")
    impossible = replace(
        evaluate(marked({"a": [RUMBLE]}), marked({"a": []})), audio_seconds=float("nan")
    )
    with pytest.raises(ValueError, match="JSON"):
        write_json(impossible, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_unannotated_recordings_are_reported_in_one_line_with_ten_names_and_a_remedy() -> None:
    strange = {f"r{k:02}": [RUMBLE] for k in range(12)}
    lines = notices(evaluate(marked({"a": [], "b": []}), marked(strange), 60.0))
    assert len(lines) == 1
    assert "12 recordings (r00.wav, " in lines[0]
    assert "r09.wav, ...)" in lines[0]
    assert "header only" in lines[0]


def test_truth_of_one_label_warns_that_false_detections_of_the_other_may_mean_nothing() -> None:
    detections = marked({"a": [RUMBLE, SHOT]})
    assert [
        line
        for line in notices(evaluate(marked({"a": [RUMBLE], "b": []}), detections, 60.0))
        if "no Gunshot" in line
    ]
    assert notices(evaluate(marked({"a": [], "b": []}), detections, 60.0)) == []
    assert notices(evaluate(marked({"a": [RUMBLE, SHOT], "b": []}), detections, 60.0)) == []


def test_a_notice_says_that_one_recording_has_no_intervals_over_recordings() -> None:
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
    result = evaluate(table, table, label="Rumble", seconds=29 * 86_400)
    figures = result.score("Rumble", "overlap10")
    assert (len(result.recordings), figures.true_events, figures.f1) == (29, 537, 1)
    assert result.score("Rumble", "one_to_one").recall == 1
    assert figures.false_positives_per_hour == 0


# ---- every threshold


def scored(marks: Mapping[str, Sequence[tuple[str, float, float, float]]]) -> Annotations:
    """Detections by recording, `(label, start_s, end_s, score)`."""
    rows = [
        Annotation(
            RecordingName(f"{name}.wav"), Event(label, start_s, end_s), "found.txt", row, score
        )
        for name, found in marks.items()
        for row, (label, start_s, end_s, score) in enumerate(found, start=2)
    ]
    return Annotations(tuple(rows), searched_empty(marks), ())


def two_nights() -> Evaluation:
    """Two recordings of an hour: of three rumbles two are found, at .9 and .4, and one detection is
    false, at .6."""
    truth = marked(
        {
            "nn01a_20180101_230000": [RUMBLE, ("Rumble", 100.0, 104.0)],
            "nn02b_20180102_010000": [("Rumble", 5.0, 9.0)],
        }
    )
    found = {
        "nn01a_20180101_230000": [(*RUMBLE, 0.9), ("Rumble", 200.0, 203.0, 0.6)],
        "nn02b_20180102_010000": [("Rumble", 5.0, 8.0, 0.4)],
    }
    return evaluate(truth, scored(found), dict.fromkeys(found, 3600.0))


def test_a_curve_is_over_all_recordings() -> None:
    drawn = two_nights().curve("Rumble", "overlap10")
    assert drawn is not None
    assert drawn.threshold.tolist() == [0.9, 0.6, 0.4]
    assert (drawn.found.tolist(), drawn.true.tolist(), drawn.events, drawn.hours) == (
        [1, 1, 2],
        [1, 1, 2],
        3,
        2,
    )
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
    assert figures["recall_at"]["1"] == {
        "recall": pytest.approx(2 / 3),
        "threshold": 0.4,
        "reached": False,
    }
    assert written["curves"]["Rumble"]["overlap10"]["threshold"] == [0.9, 0.6, 0.4]
    assert sum(each["detections"] for each in written["reliability"]["Rumble"]["bins"]) == 3
    assert written["classes"]["Gunshot"]["overlap10"]["average_precision"] is None
    json.dumps(written, allow_nan=False)


def test_detections_without_scores_have_no_curve_and_all_else() -> None:
    result = evaluate(marked({"a": [RUMBLE]}), marked({"a": [RUMBLE]}), {"a": 3600})
    assert result.curve("Rumble", "overlap10") is None
    assert curve_table(result) is None
    written = to_json(result)
    assert (written["curves"]["Rumble"]["overlap10"], written["reliability"]["Rumble"]) == (
        None,
        None,
    )
    assert written["classes"]["Rumble"]["overlap10"]["recall_at"] is None
    assert written["classes"]["Rumble"]["overlap10"]["recall"] == 1


def test_scores_of_other_scales_have_a_curve_and_no_reliability() -> None:
    written = to_json(
        evaluate(marked({"a": [RUMBLE]}), scored({"a": [(*RUMBLE, 87.0)]}), {"a": 3600})
    )
    assert written["classes"]["Rumble"]["overlap10"]["average_precision"] == 1
    assert written["reliability"]["Rumble"] is None


def test_a_score_that_is_no_number_counts_as_none() -> None:
    written = to_json(
        evaluate(marked({"a": [RUMBLE]}), scored({"a": [(*RUMBLE, float("inf"))]}), {"a": 3600})
    )
    assert written["curves"]["Rumble"]["overlap10"] is None
    json.dumps(written, allow_nan=False)


def test_a_notice_says_that_detections_end_before_20_false_ones_an_hour() -> None:
    assert [
        line
        for line in notices(two_nights())
        if "lowest score is 0.4" in line and "--threshold" in line
    ]
    many = [("Rumble", 10.0 * k, 10.0 * k + 3, 0.5) for k in range(100, 200)]
    assert (
        notices(
            evaluate(marked({"a": [RUMBLE], "b": []}), scored({"a": many}), {"a": 3600, "b": 3600})
        )
        == []
    )


# ---- groups


def test_sites_and_hours_are_those_of_the_names() -> None:
    result = two_nights()
    sites = {group.name: group.score for group in by_site(result, "Rumble", "overlap10")}
    assert {name: figures.recall for name, figures in sites.items()} == {"nn01a": 0.5, "nn02b": 1}
    assert {name: figures.false_positives_per_hour for name, figures in sites.items()} == {
        "nn01a": 1,
        "nn02b": 0,
    }
    hours = {group.name: group.score for group in by_hour(result, "Rumble", "overlap10")}
    assert {
        name: (figures.true_events, figures.false_positives_per_hour)
        for name, figures in hours.items()
    } == {
        "23": (2, 1),
        "01": (1, 0),
    }


def test_events_after_midnight_are_of_the_next_days_hours() -> None:
    name = "nn01a_20180101_233000"
    result = evaluate(
        marked({name: [("Rumble", 1900.0, 1904.0)]}),
        scored({name: [("Rumble", 100.0, 104.0, 0.5)]}),
        {name: 7200},
    )
    hours = {group.name: group for group in by_hour(result, "Rumble", "overlap10")}
    assert {
        hour: float(group.seconds.sum())
        for hour, group in hours.items()
        if group.seconds is not None
    } == {
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
            np.testing.assert_array_equal(
                sum(group.counts.sum(axis=0) for group in grouped(result, "Rumble", rule)),
                everything,
            )


def test_names_without_a_site_or_a_time_are_in_no_group() -> None:
    result = evaluate(marked({"a": [RUMBLE]}), scored({"a": [(*RUMBLE, 0.5)]}), {"a": 60})
    assert (
        by_site(result, "Rumble", "overlap10")
        == by_hour(result, "Rumble", "overlap10")
        == by_snr(result, "Rumble", "overlap10")
        == []
    )


def test_recall_is_given_by_the_snr_in_simulated_tables(tmp_path: Path) -> None:
    path = tmp_path / "sim_20260101_000000.selections.txt"
    levels = {10.0: -7.5, 20.0: 4.9, 30.0: 5.0, 40.0: 25.0}
    events = [
        Event("Rumble", at_s, at_s + 3, 10, 40, snr_db=level) for at_s, level in levels.items()
    ]
    doubtful = Event("Rumble", 60, 63, 10, 40, marginal=True, snr_db=-9.0)
    write_events(path, [*events, doubtful], "sim_20260101_000000.wav")
    truth = read_annotations([path])
    assert [row.event.snr_db for row in truth.rows] == [*levels.values(), -9.0]
    result = evaluate(
        truth,
        scored({"sim_20260101_000000": [("Rumble", 30.0, 33.0, 0.5), ("Rumble", 40.0, 43.0, 0.5)]}),
    )
    recall = {group.name: group.score.recall for group in by_snr(result, "Rumble", "overlap10")}
    assert recall == {"below -5 dB": 0, "0 to 5 dB": 0, "5 to 10 dB": 1, "20 dB or more": 1}
    assert set(to_json(result)["by_snr"]["Rumble"]["overlap10"]["5 to 10 dB"]).isdisjoint(
        {"precision", "detections"}
    )


def test_intervals_are_over_recordings_and_the_same_each_time() -> None:
    result = two_nights()
    first, second = (whole(result, "Rumble", "overlap10").bootstrap for _ in range(2))
    assert first == second
    assert first["recall"] == pytest.approx((0.5, 1))
    assert list(by_site(result, "Rumble", "overlap10")[0].bootstrap.values()) == [None] * 4


# ---- two sets of detections


def test_two_sets_are_compared_where_both_were_run() -> None:
    truth = marked(
        {"a": [RUMBLE, ("Rumble", 90.0, 94.0)], "b": [("Rumble", 50.0, 54.0)], "c": [RUMBLE]}
    )
    these = evaluate(
        truth,
        by_recording(scored({"a": [(*RUMBLE, 0.9)], "b": []})),
        {"a": 3600, "b": 3600},
    )
    others = evaluate(
        truth,
        scored(
            {
                "a": [("Rumble", 90.0, 94.0, 0.9)],
                "b": [("Rumble", 50.0, 54.0, 0.5), ("Rumble", 9.0, 12.0, 0.5)],
                "c": [],
            }
        ),
        {"a": 3600, "b": 3600, "c": 3600},
    )
    result = compare(these, others, "Rumble", "overlap10")
    assert (result.recordings, result.only_these, result.only_others, result.p_value) == (
        2,
        1,
        2,
        1,
    )
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
    with pytest.raises(
        EvaluationError, match=r"a\.wav: the two sets were evaluated by different truths"
    ):
        compare(a, other, "Rumble", "overlap10")


def test_all_tables_fit_a_terminal() -> None:
    result = two_nights()
    console = Console(width=80)
    with console.capture() as capture:
        console.print(curve_table(result), comparison_table(result, result))
        burst = {"a.wav": [Event("Gunshot", 0.0, 9.0, shots=123_456)]}
        counted = {"a.wav": [Detection("Gunshot", 0.0, 9.0, None, None, 0.9, 123_455)]}
        console.print(shots_table(evaluate(burst, counted)))
    text = capture.get()
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert ">.67" in text
    assert "these minus the others, 2 recordings" in text


# ---- where recordings are


def test_recordings_are_where_the_run_says_or_in_the_folder_that_is_given(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", {"deep/a": [], "b": []})
    names = ["deep/a.wav", "b.wav"]
    assert recording_paths(run, None, names) == {}
    sounds = tmp_path / "sounds" / "deep"
    sounds.mkdir(parents=True)
    (sounds / "a.wav").write_bytes(b"")
    assert recording_paths(run, tmp_path / "sounds", names) == {names[0]: sounds / "a.wav"}
    assert recording_paths(str(run), sounds, names) == {names[0]: sounds / "a.wav"}
    entry = {"recording": str(sounds / "a.wav"), "path": names[0], "seconds": 60.0}
    change_run(run, recordings=[entry])
    assert recording_paths(run, None, names) == {names[0]: sounds / "a.wav"}
    assert recording_paths(run / "detections.parquet", None, names) == {}


# ---- the command


def test_the_command_writes_figures_and_compares(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "nn01a_20180101_000000"
    truth = write_truth(tmp_path / "truth.txt", {name: [RUMBLE, ("Rumble", 30.0, 34.0)]})
    run = write_run(tmp_path / "run", {name: [RUMBLE, ("Rumble", 50.0, 54.0)]}, seconds=60)
    before = write_run(tmp_path / "before", {name: [RUMBLE]}, seconds=60)
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    soundfile.write(
        sounds / f"{name}.wav", np.random.default_rng(0).normal(size=120_000) * 0.1, 2000
    )
    common: dict[str, Any] = {
        "truth": truth,
        "detections": run,
        "json": tmp_path / "figures.json",
        "label": None,
        "audio_seconds": None,
    }
    command(**common, against=before, figures=tmp_path / "figures", recordings=sounds)
    printed = capsys.readouterr().out
    assert all(
        words in printed
        for words in ("at other thresholds", "these minus the others", "errors_rumble.png")
    )
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {
        "pr.png",
        "false_positives.png",
        "reliability.png",
        "errors_rumble.png",
    }
    assert (
        json.loads((tmp_path / "figures.json").read_text())["against"]["Rumble"]["overlap10"][
            "only_these"
        ]
        == 0
    )
    command(**common, against=None, figures=tmp_path / "figures", recordings=None)
    assert "--recordings says where they are" in capsys.readouterr().out
    with pytest.raises(typer.BadParameter, match="give --figures too"):
        command(**common, against=None, figures=None, recordings=sounds)


def test_the_commands_of_the_document_run_in_their_order(tmp_path: Path) -> None:
    settings = SceneSettings(
        rate=4000, seconds=60.0, rumbles_per_minute=4.0, gunshots_per_minute=4.0
    )
    for number in range(2):
        path = tmp_path / "recordings" / f"nn01a_2018010{number + 1}_000000.wav"
        path.parent.mkdir(exist_ok=True)
        write_recording(path, settings, 120.0, number)
        (tmp_path / "tables").mkdir(exist_ok=True)
        path.with_suffix(".selections.txt").rename(
            tmp_path / "tables" / f"{path.stem}.selections.txt"
        )
    commands = re.findall(
        r"^\.venv/bin/loxo (.+)$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(commands) == 4
    for line in commands:
        done = subprocess.run(
            [sys.executable, "-m", "loxo.cli", *shlex.split(line)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{line}: {done.stderr}"
    assert (tmp_path / "figures" / "pr.png").is_file()
    result = json.loads((tmp_path / "difference.json").read_text())
    assert result["against"]["Rumble"]["overlap10"]["recordings"] == 2
    assert result["by_snr"]["Rumble"]["overlap10"]


def test_files_that_the_document_promises_are_those_that_are_written() -> None:
    named = set(re.findall(r"`(\w+\.png)`", DOCUMENT.read_text(encoding="utf-8")))
    groups = {
        f"{name}.png"
        for name in to_json(two_nights())
        if name.startswith("by_") and name != "by_recording"
    }
    assert (
        named
        == {
            "pr.png",
            "false_positives.png",
            "reliability.png",
            "errors_rumble.png",
            "errors_gunshot.png",
        }
        | groups
    )
