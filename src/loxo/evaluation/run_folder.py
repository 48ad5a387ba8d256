"""The output folder of `loxo detect`: which recordings were searched, and what was found.

`run.json` lists the recordings with their lengths, the skipped ones apart. Detections are read from
the tables that it names, so tables that an earlier run left in the folder do not count; without
those tables, from `detections.parquet`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loxo.annotations import Annotation, read_annotations
from loxo.evaluation.counting import EvaluationError
from loxo.recordings import AmbiguousNameError, RecordingIndex, common_root, path_below, site_of
from loxo.recordings.matching import tail

__all__ = ["RUN_FILE", "RunFolder", "read_run"]

RUN_FILE = "run.json"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Recordings of a run; all mappings have their paths or addresses as keys.

    Args:
        folder: that `run.json` lies in.
        root: folder that the recordings share; paths below it are what they are known by.
        seconds: length of each recording that was searched.
        below: path of each recording below the root, the skipped ones among them.
        tables: path of each recording's own table below the folder, where it has one.
        sites: site of each recording, where it is known.
        labels: of the model; None where `run.json` does not say.
    """

    folder: Path
    root: str
    seconds: Mapping[str, float]
    below: Mapping[str, str]
    tables: Mapping[str, str] = field(default_factory=dict)
    sites: Mapping[str, str] = field(default_factory=dict)
    labels: tuple[str, ...] | None = None

    @property
    def index(self) -> RecordingIndex:
        """All recordings of the run, so that a skipped one is not taken for another."""
        tails = {path: tail(below) for path, below in self.below.items()}
        return RecordingIndex(self.below, self.root, tails=tails)

    def detections(
        self, label: str | None, label_map: Mapping[str, str] | None
    ) -> dict[str, list[Annotation]]:
        """Read the detections of each recording.

        Args:
            label: label of rows that have none of their own.
            label_map: other names of labels.

        Raises:
            AnnotationError: if a table cannot be read.
            EvaluationError: if a row names none or several of the run's recordings.
            OSError: if a file cannot be read.
        """
        tables = {
            str(self.folder / table): recording
            for recording, table in self.tables.items()
            if (self.folder / table).is_file()
        }
        if len(tables) == len(self.seconds):
            paths = [Path(table) for table in tables]
        else:
            combined = self.folder / "detections.parquet"
            paths, tables = [combined if combined.is_file() else self.folder], {}
        found: dict[str, list[Annotation]] = {recording: [] for recording in self.seconds}
        index = self.index
        for row in read_annotations(paths, label=label, label_map=label_map).rows:
            recording = tables.get(row.table) or self._recording_of(row, index)
            if recording in found:
                found[recording].append(row)
        return found

    def _recording_of(self, row: Annotation, index: RecordingIndex) -> str:
        written = row.recording.longest
        if written in self.below:
            return written
        try:
            recording = index.match(row.recording, unique=False)
        except AmbiguousNameError as error:
            raise EvaluationError(f"{row.table}, row {row.row}: {error}") from error
        if recording is None:
            raise EvaluationError(
                f"{row.table}, row {row.row}: {written} is not among the {len(self.below)} "
                f"recordings of {self.folder / RUN_FILE}; the folder holds more than one run"
            )
        return recording


def read_run(folder: Path) -> RunFolder:
    """Read the `run.json` of a folder.

    Raises:
        EvaluationError: if it is not one that `loxo detect` writes.
        OSError: if it cannot be read.
    """
    path = folder / RUN_FILE
    try:
        return _run_of(folder, json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EvaluationError(
            f"{path}: {type(error).__name__} ({error}); expected what `loxo detect` writes: "
            "recordings, each with recording, seconds and table"
        ) from error


def _run_of(folder: Path, run: Mapping[str, Any]) -> RunFolder:
    searched: Sequence[Mapping[str, Any]] = run["recordings"]
    everything = [*searched, *run.get("skipped", ())]
    paths = [str(item["recording"]) for item in everything]
    root = str(run.get("root") or common_root(paths))  # older runs do not hold their root
    return RunFolder(
        folder=folder,
        root=root,
        seconds={str(item["recording"]): float(item["seconds"]) for item in searched},
        below={
            path: str(item.get("path") or path_below(path, root))
            for path, item in zip(paths, everything, strict=True)
        },
        tables={
            str(item["recording"]): str(item["table"]) for item in searched if item.get("table")
        },
        sites=dict(_sites(searched)),
        labels=_labels(run),
    )


def _sites(recordings: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for item in recordings:
        path = str(item["recording"])
        site = item["site"] if "site" in item else site_of(path)
        if site is not None:
            yield path, str(site)


def _labels(run: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Labels of the model, which older runs hold as the keys of the post-processing only."""
    model, settings = run.get("model", {}), run.get("settings", {})
    named = run.get("labels") or model.get("labels") or settings.get("post_processing")
    return tuple(map(str, named)) if named else None
