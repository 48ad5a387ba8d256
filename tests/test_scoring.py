"""Scores of a stream equal those of the whole recording, wherever blocks and cores begin."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from loxo import scoring
from loxo.model_folder import ModelError, ModelSpec, PostProcessing, find_model, save_model
from loxo.models.crnn import CRNN, CRNNSettings
from loxo.post_processing import detect
from loxo.scoring import (
    FEATURE_STEP,
    Profile,
    Scorer,
    bounded_map,
    calibrated,
    concatenate,
    dequantize,
    quantize,
)
from loxo.simulate import SceneSettings, scene
from loxo.spectrogram import (
    LEVEL_STEP_DB,
    FrontEnd,
    dequantize_levels,
    log_bands,
    onset_levels,
    silent_frames,
    spectrogram,
)
from reference import scoring as twin

Array = NDArray[np.float32]

FRONT_END = FrontEnd(floor_s=1.0)
HOP = FRONT_END.hop
REACH = 3
"""Frames that the network's convolution reaches to at either side; its context is one more."""
SPEC = ModelSpec("moving mean", "1", FRONT_END, context_frames=REACH + 1)
THREE = {label: PostProcessing(0.5) for label in ("Rumble", "Gunshot", "Chainsaw")}
AWAY = FRONT_END.floor_reach + REACH + 2
"""Frames from an end of the recording beyond which it has no influence: the reach of the floor,
taken twice, of the network, and of a window."""


