"""The model folder: what is written is read back, errors are one line, and the exported network
answers as the trained one."""

from __future__ import annotations

import json
import shutil
import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import nn

from loxo.model_folder import (
    FORMAT,
    Calibration,
    ModelError,
    ModelSpec,
    OperatingPoint,
    PostProcessing,
    check_network,
    check_self_contained,
    default_post_processing,
    find_model,
    load_spec,
    load_weights,
    model_hash,
    network_hash,
    packaged_models,
    save_model,
    save_spec,
)
from loxo.models import CRNN, TCN, AbstractModel, CRNNSettings, TCNSettings
from loxo.models.exporting import OnnxGRU, export_network
from loxo.spectrogram import FrontEnd
from loxo.training import build_model
from training_fixtures import TrainingRun

pytest_plugins = ("training_fixtures",)

SHARES = st.floats(0, 1, exclude_min=True)
SECONDS = st.floats(0, 1e3)
POST_PROCESSING = st.builds(
    PostProcessing,
    threshold=SHARES,
    off_threshold=SHARES,
    smoothing_s=SECONDS,
    minimum_s=SECONDS,
    merge_gap_s=SECONDS,
    split_depth=SECONDS,
    low_hz=SECONDS,
    high_hz=SECONDS,
    count=st.booleans(),
)
FILES = {"model.onnx", "spec.json", "weights.safetensors", "README.md"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a specification alone."""
    save_spec(ModelSpec("test", "1.2"), tmp_path)
    return tmp_path


@pytest.fixture
def stub_export(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip the export, which takes seconds."""
    monkeypatch.setattr(
        "loxo.models.exporting.export_network", lambda _, path: path.write_bytes(b"network")
    )


def change(folder: Path, **changes: Any) -> None:
    """Change keys at the top of a folder's specification."""
    path = folder / "spec.json"
    path.write_text(
        json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8"
    )


def loaded(trained: TrainingRun) -> AbstractModel:
    model = build_model(trained.config).eval()
    load_weights(model, trained.folder)
    return model


# Specifications.


@given(
    POST_PROCESSING,
    POST_PROCESSING,
    st.integers(0, 1000),
    st.sampled_from([None, 2001]),
    st.floats(1, 60),
)
def test_a_specification_comes_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory,
    rumble: PostProcessing,
    gunshot: PostProcessing,
    context: int,
    window: int | None,
    floor_s: float,
) -> None:
    folder = tmp_path_factory.mktemp("spec")
    training: dict[str, object] = {"config": {"seed": 1, "clips": None}, "versions": ["1.0"]}
    post_processing = {"Rumble": rumble, "Gunshot": gunshot}
    calibration = {"Rumble": Calibration(0.8, -1.5, 20.5, 4.25, 1.0), "Gunshot": Calibration()}
    measured = (OperatingPoint(0.9, 0.2, None, 0.0), OperatingPoint(0.1, None, 0.5, 3.25))
    points: dict[str, tuple[OperatingPoint, ...]] = dict.fromkeys(post_processing, measured)
    front_end = FrontEnd(floor_s=floor_s)
    spec = ModelSpec(
        "näme",
        "0.1",
        front_end,
        ("Gunshot", "Rumble"),
        context,
        window,
        post_processing,
        calibration,
        points,
        training,
    )
    save_spec(spec, folder)
    assert load_spec(folder) == spec


OLD_BANDS = {
    "window": 1600,
    "per_frame": 1,
    "low_hz": 5.0,
    "high_hz": 380.0,
    "step_hz": 2.5,
    "knee_hz": 120.0,
    "ratio": 1.085,
}
OLD_FRONT_END = {
    "rate": 4000,
    "hop": 400,
    "long": {**OLD_BANDS, "every": 4, "flat": 0.0},
    "short": {**OLD_BANDS, "window": 480, "every": 1, "flat": 0.6},
    "floor_s": 30.0,
}
OLD_POST_PROCESSING = {
    "Rumble": {"threshold": 0.2, "release": 0.25},
    "Gunshot": {"threshold": 0.3, "release": 0.75},
}
OLD_SPEC: dict[str, Any] = {
    "name": "tcn",
    "version": "0.1.0",
    "front_end": OLD_FRONT_END,
    "labels": ["Rumble", "Gunshot"],
    "context_frames": 134,
    "window_frames": None,
    "decisions": OLD_POST_PROCESSING,
    "training": {
        "config": {
            "start": "model",
            "average_decay": 0.995,
            "model": {"name": "tcn", "settings": {"channels": [32, 64], "joined": 192}},
            "front_end": OLD_FRONT_END,
            "decisions": OLD_POST_PROCESSING,
            "dev": {"model": {"settings": {"channels": [4, 4]}}, "epochs": 1},
        }
    },
}
"""A specification of format 1: without a number, and with its keys."""


