"""What annotation tables say once they are read, and the errors of reading them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from loxo.events import Event
from loxo.recordings import RecordingName

__all__ = ["Annotation", "AnnotationError", "Annotations", "TableProblem"]


@dataclass(frozen=True, slots=True)
class Annotation:
    """An event and the row of the table that holds it.

    Args:
        recording: how the table names the recording.
        table: path of the table.
        row: line of the table; the header is line 1.
        score: a detector's score, in tables of detections; `event.shots` is the number of gunshots
            that it counted.
    """

    recording: RecordingName
    event: Event
    table: str
    row: int
    score: float | None = None


@dataclass(frozen=True, slots=True)
class TableProblem:
    """A cell, a row or a table that could not be read.

    Args:
        row: line of the table: 1 for the header, which stands for the whole table, and 0 where
            there is no table.
        column: name as the table writes it; empty if the problem is not in one column.
    """

    table: str
    row: int
    column: str
    value: str
    expected: str

    def __str__(self) -> str:
        place = f"{self.table}, row {self.row}" if self.row else self.table
        cell = f"column {self.column!r} holds" if self.column else "found"
        return f"{place}: {cell} {self.value!r}; expected {self.expected}"


class AnnotationError(ValueError):
    """A table that cannot be read; its text is that of its `problem`."""

    def __init__(self, problem: TableProblem) -> None:
        super().__init__(problem)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Annotations:
    """Everything that a set of tables says.

    Args:
        rows: events in the order of the tables and their lines.
        searched_empty: recordings that a table says were searched and hold no event. Another
            table may have events of the same recording; `match_annotations` handles that.
        problems: rows and tables that a lenient reading skipped.
        searched_in_part: recordings that have only a detector's rows in a table. Between these
            rows there may be unmarked events.
    """

    rows: tuple[Annotation, ...]
    searched_empty: frozenset[RecordingName]
    problems: tuple[TableProblem, ...]
    searched_in_part: frozenset[RecordingName] = frozenset()

    @property
    def events(self) -> tuple[Event, ...]:
        """Events of all rows, in the order of the tables, such as `loxo.plot` draws."""
        return tuple(row.event for row in self.rows)

    @property
    def recordings(self) -> frozenset[RecordingName]:
        """Names of all recordings that were searched, with events or without."""
        return self.searched_empty.union(row.recording for row in self.rows)

    def with_tables(self, addresses: Mapping[str, str]) -> Annotations:
        """Replace the paths of tables, such as those of temporary copies, by their addresses."""

        def with_address(name: RecordingName) -> RecordingName:
            return replace(name, table=addresses.get(name.table, name.table))

        return Annotations(
            tuple(
                replace(
                    row,
                    recording=with_address(row.recording),
                    table=addresses.get(row.table, row.table),
                )
                for row in self.rows
            ),
            frozenset(map(with_address, self.searched_empty)),
            tuple(replace(p, table=addresses.get(p.table, p.table)) for p in self.problems),
            frozenset(map(with_address, self.searched_in_part)),
        )

    def by_recording(self) -> dict[RecordingName, tuple[Annotation, ...]]:
        """Annotations of each searched recording in order of their start; none for empty ones.

        A recording that is named in several ways has an entry for each name; `match_annotations`
        unites them.
        """
        found: defaultdict[RecordingName, list[Annotation]] = defaultdict(list)
        for row in self.rows:
            found[row.recording].append(row)
        names = sorted(self.recordings, key=lambda name: (name.longest, name.table))
        return {
            name: tuple(sorted(found[name], key=lambda row: row.event.start_s)) for name in names
        }
