"""The training table: recordings, their properties, and their events in annotation tables.

`training_table.parquet` has a row for each event, of any label, and a row without label and
times for each recording that was searched and found empty. Times are seconds in the recording.
Columns of the recording are repeated in each of its rows:

- `recording`, `size`, `version`: address, bytes and version as they were when it was listed;
- `site`, `start_time`; `name`: path of its clips below the folder of their label;
- `rate`, `samples`, `channels`: from its header, null where that could not be read, and `problem`
  then says why;
- `searched`: false if the tables have only a detector's detections, reviewed or not. No person
  searched the rest of such a recording, so it gives no Background.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from loxo.clips import EVENT_FIELDS
from loxo.events import EVENT_LABELS, Event
from loxo.messages import one_line
from loxo.preparation.folder import PreparationError
from loxo.recordings import recording_stem
from loxo.storage import atomic_write
from loxo.timeline import seconds_at

__all__ = ["TrainingRecording", "read_training_table", "write_training_table"]

SCHEMA = {
    "recording": pl.String(),
    "size": pl.Int64(),
    "version": pl.String(),
    "site": pl.String(),
    "start_time": pl.Datetime("us", "UTC"),
    **EVENT_FIELDS,
    "searched": pl.Boolean(),
    "table": pl.String(),
    "row": pl.Int64(),
    "name": pl.String(),
    "rate": pl.Int64(),
    "samples": pl.Int64(),
    "channels": pl.Int64(),
    "problem": pl.String(),
}


@dataclass(frozen=True, slots=True)
class TrainingRecording:
    """A recording of the training table.

    Args:
        url: its address.
        size: its bytes when it was listed.
        version: its version when it was listed.
        name: path of its clips below the folder of their label, without an ending.
        rate: samples per second; 0, and no `samples`, where the header could not be read.
        problem: why it could not be read; else empty.
        events: of all labels, in the order of their start.
        searched: whether a person searched it, so that there are no events but the marked ones.
        labels: labels of the events that clips are cut around.
    """

    url: str
    size: int
    version: str
    name: str
    site: str | None
    start_time: datetime | None
    rate: int
    samples: int
    channels: int
    problem: str
    events: tuple[Event, ...]
    searched: bool
    labels: tuple[str, ...] = EVENT_LABELS

    @property
    def seconds(self) -> float:
        return seconds_at(self.samples, self.rate) if self.rate else 0.0

    @property
    def stem(self) -> str:
        """Stem of its name; draws depend on it, so a copy of an archive gives the same clips."""
        return recording_stem(self.url)

    @property
    def targets(self) -> tuple[Event, ...]:
        """Events of the labels that clips are cut around, those in doubt included."""
        return tuple(event for event in self.events if event.label in self.labels)


def write_training_table(path: Path, rows: Iterable[dict[str, object]]) -> None:
    """Write rows of the table's columns; missing values are null."""
    with atomic_write(path) as temporary:
        pl.DataFrame(list(rows), schema=SCHEMA).write_parquet(temporary)


def read_training_table(
    path: Path, labels: Sequence[str] = EVENT_LABELS
) -> list[TrainingRecording]:
    """The recordings of a training table, with their events.

    Args:
        labels: labels of the events that clips are cut around.

    Raises:
        PreparationError: if there is no such table.
    """
    if not path.is_file():
        raise PreparationError(f"{path}: not there; make it with `loxo prepare table`")
    try:
        frame = pl.read_parquet(path).select(list(SCHEMA))
    except pl.exceptions.PolarsError as error:
        raise PreparationError(
            f"{path}: not a training table of this version ({one_line(error)[:200]}); "
            "make it again with `loxo prepare table`"
        ) from error
    groups = frame.partition_by("recording", maintain_order=True)
    return [_recording(group.to_dicts(), tuple(labels)) for group in groups]


def _event(row: dict[str, Any]) -> Event:
    return Event(**{name: row[name] for name in EVENT_FIELDS})


def _recording(rows: Sequence[dict[str, Any]], labels: tuple[str, ...]) -> TrainingRecording:
    first = rows[0]
    marked = [row for row in rows if row["label"] is not None]
    events = [_event(row) for row in marked]
    return TrainingRecording(
        url=first["recording"],
        size=first["size"],
        version=first["version"],
        name=first["name"],
        site=first["site"],
        start_time=first["start_time"],
        rate=first["rate"] or 0,
        samples=first["samples"] or 0,
        channels=first["channels"] or 0,
        problem=first["problem"] or "",
        events=tuple(events),
        searched=first["searched"],
        labels=labels,
    )
