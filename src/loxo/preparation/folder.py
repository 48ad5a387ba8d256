"""The folder that the steps work in, and the receipts that they leave.

A receipt holds no time of day and nothing of how the run went, so that the same inputs and settings give the same bytes. It is written
last: a step without a receipt was not finished.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from loxo.storage import replacing

__all__ = ["Folder", "PreparationError", "Report", "Watch", "digest", "file_hash", "nothing", "sized", "write_lines"]

Watch = Callable[[str, int, int], None]
"""Told of the progress of a step: what is counted, how much is done, of how much."""
PASSING = re.compile(r"\..+\.\d+")
"""Names of files that are being written; see `loxo.storage.replacing`."""
VERSIONS = ("loxo", "numpy", "polars", "soundfile", "soxr")


def nothing(what: str, done: int, total: int) -> None:
    """The `Watch` of nobody."""


class PreparationError(OSError):
    """A step can do nothing; one line that says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a step did, for its row in the closing table.

    Args:
        notes: lines that the user should read: what was left out, and why.
        effort: what this run took: not of its result, and so not in the receipt.
        as_before: nothing was done, since inputs and settings were those of the step's receipt.
        complete: whether a repetition could do no better; False where storage failed for a time.
    """

    step: str
    read: str
    wrote: str
    skipped: str = ""
    notes: tuple[str, ...] = ()
    effort: str = field(default="", compare=False)
    as_before: bool = field(default=False, compare=False)
    complete: bool = field(default=True, compare=False)


@dataclass(frozen=True, slots=True)
class Folder:
    """Where the steps write.

    Args:
        root: `data`; for a trial, `data/dev`.
        index: the listing of recordings, which a trial shares.
    """

    root: Path
    index: Path
    dev: bool = False

    @classmethod
    def at(cls, data: Path, *, dev: bool = False) -> Folder:
        root = data / "dev" if dev else data
        return cls(root, data / "index.parquet", dev)

    @property
    def table(self) -> Path:
        return self.root / "training_table.parquet"

    @property
    def background(self) -> Path:
        return self.root / "background.parquet"

    @property
    def clips(self) -> Path:
        return self.root / "clips.parquet"

    @property
    def resampled(self) -> Path:
        return self.root / "resampled.parquet"

    def before(self, step: str, settings: object, inputs: Mapping[str, str]) -> Report | None:
        """The report of an earlier run with the same settings and inputs, if all that it wrote is still there."""
        try:
            receipt = json.loads(self._receipt(step).read_text(encoding="utf-8"))
            same = receipt["key"] == _key(step, settings, inputs)
            whole = same and all(file_hash(self.root / name) == sha256 for name, sha256 in receipt["outputs"].items())
            told = {**receipt["report"], "notes": tuple(receipt["report"]["notes"])}
            return replace(Report(**told), as_before=True) if whole else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def begin(self, step: str, *folders: str) -> None:
        """Take the receipt away while a step is under way, and what a killed run left half-written here and in the step's folders."""
        self._receipt(step).unlink(missing_ok=True)
        for path in (*self.root.glob(".*"), *(path for folder in folders for path in (self.root / folder).rglob(".*"))):
            if PASSING.fullmatch(path.name):
                path.unlink(missing_ok=True)

    def finish(self, report: Report, settings: object, inputs: Mapping[str, str], outputs: Sequence[Path]) -> Report:
        """Write the receipt, unless a repetition of the step could do better."""
        if report.complete:
            told = asdict(report)
            del told["effort"], told["as_before"], told["complete"]
            receipt = {
                "step": report.step,
                "key": _key(report.step, settings, inputs),
                "settings": _plain(settings),
                "inputs": dict(inputs),
                "outputs": {path.relative_to(self.root).as_posix(): file_hash(path) for path in outputs},
                "versions": {name: metadata.version(name) for name in VERSIONS},
                "report": told,
            }
            with replacing(self._receipt(report.step)) as passing:
                passing.write_text(json.dumps(receipt, indent=2) + "\n", encoding="utf-8")
        return report

    def _receipt(self, step: str) -> Path:
        return self.root / f"{step}.json"


def _key(step: str, settings: object, inputs: Mapping[str, str]) -> str:
    return digest(step, metadata.version("loxo"), _plain(settings), dict(inputs))


def _plain(settings: object) -> Any:
    """Settings as JSON has them."""
    fields = asdict(settings) if hasattr(settings, "__dataclass_fields__") else settings  # type: ignore[call-overload]
    return json.loads(json.dumps(fields, default=str))


def digest(*parts: object) -> str:
    """Identity of a piece of work, from what decides its result."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a file.

    Raises:
        OSError: if it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_lines(path: Path, lines: Sequence[str]) -> None:
    """A text file that is whole or not there."""
    with replacing(path) as passing:
        passing.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")


def sized(count: int, noun: str) -> str:
    """A number of things: `1 clip`, `1,200 clips`.

    >>> sized(1200, "clip")
    '1,200 clips'
    """
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
