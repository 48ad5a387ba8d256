"""A configuration is checked before anything begins; a run leaves a model folder, the same for the same seed; thresholds are the best."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import load_file

from loxo.checkpoints import load_spec
from loxo.clips import read_clips, write_clips
from loxo.dataset import AudioDataset
from loxo.events import EVENT_LABELS
from loxo.simulate import SceneSettings
from loxo.simulate.drawn import DrawnScenes
from loxo.simulate.writing import write_recording
from loxo.training import (
    LOWEST_THRESHOLD,
    ConfigError,
    TrainingConfig,
    best_threshold,
    build_model,
    export_run,
    read_config,
    running,
    train,
)
from reference import training as twin
from training_fixtures import TrainingRun, tiny_config

pytest_plugins = ("training_fixtures",)

ROOT = Path(__file__).parents[1]
CONFIGS = sorted(path for path in (ROOT / "configs").glob("*.yaml") if path.stem != "prepare")
CLIPS = "data: {clips: clips.parquet}\n"


def config_file(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def without_export(monkeypatch: pytest.MonkeyPatch) -> None:
    """The export takes seconds; these runs are not about it."""
    monkeypatch.setattr("loxo.models.exporting.export_network", lambda _, path: path.write_bytes(b"network"))


# Configurations.


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_shipped_configuration_can_be_read_and_built(path: Path) -> None:
    assert build_model(read_config(path)).front_end.rate > 0


def test_there_is_a_shipped_configuration() -> None:
    assert CONFIGS


def test_a_configuration_needs_no_more_than_its_clips(tmp_path: Path) -> None:
    config = read_config(config_file(tmp_path, CLIPS))
    assert config.data.clips == Path("clips.parquet")
    assert config.model.name == "tcn"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "valid dictionary"),
        ("- 1\n", "valid dictionary"),
        ("epochs: 3\n", "data: Field required"),
        (CLIPS + "epoch: 3\n", "epoch: "),
        (CLIPS + "epochs: many\n", "epochs: .*'many'"),
        (CLIPS + "epochs: 0\n", "epochs: .*greater than or equal to 1, not 0"),
        (CLIPS + "average_decay: 1\n", "average_decay: .*less than 1, not 1"),
        (CLIPS + "optimiser: {learning_rat: 1}\n", "optimiser.learning_rat: "),
        (CLIPS + "optimiser: {learning_rate: fast}\n", "optimiser.learning_rate: .*'fast'"),
        (CLIPS + "optimiser: {learning_rate: -1}\n", r"optimiser: learning rate -1\.0"),
        (CLIPS + "augment: {crop: {share: 7}}\n", "augment.crop: share 7"),
        (CLIPS + "shares: {rumble: -1}\n", "shares: shares -1"),
        (CLIPS + "precision: half\n", "precision: "),
        (CLIPS + "model: {name: perceptron}\n", "model.name: no such architecture; there are tcn, "),
        (CLIPS + "model: {settings: {chanels: [4]}}\n", "model.settings.chanels: "),
        (CLIPS + "model: {settings: {channels: [4, wide]}}\n", "model.settings.channels.1: .*'wide'"),
        (CLIPS + "model: {settings: {joined: 0}}\n", "model.settings: .*joined 0"),
        (CLIPS + "front_end: {hop: 333}\n", "front_end: a window of 1600 samples does not centre on 1 parts of a hop of 333"),
        (CLIPS + "decisions: {Rumble: {threshold: 0}, Gunshot: {threshold: 0.5}}\n", "decisions.Rumble: threshold 0"),
        (CLIPS + "decisions: {Rumble: {threshold: 0.5}}\n", "decisions: there must be one for each of Rumble, Gunshot, not for Rumble"),
        ("data: {clips: a, window_s: 0}\n", "data.window_s: .*greater than 0, not 0"),
        ("data: {clips: a, window_s: 6.05}\n", r"data.window_s: 6\.05 s are not whole frames of 0\.1 s"),
        ("data: {clips: [a\n", "not YAML: "),
        ("data: {clips: !!python/object/apply:os.getcwd []}\n", "not YAML: "),
    ],
)
def test_what_is_wrong_with_a_configuration_is_said_in_one_line(tmp_path: Path, text: str, expected: str) -> None:
    path = config_file(tmp_path, text)
    with pytest.raises(ConfigError, match=f"^{path}: {expected}" if "dictionary" not in expected else expected) as error:
        read_config(path)
    assert "\n" not in str(error.value)


def test_a_configuration_that_is_missing_or_not_text_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file or directory; give the path of a configuration"):
        read_config(tmp_path / "missing.yaml")
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"epochs: \xff\xfe")
    with pytest.raises(ConfigError, match="not YAML"):
        read_config(path)


# Runs.


def test_a_run_leaves_its_configuration_figures_checkpoint_and_model(trained: TrainingRun, clip_set: Path) -> None:
    output = trained.config.output
    assert read_config(output / "config.yaml") == trained.config
    assert (output / "checkpoints" / "last.ckpt").stat().st_size > 0
    assert trained.folder == output / "model"
    assert {path.name for path in trained.folder.iterdir()} == {"model.onnx", "spec.json", "weights.safetensors", "README.md"}
    written = {"config.yaml", "run.json", "metrics.jsonl", "curves.png", "confusion.json", "confusion.png"}
    assert {path.name for path in output.iterdir()} == written | {"checkpoints", "tensorboard", "model"}
    assert {path.name for path in (output / "checkpoints").iterdir()} == {"last.ckpt", "best.ckpt"}
    run = json.loads((output / "run.json").read_text(encoding="utf-8"))
    assert run["clips_sha256"] == hashlib.sha256(clip_set.read_bytes()).hexdigest()
    assert sum(run["clips"].values()) == 12


def test_each_epoch_has_a_line_of_figures_of_its_own(trained: TrainingRun) -> None:
    lines = [json.loads(line) for line in (trained.config.output / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    names = {"epoch", "train_loss", "validation_loss"} | {f"validation_{kind}_{label}" for kind in ("ap", "f1") for label in EVENT_LABELS}
    names |= {f"validation_{kind}" for kind in ("accuracy", "precision", "recall", "f1")}
    assert [line["epoch"] for line in lines] == [0, 1]
    assert all(set(line) == names for line in lines)
    assert lines[0]["train_loss"] != lines[1]["train_loss"]


def test_the_model_says_what_made_it(trained: TrainingRun, clip_set: Path) -> None:
    spec = load_spec(trained.folder)
    assert spec.training["clips_sha256"] == hashlib.sha256(clip_set.read_bytes()).hexdigest()
    assert spec.training["clips"] == json.loads((trained.config.output / "run.json").read_text(encoding="utf-8"))["clips"]
    told = spec.training["config"]
    assert isinstance(told, dict)
    plain = trained.config.model_dump(mode="json")
    assert told == plain | {"output": "tiny", "data": plain["data"] | {"clips": "clips.parquet"}}
    assert str(clip_set.parent) not in (trained.folder / "spec.json").read_text(encoding="utf-8")
    for label, decision in spec.decisions.items():
        assert decision.smoothing_s == trained.config.decisions[label].smoothing_s
        assert decision.threshold == round(decision.threshold, 3)


def test_the_same_seed_gives_the_same_model_and_no_word_beside_its_place(trained: TrainingRun, tmp_path: Path) -> None:
    """In a process of its own, as a user runs it."""
    again = trained.config.model_copy(update={"output": tmp_path / "again"})
    path = config_file(tmp_path, yaml.safe_dump(again.model_dump(mode="json")))
    command = [sys.executable, "-W", "error", "-m", "loxo.cli", "train", "--config", str(path)]
    environment = os.environ | {"COLUMNS": "500"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stderr, done.stdout.split()) == (0, "", [str(tmp_path / "again" / "model")])
    for name in ("weights.safetensors", "model.onnx"):
        assert (tmp_path / "again" / "model" / name).read_bytes() == (trained.folder / name).read_bytes()


@pytest.mark.usefixtures("without_export")
def test_another_seed_gives_another_model_and_replaces_the_first(clip_set: Path, tmp_path: Path) -> None:
    weights = [(train(tiny_config(clip_set, tmp_path / "run", seed=seed)) / "weights.safetensors").read_bytes() for seed in (1, 2)]
    assert weights[0] != weights[1]
    assert len((tmp_path / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()) == 2
    assert {path.name for path in (tmp_path / "run" / "checkpoints").iterdir()} == {"last.ckpt", "best.ckpt"}


@pytest.mark.usefixtures("without_export")
def test_windows_are_drawn_anew_each_epoch_for_training_only(clip_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[bool, int, int]] = []
    read = AudioDataset.__getitem__

    def noted(dataset: AudioDataset, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        seen.append((dataset.random, dataset.epoch, index))
        return read(dataset, index)

    monkeypatch.setattr(AudioDataset, "__getitem__", noted)
    train(tiny_config(clip_set, tmp_path / "run", batch_size=11))
    training = [(epoch, index) for random, epoch, index in seen if random]
    assert sorted(training) == [(epoch, index) for epoch in (0, 1) for index in range(11)]
    assert training[:11] != sorted(training[:11])
    assert {(epoch, index) for random, epoch, index in seen if not random} == {(0, 0)}


@pytest.mark.parametrize(
    ("kept", "changes", "expected"),
    [
        ({"train"}, {}, "no clips of the split 'validation'"),
        ({"validation"}, {}, "no clips of the split 'train'"),
        ({"train", "validation"}, {"batch_size": 12}, "batch_size: 12 is more than a process has of the 11 clips"),
        ({"train", "validation"}, {"batch_size": 7, "devices": 2}, "batch_size: 7 is more than a process has of the 11 clips"),
    ],
)
def test_too_few_clips_are_refused_before_anything_is_written(
    clip_set: Path, tmp_path: Path, kept: set[str], changes: dict[str, object], expected: str
) -> None:
    manifest = clip_set.with_name(f"{tmp_path.name}.parquet")
    write_clips(manifest, [clip for clip in read_clips(clip_set) if clip.split in kept])
    with pytest.raises(ConfigError, match=expected):
        train(tiny_config(manifest, tmp_path / "run", **changes))
    assert not (tmp_path / "run").exists()


def test_missing_clips_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="loxo simulate --clips"):
        train(tiny_config(tmp_path / "none.parquet", tmp_path / "run"))
    assert not (tmp_path / "run").exists()


# Scenes drawn as they are needed, and training that begins with a model.


def scenes_config(output: Path, **changes: object) -> TrainingConfig:
    return tiny_config(Path("none"), output, **{"data": {"scenes": 8, "validation_scenes": 3, "window_s": 6.0}, **changes})


@pytest.mark.usefixtures("without_export")
def test_scenes_need_no_clips_and_are_said_to_be_what_was_trained_on(tmp_path: Path) -> None:
    weights = []
    for name in ("a", "b"):
        folder = train(scenes_config(tmp_path / name))
        weights.append((folder / "weights.safetensors").read_bytes())
        assert "Trained on 8 simulated scenes an epoch, over 0 recorded backgrounds;" in (folder / "README.md").read_text()
    assert weights[0] == weights[1]


@pytest.mark.usefixtures("without_export")
def test_clips_and_scenes_together_make_an_epoch(clip_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []
    draw = DrawnScenes.__getitem__

    def noted(scenes: DrawnScenes, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        if scenes.random:
            seen.append((scenes.epoch, index))
        return draw(scenes, index)

    monkeypatch.setattr(DrawnScenes, "__getitem__", noted)
    folder = train(scenes_config(tmp_path / "run", batch_size=19, data={"clips": clip_set, "scenes": 8, "window_s": 6.0}))
    assert sorted(seen) == [(epoch, index) for epoch in (0, 1) for index in range(8)]
    assert "Trained on 11 clips and 8 simulated scenes" in (folder / "README.md").read_text()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"window_s": 6.0}, "neither clips nor scenes to train on"),
        ({"scenes": 4, "scene": {"rumbles": 3}}, "scene: rumbles: "),
        ({"scenes": 4, "scene": {"empty_share": "many"}}, "scene: empty_share: .*'many'"),
        ({"scenes": 4, "scene": {"rate": 8000}}, "scene: rate: "),
    ],
)
def test_data_that_cannot_be_are_refused_with_their_key(tmp_path: Path, data: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError, match=told) as error:
        read_config(config_file(tmp_path, yaml.safe_dump({"data": data})))
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("without_export")
def test_training_begins_with_the_weights_of_a_model_and_bends_them(trained: TrainingRun, clip_set: Path, tmp_path: Path) -> None:
    content = {"data": {"clips": str(clip_set), "window_s": 6.0}, "start": str(trained.folder), "batch_size": 4, "epochs": 1}
    path = config_file(tmp_path, yaml.safe_dump(content | {"output": str(tmp_path / "run")}))
    start = load_file(trained.folder / "weights.safetensors")["pictures.joins.0.weight"]
    moved = []
    for rate in (1e-12, 1e-2):
        config = read_config(path, [f"optimiser.learning_rate={rate}"])
        assert (config.model, config.front_end) == (trained.config.model, trained.config.front_end)
        moved.append(float(np.abs(load_file(train(config) / "weights.safetensors")["pictures.joins.0.weight"] - start).max()))
    assert moved[0] < 1e-6
    assert moved[1] > 1e-4


def test_a_start_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="start: none: neither a packaged model"):
        read_config(config_file(tmp_path, CLIPS + "start: none\n"))


# Interruption.


def command_of(config: TrainingConfig, folder: Path, *options: str) -> list[str]:
    path = config_file(folder, yaml.safe_dump(config.model_dump(mode="json")))
    return [sys.executable, "-W", "error", "-m", "loxo.cli", "train", "--config", str(path), *options]


def test_a_run_that_is_killed_and_resumed_ends_with_the_same_weights_bit_by_bit(clip_set: Path, tmp_path: Path) -> None:
    """Dropout, windows, batches and all augmentation are on; the kill comes within an epoch.

    Each is a process, as for a user: in one that has trained and exported before, torch rounds some sums in another order.
    """
    changes = {"epochs": 6, "model": {"name": "transformer", "settings": {"width": 8, "heads": 2, "layers": 1, "dropout": 0.3}}}
    whole, killed = (tiny_config(clip_set, tmp_path / name, **changes) for name in ("whole", "killed"))
    complete(whole, tmp_path)
    process = subprocess.Popen(command_of(killed, tmp_path), stdout=subprocess.DEVNULL)
    lines = killed.output / "metrics.jsonl"
    while process.poll() is None and (not lines.is_file() or lines.read_bytes().count(b"\n") < 3):
        time.sleep(0.001)
    process.kill()
    assert process.wait() == -signal.SIGKILL, "it ended before it was killed"
    assert not (killed.output / "model").exists()
    complete(killed, tmp_path, "--resume")
    for name in ("metrics.jsonl", "model/weights.safetensors"):
        assert (killed.output / name).read_bytes() == (whole.output / name).read_bytes(), f"{name} differs"


def complete(config: TrainingConfig, folder: Path, *options: str) -> None:
    """Train in a process of its own, to the end and without a word."""
    done = subprocess.run(command_of(config, folder, *options), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_two_processes_train_one_model(clip_set: Path, tmp_path: Path) -> None:
    config = tiny_config(clip_set, tmp_path / "run", devices=2, batch_size=2)
    done = subprocess.run(command_of(config, tmp_path), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, [str(config.output / "model")]), done.stderr
    assert len((config.output / "metrics.jsonl").read_text().splitlines()) == 2
    assert (config.output / "model" / "spec.json").is_file()


@pytest.mark.usefixtures("without_export")
def test_a_run_is_not_resumed_with_another_configuration(trained: TrainingRun) -> None:
    with pytest.raises(ConfigError, match="another epochs, batch_size, seed"):
        train(trained.config.model_copy(update={"epochs": 3, "batch_size": 3, "seed": 9}), resume=True)


@pytest.mark.usefixtures("without_export")
def test_training_stops_when_validation_gets_no_better(clip_set: Path, tmp_path: Path) -> None:
    config = tiny_config(clip_set, tmp_path / "run", epochs=30, patience=1, optimiser={"learning_rate": 10.0})
    train(config)
    assert len((config.output / "metrics.jsonl").read_text().splitlines()) < 30


def test_a_checkpoint_becomes_the_model_that_its_run_left(trained: TrainingRun, tmp_path: Path) -> None:
    export_run(trained.config.output, tmp_path / "exported")
    for name in ("weights.safetensors", "model.onnx", "spec.json"):
        assert (tmp_path / "exported" / name).read_bytes() == (trained.folder / name).read_bytes()
    with pytest.raises(FileNotFoundError, match="no checkpoint there"):
        export_run(trained.config.output, tmp_path / "exported", checkpoint=tmp_path / "none.ckpt")


# Changes on the command line, and trials.


def test_a_value_can_be_set_for_one_run(tmp_path: Path) -> None:
    path = config_file(tmp_path, CLIPS + "model: {settings: {dropout: 0.2}}\n")
    config = read_config(path, ["epochs=3", "model.settings.joined=12", "optimiser.learning_rate=1e-3", "data.window_s=6"])
    assert (config.epochs, config.model.settings, config.data.window_s) == (3, {"dropout": 0.2, "joined": 12}, 6.0)


@pytest.mark.parametrize(
    ("change", "told"), [("epochs", "write key=value"), ("epochs=many", "epochs"), ("epoch=3", "epoch: "), ("a.b=[", "YAML")]
)
def test_a_wrong_change_is_one_line(tmp_path: Path, change: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as error:
        read_config(config_file(tmp_path, CLIPS), [change])
    assert "\n" not in str(error.value)


def test_a_trial_has_its_own_data_output_and_changes(tmp_path: Path) -> None:
    path = config_file(tmp_path, "data: {clips: data/resampled.parquet}\noutput: runs/own\ndev: {epochs: 1, data: {window_s: 5}}\n")
    config = read_config(path, dev=True)
    assert (config.data.clips, config.output) == (Path("data/dev/resampled.parquet"), Path("runs/own-dev"))
    assert (config.epochs, config.data.window_s) == (1, 5.0)


@pytest.mark.parametrize(("epochs", "steps", "decay"), [(10, 1000, 0.995), (20, 10, 0.95), (15, 12, 1 - 1 / 18), (1, 6, 0.0)])
def test_averaged_weights_of_a_short_run_forget_where_it_began(epochs: int, steps: int, decay: float, tmp_path: Path) -> None:
    config = read_config(config_file(tmp_path, CLIPS), [f"epochs={epochs}"])
    assert running._average_decay(config, steps) == pytest.approx(decay)
    assert decay ** (epochs * steps) < 1e-4


TRAINED = [path for path in CONFIGS if path.stem not in {"own", "finetune"}]


@pytest.mark.parametrize("path", TRAINED, ids=lambda path: path.stem)
def test_every_architecture_goes_from_nothing_to_detections(path: Path, recording: Path, trial_folder: Path) -> None:
    """`loxo train --dev`, then `loxo detect` with what it leaves."""
    folder = trial_folder
    command = [sys.executable, "-m", "loxo.cli", "train", "--config", str(path.resolve()), "--dev"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    model = folder / done.stdout.split()[-1]
    command = [sys.executable, "-m", "loxo.cli", "detect", str(recording), "--output", str(folder / path.stem), "--model", str(model)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (folder / path.stem / "detections.parquet").is_file()


@pytest.fixture(scope="module")
def trial_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trials")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recording") / "nn01a_20180126_000000.wav"
    write_recording(path, SceneSettings(rate=8000, seconds=60.0), 60.0, 3)
    return path


# Thresholds.

SCORES = st.one_of(st.sampled_from([0.0, 0.0004, 0.25, 0.5, 0.75, 1.0]), st.floats(0, 1, width=32))
FRAMES = st.lists(st.tuples(SCORES, st.sampled_from([0.0, 0.25, 0.5, 1.0, float("nan")])), max_size=30)


@given(FRAMES, st.sampled_from([0.5, 1.0, 1.5, 3.0]))
def test_no_other_threshold_is_better(frames: list[tuple[float, float]], recall_weight: float) -> None:
    scores, targets = np.array(frames, np.float32).reshape(-1, 2).T
    threshold, f = best_threshold(scores, targets, recall_weight)
    expected = twin.best_f(scores.tolist(), targets.tolist(), recall_weight, LOWEST_THRESHOLD)
    assert f == pytest.approx(expected)
    assert LOWEST_THRESHOLD <= threshold <= 1
    if f:
        assert twin.f_score(scores.tolist(), targets.tolist(), threshold, recall_weight) == pytest.approx(f)


def test_equal_scores_are_taken_together() -> None:
    """With one of three equal scores right, a threshold at them is right once in three."""
    threshold, f = best_threshold(np.array([0.5, 0.5, 0.5], np.float32), np.array([1, 0, 0], np.float32))
    assert (threshold, f) == (0.5, 0.5)


@pytest.mark.parametrize("targets", [[0, 0.4, np.nan], [np.nan] * 3])
def test_without_a_positive_target_there_is_nothing_to_choose_by(targets: list[float]) -> None:
    assert best_threshold(np.array([0.9, 0.5, 0.1], np.float32), np.array(targets, np.float32)) == (0.5, 0.0)
