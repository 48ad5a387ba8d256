"""Measure the packaged model on recordings that it was not trained on, for docs/accuracy.md.

    python benchmarks/accuracy.py --shared ../shared --output build/accuracy

`--shared` is a folder with `bench/dev_mixed.flac`, its table, and `audio/` with `manifest.tsv`.
Detection is run as a user runs it, at the thresholds of the model. It is run again at low
thresholds, for figures at all thresholds. Simulated recordings have seeds that training does not
use.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
from experiments import kept, loxo

from loxo.events import EVENT_LABELS, Event
from loxo.metrics import overlap10, poisson_interval

LOW = [item for label in EVENT_LABELS for item in ("--threshold", f"{label}=0.02")]
RECORDINGS = {
    "nn01b": "soundscape of Nouabalé-Ndoki",
    "dzanga": "close calls at Dzanga",
    "belize": "gunshots in forest, Belize",
}
EVENT_FREE_H = 20.0


@dataclass(frozen=True)
class Clip:
    """A recording of the manifest, and its events."""

    path: Path
    role: str
    group: str
    seconds: float
    events: tuple[Event, ...]


def read_manifest(folder: Path) -> list[Clip]:
    """Read the recordings of `manifest.tsv`."""
    with (folder / "manifest.tsv").open(encoding="utf-8", newline="") as lines:
        return [
            Clip(
                folder / row["file"],
                row["role"],
                row["group"],
                float(row["seconds"]),
                tuple(map(event_of, filter(None, row["events"].split(";")))),
            )
            for row in csv.DictReader(lines, delimiter="\t")
        ]


def event_of(text: str) -> Event:
    """Read an event that is written as `label:start:end:low:high`."""
    label, start_s, end_s, low_hz, high_hz = text.split(":")
    return Event(label, float(start_s), float(end_s), float(low_hz), float(high_hz))


def detect(
    recordings: Sequence[Path], model: str, output: Path, *options: str
) -> dict[str, list[dict[str, Any]]]:
    """Run `loxo detect`; return its detections by recording."""
    loxo("detect", *recordings, "--output", output, "--model", model, *options)
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in pl.read_parquet(output / "detections.parquet").iter_rows(named=True):
        found[row["recording"]].append(row)
    return found


def evaluate(truth: Path, recordings: Sequence[Path], model: str, output: Path) -> dict[str, Any]:
    """Evaluate at the model's thresholds, and at all thresholds."""
    detect(recordings, model, output / "detections")
    compare = ("evaluate", "--truth", truth, "--detections")
    loxo(*compare, output / "detections", "--json", output / "evaluation.json")
    detect(recordings, model, output / "low", *LOW)
    figures = ("--figures", output / "figures")
    loxo(*compare, output / "low", "--json", output / "low.json", *figures)
    chosen, all_of_them = (
        json.loads((output / name).read_text(encoding="utf-8"))["classes"]
        for name in ("evaluation.json", "low.json")
    )
    return {
        label: chosen[label]["overlap10"]
        | {
            name: all_of_them[label]["overlap10"][name]
            for name in ("average_precision", "best", "recall_at")
        }
        for label in EVENT_LABELS
    }


def hits(clips: Sequence[Clip], model: str, output: Path) -> dict[str, Any]:
    """List found and missed events, and false positives with the sounds that they lie on."""
    detected = detect([clip.path for clip in clips], model, output)
    by_path = {Path(name).absolute(): rows for name, rows in detected.items()}
    results: dict[str, Any] = {"found": [], "missed": [], "false": []}
    for clip in clips:
        found = by_path.get(clip.path.absolute(), [])
        for label in EVENT_LABELS:
            rows = [row for row in found if row["label"] == label]
            for kind, texts in hits_of_label(clip, label, rows).items():
                results[kind] += texts
    return results | {"seconds": sum(clip.seconds for clip in clips)}


