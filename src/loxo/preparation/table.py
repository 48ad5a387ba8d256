"""Step 1: all annotation tables and the listing of recordings -> one training table.

`training_table.parquet` has a row an event, of whatever label, and a row without label and times for each recording that was searched and
found empty. Times are seconds in the event's own recording. `searched` is false where all that is known are a detector's finds, reviewed or
not: nobody searched the rest of such a recording, so it gives no Background. `unmatched.tsv` lists what no recording was found for.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from loxo.annotations import Annotation, TableProblem, read_annotations, recording_stem
from loxo.events import EVENT_LABELS, Event
from loxo.preparation.folder import Folder, PreparationError, Report, Watch, digest, nothing, sized, write_lines
from loxo.preparation.index import Names, list_recordings
from loxo.recordings import parse_name
from loxo.storage import Storage, StoredFile, replacing

__all__ = ["TableSettings", "TrainingRecording", "make_table", "read_training_table"]

TABLE_SUFFIXES = (".txt", ".tsv", ".csv", ".parquet")
SCHEMA = {
    "recording": pl.String(), "size": pl.Int64(), "version": pl.String(), "site": pl.String(), "start_time": pl.Datetime("us", "UTC"),
    "label": pl.String(), "start_s": pl.Float64(), "end_s": pl.Float64(), "low_hz": pl.Float64(), "high_hz": pl.Float64(),
    "flags": pl.List(pl.String()), "searched": pl.Boolean(), "table": pl.String(), "row": pl.Int64(),
}  # fmt: skip
NAMED = 10
"""Most recordings, or problems, that are named; all of them are in `unmatched.tsv`."""
DEV_RECORDINGS = 3
"""Recordings of a trial for each label, and as many that were found empty."""


@dataclass(frozen=True, slots=True)
class TableSettings:
    """What is read: paths, prefixes or URLs.

    Args:
        rumbles: tables whose rows without a label are rumbles; gunshots likewise. `tables` must name their labels themselves.
        timezone: of the times in file names.
        seed: of the choice of recordings for a trial.
    """

    recordings: tuple[str, ...]
    rumbles: tuple[str, ...] = ()
    gunshots: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    timezone: ZoneInfo | None = None
    seed: int = 0

    @property
    def by_label(self) -> Mapping[str | None, tuple[str, ...]]:
        return {"Rumble": self.rumbles, "Gunshot": self.gunshots, None: self.tables}


@dataclass(frozen=True, slots=True)
class TrainingRecording:
    """A recording of the training table.

    Args:
        size: bytes, and `version`, its identity, as they were when it was listed.
        events: of all labels, in the order of their start.
        searched: whether a person went through it, so that where no event is, there is none.
    """

    url: str
    size: int
    version: str
    site: str | None
    start_time: datetime | None
    events: tuple[Event, ...]
    searched: bool

    @property
    def stem(self) -> str:
        """Its name wherever it lies, which draws depend on: a copy on a disk gives the same clips as the archive."""
        return recording_stem(self.url)

    @property
    def targets(self) -> tuple[Event, ...]:
        """The rumbles and gunshots."""
        return tuple(event for event in self.events if event.label in EVENT_LABELS)


def make_table(folder: Folder, settings: TableSettings, storage: Storage, *, refresh: bool = False, watch: Watch = nothing) -> Report:
    """Write `training_table.parquet`.

    Args:
        refresh: list remote recordings anew, though they were listed before.

    Raises:
        PreparationError: if there are no recordings, no tables, or nothing in common.
        StorageError: if recordings or tables cannot be reached.
    """
    tables = {label: _found(addresses, storage) for label, addresses in settings.by_label.items()}
    if not any(tables.values()):
        raise PreparationError("no annotation tables; name some with --rumbles, --gunshots or --tables")
    files = list_recordings(settings.recordings, storage, folder.index, refresh=refresh, watch=watch)
    inputs = {
        "tables": digest([(label or "", file.url, file.size, file.version) for label, found in tables.items() for file in found]),
        "recordings": digest([(file.url, file.size, file.version) for file in files]),
    }
    before = folder.before("table", settings, inputs)
    if before is not None:
        return before
    folder.root.mkdir(parents=True, exist_ok=True)
    folder.begin("table")
    reading = _read_tables(tables)
    matched = _match(reading, files)
    if not matched.recordings:
        raise PreparationError(_nothing_in_common(reading, matched, files))
    chosen = _trial(matched.recordings, settings.seed) if folder.dev else matched.recordings
    with replacing(folder.table) as passing:
        _frame(chosen, settings.timezone).write_parquet(passing)
    write_lines(folder.root / "unmatched.tsv", ["what\twhere\trows", *matched.unmatched_lines, *map(_problem_line, reading.problems)])
    report = _report(tables, files, reading, matched, chosen)
    return folder.finish(report, settings, inputs, [folder.table])


@dataclass(frozen=True, slots=True)
class _Reading:
    rows: list[Annotation]
    empty: set[str]
    problems: list[TableProblem]
    repeated: int
    searched: set[str]
    """Stems of recordings that a person went through."""


@dataclass(frozen=True, slots=True)
class _Recording:
    """A recording with what the tables say of it."""

    file: StoredFile
    rows: tuple[Annotation, ...]
    searched: bool


@dataclass(frozen=True, slots=True)
class _Matched:
    recordings: list[_Recording]
    unmatched: Counter[str]

    @property
    def unmatched_lines(self) -> list[str]:
        return [f"no such recording, or several\t{stem}\t{count}" for stem, count in self.unmatched.items()]


def _found(addresses: Sequence[str], storage: Storage) -> list[StoredFile]:
    return [file for address in addresses for file in storage.find(address, TABLE_SUFFIXES)]


def _read_tables(tables: Mapping[str | None, Sequence[StoredFile]]) -> _Reading:
    rows: list[Annotation] = []
    empty: set[str] = set()
    problems: list[TableProblem] = []
    searched: set[str] = set()
    with ExitStack() as stack:
        for label, files in tables.items():
            local = _on_disk(files, stack)
            if not local:
                continue
            read = read_annotations(list(local), label=label, lenient=True)
            rows.extend(replace(row, table=local[Path(row.table)]) for row in read.rows)
            empty |= read.searched_empty
            searched |= read.recordings - read.searched_in_part
            problems.extend(replace(problem, table=local.get(Path(problem.table), problem.table)) for problem in read.problems)
    once = list(_once(rows))
    return _Reading(once, empty - {row.stem for row in once}, problems, len(rows) - len(once), searched)


def _on_disk(files: Sequence[StoredFile], stack: ExitStack) -> dict[Path, str]:
    """Where each table can be read, and its address; those that are not on the disk are fetched."""
    fetched = Path(stack.enter_context(TemporaryDirectory(prefix="loxo-"))) if any(file.path is None for file in files) else Path()
    local: dict[Path, str] = {}
    for number, file in enumerate(files):
        path = file.path
        if path is None:
            path = fetched / str(number) / file.name
            path.parent.mkdir()
            path.write_bytes(b"".join(file.stream()))
        local[path] = file.url
    return local


def _once(rows: Sequence[Annotation]) -> Iterator[Annotation]:
    """Rows without those that another table has already: published tables share recordings."""
    seen: dict[tuple[str, str, float, float], str] = {}
    for row in rows:
        key = (row.stem, row.event.label, row.event.start_s, row.event.end_s)
        if seen.setdefault(key, row.table) == row.table:
            yield row


def _match(reading: _Reading, files: Sequence[StoredFile]) -> _Matched:
    by_url = {file.url: file for file in files}
    names = Names(by_url)
    found: dict[str, list[Annotation]] = defaultdict(list)
    searched: set[str] = set()
    unmatched: Counter[str] = Counter()
    for stem, row in [*((row.stem, row) for row in reading.rows), *((stem, None) for stem in sorted(reading.empty))]:
        url = names.match(stem, row.table if row else "")
        if url is None:
            unmatched[stem] += row is not None
            continue
        found[url] += [row] if row else []
        if stem in reading.searched:
            searched.add(url)
    ordered = [_Recording(by_url[url], tuple(sorted(found[url], key=_in_time)), url in searched) for url in sorted(found)]
    return _Matched(ordered, unmatched)


def _in_time(row: Annotation) -> tuple[float, float, str]:
    return row.event.start_s, row.event.end_s, row.event.label


def _trial(recordings: Sequence[_Recording], seed: int) -> list[_Recording]:
    """A few recordings of each label and a few empty ones, from as many sites as there are."""
    rng = np.random.default_rng(seed)
    shuffled = [recordings[place] for place in rng.permutation(len(recordings))]
    kept: dict[str, _Recording] = {}
    for label in (*EVENT_LABELS, None):
        of_label = [r for r in shuffled if (label in {row.event.label for row in r.rows} if label else not r.rows)]
        turn: Counter[str | None] = Counter()
        ranked = []
        for recording in of_label:
            site, _ = parse_name(recording.file.name, None)
            ranked.append((turn[site], recording))
            turn[site] += 1
        for _, recording in sorted(ranked, key=lambda pair: pair[0])[:DEV_RECORDINGS]:
            kept[recording.file.url] = recording
    return [kept[url] for url in sorted(kept)]


def _frame(recordings: Sequence[_Recording], timezone: ZoneInfo | None) -> pl.DataFrame:
    return pl.DataFrame([row for recording in recordings for row in _rows(recording, timezone)], schema=SCHEMA)


def _rows(recording: _Recording, timezone: ZoneInfo | None) -> Iterator[dict[str, object]]:
    file = recording.file
    site, start_time = parse_name(file.name, timezone)
    of_file = {"recording": file.url, "size": file.size, "version": file.version, "site": site}
    of_file["start_time"] = start_time and start_time.astimezone(UTC)
    of_file["searched"] = recording.searched
    if not recording.rows:
        yield of_file | {"flags": []}
    for row in recording.rows:
        yield of_file | asdict(row.event) | {"flags": sorted(row.event.flags), "table": row.table, "row": row.row}


def _report(
    tables: Mapping[str | None, Sequence[StoredFile]],
    files: Sequence[StoredFile],
    reading: _Reading,
    matched: _Matched,
    chosen: Sequence[_Recording],
) -> Report:
    counts = Counter(row.event.label for recording in chosen for row in recording.rows)
    events = ", ".join(f"{count:,} {label}" for label, count in sorted(counts.items())) or "no events"
    empty = sum(recording.searched and not recording.rows for recording in chosen)
    n_unmatched = sum(matched.unmatched.values())
    notes = []
    if matched.unmatched:
        first = ", ".join(list(matched.unmatched)[:NAMED])
        notes.append(f"{sized(len(matched.unmatched), 'recording')} of tables are not listed, or several bear the name: {first}")
    if reading.problems:
        notes += [f"{sized(len(reading.problems), 'row or table')} could not be read:", *map(str, reading.problems[:NAMED])]
    if reading.repeated:
        notes.append(f"{sized(reading.repeated, 'row')} stand in several tables and count once")
    return Report(
        "table",
        read=f"{sized(sum(map(len, tables.values())), 'table')}, {sized(len(files), 'recording')} listed",
        wrote=f"{events}; {sized(len(chosen), 'recording')}, {empty:,} of them empty",
        skipped=f"{sized(n_unmatched + len(reading.problems), 'row')}" if n_unmatched or reading.problems else "",
        notes=tuple(notes),
    )


def _nothing_in_common(reading: _Reading, matched: _Matched, files: Sequence[StoredFile]) -> str:
    if not reading.rows and not reading.empty:
        return f"no table could be read: {reading.problems[0]}" if reading.problems else "the tables are empty; there is nothing to cut"
    stems = ", ".join(list(matched.unmatched)[:3])
    return (
        f"no recording of the tables ({stems}, ...) is among the {len(files):,} listed ({files[0].url}, ...); name their folder or prefix"
    )


def _problem_line(problem: TableProblem) -> str:
    return f"{' '.join(str(problem).split())}\t{problem.table}\t1"


def read_training_table(path: Path) -> list[TrainingRecording]:
    """The recordings of a training table, with their events.

    Raises:
        PreparationError: if there is no such table.
    """
    if not path.is_file():
        raise PreparationError(f"{path}: not there; make it with `loxo prepare table`")
    try:
        frame = pl.read_parquet(path).select(list(SCHEMA))
    except pl.exceptions.PolarsError as error:
        raise PreparationError(f"{path}: no training table ({' '.join(str(error).split())[:200]}); make it anew") from error
    groups = frame.partition_by("recording", maintain_order=True)
    return [_recording(group) for group in groups]


def _recording(group: pl.DataFrame) -> TrainingRecording:
    rows = group.to_dicts()
    events = tuple(
        Event(row["label"], row["start_s"], row["end_s"], row["low_hz"], row["high_hz"], frozenset(row["flags"]))
        for row in rows
        if row["label"] is not None
    )
    first = rows[0]
    return TrainingRecording(
        first["recording"], first["size"], first["version"], first["site"], first["start_time"], events, first["searched"]
    )