def test_a_specification_of_the_first_format_is_read_by_its_new_keys(tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text(json.dumps(OLD_SPEC), encoding="utf-8")
    spec = load_spec(tmp_path)
    assert (spec.front_end.long.decimation, spec.front_end.long.tukey_taper) == (4, 1.0)
    assert (spec.front_end.short.decimation, spec.front_end.short.tukey_taper) == (1, 0.4)
    assert spec.post_processing == {
        "Rumble": PostProcessing(0.2, 0.05),
        "Gunshot": PostProcessing(0.3, 0.225, count=True),
    }
    config: Any = spec.training["config"]
    assert (config["init_from"], config["ema_decay"]) == ("model", 0.995)
    assert config["model"]["settings"] == {"stem_channels": [32, 64], "channels": 192}
    assert config["dev"]["model"]["settings"] == {"stem_channels": [4, 4]}
    assert config["front_end"]["short"]["tukey_taper"] == 0.4
    assert config["post_processing"]["Gunshot"]["off_threshold"] == 0.225
    save_spec(spec, tmp_path)
    assert json.loads((tmp_path / "spec.json").read_text(encoding="utf-8"))["format"] == FORMAT
    assert load_spec(tmp_path) == spec


def test_off_thresholds_of_the_second_format_become_absolute(folder: Path) -> None:
    ratios = {
        "Rumble": {"threshold": 0.2, "off_threshold_ratio": 0.7, "minimum_s": 0.2},
        "Gunshot": {"threshold": 0.3, "off_threshold_ratio": 0.5},
    }
    change(folder, format=2, post_processing=ratios, training={"config": {"dev": [ratios]}})
    spec = load_spec(folder)
    assert spec.post_processing == {
        "Rumble": PostProcessing(0.2, 0.14, minimum_s=0.2),
        "Gunshot": PostProcessing(0.3, 0.15, count=True),
    }
    config: Any = spec.training["config"]
    assert config["dev"][0]["Rumble"] == {
        "threshold": 0.2,
        "off_threshold": 0.14,
        "minimum_s": 0.2,
    }
    save_spec(spec, folder)
    assert load_spec(folder) == spec


@pytest.mark.parametrize("number", [2, 3])
def test_keys_of_an_older_format_are_refused_in_a_newer_one(tmp_path: Path, number: int) -> None:
    (tmp_path / "spec.json").write_text(json.dumps(OLD_SPEC | {"format": number}), encoding="utf-8")
    with pytest.raises(ModelError, match="no such key"):
        load_spec(tmp_path)


def test_a_ratio_is_refused_in_the_third_format(folder: Path) -> None:
    ratio = {"threshold": 0.5, "off_threshold_ratio": 0.5}
    change(folder, post_processing={"Rumble": ratio, "Gunshot": ratio})
    with pytest.raises(ModelError, match="off_threshold_ratio"):
        load_spec(folder)


@pytest.mark.parametrize("number", [FORMAT + 1, 0, "2", None])
def test_a_specification_of_an_unknown_format_is_refused(folder: Path, number: object) -> None:
    change(folder, format=number)
    with pytest.raises(
        ModelError, match=rf"spec\.json: format {number!r}, .* reads up to 3; install a newer loxo$"
    ):
        load_spec(folder)


@pytest.mark.parametrize("labels", [("Chainsaw",), ("Rumble", "Gunshot", "Chainsaw")])
def test_any_number_of_labels_has_post_processing(folder: Path, labels: tuple[str, ...]) -> None:
    spec = ModelSpec("any", "1", FrontEnd(), labels)
    save_spec(spec, folder)
    assert load_spec(folder) == spec
    assert tuple(spec.post_processing) == labels
    assert spec.post_processing["Chainsaw"].high_hz == spec.front_end.rate / 2
    assert spec.post_processing == default_post_processing(labels, spec.front_end.rate)


def test_labels_that_repeat_or_are_missing_are_refused() -> None:
    for labels in ((), ("Rumble", "Rumble")):
        with pytest.raises(ValueError, match="must be distinct, and at least one"):
            ModelSpec("any", "1", FrontEnd(), labels)


@pytest.mark.parametrize("value", [0.0, -0.5, 1.01, np.nan, np.inf])
@pytest.mark.parametrize("name", ["threshold", "off_threshold"])
def test_a_threshold_outside_its_range_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"{name} {value}.*\(0, 1\]"):
        replace(PostProcessing(0.5), **{name: value})  # type: ignore[arg-type]


