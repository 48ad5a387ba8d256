"""The model folder: what is written comes back, what cannot be read is said in one line, and the network answers as it was trained."""

from __future__ import annotations

import json
import shutil
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn

from loxo.checkpoints import (
    Calibration,
    Decision,
    ModelError,
    ModelSpec,
    OperatingPoint,
    find_model,
    load_spec,
    load_weights,
    model_hash,
    packaged_models,
    save_model,
    save_spec,
)
from loxo.models import CRNN, AbstractModel, CRNNSettings
from loxo.models.exporting import OnnxGRU, export_network
from loxo.spectrogram import FrontEnd
from loxo.training import build_model
from training_fixtures import TrainingRun

pytest_plugins = ("training_fixtures",)

SHARES = st.floats(0, 1, exclude_min=True)
SECONDS = st.floats(0, 1e3)
DECISIONS = st.builds(Decision, SHARES, SHARES, SECONDS, SECONDS, SECONDS, SECONDS, SECONDS)
FILES = {"model.onnx", "spec.json", "weights.safetensors", "README.md"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a specification alone."""
    save_spec(ModelSpec("test", "1.2"), tmp_path)
    return tmp_path


@pytest.fixture
def stub_export(monkeypatch: pytest.MonkeyPatch) -> None:
    """The export takes seconds; these tests are not about it."""
    monkeypatch.setattr("loxo.models.exporting.export_network", lambda _, path: path.write_bytes(b"network"))


def change(folder: Path, **changes: Any) -> None:
    """Change keys at the top of a folder's specification."""
    path = folder / "spec.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")


def loaded(trained: TrainingRun) -> AbstractModel:
    model = build_model(trained.config).eval()
    load_weights(model, trained.folder)
    return model


# Specifications.


@given(DECISIONS, DECISIONS, st.integers(0, 1000), st.sampled_from([None, 2001]), st.floats(1, 60))
def test_a_specification_comes_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, rumble: Decision, gunshot: Decision, context: int, window: int | None, floor_s: float
) -> None:
    folder = tmp_path_factory.mktemp("spec")
    training: dict[str, object] = {"config": {"seed": 1, "clips": None}, "versions": ["1.0"]}
    decisions = {"Rumble": rumble, "Gunshot": gunshot}
    calibration = {"Rumble": Calibration(0.8, -1.5), "Gunshot": Calibration()}
    measured = (OperatingPoint(0.9, 0.2, None, 0.0), OperatingPoint(0.1, None, 0.5, 3.25))
    points: dict[str, tuple[OperatingPoint, ...]] = dict.fromkeys(decisions, measured)
    front_end = FrontEnd(floor_s=floor_s)
    spec = ModelSpec("näme", "0.1", front_end, ("Gunshot", "Rumble"), context, window, decisions, calibration, points, training)
    save_spec(spec, folder)
    assert load_spec(folder) == spec


@pytest.mark.parametrize("value", [0.0, -0.5, 1.01, np.nan, np.inf])
@pytest.mark.parametrize("name", ["threshold", "release"])
def test_a_threshold_that_nothing_or_everything_reaches_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"{name} {value}.*\(0, 1\]"):
        replace(Decision(0.5), **{name: value})


def test_a_missing_folder_says_what_a_model_is(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"missing/spec\.json: No such file.*a model is a folder with model\.onnx and spec\.json"):
        load_spec(tmp_path / "missing")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"decisions": {"Rumble": {"threshold": 0}, "Gunshot": {"threshold": 0.5}}}, r"decisions\.Rumble: threshold 0"),
        ({"decisions": {"Rumble": {"threshold": "high"}, "Gunshot": {"threshold": 0.5}}}, r"decisions\.Rumble\.threshold: .*'high'"),
        ({"labels": ["Rumble", "Whale"]}, r"decisions for \['Gunshot', 'Rumble'\] do not fit the labels \['Rumble', 'Whale'\]"),
        ({"decisions": {"Whale": {"threshold": 0.5}}}, r"decisions for \['Whale'\] do not fit"),
        ({"window_frames": 200, "context_frames": 100}, "a window of 200 frames has no room for 100 frames of context"),
        ({"front_end": {"hop": 333}}, "front_end: a window of 1600 samples"),
        ({"colour": "red"}, "colour: "),
        ({"name": 3}, "name: .*not 3"),
    ],
)
def test_what_is_wrong_with_a_specification_is_said_in_one_line(folder: Path, changes: dict[str, Any], expected: str) -> None:
    change(folder, **changes)
    with pytest.raises(ModelError, match=rf"^{folder / 'spec.json'}: {expected}.*; mend it, or take the folder anew") as error:
        load_spec(folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"{", b"not JSON", b"[]", b"\xff\xfe", b'{"name": "a"}'])
def test_a_file_that_is_no_specification_is_said_in_one_line(folder: Path, content: bytes) -> None:
    (folder / "spec.json").write_bytes(content)
    with pytest.raises(ModelError, match=rf"^{folder / 'spec.json'}: \w") as error:
        load_spec(folder)
    assert "\n" not in str(error.value)


# Finding models.


def test_a_model_is_found_by_its_path(folder: Path) -> None:
    assert find_model(str(folder)) == folder


