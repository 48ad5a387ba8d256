"""The gain from a few dozen labels of a new site: the packaged model as it is, calibrated, trained.

    python benchmarks/adaptation.py --output build/adaptation

The new site is simulated. All its recordings contain the same village noise, engines and voices all
day, and its rumbles and gunshots are faint. Two hours of it are labelled. Clips are made of the
events, and of the false positives of the packaged model there; thresholds are calibrated there,
too. Four further hours are the test, by the rule `one_to_one`. The packaged model is trained
further with `configs/finetune.yaml`; a new model is trained on the same clips with
`configs/own.yaml`.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from experiments import RATE, kept, loxo, simulate

from loxo.clips import read_clips
from loxo.events import EVENT_LABELS
from loxo.model_folder import find_model
from loxo.simulate import SceneSettings, scene

RULE = "one_to_one"
"""Not `overlap10`, by which one endless detection would match all events."""
LABELLED, TEST = 4, 8
"""Numbers of recordings, of half an hour each."""
VILLAGE = SceneSettings(
    rate=RATE,
    seconds=300.0,
    rumbles_per_minute=0,
    gunshots_per_minute=0,
    lookalikes_per_minute=20,
    lookalike_db=(0, 20),
)
FOREST = SceneSettings(
    rate=RATE,
    seconds=60.0,
    rumbles_per_minute=0.4,
    gunshots_per_minute=0.4,
    lookalikes_per_minute=4,
    background_share=1.0,
)


def forest() -> SceneSettings:
    """Scenes of the new site, over the noise of its village."""
    village = tuple(scene([77, number], VILLAGE)[0] for number in range(4))
    return replace(FOREST, backgrounds=village, rumble_db=(-2.0, 14.0), gunshot_db=(-2.0, 16.0))


def evaluate(folder: Path, model: str | Path, name: str) -> dict[str, Any]:
    """Figures at the model's thresholds, and average precision from low thresholds."""
    found = {}
    for kind, options in (
        ("chosen", ()),
        ("low", tuple(item for label in EVENT_LABELS for item in ("--threshold", f"{label}=0.02"))),
    ):
        output = folder / name / kind
        loxo("detect", folder / "test", "--output", output, "--model", model, *options)
        loxo(
            "evaluate",
            "--truth",
            folder / "test",
            "--detections",
            output,
            "--json",
            folder / name / f"{kind}.json",
        )
        found[kind] = json.loads((folder / name / f"{kind}.json").read_text(encoding="utf-8"))[
            "classes"
        ]
    return {
        label: found["chosen"][label][RULE]
        | {"average_precision": found["low"][label][RULE]["average_precision"]}
        for label in EVENT_LABELS
    }


def calibrated(folder: Path, model: Path, name: str) -> dict[str, Any]:
    """Evaluate a copy of a model with the thresholds of the best F1 in the labelled recordings."""
    copy = folder / f"{name}-model"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(model, copy)
    loxo("calibrate", copy, "--recordings", folder / "labelled", "--truth", folder / "labelled")
    return evaluate(folder, copy, name)


def trained(folder: Path, config: str) -> dict[str, Any]:
    """Train with a shipped configuration on the labelled recordings, calibrate, and evaluate."""
    clips = (
        "--set",
        f"data.clips={folder / 'data' / 'resampled.parquet'}",
        "--set",
        f"output={folder / config}",
        "--set",
        "logger=none",
    )
    loxo("train", "--config", f"configs/{config}.yaml", *clips)
    return calibrated(folder, folder / config / "model", config)


def table(found: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Table with a row per model and label, as Markdown."""
    yield "| model | | average precision | F1 | precision | recall | false positives per hour |"
    yield "|---|---|---|---|---|---|---|"
    for name, by_label in found.items():
        for label, row in by_label.items():
            shares = [
                f"{row[key] or 0:.2f}" for key in ("average_precision", "f1", "precision", "recall")
            ]
            false_positives = f"{row['false_positives_per_hour']:.0f}"
            yield f"| {name} | {label} | {' | '.join(shares)} | {false_positives} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("build/adaptation"))
    folder: Path = parser.parse_args().output
    simulate(folder / "labelled", range(100, 100 + LABELLED), forest())
    simulate(folder / "test", range(500, 500 + TEST), forest())
    if not (folder / "data" / "resampled.parquet").is_file():
        loxo("detect", folder / "labelled", "--output", folder / "first", "--model", "tcn")
        source = (
            "--tables",
            folder / "labelled",
            "--recordings",
            folder / "labelled",
            "--data",
            folder / "data",
        )
        false = ("--from", folder / "first", "--hard-share", 1, "--ratio", 1)
        loxo(
            "prepare",
            "all",
            *source,
            *false,
            "--rate",
            RATE,
            "--test",
            0,
            "--validation",
            0.25,
            "--seed",
            0,
        )
    events = [
        event for clip in read_clips(folder / "data" / "resampled.parquet") for event in clip.events
    ]
    print(
        ", ".join(
            f"{sum(event.label == label for event in events)} {label}" for label in EVENT_LABELS
        ),
        "in the labelled clips",
    )
    arms = {
        "packaged": partial(evaluate, folder, "tcn", "packaged"),
        "packaged, calibrated": partial(
            calibrated, folder, find_model("tcn"), "packaged-calibrated"
        ),
        "packaged, trained further (finetune.yaml)": partial(trained, folder, "finetune"),
        "new (own.yaml)": partial(trained, folder, "own"),
    }
    print(
        "\n".join(
            table(
                {
                    name: kept(folder / f"{number}.json", arm)
                    for number, (name, arm) in enumerate(arms.items())
                }
            )
        )
    )


if __name__ == "__main__":
    main()
