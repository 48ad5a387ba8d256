"""The rules of `metrics.py` over recordings: which of them count, over how many hours, and what is told of the rest.

An honest figure needs to know what was searched by both sides, and absence of a row says nothing about that.

Searched by people
    A recording is, if a table has a row for it, a row that says "searched, nothing there" (`DUMMY_NoEles`), or if a table of its own
    has a header only. Any other recording that the detector was run on is **refused**: left out of every count, and named. Taking it
    for empty would turn what nobody listened to into false detections.
Searched by the detector
    1. A folder of `loxo detect`: those that its `run.json` lists, with their lengths. Damaged recordings that were skipped are not there.
    2. A folder of `<recording>.selections.txt` tables without `run.json`: those that have a table, rows or none.
    3. Anything else, such as one table of many recordings: nobody can know, so every recording of the truth is taken as searched.
    Recordings of the truth that were not searched by the detector (in the first two cases) are left out as well, and named: events in
    them are no misses, since nobody looked.

Recordings meet under the key that `loxo.annotations` gives them: the base name without its audio extension.
Only the labels of `EVENT_LABELS` are scored; other rows (roars, aircraft) are counted and reported, and are neither true nor false.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from loxo.annotations import Annotation, Annotations, distinct_stems, read_annotations
from loxo.events import EVENT_LABELS, Interval
from loxo.metrics import RULES, Counts, Outcome, Score, score
from loxo.storage import replacing

__all__ = ["Evaluation", "EvaluationError", "Judged", "evaluate", "evaluate_paths", "notices", "summary_table", "to_json", "write_json"]

_NAMED = 10
_BRIEF = ("precision", "recall", "f1", "false_positives_per_hour", "true_events", "detections")


class EvaluationError(ValueError):
    """Tables or lengths that cannot be evaluated; one line that says why."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One label in one recording: both sides, in the order that the numbers of the outcomes refer to.

    Args:
        outcomes: by the name of the rule.
    """

    truth: tuple[Annotation, ...]
    detections: tuple[Annotation, ...]
    outcomes: Mapping[str, Outcome]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was counted, per recording and label, and what was not.

    Args:
        recordings: those that count: recording -> label -> what the rules made of it.
        seconds: length of each recording, where it is known.
        audio_seconds: length of all that count together; None if it is unknown.
        refused: recordings of the detections that no table of the truth speaks of.
        not_detected_on: recordings of the truth that the detector was not run on.
        other_labels: rows in counted recordings that carry other labels, by side and label.
    """

    recordings: Mapping[str, Mapping[str, Judged]]
    seconds: Mapping[str, float]
    audio_seconds: float | None
    refused: tuple[str, ...]
    not_detected_on: tuple[str, ...]
    other_labels: Mapping[str, Mapping[str, int]]

    def counts(self, label: str, rule: str, recordings: Iterable[str] | None = None) -> Counts:
        """Summed counts of some recordings, or of all."""
        chosen = self.recordings if recordings is None else recordings
        return sum((self.recordings[name][label].outcomes[rule].counts for name in chosen), Counts())

    def score(self, label: str, rule: str) -> Score:
        """Figures of a label under a rule, over all recordings that count."""
        return _score(self.counts(label, rule), rule, self.audio_seconds)

    def score_by_recording(self, label: str, rule: str) -> dict[str, Score]:
        """The same for each recording."""
        return {name: _score(self.counts(label, rule, [name]), rule, self.seconds.get(name)) for name in self.recordings}


def evaluate(
    truth: Annotations,
    detections: Annotations,
    seconds: Mapping[str, float] | float | None = None,
    *,
    searched: Collection[str] | None = None,
) -> Evaluation:
    """Judge detections by what people marked.

    Args:
        seconds: length of each recording by its key, or of all that count together; None if neither is known.
        searched: keys of the recordings that the detector was run on; None if that is not known: then all of the truth count.

    Raises:
        EvaluationError: if a length is not positive or no recording is left that both sides searched.
    """
    run = truth.recordings | detections.recordings if searched is None else detections.recordings.union(searched)
    counted = sorted(truth.recordings & run)
    if not counted:
        raise EvaluationError(_nothing_in_common(truth, run))
    marked, found = truth.by_recording(), detections.by_recording()
    known = {name: seconds[name] for name in counted if name in seconds} if isinstance(seconds, Mapping) else {}
    return Evaluation(
        recordings={name: _judge(marked[name], found.get(name, ())) for name in counted},
        seconds=known,
        audio_seconds=_total_s(counted, known) if seconds is None or isinstance(seconds, Mapping) else _checked_s(seconds),
        refused=tuple(sorted(run - truth.recordings)),
        not_detected_on=tuple(sorted(truth.recordings - run)),
        other_labels={
            "truth": _other_labels(marked[name] for name in counted),
            "detections": _other_labels(found.get(name, ()) for name in counted),
        },
    )


