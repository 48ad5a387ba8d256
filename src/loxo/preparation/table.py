"""Step 1: all annotation tables and the listing of recordings -> one training table.

Rows are matched to recordings by the rules of `loxo.recordings.matching`: by Begin File, by Begin
Path if the file name is not unique, and by the folder of the table. `unmatched.tsv` lists names
that fit no recording or several, and rows and tables that could not be read. The header of each
recording is read here, once for all steps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import UTC
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from loxo.annotations import (
    Annotation,
    Annotations,
    Matched,
    match_annotations,
    read_annotations,
    read_label_map,
)
from loxo.annotations.tables import RUN_JOURNAL, tables_of_run
from loxo.clips import EVENT_FIELDS
from loxo.messages import SILENT, Progress, one_line, pluralize
from loxo.preparation.folder import Folder, PreparationError, Report
from loxo.preparation.listing import list_recordings, recordings_root
from loxo.preparation.settings import PrepareSettings
from loxo.preparation.training_table import write_training_table
from loxo.provenance import digest, journal_records
from loxo.recordings import RecordingIndex, local_copy, output_names, parse_name
from loxo.storage import Storage, StorageError, StoredFile, write_text

__all__ = ["make_table"]

TABLE_SUFFIXES = (".txt", ".tsv", ".csv", ".parquet")
JOURNAL_SUFFIXES = (".jsonl",)
MAX_NAMED = 10
"""Recordings, or problems, that notes name; `unmatched.tsv` has all."""
DEV_RECORDINGS = 3
"""Recordings of each label in a trial, and empty ones."""
READERS = 16
"""Headers that are read at a time."""

Tables = Mapping[str | None, Sequence[StoredFile]]
"""Tables by the label for rows without a label; None if each row must have its own."""


def make_table(
    folder: Folder, settings: PrepareSettings, storage: Storage, *, progress: Progress = SILENT
) -> Report:
    """Write `training_table.parquet` and `unmatched.tsv`.

    Raises:
        PreparationError: if there are no recordings, no tables, or no recording of a table is
            listed.
        StorageError: if recordings or tables cannot be reached.
    """
    if not settings.recordings:
        raise ValueError(
            "--recordings is missing; name a folder, or an address such as s3://bucket/prefix"
        )
    tables = _find_tables(settings, storage)
    label_map = read_label_map(settings.map)
    files = list_recordings(
        settings.recordings, storage, folder.index, refresh=settings.refresh, progress=progress
    )
    inputs = {
        "tables": digest([(label or "", *_identity(found)) for label, found in tables.items()]),
        "recordings": digest(_identity(files)),
        "map": digest(label_map),
        "sites": digest(settings.site_rule),
    }
    cached = folder.cached("table", settings, inputs)
    if cached is not None:
        return cached
    folder.root.mkdir(parents=True, exist_ok=True)
    folder.begin("table")
    by_url = {file.url: file for file in files}
    root = settings.root or recordings_root(settings.recordings, by_url)
    annotations = _read_tables(tables, label_map)
    matched = match_annotations(annotations, RecordingIndex(by_url, root))
    recordings = _recordings(matched, by_url, root, settings)
    if not recordings:
        raise PreparationError(_nothing_in_common(annotations, matched, files))
    if folder.dev:
        recordings = _trial(recordings, settings)
    recordings = _with_headers(recordings, storage, progress)
    write_training_table(folder.table, _rows(recordings, settings))
    _write_unmatched(folder.root / "unmatched.tsv", annotations, matched)
    n_tables = sum(map(len, tables.values()))
    report = Report(
        "table",
        read=f"{pluralize(n_tables, 'table')}, {pluralize(len(files), 'recording')} listed",
        wrote=_wrote(recordings),
        skipped=_skipped(annotations, matched),
        notes=tuple(_notes(annotations, matched, recordings)),
        complete=not any(recording.header.transient for recording in recordings),
    )
    return folder.finish(report, settings, inputs, [folder.table])


@dataclass(frozen=True, slots=True)
class _Header:
    """What a recording's header says, or why it could not be read."""

    rate: int | None = None
    samples: int | None = None
    channels: int | None = None
    problem: str | None = None
    transient: bool = False


@dataclass(frozen=True, slots=True)
class _Recording:
    """A recording with its rows in the tables."""

    file: StoredFile
    name: str
    site: str | None
    rows: tuple[Annotation, ...]
    searched: bool
    header: _Header = _Header()

    def has(self, label: str | None) -> bool:
        """Whether it has events of a label; for None, whether it has no events at all."""
        labels = {row.event.label for row in self.rows}
        return label in labels if label else not labels


