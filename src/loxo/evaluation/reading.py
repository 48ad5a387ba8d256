"""Tables and the folders of `loxo detect` -> an evaluation, and where its recordings are."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from loxo.annotations import Annotations, distinct_stems, read_annotations, recording_stem
from loxo.evaluation.counting import Evaluation, EvaluationError, evaluate
from loxo.recordings import find_recordings

__all__ = ["evaluate_paths", "recording_paths"]


def evaluate_paths(truth: Path, detections: Path, *, audio_seconds: float | None = None, label: str | None = None) -> Evaluation:
    """Judge a table or folder of detections by a table or folder of truth.

    Args:
        audio_seconds: length of all recordings that count together; without it the `run.json` of a folder of `loxo detect` says it.
        label: what rows without a label of their own are, on both sides.

    Raises:
        EvaluationError: see `evaluate`, or if `run.json` is not one of `loxo detect`.
        AnnotationError: if a table cannot be read.
        OSError: if a file cannot be read.
    """
    marked = read_annotations([truth], label=label)
    run_file = detections / "run.json"
    if run_file.is_file():
        run = _read_run(run_file)
        found = _read_detections(detections, run, label)
        return evaluate(marked, found, run.seconds if audio_seconds is None else audio_seconds, searched=run.seconds.keys())
    found = read_annotations([detections], label=label)
    one_each = detections.is_dir() and any(detections.rglob("*.selections.txt"))
    return evaluate(marked, found, audio_seconds, searched=found.recordings if one_each else None)


def recording_paths(detections: Path, folder: Path | None, names: Collection[str]) -> dict[str, Path]:
    """Where recordings of an evaluation are, by their keys, of those that are found.

    Args:
        folder: searched to the bottom for them; None takes the paths in the `run.json` of the detections, if they still lead there.

    Raises:
        EvaluationError: if `run.json` is not one of `loxo detect`.
    """
    run_file = detections / "run.json"
    if folder is not None:
        paths = [path.as_posix() for path in find_recordings([folder])]
        known = {recording_stem(path): path for path in paths} | {name: path for path, name in distinct_stems(paths).items()}
    else:
        known = _read_run(run_file).paths if run_file.is_file() else {}
    return {name: Path(known[name]) for name in names if name in known and Path(known[name]).is_file()}


# ---- a run of `loxo detect`


@dataclass(frozen=True, slots=True)
class _Run:
    """What `run.json` says of the recordings: length and path of each by its key, and the keys by the file names of their tables."""

    seconds: dict[str, float]
    keys: dict[str, str]
    paths: dict[str, str]


def _read_run(path: Path) -> _Run:
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
        items = run["recordings"]
        # Tables are named so that all recordings of the run are told apart, the skipped ones among them.
        names = distinct_stems([str(item["recording"]) for item in (*items, *run.get("skipped", ()))])
        seconds = {names[str(item["recording"])]: float(item["seconds"]) for item in items}
        keys = {str(item["table"]): names[str(item["recording"])] for item in items if item.get("table")}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        expected = "expected what `loxo detect` writes: recordings, each with recording, seconds and table"
        raise EvaluationError(f"{path}: {type(error).__name__} ({error}); {expected}") from error
    return _Run(seconds, keys, {names[str(item["recording"])]: str(item["recording"]) for item in items})


def _read_detections(folder: Path, run: _Run, label: str | None) -> Annotations:
    """Detections under the keys of their run. Tables that an earlier run left in the folder are not read."""
    tables = [folder / name for name in run.keys if (folder / name).is_file()]
    if len(tables) < len(run.seconds):
        return read_annotations([folder], label=label)
    found = read_annotations(tables, label=label)
    rows = tuple(replace(row, recording=run.keys[Path(row.table).name]) for row in found.rows)
    return replace(found, rows=rows, searched_empty=frozenset(run.seconds).difference(row.stem for row in rows))