def evaluate_paths(truth: Path, detections: Path, *, audio_seconds: float | None = None, label: str | None = None) -> Evaluation:
    """Judge a table or folder of detections by a table or folder of truth.

    Args:
        audio_seconds: length of all recordings that count together; without it the `run.json` of a folder of `loxo detect` says it.
        label: what rows without a label of their own are, on both sides.

    Raises:
        EvaluationError: see `evaluate`, or if `run.json` is not one of `loxo detect`.
        AnnotationError: if a table cannot be read.
        OSError: if a file cannot be read.
    """
    marked = read_annotations([truth], label=label)
    run_file = detections / "run.json"
    if run_file.is_file():
        run = _read_run(run_file)
        found = _read_detections(detections, run, label)
        return evaluate(marked, found, run.seconds if audio_seconds is None else audio_seconds, searched=run.seconds.keys())
    found = read_annotations([detections], label=label)
    one_each = detections.is_dir() and any(detections.rglob("*.selections.txt"))
    return evaluate(marked, found, audio_seconds, searched=found.recordings if one_each else None)


# ---- counting


def _judge(truth: tuple[Annotation, ...], detections: tuple[Annotation, ...]) -> dict[str, Judged]:
    judged = {}
    for label in EVENT_LABELS:
        marked, found = (tuple(row for row in rows if row.event.label == label) for rows in (truth, detections))
        outcomes = {name: rule([row.event for row in marked], [row.event for row in found]) for name, rule in RULES.items()}
        judged[label] = Judged(marked, found, outcomes)
    return judged


def _other_labels(recordings: Iterable[tuple[Annotation, ...]]) -> dict[str, int]:
    labels = Counter(row.event.label for rows in recordings for row in rows if row.event.label not in EVENT_LABELS)
    return dict(sorted(labels.items()))


def _score(counts: Counts, rule: str, audio_s: float | None) -> Score:
    return score(counts, audio_s, independent=rule != "per_second")


def _total_s(recordings: Collection[str], seconds: Mapping[str, float]) -> float | None:
    """Length of recordings together; None if that of one is missing."""
    return math.fsum(seconds[name] for name in recordings) if all(name in seconds for name in recordings) else None


def _checked_s(seconds: float) -> float:
    if not (math.isfinite(seconds) and seconds > 0):
        raise EvaluationError(f"{seconds} s of audio: expected the length of the recordings that count, more than 0 s")
    return seconds


def _nothing_in_common(truth: Annotations, run: Collection[str]) -> str:
    return (
        f"nothing to evaluate: the truth speaks of {_listed(truth.recordings)}, the detections of {_listed(run)}, and they share none; "
        "tables must name recordings alike, but for folders and extensions"
    )


# ---- a run of `loxo detect`


@dataclass(frozen=True, slots=True)
class _Run:
    """What `run.json` says of the recordings: the length of each by its key, and the keys by the file names of their tables."""

    seconds: dict[str, float]
    keys: dict[str, str]


def _read_run(path: Path) -> _Run:
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
        items = run["recordings"]
        # Tables are named so that all recordings of the run are told apart, the skipped ones among them.
        names = distinct_stems([str(item["recording"]) for item in (*items, *run.get("skipped", ()))])
        seconds = {names[str(item["recording"])]: float(item["seconds"]) for item in items}
        keys = {str(item["table"]): names[str(item["recording"])] for item in items if item.get("table")}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        expected = "expected what `loxo detect` writes: recordings, each with recording, seconds and table"
        raise EvaluationError(f"{path}: {type(error).__name__} ({error}); {expected}") from error
    return _Run(seconds, keys)


def _read_detections(folder: Path, run: _Run, label: str | None) -> Annotations:
    """Detections under the keys of their run. Tables that an earlier run left in the folder are not read."""
    tables = [folder / name for name in run.keys if (folder / name).is_file()]
    if len(tables) < len(run.seconds):
        return read_annotations([folder], label=label)
    found = read_annotations(tables, label=label)
    rows = tuple(replace(row, recording=run.keys[Path(row.table).name]) for row in found.rows)
    return replace(found, rows=rows, searched_empty=frozenset(run.seconds).difference(row.stem for row in rows))


# ---- results


