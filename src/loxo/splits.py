"""Assign recordings to train, validation and test, and check clips for leaks between them.

Clips of one recording share the night, the insects and often the animal. A model that is tested on
such clips looks better than it is, so recordings that belong together stay in one split. They form
a **unit**, a connected component of these links:

- the same recording under two paths: one stem (a WAV and a FLAC, or copies in two buckets), unless
  both sites are known and differ, as for AudioMoths, which name files by the time alone;
- recordings of one site that overlap in absolute time: a file longer than 24 h and the next one;
- with `by="site"`, all recordings of a site.

Units are assigned in three steps:

1. Units of published test recordings go to test, whatever its share.
2. Each split gets a unit of each label that it lacks: labels of the fewest units first, train
   before validation before test. Among units with the label, the one with most of the missing
   labels is taken, then the one nearest to what the split still needs.
3. The remaining units go label by label, the label with the fewest clips first and its largest unit
   first, each to the split that lacks most clips of that label.

Step 2 succeeds for two labels if each has three units that are free after step 1, and for `n`
labels if each has `3 n`. In step 3 a split exceeds its share by less than one unit. The
order of equal units is drawn with the seed from their sites and names, so it depends neither on the
order of the data nor on the folder that they lie in.

`check_leaks` checks finished clips of any origin. It is needed: in published tables, 4 of 8 test
files of gunshots also hold training rows.

Source: K. Sechidis, G. Tsoumakas, I. Vlahavas, "On the stratification of multi-label data", ECML
PKDD 2011, LNCS 6913, 145-158. Step 3 is their iterative stratification, of units instead of single
examples.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from loxo.clips import Clip
from loxo.messages import pluralize
from loxo.recordings.names import recording_stem, stem_key

__all__ = [
    "SPLITS",
    "LeakError",
    "RecordingCounts",
    "SplitBy",
    "SplitSettings",
    "assign_splits",
    "check_leaks",
]

SPLITS = ("train", "validation", "test")
TEST = SPLITS.index("test")

SplitBy = Literal["recording", "site"]

NO_CLIPS = ""
"""Label of units without clips, so that they are spread over the splits, too."""
GRACE_S = 1e-3
"""Shorter overlaps of clips are ignored, because their times are rounded."""
MAX_NAMED = 3
"""Number of leaks that an error names."""

Counts = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SplitSettings:
    """What stays together, and the share of each split.

    Args:
        by: unit that is never divided between splits, `recording` or `site`.
        validation: share of the clips of each label for validation; train gets the rest.
        test: share of the clips of each label for test.
        seed: decides the order of units of equal size.

    Raises:
        ValueError: if `by` is unknown, a share is negative, or nothing is left for train.
    """

    by: SplitBy = "recording"
    validation: float = 0.15
    test: float = 0.15
    seed: int = 0

    def __post_init__(self) -> None:
        _check_by(self.by)
        shares = f"shares of validation {self.validation} and test {self.test}"
        if not (self.validation >= 0 and self.test >= 0):
            raise ValueError(f"{shares} must not be negative; 0 leaves a split empty")
        if not self.validation + self.test < 1:
            raise ValueError(f"{shares} leave nothing to train; keep their sum below 1")

    @property
    def shares(self) -> dict[str, float]:
        """Share of each split that gets any, in the order of `SPLITS`."""
        all_shares = (1 - self.validation - self.test, self.validation, self.test)
        named = zip(SPLITS, all_shares, strict=True)
        return {split: share for split, share in named if share > 0}


@dataclass(frozen=True, slots=True)
class RecordingCounts:
    """A recording that is to be assigned, and its number of clips.

    Args:
        recording: its path or address, unique in the set.
        counts: clips (or events) by label, Background included.
        start_time: start with its time zone; None if it is unknown, so that overlaps are not found.
        seconds: length; 0 if it is unknown.

    Raises:
        ValueError: if the start time has no zone, or a count or the length is negative.
    """

    recording: str
    site: str | None
    counts: Mapping[str, int]
    start_time: datetime | None = None
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.start_time is not None and self.start_time.utcoffset() is None:
            raise ValueError(
                f"{self.recording}: its start time {self.start_time} has no zone; "
                "give it one, or None"
            )
        if min(self.counts.values(), default=0) < 0 or not 0 <= self.seconds < math.inf:
            raise ValueError(
                f"{self.recording}: counts {dict(self.counts)} and length {self.seconds} s "
                "must not be negative"
            )


class LeakError(ValueError):
    """The same sound is in two splits, or a test recording is not in test."""


def _check_by(by: str) -> None:
    if by not in get_args(SplitBy):
        choices = ", ".join(get_args(SplitBy))
        raise ValueError(f"splits by {by!r} are not known; choose one of {choices}")


# ---- recordings that belong together


_Link = tuple[int, int]
"""Indices of two recordings, or clips, that belong together."""


def _links(
    spans: Sequence[RecordingCounts], by: SplitBy, grace_s: float = 0.0
) -> Iterator[tuple[str, _Link]]:
    """Links between spans, each with its kind: recording, site or time.

    Only neighbours in a chain are linked. All spans of a chain are in one split if and only if its
    neighbours are.
    """
    yield from (("recording", link) for link in _chain(_identities(spans)))
    if by == "site":
        sites = [span.site for span in spans]
        yield from (("site", link) for link in _chain(sites))
    else:
        yield from (("time", link) for link in _overlaps(spans, grace_s))


def _identities(spans: Sequence[RecordingCounts]) -> list[tuple[str, str | None]]:
    """What identifies each recording: stem and site; the stem alone where a site is unknown."""
    stems = [stem_key(span.recording) for span in spans]
    unknown = {stem for stem, span in zip(stems, spans, strict=True) if span.site is None}
    named = zip(stems, spans, strict=True)
    return [(stem, None if stem in unknown else span.site) for stem, span in named]


def _chain(keys: Iterable[object]) -> Iterator[_Link]:
    """Link each index to the previous one with the same key; None is not a key."""
    last: dict[object, int] = {}
    for index, key in enumerate(keys):
        if key is not None and key in last:
            yield last[key], index
        last[key] = index


def _overlaps(spans: Sequence[RecordingCounts], grace_s: float) -> Iterator[_Link]:
    """Link spans of one site that share more than `grace_s`.

    In order of their starts, each is linked to the earlier one that ends last: if a span overlaps
    any earlier one, it overlaps that one.
    """
    timed = [
        (span.start_time.timestamp(), span.site, index)
        for index, span in enumerate(spans)
        if span.start_time is not None and span.site is not None and span.seconds > grace_s
    ]
    last_end: dict[str, tuple[float, int]] = {}
    for start_s, site, index in sorted(timed):
        end_s, other = last_end.get(site, (-math.inf, index))
        if end_s - start_s > grace_s:
            yield other, index
        last_end[site] = max((end_s, other), (start_s + spans[index].seconds, index))


def _components(spans: Sequence[RecordingCounts], by: SplitBy) -> list[int]:
    """Number of the unit that each span belongs to."""
    links = [link for _, link in _links(spans, by)]
    first, second = zip(*links, strict=True) if links else ((), ())
    graph = coo_array((np.ones(len(links)), (first, second)), shape=(len(spans), len(spans)))
    _, component = connected_components(graph, directed=False)
    return [int(number) for number in component]


# ---- assigning units


def assign_splits(
    recordings: Sequence[RecordingCounts],
    settings: SplitSettings,
    *,
    test_recordings: Collection[str] = (),
) -> dict[str, str]:
    """Assign each recording to a split; the result does not depend on their order.

    Args:
        test_recordings: addresses of the recordings of a published test set. Their units go to
            test even if its share is 0, and count towards it. If they exceed it, train and
            validation share the rest.

    Raises:
        ValueError: if two recordings have one address, or one has no site and `by` is `site`.
    """
    if not recordings:
        return {}
    _check(recordings, settings.by)
    units = _units(recordings, settings)
    named = set(test_recordings)
    published = {index for index, each in enumerate(recordings) if each.recording in named}
    forced = [not published.isdisjoint(unit) for unit in units]
    clips = [_clips_of(recordings, unit) for unit in units]
    splits = _Assignment(clips, forced, settings).splits()
    split_of: dict[int, str] = {}
    for unit, split in zip(units, splits, strict=True):
        split_of.update(dict.fromkeys(unit, SPLITS[split]))
    return {recording.recording: split_of[index] for index, recording in enumerate(recordings)}


def _check(recordings: Sequence[RecordingCounts], by: SplitBy) -> None:
    address, times = Counter(r.recording for r in recordings).most_common(1)[0]
    if times > 1:
        raise ValueError(f"{address}: given {times} times; add up its counts")
    without = [recording.recording for recording in recordings if recording.site is None]
    if without and by == "site":
        raise ValueError(
            f"{pluralize(len(without), 'recording')} without a site, such as {min(without)}, "
            "cannot be split by site; name the sites with --site-from, or use --split-by recording"
        )


def _units(recordings: Sequence[RecordingCounts], settings: SplitSettings) -> list[list[int]]:
    """Indices of the recordings of each unit, in the order drawn with the seed."""
    units: dict[int, list[int]] = defaultdict(list)
    for index, component in enumerate(_components(recordings, settings.by)):
        units[component].append(index)

    def order(unit: list[int]) -> tuple[bytes, str]:
        members = [recordings[index] for index in unit]
        name, address = min(
            (f"{r.site or ''} {recording_stem(r.recording)}", r.recording) for r in members
        )
        drawn = hashlib.sha256(f"{settings.seed} {name}".encode(errors="backslashreplace"))
        return drawn.digest(), address

    return sorted(units.values(), key=order)


def _clips_of(recordings: Sequence[RecordingCounts], unit: Sequence[int]) -> dict[str, int]:
    """Clips of a unit by label."""
    counts: Counter[str] = Counter()
    for index in unit:
        counts.update(recordings[index].counts)
    return dict(+counts) or {NO_CLIPS: 1}


class _Assignment:
    """Units of clips that are put into splits one by one.

    Args:
        clips: clips of each unit by label, in the order drawn.
        forced: whether each unit must be in test.
        settings: shares of the splits.

    Attributes:
        counts: clips `(unit, label)`.
        aims: clips that each split should get `(split, label)`.
        held: clips that it has `(split, label)`.
        split: number of each unit's split; -1 while it has none `(unit,)`.
        open: numbers of the splits with a share above 0.
    """

    def __init__(
        self,
        clips: Sequence[Mapping[str, int]],
        forced: Sequence[bool],
        settings: SplitSettings,
    ) -> None:
        labels = sorted(set().union(*clips))
        self.counts: Counts = np.zeros((len(clips), len(labels)))
        for row, counts in enumerate(clips):
            self.counts[row] = [counts.get(label, 0) for label in labels]
        self.split = np.full(len(clips), -1)
        self.held: Counts = np.zeros((len(SPLITS), len(labels)))
        self.open = [SPLITS.index(split) for split in settings.shares]
        for unit in np.flatnonzero(forced):
            self._put(int(unit), TEST)
        self.aims = _aims(self.counts.sum(axis=0), self.held[TEST], settings)

    def splits(self) -> list[int]:
        """Number of each unit's split."""
        self._give_each_label()
        self._fill()
        return [int(split) for split in self.split]

    def _put(self, unit: int, split: int) -> None:
        self.split[unit] = split
        self.held[split] += self.counts[unit]

    def _free(self, label: int) -> NDArray[np.intp]:
        """Units without a split that hold a label, in the order drawn."""
        return np.flatnonzero((self.split < 0) & (self.counts[:, label] > 0))

    def _give_each_label(self) -> None:
        """Give each split a unit of each label that it lacks, while there are such units."""
        n_units = (self.counts > 0).sum(axis=0)
        for label in np.argsort(n_units, kind="stable"):
            for split in self.open:
                units = self._free(label)
                if len(units) and not self.held[split, label]:
                    self._put(self._fittest(units, split), split)

    def _fittest(self, units: NDArray[np.intp], split: int) -> int:
        """Of some units, the one with most labels that a split lacks, then nearest to its needs."""
        counts = self.counts[units]
        n_new = ((counts > 0) & (self.held[split] == 0)).sum(axis=1)
        excess = np.abs(counts - (self.aims - self.held)[split]) / self.counts.sum(axis=0)
        best = np.lexsort((excess.sum(axis=1), -n_new))[0]
        return int(units[best])

    def _fill(self) -> None:
        """Put each remaining unit where its scarcest label is needed most."""
        while (self.split < 0).any():
            n_clips = self.counts[self.split < 0].sum(axis=0)
            label = int(np.argmin(np.where(n_clips > 0, n_clips, np.inf)))
            units = self._free(label)
            for unit in units[np.argsort(-self.counts[units, label], kind="stable")]:
                self._put(int(unit), self._neediest(label))

    def _neediest(self, label: int) -> int:
        """The split that lacks most clips of a label; among equals, most clips of all labels."""
        need = self.aims - self.held
        return max(self.open, key=lambda split: (need[split, label], need[split].sum()))


