"""Nothing straddles two splits, shares are kept as well as whole units allow, and a leak is found
wherever it is put."""

from __future__ import annotations

import json
import math
import os
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations, product
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loxo import splits
from loxo.clips import Clip
from loxo.splits import (
    SPLITS,
    LeakError,
    RecordingCounts,
    SplitBy,
    SplitSettings,
    assign_splits,
    check_leaks,
)

DAY_S = 86400.0
EPOCH = datetime(2018, 1, 26, tzinfo=UTC)
LABELS = ("Gunshot", "Rumble", "Background")

# ---- the slow twin: every pair looked at, every assignment tried


def stem(recording: str) -> str:
    return re.sub(r"\.(wav|flac)$", "", recording.rpartition("/")[2], flags=re.IGNORECASE)


def shared_s(a: RecordingCounts, b: RecordingCounts) -> float:
    if a.start_time is None or b.start_time is None or a.site is None or a.site != b.site:
        return 0.0
    ends = (
        a.start_time + timedelta(seconds=a.seconds),
        b.start_time + timedelta(seconds=b.seconds),
    )
    return max(0.0, (min(ends) - max(a.start_time, b.start_time)).total_seconds())


def together(a: RecordingCounts, b: RecordingCounts, by: SplitBy) -> bool:
    one_site = by == "site" and a.site is not None and a.site == b.site
    one_name = stem(a.recording) == stem(b.recording)
    one_recording = one_name and (a.site == b.site or None in {a.site, b.site})
    return one_recording or one_site or shared_s(a, b) > 0


def components(members: Sequence[RecordingCounts], by: SplitBy) -> set[frozenset[str]]:
    """Two groups that have something in common are joined, until there are none."""
    groups = [[member] for member in members]
    while joined := next(
        (
            (a, b)
            for a, b in permutations(groups, 2)
            if any(together(x, y, by) for x in a for y in b)
        ),
        None,
    ):
        groups = [*(group for group in groups if group not in joined), [*joined[0], *joined[1]]]
    return {frozenset(member.recording for member in group) for group in groups}


def clips(
    members: Sequence[RecordingCounts], placed: Mapping[str, str], label: str
) -> dict[str, int]:
    return {
        split: sum(m.counts.get(label, 0) for m in members if placed[m.recording] == split)
        for split in SPLITS
    }


def total(members: Sequence[RecordingCounts], label: str) -> int:
    return sum(member.counts.get(label, 0) for member in members)


def deviation(
    members: Sequence[RecordingCounts], placed: Mapping[str, str], shares: Mapping[str, float]
) -> float:
    """Share of each label's clips that would have to move to meet the wanted shares, summed over
    labels, doubled."""
    found = 0.0
    for label in LABELS:
        count = total(members, label)
        if count:
            found += sum(
                abs(n / count - shares.get(split, 0.0))
                for split, n in clips(members, placed, label).items()
            )
    return found


def holes(members: Sequence[RecordingCounts], placed: Mapping[str, str]) -> int:
    """Labels missing in splits, of the labels that are there."""
    return sum(
        n == 0
        for label in LABELS
        if total(members, label)
        for n in clips(members, placed, label).values()
    )


def best(members: Sequence[RecordingCounts], shares: Mapping[str, float]) -> tuple[int, float]:
    """The fewest holes of all assignments, and the least deviation of those."""
    names = [member.recording for member in members]
    every = (dict(zip(names, chosen, strict=True)) for chosen in product(SPLITS, repeat=len(names)))
    return min((holes(members, placed), deviation(members, placed, shares)) for placed in every)


def clip_of(
    recording: str,
    split: str,
    site: str | None = None,
    start_time: datetime | None = None,
    start_s: float = 0.0,
    end_s: float = 0.0,
) -> Clip:
    """A clip that starts at `start_time`, `start_s` into its recording."""
    began = None if start_time is None else start_time - timedelta(seconds=start_s)
    path = Path(f"{recording}-{start_s}.flac")
    return Clip(path, split, recording, end_s - start_s, 8000, (), site, start_s, began)


def part_of(clip: Clip) -> RecordingCounts:
    """A clip as if it were a recording, for the slow twin."""
    began = clip.start_time and clip.start_time + timedelta(seconds=clip.start_s or 0.0)
    return RecordingCounts(clip.group, clip.site, {}, began, clip.seconds)


