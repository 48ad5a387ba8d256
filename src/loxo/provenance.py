"""Record where results come from: hashes of inputs, versions of software, and journals.

A **journal** is a file of JSON lines. A process appends a line for each piece of finished work. It
may be killed in the middle of a line, so readers ignore lines that are not JSON objects.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

__all__ = [
    "append_journal",
    "digest",
    "file_hash",
    "journal_records",
    "read_journal",
    "versions",
]


def digest(*parts: object) -> str:
    """SHA-256 of the JSON form of some values; a value that JSON lacks counts by its `str`."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes.

    Raises:
        OSError: if the file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Installed version of each package, and of Python."""
    found = {name: metadata.version(name) for name in packages}
    return found | {"python": platform.python_version()}


def read_journal(path: Path) -> Iterator[dict[str, Any]]:
    """Records of a journal, oldest first; none if there is no journal."""
    if not path.is_file():
        return
    with path.open(encoding="utf-8", errors="replace") as lines:
        yield from journal_records(lines)


def journal_records(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Records of the lines of a journal."""
    for line in lines:
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue  # cut off when a process was killed
        if isinstance(record, dict):
            yield record


def append_journal(path: Path, record: Mapping[str, Any]) -> None:
    """Add a record to a journal."""
    with path.open("a+b") as lines:
        lines.seek(max(lines.tell() - 1, 0))
        # A line that was cut off must not take this record with it.
        start = "" if lines.read() in {b"", b"\n"} else "\n"
        lines.write(f"{start}{json.dumps(record)}\n".encode())
