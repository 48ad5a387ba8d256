"""A journal of the files that a step has written, so that a killed step can be resumed.

The journal (`loxo.provenance`) has a line for each file: its path, the key of the work that made
it, and its SHA-256. A file counts as done only if it exists and has that hash. At its end a step
rewrites the journal in order, with the files of its result: the bytes are the same whether the step
was interrupted or not, and the next run knows which files it may keep or remove.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from threading import Lock

from loxo.provenance import append_journal, file_hash, read_journal
from loxo.storage import write_text

__all__ = ["FileJournal", "WrittenFile"]


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file that a step wrote.

    Args:
        path: relative to the journal's folder.
        key: hash of everything that its content depends on.
    """

    path: str
    key: str
    sha256: str


@dataclass(slots=True)
class FileJournal:
    """Journal of the files below a folder, in the `.jsonl` file beside it; threads may share it."""

    path: Path
    known: dict[str, WrittenFile] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock, repr=False)

    @classmethod
    def of(cls, folder: Path) -> FileJournal:
        """Read what earlier runs wrote to a folder."""
        journal = cls(folder.with_suffix(".jsonl"))
        for record in read_journal(journal.path):
            try:
                written = WrittenFile(**record)
            except TypeError:
                continue
            journal.known[written.path] = written
        journal._rewrite()  # a line that was cut off would spoil the next one
        return journal

    def hash_of(self, path: str, key: str) -> str | None:
        """SHA-256 of a file that is done: recorded with this key, and unchanged on the disk."""
        written = self.known.get(path)
        if written is None or written.key != key:
            return None
        try:
            unchanged = file_hash(self.path.parent / path) == written.sha256
        except OSError:
            return None
        return written.sha256 if unchanged else None

    def add(self, written: WrittenFile) -> None:
        """Record a file that has just been written."""
        with self._lock:
            self.known[written.path] = written
            append_journal(self.path, asdict(written))

    def close(self, kept: Collection[str]) -> None:
        """Remove the files of earlier runs that are no part of this result."""
        for path in sorted(set(self.known) - set(kept)):
            parts = PurePosixPath(path).parts
            if parts[0] == self.path.stem and ".." not in parts:
                (self.path.parent / path).unlink(missing_ok=True)
            del self.known[path]
        self._rewrite()

    def _rewrite(self) -> None:
        lines = [json.dumps(asdict(self.known[path])) + "\n" for path in sorted(self.known)]
        write_text(self.path, "".join(lines))