def hits_of_label(clip: Clip, label: str, rows: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    """Match the detections of one label in one recording, under `overlap10`."""
    events = [event for event in clip.events if event.label == label]
    boxes = [Event(label, row["start_s"], row["end_s"]) for row in rows]
    matching = overlap10(events, boxes)
    name = f"{label} {clip.path.name}"
    return {
        "found": [f"{name} {events[k].start_s}" for k in matching.found_events],
        "missed": [f"{name} {events[k].start_s}" for k in matching.missed_events],
        "false": [
            f"{name} {boxes[k].start_s:.1f} {sounds_under(clip, boxes[k])}".strip()
            for k in matching.false_detections
        ],
    }


def sounds_under(clip: Clip, box: Event) -> str:
    """Labels of the other sounds, such as roars, that overlap with a detection."""
    labels = {
        event.label
        for event in clip.events
        if event.label not in EVENT_LABELS
        and event.start_s < box.end_s
        and event.end_s > box.start_s
    }
    return "+".join(sorted(labels))


def event_free(clips: Sequence[Clip], model: str, output: Path) -> dict[str, Any]:
    """Count false positives of each label in simulated hours without events.

    Half of these hours are simulated over real backgrounds.
    """
    folder = output / "recordings"
    n_recordings = 20
    if len(list(folder.glob("*.flac"))) < n_recordings:
        length = ("--recordings", n_recordings, "--hours", EVENT_FREE_H / n_recordings)
        backgrounds = [item for clip in clips for item in ("--background", clip.path)]
        settings = (*length, "--events-per-hour", 0, "--seed", 7000, *backgrounds)
        loxo("simulate", "--output", folder, *settings)
    detected = detect([folder], model, output / "detections")
    counts = Counter(row["label"] for rows in detected.values() for row in rows)
    return {label: counts[label] for label in EVENT_LABELS} | {"seconds": EVENT_FREE_H * 3600}


def measured(shared: Path, model: str, output: Path) -> dict[str, Any]:
    """Measure everything; parts that were measured before are read from their files."""
    clips = read_manifest(shared / "audio")
    of_role = {
        role: [clip for clip in clips if clip.role == role]
        for role in ("natural", "gunshot", "weak", "background")
    }
    bench = shared / "bench" / "dev_mixed.flac"
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "bench": partial(
            evaluate, bench.with_suffix(".selections.txt"), [bench], model, output / "bench"
        )
    }
    groups: dict[str, list[Clip]] = defaultdict(list)
    for clip in (*of_role["natural"], *of_role["gunshot"]):
        groups[clip.group].append(clip)
    for kind in ("Rumble", "Roar", "Trumpet"):
        groups[f"weak-{kind}"] = [
            clip for clip in of_role["weak"] if any(event.label == kind for event in clip.events)
        ]
    groups["backgrounds"] = of_role["background"]
    parts |= {
        name: partial(hits, members, model, output / name) for name, members in groups.items()
    }
    parts["event-free"] = partial(event_free, of_role["background"], model, output / "event-free")
    return {name: kept(output / f"{name}.json", part) for name, part in parts.items()}


def report(found: dict[str, Any]) -> Iterator[str]:
    """Write the figures as Markdown, line by line."""
    yield from bench_table(found["bench"])
    yield ""
    yield from recordings_table(found)
    hours = found["event-free"]["seconds"] / 3600
    for label in EVENT_LABELS:
        count = found["event-free"][label]
        low, high = poisson_interval(count, hours)
        rate = f"{count / hours:.2f} ({low:.2f}-{high:.2f}) false positives per hour"
        yield f"\n{label}: {rate} in {hours:g} h without events"


def bench_table(bench: dict[str, Any]) -> Iterator[str]:
    """A row of figures for each label in the composed soundscape."""
    at_chosen = ("precision", "recall", "F1", "false positives per hour")
    at_all = ("average precision", "best F1", "recall at 5 false positives per hour")
    yield from heading("dev_mixed", *at_chosen, *at_all)
    for label in EVENT_LABELS:
        row = bench[label]
        per_hour = row["false_positives_per_hour"]
        low, high = row["false_positives_per_hour_interval"]
        yield line(
            label,
            with_interval(row, "precision"),
            with_interval(row, "recall"),
            f"{row['f1']:.2f}",
            f"{per_hour:.0f} ({low:.0f}-{high:.0f})",
            f"{row['average_precision']:.2f}",
            f"{row['best']['f1']:.2f}",
            f"{row['recall_at']['5']['recall']:.2f}",
        )


def recordings_table(found: dict[str, Any]) -> Iterator[str]:
    """A row for each group of recordings: numbers of found and missed events, false positives."""
    yield from heading("recordings", "minutes", "found", "missed", "false positives")
    for name, part in found.items():
        if "missed" not in part:
            continue
        counts = Counter(text.split()[0] for text in part["false"])
        false = ", ".join(f"{counts[label]} {label}" for label in EVENT_LABELS if counts[label])
        minutes = f"{part['seconds'] / 60:.1f}"
        numbers = (str(len(part["found"])), str(len(part["missed"])))
        yield line(RECORDINGS.get(name, name), minutes, *numbers, false or "none")


def heading(*columns: str) -> Iterator[str]:
    """The first two lines of a table."""
    yield line(*columns)
    yield "|---" * len(columns) + "|"


def line(*cells: str) -> str:
    """A line of a table."""
    return f"| {' | '.join(cells)} |"


def with_interval(row: dict[str, Any], name: str) -> str:
    """A figure and its interval."""
    low, high = row[f"{name}_interval"]
    return f"{row[name]:.2f} ({low:.2f}-{high:.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--output", type=Path, default=Path("build/accuracy"))
    parser.add_argument("--model", default="tcn", help="a packaged model, or a model folder")
    options = parser.parse_args()
    print("\n".join(report(measured(options.shared, options.model, options.output))))


if __name__ == "__main__":
    main()
