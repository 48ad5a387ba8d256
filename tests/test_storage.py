"""A file is the old one or the new one, whatever happens in between."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from loxo.storage import replacing


def test_what_is_written_appears_at_the_end_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    path.write_text("old")
    with replacing(path) as passing:
        assert passing.parent == path.parent  # a rename across file systems would be a copy
        assert passing.name.startswith(".")
        passing.write_text("half")
        assert path.read_text() == "old"
        passing.write_text("new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    path.write_text("old")
    with pytest.raises(OSError, match="disk full"):
        write_half(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def write_half(path: Path) -> None:
    with replacing(path) as passing:
        passing.write_text("half")
        raise OSError("disk full")


def test_writing_nothing_is_an_error_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), replacing(path):
        pass
    assert path.read_text() == "old"


def test_a_process_that_is_killed_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    path.write_text("old")
    killed = """
import os, pathlib, sys
from loxo.storage import replacing
with replacing(pathlib.Path(sys.argv[1])) as passing:
    passing.write_text("half")
    os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", killed, str(path)], check=False).returncode == 9
    assert path.read_text() == "old"