def to_json(evaluation: Evaluation) -> dict[str, Any]:
    """The result as `loxo evaluate` writes it; figures without a meaning are null."""
    return {
        "classes": {label: {rule: asdict(evaluation.score(label, rule)) for rule in RULES} for label in EVENT_LABELS},
        "marginal_events": {label: _marginal(evaluation, label) for label in EVENT_LABELS},
        "by_recording": {label: _by_recording(evaluation, label) for label in EVENT_LABELS},
        "audio_seconds": evaluation.audio_seconds,
        "recordings": list(evaluation.recordings),
        "refused": list(evaluation.refused),
        "not_detected_on": list(evaluation.not_detected_on),
        "other_labels": {side: dict(labels) for side, labels in evaluation.other_labels.items()},
    }


def _marginal(evaluation: Evaluation, label: str) -> int:
    return sum(row.event.marginal for judged in evaluation.recordings.values() for row in judged[label].truth)


def _by_recording(evaluation: Evaluation, label: str) -> dict[str, dict[str, Any]]:
    """The main figures of each rule, for each recording."""
    by_recording: dict[str, dict[str, Any]] = {name: {} for name in evaluation.recordings}
    for rule in RULES:
        for name, figures in evaluation.score_by_recording(label, rule).items():
            by_recording[name][rule] = {key: getattr(figures, key) for key in _BRIEF}
    return by_recording


def write_json(evaluation: Evaluation, path: Path) -> None:
    """Write the result; a file of that name is replaced only once the new one is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as passing:
        passing.write_text(json.dumps(to_json(evaluation), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def notices(evaluation: Evaluation) -> list[str]:
    """What a reader of the figures must know, a line each; none if all is plain."""
    lines = []
    if evaluation.refused:
        lines.append(
            f"refused for want of truth: {_listed(evaluation.refused)}; if one was searched and is empty, give it a table with a header "
            "only or a row DUMMY_NoEles"
        )
    if evaluation.not_detected_on:
        lines.append(f"left out, since the detector was not run on them: {_listed(evaluation.not_detected_on)}")
    if evaluation.audio_seconds is None:
        lines.append(
            "no false positives per hour, since the length of the audio is unknown: give --audio-seconds, or as detections the whole "
            "folder that loxo detect wrote"
        )
    lines.extend(
        f"no {label} is marked in the truth: if it was not searched for that, its {number} false detections mean nothing"
        for label, number in _never_marked(evaluation).items()
    )
    for side, labels in evaluation.other_labels.items():
        if labels:
            lines.append(f"not counted in the {side}: " + ", ".join(f"{number} {label}" for label, number in labels.items()))
    return lines


def _never_marked(evaluation: Evaluation) -> dict[str, int]:
    """Labels with false detections of which a truth that has events knows none: tables of the field often hold one label each."""
    marked = {label: any(judged[label].truth for judged in evaluation.recordings.values()) for label in EVENT_LABELS}
    false = {label: evaluation.counts(label, "overlap10").false for label in EVENT_LABELS}
    return {label: false[label] for label in EVENT_LABELS if any(marked.values()) and not marked[label] and false[label]}


def summary_table(evaluation: Evaluation) -> Table:
    """The figures of each label and rule, with their 95 % intervals, for a terminal of 80 columns."""
    hours = "unknown length" if evaluation.audio_seconds is None else f"{evaluation.audio_seconds / 3600:.2f} h"
    table = Table(title=f"{_number(evaluation.recordings)}, {hours}", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in ("label", "rule"):
        table.add_column(heading)
    for heading in ("precision", "recall", "F1", "false / h", "true\nevents", "detec-\ntions"):
        table.add_column(heading, justify="right")
    for label in EVENT_LABELS:
        for rule in RULES:
            table.add_row(label, rule, *_cells(evaluation.score(label, rule)))
        table.add_section()
    return table


def _cells(figures: Score) -> tuple[str, ...]:
    return (
        _cell(figures.precision, figures.precision_interval, _share),
        _cell(figures.recall, figures.recall_interval, _share),
        _cell(figures.f1, None, _share),
        _cell(figures.false_positives_per_hour, figures.false_positives_per_hour_interval, _rate),
        str(figures.true_events),
        str(figures.detections),
    )


def _cell(value: float | None, interval: Interval | None, written: Callable[[float], str]) -> str:
    if value is None:
        return "-"
    return written(value) if interval is None else f"{written(value)}\n({written(interval[0])}-{written(interval[1])})"


def _share(value: float) -> str:
    return f"{value:.2f}".removeprefix("0")


def _rate(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _listed(names: Collection[str]) -> str:
    """How many names, the first ten, and whether there are more."""
    more = ", ..." if len(names) > _NAMED else ""
    return f"{_number(names)} ({', '.join(sorted(names)[:_NAMED])}{more})"


def _number(recordings: Collection[str]) -> str:
    return f"{len(recordings)} recording{'s' if len(recordings) != 1 else ''}"
