"""Batches hold the given shares, clips of a kind take turns, and processes do not overlap."""

from __future__ import annotations

import math
from collections import Counter
from itertools import chain
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, TensorDataset

from loxo.events import EVENT_LABELS, LABELS
from loxo.sampling import (
    BalancedBatches,
    clip_kinds,
    counts_by_batch,
    default_shares,
    kind_of,
)

KINDS = clip_kinds()
LABELS_OF = {
    "Rumble": {"Rumble"},
    "Gunshot": {"Gunshot"},
    "Several": {"Rumble", "Gunshot"},
    "Background": set[str](),
}


def shares_of(*values: float) -> dict[str, float]:
    return dict(zip(KINDS, values, strict=True))


SHARES = (
    st.tuples(*[st.sampled_from([0.0, 0.05, 0.1, 0.25, 0.3, 1.0, 7.0])] * 4)
    .filter(any)
    .map(lambda shares: shares_of(*shares))
)
CLIPS = st.tuples(*[st.integers(1, 30)] * 4).map(lambda numbers: clips(*numbers))


def clips(*numbers: int) -> list[set[str]]:
    """The labels of so many clips of each kind, the kinds mixed."""
    kinds = np.repeat(KINDS, numbers)
    return [LABELS_OF[kind] for kind in np.random.default_rng(0).permutation(kinds)]


def kinds_of(batch: list[int], labels: list[set[str]]) -> list[int]:
    counted = Counter(kind_of(labels[clip]) for clip in batch)
    return [counted[kind] for kind in KINDS]


def epochs(batches: BalancedBatches, number: int) -> list[list[int]]:
    """The batches of the first epochs."""
    dealt = []
    for epoch in range(number):
        batches.set_epoch(epoch)
        dealt += list(batches)
    return dealt


# ---- kinds and counts


def test_a_clip_is_of_the_kind_of_the_events_that_it_holds() -> None:
    assert {kind: kind_of(labels) for kind, labels in LABELS_OF.items()} == {
        kind: kind for kind in KINDS
    }
    assert kind_of([LABELS[2], "Roar"]) == "Background"
    assert kind_of((*EVENT_LABELS, "Aircraft")) == "Several"


@given(st.lists(st.sampled_from("ABCDE"), min_size=1, max_size=5, unique=True), st.data())
def test_any_number_of_labels_has_kinds_and_shares(labels: list[str], data: st.DataObject) -> None:
    kinds = clip_kinds(labels)
    assert len(kinds) == len(labels) + 2
    assert set(default_shares(labels)) == set(kinds)
    assert sum(default_shares(labels).values()) == pytest.approx(1)
    found = data.draw(st.sets(st.sampled_from("ABCDEFG")))
    expected = {0: "Background", 1: next(iter(found & set(labels)), "")}
    assert kind_of(found, labels) == expected.get(len(found & set(labels)), "Several")


def test_batches_of_three_labels_hold_their_shares() -> None:
    labels = ["Rumble", "Gunshot", "Chainsaw"]
    clips = [{label} for label in labels] * 10 + [set(labels[1:])] * 5 + [set[str]()] * 25
    shares = {"Rumble": 0.25, "Chainsaw": 0.25, "Several": 0.25, "Background": 0.25}
    for batch in BalancedBatches(clips, 8, shares, labels=labels):
        found = Counter(kind_of(clips[index], labels) for index in batch)
        assert found == {"Rumble": 2, "Chainsaw": 2, "Several": 2, "Background": 2}


@given(
    st.lists(st.just(0.0) | st.floats(0.01, 1), min_size=1, max_size=4).filter(any),
    st.integers(1, 64),
    st.integers(1, 60),
)
def test_counts_are_quotas_rounded_and_settled_later(
    weights: list[float], size: int, batches: int
) -> None:
    quotas = size * np.array(weights) / sum(weights)
    counts = counts_by_batch(quotas.tolist(), batches)
    assert (counts.sum(axis=1) == size).all()
    assert (counts >= 0).all()
    assert not counts[:, quotas == 0].any()
    assert (np.abs(counts - quotas) < 1 + 1e-6).all()
    until = np.arange(1, batches + 1)[:, None]
    assert (np.abs(counts.cumsum(axis=0) - until * quotas) < 1 + 1e-6).all()


