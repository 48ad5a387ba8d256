"""Rows of figures: what is kept in a file, shown in tables, and compared between two runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from loxo.storage import atomic_write

__all__ = ["Row", "Value", "compare", "heading", "is_worse", "line", "read", "tables", "write"]


@dataclass(frozen=True, slots=True)
class Value:
    """A figure with an interval of 95 %; None where it is undefined."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One figure.

    Args:
        group: the table that it belongs to.
        name: the row in that table.
        label: `Rumble`, `Gunshot`, or empty.
        measure: the column, such as `recall`.
        n: number of events, detections or clips that it is drawn from.
        better: 1 if more is better, -1 if less is, 0 if neither.
    """

    group: str
    name: str
    label: str
    measure: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    better: int

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What makes it the same figure in two runs."""
        return self.group, self.name, self.label, self.measure


def is_worse(old: Row, new: Row) -> bool:
    """Whether a figure got worse by more than the interval of the old one."""
    if old.value is None or new.value is None or not new.better:
        return False
    limit = old.low if new.better > 0 else old.high
    limit = old.value if limit is None else limit
    return (new.value - limit) * new.better < 0


def write(path: Path, model: Mapping[str, str], rows: Sequence[Row]) -> None:
    """Write all rows and what the model was."""
    content = {"model": dict(model), "rows": [asdict(row) for row in rows]}
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read(path: Path) -> list[Row]:
    """Read the rows of a run."""
    return [Row(**row) for row in json.loads(path.read_text(encoding="utf-8"))["rows"]]


# ---- tables


def tables(rows: Sequence[Row], old: Sequence[Row] = ()) -> Iterator[str]:
    """Write a table for each group, line by line.

    Args:
        old: rows of another run; its figures are shown before those of this one.
    """
    before = {row.key: row for row in old}
    for group in dict.fromkeys(row.group for row in rows):
        yield from ("", f"### {group}", "")
        yield from _table([row for row in rows if row.group == group], before)


def _table(rows: Sequence[Row], before: Mapping[tuple[str, str, str, str], Row]) -> Iterator[str]:
    measures = list(dict.fromkeys(row.measure for row in rows))
    yield from heading("", "", "n", *measures)
    by_name: dict[tuple[str, str], dict[str, Row]] = {}
    for row in rows:
        by_name.setdefault((row.name, row.label), {})[row.measure] = row
    for (name, label), cells in by_name.items():
        numbers = "/".join(map(str, dict.fromkeys(row.n for row in cells.values())))
        shown = [_cell(cells.get(measure), before) for measure in measures]
        yield line(name, label, numbers, *shown)


def _cell(row: Row | None, before: Mapping[tuple[str, str, str, str], Row]) -> str:
    if row is None:
        return ""
    old = before.get(row.key)
    if old is None:
        return _text(row)
    return f"{_text(old)} → {_text(row)}{' **worse**' if is_worse(old, row) else ''}"


def _text(row: Row) -> str:
    if row.value is None:
        return "-"
    limits = (
        "" if row.low is None or row.high is None else f" ({_short(row.low)}-{_short(row.high)})"
    )
    return f"{_short(row.value)}{limits}"


def _short(value: float) -> str:
    """Write a share with two decimals, and a large number without."""
    return f"{value:.2f}" if abs(value) < 9.995 else f"{value:.0f}"


def compare(old: Iterable[Row], new: Iterable[Row]) -> Iterator[str]:
    """List the figures that got worse by more than their interval."""
    before = {row.key: row for row in old}
    worse = [row for row in new if row.key in before and is_worse(before[row.key], row)]
    yield f"{len(worse)} figures are worse by more than the interval of the old ones" + (
        ":" if worse else "."
    )
    for row in worse:
        name = ", ".join(filter(None, row.key))
        yield f"- {name}: {_text(before[row.key])} → {_text(row)}"


def heading(*columns: str) -> Iterator[str]:
    """The first two lines of a table."""
    yield line(*columns)
    yield "|---" * len(columns) + "|"


def line(*cells: str) -> str:
    """A line of a table."""
    return f"| {' | '.join(cells)} |"
