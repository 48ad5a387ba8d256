"""What docs/accuracy.md states: the packaged model on recordings that it was not trained on.

    python benchmarks/accuracy.py --shared ../shared --output build/accuracy

`--shared` is a folder with `bench/dev_mixed.flac`, its table, and `audio/` with `manifest.tsv`. Detection is run as a user runs it, at the
thresholds of the model; a second time at low ones, for figures at all thresholds. Simulated recordings have seeds that training has not.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import defaultdict
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
NATURAL = {"nn01b": "soundscape of Nouabalé-Ndoki", "dzanga": "close calls at Dzanga", "belize": "gunshots in forest, Belize"}
EVENT_FREE_H = 20.0


@dataclass(frozen=True)
class Clip:
    """A recording of the manifest, and what it holds."""

    path: Path
    role: str
    group: str
    seconds: float
    events: tuple[Event, ...]


def read_manifest(folder: Path) -> list[Clip]:
    """All recordings of `manifest.tsv`."""
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
    """An event written as `label:start:end:low:high`."""
    label, start_s, end_s, low_hz, high_hz = text.split(":")
    return Event(label, float(start_s), float(end_s), float(low_hz), float(high_hz))


def detect(recordings: Sequence[Path], model: str, output: Path, *options: str) -> dict[str, list[dict[str, Any]]]:
    """Detections by recording."""
    loxo("detect", *recordings, "--output", output, "--model", model, *options)
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in pl.read_parquet(output / "detections.parquet").iter_rows(named=True):
        found[row["recording"]].append(row)
    return found


def evaluate(truth: Path, recordings: Sequence[Path], model: str, output: Path) -> dict[str, Any]:
    """Figures at the model's thresholds, and at all."""
    detect(recordings, model, output / "detections")
    loxo("evaluate", "--truth", truth, "--detections", output / "detections", "--json", output / "evaluation.json")
    detect(recordings, model, output / "low", *LOW)
    figures = ("--figures", output / "figures")
    loxo("evaluate", "--truth", truth, "--detections", output / "low", "--json", output / "low.json", *figures)
    chosen, all_of_them = (json.loads((output / name).read_text(encoding="utf-8"))["classes"] for name in ("evaluation.json", "low.json"))
    return {
        label: chosen[label]["overlap10"]
        | {name: all_of_them[label]["overlap10"][name] for name in ("average_precision", "best", "recall_at")}
        for label in EVENT_LABELS
    }


def hits(clips: Sequence[Clip], model: str, output: Path) -> dict[str, Any]:
    """Found events of each label, and detections that are false, by what they were set on."""
    detected = detect([clip.path for clip in clips], model, output)
    by_name = {Path(name).name: rows for name, rows in detected.items()}
    told: dict[str, Any] = {"found": [], "missed": [], "false": []}
    for clip in clips:
        rows = by_name.get(clip.path.name, [])
        for label in EVENT_LABELS:
            events = [event for event in clip.events if event.label == label]
            boxes = [Event(label, row["start_s"], row["end_s"]) for row in rows if row["label"] == label]
            outcome = overlap10(events, boxes)
            told["found"] += [f"{label} {clip.path.name} {events[k].start_s}" for k in outcome.found]
            told["missed"] += [f"{label} {clip.path.name} {events[k].start_s}" for k in outcome.missed]
            others = [event for event in clip.events if event.label not in EVENT_LABELS]
            for k in outcome.false:
                upon = {event.label for event in others if event.start_s < boxes[k].end_s and event.end_s > boxes[k].start_s}
                told["false"].append(f"{label} {clip.path.name} {boxes[k].start_s:.1f} {'+'.join(sorted(upon))}".strip())
    return told | {"seconds": sum(clip.seconds for clip in clips)}


