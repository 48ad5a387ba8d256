"""An archive in the shape of the public one: eight simulated recordings of 20 minutes in a bucket,
and tables of their events in all dialects.

Used with `pytest_plugins = ("s3_fixtures", "archive_fixtures")`, like `s3_fixtures`; hence
PYTEST_DONT_REWRITE.

A recording is put together from a few simulated scenes of a minute, in an order of its own, which
is much faster than simulating it whole. One recording's header announces 25 hours, of which 20
minutes are there: the recorder's card was full.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from loxo.events import EVENT_LABELS, Event
from loxo.simulate import SceneSettings, scene
from s3_fixtures import S3Server

__all__ = [
    "BUCKET",
    "EMPTY",
    "MINUTES",
    "RATE",
    "SHORT",
    "SITES",
    "Archive",
    "archive",
    "wav_bytes",
]

BUCKET = "congo-soundscapes"
RATE = 8000
MINUTES = 20
"""Length of a recording. The server copies a whole one for each request, so they are short."""
SITES = {
    "nn01a_20180126_000000": "nn01a",
    "nn01a_20180127_000000": "nn01a",
    "nn01b_20180126_060000": "nn01b",
    "nn02c_20180203_120000": "nn02c",
    "dz_20130101_180000": "dz",
    "kp01_20190405_000100": "kp01",
    "nn05a_20171229_000000": "nn05a",
    "nn05a_20171230_000000": "nn05a",
}
"""Recordings and their sites."""
EMPTY = "nn05a_20171229_000000"
"""Searched, and nothing found in it."""
SHORT = "nn05a_20171230_000000"
"""Announces 25 hours."""


@dataclass(frozen=True)
class Archive:
    """A bucket, the tables of it on the disk, and what is true."""

    address: str
    tables: Path
    events: dict[str, list[Event]]
    samples: dict[str, NDArray[np.int16]]

    @property
    def options(self) -> list[str]:
        """Of `loxo prepare table` and `all`."""
        found = ["--recordings", self.address, "--timezone", "Africa/Brazzaville"]
        for kind in ("rumbles", "gunshots", "tables"):
            found += [f"--{kind}", str(self.tables / kind)]
        return found


def wav_bytes(samples: NDArray[np.int16], rate: int = RATE, announced: int | None = None) -> bytes:
    """A WAV file, whose header may announce another number of samples than there are."""
    size = 2 * (len(samples) if announced is None else announced)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    return (
        struct.pack("<4sI4s", b"RIFF", 36 + size, b"WAVE")
        + form
        + struct.pack("<4sI", b"data", size)
        + samples.tobytes()
    )


def _minutes() -> list[tuple[NDArray[np.int16], list[Event]]]:
    """Six minutes with events and six without."""
    quiet = SceneSettings(
        rate=RATE,
        seconds=60.0,
        rumbles_per_minute=0.0,
        gunshots_per_minute=0.0,
        lookalikes_per_minute=1.0,
    )
    busy = replace(quiet, rumbles_per_minute=2.0, gunshots_per_minute=0.7, empty_share=0.0)
    made = []
    for number in range(12):
        waveform, events = scene(np.random.default_rng([17, number]), busy if number < 6 else quiet)
        kept = [
            replace(e, start_s=round(max(e.start_s, 0.0), 3), end_s=round(min(e.end_s, 60.0), 3))
            for e in events
            if e.label in EVENT_LABELS
        ]
        made.append((np.clip(np.rint(waveform * 32767), -32768, 32767).astype(np.int16), kept))
    return made


def _recording(
    number: int, minutes: Sequence[tuple[NDArray[np.int16], list[Event]]], *, empty: bool
) -> tuple[NDArray[np.int16], list[Event]]:
    """A recording in which every fourth minute or so has events."""
    rng = np.random.default_rng([18, number])
    busy = set() if empty else set(rng.choice(np.arange(0, MINUTES, 2), 5, replace=False).tolist())
    order = [int(rng.integers(6)) + (0 if minute in busy else 6) for minute in range(MINUTES)]
    samples = np.concatenate([minutes[place][0] for place in order])
    events = [
        replace(
            event,
            start_s=round(event.start_s + 60 * minute, 3),
            end_s=round(event.end_s + 60 * minute, 3),
        )
        for minute, place in enumerate(order)
        for event in minutes[place][1]
    ]
    # Each recorder has an offset of its own, so that no two recordings share a stretch of samples.
    return samples + (number - 4), events


@pytest.fixture(scope="session")
def archive(s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    minutes = _minutes()
    events: dict[str, list[Event]] = {}
    samples: dict[str, NDArray[np.int16]] = {}
    s3_server.make_bucket(BUCKET)
    for number, (name, site) in enumerate(SITES.items()):
        samples[name], events[name] = _recording(number, minutes, empty=name == EMPTY)
        announced = 25 * 3600 * RATE if name == SHORT else None
        s3_server.put(
            BUCKET,
            f"recordings/wav/{site}/{name}.wav",
            wav_bytes(samples[name], announced=announced),
        )
    s3_server.put(BUCKET, "recordings/wav/readme.txt", b"not a recording")
    folder = tmp_path_factory.mktemp("tables")
    _write_tables(folder, events)
    return Archive(f"s3://{BUCKET}/recordings/wav", folder, events, samples)


# ---- tables, each recording's in another dialect

RAVEN = [
    "Selection",
    "View",
    "Channel",
    "Begin Time (s)",
    "End Time (s)",
    "Low Freq (Hz)",
    "High Freq (Hz)",
]


def _write(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["\t".join(header), *("\t".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _raven(number: int, event: Event, before_s: float) -> list[object]:
    return [
        number,
        "Spectrogram 1",
        1,
        round(before_s + event.start_s, 3),
        round(before_s + event.end_s, 3),
        10,
        event.high_hz or 80,
    ]


def _write_tables(folder: Path, events: dict[str, list[Event]]) -> None:
    names = list(SITES)
    rumbles = {name: [e for e in found if e.label == "Rumble"] for name, found in events.items()}
    shots = {name: [e for e in found if e.label == "Gunshot"] for name, found in events.items()}
    # Six columns, with a recording that was found empty, and rows of a recording that nobody has.
    six = ["Selection", "High Freq (Hz)", "File Offset (s)", "filename", "duration", "marginals"]
    rows: list[list[object]] = [
        [1, 60, event.start_s, f"{name}.wav", round(event.end_s - event.start_s, 3), ""]
        for name in names[:2]
        for event in rumbles[name]
    ]
    rows += [
        [1, "", "", f"{EMPTY}.wav", "", "DUMMY_NoEles"],
        [2, 50, 12.0, "nn09z_20180101_000000.wav", 3.0, ""],
    ]
    _write(folder / "rumbles" / "clearing_00-24hr.txt", six, rows)
    # Raven over several files: begin times are cumulative, paths are those of another machine.
    multi = [*RAVEN, "", "Begin Path", "File Offset (s)", "Begin File"]
    rows = [
        [
            *_raven(n, event, 60.0 * MINUTES * place),
            "",
            f"L:\\ELP\\{name}.WAV",
            event.start_s,
            f"{name}.WAV",
        ]
        for place, name in enumerate(names[2:4])
        for n, event in enumerate(rumbles[name], start=1)
    ]
    _write(folder / "rumbles" / "pnnn.txt", multi, rows)
    # Hand-browse clusters, of a site that tables call otherwise.
    clusters = ["File Offset (s)", "duration (s)", "Begin File", "uniqID", "Tag1", "Tag2"]
    name = names[4]
    rows = [
        [e.start_s, round(e.end_s - e.start_s, 3), f"dzan_{name[3:]}.wav", n, "", "h"]
        for n, e in enumerate(rumbles[name])
    ]
    _write(folder / "rumbles" / "clusters.txt", clusters, rows)
    # One sound, the table beside it, all labels; one event is behind the end of what is there.
    for name in (names[5], SHORT):
        late = [Event("Rumble", 80_000.0, 80_004.0)] if name == SHORT else []
        found = [
            [*_raven(n, event, 0.0), event.label]
            for n, event in enumerate([*events[name], *late], start=1)
        ]
        _write(folder / "tables" / f"{name}.selections.txt", [*RAVEN, "Label"], found)
    # Gunshots: ecoGuns, grid guns, reviewed detections.
    lower = [
        "selection",
        "view",
        "channel",
        "begin time (s)",
        "end time (s)",
        "low freq (hz)",
        "high freq (hz)",
        "begin path",
    ]
    rows = [
        [
            *_raven(n, e, 0.0),
            f"{name}.wav",
            f"{name}.wav",
            e.start_s,
            SITES[name],
            1,
            round(e.end_s - e.start_s, 3),
            SITES[name],
        ]
        for name in names[:2]
        for n, e in enumerate(shots[name], start=1)
    ]
    _write(
        folder / "gunshots" / "ecoguns.txt",
        [*lower, "Begin File", "File Offset (s)", "site", "numshots", "duration (s)", "site"],
        rows,
    )
    grid = [*RAVEN, "Begin File", "File Offset (s)", "site", "Notes", "total shots"]
    rows = [
        [*_raven(n, e, 0.0), f"{names[2]}.wav", e.start_s, SITES[names[2]], "", "?"]
        for n, e in enumerate(shots[names[2]], start=1)
    ]
    _write(folder / "gunshots" / "grid.txt", grid, rows)
    reviewed = [
        *RAVEN,
        "Begin File",
        "File Offset (s)",
        "Gunshot",
        "Not_gunshot",
        "Not_sure",
        "Duplicate",
        "Confidence",
    ]
    rows = [
        [*_raven(n, e, 0.0), f"{name}.wav", e.start_s, 1, "", "", "", ""]
        for name in names[3:5]
        for n, e in enumerate(shots[name], start=1)
    ]
    rows += [[*_raven(99, Event("x", 30, 34), 0.0), f"{names[3]}.wav", 30.0, "", 1, "", "", ""]]
    _write(folder / "gunshots" / "reviewed.txt", reviewed, rows)
