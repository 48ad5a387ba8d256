"""The rules mean what they say, agree with a slow twin, and the intervals hold what they promise."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loxo.events import Event
from loxo.metrics import RULES, Counts, Outcome, one_to_one, overlap10, per_second, poisson_interval, score, wilson_interval
from reference import metrics as twin


def event(start_s: float, end_s: float, *, marginal: bool = False) -> Event:
    return Event("Rumble", start_s, end_s, flags=frozenset({"marginal"} if marginal else ()))


@st.composite
def crowds(draw: st.DrawFn, most: int = 5) -> list[Event]:
    """Up to `most` sounds within 30 s, on a grid of 0.1 s so that limits are met exactly, overlapping and nested, some marginal."""
    starts = draw(st.lists(st.integers(0, 250), max_size=most))
    return [event(s / 10, (s + draw(st.integers(1, 60))) / 10, marginal=draw(st.integers(0, 3)) == 0) for s in starts]


def cases(outcome: Outcome) -> twin.Cases:
    return set(outcome.found), set(outcome.missed), set(outcome.true), set(outcome.false), set(outcome.left_out)


# ---- the rules against the twin


@pytest.mark.parametrize(("rule", "slow"), [(overlap10, twin.overlap10), (per_second, twin.per_second)])
@settings(deadline=None, max_examples=150)
@given(events=crowds(), detections=crowds())
def test_a_rule_is_its_slow_twin(
    rule: Callable[[Sequence[Event], Sequence[Event]], Outcome],
    slow: Callable[[Sequence[Event], Sequence[Event]], twin.Cases],
    events: list[Event],
    detections: list[Event],
) -> None:
    assert cases(rule(events, detections)) == slow(events, detections)


@settings(deadline=None, max_examples=150)
@given(crowds(), crowds())
def test_the_pairing_is_the_best_of_all_pairings(events: list[Event], detections: list[Event]) -> None:
    outcome = one_to_one(events, detections)
    best = twin.best_pairing(events, detections)
    assert len(outcome.pairs) == len(best)
    assert twin.shared_s(events, detections, outcome.pairs) == pytest.approx(twin.shared_s(events, detections, best))
    assert cases(outcome) == twin.cases(events, detections, {e for e, _ in outcome.pairs}, {d for _, d in outcome.pairs})


@settings(deadline=None, max_examples=150)
@given(crowds(), crowds())
def test_pairs_of_overlap10_are_those_that_make_a_detection_true(events: list[Event], detections: list[Event]) -> None:
    expected = {(e, d) for e, x in enumerate(events) for d, y in enumerate(detections) if not x.marginal and twin.meets(x, y)}
    assert set(overlap10(events, detections).pairs) == expected


# ---- laws that hold for all rules


@pytest.mark.parametrize("rule", RULES.values())
@settings(deadline=None)
@given(events=crowds(), detections=crowds())
def test_the_order_of_rows_changes_no_count(
    rule: Callable[[Sequence[Event], Sequence[Event]], Outcome], events: list[Event], detections: list[Event]
) -> None:
    shuffled = sorted(events, key=lambda item: (item.end_s, item.start_s, item.marginal)), list(reversed(detections))
    assert rule(*shuffled).counts == rule(events, detections).counts


@pytest.mark.parametrize("rule", RULES.values())
@settings(deadline=None)
@given(events=crowds())
def test_detecting_what_was_marked_is_perfect(rule: Callable[[Sequence[Event], Sequence[Event]], Outcome], events: list[Event]) -> None:
    certain = [item for item in events if not item.marginal]
    figures = score(rule(certain, certain).counts, 30.0)
    perfect = 1.0 if certain else None
    assert (figures.precision, figures.recall, figures.f1) == (perfect, perfect, perfect)
    assert figures.false_positives_per_hour == 0


@pytest.mark.parametrize("rule", RULES.values())
@settings(deadline=None)
@given(events=crowds(), detections=crowds(), hours=st.integers(1, 24))
def test_a_recording_that_follows_another_adds_its_counts(
    rule: Callable[[Sequence[Event], Sequence[Event]], Outcome], events: list[Event], detections: list[Event], hours: int
) -> None:
    def later(items: list[Event]) -> list[Event]:
        return [Event(x.label, x.start_s + 3600 * hours, x.end_s + 3600 * hours, flags=x.flags) for x in items]

    once = rule(events, detections).counts
    assert rule(events + later(events), detections + later(detections)).counts == once + once


@settings(deadline=None)
@given(crowds(), crowds())
def test_pairing_one_to_one_is_never_kinder_than_the_rule_of_the_field(events: list[Event], detections: list[Event]) -> None:
    strict, kind = one_to_one(events, detections), overlap10(events, detections)
    assert set(strict.found) <= set(kind.found)
    assert set(strict.true) <= set(kind.true)


# ---- the words of the rules, one by one


def test_the_tenth_is_one_of_the_event() -> None:
    assert overlap10([event(0, 10)], [event(9, 60)]).counts == Counts(events=1, found=1, detections=1, true=1)
    assert overlap10([event(0, 10)], [event(9.01, 60)]).counts == Counts(events=1, found=0, detections=1, true=0)


def test_a_limit_that_is_met_in_decimals_is_met() -> None:
    start_s = 80_000.3  # 0.4 s of 4 s in decimals, a little less in binary
    assert overlap10([event(start_s, start_s + 4)], [event(start_s + 3.6, start_s + 9)]).found == (0,)


def test_a_short_detection_inside_an_event_is_true_but_does_not_find_it() -> None:
    assert overlap10([event(0, 10)], [event(5, 5.5)]).counts == Counts(events=1, found=0, detections=1, true=1)


def test_pieces_of_an_event_are_true_by_the_rule_of_the_field_and_one_is_true_when_paired() -> None:
    pieces = [event(0, 3), event(3.5, 6), event(7, 9)]
    assert overlap10([event(0, 10)], pieces).true == (0, 1, 2)
    assert one_to_one([event(0, 10)], pieces).pairs == ((0, 0),)


def test_a_detection_over_two_events_finds_both_by_the_rule_of_the_field_and_one_when_paired() -> None:
    two = [event(0, 4), event(5, 8)]
    assert overlap10(two, [event(0, 8)]).found == (0, 1)
    assert one_to_one(two, [event(0, 8)]).found == (0,)


def test_one_pair_more_beats_any_shared_time() -> None:
    events, detections = [event(0, 10), event(9, 12)], [event(1, 11), event(7, 9)]
    assert one_to_one(events, detections).pairs == ((0, 1), (1, 0))


def test_events_that_touch_a_detection_do_not_meet_it() -> None:
    for rule in RULES.values():
        assert rule([event(0, 5)], [event(5, 8)]).true == ()


@pytest.mark.parametrize("rule", RULES.values())
def test_a_marginal_event_is_neither_missed_nor_found(rule: Callable[[Sequence[Event], Sequence[Event]], Outcome]) -> None:
    doubtful = [event(2, 5, marginal=True)]
    assert rule(doubtful, []).counts == Counts()
    counts = rule(doubtful, [event(2, 4)]).counts
    assert (counts.events, counts.detections) == (0, 0)
    assert counts.left_out > 0


def test_a_second_detection_of_an_event_is_false_even_if_it_meets_a_marginal_one() -> None:
    events = [event(1, 2), event(0, 1, marginal=True)]
    assert one_to_one(events, [event(0, 2), event(1, 2)]).counts == Counts(events=1, found=1, detections=2, true=1)


def test_a_certain_event_under_a_marginal_one_still_counts() -> None:
    events = [event(0, 5, marginal=True), event(1, 4)]
    assert overlap10(events, [event(1, 4)]).counts == Counts(events=1, found=1, detections=1, true=1)
    assert per_second(events, [event(0, 5)]).counts == Counts(events=3, found=3, detections=3, true=3, left_out=2)


def test_a_second_is_an_events_if_any_part_of_it_is() -> None:
    assert per_second([event(2.9, 4.0)], [event(4.0, 5.1)]) == Outcome(missed=(2, 3), false=(4, 5))


def test_a_detection_of_a_whole_day_costs_no_more_than_its_pairs() -> None:
    events = [event(10 * k, 10 * k + 4) for k in range(3000)]
    detections = [event(0, 86_400), *(event(10 * k + 1, 10 * k + 6) for k in range(3000))]
    assert overlap10(events, detections).counts == Counts(events=3000, found=3000, detections=3001, true=3001)
    assert one_to_one(events, detections).counts == Counts(events=3000, found=3000, detections=3001, true=3000)


# ---- figures


def test_nothing_divided_by_nothing_has_no_value() -> None:
    empty = score(Counts(), 3600.0)
    assert (empty.precision, empty.recall, empty.f1, empty.precision_interval, empty.recall_interval) == (None,) * 5
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
    assert (figures.true_events, figures.detections, figures.left_out_detections) == (10, 20, 2)


@pytest.mark.parametrize("audio_s", [None, 0.0])
def test_without_hours_there_is_no_rate(audio_s: float | None) -> None:
    figures = score(Counts(4, 1, 10, 1), audio_s)
    assert figures.false_positives_per_hour is None
    assert figures.false_positives_per_hour_interval is None


def test_things_that_hang_together_get_no_interval() -> None:
    figures = score(Counts(4, 1, 10, 1), 3600.0, independent=False)
    assert (figures.precision_interval, figures.recall_interval, figures.false_positives_per_hour_interval) == (None, None, None)


@settings(deadline=None)
@given(st.integers(0, 200), st.floats(0.1, 1000))
def test_garwoods_limits_leave_a_fortieth_in_each_tail(count: int, hours: float) -> None:
    low, high = (limit * hours for limit in poisson_interval(count, hours))
    assert low <= count <= high
    assert _poisson_at_most(count, high) == pytest.approx(0.025)
    assert _poisson_at_most(count - 1, low) == pytest.approx(0.975 if count else 0)


def _poisson_at_most(count: int, mean: float) -> float:
    return math.fsum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(count + 1))


@settings(deadline=None)
@given(st.integers(1, 1000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilsons_limits_are_the_proportions_from_which_the_seen_one_is_196_deviations_away(seen: tuple[int, int]) -> None:
    successes, trials = seen
    limits = wilson_interval(successes, trials)
    assert limits is not None
    low, high = limits
    assert 0 <= low <= successes / trials <= high <= 1
    for limit in (low, high):
        deviations = (successes / trials - limit) ** 2 * trials
        assert deviations == pytest.approx(1.959964**2 * limit * (1 - limit), abs=1e-6)
