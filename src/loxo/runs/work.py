"""Process one recording: its detections, its outputs, and its outcome.

Detections come from the cheapest source that gives the same result:

    journal   the record of an earlier run with the same settings
    scores    the scores that an earlier run kept, if the model and the recording are the same
    audio     the recording

The first two need no audio, so they work after recordings were moved away.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from pathlib import Path
from threading import Event as Flag

import numpy as np
from numpy.typing import NDArray

from loxo.annotations import RAVEN_COLUMNS, write_audacity, write_raven
from loxo.events import Detection
from loxo.messages import SILENT, Progress, one_line
from loxo.model import Model
from loxo.model_folder import PostProcessing, network_hash
from loxo.post_processing import detect, end_within, lowest_off_threshold, split_at_silence
from loxo.provenance import digest
from loxo.recordings import Damage, Recording, SampleCheck, open_recording
from loxo.runs.kept_scores import DEFAULT_FLOOR, KeptScores, ScoreKeeper
from loxo.runs.plan import PlannedRecording
from loxo.runs.records import FileIdentity, Outcome, RunRecords, identity_of
from loxo.runs.score_codes import lowest_refined_score
from loxo.runs.settings import ENDINGS, PICTURE_ENDING, SCORES_ENDING, RunSettings
from loxo.scoring import Profile, Scores
from loxo.storage import atomic_write
from loxo.timeline import seconds_at

__all__ = ["AUDIO_TASK", "RecordingWorker", "RunStoppedError"]

AUDIO_TASK = "this recording (s of audio)"
"""Name of the task whose progress is reported: seconds of the recording that were read."""


class RunStoppedError(Exception):
    """The run ends before this recording is done."""


@dataclass(slots=True)
class RecordingWorker:
    """Turns one recording after the other into detections, outputs and an outcome.

    Threads may share a worker.

    Args:
        records: outcomes of earlier runs into the same folder.
        force: whether to read recordings again that earlier runs have done.
        taken: names of the outputs of all recordings of this run.
        progress: receives the seconds read of each recording.
        stop: once it is set, recordings in progress end with `RunStoppedError`.
    """

    model: Model
    settings: RunSettings
    output: Path
    records: RunRecords
    force: bool = False
    taken: frozenset[str] = frozenset()
    progress: Progress = SILENT
    profile: Profile = field(default_factory=Profile)
    stop: Flag = field(default_factory=Flag)
    _scoring_key: str = ""

    def __post_init__(self) -> None:
        self._scoring_key = _scoring_key(self.model, self.settings.channel)

    def __call__(self, planned: PlannedRecording) -> Outcome:
        """Detect in a recording and write its outputs.

        A recording that cannot be processed is skipped, and the error is the reason.
        """
        try:
            planned.address.encode()
        except UnicodeEncodeError:
            reason = "its name is not UTF-8, which no table can hold; rename it"
            escaped = replace(
                planned, address=_escaped(planned.address), path=_escaped(planned.path)
            )
            return _skipped(escaped, reason)
        if any(mark in planned.address for mark in "\t\r\n"):
            reason = "its name holds a tab or a line break, which no table can hold; rename it"
            return _skipped(replace(planned, address=_without_breaks(planned.address)), reason)
        try:
            return self._work(planned)
        except (OSError, ValueError) as error:
            return _skipped(planned, one_line(error))

    def _work(self, planned: PlannedRecording) -> Outcome:
        latest = self.records.latest(planned.path)
        try:
            file = identity_of(planned.address)
            is_there = True
        except OSError:
            if latest is None or latest.file is None:
                open_recording(planned.address)  # says what is wrong
                raise
            file, is_there = latest.file, False
        if latest is None:
            self._check_free(planned.name)
        scores_key = digest(self._scoring_key, planned.path, file.size, file.modified_ns)
        key = digest(scores_key, self.model.hash, _as_json(self.settings.post_processing))
        known = None if self.force and is_there else self._known(planned, key, scores_key, is_there)
        outcome = known or self._from_audio(planned, file, scores_key)
        outcome = replace(
            outcome,
            recording=planned.address,
            path=planned.path,
            name=planned.name,
            key=key,
            table=planned.name + ENDINGS["raven"] if "raven" in self.settings.formats else "",
        )
        self._write(outcome, latest)
        return outcome

    def _known(
        self, planned: PlannedRecording, key: str, scores_key: str, is_there: bool
    ) -> Outcome | None:
        """The outcome that the journal or the kept scores give; None if the audio must be read."""
        before = self.records.find(planned.path, key)
        if before is not None:
            scores = self.output / f"{before.name}{SCORES_ENDING}"
            missing = self.settings.keep_scores and not scores.exists()
            inexact = before.estimated_bands or before.unmeasured
            return None if is_there and (missing or inexact) else before
        before = self.records.find_scored(planned.path, scores_key)
        if before is None:
            return None
        try:
            content = (self.output / f"{before.name}{SCORES_ENDING}").read_bytes()
            kept = KeptScores.unpack(content, self.model.spec, scores_key)
        except (OSError, ValueError):
            return None  # not kept, or of another model; the audio decides
        with self.profile.stage("post-processing"):
            found, estimated = kept.detect(self.model.spec, self.settings.post_processing)
        # Below the floor, scores do not show every detection. Bands of detections at lower
        # thresholds or over other gaps are estimates. The audio is better, where it is there.
        coarse = lowest_off_threshold(self.settings.post_processing) < kept.floor
        if is_there and (coarse or estimated):
            return None
        detections = tuple(end_within(each, before.recorded_s, self.model.rate) for each in found)
        return replace(before, detections=detections, estimated_bands=estimated, origin="scores")

    def _from_audio(
        self, planned: PlannedRecording, file: FileIdentity, scores_key: str
    ) -> Outcome:
        recording = open_recording(planned.address, self.settings.timezone)
        check = SampleCheck()
        keeper = ScoreKeeper(
            self.model.spec, self.settings.post_processing, scores_key, self._floor()
        )
        found: list[Detection] = []
        searched_s = 0.0
        for segment in self._segments(recording, check):
            with self.profile.stage("post-processing"):
                found += self._detect(segment, recording)
                if self.settings.keep_scores:
                    keeper.add(segment)
            searched_s = segment.duration_s
        if self.settings.keep_scores:
            with self.profile.stage("write"):
                self._write_scores(planned, keeper.pack())
        damage = (*recording.header_damage, *check.damage())
        return Outcome(
            planned.address,
            planned.path,
            scores_key=scores_key,
            file=file,
            seconds=round(searched_s, 6),
            recorded_s=round(recording.duration_s, 6),
            rate=recording.rate,
            channels=recording.channels,
            detections=tuple(found),
            damage=tuple(map(_described, damage)),
        )

    def _floor(self) -> float:
        """The lowest score that is kept with bands; no detection of this run reaches below it."""
        return min(DEFAULT_FLOOR, lowest_off_threshold(self.settings.post_processing))

    def _segments(self, recording: Recording, check: SampleCheck) -> Iterator[Scores]:
        """Scores of a recording, split where no detection above the floor can reach across.

        A detection does not depend on where the splits lie, so one split serves both the detections
        and the scores that are kept.
        """
        post_processing = self.settings.post_processing
        lowest = lowest_off_threshold(post_processing)
        if self.settings.keep_scores:
            lowest = lowest_refined_score(self._floor())
            # Runs are kept for the model's gaps as well.
            model_gap_s = max(each.merge_gap_s for each in self.model.spec.post_processing.values())
            post_processing = {
                label: replace(
                    each,
                    threshold=lowest,
                    off_threshold=lowest,
                    merge_gap_s=max(each.merge_gap_s, model_gap_s),
                )
                for label, each in post_processing.items()
            }
        blocks = self._watched(recording, check)
        cores = self.model.stream(blocks, keep_above=lowest, profile=self.profile)
        return split_at_silence(cores, post_processing)

    def _watched(self, recording: Recording, check: SampleCheck) -> Iterator[NDArray[np.float32]]:
        """Blocks of a recording, with reports of progress between them."""
        n_samples = 0
        for block in self.model.blocks(
            recording, channel=self.settings.channel, check=check, profile=self.profile
        ):
            if self.stop.is_set():
                raise RunStoppedError
            yield block
            n_samples += len(block)
            read_s = seconds_at(n_samples, self.model.rate)
            self.progress.update(AUDIO_TASK, read_s, recording.duration_s)

    def _detect(self, segment: Scores, recording: Recording) -> list[Detection]:
        # Features are kept around all frames above the floor. The band of a detection is measured
        # only around frames above the lowest off-threshold.
        needed = segment.kept_above(lowest_off_threshold(self.settings.post_processing))
        found = detect(needed, self.model.spec.front_end, self.settings.post_processing)
        return [end_within(each, recording.duration_s, self.model.rate) for each in found]

    # ---- outputs

    def _write_scores(self, planned: PlannedRecording, content: bytes) -> None:
        path = self.output / f"{planned.name}{SCORES_ENDING}"
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as temporary:
            temporary.write_bytes(content)

    def _write(self, outcome: Outcome, latest: Outcome | None) -> None:
        """Write the tables of a recording, unless the existing ones are up to date."""
        current = latest is not None and (latest.key, latest.name) == (outcome.key, outcome.name)
        if latest is not None and not current:
            self._remove_tables(outcome.name)
        if latest is not None and latest.name not in {outcome.name, *self.taken}:
            self._rename(latest.name, outcome.name)
        for form, ending in ENDINGS.items():
            path = self.output / f"{outcome.name}{ending}"
            # A killed run may have written a table and no record of it.
            if form in self.settings.formats and (latest is None or not path.exists()):
                with self.profile.stage("write"):
                    path.parent.mkdir(parents=True, exist_ok=True)
                    _write_table(form, path, outcome)

    def _check_free(self, name: str) -> None:
        """Refuse to replace a table of somebody else, such as one beside the recordings.

        Raises:
            ValueError: if there is a table that no run wrote.
        """
        path = self.output / f"{name}{ENDINGS['raven']}"
        # Tables of older runs have no column of counts, which is the last one.
        own = "\t".join(RAVEN_COLUMNS[:-1]).encode()
        if path.exists() and not path.read_bytes().startswith(own):
            raise ValueError(
                f"{path} would be overwritten, and is not of loxo detect; take another --output, "
                "or rename the file"
            )

    def _remove_tables(self, name: str) -> None:
        """Remove the tables and the picture of a recording, because they are out of date."""
        for ending in (*ENDINGS.values(), PICTURE_ENDING):
            (self.output / f"{name}{ending}").unlink(missing_ok=True)

    def _rename(self, before: str, name: str) -> None:
        """Remove the tables under a former output name, and rename the kept scores."""
        self._remove_tables(before)
        old, new = (self.output / f"{each}{SCORES_ENDING}" for each in (before, name))
        if old.exists() and not new.exists():
            new.parent.mkdir(parents=True, exist_ok=True)
            old.rename(new)
        old.unlink(missing_ok=True)


def _write_table(form: str, path: Path, outcome: Outcome) -> None:
    if form == "raven":
        write_raven(path, outcome.detections, outcome.recording)
    else:
        write_audacity(path, outcome.detections)


def _skipped(planned: PlannedRecording, reason: str) -> Outcome:
    return Outcome(planned.address, planned.path, planned.name, skipped=reason)


def _escaped(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()


def _without_breaks(text: str) -> str:
    """Text with `\\n` and the like instead of the characters, which would break up a table."""
    return text.replace("\t", "\\t").replace("\r", "\\r").replace("\n", "\\n")


def _described(damage: Damage) -> str:
    return f"{damage.kind}: {damage.detail}"


def _as_json(post_processing: Mapping[str, PostProcessing]) -> dict[str, dict[str, float]]:
    return {label: asdict(processing) for label, processing in post_processing.items()}


def _scoring_key(model: Model, channel: int | None) -> str:
    """Hash of everything but the recording that kept scores and their bands depend on."""
    spec = model.spec
    bands = {
        label: (each.smoothing_s, each.split_depth, each.low_hz, each.high_hz, each.count)
        for label, each in spec.post_processing.items()
    }
    return digest(metadata.version("loxo"), network_hash(spec, model.folder), bands, channel)
