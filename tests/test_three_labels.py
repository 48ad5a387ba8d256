"""Three labels from `loxo prepare` to `loxo detect` and `loxo evaluate`.

Whatever the labels are, clips, batches, the network, thresholds, tables and figures follow them.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import polars as pl
import yaml
from typer.testing import CliRunner

from loxo.cli import app
from loxo.clips import read_clips
from loxo.model_folder import load_spec
from loxo.scoring import CORE_FRAMES

LABELS = ("Rumble", "Gunshot", "Chainsaw")


def loxo(*arguments: object) -> None:
    """Run a command; it must succeed."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, f"{arguments[0]}: {result.exception!r} {result.output}"


def test_three_labels_from_tables_to_figures(tmp_path: Path) -> None:
    recordings, data, run = tmp_path / "recordings", tmp_path / "data", tmp_path / "run"
    simulated = ("--recordings", 2, "--hours", 0.05, "--rate", 4000, "--events-per-hour", 240)
    loxo("simulate", "--output", recordings, "--labels", ",".join(LABELS), *simulated, "--jobs", 1)

    source = ("--tables", recordings, "--recordings", recordings, "--labels", ",".join(LABELS))
    lengths = ("--clip-length", 10, "--rate", 4000)
    split = ("--split-by", "recording", "--validation", 0.5, "--test", 0)
    loxo("prepare", "all", "--data", data, *source, *lengths, *split)
    clips = read_clips(data / "resampled.parquet")
    assert set(LABELS) <= {label for clip in clips for label in clip.labels}

    content = {
        "labels": list(LABELS),
        "model": {"name": "feedforward", "settings": {"neighbours": 1, "hidden": [8]}},
        "data": {"clips": str(data / "resampled.parquet"), "window_s": 5},
        "optimiser": {"positive_weight": {"Rumble": 1, "Gunshot": 2, "Chainsaw": 1}},
        "shares": {"Rumble": 1, "Gunshot": 1, "Chainsaw": 1, "Several": 1, "Background": 1},
        "epochs": 1,
        "batch_size": 4,
        "logger": "none",
        "output": str(run),
    }
    config = tmp_path / "three.yaml"
    config.write_text(yaml.safe_dump(content), encoding="utf-8")
    loxo("train", "--config", config)
    spec = load_spec(run / "model")
    assert spec.labels == LABELS
    assert set(spec.post_processing) == set(LABELS)
    assert set(json.loads((run / "confusion.json").read_text(encoding="utf-8"))) == set(LABELS)
    metrics = json.loads((run / "metrics.jsonl").read_text(encoding="utf-8"))
    assert {f"validation_ap_{label}" for label in LABELS} <= set(metrics)
    network = onnxruntime.InferenceSession(run / "model" / "model.onnx")
    features = np.zeros((1, spec.front_end.n_bands, CORE_FRAMES), np.float32)
    assert network.run(None, {"features": features})[0].shape[1] == 3

    # An epoch teaches little: at low thresholds something is found of each label.
    found = tmp_path / "found"
    thresholds = [item for label in LABELS for item in ("--threshold", f"{label}=0.01")]
    loxo("detect", recordings, "--output", found, "--model", run / "model", *thresholds)
    table = pl.read_parquet(found / "detections.parquet")
    assert set(table["label"]) == set(LABELS)

    figures = tmp_path / "figures.json"
    loxo("evaluate", "--truth", recordings, "--detections", found, "--json", figures)
    by_label = json.loads(figures.read_text(encoding="utf-8"))["classes"]
    assert set(by_label) == set(LABELS)
    for label in LABELS:
        assert by_label[label]["overlap10"]["true_events"] > 0
        assert by_label[label]["overlap10"]["detections"] == len(table.filter(label=label))
