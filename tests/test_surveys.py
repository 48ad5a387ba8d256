"""Runs over many recordings: what is left behind, what is done again, and what never stops a run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
import soundfile
from numpy.typing import NDArray

from loxo.annotations import RAVEN_COLUMNS, read_annotations
from loxo.checkpoints import find_model
from loxo.recordings import find_recordings
from loxo.scoring import Profile, Scorer, Scores
from loxo.surveys import Outcome, Survey, SurveySettings, read_journal, run_survey

RATE = 4000


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer(find_model("tcn"), threads=1)


def noise(path: Path, seconds: float = 8.0, rate: int = RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = 0.01 * np.random.default_rng(len(path.name)).normal(size=round(seconds * rate))
    soundfile.write(os.fspath(path), samples, rate, subtype="PCM_16")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten recordings, three of which cannot be read."""
    for site in "abcdefg":
        noise(tmp_path / "in" / f"site{site}_20260101_000000.wav")
    (tmp_path / "in" / "empty.wav").touch()
    (tmp_path / "in" / "text.wav").write_text("these are no samples")
    (tmp_path / "in" / "noise.flac").write_bytes(np.random.default_rng(0).bytes(5000))
    return tmp_path / "in"


def survey(scorer: Scorer, output: Path, **changes: object) -> Survey:
    settings = SurveySettings(decisions=scorer.spec.decisions, timezone=ZoneInfo("Africa/Brazzaville"))
    return Survey(scorer, find_model("tcn"), replace(settings, **changes), output)  # type: ignore[arg-type]


def test_every_recording_has_an_outcome_and_bad_ones_end_nothing(scorer: Scorer, folder: Path, tmp_path: Path) -> None:
    told: list[Outcome] = []
    outcomes = run_survey(survey(scorer, tmp_path / "out"), find_recordings([folder]), each=told.append)
    assert told == outcomes
    assert len(outcomes) == 10
    assert sum(bool(outcome.skipped) for outcome in outcomes) == 3
    assert len(list((tmp_path / "out").glob("*.selections.txt"))) == 7
    lines = (tmp_path / "out" / "skipped.tsv").read_text().splitlines()
    assert lines[0] == "recording\treason"
    assert [Path(line.split("\t")[0]).name for line in lines[1:]] == ["empty.wav", "noise.flac", "text.wav"]
    assert all(len(line.split("\t")) == 2 for line in lines)


def test_recordings_at_once_leave_the_same_in_the_same_order(scorer: Scorer, folder: Path, tmp_path: Path) -> None:
    one, several = survey(scorer, tmp_path / "one"), survey(scorer, tmp_path / "several")
    several.jobs = 3
    recordings = find_recordings([folder])
    assert run_survey(several, recordings) == run_survey(one, recordings)
    assert [json.loads(line)["recording"] for line in several.journal.read_text().splitlines()] == [path.as_posix() for path in recordings]
    assert several.profile.seconds["network"] > 0


