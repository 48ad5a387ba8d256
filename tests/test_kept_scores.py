"""Kept scores: codes keep the order of scores, and files keep detections and their bands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

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
    lowest_off_threshold,
    split_at_silence,
)
from loxo.runs import KeptScores, Run, RunSettings, ScoreKeeper
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
from loxo.spectrogram import cells_per_frame, quantize_levels

Array = NDArray[np.float32]

SPEC = load_spec(find_model("tcn"))
GRID = SPEC.front_end.grid
KEY = "0" * 64

unit_scores = arrays(np.float32, st.integers(1, 200), elements=st.floats(0, 1, width=32))


@pytest.fixture(autouse=True, scope="module")
def always_count() -> Iterator[None]:
    """Count shots also where the counter is not sure, as it is of random levels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("loxo.burst_counts.LEAST_SURENESS", 0.0)
        yield


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


# ---- the file


def random_scores(seed: int, n_frames: int) -> Scores:
    """Scores that wander, as the code resolves them, with features in all frames."""
    rng = np.random.default_rng(seed)
    odds = np.cumsum(rng.normal(size=(n_frames, 2)), axis=0) + rng.uniform(-12, 2, size=2)
    codes, refinements = encode_scores(1 / (1 + np.exp(-odds)))
    fine = codes >= first_refined_code(0.02)
    values = decode_refined(codes, refinements[fine], fine)
    features = rng.normal(0.5, 0.6, size=(n_frames, SPEC.front_end.n_bands))
    # Shots every few seconds, whose tails fall by 60 dB a second.
    n_cells = cells_per_frame(SPEC.front_end)
    cells = np.arange(n_frames * n_cells)
    since = cells % int(rng.integers(150, 400))
    levels_db = np.maximum(-20 - 0.6 * since, -70) + rng.normal(0, 1, len(cells))
    return Scores(
        GRID,
        SPEC.labels,
        values,
        np.arange(n_frames),
        quantize(np.clip(features, -2, 5).astype(np.float32)),
        quantize_levels(levels_db.astype(np.float32).reshape(n_frames, n_cells)),
        n_frames * GRID.hop - 17 if n_frames else 0,
    )


def kept(scores: Scores, post_processing: dict[str, PostProcessing], floor: float) -> bytes:
    keeper = ScoreKeeper(SPEC, post_processing, KEY, floor)
    lowest = lowest_refined_score(floor)
    split = {
        label: replace(each, threshold=lowest, off_threshold=lowest)
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


def new_run(scores: Scores, post_processing: dict[str, PostProcessing]) -> list[Detection]:
    """What a new run would find."""
    needed = scores.kept_above(lowest_off_threshold(post_processing))
    return detect(needed, SPEC.front_end, post_processing)


def times(detections: list[Detection]) -> list[tuple[str, float, float]]:
    return [(found.label, found.start_s, found.end_s) for found in detections]


def changed(**changes: Any) -> dict[str, PostProcessing]:
    return {label: replace(each, **changes) for label, each in SPEC.post_processing.items()}


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**31),
    n_frames=st.sampled_from([0, 1, 7, 300]),
    share=st.floats(0.15, 3.0),
    minimum_s=st.floats(0.0, 2.0),
    gap_s=st.sampled_from([None, 0.0, 1.0]),
)
def test_kept_scores_give_the_detections_of_other_settings(
    seed: int, n_frames: int, share: float, minimum_s: float, gap_s: float | None
) -> None:
    scores = random_scores(seed, n_frames)
    file = KeptScores.unpack(kept(scores, SPEC.post_processing, 0.02), SPEC, KEY)
    other = {
        label: replace(
            each,
            threshold=min(1.0, each.threshold * share),
            minimum_s=minimum_s,
            merge_gap_s=each.merge_gap_s if gap_s is None else gap_s,
        )
        for label, each in SPEC.post_processing.items()
    }
    new = new_run(scores, other)
    again, estimated = file.detect(SPEC, other)
    assert times(again) == times(new)
    assert [found.score for found in again] == [found.score for found in new]
    for found in again:
        limits = other[found.label]
        # A detection that reaches below the floor may have no band.
        if lowest_off_threshold(other) >= 0.02 or found.low_hz is not None:
            assert found.low_hz is not None
            assert found.high_hz is not None
            assert limits.low_hz <= found.low_hz <= found.high_hz <= limits.high_hz
    if not estimated and lowest_off_threshold(other) >= 0.02:
        assert again == new


