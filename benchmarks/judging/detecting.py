"""Detections of a model in a set, kept on disk.

Each recording is searched twice through `Model.detect`: at the model's thresholds, as a user does
it, and at low thresholds, for figures at all thresholds. The key of the kept results is a hash of
the model, of the code that detects, and of the set. So a run that was interrupted goes on, and
nothing old is taken for new.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

import loxo
from judging.material import Material
from judging.sets import Composed, Judged, JudgedSet, composed_set, hash_of
from judging.sources import read_manifest
from loxo.events import Detection
from loxo.model import Model
from loxo.scoring import calibrated
from loxo.storage import atomic_write

__all__ = ["LOW", "Detector", "FoundSet", "Workshop"]

LOW = 0.02
"""Threshold at which a model is run for figures at all thresholds: of the scores before they are
calibrated, since the scores of a model that was calibrated where events are rare are low."""
NOT_DETECTING = (
    "simulate",
    "training",
    "augment",
    "cli",
    "report",
    "review",
    "adaptation",
    "preparation",
    "evaluation",
    "metrics",
)
"""Parts of the package that do not change what is detected."""


@dataclass(frozen=True)
class FoundSet:
    """A set and what a model found in each recording.

    Args:
        default, low: detections at the model's thresholds and from `LOW` on, by the recording's
            name.
    """

    judged: JudgedSet
    default: Mapping[str, Sequence[Detection]]
    low: Mapping[str, Sequence[Detection]]

    def of(self, recording: Judged, label: str, *, low: bool = False) -> list[Detection]:
        """Detections of a label in a recording, in order of time."""
        rows = (self.low if low else self.default)[recording.name]
        return [found for found in rows if found.label == label]


class Detector:
    """A model, and the folder in which its detections are kept."""

    def __init__(self, model: str, output: Path) -> None:
        self.model: Model = loxo.load_model(model)
        self.output = output
        self.key = f"{self.model.hash[:12]}-{code_hash()}"

    def detect(self, judged: JudgedSet) -> FoundSet:
        """Detect in all recordings of a set, or read what was kept."""
        kept = self.output / f"{judged.name}-{judged.key}-{self.key}.json"
        if not kept.is_file():
            self.output.mkdir(parents=True, exist_ok=True)
            with atomic_write(kept) as temporary:
                temporary.write_text(json.dumps(self._detect(judged)) + "\n", encoding="utf-8")
        rows = json.loads(kept.read_text(encoding="utf-8"))
        default, low = (
            {name: [Detection(*row) for row in found] for name, found in rows[which].items()}
            for which in ("default", "low")
        )
        return FoundSet(judged, default, low)

    def _detect(self, judged: JudgedSet) -> dict[str, dict[str, list[list[Any]]]]:
        names = [recording.name for recording in judged.recordings]
        if len(set(names)) != len(names):
            raise ValueError(f"recordings of the set {judged.name} share a name")
        paths = [recording.path for recording in judged.recordings]
        lowest = calibrated(np.full((1, len(self.model.labels)), LOW), self.model.spec)[0]
        thresholds = dict(zip(self.model.labels, lowest.tolist(), strict=True))
        found: dict[str, dict[str, list[list[Any]]]] = {}
        # Several recordings at a time: one of a few seconds leaves the model's workers idle.
        with ThreadPoolExecutor(4) as pool:
            for which, chosen in (("default", None), ("low", thresholds)):
                rows = pool.map(partial(self._rows, chosen), paths)
                found[which] = dict(zip(names, rows, strict=True))
        return found

    def _rows(self, thresholds: Mapping[str, float] | None, path: Path) -> list[list[Any]]:
        return [list(astuple(each)) for each in self.model.detect(path, thresholds=thresholds)]


def code_hash() -> str:
    """A hash of the code that detects."""
    source = Path(loxo.__file__).parent
    files = (
        path
        for path in sorted(source.rglob("*.py"))
        if path.relative_to(source).parts[0].removesuffix(".py") not in NOT_DETECTING
    )
    return hash_of(files)


class Workshop:
    """Sets and their detections by one model.

    Args:
        shared: folder with `audio` and `bench`.
        sets: folder of the composed sets.
        detector: the model.
    """

    def __init__(self, shared: Path, sets: Path, detector: Detector) -> None:
        self.shared = shared
        self.sets = sets
        self.detector = detector

    @cached_property
    def material(self) -> Material:
        """Events and beds of the shared recordings."""
        return Material(read_manifest(self.shared / "audio"))

    def found(self, judged: JudgedSet) -> FoundSet:
        """What the model finds in a set."""
        return self.detector.detect(judged)

    def composed(self, name: str, make: Callable[[Material], Iterable[Composed]]) -> FoundSet:
        """What the model finds in a composed set, which is written first if need be."""
        return self.found(composed_set(self.sets / name, lambda: make(self.material)))
