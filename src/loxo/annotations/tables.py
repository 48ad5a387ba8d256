"""A file -> a header and rows of cells; and which files of a folder are tables.

Tables come from Raven, spreadsheets and R, on three systems: fields are set apart by tabs or commas, text is UTF-8 (with or without a
byte order mark) or Windows-1252, lines end in LF, CRLF or CR, some programs quote every text. Column names can be empty or there
twice; the first of a name counts. Rows may be cut short behind their last value, and blank ones are passed over.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from loxo.annotations.dialects import DIALECTS, Dialect, canonical_column, recognise
from loxo.annotations.records import AnnotationError, TableProblem

__all__ = ["AUDACITY_SUFFIX", "HEADER_ROW", "NO_ROW", "Row", "Table", "open_table", "tables_of"]

AUDACITY_SUFFIX = ".audacity.txt"
"""Ending of the names of Audacity label tracks. They repeat what the tables beside them say, so a folder's reading passes over them."""

NO_ROW, HEADER_ROW = 0, 1
_LONGEST_HEADER = 500
"""Characters of an unknown header that an error repeats: the file may be no text at all."""
_TABLE_SUFFIXES = {".txt", ".tsv", ".csv"}
_RUN_TABLES = ("detections.parquet", "detections.csv")
_NOT_TABLES = (AUDACITY_SUFFIX, "skipped.tsv")


@dataclass(frozen=True, slots=True)
class Table:
    """A table's header, whose dialect is known.

    Args:
        path: as it was given.
        headings: column names as written.
        positions: canonical column name -> its place in a row.
    """

    path: str
    dialect: Dialect
    headings: tuple[str, ...]
    positions: dict[str, int]

    def refuse(self, expected: str) -> AnnotationError:
        """Error about the header, and with it about the whole table."""
        return AnnotationError(TableProblem(self.path, HEADER_ROW, "", ", ".join(self.headings), expected))


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table; columns are asked for by their canonical name."""

    table: Table
    line: int
    cells: Sequence[str]

    def check_width(self) -> None:
        """Refuse a row with values beyond the last column: a decimal comma, or a column that the header lacks.

        Raises:
            AnnotationError: if there are any.
        """
        width = len(self.table.headings)
        surplus = [cell for cell in self.cells[width:] if cell.strip()]
        if surplus:
            raise AnnotationError(TableProblem(self.table.path, self.line, "", ", ".join(surplus), f"{width} cells, as in the header"))

    def text(self, column: str) -> str:
        """A cell without its outer spaces; empty where the table has no such column."""
        position = self.table.positions.get(column)
        return self.cells[position].strip() if position is not None and position < len(self.cells) else ""

    def number(self, column: str) -> float:
        """A cell as a finite number.

        Raises:
            AnnotationError: if it is none.
        """
        try:
            value = float(self.text(column))
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.refuse(column, "a number")
        return value

    def optional_number(self, column: str) -> float | None:
        """A cell as a number; None where it is empty or the table has no such column."""
        return self.number(column) if self.text(column) else None

    def refuse(self, column: str, expected: str) -> AnnotationError:
        """Error about a cell of the row."""
        position = self.table.positions.get(column)
        heading = self.table.headings[position] if position is not None else column
        return AnnotationError(TableProblem(self.table.path, self.line, heading, self.text(column), expected))


def tables_of(paths: Sequence[Path]) -> list[Path]:
    """Tables among the paths and in their folders, each once; a folder's in alphabetical order.

    A folder of a detection run holds the same detections as Raven tables and as `detections.parquet` or `.csv`. The Raven tables are
    taken, since they also name the recordings in which nothing was found; without them, the Parquet file, or else the CSV file.

    Raises:
        AnnotationError: if a path is missing or a folder holds no table.
    """
    return list(dict.fromkeys(table for path in paths for table in _tables_at(path)))


def _tables_at(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise AnnotationError(TableProblem(str(path), NO_ROW, "", "nothing", "a table or a folder of tables"))
    found = [table for table in sorted(path.rglob("*")) if _is_table(table)]
    if not found:
        raise AnnotationError(TableProblem(str(path), NO_ROW, "", "no table", "a folder with .txt, .tsv or .csv tables"))
    there = set(found)
    selections = {table.parent for table in found if table.name.endswith(".selections.txt")}
    return [table for table in found if not _is_repeated(table, there, selections)]


def _is_table(path: Path) -> bool:
    wanted = path.suffix.lower() in _TABLE_SUFFIXES or path.name in _RUN_TABLES
    return wanted and path.is_file() and not path.name.startswith(".") and not path.name.endswith(_NOT_TABLES)


def _is_repeated(table: Path, there: set[Path], selections: set[Path]) -> bool:
    if table.name not in _RUN_TABLES:
        return False
    parquet, _ = _RUN_TABLES
    return table.parent in selections or (table.name != parquet and table.with_name(parquet) in there)


def open_table(path: Path) -> tuple[Table, list[Row]]:
    """A table and its rows, without blank ones.

    Raises:
        AnnotationError: if the header is none that is known, or the file is not a table.
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
        raise AnnotationError(TableProblem(str(path), HEADER_ROW, "", found[:_LONGEST_HEADER], _nearest_header(positions)))
    table = Table(str(path), dialect, tuple(headings), positions)
    return table, [Row(table, line, cells) for line, cells in lines if any(cell.strip() for cell in cells)]


def _nearest_header(columns: Iterable[str]) -> str:
    """What an unknown header should have been: the columns of the dialect that it misses fewest of."""
    there = set(columns)
    nearest = min(DIALECTS, key=lambda dialect: len(set(dialect.columns) - there))
    missing = ", ".join(column for column in nearest.columns if column not in there)
    return f"the header of a known table; the nearest ({nearest.name}) needs {', '.join(nearest.columns)}, of which are missing {missing}"


def _text_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each line.

    Tab-separated files are taken line by line: in most of them a quotation mark is a mark like others, and one that opens a remark must
    not swallow the rows behind it.
    """
    text = _decoded(path.read_bytes())
    lines = io.StringIO(text, newline="")
    tabbed = "\t" in lines.readline()
    lines.seek(0)
    reader = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE) if tabbed else csv.reader(lines, strict=True)
    try:
        for cells in reader:
            yield reader.line_num, [_unquoted(cell) for cell in cells] if tabbed else cells
    except csv.Error as error:
        raise AnnotationError(TableProblem(str(path), reader.line_num, "", str(error), "comma-separated text")) from error


def _decoded(content: bytes) -> str:
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
        raise AnnotationError(TableProblem(str(path), HEADER_ROW, "", str(error).splitlines()[0], "a Parquet file")) from error
    yield HEADER_ROW, frame.columns
    for line, values in enumerate(frame.iter_rows(), start=HEADER_ROW + 1):
        yield line, ["" if value is None else str(value) for value in values]