# ---- what is drawn

counts = st.dictionaries(st.sampled_from(LABELS), st.integers(0, 9))
shares = st.sampled_from([(0.15, 0.15), (0.2, 0.1), (0.4, 0.4), (0.0, 0.2), (0.3, 0.0), (0.0, 0.0)])


@st.composite
def recordings(draw: st.DrawFn, most: int = 9) -> list[RecordingCounts]:
    """Few stems, sites and moments, so that they meet often; times in half hours."""
    names = st.builds(
        "{}/{}.{}".format,
        st.sampled_from("ab"),
        st.sampled_from(["p", "q", "r", "s", "t", "u"]),
        st.sampled_from(["wav", "FLAC"]),
    )
    return [
        RecordingCounts(
            name,
            draw(st.sampled_from([None, "nn01a", "nn01b", "kp01"])),
            draw(counts),
            draw(
                st.none()
                | st.integers(0, 40).map(lambda halves: EPOCH + timedelta(hours=halves / 2))
            ),
            1800.0 * draw(st.integers(0, 6)),
        )
        for name in draw(st.lists(names, unique=True, max_size=most))
    ]


@st.composite
def wanted(draw: st.DrawFn) -> SplitSettings:
    validation, test = draw(shares)
    return SplitSettings(
        draw(st.sampled_from(["recording", "site"])), validation, test, draw(st.integers(0, 3))
    )


def apart(counted: Sequence[Mapping[str, int]]) -> list[RecordingCounts]:
    """Recordings that have nothing to do with each other."""
    return [RecordingCounts(f"nn_{k}.wav", f"nn{k}", found) for k, found in enumerate(counted)]


def sited(members: list[RecordingCounts], chosen: SplitSettings) -> list[RecordingCounts]:
    """The same with a site for all, where they are split by site."""
    if chosen.by == "recording":
        return members
    return [replace(member, site=member.site or "kp02") for member in members]


def units(members: Sequence[RecordingCounts], by: SplitBy = "recording") -> set[frozenset[str]]:
    """Recordings that stay together."""
    grouped: dict[int, set[str]] = {}
    for member, number in zip(members, splits._components(members, by), strict=True):
        grouped.setdefault(number, set()).add(member.recording)
    return {frozenset(group) for group in grouped.values()}


# ---- units


@given(recordings(), wanted())
def test_units_are_what_the_slow_twin_joins(
    members: list[RecordingCounts], chosen: SplitSettings
) -> None:
    assert units(members, chosen.by) == components(members, chosen.by)


NAMED = st.sets(st.sampled_from(["a/p.wav", "b/q.wav", "b/r.FLAC", "c/unheard.wav"]))


@given(recordings(), wanted(), NAMED)
def test_no_unit_straddles_and_all_are_assigned(
    members: list[RecordingCounts], chosen: SplitSettings, named: set[str]
) -> None:
    members = sited(members, chosen)
    placed = assign_splits(members, chosen, test_recordings=named)
    assert list(placed) == [member.recording for member in members]
    for group in components(members, chosen.by):
        forced = not group.isdisjoint(named)
        assert len({placed[recording] for recording in group}) == 1
        assert {placed[recording] for recording in group} <= (
            {"test"} if forced else set(chosen.shares)
        )


def test_a_recording_longer_than_a_day_stays_with_the_next() -> None:
    def day(k: int, seconds: float = DAY_S, site: str = "nn01a") -> RecordingCounts:
        return RecordingCounts(
            f"{site}_{k}.wav", site, {"Rumble": 1}, EPOCH + timedelta(days=k), seconds
        )

    days = [day(0), day(1, 93_057.0), day(2), *(day(k, site="nn01b") for k in range(4))]
    groups = units(days)
    assert {len(group) for group in groups} == {1, 2}
    assert {"nn01a_1.wav", "nn01a_2.wav"} in groups


