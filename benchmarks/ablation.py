"""Ablation of the packaged model: one change at a time, with the same scenes, steps and seed.

    python benchmarks/ablation.py --output build/ablation

Everything is simulated: scenes for training, and recordings with other seeds for testing. Each
training runs on one core. The cost of a network is the time that it takes for a day of audio.
Results that exist are not computed again.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import onnxruntime
from experiments import RATE, busy, detect_and_evaluate, kept, loxo, read, simulate

from loxo.events import EVENT_LABELS
from loxo.model_folder import load_spec
from loxo.scoring import CORE_FRAMES
from loxo.simulate import SceneSettings
from loxo.simulate.writing import load_backgrounds, write_clip_set
from loxo.spectrogram import FrontEnd
from loxo.storage import atomic_write

mpl.use("Agg")
from matplotlib import pyplot as plt

TEST = 6
"""Number of test recordings, of half an hour each."""
DEFAULT = FrontEnd()


def bands(kind: str, **changes: float) -> str:
    """Setting that changes some bands of the `long` or the `short` windows."""
    return f"front_end.{kind}={json.dumps(asdict(replace(getattr(DEFAULT, kind), **changes)))}"


RECURRENT = (
    "model={name: crnn, settings: "
    "{stem_channels: [24, 48, 64], channels: 128, hidden: 96, step_frames: 2}}"
)
ARMS: dict[str, tuple[str, ...]] = {
    "as packaged": (),
    "as packaged, another seed": ("seed=1",),
    "half the learning rate": ("optimiser.learning_rate=2e-3",),
    "twice the learning rate": ("optimiser.learning_rate=8e-3",),
    "steps of four frames": ("model.settings.strides=[2, 2]",),
    "narrow": ("model.settings.stem_channels=[32, 48, 64]", "model.settings.channels=128"),
    "narrow, steps of four frames": (
        "model.settings.stem_channels=[32, 48, 64]",
        "model.settings.channels=128",
        "model.settings.strides=[2, 2]",
    ),
    "recurrent": (RECURRENT,),
    "recurrent, half the learning rate": (RECURRENT, "optimiser.learning_rate=2e-3"),
    "floor of 10 s": ("front_end.floor_s=10",),
    "mean floor": ("front_end.floor_quantile=null",),
    "floor at the median": ("front_end.floor_quantile=0.5",),
    "short windows of 80 ms, two a frame": (
        bands("short", window=320, per_frame=2, tukey_taper=1),
    ),
    "half the long bands": (bands("long", step_hz=5, ratio=1.17),),
    "windows of 15 s": ("data.window_s=15", "epochs=4"),
}
"""Changes to `configs/tcn.yaml`. Windows of half the length get twice as many epochs."""


def evaluate(folder: Path, name: str, epochs: int) -> dict[str, Any]:
    """Train, detect in the test recordings at low thresholds, and evaluate."""
    place = place_of(folder, name)
    changes = [
        f"data.clips={folder / 'clips' / 'clips.parquet'}",
        "data.scenes=0",
        f"epochs={epochs}",
        "devices=1",
        "ema_decay=0.98",
        "logger=none",
    ]
    options = [
        item for change in (*changes, f"output={place}", *ARMS[name]) for item in ("--set", change)
    ]
    loxo("train", "--config", "configs/tcn.yaml", *options)
    lowest = [item for label in EVENT_LABELS for item in ("--threshold", f"{label}=0.02")]
    _, evaluation = detect_and_evaluate(folder / "test", place, *lowest)
    lines = (place / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return {
        "network_s": network_seconds(place / "model"),
        "validation_loss": json.loads(lines[-1])["validation_loss"],
        **evaluation,
    }


def network_seconds(model: Path) -> float:
    """Time that a network takes for a day of audio, in seconds of one core: the best of five."""
    spec = load_spec(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model / "model.onnx", options)
    features = (
        np.random.default_rng(0)
        .standard_normal((1, spec.front_end.n_bands, CORE_FRAMES + 2 * spec.context_frames))
        .astype(np.float32)
    )
    took = []
    for _ in range(5):
        began = time.thread_time()
        session.run(None, {"features": features})
        took.append(time.thread_time() - began)
    return min(took) * spec.front_end.grid.n_frames(24 * 3600 * spec.front_end.rate) / CORE_FRAMES


def one(folder: Path, epochs: int, name: str) -> Any:
    """Result of a change, computed now or read from a file."""
    return kept(
        place_of(folder, name).with_suffix(".json"), partial(evaluate, folder, name, epochs)
    )


def place_of(folder: Path, name: str) -> Path:
    return folder / name.translate({ord(mark): None for mark in ":,."}).replace(" ", "-")


def results(folder: Path) -> dict[str, Any]:
    """Results of all arms that are done."""
    found = {name: read(place_of(folder, name).with_suffix(".json")) for name in ARMS}
    return {name: result for name, result in found.items() if result}


def table(found: dict[str, Any]) -> Iterator[str]:
    """Table with a row per arm, as Markdown."""
    labels = [f"{label}: AP | recall at 5 per hour" for label in EVENT_LABELS]
    yield f"| | {' | '.join(labels)} | validation loss | network, s per day |"
    yield "|---" * (2 * len(EVENT_LABELS) + 3) + "|"
    for name, result in found.items():
        rules = [result["classes"][label]["overlap10"] for label in EVENT_LABELS]
        cells = [
            f"{rule['average_precision']:.3f} | {rule['recall_at']['5']['recall']:.2f}"
            for rule in rules
        ]
        costs = f"{result['validation_loss']:.4f} | {result['network_s']:.1f}"
        yield f"| {name} | {' | '.join(cells)} | {costs} |"


def draw(found: dict[str, Any], path: Path) -> None:
    """Draw the average precision of each network against its cost."""
    figure, axes = plt.subplots(figsize=(7, 4))
    for label in EVENT_LABELS:
        points = [
            (result["network_s"], result["classes"][label]["overlap10"]["average_precision"], name)
            for name, result in found.items()
        ]
        axes.scatter([each[0] for each in points], [each[1] for each in points], label=label)
        for each in points:
            axes.annotate(each[2], each[:2], xytext=(4, 3), textcoords="offset points", fontsize=6)
    axes.set(
        xlabel="network: seconds of one core per day of audio",
        ylabel="average precision (overlap10)",
        xlim=(0, None),
    )
    axes.legend(frameon=False)
    figure.tight_layout()
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("build/ablation"))
    parser.add_argument("--scenes", type=int, default=4000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument(
        "--jobs", type=int, default=2, help="trainings at the same time, of one core each"
    )
    parser.add_argument(
        "--arms",
        nargs="*",
        choices=ARMS,
        default=list(ARMS),
        metavar="ARM",
        help="changes to try (default: all)",
    )
    parser.add_argument("--backgrounds", type=Path, nargs="*", default=[])
    parser.add_argument("--draw", type=Path, metavar="PNG", help="draw accuracy against cost")
    options = parser.parse_args()
    folder: Path = options.output
    if not (folder / "clips" / "clips.parquet").is_file():
        known = load_backgrounds(options.backgrounds, RATE)
        write_clip_set(
            folder / "clips",
            options.scenes,
            SceneSettings(rate=RATE),
            known,
            seed=1,
            jobs=options.jobs,
        )
    simulate(folder / "test", range(9000, 9000 + TEST), busy(0.5))
    with ThreadPoolExecutor(options.jobs) as pool:
        for name, _ in zip(
            options.arms, pool.map(partial(one, folder, options.epochs), options.arms), strict=True
        ):
            print(f"{name}: done", flush=True)
    found = results(folder)
    print("\n".join(table(found)))
    if options.draw:
        draw(found, options.draw)


if __name__ == "__main__":
    main()
