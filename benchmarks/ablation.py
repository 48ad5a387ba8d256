"""What the packaged model's front end and network are chosen by: one change at a time, the same scenes, steps and seed for each.

    python benchmarks/ablation.py --output build/ablation

Everything is simulated: scenes to train with, and soundscapes of other seeds to judge by. A training has one core; its cost is that of
detection, in seconds of processor time for a day. What is done already is not done again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from experiments import RATE, busy, kept, loxo, read, simulate

from loxo.events import EVENT_LABELS
from loxo.simulate import SceneSettings
from loxo.simulate.writing import load_backgrounds, write_clip_set
from loxo.spectrogram import FrontEnd

TEST = 6
"""Recordings of half an hour to judge by."""
USUAL = FrontEnd()


def bands(kind: str, **changes: float) -> str:
    """The setting that changes some of the bands of the `long` or the `short` windows."""
    return f"front_end.{kind}={json.dumps(asdict(replace(getattr(USUAL, kind), **changes)))}"


ARMS: dict[str, tuple[str, ...]] = {
    "as packaged": (),
    "as packaged, another seed": ("seed=1",),
    "steps of one frame": ("model.settings.step_frames=1",),
    "short windows of 80 ms, two a frame": (bands("short", window=320, per_frame=2, flat=0),),
    "half the long bands": (bands("long", step_hz=5, ratio=1.17),),
    "long windows of 256 ms": (bands("long", window=1024, every=2),),
    "floor of 10 s": ("front_end.floor_s=10",),
    "floor of 60 s": ("front_end.floor_s=60",),
    "16, 24, 32 channels": ("model.settings={channels: [16, 24, 32], joined: 64, hidden: 32, step_frames: 2}",),
    "16, 32, 48 channels": ("model.settings={channels: [16, 32, 48], joined: 96, hidden: 64, step_frames: 2}",),
    "windows of 15 s": ("data.window_s=15", "epochs=4"),
}
"""Changes of `configs/crnn.yaml`; windows of half the length are twice as many."""


def judge(folder: Path, name: str, epochs: int) -> dict[str, Any]:
    """Train, detect in the test recordings down to low scores, and compare."""
    place = place_of(folder, name)
    changes = [
        f"data.clips={folder / 'clips' / 'clips.parquet'}",
        "data.scenes=0",
        f"epochs={epochs}",
        "devices=1",
        "average_decay=0.98",
        "logger=none",
    ]
    options = [item for change in (*changes, f"output={place}", *ARMS[name]) for item in ("--set", change)]
    loxo("train", "--config", "configs/crnn.yaml", *options)
    lowest = [item for label in EVENT_LABELS for item in ("--threshold", f"{label}=0.02")]
    detected_s = loxo("detect", folder / "test", "--output", place / "detections", "--model", place / "model", "--threads", 1, *lowest)
    loxo("evaluate", "--truth", folder / "test", "--detections", place / "detections", "--json", place / "evaluation.json")
    return {"seconds_per_day": detected_s * 24 / (0.5 * TEST), **json.loads((place / "evaluation.json").read_text(encoding="utf-8"))}


def one(folder: Path, epochs: int, name: str) -> Any:
    """What a change does, found now or before."""
    return kept(place_of(folder, name).with_suffix(".json"), partial(judge, folder, name, epochs))


def place_of(folder: Path, name: str) -> Path:
    return folder / name.translate({ord(mark): None for mark in ":,."}).replace(" ", "-")


def table(folder: Path) -> Iterator[str]:
    """A row an arm, as Markdown."""
    labels = [f"{label}: AP | recall at 5 an hour" for label in EVENT_LABELS]
    yield f"| | {' | '.join(labels)} | s a day |"
    yield "|---" * (2 * len(EVENT_LABELS) + 2) + "|"
    for name in ARMS:
        if found := read(place_of(folder, name).with_suffix(".json")):
            rules = [found["classes"][label]["overlap10"] for label in EVENT_LABELS]
            cells = [f"{rule['average_precision']:.3f} | {rule['recall_at']['5']['recall']:.2f}" for rule in rules]
            yield f"| {name} | {' | '.join(cells)} | {found['seconds_per_day']:.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("build/ablation"))
    parser.add_argument("--scenes", type=int, default=4000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=2, help="trainings at a time, of one core each")
    parser.add_argument("--arms", nargs="*", choices=ARMS, default=list(ARMS), metavar="ARM", help="changes to try (default: all)")
    parser.add_argument("--backgrounds", type=Path, nargs="*", default=[])
    options = parser.parse_args()
    folder: Path = options.output
    if not (folder / "clips" / "clips.parquet").is_file():
        known = load_backgrounds(options.backgrounds, RATE)
        for _ in write_clip_set(folder / "clips", options.scenes, SceneSettings(rate=RATE), known, seed=1, jobs=options.jobs):
            pass
    simulate(folder / "test", range(9000, 9000 + TEST), busy(0.5))
    with ThreadPoolExecutor(options.jobs) as pool:
        for name, _ in zip(options.arms, pool.map(partial(one, folder, options.epochs), options.arms), strict=True):
            print(f"{name}: done", flush=True)
    print("\n".join(table(folder)))


if __name__ == "__main__":
    main()
