"""Write detections and events as tables: Raven, Audacity, CSV and Parquet.

Times are written in seconds with six decimals, frequencies in hertz with three, scores with six. A
value with no more decimals is read back from a Raven table unchanged. CSV and Parquet hold all
digits. Files are written under a temporary name and then renamed, so no file is ever incomplete.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from loxo.events import Detection, Event
from loxo.recordings import Recording, base_name
from loxo.storage import atomic_write, write_text

__all__ = [
    "DETECTIONS_SCHEMA",
    "EVENT_COLUMNS",
    "RAVEN_COLUMNS",
    "detection_id",
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
    "Count",
)
"""Columns of a table of detections. `Count` is the number of gunshots, empty if it is unknown."""

EVENT_COLUMNS = (*RAVEN_COLUMNS[:-2], "Marginal", "Shots", "SNR (dB)", "Notes")
"""Columns of a table of events: those of detections up to the label, and the fields of `Event`."""

DETECTIONS_SCHEMA = pl.Schema(
    {
        "detection_id": pl.String(),
        "recording": pl.String(),
        "site": pl.String(),
        "label": pl.String(),
        "start_s": pl.Float64(),
        "end_s": pl.Float64(),
        "low_hz": pl.Float64(),
        "high_hz": pl.Float64(),
        "score": pl.Float64(),
        "start_time": pl.Datetime("us", "UTC"),
        "count": pl.Int64(),
    }
)
"""Columns of `detections.parquet` and `detections.csv`. `count` is the number of gunshots, null if
it is unknown. `start_time` is in UTC, because a column
has one time zone and the recordings of a run may lie in several."""


def write_raven(
    path: str | Path, detections: Sequence[Detection], recording: str | Path | Recording
) -> None:
    """Write the detections of one recording as a Raven selection table.

    Args:
        path: file to write. Without detections it holds the header alone.
        recording: the recording, or its path or address; the column Begin Path.

    Raises:
        ValueError: if the path or a label has a tab or a line break.
        OSError: if the file cannot be written.
    """
    address = _address(recording)
    rows = (
        (*_raven_cells(i, found, address), f"{found.score:.6f}", _count_cell(found.count))
        for i, found in enumerate(detections, start=1)
    )
    _write_table(path, RAVEN_COLUMNS, rows)


def write_events(
    path: str | Path, events: Sequence[Event], recording: str | Path | Recording
) -> None:
    """Write known events of one recording as a Raven selection table.

    The columns are those of `write_raven` up to the label, and one for each other field of
    `Event`, so that `read_annotations` gives the same events.

    Raises:
        ValueError: if the path, a label or a note has a tab or a line break.
        OSError: if the file cannot be written.
    """
    address = _address(recording)
    rows = (
        (*_raven_cells(i, event, address), *_remark_cells(event))
        for i, event in enumerate(events, start=1)
    )
    _write_table(path, EVENT_COLUMNS, rows)


def _address(recording: str | Path | Recording) -> str:
    path = recording.path if isinstance(recording, Recording) else recording
    return path.as_posix() if isinstance(path, Path) else path


def _raven_cells(selection: int, found: Detection | Event, address: str) -> tuple[str, ...]:
    """Cells of a selection up to the label."""
    start = f"{found.start_s:.6f}"
    return (
        str(selection),
        "Spectrogram 1",
        "1",
        start,
        f"{found.end_s:.6f}",
        "" if found.low_hz is None else f"{found.low_hz:.3f}",
        "" if found.high_hz is None else f"{found.high_hz:.3f}",
        address,
        start,
        base_name(address),
        found.label,
    )


def _remark_cells(event: Event) -> tuple[str, ...]:
    snr_db = "" if event.snr_db is None else repr(float(event.snr_db))
    return str(int(event.marginal)), _count_cell(event.shots), snr_db, event.note


def _count_cell(count: int | None) -> str:
    return "" if count is None else str(count)


def write_audacity(path: str | Path, detections: Sequence[Detection]) -> None:
    """Write an Audacity label track: start, end and label of each detection, without a header.

    Raises:
        ValueError: if a label has a tab or a line break.
        OSError: if the file cannot be written.
    """
    rows = ((f"{d.start_s:.6f}", f"{d.end_s:.6f}", d.label) for d in detections)
    _write_table(path, (), rows)


def detection_id(path_below_root: str, detection: Detection, model_hash: str) -> str:
    """Identifier of a detection that stays the same when a run is repeated or its root moves.

    Args:
        path_below_root: path of the recording below the root of its run, with `/`.
        model_hash: hash of the model that detected it.

    Returns:
        The first 16 hexadecimal digits of a SHA-256 over path, label, start and end to the
        millisecond, and model.
    """
    parts = (
        path_below_root,
        detection.label,
        f"{detection.start_s:.3f}",
        f"{detection.end_s:.3f}",
        model_hash,
    )
    # No part holds a NUL, so different parts never give the same text.
    return hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()[:16]


def detections_frame(
    rows: Iterable[tuple[str, str | None, datetime | None, Sequence[Detection], Sequence[str]]],
) -> pl.DataFrame:
    """Make a table with one row a detection, in the order given.

    Args:
        rows: for each recording its address, its site (None if unknown), the zoned time at which it
            starts (None if unknown), its detections, and the `detection_id` of each.

    Returns:
        Table with the columns of `DETECTIONS_SCHEMA`.

    Raises:
        ValueError: if a recording's start has no time zone, or detections and ids differ in number.
    """
    records = [
        (
            name,
            recording,
            site,
            found.label,
            found.start_s,
            found.end_s,
            found.low_hz,
            found.high_hz,
            found.score,
            _time_at(start, found.start_s),
            found.count,
        )
        for recording, site, start, detections, ids in rows
        for found, name in zip(detections, ids, strict=True)
    ]
    return pl.DataFrame(records, schema=DETECTIONS_SCHEMA, orient="row")


def _time_at(recording_start: datetime | None, seconds: float) -> datetime | None:
    """Absolute time in UTC; sums in UTC are right across clock changes of the recording's zone."""
    if recording_start is None:
        return None
    if recording_start.utcoffset() is None:
        raise ValueError(
            f"start of the recording {recording_start} has no time zone; "
            "give one, or None where it is unknown"
        )
    return recording_start.astimezone(UTC) + timedelta(seconds=seconds)


def write_csv(path: str | Path, frame: pl.DataFrame) -> None:
    """Write a comma-separated table; times of day are in ISO 8601 with their offset.

    Raises:
        OSError: if the file cannot be written.
    """
    with atomic_write(Path(path)) as temporary:
        frame.write_csv(temporary, datetime_format="%Y-%m-%dT%H:%M:%S%.6f%:z")


def write_parquet(path: str | Path, frame: pl.DataFrame) -> None:
    """Write a Parquet table.

    Raises:
        OSError: if the file cannot be written.
    """
    with atomic_write(Path(path)) as temporary:
        frame.write_parquet(temporary)


def _write_table(path: str | Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    lines = [list(header)] if header else []
    lines.extend(list(map(_cell, row)) for row in rows)
    write_text(Path(path), "".join("\t".join(cells) + "\n" for cells in lines))


def _cell(text: str) -> str:
    """Text of a cell; quoted if it begins or ends with a quotation mark, as readers remove it."""
    if any(mark in text for mark in "\t\r\n"):
        raise ValueError(
            f"{text!r} holds a tab or a line break, which no cell of a table can hold; rename it"
        )
    if text[:1] == '"' or text[-1:] == '"':
        return '"' + text.replace('"', '""') + '"'
    return text
