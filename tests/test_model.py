"""A model gives equal detections for files, addresses and arrays, and refuses unusable input."""

from __future__ import annotations

import gc
import json
import re
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray
from scipy.special import expit, logit

import loxo
from loxo import Detection, Model, load_model, open_recording
from loxo.model import lowest_threshold
from loxo.model_folder import (
    Calibration,
    ModelError,
    ModelSpec,
    OperatingPoint,
    PostProcessing,
    find_model,
    load_spec,
    model_hash,
)
from loxo.recordings import RecordingError, SampleCheck
from loxo.scoring import Profile, concatenate
from loxo.simulate import SceneSettings, scene
from loxo.spectrogram import FrontEnd
from reference import scoring as twin
from s3_fixtures import KEY_ID, SECRET, S3Server

pytest_plugins = ("s3_fixtures",)

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
Int16 = NDArray[np.int16]
DENSE = SceneSettings(seconds=40.0, rumbles_per_minute=8, gunshots_per_minute=8)
THREE = ("Rumble", "Gunshot", "Chainsaw")


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model("tcn", threads=2)


@pytest.fixture(scope="module")
def mono() -> Int16:
    """16-bit samples of a soundscape at 4 kHz in which the packaged model finds events."""
    waveform, _ = scene(np.random.default_rng(3), DENSE)
    return np.asarray(waveform * 32767 / np.abs(waveform).max(), np.int16)