@pytest.fixture(autouse=True)
def _small_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make cores so small that a few seconds have many of them."""
    monkeypatch.setattr(scoring, "CORE_FRAMES", 23)


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    folder = tmp_path_factory.mktemp("models") / "moving_mean"
    twin.write_model(folder, SPEC, REACH)
    return Scorer(folder, threads=1)


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    """The same model with three workers."""
    folder = tmp_path_factory.mktemp("models") / "moving_mean"
    twin.write_model(folder, SPEC, REACH)
    return Scorer(folder, threads=3)


@pytest.fixture(scope="session")
def recurrent(tmp_path_factory: pytest.TempPathFactory) -> tuple[CRNN, Path]:
    """A small recurrent model with random weights, and its folder."""
    torch.manual_seed(1)
    model = CRNN(CRNNSettings(stem_channels=(4, 6), channels=8, hidden=6), FRONT_END).eval()
    with torch.no_grad():
        next(model.head.parameters()).mul_(8)  # so that scores spread over [0, 1]
    folder = tmp_path_factory.mktemp("models") / "recurrent"
    save_model(
        model,
        ModelSpec("recurrent", "1", FRONT_END, context_frames=60),
        folder,
        "A model for a test.\n",
    )
    return model, folder


def sound(n_samples: int, seed: int = 0) -> Array:
    """Noise whose level, and so its scores, changes a few times a second."""
    rng = np.random.default_rng(seed)
    knots = np.arange(0, n_samples + 3000, 1500)
    level = 10 ** np.interp(np.arange(n_samples), knots, rng.uniform(-3, -0.5, len(knots)))
    return np.asarray(level * rng.normal(size=n_samples), np.float32)


def cut(waveform: Array, sizes: list[int]) -> Iterator[Array]:
    """Cut the waveform into blocks of these sizes, repeated until its end."""
    start, turn = 0, 0
    while start < len(waveform):
        yield waveform[start : start + sizes[turn % len(sizes)]]
        start += sizes[turn % len(sizes)]
        turn += 1


SIZES = st.lists(st.integers(0, 9_000), min_size=1, max_size=4).filter(any)
LENGTHS = st.integers(0, 30_000)


# ---- the whole recording


@settings(max_examples=40)
@given(LENGTHS, SIZES, st.integers(0, 100))
def test_scores_of_a_stream_are_those_of_the_whole(
    scorer: Scorer, n_samples: int, sizes: list[int], seed: int
) -> None:
    waveform = sound(n_samples, seed)
    scores = scorer.score(cut(waveform, sizes))
    assert scores.values.shape == (-(-n_samples // HOP), 2)
    np.testing.assert_allclose(scores.values, twin.scores(waveform, FRONT_END, REACH), atol=1e-5)
    assert (scores.n_samples, scores.duration_s) == (n_samples, n_samples / FRONT_END.rate)


@settings(max_examples=20)
@given(LENGTHS, SIZES)
def test_blocks_of_any_size_give_the_same_scores(
    scorer: Scorer, n_samples: int, sizes: list[int]
) -> None:
    waveform = sound(n_samples)
    np.testing.assert_allclose(
        scorer.score(cut(waveform, sizes)).values, scorer.score([waveform]).values, atol=1e-6
    )


@pytest.mark.parametrize("core", [1, 10, 75, 10_000])
def test_cores_of_any_size_give_the_same_scores(
    scorer: Scorer, monkeypatch: pytest.MonkeyPatch, core: int
) -> None:
    waveform = sound(30_001)
    expected = scorer.score([waveform]).values
    monkeypatch.setattr(scoring, "CORE_FRAMES", core)
    np.testing.assert_allclose(scorer.score(cut(waveform, [5000])).values, expected, atol=1e-6)


@pytest.mark.parametrize("blocks", [[], [np.zeros(0, np.float32)]])
def test_an_empty_recording_has_no_scores(scorer: Scorer, blocks: list[Array]) -> None:
    scores = scorer.score(blocks)
    assert (scores.values.shape, scores.features.shape, scores.feature_frames.shape) == (
        (0, 2),
        (0, FRONT_END.n_bands),
        (0,),
    )
    assert scores.duration_s == 0


@pytest.mark.parametrize("at_s", [0.1, 9.7])
def test_events_in_the_first_and_the_last_second_are_scored(scorer: Scorer, at_s: float) -> None:
    waveform = 0.01 * np.random.default_rng(0).standard_normal(40_000 - 150, np.float32)
    start = round(at_s * FRONT_END.rate)
    waveform[start : start + 800] *= 30
    for column in scorer.score(cut(waveform, [7000])).values.T:
        assert abs(int(column.argmax()) - start // HOP) <= REACH
        assert column.max() > 0.6 > column[20:80].max()


# ---- no seams


@settings(max_examples=15)
@given(st.integers(1, 25), SIZES)
def test_a_recording_that_begins_later_has_its_scores_earlier(
    scorer: Scorer, frames: int, sizes: list[int]
) -> None:
    frames *= FRONT_END.floor_step
    waveform = sound(60_000)
    whole, later = (
        scorer.score([waveform]).values,
        scorer.score(cut(waveform[frames * HOP :], sizes)).values,
    )
    np.testing.assert_allclose(later[AWAY:], whole[frames + AWAY :], atol=1e-6)


@settings(max_examples=15)
@given(st.integers(1, 69))
def test_two_halves_with_context_score_as_the_whole(scorer: Scorer, middle: int) -> None:
    waveform = sound(70 * HOP - 33)
    whole = scorer.score([waveform]).values
    before = scorer.score([waveform[: (middle + AWAY) * HOP]]).values[:middle]
    first = max(0, middle - AWAY) // FRONT_END.floor_step * FRONT_END.floor_step
    after = scorer.score([waveform[first * HOP :]]).values[middle - first :]
    np.testing.assert_allclose(np.concatenate((before, after)), whole, atol=1e-6)


# ---- workers


@settings(max_examples=10)
@given(LENGTHS, SIZES)
def test_workers_give_the_same_as_one_thread(
    scorer: Scorer, workers: Scorer, n_samples: int, sizes: list[int]
) -> None:
    waveform = sound(n_samples)
    one, several = scorer.score(cut(waveform, sizes)), workers.score(cut(waveform, sizes))
    for name in ("values", "feature_frames", "features", "onsets"):
        np.testing.assert_array_equal(getattr(several, name), getattr(one, name))
    assert several.n_samples == one.n_samples == n_samples


def test_detections_of_workers_equal_those_of_the_whole_spectrogram_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scoring, "CORE_FRAMES", 400)
    scorer = Scorer(find_model("tcn"), threads=3)
    waveform, _ = scene(
        np.random.default_rng(6),
        SceneSettings(seconds=120.0, rumbles_per_minute=4, gunshots_per_minute=4),
    )
    fast = scorer.score(cut(waveform, [50_000]))
    (values,) = scorer.session.run(
        None, {"features": spectrogram(waveform, scorer.spec.front_end)[None]}
    )
    found, expected = (
        detect(scores, scorer.spec.front_end, scorer.spec.post_processing)
        for scores in (fast, replace(fast, values=calibrated(values[0].T, scorer.spec)))
    )
    assert expected
    assert [(d.label, d.start_s, d.end_s) for d in found] == [
        (d.label, d.start_s, d.end_s) for d in expected
    ]
    np.testing.assert_allclose([d.score for d in found], [d.score for d in expected], atol=1e-3)


@pytest.mark.parametrize("pool", [None, ThreadPoolExecutor(3)])
def test_results_come_in_order_and_few_items_are_under_way(pool: ThreadPoolExecutor | None) -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for item in range(1, 31):
            taken = item
            yield item

    for number, result in enumerate(bounded_map(pool, lambda item: item * 10, items(), 4), 1):
        assert result == number * 10
        assert taken < number + 4


def test_errors_while_reading_reach_the_caller(workers: Scorer) -> None:
    def blocks() -> Iterator[Array]:
        yield sound(60_000)
        raise OSError("the card is gone")

    with pytest.raises(OSError, match="the card is gone"):
        workers.score(blocks())


def test_a_stage_within_a_stage_counts_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 1.0, 3.0, 10.0])
    monkeypatch.setattr("loxo.scoring.time.thread_time", lambda: next(now))
    profile = Profile()
    with profile.stage("resample"), profile.stage("read"):
        pass
    assert {name: seconds for name, seconds in profile.seconds.items() if seconds} == {
        "read": 2.0,
        "resample": 8.0,
    }


# ---- kept features, and memory


@pytest.mark.parametrize("keep_above", [0.0, 0.45, 0.55, 1.0])
def test_features_are_kept_where_a_score_is_above(scorer: Scorer, keep_above: float) -> None:
    waveform = sound(40_000)
    scores = scorer.score(cut(waveform, [6_000]), keep_above=keep_above)
    loud = np.flatnonzero(scores.values.max(axis=1) > keep_above)
    distances = np.abs(np.arange(100)[:, None] - loud).min(axis=1, initial=1000)
    kept = np.flatnonzero(distances <= 10)
    np.testing.assert_array_equal(scores.feature_frames, kept)
    assert scores.features.dtype == np.uint8
    exact = spectrogram(waveform, FRONT_END).T[kept]
    np.testing.assert_allclose(dequantize(scores.features), exact, atol=FEATURE_STEP / 2 + 1e-5)


@settings(max_examples=20)
@given(st.integers(0, 100), SIZES, st.sampled_from([0.45, 0.55, 0.6]), st.sampled_from([1, 7, 40]))
def test_levels_are_those_of_the_whole_recording_wherever_cores_begin(
    scorer: Scorer, seed: int, sizes: list[int], keep_above: float, core: int
) -> None:
    waveform = sound(24_001, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring, "CORE_FRAMES", core)
        scores = scorer.score(cut(waveform, sizes), keep_above=keep_above)
    missing = -len(waveform) % HOP
    padded = np.pad(waveform, (FRONT_END.margin, FRONT_END.margin + missing))
    expected = onset_levels(padded, FRONT_END)[scores.feature_frames]
    assert scores.onsets.shape == expected.shape == (len(scores.feature_frames), 10)
    np.testing.assert_allclose(
        dequantize_levels(scores.onsets), expected, atol=LEVEL_STEP_DB / 2 + 1e-3
    )


@settings(max_examples=20)
@given(st.integers(0, 100), st.sampled_from([0.45, 0.55, 0.6]), st.integers(1, 59))
def test_dropping_what_is_kept_gives_what_a_higher_limit_keeps(
    scorer: Scorer, seed: int, keep_above: float, middle: int
) -> None:
    waveform = sound(24_000, seed)
    everything = scorer.score([waveform], keep_above=0.0)
    dropped = everything.kept_above(keep_above)
    expected = scorer.score([waveform], keep_above=keep_above)
    parts = expected.split(middle)
    for name in ("feature_frames", "features", "onsets"):
        np.testing.assert_array_equal(getattr(dropped, name), getattr(expected, name))
        both = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(both, getattr(expected, name))
    rows = expected.kept_within(10, middle)
    inside = expected.feature_frames[rows]
    assert inside.tolist() == [f for f in expected.feature_frames if 10 <= f < middle]


# ---- digital silence


def masked_twin(waveform: Array) -> Array:
    """Scores by hand, zero in frames that are silent and in five frames before and after them."""
    values = twin.scores(waveform, FRONT_END, REACH).astype(np.float32)
    missing = -len(waveform) % HOP
    padded = np.pad(waveform, (FRONT_END.margin, FRONT_END.margin + missing))
    for frame in np.flatnonzero(silent_frames(log_bands(padded, FRONT_END))).tolist():
        values[max(0, frame - 5) : frame + 6] = 0.0
    return values


@settings(max_examples=30)
@given(
    zeros=st.lists(st.tuples(st.integers(0, 24_000), st.integers(1, 6_000)), max_size=3),
    sizes=SIZES,
    core=st.sampled_from([1, 7, 40]),
)
def test_silence_and_the_frames_beside_it_have_no_score(
    scorer: Scorer, zeros: list[tuple[int, int]], sizes: list[int], core: int
) -> None:
    waveform = sound(24_000)
    for start, length in zeros:
        waveform[start : start + length] = 0.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring, "CORE_FRAMES", core)
        scores = scorer.score(cut(waveform, sizes))
    np.testing.assert_allclose(scores.values, masked_twin(waveform), atol=1e-5)


def test_every_frame_whose_window_overlaps_a_long_silence_has_no_score(scorer: Scorer) -> None:
    waveform = sound(24_000)
    first, last = 8_150, 12_330
    waveform[first:last] = 0.0
    values = scorer.score([waveform]).values
    starts = np.arange(60) * HOP - FRONT_END.margin
    overlaps = (starts < last) & (starts + HOP + 2 * FRONT_END.margin > first)
    assert (values[overlaps] == 0.0).all()
    # At most one more frame at either side: where exactly the silence ends is not known.
    assert np.count_nonzero(values[:, 0] == 0.0) <= overlaps.sum() + 2


def test_clicks_in_silence_have_no_score(scorer: Scorer) -> None:
    waveform = np.zeros(40_000, np.float32)
    waveform[4_123::8_000] = 0.9
    assert not scorer.score(cut(waveform, [7_000])).values.any()


def test_features_are_rounded_to_the_nearest_step_over_their_whole_range() -> None:
    features = np.linspace(-2.0, 5.0, 1001, dtype=np.float32)
    rounded = dequantize(quantize(features))
    np.testing.assert_allclose(rounded, features, atol=FEATURE_STEP / 2 + 1e-6)
    np.testing.assert_array_equal(quantize(rounded), quantize(features))
    assert dequantize(quantize(np.zeros(1, np.float32))) == 0.0


def test_features_of_a_score_at_the_limit_are_not_kept(scorer: Scorer) -> None:
    scores = scorer.score([np.zeros(4000, np.float32)], keep_above=0.0)
    assert (scores.values == 0.0).all()
    assert len(scores.feature_frames) == len(scores.features) == 0


def test_blocks_are_asked_for_as_they_are_needed(scorer: Scorer) -> None:
    n_asked = n_scored = 0

    def blocks() -> Iterator[Array]:
        nonlocal n_asked
        for block in cut(sound(200_000), [2_500]):
            n_asked += len(block)
            yield block

    # A core is held back until the next one is scored.
    reach = SPEC.context_frames + FRONT_END.floor_reach + FRONT_END.floor_step
    reach = (reach + scoring.CORE_FRAMES) * HOP + FRONT_END.margin
    for scores in scorer.stream(blocks()):
        assert scores.start == n_scored
        assert len(scores.values) <= scoring.CORE_FRAMES
        n_scored += len(scores.values)
        assert n_asked - n_scored * HOP <= reach + 2_500
    assert n_scored * HOP == n_asked == 200_000


# ---- the default architecture


def test_the_exported_network_scores_as_the_trained_one(recurrent: tuple[CRNN, Path]) -> None:
    model, folder = recurrent
    waveform = sound(6 * HOP + 7)
    with torch.no_grad():
        expected = model(torch.from_numpy(waveform)[None])[0].T.numpy()
    np.testing.assert_allclose(
        Scorer(folder, threads=1).score([waveform]).values, expected, atol=1e-4
    )


def test_the_memory_of_a_recurrent_layer_fades_within_the_context(
    recurrent: tuple[CRNN, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = Scorer(recurrent[1], threads=1)
    waveform = sound(300 * HOP + 5)
    expected = scorer.score(cut(waveform, [10_000])).values
    assert expected.std() > 0.05
    monkeypatch.setattr(scoring, "CORE_FRAMES", 1000)
    np.testing.assert_allclose(scorer.score([waveform]).values, expected, atol=1e-3)


# ---- the model folder


def test_the_device_is_this_machine(scorer: Scorer) -> None:
    assert scorer.device == "CPU"


def test_a_folder_without_a_network_is_refused(tmp_path: Path) -> None:
    twin.write_model(tmp_path / "model", SPEC, REACH)
    network = tmp_path / "model" / "model.onnx"
    network.write_bytes(b"no network")
    with pytest.raises(ModelError) as error:
        Scorer(tmp_path / "model")
    assert str(error.value).startswith(f"{network}: ")
    network.unlink()
    with pytest.raises(ModelError) as error:
        Scorer(tmp_path / "model")
    assert str(error.value).startswith(f"{network}: ")
    assert "\n" not in str(error.value)
    with pytest.raises(ModelError, match=r"spec\.json"):
        Scorer(tmp_path)


def test_a_network_of_other_labels_is_refused(tmp_path: Path) -> None:
    twin.write_model(tmp_path / "model", SPEC, REACH)
    three = replace(SPEC, labels=("Rumble", "Gunshot", "Chainsaw"), post_processing=THREE)
    (tmp_path / "model" / "spec.json").write_text(json.dumps(asdict(three)))
    with pytest.raises(ModelError, match=r"scores of 2 labels, but spec\.json gives 3"):
        Scorer(tmp_path / "model")


# ---- scores


def test_frames_have_times_and_make_a_table(scorer: Scorer) -> None:
    scores = scorer.score([sound(12_001)])
    first, second = scores.split(10)
    np.testing.assert_allclose(scores.times_s, np.arange(31) / 10)
    np.testing.assert_array_equal(concatenate([first, second]).times_s, scores.times_s)
    np.testing.assert_array_equal(second.times_s, scores.times_s[10:])
    table = second.to_frame()
    assert table.columns == ["start_s", "Rumble", "Gunshot"]
    np.testing.assert_array_equal(table["Gunshot"], scores.values[10:, 1])


def test_a_segment_ends_where_its_last_frame_does(scorer: Scorer) -> None:
    scores = scorer.score([sound(1001)])
    assert scores.duration_s == 1001 / 4000
    first, second = scores.split(2)
    assert (first.duration_s, second.duration_s) == (0.2, 1001 / 4000)
