"""Tables, runs of `loxo detect` and events in Python -> an evaluation; where its recordings are."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from os import PathLike, fspath
from pathlib import Path
from typing import TypeVar

from loxo.annotations import (
    Annotation,
    Annotations,
    match_annotations,
    names_index,
    read_annotations,
)
from loxo.evaluation.counting import Evaluation, EvaluationError, count
from loxo.evaluation.run_folder import RUN_FILE, read_run
from loxo.events import EVENT_LABELS, Detection, Event
from loxo.recordings import (
    AmbiguousNameError,
    RecordingIndex,
    RecordingName,
    find_recordings,
    path_below,
    site_of,
)

__all__ = ["evaluate", "recording_paths"]

Value = TypeVar("Value")
RecordingPath = str | PathLike[str]
Tables = RecordingPath | Annotations
"""A table or a folder of tables, or what was read from them."""
Events = Mapping[str, Sequence[Event]] | Mapping[Path, Sequence[Event]]
Detections = Mapping[str, Sequence[Detection]] | Mapping[Path, Sequence[Detection]]
Seconds = Mapping[str, float] | Mapping[Path, float] | float


@dataclass(frozen=True, slots=True)
class _Detected:
    """What the detector found; the keys of all mappings are the paths of the index.

    Args:
        index: all recordings that a name can refer to.
        names: of recordings in results.
        rows: detections by recording.
        searched: recordings that the detector was run on; None if nothing says so.
        sites: of recordings, where they are known.
        seconds: lengths of recordings, where they are known.
        labels: of the model, where they are known.
    """

    index: RecordingIndex
    names: Mapping[str, str]
    rows: Mapping[str, Sequence[Annotation]]
    searched: frozenset[str] | None
    sites: Mapping[str, str]
    seconds: Mapping[str, float] = field(default_factory=dict)
    labels: tuple[str, ...] | None = None

    def named(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """Values with the names of recordings in results as keys, instead of their paths."""
        return {self.names[path]: value for path, value in values.items()}


def evaluate(
    truth: Tables | Events,
    detections: Tables | Detections,
    seconds: Seconds | None = None,
    *,
    labels: Sequence[str] | None = None,
    label: str | None = None,
    label_map: Mapping[str, str] | None = None,
) -> Evaluation:
    """Compare detections with events that people marked.

    Args:
        truth: a table, a folder of tables, or the events of each recording. A recording with no
            events was searched and is empty.
        detections: a table, a folder of tables, the output folder of `loxo detect`, or the
            detections of each recording that the detector was run on.
        seconds: length of each recording, or of all that count together; None takes the lengths of
            the `run.json` that `loxo detect` wrote. Without any there is no rate per hour.
        labels: those to evaluate; None takes those of the model where `run.json` has them, else
            `Rumble` and `Gunshot`.
        label: label of table rows that have none of their own.
        label_map: new label by the label in the tables, such as `{"tir": "Gunshot"}`.

    Raises:
        EvaluationError: if a name fits several recordings, no recording was searched by both sides,
            a length is not positive, or `run.json` is not one of `loxo detect`.
        AnnotationError: if a table cannot be read.
        OSError: if a file cannot be read.

    >>> found = [Detection("Rumble", 11.0, 14.0, 10.0, 60.0, 0.9)]
    >>> result = evaluate({"x.wav": [Event("Rumble", 10.0, 14.0)]}, {"x.wav": found}, 3600.0)
    >>> result.score("Rumble", "overlap10").recall
    1.0
    """
    label_map = {old.casefold(): new for old, new in (label_map or {}).items()}
    marked = _annotations(truth, label, label_map)
    if isinstance(detections, Mapping):
        found = _of_mapping(detections)
    elif not isinstance(detections, Annotations) and (Path(detections) / RUN_FILE).is_file():
        found = _of_run(Path(detections), label, label_map)
    else:
        found = _of_tables(_annotations(detections, label, label_map), marked, detections)
    known, elsewhere = _rows_by_path(marked, found.index)
    lengths = _lengths(found.seconds if seconds is None else seconds, found.index)
    return count(
        dict.fromkeys(elsewhere, ()) | found.named(known),
        found.named(found.rows),
        found.named(lengths) if isinstance(lengths, dict) else lengths,
        searched=None if found.searched is None else [found.names[path] for path in found.searched],
        labels=labels or found.labels or EVENT_LABELS,
        sites=found.named(found.sites),
    )


# ---- the two sides


def _annotations(
    source: Tables | Events, label: str | None, label_map: Mapping[str, str] | None
) -> Annotations:
    """Rows of tables, or the events or detections of a mapping in the form of rows."""
    if isinstance(source, Annotations):
        return source
    if not isinstance(source, Mapping):
        return read_annotations([Path(source)], label=label, label_map=label_map)
    rows = chain.from_iterable(_as_rows(fspath(path), items) for path, items in source.items())
    empty = frozenset(RecordingName(fspath(path)) for path, items in source.items() if not items)
    return Annotations(tuple(rows), empty, ())


def _as_rows(path: str, items: Iterable[Event | Detection]) -> list[Annotation]:
    name = RecordingName(path)
    return [_as_row(name, item, number) for number, item in enumerate(items, start=1)]


def _as_row(name: RecordingName, item: Event | Detection, number: int) -> Annotation:
    if isinstance(item, Event):
        return Annotation(name, item, table="", row=number)
    event = Event(item.label, item.start_s, item.end_s, item.low_hz, item.high_hz, shots=item.count)
    return Annotation(name, event, table="", row=number, score=item.score)


def _of_run(folder: Path, label: str | None, label_map: Mapping[str, str] | None) -> _Detected:
    run = read_run(folder)
    return _Detected(
        index=run.index,
        names=run.below,
        rows={path: _by_time(rows) for path, rows in run.detections(label, label_map).items()},
        searched=frozenset(run.seconds),
        sites=run.sites,
        seconds=run.seconds,
        labels=run.labels,
    )


def _of_mapping(source: Detections) -> _Detected:
    rows = {fspath(path): _by_time(_as_rows(fspath(path), items)) for path, items in source.items()}
    return _listed(RecordingIndex(rows), rows, searched=frozenset(rows))


def _of_tables(found: Annotations, truth: Annotations, source: Tables) -> _Detected:
    """Detections without a list of recordings: those that both sides name are all there are."""
    index = names_index(truth, found)
    rows, _ = _rows_by_path(found, index)
    return _listed(index, rows, searched=frozenset(rows) if _one_table_each(source) else None)


def _listed(
    index: RecordingIndex, rows: Mapping[str, Sequence[Annotation]], searched: frozenset[str] | None
) -> _Detected:
    sites = {path: site for path in index.paths if (site := site_of(path)) is not None}
    names = {path: path_below(path, index.root) for path in index.paths}
    return _Detected(index, names, rows, searched, sites)


def _one_table_each(source: Tables) -> bool:
    """Whether detections are a folder with a table for each recording.

    Such a folder says what was searched. One table of many recordings does not: a recording without
    detections is not in it.
    """
    if isinstance(source, Annotations):
        return False
    folder = Path(source)
    return folder.is_dir() and any(folder.rglob("*.selections.txt"))


def _by_time(rows: Iterable[Annotation]) -> tuple[Annotation, ...]:
    return tuple(sorted(rows, key=lambda row: row.event.start_s))


# ---- recordings by the names of tables


def _rows_by_path(
    annotations: Annotations, index: RecordingIndex
) -> tuple[dict[str, tuple[Annotation, ...]], list[str]]:
    """Rows of each recording that the tables name, by time, and the names of no recording.

    Raises:
        EvaluationError: if a name fits several recordings.
    """
    matched = match_annotations(annotations, index)
    if matched.ambiguous:
        raise EvaluationError(str(matched.ambiguous[0]))
    return matched.rows, [name.longest for name in matched.unmatched]


def _lengths(seconds: Seconds | None, index: RecordingIndex) -> dict[str, float] | float:
    """Length of each recording of the index, or that of all together, as it was given."""
    if seconds is None:
        return {}
    if not isinstance(seconds, Mapping):
        return float(seconds)
    known: dict[str, float] = {}
    for path, length_s in seconds.items():
        recording = _match(fspath(path), index)
        if recording is not None:
            known[recording] = length_s
    return known


def _match(path: str, index: RecordingIndex) -> str | None:
    """The recording of a path; None if there is none.

    Raises:
        EvaluationError: if it fits several recordings.
    """
    if path in index.paths:
        return path
    try:
        return index.match(path)
    except AmbiguousNameError as error:
        raise EvaluationError(str(error)) from error


# ---- where recordings are


def recording_paths(
    detections: RecordingPath, folder: RecordingPath | None, names: Collection[str]
) -> dict[str, Path]:
    """Find the recordings of an evaluation that are on this machine, by their names in it.

    Args:
        detections: that were evaluated.
        folder: searched with all its folders; None takes the paths in the `run.json` of the
            detections, if they still lead there.

    Raises:
        EvaluationError: if `run.json` is not one of `loxo detect`, or a name fits several files.
    """
    found = dict(_paths_in(Path(folder), names) if folder is not None else _paths_of(detections))
    return {name: Path(found[name]) for name in names if name in found}


def _paths_in(folder: Path, names: Collection[str]) -> Iterator[tuple[str, str]]:
    index = RecordingIndex(
        [path.as_posix() for path in find_recordings([folder])], folder.as_posix()
    )
    for name in names:
        path = _match(name, index)
        if path is not None:
            yield name, path


def _paths_of(detections: RecordingPath) -> Iterator[tuple[str, str]]:
    folder = Path(detections)
    if (folder / RUN_FILE).is_file():
        for path, name in read_run(folder).below.items():
            if Path(path).is_file():
                yield name, path
