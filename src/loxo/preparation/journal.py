"""What a step has written so far, so that a step that was killed goes on where it was.

A line a file: its path, the key of the work that made it, and its SHA-256. A file counts as done only if it is there and has that hash; a
line that was cut off by the kill is none. When a step ends, its journal is written anew, in order, with the files of its result: it is
the same bytes whether the step was interrupted or not, and the next run knows what it may keep and what it may remove.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from threading import Lock

from loxo.preparation.folder import file_hash, write_lines

__all__ = ["Done", "Journal"]


@dataclass(frozen=True, slots=True)
class Done:
    """A file by its path relative to the journal's folder, the key of what made it, and its SHA-256."""

    path: str
    key: str
    sha256: str


@dataclass(slots=True)
class Journal:
    """The files that a step writes below a folder that bears its name; threads may share it."""

    path: Path
    known: dict[str, Done] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock, repr=False)

    @classmethod
    def of(cls, folder: Path) -> Journal:
        """What earlier runs noted of a folder, in the `.jsonl` file beside it."""
        path = folder.with_suffix(".jsonl")
        journal = cls(path)
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
            try:
                done = Done(**json.loads(line))
            except (json.JSONDecodeError, TypeError):
                continue
            journal.known[done.path] = done
        journal._write()  # a line that was cut off would spoil the one behind it
        return journal

    def hash_of(self, path: str, key: str) -> str | None:
        """SHA-256 of a file that is done: noted under this key, and on the disk as it was noted."""
        done = self.known.get(path)
        if done is None or done.key != key:
            return None
        try:
            return done.sha256 if file_hash(self.path.parent / path) == done.sha256 else None
        except OSError:
            return None

    def note(self, done: Done) -> None:
        """Add a file that has just been written."""
        with self._lock:
            self.known[done.path] = done
            with self.path.open("a", encoding="utf-8") as lines:
                lines.write(_line(done) + "\n")

    def close(self, kept: Collection[str]) -> None:
        """Remove files that earlier runs wrote and that are no part of this result."""
        for path in sorted(set(self.known) - set(kept)):
            inside = PurePosixPath(path).parts[0] == self.path.stem and ".." not in PurePosixPath(path).parts
            if inside:
                (self.path.parent / path).unlink(missing_ok=True)
            del self.known[path]
        self._write()

    def _write(self) -> None:
        write_lines(self.path, [_line(self.known[path]) for path in sorted(self.known)])


def _line(done: Done) -> str:
    return json.dumps(asdict(done))