def test_places_that_are_left_over_go_to_the_largest_remainders() -> None:
    assert counts_by_batch([4.4, 2.7, 0.9], 1).tolist() == [[4, 3, 1]]
    assert counts_by_batch([3.0, 3.0, 1.0, 3.0], 2).tolist() == [[3, 3, 1, 3]] * 2
    assert counts_by_batch([0.5, 1.5], 4).tolist() == [[1, 1], [0, 2], [1, 1], [0, 2]]


def test_decimal_shares_of_whole_places_are_exact() -> None:
    assert counts_by_batch([30 * 0.1, 30 * 0.3, 30 * 0.6], 50).tolist() == [[3, 9, 18]] * 50
    assert (
        counts_by_batch([100 * 0.29, 100 * 0.71], 50).tolist() == [[29, 71]] * 50
    )  # 28.999999999999996


# ---- batches


@given(CLIPS, SHARES, st.integers(1, 24), SEEDS := st.integers(0, 2**32))
def test_each_batch_holds_the_shares_up_to_rounding(
    labels: list[set[str]], shares: dict[str, float], size: int, seed: int
) -> None:
    weights = np.array([shares[kind] for kind in KINDS])
    quotas = size * weights / weights.sum()
    batches = BalancedBatches(labels, size, shares, seed=seed)
    for batch in batches:
        assert len(batch) == size
        assert (np.abs(kinds_of(batch, labels) - quotas) < 1 + 1e-6).all()


def test_shares_belong_to_the_kinds_by_name() -> None:
    labels = clips(50, 50, 50, 50)
    for batch in BalancedBatches(labels, 10, shares_of(0.4, 0.3, 0.2, 0.1)):
        assert kinds_of(batch, labels) == [4, 3, 2, 1]


def test_a_kind_without_clips_hands_its_share_to_the_others_in_proportion() -> None:
    labels = clips(20, 0, 0, 20)
    for batch in BalancedBatches(labels, 8, shares_of(0.3, 0.4, 0.2, 0.1)):
        assert kinds_of(batch, labels) == [6, 0, 0, 2]


@settings(max_examples=50)
@given(CLIPS, SHARES, st.integers(1, 24), SEEDS, st.integers(1, 4))
def test_every_clip_of_a_kind_is_used_before_one_comes_again(
    labels: list[set[str]], shares: dict[str, float], size: int, seed: int, number: int
) -> None:
    used = Counter(
        chain.from_iterable(epochs(BalancedBatches(labels, size, shares, seed=seed), number))
    )
    for kind in KINDS:
        times = [used[clip] for clip, of_clip in enumerate(labels) if kind_of(of_clip) == kind]
        assert max(times) - min(times) <= 1


def test_all_backgrounds_have_their_turn_though_an_epoch_has_place_for_few() -> None:
    labels = clips(5, 5, 0, 90)
    batches = BalancedBatches(labels, 10, shares_of(0.4, 0.4, 0.0, 0.2))
    assert len(batches) == 10
    seen = [{clip for batch in epochs(batches, number) for clip in batch} for number in (1, 4, 5)]
    assert [len(clips_seen) - 10 for clips_seen in seen] == [20, 80, 90]


def test_an_epoch_has_as_many_places_as_there_are_clips() -> None:
    assert len(BalancedBatches(clips(10, 10, 10, 17), 8)) == 5
    assert len(BalancedBatches(clips(10, 10, 10, 17), 8, world=2)) == 2
    assert len(BalancedBatches(clips(1, 1, 0, 1), 8)) == 1
    assert len(list(BalancedBatches(clips(10, 10, 10, 17), 8))) == 5


# ---- chance


