"""Detections -> the tables that people open: Raven, Audacity, CSV and Parquet.

Times are written in seconds with six decimals, frequencies in hertz with three, scores with six: what is on that grid comes back from a
Raven table as it went in. CSV and Parquet hold all digits. A file is written under a passing name beside its own and then renamed, so
that whoever finds it finds it whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from loxo.events import Detection, Event
from loxo.storage import replacing

__all__ = [
    "DETECTIONS_SCHEMA",
    "RAVEN_COLUMNS",
    "detections_frame",
    "write_audacity",
    "write_csv",
    "write_events",
    "write_parquet",
    "write_raven",
]

RAVEN_COLUMNS = (
    "Selection",
    "View",
    "Channel",
    "Begin Time (s)",
    "End Time (s)",
    "Low Freq (Hz)",
    "High Freq (Hz)",
    "Begin Path",
    "File Offset (s)",
    "Begin File",
    "Label",
    "Score",
)

DETECTIONS_SCHEMA = pl.Schema(
    {
        "recording": pl.String(),
        "label": pl.String(),
        "start_s": pl.Float64(),
        "end_s": pl.Float64(),
        "low_hz": pl.Float64(),
        "high_hz": pl.Float64(),
        "score": pl.Float64(),
        "start_time": pl.Datetime("us", "UTC"),
    }
)
"""Columns of `detections.parquet` and `detections.csv`. A column has one time zone and recordings of a run may lie in several: UTC."""


def write_raven(path: Path, detections: Sequence[Detection], recording: str) -> None:
    """Raven selection table of one recording; its header alone where nothing was found.

    Args:
        recording: path of the sound, as it was given; Begin File is its base name.

    Raises:
        ValueError: if the path or a label cannot stand in a table.
        OSError: if the file cannot be written.
    """
    rows = ((*_raven_cells(i, found, recording), f"{found.score:.6f}") for i, found in enumerate(detections, start=1))
    _write_lines(path, ["\t".join(RAVEN_COLUMNS), *("\t".join(map(_in_a_cell, row)) for row in rows)])


def write_events(path: Path, events: Sequence[Event], recording: str) -> None:
    """Raven selection table of events that are known: the same columns, without a score and with their flags as notes.

    Raises:
        ValueError: if the path or a label cannot stand in a table.
        OSError: if the file cannot be written.
    """
    rows = ((*_raven_cells(i, event, recording), ", ".join(sorted(event.flags))) for i, event in enumerate(events, start=1))
    _write_lines(path, ["\t".join((*RAVEN_COLUMNS[:-1], "Notes")), *("\t".join(map(_in_a_cell, row)) for row in rows)])


def _raven_cells(selection: int, found: Detection | Event, recording: str) -> tuple[str, ...]:
    """The cells up to the label."""
    start = f"{found.start_s:.6f}"
    return (
        str(selection),
        "Spectrogram 1",
        "1",
        start,
        f"{found.end_s:.6f}",
        "" if found.low_hz is None else f"{found.low_hz:.3f}",
        "" if found.high_hz is None else f"{found.high_hz:.3f}",
        recording,
        start,
        Path(recording).name,
        found.label,
    )


def write_audacity(path: Path, detections: Sequence[Detection]) -> None:
    """Audacity label track: start, end and label of each detection, without a header.

    Raises:
        ValueError: if a label cannot stand in a table.
        OSError: if the file cannot be written.
    """
    _write_lines(path, [f"{found.start_s:.6f}\t{found.end_s:.6f}\t{_in_a_cell(found.label)}" for found in detections])


def detections_frame(rows: Iterable[tuple[str, Sequence[Detection], datetime | None]]) -> pl.DataFrame:
    """One row a detection, in the order given, with the columns of `DETECTIONS_SCHEMA`.

    Args:
        rows: path of a recording, its detections, and the zoned time at which it starts, or None where that is unknown.

    Raises:
        ValueError: if a recording's start has no time zone.
    """
    records = [
        (recording, found.label, found.start_s, found.end_s, found.low_hz, found.high_hz, found.score, _time_at(start, found.start_s))
        for recording, detections, start in rows
        for found in detections
    ]
    return pl.DataFrame(records, schema=DETECTIONS_SCHEMA, orient="row")


def _time_at(recording_start: datetime | None, seconds: float) -> datetime | None:
    """Absolute time in UTC, where adding seconds is not upset by a clock change in the recording's zone."""
    if recording_start is None:
        return None
    if recording_start.utcoffset() is None:
        raise ValueError(f"start of the recording {recording_start} has no time zone; give one, or None where it is unknown")
    return recording_start.astimezone(UTC) + timedelta(seconds=seconds)


def write_csv(path: Path, frame: pl.DataFrame) -> None:
    """Comma-separated table; times of day in ISO 8601 with their offset.

    Raises:
        OSError: if the file cannot be written.
    """
    with replacing(path) as passing:
        frame.write_csv(passing, datetime_format="%Y-%m-%dT%H:%M:%S%.6f%:z")


def write_parquet(path: Path, frame: pl.DataFrame) -> None:
    """Parquet table.

    Raises:
        OSError: if the file cannot be written.
    """
    with replacing(path) as passing:
        frame.write_parquet(passing)


def _in_a_cell(text: str) -> str:
    if any(mark in text for mark in "\t\r\n"):
        raise ValueError(f"{text!r} holds a tab or a line break, which no cell of a table can hold; rename it")
    return text


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    with replacing(path) as passing:
        passing.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
