"""Scenes are drawn anew for each epoch of training, and stay for validation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from loxo.dataset import WindowSettings
from loxo.simulate import SceneSettings, scene, split_backgrounds
from loxo.simulate.drawn import DrawnScenes

SCENE = SceneSettings(
    seconds=6.0, rumbles_per_minute=20.0, gunshots_per_minute=20.0, empty_share=0.0
)
WINDOW = WindowSettings(window_s=6.0, event_bins=60, fractional=True)


def test_a_scene_is_a_function_of_seed_epoch_and_number() -> None:
    here, there = (DrawnScenes(3, SCENE, WINDOW, random=True, seed=5) for _ in range(2))
    places = [(epoch, index) for epoch in (0, 1) for index in range(3)]
    found = []
    for epoch, index in places:
        here.set_epoch(epoch)
        there.set_epoch(epoch)
        found.append(here[index][0])
        np.testing.assert_array_equal(found[-1], there[index][0])
    assert all(not np.array_equal(a, b) for n, a in enumerate(found) for b in found[:n])
    assert not np.array_equal(found[0], DrawnScenes(3, SCENE, WINDOW, random=True, seed=6)[0][0])


def test_validation_hears_the_same_scenes_in_every_epoch_and_none_of_those_of_training() -> None:
    validation, training = (
        DrawnScenes(2, SCENE, WINDOW, random=random) for random in (False, True)
    )
    first = validation[1]
    validation.set_epoch(4)
    assert validation[1] is first
    assert not np.array_equal(first[0], training[1][0])


def test_targets_are_the_events_of_the_scene() -> None:
    drawn = DrawnScenes(8, SCENE, WINDOW, random=True)
    for index in range(len(drawn)):
        waveform, targets = drawn[index]
        assert (waveform.shape, targets.shape) == ((24_000,), (2, 60))
        _, events = scene(np.random.default_rng([0, 1, index]), SCENE)
        for row, label in zip(targets, ("Rumble", "Gunshot"), strict=True):
            certain = [event for event in events if event.label == label and not event.marginal]
            covered_s = np.nansum(row) * 0.1
            assert covered_s <= sum(event.end_s - event.start_s for event in certain) + 1e-3
            assert (covered_s > 0) == bool(certain)


def test_the_labels_of_the_windows_are_those_of_the_scenes() -> None:
    window = replace(WINDOW, labels=("Chainsaw", "Rumble", "Gunshot"))
    scenes = replace(SCENE, others_per_minute=20.0)
    drawn = DrawnScenes(4, scenes, window, random=True)
    targets = [drawn[index][1] for index in range(len(drawn))]
    assert {rows.shape for rows in targets} == {(3, 60)}
    assert (np.nansum(targets, axis=(0, 2)) > 0).all()
    with pytest.raises(ValueError, match="no sound with the label 'Shot'"):
        DrawnScenes(1, SCENE, replace(WINDOW, labels=("Shot",)))


@pytest.mark.parametrize(
    "window", [WindowSettings(window_s=5.0), WindowSettings(rate=8000, window_s=6.0)]
)
def test_windows_that_are_no_scenes_are_refused(window: WindowSettings) -> None:
    with pytest.raises(ValueError, match="scenes of 6 s at 4000 Hz are not windows of"):
        DrawnScenes(1, SCENE, window)


@pytest.mark.parametrize(("count", "held_out"), [(0, 0), (1, 0), (2, 1), (10, 1), (57, 6)])
def test_a_tenth_of_the_backgrounds_is_held_out_and_at_least_one(count: int, held_out: int) -> None:
    names = [f"{number}.wav" for number in range(count)]
    known, kept = split_backgrounds({name: np.zeros(1, np.float32) for name in names})
    assert len(kept) == held_out
    assert sorted([*known, *kept]) == sorted(names)
    assert list(
        split_backgrounds({name: np.zeros(1, np.float32) for name in reversed(names)})[0]
    ) == list(known)
