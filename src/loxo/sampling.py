"""Batches with fixed shares of clips of each kind, against class imbalance.

Rumbles fill a thousandth of the recorded time and gunshots less, so batches drawn evenly from a
clip set teach a model little but background. Here each batch holds fixed shares of the **kinds** of
clips. There is a kind for each label (clips that hold events of this label only), one for clips
with events of several labels, and one for background.

- The counts of a batch are its shares, rounded to whole clips by **largest remainders**. The
  rounding error is carried over to the following batches, so a kind with a share of half a clip
  per batch comes in every other batch.
- The clips of a kind are dealt like cards. All of them are used, in random order, before any is
  used again, across batches and epochs. So a rare kind is repeated and a frequent kind is thinned
  out, but every clip is used in the long run.
- Everything is a function of seed and epoch. Processes that train together (rank `r` of a world of
  `w`) each take every `w`-th batch of the same sequence, without communication.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from loxo.events import BACKGROUND, EVENT_LABELS

__all__ = [
    "SEVERAL",
    "BalancedBatches",
    "check_shares",
    "clip_kinds",
    "counts_by_batch",
    "default_shares",
    "kind_of",
]

SEVERAL = "Several"
"""Kind of the clips that hold events of more than one label."""


def clip_kinds(labels: Sequence[str] = EVENT_LABELS) -> tuple[str, ...]:
    """Names of the kinds of clips, in the order of all arrays here.

    >>> clip_kinds()
    ('Rumble', 'Gunshot', 'Several', 'Background')
    """
    return (*labels, SEVERAL, BACKGROUND)


def kind_of(found: Collection[str], labels: Sequence[str] = EVENT_LABELS) -> str:
    """Kind of a clip whose events have the labels `found`; other labels count as background.

    >>> kind_of({"Rumble", "Roar"}), kind_of({"Gunshot", "Rumble"}), kind_of({"Aircraft"})
    ('Rumble', 'Several', 'Background')
    """
    known = [label for label in labels if label in found]
    if not known:
        return BACKGROUND
    return known[0] if len(known) == 1 else SEVERAL


def default_shares(labels: Sequence[str] = EVENT_LABELS) -> dict[str, float]:
    """Shares of 60 % clips with one label, evenly, 10 % with several and 30 % background.

    >>> default_shares()
    {'Rumble': 0.3, 'Gunshot': 0.3, 'Several': 0.1, 'Background': 0.3}
    """
    return dict.fromkeys(labels, 0.6 / len(labels)) | {SEVERAL: 0.1, BACKGROUND: 0.3}


def check_shares(shares: Mapping[str, float], labels: Sequence[str] = EVENT_LABELS) -> None:
    """Check that shares can be used.

    Raises:
        ValueError: if a kind is unknown, a share is negative or not finite, or none is positive.
    """
    known = clip_kinds(labels)
    unknown = [kind for kind in shares if kind not in known]
    if unknown:
        raise ValueError(f"{unknown[0]} is no kind of clip; the kinds are {', '.join(known)}")
    values = np.array(list(shares.values()), dtype=float)
    if not (np.isfinite(values).all() and (values >= 0).all() and values.any()):
        told = ", ".join(f"{share:g}" for share in values)
        raise ValueError(f"shares {told} must not be negative, and one must be positive")


def counts_by_batch(quotas: Sequence[float], batches: int) -> NDArray[np.int64]:
    """Number of clips `(batch, kind)` of each kind in each batch.

    Each count is its quota, rounded up or down. Quotas are first rounded down. The clips that are
    then missing are taken from the kinds with the largest remainders, which add up over batches.

    Args:
        quotas: exact number of clips of each kind per batch; their sum is a whole number.
    """
    quota = np.asarray(quotas, dtype=float)
    least = np.floor(quota).astype(np.int64)
    remainder = quota - least
    n_missing = round(float(remainder.sum()))
    counts = np.tile(least, (batches, 1))
    owed = np.zeros(len(quota))
    for row in counts:
        owed += remainder
        chosen = np.argsort(-owed, kind="stable")[:n_missing]
        row[chosen] += 1
        owed[chosen] -= 1
    return counts


class BalancedBatches:
    """Batches of clip indices with fixed shares of the kinds: a `batch_sampler` for a DataLoader.

    If there is no clip of a kind, its share goes to the other kinds in proportion. An epoch has as
    many clips as the dataset, rounded down to the same number of whole batches for each
    process, and at least one batch.

    Args:
        clip_labels: labels of the events of each clip, in the order of the dataset, without those
            of marginal events.
        batch_size: clips per batch and process.
        shares: share of each kind in a batch, relative to their sum; a kind that is missing has
            none. The default is `default_shares(labels)`.
        labels: the labels that the model learns.
        seed: seed of the random order of clips.
        rank: number of this process, from 0.
        world: number of processes that train together.

    Raises:
        ValueError: if there is no clip of a kind with a share, or a number is impossible.
    """

    def __init__(
        self,
        clip_labels: Sequence[Collection[str]],
        batch_size: int,
        shares: Mapping[str, float] | None = None,
        *,
        labels: Sequence[str] = EVENT_LABELS,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if batch_size < 1 or not 0 <= rank < world:
            raise ValueError(
                f"batch size {batch_size} must be positive, and rank {rank} one of the {world} "
                "that there are"
            )
        shares = default_shares(labels) if shares is None else shares
        check_shares(shares, labels)
        kinds = clip_kinds(labels)
        of_clips = np.array([kinds.index(kind_of(found, labels)) for found in clip_labels], int)
        self.members = [np.flatnonzero(of_clips == kind) for kind in range(len(kinds))]
        present = np.array([len(members) > 0 for members in self.members])
        weights = np.array([shares.get(kind, 0.0) for kind in kinds]) * present
        if not weights.any():
            raise ValueError(
                f"none of the {len(clip_labels)} clips is of a kind with a share; "
                f"the kinds are {', '.join(kinds)}"
            )
        self.batches = max(1, len(clip_labels) // (batch_size * world))
        self.seed, self.rank, self.world, self.epoch = seed, rank, world, 0
        self.counts = counts_by_batch(batch_size * weights / weights.sum(), self.batches * world)

    def set_epoch(self, epoch: int) -> None:
        """Use the batches of this epoch from the next iteration on."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Batches per epoch, for this process."""
        return self.batches

    def __iter__(self) -> Iterator[list[int]]:
        dealt = [
            self._dealt(kind, int(total)) for kind, total in enumerate(self.counts.sum(axis=0))
        ]
        ends = np.cumsum(self.counts, axis=0)
        for batch in range(self.rank, len(self.counts), self.world):
            clips = [
                row[end - count : end]
                for row, end, count in zip(dealt, ends[batch], self.counts[batch], strict=True)
            ]
            rng = np.random.default_rng([self.seed, len(self.members), self.epoch, batch])
            yield rng.permutation(np.concatenate(clips)).tolist()

    def _dealt(self, kind: int, total: int) -> NDArray[np.int64]:
        """Indices `(clip,)` of the clips of a kind that this epoch uses, in order.

        The clips of a kind form an endless sequence of rounds, each a random order of all of them.
        An epoch takes the elements `[epoch * total, (epoch + 1) * total)` of that sequence.
        """
        members = self.members[kind]
        if not total:
            return members[:0]
        first_round, skipped = divmod(self.epoch * total, len(members))
        rounds = range(first_round, (self.epoch * total + total - 1) // len(members) + 1)
        rows = [
            np.random.default_rng([self.seed, kind, number]).permutation(members)
            for number in rounds
        ]
        return np.concatenate(rows)[skipped : skipped + total]