def event_free(clips: Sequence[Clip], model: str, output: Path) -> dict[str, Any]:
    """False detections of each label in simulated hours without events, half of their beds real backgrounds."""
    folder = output / "recordings"
    beds = [item for clip in clips for item in ("--background", clip.path)]
    count = 20
    if len(list(folder.glob("*.flac"))) < count:
        loxo(
            "simulate",
            "--output",
            folder,
            "--recordings",
            count,
            "--hours",
            EVENT_FREE_H / count,
            "--events-per-hour",
            0,
            "--seed",
            7000,
            *beds,
        )
    detected = detect([folder], model, output / "detections")
    counts = dict.fromkeys(EVENT_LABELS, 0)
    for rows in detected.values():
        for row in rows:
            counts[row["label"]] += 1
    return counts | {"seconds": EVENT_FREE_H * 3600}


def measured(shared: Path, model: str, output: Path) -> dict[str, Any]:
    """All that is measured; a part that is done already is not done again."""
    clips = read_manifest(shared / "audio")
    of_role = {role: [clip for clip in clips if clip.role == role] for role in ("natural", "gunshot", "weak", "background")}
    bench = shared / "bench" / "dev_mixed.flac"
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "bench": partial(evaluate, bench.with_suffix(".selections.txt"), [bench], model, output / "bench")
    }
    groups: dict[str, list[Clip]] = defaultdict(list)
    for clip in (*of_role["natural"], *of_role["gunshot"]):
        groups[clip.group].append(clip)
    for kind in ("Rumble", "Roar", "Trumpet"):
        groups[f"weak-{kind}"] = [clip for clip in of_role["weak"] if any(event.label == kind for event in clip.events)]
    groups["backgrounds"] = of_role["background"]
    parts |= {name: partial(hits, members, model, output / name) for name, members in groups.items()}
    parts["event-free"] = partial(event_free, of_role["background"], model, output / "event-free")
    return {name: kept(output / f"{name}.json", part) for name, part in parts.items()}


def report(found: dict[str, Any]) -> Iterator[str]:
    """The figures as Markdown."""
    yield "| dev_mixed | precision | recall | F1 | false an hour | average precision | best F1 | recall at 5 an hour |"
    yield "|---|---|---|---|---|---|---|---|"
    for label in EVENT_LABELS:
        row = found["bench"][label]
        spans = [f"{row[name]:.2f} ({row[f'{name}_interval'][0]:.2f}-{row[f'{name}_interval'][1]:.2f})" for name in ("precision", "recall")]
        per_hour, (low, high) = row["false_positives_per_hour"], row["false_positives_per_hour_interval"]
        more = [f"{row['average_precision']:.2f}", f"{row['best']['f1']:.2f}", f"{row['recall_at']['5']['recall']:.2f}"]
        yield f"| {label} | {' | '.join(spans)} | {row['f1']:.2f} | {per_hour:.0f} ({low:.0f}-{high:.0f}) | {' | '.join(more)} |"
    yield ""
    yield "| recordings | minutes | found | missed | false |"
    yield "|---|---|---|---|---|"
    for name, part in found.items():
        if "missed" in part:
            false = {label: sum(text.startswith(label) for text in part["false"]) for label in EVENT_LABELS}
            told = ", ".join(f"{count} {label}" for label, count in false.items() if count) or "none"
            yield f"| {NATURAL.get(name, name)} | {part['seconds'] / 60:.1f} | {len(part['found'])} | {len(part['missed'])} | {told} |"
    hours = found["event-free"]["seconds"] / 3600
    for label in EVENT_LABELS:
        count = found["event-free"][label]
        low, high = poisson_interval(count, hours)
        yield f"\n{label}: {count / hours:.2f} ({low:.2f}-{high:.2f}) false detections an hour in {hours:g} h without events"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--output", type=Path, default=Path("build/accuracy"))
    parser.add_argument("--model", default="tcn", help="a packaged model, or a model folder")
    options = parser.parse_args()
    print("\n".join(report(measured(options.shared, options.model, options.output))))


if __name__ == "__main__":
    main()
