"""The listing of recordings, and how the names in tables find them.

An archive of 100,000 objects is listed once and kept in `index.parquet`; a disk is listed anew each time, which costs nothing.

Tables name a recording by its base name, by a path of another machine, or under an alias of its site; recordings meet under their stem
(`recording_stem`), in upper or lower case. Where several recordings share one, as AudioMoths of many sites name theirs, the folders in
front of a name decide (`distinct_stems`), or else the folder that the table lies in. What stays ambiguous is no match: nothing is guessed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import polars as pl

from loxo.annotations import AnnotationError, distinct_stems, read_annotations, recording_stem
from loxo.events import EVENT_LABELS
from loxo.preparation.folder import PreparationError, Watch, digest, nothing
from loxo.recordings import SUFFIXES
from loxo.storage import Storage, StoredFile, replacing

__all__ = ["Names", "list_recordings", "names_of"]

SCHEMA = {"recording": pl.String(), "size": pl.Int64(), "version": pl.String(), "listing": pl.String()}
STEP = 1000
"""Recordings between two words of the progress of a listing."""


def list_recordings(
    addresses: Sequence[str], storage: Storage, index: Path, *, refresh: bool = False, watch: Watch = nothing
) -> list[StoredFile]:
    """All recordings at some addresses, in the order of their names.

    Args:
        index: where the listing of remote addresses is kept, and taken from if it is of the same ones.
        refresh: list anew whatever is kept.

    Raises:
        PreparationError: if there are none.
        StorageError: if they cannot be listed.
    """
    listing = digest(sorted(addresses))
    remote = any("://" in address and not address.startswith("file:") for address in addresses)
    kept = _kept(index, listing) if remote and not refresh else None
    if kept is not None:
        return [storage.restore(*row) for row in kept.select("recording", "size", "version").iter_rows()]
    found: dict[str, StoredFile] = {}
    for address in addresses:
        for file in storage.find(address, SUFFIXES):
            found[file.url] = file
            if len(found) % STEP == 0:
                watch("recordings listed", len(found), 0)
    if not found:
        raise PreparationError(f"{', '.join(addresses)}: no recordings there; {', '.join(SUFFIXES)} are read")
    files = [found[url] for url in sorted(found)]
    index.parent.mkdir(parents=True, exist_ok=True)
    with replacing(index) as passing:
        pl.DataFrame([(file.url, file.size, file.version, listing) for file in files], schema=SCHEMA, orient="row").write_parquet(passing)
    return files


def _kept(index: Path, listing: str) -> pl.DataFrame | None:
    """An earlier listing of the same addresses; None if there is none that can be read."""
    try:
        frame = pl.read_parquet(index)
    except (OSError, pl.exceptions.PolarsError):
        return None
    return frame if set(frame.columns) == set(SCHEMA) and frame["listing"].unique().to_list() == [listing] else None


@dataclass(slots=True)
class Names:
    """Recordings by the names that tables give them."""

    urls: Iterable[str]
    _by_name: dict[str, list[str]] = field(init=False, default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        for url, name in distinct_stems(self.urls).items():
            for key in {recording_stem(url).casefold(), name.casefold()}:
                self._by_name[key].append(url)

    def match(self, stem: str, table: str = "") -> str | None:
        """The recording of a stem; None if there is none, or more than one.

        Args:
            table: address of the table that names it; of several recordings, the one in a folder of the same name is meant.
        """
        urls = self._by_name.get(stem.casefold(), [])
        if len(urls) > 1:
            folder = PurePosixPath(table.replace("\\", "/")).parent.name
            urls = [url for url in urls if PurePosixPath(url).parent.name == folder]
        return urls[0] if len(urls) == 1 else None


def names_of(path: Path) -> tuple[str, ...]:
    """Recordings that a file names: an annotation table, or a list with a name a line.

    Raises:
        PreparationError: if it cannot be read, or names none.
    """
    try:
        names = sorted(read_annotations([path], label=EVENT_LABELS[0]).recordings)
    except AnnotationError:
        try:
            names = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        except (OSError, UnicodeDecodeError) as error:
            raise PreparationError(f"{path}: cannot be read ({error}); give an annotation table, or a name a line") from error
    if not names:
        raise PreparationError(f"{path}: it names no recording; give an annotation table, or a name a line")
    return tuple(names)
