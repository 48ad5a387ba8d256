"""Annotation tables -> events, and detections -> the tables that people open.

Each group of the field keeps its own table: Raven's selections of one sound or of many, the six columns of the Elephant Listening
Project, gunshot tables with burst counts, a detector's rows with a reviewer's verdicts. A table's **dialect** is recognised from its
header; dialects are data, in `dialects.py`. Whatever the dialect, what comes out is the same:

- `Annotation`: an `Event` with times in seconds from the start of *its own file*, and the table and line that it came from;
- `searched_empty`: recordings that a person went through and found empty, which differs from recordings nobody looked at;
- an `AnnotationError` that names table, row, column, value and what was expected, for anything that cannot be read. Nothing is guessed.

Tables, recordings and detections meet under the `recording_stem` of a file: its base name without the audio extension.

    records.py    Annotation, Annotations, TableProblem; how files are named
    dialects.py   the headers of the field, and what its labels, flags and verdicts mean
    tables.py     a file -> rows of cells: encoding, delimiter, quotes; which files of a folder are tables
    reading.py    rows of cells -> annotations
    writing.py    detections -> Raven, Audacity, CSV, Parquet

Sources: Raven Pro user's manual (selection tables); Elephant Listening Project, Cornell (tables of Nouabale-Ndoki, Dzanga and Gabon).
"""

from __future__ import annotations

from loxo.annotations.dialects import DIALECTS, Dialect
from loxo.annotations.reading import read_annotations
from loxo.annotations.records import (
    Annotation,
    AnnotationError,
    Annotations,
    TableProblem,
    distinct_stems,
    recording_stem,
)
from loxo.annotations.tables import AUDACITY_SUFFIX
from loxo.annotations.writing import (
    DETECTIONS_SCHEMA,
    RAVEN_COLUMNS,
    detections_frame,
    write_audacity,
    write_csv,
    write_events,
    write_parquet,
    write_raven,
)

__all__ = [
    "AUDACITY_SUFFIX",
    "DETECTIONS_SCHEMA",
    "DIALECTS",
    "RAVEN_COLUMNS",
    "Annotation",
    "AnnotationError",
    "Annotations",
    "Dialect",
    "TableProblem",
    "detections_frame",
    "distinct_stems",
    "read_annotations",
    "recording_stem",
    "write_audacity",
    "write_csv",
    "write_events",
    "write_parquet",
    "write_raven",
]
