"""Many recordings: each detected on, each accounted for, none twice.

Every recording ends as one `Outcome`: done (its table is written) or skipped (with the reason). Outcomes are appended to `journal.jsonl`
as they happen, under a key made of the model, the settings and the file's identity (size and time of change): a run that is killed or
repeated takes up what was done with the same key, and a journal's line that was cut off by the kill is no outcome. One bad file never
ends a run.

Several recordings may be worked on at once (`Survey.jobs`): they share the scorer's workers, outcomes come in the order of the recordings,
and the journal is written by one hand.

What a run leaves in its folder: `<stem>.selections.txt` for each recording, `detections.parquet`, `run.json`, `skipped.tsv`, and the
journal.
"""

from __future__ import annotations

import hashlib
import json
import platform
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from loxo.annotations import AUDACITY_SUFFIX, detections_frame, distinct_stems, write_audacity, write_csv, write_parquet, write_raven
from loxo.checkpoints import Decision, model_hash
from loxo.detection import detect, stretches
from loxo.events import Detection
from loxo.recordings import Damage, Recording, SampleCheck, open_recording
from loxo.scoring import Profile, Scorer, ahead
from loxo.storage import replacing
from loxo.timeline import seconds_at

__all__ = ["FORMATS", "Outcome", "Survey", "SurveySettings", "run_survey"]

FORMATS = ("raven", "audacity", "csv", "parquet")
"""What can be written beside `detections.parquet`, which every run writes."""


@dataclass(frozen=True, slots=True)
class SurveySettings:
    """How recordings are read and what is written.

    Args:
        decisions: of each label, those of the model unless the user has changed them.
        channel: the channel of recordings with several; None takes their mean.
        timezone: of the times in file names; None leaves absolute times unknown.
    """

    decisions: Mapping[str, Decision]
    formats: tuple[str, ...] = ("raven", "parquet")
    channel: int | None = None
    timezone: ZoneInfo | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one recording; `skipped` is empty where it is done, else the reason."""

    recording: str
    key: str
    table: str = ""
    seconds: float = 0.0
    start_time: str | None = None
    detections: tuple[Detection, ...] = ()
    damage: tuple[str, ...] = ()
    skipped: str = ""
    resumed: bool = field(default=False, compare=False)


@dataclass(slots=True)
class Survey:
    """A folder of results, and what detecting into it needs."""

    scorer: Scorer
    model: Path
    settings: SurveySettings
    output: Path
    draw: Callable[[Path, Sequence[Detection], Path], None] | None = None
    """Draws a recording with its detections to a picture, `<stem>.png` beside its table."""
    heard: Callable[[float, float], None] | None = None
    """Told of the progress within a recording: seconds read, and its length."""
    jobs: int = 1
    """Recordings that are worked on at once."""
    profile: Profile = field(default_factory=Profile)
    _drawing: threading.Lock = field(default_factory=threading.Lock)

    @property
    def journal(self) -> Path:
        return self.output / "journal.jsonl"

    def key(self, recording: Path) -> str:
        """Identity of one piece of work: the same key gives the same detections."""
        stat = recording.stat()
        chosen = asdict(self.settings) | {"timezone": str(self.settings.timezone)}
        work = [metadata.version("loxo"), model_hash(self.model), chosen, recording.as_posix(), stat.st_size, stat.st_mtime_ns]
        return hashlib.sha256(json.dumps(work, sort_keys=True).encode()).hexdigest()[:32]

    def outcomes(self, recordings: Sequence[Path], *, force: bool = False) -> Iterator[Outcome]:
        """Detect on each recording, in order; what the journal holds under the same key is taken from there."""
        self.output.mkdir(parents=True, exist_ok=True)
        known = {} if force else read_journal(self.journal)
        names = distinct_stems([path.as_posix() for path in recordings])

        def outcome_of(path: Path) -> Outcome:
            name = names[path.as_posix()]
            return self._done_before(path, name, known) or self.detect(path, name)

        with ThreadPoolExecutor(self.jobs) if self.jobs > 1 else nullcontext() as pool:
            for outcome in ahead(pool, outcome_of, recordings, self.jobs + 1):
                if not outcome.resumed:
                    with self.journal.open("a", encoding="utf-8") as journal:
                        journal.write(json.dumps(asdict(outcome)) + "\n")
                yield outcome

    def _done_before(self, path: Path, name: str, known: Mapping[str, Outcome]) -> Outcome | None:
        try:
            outcome = known.get(self.key(path))
        except OSError:
            return None
        whole = outcome is not None and not outcome.skipped and all(file.exists() for file in self._files(name))
        return outcome if whole else None

    def _files(self, name: str) -> list[Path]:
        return [self.output / f"{name}{ENDINGS[form]}" for form in self.settings.formats if form in ENDINGS]

    def detect(self, path: Path, name: str) -> Outcome:
        """Detect on one recording and write its tables; whatever is wrong with the file becomes the outcome's reason."""
        try:
            path.as_posix().encode()
        except UnicodeEncodeError:
            written = path.as_posix().encode(errors="backslashreplace").decode()
            return Outcome(written, "", skipped="its name is not UTF-8, which no table could hold; rename it")
        try:
            key = self.key(path)
            recording = open_recording(path, self.settings.timezone)
            check = SampleCheck()
            keep_above = min(decision.release * decision.threshold for decision in self.settings.decisions.values())
            spec, decisions = self.scorer.spec, self.settings.decisions
            found, duration_s = [], 0.0
            cores = self.scorer.stream(self._blocks(recording, check), keep_above=keep_above, profile=self.profile)
            for scores in stretches(cores, spec.labels, decisions):
                with self.profile.stage("post-processing"):
                    found += detect(scores, spec.front_end, spec.labels, decisions)
                duration_s = scores.duration_s
            with self.profile.stage("write"):
                self._write(path, name, found)
            if self.draw is not None:
                with self._drawing:  # figures are not made to be drawn side by side
                    self.draw(path, found, self.output / f"{name}.png")
        except (OSError, ValueError) as error:
            return Outcome(path.as_posix(), "", skipped=" ".join(str(error).split()))
        damage = tuple(map(_described, (*recording.header_damage, *check.damage())))
        start = recording.start_time.isoformat() if recording.start_time else None
        table = f"{name}{ENDINGS['raven']}" if "raven" in self.settings.formats else ""
        return Outcome(path.as_posix(), key, table, round(duration_s, 6), start, tuple(found), damage)

    def _blocks(self, recording: Recording, check: SampleCheck) -> Iterator[NDArray[np.float32]]:
        rate = self.scorer.spec.front_end.rate
        samples = 0
        for block in recording.blocks(rate, channel=self.settings.channel, check=check, timed=self.profile.timed):
            yield block
            samples += len(block)
            if self.heard is not None:
                self.heard(seconds_at(samples, rate), recording.duration_s)

    def _write(self, path: Path, name: str, found: Sequence[Detection]) -> None:
        for form in self.settings.formats:
            match form:
                case "raven":
                    write_raven(self.output / f"{name}{ENDINGS[form]}", found, path.as_posix())
                case "audacity":
                    write_audacity(self.output / f"{name}{ENDINGS[form]}", found)