def test_batches_are_those_of_seed_and_epoch() -> None:
    labels = clips(20, 20, 20, 20)

    def dealt(seed: int, epoch: int) -> list[list[int]]:
        batches = BalancedBatches(labels, 8, seed=seed)
        batches.set_epoch(epoch)
        return list(batches)

    assert dealt(1, 2) == dealt(1, 2)
    orders = [dealt(seed, epoch) for seed in range(3) for epoch in range(3)]
    assert all(orders.count(order) == 1 for order in orders)
    half = [
        frozenset(
            chain.from_iterable(
                BalancedBatches(clips(1, 0, 0, 9), 5, shares_of(0.5, 0, 0, 0.5), seed=seed)
            )
        )
        for seed in range(20)
    ]
    assert len(set(half)) > 10  # which clips are dealt is a matter of chance, not only their order


def test_kinds_have_no_place_of_their_own_in_a_batch() -> None:
    labels = clips(400, 400, 400, 400)
    first = Counter(
        kind_of(labels[batch[0]]) for batch in BalancedBatches(labels, 4, shares_of(1, 1, 1, 1))
    )
    assert min(first[kind] for kind in KINDS) > 60


# ---- processes


@given(CLIPS, SHARES, st.integers(1, 8), st.integers(1, 4), SEEDS, st.integers(0, 3))
def test_processes_share_the_batches_of_one(
    labels: list[set[str]], shares: dict[str, float], size: int, world: int, seed: int, epoch: int
) -> None:
    ranks = [
        BalancedBatches(labels, size, shares, seed=seed, rank=rank, world=world)
        for rank in range(world)
    ]
    for batches in ranks:
        batches.set_epoch(epoch)
    parts = [list(batches) for batches in ranks]
    assert {len(part) for part in parts} == {len(ranks[0])}
    used = Counter(clip for part in parts for batch in part for clip in batch)
    for kind in KINDS:
        times = [used[clip] for clip, of_clip in enumerate(labels) if kind_of(of_clip) == kind]
        assert max(times) - min(times) <= 1 + (epoch > 0)


def test_while_clips_last_no_two_processes_see_the_same() -> None:
    labels = clips(30, 30, 10, 30)
    parts = [
        {clip for batch in BalancedBatches(labels, 10, rank=rank, world=5) for clip in batch}
        for rank in range(5)
    ]
    assert [len(part) for part in parts] == [20] * 5
    assert len(set().union(*parts)) == 100


# ---- torch


@pytest.mark.parametrize("workers", [0, 1])
def test_a_loader_takes_the_batches_as_they_are(workers: int) -> None:
    labels = clips(6, 6, 6, 6)
    batches = BalancedBatches(labels, 4, seed=3)
    loader = DataLoader(TensorDataset(torch.arange(24)), batch_sampler=batches, num_workers=workers)
    assert len(loader) == len(batches) == 6
    for epoch in range(2):
        batches.set_epoch(epoch)
        assert [items.tolist() for (items,) in loader] == list(batches)


# ---- refusals


@pytest.mark.parametrize(
    "wrong",
    [
        {"Rumble": -0.1, "Gunshot": 1.0},
        {"Several": math.nan},
        {"Gunshot": math.inf},
        dict.fromkeys(KINDS, 0.0),
        {},
    ],
)
def test_impossible_shares_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        BalancedBatches(clips(1, 1, 1, 1), 4, wrong)


def test_a_share_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="both is no kind of clip; the kinds are Rumble, Gunshot"):
        BalancedBatches(clips(1, 1, 1, 1), 4, {"both": 1.0})


def test_clips_without_a_kind_that_has_a_share_are_refused() -> None:
    with pytest.raises(ValueError, match="none of the 5 clips is of a kind with a share"):
        BalancedBatches(clips(0, 0, 0, 5), 4, {"Rumble": 1.0, "Gunshot": 1.0})
    with pytest.raises(ValueError, match="none of the 0 clips"):
        BalancedBatches([], 4)


@pytest.mark.parametrize(
    "wrong", [{"batch_size": 0}, {"rank": 2, "world": 2}, {"rank": -1}, {"world": 0}]
)
def test_impossible_numbers_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        BalancedBatches(clips(1, 1, 1, 1), **{"batch_size": 1, **wrong})
