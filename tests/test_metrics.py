"""The rules agree with their wording and a slow reference; intervals have their coverage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, chi2

from loxo.events import Detection, Event
from loxo.metrics import (
    RULES,
    Counts,
    Curve,
    Matching,
    ShotCounts,
    average_precision_interval,
    bootstrap,
    curve,
    curve_of_scores,
    differences,
    mcnemar,
    one_to_one,
    overlap10,
    per_second,
    poisson_interval,
    reliability,
    resamples,
    score,
    shot_counts,
    wilson_interval,
)
from loxo.metrics.matching import Rule
from reference import metrics as reference


def event(start_s: float, end_s: float, *, marginal: bool = False) -> Event:
    return Event("Rumble", start_s, end_s, marginal=marginal)


@st.composite
def crowds(draw: st.DrawFn, most: int = 5) -> list[Event]:
    """Up to `most` sounds within 30 s, on a grid of 0.1 s so that limits are met exactly,
    overlapping and nested, some marginal."""
    starts = draw(st.lists(st.integers(0, 250), max_size=most))
    return [
        event(s / 10, (s + draw(st.integers(1, 60))) / 10, marginal=draw(st.integers(0, 3)) == 0)
        for s in starts
    ]


def cases(matching: Matching) -> reference.Cases:
    return (
        set(matching.found_events),
        set(matching.missed_events),
        set(matching.true_detections),
        set(matching.false_detections),
        set(matching.ignored_detections),
    )


def pairs_of(matching: Matching) -> list[tuple[int, int]]:
    return [(event, detection) for event, detection in matching.pairs.tolist()]


# ---- the rules against the slow reference


@pytest.mark.parametrize(
    ("rule", "slow"), [(overlap10, reference.overlap10), (per_second, reference.per_second)]
)
@settings(deadline=None, max_examples=150)
@given(events=crowds(), detections=crowds())
def test_a_rule_is_its_slow_reference(
    rule: Rule,
    slow: reference.Rule,
    events: list[Event],
    detections: list[Event],
) -> None:
    assert cases(rule(events, detections, None)) == slow(events, detections)


@settings(deadline=None, max_examples=150)
@given(crowds(), crowds())
def test_the_pairing_is_the_best_of_all_pairings(
    events: list[Event], detections: list[Event]
) -> None:
    matching = one_to_one(events, detections)
    pairs, best = pairs_of(matching), reference.best_pairing(events, detections)
    assert len(pairs) == len(best)
    assert reference.shared_s(events, detections, tuple(pairs)) == pytest.approx(
        reference.shared_s(events, detections, best)
    )
    assert cases(matching) == reference.cases(
        events, detections, {e for e, _ in pairs}, {d for _, d in pairs}
    )


@settings(deadline=None, max_examples=150)
@given(crowds(), crowds())
def test_pairs_of_overlap10_are_those_that_make_a_detection_true(
    events: list[Event], detections: list[Event]
) -> None:
    expected = {
        (e, d)
        for e, x in enumerate(events)
        for d, y in enumerate(detections)
        if not x.marginal and reference.meets(x, y)
    }
    assert set(pairs_of(overlap10(events, detections))) == expected


# ---- laws that hold for all rules


@pytest.mark.parametrize("rule", RULES.values())
@settings(deadline=None)
@given(events=crowds(), detections=crowds())
def test_the_order_of_rows_changes_no_count(
    rule: Rule,
    events: list[Event],
    detections: list[Event],
) -> None:
    shuffled = (
        sorted(events, key=lambda item: (item.end_s, item.start_s, item.marginal)),
        list(reversed(detections)),
    )
    assert rule(*shuffled, None).counts == rule(events, detections, None).counts


@pytest.mark.parametrize("rule", RULES.values())
@settings(deadline=None)
@given(events=crowds())
def test_detecting_what_was_marked_is_perfect(rule: Rule, events: list[Event]) -> None:
    certain = [item for item in events if not item.marginal]
    figures = score(rule(certain, certain, None).counts, 30.0)
    perfect = 1.0 if certain else None
    assert (figures.precision, figures.recall, figures.f1) == (perfect, perfect, perfect)
    assert figures.false_positives_per_hour == 0


@pytest.mark.parametrize("rule", RULES.values())
@settings(deadline=None)
@given(events=crowds(), detections=crowds(), hours=st.integers(1, 24))
def test_a_recording_that_follows_another_adds_its_counts(
    rule: Rule,
    events: list[Event],
    detections: list[Event],
    hours: int,
) -> None:
    def later(items: list[Event]) -> list[Event]:
        return [
            replace(x, start_s=x.start_s + 3600 * hours, end_s=x.end_s + 3600 * hours)
            for x in items
        ]

    once = rule(events, detections, None).counts
    both = rule(events + later(events), detections + later(detections), None)
    assert both.counts == once + once


@settings(deadline=None)
@given(crowds(), crowds())
def test_pairing_one_to_one_is_never_kinder_than_the_rule_of_the_field(
    events: list[Event], detections: list[Event]
) -> None:
    strict, kind = one_to_one(events, detections), overlap10(events, detections)
    assert set(strict.found_events) <= set(kind.found_events)
    assert set(strict.true_detections) <= set(kind.true_detections)


# ---- the words of the rules, one by one


def test_the_tenth_is_one_of_the_event() -> None:
    assert overlap10([event(0, 10)], [event(9, 60)]).counts == Counts(
        events=1, found=1, detections=1, true=1
    )
    assert overlap10([event(0, 10)], [event(9.01, 60)]).counts == Counts(
        events=1, found=0, detections=1, true=0
    )


def test_a_limit_that_is_met_in_decimals_is_met() -> None:
    start_s = 80_000.3  # 0.4 s of 4 s in decimals, a little less in binary
    matching = overlap10([event(start_s, start_s + 4)], [event(start_s + 3.6, start_s + 9)])
    assert matching.found_events == [0]


def test_a_short_detection_inside_an_event_is_true_but_does_not_find_it() -> None:
    assert overlap10([event(0, 10)], [event(5, 5.5)]).counts == Counts(
        events=1, found=0, detections=1, true=1
    )


def test_pieces_of_an_event_are_true_by_the_rule_of_the_field_and_one_is_true_when_paired() -> None:
    pieces = [event(0, 3), event(3.5, 6), event(7, 9)]
    assert overlap10([event(0, 10)], pieces).true_detections == [0, 1, 2]
    assert pairs_of(one_to_one([event(0, 10)], pieces)) == [(0, 0)]


def test_a_detection_over_two_events_finds_both_by_the_rule_of_the_field_and_one_when_paired() -> (
    None
):
    two = [event(0, 4), event(5, 8)]
    assert overlap10(two, [event(0, 8)]).found_events == [0, 1]
    assert one_to_one(two, [event(0, 8)]).found_events == [0]


def test_one_pair_more_beats_any_shared_time() -> None:
    events, detections = [event(0, 10), event(9, 12)], [event(1, 11), event(7, 9)]
    assert pairs_of(one_to_one(events, detections)) == [(0, 1), (1, 0)]


def test_events_that_touch_a_detection_do_not_meet_it() -> None:
    for rule in RULES.values():
        assert rule([event(0, 5)], [event(5, 8)], None).true_detections == []


@pytest.mark.parametrize("rule", RULES.values())
def test_a_marginal_event_is_neither_missed_nor_found(
    rule: Rule,
) -> None:
    doubtful = [event(2, 5, marginal=True)]
    assert rule(doubtful, [], None).counts == Counts()
    counts = rule(doubtful, [event(2, 4)], None).counts
    assert (counts.events, counts.detections) == (0, 0)
    assert counts.ignored > 0


def test_a_second_detection_of_an_event_is_false_even_if_it_meets_a_marginal_one() -> None:
    events = [event(1, 2), event(0, 1, marginal=True)]
    assert one_to_one(events, [event(0, 2), event(1, 2)]).counts == Counts(
        events=1, found=1, detections=2, true=1
    )


def test_a_certain_event_under_a_marginal_one_still_counts() -> None:
    events = [event(0, 5, marginal=True), event(1, 4)]
    assert overlap10(events, [event(1, 4)]).counts == Counts(
        events=1, found=1, detections=1, true=1
    )
    assert per_second(events, [event(0, 5)]).counts == Counts(
        events=3, found=3, detections=3, true=3, ignored=2
    )


def test_a_second_is_an_events_if_any_part_of_it_is() -> None:
    matching = per_second([event(2.9, 4.0)], [event(4.0, 5.1)])
    assert cases(matching) == (set(), {2, 3}, set(), {4, 5}, set())


def test_a_detection_of_a_whole_day_costs_no_more_than_its_pairs() -> None:
    events = [event(10 * k, 10 * k + 4) for k in range(3000)]
    detections = [event(0, 86_400), *(event(10 * k + 1, 10 * k + 6) for k in range(3000))]
    assert overlap10(events, detections).counts == Counts(
        events=3000, found=3000, detections=3001, true=3001
    )
    assert one_to_one(events, detections).counts == Counts(
        events=3000, found=3000, detections=3001, true=3000
    )


# ---- figures


def test_nothing_divided_by_nothing_has_no_value() -> None:
    empty = score(Counts(), 3600.0)
    assert (
        empty.precision,
        empty.recall,
        empty.f1,
        empty.precision_interval,
        empty.recall_interval,
    ) == (None,) * 5
    assert empty.false_positives_per_hour == 0
    assert empty.false_positives_per_hour_interval == pytest.approx((0, -math.log(0.025)))


def test_f1_is_zero_where_nothing_agreed() -> None:
    assert score(Counts(events=3), 60.0).f1 == 0
    assert score(Counts(detections=3), 60.0).f1 == 0
    assert score(Counts(events=2, detections=3), 60.0).f1 == 0


def test_figures_are_made_of_summed_counts() -> None:
    counts = sum([Counts(4, 1, 10, 1), Counts(6, 4, 10, 4, 2)], Counts())
    figures = score(counts, 7200.0)
    assert (figures.recall, figures.precision, figures.false_positives_per_hour) == (0.5, 0.25, 7.5)
    assert figures.f1 == pytest.approx(1 / 3)
    assert (figures.true_events, figures.detections, figures.ignored_detections) == (10, 20, 2)


@pytest.mark.parametrize("audio_s", [None, 0.0])
def test_without_hours_there_is_no_rate(audio_s: float | None) -> None:
    figures = score(Counts(4, 1, 10, 1), audio_s)
    assert figures.false_positives_per_hour is None
    assert figures.false_positives_per_hour_interval is None


def test_dependent_items_get_no_interval() -> None:
    figures = score(Counts(4, 1, 10, 1), 3600.0, independent=False)
    assert (
        figures.precision_interval,
        figures.recall_interval,
        figures.false_positives_per_hour_interval,
    ) == (None, None, None)


@settings(deadline=None)
@given(st.integers(0, 200), st.floats(0.1, 1000))
def test_garwoods_limits_leave_a_fortieth_in_each_tail(count: int, hours: float) -> None:
    low, high = (limit * hours for limit in poisson_interval(count, hours))
    assert low <= count <= high
    assert high == pytest.approx(chi2.ppf(0.975, 2 * count + 2) / 2)
    assert _poisson_at_most(count, high) == pytest.approx(0.025)
    assert _poisson_at_most(count - 1, low) == pytest.approx(0.975 if count else 0)


def _poisson_at_most(count: int, mean: float) -> float:
    return math.fsum(
        math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(count + 1)
    )


@settings(deadline=None)
@given(st.integers(1, 1000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilsons_limits_are_the_proportions_from_which_the_seen_one_is_196_deviations_away(
    seen: tuple[int, int],
) -> None:
    successes, trials = seen
    limits = wilson_interval(successes, trials)
    assert limits is not None
    expected = binomtest(successes, trials).proportion_ci(method="wilson")
    assert limits == pytest.approx((expected.low, expected.high), abs=1e-9)
    low, high = limits
    assert 0 <= low <= successes / trials <= high <= 1
    for limit in (low, high):
        deviations = (successes / trials - limit) ** 2 * trials
        assert deviations == pytest.approx(1.959964**2 * limit * (1 - limit), abs=1e-6)


# ---- curves

SLOW_RULES = {
    "overlap10": reference.overlap10,
    "one_to_one": reference.one_to_one,
    "per_second": reference.per_second,
}


@st.composite
def scored(draw: st.DrawFn) -> tuple[list[Event], list[float]]:
    """Detections, with scores of which some are equal."""
    detections = draw(crowds())
    return detections, [draw(st.integers(0, 4)) / 4 for _ in detections]


def matched(
    rule: str, events: list[Event], detections: list[Event], scores: Sequence[float]
) -> Matching:
    return RULES[rule](events, detections, np.array(scores, dtype=np.float64))


@pytest.mark.parametrize("rule", RULES)
@settings(deadline=None, max_examples=150)
@given(events=crowds(), found=scored())
def test_a_curve_is_what_the_slow_rule_says_at_each_threshold(
    rule: str, events: list[Event], found: tuple[list[Event], list[float]]
) -> None:
    slow = reference.counts_by_threshold(SLOW_RULES[rule], events, *found)
    here = matched(rule, events, *found).counts_at(np.array(sorted(slow, reverse=True)))
    assert [tuple(row) for row in here.tolist()] == [
        slow[threshold] for threshold in sorted(slow, reverse=True)
    ]
    drawn = curve([matched(rule, events, *found)])
    assert set(drawn.threshold) <= set(slow)
    if any(not event.marginal for event in events):
        assert drawn.average_precision == pytest.approx(reference.average_precision(slow))
    else:
        assert drawn.average_precision is None


@pytest.mark.parametrize("rule", RULES)
@settings(deadline=None)
@given(recordings=st.lists(st.tuples(crowds(), scored()), max_size=4), hours=st.integers(1, 9))
def test_a_curve_over_recordings_is_the_sum_of_theirs(
    rule: str, recordings: list[tuple[list[Event], tuple[list[Event], list[float]]]], hours: int
) -> None:
    parts = [matched(rule, events, *found) for events, found in recordings]
    whole = curve(parts, float(hours))
    expected = sum(
        (part.counts_at(whole.threshold) for part in parts),
        np.zeros((whole.threshold.size, 4), dtype=np.int64),
    )
    np.testing.assert_array_equal(
        np.stack((whole.found, whole.detections, whole.true), axis=-1), expected[:, 1:]
    )
    np.testing.assert_allclose(
        whole.false_positives_per_hour, (expected[:, 2] - expected[:, 3]) / hours
    )


@pytest.mark.parametrize("rule", RULES)
@settings(deadline=None)
@given(events=crowds(), found=scored())
def test_only_the_order_of_scores_makes_the_average_precision(
    rule: str, events: list[Event], found: tuple[list[Event], list[float]]
) -> None:
    detections, scores = found
    calibrated = [score**3 / 2 for score in scores]
    assert (
        curve([matched(rule, events, detections, calibrated)]).average_precision
        == curve([matched(rule, events, *found)]).average_precision
    )


@settings(deadline=None)
@given(events=crowds(), found=scored(), rate=st.floats(0, 30))
def test_at_a_number_of_false_positives_per_hour_there_are_no_more(
    events: list[Event], found: tuple[list[Event], list[float]], rate: float
) -> None:
    drawn = curve([matched("overlap10", events, *found)], 0.5)
    position = drawn.position_at(rate)
    allowed = [
        at for at, here in enumerate(drawn.false_positives_per_hour.tolist()) if here <= rate
    ]
    assert position == (max(allowed) if allowed else None)
    if drawn.events:
        assert drawn.recall_at(rate) == max((drawn.recall[at] for at in allowed), default=0.0)
    assert drawn.reaches(rate) == any(here >= rate for here in drawn.false_positives_per_hour)


def test_a_pairing_that_gives_way_as_the_threshold_falls_is_counted_at_each() -> None:
    # At .9 one detection may take either event; at .5 the other takes the only event that it can,
    # and both are found.
    events, detections = [event(0, 10), event(12, 20)], [event(5, 15), event(0, 4)]
    drawn = curve([matched("one_to_one", events, detections, [0.9, 0.5])])
    assert drawn.found.tolist() == [1, 2]


@given(st.lists(st.tuples(crowds(), scored()), max_size=3))
def test_scored_detections_of_recordings_have_the_curve_of_their_rankings(
    recordings: list[tuple[list[Event], tuple[list[Event], list[float]]]],
) -> None:
    pairs = [
        (
            events,
            [Detection("Rumble", d.start_s, d.end_s, 0, 1, s) for d, s in zip(*found, strict=True)],
        )
        for events, found in recordings
    ]
    for rule in RULES:
        here, there = (
            curve_of_scores(pairs, 2.0, rule=rule),
            curve([matched(rule, events, *found) for events, found in recordings], 2.0),
        )
        np.testing.assert_array_equal(
            (here.threshold, here.found, here.true), (there.threshold, there.found, there.true)
        )
        assert (here.events, here.hours) == (there.events, 2)


def test_separate_runs_give_a_curve_whose_recall_may_fall() -> None:
    merged = {0.8: Counts(4, 2, 2, 2), 0.5: Counts(4, 3, 4, 3), 0.2: Counts(4, 2, 2, 1)}
    drawn = Curve.of_counts(merged, 2.0)
    assert drawn.recall.tolist() == [0.5, 0.75, 0.5]
    assert drawn.average_precision == pytest.approx(0.5 * 1 + 0.25 * 0.75)
    assert drawn.false_positives_per_hour.tolist() == [0, 0.5, 0.5]
    assert (drawn.threshold_at(0.4), drawn.threshold_at(0.5)) == (0.8, 0.2)
    assert drawn.best == 1
    assert drawn.score_at(1) == score(merged[0.5], 7200)
    with pytest.raises(ValueError, match="same truth"):
        Curve.of_counts({0.8: Counts(4), 0.5: Counts(5)})


def test_a_threshold_below_one_that_exceeds_the_rate_is_not_taken() -> None:
    drawn = Curve.of_counts(
        {0.9: Counts(4, 1, 1, 1), 0.5: Counts(4, 2, 9, 2), 0.1: Counts(4, 3, 4, 3)}, 1.0
    )
    assert drawn.threshold_at(1) == 0.9
    assert drawn.recall_at(1) == 0.25


def test_rising_thresholds_are_an_error() -> None:
    with pytest.raises(ValueError, match="must fall"):
        Curve(np.array([0.1, 0.2]), *(np.zeros(2, dtype=np.int64),) * 3, events=0)


@settings(deadline=None)
@given(n=st.integers(1, 3000), most=st.integers(10, 400))
def test_a_thinned_curve_keeps_its_ends_and_its_best(n: int, most: int) -> None:
    rng = np.random.default_rng(n)
    events = [event(3 * k, 3 * k + 2) for k in range(n)]
    detections = [*events, *(event(3 * k + 2, 3 * k + 3) for k in range(n))]
    whole = curve([overlap10(events, detections, rng.random(2 * n))])
    few = whole.thinned(most)
    assert few.threshold.size <= most
    assert (few.threshold[0], few.threshold[-1]) == (whole.threshold[0], whole.threshold[-1])
    assert whole.best is not None
    assert whole.threshold[whole.best] in few.threshold


def test_a_day_of_a_hundred_recorders_needs_one_matching_for_all_thresholds() -> None:
    rng = np.random.default_rng(0)
    scores = rng.random(20_000)
    events = [event(8 * k, 8 * k + 3) for k in range(10_000)]
    detections = [event(4 * k, 4 * k + 3) for k in range(20_000)]
    for rule in RULES:
        drawn = curve([matched(rule, events, detections, scores.tolist())], 24)
        assert drawn.recall[-1] == 1
        assert np.all(np.diff(drawn.found) >= 0)


# ---- reliability


def test_scores_that_are_shares_have_no_error_and_sure_ones_that_are_half_wrong_have_half() -> None:
    scores = np.repeat([0.25, 0.75], [40, 80])
    true = np.concatenate((np.arange(40) % 4 == 0, np.arange(80) % 4 > 0))
    assert reliability(scores, true).error == pytest.approx(0)
    assert reliability(np.ones(10), np.arange(10) % 2 == 0).error == pytest.approx(0.5)
    assert reliability(np.zeros(0), np.zeros(0, dtype=bool)).error is None


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60))
def test_bins_hold_each_detection_once(found: list[tuple[float, bool]]) -> None:
    scores, true = np.array([x for x, _ in found]), np.array([x for _, x in found])
    result = reliability(scores, true)
    assert sum(b.detections for b in result.bins) == len(found)
    assert sum(b.detections * b.true_share for b in result.bins) == pytest.approx(true.sum())
    assert all(b.low - 1e-12 <= b.mean_score <= b.high + 1e-12 for b in result.bins)
    slow = sum(
        abs(sum(true[mine]) - sum(scores[mine]))
        for b in result.bins
        if (mine := _in_bin(scores, b.low, b.high)).any()
    )
    assert result.error == pytest.approx(slow / len(found), abs=1e-9)


def _in_bin(
    scores: np.ndarray[tuple[int, ...], np.dtype[np.float64]], low: float, high: float
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return np.floor(np.minimum(scores * 10, 9)) == round(low * 10) if high else scores < 0


@pytest.mark.parametrize("value", [-0.1, 1.5, math.nan])
def test_a_score_outside_0_to_1_is_an_error(value: float) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        reliability(np.array([0.5, value]), np.array([True, False]))


# ---- other recordings, other detectors


def test_a_bootstrap_is_as_wide_as_the_spread_of_a_mean() -> None:
    rng = np.random.default_rng(3)
    found = rng.binomial(50, 0.6, size=400)
    counts = np.stack((np.full(400, 50), found, found, found), axis=-1)
    limits = bootstrap(counts, np.full(400, 3600.0), resamples(400, rng))["recall"]
    assert limits is not None
    half = 1.959964 * (found / 50).std() / 400**0.5
    assert limits == pytest.approx(
        (found.mean() / 50 - half, found.mean() / 50 + half), abs=0.15 * half
    )


def test_recordings_that_differ_make_a_wider_interval_than_their_events_alone_would() -> None:
    counts = np.array([[100, 95, 95, 95], [100, 10, 10, 10]] * 4)
    limits, alone = (
        bootstrap(counts, None, resamples(8, np.random.default_rng(0)))["recall"],
        wilson_interval(420, 800),
    )
    assert limits is not None
    assert alone is not None
    assert limits[1] - limits[0] > 3 * (alone[1] - alone[0])


def test_one_recording_has_no_interval_and_no_hours_no_rate() -> None:
    rng = np.random.default_rng(0)
    alone = bootstrap(np.array([[9, 5, 8, 5]]), np.array([3600.0]), resamples(1, rng))
    assert set(alone.values()) == {None}
    two = bootstrap(np.array([[9, 5, 8, 5]] * 2), None, resamples(2, rng))
    assert two["false_positives_per_hour"] is None
    assert two["recall"] == pytest.approx((5 / 9, 5 / 9))


def test_the_average_precision_of_like_recordings_is_certain() -> None:
    part = matched(
        "overlap10",
        [event(0, 4), event(9, 12)],
        [event(0, 4), event(20, 24), event(9, 12)],
        [0.9, 0.8, 0.7],
    )
    whole = curve([part] * 5)
    limits = average_precision_interval(
        [part] * 5, whole.threshold, resamples(5, np.random.default_rng(0))
    )
    assert limits == pytest.approx((whole.average_precision, whole.average_precision))
    assert (
        average_precision_interval(
            [overlap10([], [])] * 5,
            whole.threshold,
            resamples(5, np.random.default_rng(0)),
        )
        is None
    )


def test_what_makes_recordings_hard_is_no_part_of_a_difference() -> None:
    rng = np.random.default_rng(1)
    found = rng.integers(0, 90, size=30)
    worse = np.stack((np.full(30, 100), found, found + 5, found), axis=-1)
    better = worse + np.array([0, 5, 5, 5])
    weights = resamples(30, rng)
    gain = differences(better, worse, np.full(30, 3600.0), weights)["recall"]
    assert gain.value == pytest.approx(0.05)
    assert gain.interval == pytest.approx((0.05, 0.05))
    alone = bootstrap(better, None, weights)["recall"]
    assert alone is not None
    assert alone[1] - alone[0] > 0.1
    same = differences(worse, worse, None, weights)
    assert (same["f1"].value, same["f1"].interval, same["false_positives_per_hour"].value) == (
        0,
        (0, 0),
        None,
    )


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemars_p_is_that_of_a_fair_coin(a: int, b: int) -> None:
    tail = math.fsum(math.comb(a + b, k) for k in range(min(a, b) + 1)) / 2 ** (a + b)
    assert mcnemar(a, b) == pytest.approx(min(1, 2 * tail))
    assert mcnemar(a, b) == mcnemar(b, a)


# ---- numbers of gunshots


def shots_of(
    events: Sequence[Event], detections: Sequence[Event], matching: Matching | None = None
) -> ShotCounts:
    """Compare events and detections that have numbers of shots."""
    matched = overlap10(events, detections) if matching is None else matching
    return shot_counts([e.shots for e in events], [d.shots for d in detections], matched)


def shot(start_s: float, end_s: float, shots: int | None = None) -> Event:
    return Event("Gunshot", start_s, end_s, shots=shots)


def test_a_burst_stands_for_the_rows_that_it_covers() -> None:
    rows = [shot(start_s, start_s + 0.5) for start_s in range(10, 20)]
    counts = shots_of(rows, [shot(10.0, 19.5, 9)])
    assert (counts.true_shots, counts.found_shots, counts.counted_shots) == (10, 10, 9)
    assert (counts.true.tolist(), counts.counted.tolist()) == ([10], [9])
    assert counts.of_bursts() == counts.of_all()
    assert counts.of_bursts().within_20 == 1.0


def test_parts_of_a_burst_are_added() -> None:
    parts = [shot(10.0, 11.0, 4), shot(12.0, 13.0, 5), shot(14.0, 15.0, 4)]
    counts = shots_of([shot(10.0, 15.0, 13)], parts)
    assert (counts.true.tolist(), counts.counted.tolist()) == ([13], [13])


def test_a_group_in_which_a_detection_has_no_number_is_not_judged() -> None:
    counts = shots_of([shot(10.0, 15.0, 13)], [shot(10.0, 12.0, 4), shot(13.0, 15.0)])
    assert counts.given
    assert (counts.counted_shots, counts.known.tolist()) == (5, [False])
    agreement = counts.of_bursts()
    assert (agreement.groups, agreement.counted, agreement.within_20) == (1, 0, None)


@pytest.mark.parametrize(
    ("true", "counted", "within_20", "within_30"),
    [(10, 12, 1, 1), (10, 8, 1, 1), (10, 13, 0, 1), (10, 14, 0, 0), (3, 4, 0, 0), (1, 1, 1, 1)],
)
def test_limits_are_met_exactly(
    true: int, counted: int, within_20: float, within_30: float
) -> None:
    agreement = shots_of([shot(0.0, 4.0, true)], [shot(0.0, 4.0, counted)]).of_all()
    assert (agreement.within_20, agreement.within_30) == (within_20, within_30)


def test_marginal_events_have_no_shots_and_detections_of_them_do_not_count() -> None:
    events = [Event("Gunshot", 0.0, 4.0, shots=7, marginal=True), shot(10.0, 11.0)]
    counts = shots_of(events, [shot(0.0, 4.0, 6), shot(10.0, 11.0, 2), shot(20.0, 21.0, 3)])
    assert (counts.true_shots, counts.counted_shots) == (1, 5)
    assert (counts.true.tolist(), counts.counted.tolist()) == ([1], [2])


def test_nothing_has_no_shots() -> None:
    counts = shots_of([], [])
    assert (counts.true_shots, counts.counted_shots, counts.given) == (0, 0, False)
    assert not shots_of([shot(0.0, 1.0)], [shot(0.0, 1.0)]).given
    assert ShotCounts.pool([]).of_all().within_20 is None


@settings(deadline=None)
@given(crowds(8), crowds(8), st.integers(0, 2**32))
def test_each_true_shot_and_each_detection_is_in_one_group(
    events: list[Event], detections: list[Event], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    events, detections = (
        [replace(each, shots=int(rng.integers(0, 9)) or None) for each in items]
        for items in (events, detections)
    )
    matching = overlap10(events, detections)
    counts = shots_of(events, detections, matching)
    in_pairs = {event for event, _ in pairs_of(matching)}
    assert counts.true.sum() == sum(events[event].shots or 1 for event in in_pairs)
    assert counts.counted.sum() == sum(
        detections[detection].shots or 1 for detection in matching.true_detections
    )
    pooled = ShotCounts.pool([counts, counts])
    assert pooled.true_shots == 2 * counts.true_shots
    assert pooled.of_all().groups == 2 * counts.of_all().groups
    assert pooled.of_all().within_30 == counts.of_all().within_30
