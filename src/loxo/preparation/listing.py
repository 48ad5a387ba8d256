"""List recordings, and find the recordings that a file names.

An archive of 100,000 objects is listed once, and the listing is kept in `index.parquet`. A disk is
listed each time, which is fast.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import polars as pl

from loxo.annotations import AnnotationError, read_annotations
from loxo.events import EVENT_LABELS
from loxo.messages import SILENT, Progress
from loxo.preparation.folder import PreparationError
from loxo.provenance import digest
from loxo.recordings import (
    SUFFIXES,
    AmbiguousNameError,
    RecordingIndex,
    RecordingName,
    base_name,
    common_root,
)
from loxo.recordings.names import path_parts
from loxo.storage import Storage, StoredFile, atomic_write

__all__ = ["find_named", "list_recordings", "recordings_root"]

SCHEMA = {
    "recording": pl.String(),
    "size": pl.Int64(),
    "version": pl.String(),
    "listing": pl.String(),
}
PROGRESS_EVERY = 1000
"""Recordings between two reports of the progress of a listing."""


def list_recordings(
    addresses: Sequence[str],
    storage: Storage,
    index: Path,
    *,
    refresh: bool = False,
    progress: Progress = SILENT,
) -> list[StoredFile]:
    """List all recordings at some addresses, sorted by name.

    Args:
        index: file of the kept listing; it is used if it is one of the same remote addresses.
        refresh: list again instead of using the kept listing.

    Raises:
        PreparationError: if there are none.
        StorageError: if they cannot be listed.
    """
    listing = digest(sorted(addresses))
    remote = any("://" in address and not address.startswith("file:") for address in addresses)
    kept = _kept(index, listing) if remote and not refresh else None
    if kept is not None:
        rows = kept.select("recording", "size", "version").iter_rows()
        return [storage.restore(*row) for row in rows]
    found: dict[str, StoredFile] = {}
    for address in addresses:
        for file in storage.find(address, SUFFIXES):
            found[file.url] = file
            if len(found) % PROGRESS_EVERY == 0:
                progress.update("recordings listed", len(found))
    if not found:
        raise PreparationError(
            f"{', '.join(addresses)}: no recordings there; files that end in "
            f"{', '.join(SUFFIXES)} are read"
        )
    files = [found[url] for url in sorted(found)]
    _keep(index, files, listing)
    return files


def _keep(index: Path, files: Iterable[StoredFile], listing: str) -> None:
    rows = [(file.url, file.size, file.version, listing) for file in files]
    index.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(index) as temporary:
        pl.DataFrame(rows, schema=SCHEMA, orient="row").write_parquet(temporary)


def _kept(index: Path, listing: str) -> pl.DataFrame | None:
    """An earlier listing of the same addresses; None if there is none that can be read."""
    try:
        frame = pl.read_parquet(index)
    except (OSError, pl.exceptions.PolarsError):
        return None
    if set(frame.columns) != set(SCHEMA) or frame["listing"].unique().to_list() != [listing]:
        return None
    return frame


def recordings_root(addresses: Sequence[str], paths: Collection[str]) -> str:
    """The folder that paths of recordings are relative to.

    That is the folder or prefix given; with several, the deepest folder that holds them all. A file
    counts by its folder.
    """
    given = [address.replace("\\", "/").rstrip("/") for address in addresses]
    root = common_root(path if path in paths else f"{path}/." for path in given)
    above = path_parts(root)
    inside = all(path_parts(path)[: len(above)] == above for path in paths)
    return root if inside else common_root(paths)


# ---- recordings that a file names


def find_named(
    path: Path, recordings: Collection[str], root: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Find the recordings that an annotation table, or a file with a name a line, names.

    Args:
        recordings: paths or addresses.
        root: folder that they count from.

    Returns:
        Paths of the recordings, and names that no recording has.

    Raises:
        PreparationError: if the file cannot be read, names none, or a name fits several.
    """
    matched = RecordingIndex(recordings, root).match_all(_names(path))
    for found in matched.values():
        if isinstance(found, AmbiguousNameError):
            raise PreparationError(f"{path}: {found}")
    paths = {found for found in matched.values() if isinstance(found, str)}
    missing = {name.longest for name, found in matched.items() if found is None}
    return tuple(sorted(paths)), tuple(sorted(missing))


def _names(path: Path) -> list[RecordingName]:
    try:
        table = read_annotations([path], label=EVENT_LABELS[0])
    except AnnotationError:
        names = [RecordingName(base_name(line), line) for line in _lines(path)]
    else:
        names = [*(row.recording for row in table.rows), *sorted(table.searched_empty, key=str)]
    if not names:
        raise PreparationError(
            f"{path}: it names no recording; give an annotation table, or a name a line"
        )
    return names


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise PreparationError(
            f"{path}: cannot be read ({error}); give an annotation table, or a name a line"
        ) from error
    return [line.strip() for line in lines if line.strip()]
