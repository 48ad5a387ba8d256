"""Runs over many recordings: what is written, what is done again, and what never stops a run."""

from __future__ import annotations

import json
import os
import shutil
import unicodedata
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
from polars.testing import assert_frame_equal

from loxo.annotations import DETECTIONS_SCHEMA, RAVEN_COLUMNS, read_annotations
from loxo.events import Detection
from loxo.messages import Progress
from loxo.model import Model, load_model
from loxo.model_folder import PostProcessing
from loxo.post_processing import lowest_off_threshold
from loxo.recordings import SiteRule, read_site_rule
from loxo.runs import (
    RECORDINGS_SCHEMA,
    Outcome,
    Run,
    RunSettings,
    list_recordings,
    plan_recordings,
    run_root,
)
from loxo.scoring import Profile, Scores
from loxo.simulate import SceneSettings, write_recording

RATE = 4000
LOW = {"Rumble": 1e-4, "Gunshot": 1e-4}
"""Thresholds that noise exceeds."""


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model("tcn", threads=1)


class Counting(Model):
    """A model that counts the recordings that it scores."""

    calls = 0

    def stream(
        self,
        blocks: Iterable[NDArray[np.float32]],
        *,
        keep_above: float = 0.1,
        profile: Profile | None = None,
    ) -> Iterator[Scores]:
        self.calls += 1
        return super().stream(blocks, keep_above=keep_above, profile=profile)


@pytest.fixture
def counting(model: Model) -> Counting:
    return Counting(model.folder, threads=1)