@pytest.mark.parametrize("gap_s", [None, 0.0])
def test_thresholds_from_the_off_threshold_on_give_exactly_what_the_audio_gives(
    gap_s: float | None,
) -> None:
    n_found = n_counted = 0
    for seed in range(15):
        scores = random_scores(seed, 300)
        file = KeptScores.unpack(kept(scores, SPEC.post_processing, 0.02), SPEC, KEY)
        for threshold in (None, 0.25, 0.4, 0.9):
            other = {
                label: replace(
                    each,
                    threshold=each.threshold if threshold is None else threshold,
                    merge_gap_s=each.merge_gap_s if gap_s is None else gap_s,
                )
                for label, each in SPEC.post_processing.items()
            }
            assert file.detect(SPEC, other) == (new_run(scores, other), False)
            n_found += len(new_run(scores, other))
            n_counted += sum(found.count is not None for found in new_run(scores, other))
    assert n_found > 50
    assert n_counted > 5


def test_a_run_at_a_low_threshold_keeps_what_the_models_thresholds_need() -> None:
    for seed in range(5):
        scores = random_scores(seed, 300)
        low = changed(threshold=0.03)
        file = KeptScores.unpack(kept(scores, low, 0.02), SPEC, KEY)
        for wanted in (low, SPEC.post_processing):
            assert file.detect(SPEC, wanted) == (new_run(scores, wanted), False)


def test_a_lower_threshold_covers_the_bands_and_adds_the_counts_of_what_it_unites() -> None:
    n_united = 0
    for seed in range(20):
        scores = random_scores(seed, 300)
        file = KeptScores.unpack(kept(scores, SPEC.post_processing, 0.02), SPEC, KEY)
        all_runs = changed(minimum_s=0.0)
        parts, _ = file.detect(
            SPEC,
            {
                label: replace(each, threshold=each.off_threshold)
                for label, each in all_runs.items()
            },
        )
        whole, estimated = file.detect(
            SPEC, {label: replace(each, threshold=0.05) for label, each in all_runs.items()}
        )
        for found in whole:
            assert found.low_hz is not None
            assert found.high_hz is not None
            inside = [
                part
                for part in parts
                if part.label == found.label == "Gunshot"
                and found.start_s <= part.start_s
                and part.end_s <= found.end_s
            ]
            if len(inside) > 1:
                n_united += 1
                assert estimated
                assert found.low_hz == min(part.low_hz or 0.0 for part in inside)
                assert found.high_hz == max(part.high_hz or 0.0 for part in inside)
                assert (found.count or 0) == sum(part.count or 0 for part in inside)
    assert n_united > 3


def test_below_the_floor_bands_are_estimates_or_unknown() -> None:
    n_known = n_unknown = 0
    for seed in range(10):
        scores = random_scores(seed, 300)
        file = KeptScores.unpack(kept(scores, SPEC.post_processing, 0.02), SPEC, KEY)
        found, _ = file.detect(SPEC, changed(threshold=1e-3))
        n_known += sum(each.low_hz is not None for each in found)
        n_unknown += sum(each.low_hz is None for each in found)
    assert n_known > 0
    assert n_unknown > 0


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
    settings = replace(RECORDING, rate=rate, lookalikes_per_minute=1.0)
    write_recording(path, settings, seconds=1200.0, seed=rate)
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
    onsets = np.zeros((50, cells_per_frame(SPEC.front_end)), np.uint8)
    keeper.add(Scores(GRID, SPEC.labels, values, frames, features, onsets, 20_000))
    content = keeper.pack()
    KeptScores.unpack(content, SPEC, KEY)
    for place in range(len(content)):
        damaged = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
        with pytest.raises(ValueError, match="cannot be used"):
            KeptScores.unpack(damaged, SPEC, KEY)
