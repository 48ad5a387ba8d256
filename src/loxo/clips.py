"""Clip sets: short audio files, and a manifest with the origin, events and split of each.

A **clip set** is a manifest in Parquet with a row for each clip, and the audio files, which the
manifest names by their path relative to it. Columns:

- `path`; `split` (train, validation, test); `group`, the recording or soundscape that the clip was
  cut from; `seconds` and `rate`;
- `events`, a list of `label, start_s, end_s, low_hz, high_hz, marginal, shots, snr_db, note`, timed
  from the start of the clip; a clip without events is Background;
- the origin: `site`, `start_s` in its recording, and `start_time` of the recording, each null where
  it is unknown;
- `sha256` of the audio file, empty where it is not known.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from loxo.events import Event
from loxo.messages import one_line
from loxo.storage import atomic_write

__all__ = ["EVENT_FIELDS", "Clip", "read_clips", "write_clips"]

EVENT_FIELDS = {
    "label": pl.String(),
    "start_s": pl.Float64(),
    "end_s": pl.Float64(),
    "low_hz": pl.Float64(),
    "high_hz": pl.Float64(),
    "marginal": pl.Boolean(),
    "shots": pl.Int64(),
    "snr_db": pl.Float64(),
    "note": pl.String(),
}
"""Columns of an event in tables: the fields of `Event` but its parts."""
SCHEMA = {
    "path": pl.String(),
    "split": pl.String(),
    "group": pl.String(),
    "seconds": pl.Float64(),
    "rate": pl.Int64(),
    "events": pl.List(pl.Struct(EVENT_FIELDS | {"parts": pl.List(pl.List(pl.Float64()))})),
    "site": pl.String(),
    "start_s": pl.Float64(),
    "start_time": pl.Datetime("us", "UTC"),
    "sha256": pl.String(),
}
"""Columns of a manifest: the fields of `Clip`."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A short audio file and the events in it, timed from its start.

    Args:
        path: the audio file.
        split: train, validation or test.
        group: the recording or soundscape that it was cut from.
        seconds: length.
        rate: samples per second.
        events: timed from the start of the clip.
        site: site of the recording; None if it is unknown.
        start_s: start in the recording; None for a clip that was not cut from one.
        start_time: start of the recording, with its time zone; None if it is unknown.
        sha256: hash of the audio file; empty if it is unknown.
    """

    path: Path
    split: str
    group: str
    seconds: float
    rate: int
    events: tuple[Event, ...]
    site: str | None = None
    start_s: float | None = None
    start_time: datetime | None = None
    sha256: str = ""

    @property
    def labels(self) -> frozenset[str]:
        """Labels of its events, those in doubt included; empty for Background."""
        return frozenset(event.label for event in self.events)


def write_clips(manifest: Path, clips: Iterable[Clip]) -> None:
    """Write a clip set's manifest, with paths relative to it, so that the folder can be moved.

    Raises:
        ValueError: if a clip lies outside the manifest's folder.
    """
    rows = [_row(clip, manifest.parent) for clip in clips]
    with atomic_write(manifest) as temporary:
        pl.DataFrame(rows, schema=SCHEMA).write_parquet(temporary)


def _row(clip: Clip, folder: Path) -> dict[str, object]:
    row = {name: getattr(clip, name) for name in SCHEMA}
    row["path"] = clip.path.relative_to(folder).as_posix()
    row["events"] = [asdict(event) for event in clip.events]
    return row


def read_clips(manifest: Path, split: str | None = None) -> list[Clip]:
    """Read a clip set's manifest, or one split of it.

    Raises:
        FileNotFoundError: if there is no such manifest.
        ValueError: if it is not Parquet, or its columns are not those of a clip set.
    """
    if not manifest.is_file():
        raise FileNotFoundError(
            f"{manifest}: no clip set there; make one with `loxo prepare all` or "
            "`loxo simulate --clips`"
        )
    try:
        frame = pl.read_parquet(manifest)
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"{manifest}: not a Parquet file: {one_line(error)[:200]}") from error
    missing = [name for name in SCHEMA if name not in frame.columns]
    if missing:
        raise ValueError(
            f"{manifest}: not the manifest of a clip set, it lacks the columns "
            f"{', '.join(missing)}; make the set again"
        )
    chosen = frame if split is None else frame.filter(pl.col("split") == split)
    rows = chosen.select(list(SCHEMA)).iter_rows(named=True)
    return [_clip(row, manifest.parent) for row in rows]


def _clip(row: dict[str, Any], folder: Path) -> Clip:
    # Manifests of older versions have no parts.
    events = tuple(
        Event(**{**fields, "parts": fields.get("parts") or ()}) for fields in row["events"]
    )
    return Clip(**{**row, "path": folder / row["path"], "events": events})