def test_overlap_is_of_absolute_time() -> None:
    paris = ZoneInfo("Europe/Paris")
    night = datetime(2018, 10, 28, 1, 30, tzinfo=paris)
    early = RecordingCounts("early.wav", "s", {}, night, 2.5 * 3600)
    late = RecordingCounts("late.wav", "s", {}, datetime(2018, 10, 28, 3, 30, tzinfo=paris), 3600)
    # The hour from 2 to 3 is there twice that night.
    assert len(units([early, late])) == 2
    same = replace(late, start_time=datetime(2018, 10, 28, 2, 0, tzinfo=UTC))
    assert len(units([early, same])) == 2
    sooner = replace(same, start_time=datetime(2018, 10, 28, 1, 59, tzinfo=UTC))
    assert len(units([early, sooner])) == 1


def test_equal_names_at_two_sites_are_two_recordings() -> None:
    """AudioMoths name files by the time alone, and all of a survey start at the same time."""
    one = RecordingCounts("siteA/20210722_000000.WAV", "siteA", {})
    other = RecordingCounts("siteB/20210722_000000.WAV", "siteB", {})
    assert len(units([one, other])) == 2
    assert len(units([one, other, replace(one, recording="copy/20210722_000000.flac")])) == 2
    assert len(units([one, other, RecordingCounts("20210722_000000.flac", None, {})])) == 1


def test_recordings_without_a_site_cannot_be_split_by_site() -> None:
    members = [RecordingCounts(f"{k}.wav", None if k else "s", {"Rumble": 1}) for k in range(20)]
    with pytest.raises(
        ValueError, match=r"19 recordings without a site, such as 1\.wav, .*site-from"
    ):
        assign_splits(members, SplitSettings("site"))


# ---- the same every time


@given(recordings(), wanted(), st.randoms(use_true_random=False))
def test_the_order_of_members_and_counts_does_not_matter(
    members: list[RecordingCounts], chosen: SplitSettings, draw: random.Random
) -> None:
    members = sited(members, chosen)
    mixed = [
        replace(member, counts=dict(draw.sample(sorted(member.counts.items()), len(member.counts))))
        for member in members
    ]
    draw.shuffle(mixed)
    assert assign_splits(mixed, chosen) == assign_splits(members, chosen)


@given(recordings(), wanted())
def test_a_folder_that_moves_is_split_as_before(
    members: list[RecordingCounts], chosen: SplitSettings
) -> None:
    members = sited(members, chosen)
    moved = assign_splits(
        [replace(member, recording=f"/elsewhere/{member.recording}") for member in members], chosen
    )
    assert moved == {
        f"/elsewhere/{recording}": split
        for recording, split in assign_splits(members, chosen).items()
    }


def test_a_seed_changes_who_goes_but_not_how_many() -> None:
    members = apart([{"Rumble": 2}] * 40)
    drawn = [assign_splits(members, SplitSettings(seed=seed)) for seed in range(5)]
    assert len({tuple(placed.values()) for placed in drawn}) == 5
    assert {tuple(sorted(placed.values())) for placed in drawn} == {
        ("test",) * 6 + ("train",) * 28 + ("validation",) * 6
    }


def test_no_process_splits_otherwise() -> None:
    code = (
        "import json; from loxo.splits import *\n"
        "counts = [{'Gunshot': k % 3, 'Rumble': k % 5} for k in range(60)]\n"
        "all = [RecordingCounts(f'{k}.wav', f'{k // 3}', n) for k, n in enumerate(counts)]\n"
        "named = {'3.wav', '7.wav'}\n"
        "splits = assign_splits(all, SplitSettings('site'), test_recordings=named)\n"
        "print(json.dumps(splits))"
    )
    here = assign_splits(
        [
            RecordingCounts(f"{k}.wav", f"{k // 3}", {"Gunshot": k % 3, "Rumble": k % 5})
            for k in range(60)
        ],
        SplitSettings("site"),
        test_recordings={"3.wav", "7.wav"},
    )
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        assert json.loads(done.stdout) == here


# ---- shares


@given(
    st.integers(10, 300),
    st.integers(1, 20),
    st.sampled_from([(0.15, 0.15), (0.1, 0.25), (0.0, 0.2), (0.4, 0.4)]),
    st.integers(0, 3),
)
def test_equal_units_come_within_one_of_the_shares(
    n: int, size: int, chosen: tuple[float, float], seed: int
) -> None:
    members = apart([{"Rumble": size}] * n)
    aims = SplitSettings("recording", *chosen, seed)
    found = clips(members, assign_splits(members, aims), "Rumble")
    for split in SPLITS:
        assert abs(found[split] - aims.shares.get(split, 0.0) * n * size) < size


