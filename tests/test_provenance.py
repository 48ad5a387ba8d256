"""Journals: what was written can be read, whatever became of the last line."""

from __future__ import annotations

from pathlib import Path

import pytest

from loxo.provenance import append_journal, read_journal


@pytest.mark.parametrize("cut", range(9))
def test_a_line_that_was_cut_off_takes_no_other_with_it(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "journal.jsonl"
    for number in (1, 2):
        append_journal(path, {"n": number})
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - cut])
    append_journal(path, {"n": 3})
    found = [record["n"] for record in read_journal(path)]
    # Without its line end alone, the second record is whole.
    expected = [1, 2, 3] if cut < 2 else [1, 3]
    assert found == expected