def test_a_missing_folder_says_what_a_model_is(tmp_path: Path) -> None:
    with pytest.raises(
        ModelError,
        match=r"missing/spec\.json: No such file.*a model is a folder with model\.onnx and spec",
    ):
        load_spec(tmp_path / "missing")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"post_processing": {"Rumble": {"threshold": 0}, "Gunshot": {"threshold": 0.5}}},
            r"post_processing\.Rumble: threshold 0",
        ),
        (
            {"post_processing": {"Rumble": {"threshold": "high"}, "Gunshot": {"threshold": 0.5}}},
            r"post_processing\.Rumble\.threshold: .*'high'",
        ),
        (
            {"labels": ["Rumble", "Whale"]},
            r"post_processing of \['Gunshot', 'Rumble'\] does not fit the labels \['R.*, 'Whale'\]",
        ),
        (
            {"post_processing": {"Whale": {"threshold": 0.5}}},
            r"post_processing of \['Whale'\] does not fit",
        ),
        (
            {"window_frames": 200, "context_frames": 100},
            "a window of 200 frames has no room for 100 frames of context",
        ),
        ({"front_end": {"hop": 333}}, "front_end: a window of 1600 samples"),
        ({"colour": "red"}, "colour: no such key"),
        ({"label": ["Rumble"]}, "label: no such key; did you mean labels?"),
        ({"calibration": {"Rumble": {}}}, r"calibration of \['Rumble'\] does not fit the labels"),
        ({"name": 3}, "name: .*not 3"),
    ],
)
def test_an_error_in_a_specification_is_one_line(
    folder: Path, changes: dict[str, Any], expected: str
) -> None:
    change(folder, **changes)
    with pytest.raises(
        ModelError,
        match=rf"^{folder / 'spec.json'}: {expected}.*; correct it, or copy the folder again",
    ) as error:
        load_spec(folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"{", b"not JSON", b"[]", b"\xff\xfe", b'{"name": "a"}'])
def test_a_file_that_is_not_a_specification_is_refused_in_one_line(
    folder: Path, content: bytes
) -> None:
    (folder / "spec.json").write_bytes(content)
    with pytest.raises(ModelError, match=rf"^{folder / 'spec.json'}: \w") as error:
        load_spec(folder)
    assert "\n" not in str(error.value)


# Finding models.


def test_a_model_is_found_by_its_path(folder: Path) -> None:
    assert find_model(str(folder)) == find_model(folder) == folder


def test_a_packaged_model_is_found_by_its_name_before_a_folder_of_that_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(folder, folder / "packaged" / "mine")
    (folder / "packaged" / "no_model").mkdir()
    shutil.copytree(folder / "packaged" / "mine", folder / "mine")
    monkeypatch.setattr("loxo.model_folder.folders.resources.files", lambda _: folder)
    monkeypatch.chdir(folder)
    assert packaged_models() == {"mine": folder / "packaged" / "mine"}
    assert find_model("mine") == folder / "packaged" / "mine"
    assert find_model("./mine") == find_model(Path("mine")) == Path("mine")
    with pytest.raises(
        ModelError, match=r"^tcn: neither a packaged model \(mine\) nor a folder with spec\.json$"
    ):
        find_model("tcn")


def test_a_package_without_models_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loxo.model_folder.folders.resources.files", lambda _: tmp_path)
    assert packaged_models() == {}
    with pytest.raises(ModelError, match="there are none"):
        find_model("tcn")


@pytest.mark.parametrize("name", packaged_models())
def test_a_packaged_model_has_all_its_files(name: str) -> None:
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


def test_the_hash_of_scores_is_that_of_all_but_thresholds(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"network")
    spec = load_spec(folder)
    higher = {label: PostProcessing(0.9, minimum_s=3.0) for label in spec.labels}
    calibration = {label: Calibration(0.5) for label in spec.labels}
    same = [
        replace(spec, post_processing=higher),
        replace(spec, version="2", training={"config": {}}),
    ]
    other = [
        replace(spec, calibration=calibration),
        replace(spec, front_end=FrontEnd(floor_s=20.0)),
        replace(spec, labels=spec.labels[::-1]),
        replace(spec, context_frames=7),
        replace(spec, window_frames=400),
    ]
    first = network_hash(spec, folder)
    assert [network_hash(each, folder) for each in same] == [first, first]
    assert len({first, *(network_hash(each, folder) for each in other)}) == 1 + len(other)
    (folder / "model.onnx").write_bytes(b"Network")
    assert network_hash(spec, folder) != first


