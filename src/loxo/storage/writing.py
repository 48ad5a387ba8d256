"""Files that are whole or not there: written under a passing name in the same folder, and renamed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["replacing"]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A passing name in the folder of `path`, renamed to it at the end, or removed if writing fails."""
    passing = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield passing
        passing.replace(path)
    finally:
        passing.unlink(missing_ok=True)