def test_a_packaged_model_is_found_by_its_name_before_a_folder_of_that_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(folder, folder / "packaged" / "mine")
    (folder / "packaged" / "no_model").mkdir()
    shutil.copytree(folder / "packaged" / "mine", folder / "mine")
    monkeypatch.setattr("loxo.checkpoints.resources.files", lambda _: folder)
    monkeypatch.chdir(folder)
    assert packaged_models() == {"mine": folder / "packaged" / "mine"}
    assert find_model("mine") == folder / "packaged" / "mine"
    with pytest.raises(ModelError, match=r"^tcn: neither a packaged model \(mine\) nor a folder with spec\.json$"):
        find_model("tcn")


def test_a_package_without_models_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loxo.checkpoints.resources.files", lambda _: tmp_path)
    assert packaged_models() == {}
    with pytest.raises(ModelError, match="there are none"):
        find_model("tcn")


@pytest.mark.parametrize("name", packaged_models())
def test_a_packaged_model_is_whole(name: str) -> None:
    folder = find_model(name)
    assert {path.name for path in folder.iterdir()} == FILES
    assert load_spec(folder).name == name


def test_the_hash_of_a_model_is_that_of_its_network_and_its_specification(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"network")
    first = model_hash(folder)
    (folder / "README.md").write_text("card", encoding="utf-8")
    assert model_hash(folder) == first
    (folder / "model.onnx").write_bytes(b"Network")
    second = model_hash(folder)
    change(folder, version="1.3")
    assert len({first, second, model_hash(folder)}) == 3


# Saving and loading.


@pytest.mark.usefixtures("stub_export")
def test_a_saved_model_replaces_an_older_one_whole(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "left_over").touch()
    (tmp_path / ".model.partial").mkdir()
    (tmp_path / ".model.partial" / "left_over").touch()
    save_model(CRNN(CRNNSettings(channels=(4,))), ModelSpec("new", "2"), folder, "# Card\n")
    assert {path.name for path in folder.iterdir()} == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert load_spec(folder).name == "new"
    assert (folder / "README.md").read_text(encoding="utf-8") == "# Card\n"


def test_a_model_that_cannot_be_saved_leaves_the_older_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("loxo.models.exporting.export_network", fail)
    with pytest.raises(OSError, match="No space left"):
        save_model(CRNN(CRNNSettings(channels=(4,))), ModelSpec("new", "2"), folder, "")
    assert load_spec(folder).name == "test"


def test_weights_load_back_to_the_same_scores(trained: TrainingRun) -> None:
    waveform = torch.randn(2, 9000, generator=torch.Generator().manual_seed(1))
    models = [loaded(trained), loaded(trained)]
    fresh = build_model(trained.config).eval()
    with torch.no_grad():
        first, second, untrained = (model(waveform) for model in (*models, fresh))
    assert torch.equal(first, second)
    assert not torch.allclose(first, untrained)


@pytest.mark.parametrize("settings", [CRNNSettings(), CRNNSettings(channels=(4, 4), joined=8, hidden=5), CRNNSettings(channels=(4,))])
def test_weights_of_another_network_are_refused(trained: TrainingRun, settings: CRNNSettings) -> None:
    model = CRNN(settings)
    before = [parameter.clone() for parameter in model.parameters()]
    with pytest.raises(ModelError, match="weights of another architecture or size; they differ in") as error:
        load_weights(model, trained.folder)
    assert "\n" not in str(error.value)
    assert all(torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))


@pytest.mark.parametrize("content", [None, b"", b"\x80\x04K\x01.", b"\xff" * 64])
def test_weights_that_cannot_be_read_are_said_in_one_line(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "weights.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match=r"weights\.safetensors: cannot be read as weights") as error:
        load_weights(CRNN(CRNNSettings(channels=(4,))), tmp_path)
    assert "\n" not in str(error.value)


# The network.


def session(folder: Path) -> ort.InferenceSession:
    return ort.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])


@pytest.mark.parametrize(("batch", "frame"), [(1, 1), (1, 2), (2, 3), (3, 1), (5, 64), (2, 193), (1, 700)])
def test_the_exported_network_answers_as_the_trained_one(trained: TrainingRun, batch: int, frame: int) -> None:
    model = loaded(trained)
    features = torch.randn(batch, model.front_end.n_bands, frame, generator=torch.Generator().manual_seed(frame))
    with torch.no_grad():
        expected = torch.sigmoid(model.network(features)).numpy()
    scores: NDArray[np.float32] = session(trained.folder).run(["scores"], {"features": features.numpy()})[0]
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-4)
    assert scores.shape == (batch, 2, frame)


def test_the_exported_network_names_its_axes(trained: TrainingRun) -> None:
    network = session(trained.folder)
    bands = trained.config.front_end.n_bands
    assert [(value.name, value.shape) for value in network.get_inputs()] == [("features", ["batch", bands, "frame"])]
    assert [(value.name, value.shape) for value in network.get_outputs()] == [("scores", ["batch", 2, "frame"])]


def test_an_export_is_silent_and_leaves_the_model_as_it_was(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model = CRNN(CRNNSettings(channels=(2,), joined=4, hidden=2))
    layers = list(model.modules())
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        export_network(model, tmp_path / "model.onnx")
    assert capfd.readouterr() == ("", "")
    assert heard == []
    assert list(model.modules()) == layers
    assert (tmp_path / "model.onnx").stat().st_size > 0


@pytest.mark.parametrize("changes", [{"num_layers": 2}, {"bidirectional": False}, {"bias": False}, {"batch_first": False}])
def test_a_recurrent_layer_of_another_kind_is_not_exported_wrongly(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="cannot be exported"):
        OnnxGRU(nn.GRU(3, 2, **({"batch_first": True, "bidirectional": True} | changes)))
