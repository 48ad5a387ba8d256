"""The four steps from end to end, against a real S3 server: what is cut is what was recorded,
whatever the network or a kill does."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
import soundfile

from archive_fixtures import BUCKET, EMPTY, MINUTES, RATE, SHORT, SITES, Archive, wav_bytes
from loxo.annotations import write_events
from loxo.clips import Clip, read_clips
from loxo.events import Event
from loxo.preparation import read_training_table
from loxo.preparation.listing import list_recordings
from loxo.recordings import RecordingError, local_copy
from s3_fixtures import KEY_ID, SECRET, FaultProxy, S3Server

pytest_plugins = ("s3_fixtures", "archive_fixtures")

LOXO = Path(sys.executable).with_name("loxo")


def environment(url: str) -> dict[str, str]:
    """The usual AWS environment, that points to a server here."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    keys = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET}
    return kept | keys | {"AWS_ENDPOINT_URL": url, "AWS_REGION": "us-west-2"}


def prepare(folder: Path, url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [LOXO, "prepare", *arguments],
        cwd=folder,
        env=environment(url),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stderr + done.stdout
    return done


def tree(folder: Path) -> dict[str, str]:
    """SHA-256 of all files of a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def prepared(
    archive: Archive, s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder in which `loxo prepare all` has run."""
    folder = tmp_path_factory.mktemp("prepared")
    done = prepare(folder, s3_server.url, "all", *archive.options, "--rate", "4000")
    assert done.returncode == 0, done.stderr
    assert "nn09z_20180101_000000" in done.stdout  # of a table, and not listed
    return folder


@pytest.fixture(scope="module")
def clips(prepared: Path) -> list[Clip]:
    return read_clips(prepared / "data" / "clips.parquet")


def stem(clip: Clip) -> str:
    return Path(clip.group).stem


# ---- what is cut


def test_the_training_table_holds_every_event_of_every_dialect(
    archive: Archive, prepared: Path
) -> None:
    found = {
        Path(r.url).stem: r
        for r in read_training_table(prepared / "data" / "training_table.parquet")
    }
    assert set(found) == set(SITES)
    for name, recording in found.items():
        wanted = [(e.label, e.start_s, e.end_s) for e in archive.events[name]]
        wanted += [("Rumble", 80_000.0, 80_004.0)] if name == SHORT else []
        assert sorted((e.label, e.start_s, e.end_s) for e in recording.events) == sorted(wanted)
        assert recording.site == SITES[name]
        assert recording.start_time is not None
        assert recording.searched
    assert not found[EMPTY].events


def test_tables_may_lie_in_the_archive_too(
    archive: Archive, prepared: Path, s3_server: S3Server, tmp_path: Path
) -> None:
    s3_server.make_bucket("annotation-tables")
    options = ["--recordings", archive.address, "--timezone", "Africa/Brazzaville"]
    for kind in ("rumbles", "gunshots", "tables"):
        for path in (archive.tables / kind).iterdir():
            s3_server.put("annotation-tables", f"{kind}/{path.name}", path)
        options += [f"--{kind}", f"s3://annotation-tables/{kind}"]
    assert prepare(tmp_path, s3_server.url, "table", *options).returncode == 0
    here, there = (
        pl.read_parquet(folder / "data" / "training_table.parquet")
        for folder in (tmp_path, prepared)
    )
    assert here.drop("table").equals(there.drop("table"))
    assert here["table"].drop_nulls().str.starts_with("s3://annotation-tables/").all()


def test_an_archive_is_listed_once_and_again_if_asked_for_or_if_the_listing_is_spoilt(
    archive: Archive, fault_proxy: FaultProxy, tmp_path: Path
) -> None:
    index = tmp_path / "index.parquet"

    def requests(addresses: list[str], *, refresh: bool = False) -> int:
        before: int = fault_proxy.counts()["requests"].get("GET", 0)
        assert len(list_recordings(addresses, fault_proxy.storage, index, refresh=refresh)) in {
            len(SITES),
            2,
        }
        after: int = fault_proxy.counts()["requests"].get("GET", 0)
        return after - before

    everything = [archive.address]
    assert [requests(everything), requests(everything), requests(everything, refresh=True)] == [
        1,
        0,
        1,
    ]
    assert requests([f"{archive.address}/nn01a"]) == 1  # of another address
    assert requests(everything) == 1
    index.write_bytes(b"spoilt")
    assert [requests(everything), requests(everything)] == [1, 0]


def test_clips_are_what_was_recorded(archive: Archive, clips: list[Clip]) -> None:
    assert len(clips) >= 100
    for clip in clips:
        samples, rate = soundfile.read(clip.path, dtype="int16")
        assert clip.start_s is not None
        first = round(clip.start_s * RATE)
        assert rate == clip.rate == RATE
        assert len(samples) == 20 * RATE
        np.testing.assert_array_equal(
            samples, archive.samples[stem(clip)][first : first + len(samples)]
        )
        assert hashlib.sha256(clip.path.read_bytes()).hexdigest() == clip.sha256


def test_every_event_is_whole_in_a_clip_and_every_clip_has_all_its_events(
    archive: Archive, clips: list[Clip]
) -> None:
    whole: Counter[tuple[str, str, float, float]] = Counter()
    for clip in clips:
        assert clip.start_s is not None
        end_s = clip.start_s + clip.seconds
        reaching = [
            e for e in archive.events[stem(clip)] if e.start_s < end_s and e.end_s > clip.start_s
        ]
        assert [e.label for e in clip.events] == [
            e.label for e in sorted(reaching, key=lambda e: (e.start_s, e.end_s, e.label))
        ]
        for known, true in zip(
            clip.events, sorted(reaching, key=lambda e: (e.start_s, e.end_s, e.label)), strict=True
        ):
            assert known.start_s == pytest.approx(max(0.0, true.start_s - clip.start_s), abs=1e-6)
            assert known.end_s == pytest.approx(
                min(clip.seconds, true.end_s - clip.start_s), abs=1e-6
            )
            if true.start_s >= clip.start_s and true.end_s <= end_s:
                whole[stem(clip), true.label, true.start_s, true.end_s] += 1
    wanted = {
        (name, e.label, e.start_s, e.end_s)
        for name, events in archive.events.items()
        for e in events
        if e.duration_s < 20
    }
    assert set(whole) == wanted


def test_background_is_away_from_events_and_spread(archive: Archive, clips: list[Clip]) -> None:
    background = [clip for clip in clips if not clip.events]
    assert len(background) == len(clips) - len(background)
    for clip in background:
        assert clip.start_s is not None
        assert all(
            e.start_s >= clip.start_s + clip.seconds + 10 - 1e-3
            or e.end_s <= clip.start_s - 10 + 1e-3
            for e in archive.events[stem(clip)]
        )
    by_site = Counter(clip.site for clip in background)
    assert max(by_site.values()) - min(by_site.values()) <= 1
    starts = {
        name: sorted(c.start_s or 0.0 for c in background if stem(c) == name) for name in SITES
    }
    assert all(
        later - earlier >= 20 for found in starts.values() for earlier, later in pairwise(found)
    )


def test_no_recording_is_in_two_splits_and_each_split_has_all_labels(clips: list[Clip]) -> None:
    splits = {name: {clip.split for clip in clips if stem(clip) == name} for name in SITES}
    assert all(len(found) == 1 for found in splits.values())
    for split in ("train", "validation", "test"):
        labels = {label for clip in clips if clip.split == split for label in clip.labels}
        assert labels == {"Rumble", "Gunshot"}


def test_what_lies_behind_the_end_is_listed(prepared: Path) -> None:
    lost = pl.read_csv(prepared / "data" / "skipped.tsv", separator="\t")
    assert lost["recording"].to_list() == [f"s3://{BUCKET}/recordings/wav/nn05a/{SHORT}.wav"]
    assert f"after the recording's end at {60 * MINUTES}.000 s" in lost["reason"][0]


def test_resampled_clips_sound_the_same_at_their_rate(prepared: Path, clips: list[Clip]) -> None:
    resampled = read_clips(prepared / "data" / "resampled.parquet")
    assert [(c.group, c.start_s, c.split, c.events, c.seconds) for c in resampled] == [
        (c.group, c.start_s, c.split, c.events, c.seconds) for c in clips
    ]
    compared = 0
    for before, after in list(zip(clips, resampled, strict=True))[::20]:
        old, _ = soundfile.read(before.path)
        new, rate = soundfile.read(after.path)
        assert (rate, len(new)) == (4000, len(old) // 2)
        if (
            np.abs(old).max() > 0.9
        ):  # at another rate a peak may pass full scale, and 16 bits cut it
            continue
        spectra = [
            np.abs(np.fft.rfft(samples))[: len(new) // 4] / len(samples) for samples in (old, new)
        ]
        np.testing.assert_allclose(spectra[0], spectra[1], atol=1e-5)
        compared += 1
    assert compared


def test_the_bytes_that_are_fetched_are_those_of_the_clips(
    archive: Archive, prepared: Path, fault_proxy: FaultProxy, clips: list[Clip], tmp_path: Path
) -> None:
    folder = with_tables(prepared, tmp_path / "counted")
    assert prepare(folder, fault_proxy.url, "clips").returncode == 0
    wanted = sum(2 * round(clip.seconds * RATE) for clip in clips)
    assert fault_proxy.counts()["body_bytes"] <= 1.05 * wanted


def test_what_cannot_be_cut_by_bytes_is_streamed(
    s3_server: S3Server, archive: Archive, tmp_path: Path
) -> None:
    name = "nn01a_20180126_000000"
    samples = archive.samples[name][: 600 * RATE]
    soundfile.write(tmp_path / "x.flac", samples, RATE)
    s3_server.make_bucket("compressed")
    s3_server.put("compressed", f"{name}.flac", tmp_path / "x.flac")
    write_events(
        tmp_path / "x.selections.txt",
        [Event("Rumble", 100, 104), Event("Rumble", 500, 504)],
        f"{name}.wav",
    )
    done = prepare(
        tmp_path,
        s3_server.url,
        "all",
        "--recordings",
        "s3://compressed",
        "--tables",
        "x.selections.txt",
    )
    assert done.returncode == 0, done.stderr
    for clip in read_clips(tmp_path / "data" / "clips.parquet"):
        assert clip.start_s is not None
        first = round(clip.start_s * RATE)
        np.testing.assert_array_equal(
            soundfile.read(clip.path, dtype="int16")[0], samples[first : first + 20 * RATE]
        )
    assert not list(tmp_path.rglob("*.flac.*"))


def test_a_recording_in_a_bucket_is_opened_for_kilobytes_and_read_as_on_a_disk(
    archive: Archive, fault_proxy: FaultProxy
) -> None:
    name = "nn01a_20180126_000000"
    file = fault_proxy.storage.file(f"{archive.address}/{SITES[name]}/{name}.wav")
    with local_copy(file, ZoneInfo("Africa/Brazzaville")) as recording:
        assert fault_proxy.counts()["body_bytes"] <= 4096
        assert (recording.site, recording.rate, recording.n_samples) == (
            "nn01a",
            RATE,
            60 * MINUTES * RATE,
        )
        assert recording.start_time is not None
        block = next(recording.blocks(RATE, block_s=5.0))
        np.testing.assert_array_equal(block * 32768, archive.samples[name][: 5 * RATE])


def test_a_broken_recording_in_a_bucket_is_told_by_its_address(s3_server: S3Server) -> None:
    s3_server.make_bucket("broken")
    for name, content, told in (
        ("empty.wav", b"", "is empty"),
        ("cut.wav", wav_bytes(np.zeros(9, np.int16))[:30], "header is broken"),
    ):
        s3_server.put("broken", name, content)
        with (
            pytest.raises(RecordingError, match=told) as error,
            local_copy(s3_server.storage.file(f"s3://broken/{name}")),
        ):
            pass
        assert str(error.value).startswith(f"s3://broken/{name}: ")


# ---- doing nothing, a trial, another disk


def test_what_is_done_is_not_done_again(
    archive: Archive, prepared: Path, fault_proxy: FaultProxy
) -> None:
    before = tree(prepared)
    done = prepare(prepared, fault_proxy.url, "all", *archive.options, "--rate", "4000")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("cached") == 4
    assert tree(prepared) == before
    assert fault_proxy.counts()["requests"] == {}


def test_a_trial_is_the_same_in_small(
    archive: Archive, s3_server: S3Server, tmp_path: Path
) -> None:
    done = prepare(tmp_path, s3_server.url, "all", *archive.options, "--dev")
    assert done.returncode == 0, done.stderr
    clips = read_clips(tmp_path / "data" / "dev" / "clips.parquet")
    labels = Counter(clip.path.relative_to(tmp_path / "data" / "dev").parts[1] for clip in clips)
    assert set(labels) == {"Rumble", "Gunshot", "Background"}
    assert max(labels.values()) <= 24
    assert [path.name for path in (tmp_path / "data").iterdir() if path.is_dir()] == ["dev"]


def test_a_disk_gives_the_same_clips_as_the_archive(
    archive: Archive, clips: list[Clip], tmp_path: Path
) -> None:
    few = list(SITES)[:3]
    for name in few:
        path = tmp_path / "disk" / SITES[name] / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wav_bytes(archive.samples[name]))
    options = [
        "--rumbles",
        str(archive.tables / "rumbles"),
        "--gunshots",
        str(archive.tables / "gunshots"),
    ]
    done = prepare(
        tmp_path, "http://127.0.0.1:1", "all", "--recordings", "disk", *options, "--ratio", "0"
    )
    assert done.returncode == 0, done.stderr
    local = read_clips(tmp_path / "data" / "clips.parquet")
    wanted = [clip for clip in clips if stem(clip) in few and clip.events]
    assert [(stem(c), c.start_s, c.events, c.sha256) for c in local] == [
        (stem(c), c.start_s, c.events, c.sha256) for c in wanted
    ]


# ---- kills and networks


def test_a_step_that_is_killed_goes_on_and_ends_with_the_same_bytes(
    prepared: Path, s3_server: S3Server, tmp_path: Path
) -> None:
    """Killed at five random moments, one after the other, then run to its end."""
    folder = with_tables(prepared, tmp_path / "killed")
    wanted = tree(prepared / "data" / "clips")
    moments = random.Random(3).sample(range(len(wanted) - 10), 5)  # noqa: S311 no secret
    for moment in sorted(moments):
        killed_at(folder, moment, s3_server.url)
    assert prepare(folder, s3_server.url, "clips").returncode == 0
    assert tree(folder / "data" / "clips") == wanted
    for name in ("clips.parquet", "clips.jsonl", "skipped.tsv"):
        done, whole = (root / "data" / name for root in (folder, prepared))
        assert done.read_bytes() == whole.read_bytes(), name


def killed_at(folder: Path, moment: int, url: str) -> None:
    """Kill a run after some clips: each file that exists is whole, and there is no clip set."""
    process = subprocess.Popen(
        [LOXO, "prepare", "clips", "--jobs", "2"],
        cwd=folder,
        env=environment(url),
        stdout=subprocess.DEVNULL,
    )
    journal = folder / "data" / "clips.jsonl"
    while process.poll() is None and lines_of(journal) <= moment:
        time.sleep(0.001)
    process.kill()
    assert process.wait() == -signal.SIGKILL, "it ended before it was killed"
    assert not (folder / "data" / "clips.parquet").exists()
    for path in (folder / "data" / "clips").rglob("[!.]*.flac"):
        assert soundfile.info(path).frames == 20 * RATE


def with_tables(prepared: Path, folder: Path, recordings: str = "") -> Path:
    """A folder with the tables of the first steps, or with their rows of some recordings."""
    (folder / "data").mkdir(parents=True)
    for name in ("training_table.parquet", "background.parquet"):
        table = pl.read_parquet(prepared / "data" / name)
        table.filter(pl.col("recording").str.contains(recordings)).write_parquet(
            folder / "data" / name
        )
    return folder


def lines_of(journal: Path) -> int:
    return journal.read_bytes().count(b"\n") if journal.is_file() else 0


def test_a_bad_network_changes_nothing(
    prepared: Path, fault_proxy: FaultProxy, tmp_path: Path
) -> None:
    fault_proxy.fault("drop", every=17)
    fault_proxy.fault("truncate", every=11)
    fault_proxy.fault("status", every=13)
    folder = with_tables(prepared, tmp_path / "faulty")
    done = prepare(folder, fault_proxy.url, "clips")
    assert done.returncode == 0, done.stderr
    assert fault_proxy.counts()["faults"] > 20
    mine, theirs = tree(folder / "data"), tree(prepared / "data")
    assert {path: mine[path] for path in mine if path.startswith("clips")} == {
        path: theirs[path] for path in theirs if path.startswith("clips")
    }


def test_a_recording_that_cannot_be_reached_is_listed_and_tried_again(
    prepared: Path, fault_proxy: FaultProxy, tmp_path: Path
) -> None:
    folder = with_tables(prepared, tmp_path / "unreachable")
    fault_proxy.fault("status", times=10_000, match="nn02c", status=403, code="AccessDenied")
    done = prepare(folder, fault_proxy.url, "clips")
    assert done.returncode == 0, done.stderr
    lost = pl.read_csv(folder / "data" / "skipped.tsv", separator="\t").filter(
        pl.col("reason").str.contains("access is denied")
    )
    assert lost.height == 1
    fault_proxy.clear()
    assert prepare(folder, fault_proxy.url, "clips").returncode == 0
    assert tree(folder / "data" / "clips") == tree(prepared / "data" / "clips")


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["clips"], 1, "loxo prepare table"),
        (["background"], 1, "loxo prepare table"),
        (["resample"], 1, "loxo prepare all"),
        (["table"], 2, "--recordings is missing"),
        (["table", "--recordings", "nowhere", "--tables", "nowhere"], 1, "nowhere"),
        (["clips", "--validation", "0.6", "--test", "0.6"], 2, "0.6"),
        (
            ["table", "--recordings", "s3://no-such-bucket-here/x", "--rumbles", "TABLES"],
            1,
            "no such bucket",
        ),
        (["--config", "none.yaml", "all"], 2, "none.yaml"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    archive: Archive,
    s3_server: S3Server,
    tmp_path: Path,
    arguments: list[str],
    status: int,
    told: str,
) -> None:
    done = prepare(
        tmp_path,
        s3_server.url,
        *[str(archive.tables / "rumbles") if a == "TABLES" else a for a in arguments],
    )
    assert (done.returncode, done.stderr.count("\n")) == (status, 1), done.stderr
    assert told in done.stderr
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
