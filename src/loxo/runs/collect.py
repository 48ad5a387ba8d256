"""Tables of a whole run, made of the outcomes of its recordings.

detections.parquet   a row for each detection (`DETECTIONS_SCHEMA`); detections.csv on demand
recordings.parquet   a row for each recording (`RECORDINGS_SCHEMA`)
skipped.tsv          recordings that were skipped, and why
run.json             settings, model, versions, times, and a record for each recording
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from loxo.annotations import DETECTIONS_SCHEMA, detections_frame, write_csv, write_parquet
from loxo.annotations.writing import detection_id
from loxo.runs.plan import PlannedRecording
from loxo.runs.records import Outcome
from loxo.storage import write_json, write_text

__all__ = ["RECORDINGS_SCHEMA", "recordings_frame", "write_tables"]

RECORDINGS_SCHEMA = pl.Schema(
    {
        "address": pl.String(),
        "path": pl.String(),
        "site": pl.String(),
        "start_time": pl.Datetime("us", "UTC"),
        "seconds": pl.Float64(),
        "searched_seconds": pl.Float64(),
        "rate": pl.Int64(),
        "channels": pl.Int64(),
        "status": pl.String(),
        "reason": pl.String(),
        "damage": pl.String(),
    }
)
"""Columns of `recordings.parquet`. `seconds` is the length by the header and `searched_seconds`
what could be read; both are 0 where a recording was skipped. `status` is `done` or `skipped`."""

Pairs = Sequence[tuple[PlannedRecording, Outcome]]


def write_tables(
    output: Path, pairs: Pairs, model_hash: str, run: dict[str, object], *, csv: bool = False
) -> None:
    """Write all tables of a run.

    Args:
        pairs: each recording as it was planned, and its outcome.
        run: what `run.json` holds besides the recordings.
        csv: whether to write `detections.csv`, too.
    """
    done = [(planned, outcome) for planned, outcome in pairs if not outcome.skipped]
    skipped = [outcome for _, outcome in pairs if outcome.skipped]
    frame = detections_frame(
        (
            outcome.recording,
            planned.site,
            planned.start_time,
            outcome.detections,
            _detection_ids(planned, outcome, model_hash),
        )
        for planned, outcome in done
    )
    lines = [f"{outcome.recording}\t{outcome.skipped}\n" for outcome in skipped]
    write_text(output / "skipped.tsv", "".join(["recording\treason\n", *lines]))
    if not done and (output / "run.json").exists():
        return  # nothing could be done, so the tables of the run before are still right
    write_parquet(output / "detections.parquet", frame)
    if csv or _is_of_run(output / "detections.csv"):  # one of other settings would mislead
        write_csv(output / "detections.csv", frame)
    write_parquet(output / "recordings.parquet", recordings_frame(pairs))
    record = {
        "audio_seconds": round(sum(outcome.seconds for _, outcome in done), 6),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "recordings": [_entry(planned, outcome) for planned, outcome in done],
        "skipped": [
            {"recording": each.recording, "path": each.path, "reason": each.skipped}
            for each in skipped
        ],
    }
    write_json(output / "run.json", run | record)


def _detection_ids(planned: PlannedRecording, outcome: Outcome, model_hash: str) -> list[str]:
    return [detection_id(planned.path, found, model_hash) for found in outcome.detections]


def _is_of_run(path: Path) -> bool:
    """Whether a file is a table of an earlier run, not one of the user's own."""
    # Tables of older runs have no column of counts, which is the last one.
    own = ",".join(DETECTIONS_SCHEMA.names()[:-1]).encode()
    return path.is_file() and path.read_bytes().startswith(own)


def recordings_frame(pairs: Pairs) -> pl.DataFrame:
    """Make a table with a row for each recording, whether it was searched or skipped."""
    rows = [
        (
            outcome.recording,
            outcome.path,
            planned.site,
            None if planned.start_time is None else planned.start_time.astimezone(UTC),
            outcome.recorded_s,
            outcome.seconds,
            outcome.rate or None,
            outcome.channels or None,
            "skipped" if outcome.skipped else "done",
            outcome.skipped or None,
            "; ".join(outcome.damage) or None,
        )
        for planned, outcome in pairs
    ]
    return pl.DataFrame(rows, schema=RECORDINGS_SCHEMA, orient="row")


def _entry(planned: PlannedRecording, outcome: Outcome) -> dict[str, object]:
    return {
        "recording": outcome.recording,
        "path": planned.path,
        "site": planned.site,
        "seconds": outcome.seconds,
        "table": outcome.table,
        "detections": len(outcome.detections),
        "unmeasured_bands": outcome.unmeasured,
        "estimated_bands": outcome.estimated_bands,
        "damage": list(outcome.damage),
        "resumed": outcome.origin == "journal",
        "origin": outcome.origin,
    }
