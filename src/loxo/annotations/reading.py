"""Rows of cells -> annotations.

Each row is first judged (an event, one in doubt, word that its recording was searched, or nothing), and only events need times and a
label. Times are kept to the microsecond, which takes away what `File Offset + (End - Begin)` gathers in rounding at the large Begin
Times of tables that run over months.

Raven writes a selection once for each view that shows it. Rows of one table with the same Selection, the same recording, different
views and a common stretch of time are one event; the spectrogram's row is kept, since a waveform has no band.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from loxo.annotations.dialects import (
    LABEL_COLUMNS,
    NOTE_COLUMNS,
    Ruling,
    canonical_label,
    is_doubt,
    note_flags,
    says_empty,
    shots_flag,
)
from loxo.annotations.records import (
    Annotation,
    AnnotationError,
    Annotations,
    TableProblem,
    base_name,
    distinct_stems,
    recording_stem,
    table_recording,
)
from loxo.annotations.tables import HEADER_ROW, Row, Table, open_table, tables_of
from loxo.events import Event, Interval, overlap_s

__all__ = ["read_annotations"]

_TIME_DECIMALS = 6
_SAME_TIME_S = 1e-3


def read_annotations(paths: Sequence[Path], *, label: str | None = None, lenient: bool = False) -> Annotations:
    """Events of tables and of folders of tables, in any dialect, and the recordings that were searched and found empty.

    Two recordings of a detection run that share a stem keep as many folders in front of their names as tell them apart, as
    `distinct_stems` joins them: `a/x.wav` and `b/x.wav` are `a_x.wav` and `b_x.wav`.

    Args:
        paths: tables (`.txt`, `.tsv`, `.csv`), detections (`.parquet`, `.csv`), or folders, which are searched to the bottom.
        label: what rows without a label of their own are; a row's own label wins.
        lenient: pass over rows and tables that cannot be read and list them in `problems`.

    Raises:
        AnnotationError: for a path that is missing, and unless `lenient` for the first thing that cannot be read.
        OSError: if a file cannot be read.
    """
    readings: list[_Reading] = []
    problems: list[TableProblem] = []
    for path in tables_of(paths):
        try:
            reading = _TableReader(*open_table(path), label).read(lenient=lenient)
        except AnnotationError as error:
            if not lenient:
                raise
            problems.append(error.problem)
        else:
            readings.append(reading)
            problems.extend(reading.problems)
    rows = _told_apart(readings)
    searched = frozenset(itertools.chain.from_iterable(reading.searched for reading in readings))
    return Annotations(rows, searched.difference(row.stem for row in rows), tuple(problems), _in_part(readings))


@dataclass(frozen=True, slots=True)
class _Reading:
    """What one table says; recordings of a detection run still under their whole paths."""

    table: Table
    rows: list[Annotation] = field(default_factory=list)
    searched: set[str] = field(default_factory=set)
    problems: list[TableProblem] = field(default_factory=list)


def _in_part(readings: Sequence[_Reading]) -> frozenset[str]:
    """Stems that stand in tables of a detector's finds alone."""
    stems: dict[bool, set[str]] = {True: set(), False: set()}
    for reading in readings:
        finds = reading.table.dialect.verdicts is not None or reading.table.dialect.of_one_run
        stems[finds].update(reading.searched, (row.stem for row in reading.rows))
    return frozenset(stems[True] - stems[False])


@dataclass(frozen=True, slots=True)
class _Selection:
    """A row as Raven sees it: which selection, in which view."""

    annotation: Annotation
    number: str
    view: str


