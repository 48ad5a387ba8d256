"""A clip set: short audio files, and the manifest that says where each was cut, what is in it and what it is for.

A **clip set** is a manifest in Parquet, a row a clip, and the audio files that it names by their path relative to it. Columns:

- `path`; `split` (train, validation, test); `group`, the recording or soundscape that the clip was cut from; `seconds` and `rate`;
- `events`, a list of `label, start_s, end_s, low_hz, high_hz, marginal` timed from the start of the clip; a clip without is Background;
- where it was cut: `site`, `start_s` in its recording, and `start_time` of the recording, each null where that is unknown;
- `sha256` of the audio file, empty where nobody checks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from loxo.events import Event
from loxo.storage import replacing

__all__ = ["Clip", "read_clips", "write_clips"]

EVENT_FIELDS = {
    "label": pl.String, "start_s": pl.Float64, "end_s": pl.Float64, "low_hz": pl.Float64, "high_hz": pl.Float64, "marginal": pl.Boolean,
}  # fmt: skip
PLACE_FIELDS = {"site": pl.String(), "start_s": pl.Float64(), "start_time": pl.Datetime("us", "UTC"), "sha256": pl.String()}
SCHEMA = {
    "path": pl.String(), "split": pl.String(), "group": pl.String(), "seconds": pl.Float64(), "rate": pl.Int64(),
    "events": pl.List(pl.Struct(EVENT_FIELDS)), **PLACE_FIELDS,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Clip:
    """A short audio file and the events in it, timed from its start.

    Args:
        group: the recording that it was cut from.
        start_s: where it starts there; None of a clip that is no part of anything.
        start_time: zoned, of the recording.
        sha256: of the audio file.
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
        """Of its events, those in doubt included; empty for Background."""
        return frozenset(event.label for event in self.events)


def write_clips(manifest: Path, clips: Iterable[Clip]) -> None:
    """Write a clip set's manifest; the files are named relative to it, so that the folder can be moved."""
    rows = [
        {
            "path": clip.path.relative_to(manifest.parent).as_posix(),
            "events": [{name: getattr(event, name) for name in EVENT_FIELDS} for event in clip.events],
            **{name: getattr(clip, name) for name in SCHEMA if name not in {"path", "events"}},
        }
        for clip in clips
    ]
    with replacing(manifest) as passing:
        pl.DataFrame(rows, schema=SCHEMA).write_parquet(passing)


def read_clips(manifest: Path, split: str | None = None) -> list[Clip]:
    """Read a clip set's manifest, or one split of it.

    Raises:
        FileNotFoundError: if there is no such manifest.
        ValueError: if it is not Parquet, or its columns are not those of a clip set.
    """
    if not manifest.is_file():
        raise FileNotFoundError(f"{manifest}: no clip set there; make one with `loxo prepare all` or `loxo simulate --clips`")
    try:
        frame = pl.read_parquet(manifest)
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"{manifest}: not a Parquet file: {' '.join(str(error).split())[:200]}") from error
    missing = [name for name in SCHEMA if name not in frame.columns]
    if missing:
        raise ValueError(f"{manifest}: not the manifest of a clip set, it lacks the columns {', '.join(missing)}; make the set anew")
    chosen = frame if split is None else frame.filter(pl.col("split") == split)
    return [
        Clip(**{**row, "path": manifest.parent / row["path"], "events": tuple(_event(**fields) for fields in row["events"])})
        for row in chosen.select(list(SCHEMA)).iter_rows(named=True)
    ]


def _event(*, marginal: bool, **fields: str | float | None) -> Event:
    flags = frozenset({"marginal"}) if marginal else frozenset[str]()
    return Event(**fields, flags=flags)  # type: ignore[arg-type]  # the columns' types are checked by polars
