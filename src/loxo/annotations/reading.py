"""Read annotations from rows of cells.

Each row is first classified by what it says (`RowKind`). Only events need times and a label. Times
are rounded to microseconds, which removes the rounding errors of `File Offset + (End - Begin)` at
the large Begin Times of tables that run over months.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

from loxo.annotations.dialects import (
    COUNT_COLUMN,
    GUNSHOT,
    LABEL_COLUMNS,
    NOTE_COLUMNS,
    Remark,
    RowKind,
    is_doubt,
    read_note,
    read_shots,
    says_empty,
)
from loxo.annotations.label_map import renamed_label
from loxo.annotations.records import Annotation, AnnotationError, Annotations, TableProblem
from loxo.annotations.tables import HEADER_ROW, Row, Table, open_table, tables_of
from loxo.annotations.views import Selection, one_of_each_view
from loxo.events import Event
from loxo.recordings import RecordingName, base_name, same_recording, table_recording
from loxo.recordings.names import path_parts

__all__ = ["read_annotations", "read_table"]

_TIME_DECIMALS = 6
_SAME_TIME_S = 1e-3


def read_table(
    path: str | Path, *, label: str | None = None, label_map: Mapping[str, str] | None = None
) -> Annotations:
    """Read the events of one table or of a folder of tables.

    Args:
        path: a table (`.txt`, `.tsv`, `.csv`), detections (`.parquet`, `.csv`), or a folder.
        label: label of the rows that have none, such as `"Rumble"`.
        label_map: new label by the label in the table, such as `{"tir": "Gunshot"}`.

    Raises:
        AnnotationError: if the path is missing, or a table cannot be read.
        OSError: if a file cannot be read.
    """
    return read_annotations([path], label=label, label_map=label_map)


def read_annotations(
    paths: Sequence[str | Path],
    *,
    label: str | None = None,
    label_map: Mapping[str, str] | None = None,
    lenient: bool = False,
) -> Annotations:
    """Read the events of tables and of folders of tables, in any dialect.

    Args:
        paths: tables (`.txt`, `.tsv`, `.csv`), detections (`.parquet`, `.csv`), or folders, which
            are searched with all folders in them.
        label: label of the rows that have none. A row's own label counts first.
        label_map: new label by the label in the table, letter case apart; see `read_label_map`.
        lenient: skip rows and tables that cannot be read and list them in `problems`.

    Raises:
        AnnotationError: if a path is missing, or, unless `lenient`, if anything cannot be read.
        OSError: if a file cannot be read.
    """
    labels = {old.casefold(): new for old, new in (label_map or {}).items()}
    readings: list[_Reading] = []
    problems: list[TableProblem] = []
    for path in tables_of([Path(path) for path in paths]):
        try:
            reading = _TableReader(*open_table(path), label, labels).read(lenient=lenient)
        except AnnotationError as error:
            if not lenient:
                raise
            problems.append(error.problem)
        else:
            readings.append(reading)
            problems.extend(reading.problems)
    rows = tuple(itertools.chain.from_iterable(reading.rows for reading in readings))
    named = frozenset(row.recording for row in rows)
    searched = frozenset(itertools.chain.from_iterable(reading.searched for reading in readings))
    of_detectors = (reading for reading in readings if reading.table.dialect.of_detector)
    in_part = frozenset(itertools.chain.from_iterable(map(_Reading.recordings, of_detectors)))
    return Annotations(rows, searched - named, tuple(problems), in_part)


@dataclass(frozen=True, slots=True)
class _Reading:
    """What one table says."""

    table: Table
    rows: list[Annotation] = field(default_factory=list)
    searched: set[RecordingName] = field(default_factory=set)
    problems: list[TableProblem] = field(default_factory=list)

    def recordings(self) -> set[RecordingName]:
        """Names of all recordings that the table names, with events or without."""
        return self.searched.union(row.recording for row in self.rows)


class _TableReader:
    """Reads the rows of one table.

    Args:
        label: label of the rows that have none.
        labels: new label by the table's own in lower case.
    """

    def __init__(
        self, table: Table, rows: list[Row], label: str | None, labels: Mapping[str, str]
    ) -> None:
        self.table = table
        self.dialect = table.dialect
        self.rows = rows
        self.label = label
        self.labels = labels

    def read(self, *, lenient: bool) -> _Reading:
        """Read all rows.

        A problem of the header is a problem of the whole table: it is raised even if `lenient`.
        """
        reading = _Reading(self.table)
        if not self.rows and self.dialect.of_one_sound:
            reading.searched.add(self._of_table)
        selections: list[Selection] = []
        for row in self.rows:
            try:
                self._take(row, selections, reading.searched)
            except AnnotationError as error:
                if not lenient or error.problem.row == HEADER_ROW:
                    raise
                reading.problems.append(error.problem)
        reading.rows.extend(selection.annotation for selection in one_of_each_view(selections))
        return reading

    def _take(self, row: Row, selections: list[Selection], searched: set[RecordingName]) -> None:
        row.check_width()
        kind = self._row_kind(row)
        if kind is RowKind.SEARCHED_EMPTY:
            searched.add(self._recording(row))
        elif kind is not RowKind.IGNORED:
            recording = self._recording(row)
            event = self._event(row, marginal=kind is RowKind.MARGINAL)
            score = row.optional_number("score")
            annotation = Annotation(recording, event, self.table.path, row.line, score)
            selections.append(Selection(annotation, row.text("selection"), row.text("view")))

    def _row_kind(self, row: Row) -> RowKind:
        if any(says_empty(row.text(column)) for column in LABEL_COLUMNS + NOTE_COLUMNS):
            return RowKind.SEARCHED_EMPTY
        verdicts = self.dialect.verdicts
        return RowKind.EVENT if verdicts is None else verdicts.row_kind(row.text)

    @cached_property
    def _of_table(self) -> RecordingName:
        """The recording that has the name of the table."""
        return RecordingName(base_name(table_recording(self.table.path)), table=self.table.path)

    def _recording(self, row: Row) -> RecordingName:
        columns = [column for column in self.dialect.recording if column in self.table.positions]
        if not columns:
            return self._of_table
        column = next(filter(row.text, columns), columns[0])
        file = row.text(column)
        if not base_name(file):
            raise row.error(columns[0], "the name of a file")
        return self._named(column, file, row.text("begin path"))

    def _named(self, column: str, file: str, begin_path: str) -> RecordingName:
        """Name of a recording by the column that names it.

        Raven writes the path of the annotator's machine, which counts only where the file name is
        not unique. In other columns the whole text is the name.
        """
        if column == "recording":
            return RecordingName(file, file, self.table.path)
        if column not in {"begin file", "begin path"}:
            return RecordingName(file, table=self.table.path)
        path = begin_path or file
        longer = len(path_parts(path)) > 1 and same_recording(base_name(path), base_name(file))
        return RecordingName(base_name(file), path if longer else "", self.table.path)

    def _event(self, row: Row, *, marginal: bool) -> Event:
        label = self._label(row)
        start_s, end_s = self._times(row)
        low_hz, high_hz = map(row.optional_number, self.dialect.band)
        remark = self._remark(row, label) | Remark(marginal=marginal)
        return Event(label, start_s, end_s, low_hz, high_hz, **asdict(remark))

    def _label(self, row: Row) -> str:
        if self.dialect.verdicts is not None:
            return renamed_label(self.dialect.verdicts.label, self.labels)
        columns = [column for column in LABEL_COLUMNS if column in self.table.positions]
        own = (text for text in map(row.text, columns) if text and not is_doubt(text))
        label = next(own, self.label)
        if label is not None:
            return renamed_label(label, self.labels)
        if columns:
            raise row.error(columns[0], "a label, or --label LABEL for the rows without one")
        raise self.table.error(
            "a column Tag 1, Tags, Label, Annotation or Species, or --label LABEL for all rows"
        )

    def _times(self, row: Row) -> tuple[float, float]:
        """Start and end in the row's own file."""
        start_s = self._start_s(row)
        if start_s < 0:
            raise row.error(self.dialect.start, "a time in the recording, 0 s or later")
        length_s, column = self._length_s(row)
        end_s = round(start_s + length_s, _TIME_DECIMALS)
        start_s = round(start_s, _TIME_DECIMALS)
        if end_s <= start_s:
            raise row.error(
                column, f"an end after the start at {start_s:g} s; it lies {length_s:g} s from it"
            )
        return start_s, end_s

    def _start_s(self, row: Row) -> float:
        cumulative = self.dialect.start == "begin time" and len(self._files) > 1
        return self._start_in_cut_s if cumulative else row.number(self.dialect.start)

    def _length_s(self, row: Row) -> tuple[float, str]:
        """Length of a row's event and the column that decides it."""
        duration = self.dialect.duration
        if duration is not None and (row.text(duration) or duration in self.dialect.columns):
            return row.number(duration), duration
        begin, end = self.dialect.span
        return row.number(end) - row.number(begin), end

    @cached_property
    def _files(self) -> set[tuple[str, ...]]:
        """The different texts by which rows name their files, without empty ones."""
        columns = self.dialect.recording
        return {cells for row in self.rows if any(cells := tuple(map(row.text, columns)))}

    @cached_property
    def _start_in_cut_s(self) -> float:
        start_s = _start_in_cut_s(self._cumulative_times()) if self.dialect.cuts else None
        if start_s is None or len(self._files) < len(self.rows):
            raise self.table.error(
                "a column File Offset (s), since the table names several files and Begin Time (s) "
                "is cumulative over them"
            )
        return start_s

    def _cumulative_times(self) -> list[tuple[int, float, float]]:
        """Index, begin and end of each row that has times.

        Rows without times raise an error later, when their event is read.
        """
        times: list[tuple[int, float, float]] = []
        for index, row in enumerate(self.rows):
            with suppress(AnnotationError):
                begin_s, end_s = map(row.number, self.dialect.span)
                times.append((index, begin_s, end_s))
        return times

    def _remark(self, row: Row, label: str) -> Remark:
        if self.dialect.typed_remarks:
            return self._typed_remark(row)
        doubtful = any(is_doubt(row.text(column)) for column in LABEL_COLUMNS)
        remark = Remark(marginal=doubtful, snr_db=row.optional_number("snr"))
        for column in NOTE_COLUMNS:
            remark |= read_note(row.text(column))
        if self.dialect.shots is not None:
            remark |= read_shots(row.text(self.dialect.shots))
        elif label == GUNSHOT:
            remark |= read_shots(row.text(COUNT_COLUMN))
        if self.dialect.verdicts is not None and row.text(self.dialect.verdicts.confidence):
            remark |= Remark(note=f"confidence {row.text(self.dialect.verdicts.confidence)}")
        return remark

    def _typed_remark(self, row: Row) -> Remark:
        if row.text("marginal") not in {"0", "1"}:
            raise row.error("marginal", "1 for a marginal event, else 0")
        shots, snr_db = row.text("shots"), row.optional_number("snr")
        if shots and not shots.isdecimal():
            raise row.error("shots", "a whole number")
        return Remark(
            row.text("marginal") == "1", int(shots) if shots else None, snr_db, row.text("notes")
        )


def _start_in_cut_s(times: list[tuple[int, float, float]]) -> float | None:
    """Start of the events within their cuts; None unless there is one row in each cut.

    Row `i` of cuts of one length that are laid end to end begins at `i * cut + start`.
    """
    if len(times) < 2:
        return None
    (first, first_s, _), (last, last_s, _) = times[0], times[-1]
    cut_s = (last_s - first_s) / (last - first)
    start_s = first_s - first * cut_s
    regular = all(
        abs(begin_s - index * cut_s - start_s) < _SAME_TIME_S for index, begin_s, _ in times
    )
    inside = all(end_s < (index + 1) * cut_s + _SAME_TIME_S for index, _, end_s in times)
    return start_s if regular and inside else None
