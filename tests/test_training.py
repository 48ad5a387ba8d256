"""A run leaves a model folder, the same for the same seed, interrupted or not."""

from __future__ import annotations

import hashlib
import json
import math
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import pytorch_lightning as lightning
import pytorch_lightning.loggers
import torch
import yaml
from numpy.typing import NDArray
from safetensors.numpy import load_file
from typer.testing import CliRunner

from loxo.cli import app
from loxo.clips import read_clips, write_clips
from loxo.dataset import AudioDataset
from loxo.events import EVENT_LABELS
from loxo.messages import Progress
from loxo.model_folder import load_spec
from loxo.simulate import SceneSettings
from loxo.simulate.drawn import DrawnScenes
from loxo.simulate.writing import write_recording
from loxo.spectrogram import FrontEnd
from loxo.training import (
    SettingsError,
    TrainingConfig,
    TrainingData,
    export_run,
    read_config,
    train,
)
from loxo.training.running import build_model, distillation
from training_fixtures import EPOCHS, TrainingRun, complaints, tiny_config, train_command

pytest_plugins = ("training_fixtures",)

Pair = tuple[NDArray[np.float32], NDArray[np.float32]]

CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.yaml"))


@pytest.fixture
def without_export(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip the export, which takes seconds, in runs that are not about it."""
    monkeypatch.setattr(
        "loxo.models.exporting.export_network", lambda _, path: path.write_bytes(b"network")
    )


def metric_lines(run: Path) -> list[dict[str, float]]:
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


# What a run leaves.


def test_a_run_leaves_its_configuration_figures_checkpoint_and_model(
    trained: TrainingRun, clip_set: Path
) -> None:
    output = trained.config.output
    assert read_config(output / "config.yaml") == trained.config
    assert (output / "checkpoints" / "last.ckpt").stat().st_size > 0
    assert trained.folder == output / "model"
    assert {path.name for path in trained.folder.iterdir()} == {
        "model.onnx",
        "spec.json",
        "weights.safetensors",
        "README.md",
    }
    assert {path.name for path in output.iterdir()} == {
        "config.yaml",
        "run.json",
        "metrics.jsonl",
        "curves.png",
        "confusion.json",
        "confusion.png",
        "checkpoints",
        "tensorboard",
        "model",
    }
    assert {path.name for path in (output / "checkpoints").iterdir()} == {"last.ckpt", "best.ckpt"}
    run = json.loads((output / "run.json").read_text(encoding="utf-8"))
    assert run["clips_sha256"] == hashlib.sha256(clip_set.read_bytes()).hexdigest()
    assert sum(run["clips"].values()) == 12


def test_each_epoch_has_a_line_of_metrics_of_its_own(trained: TrainingRun) -> None:
    lines = metric_lines(trained.config.output)
    names = {"epoch", "train_loss", "validation_loss"}
    names |= {f"validation_{kind}" for kind in ("accuracy", "precision", "recall", "f1")}
    for label in EVENT_LABELS:
        names |= {f"validation_ap_{label}", f"validation_f1_{label}"}
    assert [line["epoch"] for line in lines] == list(range(EPOCHS))
    assert all(set(line) == names for line in lines)
    assert lines[0]["train_loss"] != lines[1]["train_loss"]


def test_the_model_says_what_made_it(trained: TrainingRun, clip_set: Path) -> None:
    spec = load_spec(trained.folder)
    run = json.loads((trained.config.output / "run.json").read_text(encoding="utf-8"))
    assert spec.training["clips_sha256"] == hashlib.sha256(clip_set.read_bytes()).hexdigest()
    assert spec.training["clips"] == run["clips"]
    written = spec.training["config"]
    assert isinstance(written, dict)
    settings = trained.config.model_dump(mode="json")
    data = settings["data"] | {"clips": "clips.parquet"}
    assert written == settings | {"output": "tiny", "data": data}
    assert str(clip_set.parent) not in (trained.folder / "spec.json").read_text(encoding="utf-8")
    for label, processing in spec.post_processing.items():
        assert processing.smoothing_s == trained.config.post_processing[label].smoothing_s
        assert processing.threshold == round(processing.threshold, 3)


def test_a_run_ends_with_figures_and_the_next_commands(trained: TrainingRun) -> None:
    lines = trained.stdout.splitlines()
    assert [line for line in lines if line.startswith("epoch ")][-1].startswith(
        f"epoch {EPOCHS} of {EPOCHS}: training loss "
    )
    spec = load_spec(trained.folder)
    validation = spec.training["validation"]
    assert isinstance(validation, dict)
    for label in EVENT_LABELS:
        row = next(line.split() for line in lines if line.startswith(label))
        figures = validation[label]
        assert list(figures) == ["threshold", "precision", "recall", "f", "average_precision"]
        assert row[1:] == [f"{value:.3f}" for value in figures.values()]
        assert figures["threshold"] == spec.post_processing[label].threshold
    commands = [line.strip() for line in lines[-2:]]
    assert commands[0] == f"loxo calibrate {trained.folder} --recordings RECORDINGS --truth TABLES"
    assert commands[1] == (f"loxo detect RECORDINGS --output DETECTIONS --model {trained.folder}")


@pytest.mark.usefixtures("without_export")
def test_another_seed_gives_another_model_and_replaces_the_first(
    clip_set: Path, tmp_path: Path
) -> None:
    weights = []
    for seed in (1, 2):
        folder = train(tiny_config(clip_set, tmp_path / "run", seed=seed))
        weights.append((folder / "weights.safetensors").read_bytes())
    assert weights[0] != weights[1]
    assert len(metric_lines(tmp_path / "run")) == 2
    checkpoints = tmp_path / "run" / "checkpoints"
    assert {path.name for path in checkpoints.iterdir()} == {"last.ckpt", "best.ckpt"}


def test_a_checkpoint_becomes_the_model_that_its_run_left(
    trained: TrainingRun, tmp_path: Path
) -> None:
    export_run(trained.config.output, tmp_path / "exported")
    for name in ("weights.safetensors", "model.onnx", "spec.json"):
        assert (tmp_path / "exported" / name).read_bytes() == (trained.folder / name).read_bytes()
    with pytest.raises(FileNotFoundError, match="no checkpoint there"):
        export_run(trained.config.output, tmp_path / "exported", checkpoint=tmp_path / "none.ckpt")


# Data.


@pytest.mark.usefixtures("without_export")
def test_each_epoch_draws_other_windows_for_training_only(
    clip_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[bool, int, int]] = []
    read = AudioDataset.__getitem__

    def noted(dataset: AudioDataset, index: int) -> Pair:
        seen.append((dataset.random, dataset.epoch, index))
        return read(dataset, index)

    monkeypatch.setattr(AudioDataset, "__getitem__", noted)
    train(tiny_config(clip_set, tmp_path / "run", batch_size=11))
    training = [(epoch, index) for random, epoch, index in seen if random]
    assert sorted(training) == [(epoch, index) for epoch in (0, 1) for index in range(11)]
    assert training[:11] != sorted(training[:11])
    validation = {index for random, _, index in seen if not random}
    assert validation == {0}


@pytest.mark.parametrize(
    ("kept", "changes", "expected"),
    [
        ({"train"}, {}, "no clips of the split 'validation'"),
        ({"validation"}, {}, "no clips of the split 'train'"),
        (
            {"train", "validation"},
            {"batch_size": 12},
            "batch_size: 12 is more than a process has of the 11 windows",
        ),
        (
            {"train", "validation"},
            {"batch_size": 7, "devices": 2},
            "batch_size: 7 is more than a process has of the 11 windows",
        ),
    ],
)
def test_too_few_clips_are_refused_before_anything_is_written(
    clip_set: Path, tmp_path: Path, kept: set[str], changes: dict[str, object], expected: str
) -> None:
    manifest = clip_set.with_name(f"{tmp_path.name}.parquet")
    write_clips(manifest, [clip for clip in read_clips(clip_set) if clip.split in kept])
    with pytest.raises(SettingsError, match=expected):
        train(tiny_config(manifest, tmp_path / "run", **changes))
    assert not (tmp_path / "run").exists()


def test_a_label_without_an_example_is_refused(clip_set: Path, tmp_path: Path) -> None:
    config = tiny_config(clip_set, tmp_path / "run", labels=["Rumble", "Roar"])
    with pytest.raises(SettingsError, match=r"labels: no clip for training holds Roar; .*Rumble"):
        train(config)
    assert not (tmp_path / "run").exists()


def test_missing_clips_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="loxo simulate --clips"):
        train(tiny_config(tmp_path / "none.parquet", tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_data_are_read_once(
    clip_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    for name in ("read_clips", "check_leaks", "load_backgrounds"):
        original = getattr(sys.modules["loxo.training.data"], name)

        def noted(*arguments: object, name: str = name, original: object = original) -> object:
            calls.append(name)
            assert callable(original)
            return original(*arguments)

        monkeypatch.setattr(f"loxo.training.data.{name}", noted)
    background = tmp_path / "forest.flac"
    write_recording(background, SceneSettings(seconds=10.0), 10.0, seed=1)
    data = {"clips": clip_set, "scenes": 2, "window_s": 6.0, "backgrounds": [background]}
    found = TrainingData(tiny_config(clip_set, tmp_path / "run", data=data))
    assert sorted(calls) == ["check_leaks", "load_backgrounds", "read_clips"]
    assert (len(found.training), len(found.validation)) == (11 + 2, 1 + 400)
    assert found.fingerprint["backgrounds"] == ["forest.flac"]


def test_short_windows_of_clips_need_no_scene(clip_set: Path, tmp_path: Path) -> None:
    """Scenes must be longer than four seconds; windows of clips need not be."""
    data = {"clips": clip_set, "window_s": 2.0}
    found = TrainingData(tiny_config(clip_set, tmp_path / "run", data=data))
    assert found.validation[0][0].shape == (8000,)


@pytest.mark.usefixtures("without_export")
def test_clips_at_another_rate_are_resampled_once_and_removed_at_the_end(
    clip_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resampled = []
    soxr = sys.modules["loxo.dataset"].soxr
    original = soxr.resample

    def noted(waveform: NDArray[np.float32], rate: int, to: int) -> NDArray[np.float32]:
        resampled.append(len(waveform))
        found: NDArray[np.float32] = original(waveform, rate, to)
        return found

    monkeypatch.setattr(soxr, "resample", noted)
    usual = FrontEnd()
    front_end = FrontEnd(
        rate=2000,
        hop=200,
        long=replace(usual.long, window=800, high_hz=300.0, decimation=2),
        short=replace(usual.short, window=240, high_hz=900.0),
    )
    train(tiny_config(clip_set, tmp_path / "run", front_end=front_end, batch_size=11))
    assert resampled == [8 * 4000] * 12
    assert not (tmp_path / "run" / "resampled").exists()


# Scenes, and training that starts from a model.


def scenes_config(output: Path, **changes: object) -> TrainingConfig:
    data = {"scenes": 8, "validation_scenes": 3, "window_s": 6.0}
    return tiny_config(Path("none"), output, **{"data": data, **changes})


@pytest.mark.usefixtures("without_export")
def test_scenes_need_no_clips_and_are_named_in_the_model_card(tmp_path: Path) -> None:
    weights = []
    for name in ("a", "b"):
        folder = train(scenes_config(tmp_path / name))
        weights.append((folder / "weights.safetensors").read_bytes())
        card = (folder / "README.md").read_text(encoding="utf-8")
        assert "Trained on 8 simulated scenes per epoch, over 0 recorded backgrounds." in card
    assert weights[0] == weights[1]


@pytest.mark.usefixtures("without_export")
def test_clips_and_scenes_together_make_an_epoch(
    clip_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []
    draw = DrawnScenes.__getitem__

    def noted(scenes: DrawnScenes, index: int) -> Pair:
        if scenes.random:
            seen.append((scenes.epoch, index))
        return draw(scenes, index)

    monkeypatch.setattr(DrawnScenes, "__getitem__", noted)
    data = {"clips": clip_set, "scenes": 8, "validation_scenes": 1, "window_s": 6.0}
    folder = train(scenes_config(tmp_path / "run", batch_size=19, data=data))
    assert sorted(seen) == [(epoch, index) for epoch in (0, 1) for index in range(8)]
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "Trained on 11 clips and 8 simulated scenes" in card


@pytest.mark.usefixtures("without_export")
def test_training_starts_from_the_weights_of_a_model_and_changes_them(
    trained: TrainingRun, clip_set: Path, tmp_path: Path
) -> None:
    content = {
        "data": {"clips": str(clip_set), "window_s": 6.0},
        "init_from": str(trained.folder),
        "batch_size": 4,
        "epochs": 1,
        "output": str(tmp_path / "run"),
    }
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    name = "stem.projections.0.weight"
    initial = load_file(trained.folder / "weights.safetensors")[name]
    moved = []
    for rate, kept in ((1e-12, 0), (1e-2, 0), (1e-2, 0.75)):
        changes = [f"optimiser.learning_rate={rate}", f"keep_initial={kept}"]
        config = read_config(path, changes)
        assert (config.model, config.front_end) == (trained.config.model, trained.config.front_end)
        final = load_file(train(config) / "weights.safetensors")[name]
        moved.append(float(np.abs(final - initial).max()))
    assert moved[0] < 1e-6
    assert moved[1] > 1e-4
    assert moved[2] == pytest.approx(moved[1] / 4, rel=1e-3)


@pytest.mark.usefixtures("without_export")
def test_targets_hold_scores_of_the_initial_model_as_it_was(
    trained: TrainingRun, clip_set: Path, tmp_path: Path
) -> None:
    config = tiny_config(
        clip_set,
        tmp_path / "run",
        init_from=str(trained.folder),
        front_end=replace(trained.config.front_end, floor_quantile=0.5),
        keep_scores={"Rumble": 0.75},
        epochs=1,
    )
    (callback,) = distillation(config)
    rng = np.random.default_rng(0)
    waveform = torch.from_numpy(rng.normal(size=(3, 24_000)).astype(np.float32))
    truth = torch.from_numpy(rng.integers(0, 2, (3, 2, 60)).astype(np.float32))
    truth[1, :, 20:30] = math.nan
    targets = truth.clone()
    trainer, module = lightning.Trainer(logger=False, accelerator="cpu"), build_model(config)
    callback.on_train_batch_start(trainer, module, (waveform, targets), 0)
    # The initial model hears with its own noise floor, not with that of the configuration.
    before = build_model(config.model_copy(update={"front_end": trained.config.front_end})).eval()
    known = 0.25 * truth[:, 0] + 0.75 * before.infer(waveform, 60)[:, 0]
    torch.testing.assert_close(targets[:, 0], known, equal_nan=True)
    assert targets[:, 0].isnan().sum() == 10
    assert not torch.allclose(known, (0.25 * truth + 0.75 * module.infer(waveform, 60))[:, 0])
    torch.testing.assert_close(targets[:, 1], truth[:, 1], equal_nan=True)
    # A run with it goes through, and its teacher is no part of what it writes.
    weights = load_file(train(config) / "weights.safetensors")
    assert weights.keys() == load_file(trained.folder / "weights.safetensors").keys()


# Interruption, several processes, early stopping, logs.


def complete(config: TrainingConfig, folder: Path, *options: str) -> str:
    """Train in a process of its own, to the end and without a warning; return what it printed."""
    command = train_command(config, folder, *options)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, complaints(done.stderr)) == (0, [])
    return done.stdout


def test_a_run_that_is_killed_and_resumed_ends_with_the_same_weights_bit_by_bit(
    trained: TrainingRun, tmp_path: Path
) -> None:
    """Dropout, random windows and all augmentation are on; the kill comes within an epoch.

    The run to compare with was another process with the same seed, so this shows as well that the
    same seed gives the same model.
    """
    assert trained.config.augment is not None
    killed = trained.config.model_copy(update={"output": tmp_path / "killed"})
    process = subprocess.Popen(train_command(killed, tmp_path), stdout=subprocess.DEVNULL)
    lines = killed.output / "metrics.jsonl"
    while process.poll() is None and (not lines.is_file() or lines.read_bytes().count(b"\n") < 2):
        time.sleep(0.001)
    process.kill()
    assert process.wait() == -signal.SIGKILL, "it ended before it was killed"
    assert not (killed.output / "model").exists()
    assert (killed.output / "checkpoints" / "last.ckpt").is_file()
    assert lines.read_bytes().count(b"\n") < EPOCHS
    stdout = complete(killed, tmp_path, "--resume")
    assert "epoch 1 of" not in stdout, "it started again instead of continuing"
    for name in ("metrics.jsonl", "model/weights.safetensors", "model/model.onnx"):
        left = (killed.output / name).read_bytes()
        assert left == (trained.config.output / name).read_bytes(), f"{name} differs"


def test_worker_processes_read_the_windows_and_scenes_of_each_epoch(
    clip_set: Path, tmp_path: Path
) -> None:
    """Workers hold copies of the windows, which must follow the epochs as well."""
    weights = []
    for workers in (0, 2):
        config = tiny_config(
            clip_set,
            tmp_path / f"with-{workers}",
            model={"name": "feedforward", "settings": {"neighbours": 1, "hidden": [8]}},
            data={
                "clips": clip_set,
                "window_s": 6.0,
                "scenes": 4,
                "validation_scenes": 2,
                "scene": {"rumbles_per_minute": 10.0},
            },
            workers=workers,
            epochs=3,
            logger="none",
        )
        complete(config, tmp_path)
        weights.append((config.output / "model" / "weights.safetensors").read_bytes())
    assert weights[0] == weights[1]


def test_two_processes_train_one_model(clip_set: Path, tmp_path: Path) -> None:
    config = tiny_config(
        clip_set,
        tmp_path / "run",
        model={"name": "feedforward", "settings": {"neighbours": 1, "hidden": [8]}},
        devices=2,
        batch_size=2,
        epochs=1,
        logger="none",
    )
    command = train_command(config, tmp_path)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    model = str(config.output / "model")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == model
    assert done.stdout.count("loxo detect") == 1
    assert len(metric_lines(config.output)) == 1
    assert (config.output / "model" / "spec.json").is_file()


@pytest.mark.usefixtures("without_export")
def test_a_run_is_not_resumed_with_another_configuration(trained: TrainingRun) -> None:
    changes = {"epochs": 3, "batch_size": 3, "seed": 9}
    with pytest.raises(SettingsError, match="another epochs, batch_size, seed"):
        train(trained.config.model_copy(update=changes), resume=True)


@pytest.mark.usefixtures("without_export")
def test_training_stops_when_validation_gets_no_better(clip_set: Path, tmp_path: Path) -> None:
    config = tiny_config(
        clip_set, tmp_path / "run", epochs=30, patience=1, optimiser={"learning_rate": 10.0}
    )
    train(config)
    assert len(metric_lines(config.output)) < 30


@pytest.mark.usefixtures("without_export")
def test_progress_counts_steps_and_tells_of_epochs(clip_set: Path, tmp_path: Path) -> None:
    class Noted(Progress):
        def __init__(self) -> None:
            self.updates: list[tuple[str, float, float | None]] = []
            self.lines: list[str] = []

        def update(self, task: str, done: float, total: float | None = None) -> None:
            self.updates.append((task, done, total))

        def message(self, line: str) -> None:
            self.lines.append(line)

    noted = Noted()
    train(tiny_config(clip_set, tmp_path / "run"), progress=noted)
    assert noted.updates == [("training steps", step, 4) for step in (1, 2, 3, 4)]
    assert [line.partition(":")[0] for line in noted.lines] == ["epoch 1 of 2", "epoch 2 of 2"]


def test_weights_and_biases_gets_the_project_and_the_whole_configuration(
    clip_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refused(Exception):  # noqa: N818 it only ends the run
        pass

    given: dict[str, object] = {}

    def logger(**arguments: object) -> None:
        given.update(arguments)
        raise Refused

    monkeypatch.setattr(pytorch_lightning.loggers, "WandbLogger", logger)
    config = tiny_config(clip_set, tmp_path / "run", logger="wandb", project="forest")
    with pytest.raises(Refused):
        train(config)
    assert (given["project"], given["name"]) == ("forest", "run")
    assert given["config"] == config.model_dump(mode="json")


def test_a_logger_that_is_not_installed_is_named(
    clip_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def logger(**_: object) -> ModuleType:
        raise ModuleNotFoundError("wandb")

    monkeypatch.setattr(pytorch_lightning.loggers, "WandbLogger", logger)
    with pytest.raises(SettingsError, match=r"pip install 'loxo\[wandb\]'"):
        train(tiny_config(clip_set, tmp_path / "run", logger="wandb"))


# Every architecture.

FROM_SCENES = [path for path in CONFIGS if path.stem not in {"prepare", "own", "finetune"}]


@pytest.mark.parametrize("path", FROM_SCENES, ids=lambda path: path.stem)
def test_every_architecture_goes_from_nothing_to_detections(
    path: Path, recording: Path, tmp_path: Path
) -> None:
    """`loxo train --dev`, with fewer and shorter scenes, then `loxo detect` with its model."""
    scenes = ("data.scenes=8", "data.validation_scenes=2", "data.window_s=10")
    changes = (*scenes, f"output={tmp_path / 'run'}")
    options = [item for change in changes for item in ("--set", change)]
    trained = CliRunner().invoke(app, ["train", "--config", str(path), "--dev", *options])
    assert trained.exit_code == 0, trained.exception
    model = trained.stdout.split()[-1]
    command = ["detect", str(recording), "--output", str(tmp_path / "out"), "--model", model]
    detected = CliRunner().invoke(app, command)
    assert detected.exit_code == 0, detected.exception
    assert (tmp_path / "out" / "detections.parquet").is_file()


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recording") / "nn01a_20180126_000000.wav"
    write_recording(path, SceneSettings(rate=8000, seconds=30.0), 30.0, 3)
    return path
