"""A file as a listing describes it, and ways to read it: ranges, a stream, a seekable file."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Protocol, cast
from urllib.parse import unquote

from loxo.storage.addresses import is_remote

__all__ = ["Fetcher", "StoredFile"]

PIECE = 4 << 20
"""Bytes of one piece of a stream."""
AHEAD = (4 << 10, 1 << 20)
"""Bytes that a small read fetches: at first, and at most, after sequential reads."""


class Fetcher(Protocol):
    """Something that reads ranges of bytes of a stored file."""

    def fetch(self, file: StoredFile, start: int, stop: int) -> bytes: ...


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file as a listing describes it, and ways to read it.

    Args:
        url: path of a local file, else the whole address.
        size: bytes.
        version: changes with the content: an ETag, or the time of the last change.
        storage: reads the bytes.
    """

    url: str
    size: int
    version: str
    storage: Fetcher = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        """Base name, decoded if it is that of a web address."""
        last = PurePosixPath(self.url).name
        return unquote(last) if self.url.startswith(("http://", "https://")) else last

    @property
    def path(self) -> Path | None:
        """Path on the disk; None for a remote file."""
        return None if is_remote(self.url) else Path(self.url)

    def read(self, start: int, stop: int) -> bytes:
        """Read bytes `[start, stop)` in one request.

        Raises:
            ValueError: if they lie outside the file.
            StorageError: if not all of them can be read, or a remote file has changed since it
                was listed.
        """
        if not 0 <= start <= stop <= self.size:
            raise ValueError(f"{self.url}: bytes {start} to {stop} are not within 0 to {self.size}")
        return self.storage.fetch(self, start, stop) if stop > start else b""

    def stream(self) -> Iterator[bytes]:
        """Read the whole file in pieces; a retry continues at the piece that failed.

        Raises:
            StorageError: if a piece cannot be read.
        """
        for start in range(0, self.size, PIECE):
            yield self.read(start, min(self.size, start + PIECE))

    def open(self) -> BinaryIO:
        """Open the file for reading and seeking, as parsers need it."""
        if self.path is not None:
            return self.path.open("rb")
        return cast("BinaryIO", _RangeFile(self))


class _RangeFile(io.RawIOBase):
    """A remote file for reading and seeking.

    A read that is larger than the read-ahead window is one request for just its bytes. Smaller
    reads are served from the window. The window grows while reads are sequential and shrinks after
    a jump, so a header costs a few kilobytes and a whole file costs few requests.
    """

    def __init__(self, file: StoredFile) -> None:
        super().__init__()
        self.file = file
        self.at = 0
        self.window = b""
        self.window_start = 0
        self.ahead = AHEAD[0]

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self.at, os.SEEK_END: self.file.size}[whence]
        if base + offset < 0:
            raise ValueError(f"{self.file.url}: byte {base + offset} is before the first")
        self.at = base + offset
        return self.at

    def readinto(self, buffer: Any) -> int:
        wanted = memoryview(buffer).cast("B")
        content = self._next(len(wanted))
        wanted[: len(content)] = content
        return len(content)

    def readall(self) -> bytes:
        return self._next(self.file.size)

    def _next(self, most: int) -> bytes:
        content = self._bytes(self.at, min(self.at + most, self.file.size))
        self.at += len(content)
        return content

    def _bytes(self, start: int, stop: int) -> bytes:
        if stop <= start:
            return b""
        end = self.window_start + len(self.window)
        if self.window_start <= start and stop <= end:
            return self.window[start - self.window_start : stop - self.window_start]
        known = (
            self.window[start - self.window_start :] if self.window_start <= start < end else b""
        )
        first = start + len(known)
        if stop - first >= self.ahead:
            return known + self.file.read(first, stop)
        # The read is sequential if the next window starts where the last one ended.
        self.ahead = min(2 * self.ahead, AHEAD[1]) if first == end and self.window else AHEAD[0]
        self.window = known + self.file.read(
            first, min(self.file.size, max(stop, first + self.ahead))
        )
        self.window_start = start
        return self.window[: stop - start]
