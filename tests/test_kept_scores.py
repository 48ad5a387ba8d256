"""Kept scores: codes keep the order of scores, and files keep detections and their bands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.special import logit

from loxo.events import Detection
from loxo.model import load_model
from loxo.model_folder import PostProcessing, find_model, load_spec
from loxo.post_processing import (
    detect,
    frequency_extent,
    hysteresis,
    lowest_off_threshold,
    merge_gaps,
    split_at_silence,
)
from loxo.runs import KeptScores, Run, RunSettings, ScoreKeeper
from loxo.runs.levels import LabelBands, mean_spectra, merged, runs_of_all_levels
from loxo.runs.score_codes import (
    decode_refined,
    decode_scores,
    encode_scores,
    first_refined_code,
    lowest_refined_score,
    pack_refinements,
    unpack_refinements,
)
from loxo.scoring import Scores, quantize
from loxo.simulate import RECORDING, write_recording

Array = NDArray[np.float32]

SPEC = load_spec(find_model("tcn"))
GRID = SPEC.front_end.grid
KEY = "0" * 64

unit_scores = arrays(np.float32, st.integers(1, 200), elements=st.floats(0, 1, width=32))
coarse_scores = arrays(np.float32, st.integers(0, 60), elements=st.integers(0, 9)).map(
    lambda values: np.asarray(values / 10, np.float32)
)
"""Few different scores, so that equal neighbours and equal levels are frequent."""


# ---- codes


@given(scores=unit_scores)
def test_codes_never_fall_as_scores_rise(scores: Array) -> None:
    in_order = np.sort(scores)
    codes, refinements = encode_scores(in_order)
    assert (np.diff(codes.astype(int)) >= 0).all()
    assert (np.diff(decode_scores(codes)) >= 0).all()
    assert (np.diff(decode_scores(codes, refinements)) >= 0).all()


@given(scores=unit_scores)
def test_codes_are_as_near_as_their_steps(scores: Array) -> None:
    codes, refinements = encode_scores(scores)
    odds = logit(np.clip(scores.astype(float), 4.2e-8, 1 - 4.2e-8))
    coarse = logit(decode_scores(codes).astype(float))
    refined = decode_scores(codes, refinements)
    # Near 1 single precision is coarser than a code's step.
    well_resolved = odds < 10
    assert (np.abs(coarse - odds)[well_resolved] <= 0.503).all()
    low = (odds >= -9) & (odds < -3.9)
    assert (np.abs(coarse - odds)[low] <= 0.32).all()
    np.testing.assert_allclose(refined, np.clip(scores, 4e-8, 1), atol=3.1e-5)


def test_all_codes_come_back() -> None:
    codes = np.arange(30, dtype=np.uint8)
    again, _ = encode_scores(decode_scores(codes))
    np.testing.assert_array_equal(again, codes)
    assert encode_scores(np.array([0.0, 1.0]))[0].tolist() == [0, 36]


@given(values=st.lists(st.integers(0, 4095), max_size=9))
def test_refinements_come_back(values: list[int]) -> None:
    refinements = np.array(values, np.uint16)
    content = pack_refinements(refinements)
    assert len(content) == -(-len(values) * 3 // 2)
    np.testing.assert_array_equal(unpack_refinements(content, len(values)), refinements)


# ---- runs of all levels


def all_runs(scores: Array, floor: float, gap: int) -> set[tuple[int, int]]:
    """The runs of each level, one after the other."""
    levels = sorted({float(score) for score in scores if score >= floor})
    found = set()
    for level in levels:
        runs = merge_gaps(hysteresis(scores, level, level), gap)
        found |= set(map(tuple, runs.tolist()))
    return found


@given(scores=coarse_scores, floor=st.sampled_from([0.05, 0.3, 0.95]), gap=st.integers(0, 5))
def test_runs_of_all_levels_are_those_of_each_level(scores: Array, floor: float, gap: int) -> None:
    runs = runs_of_all_levels(merged(scores, gap), floor).tolist()
    assert runs == sorted(runs)
    assert set(map(tuple, runs)) == all_runs(scores, floor, gap)
    assert len(runs) == len(set(map(tuple, runs))) <= len(scores)


# ---- bands


@given(seed=st.integers(0, 2**31), label=st.sampled_from(SPEC.labels))
def test_extents_are_those_of_one_spectrum(seed: int, label: str) -> None:
    rng, processing = np.random.default_rng(seed), SPEC.post_processing[label]
    rises = rng.normal(size=(5, SPEC.front_end.n_bands)) - rng.choice([0.0, 5.0])
    bands = LabelBands.of(SPEC.front_end, processing)
    for rise, (low, high) in zip(rises, bands.extents(rises[:, bands.inside]), strict=True):
        expected = frequency_extent(
            rise, SPEC.front_end.band_centres_hz, processing.low_hz, processing.high_hz
        )
        assert (bands.edges_hz[low], bands.edges_hz[high]) == expected


@given(seed=st.integers(0, 2**31))
def test_mean_spectra_are_those_of_the_frames_that_have_features(seed: int) -> None:
    rng = np.random.default_rng(seed)
    frames = np.flatnonzero(rng.random(50) < 0.5)
    features = rng.normal(size=(len(frames), 3))
    runs = np.sort(rng.integers(0, 51, size=(7, 2)), axis=1)
    for mean, (first, last) in zip(mean_spectra(frames, features, runs), runs, strict=True):
        inside = features[(frames >= first) & (frames < last)]
        expected = inside.mean(axis=0) if len(inside) else np.zeros(3)
        np.testing.assert_allclose(mean, expected, atol=1e-12)


# ---- the file


def random_scores(seed: int, n_frames: int) -> Scores:
    """Scores that wander, as the code resolves them, with features in all frames."""
    rng = np.random.default_rng(seed)
    odds = np.cumsum(rng.normal(size=(n_frames, 2)), axis=0) + rng.uniform(-12, 2, size=2)
    codes, refinements = encode_scores(1 / (1 + np.exp(-odds)))
    fine = codes >= first_refined_code(0.02)
    values = decode_refined(codes, refinements[fine], fine)
    features = rng.normal(0.5, 0.6, size=(n_frames, SPEC.front_end.n_bands))
    return Scores(
        GRID,
        SPEC.labels,
        values,
        np.arange(n_frames),
        quantize(np.clip(features, -2, 5).astype(np.float32)),
        n_frames * GRID.hop - 17 if n_frames else 0,
    )


def kept(scores: Scores, post_processing: dict[str, PostProcessing], floor: float) -> bytes:
    keeper = ScoreKeeper(SPEC, post_processing, KEY, floor)
    split = {
        label: replace(each, threshold=lowest_refined_score(floor), off_threshold_ratio=1.0)
        for label, each in post_processing.items()
    }
    # The cores are shorter than any of a recording, so that there are many segments.
    cores = []
    rest = scores
    for frame in range(40, len(scores.values), 40):
        core, rest = rest.split(frame)
        cores.append(core)
    for segment in split_at_silence([*cores, rest], split):
        keeper.add(segment)
    return keeper.pack()


def with_features_above(scores: Scores, level: float) -> Scores:
    """What a new run would have kept of the features."""
    loud = scores.values.max(axis=1) > level
    return replace(
        scores, feature_frames=scores.feature_frames[loud], features=scores.features[loud]
    )


def rows(detections: list[Detection]) -> list[tuple[object, ...]]:
    return [(d.label, d.start_s, d.end_s, d.low_hz, d.high_hz) for d in detections]


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**31),
    n_frames=st.sampled_from([0, 1, 7, 300]),
    share=st.floats(0.15, 3.0),
    minimum_s=st.floats(0.0, 2.0),
)
def test_kept_scores_give_the_detections_of_other_thresholds_with_their_bands(
    seed: int, n_frames: int, share: float, minimum_s: float
) -> None:
    scores = random_scores(seed, n_frames)
    first = SPEC.post_processing
    file = KeptScores.unpack(kept(scores, first, 0.02), SPEC, KEY)
    other = {
        label: replace(each, threshold=min(1.0, each.threshold * share), minimum_s=minimum_s)
        for label, each in first.items()
    }
    level = min(lowest_off_threshold(other), lowest_off_threshold(first))
    new = detect(with_features_above(scores, level), SPEC.front_end, other)
    again = file.detect(SPEC, other)
    assert [row[:3] for row in rows(again)] == [row[:3] for row in rows(new)]
    np.testing.assert_allclose([d.score for d in again], [d.score for d in new], atol=1e-6)
    assert all((d.low_hz is None) == (d.high_hz is None) for d in again)
    n_measured = sum(d.low_hz is not None for d in again)
    if lowest_off_threshold(other) >= 0.02:
        assert n_measured == len(again)


def test_the_bands_of_the_same_thresholds_are_exact() -> None:
    n_found = 0
    for seed in range(20):
        scores = random_scores(seed, 300)
        first = SPEC.post_processing
        new = detect(
            with_features_above(scores, lowest_off_threshold(first)), SPEC.front_end, first
        )
        file = KeptScores.unpack(kept(scores, first, 0.02), SPEC, KEY)
        assert rows(file.detect(SPEC, first)) == rows(new)
        n_found += len(new)
    assert n_found > 20


def test_bands_below_the_floor_are_unknown() -> None:
    scores = random_scores(3, 300)
    file = KeptScores.unpack(kept(scores, SPEC.post_processing, 0.02), SPEC, KEY)
    low = {label: replace(each, threshold=1e-3) for label, each in SPEC.post_processing.items()}
    found = file.detect(SPEC, low)
    assert found
    assert all(detection.low_hz is None for detection in found)


@pytest.mark.parametrize("cut", [0, 5, 30, 200, -1])
def test_damaged_or_foreign_files_are_refused(cut: int) -> None:
    content = kept(random_scores(1, 300), SPEC.post_processing, 0.02)
    with pytest.raises(ValueError, match="scores"):
        KeptScores.unpack(content[:cut], SPEC, KEY)
    with pytest.raises(ValueError, match="another model"):
        KeptScores.unpack(content, SPEC, "1" * 64)
    with pytest.raises(ValueError, match="this version"):
        KeptScores.unpack(b"x" + content, SPEC, KEY)


# ---- the size


@pytest.mark.parametrize("rate", [4000, 8000])
def test_kept_scores_are_a_thousandth_of_the_audio(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "x.wav"
    write_recording(path, replace(RECORDING, rate=rate), seconds=1200.0, seed=rate)
    model = load_model("tcn")
    run = Run(model, RunSettings(model.post_processing()), tmp_path / "out", tmp_path.as_posix())
    (outcome,) = run.outcomes([path])
    assert len(outcome.detections) >= 10
    assert (tmp_path / "out" / "x.scores").stat().st_size <= path.stat().st_size / 1000


def test_a_flipped_bit_is_found() -> None:
    keeper = ScoreKeeper(SPEC, SPEC.post_processing, KEY)
    values = np.random.default_rng(0).random((50, 2), dtype=np.float32)
    frames = np.arange(50)
    features = np.zeros((50, SPEC.front_end.n_bands), np.uint8)
    keeper.add(Scores(GRID, SPEC.labels, values, frames, features, 20_000))
    content = keeper.pack()
    KeptScores.unpack(content, SPEC, KEY)
    for place in range(len(content)):
        damaged = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
        with pytest.raises(ValueError, match="cannot be used"):
            KeptScores.unpack(damaged, SPEC, KEY)
