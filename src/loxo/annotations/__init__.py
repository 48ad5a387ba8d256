"""Annotation tables -> events, and detections -> the tables that people open.

Each research group has its own kind of table: Raven selections in one sound file or in several, the
six columns of the Elephant Listening Project, gunshot tables with burst counts, a detector's rows
with a reviewer's verdicts. A table's **dialect** is recognised from its header; dialects are data,
in `dialects.py`. Reading gives the same results for every dialect:

- `Annotation`: an `Event` with times in seconds from the start of *its own file*, how the table
  names that file (`RecordingName`), and the table and line that hold it;
- `searched_empty`: recordings that a person searched and found empty, which differ from recordings
  that nobody searched;
- an `AnnotationError` with table, row, column, value and what was expected, for anything that
  cannot be read. Unclear cells are never guessed.

`match_annotations` then finds the recordings that the tables name.

    records.py    Annotation, Annotations, TableProblem
    dialects.py   the headers of the field, and what its labels, flags and verdicts mean
    tables.py     a file -> rows of cells: encoding, delimiter, quotes; the tables of a folder
    label_map.py  new names for the labels of a user's tables
    views.py      merging the rows that Raven writes for each view of an event
    reading.py    rows of cells -> annotations
    matching.py   annotations by the path of their recording
    writing.py    detections -> Raven, Audacity, CSV, Parquet

Sources: Raven Pro user's manual (selection tables); Elephant Listening Project, Cornell (tables of
Nouabale-Ndoki, Dzanga and Gabon).
"""

from __future__ import annotations

from loxo.annotations.dialects import DIALECTS, Dialect
from loxo.annotations.label_map import read_label_map
from loxo.annotations.matching import Matched, match_annotations, names_index
from loxo.annotations.reading import read_annotations, read_table
from loxo.annotations.records import Annotation, AnnotationError, Annotations, TableProblem
from loxo.annotations.tables import AUDACITY_SUFFIX
from loxo.annotations.writing import (
    DETECTIONS_SCHEMA,
    EVENT_COLUMNS,
    RAVEN_COLUMNS,
    detection_id,
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
    "EVENT_COLUMNS",
    "RAVEN_COLUMNS",
    "Annotation",
    "AnnotationError",
    "Annotations",
    "Dialect",
    "Matched",
    "TableProblem",
    "detection_id",
    "detections_frame",
    "match_annotations",
    "names_index",
    "read_annotations",
    "read_label_map",
    "read_table",
    "write_audacity",
    "write_csv",
    "write_events",
    "write_parquet",
    "write_raven",
]
