"""Recordings in a store: opened by a request for a few kilobytes, read by requests for just the samples that are asked for.

Uncompressed samples lie where the header says, so a clip of a 1.38 GB recording costs its own bytes. Other formats cannot be cut by bytes:
`at_hand` streams such a recording to the disk, for as long as it is needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

from loxo.recordings.header import Header, HeaderError, RecordingError
from loxo.recordings.recording import Recording, from_header, open_recording
from loxo.recordings.wav import read_wav
from loxo.storage import StoredFile

__all__ = ["at_hand", "open_stored"]


def open_stored(file: StoredFile, timezone: ZoneInfo | None = None) -> Recording | None:
    """A recording that can be read where it is; None if it must be fetched whole, since its samples are compressed.

    Raises:
        RecordingError: if nothing in it can be used.
        StorageError: if it cannot be reached.
    """
    if file.path is not None:
        return open_recording(file.path, timezone)
    if file.size == 0:
        raise RecordingError(f"{file.url}: the file is empty; copy it again, or leave it out")
    header = _read_header(file)
    if header is None or header.layout is None:
        return None
    return replace(from_header(Path(file.name), header, timezone), opened=file.open)


def _read_header(file: StoredFile) -> Header | None:
    try:
        with file.open() as opened:
            return read_wav(opened, file.size)
    except HeaderError as error:
        raise RecordingError(f"{file.url}: {error}; copy it again, or leave it out") from error


@contextmanager
def at_hand(file: StoredFile, timezone: ZoneInfo | None = None) -> Iterator[Recording]:
    """A recording of any format, fetched to a passing file if it cannot be read where it is.

    Raises:
        RecordingError: if nothing in it can be used.
        StorageError: if it cannot be reached.
    """
    recording = open_stored(file, timezone)
    if recording is not None:
        yield recording
        return
    with TemporaryDirectory(prefix="loxo-") as folder:
        path = Path(folder, file.name)
        with path.open("wb") as out:
            out.writelines(file.stream())
        yield open_recording(path, timezone)