class _TableReader:
    """Reads the rows of one table; `label` is that of rows which name none."""

    def __init__(self, table: Table, rows: list[Row], label: str | None) -> None:
        self.table = table
        self.dialect = table.dialect
        self.rows = rows
        self.label = label

    def read(self, *, lenient: bool) -> _Reading:
        """The table's annotations. A problem of its header is one of the whole table and is raised even if `lenient`."""
        reading = _Reading(self.table)
        if not self.rows and self.dialect.of_one_sound:
            reading.searched.add(recording_stem(table_recording(self.table.path)))
        selections: list[_Selection] = []
        for row in self.rows:
            try:
                self._take(row, selections, reading.searched)
            except AnnotationError as error:
                if not lenient or error.problem.row == HEADER_ROW:
                    raise
                reading.problems.append(error.problem)
        reading.rows.extend(selection.annotation for selection in _one_of_each_view(selections))
        return reading

    def _take(self, row: Row, selections: list[_Selection], searched: set[str]) -> None:
        row.check_width()
        ruling = self._ruling(row)
        if ruling is Ruling.SEARCHED:
            searched.add(recording_stem(self._recording(row)))
        elif ruling is not Ruling.NOTHING:
            recording = self._recording(row)
            event = self._event(row, in_doubt=ruling is Ruling.DOUBTFUL)
            annotation = Annotation(recording, event, self.table.path, row.line, row.optional_number("score"))
            selections.append(_Selection(annotation, row.text("selection"), row.text("view")))

    def _ruling(self, row: Row) -> Ruling:
        if any(says_empty(row.text(column)) for column in LABEL_COLUMNS + NOTE_COLUMNS):
            return Ruling.SEARCHED
        return Ruling.EVENT if self.dialect.verdicts is None else self.dialect.verdicts.ruling(row.text)

    def _recording(self, row: Row) -> str:
        """Name of a row's file: its path in a detection run, its base name elsewhere."""
        columns = [column for column in self.dialect.recording if column in self.table.positions]
        if not columns:
            return table_recording(self.table.path)
        path = self._path(row)
        if not base_name(path):
            raise row.refuse(columns[0], "the name of a file")
        return path if self.dialect.of_one_run else base_name(path)

    def _path(self, row: Row) -> str:
        return next(filter(None, map(row.text, self.dialect.recording)), "")

    def _event(self, row: Row, *, in_doubt: bool) -> Event:
        label = self._label(row)
        start_s, end_s = self._times(row)
        low_hz, high_hz = map(row.optional_number, self.dialect.band)
        return Event(label, start_s, end_s, low_hz, high_hz, self._flags(row) | ({"marginal"} if in_doubt else set()))

    def _label(self, row: Row) -> str:
        if self.dialect.verdicts is not None:
            return self.dialect.verdicts.label
        columns = [column for column in LABEL_COLUMNS if column in self.table.positions]
        own = (text for text in map(row.text, columns) if text and not is_doubt(text))
        label = next(own, self.label)
        if label is not None:
            return canonical_label(label)
        if columns:
            raise row.refuse(columns[0], "a label, or --label LABEL for the rows without one")
        raise self.table.refuse("a column Tag 1, Tags, Label, Annotation or Species, or --label LABEL to say what its rows are")

    def _times(self, row: Row) -> tuple[float, float]:
        """Start and end in the row's own file."""
        start_s = self._start_s(row)
        if start_s < 0:
            raise row.refuse(self.dialect.start, "a time in the recording, 0 s or later")
        length_s, column = self._length_s(row)
        end_s = round(start_s + length_s, _TIME_DECIMALS)
        start_s = round(start_s, _TIME_DECIMALS)
        if end_s <= start_s:
            raise row.refuse(column, f"an end after the start at {start_s:g} s, not {length_s:g} s from it")
        return start_s, end_s

    def _start_s(self, row: Row) -> float:
        runs_on = self.dialect.start == "begin time" and self._names_several
        return self._start_in_cut_s if runs_on else row.number(self.dialect.start)

    def _length_s(self, row: Row) -> tuple[float, str]:
        """Length of a row's event and the column that decides it."""
        duration = self.dialect.duration
        if duration is not None and (row.text(duration) or duration in self.dialect.columns):
            return row.number(duration), duration
        begin, end = self.dialect.span
        return row.number(end) - row.number(begin), end

    @cached_property
    def _names_several(self) -> bool:
        return len({self._path(row) for row in self.rows} - {""}) > 1

    @cached_property
    def _start_in_cut_s(self) -> float:
        start_s = _start_in_cut_s(self._cumulative_times()) if self.dialect.cuts else None
        if start_s is None or len({self._path(row) for row in self.rows}) < len(self.rows):
            raise self.table.refuse("a column File Offset (s): Begin Time (s) runs on over the several files that the table names")
        return start_s

    def _cumulative_times(self) -> list[tuple[int, float, float]]:
        """Place among the rows, begin and end of each row that has them; the others are refused when their turn comes."""
        times: list[tuple[int, float, float]] = []
        for place, row in enumerate(self.rows):
            with suppress(AnnotationError):
                begin_s, end_s = map(row.number, self.dialect.span)
                times.append((place, begin_s, end_s))
        return times

    def _flags(self, row: Row) -> frozenset[str]:
        flags = frozenset().union(*(note_flags(row.text(column)) for column in NOTE_COLUMNS))
        if any(is_doubt(row.text(column)) for column in LABEL_COLUMNS):
            flags |= {"marginal"}
        if self.dialect.shots is not None:
            flags |= shots_flag(row.text(self.dialect.shots))
        if self.dialect.verdicts is not None and row.text(self.dialect.verdicts.confidence):
            flags |= {f"confidence={row.text(self.dialect.verdicts.confidence)}"}
        return flags