@pytest.fixture(scope="module")
def stereo(mono: Int16) -> Int16:
    """The soundscape in the second channel, noise in the first."""
    noise = np.random.default_rng(0).integers(-30, 30, len(mono), np.int16)
    return np.column_stack((noise, mono))


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The folder of a model with three labels whose scores are moving means of features."""
    folder = tmp_path / "small"
    twin.write_model(folder, ModelSpec("small", "7", FrontEnd(floor_s=1.0), THREE), reach=1)
    return folder


def save(folder: Path, samples: Int16, rate: int, name: str = "x.wav") -> Path:
    soundfile.write(folder / name, samples, rate)
    return folder / name


# ---- what a recording may be


@pytest.mark.parametrize("rate", [4000, 8000, 11_025, 48_000])
def test_a_file_and_its_samples_give_equal_detections(
    model: Model, mono: Int16, tmp_path: Path, rate: int
) -> None:
    samples = soxr.resample(mono, 4000, rate)
    path = save(tmp_path, samples, rate)
    expected = model.detect(path)
    assert {found.label for found in expected} == {"Rumble", "Gunshot"}
    floats, _ = soundfile.read(path)
    sources: list[Any] = [samples, floats, floats.astype(np.float32), samples[:, None]]
    for source in [*sources, samples.astype(">i2")]:
        assert model.detect(source, rate) == expected
    for source in (str(path), path.as_uri(), open_recording(path)):
        assert model.detect(source) == expected
    assert model.detect(open_recording(samples, rate=rate)) == expected


@pytest.mark.parametrize("n_samples", [1, 7, 801])
def test_the_shortest_recordings_have_scores(model: Model, n_samples: int, tmp_path: Path) -> None:
    samples = np.random.default_rng(0).integers(-99, 99, n_samples, np.int16)
    scores = model.score(samples, 8000)
    assert len(scores.values) == -(-n_samples // 800)
    np.testing.assert_array_equal(scores.values, model.score(save(tmp_path, samples, 8000)).values)


@pytest.mark.parametrize("channel", [None, 0, 1])
def test_channels_of_an_array_count_as_those_of_a_file(
    model: Model, stereo: Int16, tmp_path: Path, channel: int | None
) -> None:
    path = save(tmp_path, stereo, 8000, "x.flac")
    expected = model.score(path, channel=channel).values
    for samples in (stereo, stereo / 32768):
        scores = model.score(samples, 8000, channel=channel)
        np.testing.assert_array_equal(scores.values, expected)
    assert model.detect(stereo, 8000, channel=channel) == model.detect(path, channel=channel)


def test_24_bit_samples_keep_their_resolution(model: Model, mono: Int16, tmp_path: Path) -> None:
    fine = mono.astype(np.int32) * 256 + 77
    soundfile.write(tmp_path / "x.wav", fine * 256, 4000, subtype="PCM_24")
    scores = model.score(fine / 2.0**23, 4000)
    np.testing.assert_array_equal(scores.values, model.score(tmp_path / "x.wav").values)


def test_full_scale_is_accepted(model: Model) -> None:
    square = np.where(np.arange(8000) % 100 < 50, 1.0, -1.0)
    assert model.score(square, 4000).duration_s == 2.0
    assert model.score(np.asarray(square * 32767 - 1, np.int16), 4000).duration_s == 2.0


ZEROS = np.zeros(8000)
NAN = np.where(np.arange(8000) == 4321, np.nan, 0.0)
UNUSABLE: list[tuple[Any, Any, str]] = [
    (ZEROS, None, "needs its sampling rate"),
    (ZEROS, 0, "rate 0 must be a whole number of hertz from 100 to 1,000,000"),
    (ZEROS, -8000, "rate -8000 must"),
    (ZEROS, 44.1, "rate 44.1 must"),
    (ZEROS, 44, "rate 44 must"),
    (ZEROS, 2_000_000, "rate 2000000 must"),
    (ZEROS, float("nan"), "rate nan must"),
    (ZEROS, float("inf"), "rate inf must"),
    (ZEROS, "8000", "rate '8000' must"),
    (ZEROS, True, "rate True must"),
    (ZEROS, {"Rumble": 0.5}, "rate {'Rumble': 0.5} must"),
    (ZEROS.astype(np.int32), 8000, r"int32 must be int16 .*x / 2147483648"),
    (ZEROS.astype(np.uint8), 8000, r"uint8 must be int16 .*\(x - 128\) / 128"),
    (ZEROS.astype(np.int64), 8000, "int64 must be int16"),
    (ZEROS.astype(complex), 8000, "complex128 must be int16"),
    (ZEROS.astype(bool), 8000, "bool must be int16"),
    (NAN, 8000, "must be finite"),
    (np.where(np.isnan(NAN), np.inf, 0.0), 8000, "must be finite"),
    (np.where(np.isnan(NAN), -np.inf, 0.0), 8000, "must be finite"),
    (ZEROS + 32767.0, 8000, "must lie in .*divide them by their full scale"),
    (ZEROS - 1.01, 8000, "must lie in"),
    (ZEROS[:0], 8000, r"shape \(0,\) holds no samples"),
    (np.zeros((0, 2)), 8000, r"shape \(0, 2\) holds no samples"),
    (ZEROS.reshape(20, 20, 20), 8000, r"shape \(20, 20, 20\) must be \(sample,\)"),
    (ZEROS.reshape(2, 4000), 8000, "4,000 channels; .*transpose it"),
    (np.float64(0.5), 8000, r"shape \(\) must be"),
    (["a.wav", Path("b.wav")], None, "2 paths in a list: give one recording at a time"),
]


@pytest.mark.parametrize(("x", "rate", "message"), UNUSABLE)
def test_unusable_arrays_and_rates_are_refused_in_one_line(
    model: Model, x: Any, rate: Any, message: str
) -> None:
    for use in (model.detect, model.score):
        with pytest.raises(ValueError, match=message) as error:
            use(x, rate)
        assert "\n" not in str(error.value)


def test_a_rate_beside_a_file_must_be_its_own(model: Model, mono: Int16, tmp_path: Path) -> None:
    path = save(tmp_path, mono, 4000)
    assert model.detect(path, 4000) == model.detect(path)
    for source in (path, str(path), open_recording(path)):
        with pytest.raises(ValueError, match=r"rate 8000 Hz was given, .* has 4000 Hz"):
            model.detect(source, 8000)


def test_files_that_cannot_be_read_are_refused_in_one_line(model: Model, tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_text("no sound")
    for path, message in ((tmp_path, "a folder"), (tmp_path / "y.wav", "cannot be opened")):
        with pytest.raises(RecordingError, match=message):
            model.detect(path)
    with pytest.raises(RecordingError) as error:
        model.detect(str(tmp_path / "x.wav"))
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="no channel 2"):
        model.detect(ZEROS, 4000, channel=1)


# ---- addresses


@pytest.fixture(scope="module")
def bucket(s3_server: S3Server, mono: Int16, tmp_path_factory: pytest.TempPathFactory) -> S3Server:
    folder = tmp_path_factory.mktemp("stored")
    s3_server.make_bucket("sounds")
    for name in ("x.wav", "x.flac"):
        s3_server.put("sounds", f"a/{name}", save(folder, mono, 4000, name))
    return s3_server


@pytest.mark.parametrize("name", ["x.wav", "x.flac"])
def test_an_address_gives_the_detections_of_its_samples(
    model: Model, mono: Int16, bucket: S3Server, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    expected = model.detect(mono, 4000)
    address = f"s3://sounds/a/{name}"
    assert model.detect(bucket.storage.file(address)) == expected
    monkeypatch.setenv("AWS_ENDPOINT_URL", bucket.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    assert model.detect(address) == expected


def test_a_compressed_file_is_copied_for_as_long_as_it_is_needed(bucket: S3Server) -> None:
    recording = open_recording(bucket.storage.file("s3://sounds/a/x.flac"))
    assert recording.path == Path("x.flac")
    assert recording.copy is not None
    copy = recording.copy.path
    shorter = replace(recording, n_samples=10)
    del recording
    gc.collect()
    assert len(shorter.read(0, 10)) == 10
    del shorter
    gc.collect()
    assert not copy.parent.exists()


# ---- labels, thresholds and post-processing


def test_labels_are_those_of_the_specification(small: Path) -> None:
    model = load_model(small, threads=1)
    assert model.labels == THREE
    scores = model.score(np.random.default_rng(0).uniform(-0.5, 0.5, 80_000), 4000)
    assert scores.labels == THREE
    assert scores.values.shape == (200, 3)
    assert scores.to_frame().columns == ["start_s", *THREE]
    loud = np.concatenate((np.zeros(40_000), np.random.default_rng(0).uniform(-0.5, 0.5, 8_000)))
    found = model.detect(loud + 1e-4 * np.sin(np.arange(48_000)), 4000)
    assert {each.label for each in found} == set(THREE)


def test_thresholds_change_what_is_found(model: Model, mono: Int16) -> None:
    usual = model.detect(mono, 4000)
    scores = [each.score for each in usual if each.label == "Rumble"]
    highest = max(scores)
    strict = model.detect(mono, 4000, {"Rumble": highest})
    assert [each.score for each in strict if each.label == "Rumble"] == [highest]
    assert [d for d in strict if d.label == "Gunshot"] == [d for d in usual if d.label == "Gunshot"]
    low = dict.fromkeys(model.labels, 0.01)
    assert sum(d.end_s - d.start_s for d in model.detect(mono, 4000, low)) > sum(
        d.end_s - d.start_s for d in usual
    )
    assert model.detect(mono, 4000) == usual
    own = {label: model.spec.post_processing[label].threshold for label in model.labels}
    assert model.detect(mono, 4000, own) == usual


@pytest.mark.parametrize("value", [0, -0.1, 1.01, float("nan"), "high", None])
def test_thresholds_outside_their_range_are_refused(model: Model, value: Any) -> None:
    with pytest.raises(ValueError, match=re.escape(f"threshold {value!r} for Rumble must be")):
        model.detect(ZEROS, 4000, {"Rumble": value})


def test_a_threshold_of_an_unknown_label_is_refused(model: Model) -> None:
    with pytest.raises(ValueError, match="threshold for 'rumble': the labels are Rumble, Gunshot"):
        model.detect(ZEROS, 4000, {"rumble": 0.5})


POINTS = tuple(
    OperatingPoint(threshold, 0.5, 0.5, per_hour)
    for threshold, per_hour in [(0.9, 0.0), (0.5, 1.0), (0.4, 2.0), (0.3, 1.5)]
)


@pytest.mark.parametrize(("limit", "expected"), [(0.0, 0.9), (1.0, 0.5), (1.9, 0.5), (9.0, 0.3)])
def test_the_lowest_threshold_allows_no_more_false_positives(limit: float, expected: float) -> None:
    assert lowest_threshold(POINTS, limit) == expected


def calibrated_model(folder: Path) -> Model:
    """The model of a folder, with calibration and operating points."""
    spec = replace(
        load_spec(folder),
        calibration=dict.fromkeys(THREE, Calibration(2.0, -0.5)),
        operating_points=dict.fromkeys(THREE, POINTS),
    )
    (folder / "spec.json").write_text(json.dumps(asdict(spec) | {"format": 2}))
    return load_model(folder, threads=1)


def test_false_positives_per_hour_choose_thresholds(small: Path) -> None:
    chosen = calibrated_model(small).post_processing({"Gunshot": 0.8}, false_positives_per_hour=1.0)
    assert {label: each.threshold for label, each in chosen.items()} == {
        "Rumble": 0.5,
        "Gunshot": 0.8,
        "Chainsaw": 0.5,
    }


def test_false_positives_of_an_uncalibrated_model_are_unknown(small: Path) -> None:
    with pytest.raises(ModelError, match=r"small: the model is not calibrated, .*give thresholds"):
        load_model(small, threads=1).post_processing(false_positives_per_hour=1.0)


def test_an_uncalibrated_copy_gives_the_scores_of_the_network(small: Path, mono: Int16) -> None:
    model = calibrated_model(small)
    raw = model.uncalibrated()
    expected = expit(2.0 * logit(raw.score(mono, 4000).values) - 0.5)
    np.testing.assert_allclose(model.score(mono, 4000).values, expected, atol=1e-6)
    assert raw.spec.calibration == {}
    assert raw.spec.operating_points == {}
    assert model.spec.calibration


def test_streamed_detections_are_those_of_detect(model: Model, mono: Int16, tmp_path: Path) -> None:
    recording = open_recording(save(tmp_path, np.tile(mono, 3), 8000))
    profile, check = Profile(), SampleCheck()
    blocks = model.blocks(recording, check=check, profile=profile)
    cores = list(model.stream(blocks, keep_above=0.01, profile=profile))
    found: list[Detection] = list(model.detect_stream(cores))
    assert found == model.detect(recording)
    np.testing.assert_array_equal(concatenate(cores).values, model.score(recording).values)
    assert check.n_values == recording.n_samples
    assert all(profile.seconds[stage] > 0 for stage in ("read", "resample", "network"))
    strict = dict.fromkeys(model.labels, PostProcessing(1.0))
    assert list(model.detect_stream(cores, strict)) == []


# ---- the object


def test_threads_may_share_a_model(model: Model, mono: Int16) -> None:
    expected = model.detect(mono, 4000)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: model.detect(mono, 4000), range(8))) == [expected] * 8


def test_workers_end_with_the_model() -> None:
    before = set(threading.enumerate())
    model = load_model("tcn", threads=3)
    model.detect(np.zeros(200_000), 4000)
    started = set(threading.enumerate()) - before
    assert 1 <= len(started) <= 3
    del model
    gc.collect()
    for thread in started:
        thread.join(timeout=10)
    assert not any(thread.is_alive() for thread in started)


def test_a_model_says_what_it_is(model: Model, small: Path) -> None:
    assert (model.name, model.labels, model.rate) == ("tcn", ("Rumble", "Gunshot"), 4000)
    assert model.device == "CPU"
    assert model.folder == find_model("tcn")
    assert model.hash == model_hash(model.folder)
    text = repr(load_model(small, threads=1))
    assert text.startswith("<Model small 7: Rumble (threshold 0.5), Gunshot (threshold 0.5), Chain")
    assert "4,000 Hz; CPU, 1 thread;" in text


def test_models_are_found_by_name_and_by_folder(small: Path, tmp_path: Path) -> None:
    assert load_model(threads=1).name == "tcn"
    assert load_model(str(small), threads=1).hash == load_model(small, threads=1).hash
    with pytest.raises(ModelError, match=r"tdnn: .*tcn"):
        load_model("tdnn")
    with pytest.raises(ModelError):
        load_model(tmp_path)
    with pytest.raises(ValueError, match="threads -1 must be 0"):
        load_model(small, threads=-1)


def test_the_example_of_the_package_and_the_readme_runs(
    mono: Int16, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = re.search(r"(?:^ {4}.+\n)+", loxo.__doc__ or "", re.MULTILINE)
    assert example is not None
    lines = textwrap.dedent(example[0])
    readme = re.search(r"```python\n(import loxo\n.+?)```", README, re.DOTALL)
    assert readme is not None
    assert readme[1].split() == lines.split()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("matplotlib.pyplot.get_fignums", list)
    save(tmp_path, mono, 4000, "nn01a_20180126_000000.wav")
    names: dict[str, Any] = {}
    exec(lines, names)  # noqa: S102 the package's own example
    table = loxo.read_table(tmp_path / "nn01a_20180126_000000.txt")
    assert len(table.rows) == len(names["detections"]) > 0


@pytest.mark.parametrize("rate", [3000, 8000, 11025, 44100])
def test_nothing_ends_behind_the_end_of_a_recording(rate: int) -> None:
    """At such thresholds everything is one detection, which ends with the recording."""
    for n_samples in (5 * rate + 1, 7 * rate + rate // 3):
        samples = np.random.default_rng(rate).normal(0, 0.1, n_samples).astype(np.float32)
        everything = dict.fromkeys(("Rumble", "Gunshot"), 1e-6)
        found = load_model("tcn", threads=1).detect(samples, rate, everything)
        assert {each.label: each.end_s for each in found} == dict.fromkeys(
            everything, n_samples / rate
        )