# Saving and loading.


@pytest.mark.usefixtures("stub_export")
def test_a_saved_model_replaces_an_older_one_whole(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "left_over").touch()
    (tmp_path / ".model.partial").mkdir()
    (tmp_path / ".model.partial" / "left_over").touch()
    (tmp_path / ".model.old").mkdir()
    save_model(CRNN(CRNNSettings(stem_channels=(4,))), ModelSpec("new", "2"), folder, "# Card\n")
    assert {path.name for path in folder.iterdir()} == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert load_spec(folder).name == "new"
    assert (folder / "README.md").read_text(encoding="utf-8") == "# Card\n"


def test_a_model_that_cannot_be_saved_leaves_the_older_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("loxo.models.exporting.export_network", fail)
    with pytest.raises(OSError, match="No space left"):
        save_model(CRNN(CRNNSettings(stem_channels=(4,))), ModelSpec("new", "2"), folder, "")
    assert load_spec(folder).name == "test"


@pytest.mark.usefixtures("stub_export")
def test_a_folder_that_cannot_be_replaced_comes_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def fail(path: Path, target: Path) -> Path:
        if path.name.endswith(".partial"):
            raise OSError(13, "Permission denied")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail)
    model = CRNN(CRNNSettings(stem_channels=(4,)))
    with pytest.raises(OSError, match="Permission denied"):
        save_model(model, ModelSpec("new", "2"), folder, "")
    assert load_spec(folder).name == "test"


def test_weights_by_their_older_names_are_read(tmp_path: Path) -> None:
    settings = TCNSettings(stem_channels=(4, 4), strides=(2,), channels=8, dilations=(1, 2))
    torch.manual_seed(0)
    written, read = TCN(settings), TCN(settings)
    older = {
        "stem.": "pictures.",
        ".branches.": ".stacks.",
        ".projections.": ".joins.",
        "temporal.": "over_time.",
        ".layers.": ".change.",
    }
    stored = {}
    for name, tensor in written.state_dict().items():
        if not name.startswith("metrics."):
            old_name = name
            for new, old in older.items():
                old_name = old_name.replace(new, old)
            stored[old_name] = tensor
    assert {"pictures.stacks.0.0.weight", "pictures.joins.1.weight"} < stored.keys()
    assert "over_time.1.change.0.weight" in stored
    save_file(stored, tmp_path / "weights.safetensors")
    load_weights(read, tmp_path)
    pairs = zip(written.parameters(), read.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_weights_load_back_to_the_same_scores(trained: TrainingRun) -> None:
    waveform = torch.randn(2, 9000, generator=torch.Generator().manual_seed(1))
    models = [loaded(trained), loaded(trained)]
    fresh = build_model(trained.config).eval()
    with torch.no_grad():
        first, second, untrained = (model(waveform) for model in (*models, fresh))
    assert torch.equal(first, second)
    assert not torch.allclose(first, untrained)


@pytest.mark.parametrize(
    "settings",
    [
        CRNNSettings(),
        CRNNSettings(stem_channels=(4, 4), channels=8, hidden=5),
        CRNNSettings(stem_channels=(4,)),
    ],
)
def test_weights_of_another_network_are_refused(
    trained: TrainingRun, settings: CRNNSettings
) -> None:
    model = CRNN(settings)
    before = [parameter.clone() for parameter in model.parameters()]
    with pytest.raises(
        ModelError, match="weights of another architecture or size; they differ in"
    ) as error:
        load_weights(model, trained.folder)
    assert "\n" not in str(error.value)
    assert all(torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))


@pytest.mark.parametrize("content", [None, b"", b"\x80\x04K\x01.", b"\xff" * 64])
def test_weights_that_cannot_be_read_are_refused_in_one_line(
    tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "weights.safetensors").write_bytes(content)
    with pytest.raises(
        ModelError, match=r"weights\.safetensors: cannot be read as weights"
    ) as error:
        load_weights(CRNN(CRNNSettings(stem_channels=(4,))), tmp_path)
    assert "\n" not in str(error.value)


# The network.


def session(folder: Path) -> ort.InferenceSession:
    return ort.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])


