"""A run over many recordings on this machine: planned, worked on in threads, collected.

Several recordings may be worked on at once (`Run.jobs`). They share the model's workers. Outcomes
come in the order of the recordings, and one thread writes the journal.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from loxo.messages import SILENT, Progress
from loxo.model import Model
from loxo.provenance import append_journal, versions
from loxo.recordings import find_recordings
from loxo.runs.collect import write_tables
from loxo.runs.plan import PlannedRecording, check_root, plan_recordings
from loxo.runs.records import JOURNAL, Outcome, RunRecords
from loxo.runs.settings import RunSettings
from loxo.runs.work import RecordingWorker
from loxo.scoring import Profile, bounded_map

__all__ = ["Run", "RunSummary", "list_recordings"]

PACKAGES = ("loxo", "numpy", "scipy", "onnxruntime", "soundfile", "soxr")
"""Packages whose versions `run.json` names."""


def list_recordings(inputs: Sequence[str], output: Path | None = None) -> list[str]:
    """Find the recordings that files and folders name.

    Args:
        output: folder with results of an earlier run. If no recording is found in the inputs, those
            of the earlier run are listed, since their scores may be kept.
    """
    found = [str(path) for path in find_recordings(inputs)]
    if output is None or any(Path(each).exists() for each in found):
        return found
    return RunRecords(output).addresses_below(inputs) or found


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a run did.

    Args:
        outcomes: of all recordings, in order.
        audio_s: seconds of audio in the recordings that were not skipped.
        wall_s: seconds that the run took.
        times_real_time: seconds of audio that were scored in each second.
        n_others: recordings that the output folder has results of and this run did not meet. They
            are not in its tables.
    """

    outcomes: tuple[Outcome, ...]
    audio_s: float
    wall_s: float
    times_real_time: float
    n_others: int = 0


@dataclass(slots=True)
class Run:
    """A run over recordings into an output folder.

        run = Run(model, settings, output, run_root(inputs))
        for outcome in run.outcomes(list_recordings(inputs)):
            ...
        summary = run.collect()

    Args:
        root: the folder that paths of recordings are relative to, from `run_root`.
        jobs: number of recordings that are worked on at once.
        force: whether to read recordings again that earlier runs have done.
        progress: receives the seconds read of a recording, if `jobs` is 1.

    Raises:
        ValueError: if the output folder holds the results of another root.
    """

    model: Model
    settings: RunSettings
    output: Path
    root: str
    jobs: int = 1
    force: bool = False
    progress: Progress = SILENT
    profile: Profile = field(default_factory=Profile)
    _pairs: list[tuple[PlannedRecording, Outcome]] = field(default_factory=list)
    _n_others: int = 0
    _began: float = field(default_factory=time.perf_counter)

    def __post_init__(self) -> None:
        check_root(self.root, RunRecords(self.output).root, self.output)

    def outcomes(self, recordings: Sequence[str | Path]) -> Iterator[Outcome]:
        """Work on recordings and yield their outcomes in order.

        Raises:
            ValueError: if a recording does not lie below the root.
        """
        self._began, self._pairs = time.perf_counter(), []
        records = RunRecords(self.output)
        plan = plan_recordings(
            map(str, recordings),
            self.root,
            sites=self.settings.sites,
            timezone=self.settings.timezone,
            known=records.paths,
        )
        self._n_others = len({*records.paths}.difference(planned.path for planned in plan))
        self.output.mkdir(parents=True, exist_ok=True)
        worker = RecordingWorker(
            self.model,
            self.settings,
            self.output,
            records,
            force=self.force,
            taken=frozenset(planned.name for planned in plan),
            progress=self.progress if self.jobs == 1 else SILENT,
            profile=self.profile,
        )
        with ThreadPoolExecutor(self.jobs) if self.jobs > 1 else nullcontext() as pool:
            try:
                done = bounded_map(pool, worker, plan, self.jobs + 1)
                for planned, outcome in zip(plan, done, strict=True):
                    if records.latest(planned.path) != outcome:
                        append_journal(self.output / JOURNAL, outcome.to_json(self.root))
                    self._pairs.append((planned, outcome))
                    yield outcome
            finally:
                worker.stop.set()  # what is under way ends with the next block

    def collect(self) -> RunSummary:
        """Write the tables of the run."""
        outcomes = tuple(outcome for _, outcome in self._pairs)
        wall_s = time.perf_counter() - self._began
        scored_s = sum(each.seconds for each in outcomes if each.origin == "audio")
        summary = RunSummary(
            outcomes,
            sum(each.seconds for each in outcomes),
            wall_s,
            scored_s / wall_s,
            self._n_others,
        )
        record = {
            "root": self.root,
            "labels": list(self.model.labels),
            "settings": self.settings.to_json(),
            "model": {
                "name": self.model.name,
                "version": self.model.version,
                "sha256": self.model.hash,
            },
            "versions": versions(PACKAGES),
            "wall_seconds": round(wall_s, 3),
            "times_real_time": round(summary.times_real_time, 1),
            "device": self.model.device,
        }
        with self.profile.stage("write"):
            csv = "csv" in self.settings.formats
            write_tables(self.output, self._pairs, self.model.hash, record, csv=csv)
        return summary