# ---- tables


def _find_tables(settings: PrepareSettings, storage: Storage) -> Tables:
    addresses = {"Rumble": settings.rumbles, "Gunshot": settings.gunshots, None: settings.tables}
    if not any(addresses.values()):
        raise PreparationError(
            "no annotation tables; name some with --rumbles, --gunshots or --tables"
        )
    tables: dict[str | None, list[StoredFile]] = {}
    for label, given in addresses.items():
        tables[label] = []
        for address in given:
            found = list(storage.find(address, (*TABLE_SUFFIXES, *JOURNAL_SUFFIXES)))
            tables[label] += _without_results(found)
    return tables


def _without_results(found: Sequence[StoredFile]) -> list[StoredFile]:
    """Leave out what `loxo detect` found, unless there are no other tables (see `tables_of`)."""
    results: set[str] = set()
    tables: list[StoredFile] = []
    for file in found:
        folder, _, name = file.url.rpartition("/")
        if name == RUN_JOURNAL:
            lines = b"".join(file.stream()).decode(errors="replace").splitlines()
            results |= {f"{folder}/{table}" for table in tables_of_run(journal_records(lines))}
        elif not name.lower().endswith(JOURNAL_SUFFIXES):
            tables.append(file)
    return [table for table in tables if table.url not in results] or tables


def _identity(files: Iterable[StoredFile]) -> list[tuple[str, int, str]]:
    return [(file.url, file.size, file.version) for file in files]


def _read_tables(tables: Tables, label_map: Mapping[str, str]) -> Annotations:
    """Read all tables as one set."""
    parts: list[Annotations] = []
    with ExitStack() as stack:
        for label, files in tables.items():
            local = _local_copies(files, stack)
            if local:
                read = read_annotations(list(local), label=label, label_map=label_map, lenient=True)
                parts.append(read.with_tables({str(path): url for path, url in local.items()}))
    return Annotations(
        tuple(row for part in parts for row in part.rows),
        frozenset().union(*(part.searched_empty for part in parts)),
        tuple(problem for part in parts for problem in part.problems),
        frozenset().union(*(part.searched_in_part for part in parts)),
    )


def _local_copies(files: Sequence[StoredFile], stack: ExitStack) -> dict[Path, str]:
    """The address of each table by the path where it can be read; remote ones are fetched."""
    fetched = Path()
    if any(file.path is None for file in files):
        fetched = Path(stack.enter_context(TemporaryDirectory(prefix="loxo-")))
    local: dict[Path, str] = {}
    for number, file in enumerate(files):
        path = file.path
        if path is None:
            path = fetched / str(number) / file.name
            path.parent.mkdir()
            path.write_bytes(b"".join(file.stream()))
        local[path] = file.url
    return local


# ---- recordings


def _recordings(
    matched: Matched, files: Mapping[str, StoredFile], root: str, settings: PrepareSettings
) -> list[_Recording]:
    """Recordings that tables name, by address."""
    names = output_names(list(files), root)
    sites = settings.site_rule.sites(matched.rows, root)
    return [
        _Recording(files[url], names[url], sites[url], rows, url in matched.searched)
        for url, rows in sorted(matched.rows.items())
    ]


def _trial(recordings: Sequence[_Recording], settings: PrepareSettings) -> list[_Recording]:
    """A few recordings of each label and a few empty ones, of as many sites as there are."""
    rng = np.random.default_rng(settings.seed)
    shuffled = [recordings[index] for index in rng.permutation(len(recordings))]
    kept: dict[str, _Recording] = {}
    for label in (*settings.labels, None):
        n_before: Counter[str | None] = Counter()
        ranked = []
        for recording in shuffled:
            if recording.has(label):
                ranked.append((n_before[recording.site], recording))
                n_before[recording.site] += 1
        for _, recording in sorted(ranked, key=lambda pair: pair[0])[:DEV_RECORDINGS]:
            kept[recording.file.url] = recording
    return [kept[url] for url in sorted(kept)]


def _with_headers(
    recordings: Sequence[_Recording], storage: Storage, progress: Progress
) -> list[_Recording]:
    found: list[_Recording] = []
    with ThreadPoolExecutor(READERS) as pool:
        headers = pool.map(partial(_read_header, storage=storage), recordings)
        for recording, header in zip(recordings, headers, strict=True):
            found.append(replace(recording, header=header))
            progress.update("headers", len(found), len(recordings))
    return found


