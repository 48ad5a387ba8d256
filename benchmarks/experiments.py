"""The experiments of docs/experiments.md: background clips, and architectures on one budget.

    python benchmarks/experiments.py --output build/experiments

Everything runs as for a user: recordings are simulated, `loxo prepare` cuts clips, `loxo train`
trains models, `loxo detect` and `loxo evaluate` test them. Two trainings run at the same time, each
on one core. Their budget is seconds of processor time, so that other work on the machine does not
change it. Results that exist are not computed again.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from loxo.clips import Clip, read_clips, write_clips
from loxo.dataset import AudioDataset, WindowSettings
from loxo.events import EVENT_LABELS
from loxo.model import load_model
from loxo.simulate import SceneSettings
from loxo.simulate.writing import write_recordings
from loxo.storage import atomic_write

RATE, CLIP_S = 4000, 20
TRAIN, TEST = 48, 8
"""Numbers of recordings of half an hour, each of one place and one recorder."""
SEEDS = (0, 1, 2)
UNUSED = ("distance", "mixup", "background", "gain", "self_noise", "clipping", "masks")
CROP_ONLY = f"augment={{{', '.join(f'{change}: {{share: 0}}' for change in UNUSED)}}}"
"""No augmentation but cropping."""
SMALL_HTSAT = (
    "model.settings={embed_dim: 24, depths: [1, 1, 2, 1], heads: [2, 2, 2, 2]}",
    "optimiser.learning_rate=1.0e-3",
)
ARCHITECTURES: dict[str, tuple[str, ...]] = {
    "crnn": (),
    "transformer": (),
    "htsat": SMALL_HTSAT,
    "feedforward": (),
}
PROBE_CLIPS = 256


@dataclass(frozen=True)
class Run:
    """A training: name, shipped configuration, clips, changes, epochs and seed."""

    name: str
    config: str
    clips: Path
    changes: tuple[str, ...] = ()
    epochs: int = 1
    seed: int = 0


def loxo(*arguments: object) -> float:
    """Run a command on one core; return its processor time in seconds."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [str(Path(sys.executable).with_name("loxo")), *map(str, arguments)]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        told = process.stdout.read().decode() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"loxo {' '.join(map(str, arguments))}: {told}")
    return usage.ru_utime + usage.ru_stime


def kept(path: Path, make: Callable[[], Any]) -> Any:
    """Read a result from a JSON file, or compute it and write the file."""
    if not path.is_file():
        found = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as temporary:
            temporary.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return json.loads(path.read_text(encoding="utf-8"))


# ---- data


