"""Read the header and the rows of a table, and find the tables of a folder.

Tables come from Raven, spreadsheets and R, on three operating systems: cells are separated by tabs
or commas, text is UTF-8 (with or without a byte order mark) or Windows-1252, lines end in LF, CRLF
or CR, and some programs quote every text. A column name may be empty or occur twice; the first of a
name counts. A row may end after its last value. Blank rows are ignored.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from loxo.annotations.dialects import DIALECTS, Dialect, canonical_column, recognise
from loxo.annotations.records import AnnotationError, TableProblem
from loxo.provenance import read_journal

__all__ = [
    "AUDACITY_SUFFIX",
    "HEADER_ROW",
    "NO_ROW",
    "RUN_JOURNAL",
    "Row",
    "Table",
    "decode_text",
    "open_table",
    "tables_of",
    "tables_of_run",
]

AUDACITY_SUFFIX = ".audacity.txt"
"""Ending of the names of Audacity label tracks. They repeat the rows of the tables beside them, so
they are ignored in a folder."""

NO_ROW, HEADER_ROW = 0, 1
_LONGEST_HEADER = 500
"""Most characters of an unknown header that an error repeats: the file may not be text at all."""
_TABLE_SUFFIXES = {".txt", ".tsv", ".csv"}
_RUN_TABLES = ("detections.parquet", "detections.csv")
RUN_JOURNAL = "journal.jsonl"
"""Name of the journal of a detection run in its output folder."""
_NOT_TABLES = (AUDACITY_SUFFIX, "skipped.tsv")


@dataclass(frozen=True, slots=True)
class Table:
    """The header of a table in a known dialect.

    Args:
        path: path of the table, as it was given.
        headings: column names as they are written.
        positions: index of each column in a row, by its canonical name.
    """

    path: str
    dialect: Dialect
    headings: tuple[str, ...]
    positions: dict[str, int]

    def error(self, expected: str) -> AnnotationError:
        """Make an error about the header, which concerns the whole table."""
        return AnnotationError(
            TableProblem(self.path, HEADER_ROW, "", ", ".join(self.headings), expected)
        )


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table, whose cells are found by the canonical name of their column."""

    table: Table
    line: int
    cells: Sequence[str]

    def check_width(self) -> None:
        """Check that a row has no values beyond the last column of the header.

        They come from decimal commas, or from columns without a name.

        Raises:
            AnnotationError: if there are any.
        """
        width = len(self.table.headings)
        surplus = [cell for cell in self.cells[width:] if cell.strip()]
        if surplus:
            raise AnnotationError(
                TableProblem(
                    self.table.path,
                    self.line,
                    "",
                    ", ".join(surplus),
                    f"{width} cells, as in the header",
                )
            )

    def text(self, column: str) -> str:
        """Cell without outer spaces; empty if the table has no such column."""
        position = self.table.positions.get(column)
        return (
            self.cells[position].strip()
            if position is not None and position < len(self.cells)
            else ""
        )

    def number(self, column: str) -> float:
        """Cell as a finite number.

        Raises:
            AnnotationError: if it is not one.
        """
        try:
            value = float(self.text(column))
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.error(column, "a number")
        return value

    def optional_number(self, column: str) -> float | None:
        """Cell as a number; None if it is empty or the table has no such column."""
        return self.number(column) if self.text(column) else None

    def error(self, column: str, expected: str) -> AnnotationError:
        """Make an error about a cell of the row."""
        position = self.table.positions.get(column)
        heading = self.table.headings[position] if position is not None else column
        return AnnotationError(
            TableProblem(self.table.path, self.line, heading, self.text(column), expected)
        )


def tables_of(paths: Sequence[Path]) -> list[Path]:
    """Find the tables at some paths, each once; those of a folder in alphabetical order.

    The folder of a detection run holds the same detections as Raven tables and as
    `detections.parquet` or `.csv`. The Raven tables are taken, because they also name the
    recordings without detections; else the Parquet file is taken, else the CSV file.

    Such tables are ignored where a folder holds others, too: a run may have its output among the
    tables of people, and what it found is no truth. Its journal tells which are its own.

    Raises:
        AnnotationError: if a path is missing or a folder holds no table.
    """
    return list(dict.fromkeys(table for path in paths for table in _tables_at(path)))