@given(st.lists(st.integers(1, 100), min_size=1, max_size=60), wanted())
def test_no_split_has_a_unit_too_many(sizes: list[int], chosen: SplitSettings) -> None:
    members = apart([{"Gunshot": size} for size in sizes])
    for split, n in clips(members, assign_splits(members, chosen), "Gunshot").items():
        assert n - chosen.shares.get(split, 0.0) * sum(sizes) < max(sizes)


@given(st.lists(counts, min_size=1, max_size=30), wanted())
def test_recordings_without_clips_are_spread_like_the_others(
    counted: list[dict[str, int]], chosen: SplitSettings
) -> None:
    empty = [RecordingCounts(f"empty_{k}.wav", f"e{k}", {"Rumble": 0}) for k in range(100)]
    placed = assign_splits([*apart(counted), *empty], chosen)
    found = Counter(placed[member.recording] for member in empty)
    bare = sum(not any(found.values()) for found in counted)
    for split in SPLITS:
        assert abs(found[split] - 100 * chosen.shares.get(split, 0.0)) <= 1 + bare


@pytest.mark.parametrize("n", range(1, 7))
def test_train_comes_first_and_then_every_split_gets_something(n: int) -> None:
    placed = assign_splits(apart([{"Gunshot": 10}] * n), SplitSettings())
    assert set(placed.values()) == set(SPLITS[:n])


@given(st.lists(counts, min_size=3, max_size=12), wanted())
def test_every_split_gets_each_of_two_labels_that_three_units_have(
    counted: list[dict[str, int]], chosen: SplitSettings
) -> None:
    two = [{k: n for k, n in found.items() if k != "Background"} for found in counted]
    members = apart(two)
    placed = assign_splits(members, chosen)
    enough = all(sum(found.get(label, 0) > 0 for found in two) >= 3 for label in LABELS[:2])
    for label in LABELS[:2]:
        if enough:
            assert all(clips(members, placed, label)[split] for split in chosen.shares)


@given(st.lists(counts, min_size=9, max_size=30), wanted())
def test_every_split_gets_each_of_three_labels_that_nine_units_have(
    counted: list[dict[str, int]], chosen: SplitSettings
) -> None:
    members = apart(counted)
    placed = assign_splits(members, chosen)
    for label in LABELS:
        if sum(found.get(label, 0) > 0 for found in counted) >= 9:
            assert all(clips(members, placed, label)[split] for split in chosen.shares)


def test_units_of_one_label_go_together_where_the_others_have_both() -> None:
    both = {"Gunshot": 5, "Rumble": 5}
    placed = assign_splits(apart([both, both, {"Gunshot": 5}, {"Rumble": 5}]), SplitSettings())
    assert placed["nn_2.wav"] == placed["nn_3.wav"]
    assert set(placed.values()) == set(SPLITS)


def test_on_the_whole_it_is_near_the_best_of_all_assignments() -> None:
    """Over invented sets of six recordings, the deviation is at most 1.4 times that of the best
    assignment with as few holes."""
    draw = np.random.default_rng(0)
    greedy = optimum = 0.0
    for _ in range(40):
        drawn = zip(
            draw.choice([0, 0, 1, 3], 6),
            draw.choice([0, 2, 5], 6),
            draw.integers(1, 13, 6),
            strict=True,
        )
        members = apart([dict(zip(LABELS, map(int, found), strict=True)) for found in drawn])
        placed = assign_splits(members, SplitSettings())
        fewest, least = best(members, SplitSettings().shares)
        assert holes(members, placed) == fewest
        greedy, optimum = (
            greedy + deviation(members, placed, SplitSettings().shares),
            optimum + least,
        )
    assert optimum <= greedy <= 1.4 * optimum