ENDINGS = {"raven": ".selections.txt", "audacity": AUDACITY_SUFFIX}
"""Of the formats that have one file a recording."""


def _described(damage: Damage) -> str:
    return f"{damage.kind}: {damage.detail}"


def read_journal(path: Path) -> dict[str, Outcome]:
    """Outcomes by key; lines that a kill cut off are passed over."""
    outcomes = {}
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    for line in lines:
        try:
            fields = json.loads(line)
        except json.JSONDecodeError:
            continue
        found = tuple(Detection(**detection) for detection in fields["detections"])
        outcomes[fields["key"]] = Outcome(**{**fields, "detections": found, "damage": tuple(fields["damage"]), "resumed": True})
    return outcomes


def run_survey(
    survey: Survey, recordings: Sequence[Path], *, force: bool = False, each: Callable[[Outcome], None] | None = None
) -> list[Outcome]:
    """Detect on all recordings and write what belongs to the whole run; `each` is told of every outcome as it happens."""
    began = time.perf_counter()
    outcomes = []
    for outcome in survey.outcomes(recordings, force=force):
        outcomes.append(outcome)
        if each is not None:
            each(outcome)
    done = [outcome for outcome in outcomes if not outcome.skipped]
    starts = [datetime.fromisoformat(outcome.start_time) if outcome.start_time else None for outcome in done]
    with survey.profile.stage("write"):
        frame = detections_frame((outcome.recording, outcome.detections, start) for outcome, start in zip(done, starts, strict=True))
        write_parquet(survey.output / "detections.parquet", frame)
        if "csv" in survey.settings.formats:
            write_csv(survey.output / "detections.csv", frame)
    with replacing(survey.output / "skipped.tsv") as passing:
        lines = ["recording\treason", *(f"{outcome.recording}\t{outcome.skipped}" for outcome in outcomes if outcome.skipped)]
        passing.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    with replacing(survey.output / "run.json") as passing:
        passing.write_text(json.dumps(run_record(survey, outcomes, time.perf_counter() - began), indent=2) + "\n", encoding="utf-8")
    return outcomes


def run_record(survey: Survey, outcomes: Sequence[Outcome], wall_seconds: float) -> dict[str, object]:
    """What `run.json` holds; `times_real_time` counts the audio that this run scored, not what it took from the journal."""
    scored = sum(outcome.seconds for outcome in outcomes if not outcome.resumed)
    return {
        "settings": asdict(survey.settings) | {"timezone": str(survey.settings.timezone) if survey.settings.timezone else None},
        "model": {"name": survey.scorer.spec.name, "version": survey.scorer.spec.version, "sha256": model_hash(survey.model)},
        "versions": {name: metadata.version(name) for name in ("loxo", "numpy", "scipy", "onnxruntime", "soundfile", "soxr")}
        | {"python": platform.python_version()},
        "audio_seconds": round(sum(outcome.seconds for outcome in outcomes), 6),
        "wall_seconds": round(wall_seconds, 3),
        "times_real_time": round(scored / wall_seconds, 1),
        "device": survey.scorer.device,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "recordings": [
            {
                "recording": outcome.recording,
                "seconds": outcome.seconds,
                "table": outcome.table,
                "detections": len(outcome.detections),
                "damage": list(outcome.damage),
                "resumed": outcome.resumed,
            }
            for outcome in outcomes
            if not outcome.skipped
        ],
        "skipped": [{"recording": outcome.recording, "reason": outcome.skipped} for outcome in outcomes if outcome.skipped],
    }
