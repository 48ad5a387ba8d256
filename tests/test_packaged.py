"""The model that comes with the package: its size, its card, and what it finds on recordings that it was not trained on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
import torch

from loxo import scoring
from loxo.annotations import read_annotations
from loxo.checkpoints import find_model
from loxo.detection import detect
from loxo.evaluation import evaluate_paths
from loxo.events import Detection, Event, overlap_s
from loxo.recordings import open_recording
from loxo.scoring import Scorer, Scores, calibrated
from loxo.simulate import SceneSettings, scene
from loxo.spectrogram import spectrogram
from loxo.surveys import Survey, SurveySettings, run_survey
from loxo.training import build_model, read_config

SHARED = Path(__file__).parents[2] / "shared"
FOLDER = find_model("tcn")
CONFIG = Path(__file__).parents[1] / "configs" / "finetune.yaml"
"""Training that begins with its weights."""
Find = Callable[[Path], list[Detection]]

needs_real = pytest.mark.skipif(not SHARED.is_dir(), reason="the field's own recordings are not part of the project")


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer(FOLDER, threads=1)


@pytest.fixture(scope="module")
def find(scorer: Scorer) -> Find:
    spec = scorer.spec
    return lambda path: detect(scorer.score(open_recording(path).blocks(spec.front_end.rate)), spec.front_end, spec.labels, spec.decisions)


def test_its_files_are_small_and_its_card_says_what_it_was_trained_on() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {"model.onnx", "spec.json", "weights.safetensors", "README.md"}
    assert all(path.stat().st_size <= 4_000_000 for path in FOLDER.iterdir())
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert "Simulated scenes only" in card
    assert "What that means for you" in card


def test_its_network_does_not_tell_where_it_was_made() -> None:
    network = (FOLDER / "model.onnx").read_bytes()
    assert b"stack_trace" not in network
    assert b".py" not in network


def test_its_network_and_its_weights_are_the_same_model(scorer: Scorer) -> None:
    model = build_model(read_config(CONFIG))
    waveform = 0.05 * torch.randn(40_000, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = calibrated(model.eval()(waveform[None])[0].T.numpy(), scorer.spec)
    scores = scorer.score([waveform.numpy()])
    assert scores.values.shape == expected.shape
    assert abs(scores.values - expected).max() < 1e-4
    assert spectrogram(waveform.numpy(), model.front_end).shape == (model.front_end.n_bands, len(expected))


def test_the_level_of_a_recording_does_not_matter(scorer: Scorer) -> None:
    waveform = (0.1 * torch.randn(80_000, generator=torch.Generator().manual_seed(1))).numpy()
    half = (waveform / 2).astype(np.float32)
    assert np.abs(scorer.score([waveform]).values - scorer.score([half]).values).max() < 1e-3


def test_pieces_are_scored_as_the_whole(scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
    waveform, _ = scene(np.random.default_rng(0), SceneSettings(seconds=240.0, rumbles_per_minute=4, gunshots_per_minute=4))
    whole = scorer.score([waveform]).values
    monkeypatch.setattr(scoring, "CORE_FRAMES", 300)
    pieces = scorer.score([waveform]).values
    assert np.abs(pieces - whole).max() < 1e-5


def found(event: Event, detections: list[Detection]) -> bool:
    """Whether a tenth of the event is in a detection of its label."""
    same = [d for d in detections if d.label == event.label]
    return any(overlap_s((event.start_s, event.end_s), (d.start_s, d.end_s)) >= 0.1 * event.duration_s for d in same)


@needs_real
def test_the_faint_rumbles_of_nouabale_ndoki_are_found(find: Find) -> None:
    rows = [line.split("\t") for line in (SHARED / "audio" / "manifest.tsv").read_text(encoding="utf-8").splitlines()[1:]]
    rumbles = 0
    for file, _, _, _, group, _, events in rows:
        if group == "nn01b":
            label, start_s, end_s, *_ = events.split(":")
            rumbles += found(Event(label, float(start_s), float(end_s)), find(SHARED / "audio" / file))
    assert rumbles >= 3


@needs_real
def test_the_composed_soundscape_in_blocks_and_threads_is_detected_as_by_torch_in_one_piece(scorer: Scorer) -> None:
    recording, spec = open_recording(SHARED / "bench" / "dev_mixed.flac"), scorer.spec
    blocks = recording.blocks(spec.front_end.rate)
    quick = detect(Scorer(FOLDER, threads=2).score(blocks), spec.front_end, spec.labels, spec.decisions)
    samples, rate = soundfile.read(recording.path, dtype="float32")
    waveform = soxr.resample(samples, rate, spec.front_end.rate)
    model = build_model(read_config(CONFIG)).eval()
    with torch.no_grad():
        values = calibrated(model(torch.from_numpy(waveform)[None])[0].T.numpy(), spec)
    features = spectrogram(waveform, spec.front_end).T.astype(np.float16)
    plain = Scores(spec.front_end.grid, values, np.arange(len(values)), features, len(waveform))
    expected = detect(plain, spec.front_end, spec.labels, spec.decisions)
    assert [found.label for found in quick] == [found.label for found in expected]
    for found, other in zip(quick, expected, strict=True):
        assert abs(found.start_s - other.start_s) < 1.5 * spec.front_end.grid.frame_s
        assert abs(found.end_s - other.end_s) < 1.5 * spec.front_end.grid.frame_s
        assert abs(found.score - other.score) < 1e-3


@needs_real
def test_the_composed_soundscape_is_detected_as_well_as_the_readme_says(scorer: Scorer, tmp_path: Path) -> None:
    survey = Survey(scorer, FOLDER, SurveySettings(decisions=scorer.spec.decisions), tmp_path)
    run_survey(survey, [SHARED / "bench" / "dev_mixed.flac"])
    table = SHARED / "bench" / "dev_mixed.selections.txt"
    evaluation = evaluate_paths(table, tmp_path)
    assert len(read_annotations([table]).rows) == 64
    for label, least in (("Rumble", 0.6), ("Gunshot", 0.7)):
        f1 = evaluation.score(label, "overlap10").f1
        assert f1 is not None
        assert f1 >= least