def test_many_recordings_meet_the_shares_of_all_labels() -> None:
    draw = np.random.default_rng(0)
    guns, rumbles = draw.pareto(1.5, 500), draw.integers(61, size=500)
    members = apart(
        [
            {"Gunshot": int(shots), "Rumble": int(calls), "Background": 20}
            for shots, calls in zip(guns, rumbles, strict=True)
        ]
    )
    placed = assign_splits(members, SplitSettings())
    for label in LABELS:
        for split, n in clips(members, placed, label).items():
            assert n / total(members, label) == pytest.approx(
                SplitSettings().shares[split], abs=0.02
            )


# ---- published test sets


@pytest.mark.parametrize("share", [0.0, 0.15])
def test_a_test_recording_goes_to_test_with_its_unit(share: float) -> None:
    def day(k: float) -> datetime:
        return EPOCH + timedelta(days=k)

    named = "s3://one/wav/dz_7.wav"
    members = [
        RecordingCounts(f"s3://one/wav/dz_{k}.wav", "dz", {"Rumble": 5}, day(k), DAY_S)
        for k in range(20)
    ]
    members += [
        RecordingCounts("s3://two/dz_7.flac", "dz", {"Rumble": 5}),
        RecordingCounts("late.wav", "dz", {"Rumble": 5}, day(7.5), 60),
    ]
    placed = assign_splits(members, SplitSettings(test=share), test_recordings=[named, "un.wav"])
    assert {placed[name] for name in (named, "s3://two/dz_7.flac", "late.wav")} == {"test"}
    assert 3 <= list(placed.values()).count("test") <= (4 if share else 3)
    whole = assign_splits(members, SplitSettings("site", test=share), test_recordings=[named])
    assert set(whole.values()) == {"test"}


@given(st.integers(0, 60))
def test_what_is_forced_counts_against_the_share(forced: int) -> None:
    members = apart([{"Rumble": 4}] * 100)
    named = [member.recording for member in members[:forced]]
    found = Counter(
        assign_splits(
            members, SplitSettings(test=0.2, validation=0.2), test_recordings=named
        ).values()
    )
    assert found["test"] == max(20, forced)
    assert found["train"] == pytest.approx((100 - found["test"]) * 0.75, abs=1)


# ---- the check


def placed_clips(members: Sequence[RecordingCounts], placed: Mapping[str, str]) -> list[Clip]:
    """A recording cut into three, as far as its length is known."""
    return [
        clip_of(
            m.recording,
            placed[m.recording],
            m.site,
            m.start_time and m.start_time + timedelta(seconds=k * s),
            k * s,
            k * s + s,
        )
        for m in members
        for s in [m.seconds / 3]
        for k in range(3)
    ]


@given(recordings(), wanted(), NAMED)
def test_every_assignment_passes(
    members: list[RecordingCounts], chosen: SplitSettings, named: set[str]
) -> None:
    members = sited(members, chosen)
    check_leaks(
        placed_clips(members, assign_splits(members, chosen, test_recordings=named)),
        by=chosen.by,
        test_recordings=named,
    )


@given(
    recordings(6),
    st.sampled_from(["recording", "site"]),
    st.lists(st.sampled_from(SPLITS), min_size=18, max_size=18),
)
def test_a_leak_is_found_where_the_slow_twin_finds_one(
    members: list[RecordingCounts], by: SplitBy, drawn: list[str]
) -> None:
    cut = placed_clips(members, dict.fromkeys((member.recording for member in members), "train"))
    cut = [replace(clip, split=split) for clip, split in zip(cut, drawn, strict=False)]
    leaks = any(
        a.split != b.split and together(part_of(a), part_of(b), by) for a in cut for b in cut
    )
    assert leaks == refused(cut, by)


def refused(
    clips: Collection[Clip], by: SplitBy = "recording", named: Collection[str] = ()
) -> bool:
    try:
        check_leaks(clips, by=by, test_recordings=named)
    except LeakError:
        return True
    return False


def sound() -> list[Clip]:
    """Three sites of ten recordings, an hour a day, ten clips each; split by site."""
    return [
        clip_of(
            f"{site}_{k}.wav",
            split,
            site,
            EPOCH + timedelta(days=k, seconds=10 * c),
            10.0 * c,
            10.0 * c + 10,
        )
        for site, split in zip(("nn01a", "nn01b", "kp01"), SPLITS, strict=True)
        for k in range(10)
        for c in range(10)
    ]


