"""The packaged model: its size, its card, and what it finds in recordings it was not trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
import torch

from loxo import scoring
from loxo.annotations import read_table
from loxo.evaluation import evaluate
from loxo.events import Detection, Event, overlap_s
from loxo.model import Model, load_model
from loxo.model_folder import find_model
from loxo.post_processing import detect
from loxo.scoring import Scores, calibrated, quantize
from loxo.simulate import SceneSettings, scene
from loxo.spectrogram import onset_levels, quantize_levels, spectrogram
from loxo.training import build_model, read_config

SHARED = Path(__file__).parents[2] / "shared"
FOLDER = find_model("tcn")
CONFIG = Path(__file__).parents[1] / "configs" / "finetune.yaml"
"""Training that begins with its weights."""

needs_real = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the recordings of the field are not part of the project"
)


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model("tcn", threads=1)


def test_its_files_are_small_and_its_card_says_what_it_was_trained_on() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {
        "model.onnx",
        "spec.json",
        "weights.safetensors",
        "README.md",
    }
    assert all(path.stat().st_size <= 4_000_000 for path in FOLDER.iterdir())
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert "Simulated scenes only" in card
    assert "What that means for you" in card


def test_its_network_does_not_tell_where_it_was_made() -> None:
    network = (FOLDER / "model.onnx").read_bytes()
    assert b"stack_trace" not in network
    assert b".py" not in network


def test_its_network_and_its_weights_are_the_same_model(model: Model) -> None:
    trained = build_model(read_config(CONFIG))
    waveform = 0.05 * torch.randn(40_000, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = calibrated(trained.eval()(waveform[None])[0].T.numpy(), model.spec)
    scores = model.score(waveform.numpy(), model.rate)
    assert scores.values.shape == expected.shape
    assert abs(scores.values - expected).max() < 1e-4
    assert spectrogram(waveform.numpy(), trained.front_end).shape == (
        trained.front_end.n_bands,
        len(expected),
    )


def test_the_level_of_a_recording_does_not_matter(model: Model) -> None:
    waveform = (0.1 * torch.randn(80_000, generator=torch.Generator().manual_seed(1))).numpy()
    half = (waveform / 2).astype(np.float32)
    values, other = (model.score(each, model.rate).values for each in (waveform, half))
    assert np.abs(values - other).max() < 1e-3


def test_cores_are_scored_as_the_whole(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    waveform, _ = scene(
        np.random.default_rng(0),
        SceneSettings(seconds=240.0, rumbles_per_minute=4, gunshots_per_minute=4),
    )
    whole = model.score(waveform, model.rate).values
    monkeypatch.setattr(scoring, "CORE_FRAMES", 300)
    cores = model.score(waveform, model.rate).values
    assert np.abs(cores - whole).max() < 1e-5


def found(event: Event, detections: list[Detection]) -> bool:
    """Whether a tenth of the event is in a detection of its label."""
    same = [d for d in detections if d.label == event.label]
    return any(
        overlap_s((event.start_s, event.end_s), (d.start_s, d.end_s)) >= 0.1 * event.duration_s
        for d in same
    )


@needs_real
def test_the_faint_rumbles_of_nouabale_ndoki_are_found(model: Model) -> None:
    rows = [
        line.split("\t")
        for line in (SHARED / "audio" / "manifest.tsv").read_text(encoding="utf-8").splitlines()[1:]
    ]
    rumbles = 0
    for file, _, _, _, group, _, events in rows:
        if group == "nn01b":
            label, start_s, end_s, *_ = events.split(":")
            rumbles += found(
                Event(label, float(start_s), float(end_s)), model.detect(SHARED / "audio" / file)
            )
    assert rumbles >= 3


@needs_real
def test_blocks_and_threads_detect_in_the_composed_soundscape_as_torch_does_in_one_piece() -> None:
    path = SHARED / "bench" / "dev_mixed.flac"
    model = load_model("tcn", threads=2)
    spec, grid = model.spec, model.spec.front_end.grid
    streamed = model.detect(path)
    samples, rate = soundfile.read(path, dtype="float32")
    waveform = soxr.resample(samples, rate, model.rate)
    trained = build_model(read_config(CONFIG)).eval()
    with torch.no_grad():
        values = calibrated(trained(torch.from_numpy(waveform)[None])[0].T.numpy(), spec)
    features = quantize(spectrogram(waveform, spec.front_end).T)
    padded = np.pad(waveform, (spec.front_end.margin, spec.front_end.margin + spec.front_end.hop))
    used = len(values) * spec.front_end.hop + 2 * spec.front_end.margin
    onsets = quantize_levels(onset_levels(padded[:used], spec.front_end))
    frames = np.arange(len(values))
    whole = Scores(grid, spec.labels, values, frames, features, onsets, len(waveform))
    expected = detect(whole, spec.front_end, spec.post_processing)
    assert [found.label for found in streamed] == [found.label for found in expected]
    for found, other in zip(streamed, expected, strict=True):
        assert abs(found.start_s - other.start_s) < 1.5 * grid.frame_s
        assert abs(found.end_s - other.end_s) < 1.5 * grid.frame_s
        assert abs(found.score - other.score) < 1e-3


@needs_real
def test_the_composed_soundscape_is_detected_as_well_as_the_readme_says(model: Model) -> None:
    path = SHARED / "bench" / "dev_mixed.flac"
    table = SHARED / "bench" / "dev_mixed.selections.txt"
    assert len(read_table(table).rows) == 64
    evaluation = evaluate(table, {path.as_posix(): model.detect(path)}, seconds=1800.0)
    for label, least in (("Rumble", 0.6), ("Gunshot", 0.7)):
        f1 = evaluation.score(label, "overlap10").f1
        assert f1 is not None
        assert f1 >= least
