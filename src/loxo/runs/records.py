"""Outcomes of recordings, and the journal in which a run records them.

The record of a recording is appended to `journal.jsonl` after its outputs are written. A run that
was killed, or is repeated, does not repeat work that has a record with the same key.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from loxo.events import Detection
from loxo.provenance import read_journal
from loxo.runs.plan import absolute_path

__all__ = ["JOURNAL", "FileIdentity", "Outcome", "RunRecords", "identity_of"]

JOURNAL = "journal.jsonl"

Origin = Literal["audio", "scores", "journal"]
"""Where detections were taken from: the recording, its kept scores, or an earlier record."""


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """Size and modification time of a file; its content counts as the same while both are."""

    size: int
    modified_ns: int


def identity_of(path: str) -> FileIdentity:
    """Look up the identity of a file.

    Raises:
        OSError: if it is not there, or may not be looked at.
    """
    status = Path(path).stat()
    return FileIdentity(status.st_size, status.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one recording: its detections, or the reason why it was skipped.

    Args:
        recording: its address.
        path: its path below the root of the run.
        name: path of its outputs below the output folder, without an ending.
        key: hash of all that its detections depend on; empty if it was skipped.
        scores_key: hash of all that its scores depend on.
        table: path of its Raven table below the output folder; empty if there is none.
        file: its identity when it was read.
        seconds: length that was searched, in seconds.
        recorded_s: length by its header, in seconds.
        rate: its own sampling rate in hertz.
        estimated_bands: whether bands and counts of some detections are estimates, since scores
            were kept for other thresholds or another merge gap and the recording was not there.
        damage: what is wrong with it.
        skipped: reason; empty if it was not skipped.
        origin: where this run took the detections from; it is not stored.
    """

    recording: str
    path: str
    name: str = ""
    key: str = ""
    scores_key: str = ""
    table: str = ""
    file: FileIdentity | None = None
    seconds: float = 0.0
    recorded_s: float = 0.0
    rate: int = 0
    channels: int = 0
    detections: tuple[Detection, ...] = ()
    estimated_bands: bool = False
    damage: tuple[str, ...] = ()
    skipped: str = ""
    origin: Origin = field(default="audio", compare=False)

    @property
    def unmeasured(self) -> int:
        """Number of detections whose band is unknown."""
        return sum(detection.low_hz is None for detection in self.detections)

    def to_json(self, root: str) -> dict[str, Any]:
        """The record of this outcome in the journal, without `origin`."""
        stored = asdict(self)
        del stored["origin"]
        return {"root": root} | stored

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Outcome:
        """Make an outcome from its record in the journal.

        Raises:
            KeyError, TypeError, ValueError: if it is the record of another version.
        """
        values = {each.name: record[each.name] for each in fields(cls) if each.name != "origin"}
        file = values["file"]
        return cls(
            **values
            | {
                "file": None if file is None else FileIdentity(**file),
                "detections": tuple(Detection(**each) for each in values["detections"]),
                "damage": tuple(values["damage"]),
                "origin": "journal",
            }
        )


class RunRecords:
    """Records of the runs into an output folder.

    Args:
        output: the folder, which need not exist yet.

    Attributes:
        root: root of the run that the folder holds; None if it holds none.
    """

    def __init__(self, output: Path) -> None:
        self.root: str | None = None
        self._of_path: dict[str, list[Outcome]] = defaultdict(list)
        for record in read_journal(output / JOURNAL):
            try:
                outcome = Outcome.from_json(record)
                # An input that was mistyped is skipped. It must not decide the root.
                self.root = self.root if outcome.skipped else str(record["root"])
            except (KeyError, TypeError, ValueError):
                continue  # written by an older version; its work is done again
            self._of_path[outcome.path].append(outcome)

    @property
    def paths(self) -> list[str]:
        """Paths below the root of all recordings that the folder has results of."""
        done = {path: self.latest(path) for path in self._of_path}
        return [path for path, outcome in done.items() if outcome is not None]

    def latest(self, path: str) -> Outcome | None:
        """The record that the outputs of a recording belong to; None if it was never done."""
        return next((each for each in reversed(self._of_path[path]) if not each.skipped), None)

    def find(self, path: str, key: str) -> Outcome | None:
        """The latest outcome of a recording with this key; None if there is none."""
        return next((each for each in reversed(self._of_path[path]) if each.key == key), None)

    def find_scored(self, path: str, scores_key: str) -> Outcome | None:
        """The latest outcome of a recording with this key of its scores; None if there is none."""
        records = reversed(self._of_path[path])
        return next((each for each in records if each.scores_key == scores_key), None)

    def addresses_below(self, inputs: Iterable[str]) -> list[str]:
        """Addresses of recordings that lie at or below some paths, in the order of the journal."""
        wanted = [absolute_path(each) for each in inputs]
        latest = [self.latest(path) for path in self._of_path]
        return [
            each.recording
            for each in latest
            if each is not None and _lies_below(each.recording, wanted)
        ]


def _lies_below(address: str, folders: Iterable[str]) -> bool:
    path = absolute_path(address)
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)
