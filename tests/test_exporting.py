"""An exported network scores as the trained one, alone and in detection, for every architecture."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from numpy.typing import NDArray

from loxo.events import EVENT_LABELS
from loxo.model_folder import ModelSpec, save_model
from loxo.models import MODELS
from loxo.scoring import Scorer
from loxo.spectrogram import spectrogram
from model_fixtures import FIXED, noise, once, small, some_features

RATE = 4000


@cache
def exported(name: str, place: Path) -> Path:
    module, folder = small(name), place / name
    spec = ModelSpec(
        name,
        "1",
        module.front_end,
        context_frames=module.context_frames,
        window_frames=module.window_frames,
    )
    save_model(module, spec, folder, "A model of a test.\n")
    return folder


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exported")


@pytest.mark.parametrize("name", MODELS)
def test_the_exported_network_scores_as_the_trained_one(name: str, place: Path) -> None:
    session = ort.InferenceSession(
        exported(name, place) / "model.onnx", providers=["CPUExecutionProvider"]
    )
    module = once(name)
    for batch, frames in ((1, module.window_frames or 1), (3, module.window_frames or 64)):
        features = some_features(module, batch, frames)
        with torch.no_grad():
            expected = torch.sigmoid(module.frame_logits(features)).numpy()
        (scores,) = session.run(["scores"], {"features": features.numpy()})
        np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-4)
        assert scores.shape == (batch, len(EVENT_LABELS), frames)
        assert scores.std() > 1e-3


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("seconds", [0.33, 9.0, 10.0])
def test_detection_scores_a_short_recording_as_the_model_does(
    name: str, seconds: float, place: Path
) -> None:
    waveform = noise(1, round(seconds * RATE))
    scores = Scorer(exported(name, place), threads=1).score([waveform[0].numpy()]).values
    np.testing.assert_allclose(
        scores.T, once(name).infer(waveform, len(scores))[0].numpy(), rtol=0, atol=1e-3
    )


@pytest.mark.parametrize("name", FIXED)
@pytest.mark.parametrize("core_s", [100, 24, 12.3])
def test_detection_scores_each_frame_in_the_middle_of_a_window_where_there_is_one(
    name: str, core_s: float, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, waveform = once(name), noise(1, 25 * RATE + 7)[0].numpy()
    window, context = module.window_frames or 0, module.context_frames
    features = torch.from_numpy(spectrogram(waveform, module.front_end))[None]
    frames = features.shape[-1]
    expected: NDArray[np.float32] = np.full((frames, len(EVENT_LABELS)), np.nan, np.float32)
    core, step = module.front_end.grid.frames(core_s), window - 2 * context
    monkeypatch.setattr("loxo.scoring.CORE_FRAMES", core)
    for start in sorted(
        start
        for first in range(0, frames, core)
        for start in range(first, min(first + core, frames), step)
    ):
        first = min(max(0, start - context), frames - window)
        with torch.no_grad():
            scores = torch.sigmoid(module.frame_logits(features[..., first : first + window]))[
                0
            ].T.numpy()
        stop = min(frames, start + step)
        expected[start:stop] = scores[start - first : stop - first]
    found = (
        Scorer(exported(name, place), threads=1)
        .score([waveform[:30_000], waveform[30_000:]])
        .values
    )
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3)
