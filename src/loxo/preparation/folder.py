"""The folder that the steps write to, with their receipts and reports.

A **receipt** is `<step>.json`: settings, hashes of inputs and outputs, versions, report. It holds
no time of day and nothing about the run itself, so the same inputs and settings give the same
bytes. It is written last: a step without a receipt did not finish.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from loxo.preparation.settings import PrepareSettings
from loxo.provenance import digest, file_hash, versions
from loxo.storage import write_json

__all__ = ["Folder", "PreparationError", "Report"]

TEMPORARY = re.compile(r"\..+\.\d+")
"""Names of unfinished files; see `loxo.storage.atomic_write`."""
PACKAGES = ("loxo", "numpy", "polars", "soundfile", "soxr")
"""Packages whose versions a receipt holds."""


class PreparationError(OSError):
    """A step that cannot be done; one line with the reason and the remedy."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a step did: its row in the table at the end.

    Args:
        notes: lines that the user should read, such as what was ignored and why.
        effort: time and transfer of this run; not part of the receipt.
        cached: nothing was done, since the receipt has the same settings and inputs.
        complete: False if storage failed, so that running the step again may do more.
    """

    step: str
    read: str
    wrote: str
    skipped: str = ""
    notes: tuple[str, ...] = ()
    effort: str = field(default="", compare=False)
    cached: bool = field(default=False, compare=False)
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

    def cached(
        self, step: str, settings: PrepareSettings, inputs: Mapping[str, str]
    ) -> Report | None:
        """The report of a finished step of the same settings and inputs; else None."""
        receipt = self.receipt(step)
        try:
            if receipt["key"] != _key(step, settings, inputs):
                return None
            outputs: Mapping[str, str] = receipt["outputs"]
            if any(file_hash(self.root / name) != hashed for name, hashed in outputs.items()):
                return None
            stored = {**receipt["report"], "notes": tuple(receipt["report"]["notes"])}
            return replace(Report(**stored), cached=True)
        except (OSError, KeyError, TypeError):
            return None

    def receipt(self, step: str) -> dict[str, Any]:
        """The receipt of a step; empty if there is none that can be read."""
        try:
            content = json.loads(self._receipt(step).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def begin(self, step: str, *folders: str) -> None:
        """Remove a step's receipt, and unfinished files of a killed run here and in its folders."""
        self._receipt(step).unlink(missing_ok=True)
        hidden = [*self.root.glob(".*")]
        for folder in folders:
            hidden += (self.root / folder).rglob(".*")
        for path in hidden:
            if TEMPORARY.fullmatch(path.name):
                path.unlink(missing_ok=True)

    def finish(
        self,
        report: Report,
        settings: PrepareSettings,
        inputs: Mapping[str, str],
        outputs: Sequence[Path],
    ) -> Report:
        """Write the receipt, unless running the step again could do more."""
        if not report.complete:
            return report
        stored = asdict(report)
        for name in ("effort", "cached", "complete"):
            del stored[name]
        hashes = {path.relative_to(self.root).as_posix(): file_hash(path) for path in outputs}
        receipt = {
            "step": report.step,
            "key": _key(report.step, settings, inputs),
            "settings": settings.of_step(report.step),
            "inputs": dict(inputs),
            "outputs": hashes,
            "versions": versions(PACKAGES),
            "report": stored,
        }
        write_json(self._receipt(report.step), receipt)
        return report

    def _receipt(self, step: str) -> Path:
        return self.root / f"{step}.json"


def _key(step: str, settings: PrepareSettings, inputs: Mapping[str, str]) -> str:
    return digest(step, metadata.version("loxo"), settings.of_step(step), dict(inputs))