def _tables_at(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise AnnotationError(
            TableProblem(str(path), NO_ROW, "", "nothing", "a table or a folder of tables")
        )
    found = [table for table in sorted(path.rglob("*")) if _is_table(table)]
    if not found:
        raise AnnotationError(
            TableProblem(
                str(path), NO_ROW, "", "no table", "a folder with .txt, .tsv or .csv tables"
            )
        )
    results = _results_of_runs(path)
    found = [table for table in found if table not in results] or found
    there = set(found)
    selections = {table.parent for table in found if table.name.endswith(".selections.txt")}
    return [table for table in found if not _is_repeated(table, there, selections)]


def _results_of_runs(folder: Path) -> set[Path]:
    """Tables that runs of `loxo detect` wrote anywhere in a folder."""
    results: set[Path] = set()
    for journal in folder.rglob(RUN_JOURNAL):
        results.update(journal.parent / name for name in tables_of_run(read_journal(journal)))
    return results


def tables_of_run(journal: Iterable[Mapping[str, Any]]) -> set[str]:
    """Paths of the tables below the output folder of a run, by the records of its journal."""
    tables = {str(record["table"]) for record in journal if "table" in record}
    return {*tables, *_RUN_TABLES, "recordings.parquet"} if tables else set()


def _is_table(path: Path) -> bool:
    wanted = path.suffix.lower() in _TABLE_SUFFIXES or path.name in _RUN_TABLES
    return (
        wanted
        and path.is_file()
        and not path.name.startswith(".")
        and not path.name.endswith(_NOT_TABLES)
    )


def _is_repeated(table: Path, there: set[Path], selections: set[Path]) -> bool:
    if table.name not in _RUN_TABLES:
        return False
    parquet, _ = _RUN_TABLES
    return table.parent in selections or (
        table.name != parquet and table.with_name(parquet) in there
    )


def open_table(path: Path) -> tuple[Table, list[Row]]:
    """Open a table and read its rows, without blank ones.

    Raises:
        AnnotationError: if the header is unknown, or the file is not a table.
        OSError: if the file cannot be read.
    """
    lines = _parquet_lines(path) if path.suffix.lower() == ".parquet" else _text_lines(path)
    _, headings = next(lines, (HEADER_ROW, []))
    positions: dict[str, int] = {}
    for position, heading in enumerate(headings):
        positions.setdefault(canonical_column(heading), position)
    dialect = recognise(positions)
    if dialect is None:
        found = ", ".join(headings) if any(headings) else "no header"
        raise AnnotationError(
            TableProblem(
                str(path), HEADER_ROW, "", found[:_LONGEST_HEADER], _nearest_header(positions)
            )
        )
    table = Table(str(path), dialect, tuple(headings), positions)
    return table, [Row(table, line, cells) for line, cells in lines if any(map(str.strip, cells))]


def _nearest_header(columns: Iterable[str]) -> str:
    """Describe the known header of which an unknown header lacks the fewest columns."""
    there = set(columns)
    nearest = min(DIALECTS, key=lambda dialect: len(set(dialect.columns) - there))
    missing = ", ".join(column for column in nearest.columns if column not in there)
    return (
        f"the header of a known table; the nearest ({nearest.name}) needs "
        f"{', '.join(nearest.columns)}, of which are missing {missing}"
    )


def _text_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Iterate over line numbers and cells.

    Tab-separated files are split line by line. In most of them a quotation mark is an ordinary
    character, and a remark that begins with one must not hide the rows below it.
    """
    text = decode_text(path.read_bytes())
    lines = io.StringIO(text, newline="")
    tabbed = "\t" in lines.readline()
    lines.seek(0)
    reader = (
        csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        if tabbed
        else csv.reader(lines, strict=True)
    )
    try:
        for cells in reader:
            yield reader.line_num, [_unquoted(cell) for cell in cells] if tabbed else cells
    except csv.Error as error:
        raise AnnotationError(
            TableProblem(str(path), reader.line_num, "", str(error), "comma-separated text")
        ) from error


def decode_text(content: bytes) -> str:
    """Decode UTF-8, with or without a byte order mark, or else Windows-1252."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def _unquoted(cell: str) -> str:
    text = cell.strip()
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return text[1:-1].replace('""', '"')
    return text


def _parquet_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        frame = pl.read_parquet(path)
    except pl.exceptions.PolarsError as error:
        raise AnnotationError(
            TableProblem(str(path), HEADER_ROW, "", str(error).splitlines()[0], "a Parquet file")
        ) from error
    yield HEADER_ROW, frame.columns
    for line, values in enumerate(frame.iter_rows(), start=HEADER_ROW + 1):
        yield line, ["" if value is None else str(value) for value in values]