def noise(path: Path, seconds: float = 8.0, rate: int = RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = 0.01 * np.random.default_rng(len(path.name)).normal(size=round(seconds * rate))
    soundfile.write(os.fspath(path), samples, rate, subtype="PCM_16", format="WAV")
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


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three minutes with rumbles and gunshots, at 8 kHz."""
    path = tmp_path_factory.mktemp("simulated") / "x.wav"
    crowded = SceneSettings(rate=8000, rumbles_per_minute=6.0, gunshots_per_minute=6.0)
    write_recording(path, crowded, seconds=180.0, seed=3)
    return path


def settings(
    model: Model, thresholds: dict[str, float] | None = None, **changes: object
) -> RunSettings:
    chosen = RunSettings(model.post_processing(thresholds), timezone=ZoneInfo("Africa/Brazzaville"))
    return replace(chosen, **changes)  # type: ignore[arg-type]


def run(
    model: Model,
    inputs: Path | list[Path],
    output: Path,
    chosen: RunSettings | None = None,
    *,
    root: str | None = None,
    force: bool = False,
    jobs: int = 1,
) -> list[Outcome]:
    """Run over inputs as the command line does."""
    names = [str(path) for path in (inputs if isinstance(inputs, list) else [inputs])]
    made = Run(
        model, chosen or settings(model), output, run_root(names, root), force=force, jobs=jobs
    )
    outcomes = list(made.outcomes(list_recordings(names, output)))
    assert made.collect().outcomes == tuple(outcomes)
    return outcomes


def below(output: Path) -> set[str]:
    """Paths of the selection tables in a folder of results."""
    return {path.relative_to(output).as_posix() for path in output.rglob("*.selections.txt")}


def as_rows(detections: Iterable[Detection]) -> list[tuple[object, ...]]:
    return [(d.label, d.start_s, d.end_s, d.low_hz, d.high_hz) for d in detections]


# ---- what a run writes


def test_every_recording_has_an_outcome_and_bad_ones_end_nothing(
    model: Model, folder: Path, tmp_path: Path
) -> None:
    outcomes = run(model, folder, tmp_path / "out")
    assert len(outcomes) == 10
    assert sum(bool(outcome.skipped) for outcome in outcomes) == 3
    assert len(below(tmp_path / "out")) == 7
    lines = (tmp_path / "out" / "skipped.tsv").read_text().splitlines()
    assert lines[0] == "recording\treason"
    assert [Path(line.split("\t")[0]).name for line in lines[1:]] == [
        "empty.wav",
        "noise.flac",
        "text.wav",
    ]
    assert all(len(line.split("\t")) == 2 for line in lines)


def test_recordings_at_once_give_the_same_in_the_same_order(
    model: Model, folder: Path, tmp_path: Path
) -> None:
    one = run(model, folder, tmp_path / "one")
    several = run(model, folder, tmp_path / "several", jobs=3)
    assert several == one
    journal = (tmp_path / "several" / "journal.jsonl").read_text().splitlines()
    assert [json.loads(line)["recording"] for line in journal] == [
        outcome.recording for outcome in one
    ]


def test_results_have_the_agreed_shape(model: Model, folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    short = {
        label: replace(each, minimum_s=0.0) for label, each in model.post_processing(LOW).items()
    }
    run(model, folder, output, settings(model, post_processing=short))
    record = json.loads((output / "run.json").read_text())
    agreed = {"root", "labels", "settings", "model", "versions", "audio_seconds", "wall_seconds"}
    agreed |= {"times_real_time", "device", "recordings", "skipped"}
    assert agreed <= set(record)
    assert record["root"] == folder.as_posix()
    assert record["labels"] == ["Rumble", "Gunshot"]
    assert record["audio_seconds"] == pytest.approx(7 * 8.0)
    assert len(record["recordings"]) == 7
    assert len(record["skipped"]) == 3
    first = record["recordings"][0]
    assert first["path"] == "sitea_20260101_000000.wav"
    assert first["site"] == "sitea"
    assert first["table"] == "sitea_20260101_000000.selections.txt"
    assert not first["resumed"]

    frame = pl.read_parquet(output / "detections.parquet")
    assert frame.schema == DETECTIONS_SCHEMA
    assert frame.height >= 7, "a threshold of nearly nothing finds something in every recording"
    assert frame["score"].is_between(0, 1).all()
    assert (frame["end_s"] <= 8.0).all()
    assert frame["detection_id"].n_unique() == frame.height
    starts = frame["start_time"].dt.strftime("%Y-%m-%dT%H:%M")
    assert starts[0] == "2025-12-31T23:00", "midnight in Brazzaville is 23 h in UTC"

    listed = pl.read_parquet(output / "recordings.parquet")
    assert listed.schema == RECORDINGS_SCHEMA
    assert listed["status"].value_counts().sort("status").rows() == [("done", 7), ("skipped", 3)]
    done = listed.filter(pl.col("status") == "done")
    assert done["searched_seconds"].to_list() == done["seconds"].to_list() == [8.0] * 7
    assert set(done["rate"]) == {RATE}
    assert listed.filter(pl.col("status") == "skipped")["reason"].null_count() == 0

    table = (output / "sitea_20260101_000000.selections.txt").read_text().splitlines()
    assert tuple(table[0].split("\t")) == RAVEN_COLUMNS


def test_tables_and_parquet_hold_the_same(model: Model, folder: Path, tmp_path: Path) -> None:
    run(model, folder, tmp_path / "out", settings(model, LOW))
    tables = read_annotations(sorted((tmp_path / "out").rglob("*.selections.txt"))).rows
    frame = pl.read_parquet(tmp_path / "out" / "detections.parquet")
    rows = sorted(
        (Path(r["recording"]).name, r["label"], round(r["start_s"], 6))
        for r in frame.iter_rows(named=True)
    )
    assert len(rows) > 0
    assert rows == sorted((r.recording.file, r.event.label, r.event.start_s) for r in tables)


def test_formats_that_were_not_asked_for_are_not_written(model: Model, tmp_path: Path) -> None:
    path = noise(tmp_path / "a.wav", 2.0)
    chosen = settings(model, formats=("audacity", "csv"), keep_scores=False)
    run(model, path, tmp_path / "out", chosen)
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        "a.audacity.txt",
        "detections.csv",
        "detections.parquet",
        "journal.jsonl",
        "recordings.parquet",
        "run.json",
        "skipped.tsv",
    }


def test_damage_is_in_the_outcome(model: Model, tmp_path: Path) -> None:
    path = noise(tmp_path / "cut.wav")
    path.write_bytes(path.read_bytes()[:-8000])
    (outcome,) = run(model, path, tmp_path / "out")
    assert outcome.seconds == pytest.approx(7.0)
    assert any(damage.startswith("truncated") for damage in outcome.damage)
    assert "truncated" in pl.read_parquet(tmp_path / "out" / "recordings.parquet")["damage"][0]


def test_a_name_that_no_table_can_hold_is_skipped(model: Model, tmp_path: Path) -> None:
    good = noise(tmp_path / "good.wav", 2.0)
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/f\xf6n.wav"))
    os.link(good, odd)
    outcomes = run(model, tmp_path, tmp_path / "out")
    assert {Path(outcome.recording).name: bool(outcome.skipped) for outcome in outcomes} == {
        "f\\udcf6n.wav": True,
        "good.wav": False,
    }
    assert "not UTF-8" in (tmp_path / "out" / "skipped.tsv").read_text()


def test_detections_are_those_of_the_model_on_a_file_and_on_its_samples(
    model: Model, simulated: Path, tmp_path: Path
) -> None:
    (outcome,) = run(model, simulated, tmp_path / "out")
    assert len(outcome.detections) > 5
    assert model.detect(simulated) == list(outcome.detections)
    samples, rate = soundfile.read(simulated, dtype="int16")
    assert model.detect(samples, rate) == list(outcome.detections)


def test_the_progress_of_a_recording_reaches_its_end(model: Model, tmp_path: Path) -> None:
    class Last(Progress):
        seen: tuple[str, float, float | None]

        def update(self, task: str, done: float, total: float | None = None) -> None:
            self.seen = task, done, total

    path, last = noise(tmp_path / "a.wav"), Last()
    made = Run(model, settings(model), tmp_path / "out", run_root([str(path)]), progress=last)
    list(made.outcomes([path]))
    assert last.seen == ("this recording (s of audio)", 8.0, 8.0)


# ---- outputs mirror the recordings' tree


def test_audiomoths_of_two_sites_have_tables_of_their_own(model: Model, tmp_path: Path) -> None:
    for site in ("siteA", "siteB"):
        noise(tmp_path / "in" / site / "20210722_005941.WAV", 2.0)
    run(model, tmp_path / "in", tmp_path / "out", settings(model, LOW))
    assert below(tmp_path / "out") == {
        "siteA/20210722_005941.selections.txt",
        "siteB/20210722_005941.selections.txt",
    }
    frame = pl.read_parquet(tmp_path / "out" / "detections.parquet")
    assert set(frame["site"]) == {"siteA", "siteB"}
    assert frame["detection_id"].n_unique() == frame.height


def test_no_two_recordings_share_an_output_whatever_their_names(
    model: Model, tmp_path: Path
) -> None:
    root = tmp_path / "rec"
    paths = [
        root / "nn01" / "20210722_005941.wav",
        root / "nn02" / "20210722_005941.wav",
        root / "nn01_20210722_005941.wav",
        root / "a" / "x.wav",
        root / "a" / "x.flac.wav",
        root / "a" / "X.WAV",
        root / "n" / unicodedata.normalize("NFC", "éléphant.wav"),
        root / "n" / unicodedata.normalize("NFD", "éléphant.wav"),
    ]
    for number, path in enumerate(paths):
        noise(path, 1.0 + number / 4)
    outcomes = run(model, root, tmp_path / "out", settings(model, LOW))
    assert len({outcome.name.casefold() for outcome in outcomes}) == len(paths)
    assert len(below(tmp_path / "out")) == len(paths)
    for outcome in outcomes:
        table = (tmp_path / "out" / outcome.table).read_text().splitlines()
        assert len(table) == 1 + len(outcome.detections)
        assert all(line.split("\t")[7] == outcome.recording for line in table[1:])
    assert len({outcome.seconds for outcome in outcomes}) == len(paths)


def test_the_root_is_the_folder_given_or_the_deepest_common_one(tmp_path: Path) -> None:
    for site in ("siteA", "siteB"):
        (tmp_path / "rec" / site).mkdir(parents=True)
    a, b = tmp_path / "rec" / "siteA", tmp_path / "rec" / "siteB"
    assert run_root([str(tmp_path / "rec")]) == (tmp_path / "rec").as_posix()
    assert run_root([str(a), str(b)]) == (tmp_path / "rec").as_posix()
    assert run_root([str(a), str(tmp_path / "rec")]) == (tmp_path / "rec").as_posix()
    assert run_root([str(a / "x.wav")]) == a.as_posix()
    assert run_root([str(a)], str(tmp_path)) == tmp_path.as_posix()
    (planned,) = plan_recordings([str(a / "x.wav")], tmp_path.as_posix())
    assert (planned.path, planned.name) == ("rec/siteA/x.wav", "rec/siteA/x")
    with pytest.raises(ValueError, match="does not lie below"):
        plan_recordings([str(a / "x.wav")], b.as_posix())


def test_folders_with_equal_names_do_not_go_into_one_output(model: Model, tmp_path: Path) -> None:
    for card in ("card1", "card2"):
        noise(tmp_path / card / "rec" / "x.wav", 2.0)
    run(model, tmp_path / "card1" / "rec", tmp_path / "out")
    before = (tmp_path / "out" / "run.json").read_text()
    with pytest.raises(ValueError, match=r"card1/rec.*another --output"):
        run(model, tmp_path / "card2" / "rec", tmp_path / "out")
    assert (tmp_path / "out" / "run.json").read_text() == before
    run(model, tmp_path / "card1" / "rec" / "x.wav", tmp_path / "out")
    both = [tmp_path / "card1" / "rec", tmp_path / "card2" / "rec"]
    run(model, both, tmp_path / "both")
    assert below(tmp_path / "both") == {
        "card1/rec/x.selections.txt",
        "card2/rec/x.selections.txt",
    }


def test_a_later_recording_of_the_same_stem_does_not_take_a_table(
    model: Model, tmp_path: Path
) -> None:
    first = noise(tmp_path / "in" / "x.wav", 2.0)
    run(model, tmp_path / "in", tmp_path / "out", settings(model, LOW))
    assert below(tmp_path / "out") == {"x.selections.txt"}
    second = noise(tmp_path / "in" / "x.wave", 3.0)
    run(model, second, tmp_path / "out", settings(model, LOW))
    assert below(tmp_path / "out") == {"x.selections.txt", "x.wave.selections.txt"}
    outcomes = run(model, [first, second], tmp_path / "out", settings(model, LOW))
    assert below(tmp_path / "out") == {"x.wav.selections.txt", "x.wave.selections.txt"}
    assert [outcome.origin for outcome in outcomes] == ["journal", "journal"]
    assert (tmp_path / "out" / "x.wav.scores").exists()
    assert not (tmp_path / "out" / "x.scores").exists()


def test_sites_come_from_names_folders_levels_or_a_table(tmp_path: Path) -> None:
    root = "/rec"
    paths = ["/rec/north/card1/20210722_005941.WAV", "/rec/south/nn01_20210722_005941.wav"]

    def sites(rule: SiteRule) -> list[str | None]:
        return [planned.site for planned in plan_recordings(paths, root, sites=rule)]

    assert sites(SiteRule()) == ["card1", "nn01"]
    assert sites(read_site_rule("1")) == ["north", "south"]
    (tmp_path / "sites.csv").write_text("folder,site\nnorth,N\nsouth,S\n")
    assert sites(read_site_rule(str(tmp_path / "sites.csv"))) == ["N", "S"]


# ---- runs that are repeated


def test_done_work_is_not_done_again_until_something_changes(
    counting: Counting, folder: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    chosen = settings(counting, keep_scores=False)
    first = run(counting, folder, output, chosen)
    before = (output / "detections.parquet").read_bytes()
    assert counting.calls == 7
    again = run(counting, folder, output, chosen)
    assert counting.calls == 7
    assert again == first
    assert (output / "detections.parquet").read_bytes() == before
    run(counting, folder, output, chosen, force=True)
    assert counting.calls == 14
    stricter = settings(counting, {"Rumble": 0.99, "Gunshot": 0.99}, keep_scores=False)
    run(counting, folder, output, stricter)
    assert counting.calls == 21
    os.utime(folder / "siteb_20260101_000000.wav", (1, 1))
    run(counting, folder, output, stricter)
    assert counting.calls == 22
    table = output / "siteb_20260101_000000.selections.txt"
    content = table.read_bytes()
    table.unlink()
    run(counting, folder, output, stricter)
    assert table.read_bytes() == content, "a table that was removed is written again"
    run(counting, folder, output, replace(stricter, channel=0))
    assert counting.calls == 29


def test_tables_are_those_of_the_latest_settings(
    model: Model, simulated: Path, tmp_path: Path
) -> None:
    table = tmp_path / "out" / "x.selections.txt"
    low, high = settings(model), settings(model, {"Rumble": 0.999, "Gunshot": 0.999})
    tables = []
    for chosen in (low, high, low):
        (outcome,) = run(model, simulated, tmp_path / "out", chosen)
        tables.append(table.read_text().splitlines())
        assert len(tables[-1]) == 1 + len(outcome.detections)
    assert tables[0] == tables[2] != tables[1]


def test_a_killed_run_goes_on_where_it_was(
    counting: Counting, folder: Path, tmp_path: Path
) -> None:
    names = [str(folder)]
    recordings = list_recordings(names)
    made = Run(counting, settings(counting), tmp_path / "out", run_root(names))
    list(islice(made.outcomes(recordings), 5))
    with (tmp_path / "out" / "journal.jsonl").open("a") as journal:
        journal.write('{"recording": "cut off by the ki')
    calls = counting.calls
    assert 0 < calls < 7
    outcomes = run(counting, folder, tmp_path / "out")
    assert len(outcomes) == 10
    assert counting.calls == 7


def test_a_run_that_is_stopped_does_not_finish_its_recordings(model: Model, tmp_path: Path) -> None:
    noise(tmp_path / "in" / "a.wav", 1.0)
    noise(tmp_path / "in" / "b.wav", 3000.0)
    names = [str(tmp_path / "in")]
    made = Run(model, settings(model), tmp_path / "out", run_root(names), jobs=2)
    outcomes = made.outcomes(list_recordings(names))
    assert next(outcomes).recording.endswith("a.wav")
    outcomes.close()  # type: ignore[attr-defined]
    assert below(tmp_path / "out") == {"a.selections.txt"}


# ---- kept scores


def changed(model: Model, **changes: float) -> dict[str, PostProcessing]:
    return {
        label: replace(each, **changes)  # type: ignore[arg-type]
        for label, each in model.post_processing().items()
    }


@pytest.mark.parametrize(
    ("changes", "estimated"),
    [
        ({"threshold": 0.04}, True),
        ({"threshold": 0.25}, False),
        ({"threshold": 0.8}, False),
        ({"minimum_s": 1.5}, False),
        ({"merge_gap_s": 0.0}, False),
        ({"merge_gap_s": 12.0}, True),
        ({"threshold": 0.1, "minimum_s": 0.0, "merge_gap_s": 1.0}, True),
    ],
    ids=str,
)
def test_other_settings_need_no_audio_and_give_what_a_new_run_gives(
    counting: Counting, simulated: Path, tmp_path: Path, changes: dict[str, float], estimated: bool
) -> None:
    shutil.copytree(simulated.parent, tmp_path / "in")
    run(counting, tmp_path / "in", tmp_path / "out")
    other = settings(counting, post_processing=changed(counting, **changes))
    (new,) = run(counting, tmp_path / "in", tmp_path / "new", other)
    calls = counting.calls
    shutil.rmtree(tmp_path / "in")
    (again,) = run(counting, tmp_path / "in", tmp_path / "out", other)
    assert counting.calls == calls
    assert again.origin == "scores"
    assert again.estimated_bands == estimated
    assert len(again.detections) == len(new.detections) > 0
    for one, other_one in zip(again.detections, new.detections, strict=True):
        assert one.label == other_one.label
        assert one.start_s == pytest.approx(other_one.start_s, abs=0.1001)
        assert one.end_s == pytest.approx(other_one.end_s, abs=0.1001)
        assert one.score == pytest.approx(other_one.score, abs=3.1e-5)
        assert one.low_hz is not None
    exact = sum(
        a == b for a, b in zip(*map(as_rows, (again.detections, new.detections)), strict=True)
    )
    if not estimated:
        assert exact >= 0.95 * len(new.detections), "a score may be as near to a limit as its code"
    assert np.median(list(map(band_iou, again.detections, new.detections))) > 0.7
    assert (again.seconds, again.damage) == (new.seconds, new.damage)


def band_iou(one: Detection, other: Detection) -> float:
    """Share of the frequencies of two detections that they have in common."""
    assert one.low_hz is not None
    assert one.high_hz is not None
    assert other.low_hz is not None
    assert other.high_hz is not None
    shared = min(one.high_hz, other.high_hz) - max(one.low_hz, other.low_hz)
    return shared / (max(one.high_hz, other.high_hz) - min(one.low_hz, other.low_hz))


def test_nothing_ends_behind_the_end_of_a_recording_at_another_rate(
    model: Model, tmp_path: Path
) -> None:
    path, rate = tmp_path / "in" / "x.wav", 11025
    path.parent.mkdir()
    n_samples = 7 * rate + 3
    samples = np.random.default_rng(0).normal(0, 0.1, n_samples)
    soundfile.write(path, samples, rate, subtype="PCM_16")
    for threshold, origin in ((1e-6, "audio"), (2e-6, "scores")):
        everything = settings(model, post_processing=changed(model, threshold=threshold))
        if origin == "scores":
            path.unlink()
        (outcome,) = run(model, path, tmp_path / "out", everything)
        assert outcome.origin == origin
        last = max(outcome.detections, key=lambda each: each.end_s)
        assert last.end_s == pytest.approx(n_samples / rate, abs=1e-6)
        assert last.end_s <= outcome.recorded_s + 1e-6


def test_bands_over_another_gap_come_from_the_audio_where_it_is(
    counting: Counting, simulated: Path, tmp_path: Path
) -> None:
    other = settings(counting, post_processing=changed(counting, merge_gap_s=12.0))
    (new,) = run(counting, simulated, tmp_path / "new", other)
    run(counting, simulated, tmp_path / "out")
    (again,) = run(counting, simulated, tmp_path / "out", other)
    assert again.origin == "audio"
    assert again.detections == new.detections


def test_estimated_bands_are_measured_when_the_recording_is_back(
    counting: Counting, simulated: Path, tmp_path: Path
) -> None:
    shutil.copytree(simulated.parent, tmp_path / "in")
    run(counting, tmp_path / "in", tmp_path / "out")
    other = settings(counting, post_processing=changed(counting, merge_gap_s=12.0))
    (tmp_path / "in").rename(tmp_path / "away")
    (blind,) = run(counting, tmp_path / "in", tmp_path / "out", other)
    assert blind.estimated_bands
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["recordings"][0]["estimated_bands"]
    (tmp_path / "away").rename(tmp_path / "in")
    (back,) = run(counting, tmp_path / "in", tmp_path / "out", other)
    assert (back.origin, back.estimated_bands) == ("audio", False)
    assert run(counting, tmp_path / "in", tmp_path / "out", other)[0].origin == "journal"


def test_tables_stay_where_nothing_can_be_done(
    counting: Counting, simulated: Path, tmp_path: Path
) -> None:
    run(counting, simulated, tmp_path / "out")
    before = pl.read_parquet(tmp_path / "out" / "detections.parquet")
    assert len(before)
    (outcome,) = run(counting, simulated, tmp_path / "out", settings(counting, channel=5))
    assert "channel 6" in outcome.skipped
    assert_frame_equal(pl.read_parquet(tmp_path / "out" / "detections.parquet"), before)
    assert "channel 6" in (tmp_path / "out" / "skipped.tsv").read_text()


def test_the_same_settings_after_recordings_moved_away_give_the_same(
    counting: Counting, folder: Path, tmp_path: Path
) -> None:
    first = run(counting, folder, tmp_path / "out")
    frame = pl.read_parquet(tmp_path / "out" / "detections.parquet")
    for path in folder.iterdir():
        path.unlink()
    calls = counting.calls
    again = run(counting, folder, tmp_path / "out")
    assert counting.calls == calls
    assert again == [outcome for outcome in first if not outcome.skipped]
    assert pl.read_parquet(tmp_path / "out" / "detections.parquet").equals(frame)


def test_below_the_stored_floor_bands_come_from_the_audio_or_are_unknown(
    counting: Counting, simulated: Path, tmp_path: Path
) -> None:
    shutil.copytree(simulated.parent, tmp_path / "in")
    run(counting, tmp_path / "in", tmp_path / "out")
    shutil.copytree(tmp_path / "out", tmp_path / "alone")
    lower = settings(counting, {"Rumble": 0.002})
    assert lowest_off_threshold(lower.post_processing) == 0.002
    (measured,) = run(counting, tmp_path / "in", tmp_path / "out", lower)
    assert measured.origin == "audio"
    assert measured.unmeasured == 0
    for rumble in (0.002, 0.3):
        chosen = settings(counting, {"Rumble": rumble, "Gunshot": 0.7})
        (again,) = run(counting, tmp_path / "in", tmp_path / "out", chosen)
        assert again.origin == "scores", "the second run kept these levels as well"

    shutil.rmtree(tmp_path / "in")
    (blind,) = run(counting, tmp_path / "in", tmp_path / "alone", lower)
    assert blind.origin == "scores"
    assert 0 < blind.unmeasured < len(blind.detections)
    frame = pl.read_parquet(tmp_path / "alone" / "detections.parquet")
    assert frame["low_hz"].null_count() == blind.unmeasured
    record = json.loads((tmp_path / "alone" / "run.json").read_text())
    assert record["recordings"][0]["unmeasured_bands"] == blind.unmeasured
    assert set(read_annotations([tmp_path / "alone" / "x.selections.txt"]).rows)


def test_scores_of_another_recording_model_or_channel_are_not_taken(
    counting: Counting, simulated: Path, tmp_path: Path
) -> None:
    shutil.copytree(simulated.parent, tmp_path / "in")
    path, output = tmp_path / "in" / "x.wav", tmp_path / "out"
    run(counting, path, output)
    stricter = settings(counting, {"Rumble": 0.9})
    os.utime(path, (1, 1))
    assert run(counting, path, output, stricter)[0].origin == "audio"
    assert run(counting, path, output, replace(stricter, channel=0))[0].origin == "audio"
    (output / "x.scores").write_bytes((output / "x.scores").read_bytes()[:-7])
    strictest = settings(counting, {"Rumble": 0.95}, channel=0)
    assert run(counting, path, output, strictest)[0].origin == "audio"
    (output / "x.scores").unlink()
    assert run(counting, path, output, stricter)[0].origin == "audio", "scores are kept again"
    assert run(counting, path, output, stricter)[0].origin == "journal"
    assert run(counting, path, output, settings(counting, {"Rumble": 0.8}))[0].origin == "scores"


# ---- folders that hold other files, too


def test_files_of_the_user_beside_the_recordings_stay(model: Model, tmp_path: Path) -> None:
    noise(tmp_path / "x.wav", 2.0)
    noise(tmp_path / "y.wav", 2.0)
    own = {"x.selections.txt": "Selection\tmine\n", "y.png": "mine", "detections.csv": "mine"}
    for name, text in own.items():
        (tmp_path / name).write_text(text)
    for _ in range(2):
        first, second = run(model, tmp_path, tmp_path)
        assert "would be overwritten" in first.skipped
        assert not second.skipped
    assert {name: (tmp_path / name).read_text() for name in own} == own
    assert (tmp_path / "y.selections.txt").is_file()


@pytest.mark.parametrize("columns", [RAVEN_COLUMNS, RAVEN_COLUMNS[:-1]])
def test_a_table_without_a_record_is_that_of_a_killed_run(
    model: Model, tmp_path: Path, columns: tuple[str, ...]
) -> None:
    recording, output = noise(tmp_path / "x.wav", 2.0), tmp_path / "out"
    output.mkdir()
    (output / "x.selections.txt").write_text("\t".join(columns) + "\n")
    (outcome,) = run(model, recording, output)
    assert not outcome.skipped
    assert len(read_annotations([output / "x.selections.txt"]).rows) == len(outcome.detections)


def test_what_a_run_found_is_not_read_as_truth(model: Model, tmp_path: Path) -> None:
    noise(tmp_path / "siteA" / "x.wav", 4.0)
    truth = tmp_path / "siteA" / "x.Table.1.selections.txt"
    truth.write_text("Selection\tBegin Time (s)\tEnd Time (s)\tTags\n1\t1\t2\tRumble\n")
    for output in (tmp_path, tmp_path / "results"):
        run(model, tmp_path, output, settings(model, LOW, formats=("raven", "csv")), root=None)
        found = read_annotations([tmp_path])
        assert [row.table for row in found.rows] == [str(truth)]
    # Alone, the tables of a run are read: people correct them.
    assert len(read_annotations([tmp_path / "results"]).rows) > 0


def test_a_csv_of_other_settings_does_not_stay(model: Model, tmp_path: Path) -> None:
    recording, output = noise(tmp_path / "x.wav"), tmp_path / "out"
    run(model, recording, output, settings(model, LOW, formats=("csv",)))
    run(model, recording, output)
    n_rows = len(pl.read_parquet(output / "detections.parquet"))
    assert len((output / "detections.csv").read_text().splitlines()) == 1 + n_rows


def test_line_breaks_in_names_do_not_break_up_the_list(model: Model, tmp_path: Path) -> None:
    noise(tmp_path / "rec" / "two\nlines.wav", 1.0)
    noise(tmp_path / "rec" / "good.wav", 1.0)
    run(model, tmp_path / "rec", tmp_path / "out")
    lines = (tmp_path / "out" / "skipped.tsv").read_text().splitlines()
    assert len(lines) == 2
    assert "two\\nlines.wav\tits name holds a tab or a line break" in lines[1]


def test_a_mistyped_input_does_not_decide_the_root(model: Model, tmp_path: Path) -> None:
    recording = noise(tmp_path / "rec" / "x.wav", 1.0)
    (mistyped,) = run(model, tmp_path / "rex", tmp_path / "out")
    assert mistyped.skipped
    (outcome,) = run(model, recording.parent, tmp_path / "out")
    assert not outcome.skipped


def test_recordings_of_earlier_runs_that_are_missing_are_counted(
    model: Model, tmp_path: Path
) -> None:
    for site in "ab":
        noise(tmp_path / "rec" / site / "x.wav", 1.0)
    run(model, tmp_path / "rec", tmp_path / "out")
    (tmp_path / "rec" / "b" / "x.wav").unlink()
    names = [str(tmp_path / "rec")]
    again = Run(model, settings(model), tmp_path / "out", run_root(names))
    assert len(list(again.outcomes(list_recordings(names)))) == 1
    assert again.collect().n_others == 1


def test_below_the_floor_coarse_scores_do_not_hide_detections(model: Model, tmp_path: Path) -> None:
    recording = noise(tmp_path / "x.wav", 20.0)
    highest = float(model.score(recording).values[:, 0].max())
    chosen = settings(model)
    exact = replace(model.spec.post_processing["Rumble"], threshold=highest, minimum_s=0.0)
    run(model, recording, tmp_path / "out", chosen)
    low = replace(chosen, post_processing={**chosen.post_processing, "Rumble": exact})
    (outcome,) = run(model, recording, tmp_path / "out", low)
    assert highest < 0.02
    assert outcome.origin == "audio"
    assert [found.label for found in outcome.detections] == ["Rumble"]