def simulate(folder: Path, numbers: range, settings: SceneSettings) -> None:
    """Simulate recordings `sim0001_...` of half an hour with tables, unless all exist."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"sim{number:04d}_20260101_000000.flac" for number in numbers]
    if not all(path.with_suffix(".selections.txt").is_file() for path in paths):
        write_recordings(paths, settings, 1800.0, seed=numbers.start, jobs=2)


def busy(events_per_minute: float) -> SceneSettings:
    """Scenes with so many rumbles, and as many gunshots, per minute."""
    return SceneSettings(
        rate=RATE,
        seconds=60.0,
        rumbles_per_minute=events_per_minute,
        gunshots_per_minute=events_per_minute,
    )


def prepare(folder: Path) -> dict[str, Path]:
    """Make the clip sets `with` and `without` background clips, and the small set `probe`.

    The first two differ only in their training clips; `probe` is a part of the first.
    """
    data = folder / "data"
    tables = ("--tables", folder / "train", "--recordings", folder / "train")
    if not (data / "resampled.parquet").is_file():
        loxo(
            "prepare",
            "all",
            *tables,
            "--data",
            data,
            "--rate",
            RATE,
            "--test",
            0,
            "--validation",
            0.2,
            "--ratio",
            1,
            "--seed",
            0,
        )
    clips = read_clips(data / "resampled.parquet")
    sets = {
        "with": clips,
        "without": [clip for clip in clips if clip.labels or clip.split != "train"],
        "probe": clips[:: max(1, len(clips) // PROBE_CLIPS)],
    }
    for name, chosen in sets.items():
        write_clips(data / f"{name}.parquet", chosen)
    return {name: data / f"{name}.parquet" for name in sets}


# ---- a run


def train(folder: Path, run: Run) -> float:
    """Train; return the processor time in seconds."""
    changes = [
        f"data.clips={run.clips}",
        "data.scenes=0",
        f"data.window_s={CLIP_S}",
        f"epochs={run.epochs}",
        f"seed={run.seed}",
        "devices=1",
        "logger=none",
    ]
    options = [
        item
        for change in (*changes, f"output={folder / run.name}", *run.changes)
        for item in ("--set", change)
    ]
    return loxo("train", "--config", f"configs/{run.config}.yaml", *options)


def detect_and_evaluate(test: Path, place: Path, *options: str) -> tuple[float, dict[str, Any]]:
    """Run the model of a folder over test recordings that have their tables beside them.

    Args:
        place: folder with `model`; detections and `evaluation.json` are written there.

    Returns:
        processor seconds of detection, and what `loxo evaluate` wrote.
    """
    found, written = place / "detections", place / "evaluation.json"
    detected_s = loxo(
        *("detect", test, "--output", found, "--model", place / "model", "--threads", 1),
        *options,
    )
    loxo("evaluate", "--truth", test, "--detections", found, "--json", written)
    return detected_s, json.loads(written.read_text(encoding="utf-8"))


def evaluate(folder: Path, run: Run) -> dict[str, Any]:
    """Train, detect in the test recordings, and evaluate."""
    trained_s = train(folder, run)
    place = folder / run.name
    detected_s, evaluation = detect_and_evaluate(folder / "test", place)
    classes = evaluation["classes"]
    hours = TEST * 0.5
    return {
        "epochs": run.epochs,
        "steps": run.epochs * (len(read_clips(run.clips, "train")) // _batch_size(place)),
        "train_minutes": trained_s / 60,
        "detect_s_per_hour": detected_s / hours,
        "parameters": _parameters(place / "model"),
        "clips": per_second_of_clips(place / "model", read_clips(run.clips, "validation")),
        "classes": {label: classes[label] for label in EVENT_LABELS},
    }


def _batch_size(place: Path) -> int:
    return int(yaml.safe_load((place / "config.yaml").read_text(encoding="utf-8"))["batch_size"])


def _parameters(model: Path) -> int:
    from safetensors import safe_open

    with safe_open(model / "weights.safetensors", "np") as weights:
        names = weights.keys()
        statistics = ("running_mean", "running_var", "num_batches_tracked")
        learned = [name for name in names if not name.endswith(statistics)]
        return sum(math.prod(weights.get_slice(name).get_shape()) for name in learned)


def per_second_of_clips(model: Path, clips: Sequence[Clip]) -> dict[str, dict[str, float]]:
    """Accuracy, F1, precision and recall per second of validation clips, all labels pooled.

    At the thresholds that training chose, for the clips with events (`events`) and for all.
    """
    dataset = AudioDataset(list(clips), WindowSettings(RATE, CLIP_S, CLIP_S))
    loaded = load_model(model, threads=1)
    scores, targets, has_events = [], [], []
    for number, clip in enumerate(clips):
        waveform, target = dataset[number]
        frames = loaded.score(waveform, RATE).values
        scores.append(frames.reshape(CLIP_S, -1, len(EVENT_LABELS)).max(axis=1).T)
        targets.append(target)
        has_events.append(bool(clip.labels))
    thresholds = np.array(
        [[loaded.spec.post_processing[label].threshold] for label in EVENT_LABELS]
    )
    found, true, with_events = (
        np.stack(scores) >= thresholds,
        np.stack(targets),
        np.array(has_events),
    )
    return {"events": _shares(found[with_events], true[with_events]), "all": _shares(found, true)}


def _shares(found: NDArray[np.bool_], true: NDArray[np.float32]) -> dict[str, float]:
    known = ~np.isnan(true)
    positive, detected = true[known] > 0, found[known]
    hits = int((positive & detected).sum())
    precision, recall = hits / max(1, detected.sum()), hits / max(1, positive.sum())
    return {
        "accuracy": float((positive == detected).mean()),
        "f1": float(2 * precision * recall / max(1e-9, precision + recall)),
        "precision": float(precision),
        "recall": float(recall),
    }


def epoch_seconds(folder: Path, run: Run, sets: dict[str, Path]) -> float:
    """Processor time of an epoch over the whole clip set, in seconds.

    It is the difference between two trials of other lengths, so start and end do not count.
    """

    def measure() -> dict[str, float]:
        short, long = (
            train(folder, replace(run, name=f"probe-{run.name}-{n}", clips=sets["probe"], epochs=n))
            for n in (1, 5)
        )
        return {"seconds": (long - short) / 4}

    share = len(read_clips(run.clips)) / len(read_clips(sets["probe"]))
    return float(kept(folder / f"probe-{run.name}.json", measure)["seconds"]) * share


# ---- the experiments


def background_runs(folder: Path, sets: dict[str, Path], minutes: float) -> list[Run]:
    """Three arms with three seeds each, all with the same number of steps."""
    first = Run("background", "own", sets["with"], (CROP_ONLY, "batch_size=16"))
    epochs = max(1, round(60 * minutes / epoch_seconds(folder, first, sets)))
    n_with, n_without = (len(read_clips(sets[name], "train")) for name in ("with", "without"))
    runs = []
    for seed in SEEDS:
        runs += [
            replace(
                first,
                name=f"without-{seed}",
                clips=sets["without"],
                epochs=round(epochs * n_with / n_without),
                seed=seed,
            ),
            replace(first, name=f"with-{seed}", epochs=epochs, seed=seed),
            replace(
                first,
                name=f"augmented-{seed}",
                changes=("batch_size=16",),
                epochs=epochs,
                seed=seed,
            ),
        ]
    return runs


def model_runs(folder: Path, sets: dict[str, Path], minutes: float) -> list[Run]:
    """The four architectures, each with as many epochs as the budget allows."""
    runs = []
    for name, changes in ARCHITECTURES.items():
        run = Run(f"model-{name}", name, sets["with"], (CROP_ONLY, "batch_size=16", *changes))
        cost_s = epoch_seconds(folder, run, sets)
        print(f"{name}: {cost_s:.0f} s per epoch", flush=True)
        runs.append(replace(run, epochs=max(1, round(60 * minutes / cost_s))))
    return runs


# ---- tables


def background_table(folder: Path) -> Iterator[str]:
    """Table of the mean and range of each arm over its seeds, as Markdown."""
    yield (
        "| training clips | accuracy, clips with events | accuracy, all clips | F1, all clips | "
        "| F1 | false positives per hour |"
    )
    yield "|---|---|---|---|---|---|---|"
    for arm in ("without", "with", "augmented"):
        runs = [found for seed in SEEDS if (found := read(folder / f"{arm}-{seed}.json"))]
        if not runs:
            continue
        row = [
            arm,
            *(spread([run["clips"][which][name] for run in runs], 3) for which, name in OF_CLIPS),
        ]
        for label in EVENT_LABELS:
            rule = [run["classes"][label]["overlap10"] for run in runs]
            of_events = (
                spread([found["f1"] for found in rule], 2),
                spread([found["false_positives_per_hour"] for found in rule], 1),
            )
            yield f"| {' | '.join([*row, label, *of_events])} |"
            row = [""] * len(row)


OF_CLIPS = (("events", "accuracy"), ("all", "accuracy"), ("all", "f1"))


def model_table(folder: Path) -> Iterator[str]:
    """Table with a row per model and label, as Markdown."""
    yield (
        "| model | parameters | epochs | minutes | s per hour | F1 of clips | | F1 of seconds | "
        "F1 of events | false positives per hour |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for name in ARCHITECTURES:
        found = read(folder / f"model-{name}.json")
        if not found:
            continue
        costs = [
            f"{found['train_minutes']:.0f}",
            f"{found['detect_s_per_hour']:.1f}",
            f"{found['clips']['all']['f1']:.3f}",
        ]
        row = [name, f"{found['parameters']:,}", str(found["epochs"]), *costs]
        for label in EVENT_LABELS:
            rules = found["classes"][label]
            figures = [f"{rules[rule]['f1']:.2f}" for rule in ("per_second", "overlap10")]
            figures.append(f"{rules['overlap10']['false_positives_per_hour']:.0f}")
            yield f"| {' | '.join([*row, label, *figures])} |"
            row = [""] * len(row)


def read(path: Path) -> dict[str, Any]:
    """Result of a run; empty if it is not finished."""
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def spread(values: Sequence[float], digits: int) -> str:
    """Mean, smallest and largest value."""
    return f"{np.mean(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("build/experiments"))
    parser.add_argument(
        "--background-minutes",
        type=float,
        default=8.0,
        help="processor time of each training with or without background clips",
    )
    parser.add_argument(
        "--model-minutes",
        type=float,
        default=12.0,
        help="processor time of the training of each architecture",
    )
    options = parser.parse_args()
    folder: Path = options.output
    simulate(folder / "train", range(1000, 1000 + TRAIN), busy(0.4))
    simulate(folder / "test", range(9000, 9000 + TEST), busy(0.5))
    sets = prepare(folder)
    runs = background_runs(folder, sets, options.background_minutes)
    # Augmentation comes last: it is not what the experiments are about.
    runs = sorted(
        [*runs, *model_runs(folder, sets, options.model_minutes)],
        key=lambda run: run.name.startswith("augmented"),
    )
    with ThreadPoolExecutor(2) as pool:
        results = pool.map(
            lambda run: kept(folder / f"{run.name}.json", partial(evaluate, folder, run)), runs
        )
        for run, _ in zip(runs, results, strict=True):
            print(f"{run.name}: done", flush=True)
    print("\n".join([*background_table(folder), "", *model_table(folder)]))


if __name__ == "__main__":
    main()