def _start_in_cut_s(times: list[tuple[int, float, float]]) -> float | None:
    """Start of every event in its cut, where a table's rows lie each in a cut of its own, all of one length and laid end to end.

    Row `i` then begins at `i * cut + start`. Times that run on over sounds of unequal lengths have no place in them: None.
    """
    if len(times) < 2:
        return None
    (first, first_s, _), (last, last_s, _) = times[0], times[-1]
    cut_s = (last_s - first_s) / (last - first)
    start_s = first_s - first * cut_s
    in_step = all(abs(begin_s - place * cut_s - start_s) < _SAME_TIME_S for place, begin_s, _ in times)
    inside = all(end_s < (place + 1) * cut_s + _SAME_TIME_S for place, _, end_s in times)
    return start_s if in_step and inside else None


def _one_of_each_view(selections: list[_Selection]) -> list[_Selection]:
    """Selections with those of several views merged into one, in the place of the first."""
    kept: list[_Selection] = []
    places: dict[tuple[str, str], int] = {}
    for selection in selections:
        key = (selection.annotation.recording, selection.number)
        place = places.get(key)
        if place is not None and _same_in_other_view(kept[place], selection):
            kept[place] = _merged(kept[place], selection)
        else:
            places[key] = len(kept)
            kept.append(selection)
    return kept


def _same_in_other_view(a: _Selection, b: _Selection) -> bool:
    if not (a.number and a.view and b.view) or a.view == b.view:
        return False
    return overlap_s(_interval(a), _interval(b)) > 0


def _interval(selection: _Selection) -> Interval:
    event = selection.annotation.event
    return event.start_s, event.end_s


def _merged(a: _Selection, b: _Selection) -> _Selection:
    """The spectrogram's selection of two, or else the first, with the flags of both."""
    chosen = b if _of_spectrogram(b) and not _of_spectrogram(a) else a
    flags = a.annotation.event.flags | b.annotation.event.flags
    return replace(chosen, annotation=replace(chosen.annotation, event=replace(chosen.annotation.event, flags=flags)))


def _of_spectrogram(selection: _Selection) -> bool:
    return selection.view.casefold().startswith("spectrogram")


def _told_apart(readings: list[_Reading]) -> tuple[Annotation, ...]:
    """All rows, those of detection runs under names that tell recordings of one stem apart."""
    runs = [reading for reading in readings if reading.table.dialect.of_one_run]
    names = distinct_stems(row.recording for reading in runs for row in reading.rows)
    rows: list[Annotation] = []
    for reading in readings:
        rows.extend(_renamed(row, names) for row in reading.rows) if reading.table.dialect.of_one_run else rows.extend(reading.rows)
    return tuple(rows)


def _renamed(row: Annotation, names: dict[str, str]) -> Annotation:
    extension = base_name(row.recording).removeprefix(row.stem)
    return replace(row, recording=names[row.recording] + extension)
