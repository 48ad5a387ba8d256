"""Files that are whole or not there: written under a temporary name, then renamed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["atomic_write", "write_json", "write_text"]


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it to `path` at the end.

    If writing fails, the temporary file is removed and `path` stays as it was.

    Raises:
        FileNotFoundError: if there is no such folder.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path.parent}: no such folder; make it before {path.name}")
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file, whole or not at all, with line ends as they are."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: object, *, indent: int | None = 2) -> None:
    """Write a JSON file, whole or not at all; a number that is not finite is an error.

    Raises:
        ValueError: if `value` holds NaN or an infinity, which JSON does not have.
    """
    write_text(path, json.dumps(value, indent=indent, allow_nan=False) + "\n")