def _aims(total: Counts, forced: Counts, settings: SplitSettings) -> Counts:
    """Clips of each label that each split should get `(split, label)`.

    Test gets its share, or what is forced into it if that is more. Train and validation divide the
    rest in proportion to their shares.
    """
    test = np.maximum(settings.test * total, forced)
    validation = settings.validation / (1 - settings.test) * (total - test)
    return np.stack([total - test - validation, validation, test])


# ---- checking finished clips


def check_leaks(
    clips: Iterable[Clip], *, by: SplitBy = "recording", test_recordings: Collection[str] = ()
) -> None:
    """Check that no clips leak from one split into another.

    These are leaks:

    - a recording in two splits, under one path or under two;
    - a site in two splits, with `by="site"`;
    - clips of one site in two splits that overlap in absolute time, with `by="recording"`;
    - a test recording that is not in test.

    The time is `n log n` for `n` clips.

    Raises:
        LeakError: with the first few leaks.
        ValueError: if `by` is unknown.
    """
    _check_by(by)
    leaks = list(dict.fromkeys(_leaks(list(clips), by, set(test_recordings))))
    if leaks:
        more = f", and {len(leaks) - MAX_NAMED} more" if len(leaks) > MAX_NAMED else ""
        raise LeakError(
            f"the splits leak: {', '.join(leaks[:MAX_NAMED])}{more}; "
            f"remove these clips, or split again by {by}"
        )


def _leaks(clips: Sequence[Clip], by: SplitBy, test_recordings: Collection[str]) -> Iterator[str]:
    parts = [_of_clip(clip) for clip in clips]
    for kind, indices in _links(parts, by, GRACE_S):
        one, other = sorted((clips[index] for index in indices), key=lambda clip: clip.split)
        if one.split != other.split:
            yield _leak(kind, one, other)
    for clip in clips:
        if clip.group in test_recordings and clip.split != SPLITS[TEST]:
            yield f"{clip.group} of the test set is in {clip.split}"


def _leak(kind: str, one: Clip, other: Clip) -> str:
    both = f"{one.group} ({one.split}) and {other.group} ({other.split})"
    if kind == "site":
        return f"site {one.site} is in {one.split} and {other.split}"
    if kind == "time":
        return f"{both} hold the same time of site {one.site}"
    if one.group == other.group:
        return f"{one.group} is in {one.split} and {other.split}"
    return f"{both} are one recording"


def _of_clip(clip: Clip) -> RecordingCounts:
    offset = timedelta(seconds=clip.start_s or 0.0)
    start_time = None if clip.start_time is None else clip.start_time + offset
    return RecordingCounts(clip.group, clip.site, {}, start_time, clip.seconds)
