"""Open recordings on a disk, on S3, on a web server, or in an array.

A remote recording is opened by a request for a few kilobytes. Uncompressed samples are then read by
requests for just their bytes, since the header says where they are: a clip of a 1.38 GB recording
costs no more than the clip. Compressed recordings cannot be read in parts. They are downloaded to a
temporary file, which is deleted with the last `Recording` that uses it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from numpy.typing import NDArray

from loxo.recordings.arrays import array_recording
from loxo.recordings.header import Header, HeaderError, RecordingError
from loxo.recordings.recording import Recording, TemporaryCopy, from_header, open_file
from loxo.recordings.wav import read_wav
from loxo.storage import Storage, StoredFile

__all__ = ["RecordingSource", "local_copy", "open_recording", "open_stored"]

RecordingSource = str | os.PathLike[str] | StoredFile | Recording | NDArray[Any]
"""Everything that can be opened as a recording: a path, an address, or an array with its rate."""


def open_recording(
    x: RecordingSource, timezone: ZoneInfo | None = None, *, rate: int | None = None
) -> Recording:
    """Open a recording: read its header, size and name, but no samples yet.

    Args:
        x: a path, an address (`s3://...`, `https://...`), samples as an array `(sample,)` or
            `(sample, channel)`, or a recording, which is returned unchanged.
        timezone: of the time in the file's name. Without it the start time is unknown, unless the
            name says UTC itself.
        rate: sampling rate in hertz; required for an array, and checked for a file.

    Raises:
        RecordingError: if nothing in it can be used.
        StorageError: if its address cannot be reached.
        ValueError: if the array or the rate is not usable, or the file has another rate.

    >>> import numpy as np
    >>> open_recording(np.zeros(12000), rate=8000).duration_s
    1.5
    """
    if isinstance(x, list | tuple) and any(isinstance(each, str | os.PathLike) for each in x):
        raise ValueError(
            f"{len(x)} paths in a {type(x).__name__}: give one recording at a time, "
            "as in [model.detect(path) for path in paths]"
        )
    if isinstance(x, str) and "://" in x:
        x = Storage().file(x)
    if isinstance(x, str | os.PathLike):
        recording = open_file(Path(x), timezone)
    elif isinstance(x, StoredFile):
        recording = open_stored(x, timezone) or _download(x, timezone)
    elif isinstance(x, Recording):
        recording = x
    else:
        return array_recording(x, rate)
    if rate is not None and rate != recording.rate:
        raise ValueError(
            f"{recording.path}: rate {rate!r} Hz was given, but the recording has "
            f"{recording.rate} Hz; omit the rate, since files give their own"
        )
    return recording


def open_stored(file: StoredFile, timezone: ZoneInfo | None = None) -> Recording | None:
    """Open a recording that can be read where it is.

    Returns:
        The recording; None if its samples are compressed and it must be downloaded as a whole.

    Raises:
        RecordingError: if nothing in it can be used.
        StorageError: if it cannot be reached.
    """
    if file.path is not None:
        return open_file(file.path, timezone)
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


def _download(file: StoredFile, timezone: ZoneInfo | None) -> Recording:
    """Download a recording to a temporary copy and open it."""
    copy = TemporaryCopy(file.name)
    try:
        with copy.path.open("wb") as out:
            out.writelines(file.stream())
        recording = open_file(copy.path, timezone)
    except BaseException:
        copy.delete()
        raise
    return replace(recording, path=Path(file.name), copy=copy)


@contextmanager
def local_copy(file: StoredFile, timezone: ZoneInfo | None = None) -> Iterator[Recording]:
    """Open a recording of any format, with a temporary copy if needed that is deleted at the end.

    Raises:
        RecordingError: if nothing in it can be used.
        StorageError: if it cannot be reached.
    """
    recording = open_stored(file, timezone) or _download(file, timezone)
    try:
        yield recording
    finally:
        if recording.copy is not None:
            recording.copy.delete()
