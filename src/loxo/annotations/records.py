"""What tables say, once read, and the names under which tables and recordings meet.

A table names a recording by whatever path it had on the annotator's machine (`L:\\ELP\\nn01a\\nn01a_20180126_000000.WAV`). Folders
and extensions differ between machines, so recordings meet under their **stem**: the base name without its audio extension.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from loxo.events import Event

__all__ = [
    "Annotation",
    "AnnotationError",
    "Annotations",
    "TableProblem",
    "base_name",
    "distinct_stems",
    "recording_stem",
    "table_recording",
]

_AUDIO_EXTENSION = re.compile(r"\.(wav|wave|w64|flac|ogg|opus|mp3|aif|aiff|aifc)$", re.IGNORECASE)
_TABLE_EXTENSION = re.compile(r"(\.table\.\d+)?(\.selections)?\.(txt|tsv|csv)$", re.IGNORECASE)
_SITE_ALIAS = {"dzan_": "dz_"}
"""Prefixes of names in tables, and the prefix of the same files on disk: Dzanga's tables write one site in two ways."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """An event and where it was written down.

    Args:
        recording: base name of the file as it is on disk, with its extension where the table gives one.
        table: the table's path.
        row: line of the table, the header being line 1.
        score: a detector's score, in tables of detections.
    """

    recording: str
    event: Event
    table: str
    row: int
    score: float | None = None

    @property
    def stem(self) -> str:
        return recording_stem(self.recording)


@dataclass(frozen=True, slots=True)
class TableProblem:
    """A cell, a row or a table that could not be read.

    Args:
        row: line of the table: 1 for the header, which makes it a problem of the whole table, and 0 where there is no table.
        column: name as the table writes it; empty where the problem is not one of a column.
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
    """All that a set of tables says.

    Args:
        rows: events in the order of the tables and their lines.
        searched_empty: stems of recordings that were searched and hold no event.
        problems: what a lenient reading passed over.
        searched_in_part: stems of which only a detector's finds were looked at, reviewed or not: where no row is, nobody knows.
    """

    rows: tuple[Annotation, ...]
    searched_empty: frozenset[str]
    problems: tuple[TableProblem, ...]
    searched_in_part: frozenset[str] = frozenset()

    @property
    def recordings(self) -> frozenset[str]:
        """Stems of all recordings that were searched, with events or without."""
        return self.searched_empty.union(row.stem for row in self.rows)

    def by_recording(self) -> dict[str, tuple[Annotation, ...]]:
        """Annotations of each searched recording by its stem, in order of their start; none for those found empty."""
        found: dict[str, list[Annotation]] = {stem: [] for stem in sorted(self.recordings)}
        for row in self.rows:
            found[row.stem].append(row)
        return {stem: tuple(sorted(rows, key=lambda row: row.event.start_s)) for stem, rows in found.items()}


def base_name(path: str) -> str:
    """Last part of a POSIX or Windows path, under the name that the file has on disk."""
    name = re.split(r"[/\\]", path.strip())[-1]
    for written, on_disk in _SITE_ALIAS.items():
        if name.lower().startswith(written):
            return on_disk + name[len(written) :]
    return name


def recording_stem(name: str) -> str:
    """The key of a recording: its base name without the audio extension.

    >>> recording_stem("L:\\\\ELP\\\\nn01a\\\\nn01a_20180126_000000.WAV")
    'nn01a_20180126_000000'
    >>> recording_stem("sounds/dzan_20130101_180000.wav")
    'dz_20130101_180000'
    """
    return _AUDIO_EXTENSION.sub("", base_name(name))


def table_recording(path: str) -> str:
    """The sound beside a table of its own: `x.Table.1.selections.txt`, `x.selections.txt` and `x.txt` belong to `x`."""
    return _TABLE_EXTENSION.sub("", base_name(path))


def distinct_stems(paths: Iterable[str]) -> dict[str, str]:
    """A name for each recording of a run: its stem, with as many folders in front as keep two recordings apart.

    Two formats of one recording in one folder differ by their extension only, which then ends the name.

    >>> distinct_stems(["a/x.wav", "b/x.wav", "b/y.wav"])
    {'a/x.wav': 'a_x', 'b/x.wav': 'b_x', 'b/y.wav': 'y'}
    """
    parts = {path: tuple(_parts(path)) for path in paths}
    depths = dict.fromkeys(parts.values(), 0)
    for _ in range(max(map(len, depths), default=0)):
        taken = Counter(_name_at(recording, depth) for recording, depth in depths.items())
        if max(taken.values()) == 1:
            break
        depths = {key: depth + (taken[_name_at(key, depth)] > 1) for key, depth in depths.items()}
    return {path: _name_at(recording, depths[recording]) for path, recording in parts.items()}


def _name_at(parts: tuple[str, ...], depth: int) -> str:
    """Stem behind `depth` folders; a depth beyond the folders that there are adds the extension."""
    *folders, name = parts
    stem = recording_stem(name)
    extension = base_name(name)[len(stem) + 1 :]
    if depth <= len(folders):
        return "_".join([*folders[len(folders) - depth :], stem])
    return "_".join([*folders, stem, extension])


def _parts(path: str) -> list[str]:
    return [part for part in re.split(r"[/\\]", path.strip()) if part not in {"", "."}]