def test_what_a_run_leaves_has_the_agreed_shape(scorer: Scorer, folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    low = {label: replace(decision, threshold=1e-4, minimum_s=0.0) for label, decision in scorer.spec.decisions.items()}
    run_survey(survey(scorer, output, decisions=low), find_recordings([folder]))
    run = json.loads((output / "run.json").read_text())
    agreed = {"settings", "model", "versions", "audio_seconds", "wall_seconds", "times_real_time", "device", "recordings", "skipped"}
    assert agreed <= set(run)
    assert run["audio_seconds"] == pytest.approx(7 * 8.0)
    assert len(run["recordings"]) == 7
    assert len(run["skipped"]) == 3
    frame = pl.read_parquet(output / "detections.parquet")
    assert frame.columns == ["recording", "label", "start_s", "end_s", "low_hz", "high_hz", "score", "start_time"]
    assert frame.height >= 7, "a threshold of nearly nothing finds something in every recording"
    assert frame["score"].is_between(0, 1).all()
    assert (frame["end_s"] <= 8.0).all()
    first = frame.row(0, named=True)
    assert first["start_time"].isoformat().startswith("2025-12-31T23:00:0"), "midnight in Brazzaville is 23 h in UTC"
    table = (output / "sitea_20260101_000000.selections.txt").read_text().splitlines()
    assert tuple(table[0].split("\t")) == RAVEN_COLUMNS
    assert [line.split("\t")[0] for line in table[1:]] == [str(number) for number in range(1, len(table))]


def test_tables_and_parquet_say_the_same(scorer: Scorer, folder: Path, tmp_path: Path) -> None:
    low = {label: replace(decision, threshold=1e-4, minimum_s=0.0) for label, decision in scorer.spec.decisions.items()}
    run_survey(survey(scorer, tmp_path / "out", decisions=low), find_recordings([folder]))
    tables = read_annotations(sorted((tmp_path / "out").glob("*.selections.txt"))).rows
    frame = pl.read_parquet(tmp_path / "out" / "detections.parquet")
    rows = sorted((Path(r["recording"]).name, r["label"], round(r["start_s"], 6)) for r in frame.iter_rows(named=True))
    assert sorted((row.recording, row.event.label, row.event.start_s) for row in tables) == rows


def test_recordings_of_one_stem_get_their_folders_names(scorer: Scorer, tmp_path: Path) -> None:
    recordings = [noise(tmp_path / "in" / card / "a.wav", 2.0) for card in ("card1", "card2")]
    outcomes = run_survey(survey(scorer, tmp_path / "out"), recordings)
    assert sorted(outcome.table for outcome in outcomes) == ["card1_a.selections.txt", "card2_a.selections.txt"]


class Counting(Scorer):
    """A scorer that knows how often it was asked."""

    calls = 0

    def stream(self, blocks: Iterable[NDArray[np.float32]], *, keep_above: float = 0.1, profile: Profile | None = None) -> Iterator[Scores]:
        self.calls += 1
        return super().stream(blocks, keep_above=keep_above, profile=profile)


@pytest.fixture
def counting() -> Counting:
    return Counting(find_model("tcn"), threads=1)


def test_done_work_is_not_done_again_until_something_changes(counting: Counting, folder: Path, tmp_path: Path) -> None:
    recordings = find_recordings([folder])
    run = survey(counting, tmp_path / "out")
    first = run_survey(run, recordings)
    before = (tmp_path / "out" / "detections.parquet").read_bytes()
    assert counting.calls == 7
    again = run_survey(run, recordings)
    assert counting.calls == 7
    assert again == first
    assert (tmp_path / "out" / "detections.parquet").read_bytes() == before
    run_survey(run, recordings, force=True)
    assert counting.calls == 14
    stricter = {label: replace(decision, threshold=0.99) for label, decision in counting.spec.decisions.items()}
    run_survey(survey(counting, tmp_path / "out", decisions=stricter), recordings)
    assert counting.calls == 21
    os.utime(folder / "siteb_20260101_000000.wav", (1, 1))
    run_survey(survey(counting, tmp_path / "out", decisions=stricter), recordings)
    assert counting.calls == 22
    (tmp_path / "out" / "siteb_20260101_000000.selections.txt").unlink()
    run_survey(survey(counting, tmp_path / "out", decisions=stricter), recordings)
    assert counting.calls == 23, "a table that was removed is made again"


def test_a_killed_run_goes_on_where_it_was(counting: Counting, folder: Path, tmp_path: Path) -> None:
    recordings = find_recordings([folder])
    run = survey(counting, tmp_path / "out")
    partial: Iterator[object] = run.outcomes(recordings)
    list(islice(partial, 5))
    with run.journal.open("a") as journal:
        journal.write('{"recording": "cut off by the ki')
    calls = counting.calls
    outcomes = run_survey(run, recordings)
    assert len(outcomes) == 10
    assert counting.calls == 7
    assert calls < 7
    assert len(read_journal(run.journal)) >= 7


def test_a_name_that_no_table_could_hold_is_skipped(scorer: Scorer, tmp_path: Path) -> None:
    good = noise(tmp_path / "good.wav", 2.0)
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/f\xf6n.wav"))
    os.link(good, odd)
    outcomes = run_survey(survey(scorer, tmp_path / "out"), find_recordings([tmp_path]))
    assert {Path(outcome.recording).name: bool(outcome.skipped) for outcome in outcomes} == {"f\\udcf6n.wav": True, "good.wav": False}
    assert "not UTF-8" in (tmp_path / "out" / "skipped.tsv").read_text()


def test_damage_is_told_with_the_outcome(scorer: Scorer, tmp_path: Path) -> None:
    path = noise(tmp_path / "cut.wav")
    path.write_bytes(path.read_bytes()[:-8000])
    (outcome,) = run_survey(survey(scorer, tmp_path / "out"), [path])
    assert outcome.seconds == pytest.approx(7.0)
    assert any(damage.startswith("truncated") for damage in outcome.damage)


def test_formats_that_were_not_asked_for_are_not_written(scorer: Scorer, tmp_path: Path) -> None:
    path = noise(tmp_path / "a.wav", 2.0)
    run_survey(survey(scorer, tmp_path / "out", formats=("audacity", "csv")), [path])
    names = {file.name for file in (tmp_path / "out").iterdir()}
    assert names == {"a.audacity.txt", "detections.csv", "detections.parquet", "journal.jsonl", "run.json", "skipped.tsv"}