def test_the_network_of_a_folder_fits_its_specification(trained: TrainingRun) -> None:
    check_network(session(trained.folder), load_spec(trained.folder), trained.folder / "model.onnx")


def network(names: tuple[str, str], *axes: list[int | str]) -> Any:
    """A session of a network with one input and one output, as far as the checks ask it."""
    taken, given = (
        [SimpleNamespace(name=name, type="tensor(float)", shape=shape)]
        for name, shape in zip(names, axes, strict=True)
    )
    return SimpleNamespace(get_inputs=lambda: taken, get_outputs=lambda: given)


BANDS = FrontEnd().n_bands
OPEN = ["batch", "band", "frame"]


@pytest.mark.parametrize(
    ("names", "taken", "given", "expected"),
    [
        (("x", "scores"), OPEN, OPEN, r"features \(batch, bands, frame\), not x tensor"),
        (("features", "y"), OPEN, OPEN, r"scores \(batch, labels, frame\), not y tensor"),
        (("features", "scores"), ["batch"], ["batch"], r"not features tensor\(float\)\['batch'\]"),
        (
            ("features", "scores"),
            ["batch", 12, "frame"],
            OPEN,
            f"features of 12 bands, but spec.json gives {BANDS}",
        ),
        (
            ("features", "scores"),
            ["batch", BANDS, "frame"],
            ["batch", 3, "frame"],
            "scores of 3 labels, but spec.json gives 2",
        ),
        (
            ("features", "scores"),
            ["batch", BANDS, 100],
            OPEN,
            "the network takes 100 frames, but spec.json gives any number",
        ),
    ],
)
def test_a_network_with_other_inputs_or_outputs_is_refused_in_one_line(
    names: tuple[str, str], taken: list[int | str], given: list[int | str], expected: str
) -> None:
    with pytest.raises(ModelError, match=rf"^model\.onnx: .*{expected}") as error:
        check_network(network(names, taken, given), ModelSpec("test", "1"), "model.onnx")
    assert "\n" not in str(error.value)


def test_a_network_whose_weights_are_in_another_file_is_refused(
    trained: TrainingRun, tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    with pytest.raises(ModelError, match=r"model\.onnx: No such file .* a model is a folder with"):
        check_self_contained(path)
    check_self_contained(trained.folder / "model.onnx")
    onnx.save(
        onnx.load(trained.folder / "model.onnx"),
        path,
        save_as_external_data=True,
        location="weights",
        size_threshold=0,
    )
    with pytest.raises(ModelError, match=r"model\.onnx: its weights are in another file") as error:
        check_self_contained(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("batch", "frame"), [(1, 1), (1, 2), (2, 3), (3, 1), (5, 64), (2, 193), (1, 700)]
)
def test_the_exported_network_scores_as_the_trained_one(
    trained: TrainingRun, batch: int, frame: int
) -> None:
    model = loaded(trained)
    features = torch.randn(
        batch, model.front_end.n_bands, frame, generator=torch.Generator().manual_seed(frame)
    )
    with torch.no_grad():
        expected = torch.sigmoid(model.network(features)).numpy()
    scores: NDArray[np.float32] = session(trained.folder).run(
        ["scores"], {"features": features.numpy()}
    )[0]
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-4)
    assert scores.shape == (batch, 2, frame)


def test_the_exported_network_names_its_axes(trained: TrainingRun) -> None:
    network = session(trained.folder)
    bands = trained.config.front_end.n_bands
    assert [(value.name, value.shape) for value in network.get_inputs()] == [
        ("features", ["batch", bands, "frame"])
    ]
    assert [(value.name, value.shape) for value in network.get_outputs()] == [
        ("scores", ["batch", 2, "frame"])
    ]


def test_an_export_is_silent_and_leaves_the_model_as_it_was(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = CRNN(CRNNSettings(stem_channels=(2,), channels=4, hidden=2))
    layers = list(model.modules())
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        export_network(model, tmp_path / "model.onnx")
    assert capfd.readouterr() == ("", "")
    assert shown == []
    assert list(model.modules()) == layers
    assert (tmp_path / "model.onnx").stat().st_size > 0


@pytest.mark.parametrize(
    "changes",
    [{"num_layers": 2}, {"bidirectional": False}, {"bias": False}, {"batch_first": False}],
)
def test_a_recurrent_layer_of_another_kind_is_not_exported_wrongly(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="cannot be exported"):
        OnnxGRU(nn.GRU(3, 2, **({"batch_first": True, "bidirectional": True} | changes)))