def _read_header(recording: _Recording, storage: Storage) -> _Header:
    file = recording.file
    try:
        with local_copy(storage.restore(file.url, file.size, file.version)) as opened:
            return _Header(opened.rate, opened.n_samples, opened.channels)
    except (OSError, ValueError) as error:
        return _Header(problem=one_line(error), transient=isinstance(error, StorageError))


def _rows(
    recordings: Iterable[_Recording], settings: PrepareSettings
) -> Iterator[dict[str, object]]:
    for recording in recordings:
        file, header = recording.file, asdict(recording.header)
        del header["transient"]
        _, start_time = parse_name(file.name, settings.zone)
        columns = {
            "recording": file.url,
            "size": file.size,
            "version": file.version,
            "name": recording.name,
            "site": recording.site,
            "start_time": start_time and start_time.astimezone(UTC),
            "searched": recording.searched,
            **header,
        }
        if not recording.rows:
            yield columns
        for row in recording.rows:
            event = {name: getattr(row.event, name) for name in EVENT_FIELDS}
            yield {**columns, **event, "table": row.table, "row": row.row}


# ---- the report


def _wrote(recordings: Sequence[_Recording]) -> str:
    counts = Counter(row.event.label for recording in recordings for row in recording.rows)
    events = ", ".join(f"{count:,} {label}" for label, count in sorted(counts.items()))
    n_empty = sum(recording.searched and not recording.rows for recording in recordings)
    listed = pluralize(len(recordings), "recording")
    return f"{events or 'no events'}; {listed}, {n_empty:,} of them empty"


def _skipped(annotations: Annotations, matched: Matched) -> str:
    n_rows = sum(matched.unmatched.values()) + len(annotations.problems)
    n_rows += sum(_rows_of_ambiguous(annotations, matched).values())
    return pluralize(n_rows, "row") if n_rows else ""


def _rows_of_ambiguous(annotations: Annotations, matched: Matched) -> Counter[str]:
    """Rows by each name that fits several recordings; 0 where a table says that it is empty."""
    names = {error.name for error in matched.ambiguous}
    counts = Counter(row.recording.longest for row in annotations.rows)
    return Counter({name: counts[name] for name in sorted(names)})


def _notes(
    annotations: Annotations,
    matched: Matched,
    recordings: Sequence[_Recording],
) -> Iterator[str]:
    if matched.unmatched:
        missing = sorted({name.longest for name in matched.unmatched})
        yield (
            f"{pluralize(len(missing), 'recording')} of tables not listed: "
            f"{', '.join(missing[:MAX_NAMED])}"
        )
    yield from _first(sorted({str(error) for error in matched.ambiguous}))
    unread = [
        f"{recording.file.url}: {recording.header.problem}"
        for recording in recordings
        if recording.header.problem
    ]
    yield from _first(unread)
    if annotations.problems:
        yield f"{len(annotations.problems):,} rows or tables could not be read:"
        yield from _first([str(problem) for problem in annotations.problems])
    if matched.repeated:
        yield f"{pluralize(matched.repeated, 'row')} repeated in several tables, counted once"


def _first(lines: Sequence[str]) -> Iterator[str]:
    yield from lines[:MAX_NAMED]
    if len(lines) > MAX_NAMED:
        yield f"... and {len(lines) - MAX_NAMED:,} more"


def _write_unmatched(path: Path, annotations: Annotations, matched: Matched) -> None:
    lines = ["what\twhere\trows"]
    unmatched: Counter[str] = Counter()
    for name, count in matched.unmatched.items():
        unmatched[name.longest] += count
    lines += [f"no such recording\t{name}\t{n}" for name, n in sorted(unmatched.items())]
    ambiguous = {error.name: error for error in matched.ambiguous}
    for text, count in _rows_of_ambiguous(annotations, matched).items():
        fitting = " and ".join(sorted(ambiguous[text].recordings))
        lines.append(f"fits several recordings: {fitting}\t{text}\t{count}")
    lines += [f"{one_line(problem)}\t{problem.table}\t1" for problem in annotations.problems]
    write_text(path, "".join(f"{line}\n" for line in lines))


def _nothing_in_common(
    annotations: Annotations, matched: Matched, files: Sequence[StoredFile]
) -> str:
    if matched.ambiguous:
        return str(matched.ambiguous[0])
    if matched.unmatched:
        names = ", ".join(sorted({name.longest for name in matched.unmatched})[:3])
        return (
            f"no recording of the tables ({names}, ...) is among the {len(files):,} listed "
            f"({files[0].url}, ...); name their folder or prefix"
        )
    if annotations.problems:
        return f"no table could be read: {annotations.problems[0]}"
    return "the tables are empty; there is nothing to cut"
