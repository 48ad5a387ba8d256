"""Which recording or site is in which fold, and a check that refuses leakage.

A model that is judged on what it has heard in training looks better than it is. Clips of one recording share the same night, the same
insects and often the same animal, so no recording is divided; with `by="site"` no site is. What goes whole into one split is a **unit**:

- recordings that share a stem: one sound as WAV and as FLAC, or in two buckets;
- recordings of one site that overlap in absolute time: a file longer than 24 h and the next one hold the same sound;
- with `by="site"`, all recordings of a site. A recording of unknown site is then a unit of its own.

Units are stratified by label: every label's clips come near to the wanted shares. Three steps, of which each leaves alone what those
before it have placed:

1. Units with recordings of a published test set go to test, whatever its share.
2. Every split gets a unit with every label, as far as there are such units: the scarcest label first, and train before the others.
3. The rest goes where it is needed: label by label, the scarcest of what is left first, its biggest unit first, each to the split that
   needs most of this label. So no split gets more of the label than it needs by as much as a unit, unless an earlier step gave it that.

The order of equal units is drawn with the seed from their stems, so that a set is split in the same way in any order, and in any folder.

`check` trusts nobody: it looks at the clips themselves, wherever they come from. In published tables of the field 4 of 8 gunshot test
files also hold training rows.

Sources: K. Sechidis, G. Tsoumakas, I. Vlahavas, "On the stratification of multi-label data", ECML PKDD 2011, LNCS 6913, 145-158 (its
iterative stratification, here of units instead of single examples).
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol, TypeVar, get_args

from loxo.annotations import recording_stem
from loxo.clips import Clip

__all__ = ["SPLITS", "By", "LeakError", "Member", "Placed", "SplitSettings", "assign", "check", "placed", "unmatched"]

SPLITS = ("train", "validation", "test")
TRAIN, VALIDATION, TEST = SPLITS

By = Literal["recording", "site"]

NO_CLIPS = ""
"""Stands for a label in units without clips, so that they are spread too."""
TRIES = 2000
"""Most steps in search of a unit with a label for a split; only tables of a dozen labels or more in few units come near it."""
GRACE_S = 1e-3
"""Clips that share no more are apart: their times are rounded."""
NAMED = 3
"""Most leaks that an error names."""


@dataclass(frozen=True, slots=True)
class SplitSettings:
    """What is kept together, and how much goes where.

    Args:
        by: what is never divided. A recording of unknown site counts as a site of its own.
        validation: its share of the clips of each label; train gets what validation and test leave.
        test: the same.
        seed: of the order of units that are equal in size.

    Raises:
        ValueError: if `by` is neither, a share is negative, or nothing is left for train.
    """

    by: By = "recording"
    validation: float = 0.15
    test: float = 0.15
    seed: int = 0

    def __post_init__(self) -> None:
        _check_by(self.by)
        if not (self.validation >= 0 and self.test >= 0):
            raise ValueError(f"shares of validation {self.validation} and test {self.test} must not be negative; 0 leaves a split out")
        if not self.validation + self.test < 1:
            raise ValueError(f"shares of validation {self.validation} and test {self.test} leave nothing to train; keep their sum below 1")

    @property
    def shares(self) -> dict[str, float]:
        """Of the splits that get any, in the order of `SPLITS`."""
        shares = {TRAIN: 1 - self.validation - self.test, VALIDATION: self.validation, TEST: self.test}
        return {split: share for split, share in shares.items() if share > 0}


@dataclass(frozen=True, slots=True)
class Member:
    """What is known of a recording to be put into a fold.

    Args:
        recording: its address, which no other member has.
        counts: clips (or events) by label, Background included.
        start_time: zoned.
        seconds: its length; 0 where that is unknown, and no overlap is seen.

    Raises:
        ValueError: if the start time has no zone, or a count or the length is negative.
    """

    recording: str
    site: str | None
    counts: Mapping[str, int]
    start_time: datetime | None = None
    seconds: float = 0.0

    def __post_init__(self) -> None:
        _check_zoned(self.recording, self.start_time)
        if min(self.counts.values(), default=0) < 0 or not 0 <= self.seconds < math.inf:
            raise ValueError(f"{self.recording}: counts {dict(self.counts)} and length {self.seconds} s must not be negative")


@dataclass(frozen=True, slots=True)
class Placed:
    """A clip, where it was cut, and the split that it is in.

    Args:
        start_time: zoned, of the clip, not of its recording.
        start_s: in its recording.
        end_s: in its recording.

    Raises:
        ValueError: if the start time has no zone.
    """

    recording: str
    split: str
    site: str | None = None
    start_time: datetime | None = None
    start_s: float = 0.0
    end_s: float = 0.0

    def __post_init__(self) -> None:
        _check_zoned(self.recording, self.start_time)

    @property
    def seconds(self) -> float:
        return self.end_s - self.start_s


def placed(clip: Clip) -> Placed:
    """A clip of a manifest, as `check` looks at it."""
    start_s = clip.start_s or 0.0
    began = None if clip.start_time is None else clip.start_time + timedelta(seconds=start_s)
    return Placed(clip.group, clip.split, clip.site, began, start_s, start_s + clip.seconds)


class LeakError(ValueError):
    """The same sound is in two splits, or a recording of the test set is not in test."""


def _check_by(by: str) -> None:
    if by not in get_args(By):
        raise ValueError(f"splits by {by!r} are not known; choose one of {', '.join(get_args(By))}")


def _check_zoned(recording: str, start_time: datetime | None) -> None:
    if start_time is not None and start_time.utcoffset() is None:
        raise ValueError(f"{recording}: its start time {start_time} has no zone; give it one, or leave it out")


# ---- what belongs together


class _Sound(Protocol):
    """A stretch of sound in a recording: a `Member` is a whole one, a `Placed` clip a part."""

    @property
    def recording(self) -> str: ...
    @property
    def site(self) -> str | None: ...
    @property
    def start_time(self) -> datetime | None: ...
    @property
    def seconds(self) -> float: ...


_S = TypeVar("_S", bound=_Sound)


def _same(sounds: Iterable[_S], key: Callable[[_S], str | None]) -> Iterator[tuple[_S, _S]]:
    """Each sound with the one before it that has the same key; those without a key are left out."""
    before: dict[str, _S] = {}
    for sound in sounds:
        name = key(sound)
        if name is not None:
            if name in before:
                yield before[name], sound
            before[name] = sound


def _same_stem(sounds: Iterable[_S]) -> Iterator[tuple[_S, _S]]:
    return _same(sounds, lambda sound: recording_stem(sound.recording))


def _same_site(sounds: Iterable[_S]) -> Iterator[tuple[_S, _S]]:
    return _same(sounds, lambda sound: sound.site)


def _same_time(sounds: Iterable[_S], grace_s: float = 0.0) -> Iterator[tuple[_S, _S]]:
    """Pairs of one site that share more than `grace_s` in absolute time.

    In order of their starts, each is paired with the one before it that lasts longest. These pairs are few, and chain together all that
    overlap: whatever overlaps a sound and begins before it ends no later than the one that it is paired with.
    """
    timed = [
        (sound.start_time.timestamp(), sound.site, sound)
        for sound in sounds
        if sound.start_time is not None and sound.site is not None and sound.seconds > grace_s
    ]
    longest: dict[str, tuple[float, _S]] = {}
    for start_s, site, sound in sorted(timed, key=lambda entry: entry[0]):
        end_s, other = longest.get(site, (-math.inf, sound))
        if end_s - start_s > grace_s:
            yield other, sound
        longest[site] = max((end_s, other), (start_s + sound.seconds, sound), key=lambda entry: entry[0])


def _stems(names: Iterable[str]) -> set[str]:
    return {recording_stem(name) for name in names}


@dataclass(frozen=True, slots=True)
class _Unit:
    """Recordings that stay together, and their clips by label.

    Args:
        order: among equal units: drawn with the seed from the first stem, and that stem.
    """

    recordings: tuple[str, ...]
    counts: Mapping[str, int]
    order: tuple[bytes, str]

    @property
    def labels(self) -> frozenset[str]:
        return frozenset(self.counts)


def _units(members: Sequence[Member], settings: SplitSettings) -> list[_Unit]:
    """Units in the order drawn with the seed, whatever the order of the members."""
    grouped: dict[str, list[Member]] = defaultdict(list)
    for member, root in zip(members, _roots(members, settings.by), strict=True):
        grouped[root].append(member)
    return sorted((_unit(group, settings.seed) for group in grouped.values()), key=lambda unit: unit.order)


def _roots(members: Sequence[Member], by: By) -> list[str]:
    """Of each member, the recording that stands for all that must stay with it (union-find with path halving)."""
    parent = {member.recording: member.recording for member in members}

    def root(recording: str) -> str:
        while parent[recording] != recording:
            parent[recording] = parent[parent[recording]]
            recording = parent[recording]
        return recording

    for links in (_same_stem(members), _same_site(members) if by == "site" else _same_time(members)):
        for one, other in links:
            parent[root(one.recording)] = root(other.recording)
    return [root(member.recording) for member in members]


def _unit(members: Sequence[Member], seed: int) -> _Unit:
    counts: Counter[str] = Counter()
    for member in members:
        counts.update(member.counts)
    stem = min(_stems(member.recording for member in members))
    drawn = hashlib.sha256(f"{seed} {stem}".encode(errors="backslashreplace")).digest()
    return _Unit(tuple(member.recording for member in members), dict(+counts) or {NO_CLIPS: 1}, (drawn, stem))


# ---- who goes where


def assign(members: Sequence[Member], settings: SplitSettings, *, test_recordings: Collection[str] = ()) -> dict[str, str]:
    """The split of each recording, by its address.

    The same members, settings and test recordings give the same splits, in any order.

    Args:
        test_recordings: of a published test set, by address, base name or stem. Their units go to test even if its share is 0, and count
            against it. If they are more than that, train and validation share what they leave. `unmatched` tells which are not there.

    Raises:
        ValueError: if two members have the same address.
    """
    twice = [recording for recording, count in Counter(member.recording for member in members).items() if count > 1]
    if twice:
        raise ValueError(f"{min(twice)}: this recording is there more than once; sum its counts up and give it once")
    named = _stems(test_recordings)
    units = _units(members, settings)
    forced = [unit for unit in units if not named.isdisjoint(_stems(unit.recordings))]
    folds = _Folds(settings.shares, _aims(_total(units), _total(forced), settings))
    for unit in forced:
        folds.put(unit, TEST)
    folds.spread(units)
    folds.fill(units)
    return {member.recording: folds.placed[member.recording] for member in members}


def unmatched(members: Sequence[Member], test_recordings: Collection[str]) -> list[str]:
    """Names of test recordings that no member has, sorted."""
    there = _stems(member.recording for member in members)
    return sorted({name for name in test_recordings if recording_stem(name) not in there})


def _total(units: Iterable[_Unit]) -> Counter[str]:
    total: Counter[str] = Counter()
    for unit in units:
        total.update(unit.counts)
    return total


def _aims(total: Mapping[str, int], forced: Mapping[str, int], settings: SplitSettings) -> dict[str, dict[str, float]]:
    """Clips of each label that each split should get: test its share or all that it must, the others by their shares of what is left.

    Labels are sorted, since sums of floats depend on their order.
    """
    test = {label: max(settings.test * count, forced.get(label, 0)) for label, count in sorted(total.items())}
    others = {split: share / (1 - settings.test) for split, share in settings.shares.items() if split != TEST}
    return {TEST: test} | {split: {label: share * (total[label] - test[label]) for label in test} for split, share in others.items()}


@dataclass(slots=True)
class _Folds:
    """Splits that are being filled.

    Args:
        shares: of the splits that get more than what is forced into them.
        aims: clips by split and label.
        placed: split by recording.
        held: clips by split and label.
    """

    shares: Mapping[str, float]
    aims: Mapping[str, Mapping[str, float]]
    placed: dict[str, str] = field(default_factory=dict)
    held: dict[str, Counter[str]] = field(default_factory=lambda: {split: Counter() for split in SPLITS})

    def put(self, unit: _Unit, split: str) -> None:
        self.placed.update(dict.fromkeys(unit.recordings, split))
        self.held[split].update(unit.counts)

    def free(self, units: Iterable[_Unit]) -> list[_Unit]:
        return [unit for unit in units if unit.recordings[0] not in self.placed]

    def need(self, split: str, label: str) -> float:
        """Clips that are missing to the aim; negative where there are too many."""
        return self.aims[split][label] - self.held[split][label]

    def neediest(self, label: str) -> str:
        """The split that needs most of a label; of several, most of all labels."""
        return max(self.shares, key=lambda split: (self.need(split, label), sum(self.need(split, other) for other in self.aims[split])))

    def spread(self, units: Sequence[_Unit]) -> None:
        """Give every split a unit with every label, as far as there are any: of those that serve, the one nearest to its needs."""
        free = self.free(units)
        total = _total(units)
        wanted = [(label, split) for label in _scarcest_first(total) for split in self.shares if not self.held[split][label]]
        for split, kind in _most_covered(wanted, Counter(unit.labels for unit in free)):
            serving = [unit for unit in free if unit.labels == kind]
            misses = [sum(abs(unit.counts[label] - self.need(split, label)) / total[label] for label in sorted(kind)) for unit in serving]
            nearest = serving[misses.index(min(misses))]
            self.put(nearest, split)
            free.remove(nearest)

    def fill(self, units: Sequence[_Unit]) -> None:
        """Put each unit where its scarcest label is needed most."""
        free = self.free(units)
        while free:
            label = _scarcest_first(_total(free))[0]
            for unit in sorted((unit for unit in free if label in unit.counts), key=lambda unit: -unit.counts[label]):
                self.put(unit, self.neediest(label))
            free = [unit for unit in free if label not in unit.counts]


def _scarcest_first(total: Mapping[str, int]) -> list[str]:
    return sorted(total, key=lambda label: (total[label], label))


_Wanted = tuple[str, str]
"""A label, and a split that has none of it."""
_Kind = frozenset[str]
"""The labels of a unit: units of one kind serve equally."""
_Cover = list[tuple[str, _Kind]]


def _most_covered(wanted: Sequence[_Wanted], kinds: Counter[_Kind]) -> _Cover:
    """Kinds of units to give to splits, so that each gets what it wants; a wish that cannot be met beside those before it is dropped."""
    met: list[_Wanted] = []
    best: _Cover = []
    for wish in wanted:
        cover = _cover([*met, wish], kinds, iter(range(TRIES)))
        if cover is not None:
            met, best = [*met, wish], cover
    return best


def _cover(wanted: Sequence[_Wanted], kinds: Counter[_Kind], tries: Iterator[int]) -> _Cover | None:
    """Kinds that meet all wishes; None if there are none, or the tries are used up."""
    if not wanted:
        return []
    wishes = Counter(label for label, _ in wanted)
    if next(tries, None) is None or any(sum(kinds[kind] for kind in kinds if label in kind) < n for label, n in wishes.items()):
        return None
    label, split = wanted[0]
    here = {other for other, where in wanted if where == split}
    for kind in sorted((kind for kind in kinds if label in kind), key=lambda kind: (-len(kind & here), sorted(kind))):
        rest = [(other, where) for other, where in wanted if where != split or other not in kind]
        cover = _cover(rest, kinds - Counter([kind]), tries)
        if cover is not None:
            return [(split, kind), *cover]
    return None


# ---- the check


def check(clips: Iterable[Placed], *, by: By = "recording", test_recordings: Collection[str] = ()) -> None:
    """Refuse clips that leak from one split into another.

    Looked for are recordings in two splits, under one address or under two with one stem; sites in two splits if they are split by site,
    else clips of one site that overlap in absolute time; and test recordings that are not in test. It takes `n log n` for `n` clips.

    Raises:
        LeakError: naming the first few, and their splits.
        ValueError: if `by` is neither recording nor site.
    """
    _check_by(by)
    leaks = list(dict.fromkeys(_leaks(list(clips), by, _stems(test_recordings))))
    if leaks:
        more = f", and {len(leaks) - NAMED} more" if len(leaks) > NAMED else ""
        raise LeakError(f"the splits leak: {', '.join(leaks[:NAMED])}{more}; leave these clips out, or split anew by {by}")


def _leaks(clips: Sequence[Placed], by: By, named: Collection[str]) -> Iterator[str]:
    for one, other in _between_splits(_same_stem(clips)):
        same = one.recording == other.recording
        yield f"{one.recording} is in {one.split} and {other.split}" if same else f"{_told(one, other)} are one recording"
    if by == "site":
        for one, other in _between_splits(_same_site(clips)):
            yield f"site {one.site} is in {one.split} and {other.split}"
    else:
        for one, other in _between_splits(_same_time(clips, GRACE_S)):
            if recording_stem(one.recording) != recording_stem(other.recording):
                yield f"{_told(one, other)} hold the same time of site {one.site}"
    for clip in clips:
        if clip.split != TEST and recording_stem(clip.recording) in named:
            yield f"{clip.recording} of the test set is in {clip.split}"


def _between_splits(pairs: Iterable[tuple[Placed, Placed]]) -> Iterator[tuple[Placed, Placed]]:
    """Pairs of two splits, each in the order of the splits' names, so that a leak is told in one way only."""
    for one, other in pairs:
        if one.split != other.split:
            yield (one, other) if one.split < other.split else (other, one)


def _told(one: Placed, other: Placed) -> str:
    return f"{one.recording} ({one.split}) and {other.recording} ({other.split})"
