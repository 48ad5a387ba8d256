"""A set on disk: recordings as FLAC, and `set.json` with their events.

A set is written once. It is read again by every later run, so that all models meet the same sound,
also when the simulator or the composer has changed since. `set.json` states the hash of the
simulator that was used.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from judging.composing import Truth
from judging.sources import RATE, Waveform
from loxo import simulate
from loxo.annotations import read_table
from loxo.events import Event
from loxo.storage import atomic_write
from loxo.timeline import seconds_at

__all__ = [
    "Composed",
    "Judged",
    "JudgedSet",
    "composed_set",
    "hash_of",
    "simulator_hash",
    "written_set",
]


@dataclass(frozen=True, eq=False)
class Composed:
    """A recording to be written: its name, the row that it counts for, sound and events."""

    name: str
    row: str
    waveform: Waveform
    truths: list[Truth]


@dataclass(frozen=True)
class Judged:
    """A recording of a set.

    Args:
        row: what its false positives count for, such as a condition.
        seconds: its length.
        truths: its events.
    """

    path: Path
    row: str
    seconds: float
    truths: tuple[Truth, ...]

    @property
    def name(self) -> str:
        """Its name in its folder, without suffix."""
        return f"{self.path.parent.name}/{self.path.stem}"


@dataclass(frozen=True)
class JudgedSet:
    """Recordings that are judged together."""

    name: str
    recordings: tuple[Judged, ...]

    @property
    def key(self) -> str:
        """A hash of the names, lengths, sizes and events of all recordings."""
        rows = [
            (each.name, each.seconds, each.path.stat().st_size, str(each.truths))
            for each in self.recordings
        ]
        return hashlib.sha256(repr((self.name, rows)).encode()).hexdigest()[:12]


def composed_set(folder: Path, make: Callable[[], Iterable[Composed]]) -> JudgedSet:
    """Read a set, or write it first.

    Args:
        folder: of this set; its name is that of the set.
        make: composes the recordings one by one.
    """
    if not (folder / "set.json").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        # The table comes last: a set without a table is not complete, and is written again.
        _write_table(folder, [_write(folder, each) for each in make()])
    table = json.loads((folder / "set.json").read_text(encoding="utf-8"))
    return JudgedSet(folder.name, tuple(_read(folder, table)))


def written_set(folder: Path, write: Callable[[Path], None]) -> JudgedSet:
    """Read a set, or let `write` write its recordings first, each with a table of its events.

    The events of one recording are of one place, so that they count as one source.
    """
    if not (folder / "set.json").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        write(folder)
        _write_table(folder, [_described(path) for path in sorted(folder.glob("*.flac"))])
    return composed_set(folder, tuple)


def _described(path: Path) -> dict[str, Any]:
    events = read_table(path.with_suffix(".selections.txt")).events
    return {
        "name": path.stem,
        "row": "",
        "seconds": soundfile.info(path).duration,
        "truths": [asdict(Truth(event, path.stem)) for event in events],
    }


def _write(folder: Path, composed: Composed) -> dict[str, Any]:
    path = folder / f"{composed.name}.flac"
    if path.exists():
        raise ValueError(f"two recordings of the set {folder.name} have the name {composed.name}")
    samples = np.round(np.clip(composed.waveform, -1, 1) * 32767).astype(np.int16)
    soundfile.write(path, samples, RATE, subtype="PCM_16")
    return {
        "name": composed.name,
        "row": composed.row,
        "seconds": seconds_at(len(samples), RATE),
        "truths": [asdict(truth) for truth in composed.truths],
    }


def _write_table(folder: Path, recordings: list[dict[str, Any]]) -> None:
    table = {"simulator": simulator_hash(), "recordings": recordings}
    with atomic_write(folder / "set.json") as temporary:
        temporary.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def _read(folder: Path, table: dict[str, Any]) -> Iterator[Judged]:
    for row in table["recordings"]:
        truths = tuple(
            Truth(Event(**truth["event"]), truth["source"], truth["row"]) for truth in row["truths"]
        )
        yield Judged(folder / f"{row['name']}.flac", row["row"], row["seconds"], truths)


def simulator_hash() -> str:
    """A hash of the simulator's code."""
    return hash_of(sorted(Path(simulate.__path__[0]).rglob("*.py")))


def hash_of(files: Iterable[Path]) -> str:
    """A hash of the names and contents of files."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