LEAKS: list[tuple[Clip, SplitBy, str]] = [
    (clip_of("nn01a_3.wav", "test"), "recording", "nn01a_3.wav is in test and train"),
    (
        clip_of("copy/nn01b_0.flac", "train"),
        "recording",
        "copy/nn01b_0.flac (train) and nn01b_0.wav (validation) are one recording",
    ),
    (clip_of("nn01a_11.wav", "test", "nn01a"), "site", "site nn01a is in test and train"),
    (
        clip_of(
            "nn01a_11.wav",
            "test",
            "nn01a",
            EPOCH + timedelta(days=3, seconds=99.5),
            90_000.0,
            90_010.0,
        ),
        "recording",
        "nn01a_11.wav (test) and nn01a_3.wav (train) hold the same time of site nn01a",
    ),
    (clip_of("dz_1.wav", "validation"), "recording", "dz_1.wav of the test set is in validation"),
]


@pytest.mark.parametrize(("leak", "by", "told"), LEAKS, ids=[told for _, _, told in LEAKS])
@pytest.mark.parametrize("where", [0, 150, 300])
def test_each_kind_of_leak_is_told(leak: Clip, by: SplitBy, told: str, where: int) -> None:
    clean = sound()
    check_leaks(clean, by=by, test_recordings=["dz_1.wav"])
    with pytest.raises(LeakError) as refusal:
        check_leaks([*clean[:where], leak, *clean[where:]], by=by, test_recordings=["dz_1.wav"])
    assert (
        str(refusal.value) == f"the splits leak: {told}; remove these clips, or split again by {by}"
    )


def test_clips_that_only_touch_do_not_leak() -> None:
    first = clip_of("a.wav", "train", "s", EPOCH, 0.0, 10.0)
    beside = clip_of("b.wav", "test", "s", EPOCH + timedelta(seconds=9.9995), 0.0, 10.0)
    assert not refused([first, beside])
    assert refused([first, replace(beside, start_time=EPOCH + timedelta(seconds=9.99))])
    assert not refused([first, replace(beside, start_time=EPOCH, site="elsewhere")])
    assert not refused([replace(first, site=None), replace(beside, start_time=EPOCH, site=None)])


def test_a_long_clip_is_met_behind_short_ones() -> None:
    long = clip_of("long.wav", "train", "s", EPOCH, 0.0, 100.0)
    short = [
        clip_of(f"{k}.wav", "train", "s", EPOCH + timedelta(seconds=k), 0.0, 1.0)
        for k in range(1, 50)
    ]
    assert refused(
        [*short, clip_of("last.wav", "test", "s", EPOCH + timedelta(seconds=99), 0.0, 10.0), long]
    )


def test_an_error_names_the_first_few() -> None:
    clips = [
        clip_of(f"{k}.wav", split) for k in range(8) for split in ("train", "test", "train", "test")
    ]
    with pytest.raises(
        LeakError,
        match=r"^the splits leak: 0\.wav is .*, 1\.wav is .*, 2\.wav is in test and train, "
        r"and 5 more; [^\n]*$",
    ):
        check_leaks(clips)


# ---- refusals


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: SplitSettings(validation=-0.1), "must not be negative"),
        (lambda: SplitSettings(test=math.nan), "must not be negative"),
        (lambda: SplitSettings(validation=0.5, test=0.5), "nothing to train"),
        (lambda: SplitSettings(by="day"), "choose one of recording, site"),  # type: ignore[arg-type]
        (lambda: check_leaks([], by="day"), "choose one of recording, site"),  # type: ignore[arg-type]
        (lambda: RecordingCounts("a.wav", None, {"Rumble": -1}), "must not be negative"),
        (lambda: RecordingCounts("a.wav", None, {}, seconds=math.nan), "must not be negative"),
        (lambda: RecordingCounts("a.wav", None, {}, EPOCH.replace(tzinfo=None)), "has no zone"),
        (
            lambda: assign_splits([*apart([{}]), *apart([{}])], SplitSettings()),
            "nn_0.wav: given 2 times; add up its counts",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(make: Callable[[], object], told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)) as refusal:
        make()
    assert "\n" not in str(refusal.value)


def test_nothing_is_split_into_nothing() -> None:
    assert assign_splits([], SplitSettings(), test_recordings=["a"]) == {}
    check_leaks([])
